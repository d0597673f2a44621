/* content.c - encodes message content (RFC 5321 2.3.8, 4.1.1.4, 4.5.2).
 * Knows: bare CR and bare LF become CRLF, a dot that begins a line is doubled (not for BDAT), a missing
 * last CRLF is added, under any split of the input; runs of whole lines that need nothing are copied at once. Does not know:
 * headers, MIME, limits, where the octets come from or go to. That a line is too long (RFC 5322
 * 2.1.1) is noted alone: folding it would change the message. */
#include "client/protocol/content.h"

#include "common/utf8.h"

#include <string.h>

#define STRETCH 64 /* octets looked at in one go */
#define PLAIN_MAX                                                                                  \
    4096 /* and before they are taken: so much is looked at again, at most, where a line is too long */
/* Octets asked of memory before they are looked at, for content larger than the cache: a page, as processors look ahead
 * within one by themselves. */
#define AHEAD 4096

struct sink {
    char *out; /* NULL: only counts */
    size_t made;
};

static void put(struct sink *sink, const char *bytes, size_t len)
{
    if (sink->out != NULL) {
        memcpy(sink->out + sink->made, bytes, len);
    }
    sink->made += len;
}

/* As many octets as every processor compares at once; where it cannot, the compiler sees to it. */
typedef unsigned char octets __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

#define HIGH_BITS UINT64_C(0x8080808080808080)

static bool any_high(octets all)
{
    const halves folded = (halves)all;
    return ((folded[0] | folded[1]) & HIGH_BITS) != 0;
}

static bool has_high_octet(const char *bytes, size_t len)
{
    octets all = {0}, here;
    size_t at = 0;
    if (len == 0) {
        return false; /* there may be no octet to point at */
    }
    for (; len - at >= STRETCH; at += STRETCH) {
        for (size_t i = 0; i < STRETCH; i += sizeof(all)) {
            memcpy(&here, bytes + at + i, sizeof(here));
            all |= here;
        }
    }
    return any_high(all) || smtp_has_eight_bit((struct smtp_span){bytes + at, len - at});
}

void smtp_client_encoder_init(struct smtp_client_encoder *encoder)
{
    *encoder = (struct smtp_client_encoder){.line_start = true};
}

/* A line end at bytes[at]: CRLF goes out at once; whether a CR was bare shows with the next octet.
 * Returns where to go on. */
static size_t take_line_end(struct smtp_client_encoder *encoder, const char *bytes, size_t at,
                            size_t len, struct sink *sink)
{
    put(sink, "\r\n", 2);
    encoder->line_start = true;
    encoder->line_octets = 0;
    if (bytes[at] == '\n') {
        encoder->repaired = true;
        return at + 1;
    }
    if (at + 1 < len && bytes[at + 1] == '\n') {
        return at + 2;
    }
    encoder->after_cr = true;
    return at + 1;
}

/* Whether a stretch reads as plain lines do: an LF behind each CR, a CR before each LF, no dot behind an LF; of an LF
 * that it begins with, the stretch before has told. Looks at two octets behind it. Adds its own to all. */
static bool is_plain(const char *stretch, octets *all)
{
    octets odd = {0}, here, next, second;
    for (size_t i = 0; i < STRETCH; i += sizeof(odd)) {
        memcpy(&here, stretch + i, sizeof(here));
        memcpy(&next, stretch + i + 1, sizeof(next));
        memcpy(&second, stretch + i + 2, sizeof(second));
        *all |= here;
        next = next == '\n';
        odd |= ((here == '\r') ^ next) | (next & (second == '.'));
    }
    const halves folded = (halves)odd;
    return (folded[0] | folded[1]) == 0;
}

/* The common case by itself, for speed, at the start of a line: how many octets are whole lines that go out as they
 * are. Lines that are too long end it. Notes whether an octet is above 127, of what is counted and maybe of some behind it:
 * content larger than the cache is to be read once. */
static size_t count_plain(struct smtp_client_encoder *encoder, const char *bytes, size_t len)
{
    octets all = {0};
    size_t end = 0, at = 0;
    if (len == 0 || bytes[0] == '.' || bytes[0] == '\n') {
        return 0;
    }
    while (len - end > STRETCH + 1 && end < PLAIN_MAX && is_plain(bytes + end, &all)) {
        if (len - end > AHEAD) {
            __builtin_prefetch(bytes + end + AHEAD);
        }
        end += STRETCH;
    }
    encoder->eight_bit = encoder->eight_bit || any_high(all);
    const char *last = end > 0 ? memrchr(bytes, '\n', end) : NULL;
    end = last != NULL ? (size_t)(last - bytes) + 1 : 0;
    while (end - at > SMTP_CLIENT_LINE_MAX + 2) {
        const char *lf = memrchr(bytes + at, '\n', SMTP_CLIENT_LINE_MAX + 2);
        if (lf == NULL) {
            return at;
        }
        at = (size_t)(lf - bytes) + 1;
    }
    return end;
}

size_t smtp_client_encoder_feed(struct smtp_client_encoder *encoder, const char *bytes, size_t len,
                                char *out)
{
    struct sink sink = {out, 0};
    size_t dots = 0, at = 0, lf = 0;
    bool lf_known = false; /* kept between lines, so that content of many CRs stays linear */
    while (at < len) {
        if (encoder->after_cr) {
            encoder->after_cr = false;
            if (bytes[at] == '\n') {
                at++;
                continue;
            }
            encoder->repaired = true;
        }
        size_t plain = encoder->line_start ? count_plain(encoder, bytes + at, len - at) : 0;
        if (plain > 0) {
            put(&sink, bytes + at, plain);
            at += plain;
            continue;
        }
        if (encoder->line_start && bytes[at] == '.') {
            encoder->stuffed = true;
            put(&sink, ".", encoder->chunked ? 0 : 1);
            dots += encoder->chunked ? 0 : 1;
        }
        if (!lf_known || lf < at) {
            const char *found = memchr(bytes + at, '\n', len - at);
            lf = found != NULL ? (size_t)(found - bytes) : len;
            lf_known = true;
        }
        const char *cr = memchr(bytes + at, '\r', lf - at);
        size_t stop = cr != NULL ? (size_t)(cr - bytes) : lf;
        if (stop > at) {
            encoder->eight_bit = encoder->eight_bit || has_high_octet(bytes + at, stop - at);
            put(&sink, bytes + at, stop - at);
            encoder->line_start = false;
            encoder->line_octets += stop - at;
            encoder->long_line = encoder->long_line || encoder->line_octets > SMTP_CLIENT_LINE_MAX;
        }
        at = stop < len ? take_line_end(encoder, bytes, stop, len, &sink) : len;
    }
    encoder->size_bytes += sink.made - dots;
    return sink.made;
}

size_t smtp_client_encoder_finish(struct smtp_client_encoder *encoder, char *out)
{
    struct sink sink = {out, 0};
    encoder->repaired = encoder->repaired || encoder->after_cr || !encoder->line_start;
    if (!encoder->line_start) {
        put(&sink, "\r\n", 2);
        encoder->size_bytes += 2;
    }
    put(&sink, ".\r\n", encoder->chunked ? 0 : 3);
    encoder->after_cr = false;
    encoder->line_start = true;
    return sink.made;
}
