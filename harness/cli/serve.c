/* serve.c - the server on its own, for clients in other processes, from its start to its end. */
#include "common/error.h"
#include "harness/cli/serve_background.h"
#include "harness/cli/serve_options.h"
#include "harness/cli/verbs.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM SMTP_SERVE_PROGRAM
#define UNIX_PREFIX "unix:"
#define POOL_THREADS "32" /* of libuv's 4, as many hung relays would leave none to all others */

struct serve {
    struct smtp_serve_options options;
    struct smtp_server *server;
    int ready; /* in the background: who waits for it */
};

/* ---- faults ---- */

/** The plan and how often each of it was due so far. */
static void tell_faults(const struct serve *serve)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    if (serve->options.faults != NULL) {
        smtp_harness_faults_tell(serve->options.faults, &lines);
    }
    char *text = smtp_harness_lines_take(&lines);
    if (text != NULL && text[0] != '\0') {
        fprintf(stderr, PROGRAM ": faults:\n%s", text);
    }
    free(text);
}

/* ---- the end ---- */

/** Those that it made; a server that ends takes them away itself. */
static void take_sockets_away(const struct serve *serve)
{
    const char *address;
    for (size_t i = serve->options.activation.count;
         (address = smtp_server_address(serve->server, i)) != NULL; i++) {
        if (strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
            unlink(address + strlen(UNIX_PREFIX));
        }
    }
}

static void on_end(void *user, bool at_once)
{
    const struct serve *serve = user;
    if (!at_once) {
        smtp_serve_tell_no_more(&serve->options.tell);
        return;
    }
    take_sockets_away(serve);
    smtp_serve_tell_end(&serve->options.tell);
    tell_faults(serve);
    fprintf(stderr, PROGRAM ": stopped at once; sessions open: %zu\n",
            smtp_server_session_count(serve->server));
}

/** The exit status, and why it is not 0. */
static int judge(struct smtp_serve_life *life, enum smtp_serve_end end)
{
    uint64_t count = atomic_load(&life->messages);
    if (end == SMTP_SERVE_MUTE) {
        fprintf(stderr, PROGRAM ": cannot write to standard output: %s; ends\n",
                smtp_errno_text(atomic_load(&life->output_errno)));
        return SMTP_EXIT_NOT_HELD;
    }
    if (count < life->exit_after) {
        fprintf(stderr, PROGRAM ": ends after %" PRIu64 " of %" PRIu64 " messages\n", count,
                life->exit_after);
        return SMTP_EXIT_NOT_HELD;
    }
    return SMTP_EXIT_HELD;
}

/* ---- life ---- */

static int serve_until_end(struct serve *serve)
{
    struct smtp_serve_options *options = &serve->options;
    struct smtp_error error = {.status = SMTP_OK};
    if (smtp_server_start(serve->server, &error) != SMTP_OK) {
        fprintf(stderr, PROGRAM ": %s\n", error.message);
        return SMTP_EXIT_USAGE;
    }
    tell_faults(serve);
    smtp_serve_tell_wide(&options->tell, PROGRAM, serve->server);
    if (!smtp_serve_tell(&options->tell, PROGRAM, serve->server)) {
        return SMTP_EXIT_USAGE;
    }
    if (options->background &&
        !smtp_serve_background_ready(PROGRAM, serve->ready,
                                     options->receivers.json || options->receivers.print)) {
        smtp_serve_tell_no_more(&options->tell);
        smtp_serve_tell_end(&options->tell);
        return SMTP_EXIT_USAGE;
    }
    enum smtp_serve_end end = smtp_serve_life_run(&options->life, serve->server);
    smtp_serve_tell_end(&options->tell);
    tell_faults(serve);
    return judge(&options->life, end);
}

/** The server, which has the tables then; NULL: what is wrong is said. */
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
    if (options->faults != NULL) {
        smtp_harness_faults_use_server(options->faults, server);
    }
    return server;
}

static int run(struct serve *serve)
{
    struct smtp_serve_options *options = &serve->options;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is no other thread yet */
    (void)setenv("UV_THREADPOOL_SIZE", POOL_THREADS, 0); /* no thread reads it yet */
    options->life.ends = on_end;
    options->life.user = serve;
    if (!smtp_serve_life_begin(&options->life, PROGRAM)) {
        smtp_serve_options_clear(options);
        return SMTP_EXIT_USAGE;
    }
    serve->server = make_server(options);
    smtp_serve_options_clear(options);
    int status = serve->server != NULL ? serve_until_end(serve) : SMTP_EXIT_USAGE;
    smtp_server_free(serve->server);
    smtp_harness_faults_free(options->faults);
    smtp_serve_life_over(&options->life);
    return status;
}

/** What cannot be written is an error like others, not the end of the process. */
static void ignore_signals(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
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
    ignore_signals();
    if (!smtp_serve_activation_take(&serve.options.activation, PROGRAM)) {
        smtp_serve_options_clear(&serve.options);
        return SMTP_EXIT_USAGE;
    }
    int status = serve.options.background ? smtp_serve_background(PROGRAM, &serve.ready) : -1;
    if (status >= 0) {
        smtp_serve_options_clear(&serve.options);
        return status;
    }
    return run(&serve);
}

const struct smtp_cli_verb smtp_verb_serve = {
    .name = "serve",
    .about = "an SMTP server for other programs, until SIGINT or SIGTERM",
    .run = run_verb,
    .describe = describe,
};
