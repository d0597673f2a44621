/* xtext.c - see xtext.h: every octet that is no printable ASCII, and "+" and "=", becomes "+" with two
 * digits, so that nothing in a value can end it. */
#include "client/protocol/xtext.h"

#include "common/error.h"

#include <stdio.h>

enum smtp_status smtp_client_xtext_append_octets(struct smtp_buffer *out, struct smtp_span octets,
                                                 struct smtp_error *error)
{
    char *at = smtp_buffer_reserve(out, 3 * octets.len + 1);
    if (at == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for a command");
    }
    size_t len = 0;
    for (size_t i = 0; i < octets.len; i++) {
        unsigned char c = (unsigned char)octets.bytes[i];
        if (c > 32 && c < 127 && c != '+' && c != '=') {
            at[len++] = (char)c;
        } else {
            snprintf(at + len, 4, "+%02X", c);
            len += 3;
        }
    }
    smtp_buffer_added(out, len);
    return SMTP_OK;
}

enum smtp_status smtp_client_xtext_append(struct smtp_buffer *out, struct smtp_span text,
                                          const char *what, struct smtp_error *error)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (smtp_is_control(c)) {
            return smtp_error_set(error, SMTP_UNSAFE_ARGUMENT, 0,
                                  "%s holds the control octet 0x%02X at position %zu", what, c, i);
        }
        if (c > 127) {
            return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                  "%s holds an octet above 127 at position %zu: printable ASCII is "
                                  "expected",
                                  what, i);
        }
    }
    return smtp_client_xtext_append_octets(out, text, error);
}
