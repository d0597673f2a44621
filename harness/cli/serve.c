/* serve.c - the server in the foreground, for clients in other processes, until SIGINT or SIGTERM.
 * Knows how the addresses are told (standard output, ready file) and how messages are printed. */
#include "common/error.h"
#include "harness/cli/options.h"
#include "harness/cli/verbs.h"
#include "server/smtp_server.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOP_MS 1000 /* for open transactions, when a signal came */
#define PROGRAM "smtp-harness serve"

struct serve {
    struct smtp_cli_texts listen;
    const char *ready_file;
    bool print;
    uint64_t size_limit, recipient_limit, line_limit, workers;
    unsigned bare_lf;
    struct smtp_server_options options;
    struct smtp_server *server;
};

static const char *const bare_lf_choices[] = {"refuse", "close", "accept", NULL};
static const enum smtp_server_bare_line_end bare_lf_meanings[] = {
    SMTP_BARE_REFUSE, SMTP_BARE_REFUSE_AND_CLOSE, SMTP_BARE_ACCEPT};

/* ---- messages ---- */

static void print_message(const struct smtp_message *message)
{
    size_t len = 0;
    const char *content = smtp_message_content(message, &len);
    flockfile(stdout); /* with several workers, one message at a time */
    printf("MAIL FROM:<%s>%s%s\n", smtp_message_reverse_path(message),
           smtp_message_mail_parameters(message)[0] != '\0' ? " " : "",
           smtp_message_mail_parameters(message));
    for (size_t i = 0; i < smtp_message_recipient_count(message); i++) {
        const char *parameters = smtp_message_rcpt_parameters(message, i);
        printf("RCPT TO:<%s>%s%s\n", smtp_message_forward_path(message, i),
               parameters[0] != '\0' ? " " : "", parameters);
    }
    printf("DATA %zu\n", len);
    fwrite(content, 1, len, stdout);
    printf("\n");
    fflush(stdout);
    funlockfile(stdout);
}

/** Prints, and lets go of the messages before this one: nobody looks into the mailbox here, so it
 *  need not grow. */
static enum smtp_server_verdict take_message(void *user,
                                             const struct smtp_server_session_info *session,
                                             struct smtp_message *message,
                                             struct smtp_server_reply *reply)
{
    (void)session;
    (void)reply;
    struct serve *serve = user;
    if (serve->print) {
        print_message(message);
    }
    smtp_mailbox_clear(smtp_server_mailbox(serve->server));
    return SMTP_ACCEPT;
}

/* ---- where it listens ---- */

static void write_url(const struct serve *serve, size_t i, const char *before, FILE *out)
{
    const char *address = smtp_server_address(serve->server, i);
    bool is_unix = strncmp(address, "unix:", 5) == 0;
    fprintf(out, "%s%s%s\n", before, is_unix ? "" : "smtp://", address);
}

static bool write_urls(const struct serve *serve, int fd)
{
    FILE *out = fdopen(fd, "w");
    if (out == NULL) {
        close(fd);
        return false;
    }
    for (size_t i = 0; smtp_server_address(serve->server, i) != NULL; i++) {
        write_url(serve, i, "", out);
    }
    bool written = fchmod(fd, 0644) == 0 && fflush(out) == 0;
    return fclose(out) == 0 && written;
}

/** Writes the file under another name in the same folder and then renames it, so that whoever sees
 *  it sees all of it. */
static bool write_ready_file(const struct serve *serve)
{
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.XXXXXX", serve->ready_file) < 0) {
        return false;
    }
    int fd = mkstemp(temporary);
    bool written = fd >= 0 && write_urls(serve, fd) && rename(temporary, serve->ready_file) == 0;
    if (!written) {
        fprintf(stderr, PROGRAM ": cannot write %s: %s\n", serve->ready_file,
                smtp_errno_text(errno));
        if (fd >= 0) {
            unlink(temporary);
        }
    }
    free(temporary);
    return written;
}

/** The file first: whoever reads the lines finds it there. */
static bool tell_addresses(const struct serve *serve)
{
    if (serve->ready_file != NULL && !write_ready_file(serve)) {
        return false;
    }
    for (size_t i = 0; smtp_server_address(serve->server, i) != NULL; i++) {
        write_url(serve, i, "listening on ", stdout);
    }
    if (fflush(stdout) != 0) {
        fprintf(stderr, PROGRAM ": cannot write to standard output: %s\n", smtp_errno_text(errno));
        return false;
    }
    return true;
}

