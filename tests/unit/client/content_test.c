/* content_test.c - the encoder against a plain reference, under every split. RFC
 * 5321 2.3.8, 4.1.1.4, 4.5.2. */
#include "client/protocol/content.h"
#include "tests/support/test.h"

#define ROOM 4096

struct encoded {
    char bytes[ROOM];
    size_t len;
    struct smtp_client_encoder encoder;
};

static void encode(const char *in, size_t len, size_t cut, size_t piece, struct encoded *out)
{
    smtp_client_encoder_init(&out->encoder);
    out->len = 0;
    for (size_t at = 0; at < len;) {
        size_t part = piece > 0 ? piece : at < cut ? cut - at : len - at;
        part = part < len - at ? part : len - at;
        char *copy = malloc(part), *made = malloc(2 * part);
        memcpy(copy, in + at, part);
        size_t count = smtp_client_encoder_feed(&out->encoder, copy, part, made);
        expect_true(count <= 2 * part);
        memcpy(out->bytes + out->len, made, count);
        out->len += count;
        free(copy);
        free(made);
        at += part;
    }
    out->len += smtp_client_encoder_finish(&out->encoder, out->bytes + out->len);
}

/* The rules as one would say them: break into lines at CRLF, CR or LF, double a leading dot, end
 * each with CRLF, then a dot. */
static size_t reference(const char *in, size_t len, char *out, size_t *size)
{
    size_t made = 0, dots = 0, at = 0;
    while (at < len) {
        if (in[at] == '.') {
            out[made++] = '.';
            dots++;
        }
        while (at < len && in[at] != '\r' && in[at] != '\n') {
            out[made++] = in[at++];
        }
        out[made++] = '\r';
        out[made++] = '\n';
        at += at + 1 < len && in[at] == '\r' && in[at + 1] == '\n' ? 2 : 1;
    }
    *size = made - dots;
    memcpy(out + made, ".\r\n", 3);
    return made + 3;
}

static void check(const char *in, size_t len, size_t cut, size_t piece)
{
    static struct encoded actual;
    static char expected[ROOM];
    size_t size, expected_len = reference(in, len, expected, &size);
    encode(in, len, cut, piece, &actual);
    expect_bytes(actual.bytes, actual.len, expected, expected_len);
    expect_int(actual.encoder.size_bytes, size);
    bool changed = expected_len != len + 3 || memcmp(expected, in, len) != 0;
    expect_int(actual.encoder.repaired || actual.encoder.stuffed, changed);
}

static void check_all_splits(const char *in, size_t len)
{
    check(in, len, len, 0);
    check(in, len, 0, 1);
    for (size_t cut = 1; cut < len; cut++) {
        check(in, len, cut, 0);
    }
}

TEST(client_content, every_short_text_of_dots_and_line_ends_is_as_the_reference)
{
    static const char alphabet[] = {'.', '\r', '\n', 'a'};
    for (size_t len = 0; len <= 6; len++) {
        size_t texts = (size_t)1 << (2 * len);
        for (size_t number = 0; number < texts; number++) {
            char text[8];
            for (size_t i = 0; i < len; i++) {
                text[i] = alphabet[(number >> (2 * i)) & 3];
            }
            check_all_splits(text, len);
        }
    }
}

/* Whole lines go out in runs of stretches: an oddity is seen wherever in them it stands. */
TEST(client_content, an_odd_octet_anywhere_in_plain_lines_is_as_the_reference)
{
    static const char *const odd[] = {"\r", "\n", ".", "\r\n", "\r\n.", "\n.", "\r."};
    char text[600];
    for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) {
        size_t odd_len = strlen(odd[k]);
        for (size_t place = 0; place < 300; place++) {
            for (size_t i = 0; i < sizeof text; i += 30) {
                memcpy(text + i, "a line of thirty octets whole\r\n", 30);
                memcpy(text + i + 28, "\r\n", 2);
            }
            memcpy(text + place, odd[k], odd_len);
            check(text, sizeof text, sizeof text, 0);
            check(text, sizeof text, 137, 0);
        }
    }
}

TEST(client_content, a_line_over_998_octets_among_plain_lines_is_seen)
{
    static char text[12000];
    for (size_t line = 990; line < 1010; line++) {
        for (size_t place = 0; place < 9000; place += 900) {
            size_t len = 0;
            while (len < place) {
                memcpy(text + len, "short\r\n", 7);
                len += 7;
            }
            memset(text + len, 'x', line);
            memcpy(text + len + line, "\r\n", 2);
            len += line + 2;
            for (int i = 0; i < 100; i++, len += 7) {
                memcpy(text + len, "short\r\n", 7);
            }
            struct smtp_client_encoder encoder;
            smtp_client_encoder_init(&encoder);
            expect_int(smtp_client_encoder_feed(&encoder, text, len, NULL), len);
            expect_int(encoder.long_line, line > SMTP_CLIENT_LINE_MAX);
            expect_true(!encoder.repaired && !encoder.stuffed);
        }
    }
}

