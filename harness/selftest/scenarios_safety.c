/* scenarios_safety.c - what an attacker or a broken peer would try: injection, smuggling, lines
 * without end, silence. */
#include "harness/selftest/scenarios.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool injection_refused(struct smtp_trial *trial)
{
    /* each would add a command, a parameter or a recipient if it reached the wire as it is */
    static const char *const paths[] = {
        "a@example.com>\r\nRSET", "a@example.com\nRSET",       "a@example.com\r",
        "a@example.com\x01",      "\"a\r\nQUIT\"@example.com",
    };
    static const char *const lines[] = {"NOOP\r\nRSET", "NOOP\n", "NOOP\rRSET"};
    struct smtp_ends ends;
    if (!smtp_trial_open(trial, NULL, &ends) ||
        !smtp_trial_is_status(trial, "EHLO", smtp_client_ehlo(ends.client), SMTP_OK, ends.client)) {
        return false;
    }
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (!smtp_trial_is_status(trial, paths[i], smtp_client_mail(ends.client, paths[i], NULL),
                                  SMTP_UNSAFE_ARGUMENT, ends.client)) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (!smtp_trial_is_status(trial, lines[i], smtp_client_command(ends.client, lines[i]),
                                  SMTP_UNSAFE_ARGUMENT, ends.client)) {
            return false;
        }
    }
    const char *transcript = smtp_harness_transcript(ends.harness, 1);
    return smtp_trial_is_true(trial, "no octet of them reached the server",
                              strstr(transcript, "RSET") == NULL &&
                                  strstr(transcript, "MAIL") == NULL &&
                                  strstr(transcript, "NOOP") == NULL) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text("safe\n"), SMTP_OK, 250) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, SMTP_SPAN("safe\r\n"));
}

/** The server's notes, written on its thread. */
struct notes {
    pthread_mutex_t lock;
    char text[1024]; /* under lock; each in a line */
    size_t len;      /* under lock */
};

static void keep_notes(void *user, const struct smtp_server_session_info *session,
                       const struct smtp_server_log_entry *entry)
{
    (void)session;
    struct notes *notes = user;
    if (entry->kind != SMTP_LOG_NOTE) {
        return;
    }
    pthread_mutex_lock(&notes->lock);
    size_t room = sizeof notes->text - notes->len - 2;
    size_t len = entry->len < room ? entry->len : room;
    memcpy(notes->text + notes->len, entry->text, len);
    notes->len += len;
    notes->text[notes->len++] = '\n';
    notes->text[notes->len] = '\0';
    pthread_mutex_unlock(&notes->lock);
}

/** Exactly this was noted since the last call. */
static bool one_note(struct smtp_trial *trial, struct notes *notes, const char *note)
{
    char expected[64];
    snprintf(expected, sizeof expected, "%s of the content\n", note);
    pthread_mutex_lock(&notes->lock);
    bool held = smtp_trial_is_text(trial, "the log", notes->text, expected);
    notes->len = 0;
    notes->text[0] = '\0';
    pthread_mutex_unlock(&notes->lock);
    return held;
}

/** Content with a false end and a smuggled transaction behind it: one reply, after the true end. */
static bool refuses_smuggling(struct smtp_trial *trial, struct smtp_raw *wire,
                              const char *false_end)
{
    return smtp_raw_asks(trial, wire, "MAIL FROM:<" ANN ">", "250") &&
           smtp_raw_asks(trial, wire, "RCPT TO:<" BOB ">", "250") &&
           smtp_raw_asks(trial, wire, "DATA", "354") && smtp_raw_says(trial, wire, "a") &&
           smtp_raw_says(trial, wire, false_end) &&
           smtp_raw_says(trial, wire,
                         "MAIL FROM:<mallory@example.com>\r\nRCPT TO:<" BOB ">\r\n"
                         "DATA\r\nsmuggled\r\n.\r\n") &&
           smtp_raw_answers(trial, wire, "554") && smtp_raw_asks(trial, wire, "VRFY x", "252");
}

static bool smuggling_refused(struct smtp_trial *trial)
{
    /* RFC 5321 2.3.8 and 4.1.1.4; CVE-2023-51764 and its kin */
    static const struct {
        const char *octets, *note;
    } ends[] = {
        {"\n.\n", "bare LF at octet 2"},   {"\n.\r\n", "bare LF at octet 2"},
        {"\r\n.\n", "bare LF at octet 5"}, {"\r.\r", "bare CR at octet 2"},
        {"\r\n.\r", "bare CR at octet 5"}, {"\r\r\n.\r\r\n", "bare CR at octet 2"},
    };
    struct notes notes = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.hooks.log = keep_notes;
    options.server.hooks.user = &notes;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    if (wire == NULL || !smtp_raw_asks(trial, wire, "EHLO client.test", "250")) {
        return false;
    }
    bool held = true;
    for (size_t i = 0; held && i < sizeof ends / sizeof *ends; i++) {
        held =
            refuses_smuggling(trial, wire, ends[i].octets) && one_note(trial, &notes, ends[i].note);
    }
    smtp_server_stop(smtp_harness_server(harness), 0); /* the hook's notes end with this scope */
    return held && smtp_trial_count(trial, harness, 0);
}

