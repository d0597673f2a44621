/* client_lmtp_test.c - LMTP (RFC 2033) from the client's side: its addresses, LHLO, and a reply for each
 * recipient; against a scripted peer, and against this project's own server. */
#include "client/smtp_client.h"
#include "server/smtp_server.h"
#include "tests/end_to_end/peer.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <unistd.h>

#define LHLO "S: 220 mx LMTP\nC: LHLO [127.0.0.1]\nS: 250-mx\nS: 250 PIPELINING\n"
#define MAIL "C: MAIL FROM:<ann@x>\n"
#define THREE "C: RCPT TO:<bob@x>\nC: RCPT TO:<cat@x>\nC: RCPT TO:<dan@x>\n"
#define BYE "C: QUIT\nS: 221 bye\n[eof]\n"

static const char *const three[] = {"bob@x", "cat@x", "dan@x"};
static const struct smtp_envelope to_three = {
    .reverse_path = "ann@x", .forward_paths = three, .forward_path_count = 3};

static struct smtp_client *new_client(void)
{
    struct smtp_client *client = NULL;
    expect_int(smtp_client_new(&client, NULL), SMTP_OK);
    return client;
}

static struct smtp_client *connected(const struct peer *peer)
{
    struct smtp_client *client = new_client();
    expect_int(smtp_client_connect(client, "lmtp://127.0.0.1", peer->address.port), SMTP_OK);
    return client;
}

static void finish(struct smtp_client *client, struct peer *peer)
{
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(peer);
}

/* ---- a reply for each ---- */

