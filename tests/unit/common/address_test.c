/* address_test.c - common/address.c */
#include "common/address.h"
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static void expect_parts(const char *text, const char *host, uint16_t port)
{
    struct smtp_address address;
    expect_int(smtp_address_parse(text, 25, &address, NULL), SMTP_OK);
    expect_str(address.host, host);
    expect_int(address.port, port);
}

TEST(address, takes_host_and_port_apart)
{
    expect_parts("mail.example.com:587", "mail.example.com", 587);
    expect_parts("mail.example.com", "mail.example.com", 25);
    expect_parts("127.0.0.1:0", "127.0.0.1", 0);
    expect_parts("[::1]:65535", "::1", 65535);
    expect_parts("[2001:db8::7]", "2001:db8::7", 25);
}

TEST(address, more_than_one_colon_outside_brackets_is_a_bare_ipv6_address)
{
    expect_parts("::1", "::1", 25);
    expect_parts("2001:db8::25", "2001:db8::25", 25);
}

TEST(address, a_unix_path_keeps_its_colons)
{
    struct smtp_address address;
    expect_int(smtp_address_parse("unix:/tmp/a:b", 25, &address, NULL), SMTP_OK);
    expect_int(address.kind, SMTP_ADDRESS_UNIX);
    expect_str(address.host, "/tmp/a:b");
}

TEST(address, a_refusal_names_the_part_and_what_came)
{
    const struct {
        const char *text;
        const char *named;
    } rows[] = {
        {"host:65536", "port"},
        {"host:", "port"},
        {"host:+1", "port"},
        {":25", "host"},
        {"", "host"},
        {"[::1", "']'"},
        {"[::1]25", "\":port\""},
        {"[mail.example]", "IPv6"},
        {"unix:", "path"},
        {"a b:25", "space"},
        {"a/b:25", "slash"},
        {"a\r\nb", "control"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smtp_address address;
        struct smtp_error error = {0};
        expect_int(smtp_address_parse(rows[i].text, 25, &address, &error), SMTP_BAD_ARGUMENT);
        expect_int(error.status, SMTP_BAD_ARGUMENT);
        expect_contains(error.message, rows[i].named);
    }
}

TEST(address, a_unix_path_may_have_107_octets_and_no_more)
{
    char text[5 + 108 + 1] = "unix:";
    struct smtp_address address;
    memset(text + 5, 'p', 108);
    expect_int(smtp_address_parse(text, 25, &address, NULL), SMTP_BAD_ARGUMENT);
    text[5 + 107] = '\0';
    expect_int(smtp_address_parse(text, 25, &address, NULL), SMTP_OK);
    struct sockaddr_storage where;
    socklen_t len = 0;
    expect_int(smtp_address_to_sockaddr(&address, &where, &len, NULL), SMTP_OK);
    expect_str(((struct sockaddr_un *)&where)->sun_path, text + 5);
}

TEST(address, a_host_may_have_255_octets_and_no_more)
{
    char text[257];
    struct smtp_address address;
    memset(text, 'h', 256);
    text[256] = '\0';
    expect_int(smtp_address_parse(text, 25, &address, NULL), SMTP_BAD_ARGUMENT);
    text[255] = '\0';
    expect_int(smtp_address_parse(text, 25, &address, NULL), SMTP_OK);
}

TEST(address, a_bracket_is_no_part_of_a_host)
{
    static const char *const texts[] = {"a]b:25", "a[b:25", "::1]", "[::1]]:25"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct smtp_address address;
        expect_int(smtp_address_parse(texts[i], 25, &address, NULL), SMTP_BAD_ARGUMENT);
    }
}

/* What getpeername says of a connection that was reset already. */
TEST(address, a_socket_without_an_address_is_called_unknown)
{
    struct smtp_address address;
    smtp_address_of_socket(-1, true, &address);
    expect_str(address.host, "unknown");
    expect_int(address.port, 0);
}

TEST(address, what_is_formatted_parses_back)
{
    const char *const texts[] = {"127.0.0.1:25", "[::1]:2525", "unix:/run/mail", "host.example:1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct smtp_address address;
        char text[SMTP_ADDRESS_TEXT_SIZE];
        expect_int(smtp_address_parse(texts[i], 25, &address, NULL), SMTP_OK);
        smtp_address_format(&address, text);
        expect_str(text, texts[i]);
    }
}

TEST(address, no_name_but_localhost_becomes_a_sockaddr)
{
    struct smtp_address address = {.kind = SMTP_ADDRESS_TCP, .host = "LocalHost", .port = 7};
    struct sockaddr_storage where;
    socklen_t len = 0;
    expect_int(smtp_address_to_sockaddr(&address, &where, &len, NULL), SMTP_OK);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&where;
    expect_int(v4->sin_family, AF_INET);
    expect_int(ntohl(v4->sin_addr.s_addr), 0x7f000001);
    expect_int(ntohs(v4->sin_port), 7);

    struct smtp_error error;
    memcpy(address.host, "mail.example", sizeof "mail.example");
    expect_int(smtp_address_to_sockaddr(&address, &where, &len, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "mail.example");
}