static bool command_bare_lf(struct smtp_trial *trial)
{
    /* RFC 5321 2.3.8: neither LF nor CR alone ends a command; one reply for the whole line */
    struct smtp_harness *harness = smtp_trial_harness(trial, NULL);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_asks(trial, wire, "HELO client.test", "250") &&
           smtp_raw_asks(trial, wire, "NOOP\nNOOP", "500") &&
           smtp_raw_asks(trial, wire, "NOOP\rQUIT", "500") &&
           smtp_raw_asks(trial, wire, "VRFY bob", "252") &&
           smtp_raw_asks(trial, wire, "QUIT", "221") && smtp_raw_closes(trial, wire);
}

static bool control_octets_in_commands(struct smtp_trial *trial)
{
    struct smtp_harness *harness = smtp_trial_harness(trial, NULL);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    static const char nul_inside[] = "MAIL FROM:<a\0b@example.com>\r\n";
    return wire != NULL && smtp_raw_asks(trial, wire, "EHLO client.test", "250") &&
           smtp_trial_is_status(trial, "writing raw octets",
                                smtp_raw_say(wire, nul_inside, sizeof nul_inside - 1), SMTP_OK,
                                NULL) &&
           smtp_raw_answers(trial, wire, "501") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<a\x01@example.com>", "501") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<\xC3\xA4@example.com>", "550 5.6.7") &&
           smtp_raw_asks(trial, wire, "RCPT TO:<" BOB ">", "503") &&
           smtp_raw_asks(trial, wire, "QUIT", "221") && smtp_raw_closes(trial, wire);
}

static bool over_long_command_one_reply(struct smtp_trial *trial)
{
    /* RFC 5321 4.5.3.1.9: refused as one; its tail is no command of its own */
    struct smtp_harness *harness = smtp_trial_harness(trial, NULL);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    size_t size = (size_t)1 << 20;
    char *line = smtp_trial_alloc(trial, size);
    if (wire == NULL || line == NULL) {
        return false;
    }
    for (size_t i = 0; i + 5 < size; i += 5) {
        memcpy(line + i, "QUIT ", 5);
    }
    memcpy(line, "NOOP ", 5);
    return smtp_raw_asks(trial, wire, "HELO client.test", "250") &&
           smtp_raw_asks(trial, wire, line, "500") &&
           smtp_raw_asks(trial, wire, "VRFY bob", "252") &&
           smtp_raw_asks(trial, wire, "QUIT", "221") && smtp_raw_closes(trial, wire);
}

static bool too_many_errors_421(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.limits.errors = 3;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_asks(trial, wire, "ONE", "500") &&
           smtp_raw_asks(trial, wire, "TWO", "500") && smtp_raw_asks(trial, wire, "THREE", "500") &&
           smtp_raw_answers(trial, wire, "421") && smtp_raw_closes(trial, wire);
}

static bool idle_timeout_421(struct smtp_trial *trial)
{
    /* RFC 5321 4.5.3.2.7 and 3.8: 421 before the server closes, inside a command too */
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.limits.command_timeout_ms = 20;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_says(trial, wire, "EHL") &&
           smtp_raw_answers(trial, wire, "421") && smtp_raw_closes(trial, wire);
}

static bool peer_vanishes_in_content(struct smtp_trial *trial)
{
    /* RFC 5321 4.1.1.10: no end of data, no message */
    struct smtp_ends ends;
    if (!smtp_trial_open(trial, NULL, &ends)) {
        return false;
    }
    struct smtp_raw *wire = smtp_trial_wire(trial, ends.harness);
    if (wire == NULL || !smtp_raw_asks(trial, wire, "HELO client.test", "250") ||
        !smtp_raw_asks(trial, wire, "MAIL FROM:<" ANN ">", "250") ||
        !smtp_raw_asks(trial, wire, "RCPT TO:<" BOB ">", "250") ||
        !smtp_raw_asks(trial, wire, "DATA", "354") ||
        !smtp_raw_says(trial, wire, "half a message\r\n.")) {
        return false;
    }
    smtp_raw_close(wire);
    return smtp_trial_send(trial, ends.client, BOB, smtp_content_text("whole\n"), SMTP_OK, 250) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, SMTP_SPAN("whole\r\n"));
}

static const struct smtp_scenario rows[] = {
    {"injection-refused", "5321 4.1.1", "CR, LF and control octets never leave the client",
     injection_refused},
    {"smuggling-refused", "5321 4.1.1.4", "only CRLF.CRLF ends content; the log says where",
     smuggling_refused},
    {"command-bare-lf", "5321 2.3.8", "LF or CR alone ends no command", command_bare_lf},
    {"control-octets-in-commands", "5321 4.1.2", "NUL, controls and 8-bit in a command: 501, 550",
     control_octets_in_commands},
    {"over-long-command-one-reply", "5321 4.5.3.1.4", "1 MiB without an end: one 500",
     over_long_command_one_reply},
    {"too-many-errors-421", "5321 3.8", "refused too often: 421 and closed", too_many_errors_421},
    {"idle-timeout-421", "5321 4.5.3.2.7", "silence: 421 and closed", idle_timeout_421},
    {"peer-vanishes-in-content", "5321 3.8", "half a message is no message",
     peer_vanishes_in_content},
};
const struct smtp_scenario_table smtp_scenarios_safety = {rows, sizeof rows / sizeof *rows};
