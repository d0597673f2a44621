/* proxy_test.c - server/proxy.c: every header whole, octet by octet, and cut at each offset; what
 * comes behind it is never taken. */
#include "server/proxy.h"
#include "tests/support/test.h"

#include <stdio.h>

static const char behind[] = "EHLO x\r\n";

/* Takes the octets in parts that end at `cut`, and in parts of `step` after it. */
static enum smtp_server_proxy_progress take(struct smtp_server_proxy *proxy, const char *octets,
                                            size_t len, size_t cut, size_t step, size_t *used)
{
    enum smtp_server_proxy_progress progress = SMTP_SERVER_PROXY_WAITS;
    memset(proxy, 0, sizeof *proxy);
    *used = 0;
    while (*used < len && progress == SMTP_SERVER_PROXY_WAITS) {
        size_t part = *used < cut ? cut - *used : step, one;
        part = part > len - *used ? len - *used : part;
        char *own = malloc(part); /* so that a read beyond it is seen */
        expect_true(own != NULL);
        memcpy(own, octets + *used, part);
        progress = smtp_server_proxy_receive(proxy, own, part, &one);
        free(own);
        *used += one;
        expect_true(progress != SMTP_SERVER_PROXY_WAITS || one == part);
    }
    return progress;
}

/* "" for no source; NULL: malformed. */
static void expect_source(const char *header, size_t len, const char *source)
{
    struct smtp_server_proxy proxy;
    char octets[SMTP_PROXY_HEADER_MAX + 16], text[SMTP_ADDRESS_TEXT_SIZE];
    size_t used;
    memcpy(octets, header, len);
    memcpy(octets + len, behind, sizeof behind - 1);
    for (size_t cut = 0; cut <= len; cut++) {
        size_t step = cut == 0 ? 1 : sizeof octets;
        expect_int(take(&proxy, octets, len + sizeof behind - 1, cut, step, &used),
                   SMTP_SERVER_PROXY_DONE);
        expect_int(used, len);
        smtp_address_format(&proxy.source, text);
        expect_str(proxy.named ? text : "", source);
    }
}

static void expect_malformed(const char *header, size_t len, const char *why)
{
    struct smtp_server_proxy proxy;
    size_t used;
    for (size_t cut = 0; cut <= len; cut++) {
        enum smtp_server_proxy_progress progress =
            take(&proxy, header, len, cut, cut == 0 ? 1 : len, &used);
        if (progress != SMTP_SERVER_PROXY_MALFORMED) {
            SMTP_TEST_FAIL("\"%.40s\" was taken (%d), not refused since %s", header, progress, why);
        }
        expect_contains(proxy.wrong, why);
    }
}

#define SOURCE(text, source) expect_source(text, sizeof(text) - 1, source)
#define MALFORMED(text, why) expect_malformed(text, sizeof(text) - 1, why)

/* ---- version 1 ---- */

