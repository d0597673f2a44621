/* server_blocking_test.c - hook tables that block (smtp_server.h): they run elsewhere, in order, while the
 * loop serves others; and what comes meanwhile waits. What is waited for is waited for by its event. */
#include "server/smtp_server.h"
#include "tests/end_to_end/login.h"
#include "tests/end_to_end/running_server.h"
#include "tests/end_to_end/tls_server.h"
#include "tests/support/test.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#define RECORD_SIZE 4000

/* A table whose MAIL from "slow" waits until the gate is open; it records what it is asked. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct smtp_server *server; /* where the hook is to stop it */
    bool open;                  /* all under lock */
    unsigned inside;            /* hooks that wait, or have waited */
    unsigned closed;
    char record[RECORD_SIZE];
    pthread_t thread; /* of the last row */
};

#define GATE                                                                                       \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                     \
    }

static void note(struct gate *gate, const char *what)
{
    pthread_mutex_lock(&gate->lock);
    size_t len = strlen(gate->record);
    snprintf(gate->record + len, sizeof gate->record - len, "%s%s", len > 0 ? " " : "", what);
    gate->thread = pthread_self();
    pthread_mutex_unlock(&gate->lock);
}

static void wait_at(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->inside++;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

static void await_inside(struct gate *gate, unsigned count)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->inside < count) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

static void open_gate(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void await_closed(struct gate *gate, unsigned count)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->closed < count) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

static enum smtp_server_verdict on_mail(void *user, const struct smtp_server_session_info *info,
                                        const char *path, const char *parameters,
                                        struct smtp_server_reply *reply)
{
    struct gate *gate = user;
    (void)parameters, (void)reply;
    if (*info->user == NULL) {
        *info->user = malloc(1); /* lost if close were not called */
    }
    note(gate, path);
    if (strncmp(path, "slow", 4) == 0) {
        wait_at(gate);
        note(gate, "gone-on");
    }
    if (strncmp(path, "stop", 4) == 0) {
        smtp_server_stop(gate->server, 10000); /* were it to wait, it would wait for itself */
    }
    return SMTP_ACCEPT;
}

static enum smtp_server_verdict on_message(void *user, const struct smtp_server_session_info *info,
                                           struct smtp_message *message,
                                           struct smtp_server_reply *reply)
{
    (void)info, (void)message, (void)reply;
    note(user, "message");
    return SMTP_ACCEPT;
}

static void on_reset(void *user, const struct smtp_server_session_info *info)
{
    (void)info;
    note(user, "reset");
}

