/* debugging_server.c - the article's server on port 1025 with its debugging output: prints every
 * message it is sent and delivers none. Arguments: HOST PORT, by default 127.0.0.1 1025 (port 0: a
 * free one). SIGINT or SIGTERM ends it. The caller's thread is the server's loop: a program of its
 * own. */
#include "smtp_server.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

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

/** The peer's address without its port. */
static void print_peer(const char *peer)
{
    const char *colon = strrchr(peer, ':');
    printf("X-Peer: %.*s\n", colon != NULL ? (int)(colon - peer) : (int)strlen(peer), peer);
}

/** Line by line; the first empty one ends the headers, and there the peer is named. */
static enum smtp_server_verdict print(void *user, const struct smtp_server_session_info *session,
                                      struct smtp_message *message, struct smtp_server_reply *reply)
{
    (void)user;
    (void)reply;
    size_t len = 0;
    const char *line = smtp_message_content(message, &len);
    const char *end = line + len;
    bool in_headers = true;
    printf("---------- MESSAGE FOLLOWS ----------\n");
    while (line < end) {
        const char *cr = memchr(line, '\r', (size_t)(end - line));
        size_t line_len = cr != NULL ? (size_t)(cr - line) : (size_t)(end - line);
        if (in_headers && line_len == 0) {
            print_peer(session->peer);
            in_headers = false;
        }
        fwrite(line, 1, line_len, stdout);
        putchar('\n');
        line += line_len + (cr != NULL ? 2 : 0);
    }
    printf("------------ END MESSAGE ------------\n");
    fflush(stdout);
    return SMTP_ACCEPT;
}

int main(int argc, char **argv)
{
    char address[320];
    const char *listen[] = {address};
    struct smtp_server_options options;
    struct smtp_error error;
    snprintf(address, sizeof address, "%s:%s", argc > 1 ? argv[1] : "127.0.0.1",
             argc > 2 ? argv[2] : "1025");
    smtp_server_options_init(&options);
    options.listen = listen;
    options.listen_count = 1;
    options.hooks.message = print;
    if (smtp_server_new(&running, &options, &error) != SMTP_OK) {
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
