/* trial.c - what a scenario has running, and taking it down in reverse order; its dialogues.
 * Does not know how things are compared (checks.c). */
#include "harness/selftest/trial.h"

#include "common/address.h"
#include "common/clock.h"
#include "harness/harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWNED_MAX 64         /* ends and blocks of one scenario, and what they said */
#define HARNESSES_MAX 4      /* servers of one scenario */
#define SESSIONS_SHOWN_MAX 4 /* dialogues of one server that are shown: fifty help nobody */
#define DIALOGUES_MAX (1 + HARNESSES_MAX * SESSIONS_SHOWN_MAX)

struct owned {
    void (*release)(void *thing);
    void *thing;
};

struct smtp_trial {
    struct owned owned[OWNED_MAX];
    size_t owned_count;
    struct smtp_harness *harnesses[HARNESSES_MAX];
    size_t harness_count;
    bool failed, skipped;
    char *detail;                         /* of the first failure, or why it was skipped */
    struct smtp_harness_transcript *said; /* by the clients of smtp_trial_client, and to them */
    char *said_text;                      /* smtp_trial_said's */
    struct smtp_report_dialogue dialogues[DIALOGUES_MAX];
    size_t dialogue_count;
};

struct smtp_trial *smtp_trial_new(void)
{
    struct smtp_trial *trial = calloc(1, sizeof *trial);
    if (trial == NULL) {
        return NULL;
    }
    trial->said = smtp_harness_transcript_new();
    if (trial->said == NULL) {
        free(trial);
        return NULL;
    }
    return trial;
}

void smtp_trial_free(struct smtp_trial *trial)
{
    if (trial == NULL) {
        return;
    }
    while (trial->owned_count > 0) {
        struct owned *last = &trial->owned[--trial->owned_count];
        last->release(last->thing);
    }
    smtp_harness_transcript_free(trial->said);
    free(trial->said_text);
    free(trial->detail);
    free(trial);
}

bool smtp_trial_run(struct smtp_trial *trial, const struct smtp_scenario *scenario)
{
    bool held = scenario->run(trial);
    if (!held) {
        smtp_trial_fail(trial, "did not hold");
    }
    return held && !trial->failed;
}

void *smtp_trial_own(struct smtp_trial *trial, void *thing, void (*release)(void *thing))
{
    if (thing == NULL) {
        return NULL;
    }
    if (trial->owned_count == OWNED_MAX) {
        release(thing);
        smtp_trial_fail(trial, "the scenario starts more than %d things", OWNED_MAX);
        return NULL;
    }
    trial->owned[trial->owned_count++] = (struct owned){release, thing};
    return thing;
}

/* ---- what did not hold ---- */

static bool keep_detail(struct smtp_trial *trial, const char *format, va_list arguments)
{
    if (trial->detail != NULL) {
        return false;
    }
    if (vasprintf(&trial->detail, format, arguments) < 0) {
        trial->detail = NULL;
    }
    return true;
}

bool smtp_trial_fail(struct smtp_trial *trial, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    keep_detail(trial, format, arguments);
    va_end(arguments);
    trial->failed = true;
    return false;
}

bool smtp_trial_skip(struct smtp_trial *trial, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    keep_detail(trial, format, arguments);
    va_end(arguments);
    trial->skipped = true;
    return true;
}

bool smtp_trial_was_skipped(const struct smtp_trial *trial)
{
    return trial->skipped && !trial->failed;
}

const char *smtp_trial_detail(const struct smtp_trial *trial)
{
    return trial->detail != NULL ? trial->detail : "";
}

/* ---- both ends ---- */

static void bound_client(struct smtp_client_options *options)
{
    options->long_lines = true; /* what a server does with them is asked, too */
    options->timeouts = (struct smtp_client_timeouts){
        .connect_ms = SMTP_TRIAL_LIMIT_MS,
        .greeting_ms = SMTP_TRIAL_LIMIT_MS,
        .handshake_ms = SMTP_TRIAL_LIMIT_MS,
        .command_ms = SMTP_TRIAL_LIMIT_MS,
        .data_ms = SMTP_TRIAL_LIMIT_MS,
        .content_ms = SMTP_TRIAL_LIMIT_MS,
        .final_ms = SMTP_TRIAL_LIMIT_MS,
        .quit_ms = SMTP_TRIAL_LIMIT_MS,
    };
}

void smtp_trial_options(struct smtp_harness_options *options)
{
    smtp_harness_options_init(options);
    bound_client(&options->client);
    options->wait_ms = SMTP_TRIAL_LIMIT_MS;
}

void smtp_trial_tls_options(struct smtp_harness_options *options)
{
    static const char *const listen[] = {"smtps://127.0.0.1:0"};
    smtp_trial_options(options);
    options->server.listen = listen;
    options->server.listen_count = 1;
}

static void release_harness(void *thing)
{
    smtp_harness_stop(thing);
}

struct smtp_harness *smtp_trial_harness(struct smtp_trial *trial,
                                        const struct smtp_harness_options *options)
{
    struct smtp_harness_options bounded;
    struct smtp_error error = {.status = SMTP_OK};
    smtp_trial_options(&bounded);
    struct smtp_harness *harness = smtp_harness_start(options != NULL ? options : &bounded, &error);
    if (harness == NULL) {
        smtp_trial_fail(trial, "the server does not start: %s", error.message);
        return NULL;
    }
    harness = smtp_trial_own(trial, harness, release_harness);
    if (harness != NULL && trial->harness_count < HARNESSES_MAX) {
        trial->harnesses[trial->harness_count++] = harness;
    }
    return harness;
}

