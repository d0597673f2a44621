/* relay_test.c - the relay receiver over real sockets: a client, a server that relays, and the next server,
 * which is a harness's or a script's. */
#include "harness/smtp_harness.h"
#include "harness/smtp_relay.h"
#include "tests/end_to_end/peer.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <stdio.h>
#include <stdlib.h>

#define GREETED "S: 220 mx\nC: EHLO relay.example\n"
#define OPENED GREETED "S: 250-mx\nS: 250 8BITMIME\nC: MAIL FROM:<ann@example.com>\n"
#define ONE_RCPT OPENED "S: 250 ok\nC: RCPT TO:<bob@example.com>\n"
#define ONE_DATA ONE_RCPT "S: 250 ok\nC: DATA\n"
#define ONE_CONTENT ONE_DATA "S: 354 go\n[content]\n"
#define BYE "C: QUIT\nS: 221 bye\n[eof]\n"

/** A server that relays to `next`, and a connection to it, up to EHLO. */
struct relaying {
    struct smtp_server *server;
    struct smtp_wire wire;
};

static void relay_to(struct relaying *relaying, const char *next,
                     const struct smtp_server_options *given)
{
    struct smtp_server_options options;
    struct smtp_client_options client;
    struct smtp_error error = {.message = ""};
    smtp_server_options_init(&options);
    smtp_client_options_init(&client);
    client.helo_name = "relay.example";
    if (given != NULL) {
        options = *given;
    }
    expect_int(smtp_receiver_relay(&options.hooks, next, &client, NULL, &error), SMTP_OK);
    relaying->server = started(&options);
    greeted(&relaying->wire, relaying->server);
    expect_contains(smtp_wire_ask(&relaying->wire, "EHLO c.example"), "250 ");
}

static void relay_to_peer(struct relaying *relaying, struct peer *peer, const char *script)
{
    char next[SMTP_ADDRESS_TEXT_SIZE];
    peer_start(peer, script);
    smtp_address_format(&peer->address, next);
    relay_to(relaying, next, NULL);
}

/** Says QUIT, which the next server hears too. */
static void end_relay(struct relaying *relaying)
{
    expect_contains(smtp_wire_ask(&relaying->wire, "QUIT"), "221 ");
    smtp_wire_close(&relaying->wire);
    smtp_server_free(relaying->server);
}

static const char *ask(struct relaying *relaying, const char *line)
{
    return smtp_wire_ask(&relaying->wire, line);
}

static void ask_envelope(struct relaying *relaying)
{
    expect_contains(ask(relaying, "MAIL FROM:<ann@example.com>"), "250 ");
    expect_contains(ask(relaying, "RCPT TO:<bob@example.com>"), "250 ");
}

static const char *ask_content(struct relaying *relaying)
{
    expect_contains(ask(relaying, "DATA"), "354 ");
    return ask(relaying, "Subject: hi\r\n\r\n..dot\r\n.");
}

/* ---- what goes well ---- */

TEST(relay, rfc5321_4_4_the_message_arrives_with_received_in_front_and_no_return_path)
{
    struct relaying relaying;
    struct smtp_harness *next = smtp_harness_start(NULL, NULL);
    relay_to(&relaying, smtp_server_address(smtp_harness_server(next), 0), NULL);
    ask_envelope(&relaying);
    expect_contains(ask(&relaying, "RCPT TO:<carol@example.com>"), "250 ");
    expect_contains(ask_content(&relaying), "250 2.0.0 OK: message 1");
    const struct smtp_harness_message *message =
        smtp_harness_wait(next, "from=ann@example.com to=bob@example.com to=carol@example.com "
                                "helo=relay.example protocol=ESMTP");
    expect_true(message != NULL);
    size_t len;
    const char *content = smtp_message_content(smtp_harness_envelope(message), &len);
    expect_true(strncmp(content, "Received: from c.example ", 25) == 0);
    expect_contains(content, "by harness.test with ESMTP");
    expect_contains(content, " 20"); /* a year of this century */
    expect_true(strstr(content, " 1970 ") == NULL);
    expect_contains(content, "\r\nSubject: hi\r\n\r\n.dot\r\n");
    expect_true(smtp_harness_header(message, "Return-Path") == NULL);
    expect_int(smtp_mailbox_captured(smtp_server_mailbox(relaying.server)), 1);
    end_relay(&relaying);
    smtp_harness_stop(next);
}

