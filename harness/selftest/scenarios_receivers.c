/* scenarios_receivers.c - the ready-made receivers: what a Maildir, an mbox file, a printer, another server get,
 * several of them at once, and that what they cannot take is refused. */
#include "harness/selftest/files.h"
#include "harness/selftest/scenarios.h"
#include "harness/smtp_relay.h"
#include "server/smtp_receivers.h"

#include <stdio.h>
#include <string.h>

static const char text[] = "Subject: Hi\n\n.\nFrom here\n";
#define TEXT_KEPT SMTP_SPAN("Subject: Hi\r\n\r\n.\r\nFrom here\r\n")

/** Opens with these tables as receivers, which the server then has; the mailbox keeps nothing. */
static bool open_with(struct smtp_trial *trial, struct smtp_server_hooks *tables, size_t count,
                      struct smtp_ends *ends)
{
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.receivers = tables;
    options.server.receiver_count = count;
    options.server.mailbox = SMTP_MAILBOX_DISCARD;
    return smtp_trial_open(trial, &options, ends);
}

static bool made(struct smtp_trial *trial, enum smtp_status status, const struct smtp_error *error)
{
    return status == SMTP_OK || smtp_trial_fail(trial, "no receiver: %s", error->message);
}

static bool sends(struct smtp_trial *trial, const struct smtp_ends *ends)
{
    return smtp_trial_send(trial, ends->client, BOB, smtp_content_text(text), SMTP_OK, 250) &&
           smtp_trial_is_number(trial, "messages kept in memory",
                                smtp_mailbox_count(smtp_harness_mailbox(ends->harness)), 0);
}

/** The text of a delivered message: trace fields first, and LF at each line's end. */
static bool is_delivered(struct smtp_trial *trial, const char *delivered, const char *beginning,
                         const char *end)
{
    return delivered != NULL &&
           smtp_trial_is_text(trial, "the beginning",
                              smtp_trial_part(trial, delivered, strlen(beginning)), beginning) &&
           smtp_trial_holds(trial, "the trace", delivered, "\nReceived: from ") &&
           smtp_trial_holds(trial, "the trace", delivered, "for <" BOB ">") &&
           smtp_trial_holds(trial, "the message", delivered, end) &&
           smtp_trial_is_true(trial, "no CR", strchr(delivered, '\r') == NULL);
}

static bool maildir(struct smtp_trial *trial, bool durable)
{
    struct smtp_server_hooks table;
    struct smtp_error error = {.message = ""};
    struct smtp_ends ends;
    const char *folder = smtp_trial_folder(trial);
    const struct smtp_maildir options = {.path = folder, .durable = durable};
    return folder != NULL && made(trial, smtp_receiver_maildir(&table, &options, &error), &error) &&
           open_with(trial, &table, 1, &ends) && sends(trial, &ends) &&
           is_delivered(trial, smtp_trial_only_file(trial, folder, "new"),
                        "Return-Path: <" ANN ">\n", "\nSubject: Hi\n\n.\nFrom here\n") &&
           smtp_trial_is_number(trial, "files in tmp", smtp_count_files(folder, "tmp"), 0);
}

static bool maildir_plain(struct smtp_trial *trial)
{
    return maildir(trial, false);
}

static bool maildir_durable(struct smtp_trial *trial)
{
    return maildir(trial, true);
}

static bool maildir_gone(struct smtp_trial *trial)
{
    /* the folder vanishes while the server runs: refused for now, and nothing was answered 250 */
    struct smtp_server_hooks table;
    struct smtp_error error = {.message = ""};
    struct smtp_ends ends;
    const char *folder = smtp_trial_folder(trial);
    const struct smtp_maildir options = {.path = folder};
    return folder != NULL && made(trial, smtp_receiver_maildir(&table, &options, &error), &error) &&
           open_with(trial, &table, 1, &ends) && smtp_trial_remove_folder(trial, folder) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text(text), SMTP_REFUSED_TRANSIENT,
                           451) &&
           smtp_trial_is_number(trial, "messages taken",
                                smtp_mailbox_captured(smtp_harness_mailbox(ends.harness)), 0);
}

static bool mbox(struct smtp_trial *trial)
{
    /* RFC 4155, mboxrd: a line that begins with "From " is quoted */
    struct smtp_server_hooks table;
    struct smtp_error error = {.message = ""};
    struct smtp_ends ends;
    const char *folder = smtp_trial_folder(trial);
    const char *path = folder != NULL ? smtp_trial_path(trial, folder, "mbox") : NULL;
    if (path == NULL || !made(trial, smtp_receiver_mbox(&table, path, &error), &error) ||
        !open_with(trial, &table, 1, &ends) || !sends(trial, &ends) || !sends(trial, &ends)) {
        return false;
    }
    const char *file = smtp_trial_file(trial, path);
    return is_delivered(trial, file, "From " ANN " ", "\nSubject: Hi\n\n.\n>From here\n\n") &&
           smtp_trial_is_number(trial, "messages", smtp_times(file, "Return-Path: <" ANN ">\n"),
                                2) &&
           smtp_trial_is_number(trial, "From_ lines", smtp_times(file, "\nFrom " ANN " "), 1);
}

static void close_file(void *file)
{
    fclose(file);
}

/** A file to print into, which is read by its path. */
static FILE *open_file(struct smtp_trial *trial, const char *path)
{
    FILE *file = path != NULL ? fopen(path, "w") : NULL;
    return smtp_trial_own(trial, file, close_file);
}

