/* slow.c - thousands of peers that are slow, never read or send without end, a kind at a time, at a server with short
 * deadlines: each is cut at its deadline, the server's memory stays within what its limits allow, and well-behaved sessions
 * keep their latency.
 *     slow [PEERS [FLOODING [DEADLINE_MS]]]     2000 of each slow kind, 1000 of each that sends as fast as it can, 3000
 * Knows: the bounds. Does not know: what the peers say (slow_peers.c). */
#include "common/clock.h"
#include "server/smtp_server.h"
#include "tests/soak/busy.h"
#include "tests/soak/slow_peers.h"
#include "tests/soak/soak.h"

#include <inttypes.h>
#include <stdio.h>

#define BUSY_SESSIONS 20
#define BUSY_RATE 200
#define BUSY_SESSION_MESSAGES 10 /* so that no session's time is over: they are the well-behaved */
#define SESSION_DEADLINES 2      /* the session's time, in deadlines of a command */
#define SLACK_MS 5000            /* other programs have the processors, too */
#define MESSAGE_OCTETS ((uint64_t)64 << 10)
/* What a session may hold: what was read and waits (256 KiB), replies that are owed and being written (64 KiB each), a message,
 * itself. */
#define PEER_OCTETS_MAX ((size_t)512 << 10)
/* And what the first of a kind has the process make for all of them, as OpenSSL's tables. */
#define FIRST_OCTETS_MAX ((size_t)1 << 20)
#define P99_FACTOR 5
#define P99_NOISE_US 50000
/* Floods take the processors that all share. */
#define P99_FLOODED_US 500000

struct setting {
    struct smtp_server *server;
    struct soak_child peers, busy;
    unsigned slow, flooding, deadline_ms;
    uint64_t quiet_p99_us;
    uint64_t survived, failed;
    struct soak_holding most; /* while a kind is at it */
};

static void look(void *user)
{
    struct setting *setting = user;
    struct soak_holding now = soak_holding();
    if (now.heap_octets > setting->most.heap_octets) {
        setting->most.heap_octets = now.heap_octets;
    }
    if (now.resident_octets > setting->most.resident_octets) {
        setting->most.resident_octets = now.resident_octets;
    }
}

static bool await_silence(const struct setting *setting)
{
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), SLACK_MS * 2);
    while (smtp_server_session_count(setting->server) > 0 && smtp_clock_now_ns() < deadline_ns) {
        soak_tick(5);
    }
    return smtp_server_session_count(setting->server) == 0;
}

static bool judge(struct setting *setting, enum slow_kind kind, const struct slow_answer *peers,
                  const struct busy_answer *busy, size_t heap_octets, size_t resident_octets,
                  bool silent)
{
    bool floods = kind >= SLOW_READER;
    unsigned count = floods ? setting->flooding : setting->slow;
    uint64_t allowed_ms = (uint64_t)setting->deadline_ms * SESSION_DEADLINES + SLACK_MS;
    uint64_t allowed_us =
        floods ? P99_FLOODED_US : setting->quiet_p99_us * P99_FACTOR + P99_NOISE_US;
    size_t each = heap_octets / count;
    size_t each_allowed = PEER_OCTETS_MAX + FIRST_OCTETS_MAX / count;
    bool held = silent && peers->opened == count && peers->cut == count &&
                peers->longest_ms <= allowed_ms && each <= each_allowed && busy->failed == 0 &&
                busy->accepted > 0 && busy->p99_us <= allowed_us;
    printf("%s %u %s: %u cut, the last after %" PRIu64 " ms (%" PRIu64
           " allowed); heap %zu octets a "
           "peer (%zu allowed), resident +%zu MiB; sent %" PRIu64 " MiB; others' p99 %" PRIu64
           " us (%" PRIu64 " allowed), %" PRIu64 " accepted, %" PRIu64 " failed%s\n",
           held ? "ok  " : "FAIL", count, slow_kind_name(kind), peers->cut, peers->longest_ms,
           allowed_ms, each, each_allowed, resident_octets >> 20, peers->sent_octets >> 20,
           busy->p99_us, allowed_us, busy->accepted, busy->failed,
           silent ? "" : "; sessions are left");
    setting->survived += held ? count : 0;
    setting->failed += busy->failed;
    return held;
}

