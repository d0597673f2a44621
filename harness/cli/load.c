/* load.c - the verb: runs a load, or adds up what others came to, and tells it. The parts are in load_options.c and
 * harness/load/. */
#include "common/error.h"
#include "harness/cli/load_options.h"
#include "harness/cli/verbs.h"
#include "harness/cli/whole_file.h"
#include "harness/load/figures.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM SMTP_LOAD_PROGRAM
#define BAR_WIDTH 30
#define GRACE_NS UINT64_C(5000000000)

/* ---- while it runs ---- */

struct watch {
    struct smtp_load *load;
    sigset_t ends; /* the signals that end it; blocked in all threads, and looked for here */
    bool draws, stopped, is_cut;
    uint64_t stopped_ns;
    uint64_t answered, at_ns; /* when it was drawn last */
};

static void draw(struct watch *watch)
{
    uint64_t answered = smtp_load_answered(watch->load), at_ns = smtp_load_elapsed_ns(watch->load);
    double seconds = (double)(at_ns - watch->at_ns) / 1e9;
    double part = smtp_load_progress(watch->load);
    char bar[BAR_WIDTH + 1] = "";
    for (int i = 0; i < BAR_WIDTH; i++) {
        bar[i] = i < (int)(part * BAR_WIDTH) ? '#' : '.';
    }
    fprintf(stderr, "\r[%s] %3d%%  %.0f messages, %.0f/s\033[K", bar, (int)(part * 100),
            (double)answered, seconds > 0 ? (double)(answered - watch->answered) / seconds : 0);
    fflush(stderr);
    watch->answered = answered;
    watch->at_ns = at_ns;
}

/** The first signal ends the load as soon as what is on its way is answered; another, or GRACE_NS later, ends it at once;
 *  both with the figures so far. The next one ends the program. */
static void look(void *user, const struct smtp_load *load)
{
    static const struct timespec at_once = {0, 0};
    struct watch *watch = user;
    uint64_t now_ns = smtp_load_elapsed_ns(load);
    bool signalled = !watch->is_cut && sigtimedwait(&watch->ends, NULL, &at_once) > 0;
    if (signalled && !watch->stopped) {
        watch->stopped = true;
        watch->stopped_ns = now_ns;
        smtp_load_stop(watch->load);
    } else if (watch->stopped && !watch->is_cut &&
               (signalled || now_ns - watch->stopped_ns >= GRACE_NS)) {
        watch->is_cut = true;
        smtp_load_cut(watch->load);
        pthread_sigmask(SIG_UNBLOCK, &watch->ends, NULL);
    }
    if (watch->draws) {
        draw(watch);
    }
}

static enum smtp_status run_watched(struct smtp_load *load, bool quiet,
                                    struct smtp_load_result *result, struct smtp_error *error)
{
    struct watch watch = {.load = load, .draws = !quiet && isatty(STDERR_FILENO)};
    sigemptyset(&watch.ends);
    sigaddset(&watch.ends, SIGINT);
    sigaddset(&watch.ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &watch.ends, NULL);
    enum smtp_status status = smtp_load_run(load, look, &watch, result, error);
    pthread_sigmask(SIG_UNBLOCK, &watch.ends, NULL);
    if (watch.draws) {
        fprintf(stderr, "\r\033[K");
    }
    return status;
}

/* ---- what it came to ---- */

static bool plot(const char *path, const struct smtp_load_figures *figures)
{
    struct smtp_cli_kept kept;
    if (path == NULL) {
        return true;
    }
    if (!smtp_cli_keep(&kept)) {
        fprintf(stderr, PROGRAM ": out of memory\n");
        return false;
    }
    smtp_load_draw(kept.stream, figures);
    return smtp_cli_put(PROGRAM, &kept, path);
}

static int tell(const struct smtp_load_options *options, const struct smtp_load_figures *figures)
{
    bool told = true;
    if (options->json) {
        told = smtp_load_print_json(stdout, figures);
    } else {
        smtp_load_print(stdout, figures);
    }
    if (fflush(stdout) != 0 || ferror(stdout) || !told) {
        return smtp_cli_failed(PROGRAM, "the figures cannot be written");
    }
    if (!plot(options->plot, figures)) {
        return SMTP_EXIT_USAGE;
    }
    return smtp_load_held(figures) ? SMTP_EXIT_HELD : SMTP_EXIT_NOT_HELD;
}

/* ---- running ---- */

/** Both ends, or one. */
struct ends {
    struct smtp_load_own *own;
    struct smtp_load *load;
    struct smtp_tally accepted;
};

