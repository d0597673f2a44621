/* scenarios_threads.c - many at once, and the server's life: start, stop, start again. */
#include "harness/selftest/scenarios.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CROWD_MAX 50

/** Where every client waits until all are connected, so that all are there at once. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned waiting; /* under lock */
    bool open;        /* under lock */
};

/** One client on a thread of its own. */
struct sender {
    const char *address;
    struct gate *gate;
    unsigned number;
    pthread_t thread;
    enum smtp_status status; /* the thread's until it is joined */
};

static void wait_at(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->waiting++;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

/** Opens it as soon as `count` wait there. */
static void open_for(struct gate *gate, unsigned count)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->waiting < count) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static struct smtp_span content_of(unsigned number, char *text, size_t capacity)
{
    int len = snprintf(text, capacity, "Subject: number %u\r\n\r\n.%u\r\n", number, number);
    return (struct smtp_span){text, (size_t)len};
}

static enum smtp_status send_one(struct smtp_client *client, unsigned number)
{
    char text[64];
    struct smtp_span content = content_of(number, text, sizeof text);
    struct smtp_envelope envelope = {
        .reverse_path = ANN, .forward_paths = (const char *[]){BOB}, .forward_path_count = 1};
    enum smtp_status status =
        smtp_client_send(client, &envelope, smtp_content_memory(content.bytes, content.len), NULL);
    return status != SMTP_OK ? status : smtp_client_quit(client);
}

static void *run_sender(void *user)
{
    struct sender *sender = user;
    struct smtp_client *client = NULL;
    struct smtp_client_options options;
    struct smtp_harness_options bounded;
    smtp_trial_options(&bounded);
    options = bounded.client;
    sender->status = smtp_client_new(&client, &options);
    if (sender->status == SMTP_OK) {
        sender->status = smtp_client_connect(client, sender->address, 0);
    }
    wait_at(sender->gate); /* a failed one too: it is waited for */
    if (sender->status == SMTP_OK) {
        sender->status = send_one(client, sender->number);
    }
    smtp_client_free(client);
    return NULL;
}

/** Each number's content is captured exactly once, whatever the order. */
static bool each_captured_once(struct smtp_trial *trial, struct smtp_harness *harness,
                               unsigned count)
{
    unsigned found[CROWD_MAX] = {0};
    for (unsigned i = 0; i < count; i++) {
        uint64_t number = 0;
        char text[64];
        const char *subject = smtp_harness_header(smtp_harness_message(harness, i), "Subject");
        if (subject == NULL || strncmp(subject, "number ", 7) != 0 ||
            !smtp_span_to_u64(smtp_span_of(subject + 7), count - 1, &number)) {
            return smtp_trial_fail(trial, "a message with the subject \"%s\"",
                                   subject != NULL ? subject : "");
        }
        found[number]++;
        if (!smtp_trial_captured(trial, harness, i, ANN, BOB,
                                 content_of((unsigned)number, text, sizeof text))) {
            return false;
        }
    }
    for (unsigned number = 0; number < count; number++) {
        if (!smtp_trial_is_number(trial, "copies of one message", found[number], 1)) {
            return false;
        }
    }
    return true;
}

/** Runs the senders to their end; how many there were. */
static unsigned run_senders(struct sender *senders, unsigned count, const char *address)
{
    struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    unsigned started = 0;
    for (; started < count; started++) {
        struct sender *sender = &senders[started];
        *sender = (struct sender){.address = address, .gate = &gate, .number = started};
        if (pthread_create(&sender->thread, NULL, run_sender, sender) != 0) {
            break;
        }
    }
    open_for(&gate, started);
    for (unsigned i = 0; i < started; i++) {
        pthread_join(senders[i].thread, NULL);
    }
    return started;
}

static bool at_once(struct smtp_trial *trial, unsigned count, unsigned workers)
{
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.workers = workers;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    if (harness == NULL) {
        return false;
    }
    struct sender senders[CROWD_MAX];
    const char *address = smtp_server_address(smtp_harness_server(harness), 0);
    unsigned ran = run_senders(senders, count, address);
    for (unsigned i = 0; i < ran; i++) {
        if (!smtp_trial_is_status(trial, "a sender", senders[i].status, SMTP_OK, NULL)) {
            return false;
        }
    }
    return smtp_trial_is_number(trial, "senders", ran, count) &&
           smtp_trial_count(trial, harness, count) && each_captured_once(trial, harness, count);
}

