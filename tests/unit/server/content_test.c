/* content_test.c - server/protocol/content.c against a reference that looks at one octet at a time.
 */
#include "server/protocol/content.h"
#include "tests/support/test.h"

#include <stdio.h>

/* Written to be obvious, not fast: RFC 5321 4.5.2 word by word on the whole input. */
static size_t reference(const char *in, size_t len, char *out, size_t *out_len)
{
    bool line_start = true;
    size_t at = 0;
    *out_len = 0;
    while (at < len) {
        if (line_start && in[at] == '.') {
            if (at + 2 < len && in[at + 1] == '\r' && in[at + 2] == '\n') {
                return at + 3;
            }
            at++;
            line_start = false;
            continue;
        }
        line_start = in[at] == '\n' && at > 0 && in[at - 1] == '\r';
        out[(*out_len)++] = in[at++];
    }
    return len + 1; /* it did not end */
}

static void decode_in_pieces(const char *in, size_t len, size_t piece, char *out, size_t *out_len,
                             size_t *used)
{
    struct smtp_content_decoder decoder;
    smtp_content_decoder_init(&decoder, 0, false);
    *out_len = 0;
    *used = 0;
    while (*used < len) {
        size_t now = len - *used < piece ? len - *used : piece;
        struct smtp_content_step step = smtp_content_decode(&decoder, in + *used, now);
        memcpy(out + *out_len, step.keep.bytes, step.keep.len);
        *out_len += step.keep.len;
        *used += step.used;
        expect_int(decoder.wire_octets, *used);
        if (step.ended) {
            return;
        }
    }
    *used = len + 1;
}

TEST(content, agrees_with_the_reference_on_every_short_input)
{
    /* every string of eight octets over what matters: dot, CR, LF and a letter */
    static const char alphabet[] = {'.', '\r', '\n', 'a'};
    enum { LENGTH = 8 };
    for (unsigned n = 0; n < 1u << (2 * LENGTH); n++) {
        char in[LENGTH + 5], expected[LENGTH + 5], out[LENGTH + 5];
        size_t expected_len, out_len, used;
        for (unsigned i = 0; i < LENGTH; i++) {
            in[i] = alphabet[(n >> (2 * i)) & 3];
        }
        memcpy(in + LENGTH, "\r\n.\r\n", 5);
        size_t expected_used = reference(in, sizeof in, expected, &expected_len);
        for (size_t piece = 1; piece <= 4; piece++) {
            decode_in_pieces(in, sizeof in, piece == 4 ? sizeof in : piece, out, &out_len, &used);
            if (used != expected_used || out_len != expected_len ||
                memcmp(out, expected, out_len) != 0) {
                SMTP_TEST_FAIL("input %u in pieces of %zu: used %zu, expected %zu", n, piece, used,
                               expected_used);
            }
        }
    }
}

TEST(content, names_the_first_bare_line_ends_by_octet_rfc5321_2_3_8)
{
    static const char in[] = "ab\r\n..c\rd\re\nf\n\r\n";
    for (size_t piece = 1; piece < sizeof in; piece++) {
        struct smtp_content_decoder decoder;
        smtp_content_decoder_init(&decoder, 0, false);
        for (size_t at = 0; at < sizeof in - 1;) {
            size_t now = sizeof in - 1 - at < piece ? sizeof in - 1 - at : piece;
            at += smtp_content_decode(&decoder, in + at, now).used;
        }
        expect_int(decoder.bare_cr_at, 8);
        expect_int(decoder.bare_lf_at, 12);
    }
}

enum { LINE_LIMIT = 4 };

/* The first line over the limit, in pieces of every size: where it begins, how long it is. */
static void expect_long_line(const char *in, uint64_t at_octet, uint64_t octets)
{
    for (size_t piece = 1, len = strlen(in); piece <= len; piece++) {
        struct smtp_content_decoder decoder;
        smtp_content_decoder_init(&decoder, LINE_LIMIT, false);
        for (size_t at = 0; at < len;) {
            size_t now = len - at < piece ? len - at : piece;
            at += smtp_content_decode(&decoder, in + at, now).used;
        }
        expect_int(decoder.long_line_at, at_octet);
        expect_int(decoder.long_line_octets, octets);
    }
}

