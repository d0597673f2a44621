/* debugging_server.c - the article's server on port 1025 with its debugging output: prints every
 * message it is sent and delivers none. Arguments: HOST PORT, by default 127.0.0.1 1025 (port 0: a
 * free one). SIGINT or SIGTERM ends it. The caller's thread is the server's loop: a program of its
 * own. */
#include "smtp_receivers.h"

#include <signal.h>
#include <stdio.h>

static struct smtp_server *running; /* for the signal handler; set once, before it is installed */

static void stop(int signal_number)
{
    (void)signal_number;
    smtp_server_request_stop(running);
}

/** It runs: from here on a signal can stop it. */
static void tell(void *user)
{
    struct sigaction action = {.sa_handler = stop};
    (void)user;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    printf("listening on %s\n", smtp_server_address(running, 0));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char address[320];
    const char *listen[] = {address};
    struct smtp_server_options options;
    struct smtp_server_hooks print;
    struct smtp_error error;
    snprintf(address, sizeof address, "%s:%s", argc > 1 ? argv[1] : "127.0.0.1",
             argc > 2 ? argv[2] : "1025");
    smtp_server_options_init(&options);
    options.listen = listen;
    options.listen_count = 1;
    options.receivers = &print;
    options.receiver_count = 1;
    options.mailbox = SMTP_MAILBOX_DISCARD;
    if (smtp_receiver_print(&print, stdout, &error) != SMTP_OK ||
        smtp_server_new(&running, &options, &error) != SMTP_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    enum smtp_status status = smtp_server_run(running, tell, NULL, &error);
    if (status != SMTP_OK) {
        fprintf(stderr, "%s\n", error.message);
    }
    signal(SIGINT, SIG_DFL); /* there is nothing left for the handler to stop */
    signal(SIGTERM, SIG_DFL);
    smtp_server_free(running);
    return status == SMTP_OK ? 0 : 1;
}
