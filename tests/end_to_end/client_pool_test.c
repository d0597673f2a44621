/* client_pool_test.c - the pool of sessions (smtp_pool.h): what is shared and what is not, its limits, who
 * waits, what becomes of sessions that died while they lay there; against a scripted peer, and, from many
 * threads, against this project's own server. */
#include "client/smtp_pool.h"
#include "common/clock.h"
#include "harness/smtp_harness.h"
#include "tests/end_to_end/peer.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EHLO "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250 mx\n"
#define ONE                                                                                        \
    "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\nC: DATA\nS: 354 go\n"         \
    "[content]\nS: 250 ok\n"
#define BYE "C: QUIT\nS: 221 bye\n[eof]\n"

static const char *const bob[] = {"bob@x"};
static const struct smtp_envelope to_bob = {
    .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 1};

static struct smtp_client_target at(const struct peer *peer)
{
    return (struct smtp_client_target){.host = "127.0.0.1", .port = peer->address.port};
}

static struct smtp_client_pool *new_pool(const struct smtp_client_pool_options *options)
{
    struct smtp_client_pool *pool = NULL;
    expect_int(smtp_client_pool_new(&pool, options), SMTP_OK);
    return pool;
}

static enum smtp_status send_one(struct smtp_client_pool *pool,
                                 const struct smtp_client_target *target)
{
    struct smtp_error error;
    return smtp_client_pool_send(pool, target, &to_bob, smtp_content_text("x\r\n"), NULL, NULL,
                                 &error);
}

/* ---- sharing ---- */

TEST(client_pool, the_next_message_goes_over_the_session_that_lies_there)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO ONE ONE BYE);
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(send_one(pool, &target), SMTP_OK);
    expect_int(send_one(pool, &target), SMTP_OK);
    expect_int(smtp_client_pool_count(pool), 1);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

struct told {
    size_t calls;
    enum smtp_status status;
    char reply[40];
};

static void note_result(void *user, size_t index, const struct smtp_send_result *result)
{
    struct told *told = user;
    expect_int(index, 0);
    told->calls++;
    told->status = result->status;
    snprintf(told->reply, sizeof(told->reply), "%s", result->final_reply.text);
}