static bool two_clients_at_once(struct smtp_trial *trial)
{
    return at_once(trial, 2, 1);
}

static bool fifty_clients_at_once(struct smtp_trial *trial)
{
    return at_once(trial, CROWD_MAX, 1);
}

static bool fifty_clients_four_workers(struct smtp_trial *trial)
{
    return at_once(trial, CROWD_MAX, 4);
}

static bool transactions_interleaved(struct smtp_trial *trial)
{
    struct smtp_ends one;
    if (!smtp_trial_open(trial, NULL, &one)) {
        return false;
    }
    struct smtp_client *a = one.client, *b = smtp_harness_connect(one.harness);
    if (b == NULL) {
        return smtp_trial_fail(trial, "%s", smtp_harness_failure(one.harness));
    }
    return smtp_trial_is_status(trial, "MAIL of a", smtp_client_mail(a, "a@example.com", NULL),
                                SMTP_OK, a) &&
           smtp_trial_is_status(trial, "MAIL of b", smtp_client_mail(b, "b@example.com", NULL),
                                SMTP_OK, b) &&
           smtp_trial_is_status(trial, "RCPT of b", smtp_client_rcpt(b, "to-b@example.com", NULL),
                                SMTP_OK, b) &&
           smtp_trial_is_status(trial, "RCPT of a", smtp_client_rcpt(a, "to-a@example.com", NULL),
                                SMTP_OK, a) &&
           smtp_trial_is_status(trial, "DATA of b", smtp_client_data(b, smtp_content_text("b\n")),
                                SMTP_OK, b) &&
           smtp_trial_is_status(trial, "DATA of a", smtp_client_data(a, smtp_content_text("a\n")),
                                SMTP_OK, a) &&
           smtp_trial_count(trial, one.harness, 2) &&
           smtp_trial_captured(trial, one.harness, 0, "b@example.com", "to-b@example.com",
                               SMTP_SPAN("b\r\n")) &&
           smtp_trial_captured(trial, one.harness, 1, "a@example.com", "to-a@example.com",
                               SMTP_SPAN("a\r\n"));
}

static bool slow_peer_does_not_disturb(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    if (!smtp_trial_open(trial, NULL, &ends)) {
        return false;
    }
    struct smtp_raw *slow = smtp_trial_wire(trial, ends.harness);
    return slow != NULL && smtp_raw_says(trial, slow, "EH") && /* and now nothing for a while */
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text("meanwhile\n"), SMTP_OK,
                           250) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, SMTP_SPAN("meanwhile\r\n")) &&
           smtp_raw_asks(trial, slow, "LO slow.test", "250") &&
           smtp_raw_asks(trial, slow, "QUIT", "221") && smtp_raw_closes(trial, slow);
}

static bool two_servers(struct smtp_trial *trial)
{
    struct smtp_ends first, second;
    return smtp_trial_open(trial, NULL, &first) && smtp_trial_open(trial, NULL, &second) &&
           smtp_trial_is_true(trial, "the ports differ",
                              smtp_harness_port(first.harness) !=
                                  smtp_harness_port(second.harness)) &&
           smtp_trial_send(trial, second.client, BOB, smtp_content_text("to two\n"), SMTP_OK,
                           250) &&
           smtp_trial_send(trial, first.client, BOB, smtp_content_text("to one\n"), SMTP_OK, 250) &&
           smtp_trial_count(trial, first.harness, 1) &&
           smtp_trial_count(trial, second.harness, 1) &&
           smtp_trial_captured(trial, first.harness, 0, ANN, BOB, SMTP_SPAN("to one\r\n")) &&
           smtp_trial_captured(trial, second.harness, 0, ANN, BOB, SMTP_SPAN("to two\r\n"));
}

static bool restart_same_port(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_error error = {.status = SMTP_OK};
    if (!smtp_trial_open(trial, NULL, &ends) ||
        !smtp_trial_send(trial, ends.client, BOB, smtp_content_text("before\n"), SMTP_OK, 250)) {
        return false;
    }
    struct smtp_server *server = smtp_harness_server(ends.harness);
    uint16_t port = smtp_server_port(server, 0);
    smtp_server_stop(server, 1000);
    smtp_server_stop(server, 1000); /* the second time: nothing */
    if (smtp_server_start(server, &error) != SMTP_OK) {
        return smtp_trial_fail(trial, "the second start: %s", error.message);
    }
    return smtp_trial_is_number(trial, "the port", smtp_server_port(server, 0), port) &&
           smtp_trial_is_status(trial, "connecting again",
                                smtp_client_connect(ends.client, "127.0.0.1", port), SMTP_OK,
                                ends.client) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text("after\n"), SMTP_OK, 250) &&
           smtp_trial_count(trial, ends.harness, 2) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, SMTP_SPAN("before\r\n")) &&
           smtp_trial_captured(trial, ends.harness, 1, ANN, BOB, SMTP_SPAN("after\r\n"));
}

