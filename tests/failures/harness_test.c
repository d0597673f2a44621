/* harness_test.c - the harness with all its views, faults and recordings, and dialogues played as either end, with
 * each allocation and each call failing in turn. What GMime allocates is not failed: GLib aborts then, by design. */
#include "harness/dialogue/dialogue.h"
#include "harness/record.h"
#include "harness/smtp_harness.h"
#include "server/smtp_mailbox.h"
#include "tests/failures/failing.h"
#include "tests/failures/stages.h"
#include "tests/support/files.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define WAIT_MS 300 /* for what may not come, where something failed */
#define STEP_MS 700 /* of a dialogue, likewise: one that cannot speak hears on to its time's end */

static const char mail[] = "From: ann@example.com\r\nSubject: =?utf-8?q?h=C3=A9llo?=\r\n"
                           "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
                           "code 4711, see http://example.com/a?b=c\r\n";

static void set_options(struct stage *stage, struct smtp_harness_options *options)
{
    stage_defaults(stage);
    smtp_harness_options_init(options);
    options->client = stage->client;
    options->server = stage->options;
    options->wait_ms = WAIT_MS;
    options->fault_seed = 1;
    options->magic_addresses = true;
}

static enum smtp_status send_mail(struct smtp_client *client)
{
    return client != NULL
               ? smtp_client_send(client, stage_envelope(), smtp_content_text(mail), NULL)
               : SMTP_CLOSED;
}

/* Whether all was as it should be; false somewhere where something failed. */
static bool look(struct smtp_harness *harness)
{
    const struct smtp_harness_message *message =
        smtp_harness_wait(harness, "to=bob@example.com subject~llo");
    if (message == NULL) {
        (void)smtp_harness_failure(harness);
        return false;
    }
    const char *subject = smtp_harness_header(message, "Subject");
    const char *text = smtp_harness_text(message);
    const char *code = smtp_harness_extract(harness, message, "code ([0-9]+)");
    const char *link = smtp_harness_link(harness, message, 0);
    const char *said = smtp_harness_transcript(harness, 1);
    bool all = subject != NULL && text != NULL && code != NULL && link != NULL && said != NULL &&
               smtp_harness_part_count(message) == 1;
    all = all && strcmp(code, "4711") == 0 && strstr(said, "MAIL FROM") != NULL;
    all = smtp_harness_expect(harness, "from=ann@example.com text~4711 count=1") == SMTP_OK && all;
    /* what does not hold is told at length, which takes memory too */
    all = smtp_harness_expect(harness, "text~4711 count<=0") == SMTP_NOT_AS_EXPECTED && all;
    return strstr(smtp_harness_failure(harness), "count") != NULL && all;
}

static bool use(struct smtp_harness *harness)
{
    bool held = smtp_harness_fault(harness, "ehlo: split 90 once") == SMTP_OK;
    held = smtp_harness_fault(harness, "rcpt bob@*: reply 450 4.7.1 \"later\" once") == SMTP_OK &&
           held;
    held = smtp_harness_faults(harness) != NULL && held;
    struct smtp_client *client = smtp_harness_client(harness);
    held = send_mail(client) == SMTP_REFUSED_TRANSIENT && held;
    smtp_harness_clear_faults(harness);
    client =
        client != NULL && smtp_client_is_connected(client) ? client : smtp_harness_connect(harness);
    enum smtp_status status = send_mail(client);
    return (status == SMTP_OK || status == SMTP_DELIVERY_UNKNOWN) && look(harness) && held;
}

/* ---- in use ---- */

static void before_use(struct stage *stage)
{
    struct smtp_harness_options options;
    struct smtp_error error = {0};
    set_options(stage, &options);
    stage->user = smtp_harness_start(&options, &error);
    if (stage->user == NULL) {
        SMTP_TEST_FAIL("%s", error.message);
    }
}

static void run_use(struct stage *stage)
{
    stage->letters[1].tried = use(stage->user);
}

