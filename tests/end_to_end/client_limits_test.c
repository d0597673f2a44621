/* client_limits_test.c - the client keeps to a server's LIMITS (RFC 9422): several transactions for one
 * message, and nothing sent where that does not help. */
#include "client/smtp_client.h"
#include "tests/end_to_end/peer.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <unistd.h>

#define EHLO(limits) "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250 LIMITS " limits "\n"
#define MAIL "C: MAIL FROM:<ann@x>\nS: 250 ok\n"
#define RCPT(path) "C: RCPT TO:<" path ">\nS: 250 ok\n"
#define DATA(reply) "C: DATA\nS: 354 go\n[content]\nS: " reply "\n"
#define BYE "C: QUIT\nS: 221 bye\n[eof]\n"

static const char *const five[] = {"a@x", "b@x", "c@x", "d@x", "e@x"};

static struct smtp_envelope to_first(size_t count)
{
    return (struct smtp_envelope){
        .reverse_path = "ann@x", .forward_paths = five, .forward_path_count = count};
}

static struct smtp_client *connected(const struct peer *peer)
{
    struct smtp_client *client = NULL;
    expect_int(smtp_client_new(&client, NULL), SMTP_OK);
    expect_int(smtp_client_connect(client, "127.0.0.1", peer->address.port), SMTP_OK);
    return client;
}

static void finish(struct smtp_client *client, struct peer *peer)
{
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(peer);
}

static enum smtp_status send_text(struct smtp_client *client, size_t recipients,
                                  const struct smtp_send_result **result)
{
    static struct smtp_envelope envelope;
    envelope = to_first(recipients);
    return smtp_client_send(client, &envelope, smtp_content_text("x\n"), result);
}

/* ---- RCPTMAX (RFC 9422 4.2) ---- */

