/* tls_stream.c - what one large message costs: through two channels joined in memory, and from the client
 * library to a server over loopback. Knows both libraries' public faces and common/tls.h. */
#include "client/smtp_client.h"
#include "common/clock.h"
#include "server/smtp_server.h"
#include "tests/bench/tls.h"
#include "tests/support/tls_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WRITE_OCTETS ((size_t)64 * 1024)
#define READ_OCTETS ((size_t)16 * 1024)
#define LINE_OCTETS 72

/* When it was, by the wall and by the processor. */
struct moment {
    uint64_t wall_ns, thread_ns, process_ns;
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct moment now(void)
{
    return (struct moment){smtp_clock_now_ns(), clock_ns(CLOCK_THREAD_CPUTIME_ID),
                           clock_ns(CLOCK_PROCESS_CPUTIME_ID)};
}

static void print_since(size_t octets, struct moment start)
{
    struct moment end = now();
    uint64_t own_ns = end.thread_ns - start.thread_ns;
    printf("rate %.0f own_ms %.1f other_ms %.1f\n",
           (double)octets * 1e9 / (double)(end.wall_ns - start.wall_ns), (double)own_ns / 1e6,
           ((double)(end.process_ns - start.process_ns) - (double)own_ns) / 1e6);
}

/* Lines of text; NULL: out of memory. */
static char *make_text(size_t size_octets)
{
    char *text = malloc(size_octets);
    for (size_t i = 0; text != NULL && i < size_octets; i++) {
        size_t column = i % LINE_OCTETS;
        text[i] = "x\r\n"[column < LINE_OCTETS - 2 ? 0 : column - (LINE_OCTETS - 3)];
    }
    return text;
}

/* ---- in memory ---- */

static bool pass(struct smtp_tls_pair *pair, struct smtp_span part, char *plain)
{
    if (!smtp_tls_write(pair->client, part)) {
        return false;
    }
    struct smtp_span wire = smtp_tls_pending(pair->client);
    bool received = smtp_tls_receive(pair->server, wire.bytes, wire.len);
    smtp_tls_sent(pair->client, wire.len);
    size_t len = 0, sum = 0;
    while (received && smtp_tls_read(pair->server, plain, READ_OCTETS, &len) == SMTP_TLS_DONE) {
        sum += len;
    }
    return sum == part.len;
}

int tls_memory(size_t size_octets)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    char *text = make_text(size_octets), *plain = malloc(READ_OCTETS);
    bool passed = text != NULL && plain != NULL && smtp_tls_pair_shake(&pair);
    struct moment start = now();
    for (size_t at = 0; passed && at < size_octets; at += WRITE_OCTETS) {
        size_t left = size_octets - at;
        passed = pass(
            &pair, (struct smtp_span){text + at, left < WRITE_OCTETS ? left : WRITE_OCTETS}, plain);
    }
    if (passed) {
        print_since(size_octets, start);
    }
    free(text);
    free(plain);
    smtp_tls_pair_free(&pair);
    return passed ? 0 : 1;
}

/* ---- over loopback ---- */

static struct smtp_server *start_server(size_t size_octets, struct smtp_error *error)
{
    struct smtp_server_options options;
    struct smtp_server *server = NULL;
    smtp_server_options_init(&options);
    options.limits.message_octets = size_octets * 2;
    if (smtp_server_new(&server, &options, error) != SMTP_OK ||
        smtp_server_start(server, error) != SMTP_OK) {
        smtp_server_free(server);
        return NULL;
    }
    return server;
}

static bool send_once(struct smtp_client *client, struct smtp_content content)
{
    static const char *const to[] = {"bob@example.com"};
    const struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};
    return smtp_client_send(client, &envelope, content, NULL) == SMTP_OK;
}

/* The message goes twice, and the second time counts: TLS is up, and memory was had from the machine
 * before. */
static bool send_message(struct smtp_client *client, struct smtp_server *server, const char *text,
                         size_t size_octets)
{
    struct smtp_content content = smtp_content_memory(text, size_octets);
    if (smtp_client_connect(client, "127.0.0.1", smtp_server_port(server, 0)) != SMTP_OK ||
        !send_once(client, content)) {
        return false;
    }
    smtp_mailbox_clear(smtp_server_mailbox(server));
    struct moment start = now();
    if (!send_once(client, content)) {
        return false;
    }
    print_since(size_octets, start);
    return smtp_client_quit(client) == SMTP_OK;
}

int tls_message(size_t size_octets, bool secure)
{
    struct smtp_error error = {.message = "no memory"};
    char *text = make_text(size_octets);
    struct smtp_server *server = text != NULL ? start_server(size_octets, &error) : NULL;
    struct smtp_client *client = NULL;
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    bool sent = false;
    if (server != NULL) {
        options.tls.policy = secure ? SMTP_CLIENT_TLS_REQUIRED : SMTP_CLIENT_TLS_NEVER;
        options.tls.ca_pem = smtp_server_ca_pem(server);
        if (smtp_client_new(&client, &options) == SMTP_OK) {
            sent = send_message(client, server, text, size_octets);
            error = *smtp_client_error(client);
        }
    }
    if (!sent) {
        fprintf(stderr, "tls message: %s\n", error.message);
    }
    smtp_client_free(client);
    smtp_server_free(server);
    free(text);
    return sent ? 0 : 1;
}
