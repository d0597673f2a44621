/* start_stop.c - starts and stops servers and harnesses in one process, again and again, a message through each, and sees that
 * the process holds no more at the end: descriptors and threads to the last one, its heap within a small bound.
 *     start_stop [ROUNDS]     ROUNDS: of each of the three ways (10000)
 * Knows: what has to be the same. Does not know: what a server holds while it runs. */
#include "common/clock.h"
#include "harness/smtp_harness.h"
#include "tests/soak/soak.h"

#include <inttypes.h>
#include <stdio.h>

#define WARM_UP 20 /* until libuv's pool, OpenSSL and the heap have what they keep */
#define HEAP_SLACK_OCTETS ((size_t)32 << 10)
#define STOP_MS 1000

static const char *const to[] = {"bob@example.com"};
static const struct smtp_envelope envelope = {
    .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};

static bool send_through(const struct smtp_server *server)
{
    struct smtp_client *client = NULL;
    bool sent = smtp_client_new(&client, NULL) == SMTP_OK &&
                smtp_client_connect(client, smtp_server_address(server, 0), 0) == SMTP_OK &&
                smtp_client_send(client, &envelope, smtp_content_text("Subject: Hi\n\nHi\n"),
                                 NULL) == SMTP_OK &&
                smtp_client_quit(client) == SMTP_OK;
    smtp_client_free(client);
    return sent;
}

static bool run_server(struct smtp_server *server, size_t captured)
{
    bool held = server != NULL && smtp_server_start(server, NULL) == SMTP_OK &&
                send_through(server) &&
                smtp_mailbox_captured(smtp_server_mailbox(server)) == captured;
    smtp_server_stop(server, STOP_MS);
    return held;
}

/* A server of its own each time, with several threads. */
static bool new_servers(uint64_t rounds)
{
    struct smtp_server_options options;
    bool held = true;
    smtp_server_options_init(&options);
    for (uint64_t i = 0; i < rounds && held; i++) {
        struct smtp_server *server = NULL;
        options.workers = 1 + (unsigned)(i % 3);
        held = smtp_server_new(&server, &options, NULL) == SMTP_OK && run_server(server, 1);
        smtp_server_free(server);
    }
    return held;
}

/* One server, again on the same port. */
static bool same_server(uint64_t rounds)
{
    struct smtp_server *server = NULL;
    bool held = smtp_server_new(&server, NULL, NULL) == SMTP_OK;
    for (uint64_t i = 0; i < rounds && held; i++) {
        held = run_server(server, i + 1);
        smtp_mailbox_clear(smtp_server_mailbox(server));
    }
    smtp_server_free(server);
    return held;
}

static bool harnesses(uint64_t rounds)
{
    bool held = true;
    for (uint64_t i = 0; i < rounds && held; i++) {
        struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
        struct smtp_client *client = harness == NULL ? NULL : smtp_harness_client(harness);
        held = client != NULL &&
               smtp_client_send(client, &envelope, smtp_content_text("Subject: Hi\n\nHi\n"),
                                NULL) == SMTP_OK &&
               smtp_harness_wait(harness, "to=bob@example.com subject=Hi") != NULL;
        smtp_harness_stop(harness);
    }
    return held;
}

static bool measure(const char *name, bool (*way)(uint64_t rounds), uint64_t rounds)
{
    bool held = way(WARM_UP);
    struct soak_holding then = soak_holding();
    uint64_t begin_ns = smtp_clock_now_ns();
    held = held && way(rounds);
    double elapsed_s = (double)(smtp_clock_now_ns() - begin_ns) / 1e9;
    if (!held) {
        printf("FAIL %s: a round did not do\n", name);
        return false;
    }
    held = soak_holds_no_more(name, &then, HEAP_SLACK_OCTETS);
    struct soak_holding now = soak_holding();
    printf("%s %s: %" PRIu64 " in %.1f s; descriptors %u, threads %u, heap %+zd octets\n",
           held ? "ok  " : "FAIL", name, rounds, elapsed_s, now.descriptors, now.threads,
           (ssize_t)(now.heap_octets - then.heap_octets));
    return held;
}

int main(int argc, char **argv)
{
    uint64_t rounds = soak_argument(argc, argv, 1, 10000);
    bool held = measure("servers started and stopped", new_servers, rounds);
    held = measure("a server restarted", same_server, rounds) && held;
    held = measure("harnesses started and stopped", harnesses, rounds) && held;
    printf("figures starts_and_stops=%" PRIu64 "\n", held ? 3 * rounds : 0);
    return held ? 0 : 1;
}