static void on_close(void *user, const struct smtp_server_session_info *info)
{
    struct gate *gate = user;
    if (*info->user == NULL) {
        return; /* it only looked whether somebody listens */
    }
    expect_contains(info->peer, "127.0.0.1:");
    expect_contains(info->helo, ".example");
    free(*info->user);
    note(gate, "close");
    pthread_mutex_lock(&gate->lock);
    gate->closed++;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static struct smtp_server_hooks blocking(struct gate *gate)
{
    return (struct smtp_server_hooks){.user = gate,
                                      .blocking = true,
                                      .mail = on_mail,
                                      .message = on_message,
                                      .reset = on_reset,
                                      .close = on_close};
}

static struct smtp_server *started_with(struct gate *gate, struct smtp_server_options *options)
{
    smtp_server_options_init(options);
    options->hooks = blocking(gate);
    options->listen = smtp_own_loopback(); /* some are started again */
    options->listen_count = 1;
    struct smtp_server *server = started(options);
    gate->server = server;
    return server;
}

/* A session whose MAIL waits at the gate. */
static void open_slow(struct smtp_wire *wire, struct gate *gate, const struct smtp_server *server,
                      const char *octets)
{
    greeted(wire, server);
    expect_contains(smtp_wire_ask(wire, "EHLO slow.example"), "250-");
    expect_true(smtp_wire_send(wire, octets, strlen(octets)));
    await_inside(gate, 1);
}

#define SLOW_MAIL "MAIL FROM:<slow@a.example>\r\n"

TEST(server_blocking, a_table_that_waits_does_not_keep_another_session_waiting)
{
    struct gate gate = GATE;
    struct smtp_server_options options;
    struct smtp_wire wire;
    struct smtp_server *server = started_with(&gate, &options);
    open_slow(&wire, &gate, server, SLOW_MAIL);
    send_one(server); /* a whole session, on the same loop */
    await_closed(&gate, 1);
    open_gate(&gate);
    expect_str(smtp_wire_reply(&wire), "250 2.1.0 Sender OK");
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
    expect_str(gate.record, "slow@a.example ann@example.com message close gone-on close");
}

TEST(server_blocking, what_is_pipelined_behind_waits_and_keeps_its_order)
{
    struct gate gate = GATE;
    struct smtp_server_options options;
    struct smtp_wire wire;
    struct smtp_server *server = started_with(&gate, &options);
    open_slow(&wire, &gate, server,
              SLOW_MAIL "RSET\r\nMAIL FROM:<x@a.example>\r\nRCPT TO:<y@a.example>\r\nDATA\r\n");
    open_gate(&gate);
    expect_contains(smtp_wire_reply(&wire), "250 2.1.0");
    expect_contains(smtp_wire_reply(&wire), "250 2.0.0");
    expect_contains(smtp_wire_reply(&wire), "250 2.1.0");
    expect_contains(smtp_wire_reply(&wire), "250 2.1.5");
    expect_contains(smtp_wire_reply(&wire), "354 ");
    expect_contains(smtp_wire_ask(&wire, "x\r\n."), "250 2.0.0 OK: message 1");
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
    expect_str(gate.record, "slow@a.example gone-on reset x@a.example message close");
}

static enum smtp_server_verdict refuse_here(void *user, const struct smtp_server_session_info *info,
                                            const char *path, const char *parameters,
                                            struct smtp_server_reply *reply)
{
    (void)path, (void)parameters;
    *info->user = malloc(1);
    note(user, "plain");
    return smtp_server_reply(reply, 550, "5.7.1", "refused on the loop");
}

TEST(server_blocking, the_asking_goes_on_on_the_loops_thread_with_the_next_table)
{
    struct gate gates[2] = {GATE, GATE};
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    const struct smtp_server_hooks receivers[] = {
        blocking(&gates[0]), {.user = &gates[1], .mail = refuse_here, .close = on_close}};
    options.receivers = receivers;
    options.receiver_count = 2;
    struct smtp_server *server = started(&options);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250-");
    expect_str(smtp_wire_ask(&wire, "MAIL FROM:<x@a.example>"), "550 5.7.1 refused on the loop");
    smtp_wire_close(&wire);
    await_closed(&gates[1], 1);
    smtp_server_free(server);
    expect_str(gates[0].record, "x@a.example close");
    expect_str(gates[1].record, "plain close");
    expect_true(!pthread_equal(gates[0].thread, gates[1].thread));
}

/* What is decrypted waits, and so does what is not. */
TEST(server_blocking, what_is_pipelined_behind_waits_under_tls_too)
{
    enum { COUNT = 5000, COMMAND = 6 };
    static const char *const listen[] = {"smtps://127.0.0.1:0"};
    static char commands[COUNT * COMMAND];
    struct gate gate = GATE;
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.listen = listen;
    options.listen_count = 1;
    options.hooks = blocking(&gate);
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), 0);
    secured(&wire, server, 0, context, NULL);
    expect_true(smtp_wire_send(&wire, SLOW_MAIL, sizeof SLOW_MAIL - 1));
    await_inside(&gate, 1);
    for (size_t i = 0; i < COUNT; i++) {
        memcpy(commands + i * COMMAND, "NOOP\r\n", COMMAND);
    }
    expect_true(smtp_wire_send(&wire, commands, sizeof commands));
    open_gate(&gate);
    expect_contains(smtp_wire_reply(&wire), "250 2.1.0");
    for (size_t i = 0; i < COUNT; i++) {
        expect_contains(smtp_wire_reply(&wire), "250 2.0.0");
    }
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
    smtp_tls_context_release(context);
}

/* ---- what happens meanwhile ---- */

struct stopping {
    struct smtp_server *server;
    struct gate *gate;
    char record_then[RECORD_SIZE];
};

static void *stop_at_once(void *user)
{
    struct stopping *stopping = user;
    smtp_server_stop(stopping->server, 0);
    memcpy(stopping->record_then, stopping->gate->record, RECORD_SIZE);
    return NULL;
}

/* Until nothing listens any more: the stop has begun. */
static void await_stop(const struct smtp_server *server)
{
    struct smtp_wire wire;
    while (smtp_wire_connect(&wire, smtp_server_address(server, 0))) {
        smtp_wire_close(&wire);
        sched_yield();
    }
}

