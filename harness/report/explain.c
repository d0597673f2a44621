/* explain.c - see explain.h. Knows how lines are taken apart; what is said is in explain_tables.c. */
#include "harness/report/explain.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 40 /* longer than any row's; a longer word is none of them */

static const struct smtp_explanation *find(const struct smtp_explanation *rows, const char *word)
{
    for (; rows->word != NULL; rows++) {
        if (smtp_span_equal_nocase(smtp_span_of(rows->word), smtp_span_of(word))) {
            return rows;
        }
    }
    return NULL;
}

/** "WHAT WORD" as the tables have it; what NULL: WORD alone. */
static const struct smtp_explanation *look_up(const struct smtp_explanation *rows,
                                              struct smtp_span what, struct smtp_span word)
{
    char both[WORD_MAX];
    if (what.len + 1 + word.len >= sizeof both) {
        return NULL;
    }
    int len = snprintf(both, sizeof both, "%.*s%s%.*s", (int)what.len, what.bytes,
                       what.len > 0 ? " " : "", (int)word.len, word.bytes);
    return len == (int)(what.len + (what.len > 0) + word.len) ? find(rows, both) : NULL;
}

static void separate(struct smtp_harness_lines *to)
{
    if (to->buffer.len > 0) {
        smtp_harness_lines_add(to, SMTP_SPAN("; "));
    }
}

static void tell(struct smtp_harness_lines *to, const struct smtp_explanation *row)
{
    if (row != NULL) {
        separate(to);
        bool is_rfc = smtp_is_digit((unsigned char)row->rfc[0]);
        smtp_harness_lines_print(to, "%s (%s%s)", row->text, is_rfc ? "RFC " : "", row->rfc);
    }
}

static struct smtp_span up_to(struct smtp_span text, const char *ends)
{
    size_t len = 0;
    while (len < text.len && (text.bytes[len] == '\0' || strchr(ends, text.bytes[len]) == NULL)) {
        len++;
    }
    return (struct smtp_span){text.bytes, len};
}

static struct smtp_span behind(struct smtp_span text, size_t octets)
{
    size_t skipped = octets < text.len ? octets : text.len;
    return (struct smtp_span){text.bytes + skipped, text.len - skipped};
}

struct smtp_span smtp_explain_verb(struct smtp_span line)
{
    return up_to(line, " \t");
}

/* ---- commands ---- */

/** Behind the path, whose quoted part may hold blanks. */
static struct smtp_span parameters_of(struct smtp_span arguments)
{
    const char *end = memrchr(arguments.bytes, '>', arguments.len);
    const char *first = memchr(arguments.bytes, '>', arguments.len);
    bool quoted = memchr(arguments.bytes, '"', arguments.len) != NULL;
    end = quoted ? end : first; /* AUTH=<> has another one */
    return end != NULL ? behind(arguments, (size_t)(end + 1 - arguments.bytes)) : SMTP_SPAN("");
}

void smtp_explain_command(struct smtp_harness_lines *to, struct smtp_span line)
{
    struct smtp_span verb = smtp_explain_verb(line), rest = behind(line, verb.len);
    const struct smtp_explanation *row = look_up(smtp_explain_verbs, SMTP_SPAN(""), verb);
    tell(to, row);
    if (row == NULL) {
        return;
    }
    bool has_path = strcmp(row->word, "MAIL") == 0 || strcmp(row->word, "RCPT") == 0;
    rest = has_path ? parameters_of(rest) : rest;
    while ((rest = smtp_span_trim_start(rest)).len > 0) {
        struct smtp_span parameter = up_to(rest, " ");
        tell(to, look_up(smtp_explain_parameters, verb, up_to(parameter, "=")));
        rest = behind(rest, parameter.len);
    }
}

void smtp_explain_content(struct smtp_harness_lines *to, bool is_chunk)
{
    static const struct smtp_explanation chunk = {
        "", "octets of the message, counted: no dots are doubled, no mark ends them", "3030 2"};
    static const struct smtp_explanation content = {
        "", "the message: header, an empty line, body; a dot that begins a line is doubled",
        "5321 4.5.2"};
    tell(to, is_chunk ? &chunk : &content);
}

void smtp_explain_end_of_content(struct smtp_harness_lines *to)
{
    static const struct smtp_explanation end = {"", "ends the content", "5321 4.1.1.4"};
    tell(to, &end);
}

/* ---- replies ---- */

/** "5.7.1" as its class and its subject; RFC 2034 4: such a code stands right behind the reply's. */
static void explain_enhanced(struct smtp_harness_lines *to, struct smtp_span text)
{
    struct smtp_span code = up_to(text, " ");
    struct smtp_span kind = up_to(code, "."), subject = up_to(behind(code, kind.len + 1), ".");
    struct smtp_span detail = behind(code, kind.len + 1 + subject.len + 1);
    char dotted[8];
    uint64_t number;
    if (!smtp_span_to_u64(detail, 999, &number) || !smtp_span_to_u64(subject, 999, &number)) {
        return;
    }
    snprintf(dotted, sizeof dotted, ".%.*s", (int)subject.len, subject.bytes);
    const struct smtp_explanation *about = find(smtp_explain_enhanced, dotted);
    const struct smtp_explanation *outcome = look_up(smtp_explain_enhanced, SMTP_SPAN(""), kind);
    if (outcome != NULL) {
        separate(to);
        smtp_harness_lines_print(to, "%.*s: %s%s%s (RFC %s)", (int)code.len, code.bytes,
                                 outcome->text, about != NULL ? " " : "",
                                 about != NULL ? about->text : "", outcome->rfc);
    }
}

void smtp_explain_reply(struct smtp_harness_lines *to, struct smtp_span verb, struct smtp_span line)
{
    struct smtp_span code = up_to(line, " -");
    struct smtp_span asked = verb.len > 0 ? verb : SMTP_SPAN("greeting"), none = SMTP_SPAN("");
    uint64_t number;
    if (code.len != 3 || !smtp_span_to_u64(code, 999, &number)) {
        return;
    }
    const struct smtp_explanation *row = look_up(smtp_explain_codes, asked, code);
    row = row != NULL ? row : look_up(smtp_explain_codes, none, code);
    row = row != NULL ? row : look_up(smtp_explain_codes, none, (struct smtp_span){code.bytes, 1});
    tell(to, row);
    explain_enhanced(to, behind(line, 4));
}

void smtp_explain_keyword(struct smtp_harness_lines *to, struct smtp_span line)
{
    struct smtp_span keyword = up_to(behind(line, 4), " =");
    tell(to, look_up(smtp_explain_keywords, SMTP_SPAN(""), keyword));
}
