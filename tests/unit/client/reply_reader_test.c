/* reply_reader_test.c - replies, whole, byte by byte and cut at each octet. */
#include "client/protocol/reply_reader.h"
#include "tests/support/test.h"

#include <stdio.h>

struct reply_row {
    const char *octets;
    int code; /* 0: a violation */
    int class_digit, subject, detail;
    const char *text;
};

static const struct reply_row rows[] = {
    {"250 OK\r\n", 250, 0, 0, 0, "OK"},
    /* RFC 5321 4.2.1: the code alone */
    {"250\r\n", 250, 0, 0, 0, ""},
    {"250 \r\n", 250, 0, 0, 0, ""},
    {"250-one\r\n250-two\r\n250 three\r\n", 250, 0, 0, 0, "one\ntwo\nthree"},
    {"250-\r\n250\r\n", 250, 0, 0, 0, "\n"},
    {"250-550 no\r\n250 yes\r\n", 250, 0, 0, 0, "550 no\nyes"},
    {"550 5.1.1 No such user\r\n", 550, 5, 1, 1, "No such user"},
    {"550-5.1.1 No\r\n550 5.1.1 user\r\n", 550, 5, 1, 1, "No\nuser"},
    {"550 5.1.1\r\n", 550, 5, 1, 1, ""},
    {"550-5.1.1 a\r\n550 5.2.2 b\r\n", 550, 5, 1, 1, "a\nb"}, /* the first line says it */
    {"550-a\r\n550 5.2.2 b\r\n", 550, 0, 0, 0, "a\nb"},
    {"550 5.100.999 x\r\n", 550, 5, 100, 999, "x"},
    {"550 5.1000.1 x\r\n", 550, 0, 0, 0, "5.1000.1 x"},
    {"550 2.1.1 x\r\n", 550, 0, 0, 0, "2.1.1 x"},
    {"550 5.1.1x\r\n", 550, 0, 0, 0, "5.1.1x"},
    {"550 5.1\r\n", 550, 0, 0, 0, "5.1"},
    {"550 5..1 x\r\n", 550, 0, 0, 0, "5..1 x"},
    {"299 new\r\n", 299, 0, 0, 0, "new"},
    {"599 new\r\n", 599, 0, 0, 0, "new"},
    {"250 a\033b\rc\r\n", 250, 0, 0, 0, "a?b?c"},
    {"250 \xC3\xB6\r\n", 250, 0, 0, 0, "\xC3\xB6"},
    {"250-a\r\n251 b\r\n", 0, 0, 0, 0, NULL},
    {"250 a\n", 0, 0, 0, 0, NULL},
    {"250-a\n250 b\r\n", 0, 0, 0, 0, NULL},
    {"\n", 0, 0, 0, 0, NULL},
    {"\r\n", 0, 0, 0, 0, NULL},
    {"25\r\n", 0, 0, 0, 0, NULL},
    {"2500\r\n", 0, 0, 0, 0, NULL},
    {"250_x\r\n", 0, 0, 0, 0, NULL},
    {"150 x\r\n", 0, 0, 0, 0, NULL},
    {"650 x\r\n", 0, 0, 0, 0, NULL},
    {"abc x\r\n", 0, 0, 0, 0, NULL},
    {" 250 x\r\n", 0, 0, 0, 0, NULL},
};

/* Feeds pieces that end at each of the cuts; a reply must not be there before its last octet. */
static enum smtp_status feed(struct smtp_client_reply_reader *reader, const char *octets,
                             size_t len, size_t cut, size_t piece)
{
    struct smtp_error error = {0};
    enum smtp_status status = SMTP_OK;
    for (size_t at = 0; at < len && status == SMTP_OK;) {
        size_t part = piece > 0 ? piece : at < cut ? cut - at : len - at;
        part = part < len - at ? part : len - at;
        size_t used = 0;
        char *copy = malloc(part); /* its end is where the sanitizer's redzone begins */
        memcpy(copy, octets + at, part);
        status = smtp_client_reply_reader_feed(reader, copy, part, &used, &error);
        free(copy);
        expect_true(status != SMTP_OK || used == part);
        at += part;
        expect_true(status != SMTP_OK || reader->complete == (at == len));
    }
    expect_true(status == SMTP_OK || error.message[0] != '\0');
    return status;
}

static void check_row(const struct reply_row *row, size_t cut, size_t piece)
{
    struct smtp_client_reply_reader reader;
    smtp_client_reply_reader_init(&reader);
    enum smtp_status status = feed(&reader, row->octets, strlen(row->octets), cut, piece);
    expect_int(status, row->code == 0 ? SMTP_PROTOCOL_VIOLATION : SMTP_OK);
    if (row->code != 0) {
        struct smtp_reply reply = smtp_client_reply_reader_reply(&reader);
        expect_int(reply.code, row->code);
        expect_int(reply.enhanced.class_digit, row->class_digit);
        expect_int(reply.enhanced.subject, row->subject);
        expect_int(reply.enhanced.detail, row->detail);
        expect_str(reply.text, row->text);
    }
    smtp_client_reply_reader_clear(&reader);
}

