/* recipient_options.c - writes the options of RCPT as parameters: NOTIFY and ORCPT (RFC 3461 4.1, 4.2, RFC
 * 6533 3). Knows: address types, and both forms of a recipient that is not ASCII. Does not know: what the
 * server offers (offered.c). */
#include "client/protocol/parameters.h"
#include "client/protocol/xtext.h"
#include "common/error.h"
#include "common/utf8.h"

#include <stdio.h>

static enum smtp_status append(struct smtp_buffer *out, struct smtp_span text,
                               struct smtp_error *error)
{
    return smtp_buffer_append(out, text.bytes, text.len) == SMTP_OK
               ? SMTP_OK
               : smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for a command");
}

static enum smtp_status append_notify(struct smtp_buffer *out, unsigned notify,
                                      struct smtp_error *error)
{
    static const struct {
        unsigned bit;
        const char *word;
    } words[] = {{SMTP_NOTIFY_NEVER, "NEVER"},
                 {SMTP_NOTIFY_SUCCESS, "SUCCESS"},
                 {SMTP_NOTIFY_FAILURE, "FAILURE"},
                 {SMTP_NOTIFY_DELAY, "DELAY"}};
    if (notify >= 2 * SMTP_NOTIFY_DELAY) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "notify has a bit that is no SMTP_NOTIFY");
    }
    if ((notify & SMTP_NOTIFY_NEVER) != 0 && notify != SMTP_NOTIFY_NEVER) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "SMTP_NOTIFY_NEVER stands alone (RFC 3461 4.1)");
    }
    enum smtp_status status = SMTP_OK;
    const char *before = " NOTIFY=";
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && status == SMTP_OK; i++) {
        if ((notify & words[i].bit) != 0) {
            char text[24];
            snprintf(text, sizeof(text), "%s%s", before, words[i].word);
            status = append(out, smtp_span_of(text), error);
            before = ",";
        }
    }
    return status;
}

/* Cuts "type;" off the front: addr-type is an atom (RFC 3461 4.2). An address in quotes has no type, for
 * its ";" comes behind a quotation mark. */
static struct smtp_span take_type(struct smtp_span *text)
{
    size_t len = 0;
    while (len < text->len && (smtp_is_letter_or_digit((unsigned char)text->bytes[len]) ||
                               (text->bytes[len] == '-' && len > 0))) {
        len++;
    }
    if (len == 0 || len >= text->len || text->bytes[len] != ';') {
        return (struct smtp_span){NULL, 0};
    }
    struct smtp_span type = {text->bytes, len};
    *text = (struct smtp_span){text->bytes + len + 1, text->len - len - 1};
    return type;
}

/* The code point of a character that is UTF-8. */
static unsigned code_point(struct smtp_span character)
{
    static const unsigned char first_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    unsigned point = (unsigned char)character.bytes[0] & first_bits[character.len];
    for (size_t i = 1; i < character.len; i++) {
        point = point << 6 | ((unsigned char)character.bytes[i] & 0x3F);
    }
    return point;
}

/* utf-8-addr-unitext with SMTPUTF8, else utf-8-addr-xtext: "\x{20AC}" (RFC 6533 3). */
static enum smtp_status append_utf8(struct smtp_buffer *out, struct smtp_span text, bool smtputf8,
                                    struct smtp_error *error)
{
    enum smtp_status status = SMTP_OK;
    while (text.len > 0 && status == SMTP_OK) {
        size_t len = smtp_utf8_character(text);
        if (len == 0 || smtp_is_control((unsigned char)text.bytes[0])) {
            return smtp_error_set(error, len == 0 ? SMTP_BAD_ARGUMENT : SMTP_UNSAFE_ARGUMENT, 0,
                                  "the original recipient holds the octet 0x%02X, which is %s",
                                  (unsigned char)text.bytes[0],
                                  len == 0 ? "no UTF-8" : "a control octet");
        }
        struct smtp_span character = {text.bytes, len};
        bool plain = len == 1 ? strchr(" +=\\", text.bytes[0]) == NULL : smtputf8;
        char escape[16];
        snprintf(escape, sizeof(escape), "\\x{%02X}", code_point(character));
        status = append(out, plain ? character : smtp_span_of(escape), error);
        text = (struct smtp_span){text.bytes + len, text.len - len};
    }
    return status;
}

static enum smtp_status append_original(struct smtp_buffer *out, const char *recipient,
                                        bool smtputf8, struct smtp_error *error)
{
    struct smtp_span address = smtp_span_of(recipient);
    struct smtp_span type = take_type(&address);
    if (type.bytes == NULL) {
        type = !smtp_has_eight_bit(address) ? SMTP_SPAN("rfc822") : SMTP_SPAN("utf-8");
    }
    if (address.len == 0) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "the original recipient has no address");
    }
    enum smtp_status status = append(out, SMTP_SPAN(" ORCPT="), error);
    status = status == SMTP_OK ? append(out, type, error) : status;
    status = status == SMTP_OK ? append(out, SMTP_SPAN(";"), error) : status;
    if (status == SMTP_OK) {
        status = smtp_span_equal_nocase(type, SMTP_SPAN("utf-8"))
                     ? append_utf8(out, address, smtputf8, error)
                     : smtp_client_xtext_append(out, address, "the original recipient", error);
    }
    return status;
}

enum smtp_status smtp_client_rcpt_options_append(struct smtp_buffer *out,
                                                 const struct smtp_rcpt_options *options,
                                                 bool smtputf8, struct smtp_error *error)
{
    size_t before = out->len;
    enum smtp_status status = append_notify(out, options->notify, error);
    if (status == SMTP_OK && options->original_recipient != NULL) {
        status = append_original(out, options->original_recipient, smtputf8, error);
    }
    if (status == SMTP_OK && out->len - before > SMTP_CLIENT_RCPT_OPTIONS_MAX) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "the original recipient is too long: with NOTIFY it has %zu "
                              "octets once encoded, and %d are the most (RFC 3461 4)",
                              out->len - before, SMTP_CLIENT_RCPT_OPTIONS_MAX);
    }
    return status;
}