/* RFC 2033 4.2 */
TEST(client_lmtp, each_recipient_that_was_accepted_has_a_reply_of_its_own)
{
    struct peer peer = {0};
    const struct smtp_send_result *result;
    peer_start(&peer, LHLO MAIL THREE "C: DATA\nS: 250 ok\nS: 250 ok\nS: 550 unknown\nS: 250 ok\n"
                                      "S: 354 go\n[content]\nS: 250 2.1.5 in bob's\n"
                                      "S: 452-4.2.2 dan's is\nS: 452 4.2.2 full\n" BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(smtp_client_send(client, &to_three, smtp_content_text("x\n"), &result),
               SMTP_PARTLY_REFUSED);
    expect_int(result->accepted_count, 1);
    expect_int(result->recipients[0].status, SMTP_OK);
    expect_str(result->recipients[0].reply.text, "in bob's");
    expect_int(result->recipients[1].status, SMTP_REFUSED_PERMANENT);
    expect_int(result->recipients[1].stage, SMTP_STAGE_RCPT);
    expect_int(result->recipients[2].status, SMTP_REFUSED_TRANSIENT);
    expect_int(result->recipients[2].stage, SMTP_STAGE_DOT);
    expect_str(result->recipients[2].reply.text, "dan's is\nfull");
    finish(client, &peer);
}

TEST(client_lmtp, the_last_chunk_has_a_reply_for_each_too)
{
    struct peer peer = {0};
    const struct smtp_send_result *result;
    peer_start(&peer, "S: 220 mx\nC: LHLO [127.0.0.1]\nS: 250-mx\nS: 250-PIPELINING\n"
                      "S: 250 CHUNKING\n" MAIL THREE "S: 250 ok\nS: 250 ok\nS: 550 no\n"
                      "S: 250 ok\nC: BDAT 3 LAST\n[octets 3]\nS: 250 a\nS: 554 b\n" BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(smtp_client_send(client, &to_three, smtp_content_text("x\n"), &result),
               SMTP_PARTLY_REFUSED);
    expect_int(result->recipients[0].status, SMTP_OK);
    expect_int(result->recipients[1].stage, SMTP_STAGE_RCPT);
    expect_int(result->recipients[2].status, SMTP_REFUSED_PERMANENT);
    expect_str(result->recipients[2].reply.text, "b");
    finish(client, &peer);
}

/* RFC 2033 5: the replies that came count */
TEST(client_lmtp, an_end_among_the_replies_leaves_those_that_came)
{
    struct peer peer = {0};
    const struct smtp_send_result *result;
    peer_start(&peer, LHLO MAIL THREE "C: DATA\nS: 250 ok\nS: 250 ok\nS: 250 ok\nS: 250 ok\n"
                                      "S: 354 go\n[content]\nS: 250 in bob's\n");
    struct smtp_client *client = connected(&peer);
    (void)!smtp_client_send(client, &to_three, smtp_content_text("x\n"), &result);
    expect_int(result->accepted_count, 1);
    expect_int(result->recipients[0].status, SMTP_OK);
    expect_true(result->recipients[1].status != SMTP_OK &&
                result->recipients[1].status != SMTP_REFUSED_PERMANENT);
    expect_int(result->recipients[2].status, result->recipients[1].status);
    expect_int(result->recipients[2].reply.code, 0);
    smtp_client_free(client);
    peer_stop(&peer);
}

TEST(client_lmtp, by_single_commands_the_replies_can_be_asked_for_until_the_next_call)
{
    struct peer peer = {0};
    peer_start(&peer, LHLO MAIL
               "S: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\nC: RCPT TO:<cat@x>\n"
               "S: 550 no\nC: RCPT TO:<dan@x>\nS: 250 ok\nC: DATA\nS: 354 go\n"
               "[content]\nS: 250 for bob\nS: 451 for dan\n" MAIL THREE "C: DATA\n"
               "S: 550 no\nS: 503 no\nS: 503 no\nS: 503 no\nS: 503 no\nC: RSET\nS: 250 ok\n" BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(smtp_client_mail(client, "ann@x", NULL), SMTP_OK);
    expect_int(smtp_client_rcpt(client, "bob@x", NULL), SMTP_OK);
    expect_int(smtp_client_rcpt(client, "cat@x", NULL), SMTP_REFUSED_PERMANENT);
    expect_int(smtp_client_rcpt(client, "dan@x", NULL), SMTP_OK);
    expect_true(smtp_client_recipient_reply(client, 0) == NULL);
    expect_int(smtp_client_data(client, smtp_content_text("x\n")), SMTP_PARTLY_REFUSED);
    expect_str(smtp_client_recipient_reply(client, 0)->text, "for bob");
    expect_int(smtp_client_recipient_reply(client, 1)->code, 451);
    expect_true(smtp_client_recipient_reply(client, 2) == NULL);
    expect_int(smtp_client_send(client, &to_three, smtp_content_text("x\n"), NULL),
               SMTP_REFUSED_PERMANENT);
    expect_true(smtp_client_recipient_reply(client, 0) == NULL);
    finish(client, &peer);
}

/* ---- hello ---- */

/* RFC 2033 4.1: HELO and EHLO are not for LMTP */
TEST(client_lmtp, helo_does_not_follow_a_refused_lhlo)
{
    struct peer peer = {0};
    peer_start(&peer, "S: 220 mx\nC: LHLO [127.0.0.1]\nS: 500 what\n" BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(smtp_client_hello(client), SMTP_REFUSED_PERMANENT);
    expect_contains(smtp_client_error(client)->message, "LHLO [127.0.0.1] refused: 500 what");
    expect_int(smtp_client_helo(client), SMTP_BAD_STATE);
    finish(client, &peer);
}

TEST(client_lmtp, the_next_connection_is_smtp_again)
{
    struct peer peer = {0};
#define THEN_SMTP "[accept]\nS: 220 mx\nC: EHLO [127.0.0.1]\nS: 250 mx\n"
    peer_start(&peer, LHLO THEN_SMTP THEN_SMTP BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(smtp_client_hello(client), SMTP_OK);
    expect_int(smtp_client_connect(client, "127.0.0.1", peer.address.port), SMTP_OK);
    expect_int(smtp_client_hello(client), SMTP_OK);
    expect_int(smtp_client_connect(client, "SMTP://127.0.0.1", peer.address.port), SMTP_OK);
    expect_int(smtp_client_hello(client), SMTP_OK);
    finish(client, &peer);
}

/* ---- addresses ---- */

/* RFC 2033 5 */
TEST(client_lmtp, port_25_is_refused_before_anything_is_done)
{
    struct smtp_client *client = new_client();
    expect_int(smtp_client_connect(client, "lmtp://127.0.0.1", 25), SMTP_BAD_ARGUMENT);
    expect_contains(smtp_client_error(client)->message, "port 25");
    expect_int(smtp_client_connect(client, "lmtp://127.0.0.1:25", 0), SMTP_BAD_ARGUMENT);
    expect_int(smtp_client_connect(client, "lmtp://[::1]:25", 0), SMTP_BAD_ARGUMENT);
    smtp_client_free(client);
}

TEST(client_lmtp, a_scheme_that_is_not_known_says_which_are)
{
    struct smtp_client *client = new_client();
    expect_int(smtp_client_connect(client, "http://127.0.0.1", 1), SMTP_BAD_ARGUMENT);
    expect_contains(smtp_client_error(client)->message, "lmtp:// or smtp://");
    expect_int(smtp_client_connect(client, "smtps://127.0.0.1", 1), SMTP_BAD_ARGUMENT);
    expect_contains(smtp_client_error(client)->message, "SMTP_CLIENT_TLS_IMPLICIT");
    expect_int(smtp_client_connect(client, "lmtp://", 1), SMTP_BAD_ARGUMENT);
    expect_int(smtp_client_connect(client, "lmtp://unix:", 1), SMTP_BAD_ARGUMENT);
    expect_int(smtp_client_connect(client, "lmtp://lmtp://127.0.0.1", 1), SMTP_BAD_ARGUMENT);
    smtp_client_free(client);
}

TEST(client_lmtp, a_unix_socket_is_an_address_like_another)
{
    struct peer peer = {0};
    char folder[] = "/tmp/smtp-test-XXXXXX", where[64], host[80];
    expect_true(mkdtemp(folder) != NULL);
    snprintf(where, sizeof where, "unix:%s/lmtp", folder);
    snprintf(host, sizeof host, "LMTP://%s", where);
    peer_start_at(&peer, where, LHLO BYE);
    struct smtp_client *client = new_client();
    expect_int(smtp_client_connect(client, host, 0), SMTP_OK);
    expect_int(smtp_client_hello(client), SMTP_OK);
    finish(client, &peer);
    unlink(where + 5);
    rmdir(folder);
}

/* ---- with this project's server ---- */

static enum smtp_server_verdict refuse_the_second(void *user,
                                                  const struct smtp_server_session_info *info,
                                                  struct smtp_message *message,
                                                  struct smtp_server_reply *reply)
{
    (void)user;
    (void)info;
    if (smtp_message_recipient_count(message) > 1) {
        (void)smtp_server_reply(&reply[1], 452, "4.2.2", "the second is full");
    }
    return SMTP_ACCEPT;
}

static struct smtp_server *started_lmtp(bool chunking)
{
    static const char *const listen[] = {"lmtp://127.0.0.1:0"};
    static const struct smtp_server_hooks hooks[] = {{.message = refuse_the_second}};
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.listen = listen;
    options.listen_count = 1;
    options.keywords.chunking = chunking;
    options.receivers = hooks;
    options.receiver_count = 1;
    return started(&options);
}

static void deliver_to_three(bool chunking)
{
    char host[64];
    const struct smtp_send_result *result;
    struct smtp_server *server = started_lmtp(chunking);
    struct smtp_client *client = new_client();
    snprintf(host, sizeof host, "lmtp://%s", smtp_server_address(server, 0));
    expect_int(smtp_client_connect(client, host, 0), SMTP_OK);
    for (size_t i = 0; i < 2; i++) {
        expect_int(smtp_client_send(client, &to_three, smtp_content_text(".x\n"), &result),
                   SMTP_PARTLY_REFUSED);
        expect_int(result->recipients[0].status, SMTP_OK);
        expect_str(result->recipients[1].reply.text, "the second is full");
        expect_int(result->recipients[2].status, SMTP_OK);
    }
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    smtp_server_stop(server, 5000);
    smtp_server_free(server);
}

TEST(client_lmtp, the_server_answers_for_each_with_data)
{
    deliver_to_three(false);
}

TEST(client_lmtp, the_server_answers_for_each_with_bdat)
{
    deliver_to_three(true);
}

static bool give_ten(void *user, size_t index, struct smtp_outgoing *message)
{
    (void)user;
    message->envelope = to_three;
    message->envelope.forward_path_count = 1 + index % 3;
    message->content = smtp_content_text("x\n");
    return index < 10;
}

static void check_each(void *user, size_t index, const struct smtp_send_result *result)
{
    size_t *told = user;
    expect_int(index, (*told)++);
    expect_int(result->recipient_count, 1 + index % 3);
    expect_int(result->status, index % 3 == 0 ? SMTP_OK : SMTP_PARTLY_REFUSED);
}

TEST(client_lmtp, a_stream_of_messages_keeps_step_with_the_replies)
{
    char host[64];
    size_t told = 0;
    struct smtp_server *server = started_lmtp(true);
    struct smtp_client *client = new_client();
    snprintf(host, sizeof host, "lmtp://%s", smtp_server_address(server, 0));
    expect_int(smtp_client_connect(client, host, 0), SMTP_OK);
    expect_int(smtp_client_send_many(client, give_ten, check_each, &told), SMTP_PARTLY_REFUSED);
    expect_int(told, 10);
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    smtp_server_stop(server, 5000);
    smtp_server_free(server);
}
