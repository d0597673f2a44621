/* header.c - finds a header section and its fields (RFC 5322 2.2).
 * Knows: line ends of all three kinds, folding. Does not know: what a field means. */
#include "client/header.h"

#include <string.h>

static bool is_line_end(char c)
{
    return c == '\r' || c == '\n';
}

bool smtp_client_header_end_find(struct smtp_client_header_end *search, struct smtp_span all)
{
    for (; search->looked_at < all.len; search->looked_at++) {
        char c = all.bytes[search->looked_at];
        bool second_half = search->after_cr && c == '\n';
        search->after_cr = false;
        if (second_half) {
            continue;
        }
        if (is_line_end(c) && search->line_start) {
            return true;
        }
        search->line_start = is_line_end(c);
        search->after_cr = c == '\r';
    }
    return false;
}

/* Behind the line end of the line that holds at. */
static size_t line_end(struct smtp_span header, size_t at)
{
    while (at < header.len && !is_line_end(header.bytes[at])) {
        at++;
    }
    if (at + 1 < header.len && header.bytes[at] == '\r' && header.bytes[at + 1] == '\n') {
        at++;
    }
    return at < header.len ? at + 1 : at;
}

bool smtp_client_field_next(struct smtp_span header, size_t *at, struct smtp_client_field *field)
{
    size_t start = *at;
    if (start >= header.len) {
        return false;
    }
    size_t end = line_end(header, start);
    while (end < header.len && (header.bytes[end] == ' ' || header.bytes[end] == '\t')) {
        end = line_end(header, end);
    }
    *at = end;
    *field = (struct smtp_client_field){.whole = {header.bytes + start, end - start}};
    field->name = field->body = SMTP_SPAN("");
    const char *colon = memchr(field->whole.bytes, ':', field->whole.len);
    if (colon != NULL) {
        size_t len = (size_t)(colon - field->whole.bytes);
        field->name = smtp_span_trim_end((struct smtp_span){field->whole.bytes, len});
        field->body = (struct smtp_span){colon + 1, field->whole.len - len - 1};
    }
    return true;
}