TEST(client_pool, a_refusal_is_told_with_its_result_and_the_session_stays)
{
    struct peer peer = {0};
    struct told told = {0};
    struct smtp_error error;
    peer_start(&peer, EHLO "C: MAIL FROM:<ann@x>\nS: 550 no\nC: RSET\nS: 250 ok\n" ONE BYE);
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(smtp_client_pool_send(pool, &target, &to_bob, smtp_content_text("x\n"), note_result,
                                     &told, &error),
               SMTP_REFUSED_PERMANENT);
    expect_int(told.calls, 1);
    expect_int(told.status, SMTP_REFUSED_PERMANENT);
    expect_str(told.reply, "no");
    expect_contains(error.message, "550 no");
    expect_int(send_one(pool, &target), SMTP_OK);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

/* What must not be alike: each needs a session of its own. */
TEST(client_pool, targets_that_differ_in_anything_share_no_session)
{
    struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
    struct smtp_client_options plain, named, other_log, chunks;
    smtp_client_options_init(&plain);
    named = other_log = chunks = plain;
    named.helo_name = "mx.example";
    other_log.log_user = &plain;
    chunks.chunk_octets = 5;
    struct smtp_client_credentials someone = {.identity = "someone", .password = "secret"};
    struct smtp_client_target target = {.host = "127.0.0.1", .port = smtp_harness_port(harness)};
    const struct smtp_client_options *options[] = {&plain, &named, &other_log, &chunks};
    struct smtp_client *taken[5] = {NULL};
    struct smtp_error error;
    struct smtp_client_pool *pool = new_pool(NULL);
    for (size_t i = 0; i < 4; i++) {
        target.options = options[i];
        expect_int(smtp_client_pool_take(pool, &target, &taken[i], &error), SMTP_OK);
    }
    for (size_t i = 0; i < 4; i++) {
        smtp_client_pool_give(pool, taken[i]);
    }
    expect_int(smtp_client_pool_count(pool), 4);
    target.options = NULL; /* the defaults */
    expect_int(smtp_client_pool_take(pool, &target, &taken[4], &error), SMTP_OK);
    expect_true(taken[4] == taken[0]);
    smtp_client_pool_give(pool, taken[4]);
    target.credentials = &someone; /* and who logs in shares with nobody else */
    expect_true(smtp_client_pool_take(pool, &target, &taken[4], &error) != SMTP_OK);
    expect_int(smtp_client_pool_count(pool), 4);
    smtp_client_pool_free(pool);
    smtp_harness_stop(harness);
}

TEST(client_pool, a_target_that_cannot_be_reached_says_why_and_leaves_nothing)
{
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = {.host = "unix:/nonexistent/socket"};
    struct smtp_client *client = NULL;
    struct told told = {0};
    struct smtp_error error;
    expect_int(smtp_client_pool_take(pool, &target, &client, &error), SMTP_CONNECT_FAILED);
    expect_contains(error.message, "/nonexistent/socket");
    expect_int(smtp_client_pool_send(pool, &target, &to_bob, smtp_content_text("x"), note_result,
                                     &told, NULL),
               SMTP_CONNECT_FAILED);
    expect_int(told.calls, 0);
    target.host = NULL;
    expect_int(smtp_client_pool_take(pool, &target, &client, &error), SMTP_BAD_ARGUMENT);
    expect_int(smtp_client_pool_count(pool), 0);
    smtp_client_pool_free(pool);
    smtp_client_pool_free(NULL);
}

/* ---- limits ---- */

TEST(client_pool, a_session_that_brought_enough_says_quit)
{
    struct peer peer = {0};
    struct smtp_client_pool_options options;
    smtp_client_pool_options_init(&options);
    options.messages = 2;
    peer_start(&peer, EHLO ONE ONE BYE "[accept]\n" EHLO ONE BYE);
    struct smtp_client_pool *pool = new_pool(&options);
    struct smtp_client_target target = at(&peer);
    for (size_t i = 0; i < 3; i++) {
        expect_int(send_one(pool, &target), SMTP_OK);
    }
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

/* RFC 9422 4.1 */
TEST(client_pool, mailmax_ends_a_session_earlier)
{
    struct peer peer = {0};
#define ONCE "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250 LIMITS MAILMAX=1\n" ONE BYE
    peer_start(&peer, ONCE "[accept]\n" ONCE);
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(send_one(pool, &target), SMTP_OK);
    expect_int(smtp_client_pool_count(pool), 0);
    expect_int(send_one(pool, &target), SMTP_OK);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

/* A millisecond is over when another connection is made. */
static void outlive(struct smtp_client_pool_options options)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO ONE BYE "[accept]\n" EHLO ONE BYE);
    struct smtp_client_pool *pool = new_pool(&options);
    struct smtp_client_target target = at(&peer);
    expect_int(send_one(pool, &target), SMTP_OK);
    uint64_t until_ns = smtp_clock_now_ns() + 2 * SMTP_NS_PER_MS;
    while (smtp_clock_now_ns() < until_ns) {
    }
    expect_int(send_one(pool, &target), SMTP_OK);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

TEST(client_pool, a_session_that_lay_unused_for_too_long_says_quit)
{
    struct smtp_client_pool_options options;
    smtp_client_pool_options_init(&options);
    options.idle_ms = 1;
    outlive(options);
}

TEST(client_pool, a_session_that_is_too_old_says_quit)
{
    struct smtp_client_pool_options options;
    smtp_client_pool_options_init(&options);
    options.age_ms = 1;
    outlive(options);
}

TEST(client_pool, options_without_room_for_a_session_are_refused)
{
    struct smtp_client_pool_options options = {.sessions = 0};
    struct smtp_client_pool *pool = NULL;
    expect_int(smtp_client_pool_new(&pool, &options), SMTP_BAD_ARGUMENT);
    expect_true(pool == NULL);
}

TEST(client_pool, where_all_are_in_use_the_next_waits_until_the_overall_deadline)
{
    struct peer peer = {0};
    struct smtp_client_pool_options few;
    struct smtp_client_options options;
    struct smtp_client *first = NULL, *second = NULL;
    struct smtp_error error;
    smtp_client_pool_options_init(&few);
    few.sessions = 1;
    smtp_client_options_init(&options);
    options.timeouts.overall_ms = 300;
    peer_start(&peer, EHLO "[ignore]\n");
    struct smtp_client_pool *pool = new_pool(&few);
    struct smtp_client_target target = at(&peer);
    target.options = &options;
    expect_int(smtp_client_pool_take(pool, &target, &first, &error), SMTP_OK);
    expect_int(smtp_client_pool_take(pool, &target, &second, &error), SMTP_TIMED_OUT);
    expect_true(second == NULL);
    expect_contains(error.message, "all 1 sessions");
    smtp_client_pool_give(pool, first);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

/* ---- sessions that died ---- */

TEST(client_pool, a_421_said_while_it_lay_there_is_heard_before_it_is_used)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO ONE "S: 421 idle for too long\n[accept]\n" EHLO ONE BYE);
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(send_one(pool, &target), SMTP_OK);
    expect_int(send_one(pool, &target), SMTP_OK);
    expect_int(smtp_client_pool_count(pool), 1);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

/* The server says what `end` says to MAIL, or nothing, and is gone. */
static void die_at_mail(const char *script)
{
    struct peer peer = {0};
    struct told told = {0};
    peer_start(&peer, script);
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(send_one(pool, &target), SMTP_OK);
    expect_int(smtp_client_pool_send(pool, &target, &to_bob, smtp_content_text("again\r\n"),
                                     note_result, &told, NULL),
               SMTP_OK);
    expect_int(told.calls, 1);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
    expect_bytes(peer.content, peer.content_len, "again\r\n.\r\n", 10);
}

TEST(client_pool, a_421_to_mail_on_a_session_that_lay_there_is_not_seen)
{
    die_at_mail(EHLO ONE "C: MAIL FROM:<ann@x>\nS: 421 bye\n[eof]\n[accept]\n" EHLO ONE BYE);
}

TEST(client_pool, an_end_in_place_of_354_on_a_session_that_lay_there_is_not_seen)
{
    die_at_mail(EHLO ONE "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\n"
                         "C: DATA\n[close]\n[accept]\n" EHLO ONE BYE);
}

static ssize_t nothing(void *user, char *bytes, size_t capacity)
{
    (void)user;
    (void)bytes;
    (void)capacity;
    return 0;
}

TEST(client_pool, content_that_can_be_read_once_is_not_sent_again)
{
    struct peer peer = {0};
    struct told told = {0};
    struct smtp_error error;
    peer_start(&peer, EHLO ONE "C: MAIL FROM:<ann@x>\nS: 421 bye\n[eof]\n");
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(send_one(pool, &target), SMTP_OK);
    expect_int(smtp_client_pool_send(pool, &target, &to_bob, smtp_content_callback(nothing, NULL),
                                     note_result, &told, &error),
               SMTP_REFUSED_TRANSIENT);
    expect_int(told.calls, 1);
    expect_int(error.status, SMTP_REFUSED_TRANSIENT);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

TEST(client_pool, a_message_that_may_have_been_delivered_is_not_sent_again)
{
    struct peer peer = {0};
    struct told told = {0};
    peer_start(&peer, EHLO ONE "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\n"
                               "C: DATA\nS: 354 go\n[content]\n");
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(send_one(pool, &target), SMTP_OK);
    expect_int(smtp_client_pool_send(pool, &target, &to_bob, smtp_content_text("x\n"), note_result,
                                     &told, NULL),
               SMTP_DELIVERY_UNKNOWN);
    expect_int(told.status, SMTP_DELIVERY_UNKNOWN);
    expect_int(smtp_client_pool_count(pool), 0);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

TEST(client_pool, a_421_to_the_final_dot_is_an_answer_and_not_tried_again)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO ONE "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\n"
                               "C: DATA\nS: 354 go\n[content]\nS: 421 bye\n[eof]\n");
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(send_one(pool, &target), SMTP_OK);
    expect_int(send_one(pool, &target), SMTP_REFUSED_TRANSIENT);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

TEST(client_pool, a_new_session_that_dies_is_not_tried_again)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO "C: MAIL FROM:<ann@x>\nS: 421 bye\n[eof]\n");
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(send_one(pool, &target), SMTP_REFUSED_TRANSIENT);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

/* RFC 9422 4.3: what this connection takes no more, a new one does */
TEST(client_pool, a_message_that_limits_keep_off_goes_over_a_new_session)
{
    struct peer peer = {0};
    const char *elsewhere[] = {"cat@y"};
    struct smtp_envelope envelope = to_bob;
    envelope.forward_paths = elsewhere;
#define LIMITED "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250 LIMITS RCPTDOMAINMAX=1\n"
    peer_start(&peer, LIMITED ONE "[accept]\n" LIMITED
                                  "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<cat@y>\nS: 250 ok\n"
                                  "C: DATA\nS: 354 go\n[content]\nS: 250 ok\n" BYE);
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(send_one(pool, &target), SMTP_OK);
    expect_int(
        smtp_client_pool_send(pool, &target, &envelope, smtp_content_text("x"), NULL, NULL, NULL),
        SMTP_OK);
    expect_int(smtp_client_pool_count(pool), 2);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

/* ---- taking and giving ---- */

TEST(client_pool, an_open_transaction_is_dropped_when_the_session_is_given_back)
{
    struct peer peer = {0};
    struct smtp_client *client = NULL;
    struct smtp_error error;
    peer_start(&peer, EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: NOOP\nS: 250 ok\nC: RSET\n"
                           "S: 250 ok\n" ONE BYE);
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(smtp_client_pool_take(pool, &target, &client, &error), SMTP_OK);
    expect_int(smtp_client_mail(client, "ann@x", NULL), SMTP_OK);
    expect_int(smtp_client_noop(client), SMTP_OK);
    smtp_client_pool_give(pool, client);
    expect_int(send_one(pool, &target), SMTP_OK);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

/* RFC 3030 2: after it nothing but RSET may come. */
TEST(client_pool, a_refused_last_chunk_is_dropped_when_the_session_is_given_back)
{
    struct peer peer = {0};
    struct smtp_client *client = NULL;
    struct smtp_error error;
    peer_start(&peer, "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250 CHUNKING\n"
                      "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\n"
                      "C: BDAT 0 LAST\nS: 452 full\nC: RSET\nS: 250 ok\n"
                      "C: MAIL FROM:<ann@x>\nS: 550 no\nC: RSET\nS: 250 ok\n" BYE);
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(smtp_client_pool_take(pool, &target, &client, &error), SMTP_OK);
    expect_int(smtp_client_mail(client, "ann@x", NULL), SMTP_OK);
    expect_int(smtp_client_rcpt(client, "bob@x", NULL), SMTP_OK);
    expect_int(smtp_client_bdat(client, NULL, 0, true), SMTP_REFUSED_TRANSIENT);
    smtp_client_pool_give(pool, client);
    expect_int(send_one(pool, &target), SMTP_REFUSED_PERMANENT);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

TEST(client_pool, a_transaction_that_a_raw_line_or_a_wrong_message_left_open_is_dropped)
{
    struct peer peer = {0};
    struct smtp_client *client = NULL;
    struct smtp_error error;
    struct smtp_envelope nobody = {.reverse_path = "ann@x"};
    peer_start(&peer, EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RSET\nS: 250 ok\n"
                           "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RSET\nS: 250 ok\n" ONE BYE);
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(smtp_client_pool_take(pool, &target, &client, &error), SMTP_OK);
    expect_int(smtp_client_command(client, "MAIL FROM:<ann@x>"), SMTP_OK);
    smtp_client_pool_give(pool, client);
    expect_int(smtp_client_pool_take(pool, &target, &client, &error), SMTP_OK);
    expect_int(smtp_client_mail(client, "ann@x", NULL), SMTP_OK);
    expect_int(smtp_client_send(client, &nobody, smtp_content_text("x\r\n"), NULL),
               SMTP_BAD_ARGUMENT);
    smtp_client_pool_give(pool, client);
    expect_int(send_one(pool, &target), SMTP_OK);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

TEST(client_pool, a_session_that_was_connected_elsewhere_is_not_kept)
{
    static struct peer peer, elsewhere;
    struct smtp_client *client = NULL;
    struct smtp_error error;
    peer_start(&peer, EHLO "[eof]\n");
    peer_start(&elsewhere, EHLO BYE);
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(smtp_client_pool_take(pool, &target, &client, &error), SMTP_OK);
    expect_int(smtp_client_connect(client, "127.0.0.1", elsewhere.address.port), SMTP_OK);
    expect_int(smtp_client_hello(client), SMTP_OK);
    smtp_client_pool_give(pool, client);
    expect_int(smtp_client_pool_count(pool), 0);
    smtp_client_pool_free(pool);
    peer_stop(&elsewhere);
    peer_stop(&peer);
}

TEST(client_pool, a_session_that_was_quit_is_not_kept)
{
    struct peer peer = {0};
    struct smtp_client *client = NULL;
    struct smtp_error error;
    peer_start(&peer, EHLO BYE);
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(smtp_client_pool_take(pool, &target, &client, &error), SMTP_OK);
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_pool_give(pool, client);
    expect_int(smtp_client_pool_count(pool), 0);
    smtp_client_pool_free(pool);
    peer_stop(&peer);
}

TEST(client_pool, freeing_does_not_wait_for_a_server_that_does_not_answer_quit)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO ONE "C: QUIT\n[eof]\n");
    struct smtp_client_pool *pool = new_pool(NULL);
    struct smtp_client_target target = at(&peer);
    expect_int(send_one(pool, &target), SMTP_OK);
    uint64_t began_ns = smtp_clock_now_ns();
    smtp_client_pool_free(pool);
    expect_true(smtp_clock_now_ns() - began_ns < 4000 * SMTP_NS_PER_MS); /* quit_ms is 5000 */
    peer_stop(&peer);
}

/* ---- many threads ---- */

#define THREADS 8
#define MESSAGES 25

struct sender {
    struct smtp_client_pool *pool;
    const struct smtp_client_target *target;
    size_t index;
    size_t sent;
    size_t most; /* sessions seen open at once */
};

static void *send_all(void *argument)
{
    struct sender *sender = argument;
    for (size_t i = 0; i < MESSAGES; i++) {
        char path[40], text[60];
        const char *paths[] = {path};
        struct smtp_envelope envelope = {
            .reverse_path = "ann@x", .forward_paths = paths, .forward_path_count = 1};
        snprintf(path, sizeof path, "t%zu.m%zu@x", sender->index, i);
        snprintf(text, sizeof text, "Subject: %s\r\n\r\n", path);
        struct smtp_error error = {0};
        sender->sent +=
            smtp_client_pool_send(sender->pool, sender->target, &envelope, smtp_content_text(text),
                                  NULL, NULL, &error) == SMTP_OK;
        size_t open = smtp_client_pool_count(sender->pool);
        sender->most = open > sender->most ? open : sender->most;
    }
    return NULL;
}

TEST(client_pool, many_threads_share_few_sessions_and_every_message_arrives)
{
    struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
    struct smtp_client_pool_options options;
    struct smtp_client_target target = {.host = "127.0.0.1", .port = smtp_harness_port(harness)};
    struct sender senders[THREADS];
    pthread_t threads[THREADS];
    smtp_client_pool_options_init(&options);
    options.sessions = 3;
    options.messages = 7;
    struct smtp_client_pool *pool = new_pool(&options);
    for (size_t i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){.pool = pool, .target = &target, .index = i};
        expect_int(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        expect_int(senders[i].sent, MESSAGES);
        expect_true(senders[i].most <= 3);
    }
    expect_int(smtp_mailbox_captured(smtp_harness_mailbox(harness)), THREADS * MESSAGES);
    smtp_client_pool_free(pool);
    smtp_harness_stop(harness);
}
