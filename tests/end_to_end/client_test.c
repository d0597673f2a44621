/* client_test.c - the client over real loopback sockets, against a scripted peer on a thread. */
#include "client/smtp_client.h"
#include "common/net.h"
#include "tests/end_to_end/peer.h"
#include "tests/support/test.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define EHLO "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250 mx\n"
#define UP_TO_DATA                                                                                 \
    EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\nC: DATA\nS: 354 go\n"
#define BYE "C: QUIT\nS: 221 bye\n[eof]\n"

static const char *const bob[] = {"bob@x"};
static const struct smtp_envelope to_bob = {
    .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 1};

static struct smtp_client *new_client(const struct smtp_client_options *options)
{
    struct smtp_client *client = NULL;
    expect_int(smtp_client_new(&client, options), SMTP_OK);
    return client;
}

static struct smtp_client *connected(const struct peer *peer,
                                     const struct smtp_client_options *options)
{
    struct smtp_client *client = new_client(options);
    expect_int(smtp_client_connect(client, "127.0.0.1", peer->address.port), SMTP_OK);
    return client;
}

/** One that sends what is one long line. */
static struct smtp_client *connected_for_long_lines(const struct peer *peer)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.long_lines = true;
    return connected(peer, &options);
}

TEST(client_over_sockets, a_message_goes_out_and_the_session_ends_with_quit)
{
    struct peer peer = {0};
    const struct smtp_send_result *result;
    peer_start(&peer, UP_TO_DATA "[content]\nS: 250 2.0.0 taken\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_send(client, &to_bob, smtp_content_text("A: b\n\n.c"), &result),
               SMTP_OK);
    expect_int(result->accepted_count, 1);
    expect_str(result->final_reply.text, "taken");
    expect_int(smtp_client_quit(client), SMTP_OK);
    expect_true(!smtp_client_is_connected(client));
    smtp_client_free(client);
    peer_stop(&peer);
    expect_bytes(peer.content, peer.content_len, "A: b\r\n\r\n..c\r\n.\r\n", 16);
}

TEST(client_over_sockets, replies_in_single_octets_are_understood)
{
    struct peer peer = {0};
    peer_start(&peer,
               "[drip]\nS: 220-a\nS: 220 b\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250 PIPELINING\n"
               "C: MAIL FROM:<ann@x>\nC: RCPT TO:<bob@x>\nC: DATA\nS: 250-a\nS: 250 b\nS: 250 c\n"
               "S: 354 d\n[content]\nS: 250-e\nS: 250 f\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_send(client, &to_bob, smtp_content_text("x\n"), NULL), SMTP_OK);
    expect_str(smtp_client_reply(client)->text, "e\nf");
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(&peer);
}

/* RFC 5321 3.2 */
TEST(client_over_sockets, helo_follows_a_refused_ehlo)
{
    struct peer peer = {0};
    static const char *const notify[] = {"NOTIFY=NEVER"};
    struct smtp_envelope with_parameters = {.reverse_path = "ann@x",
                                            .forward_paths = bob,
                                            .forward_path_count = 1,
                                            .mail_parameters = "RET=HDRS",
                                            .rcpt_parameters = notify};
    peer_start(&peer,
               "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 502 what\nC: HELO [127.0.0.1]\nS: 250 mx\n"
               "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\nC: DATA\n"
               "S: 354 go\n[content]\nS: 250 ok\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_send(client, &with_parameters, smtp_content_text("x\n"), NULL), SMTP_OK);
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(&peer);
}

/* RFC 5321 4.1.1.1: no MAIL before EHLO or HELO was accepted */
TEST(client_over_sockets, no_mail_is_begun_where_ehlo_and_helo_are_refused)
{
    struct peer peer = {0};
    peer_start(&peer,
               "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 550 no\nC: HELO [127.0.0.1]\nS: 550 no\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_mail(client, "ann@x", NULL), SMTP_REFUSED_PERMANENT);
    expect_contains(smtp_client_error(client)->message, "HELO [127.0.0.1] refused: 550 no");
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(&peer);
}

TEST(client_over_sockets, helo_does_not_follow_421)
{
    struct peer peer = {0};
    peer_start(&peer, "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 421 bye\n[eof]\n");
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_hello(client), SMTP_REFUSED_TRANSIENT);
    expect_true(!smtp_client_is_connected(client));
    expect_int(smtp_client_noop(client), SMTP_BAD_STATE);
    smtp_client_free(client);
    peer_stop(&peer);
}

/* RFC 5321 3.8: the message names the stage, and blames no recipient that was taken */
TEST(client_over_sockets, a_421_among_the_recipients_is_told_as_the_end_of_the_session)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\n"
                           "C: RCPT TO:<cat@x>\nS: 421 going down\n[eof]\n");
    struct smtp_client *client = connected(&peer, NULL);
    static const char *const to[] = {"bob@x", "cat@x"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = to, .forward_path_count = 2};
    expect_int(smtp_client_send(client, &envelope, smtp_content_text("x\n"), NULL),
               SMTP_REFUSED_TRANSIENT);
    expect_str(smtp_client_error(client)->message,
               "the server ended the session (stage: RCPT): 421 going down");
    smtp_client_free(client);
    peer_stop(&peer);
}

