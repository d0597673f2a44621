/* whole_test.c - how long a whole test of code that sends mail takes: start a server, connect, send
 * one message, wait for it, assert on it, stop. `whole_test COUNT` does it COUNT times in one
 * process and prints "median_us N p90_us N". Knows: the harness's public API, used as its header
 * shows. Does not know: what is beneath it. */
#include "common/bytes.h"
#include "common/clock.h"
#include "harness/smtp_harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX 1000000

static bool fail(const char *step, const char *reason)
{
    fprintf(stderr, "whole_test: %s: %s\n", step, reason);
    return false;
}

static bool send_and_assert(struct smtp_harness *harness)
{
    static const char *const to[] = {"bob@example.com"};
    const struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};
    struct smtp_client *client = smtp_harness_client(harness);
    if (client == NULL) {
        return fail("connect", smtp_harness_failure(harness));
    }
    if (smtp_client_send(client, &envelope, smtp_content_text("Subject: Hi\n\nHello\n"), NULL) !=
        SMTP_OK) {
        return fail("send", smtp_client_error(client)->message);
    }
    const struct smtp_harness_message *message = smtp_harness_wait(harness, "to=bob@example.com");
    if (message == NULL) {
        return fail("wait", smtp_harness_failure(harness));
    }
    const char *subject = smtp_harness_header(message, "Subject");
    return (subject != NULL && strcmp(subject, "Hi") == 0) || fail("assert", "another subject");
}

static bool whole_test(void)
{
    struct smtp_error error = {0};
    struct smtp_harness *harness = smtp_harness_start(NULL, &error);
    if (harness == NULL) {
        return fail("start", error.message);
    }
    bool held = send_and_assert(harness);
    smtp_harness_stop(harness);
    return held;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static bool run(uint64_t *elapsed_ns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t start_ns = smtp_clock_now_ns();
        if (!whole_test()) {
            return false;
        }
        elapsed_ns[i] = smtp_clock_now_ns() - start_ns;
    }
    qsort(elapsed_ns, count, sizeof *elapsed_ns, compare);
    printf("median_us %.1f p90_us %.1f\n", (double)elapsed_ns[count / 2] / 1e3,
           (double)elapsed_ns[count * 9 / 10] / 1e3);
    return true;
}

int main(int argc, char **argv)
{
    uint64_t count = 0;
    if (argc != 2 || !smtp_span_to_u64(smtp_span_of(argv[1]), COUNT_MAX, &count) || count == 0) {
        fputs("usage: whole_test COUNT\n", stderr);
        return 2;
    }
    uint64_t *elapsed_ns = calloc((size_t)count, sizeof *elapsed_ns);
    bool held = elapsed_ns != NULL && run(elapsed_ns, (size_t)count);
    free(elapsed_ns);
    return held ? 0 : 1;
}