/* What comes back to a message of so many Received fields. */
static const char *ask_hops(struct relaying *relaying, size_t count)
{
    ask_envelope(relaying);
    expect_contains(ask(relaying, "DATA"), "354 ");
    for (size_t i = 0; i < count; i++) {
        smtp_wire_send(&relaying->wire, "received: from a by b; today\r\n", 30);
    }
    return ask(relaying, "Subject: hi\r\n\r\nReceived: x\r\n.");
}

TEST(relay, rfc5321_6_3_a_message_with_more_than_100_received_fields_goes_round)
{
    struct relaying relaying;
    struct smtp_harness *next = smtp_harness_start(NULL, NULL);
    relay_to(&relaying, smtp_server_address(smtp_harness_server(next), 0), NULL);
    expect_contains(ask_hops(&relaying, 100), "250 ");
    expect_contains(ask_hops(&relaying, 101), "554 5.4.6 ");
    end_relay(&relaying);
    expect_int(smtp_mailbox_captured(smtp_harness_mailbox(next)), 1);
    smtp_harness_stop(next);
}

TEST(relay, several_messages_go_over_one_session_and_quit_ends_it)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_to_peer(&relaying, &peer,
                  ONE_CONTENT "S: 250 2.0.0 first\nC: RSET\nS: 250 ok\n"
                              "C: MAIL FROM:<ann@example.com>\nS: 250 ok\n"
                              "C: RCPT TO:<bob@example.com>\nS: 250 ok\nC: DATA\nS: 354 go\n"
                              "[content]\nS: 250 2.0.0 second\n" BYE);
    ask_envelope(&relaying);
    expect_str(ask_content(&relaying), "250 2.0.0 first");
    ask_envelope(&relaying);
    expect_str(ask_content(&relaying), "250 2.0.0 second");
    end_relay(&relaying);
    peer_stop(&peer);
}

TEST(relay, nothing_is_said_to_the_next_server_before_mail)
{
    struct relaying relaying;
    relay_to(&relaying, "127.0.0.1:1", NULL);
    expect_contains(ask(&relaying, "NOOP"), "250 ");
    expect_contains(ask(&relaying, "RSET"), "250 ");
    end_relay(&relaying);
}

TEST(relay, rset_and_a_new_ehlo_drop_the_transaction_there_too)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_to_peer(&relaying, &peer,
                  ONE_RCPT "S: 250 ok\nC: RSET\nS: 250 ok\nC: RSET\nS: 250 ok\n"
                           "C: MAIL FROM:<>\nS: 250 ok\nC: RSET\nS: 250 ok\n" BYE);
    ask_envelope(&relaying);
    expect_contains(ask(&relaying, "RSET"), "250 ");
    expect_contains(ask(&relaying, "MAIL FROM:<>"), "250 ");
    expect_contains(ask(&relaying, "EHLO c.example"), "250 ");
    expect_contains(ask(&relaying, "DATA"), "503 ");
    end_relay(&relaying);
    peer_stop(&peer);
}

TEST(relay, rfc5321_3_6_1_a_source_route_is_not_passed_on)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_to_peer(&relaying, &peer, ONE_RCPT "S: 250 ok\nC: RSET\nS: 250 ok\n" BYE);
    expect_contains(ask(&relaying, "MAIL FROM:<@a.example:ann@example.com>"), "250 ");
    expect_contains(ask(&relaying, "RCPT TO:<@a.example,@b.example:bob@example.com>"), "250 ");
    expect_contains(ask(&relaying, "RSET"), "250 ");
    end_relay(&relaying);
    peer_stop(&peer);
}