TEST(client_over_sockets, nothing_listening_is_said_with_host_port_and_reason)
{
    struct smtp_address address;
    int listener;
    expect_int(smtp_address_parse("127.0.0.1:0", 0, &address, NULL), SMTP_OK);
    expect_int(smtp_net_listen(&address, &listener, NULL), SMTP_OK);
    smtp_address_of_socket(listener, false, &address);
    close(listener);
    struct smtp_client *client = new_client(NULL);
    char wanted[100];
    expect_int(smtp_client_connect(client, "127.0.0.1", address.port), SMTP_CONNECT_FAILED);
    snprintf(wanted, sizeof(wanted), "cannot connect to 127.0.0.1 port %u: connection refused",
             (unsigned)address.port);
    expect_contains(smtp_client_error(client)->message, wanted);
    expect_int(smtp_client_error(client)->status, SMTP_CONNECT_FAILED);
    smtp_client_free(client);
}

/* RFC 5321 3.1, 4.1.1.10: QUIT also after a greeting that refuses */
TEST(client_over_sockets, a_refusing_greeting_is_answered_with_quit)
{
    struct peer peer = {0};
    peer_start(&peer, "S: 554 5.3.2 closed today\n" BYE);
    struct smtp_client *client = new_client(NULL);
    expect_int(smtp_client_connect(client, "127.0.0.1", peer.address.port), SMTP_REFUSED_PERMANENT);
    expect_int(smtp_client_reply(client)->code, 554);
    expect_str(smtp_client_reply(client)->text, "closed today");
    expect_contains(smtp_client_error(client)->message, "554 5.3.2 closed today");
    smtp_client_free(client);
    peer_stop(&peer);
}

TEST(client_over_sockets, a_connection_lost_after_the_dot_is_delivery_unknown)
{
    struct peer peer = {0};
    const struct smtp_send_result *result;
    peer_start(&peer, UP_TO_DATA "[content]\n");
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_send(client, &to_bob, smtp_content_text("x\n"), &result),
               SMTP_DELIVERY_UNKNOWN);
    expect_int(result->recipients[0].status, SMTP_DELIVERY_UNKNOWN);
    expect_int(result->recipients[0].reply.code, 0);
    expect_true(!smtp_client_is_connected(client));
    smtp_client_free(client);
    peer_stop(&peer);
}

/* A reply that comes while content is on its way, and then nobody reads on. */
TEST(client_over_sockets, a_refusal_in_the_middle_of_content_is_reported_and_not_a_broken_pipe)
{
    struct peer peer = {0};
    size_t size = (size_t)32 << 20;
    char *large = malloc(size);
    expect_true(large != NULL);
    memset(large, 'a', size);
    memcpy(large + size - 2, "\r\n", 2);
    for (int copied = 0; copied < 2; copied++) { /* borrowed whole, and encoded in blocks */
        large[0] = copied ? '.' : 'a';
        peer_start(&peer, UP_TO_DATA "[some]\nS: 552 5.3.4 too big\n[reset]\n");
        struct smtp_client *client = connected_for_long_lines(&peer);
        expect_int(smtp_client_send(client, &to_bob, smtp_content_memory(large, size), NULL),
                   SMTP_REFUSED_PERMANENT);
        expect_int(smtp_client_reply(client)->code, 552);
        expect_true(!smtp_client_is_connected(client));
        smtp_client_free(client);
        pthread_join(peer.thread, NULL);
        close(peer.listener);
    }
    free(large);
}

