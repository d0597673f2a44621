/* command.c - see command.h. Knows the form every command has; what each verb means stands in
 * verbs.c. */
#include "server/protocol/command.h"

#include "common/utf8.h"

#include <string.h>

static void inspect(struct smtp_command *command)
{
    if (smtp_is_printable(command->line)) {
        return;
    }
    for (size_t i = 0; i < command->line.len; i++) {
        unsigned char c = (unsigned char)command->line.bytes[i];
        bool line_end = c == '\r' || c == '\n';
        command->has_bare_line_end |= line_end;
        command->has_control |= smtp_is_control(c) && !line_end;
    }
}

struct smtp_command smtp_command_parse(struct smtp_span line)
{
    struct smtp_command command = {.line = smtp_span_trim_end(line)};
    const char *space =
        command.line.len > 0 ? memchr(command.line.bytes, ' ', command.line.len) : NULL;
    size_t verb_len = space != NULL ? (size_t)(space - command.line.bytes) : command.line.len;
    command.verb = (struct smtp_span){command.line.bytes, verb_len};
    command.argument = smtp_span_trim_start(
        (struct smtp_span){command.line.bytes + verb_len, command.line.len - verb_len});
    inspect(&command);
    return command;
}

bool smtp_command_take_word(struct smtp_span *text, struct smtp_span word)
{
    if (text->len < word.len ||
        !smtp_span_equal_nocase((struct smtp_span){text->bytes, word.len}, word)) {
        return false;
    }
    text->bytes += word.len;
    text->len -= word.len;
    return true;
}

/* esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static size_t keyword_len(struct smtp_span text)
{
    size_t len = 0;
    while (len < text.len) {
        unsigned char c = (unsigned char)text.bytes[len];
        if (!smtp_is_letter_or_digit(c) && (c != '-' || len == 0)) {
            break;
        }
        len++;
    }
    return len;
}

/* esmtp-value = 1*(%d33-60 / %d62-126), and characters above U+007F (RFC 6531 3.3) */
static size_t value_len(struct smtp_span text)
{
    size_t len = 0;
    while (len < text.len) {
        unsigned char c = (unsigned char)text.bytes[len];
        size_t more =
            c > 32 && c < 127 && c != '='
                ? 1
                : smtp_utf8_sequence((struct smtp_span){text.bytes + len, text.len - len});
        if (more == 0) {
            break;
        }
        len += more;
    }
    return len;
}

enum smtp_parameter_result smtp_parameter_next(struct smtp_span *text, struct smtp_parameter *out)
{
    if (text->len == 0) {
        return SMTP_PARAMETER_NONE;
    }
    struct smtp_span rest = smtp_span_trim_start(*text);
    if (rest.len == text->len) {
        return SMTP_PARAMETER_MALFORMED; /* no space before it */
    }
    *out = (struct smtp_parameter){.keyword = {rest.bytes, keyword_len(rest)}};
    rest.bytes += out->keyword.len;
    rest.len -= out->keyword.len;
    if (rest.len > 0 && rest.bytes[0] == '=') {
        rest.bytes++;
        rest.len--;
        out->has_value = true;
        out->value = (struct smtp_span){rest.bytes, value_len(rest)};
        rest.bytes += out->value.len;
        rest.len -= out->value.len;
    }
    if (out->keyword.len == 0 || (out->has_value && out->value.len == 0) ||
        (rest.len > 0 && rest.bytes[0] != ' ')) {
        return SMTP_PARAMETER_MALFORMED;
    }
    *text = rest;
    return SMTP_PARAMETER_TAKEN;
}
