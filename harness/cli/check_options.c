/* check_options.c - see check_options.h. */
#include "harness/cli/check_options.h"

#include "common/address.h"
#include "common/secret.h"
#include "harness/cli/verbs.h"
#include "harness/cli/whole_file.h"
#include "harness/conformance/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LMTP_MARK "lmtp://" /* before a host of smtp_client_url */

#define RESULT_ROWS 9
#define BOTH_ROWS 8
#define SERVER_ROWS 10
#define CLIENT_ROWS 2
#define ROWS_MAX (RESULT_ROWS + BOTH_ROWS + SERVER_ROWS)

#define SECONDS_MAX (UINT64_C(24) * 60 * 60)
#define QUIET_MAX_MS 60000

static void add_result_rows(struct smtp_check_line *line, struct smtp_cli_option rows[RESULT_ROWS])
{
    rows[0] = smtp_cli_heading("What is judged, and how it is told:");
    rows[1] = smtp_cli_texts("only", "ID", &line->only,
                             "these rules: an id or what ids begin with, like\n"
                             "rfc5321/4.5; more than once");
    rows[2] = smtp_cli_flag(0, "list", &line->list, "names the rules and runs nothing");
    rows[3] = smtp_cli_flag(0, "strict", &line->strict, "SHOULD counts as MUST");
    rows[4] = smtp_cli_flag('v', "verbose", &line->verbose,
                            "shows every dialogue, not only of what failed");
    rows[5] = smtp_cli_flag(0, "explain", &line->explain, "and says what each line means");
    rows[6] = smtp_cli_flag(0, "tap", &line->tap, "in TAP version 13");
    rows[7] = smtp_cli_flag(0, "json", &line->json, "as JSON, an object a line and a summary");
    rows[8] = smtp_cli_text("junit", "FILE", &line->junit, "into it as JUnit's XML, too");
}

static void add_both_rows(struct smtp_check_line *line, struct smtp_cli_option rows[BOTH_ROWS])
{
    bool server = line->side == SMTP_RULE_SERVER;
    rows[0] = smtp_cli_heading("How it is judged:");
    rows[1] =
        smtp_cli_text("user", "NAME", &line->user,
                      server ? "who logs in; or in the URL" : "who logs in, as COMMAND is told");
    rows[2] = smtp_cli_text("password-file", "FILE", &line->password_file,
                            "the password is its first line (SMTP_PASSWORD)");
    rows[3] = smtp_cli_text("password", "TEXT", &line->password_text,
                            "the password; wiped where others can see it");
    rows[4] = smtp_cli_flag(0, "slow", &line->slow, "the rules that take minutes, too");
    rows[5] = smtp_cli_number("quiet", &line->quiet_ms, 1, QUIET_MAX_MS,
                              "milliseconds of silence where nothing may come\n"
                              "(200); more where the peer is far or slow");
    rows[6] = smtp_cli_number("timeout", &line->timeout_s, 1, SECONDS_MAX,
                              "seconds a rule may take (10)");
    rows[7] = smtp_cli_number("jobs", &line->jobs, 1, SMTP_SUITE_JOBS_MAX, "rules at a time (8)");
}

/* in the order of enum smtp_check_role */
static const char *const role_names[] = {"any", "mx", "submission", NULL};

static enum smtp_check_role role_of(const struct smtp_check_line *line)
{
    if (line->role != SMTP_ROLE_UNKNOWN) {
        return (enum smtp_check_role)line->role;
    }
    return line->url.port == 25                             ? SMTP_ROLE_MX
           : line->url.port == 587 || line->url.port == 465 ? SMTP_ROLE_SUBMISSION
                                                            : SMTP_ROLE_UNKNOWN;
}

static void add_server_rows(struct smtp_check_line *line, struct smtp_cli_option rows[SERVER_ROWS])
{
    rows[0] = smtp_cli_heading("What the server is, and where its mail is seen:");
    rows[1] = smtp_cli_texts("recipient", "ADDR", &line->recipients,
                             "whom it takes mail for (postmaster at the name in\n"
                             "its greeting); give two");
    rows[2] = smtp_cli_text("bad-recipient", "ADDR", &line->bad_recipient,
                            "whom it refuses (a name nobody has, there)");
    rows[3] =
        smtp_cli_text("sender", "ADDR", &line->sender, "the reverse-path (postmaster@example.com)");
    rows[4] = smtp_cli_text("maildir", "DIR", &line->maildir, "the Maildir that it delivers to");
    rows[5] = smtp_cli_number("sink", &line->sink_port, 1, UINT16_MAX,
                              "the port of 127.0.0.1 that it relays to");
    rows[6] = smtp_cli_choice("role", "ROLE", &line->role, role_names,
                              "what it is for: mx, submission (by its port)");
    rows[7] = smtp_cli_flag(0, "tls", &line->starttls, "STARTTLS first, for every rule");
    rows[8] = smtp_cli_text("ca", "FILE", &line->ca_file,
                            "its certificate is looked at, by this (it is not)");
    rows[9] = smtp_cli_flag(0, "lmtp", &line->lmtp, "as lmtp://");
}

