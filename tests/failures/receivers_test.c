/* receivers_test.c - what is delivered into a Maildir and an mbox, and handed on by a relay, while allocations, files
 * and disks fail: a message answered 250 is there whole, one that was refused has left nothing. */
#include "harness/smtp_relay.h"
#include "server/smtp_mailbox.h"
#include "server/smtp_receivers.h"
#include "tests/failures/stages.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <dirent.h>
#include <stdio.h>

static void start_with(struct stage *stage, const struct smtp_server_hooks *table)
{
    stage->options.receivers = table;
    stage->options.receiver_count = 1;
    stage_start(stage);
    stage->options.receivers = NULL;
}

/* Nothing but the table has the messages. */
static void start_discarding(struct stage *stage, const struct smtp_server_hooks *table)
{
    stage->options.mailbox = SMTP_MAILBOX_DISCARD;
    start_with(stage, table);
}

/* ---- what is in a text ---- */

/* Whether the text has letter i's subject, and all of its body as it is delivered: line ends are LF. */
static unsigned times_in(const char *text, size_t i, bool *whole)
{
    char letter[80], *to = letter;
    for (const char *at = stage_letter(i); *at != '\0'; at++) {
        if (*at != '\r') {
            *to++ = *at;
        }
    }
    *to = '\0';
    char subject[24];
    snprintf(subject, sizeof subject, "Subject: letter %zu\n", i);
    unsigned times = 0;
    for (const char *at = text; (at = strstr(at, subject)) != NULL; at++) {
        *whole = *whole && strncmp(at, letter, strlen(letter)) == 0;
        times++;
    }
    return times;
}

static unsigned count_lines(const char *text, const char *beginning)
{
    unsigned count = 0;
    for (const char *at = text; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        count += strncmp(at, beginning, strlen(beginning)) == 0;
    }
    return count;
}

/* ---- Maildir ---- */

static void make_maildir(struct stage *stage, bool durable, struct smtp_server_hooks *table)
{
    struct smtp_error error = {0};
    stage_defaults(stage);
    stage_make_folder(stage);
    const struct smtp_maildir options = {.path = stage->folder, .durable = durable};
    if (smtp_receiver_maildir(table, &options, &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
}

static void before_durable(struct stage *stage)
{
    struct smtp_server_hooks table;
    make_maildir(stage, true, &table);
    start_discarding(stage, &table);
}

static void before_maildir(struct stage *stage)
{
    struct smtp_server_hooks table;
    make_maildir(stage, false, &table);
    start_discarding(stage, &table);
}

/* What is delivered is kept, too. */
static void before_kept(struct stage *stage)
{
    struct smtp_server_hooks table;
    make_maildir(stage, true, &table);
    start_with(stage, &table);
}

static void count_file(struct stage *stage, const char *path, unsigned times[LETTERS + 1])
{
    size_t len = 0, found = 0;
    bool whole = true;
    char *text = smtp_read_file(path, &len);
    for (size_t i = 1; i <= LETTERS; i++) {
        unsigned here = times_in(text, i, &whole);
        times[i] += here;
        found += here;
    }
    if (found != 1 || !whole) {
        stage_wrong(stage, "a file in new holds no whole letter: \"%.200s\"", text);
    }
    free(text);
}

static void judge_maildir(struct stage *stage)
{
    char folder[80], path[400];
    unsigned times[LETTERS + 1] = {0};
    snprintf(folder, sizeof folder, "%s/new", stage->folder);
    DIR *directory = opendir(folder);
    expect_true(directory != NULL);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            count_file(stage, path, times);
        }
    }
    closedir(directory);
    for (size_t i = 1; i <= LETTERS; i++) {
        stage_judge_letter(stage, i, times[i]);
    }
    if (smtp_count_entries(stage->folder, "tmp", NULL, 0) > 0) {
        stage_wrong(stage, "something is left in tmp");
    }
}

static void after_maildir(struct stage *stage)
{
    stage_send_another(stage);
    smtp_server_stop(stage->server, 1000);
    judge_maildir(stage);
    stage_end(stage);
}

/* Each is in both, or in neither. */
static void after_kept(struct stage *stage)
{
    stage_send_another(stage);
    smtp_server_stop(stage->server, 1000);
    judge_maildir(stage);
    stage_judge(stage);
    stage_end(stage);
}

/* The table itself: its directories are opened, and made. */
static void before_folder(struct stage *stage)
{
    stage_defaults(stage);
    stage_make_folder(stage);
}

