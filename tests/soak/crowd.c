/* crowd.c - many idle sessions and some busy ones at one server: how long the busy ones' messages take with and without the
 * others, what an idle session costs, and that none is lost.
 *     crowd [IDLE [BUSY [SECONDS]]]     10000, 200, 10
 * Three processes: the server's (this one), which a session costs a descriptor, the idle ones' and the busy ones'. Where
 * the system allows fewer descriptors there are fewer idle sessions, and it says so. */
#include "common/clock.h"
#include "server/smtp_server.h"
#include "tests/bench/raw_client.h"
#include "tests/soak/busy.h"
#include "tests/soak/soak.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RATE 1000            /* messages a second, of all busy sessions */
#define SPARE_DESCRIPTORS 64 /* a process's own */
#define OPEN_MS 120000
#define P99_FACTOR 4 /* of that without the idle ones, and what a shared machine adds: */
#define P99_NOISE_US 50000
#define SESSION_OCTETS_MAX 4096 /* of heap */

enum { OPEN, ASK, CLOSE };
struct idle_order {
    int what;
    uint16_t port;
    unsigned count;
};

/* ---- the idle ones ---- */

static void idle_obey(int orders, int answers)
{
    struct idle_order order;
    int *fds = NULL;
    unsigned open = 0;
    soak_allow_descriptors();
    while (soak_read(orders, &order, sizeof order)) {
        unsigned done = 0;
        if (order.what == OPEN) {
            fds = calloc(order.count, sizeof *fds);
            while (fds != NULL && open < order.count &&
                   (fds[open] = raw_client_open(order.port)) >= 0) {
                open++;
            }
            done = open;
        } else if (order.what == ASK) {
            for (unsigned i = 0; i < open; i++) {
                done += raw_client_say(fds[i], "NOOP\r\n", 6);
            }
        } else {
            for (; open > 0; open--, done++) {
                (void)raw_client_say(fds[open - 1], "QUIT\r\n", 6);
                close(fds[open - 1]);
            }
        }
        if (!soak_write(answers, &done, sizeof done)) {
            break;
        }
    }
    free(fds);
}

static unsigned tell_idle(const struct soak_child *idle, int what, uint16_t port, unsigned count)
{
    struct idle_order order = {.what = what, .port = port, .count = count};
    unsigned done = 0;
    return soak_child_order(idle, &order, sizeof order) &&
                   soak_child_answer(idle, &done, sizeof done, OPEN_MS)
               ? done
               : 0;
}

/* ---- the measuring ---- */

static bool await_sessions(const struct smtp_server *server, size_t count)
{
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), OPEN_MS);
    while (smtp_server_session_count(server) != count && smtp_clock_now_ns() < deadline_ns) {
        soak_tick(1);
    }
    return smtp_server_session_count(server) == count;
}

struct measured {
    struct busy_answer alone, together;
    double heap_octets, resident_octets; /* of an idle session */
    unsigned held, answering;
};

static bool measure(struct smtp_server *server, const struct soak_child *idle,
                    const struct soak_child *busy, unsigned count, const struct busy_order *order,
                    struct measured *measured)
{
    const struct busy_order warm_up = {order->port, order->sessions, order->rate, 1000, 0};
    struct busy_answer warm = {0};
    if (!busy_run(busy, &warm_up, &warm, NULL, NULL) ||
        !busy_run(busy, order, &measured->alone, NULL, NULL) || !await_sessions(server, 0)) {
        return false;
    }
    struct soak_holding before = soak_holding();
    measured->held = tell_idle(idle, OPEN, order->port, count);
    struct soak_holding with = soak_holding();
    measured->heap_octets = ((double)with.heap_octets - (double)before.heap_octets) / count;
    measured->resident_octets =
        ((double)with.resident_octets - (double)before.resident_octets) / count;
    if (measured->held != count || smtp_server_session_count(server) != count ||
        !busy_run(busy, order, &measured->together, NULL, NULL)) {
        return false;
    }
    measured->answering = tell_idle(idle, ASK, 0, 0);
    (void)tell_idle(idle, CLOSE, 0, 0);
    uint64_t accepted = warm.accepted + measured->alone.accepted + measured->together.accepted;
    return await_sessions(server, 0) &&
           smtp_mailbox_captured(smtp_server_mailbox(server)) == accepted;
}

static bool judge(bool done, unsigned count, const struct measured *measured)
{
    uint64_t limit_us = measured->alone.p99_us * P99_FACTOR + P99_NOISE_US;
    uint64_t failed = measured->alone.failed + measured->together.failed;
    bool held = done && measured->answering == count && failed == 0 &&
                measured->together.p99_us <= limit_us &&
                measured->heap_octets <= SESSION_OCTETS_MAX;
    busy_print("busy alone", &measured->alone);
    busy_print("busy among idle", &measured->together);
    printf(
        "%s a crowd: %u idle sessions, %u of them answer at the end, %.0f octets of heap and %.0f "
        "resident each; the busy ones' p99 %" PRIu64 " us, at most %" PRIu64
        " allowed; messages lost %" PRIu64 "%s\n",
        held ? "ok  " : "FAIL", measured->held, measured->answering, measured->heap_octets,
        measured->resident_octets, measured->together.p99_us, limit_us, failed,
        done ? "" : "; not all were opened, closed or kept");
    return held;
}

int main(int argc, char **argv)
{
    unsigned count = (unsigned)soak_argument(argc, argv, 1, 10000);
    struct busy_order order = {.sessions = (unsigned)soak_argument(argc, argv, 2, 200),
                               .rate = RATE,
                               .duration_ms = (unsigned)soak_argument(argc, argv, 3, 10) * 1000};
    struct soak_child idle = {0}, busy = {0};
    struct smtp_server_options options;
    struct smtp_server *server = NULL;
    struct measured measured = {0};
    size_t allowed = soak_allow_descriptors();
    if (count + order.sessions + SPARE_DESCRIPTORS > allowed) {
        count = (unsigned)allowed - order.sessions - SPARE_DESCRIPTORS;
        printf("     only %zu descriptors are allowed: %u idle sessions\n", allowed, count);
    }
    smtp_server_options_init(&options);
    options.mailbox = SMTP_MAILBOX_DISCARD;
    options.limits.sessions = 0;
    bool done = soak_child_start(&idle, idle_obey) && soak_child_start(&busy, busy_obey) &&
                smtp_server_new(&server, &options, NULL) == SMTP_OK &&
                smtp_server_start(server, NULL) == SMTP_OK;
    if (done) {
        order.port = smtp_server_port(server, 0);
        done = measure(server, &idle, &busy, count, &order, &measured);
    }
    bool held = judge(done, count, &measured);
    printf("figures sessions_held=%u messages=%" PRIu64 " messages_failed=%" PRIu64 "\n",
           held ? count + order.sessions : 0, measured.alone.accepted + measured.together.accepted,
           measured.alone.failed + measured.together.failed);
    soak_child_end(&idle);
    soak_child_end(&busy);
    smtp_server_free(server);
    return held ? 0 : 1;
}
