/* server_thread_test.c - the server's life: starting, running, stopping and starting again, from
 * any thread (smtp_server.h). What is waited for is waited for by its event; nothing sleeps. */
#include "server/smtp_server.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define WAIT_MS 15000

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

TEST(server_thread, start_returns_when_connections_are_accepted_and_tells_the_port)
{
    struct smtp_server *server = make(NULL);
    expect_true(smtp_server_address(server, 0) == NULL);
    expect_int(smtp_server_port(server, 0), 0);
    start(server);
    expect_true(smtp_server_port(server, 0) != 0);
    char expected[64];
    snprintf(expected, sizeof expected, "127.0.0.1:%u", (unsigned)smtp_server_port(server, 0));
    expect_str(smtp_server_address(server, 0), expected);
    expect_true(smtp_server_address(server, 1) == NULL);
    expect_int(smtp_server_port(server, 1), 0);
    send_one(server);
    smtp_server_free(server);
}

TEST(server_thread, a_message_is_in_the_mailbox_before_it_is_answered)
{
    struct smtp_server *server = started(NULL);
    send_one(server);
    struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(server), 1);
    expect_true(message != NULL);
    expect_str(smtp_message_content(message, NULL), "Subject: hi\r\n\r\n.dot\r\n");
    expect_str(smtp_message_reverse_path(message), "ann@example.com");
    expect_str(smtp_message_forward_path(message, 0), "bob@example.com");
    expect_str(smtp_message_helo(message), "client.example");
    expect_contains(smtp_message_peer(message), "127.0.0.1:");
    expect_str(smtp_message_protocol(message), "SMTP");
    smtp_server_free(server);
    smtp_message_release(message); /* outlives the server */
}

TEST(server_thread, a_second_start_is_bad_state_and_changes_nothing)
{
    struct smtp_server *server = started(NULL);
    struct smtp_error error;
    expect_int(smtp_server_start(server, &error), SMTP_BAD_STATE);
    expect_contains(error.message, "runs already");
    expect_int(smtp_server_run(server, NULL, NULL, &error), SMTP_BAD_STATE);
    send_one(server);
    smtp_server_free(server);
}

TEST(server_thread, stop_is_idempotent_and_nothing_listens_after_it)
{
    struct smtp_server *server = started(NULL);
    struct smtp_wire wire;
    smtp_server_stop(server, 1000);
    smtp_server_stop(server, 1000);
    expect_true(!smtp_wire_connect(&wire, smtp_server_address(server, 0)));
    smtp_server_free(server);
    smtp_server_free(NULL);
    server = make(NULL);
    smtp_server_stop(server, 0); /* never started */
    smtp_server_request_stop(server);
    smtp_server_free(server);
}

TEST(server_thread, starts_again_at_once_on_the_port_it_had)
{
    struct smtp_server *server = make_to_restart();
    start(server);
    uint16_t port = smtp_server_port(server, 0);
    for (uint64_t round = 1; round <= 20; round++) {
        send_one(server);
        smtp_server_stop(server, 1000);
        start(server);
        expect_int(smtp_server_port(server, 0), port);
        expect_int(smtp_mailbox_captured(smtp_server_mailbox(server)), round);
    }
    smtp_server_free(server);
}

static void *stop_it(void *server)
{
    smtp_server_stop(server, 1000);
    return NULL;
}

TEST(server_thread, several_threads_may_stop_it_at_once)
{
    struct smtp_server *server = make_to_restart();
    for (int round = 0; round < 20; round++) {
        pthread_t threads[4];
        start(server);
        for (size_t i = 0; i < 4; i++) {
            expect_int(pthread_create(&threads[i], NULL, stop_it, server), 0);
        }
        smtp_server_stop(server, 1000);
        struct smtp_wire wire;
        expect_true(!smtp_wire_connect(&wire, smtp_server_address(server, 0)));
        for (size_t i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
        }
    }
    smtp_server_free(server);
}

/* ---- stopping from where it cannot be waited for ---- */

struct stopper {
    struct smtp_server *server;
    atomic_uint hooks_after;
    atomic_bool stopped;
};

static enum smtp_server_verdict stop_at_mail(void *user,
                                             const struct smtp_server_session_info *info,
                                             const char *path, const char *parameters,
                                             struct smtp_server_reply *reply)
{
    struct stopper *stopper = user;
    (void)info, (void)path, (void)parameters, (void)reply;
    smtp_server_stop(stopper->server, 10000); /* were it to wait here, it would wait for itself */
    return SMTP_ACCEPT;
}