static void run_making_maildir(struct stage *stage)
{
    struct smtp_server_hooks table = {0};
    struct smtp_error error = {0};
    const struct smtp_maildir options = {.path = stage->folder};
    enum smtp_status status = smtp_receiver_maildir(&table, &options, &error);
    stage->user = table.user;
    if (status == SMTP_OK) {
        table.release(table.user);
    }
    stage_told(stage, 1, status);
}

static void after_making(struct stage *stage)
{
    enum smtp_status status = stage->letters[1].status;
    if ((stage->must_hold && status != SMTP_OK) || (status == SMTP_OK) != (stage->user != NULL)) {
        stage_wrong(stage, "the table: %s", smtp_status_name(status));
    }
    stage_end(stage);
}

/* ---- mbox ---- */

static void path_of_mbox(const struct stage *stage, char path[80])
{
    snprintf(path, 80, "%s/mbox", stage->folder);
}

static void before_mbox(struct stage *stage)
{
    struct smtp_server_hooks table;
    struct smtp_error error = {0};
    char path[80];
    stage_defaults(stage);
    stage_make_folder(stage);
    path_of_mbox(stage, path);
    if (smtp_receiver_mbox(&table, path, &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
    start_discarding(stage, &table);
}

static void after_mbox(struct stage *stage)
{
    char path[80];
    size_t len = 0;
    unsigned all = 0;
    bool whole = true;
    stage_send_another(stage);
    smtp_server_stop(stage->server, 1000);
    path_of_mbox(stage, path);
    char *text = smtp_read_file(path, &len);
    for (size_t i = 1; i <= LETTERS; i++) {
        unsigned times = times_in(text, i, &whole);
        stage_judge_letter(stage, i, times);
        all += times;
    }
    if (!whole || count_lines(text, "From ") != all || count_lines(text, "Received: ") != all) {
        stage_wrong(stage, "the mbox holds a part of a letter: \"%.300s\"", text);
    }
    free(text);
    stage_end(stage);
}

static void run_making_mbox(struct stage *stage)
{
    struct smtp_server_hooks table = {0};
    struct smtp_error error = {0};
    char path[80];
    path_of_mbox(stage, path);
    enum smtp_status status = smtp_receiver_mbox(&table, path, &error);
    stage->user = table.user;
    if (status == SMTP_OK) {
        table.release(table.user);
    }
    stage_told(stage, 1, status);
}

/* ---- relay ---- */

static void before_relay(struct stage *stage)
{
    struct smtp_server_hooks table;
    struct smtp_error error = {0};
    struct smtp_server *next;
    stage_defaults(stage);
    stage_start(stage);
    next = stage->server;
    if (smtp_receiver_relay(&table, stage->address, &stage->client, NULL, &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
    start_discarding(stage, &table);
    stage->user = next;
}

/* What the next server holds counts. One that it took, and whose reply was lost on the way, was refused here, and may
 * come again. */
static void after_relay(struct stage *stage)
{
    struct smtp_server *relay = stage->server;
    stage_send_another(stage);
    smtp_server_free(relay);
    stage->server = stage->user;
    smtp_server_stop(stage->server, 1000);
    for (size_t i = 1; i <= LETTERS; i++) {
        bool again = stage->how != 0 && stage->letters[i].status == SMTP_REFUSED_TRANSIENT;
        stage->letters[i].status = again ? SMTP_DELIVERY_UNKNOWN : stage->letters[i].status;
    }
    stage_judge(stage);
    stage_end(stage);
}

static const struct scenario durable = {"a durable Maildir", before_durable, stage_send_two,
                                        after_maildir},
                             kept = {"a durable Maildir beside a mailbox", before_kept,
                                     stage_send_two, after_kept},
                             maildir = {"a Maildir", before_maildir, stage_send_two, after_maildir},
                             making_maildir = {"a Maildir is opened", before_folder,
                                               run_making_maildir, after_making},
                             mbox = {"an mbox", before_mbox, stage_send_two, after_mbox},
                             making_mbox = {"an mbox is opened", before_folder, run_making_mbox,
                                            after_making},
                             relay = {"a relay", before_relay, stage_send_two, after_relay};

BOTH_FAIL(delivery_into_a_durable_maildir, durable)
BOTH_FAIL(delivery_into_a_maildir_and_a_mailbox, kept)
BOTH_FAIL(delivery_into_a_maildir, maildir)
BOTH_FAIL(opening_a_maildir, making_maildir)
BOTH_FAIL(delivery_into_an_mbox, mbox)
BOTH_FAIL(opening_an_mbox, making_mbox)
BOTH_FAIL(a_relay, relay)