static void add_client_rows(struct smtp_check_line *line, struct smtp_cli_option rows[CLIENT_ROWS])
{
    rows[0] = smtp_cli_heading("What COMMAND is:");
    rows[1] = smtp_cli_texts("temporary", "STATUS", &line->temporary,
                             "its exit status for 'later' (75); more than once");
}

static void show(struct smtp_check_line *line, const struct smtp_cli_usage *common, size_t count,
                 smtp_cli_reader *reader, void *user)
{
    static const char *const abouts[] = {
        "Plays the client's part against a server, rule by rule of the RFCs. Exit status\n"
        "0: no MUST was broken, 1: some were, 2: it could not run.",
        "Runs COMMAND for each rule, plays the server's part, and judges what comes over\n"
        "the wire and COMMAND's exit status. COMMAND finds its task in SMTP_URL,\n"
        "SMTP_FROM, SMTP_TO, SMTP_MESSAGE and so on, or by {url} {from} {to} {message}.",
    };
    struct smtp_cli_usage usage = *common;
    usage.program = line->program;
    usage.about = abouts[line->side];
    usage.words = &line->words;
    usage.option_count = count;
    reader(&usage, user);
}

void smtp_check_line_use(struct smtp_check_line *line, enum smtp_rule_side side,
                         smtp_cli_reader *reader, void *user)
{
    struct smtp_cli_option rows[ROWS_MAX];
    *line = (struct smtp_check_line){.side = side};
    if (side == SMTP_RULE_SERVER) {
        line->program = "smtp-harness check server";
        line->words = (struct smtp_cli_words){.name = "URL", .max = 1};
        add_server_rows(line, rows);
    } else {
        line->program = "smtp-harness check client";
        line->words = (struct smtp_cli_words){
            .name = "-- COMMAND [ARG]...", .max = SIZE_MAX, .end_options = true};
        add_client_rows(line, rows);
    }
    size_t count = side == SMTP_RULE_SERVER ? SERVER_ROWS : CLIENT_ROWS;
    add_both_rows(line, rows + count);
    add_result_rows(line, rows + count + BOTH_ROWS);
    count += BOTH_ROWS + RESULT_ROWS;
    const struct smtp_cli_usage server = {
        .first = "recipient bad-recipient maildir sink only list strict json junit",
        .examples = {"smtp-harness check server smtp://127.0.0.1:2525",
                     "smtp-harness check server smtp://mx.test --maildir /var/mail/ann --strict",
                     "smtp-harness check server --list --only rfc5321/4.5"},
        .options = rows,
    };
    const struct smtp_cli_usage client = {
        .first = "temporary timeout only list strict json junit verbose",
        .examples = {"smtp-harness check client -- ./send-task.py",
                     "smtp-harness check client --strict -- swaks -s {host}:{port} -t b@x.test",
                     "smtp-harness check client --list --json"},
        .options = rows,
    };
    show(line, side == SMTP_RULE_SERVER ? &server : &client, count, reader, user);
}

/* ---- what it comes to ---- */

static bool read_statuses(struct smtp_check_line *line)
{
    for (size_t i = 0; i < line->temporary.count; i++) {
        uint64_t status;
        if (!smtp_span_to_u64(smtp_span_of(line->temporary.items[i]), 255, &status) ||
            status == 0) {
            smtp_cli_wrong(line->program,
                           "--temporary takes an exit status from 1 to 255, not '%s'",
                           line->temporary.items[i]);
            return false;
        }
        line->temporary_statuses[i] = (int)status;
    }
    return true;
}

static bool check_only(const struct smtp_check_line *line)
{
    for (size_t n = 0; n < line->only.count; n++) {
        bool found = false;
        for (size_t i = 0; !found && smtp_rule_at(line->side, i) != NULL; i++) {
            found = smtp_rule_is_selected(smtp_rule_at(line->side, i)->id, &line->only.items[n], 1);
        }
        if (!found) {
            smtp_cli_wrong(line->program,
                           "no rule is called '%s' or begins with it; --list names them",
                           line->only.items[n]);
            return false;
        }
    }
    return true;
}