TEST(server_thread, a_stop_from_a_hook_is_a_request_and_lets_the_transaction_end)
{
    struct stopper stopper = {0};
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.hooks.user = &stopper;
    options.hooks.mail = stop_at_mail;
    stopper.server = started(&options);
    greeted(&wire, stopper.server);
    expect_contains(smtp_wire_ask(&wire, "HELO c"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<a@b.example>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    expect_contains(smtp_wire_ask(&wire, "x\r\n."), "250 ");
    expect_contains(smtp_wire_reply(&wire), "421 ");
    expect_true(smtp_wire_closed(&wire));
    smtp_server_stop(stopper.server, 1000);
    expect_int(smtp_mailbox_count(smtp_server_mailbox(stopper.server)), 1);
    start(stopper.server);
    smtp_server_free(stopper.server);
}

static struct smtp_server *handled; /* for the signal handler only */

static void on_signal(int number)
{
    (void)number;
    smtp_server_request_stop(handled);
}

TEST_ALONE(server_thread, a_signal_handler_may_request_the_stop)
{
    struct smtp_wire wire;
    handled = started(NULL);
    greeted(&wire, handled);
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    expect_contains(smtp_wire_reply(&wire), "421 ");
    expect_true(smtp_wire_closed(&wire));
    smtp_server_stop(handled, 1000);
    smtp_server_free(handled);
}

/* ---- run ---- */

struct runner {
    struct smtp_server *server;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ready; /* under lock */
    enum smtp_status status;
};

static void on_ready(void *user)
{
    struct runner *runner = user;
    pthread_mutex_lock(&runner->lock);
    runner->ready = true;
    pthread_cond_signal(&runner->changed);
    pthread_mutex_unlock(&runner->lock);
}

static void *run_it(void *user)
{
    struct runner *runner = user;
    runner->status = smtp_server_run(runner->server, on_ready, runner, NULL);
    return NULL;
}

static void run_and_use(unsigned workers)
{
    struct runner runner = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct smtp_server_options options;
    pthread_t thread;
    smtp_server_options_init(&options);
    options.workers = workers;
    runner.server = make(&options);
    for (int round = 0; round < 3; round++) {
        runner.ready = false;
        expect_int(pthread_create(&thread, NULL, run_it, &runner), 0);
        pthread_mutex_lock(&runner.lock);
        while (!runner.ready) {
            pthread_cond_wait(&runner.changed, &runner.lock);
        }
        pthread_mutex_unlock(&runner.lock);
        send_one(runner.server);
        send_one(runner.server);
        if (round == 1) {
            smtp_server_request_stop(runner.server);
        } else {
            smtp_server_stop(runner.server, 1000);
        }
        pthread_join(thread, NULL);
        expect_int(runner.status, SMTP_OK);
    }
    smtp_server_free(runner.server);
}

TEST(server_thread, run_makes_the_callers_thread_the_loop_until_somebody_stops_it)
{
    run_and_use(1);
    run_and_use(3);
}

static void stop_when_ready(void *server)
{
    smtp_server_stop(server, 1000);
}

TEST(server_thread, run_returns_when_it_is_stopped_from_its_own_ready_function)
{
    struct smtp_server *server = make(NULL);
    expect_int(smtp_server_run(server, stop_when_ready, server, NULL), SMTP_OK);
    smtp_server_free(server);
}

/* The default action of SIGPIPE would end the process; the signal mask must be as it was. */
TEST_ALONE(server_thread, no_sigpipe_is_raised_and_the_signal_mask_is_given_back)
{
    struct smtp_server *server = make_to_restart();
    sigset_t before, after;
    signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    expect_int(smtp_server_run(server, stop_when_ready, server, NULL), SMTP_OK);
    start(server);
    for (int i = 0; i < 20; i++) {
        struct smtp_wire wire;
        greeted(&wire, server);
        static const char many[] = "NOOP\r\nHELP\r\nNOOP\r\nHELP\r\nNOOP\r\nHELP\r\nNOOP\r\n";
        expect_true(smtp_wire_send(&wire, many, sizeof many - 1));
        smtp_wire_reset(&wire);
    }
    send_one(server);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int number = 1; number < 32; number++) {
        expect_int(sigismember(&after, number), sigismember(&before, number));
    }
    smtp_server_free(server);
}

static void raise_and_stop(void *server)
{
    raise(SIGPIPE); /* as a write to a connection that was reset would */
    smtp_server_stop(server, 1000);
}

TEST_ALONE(server_thread, a_sigpipe_of_the_loop_is_gone_when_run_returns)
{
    struct smtp_server *server = make(NULL);
    sigset_t pending;
    signal(SIGPIPE, SIG_DFL); /* would end the process */
    expect_int(smtp_server_run(server, raise_and_stop, server, NULL), SMTP_OK);
    sigpending(&pending);
    expect_int(sigismember(&pending, SIGPIPE), 0);
    smtp_server_free(server);
}

TEST_ALONE(server_thread, a_sigpipe_that_was_pending_before_run_is_left_to_the_program)
{
    struct smtp_server *server = make(NULL);
    sigset_t pipe_only, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, NULL);
    raise(SIGPIPE);
    expect_int(smtp_server_run(server, stop_when_ready, server, NULL), SMTP_OK);
    sigpending(&pending);
    expect_int(sigismember(&pending, SIGPIPE), 1);
    signal(SIGPIPE, SIG_IGN); /* takes it away */
    pthread_sigmask(SIG_UNBLOCK, &pipe_only, NULL);
    signal(SIGPIPE, SIG_DFL);
    smtp_server_free(server);
}