/* ---- refusals ---- */

TEST(relay, a_refusal_of_mail_is_passed_on_and_the_session_goes_on)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_to_peer(&relaying, &peer,
                  OPENED "S: 550-5.7.1 not\nS: 550 5.7.1 you\nC: RSET\nS: 250 ok\n"
                         "C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<bob@example.com>\n"
                         "S: 251 2.1.5 moved\nC: RSET\nS: 250 ok\n" BYE);
    expect_str(ask(&relaying, "MAIL FROM:<ann@example.com>"), "550-5.7.1 not\n550 5.7.1 you");
    expect_contains(ask(&relaying, "MAIL FROM:<>"), "250 ");
    expect_str(ask(&relaying, "RCPT TO:<bob@example.com>"), "251 2.1.5 moved");
    expect_contains(ask(&relaying, "RSET"), "250 ");
    end_relay(&relaying);
    peer_stop(&peer);
}

TEST(relay, of_several_recipients_those_refused_are_refused_and_the_others_get_the_message)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_to_peer(&relaying, &peer,
                  ONE_RCPT "S: 550 5.1.1 no such user\nC: RCPT TO:<carol@example.com>\nS: 250 ok\n"
                           "C: RCPT TO:<dave@example.com>\nS: 452 full\nC: DATA\nS: 354 go\n"
                           "[content]\nS: 250 ok\n" BYE);
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com>"), "250 ");
    expect_str(ask(&relaying, "RCPT TO:<bob@example.com>"), "550 5.1.1 no such user");
    expect_contains(ask(&relaying, "RCPT TO:<carol@example.com>"), "250 ");
    expect_str(ask(&relaying, "RCPT TO:<dave@example.com>"), "452 4.0.0 full");
    expect_contains(ask_content(&relaying), "250 ");
    end_relay(&relaying);
    peer_stop(&peer);
}

static enum smtp_server_verdict no_carol(void *user, const struct smtp_server_session_info *session,
                                         const char *forward_path, const char *parameters,
                                         struct smtp_server_reply *reply)
{
    (void)user, (void)session, (void)parameters, (void)reply;
    return strncmp(forward_path, "carol@", 6) == 0 ? SMTP_REFUSE : SMTP_ACCEPT;
}

TEST(relay, whom_a_table_behind_it_refuses_does_not_get_the_message)
{
    struct relaying relaying;
    struct smtp_server_options options;
    const struct smtp_server_hooks behind = {.rcpt = no_carol};
    struct smtp_harness *next = smtp_harness_start(NULL, NULL);
    smtp_server_options_init(&options);
    options.receivers = &behind;
    options.receiver_count = 1;
    relay_to(&relaying, smtp_server_address(smtp_harness_server(next), 0), &options);
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com>"), "250 ");
    expect_contains(ask(&relaying, "RCPT TO:<carol@example.com>"), "550 ");
    expect_contains(ask(&relaying, "RCPT TO:<bob@example.com>"), "250 ");
    expect_contains(ask_content(&relaying), "250 ");
    const struct smtp_harness_message *message = smtp_harness_wait(next, "from=ann@example.com");
    expect_true(message != NULL);
    const struct smtp_message *envelope = smtp_harness_envelope(message);
    expect_int(smtp_message_recipient_count(envelope), 1);
    expect_str(smtp_message_forward_path(envelope, 0), "bob@example.com");
    end_relay(&relaying);
    smtp_harness_stop(next);
}