static bool tee_of_three(struct smtp_trial *trial)
{
    /* a Maildir, an mbox file and a printer at once: each has it */
    struct smtp_server_hooks tables[3];
    struct smtp_error error = {.message = ""};
    struct smtp_ends ends;
    const char *folder = smtp_trial_folder(trial);
    const char *path = folder != NULL ? smtp_trial_path(trial, folder, "mbox") : NULL;
    const char *printed = folder != NULL ? smtp_trial_path(trial, folder, "printed") : NULL;
    FILE *file = open_file(trial, printed);
    const struct smtp_maildir options = {.path = folder};
    return file != NULL &&
           made(trial, smtp_receiver_maildir(&tables[0], &options, &error), &error) &&
           made(trial, smtp_receiver_mbox(&tables[1], path, &error), &error) &&
           made(trial, smtp_receiver_print(&tables[2], file, &error), &error) &&
           open_with(trial, tables, 3, &ends) && sends(trial, &ends) && fflush(file) == 0 &&
           is_delivered(trial, smtp_trial_only_file(trial, folder, "new"),
                        "Return-Path: <" ANN ">\n", "\nSubject: Hi\n\n.\nFrom here\n") &&
           smtp_trial_holds(trial, "the mbox file", smtp_trial_file(trial, path),
                            "\n>From here\n") &&
           smtp_trial_holds(trial, "what was printed", smtp_trial_file(trial, printed),
                            "From here");
}

/* ---- the relay ---- */

/** A server that relays to the next one, whose options these are (NULL: the defaults). */
static bool open_relay(struct smtp_trial *trial, const struct smtp_harness_options *next_options,
                       struct smtp_harness **next, struct smtp_ends *ends)
{
    struct smtp_server_hooks table;
    struct smtp_error error = {.message = ""};
    struct smtp_harness_options bounded;
    smtp_trial_options(&bounded);
    *next = smtp_trial_harness(trial, next_options);
    return *next != NULL &&
           made(trial,
                smtp_receiver_relay(&table, smtp_harness_url(*next) + strlen("smtp://"),
                                    &bounded.client, NULL, &error),
                &error) &&
           open_with(trial, &table, 1, ends);
}

static bool relay(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_harness *next;
    return open_relay(trial, NULL, &next, &ends) && sends(trial, &ends) &&
           smtp_trial_count(trial, next, 1) &&
           smtp_trial_expect(
               trial, next, "from=" ANN " to=" BOB " header.Received~\"^from .* for <" BOB ">\"") &&
           smtp_trial_holds(trial, "the content",
                            smtp_message_content(
                                smtp_harness_envelope(smtp_harness_message(next, 0)), &(size_t){0}),
                            "\r\nSubject: Hi\r\n\r\n.\r\nFrom here\r\n");
}

static enum smtp_server_verdict refuse_bob(void *user,
                                           const struct smtp_server_session_info *session,
                                           const char *forward_path, const char *parameters,
                                           struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    (void)parameters;
    return strcmp(forward_path, BOB) == 0
               ? smtp_server_reply(reply, 550, "5.1.1", "no bob at the next server")
               : SMTP_ACCEPT;
}

static bool relay_refusals(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_harness *next;
    struct smtp_harness_options options;
    const char *to[] = {BOB, CAROL};
    const struct smtp_envelope envelope = {
        .reverse_path = ANN, .forward_paths = to, .forward_path_count = 2};
    const struct smtp_send_result *result = NULL;
    smtp_trial_options(&options);
    options.server.hooks.rcpt = refuse_bob;
    return open_relay(trial, &options, &next, &ends) &&
           smtp_trial_is_status(
               trial, "smtp_client_send",
               smtp_client_send(ends.client, &envelope, smtp_content_text(text), &result),
               SMTP_PARTLY_REFUSED, ends.client) &&
           smtp_trial_is_text(trial, "bob's reply", result->recipients[0].reply.text,
                              "no bob at the next server") &&
           smtp_trial_is_number(trial, "its code", (uint64_t)result->recipients[0].reply.code,
                                550) &&
           smtp_trial_count(trial, next, 1) && smtp_trial_expect(trial, next, "to=" CAROL);
}

static bool relay_next_gone(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_harness *next;
    struct smtp_error error = {.message = ""};
    if (!open_relay(trial, NULL, &next, &ends)) {
        return false;
    }
    smtp_server_stop(smtp_harness_server(next), 0);
    return smtp_trial_send(trial, ends.client, BOB, smtp_content_text(text), SMTP_REFUSED_TRANSIENT,
                           451) &&
           smtp_trial_is_ok(trial, "the next server starts",
                            smtp_server_start(smtp_harness_server(next), &error), NULL) &&
           sends(trial, &ends) && smtp_trial_count(trial, next, 1);
}

static const struct smtp_scenario rows[] = {
    {"maildir", "5321 4.4", "one file in new; Return-Path and Received first", maildir_plain},
    {"maildir-durable", "5321 4.2.5", "250 only when it is on the disk", maildir_durable},
    {"maildir-gone", "5321 4.2.5", "451, and nothing answered 250", maildir_gone},
    {"mbox", "4155", "two messages, From_ lines quoted", mbox},
    {"tee", "", "a Maildir, an mbox file and a printer at once", tee_of_three},
    {"relay", "5321 4.4", "handed on with Received in front", relay},
    {"relay-refusals", "5321 3.6.3", "the next server's refusal is what its client hears",
     relay_refusals},
    {"relay-next-gone", "5321 4.2.4", "451 while the next server is away", relay_next_gone},
};
const struct smtp_scenario_table smtp_scenarios_receivers = {rows, sizeof rows / sizeof *rows};