static enum smtp_status make_ends(struct ends *ends, struct smtp_load_options *options,
                                  struct smtp_error *error)
{
    enum smtp_status status = SMTP_OK;
    if (options->own) {
        const struct smtp_load_own_options own = smtp_load_options_own(options);
        status = smtp_load_own_start(&ends->own, &own, error);
    }
    if (status == SMTP_OK && options->own) {
        const char *ca_pem = smtp_load_own_ca_pem(ends->own);
        options->target.host = smtp_load_own_host(ends->own);
        options->target.port = 0;
        if (*ca_pem != '\0') {
            options->client.client.tls.ca_pem = ca_pem;
            options->client.client.tls.ca_file = NULL;
        }
    }
    return status == SMTP_OK ? smtp_load_new(&ends->load, &options->plan,
                                             options->own ? &ends->accepted : NULL, error)
                             : status;
}

/** Our own end is stopped first, so that nothing more arrives. */
static struct smtp_load_verification verify(struct ends *ends)
{
    if (ends->own == NULL) {
        return (struct smtp_load_verification){.verified = false};
    }
    smtp_load_own_stop(ends->own);
    const struct smtp_tally *arrived = smtp_load_own_arrived(ends->own);
    return (struct smtp_load_verification){
        .verified = true,
        .arrived = arrived->count,
        .lost = smtp_tally_missing(&ends->accepted, arrived),
        .again = arrived->again,
        .damaged = smtp_load_own_damaged(ends->own),
        .unasked = smtp_tally_missing(arrived, &ends->accepted),
    };
}

/** A session is a descriptor, and two where both ends are here. */
static void allow_many_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int run(struct smtp_load_options *options)
{
    char about[512];
    allow_many_descriptors();
    struct smtp_error error = {.status = SMTP_OK};
    struct ends *ends = calloc(1, sizeof *ends);
    struct smtp_load_result *result = calloc(1, sizeof *result);
    if (ends == NULL || result == NULL) {
        free(result);
        free(ends);
        return smtp_cli_failed(PROGRAM, "out of memory");
    }
    enum smtp_status status = make_ends(ends, options, &error);
    if (status == SMTP_OK) {
        status = run_watched(ends->load, options->quiet, result, &error);
    }
    int exit_status = SMTP_EXIT_USAGE;
    if (status == SMTP_OK && result->sent == 0 && options->warm_up_s > 0) {
        exit_status =
            smtp_cli_failed(PROGRAM, "no message was begun after --warm-up: nothing was measured");
    } else if (status == SMTP_OK) {
        smtp_load_options_describe(options, about, sizeof about);
        const struct smtp_load_figures figures = {
            .result = result, .verification = verify(ends), .about = about};
        exit_status = tell(options, &figures);
    } else {
        fprintf(stderr, PROGRAM ": %s\n", error.message);
    }
    smtp_load_free(ends->load);
    smtp_load_own_free(ends->own);
    smtp_tally_clear(&ends->accepted);
    smtp_load_result_clear(result);
    free(result);
    free(ends);
    return exit_status;
}

static int merge(const struct smtp_load_options *options)
{
    struct smtp_error error;
    struct smtp_load_verification seen = {.verified = false};
    struct smtp_load_result *result = calloc(1, sizeof *result);
    if (result == NULL) {
        return smtp_cli_failed(PROGRAM, "out of memory");
    }
    int status = options->words.count > 0
                     ? 0
                     : smtp_cli_wrong(PROGRAM, "--merge takes files that --json was printed into");
    for (size_t i = 0; i < options->words.count && status == 0; i++) {
        if (smtp_load_read_json(options->words.items[i], result, &seen, &error) != SMTP_OK) {
            status = smtp_cli_wrong(PROGRAM, "%s", error.message);
        }
    }
    if (status == 0) {
        const struct smtp_load_figures figures = {
            .result = result, .verification = seen, .about = ""};
        status = tell(options, &figures);
    }
    smtp_load_result_clear(result);
    free(result);
    return status;
}

static void describe(smtp_cli_reader *reader, void *user)
{
    struct smtp_load_options options;
    smtp_load_options_use(&options, reader, user);
}

static int run_verb(int argc, char **argv)
{
    struct smtp_load_options options;
    struct smtp_cli_line line = {argc, argv, SMTP_CLI_RUN};
    smtp_load_options_use(&options, smtp_cli_parse_line, &line);
    if (line.parsed != SMTP_CLI_RUN) {
        return line.parsed == SMTP_CLI_HELP ? SMTP_EXIT_HELD : SMTP_EXIT_USAGE;
    }
    int status = options.merge ? 0 : smtp_load_options_apply(&options);
    if (status == 0) {
        status = options.merge ? merge(&options) : run(&options);
    }
    smtp_load_options_clear(&options);
    return status;
}

const struct smtp_cli_verb smtp_verb_load = {
    .name = "load",
    .about = "sends many messages at once, and tells how long it took",
    .run = run_verb,
    .describe = describe,
};