TEST(relay, rfc3030_2_content_of_several_chunks_arrives_whole)
{
    enum { LEN = (1 << 21) + 5 };
    struct relaying relaying;
    struct smtp_harness *next = smtp_harness_start(NULL, NULL);
    char *content = malloc(LEN), command[32];
    for (size_t i = 0; i < LEN; i++) {
        content[i] = (char)(i * 7 + i / 1000);
    }
    relay_to(&relaying, smtp_server_address(smtp_harness_server(next), 0), NULL);
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com> BODY=binarymime"), "250 ");
    expect_contains(ask(&relaying, "RCPT TO:<bob@example.com>"), "250 ");
    int len = snprintf(command, sizeof command, "BDAT %d LAST\r\n", LEN);
    expect_true(smtp_wire_send(&relaying.wire, command, (size_t)len));
    expect_true(smtp_wire_send(&relaying.wire, content, LEN));
    expect_contains(smtp_wire_reply(&relaying.wire), "250 ");
    const struct smtp_harness_message *message = smtp_harness_wait(next, "from=ann@example.com");
    expect_true(message != NULL);
    size_t arrived;
    const char *octets = smtp_message_content(smtp_harness_envelope(message), &arrived);
    expect_true(arrived > LEN && memcmp(octets + arrived - LEN, content, LEN) == 0);
    free(content);
    end_relay(&relaying);
    smtp_harness_stop(next);
}

TEST(relay, refusals_of_data_and_of_the_content_are_passed_on_and_nothing_is_captured)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_to_peer(&relaying, &peer,
                  ONE_DATA "S: 451 4.3.2 not now\nC: RSET\nS: 250 ok\n"
                           "C: MAIL FROM:<ann@example.com>\nS: 250 ok\n"
                           "C: RCPT TO:<bob@example.com>\nS: 250 ok\nC: DATA\nS: 354 go\n"
                           "[content]\nS: 554 5.7.1 spam\n" BYE);
    ask_envelope(&relaying);
    expect_str(ask_content(&relaying), "451 4.3.2 not now");
    ask_envelope(&relaying);
    expect_str(ask_content(&relaying), "554 5.7.1 spam");
    expect_int(smtp_mailbox_captured(smtp_server_mailbox(relaying.server)), 0);
    end_relay(&relaying);
    peer_stop(&peer);
}

/* ---- a next server that is not there, or goes ---- */

TEST(relay, a_next_server_that_is_absent_is_451_and_the_session_goes_on)
{
    struct relaying relaying;
    relay_to(&relaying, "127.0.0.1:1", NULL);
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com>"), "451 4.4.1 ");
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com>"), "451 4.4.1 ");
    expect_contains(ask(&relaying, "RCPT TO:<bob@example.com>"), "503 ");
    end_relay(&relaying);
}

TEST(relay, a_next_server_that_comes_back_is_used_again)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_to_peer(&relaying, &peer,
                  "S: 421 busy\n[accept]\n" ONE_CONTENT "S: 250 ok\n[accept]\n" ONE_CONTENT
                  "S: 250 ok\n" BYE);
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com>"), "451 4.4.1 ");
    ask_envelope(&relaying);
    expect_contains(ask_content(&relaying), "250 ");
    smtp_wire_close(&relaying.wire); /* a session of its own has its own session there */
    greeted(&relaying.wire, relaying.server);
    expect_contains(ask(&relaying, "EHLO c.example"), "250 ");
    ask_envelope(&relaying);
    expect_contains(ask_content(&relaying), "250 ");
    end_relay(&relaying);
    peer_stop(&peer);
}

/** The next server plays the script and is gone; what is then said to our client. */
static void dies(const char *script, const char *mail, const char *rcpt, const char *content)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_to_peer(&relaying, &peer, script);
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com>"), mail);
    if (rcpt != NULL) {
        expect_contains(ask(&relaying, "RCPT TO:<bob@example.com>"), rcpt);
    }
    if (content != NULL) {
        expect_contains(ask_content(&relaying), content);
    }
    expect_contains(ask(&relaying, "NOOP"), "250 "); /* ours lives */
    expect_int(smtp_mailbox_captured(smtp_server_mailbox(relaying.server)), 0);
    end_relay(&relaying);
    peer_stop(&peer);
}

