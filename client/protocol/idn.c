/* idn.c - the A-labels of a domain, by libidn2, label by label, so that a failure can name the one that is
 * wrong. Does not know: which labels DNS or SMTP would take (domain.c). */
#include "client/protocol/idn.h"

#include "common/error.h"
#include "common/utf8.h"

#include <idn2.h>

/* A U-label that fits 63 octets as an A-label has at most 59 characters of at most 4 octets. */
#define U_LABEL_MAX 236

static enum smtp_status wrong_label(struct smtp_error *error, struct smtp_span label,
                                    const char *why)
{
    int shown = smtp_is_utf8(label) ? (int)label.len : 0;
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                          "the label \"%.*s\" of a domain is no U-label: %s",
                          shown < 80 ? shown : 0, label.bytes, why);
}

/* Mapping can make ASCII of other characters: a full stop of an ideographic one, which would make two
 * labels of one, or a slash. libidn2's own rule for this (STD3) leaves them out without a word. */
static bool is_letters_digits_hyphens(struct smtp_span label)
{
    for (size_t i = 0; i < label.len; i++) {
        unsigned char c = (unsigned char)label.bytes[i];
        if (!smtp_is_letter_or_digit(c) && c != '-') {
            return false;
        }
    }
    return label.len > 0;
}

static enum smtp_status append_label(struct smtp_buffer *out, struct smtp_span label,
                                     struct smtp_error *error)
{
    if (!smtp_has_eight_bit(label)) {
        return smtp_buffer_append(out, label.bytes, label.len);
    }
    if (label.len > U_LABEL_MAX) {
        return wrong_label(error, label, "it is too long");
    }
    if (!smtp_is_utf8(label)) {
        return wrong_label(error, label, "it is no UTF-8");
    }
    char text[U_LABEL_MAX + 1] = "";
    uint8_t *ascii = NULL;
    memcpy(text, label.bytes, label.len);
    int result = idn2_lookup_u8((const uint8_t *)text, &ascii, IDN2_NONTRANSITIONAL);
    if (result == IDN2_MALLOC) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for a domain");
    }
    if (result != IDN2_OK) {
        return wrong_label(error, label, idn2_strerror(result));
    }
    struct smtp_span made = smtp_span_of((const char *)ascii);
    enum smtp_status status =
        is_letters_digits_hyphens(made)
            ? smtp_buffer_append(out, made.bytes, made.len)
            : wrong_label(error, label, "it holds more than letters, digits and hyphens");
    idn2_free(ascii);
    return status;
}

enum smtp_status smtp_client_idn_append(struct smtp_buffer *out, struct smtp_span domain,
                                        struct smtp_error *error)
{
    if (!smtp_has_eight_bit(domain)) {
        return smtp_buffer_append(out, domain.bytes, domain.len);
    }
    for (;;) {
        const char *dot = domain.len > 0 ? memchr(domain.bytes, '.', domain.len) : NULL;
        size_t len = dot != NULL ? (size_t)(dot - domain.bytes) : domain.len;
        enum smtp_status status = append_label(out, (struct smtp_span){domain.bytes, len}, error);
        if (status != SMTP_OK || dot == NULL) {
            return status;
        }
        status = smtp_buffer_append(out, ".", 1);
        if (status != SMTP_OK) {
            return status;
        }
        domain = (struct smtp_span){dot + 1, domain.len - len - 1};
    }
}

enum smtp_status smtp_client_idn_copy(char *text, size_t size, const char *domain,
                                      struct smtp_error *error)
{
    struct smtp_buffer made = SMTP_BUFFER(size);
    enum smtp_status status = smtp_client_idn_append(&made, smtp_span_of(domain), error);
    if (status == SMTP_OK) {
        status = smtp_buffer_append(&made, "", 1);
    }
    if (status == SMTP_OK) {
        smtp_bytes_copy(text, smtp_buffer_span(&made));
    }
    smtp_buffer_free(&made);
    return status == SMTP_LIMIT_EXCEEDED
               ? smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "a domain is longer than %zu octets",
                                size - 1)
               : status;
}