static void after_use(struct stage *stage)
{
    struct smtp_harness *harness = stage->user;
    size_t before = smtp_mailbox_count(smtp_harness_mailbox(harness));
    if (stage->must_hold && !stage->letters[1].tried) {
        stage_wrong(stage, "not all held: %s", smtp_harness_failure(harness));
    }
    smtp_harness_clear_faults(harness);
    enum smtp_status status = send_mail(smtp_harness_connect(harness));
    if (status != SMTP_OK || smtp_harness_wait_count(harness, before + 1) != SMTP_OK) {
        stage_wrong(stage, "another message afterwards: %s", smtp_status_name(status));
    }
    smtp_harness_stop(harness);
}

/* ---- its whole life ---- */

static void run_life(struct stage *stage)
{
    struct smtp_harness_options options;
    struct smtp_error error = {0};
    set_options(stage, &options);
    struct smtp_harness *harness = smtp_harness_start(&options, &error);
    stage->letters[1].tried = harness != NULL;
    if (harness == NULL && error.message[0] == '\0') {
        stage_wrong(stage, "no word on why it did not start");
    }
    smtp_harness_stop(harness);
}

static void after_life(struct stage *stage)
{
    if (stage->must_hold && !stage->letters[1].tried) {
        stage_wrong(stage, "it did not start");
    }
}

/* ---- recordings ---- */

static void complain(const char *message)
{
    (void)message;
}

