/* bytes.c - see bytes.h. */
#include "common/bytes.h"

#include <stdlib.h>
#include <string.h>

#define SMALLEST_CAPACITY 256 /* a reply or a command fits; an idle session stays small */

struct smtp_span smtp_span_of(const char *text)
{
    return (struct smtp_span){text, strlen(text)};
}

bool smtp_span_equal(struct smtp_span a, struct smtp_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

bool smtp_span_equal_nocase(struct smtp_span a, struct smtp_span b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        unsigned char c = (unsigned char)a.bytes[i];
        int differ = c ^ (unsigned char)b.bytes[i]; /* by the case's bit alone, in a letter */
        if (differ != 0 && (differ != 32 || !smtp_is_letter(c))) {
            return false;
        }
    }
    return true;
}

bool smtp_span_has(struct smtp_span span, const char *text)
{
    return span.len > 0 && memmem(span.bytes, span.len, text, strlen(text)) != NULL;
}

bool smtp_span_has_nocase(struct smtp_span span, const char *text)
{
    struct smtp_span wanted = smtp_span_of(text);
    for (size_t at = 0; at + wanted.len <= span.len; at++) {
        if (smtp_span_equal_nocase((struct smtp_span){span.bytes + at, wanted.len}, wanted)) {
            return true;
        }
    }
    return false;
}

struct smtp_span smtp_span_trim_start(struct smtp_span span)
{
    while (span.len > 0 && span.bytes[0] == ' ') {
        span.bytes++;
        span.len--;
    }
    return span;
}

struct smtp_span smtp_span_trim_end(struct smtp_span span)
{
    while (span.len > 0 && (span.bytes[span.len - 1] == ' ' || span.bytes[span.len - 1] == '\t')) {
        span.len--;
    }
    return span;
}

/* Whether one of eight octets is below a space or above '~'. Borrows and carries go out of such octets alone. */
static bool has_odd(uint64_t octets)
{
    uint64_t below = (octets - 0x2020202020202020u) & ~octets;
    uint64_t above = (octets + 0x0101010101010101u) | octets;
    return ((below | above) & 0x8080808080808080u) != 0;
}

/* As many octets as every processor compares at once; where it cannot, the compiler sees to it. Signed: those above 127
 * are below all others. */
typedef signed char many __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

/* Of 16 octets on. */
static bool has_many_printable(struct smtp_span span)
{
    many odd = {0}, here;
    size_t last = span.len - sizeof here;
    for (size_t i = 0; i < last; i += sizeof here) {
        memcpy(&here, span.bytes + i, sizeof here);
        odd |= (here < ' ') | (here == 127);
    }
    memcpy(&here, span.bytes + last, sizeof here);
    odd |= (here < ' ') | (here == 127);
    const halves folded = (halves)odd;
    return (folded[0] | folded[1]) == 0;
}

/* Sixteen octets a step, the last one over octets seen before; of fewer the first eight and the last. */
bool smtp_is_printable(struct smtp_span span)
{
    if (span.len >= sizeof(many)) {
        return has_many_printable(span);
    }
    uint64_t first = 0x2020202020202020u, last;
    if (span.len < sizeof first) {
        smtp_bytes_copy((char *)&first, span);
        return !has_odd(first);
    }
    memcpy(&first, span.bytes, sizeof first);
    memcpy(&last, span.bytes + span.len - sizeof last, sizeof last);
    return !has_odd(first) && !has_odd(last);
}

bool smtp_span_to_u64(struct smtp_span span, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < span.len; i++) {
        unsigned char c = (unsigned char)span.bytes[i];
        if (!smtp_is_digit(c)) {
            return false;
        }
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(c - '0'), &value) || value > max) {
            return false;
        }
    }
    *out = value;
    return span.len > 0;
}

size_t smtp_u64_write(uint64_t number, char digits[SMTP_U64_DIGITS_MAX])
{
    char backwards[SMTP_U64_DIGITS_MAX];
    size_t len = 0;
    do {
        backwards[len++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < len; i++) {
        digits[i] = backwards[len - 1 - i];
    }
    return len;
}

/* The waiting octets move to the front only when that frees at least half of the storage, so that
 * taking and appending in turn costs each octet at most one move. */
static enum smtp_status grow(struct smtp_buffer *buffer, size_t extra)
{
    if (extra > buffer->max || buffer->len > buffer->max - extra) {
        return SMTP_LIMIT_EXCEEDED;
    }
    if (buffer->start >= buffer->capacity / 2 && buffer->capacity - buffer->len >= extra &&
        buffer->start > 0) {
        memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->len);
        buffer->start = 0;
        return SMTP_OK;
    }
    size_t wanted = buffer->len + extra;
    size_t capacity = buffer->capacity < SMALLEST_CAPACITY ? SMALLEST_CAPACITY : buffer->capacity;
    while (capacity < wanted) {
        capacity = capacity > SIZE_MAX / 2 ? wanted : capacity * 2;
    }
    capacity = capacity > buffer->max ? buffer->max : capacity;
    char *bytes = malloc(capacity);
    if (bytes == NULL) {
        return SMTP_NO_MEMORY;
    }
    if (buffer->len > 0) {
        memcpy(bytes, buffer->bytes + buffer->start, buffer->len);
    }
    free(buffer->bytes);
    buffer->bytes = bytes;
    buffer->start = 0;
    buffer->capacity = capacity;
    return SMTP_OK;
}

/* The capacity is within the bound. */
static enum smtp_status make_room(struct smtp_buffer *buffer, size_t extra)
{
    return buffer->capacity - buffer->start - buffer->len >= extra ? SMTP_OK : grow(buffer, extra);
}

char *smtp_buffer_reserve(struct smtp_buffer *buffer, size_t extra)
{
    return make_room(buffer, extra) == SMTP_OK && buffer->bytes != NULL
               ? buffer->bytes + buffer->start + buffer->len
               : NULL;
}

enum smtp_status smtp_buffer_append(struct smtp_buffer *buffer, const void *bytes, size_t len)
{
    if (len == 0) {
        return SMTP_OK;
    }
    enum smtp_status status = make_room(buffer, len);
    if (status == SMTP_OK) {
        memcpy(buffer->bytes + buffer->start + buffer->len, bytes, len);
        buffer->len += len;
    }
    return status;
}

void smtp_buffer_take(struct smtp_buffer *buffer, size_t len)
{
    buffer->start += len;
    buffer->len -= len;
    if (buffer->len == 0) {
        buffer->start = 0;
    }
}

void smtp_buffer_clear(struct smtp_buffer *buffer, size_t keep)
{
    buffer->start = 0;
    buffer->len = 0;
    if (buffer->capacity > keep) {
        smtp_buffer_free(buffer);
    }
}

void smtp_buffer_free(struct smtp_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = SMTP_BUFFER(buffer->max);
}