static ssize_t read_one_long_line(void *user, char *bytes, size_t capacity)
{
    size_t *left = user, len = *left < capacity ? *left : capacity;
    memset(bytes, 'a', len);
    *left -= len;
    return (ssize_t)len;
}

TEST(client_over_sockets, a_long_line_that_is_seen_on_the_way_ends_the_connection_rfc_5322_2_1_1)
{
    struct peer peer = {0};
    size_t left = 5000;
    peer_start(&peer, UP_TO_DATA "[some]\n");
    struct smtp_client *client = connected(&peer, NULL);
    struct smtp_content content = smtp_content_callback(read_one_long_line, &left);
    expect_int(smtp_client_send(client, &to_bob, content, NULL), SMTP_BAD_ARGUMENT);
    expect_contains(smtp_client_error(client)->message, "more than 998 octets");
    expect_true(!smtp_client_is_connected(client));
    smtp_client_free(client);
    pthread_join(peer.thread, NULL);
    close(peer.listener);
}

/* It is heard while there is still content to be written, not when its time is over. */
TEST(client_over_sockets, a_refusal_by_a_server_that_reads_no_further_is_heard_at_once)
{
    struct peer peer = {0};
    size_t size = (size_t)64 << 20;
    char *large = calloc(1, size);
    int held = -1;
    expect_true(large != NULL);
    peer_start(&peer, UP_TO_DATA "[some]\nS: 552 5.3.4 too big\n[accept]\n");
    struct smtp_client *client = connected_for_long_lines(&peer);
    expect_int(smtp_client_send(client, &to_bob, smtp_content_memory(large, size), NULL),
               SMTP_REFUSED_PERMANENT);
    expect_int(smtp_client_reply(client)->code, 552);
    expect_int(smtp_net_connect(&peer.address, NULL, peer_deadline(), &held, NULL), SMTP_OK);
    smtp_client_free(client);
    peer_stop(&peer);
    close(held);
    free(large);
}

/* RFC 5321 4.1.1.10: gone is what was asked for. */
TEST(client_over_sockets, a_server_that_closes_in_place_of_221_is_good_enough)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO "C: QUIT\n");
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_hello(client), SMTP_OK);
    expect_int(smtp_client_quit(client), SMTP_OK);
    expect_true(!smtp_client_is_connected(client));
    smtp_client_free(client);
    peer_stop(&peer);
}

/* RFC 5321 4.1.4 */
TEST(client_over_sockets, helo_follows_an_ehlo_refused_for_now)
{
    struct peer peer = {0};
    peer_start(&peer, "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 451 later\nC: HELO [127.0.0.1]\n"
                      "S: 250 mx\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_hello(client), SMTP_OK);
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(&peer);
}

TEST(client_over_sockets, a_refusing_greeting_stays_the_reason_whatever_quit_is_answered)
{
    struct peer peer = {0};
    peer_start(&peer, "S: 554 5.3.2 closed today\nC: QUIT\nS: 500 what\n[eof]\n");
    struct smtp_client *client = new_client(NULL);
    expect_int(smtp_client_connect(client, "127.0.0.1", peer.address.port), SMTP_REFUSED_PERMANENT);
    expect_contains(smtp_client_error(client)->message, "554 5.3.2 closed today");
    expect_int(smtp_client_reply(client)->code, 554);
    expect_str(smtp_client_reply(client)->text, "closed today");
    smtp_client_free(client);
    peer_stop(&peer);
}

TEST(client_over_sockets, the_error_names_the_recipient_that_was_refused)
{
    struct peer peer = {0};
    static const char *const both[] = {"bob@x", "cat@x"};
    static const struct smtp_envelope to_both = {
        .reverse_path = "ann@x", .forward_paths = both, .forward_path_count = 2};
    peer_start(&peer, EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\n"
                           "C: RCPT TO:<cat@x>\nS: 550 5.1.1 no cat\nC: DATA\nS: 354 go\n"
                           "[content]\nS: 250 ok\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_send(client, &to_both, smtp_content_text("x\n"), NULL),
               SMTP_PARTLY_REFUSED);
    expect_contains(smtp_client_error(client)->message,
                    "RCPT TO:<cat@x> refused: 550 5.1.1 no cat");
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(&peer);
}

/* Of the message nothing was sent, so that it may be sent again without a doubt. */
TEST(client_over_sockets, a_connection_that_ended_while_nothing_was_asked_begins_no_message)
{
    struct peer peer = {0};
    const struct smtp_send_result *result = NULL;
    peer_start(&peer, EHLO);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_hello(client), SMTP_OK);
    peer_stop(&peer); /* its end has come */
    expect_int(smtp_client_send(client, &to_bob, smtp_content_text("x\n"), &result), SMTP_CLOSED);
    expect_int(result->status, SMTP_CLOSED);
    expect_int(result->stage, SMTP_STAGE_NONE);
    expect_int(result->recipient_count, 0);
    smtp_client_free(client);
}

