/* client_lmtp_test.c - LMTP (RFC 2033) from the client's side: its addresses, LHLO, and a reply for each
 * recipient; against a scripted peer, and against this project's own server. */
#include "client/smtp_client.h"
#include "harness/smtp_harness.h"
#include "tests/end_to_end/peer.h"
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
    static struct peer peer;
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
    static struct peer peer;
    const struct smtp_send_result *result;
    peer_start(&peer, "S: 220 mx\nC: LHLO [127.0.0.1]\nS: 250-mx\nS: 250-PIPELINING\n"
                      "S: 250 CHUNKING\n" MAIL THREE "C: BDAT 3 LAST\n[octets 3]\nS: 250 ok\n"
                      "S: 250 ok\nS: 550 no\nS: 250 ok\nS: 250 a\nS: 554 b\n" BYE);
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
    static struct peer peer;
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
    static struct peer peer;
    peer_start(&peer,
               LHLO MAIL "S: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\nC: RCPT TO:<cat@x>\n"
                         "S: 550 no\nC: RCPT TO:<dan@x>\nS: 250 ok\nC: DATA\nS: 354 go\n"
                         "[content]\nS: 250 for bob\nS: 451 for dan\nC: NOOP\nS: 250 ok\n" BYE);
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
    expect_int(smtp_client_noop(client), SMTP_OK);
    expect_true(smtp_client_recipient_reply(client, 0) == NULL);
    finish(client, &peer);
}

/* ---- hello ---- */

/* RFC 2033 4.1: HELO and EHLO are not for LMTP */
TEST(client_lmtp, helo_does_not_follow_a_refused_lhlo)
{
    static struct peer peer;
    peer_start(&peer, "S: 220 mx\nC: LHLO [127.0.0.1]\nS: 500 what\n" BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(smtp_client_hello(client), SMTP_REFUSED_PERMANENT);
    expect_contains(smtp_client_error(client)->message, "LHLO [127.0.0.1] refused: 500 what");
    expect_int(smtp_client_helo(client), SMTP_BAD_STATE);
    finish(client, &peer);
}

TEST(client_lmtp, the_next_connection_is_smtp_again)
{
    static struct peer peer;
    peer_start(&peer, LHLO "[accept]\nS: 220 mx\nC: EHLO [127.0.0.1]\nS: 250 mx\n" BYE);
    struct smtp_client *client = connected(&peer);
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
    static struct peer peer;
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