TEST(content, measures_lines_with_their_crlf_and_without_the_stuffed_dot_rfc5321_4_5_3_1_6)
{
    expect_long_line("ab\r\n\r\n..a\r\nab", 0, 0);  /* all just within it */
    expect_long_line("a\r\nbcd\r\nefgh\r\n", 4, 5); /* the first of two */
    expect_long_line("a\r\n..bc\r\n", 4, 5);
    expect_long_line("a\r\n.\rbc\r\n", 4, 5); /* a CR that looked like the end mark's counts */
    expect_long_line("a\r\nbc\rd\r\n", 4, 6);
    expect_long_line("a\r\nb\nc\r\n", 4, 5);
    expect_long_line("a\r\nbcdef", 4, 5); /* and the line that has not ended yet */
}

/* Lines of 70 octets, the fault in one of them at every place: what is taken many lines at a time
 * gives the same as one octet at a time. */
static void expect_same_in_any_pieces(const char *in, size_t len, size_t limit)
{
    struct smtp_content_decoder by_octet, whole;
    smtp_content_decoder_init(&by_octet, limit, false);
    smtp_content_decoder_init(&whole, limit, false);
    for (size_t at = 0; at < len;) {
        at += smtp_content_decode(&by_octet, in + at, 1).used;
    }
    for (size_t at = 0; at < len;) {
        at += smtp_content_decode(&whole, in + at, len - at).used;
    }
    expect_int(whole.place, by_octet.place);
    expect_int(whole.wire_octets, by_octet.wire_octets);
    expect_int(whole.line_octets, by_octet.line_octets);
    expect_int(whole.line_at, by_octet.line_at);
    expect_int(whole.long_line_at, by_octet.long_line_at);
    expect_int(whole.long_line_octets, by_octet.long_line_octets);
    expect_int(whole.bare_cr_at, by_octet.bare_cr_at);
    expect_int(whole.bare_lf_at, by_octet.bare_lf_at);
}

TEST(content, sees_every_fault_at_every_place_among_plain_lines)
{
    static const char *const faults[] = {"\r", "\n", "\n.", "\r\n.", "\r\n\r\n", "\n\r", ""};
    enum { LINES = 6, LINE = 70 };
    char plain[LINES * LINE], in[LINES * LINE + 4];
    memset(plain, 'a', sizeof plain);
    for (size_t line = 1; line <= LINES; line++) {
        memcpy(plain + line * LINE - 2, "\r\n", 2);
    }
    for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
        size_t fault_len = strlen(faults[f]);
        for (size_t at = 0; at <= sizeof plain; at++) {
            memcpy(in, plain, at);
            memcpy(in + at, faults[f], fault_len);
            memcpy(in + at + fault_len, plain + at, sizeof plain - at);
            expect_same_in_any_pieces(in, sizeof plain + fault_len, LINE);
            expect_same_in_any_pieces(in, sizeof plain + fault_len, LINE - 1);
            expect_same_in_any_pieces(in, sizeof plain + fault_len, 0);
        }
    }
}

TEST(content, takes_a_whole_message_in_one_run)
{
    static const char in[] = "Subject: x\r\n\r\nline\r\nline\r\n.\r\n";
    struct smtp_content_decoder decoder;
    smtp_content_decoder_init(&decoder, 0, false);
    struct smtp_content_step step = smtp_content_decode(&decoder, in, sizeof in - 1);
    expect_int(step.keep.len, sizeof in - 1 - 3); /* one copy serves it */
}

TEST_WITHIN(content, stays_linear_on_hostile_input, 10)
{
    enum { SIZE = 1 << 22 };
    static const char *const patterns[] = {"\r", "\n", "\r.", ".\r", "\n.", "\r\n.", "\r\r\n", "a"};
    char *in = malloc(SIZE), *out = malloc(SIZE + 1);
    expect_true(in != NULL && out != NULL);
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        size_t len = strlen(patterns[p]), out_len, used;
        for (size_t i = 0; i < SIZE; i++) {
            in[i] = patterns[p][i % len];
        }
        decode_in_pieces(in, SIZE, SIZE, out, &out_len,
                         &used); /* a quadratic scan would take hours */
    }
    free(in);
    free(out);
}