TEST(proxy, a_line_names_the_source)
{
    SOURCE("PROXY TCP4 192.0.2.1 192.0.2.2 40112 25\r\n", "192.0.2.1:40112");
    SOURCE("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535");
    SOURCE("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0:0");
    SOURCE("PROXY TCP6 2001:db8::1 2001:db8::2 40112 25\r\n", "[2001:db8::1]:40112");
    SOURCE("PROXY TCP6 2001:DB8:0:0::1 ::1 1 2\r\n", "[2001:db8::1]:1");
    SOURCE("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
           "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

TEST(proxy, a_line_of_unknown_names_none_whatever_stands_behind)
{
    SOURCE("PROXY UNKNOWN\r\n", "");
    SOURCE("PROXY UNKNOWN \r\n", "");
    SOURCE("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "");
}

TEST(proxy, a_line_has_exactly_its_form)
{
    MALFORMED("EHLO client.example\r\n", "another octet");
    MALFORMED("proxy TCP4 192.0.2.1 192.0.2.2 40112 25\r\n", "another octet");
    MALFORMED("PROXY\r\n", "another octet");
    MALFORMED(" PROXY UNKNOWN\r\n", "another octet");
    MALFORMED("\x16\x03\x01", "another octet");
    MALFORMED("PROXY \r\n", "protocol");
    MALFORMED("PROXY UNKNOWNX\r\n", "protocol");
    MALFORMED("PROXY TCP 192.0.2.1 192.0.2.2 40112 25\r\n", "protocol");
    MALFORMED("PROXY tcp4 192.0.2.1 192.0.2.2 40112 25\r\n", "protocol");
    MALFORMED("PROXY  TCP4 192.0.2.1 192.0.2.2 40112 25\r\n", "protocol");
    MALFORMED("PROXY TCP4\r\n", "addresses");
    MALFORMED("PROXY TCP4 192.0.2.1\r\n", "addresses");
    MALFORMED("PROXY TCP4  192.0.2.1 192.0.2.2 40112 25\r\n", "addresses");
    MALFORMED("PROXY TCP4 192.0.2.1 192.0.2 40112 25\r\n", "addresses");
    MALFORMED("PROXY TCP4 192.0.2.01 192.0.2.2 40112 25\r\n", "addresses");
    MALFORMED("PROXY TCP4 192.0.2.256 192.0.2.2 40112 25\r\n", "addresses");
    MALFORMED("PROXY TCP4 2001:db8::1 2001:db8::2 40112 25\r\n", "addresses");
    MALFORMED("PROXY TCP4 localhost localhost 40112 25\r\n", "addresses");
    MALFORMED("PROXY TCP4 192.0.2.1\0x 192.0.2.2 40112 25\r\n", "addresses");
    MALFORMED("PROXY TCP4 192.0.2.1\t192.0.2.2 40112 25\r\n", "addresses");
    MALFORMED("PROXY TCP6 192.0.2.1 192.0.2.2 40112 25\r\n", "addresses");
    MALFORMED("PROXY TCP6 [::1] [::1] 40112 25\r\n", "addresses");
    MALFORMED("PROXY TCP4 192.0.2.1 192.0.2.2\r\n", "ports");
    MALFORMED("PROXY TCP4 192.0.2.1 192.0.2.2 40112\r\n", "ports");
    MALFORMED("PROXY TCP4 192.0.2.1 192.0.2.2 40112 \r\n", "ports");
    MALFORMED("PROXY TCP4 192.0.2.1 192.0.2.2  40112 25\r\n", "ports");
    MALFORMED("PROXY TCP4 192.0.2.1 192.0.2.2 65536 25\r\n", "ports");
    MALFORMED("PROXY TCP4 192.0.2.1 192.0.2.2 40112 65536\r\n", "ports");
    MALFORMED("PROXY TCP4 192.0.2.1 192.0.2.2 040112 25\r\n", "ports");
    MALFORMED("PROXY TCP4 192.0.2.1 192.0.2.2 40112 00\r\n", "ports");
    MALFORMED("PROXY TCP4 192.0.2.1 192.0.2.2 -1 25\r\n", "ports");
    MALFORMED("PROXY TCP4 192.0.2.1 192.0.2.2 40112 25 \r\n", "ports");
    MALFORMED("PROXY TCP4 192.0.2.1 192.0.2.2 40112 25 26\r\n", "ports");
}

TEST(proxy, a_line_ends_with_CRLF_and_nothing_else)
{
    MALFORMED("PROXY TCP4 192.0.2.1 192.0.2.2 40112 25\n", "CR or LF");
    MALFORMED("PROXY TCP4 192.0.2.1 192.0.2.2 40112 25\rX", "CR or LF");
    MALFORMED("PROXY TCP4 192.0.2.1 192.0.2.2 40112 25\r\r\n", "CR or LF");
    MALFORMED("PROXY UNKNOWN\n", "CR or LF");
    MALFORMED("PROXY UNKNOWN a\nb\r\n", "CR or LF");
}

TEST(proxy, a_line_has_at_most_107_octets_with_its_end)
{
    char line[SMTP_PROXY_LINE_MAX + 2];
    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    memcpy(line + SMTP_PROXY_LINE_MAX - 2, "\r\n", 2);
    expect_source(line, SMTP_PROXY_LINE_MAX, "");
    memcpy(line + SMTP_PROXY_LINE_MAX - 2, "x\r\n", 3);
    expect_malformed(line, SMTP_PROXY_LINE_MAX + 1, "107 octets");
    memset(line + 14, 'x', sizeof line - 14);
    expect_malformed(line, sizeof line, "107 octets"); /* no end comes */
}

/* ---- version 2 ---- */

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\x00\x02\x01\xc0\x00\x02\x02\x9c\xb0\x00\x19" /* 192.0.2.1:40112, 192.0.2.2:25 */
/* of the header below, by another program */
#define CHECKSUM "\x30\x61\x89\x87"
#define V6                                                                                         \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x9c\xb0" \
    "\x00\x19"

TEST(proxy, a_binary_header_names_the_source)
{
    SOURCE(SIGNATURE "\x21\x11\x00\x0c" V4, "192.0.2.1:40112");
    SOURCE(SIGNATURE "\x21\x21\x00\x24" V6, "[2001:db8::1]:40112");
}

static void expect_unix(const char *path, const char *source)
{
    char header[16 + 216] = SIGNATURE "\x21\x31\x00\xd8";
    strncpy(header + 16, path, 108);
    expect_source(header, sizeof header, source);
}

TEST(proxy, a_binary_header_names_a_unix_socket_whose_path_is_plain_text)
{
    expect_unix("", "unix:");
    expect_unix("/run/mail", "unix:/run/mail");
    expect_unix("/run/\r\nMAIL", "unix:");
    expect_unix("/run/\xff", "unix:");
    char longest[109] = {0};
    memset(longest, 'x', 108);
    char source[128];
    snprintf(source, sizeof source, "unix:%s", longest);
    expect_unix(longest, source);
}

TEST(proxy, what_has_no_source_of_a_stream_keeps_the_peer)
{
    SOURCE(SIGNATURE "\x20\x00\x00\x00", "");    /* LOCAL */
    SOURCE(SIGNATURE "\x20\x11\x00\x0c" V4, ""); /* LOCAL, addresses or not */
    SOURCE(SIGNATURE "\x20\x99\x00\x03xyz", ""); /* "including the family" */
    SOURCE(SIGNATURE "\x21\x00\x00\x00", "");    /* UNSPEC */
    SOURCE(SIGNATURE "\x21\x00\x00\x05\xff\xff\xff\xff\xff", "");
    SOURCE(SIGNATURE "\x21\x12\x00\x0c" V4, ""); /* datagrams */
    SOURCE(SIGNATURE "\x21\x22\x00\x24" V6, "");
}

TEST(proxy, TLVs_are_passed_over)
{
    SOURCE(SIGNATURE "\x21\x11\x00\x0f" V4 "\x04\x00\x00", "192.0.2.1:40112");
    SOURCE(SIGNATURE "\x21\x11\x00\x1a" V4 "\x02\x00\x04"
                     "host"
                     "\x01\x00\x04smtp",
           "192.0.2.1:40112");
    SOURCE(SIGNATURE "\x21\x21\x00\x2b" V6 "\x20\x00\x04\0\0\0\0", "[2001:db8::1]:40112");
}

TEST(proxy, a_CRC32C_must_match)
{
    SOURCE(SIGNATURE "\x21\x11\x00\x13" V4 "\x03\x00\x04" CHECKSUM, "192.0.2.1:40112");
    MALFORMED(SIGNATURE "\x21\x11\x00\x13" V4 "\x03\x00\x04\x00\x00\x00\x00", "does not match");
    MALFORMED(SIGNATURE "\x21\x11\x00\x12" V4 "\x03\x00\x03"
                        "abc",
              "has not 4 octets");
}

TEST(proxy, a_binary_header_has_the_lengths_that_it_says)
{
    MALFORMED(SIGNATURE "\x21\x11\x00\x0b\xc0\x00\x02\x01\xc0\x00\x02\x02\x9c\xb0\x00",
              "shorter than its addresses");
    MALFORMED(SIGNATURE "\x21\x11\x00\x00", "shorter than its addresses");
    MALFORMED(SIGNATURE "\x21\x21\x00\x0c" V4, "shorter than its addresses");
    MALFORMED(SIGNATURE "\x21\x31\x00\x0c" V4, "shorter than its addresses");
    MALFORMED(SIGNATURE "\x21\x11\x00\x0d" V4 "\x04", "TLV");
    MALFORMED(SIGNATURE "\x21\x11\x00\x0e" V4 "\x04\x00", "TLV");
    MALFORMED(SIGNATURE "\x21\x11\x00\x0f" V4 "\x04\x00\x01", "TLV");
    MALFORMED(SIGNATURE "\x21\x11\x00\x10" V4 "\x04\xff\xffx", "TLV");
}

TEST(proxy, a_binary_header_has_exactly_its_form)
{
    MALFORMED("\r\n\r\nX", "signature");
    MALFORMED("\r\n\r\n\0\r\nQUIT\r", "signature");
    MALFORMED("\rX", "signature");
    MALFORMED(SIGNATURE "\x11", "version");
    MALFORMED(SIGNATURE "\x31", "version");
    MALFORMED(SIGNATURE "\x22", "version");
    MALFORMED(SIGNATURE "\x2f", "version");
    MALFORMED(SIGNATURE "\x21\x41\x00\x0c" V4, "family");
    MALFORMED(SIGNATURE "\x21\x13\x00\x0c" V4, "family");
    MALFORMED(SIGNATURE "\x21\x01\x00\x0c" V4, "family");
    MALFORMED(SIGNATURE "\x21\x10\x00\x0c" V4, "family");
}

TEST(proxy, a_binary_header_has_at_most_4096_octets)
{
    char header[SMTP_PROXY_HEADER_MAX] = SIGNATURE "\x21\x11\x0f\xf0" V4;
    header[28] = 0x04; /* a TLV to the end */
    header[29] = (char)((sizeof header - 31) >> 8);
    header[30] = (char)((sizeof header - 31) & 0xff);
    struct smtp_server_proxy proxy;
    size_t used;
    expect_int(take(&proxy, header, sizeof header, 0, 1, &used), SMTP_SERVER_PROXY_DONE);
    expect_true(proxy.named);
    MALFORMED(SIGNATURE "\x21\x11\x0f\xf1", "4096 octets"); /* before any more is taken */
    MALFORMED(SIGNATURE "\x20\x00\xff\xff", "4096 octets");
}

TEST(proxy, waits_while_the_header_is_not_whole)
{
    struct smtp_server_proxy proxy;
    size_t used;
    expect_int(take(&proxy, "PROXY UNKNOWN\r", 14, 0, 1, &used), SMTP_SERVER_PROXY_WAITS);
    expect_int(take(&proxy, SIGNATURE "\x21\x11\x00\x0c" V4, 27, 0, 1, &used),
               SMTP_SERVER_PROXY_WAITS);
    expect_int(used, 27);
}