static void before_recording(struct stage *stage)
{
    struct smtp_server_hooks table;
    struct smtp_error error = {0};
    stage_defaults(stage);
    stage_make_folder(stage);
    if (smtp_harness_recorder(&table, stage->folder, complain, &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
    stage->options.listen = smtp_own_loopback(); /* it is started again */
    stage->options.listen_count = 1;
    stage->options.receivers = &table;
    stage->options.receiver_count = 1;
    stage_start(stage);
    stage->options.receivers = NULL;
}

static void run_recording(struct stage *stage)
{
    struct smtp_client *client = stage_connect(stage, 1);
    if (client != NULL && stage_send(stage, client, 1) == SMTP_OK) {
        (void)smtp_client_quit(client);
    }
    smtp_client_free(client);
    smtp_server_stop(stage->server, 1000); /* a recording is written when the session closes */
}

/* Each that is there is whole: it ends with the session's end. */
static void after_recording(struct stage *stage)
{
    struct smtp_error error = {0};
    char path[100];
    size_t len = 0;
    snprintf(path, sizeof path, "%s/session-1.smtp", stage->folder);
    bool there = access(path, F_OK) == 0;
    char *text = there ? smtp_read_file(path, &len) : NULL;
    if (there && strstr(text, " close]") == NULL && strstr(text, " reset]") == NULL) {
        stage_wrong(stage, "a part of a recording: %s", text);
    }
    if (stage->must_hold && !there) {
        stage_wrong(stage, "no recording is there");
    }
    if (smtp_count_entries(stage->folder, ".", NULL, 0) > 1) {
        stage_wrong(stage, "more than a recording is there");
    }
    free(text);
    if (smtp_server_start(stage->server, &error) != SMTP_OK) {
        stage_wrong(stage, "afterwards: %s", error.message);
    }
    stage_finish(stage);
}

/* ---- dialogues ---- */

static const char spoken[] = "S: 220 ...\nC: EHLO client.example\nS: ...\nS: 250 ...\n"
                             "C: MAIL FROM:<ann@example.com>\nS: 250 ...\n"
                             "C: RCPT TO:<bob@example.com>\nS: 250 ${what}\nC: DATA\nS: 354 ...\n"
                             "C: Subject: letter 1\nC:\nC: .Body of one\nC: .\nS: 250 ...\n"
                             "C: QUIT\nS: 221 ...\n[S close]\n";

static void before_dialogue(struct stage *stage)
{
    stage_defaults(stage);
    stage_start(stage);
}

static struct smtp_dialogue *read_dialogue(const char *text)
{
    struct smtp_dialogue *dialogue = NULL;
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    enum smtp_status status =
        smtp_dialogue_parse(&dialogue, "spoken.smtp", smtp_span_of(text), &why);
    free(smtp_harness_lines_take(&why));
    return status == SMTP_OK ? dialogue : NULL;
}

static void run_dialogue(struct stage *stage)
{
    struct smtp_dialogue *dialogue = read_dialogue(spoken);
    struct smtp_dialogue_result result = {.outcome = SMTP_DIALOGUE_CANNOT_RUN};
    const struct smtp_dialogue_options options = {.step_timeout_ms = STEP_MS};
    if (dialogue != NULL) {
        smtp_dialogue_play_client(dialogue, stage->address, &options, &result);
        if (result.outcome == SMTP_DIALOGUE_DIVERGED && result.line == 0) {
            stage_wrong(stage, "it diverged nowhere");
        }
        if (result.report != NULL && result.report[0] != '\0') {
            snprintf(stage->address + 100, 100, "%s", result.report);
        }
    }
    stage->letters[1].status =
        result.outcome == SMTP_DIALOGUE_HELD ? SMTP_OK : SMTP_NOT_AS_EXPECTED;
    smtp_dialogue_result_clear(&result);
    smtp_dialogue_free(dialogue);
}

static void after_dialogue(struct stage *stage)
{
    if (stage->must_hold && stage->letters[1].status != SMTP_OK) {
        stage_wrong(stage, "it did not hold: %s", stage->address + 100);
    }
    stage_send_another(stage);
    stage_end(stage);
}

/* As the server: the client is a thread that was there before. */
struct served {
    struct stage *stage;
    int listener;
    pthread_t client;
};

static void *be_client(void *user)
{
    const struct served *served = user;
    struct smtp_client *client = NULL;
    struct smtp_client_options options = served->stage->client;
    options.pipelining = false;
    failing_spare_thread();
    if (smtp_client_new(&client, &options) == SMTP_OK &&
        smtp_client_connect(client, served->stage->address, 0) == SMTP_OK &&
        smtp_client_send(client, stage_envelope(), smtp_content_text(stage_letter(1)), NULL) ==
            SMTP_OK) {
        (void)smtp_client_quit(client);
    }
    smtp_client_free(client);
    return NULL;
}

static void before_serving(struct stage *stage)
{
    static struct served served;
    stage_defaults(stage);
    served.listener = stage_listen(stage);
    served.stage = stage;
    stage->user = &served;
    expect_int(pthread_create(&served.client, NULL, be_client, &served), 0);
}

static void run_serving(struct stage *stage)
{
    const struct served *served = stage->user;
    struct smtp_dialogue *dialogue =
        read_dialogue("S: 220 mx\nC: EHLO ...\nS: 250 mx\nC: MAIL ...\n"
                      "S: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\n"
                      "S: 354 go\nC: ...\nC: .\nS: 250 ok\nC: QUIT\n"
                      "S: 221 bye\n");
    struct smtp_dialogue_result result = {.outcome = SMTP_DIALOGUE_CANNOT_RUN};
    const struct smtp_dialogue_options options = {.step_timeout_ms = STEP_MS};
    if (dialogue != NULL) {
        smtp_dialogue_play_server(dialogue, served->listener, &options, &result);
    }
    stage->letters[1].status =
        result.outcome == SMTP_DIALOGUE_HELD ? SMTP_OK : SMTP_NOT_AS_EXPECTED;
    smtp_dialogue_result_clear(&result);
    smtp_dialogue_free(dialogue);
}

static void after_serving(struct stage *stage)
{
    const struct served *served = stage->user;
    close(served->listener);
    pthread_join(served->client, NULL);
    bool full = stage->how == EMFILE || stage->how == ENFILE || stage->how == ENOMEM; /* is told */
    if (stage->must_hold && !full && stage->letters[1].status != SMTP_OK) {
        stage_wrong(stage, "it did not hold");
    }
}

static const struct scenario in_use = {"a harness in use", before_use, run_use, after_use},
                             life = {"a harness's life", NULL, run_life, after_life},
                             recording = {"a recording", before_recording, run_recording,
                                          after_recording},
                             playing = {"a dialogue as client", before_dialogue, run_dialogue,
                                        after_dialogue},
                             serving = {"a dialogue as server", before_serving, run_serving,
                                        after_serving};

BOTH_FAIL(a_harness_in_use, in_use)
BOTH_FAIL(a_harness_that_starts, life)
BOTH_FAIL(a_recording, recording)
BOTH_FAIL(a_dialogue_as_client, playing)
BOTH_FAIL(a_dialogue_as_server, serving)