/* ---- what stop does to open sessions ---- */

TEST(server_thread, stop_says_421_between_transactions_and_returns_long_before_its_deadline)
{
    struct smtp_server *server = started(NULL);
    struct smtp_wire wires[3];
    for (size_t i = 0; i < 3; i++) {
        greeted(&wires[i], server);
    }
    expect_contains(smtp_wire_ask(&wires[1], "HELO c"), "250 ");
    uint64_t start_ms = now_ms();
    smtp_server_stop(server, 10000);
    expect_true(now_ms() - start_ms < 900);
    for (size_t i = 0; i < 3; i++) {
        expect_contains(smtp_wire_reply(&wires[i]), "421 ");
        expect_true(smtp_wire_closed(&wires[i]));
        smtp_wire_close(&wires[i]);
    }
    expect_int(smtp_server_session_count(server), 0);
    smtp_server_free(server);
}

TEST(server_thread, stop_cuts_at_its_deadline_and_an_unfinished_message_is_not_captured)
{
    struct smtp_server *server = make_to_restart();
    struct smtp_wire wire;
    start(server);
    open_content(&wire, server);
    uint64_t start_ms = now_ms();
    smtp_server_stop(server, 50);
    uint64_t took_ms = now_ms() - start_ms;
    expect_true(took_ms >= 49 && took_ms < 5000);
    expect_true(smtp_wire_closed(&wire));
    expect_int(smtp_mailbox_count(smtp_server_mailbox(server)), 0);
    start(server);
    open_content(&wire, server);
    smtp_server_stop(server, 0);
    expect_true(smtp_wire_closed(&wire));
    smtp_server_free(server);
}