TEST(client_over_sockets, a_server_that_stopped_reading_is_given_up)
{
    struct peer peer = {0};
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.long_lines = true;
    options.timeouts.content_ms = 50;
    size_t size = (size_t)64 << 20;
    char *large = calloc(1, size);
    expect_true(large != NULL);
    peer_start(&peer, UP_TO_DATA "[accept]\n"); /* waits for another connection and reads nothing */
    int held = -1;
    struct smtp_client *client = connected(&peer, &options);
    expect_int(smtp_client_send(client, &to_bob, smtp_content_memory(large, size), NULL),
               SMTP_TIMED_OUT);
    expect_int(smtp_net_connect(&peer.address, NULL, peer_deadline(), &held, NULL), SMTP_OK);
    smtp_client_free(client);
    peer_stop(&peer);
    close(held);
    free(large);
}

#define CALLERS 8 /* more than the shortest queue of a listener takes in */

TEST(client_over_sockets, a_server_that_takes_no_connection_is_given_up_in_time)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(where);
    int callers[CALLERS], listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect_int(bind(listener, (const struct sockaddr *)&where, len), 0);
    expect_int(listen(listener, 0), 0);
    expect_int(getsockname(listener, (struct sockaddr *)&where, &len), 0);
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(callers[i], (const struct sockaddr *)&where, len);
    }
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.timeouts.connect_ms = 100;
    struct smtp_client *client = new_client(&options);
    expect_int(smtp_client_connect(client, "127.0.0.1", ntohs(where.sin_port)), SMTP_TIMED_OUT);
    expect_contains(smtp_client_error(client)->message, "before the deadline");
    smtp_client_free(client);
    for (size_t i = 0; i < CALLERS; i++) {
        close(callers[i]);
    }
    close(listener);
}

TEST(client_over_sockets, a_silent_server_is_given_up_in_time)
{
    struct peer peer = {0};
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.timeouts.greeting_ms = 20;
    peer_start(&peer, "[eof]\n");
    struct smtp_client *client = new_client(&options);
    expect_int(smtp_client_connect(client, "127.0.0.1", peer.address.port), SMTP_TIMED_OUT);
    expect_contains(smtp_client_error(client)->message, "greeting");
    smtp_client_free(client);
    peer_stop(&peer);
}

/* RFC 5321 4.5.3.2 says a timeout per command; the overall one is on top. */
TEST(client_over_sockets, the_overall_deadline_ends_a_server_that_drags_on)
{
    struct peer peer = {0};
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.timeouts.overall_ms = 50;
    peer_start(&peer, EHLO "[ignore]\n");
    struct smtp_client *client = connected(&peer, &options);
    enum smtp_status status = smtp_client_hello(client);
    while (status == SMTP_OK) {
        status = smtp_client_noop(client);
    }
    expect_int(status, SMTP_TIMED_OUT);
    expect_contains(smtp_client_error(client)->message, "overall");
    smtp_client_free(client);
    peer_stop(&peer);
}

TEST(client_over_sockets, octets_said_unasked_end_the_connection_at_the_next_command)
{
    struct peer peer = {0};
    peer_start(&peer, "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250 mx\nS: 250 and more\n[eof]\n");
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_ehlo(client), SMTP_OK);
    enum smtp_status status = smtp_client_noop(client);
    expect_int(status, SMTP_PROTOCOL_VIOLATION);
    expect_true(!smtp_client_is_connected(client));
    smtp_client_free(client);
    peer_stop(&peer);
}