TEST(server_blocking, a_stop_waits_for_the_hook_that_runs_and_the_server_starts_again)
{
    struct gate gate = GATE;
    struct smtp_server_options options;
    struct smtp_wire wire;
    pthread_t thread;
    struct smtp_server *server = started_with(&gate, &options);
    struct stopping stopping = {.server = server, .gate = &gate};
    open_slow(&wire, &gate, server, SLOW_MAIL);
    expect_int(pthread_create(&thread, NULL, stop_at_once, &stopping), 0);
    await_stop(server);
    open_gate(&gate);
    pthread_join(thread, NULL);
    expect_str(stopping.record_then, "slow@a.example gone-on close");
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
    start(server);
    send_one(server);
    await_closed(&gate, 2);
    smtp_server_free(server);
}

TEST(server_blocking, a_stop_at_once_begins_nothing_that_waits_for_a_thread)
{
    enum { SESSIONS = 40, THREADS = 4 }; /* of libuv's pool */
    struct gate gate = GATE;
    struct smtp_server_options options;
    struct smtp_wire wires[SESSIONS];
    pthread_t thread;
    struct smtp_server *server = started_with(&gate, &options);
    struct stopping stopping = {.server = server, .gate = &gate};
    for (int i = 0; i < SESSIONS; i++) {
        open_slow(&wires[i], &gate, server, SLOW_MAIL);
    }
    await_inside(&gate, THREADS);
    expect_int(pthread_create(&thread, NULL, stop_at_once, &stopping), 0);
    await_stop(server);
    open_gate(&gate);
    pthread_join(thread, NULL);
    expect_int(gate.inside, THREADS);
    for (int i = 0; i < SESSIONS; i++) {
        expect_true(smtp_wire_closed(&wires[i]));
        smtp_wire_close(&wires[i]);
    }
    smtp_server_free(server);
}

TEST(server_blocking, a_stop_with_patience_answers_before_it_says_421)
{
    struct gate gate = GATE;
    struct smtp_server_options options;
    struct smtp_wire wire;
    struct smtp_server *server = started_with(&gate, &options);
    open_slow(&wire, &gate, server, SLOW_MAIL);
    smtp_server_request_stop(server);
    await_stop(server);
    open_gate(&gate);
    expect_contains(smtp_wire_reply(&wire), "250 2.1.0");
    expect_contains(smtp_wire_ask(&wire, "RSET"), "250 ");
    expect_contains(smtp_wire_reply(&wire), "421 4.3.2");
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
    smtp_server_free(server);
    expect_str(gate.record, "slow@a.example gone-on reset close");
}

TEST(server_blocking, a_peer_that_goes_meanwhile_is_told_of_once_the_hook_is_done)
{
    struct gate gate = GATE;
    struct smtp_server_options options;
    struct smtp_wire wire;
    struct smtp_server *server = started_with(&gate, &options);
    open_slow(&wire, &gate, server, SLOW_MAIL "RCPT TO:<y@a.example>\r\n");
    smtp_wire_reset(&wire);
    expect_int(smtp_server_session_count(server), 1);
    open_gate(&gate);
    await_closed(&gate, 1);
    while (smtp_server_session_count(server) > 0) {
        sched_yield();
    }
    smtp_server_free(server);
    expect_str(gate.record, "slow@a.example gone-on close");
}

TEST(server_blocking, freeing_the_server_waits_too)
{
    struct gate gate = GATE;
    struct smtp_server_options options;
    struct smtp_wire wire;
    struct smtp_server *server = started_with(&gate, &options);
    open_slow(&wire, &gate, server, SLOW_MAIL);
    smtp_wire_close(&wire);
    smtp_server_request_stop(server);
    await_stop(server);
    open_gate(&gate);
    smtp_server_free(server);
    expect_str(gate.record, "slow@a.example gone-on close");
}

TEST(server_blocking, a_stop_from_its_row_is_a_request_and_lets_the_transaction_end)
{
    struct gate gate = GATE;
    struct smtp_server_options options;
    struct smtp_wire wire;
    struct smtp_server *server = started_with(&gate, &options);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250-");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<stop@a.example>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<y@a.example>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    expect_contains(smtp_wire_ask(&wire, "x\r\n."), "250 2.0.0 OK: message 1");
    expect_contains(smtp_wire_reply(&wire), "421 4.3.2");
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
    smtp_server_stop(server, 1000);
    expect_str(gate.record, "stop@a.example message close");
    smtp_server_free(server);
}

