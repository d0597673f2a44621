/* simulate.c - the verb: runs the simulation and tells what came of it. What it simulates is in harness/simulate/. */
#include "harness/simulate/simulate.h"

#include "common/clock.h"
#include "harness/cli/verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define PROGRAM "smtp-harness simulate"
#define RUNS_DEFAULT 20000
#define NO_RUN UINT64_MAX
#define DRAW_EVERY_NS UINT64_C(200000000)

struct options {
    uint64_t seed, runs, run;
    bool quiet;
};

static void use_options(struct options *options, smtp_cli_reader *reader, void *user)
{
    *options = (struct options){.seed = 1, .runs = RUNS_DEFAULT, .run = NO_RUN};
    const struct smtp_cli_option rows[] = {
        smtp_cli_number("seed", &options->seed, 0, UINT64_MAX, "of all that is by chance (1)"),
        smtp_cli_number("runs", &options->runs, 1, UINT64_MAX, "how many (20000)"),
        smtp_cli_number("run", &options->run, 0, NO_RUN - 1, "this one alone, told as a dialogue"),
        smtp_cli_flag('q', "quiet", &options->quiet, "no line while it runs"),
    };
    const struct smtp_cli_usage usage = {
        .program = PROGRAM,
        .about =
            "Lets both ends of SMTP talk over a simulated network and clock, and sees that\n"
            "no message is lost, doubled, changed or misreported, whatever befalls them. Each\n"
            "run is its seed and its number. Exit status 0: all held; 1: a run did not, and\n"
            "is shown; 2: it could not run.",
        .examples = {"smtp-harness simulate", "smtp-harness simulate --seed 7 --runs 1000000",
                     "smtp-harness simulate --seed 7 --run 4711"},
        .options = rows,
        .option_count = sizeof rows / sizeof *rows,
    };
    reader(&usage, user);
}

/* ---- while it runs ---- */

struct watch {
    uint64_t runs, begun_ns, drawn_ns;
};

static bool look(void *user, uint64_t done)
{
    struct watch *watch = user;
    uint64_t now_ns = smtp_clock_now_ns();
    if (now_ns - watch->drawn_ns >= DRAW_EVERY_NS) {
        double seconds = (double)(now_ns - watch->begun_ns) / 1e9;
        watch->drawn_ns = now_ns;
        fprintf(stderr, "\r%3.0f%%  %" PRIu64 " runs, %.0f/s\033[K",
                (double)done / (double)watch->runs * 100, done, (double)done / seconds);
        fflush(stderr);
    }
    return false;
}

static void print_counts(const struct smtp_sim_counts *counts, double seconds)
{
    printf("%" PRIu64 " runs in %.1f s (%.0f/s): %" PRIu64 " sessions, %" PRIu64 " messages\n",
           counts->runs, seconds, (double)counts->runs / seconds, counts->sessions,
           counts->messages);
    printf("messages: %" PRIu64 " in the mailbox, %" PRIu64 " refused, %" PRIu64
           " of which the client cannot know\n",
           counts->kept, counts->refused, counts->unknown);
    printf("befell them: %" PRIu64 " faults, %" PRIu64 " broken directions, %" PRIu64
           " handshakes, %" PRIu64 " deadlines\n",
           counts->faults, counts->breaks, counts->handshakes, counts->deadlines);
}

static int run_all(const struct options *options)
{
    struct watch watch = {.runs = options->runs, .begun_ns = smtp_clock_now_ns()};
    bool draws = !options->quiet && isatty(STDERR_FILENO);
    const struct smtp_simulation simulation = {
        .seed = options->seed, .runs = options->runs, .look = draws ? look : NULL, .user = &watch};
    struct smtp_simulation_result result;
    enum smtp_status status = smtp_simulate(&simulation, &result);
    double seconds = (double)(smtp_clock_now_ns() - watch.begun_ns) / 1e9;
    if (draws) {
        fprintf(stderr, "\r\033[K");
    }
    if (status == SMTP_OK && !result.held) {
        status = smtp_simulate_told(options->seed, result.failed_run, stdout, NULL);
    }
    if (status != SMTP_OK) {
        return smtp_cli_failed(PROGRAM, "%s", smtp_status_text(status));
    }
    print_counts(&result.counts, seconds);
    if (!result.held) {
        printf("seed %" PRIu64 ", run %" PRIu64 " did not hold: %s\nagain: smtp-harness simulate "
               "--seed %" PRIu64 " --run %" PRIu64 "\n",
               options->seed, result.failed_run, result.breach, options->seed, result.failed_run);
    }
    return result.held ? SMTP_EXIT_HELD : SMTP_EXIT_NOT_HELD;
}

static int run_one(const struct options *options)
{
    bool held = false;
    enum smtp_status status = smtp_simulate_told(options->seed, options->run, stdout, &held);
    if (status != SMTP_OK) {
        return smtp_cli_failed(PROGRAM, "%s", smtp_status_text(status));
    }
    return held ? SMTP_EXIT_HELD : SMTP_EXIT_NOT_HELD;
}

static int run(int argc, char **argv)
{
    struct options options;
    struct smtp_cli_line line = {.argc = argc, .argv = argv};
    use_options(&options, smtp_cli_parse_line, &line);
    if (line.parsed != SMTP_CLI_RUN) {
        return line.parsed == SMTP_CLI_HELP ? SMTP_EXIT_HELD : SMTP_EXIT_USAGE;
    }
    int exit_status = options.run != NO_RUN ? run_one(&options) : run_all(&options);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return smtp_cli_failed(PROGRAM, "what came of it cannot be written");
    }
    return exit_status;
}

static void describe(smtp_cli_reader *reader, void *user)
{
    struct options options;
    use_options(&options, reader, user);
}

const struct smtp_cli_verb smtp_verb_simulate = {
    .name = "simulate",
    .about = "lets both ends talk over a simulated network, from a seed",
    .run = run,
    .describe = describe,
};
