/* extract.c - the calls that take something out of a message: what a pattern finds, and links. Does not know how
 * links are written (links.c). */
#include "harness/failure.h"
#include "harness/links.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#define PATTERN_SHOWN_MAX 200 /* octets */

static void fail(struct smtp_harness *harness, const char *pattern, const char *why,
                 const struct smtp_harness_message *message)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_harness_lines_print(&lines, "nothing is extracted with ");
    smtp_harness_lines_quote(&lines, smtp_span_of(pattern), PATTERN_SHOWN_MAX);
    smtp_harness_lines_print(&lines, ": %s\n", why);
    if (message != NULL) {
        smtp_harness_describe(message, &lines);
    }
    char *text = smtp_harness_lines_take(&lines);
    const char *kept = smtp_harness_keep_text(harness, text);
    harness->failure = kept != NULL ? kept : "nothing is extracted: out of memory\n";
}

/* What it finds in the text, as a new one; NULL: nothing. */
static char *find(const regex_t *regex, const char *text)
{
    regmatch_t found[2];
    if (text == NULL || regexec(regex, text, 2, found, 0) != 0) {
        return NULL;
    }
    regmatch_t part = found[regex->re_nsub > 0 ? 1 : 0];
    return part.rm_so < 0 ? strdup("")
                          : strndup(text + part.rm_so, (size_t)(part.rm_eo - part.rm_so));
}

const char *smtp_harness_extract(struct smtp_harness *harness,
                                 const struct smtp_harness_message *message, const char *pattern)
{
    regex_t regex;
    harness->failure = "";
    int code = regcomp(&regex, pattern, REG_EXTENDED | REG_NEWLINE);
    if (code != 0) {
        char reason[100], why[140];
        regerror(code, &regex, reason, sizeof reason);
        snprintf(why, sizeof why, "no regular expression: %s", reason);
        fail(harness, pattern, why, NULL);
        return NULL;
    }
    const char *texts[] = {smtp_harness_header(message, "Subject"), smtp_harness_text(message),
                           smtp_harness_html(message)};
    char *found = NULL;
    for (size_t i = 0; found == NULL && i < sizeof texts / sizeof *texts; i++) {
        found = find(&regex, texts[i]);
    }
    regfree(&regex);
    if (found == NULL) {
        fail(harness, pattern, "it is not in the subject, the text or the HTML", message);
        return NULL;
    }
    return smtp_harness_keep_text(harness, found);
}

const char *smtp_harness_link(struct smtp_harness *harness,
                              const struct smtp_harness_message *message, size_t i)
{
    const char *html = smtp_harness_html(message), *text = smtp_harness_text(message);
    struct smtp_harness_link_place place = {0};
    for (;;) {
        struct smtp_harness_lines link = SMTP_HARNESS_LINES;
        bool found = smtp_harness_link_next(html, text, &place, &link);
        char *taken = smtp_harness_lines_take(&link);
        if (found && i-- == 0) {
            return smtp_harness_keep_text(harness, taken);
        }
        free(taken);
        if (!found) {
            return NULL;
        }
    }
}
