/* dialogue_told.c - see dialogue_told.h. Details quote octets as smtp_harness_lines_quote does. */
#include "harness/report/dialogue_told.h"

#include "harness/lines.h"

#include <stdlib.h>
#include <string.h>

#define COMPARED_MAX                                                                               \
    ((size_t)100)            /* octets: a detail quotes no more of a long line than twice that */
#define CODE_LEN ((size_t)4) /* of a reply: "250-" */

/** Up to the end of what is quoted there, an escaped CRLF or the detail's own end. */
static bool ends_at(const char *at)
{
    return *at == '\0' || *at == '"' || *at == '\\';
}

/** alone: between the quotes there is nothing else. */
static bool quotes(const char *detail, struct smtp_span text, bool alone)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    bool is_whole = text.len <= COMPARED_MAX;
    text.len = is_whole ? text.len : COMPARED_MAX;
    smtp_harness_lines_quote(&lines, text, SIZE_MAX);
    char *quoted = smtp_harness_lines_take(&lines);
    size_t len = quoted != NULL ? strlen(quoted) : 0;
    bool is_found = false;
    if (len > 2) { /* there is something between its quotes */
        quoted[len - 1] = '\0';
        const char *wanted = quoted + 1;
        for (const char *at = strstr(detail, wanted); at != NULL && !is_found;
             at = strstr(at + 1, wanted)) {
            bool begins = !alone || (at > detail && at[-1] == '"');
            is_found = begins && (!is_whole || ends_at(at + len - 2));
        }
    }
    free(quoted);
    return is_found;
}

bool smtp_dialogue_is_told(const char *detail, struct smtp_span line)
{
    if (detail == NULL) {
        return false;
    }
    if (quotes(detail, line, false)) {
        return true;
    }
    bool is_reply = line.len > CODE_LEN && (line.bytes[3] == '-' || line.bytes[3] == ' ') &&
                    smtp_is_digit((unsigned char)line.bytes[0]);
    if (!is_reply) {
        return false;
    }
    struct smtp_span text = {line.bytes + CODE_LEN, line.len - CODE_LEN};
    const char *space = memchr(text.bytes, ' ', text.len);
    size_t keyword = space != NULL ? (size_t)(space - text.bytes) + 1 : text.len;
    return quotes(detail, text, false) ||
           quotes(detail, (struct smtp_span){text.bytes + keyword, text.len - keyword}, true);
}

bool smtp_dialogue_tells(const char *detail, const struct smtp_harness_transcript *transcript)
{
    struct smtp_harness_transcript_place place = {0};
    struct smtp_harness_transcript_line line;
    while (detail != NULL && smtp_harness_transcript_next(transcript, &place, &line)) {
        if (smtp_dialogue_is_told(detail, line.text)) {
            return true;
        }
    }
    return false;
}