bool smtp_trial_open(struct smtp_trial *trial, const struct smtp_harness_options *options,
                     struct smtp_ends *ends)
{
    ends->harness = smtp_trial_harness(trial, options);
    if (ends->harness == NULL) {
        return false;
    }
    ends->client = smtp_harness_client(ends->harness);
    if (ends->client == NULL) {
        return smtp_trial_fail(trial, "the client does not connect: %s",
                               smtp_harness_failure(ends->harness));
    }
    return true;
}

static void release_peer(void *thing)
{
    smtp_peer_free(thing);
}

struct smtp_peer *smtp_trial_peer(struct smtp_trial *trial, const struct smtp_peer_step *steps,
                                  size_t step_count)
{
    struct smtp_error error = {.status = SMTP_OK};
    struct smtp_peer *peer = smtp_peer_start(steps, step_count, SMTP_TRIAL_LIMIT_MS, &error);
    if (peer == NULL) {
        smtp_trial_fail(trial, "the scripted peer does not start: %s", error.message);
    }
    return smtp_trial_own(trial, peer, release_peer);
}

static void release_client(void *thing)
{
    smtp_client_free(thing);
}

struct smtp_client *smtp_trial_client(struct smtp_trial *trial,
                                      const struct smtp_client_options *options)
{
    struct smtp_client_options own_options;
    smtp_client_options_init(&own_options);
    if (options != NULL) {
        own_options = *options;
    }
    bound_client(&own_options);
    own_options.log = smtp_harness_transcript_client_log;
    own_options.log_user = trial->said;
    struct smtp_client *client = NULL;
    enum smtp_status status = smtp_client_new(&client, &own_options);
    if (status != SMTP_OK) {
        smtp_trial_fail(trial, "no client: %s", smtp_status_text(status));
        return NULL;
    }
    return smtp_trial_own(trial, client, release_client);
}

static void release_wire(void *thing)
{
    smtp_raw_clear(thing);
    free(thing);
}

struct smtp_raw *smtp_trial_raw_wire(struct smtp_trial *trial, struct smtp_harness *harness)
{
    struct smtp_raw *wire = calloc(1, sizeof *wire);
    struct smtp_error error = {.status = SMTP_OK};
    if (wire == NULL) {
        smtp_trial_fail(trial, "out of memory");
        return NULL;
    }
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), SMTP_TRIAL_LIMIT_MS);
    const char *address = smtp_server_address(smtp_harness_server(harness), 0);
    enum smtp_status status = smtp_raw_connect(wire, address, deadline_ns, &error);
    wire = smtp_trial_own(trial, wire, release_wire);
    if (wire == NULL) {
        return NULL;
    }
    if (status != SMTP_OK) {
        smtp_trial_fail(trial, "raw connection: %s", error.message);
        return NULL;
    }
    return wire;
}

struct smtp_raw *smtp_trial_wire(struct smtp_trial *trial, struct smtp_harness *harness)
{
    struct smtp_raw *wire = smtp_trial_raw_wire(trial, harness);
    return wire != NULL && smtp_raw_answers(trial, wire, "220") ? wire : NULL;
}

char *smtp_trial_alloc(struct smtp_trial *trial, size_t size)
{
    char *block = calloc(1, size);
    if (block == NULL) {
        smtp_trial_fail(trial, "no memory for %zu octets", size);
    }
    return smtp_trial_own(trial, block, free);
}

/* ---- what was said ---- */

static void release_transcript(void *thing)
{
    smtp_harness_transcript_free(thing);
}

const char *smtp_trial_said(struct smtp_trial *trial)
{
    free(trial->said_text);
    trial->said_text = smtp_harness_transcript_text(trial->said);
    return trial->said_text != NULL ? trial->said_text : "";
}

static void add_dialogue(struct smtp_trial *trial, const char *title,
                         const struct smtp_harness_transcript *transcript)
{
    trial->dialogues[trial->dialogue_count++] = (struct smtp_report_dialogue){title, transcript};
}

static void add_sessions(struct smtp_trial *trial, struct smtp_harness *harness, const char *title)
{
    struct smtp_harness_transcripts *all = smtp_harness_transcripts(harness);
    uint64_t last = smtp_harness_transcripts_last(all);
    for (uint64_t number = 1; number <= last && number <= SESSIONS_SHOWN_MAX; number++) {
        struct smtp_harness_transcript *copy =
            smtp_trial_own(trial, smtp_harness_transcript_copy(all, number), release_transcript);
        if (copy != NULL) {
            add_dialogue(trial, title, copy);
        }
    }
}

const struct smtp_report_dialogue *smtp_trial_dialogues(struct smtp_trial *trial, size_t *count)
{
    bool both = smtp_trial_said(trial)[0] != '\0';
    if (both) {
        add_dialogue(trial, "", trial->said);
    }
    for (size_t i = 0; i < trial->harness_count; i++) {
        add_sessions(trial, trial->harnesses[i], both ? "as the server's side tells it" : "");
    }
    *count = trial->dialogue_count;
    return trial->dialogues;
}
