/* server_bdat_test.c - BDAT (RFC 3030) with a running server, in the clear and under TLS: large chunks
 * octet for octet, a whole session in one write, and counts that promise more than comes. */
#include "server/smtp_server.h"
#include "tests/end_to_end/running_server.h"
#include "tests/end_to_end/tls_server.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <stdio.h>

#define ENVELOPE "MAIL FROM:<a@x.test> BODY=BINARYMIME\r\nRCPT TO:<b@y.test>\r\n"

/* All octet values, and CRLF, dots and commands among them at no even distance. */
static char *make_octets(size_t size)
{
    static const char bait[] = "\r\n.\r\nRSET\r\nQUIT\r\n";
    char *octets = malloc(size);
    expect_true(octets != NULL);
    for (size_t i = 0; i < size; i++) {
        octets[i] = (char)(i * 31 >> 3);
    }
    for (size_t at = 0; at + sizeof bait < size; at += 4099) {
        memcpy(octets + at, bait, sizeof bait - 1);
    }
    return octets;
}

static void say_hello(struct smtp_wire *wire, const struct smtp_server *server, bool tls,
                      struct ssl_ctx_st *context)
{
    if (tls) {
        secured(wire, server, 0, context, NULL);
    } else {
        greeted(wire, server);
        expect_contains(smtp_wire_ask(wire, "EHLO c.test"), "\n250-CHUNKING\n");
    }
}

TEST(server_bdat, ten_mebibytes_of_octets_arrive_the_same_by_chunks_of_any_size)
{
    enum { SIZE = 10 << 20 };
    static const size_t chunks[] = {1, 1000, 65536, 65537, 3000000};
    char *octets = make_octets(SIZE), line[64];
    struct smtp_server *server = started(NULL);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), 0);
    for (uint64_t tls = 0; tls < 2; tls++) {
        struct smtp_wire wire;
        size_t at = 0;
        say_hello(&wire, server, tls == 1, context);
        expect_true(smtp_wire_send(&wire, ENVELOPE, sizeof ENVELOPE - 1));
        expect_contains(smtp_wire_reply(&wire), "250 ");
        expect_contains(smtp_wire_reply(&wire), "250 ");
        for (size_t i = 0; at < SIZE; i++) {
            size_t chunk = chunks[i % (sizeof chunks / sizeof *chunks)];
            chunk = chunk < SIZE - at ? chunk : SIZE - at;
            at += chunk;
            int len =
                snprintf(line, sizeof line, "BDAT %zu%s\r\n", chunk, at == SIZE ? " LAST" : "");
            expect_true(smtp_wire_send(&wire, line, (size_t)len));
            expect_true(smtp_wire_send(&wire, octets + at - chunk, chunk));
            expect_contains(smtp_wire_reply(&wire), "250 2.0.0 ");
        }
        expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
        smtp_wire_close(&wire);
        struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(server), tls + 1);
        size_t size = 0;
        expect_true(message != NULL);
        const char *content = smtp_message_content(message, &size);
        expect_bytes(content, size, octets, SIZE);
        expect_str(smtp_message_protocol(message), tls == 1 ? "ESMTPS" : "ESMTP");
        smtp_message_release(message);
    }
    smtp_tls_context_release(context);
    smtp_server_free(server);
    free(octets);
}

TEST(server_bdat, messages_pipelined_in_one_write_are_all_answered_rfc3030_4_2)
{
    enum { MESSAGES = 200 };
    static const char message[] = ENVELOPE "BDAT 6\r\nRSET\r\nBDAT 2 LAST\r\n.\n";
    static char input[MESSAGES * sizeof message];
    struct smtp_server *server = started(NULL);
    struct smtp_wire wire;
    for (size_t i = 0; i < MESSAGES; i++) {
        memcpy(input + i * (sizeof message - 1), message, sizeof message - 1);
    }
    say_hello(&wire, server, false, NULL);
    expect_true(smtp_wire_send(&wire, input, MESSAGES * (sizeof message - 1)));
    for (size_t i = 0; i < 4 * MESSAGES; i++) {
        expect_contains(smtp_wire_reply(&wire), "250 ");
    }
    expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 2.0.0 OK");
    expect_int(smtp_mailbox_count(smtp_server_mailbox(server)), MESSAGES);
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

TEST(server_bdat, a_count_that_nothing_follows_leaves_no_message_and_the_server_goes_on)
{
    static const char *const counts[] = {"BDAT 4294967296 LAST", "BDAT 18446744073709551615",
                                         "BDAT 99999999999999999999", "BDAT 100 LAST"};
    struct smtp_server_options options;
    struct diary diary;
    smtp_server_options_init(&options);
    diary_open(&diary, &options);
    struct smtp_server *server = started(&options);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct smtp_wire wire;
        open_transaction(&wire, server);
        expect_true(smtp_wire_send(&wire, counts[i], strlen(counts[i])));
        expect_true(smtp_wire_send(&wire, "\r\nhalf", 6));
        if (i == 2) {
            expect_contains(smtp_wire_reply(&wire), "501 5.5.4 ");
            expect_true(smtp_wire_closed(&wire));
        }
        smtp_wire_close(&wire);
        diary_await_close(&diary);
    }
    send_one(server);
    expect_int(smtp_mailbox_count(smtp_server_mailbox(server)), 1);
    smtp_server_free(server);
    diary_close(&diary);
}
