/* lines.c - see lines.h. */
#include "harness/lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void smtp_harness_lines_add(struct smtp_harness_lines *lines, struct smtp_span text)
{
    if (!lines->failed && smtp_buffer_append(&lines->buffer, text.bytes, text.len) != SMTP_OK) {
        lines->failed = true;
    }
}

void smtp_harness_lines_print(struct smtp_harness_lines *lines, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int len = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (len < 0) {
        lines->failed = true;
        return;
    }
    smtp_harness_lines_add(lines, (struct smtp_span){text, (size_t)len});
    free(text);
}

static bool stays(unsigned char c)
{
    return c >= 32 && c < 127 && c != '\\';
}

static void escape_octet(struct smtp_harness_lines *lines, unsigned char c)
{
    switch (c) {
    case '\\':
        smtp_harness_lines_add(lines, SMTP_SPAN("\\\\"));
        return;
    case '\r':
        smtp_harness_lines_add(lines, SMTP_SPAN("\\r"));
        return;
    case '\n':
        smtp_harness_lines_add(lines, SMTP_SPAN("\\n"));
        return;
    default:
        smtp_harness_lines_print(lines, "\\x%02x", c);
        return;
    }
}

void smtp_harness_lines_escape(struct smtp_harness_lines *lines, struct smtp_span text)
{
    bool space_at_end = text.len > 0 && text.bytes[text.len - 1] == ' ';
    size_t len = text.len - (space_at_end ? 1 : 0);
    for (size_t i = 0; i < len;) {
        size_t start = i;
        while (i < len && stays((unsigned char)text.bytes[i])) {
            i++;
        }
        smtp_harness_lines_add(lines, (struct smtp_span){text.bytes + start, i - start});
        if (i < len) {
            escape_octet(lines, (unsigned char)text.bytes[i++]);
        }
    }
    if (space_at_end) { /* editors and mailers drop it */
        smtp_harness_lines_add(lines, SMTP_SPAN("\\x20"));
    }
}

void smtp_harness_lines_quote(struct smtp_harness_lines *lines, struct smtp_span text, size_t max)
{
    size_t len = text.len;
    if (len > max) { /* not in the middle of a UTF-8 sequence */
        len = max;
        while (len > 0 && ((unsigned char)text.bytes[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    smtp_harness_lines_add(lines, SMTP_SPAN("\""));
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (smtp_is_control(c)) {
            escape_octet(lines, c);
        } else {
            smtp_harness_lines_add(lines, (struct smtp_span){text.bytes + i, 1});
        }
    }
    smtp_harness_lines_add(lines, SMTP_SPAN("\""));
    if (len < text.len) {
        smtp_harness_lines_print(lines, "... (%zu octets)", text.len);
    }
}

char *smtp_harness_lines_take(struct smtp_harness_lines *lines)
{
    smtp_harness_lines_add(lines, (struct smtp_span){"", 1});
    char *text = NULL;
    if (!lines->failed) {
        struct smtp_span all = smtp_buffer_span(&lines->buffer);
        text = malloc(all.len);
        if (text != NULL) {
            smtp_bytes_copy(text, all);
        }
    }
    smtp_buffer_free(&lines->buffer);
    lines->failed = false;
    return text;
}