TEST(relay, a_next_server_that_dies_before_the_dot_is_451_4_4_1_wherever_it_does)
{
    dies("", "451 4.4.1 ", NULL, NULL);
    dies("S: 554 go away\n", "451 4.4.1 ", NULL, NULL);
    dies("S: 220 mx\nC: EHLO relay.example\n", "451 4.4.1 ", NULL, NULL);
    dies(OPENED, "451 4.4.1 ", NULL, NULL);
    dies(OPENED "S: 421 4.3.2 bye\n", "451 4.4.1 ", NULL, NULL);
    dies(ONE_RCPT, "250 ", "451 4.4.1 ", NULL);
    dies(ONE_RCPT "S: 421 bye\n", "250 ", "451 4.4.1 ", NULL);
    dies(ONE_DATA, "250 ", "250 ", "451 4.4.1 ");
    dies(ONE_DATA "S: 421 bye\n", "250 ", "250 ", "451 4.4.1 ");
}

TEST(relay, a_next_server_that_dies_after_the_dot_is_451_4_4_2)
{
    dies(ONE_CONTENT, "250 ", "250 ", "451 4.4.2 ");
}

TEST(relay, a_next_server_that_dies_between_recipients_refuses_the_rest_and_the_message)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_to_peer(&relaying, &peer, ONE_RCPT "S: 250 ok\nC: RCPT TO:<carol@example.com>\n");
    ask_envelope(&relaying);
    expect_contains(ask(&relaying, "RCPT TO:<carol@example.com>"), "451 4.4.1 ");
    expect_contains(ask(&relaying, "RCPT TO:<dave@example.com>"), "451 4.4.1 ");
    expect_contains(ask_content(&relaying), "451 4.4.1 ");
    end_relay(&relaying);
    peer_stop(&peer);
}

TEST(relay, a_next_server_that_breaks_the_protocol_is_451_4_4_1)
{
    dies(OPENED "S: 354 what\n", "451 4.4.1 ", NULL, NULL);
    dies("S: HTTP/1.1 400 Bad Request\n", "451 4.4.1 ", NULL, NULL);
}

TEST(relay, a_client_that_vanishes_leaves_no_session_there)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_to_peer(&relaying, &peer, ONE_RCPT "S: 250 ok\n" BYE);
    ask_envelope(&relaying);
    smtp_wire_reset(&relaying.wire);
    peer_stop(&peer); /* QUIT came */
    smtp_server_free(relaying.server);
}

/* ---- content ---- */

TEST(relay, rfc5321_4_1_1_4_nothing_that_was_accepted_ends_the_content_early_there)
{
    struct relaying relaying;
    struct peer peer = {0};
    char next[SMTP_ADDRESS_TEXT_SIZE];
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.bare_line_end = SMTP_BARE_ACCEPT; /* the lax server that smuggling needs */
    peer_start(&peer, ONE_CONTENT "S: 250 ok\n" BYE);
    smtp_address_format(&peer.address, next);
    relay_to(&relaying, next, &options);
    ask_envelope(&relaying);
    expect_contains(ask(&relaying, "DATA"), "354 ");
    expect_contains(ask(&relaying, "a\n.\nMAIL FROM:<x@y>\r.\rb\n.\r\nc\r\n."), "250 ");
    end_relay(&relaying);
    peer_stop(&peer);
    const char *text = memmem(peer.content, peer.content_len, "\r\na\r\n", 5);
    expect_true(text != NULL);
    expect_contains(text, "\r\na\r\n..\r\nMAIL FROM:<x@y>\r\n..\r\nb\r\n..\r\nc\r\n.\r\n");
}

TEST(relay, rfc6152_3_eight_bit_content_is_refused_where_the_next_server_does_not_take_it)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_to_peer(&relaying, &peer,
                  GREETED "S: 250 mx\nC: MAIL FROM:<ann@example.com>\nS: 250 ok\n"
                          "C: RCPT TO:<bob@example.com>\nS: 250 ok\n" BYE);
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com> BODY=8BITMIME"), "250 ");
    expect_contains(ask(&relaying, "RCPT TO:<bob@example.com>"), "250 ");
    expect_contains(ask(&relaying, "DATA"), "354 ");
    expect_contains(ask(&relaying, "\xE4\r\n."), "554 5.6.3 ");
    end_relay(&relaying);
    peer_stop(&peer);
}