static void *stop_with_time(void *server)
{
    smtp_server_stop(server, SMTP_TRIAL_LIMIT_MS);
    return NULL;
}

/** Ends the open transaction of `busy` once `idle` was told that the server stops. */
static bool ends_its_transaction(struct smtp_trial *trial, struct smtp_raw *busy,
                                 struct smtp_raw *idle)
{
    return smtp_raw_answers(trial, idle, "421") && smtp_raw_closes(trial, idle) &&
           smtp_raw_asks(trial, busy, "second line\r\n.", "250") &&
           smtp_raw_answers(trial, busy, "421") && smtp_raw_closes(trial, busy);
}

static bool stop_lets_transaction_end(struct smtp_trial *trial)
{
    struct smtp_harness *harness = smtp_trial_harness(trial, NULL);
    struct smtp_raw *busy = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    struct smtp_raw *idle = busy != NULL ? smtp_trial_wire(trial, harness) : NULL;
    pthread_t thread;
    if (idle == NULL || !smtp_raw_asks(trial, busy, "HELO busy.test", "250") ||
        !smtp_raw_asks(trial, busy, "MAIL FROM:<" ANN ">", "250") ||
        !smtp_raw_asks(trial, busy, "RCPT TO:<" BOB ">", "250") ||
        !smtp_raw_asks(trial, busy, "DATA", "354") ||
        !smtp_raw_says(trial, busy, "first line\r\n")) {
        return false;
    }
    if (pthread_create(&thread, NULL, stop_with_time, smtp_harness_server(harness)) != 0) {
        return smtp_trial_fail(trial, "no thread to stop the server from");
    }
    bool held = ends_its_transaction(trial, busy, idle);
    smtp_raw_close(busy); /* a transaction that failed must not keep the stop waiting */
    pthread_join(thread, NULL);
    return held && smtp_trial_count(trial, harness, 1) &&
           smtp_trial_captured(trial, harness, 0, ANN, BOB,
                               SMTP_SPAN("first line\r\nsecond line\r\n"));
}

static bool stop_cuts_at_deadline(struct smtp_trial *trial)
{
    struct smtp_harness *harness = smtp_trial_harness(trial, NULL);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    if (wire == NULL || !smtp_raw_asks(trial, wire, "HELO stuck.test", "250") ||
        !smtp_raw_asks(trial, wire, "MAIL FROM:<" ANN ">", "250")) {
        return false;
    }
    struct smtp_server *server = smtp_harness_server(harness);
    smtp_server_stop(server, 1);
    return smtp_trial_is_number(trial, "sessions", smtp_server_session_count(server), 0) &&
           smtp_trial_count(trial, harness, 0);
}

static const struct smtp_scenario rows[] = {
    {"two-clients-at-once", "", "two threads, a client each", two_clients_at_once},
    {"fifty-clients-at-once", "", "fifty threads, all connected before one sends",
     fifty_clients_at_once},
    {"fifty-clients-four-workers", "", "the same with four loops on one port",
     fifty_clients_four_workers},
    {"transactions-interleaved", "5321 3.3", "two open transactions, nothing mixed up",
     transactions_interleaved},
    {"slow-peer-does-not-disturb", "", "half a command waits while another client sends",
     slow_peer_does_not_disturb},
    {"two-servers", "", "two in one process, each with its own mail", two_servers},
    {"restart-same-port", "", "stopped, started, the same port, the mail kept", restart_same_port},
    {"stop-lets-transaction-end", "5321 3.8", "421 to the idle, time for the one that is sending",
     stop_lets_transaction_end},
    {"stop-cuts-at-deadline", "", "no open transaction holds a stop up for ever",
     stop_cuts_at_deadline},
};
const struct smtp_scenario_table smtp_scenarios_threads = {rows, sizeof rows / sizeof *rows};
