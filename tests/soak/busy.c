/* busy.c - see busy.h.
 * Knows: when a message falls due. Does not know: what keeps it waiting. */
#include "tests/soak/busy.h"

#include "client/smtp_bulk.h"
#include "common/clock.h"
#include "harness/load/histogram.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 60000 /* beyond the duration: then it hangs */
#define LOOK_MS 20
#define CONTENT_OCTETS 1024

struct run {
    uint64_t begin_ns, end_ns, interval_ns;
    uint64_t index;   /* of the next message */
    uint64_t *due_ns; /* one a place */
    struct smtp_histogram times;
    struct busy_answer answer;
};

static enum smtp_bulk_more next(void *user, struct smtp_bulk_message *message)
{
    static const char *const to[] = {"bob@example.com"};
    static char content[CONTENT_OCTETS + 1];
    struct run *run = user;
    uint64_t due_ns = run->begin_ns + run->index * run->interval_ns;
    if (due_ns >= run->end_ns) {
        return SMTP_BULK_NONE;
    }
    if (smtp_clock_now_ns() < due_ns) {
        message->due_ns = due_ns;
        return SMTP_BULK_LATER;
    }
    if (content[0] == '\0') {
        memset(content, 'x', CONTENT_OCTETS);
        for (size_t i = 64; i <= CONTENT_OCTETS; i += 64) {
            memcpy(content + i - 2, "\r\n", 2);
        }
    }
    run->index++;
    run->due_ns[message->place] = due_ns;
    message->outgoing.envelope = (struct smtp_envelope){
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};
    message->outgoing.content = smtp_content_memory(content, CONTENT_OCTETS);
    return SMTP_BULK_MESSAGE;
}

static void sent(void *user, size_t place, const struct smtp_send_result *result)
{
    struct run *run = user;
    bool accepted = result->status == SMTP_OK;
    run->answer.accepted += accepted;
    run->answer.failed += !accepted;
    smtp_histogram_add(&run->times, smtp_clock_now_ns() - run->due_ns[place]);
}

static void run_order(const struct busy_order *order, struct run *run)
{
    struct smtp_client_target target = {.host = "127.0.0.1", .port = order->port};
    struct smtp_bulk_options options = {
        .sessions = order->sessions, .in_flight = 1, .session_messages = order->session_messages};
    struct smtp_bulk_hooks hooks = {.next = next, .sent = sent, .user = run};
    struct smtp_bulk *bulk = NULL;
    struct smtp_error error = {0};
    run->begin_ns = smtp_clock_now_ns();
    run->end_ns = run->begin_ns + (uint64_t)order->duration_ms * 1000000;
    run->interval_ns = 1000000000 / order->rate;
    run->due_ns = calloc(order->sessions, sizeof *run->due_ns);
    if (run->due_ns == NULL || smtp_bulk_new(&bulk, &target, &options, &hooks, &error) != SMTP_OK ||
        smtp_bulk_run(bulk, &error) != SMTP_OK) {
        fprintf(stderr, "busy: %s\n", error.message);
        run->answer.failed++;
    }
    smtp_bulk_free(bulk);
    free(run->due_ns);
    run->answer.p50_us = smtp_histogram_percentile(&run->times, 50) / 1000;
    run->answer.p99_us = smtp_histogram_percentile(&run->times, 99) / 1000;
    run->answer.p999_us = smtp_histogram_percentile(&run->times, 99.9) / 1000;
    run->answer.max_us = run->times.max_ns / 1000;
}

void busy_obey(int orders, int answers)
{
    static struct run run;
    struct busy_order order;
    while (soak_read(orders, &order, sizeof order)) {
        run = (struct run){0};
        run_order(&order, &run);
        if (!soak_write(answers, &run.answer, sizeof run.answer)) {
            break;
        }
    }
}

bool busy_run(const struct soak_child *child, const struct busy_order *order,
              struct busy_answer *answer, void (*meanwhile)(void *user), void *user)
{
    uint64_t deadline_ns =
        smtp_deadline_after(smtp_clock_now_ns(), order->duration_ms + PATIENCE_MS);
    if (!soak_child_order(child, order, sizeof *order)) {
        return false;
    }
    while (!soak_child_waits(child, LOOK_MS) && smtp_clock_now_ns() < deadline_ns) {
        if (meanwhile != NULL) {
            meanwhile(user);
        }
    }
    return soak_child_answer(child, answer, sizeof *answer, 0);
}

void busy_print(const char *what, const struct busy_answer *answer)
{
    printf("     %s: %" PRIu64 " accepted, %" PRIu64 " failed; p50 %" PRIu64 " us, p99 %" PRIu64
           " us, p99.9 %" PRIu64 " us, max %" PRIu64 " us\n",
           what, answer->accepted, answer->failed, answer->p50_us, answer->p99_us, answer->p999_us,
           answer->max_us);
}