/* ---- parameters ---- */

TEST(relay, body_and_size_go_on_where_they_are_offered)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_to_peer(&relaying, &peer,
                  GREETED "S: 250-mx\nS: 250-8BITMIME\nS: 250 SIZE 1000\n"
                          "C: MAIL FROM:<ann@example.com> SIZE=10 BODY=8BITMIME\nS: 250 ok\n" BYE);
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com> SIZE=10 BODY=8BITMIME"), "250 ");
    end_relay(&relaying);
    peer_stop(&peer);
}

TEST(relay, body_and_size_are_left_out_where_they_are_not_offered)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_to_peer(&relaying, &peer,
                  GREETED "S: 250 mx\nC: MAIL FROM:<ann@example.com>\nS: 250 ok\n" BYE);
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com> SIZE=10 BODY=8BITMIME"), "250 ");
    end_relay(&relaying);
    peer_stop(&peer);
}

/** A server that has every extension on, relaying to the script. */
static void relay_all_to_peer(struct relaying *relaying, struct peer *peer, const char *script)
{
    char next[SMTP_ADDRESS_TEXT_SIZE];
    struct smtp_server_options options;
    const struct smtp_server_user users[] = {{"ann", "secret"}};
    smtp_server_options_init(&options);
    options.keywords.future_release = options.keywords.deliver_by = options.keywords.mt_priority =
        true;
    options.auth.users = users;
    options.auth.user_count = 1;
    options.auth.plain_without_tls = true;
    peer_start(peer, script);
    smtp_address_format(&peer->address, next);
    relay_to(relaying, next, &options);
}

TEST(relay, rfc3461_5_2_parameters_go_on_where_they_are_offered)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_all_to_peer(
        &relaying, &peer,
        GREETED "S: 250-mx\nS: 250-DSN\nS: 250-FUTURERELEASE 9999 2030-01-01T00:00:00Z\n"
                "S: 250-DELIVERBY\nS: 250-MT-PRIORITY\nS: 250-8BITMIME\nS: 250 SMTPUTF8\n"
                "C: MAIL FROM:<ann@example.com> RET=HDRS ENVID=a+2Bb SMTPUTF8 HOLDFOR=60 BY=120;R "
                "MT-PRIORITY=3\nS: 250 ok\n"
                "C: RCPT TO:<j\xC3\xB6rg@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@y\n"
                "S: 250 ok\n" BYE);
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com> RET=HDRS ENVID=a+2Bb SMTPUTF8 "
                                   "HOLDFOR=60 BY=120;R MT-PRIORITY=3"),
                    "250 ");
    expect_contains(ask(&relaying, "RCPT TO:<j\xC3\xB6rg@example.com> NOTIFY=SUCCESS,DELAY "
                                   "ORCPT=rfc822;x@y"),
                    "250 ");
    end_relay(&relaying);
    peer_stop(&peer);
}

TEST(relay, rfc3461_5_2_parameters_that_can_be_done_without_are_left_out)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_all_to_peer(&relaying, &peer, ONE_RCPT "S: 250 ok\n" BYE);
    expect_contains(
        ask(&relaying, "MAIL FROM:<ann@example.com> RET=HDRS ENVID=a BY=120;N MT-PRIORITY=3"),
        "250 ");
    expect_contains(ask(&relaying, "RCPT TO:<bob@example.com> NOTIFY=NEVER ORCPT=rfc822;x@y"),
                    "250 ");
    end_relay(&relaying);
    peer_stop(&peer);
}