static enum smtp_server_verdict take_long(void *user, const struct smtp_server_session_info *info,
                                          const char *path, const char *parameters,
                                          struct smtp_server_reply *reply)
{
    struct gate *gate = user;
    struct timespec until;
    (void)info, (void)path, (void)parameters, (void)reply;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1; /* beyond the session's time */
    pthread_mutex_lock(&gate->lock);
    while (!gate->open && pthread_cond_timedwait(&gate->changed, &gate->lock, &until) == 0) {
    }
    pthread_mutex_unlock(&gate->lock);
    return SMTP_ACCEPT;
}

TEST(server_blocking, a_deadline_that_passes_meanwhile_has_its_effect_after_the_answer)
{
    struct gate gate = GATE;
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.hooks = (struct smtp_server_hooks){.user = &gate, .blocking = true, .mail = take_long};
    options.limits.session_timeout_ms = 500;
    struct smtp_server *server = started(&options);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250-");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 2.1.0");
    expect_contains(smtp_wire_reply(&wire), "421 4.4.2 The session has taken too long");
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

/* ---- logins ---- */

static bool find_password(void *user, const struct smtp_server_session_info *info,
                          const char *identity, char password[SMTP_SERVER_SECRET_SIZE])
{
    (void)info;
    note(user, identity);
    wait_at(user);
    strncpy(password, "tanstaaftanstaaf", SMTP_SERVER_SECRET_SIZE - 1);
    return strcmp(identity, "tim") == 0;
}

TEST(server_blocking, a_password_is_looked_up_elsewhere)
{
    struct gate gate = GATE;
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.hooks =
        (struct smtp_server_hooks){.user = &gate, .blocking = true, .find_password = find_password};
    options.auth.plain_without_tls = true;
    struct smtp_server *server = started(&options);
    static const char login[] = "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n"; /* RFC 4616 4 */
    open_slow(&wire, &gate, server, login);
    send_one(server);
    open_gate(&gate);
    expect_contains(smtp_wire_reply(&wire), "235 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
    expect_str(gate.record, "tim");
}

TEST(server_blocking, each_step_of_a_login_runs_elsewhere_bound_to_the_channel_too)
{
    static const char *const mechanisms[] = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "CRAM-MD5"};
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const char *const listen[] = {"smtps://127.0.0.1:0"};
    struct gate gate = GATE;
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.listen = listen;
    options.listen_count = 1;
    options.hooks =
        (struct smtp_server_hooks){.user = &gate, .blocking = true, .find_password = find_password};
    open_gate(&gate);
    struct smtp_server *server = started(&options);
    for (size_t i = 0; i < 2; i++) {
        struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), versions[i]);
        for (size_t j = 0; j < sizeof mechanisms / sizeof *mechanisms; j++) {
            struct smtp_wire wire;
            secured(&wire, server, 0, context, NULL);
            expect_contains(log_in(&wire, mechanisms[j], "tim", "wrong"), "535 ");
            expect_contains(log_in(&wire, mechanisms[j], "tim", "tanstaaftanstaaf"), "235 ");
            smtp_wire_close(&wire);
        }
        smtp_tls_context_release(context);
    }
    smtp_server_free(server);
}

/* ---- many ---- */

#define SENDERS 4
#define ROUNDS 10

static void *send_several(void *server)
{
    for (int i = 0; i < ROUNDS; i++) {
        send_one(server);
    }
    return NULL;
}

TEST(server_blocking, many_sessions_of_several_workers_share_the_pool)
{
    struct gate gate = GATE;
    struct smtp_server_options options;
    pthread_t threads[SENDERS];
    smtp_server_options_init(&options);
    options.workers = 3;
    options.hooks = blocking(&gate);
    const struct smtp_server_hooks second = blocking(&gate);
    options.receivers = &second;
    options.receiver_count = 1;
    struct smtp_server *server = started(&options);
    for (size_t i = 0; i < SENDERS; i++) {
        expect_int(pthread_create(&threads[i], NULL, send_several, server), 0);
    }
    for (size_t i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    expect_int(smtp_mailbox_captured(smtp_server_mailbox(server)), SENDERS * ROUNDS);
    await_closed(&gate, 2 * SENDERS * ROUNDS);
    smtp_server_free(server);
}
