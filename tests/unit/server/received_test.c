/* received_test.c - server/receivers/received.c */
#include "server/smtp_receivers.h"
#include "tests/support/test.h"
#include "tests/unit/server/made_message.h"

#include <stdio.h>

#define NOON 1795626000 /* Wed, 25 Nov 2026 17:00:00 +0000 */

static char *received_at(const struct made *made, const char *by, int64_t unix_s)
{
    struct smtp_message *message = made_message(made);
    char *text = malloc(SMTP_RECEIVED_MAX);
    expect_true(text != NULL);
    size_t len = smtp_message_write_received(message, by, unix_s, text, SMTP_RECEIVED_MAX);
    expect_true(len > 0);
    expect_int(len, strlen(text));
    smtp_message_release(message);
    return text;
}

static char *received(const struct made *made)
{
    return received_at(made, "server.example", NOON);
}

#define EXPECT_RECEIVED(expected, ...)                                                             \
    do {                                                                                           \
        char *text_of = received(&(struct made){__VA_ARGS__});                                     \
        expect_str(text_of, expected);                                                             \
        free(text_of);                                                                             \
    } while (0)
#define EXPECT_PART(part, ...)                                                                     \
    do {                                                                                           \
        char *text_of = received(&(struct made){__VA_ARGS__});                                     \
        expect_contains(text_of, part);                                                            \
        free(text_of);                                                                             \
    } while (0)

/* Of every line: not empty, at most `longest` octets, and all but the first begin with a space. */
static void expect_folded(const char *text, size_t longest)
{
    const char *line = text;
    while (*line != '\0') {
        const char *end = strstr(line, "\r\n");
        expect_true(end != NULL);
        if ((size_t)(end - line) > longest) {
            SMTP_TEST_FAIL("a line of %zu octets: %s", (size_t)(end - line), text);
        }
        expect_true((line == text) == (*line != ' '));
        expect_true(strspn(line, " \t") < (size_t)(end - line));
        expect_true(memchr(line, '\r', (size_t)(end - line)) == NULL);
        expect_true(memchr(line, '\n', (size_t)(end - line)) == NULL);
        line = end + 2;
    }
}

TEST(received, the_whole_field_RFC_5321_4_4)
{
    EXPECT_RECEIVED("Received: from client.example ([192.0.2.1]) by server.example with ESMTPS\r\n"
                    " id 12 for <bob@example.com>; Wed, 25 Nov 2026 17:00:00 +0000\r\n",
                    .protocol = "ESMTPS", .number = 12);
}

TEST(received, the_peers_address_is_a_literal_RFC_5321_4_1_3)
{
    EXPECT_PART("from client.example ([127.0.0.1]) by ", .peer = "127.0.0.1:40112");
    EXPECT_PART("from client.example ([IPv6:::1]) by ", .peer = "[::1]:1");
    EXPECT_PART("from client.example ([IPv6:2001:db8::1]) by ", .peer = "[2001:db8::1]:65535");
    EXPECT_PART("from client.example ([192.0.2.9]) by ", .peer = "192.0.2.9");
}

TEST(received, a_peer_without_an_address_has_none)
{
    static const char *const peers[] = {
        "unix:", "unix:/run/mail", "unknown:0", "unknown", "", "127.0.0.1) x ([127.0.0.1]:25"};
    for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
        EXPECT_PART("from client.example by server.example", .peer = peers[i]);
    }
}

TEST(received, for_names_one_path_or_none_RFC_5321_4_4)
{
    EXPECT_PART(" for <bob@example.com>; ", .number = 1);
    char *text = received(&(struct made){.to = {"bob@example.com", "cat@example.com"}});
    expect_true(strstr(text, "for") == NULL);
    expect_true(strstr(text, "bob") == NULL);
    free(text);
}

TEST(received, a_message_without_a_number_goes_by_its_session)
{
    EXPECT_PART(" id session-7", .number = 0);
    EXPECT_PART(" id 18446744073709551615", .number = UINT64_MAX);
}

TEST(received, every_protocol_is_named_and_none_is_left_out)
{
    EXPECT_PART(" with SMTP", .protocol = "SMTP");
    EXPECT_PART(" with ESMTPSA", .protocol = "ESMTPSA");
    char *text = received(&(struct made){.protocol = "", .number = 3});
    expect_contains(text, "by server.example id 3");
    free(text);
}

