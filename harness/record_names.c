/* record_names.c - see record_names.h. */
#include "harness/record_names.h"

/* What is shorter is no invention of a program's, and may stand in any text by chance. */
#define LITERAL_MIN 8

static const char *const base_words[SMTP_RECORD_BASES] = {
    "DATE", "MESSAGE_ID", "BOUNDARY", "ID", "CHALLENGE", "SECRET", "OCTETS", "UNTIL", "PEER"};

static bool begins(struct smtp_span text, struct smtp_span with)
{
    return text.len >= with.len && memcmp(text.bytes, with.bytes, with.len) == 0;
}

static struct smtp_span after(struct smtp_span text, size_t len)
{
    return (struct smtp_span){text.bytes + len, text.len - len};
}

/* As smtp_harness_lines_escape, of a part of a line: only at the line's end is a space in danger. */
static void put_piece(struct smtp_harness_lines *lines, struct smtp_span text, bool at_end)
{
    size_t spaces = 0;
    while (!at_end && spaces < text.len && text.bytes[text.len - 1 - spaces] == ' ') {
        spaces++;
    }
    smtp_harness_lines_escape(lines, (struct smtp_span){text.bytes, text.len - spaces});
    smtp_harness_lines_add(lines, (struct smtp_span){text.bytes + text.len - spaces, spaces});
}

/* Plain text; what would mean something in the notation is escaped. */
void smtp_record_plain(struct smtp_harness_lines *lines, struct smtp_span text, bool at_end)
{
    size_t start = 0;
    for (size_t i = 0; i < text.len; i++) {
        struct smtp_span here = after(text, i);
        bool wildcard = begins(here, SMTP_SPAN("..."));
        if (!wildcard && !begins(here, SMTP_SPAN("${"))) {
            continue;
        }
        put_piece(lines, (struct smtp_span){text.bytes + start, i - start}, false);
        smtp_harness_lines_add(lines, wildcard ? SMTP_SPAN("\\.") : SMTP_SPAN("\\$"));
        start = i + 1; /* the octet itself has been written */
    }
    put_piece(lines, after(text, start), at_end);
}

static void put_name(struct smtp_harness_lines *lines, enum smtp_record_base base, unsigned number)
{
    smtp_harness_lines_print(lines, number > 1 ? "${%s_%u" : "${%s", base_words[base], number);
}

static void put_value(struct smtp_harness_lines *lines, struct smtp_span value)
{
    smtp_harness_lines_add(lines, SMTP_SPAN("="));
    while (value.len > 0) {
        const char *brace = memchr(value.bytes, '}', value.len);
        size_t len = brace != NULL ? (size_t)(brace - value.bytes) : value.len;
        put_piece(lines, (struct smtp_span){value.bytes, len}, false);
        if (brace != NULL) {
            smtp_harness_lines_add(lines, SMTP_SPAN("\\}"));
            len++;
        }
        value = after(value, len);
    }
}

static void put_literal(struct smtp_harness_lines *lines, struct smtp_record_literal *literal)
{
    put_name(lines, literal->base, literal->number);
    if (!literal->introduced) {
        put_value(lines, literal->value);
        literal->introduced = true;
    }
    smtp_harness_lines_add(lines, SMTP_SPAN("}"));
}

static struct smtp_record_literal *literal_at(struct smtp_record_names *names,
                                              struct smtp_span text)
{
    for (size_t i = 0; i < names->literal_count; i++) {
        struct smtp_record_literal *literal = &names->literals[i];
        if (text.len >= literal->value.len && text.bytes[0] == literal->value.bytes[0] &&
            memcmp(text.bytes, literal->value.bytes, literal->value.len) == 0) {
            return literal;
        }
    }
    return NULL;
}

void smtp_record_text(struct smtp_record_names *names, struct smtp_harness_lines *lines,
                      struct smtp_span text, bool at_end)
{
    size_t start = 0;
    for (size_t i = 0; i < text.len && names->literal_count > 0;) {
        struct smtp_record_literal *literal = literal_at(names, after(text, i));
        if (literal == NULL) {
            i++;
            continue;
        }
        smtp_record_plain(lines, (struct smtp_span){text.bytes + start, i - start}, false);
        put_literal(lines, literal);
        i += literal->value.len;
        start = i;
    }
    smtp_record_plain(lines, after(text, start), at_end);
}

/* From here on the value has that name, wherever it stands. False: too short for that. */
bool smtp_record_name(struct smtp_record_names *names, enum smtp_record_base base,
                      struct smtp_span value)
{
    if (value.len < LITERAL_MIN || names->literal_count == SMTP_RECORD_LITERALS_MAX) {
        return false;
    }
    if (literal_at(names, value) == NULL) {
        names->literals[names->literal_count++] =
            (struct smtp_record_literal){value, base, ++names->counts[base], false};
    }
    return true;
}

/* What varies, at this one place. */
void smtp_record_varying(struct smtp_record_names *names, struct smtp_harness_lines *lines,
                         enum smtp_record_base base, struct smtp_span value)
{
    put_name(lines, base, ++names->counts[base]);
    put_value(lines, value);
    smtp_harness_lines_add(lines, SMTP_SPAN("}"));
}

void smtp_record_secret(struct smtp_record_names *names, struct smtp_harness_lines *lines)
{
    put_name(lines, SMTP_RECORD_SECRET, ++names->counts[SMTP_RECORD_SECRET]);
    smtp_harness_lines_add(lines, SMTP_SPAN("}"));
}