TEST(client_content, an_empty_message_is_a_dot_alone)
{
    struct encoded out;
    encode("", 0, 0, 0, &out);
    expect_bytes(out.bytes, out.len, ".\r\n", 3);
    expect_int(out.encoder.size_bytes, 0);
}

TEST(client_content, no_octets_at_all_may_be_nowhere)
{
    struct smtp_client_encoder encoder;
    char out[SMTP_CLIENT_DOT_SIZE];
    smtp_client_encoder_init(&encoder);
    expect_int(smtp_client_encoder_feed(&encoder, NULL, 0, out), 0);
    expect_int(smtp_client_encoder_finish(&encoder, out), 3);
}

TEST(client_content, no_smuggling_sequence_comes_out)
{
    static const char *const texts[] = {"a\n.\nb", "a\n.\r\nb", "a\r.\rb", "a\r\n.\nb",
                                        "a\r\r\n.\r\nb"};
    for (size_t i = 0; i < 5; i++) {
        struct encoded out;
        encode(texts[i], strlen(texts[i]), strlen(texts[i]), 0, &out);
        size_t ends = 0;
        for (size_t at = 0; at < out.len; at++) {
            bool lf = out.bytes[at] == '\n', cr = out.bytes[at] == '\r';
            expect_true(!lf || (at > 0 && out.bytes[at - 1] == '\r'));
            expect_true(!cr || (at + 1 < out.len && out.bytes[at + 1] == '\n'));
            ends += at + 5 <= out.len && memcmp(out.bytes + at, "\r\n.\r\n", 5) == 0;
        }
        expect_int(ends, 1);
        expect_bytes(out.bytes + out.len - 5, 5, "\r\n.\r\n", 5);
    }
}

TEST(client_content, octets_above_127_are_seen_wherever_they_stand)
{
    for (size_t len = 1; len < 40; len++) {
        for (size_t at = 0; at < len; at++) {
            char text[40];
            memset(text, 'a', sizeof(text));
            struct smtp_client_encoder encoder;
            smtp_client_encoder_init(&encoder);
            (void)smtp_client_encoder_feed(&encoder, text, len, NULL);
            expect_true(!encoder.eight_bit);
            text[at] = (char)0x80;
            (void)smtp_client_encoder_feed(&encoder, text, len, NULL);
            expect_true(encoder.eight_bit);
        }
    }
}

TEST(client_content, octets_above_127_are_seen_in_lines_of_any_kind)
{
    static const char *const kinds[] = {"plain\r\n", ".dotted\r\n", "bare\n", "bare\rs\r\n",
                                        "none"};
    for (size_t kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++) {
        char text[200];
        size_t len = 0, line = strlen(kinds[kind]);
        for (; len + line <= sizeof(text); len += line) {
            memcpy(text + len, kinds[kind], line);
        }
        for (size_t at = 0; at < len; at++) {
            struct smtp_client_encoder encoder;
            char octet = text[at];
            text[at] = (char)0xff;
            smtp_client_encoder_init(&encoder);
            (void)smtp_client_encoder_feed(&encoder, text, len, NULL);
            expect_true(encoder.eight_bit);
            text[at] = octet;
            smtp_client_encoder_init(&encoder);
            (void)smtp_client_encoder_feed(&encoder, text, len, NULL);
            expect_true(!encoder.eight_bit);
        }
    }
}

TEST(client_content, a_line_over_998_octets_is_seen_under_any_split_rfc_5322_2_1_1)
{
    static const struct {
        size_t octets;
        const char *end;
        bool is_long;
    } lines[] = {{998, "\r\n", false}, {999, "\r\n", true}, {998, "\n", false}, {999, "", true}};
    char octets[1100];
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        memcpy(octets, "short\r\n", 7);                              /* is no part of the line */
        memset(octets + 7, i % 2 == 0 ? '.' : 'x', lines[i].octets); /* nor is a stuffed dot */
        memcpy(octets + 7 + lines[i].octets, lines[i].end, strlen(lines[i].end));
        size_t len = 7 + lines[i].octets + strlen(lines[i].end);
        for (size_t cut = 0; cut < len; cut += 333) {
            struct smtp_client_encoder encoder;
            smtp_client_encoder_init(&encoder);
            (void)smtp_client_encoder_feed(&encoder, octets, cut, NULL);
            (void)smtp_client_encoder_feed(&encoder, octets + cut, len - cut, NULL);
            expect_int(encoder.long_line, lines[i].is_long);
        }
    }
}

TEST(client_content, measuring_alone_gives_the_same_size)
{
    const char text[] = "..a\r\n\n.b\rc";
    struct encoded out;
    struct smtp_client_encoder encoder;
    encode(text, sizeof(text) - 1, 3, 0, &out);
    smtp_client_encoder_init(&encoder);
    (void)smtp_client_encoder_feed(&encoder, text, sizeof(text) - 1, NULL);
    (void)smtp_client_encoder_finish(&encoder, NULL);
    expect_int(encoder.size_bytes, out.encoder.size_bytes);
    expect_int(encoder.size_bytes, strlen("..a\r\n\r\n.b\r\nc\r\n"));
}
