/* keep.c - the server under measurement, in a process of its own: the defaults, without limits
 * of recipients and size, and a mailbox that keeps every message. Prints its port; at SIGTERM what it holds: "messages N octets N".
 *     keep run       the program's own thread is the loop (smtp_server_run)
 *     keep thread    the loop has a thread of its own (smtp_server_start), as in a test
 *     keep nothing   as run, and the mailbox counts messages alone
 *     keep maildir D as nothing, and a durable receiver delivers into that directory
 * Knows: how to start, count and stop. Does not know: who sends. */
#include "server/smtp_receivers.h"
#include "server/smtp_server.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct smtp_server *server; /* for the signal handler; set before it is installed */

static void stop(int signal_number)
{
    (void)signal_number;
    smtp_server_request_stop(server);
}

static void print_port(void)
{
    printf("%u\n", (unsigned)smtp_server_port(server, 0));
    fflush(stdout);
}

/* It runs: from here on a signal can stop it. */
static void ready(void *user)
{
    struct sigaction action = {.sa_handler = stop};
    (void)user;
    sigaction(SIGTERM, &action, NULL);
    print_port();
}

static enum smtp_status keep_on_a_thread(struct smtp_error *error)
{
    sigset_t ends;
    int signal_number;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    enum smtp_status status = smtp_server_start(server, error);
    if (status == SMTP_OK) {
        print_port();
        sigwait(&ends, &signal_number);
        smtp_server_stop(server, 0);
    }
    return status;
}

/* Reads the messages themselves, so that what was answered 250 is shown to be there. */
static void print_what_it_holds(const struct smtp_mailbox *mailbox)
{
    uint64_t message_count = 0, octets = 0, captured = smtp_mailbox_captured(mailbox);
    if (captured > 0 && smtp_mailbox_count(mailbox) == 0) {
        printf("messages %" PRIu64 "\n", captured);
        return;
    }
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

static bool is_one_of(const char *way)
{
    return strcmp(way, "run") == 0 || strcmp(way, "thread") == 0 || strcmp(way, "nothing") == 0;
}

int main(int argc, char **argv)
{
    struct smtp_error error = {0};
    bool delivers = argc == 3 && strcmp(argv[1], "maildir") == 0;
    if (!delivers && (argc != 2 || !is_one_of(argv[1]))) {
        fprintf(stderr, "usage: keep run|thread|nothing|maildir DIRECTORY\n");
        return 2;
    }
    bool on_a_thread = strcmp(argv[1], "thread") == 0;
    bool nothing = delivers || strcmp(argv[1], "nothing") == 0;
    struct smtp_server_options options;
    struct smtp_server_hooks table;
    smtp_server_options_init(&options);
    options.limits.recipients = options.limits.message_octets = 0;
    options.mailbox = nothing ? SMTP_MAILBOX_DISCARD : SMTP_MAILBOX_KEEP;
    enum smtp_status status = SMTP_OK;
    if (delivers) {
        const struct smtp_maildir maildir = {.path = argv[2], .durable = true};
        status = smtp_receiver_maildir(&table, &maildir, &error);
        options.receivers = &table;
        options.receiver_count = 1;
    }
    if (status == SMTP_OK) {
        status = smtp_server_new(&server, &options, &error);
    }
    if (status == SMTP_OK) {
        status =
            on_a_thread ? keep_on_a_thread(&error) : smtp_server_run(server, ready, NULL, &error);
    }
    if (status != SMTP_OK) {
        fprintf(stderr, "keep: %s\n", error.message);
        return 1;
    }
    print_what_it_holds(smtp_server_mailbox(server));
    smtp_server_free(server);
    return 0;
}
