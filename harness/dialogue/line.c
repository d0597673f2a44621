/* line.c - takes a line of a dialogue apart: escapes, "...", ${NAME} and ${NAME=VALUE}. Knows nothing of
 * speakers and steps. */
#include "harness/dialogue/steps.h"

#include <stdio.h>

#define NAME_MAX_OCTETS 64 /* longer than any name a person gives */

static const char escape_remedy[] =
    "escapes are \\xNN (two hexadecimal digits), \\r, \\n, \\t, \\\\, \\., \\$ and \\}";
static const char name_remedy[] = "write ${NAME} or ${NAME=VALUE}, the name of letters, digits, "
                                  "'_' and '-'; \\$ is a dollar sign";

/** Where in a line it is read, and where the octets go. */
struct reader {
    struct smtp_dialogue *dialogue;
    const char *at, *end;
    struct smtp_dialogue_mistake *mistake;
};

static bool is_wrong(struct reader *reader, const char *at, const char *remedy, const char *what)
{
    reader->mistake->at = at;
    reader->mistake->remedy = remedy;
    snprintf(reader->mistake->what, sizeof reader->mistake->what, "%s", what);
    return false;
}

static bool begins(const struct reader *reader, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(reader->end - reader->at) >= len && memcmp(reader->at, text, len) == 0;
}

/* The octets of a line are never more than the text it is written in. */
static void put(struct reader *reader, char octet)
{
    reader->dialogue->octets[reader->dialogue->octets_len++] = octet;
}

static int hexadecimal(char c)
{
    if (smtp_is_digit((unsigned char)c)) {
        return c - '0';
    }
    int letter = c | 32;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static bool read_escape(struct reader *reader)
{
    static const char names[] = "rnt\\.$}", octets[] = "\r\n\t\\.$}";
    const char *begin = reader->at++;
    if (reader->at == reader->end) {
        return is_wrong(reader, begin, escape_remedy, "nothing stands behind the last backslash");
    }
    char named = *reader->at++;
    const char *found = named != '\0' ? strchr(names, named) : NULL;
    if (found != NULL) {
        put(reader, octets[found - names]);
        return true;
    }
    if (named != 'x') {
        return is_wrong(reader, begin, escape_remedy, "there is no such escape");
    }
    int high = reader->end - reader->at >= 2 ? hexadecimal(reader->at[0]) : -1;
    int low = high >= 0 ? hexadecimal(reader->at[1]) : -1;
    if (low < 0) {
        return is_wrong(reader, begin, escape_remedy, "\\x needs two hexadecimal digits");
    }
    put(reader, (char)(high * 16 + low));
    reader->at += 2;
    return true;
}

static bool add_part(struct reader *reader, const struct smtp_dialogue_part *part)
{
    if (smtp_buffer_append(&reader->dialogue->parts, part, sizeof *part) != SMTP_OK) {
        reader->mistake->no_memory = true;
        return is_wrong(reader, reader->at, "", "out of memory");
    }
    return true;
}

static bool is_name_octet(char c)
{
    return smtp_is_letter_or_digit((unsigned char)c) || c == '_' || c == '-';
}

static bool read_value(struct reader *reader, struct smtp_dialogue_part *part)
{
    size_t start = reader->dialogue->octets_len;
    while (reader->at < reader->end && *reader->at != '}') {
        if (*reader->at == '\\') {
            if (!read_escape(reader)) {
                return false;
            }
        } else {
            put(reader, *reader->at++);
        }
    }
    part->has_value = true;
    part->octets =
        (struct smtp_span){reader->dialogue->octets + start, reader->dialogue->octets_len - start};
    return true;
}

static bool read_variable(struct reader *reader)
{
    const char *begin = reader->at;
    struct smtp_dialogue_part part = {.kind = SMTP_DIALOGUE_VARIABLE};
    reader->at += strlen("${");
    size_t start = reader->dialogue->octets_len;
    while (reader->at < reader->end && is_name_octet(*reader->at)) {
        put(reader, *reader->at++);
    }
    part.name =
        (struct smtp_span){reader->dialogue->octets + start, reader->dialogue->octets_len - start};
    if (part.name.len == 0) {
        return is_wrong(reader, reader->at, name_remedy, "a variable has no name");
    }
    if (part.name.len > NAME_MAX_OCTETS) {
        return is_wrong(reader, begin, "a name has at most 64 octets",
                        "a variable's name is too long");
    }
    if (reader->at < reader->end && *reader->at == '=') {
        reader->at++;
        if (!read_value(reader, &part)) {
            return false;
        }
    }
    if (reader->at == reader->end) {
        return is_wrong(reader, begin, name_remedy, "'}' is missing");
    }
    if (*reader->at != '}') {
        return is_wrong(reader, reader->at, name_remedy, "this cannot stand in a variable's name");
    }
    reader->at++;
    return add_part(reader, &part);
}

static bool read_literal(struct reader *reader)
{
    size_t start = reader->dialogue->octets_len;
    while (reader->at < reader->end && !begins(reader, "...") && !begins(reader, "${")) {
        if (*reader->at == '\\') {
            if (!read_escape(reader)) {
                return false;
            }
        } else {
            put(reader, *reader->at++);
        }
    }
    struct smtp_dialogue_part part = {.kind = SMTP_DIALOGUE_LITERAL};
    part.octets =
        (struct smtp_span){reader->dialogue->octets + start, reader->dialogue->octets_len - start};
    return add_part(reader, &part);
}

static bool read_any(struct reader *reader)
{
    reader->at += strlen("...");
    return add_part(reader, &(struct smtp_dialogue_part){.kind = SMTP_DIALOGUE_ANY});
}

/** Whether an octet of the dialogue's between them is a CRLF's, which parts it from a line. */
static bool holds_crlf(const struct smtp_dialogue *dialogue, size_t start)
{
    size_t len = dialogue->octets_len - start;
    return len > 0 && memmem(dialogue->octets + start, len, "\r\n", 2) != NULL;
}

bool smtp_dialogue_read_line(struct smtp_dialogue *dialogue, struct smtp_dialogue_step *step,
                             struct smtp_span text, struct smtp_dialogue_mistake *mistake)
{
    struct reader reader = {dialogue, text.bytes, text.bytes + text.len, mistake};
    size_t start = dialogue->octets_len, before = dialogue->parts.len;
    step->first_part = before / sizeof(struct smtp_dialogue_part);
    while (reader.at < reader.end) {
        bool read = begins(&reader, "...")  ? read_any(&reader)
                    : begins(&reader, "${") ? read_variable(&reader)
                                            : read_literal(&reader);
        if (!read) {
            return false;
        }
    }
    step->is_one_line = step->has_crlf && !holds_crlf(dialogue, start);
    struct smtp_dialogue_part crlf = {.kind = SMTP_DIALOGUE_LITERAL, .octets = SMTP_SPAN("\r\n")};
    if (step->has_crlf && !add_part(&reader, &crlf)) {
        return false;
    }
    step->part_count = (dialogue->parts.len - before) / sizeof(struct smtp_dialogue_part);
    return true;
}
