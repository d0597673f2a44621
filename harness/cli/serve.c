/* serve.c - the server in the foreground, for clients in other processes, until SIGINT or SIGTERM.
 * Knows how the addresses are told (standard output, ready file). */
#include "common/error.h"
#include "harness/cli/serve_options.h"
#include "harness/cli/verbs.h"
#include "harness/cli/whole_file.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STOP_MS 1000 /* for open transactions, when a signal came */
#define PROGRAM SMTP_SERVE_PROGRAM

struct serve {
    struct smtp_serve_options options;
    struct smtp_server *server;
};

/* ---- where it listens ---- */

static void write_url(const struct serve *serve, size_t i, const char *before, FILE *out)
{
    const char *address = smtp_server_address(serve->server, i);
    const char *scheme = smtp_server_is_lmtp(serve->server, i)           ? "lmtp://"
                         : strncmp(address, "unix:", 5) == 0             ? ""
                         : smtp_server_is_implicit_tls(serve->server, i) ? "smtps://"
                                                                         : "smtp://";
    fprintf(out, "%s%s%s\n", before, scheme, address);
}

static void write_urls(const struct serve *serve, const char *before, FILE *out)
{
    for (size_t i = 0; smtp_server_address(serve->server, i) != NULL; i++) {
        write_url(serve, i, before, out);
    }
}

static bool write_ready_file(const struct serve *serve)
{
    char *urls = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&urls, &len);
    if (out != NULL) {
        write_urls(serve, "", out);
    }
    bool written = out != NULL && fclose(out) == 0 &&
                   smtp_cli_write_file(PROGRAM, serve->options.ready_file, urls);
    free(urls);
    return written;
}

static bool write_ca_file(const struct serve *serve)
{
    const char *pem = smtp_server_ca_pem(serve->server);
    if (pem[0] == '\0') {
        fprintf(stderr, PROGRAM ": the certificate cannot be made\n");
        return false;
    }
    return smtp_cli_write_file(PROGRAM, serve->options.ca_file_out, pem);
}

/** The files first: whoever reads the lines finds them there, and whoever waits for the ready file
 *  finds the authority's. */
static bool tell_addresses(const struct serve *serve)
{
    if (serve->options.ca_file_out != NULL && !write_ca_file(serve)) {
        return false;
    }
    if (serve->options.ready_file != NULL && !write_ready_file(serve)) {
        return false;
    }
    write_urls(serve, "listening on ", stdout);
    if (fflush(stdout) != 0) {
        fprintf(stderr, PROGRAM ": cannot write to standard output: %s\n", smtp_errno_text(errno));
        return false;
    }
    return true;
}

static void take_files_away(const struct serve *serve)
{
    if (serve->options.ready_file != NULL) {
        unlink(serve->options.ready_file);
    }
    if (serve->options.ca_file_out != NULL) {
        unlink(serve->options.ca_file_out);
    }
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
        take_files_away(serve);
        return SMTP_EXIT_USAGE;
    }
    sigwait(&signals, &received);
    take_files_away(serve);
    smtp_server_stop(serve->server, STOP_MS);
    return SMTP_EXIT_HELD;
}

/** The server, which has the receivers then; NULL: what is wrong is said. */
static struct smtp_server *make_server(struct smtp_serve_options *options)
{
    struct smtp_server *server = NULL;
    struct smtp_error error = {.message = ""};
    if (!smtp_serve_options_apply(options)) {
        smtp_cli_server_options_release_tables(&options->common);
        return NULL;
    }
    if (smtp_server_new(&server, &options->common.server, &error) != SMTP_OK) {
        smtp_cli_server_options_release_tables(&options->common);
        smtp_cli_wrong(PROGRAM, "%s", error.message);
        return NULL;
    }
    return server;
}

static int run(struct serve *serve)
{
    serve->server = make_server(&serve->options);
    smtp_serve_options_clear(&serve->options);
    if (serve->server == NULL) {
        return SMTP_EXIT_USAGE;
    }
    int status = serve_until_signal(serve);
    smtp_server_free(serve->server);
    return status;
}

static void describe(smtp_cli_reader *reader, void *user)
{
    struct smtp_serve_options options;
    smtp_serve_options_use(&options, reader, user);
}

static int run_verb(int argc, char **argv)
{
    struct serve serve = {.server = NULL};
    struct smtp_cli_line line = {argc, argv, SMTP_CLI_RUN};
    smtp_serve_options_use(&serve.options, smtp_cli_parse_line, &line);
    if (line.parsed != SMTP_CLI_RUN) {
        return line.parsed == SMTP_CLI_HELP ? SMTP_EXIT_HELD : SMTP_EXIT_USAGE;
    }
    return run(&serve);
}

const struct smtp_cli_verb smtp_verb_serve = {
    .name = "serve",
    .about = "an SMTP server in the foreground, until SIGINT or SIGTERM",
    .run = run_verb,
    .describe = describe,
};
