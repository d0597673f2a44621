/* check.c - the verbs `check server` and `check client`: judge a peer, rule by rule, and tell. Do not know how a rule
 * is judged. */
#include "harness/cli/check_telling.h"
#include "harness/cli/verbs.h"
#include "harness/cli/whole_file.h"
#include "harness/conformance/visit.h"

static size_t planned(const struct smtp_check_line *line)
{
    size_t count = 0;
    for (size_t i = 0; smtp_rule_at(line->side, i) != NULL; i++) {
        count += smtp_rule_is_selected(smtp_rule_at(line->side, i)->id, line->only.items,
                                       line->only.count);
    }
    return count;
}

static int judge_all(const struct smtp_check_line *line, struct smtp_check_telling *telling)
{
    const struct smtp_suite suite = {.side = line->side,
                                     .options = &line->options,
                                     .prefixes = line->only.items,
                                     .prefix_count = line->only.count,
                                     .jobs = (unsigned)line->jobs,
                                     .tell = smtp_check_telling_add,
                                     .user = telling,
                                     .is_over = &telling->is_over};
    if (telling->report != NULL) {
        smtp_report_begin(telling->report);
    }
    enum smtp_status status = smtp_suite_run(&suite);
    if (telling->report != NULL) {
        smtp_report_end(telling->report);
    }
    if (status != SMTP_OK) {
        return smtp_cli_failed(line->program, "could not run: %s", smtp_status_name(status));
    }
    if (!smtp_check_telling_sum(telling)) {
        return smtp_cli_failed(line->program, "the results cannot be written");
    }
    const struct smtp_check_sum *sum = &telling->view.sum;
    size_t broken = sum->must_failed + (line->strict ? sum->should_failed : 0);
    return broken == 0 ? SMTP_EXIT_HELD : SMTP_EXIT_NOT_HELD;
}

static int judge_and_report(const struct smtp_check_line *line, struct smtp_check_telling *telling)
{
    struct smtp_cli_kept xml = {.stream = NULL};
    if (line->junit != NULL && !smtp_cli_keep(&xml)) {
        return smtp_cli_failed(line->program, "out of memory");
    }
    struct smtp_report junit = {
        .form = &smtp_report_junit, .out = xml.stream, .name = line->program};
    struct smtp_report tap = {.form = &smtp_report_tap,
                              .out = stdout,
                              .name = line->program,
                              .planned = planned(line),
                              .also = line->junit != NULL ? &junit : NULL};
    telling->report = line->tap ? &tap : line->junit != NULL ? &junit : NULL;
    int status = judge_all(line, telling);
    bool whole = line->junit == NULL || smtp_report_is_whole(&junit);
    const char *path = smtp_check_telling_is_interrupted(telling) ? NULL : line->junit;
    return smtp_cli_put(line->program, &xml, path) && whole ? status : SMTP_EXIT_USAGE;
}

/** The server can be talked to, or the command be run: else there is nothing to judge. */
static int look_at_peer(struct smtp_check_line *line, struct smtp_check_telling *telling)
{
    struct smtp_error error;
    enum smtp_status status =
        line->side == SMTP_RULE_SERVER
            ? smtp_suite_can_reach(&line->options, &error)
            : smtp_visit_abilities(&line->options, &line->options.abilities, &error);
    if (status == SMTP_OK) {
        return 0;
    }
    return smtp_check_telling_is_interrupted(telling)
               ? SMTP_EXIT_USAGE
               : smtp_cli_failed(line->program, "%s", error.message);
}

static int judge_peer(struct smtp_check_line *line)
{
    struct smtp_check_telling telling;
    if (!smtp_check_telling_begin(&telling, line)) {
        return smtp_cli_failed(line->program, "no thread can be had");
    }
    line->options.running = &telling.running;
    int status = look_at_peer(line, &telling);
    status = status == 0 ? judge_and_report(line, &telling) : status;
    line->options.running = NULL;
    smtp_check_telling_end(&telling);
    return status;
}

static int run_side(enum smtp_rule_side side, int argc, char **argv)
{
    struct smtp_check_line line;
    struct smtp_cli_line typed = {argc, argv, SMTP_CLI_RUN};
    smtp_check_line_use(&line, side, smtp_cli_parse_line, &typed);
    if (typed.parsed != SMTP_CLI_RUN) {
        return typed.parsed == SMTP_CLI_HELP ? SMTP_EXIT_HELD : SMTP_EXIT_USAGE;
    }
    line.verbose = line.verbose || line.explain;
    int status = smtp_check_line_apply(&line);
    if (status == 0 && line.list) {
        smtp_check_view_list(&line, stdout);
    } else if (status == 0) {
        status = judge_peer(&line);
    }
    smtp_check_line_clear(&line);
    return status;
}

static int run_server(int argc, char **argv)
{
    return run_side(SMTP_RULE_SERVER, argc, argv);
}

static int run_client(int argc, char **argv)
{
    return run_side(SMTP_RULE_CLIENT, argc, argv);
}

static void describe_server(smtp_cli_reader *reader, void *user)
{
    struct smtp_check_line line;
    smtp_check_line_use(&line, SMTP_RULE_SERVER, reader, user);
}

static void describe_client(smtp_cli_reader *reader, void *user)
{
    struct smtp_check_line line;
    smtp_check_line_use(&line, SMTP_RULE_CLIENT, reader, user);
}

const struct smtp_cli_verb smtp_verb_check_server = {
    .name = "check server",
    .about = "judges any server, rule by rule of the RFCs",
    .run = run_server,
    .describe = describe_server,
};

const struct smtp_cli_verb smtp_verb_check_client = {
    .name = "check client",
    .about = "judges any client that a command is",
    .run = run_client,
    .describe = describe_client,
};