TEST(client_reply_reader, replies_are_read_whole)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row(&rows[i], strlen(rows[i].octets), 0);
    }
}

TEST(client_reply_reader, replies_are_read_byte_by_byte)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row(&rows[i], 0, 1);
    }
}

TEST(client_reply_reader, replies_are_read_cut_at_each_octet)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t cut = 1; cut < strlen(rows[i].octets); cut++) {
            check_row(&rows[i], cut, 0);
        }
    }
}

TEST(client_reply_reader, several_replies_in_one_read_are_taken_one_at_a_time)
{
    const char octets[] = "250 a\r\n550-5.1.1 b\r\n550 5.1.1 c\r\n354 d\r\n";
    static const int codes[] = {250, 550, 354};
    struct smtp_client_reply_reader reader;
    smtp_client_reply_reader_init(&reader);
    size_t at = 0;
    for (size_t i = 0; i < 3; i++) {
        size_t used = 0;
        expect_int(smtp_client_reply_reader_feed(&reader, octets + at, sizeof(octets) - 1 - at,
                                                 &used, NULL),
                   SMTP_OK);
        expect_true(reader.complete);
        expect_int(smtp_client_reply_reader_reply(&reader).code, codes[i]);
        at += used;
    }
    expect_int(at, sizeof(octets) - 1);
    expect_int(smtp_client_reply_reader_reply(&reader).enhanced.class_digit, 0);
    smtp_client_reply_reader_clear(&reader);
}

static enum smtp_status feed_line(struct smtp_client_reply_reader *reader, size_t text_len)
{
    static char octets[2 * SMTP_CLIENT_REPLY_LINE_MAX];
    size_t used;
    memset(octets, 'x', sizeof(octets));
    memcpy(octets, "250-", 4);
    memcpy(octets + 4 + text_len, "\r\n", 2);
    return smtp_client_reply_reader_feed(reader, octets, text_len + 6, &used, NULL);
}

TEST(client_reply_reader, an_endless_line_is_cut_off)
{
    struct smtp_client_reply_reader reader;
    smtp_client_reply_reader_init(&reader);
    expect_int(feed_line(&reader, SMTP_CLIENT_REPLY_LINE_MAX - 6), SMTP_OK);
    expect_int(feed_line(&reader, SMTP_CLIENT_REPLY_LINE_MAX - 5), SMTP_LIMIT_EXCEEDED);
    smtp_client_reply_reader_restart(&reader);
    size_t used, octets = 0;
    while (smtp_client_reply_reader_feed(&reader, "2", 1, &used, NULL) == SMTP_OK) {
        octets++;
    }
    expect_int(octets, SMTP_CLIENT_REPLY_LINE_MAX);
    smtp_client_reply_reader_clear(&reader);
}

TEST(client_reply_reader, an_endless_reply_is_cut_off)
{
    struct smtp_client_reply_reader reader;
    smtp_client_reply_reader_init(&reader);
    size_t lines = 0;
    while (feed_line(&reader, 0) == SMTP_OK) {
        lines++;
    }
    expect_int(lines, SMTP_CLIENT_REPLY_LINES_MAX);
    smtp_client_reply_reader_restart(&reader);
    lines = 0;
    while (feed_line(&reader, 1018) == SMTP_OK) {
        lines++;
    }
    expect_int(lines, SMTP_CLIENT_REPLY_MAX / 1024);
    smtp_client_reply_reader_clear(&reader);
}

/* The quadratic re-reading that other clients had: counted in octets looked at, not in time. */
TEST(client_reply_reader, single_octets_cost_no_more_than_whole_reads)
{
    struct smtp_client_reply_reader reader;
    smtp_client_reply_reader_init(&reader);
    size_t octets = 0;
    for (int i = 0; i < 63; i++) {
        char piece[1024];
        memset(piece, 'x', sizeof(piece));
        memcpy(piece, i < 62 ? "250-" : "250 ", 4);
        memcpy(piece + sizeof(piece) - 2, "\r\n", 2);
        for (size_t at = 0; at < sizeof(piece); at++) {
            size_t used;
            expect_int(smtp_client_reply_reader_feed(&reader, piece + at, 1, &used, NULL), SMTP_OK);
            octets++;
        }
    }
    expect_true(reader.complete);
    expect_int(reader.looked_at, octets);
    smtp_client_reply_reader_clear(&reader);
}
