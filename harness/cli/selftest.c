/* selftest.c - the main job: runs the scenarios one after the other and reports what held. Does not
 * know what a scenario does. */
#include "common/clock.h"
#include "harness/cli/options.h"
#include "harness/cli/verbs.h"
#include "harness/cli/whole_file.h"
#include "harness/nearest.h"
#include "harness/report/report.h"
#include "harness/selftest/scenarios.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define LIST_COLUMNS 80
#define RFC_WIDTH ((int)sizeof "5321 4.5.3.1.10" - 1)

struct selftest {
    struct smtp_cli_texts only;
    bool list, verbose, explain, tap, json;
    const char *junit;
};

static bool is_wanted(const struct selftest *selftest, const char *name)
{
    for (size_t i = 0; i < selftest->only.count; i++) {
        if (strcmp(selftest->only.items[i], name) == 0) {
            return true;
        }
    }
    return selftest->only.count == 0;
}

static int longest_name(void)
{
    size_t longest = 0;
    for (size_t i = 0; i < smtp_scenario_count(); i++) {
        size_t len = strlen(smtp_scenario_at(i)->name);
        longest = len > longest ? len : longest;
    }
    return (int)longest;
}

/** One row: the words of `about` go on below themselves where the line is full. */
static void list_row(int name_width, const char *name, const char *rfc, const char *about)
{
    int before = printf("%-*s  %-*s ", name_width, name, RFC_WIDTH, rfc[0] != '\0' ? rfc : "-");
    size_t column = (size_t)before;
    while (*about != '\0') {
        size_t len = strcspn(about, " ");
        if (column + 1 + len > LIST_COLUMNS) {
            printf("\n%*s", before, "");
            column = (size_t)before;
        }
        printf(" %.*s", (int)len, about);
        column += 1 + len;
        about += len + (about[len] == ' ');
    }
    printf("\n");
}

static void list(void)
{
    list_row(longest_name(), "SCENARIO", "RFC", "WHAT IT IS ABOUT");
    for (size_t i = 0; i < smtp_scenario_count(); i++) {
        const struct smtp_scenario *scenario = smtp_scenario_at(i);
        list_row(longest_name(), scenario->name, scenario->rfc, scenario->about);
    }
}

static void list_json(void)
{
    for (size_t i = 0; i < smtp_scenario_count(); i++) {
        const struct smtp_scenario *scenario = smtp_scenario_at(i);
        json_t *object = json_pack("{s:s, s:s, s:s}", "name", scenario->name, "rfc", scenario->rfc,
                                   "about", scenario->about);
        json_dumpf(object, stdout, JSON_COMPACT);
        printf("\n");
        json_decref(object);
    }
}

/** 0, or the exit status after complaining of a name that no scenario has. */
static int check_names(const char *program, const struct selftest *selftest)
{
    for (size_t n = 0; n < selftest->only.count; n++) {
        struct smtp_nearest nearest = {.typed = selftest->only.items[n]};
        bool found = false;
        for (size_t i = 0; i < smtp_scenario_count(); i++) {
            const char *name = smtp_scenario_at(i)->name;
            found = found || strcmp(name, nearest.typed) == 0;
            smtp_nearest_offer(&nearest, name);
        }
        if (!found && nearest.word != NULL) {
            return smtp_cli_wrong(program, "there is no scenario '%s'; did you mean '%s'?",
                                  nearest.typed, nearest.word);
        }
        if (!found) {
            return smtp_cli_wrong(program, "there is no scenario '%s'; --list names them",
                                  nearest.typed);
        }
    }
    return 0;
}

static bool run_one(struct smtp_report *report, const struct smtp_scenario *scenario, bool verbose)
{
    struct smtp_trial *trial = smtp_trial_new();
    if (trial == NULL) {
        return false;
    }
    uint64_t begin_ns = smtp_clock_now_ns();
    bool held = smtp_trial_run(trial, scenario);
    struct smtp_report_result result = {
        .name = scenario->name,
        .rfc = scenario->rfc,
        .outcome = held ? SMTP_REPORT_PASSED : SMTP_REPORT_FAILED,
        .elapsed_ns = smtp_clock_now_ns() - begin_ns,
        .detail = smtp_trial_detail(trial),
    };
    if (!held || verbose) {
        result.dialogues = smtp_trial_dialogues(trial, &result.dialogue_count);
    }
    if (held && smtp_trial_was_skipped(trial)) {
        result.outcome = SMTP_REPORT_SKIPPED;
    }
    smtp_report_add(report, &result);
    smtp_trial_free(trial);
    return true;
}