TEST(relay, rfc3461_5_2_2_where_success_was_to_be_told_and_dsn_ends_the_sender_is_told_relayed)
{
    struct smtp_harness_options options;
    struct relaying relaying;
    smtp_harness_options_init(&options);
    options.server.keywords.dsn = false;
    struct smtp_harness *next = smtp_harness_start(&options, NULL);
    relay_to(&relaying, smtp_server_address(smtp_harness_server(next), 0), NULL);
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com> ENVID=a+2Bb RET=HDRS"), "250 ");
    expect_contains(ask(&relaying, "RCPT TO:<bob@example.com> NOTIFY=SUCCESS,FAILURE "
                                   "ORCPT=rfc822;Bob+2B1@example.org"),
                    "250 ");
    expect_contains(ask(&relaying, "RCPT TO:<carol@example.com> NOTIFY=FAILURE"), "250 ");
    expect_contains(ask_content(&relaying), "250 ");
    const struct smtp_harness_message *notice =
        smtp_harness_wait(next, "from=\"\" to=ann@example.com subject=Relayed");
    expect_true(notice != NULL);
    size_t len;
    const char *source = smtp_message_content(smtp_harness_envelope(notice), &len);
    expect_contains(source, "report-type=delivery-status");
    expect_contains(source, "\r\nOriginal-Envelope-Id: a+b\r\n");
    expect_contains(source, "\r\nOriginal-Recipient: rfc822;Bob+1@example.org\r\n"
                            "Final-Recipient: rfc822; bob@example.com\r\nAction: relayed\r\n");
    expect_true(strstr(source, "carol") == NULL);
    expect_true(strstr(source, "..dot") == NULL && strstr(source, "Subject: hi") != NULL);
    /* nobody is told of a notification, or where nobody asked */
    expect_contains(ask(&relaying, "MAIL FROM:<>"), "250 ");
    expect_contains(ask(&relaying, "RCPT TO:<bob@example.com> NOTIFY=SUCCESS"), "250 ");
    expect_contains(ask_content(&relaying), "250 ");
    ask_envelope(&relaying);
    expect_contains(ask_content(&relaying), "250 ");
    end_relay(&relaying);
    expect_int(smtp_harness_expect(next, "count=4"), SMTP_OK);
    smtp_harness_stop(next);
}

TEST(relay, parameters_that_cannot_be_done_without_refuse_the_message)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_all_to_peer(&relaying, &peer,
                      GREETED "S: 250 mx\nC: RSET\nS: 250 ok\nC: RSET\nS: 250 ok\nC: RSET\n"
                              "S: 250 ok\nC: RSET\nS: 250 ok\n" BYE);
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com> SMTPUTF8"), "550 5.6.7 ");
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com> HOLDFOR=60"), "550 5.3.3 ");
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com> BY=120;r"), "550 5.3.3 ");
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com> HOLDUNTIL=2026-12-01T00:00:00Z"),
                    "550 5.");
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com> BODY=BINARYMIME"), "550 5.6.3 ");
    end_relay(&relaying);
    peer_stop(&peer);
}

TEST(relay, rfc4954_5_auth_goes_on_as_nobody_unless_somebody_logged_in)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_all_to_peer(&relaying, &peer,
                      GREETED "S: 250-mx\nS: 250 AUTH PLAIN\n"
                              "C: MAIL FROM:<ann@example.com> AUTH=<>\nS: 250 ok\n"
                              "C: RSET\nS: 250 ok\n" BYE);
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com> AUTH=ann@example.com"), "250 ");
    expect_contains(ask(&relaying, "RSET"), "250 ");
    end_relay(&relaying);
    peer_stop(&peer);
}

TEST(relay, rfc4954_5_auth_goes_on_as_given_where_somebody_logged_in)
{
    struct relaying relaying;
    struct peer peer = {0};
    relay_all_to_peer(&relaying, &peer,
                      GREETED "S: 250-mx\nS: 250 AUTH PLAIN\n"
                              "C: MAIL FROM:<ann@example.com> AUTH=e+3Dmc2@example.com\n"
                              "S: 250 ok\n" BYE);
    expect_contains(ask(&relaying, "AUTH PLAIN AGFubgBzZWNyZXQ="), "235 ");
    expect_contains(ask(&relaying, "MAIL FROM:<ann@example.com> AUTH=e+3Dmc2@example.com"), "250 ");
    end_relay(&relaying);
    peer_stop(&peer);
}

