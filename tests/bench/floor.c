/* floor.c - the program: `floor sink run|thread`, or `floor source [FROM>]PORT SESSIONS MESSAGES SIZE
 * step|pipelined|bdat`. Knows: its arguments; a thread for the sink, as a server in a test has one (in a
 * process of several threads the kernel counts every use of a descriptor). Does not know: how octets
 * move (floor_sink.c, floor_source.c). */
#include "tests/bench/floor.h"

#include "common/bytes.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int usage(void)
{
    fputs("usage: floor sink run|thread | floor source [FROM>]PORT SESSIONS MESSAGES SIZE "
          "step|pipelined|bdat\n",
          stderr);
    return 2;
}

static bool parse_load(char **words, struct floor_load *load)
{
    uint64_t port = 0, sessions = 0, messages = 0, size_octets = 0;
    char *before_port = strrchr(words[0], '>');
    if (before_port != NULL) {
        *before_port = '\0';
        load->from = words[0];
        words[0] = before_port + 1;
    }
    if (!smtp_span_to_u64(smtp_span_of(words[0]), UINT16_MAX, &port) ||
        !smtp_span_to_u64(smtp_span_of(words[1]), FLOOR_SESSIONS_MAX, &sessions) ||
        !smtp_span_to_u64(smtp_span_of(words[2]), UINT64_MAX, &messages) ||
        !smtp_span_to_u64(smtp_span_of(words[3]), FLOOR_SIZE_MAX, &size_octets)) {
        return false;
    }
    load->port = (uint16_t)port;
    load->session_count = (size_t)sessions;
    load->message_count = messages;
    load->size_octets = (size_t)size_octets;
    static const char *const ways[] = {"step", "pipelined", "bdat"};
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (strcmp(words[4], ways[i]) == 0) {
            load->way = i;
            return sessions > 0 && size_octets >= FLOOR_SIZE_MIN;
        }
    }
    return false;
}

static void *sink_thread(void *status)
{
    *(int *)status = floor_sink();
    return NULL;
}

static int sink_on_a_thread(void)
{
    pthread_t thread;
    int status = 1;
    if (pthread_create(&thread, NULL, sink_thread, &status) != 0) {
        fputs("floor: no thread\n", stderr);
        return 1;
    }
    pthread_join(thread, NULL);
    return status;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a peer that has gone is told by write() */
    if (argc == 3 && strcmp(argv[1], "sink") == 0) {
        bool on_a_thread = strcmp(argv[2], "thread") == 0;
        return on_a_thread                   ? sink_on_a_thread()
               : strcmp(argv[2], "run") == 0 ? floor_sink()
                                             : usage();
    }
    struct floor_load load = {0};
    if (argc != 7 || strcmp(argv[1], "source") != 0 || !parse_load(argv + 2, &load)) {
        return usage();
    }
    return floor_source(&load);
}