#define PROGRAM "smtp-harness selftest"

static int run_into(const struct selftest *selftest, struct smtp_report *also)
{
    struct smtp_report report = {
        .form = selftest->tap    ? &smtp_report_tap
                : selftest->json ? &smtp_report_json
                                 : &smtp_report_lines,
        .out = stdout,
        .colour = smtp_report_wants_colour(stdout),
        .explain = selftest->explain,
        .name = PROGRAM,
        .name_width = longest_name(),
        .also = also,
    };
    for (size_t i = 0; i < smtp_scenario_count(); i++) {
        report.planned += is_wanted(selftest, smtp_scenario_at(i)->name);
    }
    smtp_report_begin(&report);
    for (size_t i = 0; i < smtp_scenario_count(); i++) {
        const struct smtp_scenario *scenario = smtp_scenario_at(i);
        if (is_wanted(selftest, scenario->name) && !run_one(&report, scenario, selftest->verbose)) {
            fprintf(stderr, "smtp-harness: out of memory\n");
            return SMTP_EXIT_USAGE;
        }
    }
    return smtp_report_end(&report) ? SMTP_EXIT_HELD : SMTP_EXIT_NOT_HELD;
}

static int run(const struct selftest *selftest)
{
    if (selftest->junit == NULL) {
        return run_into(selftest, NULL);
    }
    struct smtp_cli_kept xml;
    if (!smtp_cli_keep(&xml)) {
        fprintf(stderr, PROGRAM ": out of memory\n");
        return SMTP_EXIT_USAGE;
    }
    struct smtp_report junit = {.form = &smtp_report_junit, .out = xml.stream, .name = PROGRAM};
    int status = run_into(selftest, &junit);
    bool whole = smtp_report_is_whole(&junit);
    return smtp_cli_put(PROGRAM, &xml, selftest->junit) && whole ? status : SMTP_EXIT_USAGE;
}

/** Shows `reader` the usage, whose options write to *selftest. */
static void use(struct selftest *selftest, smtp_cli_reader *reader, void *user)
{
    const struct smtp_cli_option options[] = {
        smtp_cli_flag(0, "list", &selftest->list, "names the scenarios, each with its RFC"),
        smtp_cli_texts("only", "NAME", &selftest->only, "runs this scenario; may be given again"),
        smtp_cli_flag('v', "verbose", &selftest->verbose,
                      "shows each dialogue, client left, server right"),
        smtp_cli_flag(0, "explain", &selftest->explain, "and says what each line means"),
        smtp_cli_flag(0, "tap", &selftest->tap, "tells the results in TAP version 13"),
        smtp_cli_flag(0, "json", &selftest->json, "tells the results as JSON, one object a line"),
        smtp_cli_text("junit", "FILE", &selftest->junit, "tells them as JUnit's XML, too"),
    };
    const struct smtp_cli_usage usage = {
        .program = PROGRAM,
        .about = "The main job: starts the server on a background thread, drives clients against\n"
                 "it, and compares every message captured. Exit status 0: all scenarios held.",
        .lone_word = "only",
        .examples = {PROGRAM, PROGRAM " --only ten-mebibytes -v",
                     PROGRAM " --json | jq -r 'select(.result == \"failed\").name'"},
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    reader(&usage, user);
}

static void describe(smtp_cli_reader *reader, void *user)
{
    struct selftest selftest = {.list = false};
    use(&selftest, reader, user);
}

static int run_verb(int argc, char **argv)
{
    struct selftest selftest = {.list = false};
    struct smtp_cli_line line = {argc, argv, SMTP_CLI_RUN};
    use(&selftest, smtp_cli_parse_line, &line);
    if (line.parsed != SMTP_CLI_RUN) {
        return line.parsed == SMTP_CLI_HELP ? SMTP_EXIT_HELD : SMTP_EXIT_USAGE;
    }
    selftest.verbose = selftest.verbose || selftest.explain;
    if (selftest.tap && selftest.json) {
        return smtp_cli_wrong(PROGRAM, "--tap and --json exclude each other");
    }
    if (selftest.list) {
        selftest.json ? list_json() : list();
        return SMTP_EXIT_HELD;
    }
    int wrong = check_names(PROGRAM, &selftest);
    return wrong != 0 ? wrong : run(&selftest);
}

const struct smtp_cli_verb smtp_verb_selftest = {
    .name = "selftest",
    .about = "the main job: a server, clients, every message compared",
    .run = run_verb,
    .describe = describe,
};
