/* proxy_test.c - the octets of a PROXY header, and what is none. */
#include "client/proxy.h"
#include "client/smtp_client.h"
#include "tests/support/test.h"

static struct smtp_client_proxy_header header;
static struct smtp_error error;

static enum smtp_status make(const char *text)
{
    return smtp_client_proxy_header_make(&header, text, &error);
}

TEST(client_proxy, version_1_is_a_line)
{
    static const char *const rows[][2] = {
        {"v1 192.0.2.1:40112 192.0.2.2:25", "PROXY TCP4 192.0.2.1 192.0.2.2 40112 25\r\n"},
        {"v1 [2001:db8::1]:65535 [2001:DB8:0::2]:1",
         "PROXY TCP6 2001:db8::1 2001:db8::2 65535 1\r\n"},
        {"v1 [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 "
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
         "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"},
        {"v1 unknown", "PROXY UNKNOWN\r\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_int(make(rows[i][0]), SMTP_OK);
        expect_bytes(header.octets, header.len, rows[i][1], strlen(rows[i][1]));
    }
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

TEST(client_proxy, version_2_is_binary)
{
    static const char four[] = SIGNATURE "\x21\x11\0\x0C\xC0\0\x02\x01\xC0\0\x02\x02\x9C\xB0\0\x19";
    static const char six[] = SIGNATURE
        "\x21\x21\0\x24 \x01\r\xB8\0\0\0\0\0\0\0\0\0\0\0\x01 \x01\r\xB8\0\0\0\0\0\0\0\0\0\0\0\x02"
        "\x9C\xB0\0\x19";
    static const char unspecified[] = SIGNATURE "\x21\0\0\0";
    expect_int(make("v2 192.0.2.1:40112 192.0.2.2:25"), SMTP_OK);
    expect_bytes(header.octets, header.len, four, sizeof(four) - 1);
    expect_int(make("v2 [2001:db8::1]:40112 [2001:db8::2]:25"), SMTP_OK);
    expect_bytes(header.octets, header.len, six, sizeof(six) - 1);
    expect_int(make("v2 unknown"), SMTP_OK);
    expect_bytes(header.octets, header.len, unspecified, sizeof(unspecified) - 1);
}

TEST(client_proxy, what_is_no_header_is_refused)
{
    static const char *const bad[] = {
        "",
        "v1",
        "v1 ",
        "v3 unknown",
        "V1 unknown",
        "v1 unknown ",
        "v1 UNKNOWN",
        "v1 192.0.2.1:1",
        "v1 192.0.2.1:1 ",
        "v1 192.0.2.1 192.0.2.2:25",
        "v1 192.0.2.1:0 192.0.2.2:25",
        "v1 192.0.2.1:65536 192.0.2.2:25",
        "v1 192.0.2.1:1 192.0.2.2:25 ",
        "v1 192.0.2.1:1 192.0.2.2:25 x",
        "v1  192.0.2.1:1 192.0.2.2:25",
        "v1 192.0.2.1:1 [2001:db8::1]:25",
        "v1 a.test:1 b.test:2",
        "v2 192.0.2.256:1 192.0.2.2:25",
        "v2 [2001:db8::1%lo]:1 [2001:db8::2]:25",
        "v2 unix:/a unix:/b",
        "v2 2001:db8::1 2001:db8::2",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect_str(make(bad[i]) == SMTP_BAD_ARGUMENT ? "refused" : bad[i], "refused");
        expect_contains(error.message, "the PROXY header");
    }
    expect_int(make("v1 unknown\r\nMAIL FROM:<x@y>"), SMTP_UNSAFE_ARGUMENT);
    expect_int(make("v1 192.0.2.1:1\n192.0.2.2:25"), SMTP_UNSAFE_ARGUMENT);
}

TEST(client_proxy, a_client_with_a_wrong_header_does_not_come_to_be)
{
    struct smtp_client *client;
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.proxy_header = "v1 nowhere";
    expect_int(smtp_client_new(&client, &options), SMTP_BAD_ARGUMENT);
    expect_true(client == NULL);
    options.proxy_header = "v1 unknown\r\n";
    expect_int(smtp_client_new(&client, &options), SMTP_UNSAFE_ARGUMENT);
}
