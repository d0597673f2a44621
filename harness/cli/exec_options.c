/* exec_options.c - see exec_options.h. */
#include "harness/cli/exec_options.h"

#include "harness/expect.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM SMTP_EXEC_PROGRAM

#define MAIL_ROWS 5
#define RESULT_ROWS 8
#define OWN_ROWS (MAIL_ROWS + RESULT_ROWS)

#define WAIT_S 5 /* as smtp_harness_options.wait_ms */
#define SECONDS_MAX (UINT64_C(365) * 24 * 60 * 60)

static void add_mail_rows(struct smtp_exec_options *options, struct smtp_cli_option rows[MAIL_ROWS])
{
    rows[0] = smtp_cli_heading("What is expected of COMMAND:");
    rows[1] = smtp_cli_texts("expect", "NOTATION", &options->expect,
                             "like 'to=bob@example.com subject~\"^Hi\" count=1';\n"
                             "more than once");
    rows[2] = smtp_cli_flag(0, "none", &options->none, "that it sends no mail");
    rows[3] = smtp_cli_number("wait", &options->wait_s, 0, SECONDS_MAX,
                              "seconds for mail after COMMAND has ended (5)");
    rows[4] = smtp_cli_number("timeout", &options->timeout_s, 1, SECONDS_MAX,
                              "seconds for COMMAND, then it is killed (none)");
}

static void add_result_rows(struct smtp_exec_options *options,
                            struct smtp_cli_option rows[RESULT_ROWS])
{
    rows[0] = smtp_cli_heading("How results are told (on standard error):");
    rows[1] = smtp_cli_flag(0, "tap", &options->tap, "in TAP version 13");
    rows[2] = smtp_cli_flag(0, "json", &options->json,
                            "as JSON, an object a line: messages, results, sum");
    rows[3] = smtp_cli_text("report", "FILE", &options->report,
                            "into it instead; \"-\" is standard output");
    rows[4] = smtp_cli_text("junit", "FILE", &options->junit, "into it as JUnit's XML, too");
    rows[5] = smtp_cli_flag('v', "verbose", &options->verbose,
                            "shows each dialogue, client left, server right");
    rows[6] = smtp_cli_flag(0, "explain", &options->explain, "and says what each line means");
    rows[7] = smtp_cli_text("save", "DIR", &options->save,
                            "message-N.eml, its envelope message-N.json, and\n"
                            "dialogues session-N.smtp");
}

void smtp_exec_options_use(struct smtp_exec_options *options, smtp_cli_reader *reader, void *user)
{
    struct smtp_cli_option rows[OWN_ROWS + SMTP_CLI_SERVER_ROWS];
    *options = (struct smtp_exec_options){
        .wait_s = WAIT_S,
        .command = {.name = "-- COMMAND [ARG]...", .min = 1, .max = SIZE_MAX, .end_options = true}};
    add_mail_rows(options, rows);
    add_result_rows(options, rows + MAIL_ROWS);
    smtp_cli_server_options_use(&options->common, PROGRAM, rows + OWN_ROWS);
    const struct smtp_cli_usage usage = {
        .program = PROGRAM,
        .about = "Runs COMMAND beside a server, which it finds in SMTP_HOST SMTP_PORT SMTP_URL\n"
                 "SMTP_CA_FILE SMTP_USER SMTP_PASSWORD or by {host} {port} {url} {cafile}. Ends\n"
                 "with its status where it failed (124: --timeout); 1: not held; 2: not run.",
        .words = &options->command,
        .first = "expect none wait timeout junit verbose save auth fault",
        .examples = {PROGRAM " --expect 'to=bob@example.com count=1' -- ./notify bob",
                     PROGRAM " --none --tap --timeout 60 -- make test",
                     PROGRAM " --fault 'rcpt: close once' -- swaks -s {host}:{port} -t b@x"},
        .options = rows,
        .option_count = sizeof rows / sizeof *rows,
    };
    reader(&usage, user);
}

static bool can_be_read(const char *notation)
{
    struct smtp_harness_expectation *expectation = NULL;
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    enum smtp_status status = smtp_harness_expectation_parse(notation, &expectation, &lines);
    char *why = smtp_harness_lines_take(&lines);
    if (status == SMTP_OK) {
        smtp_harness_expectation_free(expectation);
    } else {
        const char *said = status == SMTP_BAD_ARGUMENT && why != NULL ? why : "out of memory\n";
        smtp_cli_wrong(PROGRAM, "--expect: %.*s", (int)strlen(said) - 1, said);
    }
    free(why);
    return status == SMTP_OK;
}

static bool is_output(const char *file)
{
    return file != NULL && strcmp(file, "-") == 0;
}

bool smtp_exec_options_check(const struct smtp_exec_options *options)
{
    const struct {
        bool both;
        const char *one, *other;
    } pairs[] = {{options->tap && options->json, "tap", "json"},
                 {options->none && options->expect.count > 0, "none", "expect"},
                 {is_output(options->report) && is_output(options->junit), "report -", "junit -"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (pairs[i].both) {
            smtp_cli_wrong(PROGRAM, "--%s and --%s exclude each other", pairs[i].one,
                           pairs[i].other);
            return false;
        }
    }
    for (size_t i = 0; i < options->expect.count; i++) {
        if (!can_be_read(options->expect.items[i])) {
            return false;
        }
    }
    return true;
}
