/* stream.c - the program: `stream one|many PORT MESSAGES SIZE`, the library's client sending messages over
 * one session to whoever listens there, each waited for (smtp_client_send) or as a stream
 * (smtp_client_send_many). Prints one line: messages, seconds, messages a second. Knows: its arguments and
 * the clock. Does not know: what the server does with them. */
#include "client/smtp_client.h"
#include "common/bytes.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MAX_OCTETS 1048576

struct load {
    uint64_t port;
    uint64_t count;
    uint64_t size;
    bool many;
    char *text;
    size_t refused;
};

static const char *const to[] = {"bob@example.com"};
static const struct smtp_envelope envelope = {
    .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};

static bool give_next(void *user, size_t index, struct smtp_outgoing *message)
{
    const struct load *load = user;
    message->envelope = envelope;
    message->content = smtp_content_memory(load->text, load->size);
    return index < load->count;
}

static void take_result(void *user, size_t index, const struct smtp_send_result *result)
{
    struct load *load = user;
    (void)index;
    load->refused += result->status != SMTP_OK;
}

static enum smtp_status send_all(struct smtp_client *client, struct load *load)
{
    if (load->many) {
        return smtp_client_send_many(client, give_next, take_result, load);
    }
    enum smtp_status status = SMTP_OK;
    for (uint64_t i = 0; i < load->count && status == SMTP_OK; i++) {
        status =
            smtp_client_send(client, &envelope, smtp_content_memory(load->text, load->size), NULL);
    }
    return status;
}

static int run(struct load *load)
{
    struct smtp_client *client = NULL;
    if (smtp_client_new(&client, NULL) != SMTP_OK) {
        return 1;
    }
    enum smtp_status status = smtp_client_connect(client, "127.0.0.1", (uint16_t)load->port);
    status = status == SMTP_OK ? smtp_client_hello(client) : status;
    uint64_t began_ns = smtp_clock_now_ns();
    status = status == SMTP_OK ? send_all(client, load) : status;
    double seconds = (double)(smtp_clock_now_ns() - began_ns) / 1e9;
    if (status == SMTP_OK) {
        printf("messages %llu seconds %.3f messages/s %.0f\n", (unsigned long long)load->count,
               seconds, (double)load->count / seconds);
        (void)smtp_client_quit(client);
    } else {
        fprintf(stderr, "stream: %s\n", smtp_client_error(client)->message);
    }
    smtp_client_free(client);
    return status == SMTP_OK && load->refused == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct load load = {0};
    if (argc != 5 || (strcmp(argv[1], "one") != 0 && strcmp(argv[1], "many") != 0) ||
        !smtp_span_to_u64(smtp_span_of(argv[2]), UINT16_MAX, &load.port) ||
        !smtp_span_to_u64(smtp_span_of(argv[3]), UINT64_MAX, &load.count) ||
        !smtp_span_to_u64(smtp_span_of(argv[4]), SIZE_MAX_OCTETS, &load.size) || load.size < 2) {
        fputs("usage: stream one|many PORT MESSAGES SIZE\n", stderr);
        return 2;
    }
    load.many = strcmp(argv[1], "many") == 0;
    load.text = malloc(load.size);
    if (load.text == NULL) {
        return 1;
    }
    for (size_t i = 0; i < load.size; i++) { /* lines of 70 octets and CRLF */
        size_t left = load.size - i;
        load.text[i] = left % 72 == 1 ? '\n' : left % 72 == 2 ? '\r' : 'm';
    }
    int status = run(&load);
    free(load.text);
    return status;
}
