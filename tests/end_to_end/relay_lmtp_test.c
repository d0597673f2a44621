/* relay_lmtp_test.c - the relay receiver where one end speaks LMTP (RFC 2033), or both, and binary content. */
#include "harness/smtp_relay.h"
#include "tests/end_to_end/peer.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <stdio.h>

#define LHLO "S: 220 mx\nC: LHLO relay.example\nS: 250-mx\nS: 250-PIPELINING\nS: 250 8BITMIME\n"
#define TWO_RCPTS                                                                                  \
    "C: MAIL FROM:<ann@example.com>\nS: 250 ok\nC: RCPT TO:<bob@example.com>\nS: 250 ok\n"         \
    "C: RCPT TO:<carol@example.com>\nS: 250 ok\nC: DATA\nS: 354 go\n[content]\n"
#define BYE "C: QUIT\nS: 221 bye\n[eof]\n"

struct relaying {
    struct smtp_server *server;
    struct smtp_wire wire;
    struct peer peer;
};

/** A server at `listen` that relays to the script by `scheme`, and a connection to it. */
static void relay(struct relaying *relaying, const char *listen, const char *scheme,
                  const char *script)
{
    struct smtp_server_options options;
    struct smtp_client_options client;
    struct smtp_server_hooks table;
    struct smtp_error error = {.message = ""};
    char address[SMTP_ADDRESS_TEXT_SIZE], next[SMTP_ADDRESS_TEXT_SIZE + 8];
    peer_start(&relaying->peer, script);
    smtp_address_format(&relaying->peer.address, address);
    snprintf(next, sizeof next, "%s%s", scheme, address);
    smtp_client_options_init(&client);
    client.helo_name = "relay.example";
    expect_int(smtp_receiver_relay(&table, next, &client, NULL, &error), SMTP_OK);
    smtp_server_options_init(&options);
    options.receivers = &table;
    options.receiver_count = 1;
    options.listen = &listen;
    options.listen_count = 1;
    relaying->server = started(&options);
    greeted(&relaying->wire, relaying->server);
    bool lmtp = strncmp(listen, "lmtp://", 7) == 0;
    expect_contains(smtp_wire_ask(&relaying->wire, lmtp ? "LHLO c.example" : "EHLO c.example"),
                    "250 ");
}

static const char *send_to_two(struct relaying *relaying)
{
    struct smtp_wire *wire = &relaying->wire;
    expect_contains(smtp_wire_ask(wire, "MAIL FROM:<ann@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "RCPT TO:<bob@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "RCPT TO:<carol@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "DATA"), "354 ");
    return smtp_wire_ask(wire, "text\r\n.");
}

static void end(struct relaying *relaying)
{
    expect_contains(smtp_wire_ask(&relaying->wire, "QUIT"), "221 ");
    smtp_wire_close(&relaying->wire);
    smtp_server_free(relaying->server);
    peer_stop(&relaying->peer);
}

TEST(relay_lmtp, rfc2033_4_2_each_recipient_hears_its_own_answer)
{
    static struct relaying relaying;
    relay(&relaying, "lmtp://127.0.0.1:0", "lmtp://",
          LHLO TWO_RCPTS "S: 250 2.1.5 bob has it\nS: 452 4.2.2 carol is full\n" BYE);
    expect_str(send_to_two(&relaying), "250 2.1.5 bob has it");
    expect_str(smtp_wire_reply(&relaying.wire), "452 4.2.2 carol is full");
    end(&relaying);
}

TEST(relay_lmtp, rfc2033_4_2_an_smtp_servers_answer_is_that_of_each_recipient)
{
    static struct relaying relaying;
    relay(&relaying, "lmtp://127.0.0.1:0", "",
          "S: 220 mx\nC: EHLO relay.example\nS: 250 mx\n" TWO_RCPTS "S: 250 2.0.0 taken\n" BYE);
    expect_str(send_to_two(&relaying), "250 2.0.0 taken");
    expect_str(smtp_wire_reply(&relaying.wire), "250 2.0.0 taken");
    end(&relaying);
}

TEST(relay_lmtp, rfc2033_4_2_a_next_server_that_is_lost_after_the_content_refuses_for_each)
{
    static struct relaying relaying;
    relay(&relaying, "lmtp://127.0.0.1:0", "lmtp://", LHLO TWO_RCPTS);
    expect_contains(send_to_two(&relaying), "451 4.4.2 ");
    expect_contains(smtp_wire_reply(&relaying.wire), "451 4.4.2 ");
    end(&relaying);
}

/** The next server answers so for bob and carol; one answer for both. */
static void expect_one_answer(const char *answers, const char *expected)
{
    static struct relaying relaying;
    char script[1000];
    snprintf(script, sizeof script, "%s%s%s", LHLO TWO_RCPTS, answers, BYE);
    relay(&relaying, "127.0.0.1:0", "lmtp://", script);
    expect_contains(send_to_two(&relaying), expected);
    expect_int(smtp_mailbox_captured(smtp_server_mailbox(relaying.server)),
               strncmp(expected, "250", 3) == 0);
    end(&relaying);
}

TEST(relay_lmtp, under_smtp_a_refusal_of_some_is_the_answer_for_all)
{
    expect_one_answer("S: 250 2.0.0 bob\nS: 250 2.0.0 carol\n", "250 2.0.0 bob");
    expect_one_answer("S: 250 2.0.0 bob\nS: 550 5.2.0 carol\n", "550 5.2.0 carol");
    expect_one_answer("S: 550 5.2.0 bob\nS: 452 4.2.2 carol\n", "452 4.2.2 carol");
    expect_one_answer("S: 452 4.2.2 bob\nS: 550 5.2.0 carol\n", "452 4.2.2 bob");
}

TEST(relay_lmtp, rfc3030_3_binary_content_goes_on_by_bdat_octet_for_octet)
{
    static struct relaying relaying;
    relay(&relaying, "127.0.0.1:0", "",
          "S: 220 mx\nC: EHLO relay.example\nS: 250-mx\nS: 250-8BITMIME\nS: 250-CHUNKING\n"
          "S: 250 BINARYMIME\nC: MAIL FROM:<ann@example.com> BODY=BINARYMIME\nS: 250 ok\n"
          "C: RCPT TO:<bob@example.com>\nS: 250 ok\n[chunk]\nS: 250 its field\n"
          "C: BDAT 3 LAST\n[octets 3]\nS: 250 2.0.0 taken\n" BYE);
    struct smtp_wire *wire = &relaying.wire;
    expect_contains(smtp_wire_ask(wire, "MAIL FROM:<ann@example.com> BODY=BINARYMIME"), "250 ");
    expect_contains(smtp_wire_ask(wire, "RCPT TO:<bob@example.com>"), "250 ");
    expect_true(smtp_wire_send(wire, "BDAT 3 LAST\r\na\nb", 16));
    expect_contains(smtp_wire_reply(wire), "250 ");
    end(&relaying);
    expect_bytes(relaying.peer.content, relaying.peer.content_len, "a\nb", 3);
}