static bool read_password(struct smtp_check_line *line)
{
    if (line->password_text != NULL) {
        size_t len = strlen(line->password_text);
        line->password = strdup(line->password_text);
        smtp_secret_wipe((char *)(uintptr_t)line->password_text,
                         len); /* argv's own: C17 5.1.2.2.1 */
        if (line->password == NULL) {
            smtp_cli_failed(line->program, "out of memory");
        }
        return line->password != NULL;
    }
    if (line->password_file == NULL) {
        return true;
    }
    line->password = smtp_cli_read_file(line->program, line->password_file);
    if (line->password != NULL) {
        line->password[strcspn(line->password, "\r\n")] = '\0';
    }
    return line->password != NULL;
}

static const char *password_of(const struct smtp_check_line *line)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets the environment */
    return line->password != NULL ? line->password : getenv("SMTP_PASSWORD");
}

static bool apply_url(struct smtp_check_line *line)
{
    struct smtp_error error;
    if (line->words.count == 0) {
        smtp_cli_wrong(line->program, "a URL is needed, like smtp://127.0.0.1:2525");
        return false;
    }
    char *word = line->words.items[0];
    if (smtp_client_url_parse(&line->url, word, &error) != SMTP_OK) {
        smtp_cli_wrong(line->program, "%s", error.message);
        return false;
    }
    if (line->url.password != NULL) {
        smtp_secret_wipe(word, strlen(word)); /* where others can see it */
    }
    const char *host = line->url.host;
    host += strncmp(host, LMTP_MARK, strlen(LMTP_MARK)) == 0 ? strlen(LMTP_MARK) : 0;
    bool is_unix = strncmp(host, "unix:", 5) == 0;
    snprintf(line->address, sizeof line->address, is_unix ? "%s" : "%s:%u", host,
             (unsigned)line->url.port);
    line->options.address = line->address;
    line->options.implicit_tls = line->url.implicit_tls;
    line->options.lmtp = line->lmtp || line->url.lmtp;
    line->options.role = role_of(line);
    line->options.starttls = line->starttls;
    line->options.sender = line->sender;
    line->options.recipients = line->recipients.items;
    line->options.recipient_count = line->recipients.count;
    line->options.bad_recipient = line->bad_recipient;
    line->options.user = line->user != NULL ? line->user : line->url.user;
    line->options.password =
        line->url.password != NULL && line->user == NULL ? line->url.password : password_of(line);
    return true;
}

static bool apply_arrivals(struct smtp_check_line *line)
{
    struct smtp_error error;
    enum smtp_status status = SMTP_OK;
    if (line->maildir != NULL && line->sink_port != 0) {
        smtp_cli_wrong(line->program, "--maildir and --sink exclude each other");
        return false;
    }
    if (line->maildir != NULL) {
        status = smtp_arrivals_new_maildir(&line->arrivals, line->maildir, &error);
    } else if (line->sink_port != 0) {
        status = smtp_arrivals_new_sink(&line->arrivals, (uint16_t)line->sink_port, &error);
    }
    if (status != SMTP_OK) {
        smtp_cli_failed(line->program, "%s", error.message);
    }
    line->options.arrivals = line->arrivals;
    return status == SMTP_OK;
}

int smtp_check_line_apply(struct smtp_check_line *line)
{
    struct smtp_check_options *options = &line->options;
    options->timeout_ms = line->timeout_s * 1000;
    options->quiet_ms = line->quiet_ms;
    options->slow = line->slow;
    options->ca_file = line->ca_file;
    options->user = line->user;
    if (line->tap && line->json) {
        return smtp_cli_wrong(line->program, "--tap and --json exclude each other");
    }
    if (!check_only(line)) {
        return SMTP_EXIT_USAGE;
    }
    if (line->list) {
        return 0;
    }
    if (!read_password(line)) {
        return SMTP_EXIT_USAGE;
    }
    if (line->side == SMTP_RULE_SERVER) {
        return apply_url(line) && apply_arrivals(line) ? 0 : SMTP_EXIT_USAGE;
    }
    if (line->words.count == 0) {
        return smtp_cli_wrong(line->program, "a COMMAND is needed, like -- ./send-task.py");
    }
    line->words.items[line->words.count] = NULL; /* behind them stands what argv had there */
    options->command = line->words.items;
    options->password = line->user != NULL ? password_of(line) : NULL;
    options->temporary = line->temporary_statuses;
    options->temporary_count = line->temporary.count;
    return read_statuses(line) ? 0 : SMTP_EXIT_USAGE;
}

void smtp_check_line_clear(struct smtp_check_line *line)
{
    smtp_arrivals_free(line->arrivals);
    smtp_client_url_clear(&line->url);
    smtp_secret_free(line->password);
}