TEST(client_over_sockets, a_reconnected_client_remembers_nothing)
{
    struct peer peer = {0};
    peer_start(
        &peer,
        "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250 PIPELINING\n[eof]\n[accept]\n" UP_TO_DATA
        "[content]\nS: 250 ok\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_ehlo(client), SMTP_OK);
    expect_true(smtp_client_has_extension(client, "pipelining"));
    expect_int(smtp_client_connect(client, "127.0.0.1", peer.address.port), SMTP_OK);
    expect_true(!smtp_client_has_extension(client, "PIPELINING"));
    expect_int(smtp_client_send(client, &to_bob, smtp_content_text("x\n"), NULL), SMTP_OK);
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(&peer);
}

/* Every way out leaves the session ready for the next message. */
TEST(client_over_sockets, a_second_message_follows_a_refused_one)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO
               "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 550 5.1.1 No such user\n"
               "C: RSET\nS: 250 ok\nC: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\n"
               "S: 250 ok\nC: DATA\nS: 354 go\n[content]\nS: 250 ok\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_send(client, &to_bob, smtp_content_text("x\n"), NULL),
               SMTP_REFUSED_PERMANENT);
    expect_str(smtp_client_error(client)->message,
               "RCPT TO:<bob@x> refused: 550 5.1.1 No such user");
    expect_int(smtp_client_send(client, &to_bob, smtp_content_text("x\n"), NULL), SMTP_OK);
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(&peer);
}

