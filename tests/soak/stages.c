/* stages.c - stops a server at every stage of a session: the stop returns within its time, no session, thread or descriptor is
 * left, the peer hears 421 or the end, and what was answered 250 is in the mailbox.
 *     stages [ROUNDS]     ROUNDS: of all stages, each with and without time for open transactions (20)
 * Knows: how to get a session to a stage and hold it there. */
#include "common/clock.h"
#include "common/net.h"
#include "server/smtp_server.h"
#include "tests/soak/soak.h"
#include "tests/support/wire.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 100 /* for open transactions */
#define SLACK_MS 2000   /* beyond it: other programs have the processors, too */
#define DELIVERY_MS 50  /* that the receiver blocks */
#define HOLD_MS 600000  /* a reply held back: longer than anything here */
#define FULL_MS 100     /* a socket that takes nothing for so long is full */
#define WARM_UP 2
#define HEAP_SLACK_OCTETS ((size_t)64 << 10)

/* What the hooks of a server share with the stage. */
struct trial {
    struct smtp_server *server;
    struct smtp_wire wire;
    enum smtp_server_step_kind held; /* whose reply is held back */
    const char *held_verb;           /* of COMMAND; NULL: nothing is held */
    atomic_uint held_count;
    atomic_uint delivering;
    bool blocks;
    uint64_t answered; /* 250 to a message */
};

/* ---- the server's hooks ---- */

static bool on_fault(void *user, const struct smtp_server_session_info *session,
                     const struct smtp_server_step *step, struct smtp_server_fault *fault)
{
    struct trial *trial = user;
    (void)session;
    if (trial->held_verb == NULL || step->kind != trial->held ||
        strcmp(step->verb, trial->held_verb) != 0) {
        return false;
    }
    fault->delay_ms = HOLD_MS;
    atomic_fetch_add(&trial->held_count, 1);
    return true;
}

/* A disk that is slow. */
static enum smtp_server_verdict on_message(void *user,
                                           const struct smtp_server_session_info *session,
                                           struct smtp_message *message,
                                           struct smtp_server_reply *reply)
{
    struct trial *trial = user;
    (void)session, (void)message, (void)reply;
    if (trial->blocks) {
        atomic_fetch_add(&trial->delivering, 1);
        soak_tick(DELIVERY_MS);
    }
    return SMTP_ACCEPT;
}

/* ---- the stages ---- */

static bool says(struct trial *trial, const char *line, const char *code)
{
    return strncmp(smtp_wire_ask(&trial->wire, line), code, strlen(code)) == 0;
}

static bool greeted(struct trial *trial)
{
    return smtp_wire_connect(&trial->wire, smtp_server_address(trial->server, 0)) &&
           strncmp(smtp_wire_reply(&trial->wire), "220", 3) == 0;
}

static bool met(struct trial *trial)
{
    return greeted(trial) && says(trial, "EHLO soak.example", "250");
}

/* Until `count` is not 0 any more. */
static bool await(atomic_uint *count)
{
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), SLACK_MS * 5);
    while (atomic_load(count) == 0 && smtp_clock_now_ns() < deadline_ns) {
        soak_tick(1);
    }
    return atomic_load(count) != 0;
}

static bool at_greeting(struct trial *trial)
{
    trial->held = SMTP_STEP_GREETING;
    trial->held_verb = "";
    return smtp_wire_connect(&trial->wire, smtp_server_address(trial->server, 0)) &&
           await(&trial->held_count);
}

static bool at_ehlo(struct trial *trial)
{
    trial->held = SMTP_STEP_COMMAND;
    trial->held_verb = "EHLO";
    return greeted(trial) && smtp_wire_send(&trial->wire, "EHLO soak.example\r\n", 19) &&
           await(&trial->held_count);
}

static bool at_starttls(struct trial *trial)
{
    static const char half_a_hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    return met(trial) && says(trial, "STARTTLS", "220") &&
           smtp_wire_send(&trial->wire, half_a_hello, sizeof half_a_hello - 1);
}

static bool at_auth(struct trial *trial)
{
    return met(trial) && says(trial, "AUTH LOGIN", "334") && says(trial, "YW5u", "334");
}

static bool at_mail(struct trial *trial)
{
    return met(trial) && says(trial, "MAIL FROM:<ann@example.com>", "250");
}

static bool at_rcpt(struct trial *trial)
{
    return at_mail(trial) && says(trial, "RCPT TO:<bob@example.com>", "250");
}

static bool at_content(struct trial *trial)
{
    return at_rcpt(trial) && says(trial, "DATA", "354") &&
           smtp_wire_send(&trial->wire, "Subject: half\r\n\r\nhal", 20);
}

static bool at_chunk(struct trial *trial)
{
    return at_rcpt(trial) && smtp_wire_send(&trial->wire, "BDAT 1000 LAST\r\nhalf", 20);
}

static bool at_delivery(struct trial *trial)
{
    trial->blocks = true;
    return at_rcpt(trial) && says(trial, "DATA", "354") &&
           smtp_wire_send(&trial->wire, "Subject: whole\r\n\r\n.\r\n", 21) &&
           await(&trial->delivering);
}

static bool at_idle(struct trial *trial)
{
    return met(trial);
}