/** A server with TLS, whose client the wire is, relays to one with TLS: REQUIRETLS. */
static const char *require_tls_through(bool insecure)
{
    static char reply[400];
    struct smtp_harness_options harness_options;
    struct smtp_server_options options;
    struct smtp_client_options client;
    struct smtp_error error = {.message = ""};
    smtp_harness_options_init(&harness_options);
    struct smtp_harness *next = smtp_harness_start(&harness_options, NULL);
    expect_true(next != NULL);
    smtp_client_options_init(&client);
    client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    client.tls.insecure = insecure;
    client.tls.ca_pem = insecure ? NULL : smtp_harness_ca_pem(next);
    harness_options.client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    options = harness_options.server;
    expect_int(smtp_receiver_relay(&options.hooks,
                                   smtp_server_address(smtp_harness_server(next), 0), &client, NULL,
                                   &error),
               SMTP_OK);
    harness_options.server = options;
    struct smtp_harness *relay = smtp_harness_start(&harness_options, NULL);
    struct smtp_client *sender = smtp_harness_client(relay);
    expect_int(smtp_client_mail(sender, "ann@example.com", "REQUIRETLS"),
               insecure ? SMTP_REFUSED_PERMANENT : SMTP_OK);
    snprintf(reply, sizeof reply, "%d %s", smtp_client_reply(sender)->code,
             smtp_client_reply(sender)->text);
    smtp_harness_stop(relay);
    smtp_harness_stop(next);
    return reply;
}

TEST(relay, rfc8689_4_2_1_requiretls_goes_on_over_verified_tls_alone)
{
    expect_contains(require_tls_through(false), "250 ");
    expect_contains(require_tls_through(true), "550 The next server does not offer REQUIRETLS");
}

/* ---- options ---- */

TEST(relay, options_and_credentials_that_are_wrong_are_told_at_once_and_a_missing_host_too)
{
    struct smtp_server_hooks table;
    struct smtp_client_options options;
    struct smtp_error error = {.message = ""};
    smtp_client_options_init(&options);
    options.helo_name = "a b";
    expect_int(smtp_receiver_relay(&table, NULL, NULL, NULL, &error), SMTP_BAD_ARGUMENT);
    expect_true(smtp_receiver_relay(&table, "localhost", &options, NULL, &error) != SMTP_OK);
    expect_contains(error.message, "the relay's client options");
}

TEST(relay, it_logs_in_over_tls_as_the_options_say)
{
    struct smtp_harness_options harness_options;
    const struct smtp_server_user users[] = {{"relay", "secret"}};
    smtp_harness_options_init(&harness_options);
    harness_options.server.auth.users = users;
    harness_options.server.auth.user_count = 1;
    harness_options.server.auth.required = true;
    harness_options.server.tls.mode = SMTP_SERVER_TLS_REQUIRED;
    struct smtp_harness *next = smtp_harness_start(&harness_options, NULL);
    expect_true(next != NULL);

    struct smtp_server_options options;
    struct smtp_client_options client;
    struct smtp_error error = {.message = ""};
    char password[] = "secret";
    smtp_server_options_init(&options);
    smtp_client_options_init(&client);
    client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    client.tls.ca_pem = smtp_harness_ca_pem(next);
    const char *address = smtp_server_address(smtp_harness_server(next), 0);
    const struct smtp_client_credentials credentials = {.identity = "relay", .password = password};
    expect_int(smtp_receiver_relay(&options.hooks, address, &client, &credentials, &error),
               SMTP_OK);
    memset(password, 'x', sizeof password - 1); /* it was copied */
    struct relaying relaying = {.server = started(&options)};
    greeted(&relaying.wire, relaying.server);
    expect_contains(ask(&relaying, "EHLO c.example"), "250 ");
    ask_envelope(&relaying);
    expect_contains(ask_content(&relaying), "250 ");
    expect_true(smtp_harness_wait(next, "tls~^TLS auth=relay protocol=ESMTPSA") != NULL);
    end_relay(&relaying);
    smtp_harness_stop(next);
}
