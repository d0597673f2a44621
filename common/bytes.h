/* bytes.h - octets with a length, and a buffer that grows up to a bound it has from birth.
 * Knows ASCII. Knows nothing of any protocol. */
#ifndef SMTP_COMMON_BYTES_H
#define SMTP_COMMON_BYTES_H

#include "common/smtp_status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Octets that belong to somebody else; not NUL-terminated. */
struct smtp_span {
    const char *bytes;
    size_t len;
};

#define SMTP_SPAN(literal) ((struct smtp_span){(literal), sizeof(literal) - 1})

struct smtp_span smtp_span_of(const char *text);
/** memcpy that takes an empty span of whatever address. */
static inline void smtp_bytes_copy(char *to, struct smtp_span from)
{
    if (from.len > 0) {
        memcpy(to, from.bytes, from.len);
    }
}
bool smtp_span_equal(struct smtp_span a, struct smtp_span b);
/** Equal but for the case of ASCII letters. */
bool smtp_span_equal_nocase(struct smtp_span a, struct smtp_span b);
/** Whether the text stands in it somewhere. */
bool smtp_span_has(struct smtp_span span, const char *text);
/** The same, whatever the case of the ASCII letters. */
bool smtp_span_has_nocase(struct smtp_span span, const char *text);
struct smtp_span smtp_span_trim_start(struct smtp_span span); /* spaces */
struct smtp_span smtp_span_trim_end(struct smtp_span span);   /* spaces and tabs */
/** Whether all of it is printable ASCII, spaces included: for most texts the one look that is needed. */
bool smtp_is_printable(struct smtp_span span);
/** Decimal digits only, of at most `max`. False: empty, another octet, or too large. */
bool smtp_span_to_u64(struct smtp_span span, uint64_t max, uint64_t *out);
/** The other way: writes the digits, without a NUL, and returns how many. */
#define SMTP_U64_DIGITS_MAX 20
size_t smtp_u64_write(uint64_t number, char digits[SMTP_U64_DIGITS_MAX]);

static inline bool smtp_is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}
static inline bool smtp_is_letter(unsigned char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}
static inline bool smtp_is_letter_or_digit(unsigned char c)
{
    return smtp_is_letter(c) || smtp_is_digit(c);
}
static inline bool smtp_is_control(unsigned char c)
{
    return c < 32 || c == 127;
}

/** Octets that wait: appended at the end, taken from the front. Never larger than max.
 *  Zero-initialise with SMTP_BUFFER(max). One thread at a time. */
struct smtp_buffer {
    char *bytes;  /* the storage; owned */
    size_t start; /* octets already taken */
    size_t len;   /* octets that wait, from bytes + start */
    size_t capacity;
    size_t max;
};

#define SMTP_BUFFER(limit) ((struct smtp_buffer){.max = (limit)})

static inline struct smtp_span smtp_buffer_span(const struct smtp_buffer *buffer)
{
    return (struct smtp_span){buffer->len > 0 ? buffer->bytes + buffer->start : "", buffer->len};
}
/** Makes room for `extra` more octets behind the waiting ones and says where; NULL: the bound or
 *  memory is reached (smtp_buffer_append tells which). Follow with smtp_buffer_added. */
char *smtp_buffer_reserve(struct smtp_buffer *buffer, size_t extra);
static inline void smtp_buffer_added(struct smtp_buffer *buffer, size_t len)
{
    buffer->len += len;
}
/** SMTP_OK, SMTP_LIMIT_EXCEEDED or SMTP_NO_MEMORY; on failure nothing is added. */
enum smtp_status smtp_buffer_append(struct smtp_buffer *buffer, const void *bytes, size_t len)
    SMTP_MUST_CHECK;
/** Takes `len` octets off the front. */
void smtp_buffer_take(struct smtp_buffer *buffer, size_t len);
/** Forgets all that waits; the storage stays unless it is larger than `keep` octets. */
void smtp_buffer_clear(struct smtp_buffer *buffer, size_t keep);
/** Frees the storage; the buffer can be used again. */
void smtp_buffer_free(struct smtp_buffer *buffer);

#endif
