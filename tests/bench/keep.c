/* keep.c - the server under measurement, in a process of its own: the defaults, and a mailbox that
 * keeps every message. Prints its port; when standard input ends, what it holds: "messages N octets
 * N". Knows: how to start, count and stop. Does not know: who sends. */
#include "server/smtp_server.h"

#include <inttypes.h>
#include <stdio.h>

static void wait_for_end_of_input(void)
{
    while (getchar() != EOF) {
    }
}

/* Reads the messages themselves, so that what was answered 250 is shown to be there. */
static void print_what_it_holds(const struct smtp_mailbox *mailbox)
{
    uint64_t message_count = 0, octets = 0, captured = smtp_mailbox_captured(mailbox);
    for (uint64_t number = 1; number <= captured; number++) {
        struct smtp_message *message = smtp_mailbox_get(mailbox, number);
        size_t size_octets = 0;
        if (message == NULL) {
            continue;
        }
        (void)smtp_message_content(message, &size_octets);
        smtp_message_release(message);
        message_count++;
        octets += size_octets;
    }
    printf("messages %" PRIu64 " octets %" PRIu64 "\n", message_count, octets);
}

int main(void)
{
    struct smtp_server *server = NULL;
    struct smtp_error error = {0};
    if (smtp_server_new(&server, NULL, &error) != SMTP_OK ||
        smtp_server_start(server, &error) != SMTP_OK) {
        fprintf(stderr, "keep: %s\n", error.message);
        smtp_server_free(server);
        return 1;
    }
    printf("%u\n", (unsigned)smtp_server_port(server, 0));
    fflush(stdout);
    wait_for_end_of_input();
    print_what_it_holds(smtp_server_mailbox(server));
    smtp_server_free(server);
    return 0;
}
