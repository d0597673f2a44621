/* content_fuzz.c - content on its way: the client's encoder and the server's decoder under any split. What was encoded and
 * decoded again is the content with its line ends repaired; what a decoder makes of any octets is what a plain reading of
 * RFC 5321 4.5.2 makes of them. Knows that reading. Does not know sessions. */
#include "client/protocol/content.h"
#include "server/protocol/content.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

/* ---- encoded, and decoded again ---- */

static void encode(struct smtp_span source, bool chunked, unsigned cut_octet,
                   struct smtp_buffer *out, uint64_t *size)
{
    struct smtp_client_encoder encoder;
    struct fuzz_cuts cuts = fuzz_cuts(cut_octet);
    smtp_client_encoder_init(&encoder);
    encoder.chunked = chunked;
    for (size_t at = 0; at < source.len;) {
        struct smtp_span piece = {source.bytes + at, fuzz_cut(&cuts, source.len - at)};
        char *copy = fuzz_copy(piece), *room = malloc(2 * piece.len);
        FUZZ_HOLDS(room != NULL);
        struct smtp_client_encoder measuring = encoder;
        size_t made = smtp_client_encoder_feed(&encoder, copy, piece.len, room);
        FUZZ_HOLDS(made <= 2 * piece.len);
        FUZZ_HOLDS(smtp_client_encoder_feed(&measuring, copy, piece.len, NULL) == made);
        FUZZ_HOLDS(measuring.size_bytes == encoder.size_bytes &&
                   measuring.long_line == encoder.long_line);
        fuzz_append(out, room, made);
        free(copy);
        free(room);
        at += piece.len;
    }
    char last[SMTP_CLIENT_DOT_SIZE];
    fuzz_append(out, last, 0);
    size_t made = smtp_client_encoder_finish(&encoder, last);
    FUZZ_HOLDS(made <= sizeof last);
    fuzz_append(out, last, made);
    *size = encoder.size_bytes;
}

/* Returns how many octets it took up to the end mark and with it; SIZE_MAX: there was none. */
static size_t decode(struct smtp_span wire, bool verbatim, unsigned cut_octet,
                     struct smtp_buffer *out, struct smtp_content_decoder *decoder)
{
    struct fuzz_cuts cuts = fuzz_cuts(cut_octet);
    smtp_content_decoder_init(decoder, 100, verbatim);
    for (size_t at = 0; at < wire.len;) {
        struct smtp_span piece = {wire.bytes + at, fuzz_cut(&cuts, wire.len - at)};
        char *copy = fuzz_copy(piece);
        for (size_t taken = 0; taken < piece.len;) {
            struct smtp_content_step step =
                smtp_content_decode(decoder, copy + taken, piece.len - taken);
            FUZZ_HOLDS(step.used <= piece.len - taken && step.used + step.keep.len > 0);
            FUZZ_HOLDS(step.keep.len <= step.used + 2);
            fuzz_append(out, step.keep.bytes, step.keep.len);
            taken += step.used;
            if (step.ended) {
                free(copy);
                return at + taken;
            }
        }
        free(copy);
        at += piece.len;
    }
    if (verbatim) {
        smtp_content_decode_end(decoder);
    }
    return SIZE_MAX;
}

/* CR, LF and CRLF each end a line and are CRLF; the last line has one too. */
static void repair(struct smtp_span source, struct smtp_buffer *out)
{
    bool open = false;
    for (size_t i = 0; i < source.len; i++) {
        char c = source.bytes[i];
        if (c == '\n' && i > 0 && source.bytes[i - 1] == '\r') {
            continue;
        }
        open = c != '\r' && c != '\n';
        fuzz_append(out, open ? &c : "\r\n", open ? 1 : 2);
    }
    fuzz_append(out, "\r\n", open ? 2 : 0);
}

