/* bulk.c - the client under measurement: many sessions on one loop (client/smtp_bulk.h), into whatever listens.
 *     bulk [FROM>]PORT SESSIONS MESSAGES OCTETS step|pipelined|stream|bdat [RECIPIENTS]
 * Prints "rate MESSAGES_A_SECOND", from the first message begun to the last answered, as the floor's source does. Knows: how
 * long it took. Does not know: who takes the messages. */
#include "client/smtp_bulk.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_OCTETS 72
#define ADDRESS_SIZE 40
#define HEADER "From: ann@example.com\r\nTo: bob@example.com\r\nSubject: bulk\r\n\r\n"

struct load {
    uint64_t message_count, begun, accepted;
    uint64_t first_ns, last_ns;
    char *content;
    size_t content_len;
    const char **to;
    size_t to_count;
};

static enum smtp_bulk_more next(void *user, struct smtp_bulk_message *message)
{
    struct load *load = user;
    if (load->begun == load->message_count) {
        return SMTP_BULK_NONE;
    }
    if (load->begun++ == 0) {
        load->first_ns = smtp_clock_now_ns();
    }
    message->outgoing.envelope = (struct smtp_envelope){.reverse_path = "ann@example.com",
                                                        .forward_paths = load->to,
                                                        .forward_path_count = load->to_count};
    message->outgoing.content = smtp_content_memory(load->content, load->content_len);
    return SMTP_BULK_MESSAGE;
}

static void sent(void *user, size_t place, const struct smtp_send_result *result)
{
    struct load *load = user;
    (void)place;
    load->accepted += result->status == SMTP_OK;
    if (load->accepted == load->message_count) {
        load->last_ns = smtp_clock_now_ns();
    }
}

static bool make_content(struct load *load, size_t octets)
{
    load->content = malloc(octets);
    load->content_len = octets;
    if (load->content == NULL || octets < sizeof HEADER + 2) {
        return false;
    }
    memset(load->content, 'x', octets);
    memcpy(load->content, HEADER, sizeof HEADER - 1);
    for (size_t at = sizeof HEADER - 1 + LINE_OCTETS; at < octets; at += LINE_OCTETS) {
        memcpy(load->content + at - 2, "\r\n", 2);
    }
    memcpy(load->content + octets - 2, "\r\n", 2);
    return true;
}

static bool make_recipients(struct load *load, size_t count)
{
    char *addresses = malloc(count * ADDRESS_SIZE);
    load->to = calloc(count, sizeof *load->to);
    load->to_count = count;
    if (addresses == NULL || load->to == NULL || count == 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        snprintf(addresses + i * ADDRESS_SIZE, ADDRESS_SIZE, "bob-%zu@example.com", i);
        load->to[i] = addresses + i * ADDRESS_SIZE;
    }
    return true;
}

/* where: a port, and before it the address to connect from, if not any. */
static enum smtp_status run(struct load *load, char *where, size_t sessions, const char *mode,
                            struct smtp_error *error)
{
    char *port = strrchr(where, '>');
    struct smtp_client_options client;
    smtp_client_options_init(&client);
    client.pipelining = strcmp(mode, "step") != 0;
    client.chunking = strcmp(mode, "bdat") == 0;
    if (port != NULL) {
        *port++ = '\0';
        client.source_address = where;
    }
    const struct smtp_client_target target = {
        .host = "127.0.0.1",
        .port = (uint16_t)strtoul(port != NULL ? port : where, NULL, 10),
        .options = &client};
    const struct smtp_bulk_options options = {
        .sessions = sessions,
        .in_flight = strcmp(mode, "stream") == 0 || strcmp(mode, "bdat") == 0 ? 64 : 1};
    const struct smtp_bulk_hooks hooks = {.next = next, .sent = sent, .user = load};
    struct smtp_bulk *bulk;
    enum smtp_status status = smtp_bulk_new(&bulk, &target, &options, &hooks, error);
    if (status == SMTP_OK) {
        status = smtp_bulk_run(bulk, error);
        smtp_bulk_free(bulk);
    }
    return status;
}

int main(int argc, char **argv)
{
    struct load load = {0};
    struct smtp_error error = {.status = SMTP_OK};
    if (argc < 6 || argc > 7 || !make_content(&load, strtoull(argv[4], NULL, 10)) ||
        !make_recipients(&load, argc == 7 ? strtoull(argv[6], NULL, 10) : 1)) {
        fprintf(stderr, "usage: bulk [FROM>]PORT SESSIONS MESSAGES OCTETS "
                        "step|pipelined|stream|bdat [RECIPIENTS]\n");
        return 2;
    }
    load.message_count = strtoull(argv[3], NULL, 10);
    enum smtp_status status = run(&load, argv[1], strtoull(argv[2], NULL, 10), argv[5], &error);
    double seconds = (double)(load.last_ns - load.first_ns) / 1e9;
    free((char *)(uintptr_t)load.to[0]);
    free(load.to);
    free(load.content);
    if (status != SMTP_OK || load.accepted != load.message_count) {
        fprintf(stderr, "bulk: %llu of %llu accepted: %s\n", (unsigned long long)load.accepted,
                (unsigned long long)load.message_count, error.message);
        return 1;
    }
    printf("rate %.0f\n", (double)load.accepted / seconds);
    return 0;
}