/* It says as much as the server takes, and reads nothing. */
static bool at_non_reading(struct trial *trial)
{
    static char commands[6000];
    size_t len = 0, at = 0;
    for (size_t i = 0; i < sizeof commands; i += 6) {
        memcpy(commands + i, "HELP\r\n", 6);
    }
    if (!met(trial)) {
        return false;
    }
    for (;; at = (at + len) % sizeof commands) {
        const struct iovec part = {commands + at, sizeof commands - at};
        uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), FULL_MS);
        if (smtp_net_write(trial->wire.fd, &part, 1, deadline_ns, &len) != SMTP_OK) {
            return true;
        }
    }
}

struct stage {
    const char *name;
    bool (*enter)(struct trial *trial);
    bool floods; /* more replies are on their way than a peer that never reads would see */
};

static const struct stage stages[] = {
    {"greeting", at_greeting, false},
    {"EHLO", at_ehlo, false},
    {"handshake", at_starttls, false},
    {"AUTH", at_auth, false},
    {"MAIL", at_mail, false},
    {"RCPT", at_rcpt, false},
    {"content", at_content, false},
    {"chunk", at_chunk, false},
    {"delivery", at_delivery, false},
    {"idle", at_idle, false},
    {"peer that never reads", at_non_reading, true},
};
#define STAGE_COUNT (sizeof stages / sizeof *stages)

/* ---- a trial ---- */

static bool start(struct trial *trial)
{
    static const struct smtp_server_user users[] = {{"ann", "secret"}};
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    const struct smtp_server_hooks receiver = {
        .user = trial, .blocking = true, .message = on_message};
    options.auth.users = users;
    options.auth.user_count = 1;
    options.auth.plain_without_tls = true;
    options.hooks = (struct smtp_server_hooks){.user = trial, .fault = on_fault};
    options.receivers = &receiver;
    options.receiver_count = 1;
    trial->wire.fd = -1;
    return smtp_server_new(&trial->server, &options, NULL) == SMTP_OK &&
           smtp_server_start(trial->server, NULL) == SMTP_OK;
}

/* Another session, before. */
static bool send_one(struct trial *trial)
{
    bool sent = at_rcpt(trial) && says(trial, "DATA", "354") &&
                says(trial, "Subject: before\r\n\r\n.", "250") && says(trial, "QUIT", "221");
    trial->answered += sent;
    smtp_wire_close(&trial->wire);
    return sent;
}

/* What the peer hears: replies that were due, 421, the end. */
static bool hears_the_end(struct trial *trial, bool floods)
{
    const char *reply = smtp_wire_reply(&trial->wire);
    for (; *reply != '\0' && strncmp(reply, "421", 3) != 0; reply = smtp_wire_reply(&trial->wire)) {
        trial->answered += strncmp(reply, "250 2.0.0 OK: message", 21) == 0;
        if (!floods && strncmp(reply, "250 2.0.0 OK: message", 21) != 0) {
            printf("FAIL it heard %s\n", reply);
            return false;
        }
    }
    return smtp_wire_closed(&trial->wire);
}

static bool try_stage(const struct stage *stage, uint64_t patience_ms)
{
    static struct trial trial;
    trial = (struct trial){0};
    if (!start(&trial) || !send_one(&trial) || !stage->enter(&trial)) {
        printf("FAIL %s was not reached\n", stage->name);
        return false;
    }
    uint64_t begin_ns = smtp_clock_now_ns();
    smtp_server_stop(trial.server, patience_ms);
    uint64_t took_ms = (smtp_clock_now_ns() - begin_ns) / 1000000;
    uint64_t open = smtp_server_session_count(trial.server);
    bool ended = hears_the_end(&trial, stage->floods);
    uint64_t kept = smtp_mailbox_count(smtp_server_mailbox(trial.server));
    bool held = ended && took_ms <= patience_ms + DELIVERY_MS + SLACK_MS && open == 0 &&
                kept >= trial.answered;
    if (!held) {
        printf("FAIL stop at %s, %" PRIu64 " ms for it: took %" PRIu64 " ms, %" PRIu64
               " sessions open, the peer %s, %" PRIu64 " answered, %" PRIu64 " kept\n",
               stage->name, patience_ms, took_ms, open, ended ? "heard the end" : "heard no end",
               trial.answered, kept);
    }
    smtp_wire_close(&trial.wire);
    smtp_server_free(trial.server);
    return held;
}

static bool try_all(uint64_t rounds, uint64_t *count)
{
    static const uint64_t patience_ms[] = {0, PATIENCE_MS};
    bool held = true;
    for (uint64_t round = 0; round < rounds && held; round++) {
        for (size_t i = 0; i < STAGE_COUNT * 2; i++) {
            held = try_stage(&stages[i / 2], patience_ms[i % 2]) && held;
            *count += held;
        }
    }
    return held;
}

int main(int argc, char **argv)
{
    uint64_t rounds = soak_argument(argc, argv, 1, 20), count = 0, warm = 0;
    bool held = try_all(WARM_UP, &warm);
    struct soak_holding then = soak_holding();
    held = held && try_all(rounds, &count);
    held = soak_holds_no_more("stops at every stage", &then, HEAP_SLACK_OCTETS) && held;
    printf("%s stops at every stage: %zu stages, %" PRIu64 " stops; heap %+zd octets\n",
           held ? "ok  " : "FAIL", STAGE_COUNT, count,
           (ssize_t)(soak_holding().heap_octets - then.heap_octets));
    printf("figures stages_stopped=%" PRIu64 "\n", count);
    return held ? 0 : 1;
}