static void check_round_trip(struct smtp_span source, unsigned cut_octet, bool chunked)
{
    struct smtp_buffer wire = SMTP_BUFFER(SIZE_MAX), again = SMTP_BUFFER(SIZE_MAX);
    struct smtp_buffer repaired = SMTP_BUFFER(SIZE_MAX), whole = SMTP_BUFFER(SIZE_MAX);
    struct smtp_content_decoder decoder;
    uint64_t size = 0, size_whole = 0;
    encode(source, chunked, cut_octet, &wire, &size);
    encode(source, chunked, 0, &whole, &size_whole);
    FUZZ_ALIKE(&wire, &whole);
    repair(source, &repaired);
    FUZZ_HOLDS(size == repaired.len && size_whole == size);
    size_t end = decode(smtp_buffer_span(&wire), chunked, cut_octet, &again, &decoder);
    FUZZ_HOLDS(end == (chunked ? SIZE_MAX : wire.len));
    FUZZ_HOLDS(decoder.bare_cr_at == 0 && decoder.bare_lf_at == 0);
    FUZZ_ALIKE(&again, &repaired);
    smtp_buffer_free(&wire);
    smtp_buffer_free(&again);
    smtp_buffer_free(&repaired);
    smtp_buffer_free(&whole);
}

/* ---- any octets, decoded ---- */

struct reading {
    struct smtp_buffer content;
    size_t end;                      /* SIZE_MAX: no end mark */
    uint64_t bare_cr_at, bare_lf_at; /* from 1; 0: none */
};

/* Where a bare octet stands, up to `end`. A CR that is the last octet is not bare yet. */
static void find_bare(struct reading *reading, struct smtp_span wire, size_t end)
{
    for (size_t i = 0; i < end; i++) {
        if (wire.bytes[i] == '\n' && (i == 0 || wire.bytes[i - 1] != '\r') &&
            reading->bare_lf_at == 0) {
            reading->bare_lf_at = i + 1;
        }
        if (wire.bytes[i] == '\r' && i + 1 < end && wire.bytes[i + 1] != '\n' &&
            reading->bare_cr_at == 0) {
            reading->bare_cr_at = i + 1;
        }
    }
}

static struct reading read_plainly(struct smtp_span wire)
{
    struct reading reading = {.content = SMTP_BUFFER(SIZE_MAX), .end = SIZE_MAX};
    bool line_start = true;
    size_t i = 0;
    while (i < wire.len) {
        struct smtp_span left = {wire.bytes + i, wire.len - i};
        if (line_start && left.len >= 3 && memcmp(left.bytes, ".\r\n", 3) == 0) {
            reading.end = i + 3;
            break;
        }
        i += line_start && left.bytes[0] == '.';
        if (i < wire.len) {
            fuzz_append(&reading.content, wire.bytes + i, 1);
            line_start = i > 0 && wire.bytes[i] == '\n' && wire.bytes[i - 1] == '\r';
            i++;
        }
    }
    find_bare(&reading, wire, reading.end < wire.len ? reading.end : wire.len);
    return reading;
}

/* The last octets may wait: ".CR" at the very end is not decided yet. */
static bool waits(struct smtp_span wire)
{
    return wire.len >= 2 && memcmp(wire.bytes + wire.len - 2, ".\r", 2) == 0;
}

static void check_decoder(struct smtp_span wire, unsigned cut_octet)
{
    struct reading reading = read_plainly(wire);
    struct smtp_buffer content = SMTP_BUFFER(SIZE_MAX);
    struct smtp_content_decoder decoder;
    size_t end = decode(wire, false, cut_octet, &content, &decoder);
    FUZZ_HOLDS(end == reading.end);
    if (end != SIZE_MAX || !waits(wire)) {
        FUZZ_ALIKE(&content, &reading.content);
        FUZZ_HOLDS(decoder.bare_cr_at == reading.bare_cr_at);
    }
    FUZZ_HOLDS(decoder.bare_lf_at == reading.bare_lf_at);
    FUZZ_HOLDS(decoder.wire_octets == (end != SIZE_MAX ? end : wire.len));
    smtp_buffer_free(&content);
    smtp_buffer_free(&reading.content);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct fuzz_input input = {octets, len};
    unsigned cut_octet = fuzz_octet(&input);
    struct smtp_span rest = fuzz_rest(&input);
    check_round_trip(rest, cut_octet, false);
    check_round_trip(rest, cut_octet, true);
    check_decoder(rest, 0);
    check_decoder(rest, 1);
    check_decoder(rest, cut_octet);
    return 0;
}