TEST(server_thread, a_stop_with_all_the_patience_there_is_still_stops)
{
    struct smtp_server *server = started(NULL);
    struct smtp_wire wire;
    greeted(&wire, server);
    smtp_server_stop(server, UINT64_MAX);
    expect_contains(smtp_wire_reply(&wire), "421 ");
    expect_int(smtp_server_session_count(server), 0);
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

TEST(server_thread, stop_does_not_wait_for_a_peer_that_stays_after_quit)
{
    struct smtp_server *server = started(NULL);
    struct smtp_wire wire;
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    smtp_server_stop(server, WAIT_MS);
    clock_gettime(CLOCK_MONOTONIC, &after);
    int64_t elapsed_ms =
        (int64_t)(after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    expect_true(elapsed_ms < 900); /* the peer alone would be given a second */
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

/* The thread that was the loop once is a caller like any other afterwards. */
TEST(server_thread, a_thread_that_ran_the_server_can_start_and_stop_it_later)
{
    struct smtp_server *server = make_to_restart();
    for (int round = 0; round < 20; round++) {
        expect_int(smtp_server_run(server, stop_when_ready, server, NULL), SMTP_OK);
        start(server);
        smtp_server_stop(server, 1000);
    }
    smtp_server_free(server);
}

TEST(server_thread, a_less_patient_stop_brings_the_deadline_forward)
{
    struct smtp_server *server = started(NULL);
    struct smtp_wire wire;
    pthread_t thread;
    open_content(&wire, server);
    smtp_server_request_stop(server); /* 1 s */
    expect_int(pthread_create(&thread, NULL, stop_it, server), 0);
    uint64_t start_ms = now_ms();
    smtp_server_stop(server, 0);
    expect_true(now_ms() - start_ms < 900);
    pthread_join(thread, NULL);
    expect_true(smtp_wire_closed(&wire));
    smtp_server_free(server);
}

static void count_close(void *user, const struct smtp_server_session_info *session)
{
    (void)session;
    atomic_fetch_add(&((struct stopper *)user)->hooks_after, 1);
    expect_true(!atomic_load(&((struct stopper *)user)->stopped));
}

static enum smtp_server_verdict count_connect(void *user,
                                              const struct smtp_server_session_info *session,
                                              struct smtp_server_reply *reply)
{
    (void)user, (void)reply;
    expect_true(session->number > 0);
    return SMTP_ACCEPT;
}

TEST(server_thread, the_close_hook_runs_once_a_session_and_never_after_stop)
{
    struct stopper stopper = {0};
    struct smtp_server_options options;
    struct smtp_wire wires[8];
    smtp_server_options_init(&options);
    options.workers = 2;
    options.hooks.user = &stopper;
    options.hooks.connect = count_connect;
    options.hooks.close = count_close;
    struct smtp_server *server = started(&options);
    for (size_t i = 0; i < 8; i++) {
        greeted(&wires[i], server);
    }
    expect_contains(smtp_wire_ask(&wires[0], "QUIT"), "221 ");
    smtp_wire_reset(&wires[1]);
    smtp_wire_close(&wires[2]);
    smtp_server_stop(server, 1000);
    atomic_store(&stopper.stopped, true);
    expect_int(atomic_load(&stopper.hooks_after), 8);
    smtp_server_free(server);
}

/* ---- many ---- */

TEST(server_thread, several_servers_live_in_one_process)
{
    struct smtp_server *servers[5];
    for (size_t i = 0; i < 5; i++) {
        servers[i] = started(NULL);
    }
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k <= i; k++) {
            send_one(servers[i]);
        }
    }
    for (size_t i = 0; i < 5; i++) {
        expect_int(smtp_mailbox_count(smtp_server_mailbox(servers[i])), i + 1);
        smtp_server_free(servers[i]);
    }
}

#define SENDERS 4
#define SENDS 50

static void *send_many(void *server)
{
    for (int i = 0; i < SENDS; i++) {
        send_one(server);
    }
    return NULL;
}

TEST(server_thread, several_workers_share_the_connections)
{
    struct smtp_server_options options;
    pthread_t threads[SENDERS];
    smtp_server_options_init(&options);
    options.workers = 4;
    struct smtp_server *server = started(&options);
    for (size_t i = 0; i < SENDERS; i++) {
        expect_int(pthread_create(&threads[i], NULL, send_many, server), 0);
    }
    expect_int(smtp_mailbox_wait(smtp_server_mailbox(server), SENDERS * SENDS, WAIT_MS), SMTP_OK);
    for (size_t i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    smtp_server_stop(server, 1000);
    expect_int(smtp_mailbox_captured(smtp_server_mailbox(server)), SENDERS * SENDS);
    expect_int(smtp_server_session_count(server), 0);
    smtp_server_free(server);
}

TEST(server_thread, nothing_is_left_over_after_200_servers)
{
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.workers = 2;
    unsigned descriptors = 0, threads = 0;
    for (int i = 0; i <= 200; i++) {
        struct smtp_server *server = started(&options);
        struct smtp_wire wire;
        greeted(&wire, server);
        if (i % 2 == 0) {
            smtp_server_stop(server, 1000);
        }
        smtp_server_free(server);
        smtp_wire_close(&wire);
        if (i == 0) { /* what libuv keeps for the whole process is there now */
            descriptors = smtp_count_descriptors();
            threads = smtp_count_threads();
        }
    }
    expect_int(smtp_count_descriptors(), descriptors);
    expect_int(smtp_count_threads(), threads);
}
