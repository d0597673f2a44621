/* server_hooks_test.c - the hooks of a running server: which one is called when, on which thread,
 * and whose words reach the peer. */
#include "common/clock.h"
#include "server/smtp_server.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <pthread.h>
#include <stdatomic.h>

static enum smtp_server_verdict queue_it(void *user, const struct smtp_server_session_info *session,
                                         struct smtp_message *message,
                                         struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    (void)message;
    return smtp_server_reply(reply, 250, "2.6.0", "Queued as 4711");
}

TEST(server_hooks, the_message_hooks_own_words_are_said_and_the_message_is_captured)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.hooks.message = queue_it;
    struct smtp_server *server = started(&options);
    open_transaction(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    expect_str(smtp_wire_ask(&wire, "x\r\n."), "250 2.6.0 Queued as 4711");
    expect_int(smtp_mailbox_captured(smtp_server_mailbox(server)), 1);
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

/* Keeps when it was received, as the hook sees it. */
static enum smtp_server_verdict note_time(void *user,
                                          const struct smtp_server_session_info *session,
                                          struct smtp_message *message,
                                          struct smtp_server_reply *reply)
{
    (void)session;
    (void)reply;
    *(int64_t *)user = smtp_message_received_unix_ns(message);
    return SMTP_ACCEPT;
}

TEST(server_hooks, the_message_hook_and_the_mailbox_are_told_the_same_time_of_receipt)
{
    int64_t seen_ns = 0, before_ns = smtp_clock_unix_ns();
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.hooks.user = &seen_ns;
    options.hooks.message = note_time;
    struct smtp_server *server = started(&options);
    open_transaction(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    expect_contains(smtp_wire_ask(&wire, "x\r\n."), "250 ");
    expect_true(seen_ns >= before_ns && seen_ns <= smtp_clock_unix_ns());
    struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(server), 1);
    expect_int(smtp_message_received_unix_ns(message), seen_ns);
    smtp_message_release(message);
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

static enum smtp_server_verdict on_data(void *user, const struct smtp_server_session_info *session,
                                        struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    return smtp_server_reply(reply, 451, "4.3.1", "data hook");
}

static enum smtp_server_verdict on_vrfy(void *user, const struct smtp_server_session_info *session,
                                        const char *argument, struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    return smtp_server_reply(reply, 250, "2.1.5", "vrfy hook: %s", argument);
}

static enum smtp_server_verdict on_expn(void *user, const struct smtp_server_session_info *session,
                                        const char *argument, struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    return smtp_server_reply(reply, 250, "2.1.5", "expn hook: %s", argument);
}

static enum smtp_server_verdict on_unknown(void *user,
                                           const struct smtp_server_session_info *session,
                                           const char *verb, const char *argument,
                                           struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    return smtp_server_reply(reply, 250, "2.0.0", "unknown hook: %s, %s", verb, argument);
}

TEST(server_hooks, each_command_asks_its_own_hook)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.hooks.data = on_data;
    options.hooks.vrfy = on_vrfy;
    options.hooks.expn = on_expn;
    options.hooks.unknown = on_unknown;
    struct smtp_server *server = started(&options);
    open_transaction(&wire, server);
    expect_str(smtp_wire_ask(&wire, "DATA"), "451 4.3.1 data hook");
    expect_str(smtp_wire_ask(&wire, "VRFY ann"), "250 2.1.5 vrfy hook: ann");
    expect_str(smtp_wire_ask(&wire, "EXPN staff"), "250 2.1.5 expn hook: staff");
    expect_str(smtp_wire_ask(&wire, "XWHAT a b"), "250 2.0.0 unknown hook: XWHAT, a b");
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

static void count_reset(void *user, const struct smtp_server_session_info *session)
{
    atomic_uint *resets = user;
    expect_str(session->helo, "c.example");
    atomic_fetch_add(resets, 1);
}

TEST(server_hooks, a_transaction_that_is_dropped_is_told_before_the_reply_rfc5321_4_1_1_5)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    atomic_uint resets = 0;
    smtp_server_options_init(&options);
    options.hooks.user = &resets;
    options.hooks.reset = count_reset;
    struct smtp_server *server = started(&options);
    open_transaction(&wire, server);
    expect_int(atomic_load(&resets), 0);
    expect_contains(smtp_wire_ask(&wire, "RSET"), "250 ");
    expect_int(atomic_load(&resets), 1);
    expect_contains(smtp_wire_ask(&wire, "RSET"), "250 ");
    expect_int(atomic_load(&resets), 1);
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

struct last_words {
    pthread_mutex_t lock;
    char text[100]; /* of the entry that tells of a close */
    size_t closes;
};

static void keep_last_words(void *user, const struct smtp_server_session_info *session,
                            const struct smtp_server_log_entry *entry)
{
    struct last_words *words = user;
    (void)session;
    if (entry->kind == SMTP_LOG_CLOSE) {
        pthread_mutex_lock(&words->lock);
        size_t len = entry->len < sizeof words->text - 1 ? entry->len : sizeof words->text - 1;
        memcpy(words->text, entry->text, len);
        words->text[len] = '\0';
        words->closes++;
        pthread_mutex_unlock(&words->lock);
    }
}

TEST(server_hooks, the_log_tells_once_why_a_session_was_closed)
{
    struct last_words words = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.hooks.user = &words;
    options.hooks.log = keep_last_words;
    struct smtp_server *server = started(&options);
    open_transaction(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
    smtp_server_free(server);
    expect_int(words.closes, 1);
    expect_str(words.text, "the session ended");
}

#define WORKERS 4

struct threads {
    pthread_mutex_t lock;
    pthread_t seen[2 * WORKERS];
    size_t count; /* of different ones */
};

static enum smtp_server_verdict note_thread(void *user,
                                            const struct smtp_server_session_info *session,
                                            struct smtp_server_reply *reply)
{
    struct threads *threads = user;
    (void)session;
    (void)reply;
    pthread_mutex_lock(&threads->lock);
    size_t i = 0;
    while (i < threads->count && !pthread_equal(threads->seen[i], pthread_self())) {
        i++;
    }
    threads->seen[i] = pthread_self();
    threads->count += i == threads->count;
    pthread_mutex_unlock(&threads->lock);
    return SMTP_ACCEPT;
}

TEST(server_hooks, run_on_each_of_the_workers_in_turn)
{
    struct threads threads = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct smtp_server_options options;
    struct smtp_wire wires[WORKERS];
    smtp_server_options_init(&options);
    options.workers = WORKERS;
    options.hooks.user = &threads;
    options.hooks.connect = note_thread;
    struct smtp_server *server = started(&options);
    for (size_t i = 0; i < WORKERS; i++) {
        expect_true(smtp_wire_connect(&wires[i], smtp_server_address(server, 0)));
        expect_contains(smtp_wire_reply(&wires[i]), "220 ");
    }
    expect_int(threads.count, WORKERS);
    for (size_t i = 0; i < WORKERS; i++) {
        smtp_wire_close(&wires[i]);
    }
    smtp_server_free(server);
}