static bool try_kind(struct setting *setting, enum slow_kind kind)
{
    uint16_t port = smtp_server_port(setting->server, 0);
    unsigned life_ms = setting->deadline_ms * SESSION_DEADLINES;
    struct busy_order busy = {port, BUSY_SESSIONS, BUSY_RATE, life_ms, BUSY_SESSION_MESSAGES};
    struct slow_order order = {kind, port, kind >= SLOW_READER ? setting->flooding : setting->slow,
                               life_ms + SLACK_MS * 2};
    struct busy_answer busy_answer = {0};
    struct slow_answer answer = {0};
    struct soak_holding before = soak_holding();
    setting->most = before;
    if (!soak_child_order(&setting->peers, &order, sizeof order) ||
        !busy_run(&setting->busy, &busy, &busy_answer, look, setting)) {
        printf("FAIL %s: a process is gone\n", slow_kind_name(kind));
        return false;
    }
    bool silent = await_silence(setting); /* those that never read hear nothing before they do */
    bool answered =
        soak_child_answer(&setting->peers, &answer, sizeof answer, order.give_up_ms + SLACK_MS);
    if (!answered) {
        printf("FAIL %s: their process is gone\n", slow_kind_name(kind));
        return false;
    }
    return judge(setting, kind, &answer, &busy_answer,
                 setting->most.heap_octets - before.heap_octets,
                 setting->most.resident_octets - before.resident_octets, silent);
}

static bool start(struct setting *setting)
{
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.mailbox = SMTP_MAILBOX_DISCARD;
    options.limits.sessions = 0;
    options.limits.errors = 0;
    options.limits.message_octets = MESSAGE_OCTETS;
    options.limits.command_timeout_ms = setting->deadline_ms;
    options.limits.content_timeout_ms = setting->deadline_ms;
    options.limits.handshake_timeout_ms = setting->deadline_ms;
    options.limits.session_timeout_ms = (uint64_t)setting->deadline_ms * SESSION_DEADLINES;
    return soak_child_start(&setting->peers, slow_obey) &&
           soak_child_start(&setting->busy, busy_obey) &&
           smtp_server_new(&setting->server, &options, NULL) == SMTP_OK &&
           smtp_server_start(setting->server, NULL) == SMTP_OK;
}

static bool try_all(struct setting *setting)
{
    struct busy_order order = {smtp_server_port(setting->server, 0), BUSY_SESSIONS, BUSY_RATE,
                               setting->deadline_ms * SESSION_DEADLINES, BUSY_SESSION_MESSAGES};
    struct busy_answer quiet = {0};
    bool held = busy_run(&setting->busy, &order, &quiet, NULL, NULL) && quiet.failed == 0;
    setting->quiet_p99_us = quiet.p99_us;
    busy_print("well-behaved alone", &quiet);
    for (int kind = 0; kind < SLOW_KINDS; kind++) {
        held = try_kind(setting, (enum slow_kind)kind) && held;
    }
    return held;
}

int main(int argc, char **argv)
{
    static struct setting setting;
    setting.slow = (unsigned)soak_argument(argc, argv, 1, 2000);
    setting.flooding = (unsigned)soak_argument(argc, argv, 2, 1000);
    setting.deadline_ms = (unsigned)soak_argument(argc, argv, 3, 3000);
    soak_allow_descriptors();
    bool held = start(&setting) && try_all(&setting);
    printf("figures slow_peers=%" PRIu64 " messages_failed=%" PRIu64 "\n", setting.survived,
           setting.failed);
    soak_child_end(&setting.peers);
    soak_child_end(&setting.busy);
    smtp_server_free(setting.server);
    return held ? 0 : 1;
}
