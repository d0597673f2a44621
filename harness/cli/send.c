/* send.c - a message to any server, or several: made or read, sent, and what came of them told. Knows the order of things;
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
    struct smtp_send_message *messages;
    size_t message_count;
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
    send->progress.out = draw ? stderr : NULL;
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

/** What is told in the end, put together as it comes: after QUIT the client keeps nothing of it. */
struct told {
    FILE *results, *errors;
    char *results_text, *errors_text;
    size_t results_len, errors_len;
    bool is_whole; /* there was memory for all */
    bool tls_failed;
    int status;
};

static bool begin_telling(struct told *told)
{
    *told = (struct told){.is_whole = true};
    told->results = open_memstream(&told->results_text, &told->results_len);
    told->errors = open_memstream(&told->errors_text, &told->errors_len);
    return told->results != NULL && told->errors != NULL;
}

static void end_telling(struct told *told)
{
    if (told->results != NULL) {
        told->is_whole = fclose(told->results) == 0 && told->is_whole;
    }
    if (told->errors != NULL) {
        told->is_whole = fclose(told->errors) == 0 && told->is_whole;
    }
}

static void tell_of(const struct send *send, const struct smtp_send_outcome *outcome,
                    struct told *told)
{
    int status = smtp_send_exit_status(outcome);
    told->status = smtp_send_worse_status(told->status, status);
    told->tls_failed = told->tls_failed || outcome->error->status == SMTP_TLS_FAILED;
    if (send->options.json) {
        told->is_whole = smtp_send_report_json(told->results, outcome) && told->is_whole;
    } else if (!send->options.quiet) {
        smtp_send_report_lines(told->results, outcome);
    }
    if (status != 0) {
        fprintf(told->errors, PROGRAM ": %s%s%s\n", outcome->name != NULL ? outcome->name : "",
                outcome->name != NULL ? ": " : "", outcome->error->message);
    }
}

/** Dialogue, results, errors, in that order. What cannot be told changes nothing of what was sent: it is the exit
 *  status where all else went well. */
static int tell(const struct send *send, const struct told *told)
{
    int wrong = 0;
    if (send->options.verbose) {
        draw_dialogue(send);
    }
    if (!told->is_whole || fputs(told->results_text, stdout) < 0 || fflush(stdout) != 0) {
        fprintf(stderr, PROGRAM ": the results cannot be written: %s\n", smtp_errno_text(errno));
        wrong = EX_IOERR;
    }
    fputs(told->errors_text != NULL ? told->errors_text : "", stderr);
    if (told->tls_failed) {
        fprintf(stderr,
                PROGRAM ": --ca FILE says whom TLS trusts (or SMTP_CA_FILE), --insecure takes "
                        "any certificate\n");
    }
    if (send->options.record != NULL) {
        int unrecorded = write_record(send);
        wrong = wrong != 0 ? wrong : unrecorded;
    }
    return told->status != 0 ? told->status : wrong;
}

/* ---- sending ---- */

/** Before any message: what went well there is not why it ended. */
static struct smtp_send_outcome connect_client(struct send *send, struct smtp_client *client)
{
    struct smtp_send_outcome outcome = {.error = smtp_client_error(client)};
    outcome.status = smtp_cli_client_options_connect(&send->options.client, client, &outcome.stage);
    const struct smtp_reply *reply = smtp_client_reply(client);
    if (reply->code >= 400) {
        outcome.reply = *reply;
    }
    return outcome;
}

static void send_one(struct send *send, struct smtp_client *client,
                     struct smtp_send_outcome *outcome, const struct smtp_send_message *message)
{
    send->progress =
        (struct smtp_send_progress){.out = send->progress.out, .total = message->octets};
    outcome->status =
        smtp_client_send(client, outcome->envelope, message->content, &outcome->result);
    outcome->stage = outcome->result->stage;
    outcome->reply = outcome->result->final_reply;
    smtp_send_progress_end(&send->progress);
}

static void send_over(struct send *send, struct smtp_client *client, struct told *told)
{
    const struct smtp_error lost = {.status = SMTP_CLOSED,
                                    .message = "not sent: the session had ended"};
    struct smtp_send_outcome connected = connect_client(send, client);
    for (size_t i = 0; i < send->message_count; i++) {
        const struct smtp_send_message *message = &send->messages[i];
        struct smtp_send_outcome outcome = connected;
        outcome.envelope = &message->envelope;
        outcome.name = send->message_count > 1 ? message->name : NULL;
        if (connected.status == SMTP_OK && smtp_client_is_connected(client)) {
            send_one(send, client, &outcome, message);
        } else if (connected.status == SMTP_OK) {
            outcome.status = SMTP_CLOSED;
            outcome.error = &lost;
        }
        tell_of(send, &outcome, told);
    }
    if (smtp_client_is_connected(client)) {
        (void)smtp_client_quit(client);
    }
}

/** All of them before the first is sent, so that one that cannot be read stops all. */
static int make_messages(struct send *send)
{
    const struct smtp_cli_texts *files = &send->options.files;
    size_t count = files->count > 0 ? files->count : 1;
    send->messages = calloc(count, sizeof *send->messages);
    if (send->messages == NULL) {
        fprintf(stderr, PROGRAM ": out of memory\n");
        return EX_SOFTWARE;
    }
    int status = 0;
    while (send->message_count < count && status == 0) {
        size_t i = send->message_count++;
        status = smtp_send_message_make(&send->messages[i], &send->options,
                                        files->count > 0 ? files->items[i] : "-");
    }
    return status;
}

static int run(struct send *send)
{
    struct smtp_client *client = NULL;
    struct told told = {.results = NULL};
    int status = make_messages(send);
    if (status != 0) {
        return status;
    }
    if (begin_telling(&told) && listen_in(send) &&
        smtp_client_new(&client, &send->options.client.client) == SMTP_OK) {
        send_over(send, client, &told);
        end_telling(&told);
        status = tell(send, &told);
    } else {
        end_telling(&told);
        fprintf(stderr, PROGRAM ": out of memory\n");
        status = EX_SOFTWARE;
    }
    smtp_client_free(client);
    free(told.results_text);
    free(told.errors_text);
    return status;
}

static void describe(smtp_cli_reader *reader, void *user)
{
    struct smtp_send_options options;
    smtp_send_options_use(&options, reader, user);
}

static int run_verb(int argc, char **argv)
{
    struct send send = {.messages = NULL};
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
    for (size_t i = 0; i < send.message_count; i++) {
        smtp_send_message_clear(&send.messages[i]);
    }
    free(send.messages);
    smtp_send_options_clear(&send.options);
    return status;
}

const struct smtp_cli_verb smtp_verb_send = {
    .name = "send",
    .about = "sends one message to any server, or stands in for sendmail",
    .run = run_verb,
    .describe = describe,
};
