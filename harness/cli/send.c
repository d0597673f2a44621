/* send.c - one message to any server: made or read, sent, and what came of it told. Knows the order of things;
 * the parts are in send_options.c, send_message.c and send_report.c. */
#include "common/clock.h"
#include "common/error.h"
#include "harness/cli/send_message.h"
#include "harness/cli/send_progress.h"
#include "harness/cli/send_report.h"
#include "harness/cli/verbs.h"
#include "harness/record.h"
#include "harness/report/dialogue_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define PROGRAM SMTP_SEND_PROGRAM
#define RECORDS_MAX 100000 /* in one directory */

struct send {
    struct smtp_send_options options;
    struct smtp_send_message message;
    struct smtp_send_progress progress;
    struct smtp_harness_transcript *transcript; /* NULL: nobody asked for it */
};

/* ---- what is said ---- */

static void keep(void *user, enum smtp_client_log_kind kind, const char *text, size_t len)
{
    struct send *send = user;
    if (kind == SMTP_CLIENT_LOG_CONTENT) {
        smtp_send_progress_add(&send->progress, len, smtp_clock_now_ns());
    }
    if (send->transcript != NULL) {
        smtp_harness_transcript_client_log(send->transcript, kind, text, len);
    }
}

static bool listen_in(struct send *send)
{
    bool draw = isatty(STDERR_FILENO) && !send->options.quiet;
    send->progress =
        (struct smtp_send_progress){.out = draw ? stderr : NULL, .total = send->message.octets};
    send->options.client.client.log = keep;
    send->options.client.client.log_user = send;
    if (send->options.verbose || send->options.record != NULL) {
        send->transcript = smtp_harness_transcript_new();
        return send->transcript != NULL;
    }
    return true;
}

static void draw_dialogue(const struct send *send)
{
    struct smtp_dialogue_look look = smtp_dialogue_look_at(stderr, "");
    look.explain = send->options.explain;
    smtp_dialogue_draw(stderr, send->transcript, &look);
}

/** The file itself, or the first name in the directory that is free: session-1.smtp and so on. */
static char *record_path(const char *given)
{
    struct stat about;
    char *path = NULL;
    size_t len = strlen(given);
    bool directory =
        (stat(given, &about) == 0 && S_ISDIR(about.st_mode)) || (len > 0 && given[len - 1] == '/');
    if (!directory) {
        return strdup(given);
    }
    if (mkdir(given, 0777) != 0 && errno != EEXIST) {
        return strdup(given); /* writing says what is wrong */
    }
    for (int i = 1; i <= RECORDS_MAX; i++) {
        if (asprintf(&path, "%s/session-%d.smtp", given, i) < 0) {
            return NULL;
        }
        if (access(path, F_OK) != 0) {
            return path;
        }
        free(path);
    }
    return NULL;
}

/** 0, or an exit status where the dialogue cannot be written. */
static int write_record(const struct send *send)
{
    struct smtp_error error = {.status = SMTP_OK};
    char *path = record_path(send->options.record);
    enum smtp_status status = path != NULL
                                  ? smtp_harness_record_write(send->transcript, path, &error)
                                  : smtp_error_set(&error, SMTP_NO_MEMORY, 0, "no name is free");
    free(path);
    if (status != SMTP_OK) {
        fprintf(stderr, PROGRAM ": --record: %s\n", error.message);
        return EX_CANTCREAT;
    }
    return 0;
}

/* ---- what comes of it ---- */

/** What is told on standard output, owned; it is put together before QUIT, which ends what the client keeps of
 *  it. NULL: out of memory. */
static char *results_text(const struct send *send, const struct smtp_send_outcome *outcome)
{
    char *text = NULL;
    size_t len = 0;
    bool made = true;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return NULL;
    }
    if (send->options.json) {
        made = smtp_send_report_json(out, outcome);
    } else if (!send->options.quiet) {
        smtp_send_report_lines(out, outcome);
    }
    if (fclose(out) != 0 || !made) {
        free(text);
        text = NULL;
    }
    return text;
}

/** Dialogue, results, error, in that order. What cannot be told changes nothing of what was sent: it is the exit
 *  status where all else went well. */
static int tell(const struct send *send, const char *results, const struct smtp_error *error,
                int status)
{
    int wrong = 0;
    if (send->options.verbose) {
        draw_dialogue(send);
    }
    if (results == NULL || fputs(results, stdout) < 0 || fflush(stdout) != 0) {
        fprintf(stderr, PROGRAM ": the results cannot be written: %s\n", smtp_errno_text(errno));
        wrong = EX_IOERR;
    }
    if (status != 0) {
        fprintf(stderr, PROGRAM ": %s\n", error->message);
    }
    if (error->status == SMTP_TLS_FAILED) {
        fprintf(stderr,
                PROGRAM ": --ca FILE says whom TLS trusts (or SMTP_CA_FILE), --insecure takes "
                        "any certificate\n");
    }
    if (send->options.record != NULL) {
        int unrecorded = write_record(send);
        wrong = wrong != 0 ? wrong : unrecorded;
    }
    return status != 0 ? status : wrong;
}

static int send_over(struct send *send, struct smtp_client *client)
{
    struct smtp_error error = {.status = SMTP_OK};
    struct smtp_send_outcome outcome = {.envelope = &send->message.envelope, .error = &error};
    outcome.status = smtp_cli_client_options_connect(&send->options.client, client, &outcome.stage);
    const struct smtp_reply *reply = smtp_client_reply(client);
    if (reply->code >= 400) { /* what went well before is not why it ended */
        outcome.reply = *reply;
    }
    if (outcome.status == SMTP_OK) {
        outcome.status =
            smtp_client_send(client, outcome.envelope, send->message.content, &outcome.result);
        outcome.stage = outcome.result->stage;
        outcome.reply = outcome.result->final_reply;
    }
    error = *smtp_client_error(client);
    smtp_send_progress_end(&send->progress);
    int status = smtp_send_exit_status(&outcome);
    char *results = results_text(send, &outcome);
    if (smtp_client_is_connected(client)) {
        (void)smtp_client_quit(client);
    }
    status = tell(send, results, &error, status);
    free(results);
    return status;
}

static int run(struct send *send)
{
    struct smtp_client *client = NULL;
    int status = smtp_send_message_make(&send->message, &send->options);
    if (status != 0) {
        return status;
    }
    if (!listen_in(send) || smtp_client_new(&client, &send->options.client.client) != SMTP_OK) {
        fprintf(stderr, PROGRAM ": out of memory\n");
        return EX_SOFTWARE;
    }
    status = send_over(send, client);
    smtp_client_free(client);
    return status;
}

static void describe(smtp_cli_reader *reader, void *user)
{
    struct smtp_send_options options;
    smtp_send_options_use(&options, reader, user);
}

static int run_verb(int argc, char **argv)
{
    struct send send = {.message.fd = -1};
    struct smtp_cli_line line = {argc, argv, SMTP_CLI_RUN};
    smtp_send_options_use(&send.options, smtp_cli_parse_line, &line);
    if (line.parsed != SMTP_CLI_RUN) {
        return line.parsed == SMTP_CLI_HELP ? EX_OK : EX_USAGE;
    }
    int status = smtp_send_options_apply(&send.options);
    if (status == 0) {
        status = run(&send);
    }
    smtp_harness_transcript_free(send.transcript);
    smtp_send_message_clear(&send.message);
    smtp_send_options_clear(&send.options);
    return status;
}

const struct smtp_cli_verb smtp_verb_send = {
    .name = "send",
    .about = "sends one message to any server, or stands in for sendmail",
    .run = run_verb,
    .describe = describe,
};