/* ---- life ---- */

static int serve_until_signal(struct serve *serve)
{
    sigset_t signals;
    int received = 0;
    struct smtp_error error = {.status = SMTP_OK};
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before the server's threads: they inherit it */
    if (smtp_server_start(serve->server, &error) != SMTP_OK) {
        fprintf(stderr, PROGRAM ": %s\n", error.message);
        return SMTP_EXIT_USAGE;
    }
    if (!tell_addresses(serve)) {
        return SMTP_EXIT_USAGE;
    }
    sigwait(&signals, &received);
    if (serve->ready_file != NULL) {
        unlink(serve->ready_file);
    }
    smtp_server_stop(serve->server, STOP_MS);
    return SMTP_EXIT_HELD;
}

static int run(struct serve *serve)
{
    struct smtp_error error = {.status = SMTP_OK};
    if (serve->listen.count > 0) {
        serve->options.listen = serve->listen.items;
        serve->options.listen_count = serve->listen.count;
    }
    serve->options.limits.message_octets = serve->size_limit;
    serve->options.limits.recipients = (size_t)serve->recipient_limit;
    serve->options.limits.text_line_octets = (size_t)serve->line_limit;
    serve->options.workers = (unsigned)serve->workers;
    serve->options.bare_line_end = bare_lf_meanings[serve->bare_lf];
    serve->options.hooks.user = serve;
    serve->options.hooks.message = take_message;
    if (smtp_server_new(&serve->server, &serve->options, &error) != SMTP_OK) {
        return smtp_cli_wrong(PROGRAM, "%s", error.message);
    }
    int status = serve_until_signal(serve);
    smtp_server_free(serve->server);
    return status;
}

static enum smtp_cli_parsed parse(struct serve *serve, int argc, char **argv)
{
    const struct smtp_cli_option options[] = {
        smtp_cli_texts("listen", "ADDR", &serve->listen,
                       "[::1]:25, unix:PATH; more than once (127.0.0.1:0)"),
        smtp_cli_text("ready-file", "FILE", &serve->ready_file,
                      "the URLs, a line each, for as long as it listens"),
        smtp_cli_flag(0, "print", &serve->print, "prints every message: envelope, then content"),
        smtp_cli_text("hostname", "NAME", &serve->options.hostname,
                      "the name in the greeting (harness.test)"),
        smtp_cli_number("size-limit", &serve->size_limit, 0, INT64_MAX,
                        "octets of a message (33554432); 0: none"),
        smtp_cli_number("recipient-limit", &serve->recipient_limit, 0, UINT32_MAX,
                        "recipients of a message (100); 0: none"),
        smtp_cli_number("line-limit", &serve->line_limit, 0, UINT32_MAX,
                        "octets of a line with CRLF (1000); 0: none"),
        smtp_cli_number("workers", &serve->workers, 1, 64,
                        "loops, each on a thread of its own (1)"),
        smtp_cli_choice("bare-lf", "HOW", &serve->bare_lf, bare_lf_choices,
                        "a CR or LF alone: refuse, close or accept (refuse)"),
    };
    const struct smtp_cli_usage usage = {
        .program = PROGRAM,
        .about =
            "An SMTP server in the foreground: captures all mail and delivers none. Ends with\n"
            "exit status 0 at SIGINT or SIGTERM.",
        .examples = {"smtp-harness serve --listen 127.0.0.1:2525 --print",
                     "smtp-harness serve --ready-file /tmp/smtp.url &",
                     "smtp-harness serve --listen '[::1]:0' --listen unix:/tmp/smtp.socket"},
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    return smtp_cli_parse(&usage, argc, argv);
}

int smtp_verb_serve(int argc, char **argv)
{
    struct serve serve = {.listen.count = 0};
    smtp_server_options_init(&serve.options);
    serve.size_limit = serve.options.limits.message_octets;
    serve.recipient_limit = serve.options.limits.recipients;
    serve.line_limit = serve.options.limits.text_line_octets;
    serve.workers = serve.options.workers;
    enum smtp_cli_parsed parsed = parse(&serve, argc, argv);
    if (parsed != SMTP_CLI_RUN) {
        return parsed == SMTP_CLI_HELP ? SMTP_EXIT_HELD : SMTP_EXIT_USAGE;
    }
    return run(&serve);
}