TEST(received, the_date_is_of_RFC_5322_3_3_in_UTC)
{
    static const struct {
        int64_t unix_s;
        const char *date;
    } rows[] = {
        {0, "; Thu, 1 Jan 1970 00:00:00 +0000\r\n"},
        {951782400, "; Tue, 29 Feb 2000 00:00:00 +0000\r\n"},
        {-1, "; Wed, 31 Dec 1969 23:59:59 +0000\r\n"},
        {253402300799, "; Fri, 31 Dec 9999 23:59:59 +0000\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = received_at(&(struct made){.number = 1}, "s.example", rows[i].unix_s);
        expect_contains(text, rows[i].date);
        free(text);
    }
}

TEST(received, a_year_without_four_digits_is_no_field)
{
    char text[SMTP_RECEIVED_MAX];
    struct smtp_message *message = made_message(&(struct made){.number = 1});
    expect_int(smtp_message_write_received(message, "s", 253402300800, text, sizeof text), 0);
    expect_int(smtp_message_write_received(message, "s", INT64_MAX, text, sizeof text), 0);
    expect_int(smtp_message_write_received(message, "s", INT64_MIN, text, sizeof text), 0);
    smtp_message_release(message);
}

TEST(received, lines_are_folded_below_78_octets_RFC_5322_2_1_1)
{
    char helo[256];
    for (size_t len = 1; len < 70; len++) {
        memset(helo, 'a', len);
        helo[len] = '\0';
        char *text = received(&(struct made){.helo = helo, .number = 4711});
        expect_folded(text, 78);
        free(text);
    }
}

TEST(received, no_line_is_over_998_octets_whatever_the_limits_let_in)
{
    static char path[4096], helo[4096];
    static const size_t lens[] = {70, 78, 200, 255, 256, 500, 512, 513, 4000};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        memset(path, 'p', lens[i]);
        memset(helo, 'h', lens[i]);
        path[lens[i]] = helo[lens[i]] = '\0';
        char *text = received(&(struct made){.helo = helo, .to = {path}, .number = 1});
        expect_folded(text, 998);
        free(text);
    }
    EXPECT_PART("Received: from unknown ([192.0.2.1])", .helo = helo);
}

TEST(received, nothing_of_the_peer_ends_the_field_or_a_clause)
{
    char *text = received(&(struct made){.helo = "x\r\nBcc: a (b) by c; <d>\\\t\x7f\xc3\xa9",
                                         .to = {"a\r\nX: \x01\xc3\xa9@b.example"},
                                         .number = 1});
    expect_contains(text, "from x??Bcc:?a??b??by?c???d????"
                          "?? ([192.0.2.1])");
    expect_contains(text, "for <a??X: ???@b.example>;");
    expect_folded(text, 998);
    free(text);
}

TEST(received, UTF8_stays_where_the_message_is_of_SMTPUTF8_RFC_6531_3_7_3)
{
    EXPECT_PART("for <gr\xc3\xbc\xc3\x9f"
                "e@b.example>;",
                .protocol = "UTF8SMTPS", .number = 1,
                .to = {"gr\xc3\xbc\xc3\x9f"
                       "e@b.example"});
}

TEST(received, an_unknown_name_is_said_so)
{
    EXPECT_PART("from unknown ([192.0.2.1])", .helo = "");
}

TEST(received, where_there_is_no_room_there_is_no_field)
{
    struct smtp_message *message = made_message(&(struct made){.number = 12});
    char whole[SMTP_RECEIVED_MAX];
    size_t len = smtp_message_write_received(message, "s.example", NOON, whole, sizeof whole);
    for (size_t size = 0; size <= len + 1; size++) {
        char *text = malloc(size + 1); /* exactly, so that an octet too many is seen */
        expect_true(text != NULL);
        text[size] = 'x';
        expect_int(smtp_message_write_received(message, "s.example", NOON, text, size),
                   size > len ? len : 0);
        expect_int(text[size], 'x');
        free(text);
    }
    smtp_message_release(message);
}
