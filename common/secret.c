/* secret.c - see secret.h. Stands on OpenSSL for what a compiler must not undo, and for base64. */
#include "common/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

void smtp_secret_wipe(void *bytes, size_t len)
{
    if (bytes != NULL) {
        OPENSSL_cleanse(bytes, len);
    }
}

void smtp_secret_free(char *text)
{
    if (text != NULL) {
        OPENSSL_cleanse(text, strlen(text));
        free(text);
    }
}

void smtp_secret_free_buffer(struct smtp_buffer *buffer)
{
    smtp_secret_wipe(buffer->bytes, buffer->capacity);
    smtp_buffer_free(buffer);
}

bool smtp_secret_equal(struct smtp_span known, struct smtp_span given)
{
    bool same_length = known.len == given.len;
    const char *against = same_length ? known.bytes : given.bytes; /* as long in either case */
    return (given.len == 0 || CRYPTO_memcmp(against, given.bytes, given.len) == 0) && same_length;
}

/* NULL with *status set where there is no room. */
static char *room_for(struct smtp_buffer *out, size_t len, enum smtp_status *status)
{
    char *room = smtp_buffer_reserve(out, len);
    *status = SMTP_OK;
    if (room == NULL) {
        bool too_much = len > out->max || out->len > out->max - len;
        *status = too_much ? SMTP_LIMIT_EXCEEDED : SMTP_NO_MEMORY;
    }
    return room;
}

enum smtp_status smtp_base64_append(struct smtp_buffer *out, struct smtp_span octets)
{
    enum smtp_status status = octets.len > SIZE_MAX / 2 ? SMTP_LIMIT_EXCEEDED : SMTP_OK;
    if (octets.len == 0 || status != SMTP_OK) {
        return status;
    }
    size_t len = (octets.len + 2) / 3 * 4;
    char *room = room_for(out, len, &status);
    if (room == NULL) {
        return status;
    }
    for (size_t at = 0; at < octets.len; at += 3) {
        unsigned char four[5]; /* with the NUL that comes along */
        size_t group = octets.len - at < 3 ? octets.len - at : 3;
        EVP_EncodeBlock(four, (const unsigned char *)octets.bytes + at, (int)group);
        memcpy(room, four, 4);
        room += 4;
    }
    smtp_buffer_added(out, len);
    return SMTP_OK;
}

static bool in_alphabet(unsigned char c)
{
    return smtp_is_letter_or_digit(c) || c == '+' || c == '/';
}

/* How many '=' end the text; more than two are no padding. */
static size_t padding_of(struct smtp_span text)
{
    size_t padding = 0;
    while (padding < text.len && text.bytes[text.len - 1 - padding] == '=') {
        padding++;
    }
    return padding;
}

/* The bits of the last character before the padding that stand for no octet. */
static bool leftover_bits_are_zero(unsigned char last, size_t padding)
{
    const char *zero = padding == 1 ? "AEIMQUYcgkosw048" : "AQgw";
    return padding == 0 || strchr(zero, last) != NULL;
}

static bool is_base64(struct smtp_span text, size_t padding)
{
    if (text.len % 4 != 0 || padding > 2) {
        return false;
    }
    for (size_t i = 0; i < text.len - padding; i++) {
        if (!in_alphabet((unsigned char)text.bytes[i])) {
            return false;
        }
    }
    return text.len == 0 ||
           leftover_bits_are_zero((unsigned char)text.bytes[text.len - padding - 1], padding);
}

enum smtp_status smtp_base64_decode(struct smtp_buffer *out, struct smtp_span text)
{
    size_t padding = padding_of(text);
    if (!is_base64(text, padding)) {
        return SMTP_BAD_ARGUMENT;
    }
    if (text.len == 0) {
        return SMTP_OK;
    }
    size_t len = text.len / 4 * 3 - padding;
    enum smtp_status status;
    char *room = room_for(out, len, &status);
    if (room == NULL) {
        return status;
    }
    unsigned char three[3];
    for (size_t at = 0; at < text.len; at += 4) {
        size_t group = len - at / 4 * 3 < 3 ? len - at / 4 * 3 : 3;
        EVP_DecodeBlock(three, (const unsigned char *)text.bytes + at, 4);
        memcpy(room, three, group);
        room += group;
    }
    OPENSSL_cleanse(three, sizeof three);
    smtp_buffer_added(out, len);
    return SMTP_OK;
}
