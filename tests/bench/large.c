/* large.c - `large PORT OCTETS`: the client library sends one message of that size, drawn from a callback a block at a time,
 * over one session. Prints "seconds N peak_kib N": until the 250, and the most memory that this process had. Knows: lines.
 * Does not know: who takes the message. */
#include "client/smtp_client.h"
#include "common/bytes.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_OCTETS 72
#define LINES 1024

struct source {
    char lines[LINES * LINE_OCTETS];
    uint64_t left;
    size_t at; /* in the line that is next */
};

static void fill(struct source *source)
{
    memset(source->lines, 'm', sizeof source->lines);
    for (size_t end = LINE_OCTETS; end <= sizeof source->lines; end += LINE_OCTETS) {
        memcpy(source->lines + end - 2, "\r\n", 2);
    }
}

/* The last line ends as the others do, wherever the size cuts it: the client adds what is missing. */
static ssize_t draw(void *user, char *bytes, size_t capacity)
{
    struct source *source = user;
    size_t len = sizeof source->lines - source->at;
    len = len < capacity ? len : capacity;
    len = len < source->left ? len : (size_t)source->left;
    smtp_bytes_copy(bytes, (struct smtp_span){source->lines + source->at, len});
    source->at = (source->at + len) % LINE_OCTETS;
    source->left -= len;
    return (ssize_t)len;
}

static enum smtp_status send_all(struct smtp_client *client, uint16_t port, struct source *source)
{
    static const char *const to[] = {"bob@example.com"};
    const struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};
    enum smtp_status status = smtp_client_connect(client, "127.0.0.1", port);
    if (status == SMTP_OK) {
        status = smtp_client_send(client, &envelope, smtp_content_callback(draw, source), NULL);
    }
    return status;
}

/* Not getrusage's, which begins with what the process was a copy of. */
static long peak_kib(void)
{
    char line[128];
    long peak = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            peak = strtol(line + 6, NULL, 10);
        }
    }
    if (status != NULL) {
        fclose(status);
    }
    return peak;
}

int main(int argc, char **argv)
{
    static struct source source;
    struct smtp_client *client = NULL;
    uint64_t port = 0;
    if (argc != 3 || !smtp_span_to_u64(smtp_span_of(argv[1]), UINT16_MAX, &port) ||
        !smtp_span_to_u64(smtp_span_of(argv[2]), UINT64_MAX, &source.left)) {
        fputs("usage: large PORT OCTETS\n", stderr);
        return 2;
    }
    if (smtp_client_new(&client, NULL) != SMTP_OK) {
        return 1;
    }
    fill(&source);
    uint64_t begin_ns = smtp_clock_now_ns();
    enum smtp_status status = send_all(client, (uint16_t)port, &source);
    double seconds = (double)(smtp_clock_now_ns() - begin_ns) / 1e9;
    if (status == SMTP_OK) {
        printf("seconds %.3f peak_kib %ld\n", seconds, peak_kib());
    } else {
        fprintf(stderr, "large: %s\n", smtp_client_error(client)->message);
    }
    smtp_client_free(client);
    return status == SMTP_OK ? 0 : 1;
}