TEST(client_limits, more_recipients_than_rcptmax_go_in_several_transactions)
{
    struct peer peer = {0};
    const struct smtp_send_result *result;
    peer_start(&peer, EHLO("RCPTMAX=2") MAIL RCPT("a@x") RCPT("b@x") DATA("250 one") MAIL
               "C: RCPT TO:<c@x>\nS: 550 5.1.1 no c\n" RCPT("d@x") DATA("250 two") MAIL RCPT("e@x")
                   DATA("452 full") BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(send_text(client, 5, &result), SMTP_PARTLY_REFUSED);
    expect_int(result->recipient_count, 5);
    expect_int(result->accepted_count, 3);
    expect_int(result->stage, SMTP_STAGE_RCPT);
    for (size_t i = 0; i < 5; i++) {
        expect_str(result->recipients[i].forward_path, five[i]);
    }
    expect_str(result->recipients[1].reply.text, "one");
    expect_int(result->recipients[2].status, SMTP_REFUSED_PERMANENT);
    expect_str(result->recipients[2].reply.text, "no c");
    expect_str(result->recipients[3].reply.text, "two");
    expect_int(result->recipients[4].status, SMTP_REFUSED_TRANSIENT);
    expect_str(result->recipients[4].reply.text, "full");
    expect_str(result->final_reply.text, "two"); /* of the first that failed in part */
    expect_contains(smtp_client_error(client)->message, "RCPT TO:<c@x> refused: 550");
    finish(client, &peer);
}

TEST(client_limits, each_recipient_keeps_its_parameters)
{
    struct peer peer = {0};
    static const char *const parameters[] = {"X=1", NULL, "X=3"};
    struct smtp_envelope envelope = to_first(3);
    static const struct smtp_rcpt_options options[] = {
        {.notify = SMTP_NOTIFY_NEVER}, {.notify = SMTP_NOTIFY_DELAY}, {.notify = 0}};
    envelope.rcpt_parameters = parameters;
    envelope.rcpt = options;
    peer_start(&peer,
               "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250-DSN\n"
               "S: 250 LIMITS RCPTMAX=2\n" MAIL "C: RCPT TO:<a@x> NOTIFY=NEVER X=1\nS: 250 ok\n"
               "C: RCPT TO:<b@x> NOTIFY=DELAY\nS: 250 ok\n" DATA("250 ok") MAIL
               "C: RCPT TO:<c@x> X=3\nS: 250 ok\n" DATA("250 ok") BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(smtp_client_send(client, &envelope, smtp_content_text("x\n"), NULL), SMTP_OK);
    finish(client, &peer);
}

TEST(client_limits, a_file_is_read_again_for_each_transaction)
{
    struct peer peer = {0};
    struct smtp_envelope envelope = to_first(2);
    FILE *file = tmpfile();
    expect_true(file != NULL && fputs("before\nthe content\n", file) >= 0);
    expect_int(fseek(file, 7, SEEK_SET), 0);
    peer_start(&peer, EHLO("RCPTMAX=1") MAIL RCPT("a@x") DATA("250 ok") MAIL RCPT("b@x")
                          DATA("250 ok") BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(smtp_client_send(client, &envelope, smtp_content_file(file), NULL), SMTP_OK);
    finish(client, &peer);
    expect_bytes(peer.content, peer.content_len, "the content\r\n.\r\n", 16);
    fclose(file);
}

TEST(client_limits, send_message_reads_its_header_once_and_sends_it_with_each_transaction)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO("RCPTMAX=1") MAIL RCPT("a@x") DATA("250 ok") MAIL RCPT("b@x")
                          DATA("250 ok") BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(smtp_client_send_message(
                   client, smtp_content_text("From: ann@x\nTo: a@x\nBcc: b@x\n\nHello\n"), NULL),
               SMTP_OK);
    finish(client, &peer);
    static const char sent[] = "From: ann@x\r\nTo: a@x\r\n\r\nHello\r\n.\r\n";
    expect_bytes(peer.content, peer.content_len, sent, sizeof(sent) - 1);
}

TEST(client_limits, content_that_can_be_read_once_is_unsupported_before_anything_is_sent)
{
    struct peer peer = {0};
    const struct smtp_send_result *result;
    struct smtp_envelope envelope = to_first(2);
    int ends[2];
    expect_int(pipe(ends), 0);
    peer_start(&peer, EHLO("RCPTMAX=1") BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(smtp_client_send(client, &envelope, smtp_content_fd(ends[0]), &result),
               SMTP_UNSUPPORTED);
    expect_int(result->status, SMTP_UNSUPPORTED);
    expect_contains(smtp_client_error(client)->message, "LIMITS");
    finish(client, &peer);
    close(ends[0]);
    close(ends[1]);
}

TEST(client_limits, a_wrong_path_in_a_later_part_is_found_before_anything_is_sent)
{
    struct peer peer = {0};
    static const char *const paths[] = {"a@x", "b@x", "c\r\n@x"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = paths, .forward_path_count = 3};
    peer_start(&peer, EHLO("RCPTMAX=1") BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(smtp_client_send(client, &envelope, smtp_content_text("x\n"), NULL),
               SMTP_UNSAFE_ARGUMENT);
    finish(client, &peer);
}

TEST(client_limits, an_end_between_the_transactions_leaves_the_first_delivered)
{
    struct peer peer = {0};
    const struct smtp_send_result *result;
    peer_start(&peer, EHLO("RCPTMAX=1") MAIL RCPT("a@x") DATA("250 one") "C: MAIL FROM:<ann@x>\n");
    struct smtp_client *client = connected(&peer);
    expect_int(send_text(client, 3, &result), SMTP_CLOSED);
    expect_int(result->accepted_count, 1);
    expect_str(result->recipients[0].reply.text, "one");
    expect_int(result->recipients[1].status, SMTP_CLOSED);
    expect_int(result->recipients[2].status, SMTP_CLOSED);
    expect_int(result->recipients[2].stage, SMTP_STAGE_MAIL);
    expect_true(!smtp_client_is_connected(client));
    smtp_client_free(client);
    peer_stop(&peer);
}

TEST(client_limits, an_end_behind_a_final_dot_is_unknown_for_its_recipients_alone)
{
    struct peer peer = {0};
    const struct smtp_send_result *result;
    peer_start(&peer, EHLO("RCPTMAX=1") MAIL RCPT("a@x") "C: DATA\nS: 354 go\n[content]\n");
    struct smtp_client *client = connected(&peer);
    expect_int(send_text(client, 2, &result), SMTP_DELIVERY_UNKNOWN);
    expect_int(result->recipients[0].status, SMTP_DELIVERY_UNKNOWN);
    expect_int(result->recipients[1].status, SMTP_CLOSED);
    smtp_client_free(client);
    peer_stop(&peer);
}

TEST(client_limits, all_parts_refused_for_good_is_a_refusal_for_good)
{
    struct peer peer = {0};
    peer_start(&peer,
               EHLO("RCPTMAX=1") "C: MAIL FROM:<ann@x>\nS: 550 no\nC: RSET\nS: 250 ok\n"
                                 "C: MAIL FROM:<ann@x>\nS: 553 no\nC: RSET\nS: 250 ok\n" BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(send_text(client, 2, NULL), SMTP_REFUSED_PERMANENT);
    finish(client, &peer);
}

/* ---- MAILMAX (RFC 9422 4.1) ---- */

TEST(client_limits, at_mailmax_nothing_is_sent_and_the_next_connection_begins_anew)
{
    struct peer peer = {0};
    peer_start(
        &peer,
        EHLO("MAILMAX=2") "C: MAIL FROM:<ann@x>\nS: 450 no\nC: RSET\nS: 250 ok\n" MAIL RCPT("a@x")
            DATA("250 ok") "[accept]\n" EHLO("MAILMAX=2") MAIL RCPT("a@x") DATA("250 ok") BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(send_text(client, 1, NULL), SMTP_REFUSED_TRANSIENT); /* which counts too */
    expect_int(send_text(client, 1, NULL), SMTP_OK);
    expect_int(send_text(client, 1, NULL), SMTP_LIMIT_EXCEEDED);
    expect_contains(smtp_client_error(client)->message, "connect again");
    expect_true(smtp_client_is_connected(client));
    expect_int(smtp_client_connect(client, "127.0.0.1", peer.address.port), SMTP_OK);
    expect_int(send_text(client, 1, NULL), SMTP_OK);
    finish(client, &peer);
}

TEST(client_limits, more_transactions_than_mailmax_leaves_are_not_begun)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO("RCPTMAX=2 MAILMAX=2") BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(send_text(client, 5, NULL), SMTP_LIMIT_EXCEEDED);
    expect_contains(smtp_client_error(client)->message, "needs 3 transactions");
    finish(client, &peer);
}

/* ---- RCPTDOMAINMAX (RFC 9422 4.3) ---- */

static enum smtp_status send_between(struct smtp_client *client, const char *first,
                                     const char *second)
{
    const char *paths[] = {first, second};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = paths, .forward_path_count = 2};
    return smtp_client_send(client, &envelope, smtp_content_text("x\n"), NULL);
}

TEST(client_limits, the_domains_of_a_connection_are_counted_once_each_in_any_case)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO("RCPTDOMAINMAX=2") MAIL RCPT("a@one") RCPT("b@ONE") DATA("250 ok")
                          MAIL RCPT("a@Two") RCPT("a@one")
                              DATA("250 ok") "[accept]\n" EHLO("RCPTDOMAINMAX=2")
                                  MAIL RCPT("a@three") RCPT("a@four") DATA("250 ok") BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(send_between(client, "a@one", "b@ONE"), SMTP_OK);
    expect_int(send_between(client, "a@two", "a@three"), SMTP_LIMIT_EXCEEDED);
    expect_contains(smtp_client_error(client)->message, "RCPTDOMAINMAX");
    expect_int(send_between(client, "a@Two", "a@one"), SMTP_OK);
    expect_int(send_between(client, "a@three", "a@one"), SMTP_LIMIT_EXCEEDED);
    expect_int(smtp_client_connect(client, "127.0.0.1", peer.address.port), SMTP_OK);
    expect_int(send_between(client, "a@three", "a@four"), SMTP_OK);
    finish(client, &peer);
}

/* ---- the keyword itself ---- */

/* RFC 9422 3.7 */
TEST(client_limits, the_domains_of_a_message_that_is_not_sent_do_not_count)
{
    struct peer peer = {0};
    static const char *const wrong[] = {"a@one", "b@two b"};
    static const char *const right[] = {"c@three"};
    struct smtp_envelope none = {.reverse_path = "ann@x", .forward_path_count = 1};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = wrong, .forward_path_count = 2};
    peer_start(&peer, EHLO("RCPTDOMAINMAX=2") MAIL RCPT("c@three") DATA("250 ok") BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(smtp_client_send(client, &none, smtp_content_text("x\n"), NULL), SMTP_BAD_ARGUMENT);
    expect_int(smtp_client_send(client, &envelope, smtp_content_text("x\n"), NULL),
               SMTP_BAD_ARGUMENT);
    envelope.forward_paths = right;
    envelope.forward_path_count = 1;
    expect_int(smtp_client_send(client, &envelope, smtp_content_text("x\n"), NULL), SMTP_OK);
    finish(client, &peer);
}

TEST(client_limits, limits_that_are_unknown_or_malformed_are_passed_over_one_by_one)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO("FOO=1 RCPTMAX=0 MAILMAX=abc RCPTDOMAINMAX=1") MAIL RCPT("a@x")
                          RCPT("b@x") DATA("250 ok") BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(send_text(client, 2, NULL), SMTP_OK);
    expect_int(send_between(client, "a@x", "a@y"), SMTP_LIMIT_EXCEEDED);
    finish(client, &peer);
}

/* RFC 9422 3.6 */
TEST(client_limits, the_next_ehlo_may_lower_them_below_what_was_said)
{
    struct peer peer = {0};
    const struct smtp_send_result *result;
    peer_start(&peer,
               EHLO("RCPTMAX=9") MAIL RCPT("a@x") DATA("250 ok") MAIL RCPT("a@x")
                   DATA("250 ok") "C: EHLO [127.0.0.1]\nS: 250-mx\nS: 250 LIMITS MAILMAX=1\n" BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(send_text(client, 1, &result), SMTP_OK);
    expect_int(send_text(client, 1, &result), SMTP_OK);
    expect_int(smtp_client_ehlo(client), SMTP_OK);
    expect_int(send_text(client, 1, &result), SMTP_LIMIT_EXCEEDED);
    finish(client, &peer);
}

TEST(client_limits, the_next_ehlo_takes_them_back)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO("RCPTMAX=1") "C: EHLO [127.0.0.1]\nS: 250 mx\n" MAIL RCPT("a@x")
                          RCPT("b@x") DATA("250 ok") BYE);
    struct smtp_client *client = connected(&peer);
    expect_int(smtp_client_ehlo(client), SMTP_OK);
    expect_int(smtp_client_ehlo(client), SMTP_OK);
    expect_int(send_text(client, 2, NULL), SMTP_OK);
    finish(client, &peer);
}