TEST(client_over_sockets, an_inquiry_is_not_answered_by_3yz_rfc5321_4_3_2)
{
    struct peer peer = {0};
    peer_start(&peer, "S: 220 mx\nC: NOOP\nS: 334 more\nC: VRFY bob\nS: 354 go\nC: EXPN list\n"
                      "S: 300 x\nC: HELP\nS: 334 x\nC: NOOP\nS: 250 ok\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_noop(client), SMTP_PROTOCOL_VIOLATION);
    expect_str(smtp_client_error(client)->message, "NOOP: unexpected reply: 334 more");
    expect_int(smtp_client_vrfy(client, "bob"), SMTP_PROTOCOL_VIOLATION);
    expect_int(smtp_client_expn(client, "list"), SMTP_PROTOCOL_VIOLATION);
    expect_int(smtp_client_help(client, NULL), SMTP_PROTOCOL_VIOLATION);
    expect_int(smtp_client_noop(client), SMTP_OK);
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(&peer);
}

TEST(client_over_sockets, each_command_has_its_call)
{
    struct peer peer = {0};
    peer_start(&peer, "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250 DSN\n"
                      "C: NOOP\nS: 250 ok\nC: VRFY bob\nS: 252 perhaps\nC: EXPN list\nS: 502 no\n"
                      "C: HELP\nS: 214 help\nC: XTRA a  b\nS: 334 more\nC: MAIL FROM:<> RET=HDRS\n"
                      "S: 250 ok\nC: RCPT TO:<bob@x> NOTIFY=NEVER\nS: 250 ok\nC: RSET\nS: 250 ok\n"
                      "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\nC: DATA\n"
                      "S: 354 go\n[content]\nS: 250 kept\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_ehlo(client), SMTP_OK);
    expect_int(smtp_client_noop(client), SMTP_OK);
    expect_int(smtp_client_vrfy(client, "bob"), SMTP_OK);
    expect_int(smtp_client_expn(client, "list"), SMTP_REFUSED_PERMANENT);
    expect_int(smtp_client_help(client, NULL), SMTP_OK);
    expect_int(smtp_client_command(client, "XTRA a  b"), SMTP_OK);
    expect_int(smtp_client_command(client, "NOOP\r\nDATA"), SMTP_UNSAFE_ARGUMENT);
    expect_int(smtp_client_mail(client, NULL, "RET=HDRS"), SMTP_OK);
    expect_int(smtp_client_rcpt(client, "x>y@z", NULL), SMTP_UNSAFE_ARGUMENT);
    expect_int(smtp_client_rcpt(client, "bob@x", "NOTIFY=NEVER"), SMTP_OK);
    expect_int(smtp_client_rset(client), SMTP_OK);
    expect_int(smtp_client_mail(client, "ann@x", NULL), SMTP_OK);
    expect_int(smtp_client_rcpt(client, "bob@x", NULL), SMTP_OK);
    expect_int(smtp_client_data(client, smtp_content_text("x")), SMTP_OK);
    expect_str(smtp_client_reply(client)->text, "kept");
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(&peer);
    expect_bytes(peer.content, peer.content_len, "x\r\n.\r\n", 6);
}

TEST(client_over_sockets, a_message_of_its_own_header_goes_to_bcc_and_does_not_show_it)
{
    struct peer peer = {0};
    peer_start(&peer,
               EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\n"
                    "C: RCPT TO:<s@x>\nS: 250 ok\nC: DATA\nS: 354 go\n[content]\nS: 250 ok\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    const struct smtp_send_result *result;
    expect_int(
        smtp_client_send_message(
            client, smtp_content_text("From: Ann <ann@x>\nBcc: s@x\nTo: bob@x\n\nhi\n"), &result),
        SMTP_OK);
    expect_str(result->recipients[1].forward_path, "s@x");
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(&peer);
    const char expected[] = "From: Ann <ann@x>\r\nTo: bob@x\r\n\r\nhi\r\n.\r\n";
    expect_bytes(peer.content, peer.content_len, expected, sizeof(expected) - 1);
}

static ssize_t fails(void *user, char *bytes, size_t capacity)
{
    bool *begun = user;
    if (*begun || capacity == 0) {
        return -1;
    }
    *begun = true;
    bytes[0] = 'x';
    return 1;
}

TEST(client_over_sockets, a_source_that_fails_leaves_no_half_message)
{
    struct peer peer = {0};
    bool begun = false;
    peer_start(&peer, UP_TO_DATA "[ignore]\n");
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_send(client, &to_bob, smtp_content_callback(fails, &begun), NULL),
               SMTP_SOURCE_FAILED);
    expect_true(!smtp_client_is_connected(client));
    smtp_client_free(client);
    peer_stop(&peer);
    expect_true(memmem(peer.in, sizeof(peer.in), ".\r\n", 3) == NULL);
}

/* RFC 2920 3.1 warns of both ends waiting for the other to read: they do not. */
TEST_WITHIN(client_over_sockets, a_group_larger_than_every_buffer_does_not_lock_up, 60)
{
    enum { COUNT = TEST_LARGE_OCTETS > 10000000 ? 100000 : 20000 };
    static const char *paths[COUNT];
    struct peer peer = {0};
    for (size_t i = 0; i < COUNT; i++) {
        paths[i] = "a-rather-long-local-part@a-rather-long-domain.example.com";
    }
    struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = paths, .forward_path_count = COUNT};
    const struct smtp_send_result *result;
    peer_start(&peer, "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250 PIPELINING\n"
                      "C: MAIL FROM:<ann@x>\nS: 250 ok\n[rcpts]\nC: DATA\nS: 354 go\n[content]\n"
                      "S: 250 ok\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_send(client, &envelope, smtp_content_text("x\n"), &result), SMTP_OK);
    expect_int(result->accepted_count, COUNT);
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(&peer);
}

TEST(client_over_sockets, a_unix_socket_is_an_address_too)
{
    struct peer peer = {0};
    char path[100], where[110];
    snprintf(path, sizeof(path), "/tmp/smtp-client-test-%ld.sock", (long)getpid());
    snprintf(where, sizeof(where), "unix:%s", path);
    peer_start_at(&peer, where, EHLO BYE);
    struct smtp_client *client = new_client(NULL);
    expect_int(smtp_client_connect(client, where, 0), SMTP_OK);
    expect_int(smtp_client_hello(client), SMTP_OK);
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(&peer);
    unlink(path);
}

TEST(client_over_sockets, a_bad_helo_name_makes_no_client)
{
    struct smtp_client_options options;
    struct smtp_client *client;
    smtp_client_options_init(&options);
    options.helo_name = "x\r\nMAIL FROM:<a@b>";
    expect_int(smtp_client_new(&client, &options), SMTP_UNSAFE_ARGUMENT);
    expect_true(client == NULL);
    options.helo_name = "not a name";
    expect_int(smtp_client_new(&client, &options), SMTP_UNSAFE_ARGUMENT);
    options.helo_name = "-";
    expect_int(smtp_client_new(&client, &options), SMTP_BAD_ARGUMENT);
}
