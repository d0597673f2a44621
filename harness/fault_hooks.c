/* fault_hooks.c - the hook table that puts a plan into effect: which faults a step of a session is asked about,
 * and the replies that an address spells. Knows the steps of smtp_server.h. Does not know how often a fault is due
 * (fault.c). */
#include "common/clock.h"
#include "harness/fault.h"
#include "harness/fault_plan.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

/* What a session keeps from one step to the next; made when it is first needed. */
struct session_state {
    uint64_t content_octets; /* of this content, at the step before */
    struct smtp_server_reply
        *replies; /* of the message to be answered, one a recipient (LMTP); or NULL */
    size_t reply_count;
};

static struct session_state *state_of(const struct smtp_server_session_info *session)
{
    if (*session->user == NULL) {
        *session->user = calloc(1, sizeof(struct session_state));
    }
    return *session->user;
}

static void drop_replies(struct session_state *state)
{
    free(state->replies);
    state->replies = NULL;
    state->reply_count = 0;
}

/* ---- which faults a step is asked about ---- */

static bool is_verb(const struct smtp_server_step *step, const char *verb)
{
    return step->kind == SMTP_STEP_COMMAND && strcmp(step->verb, verb) == 0;
}

static bool is_at(enum smtp_harness_fault_stage stage, const struct smtp_server_step *step)
{
    static const struct {
        enum smtp_harness_fault_stage stage;
        const char *verb;
    } verbs[] = {
        {SMTP_FAULT_EHLO, "EHLO"}, {SMTP_FAULT_EHLO, "HELO"},         {SMTP_FAULT_EHLO, "LHLO"},
        {SMTP_FAULT_AUTH, "AUTH"}, {SMTP_FAULT_MAIL, "MAIL"},         {SMTP_FAULT_RCPT, "RCPT"},
        {SMTP_FAULT_DATA, "DATA"}, {SMTP_FAULT_BDAT, "BDAT"},         {SMTP_FAULT_RSET, "RSET"},
        {SMTP_FAULT_QUIT, "QUIT"}, {SMTP_FAULT_STARTTLS, "STARTTLS"},
    };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (verbs[i].stage == stage && is_verb(step, verbs[i].verb)) {
            return true;
        }
    }
    switch (step->kind) {
    case SMTP_STEP_CONNECT:
        return stage == SMTP_FAULT_CONNECT;
    case SMTP_STEP_TLS:
        return stage == SMTP_FAULT_TLS;
    case SMTP_STEP_GREETING:
        return stage == SMTP_FAULT_GREETING;
    case SMTP_STEP_COMMAND:
        return stage == SMTP_FAULT_ANY;
    case SMTP_STEP_CONTENT:
        return stage == SMTP_FAULT_CONTENT;
    case SMTP_STEP_END_OF_CONTENT:
        return stage == SMTP_FAULT_DOT;
    }
    return false;
}

/* In any case of letters: what of an address is sensitive to it is rarely meant to be. */
static bool fits(const char *pattern, const char *text)
{
    return fnmatch(pattern, text, FNM_CASEFOLD) == 0;
}

/* The path of "FROM:<...>" or "TO:<...>" without its brackets; what has none, as it stands. */
static char *path_of(const char *argument)
{
    const char *start = strchr(argument, ':');
    start = start != NULL ? start + 1 + strspn(start + 1, " ") : argument;
    const char *at = *start == '<' ? ++start : start;
    char end = at > argument && at[-1] == '<' ? '>' : ' ';
    for (bool quoted = false; *at != '\0' && (quoted || *at != end); at++) {
        quoted = *at == '"' ? !quoted : quoted;
        at += quoted && *at == '\\' && at[1] != '\0';
    }
    return strndup(start, (size_t)(at - start));
}

static bool fits_path(const char *pattern, const char *argument)
{
    char *path = path_of(argument);
    bool held = path != NULL && fits(pattern, path);
    free(path);
    return held;
}

static bool fits_line(const char *pattern, const struct smtp_server_step *step)
{
    char *line = NULL;
    bool blank = step->argument[0] != '\0';
    if (asprintf(&line, "%s%s%s", step->verb, blank ? " " : "", step->argument) < 0) {
        return false;
    }
    bool held = fits(pattern, line);
    free(line);
    return held;
}

static bool fits_any_recipient(const char *pattern, const struct smtp_message *message)
{
    size_t count = message != NULL ? smtp_message_recipient_count(message) : 0;
    for (size_t i = 0; i < count; i++) {
        if (fits(pattern, smtp_message_forward_path(message, i))) {
            return true;
        }
    }
    return false;
}

static bool matches(const struct smtp_harness_fault_entry *entry,
                    const struct smtp_server_session_info *session,
                    const struct smtp_server_step *step, uint64_t octets_before)
{
    if (!is_at(entry->stage, step)) {
        return false;
    }
    if (entry->stage == SMTP_FAULT_CONTENT) { /* once in each content */
        uint64_t from = entry->content_octets > 0 ? entry->content_octets : 1;
        return octets_before < from && step->content_octets >= from;
    }
    if (entry->pattern == NULL) {
        return true;
    }
    switch (entry->stage) {
    case SMTP_FAULT_CONNECT:
    case SMTP_FAULT_GREETING:
        return fits(entry->pattern, session->peer);
    case SMTP_FAULT_MAIL:
    case SMTP_FAULT_RCPT:
        return fits_path(entry->pattern, step->argument);
    case SMTP_FAULT_DATA:
    case SMTP_FAULT_BDAT:
    case SMTP_FAULT_DOT:
        return fits_any_recipient(entry->pattern, step->message);
    case SMTP_FAULT_ANY:
        return fits_line(entry->pattern, step);
    default:
        return fits(entry->pattern, step->argument);
    }
}

/* ---- what is due ---- */

/* Its reply for those of a message's recipients that it matches and none before it did. False: out of
 * memory. */
static bool refuse_recipients(const struct smtp_harness_fault_entry *entry,
                              struct session_state *state, const struct smtp_message *message)
{
    size_t count = smtp_message_recipient_count(message);
    if (state == NULL) {
        return false;
    }
    if (state->replies == NULL) {
        state->replies = calloc(count, sizeof *state->replies);
        state->reply_count = state->replies != NULL ? count : 0;
    }
    for (size_t i = 0; i < state->reply_count; i++) {
        if (state->replies[i].code == 0 &&
            fits(entry->pattern, smtp_message_forward_path(message, i))) {
            state->replies[i] = entry->fault.reply;
        }
    }
    return state->reply_count > 0;
}

/* A reference to what the handshake shows; where it cannot be made the log says so. */
static void add_certificate(struct smtp_harness_faults *faults,
                            struct smtp_harness_fault_entry *entry, struct smtp_server_fault *fault)
{
    struct smtp_error error = {.status = SMTP_OK};
    if (entry->has_certificate) {
        fault->identity = smtp_harness_faults_identity(faults, entry, &error);
    }
    if (error.status != SMTP_OK) {
        snprintf(fault->note, sizeof fault->note, "fault: %.150s", error.message);
    }
}

static bool is_lmtp_refusal(const struct smtp_harness_fault_entry *entry,
                            const struct smtp_server_session_info *session)
{
    return entry->replies_alone && session->lmtp;
}

/* Of the faults that match, the first that is due has its way; the others are counted. With LMTP one that
 * refuses some recipients leaves room for others. */
static bool choose(struct smtp_harness_faults *faults,
                   const struct smtp_server_session_info *session,
                   const struct smtp_server_step *step, struct smtp_server_fault *fault)
{
    struct session_state *state = *session->user;
    uint64_t before = state != NULL ? state->content_octets : 0;
    uint64_t now_ns = smtp_clock_now_ns();
    bool open = true, chosen = false;
    size_t count;
    struct smtp_harness_fault_entry **entries = smtp_harness_faults_lock(faults, &count);
    for (size_t i = 0; i < count; i++) {
        struct smtp_harness_fault_entry *entry = entries[i];
        bool some = is_lmtp_refusal(entry, session);
        if (!matches(entry, session, step, before) ||
            !smtp_harness_fault_is_due(entry, now_ns, smtp_harness_faults_draw(faults, i),
                                       open || (some && state != NULL && state->replies != NULL))) {
            continue;
        }
        if (some) {
            state = state_of(session);
            some = refuse_recipients(entry, state, step->message);
        }
        if (open) {
            *fault = entry->fault;
            if (some) {
                fault->reply.code = 0; /* the row `message` gives it */
            }
            add_certificate(faults, entry, fault);
        }
        open = false;
        chosen = true;
    }
    smtp_harness_faults_unlock(faults);
    return chosen;
}

static bool go_wrong(void *user, const struct smtp_server_session_info *session,
                     const struct smtp_server_step *step, struct smtp_server_fault *fault)
{
    struct smtp_harness_faults *faults = user;
    struct session_state *state = *session->user;
    if (state != NULL && step->kind != SMTP_STEP_CONTENT && !is_verb(step, "BDAT")) {
        state->content_octets = 0; /* BDAT goes on with the content of the one before it */
        drop_replies(state);
    }
    if (smtp_harness_faults_is_empty(faults)) {
        return false;
    }
    bool chosen = choose(faults, session, step, fault);
    if (step->kind == SMTP_STEP_CONTENT && (state = state_of(session)) != NULL) {
        state->content_octets = step->content_octets;
    }
    return chosen;
}

/* ---- rows ---- */

/* RFC 2033 4.2: an answer for each recipient. */
static enum smtp_server_verdict refuse_some(void *user,
                                            const struct smtp_server_session_info *session,
                                            struct smtp_message *message,
                                            struct smtp_server_reply *reply)
{
    (void)user;
    struct session_state *state = *session->user;
    size_t count = smtp_message_recipient_count(message);
    for (size_t i = 0; state != NULL && i < state->reply_count && i < count; i++) {
        if (state->replies[i].code != 0) {
            reply[i] = state->replies[i];
        }
    }
    return SMTP_ACCEPT;
}

static void forget(void *user, const struct smtp_server_session_info *session)
{
    (void)user;
    if (*session->user != NULL) {
        drop_replies(*session->user);
        free(*session->user);
        *session->user = NULL;
    }
}

static bool is_class(char c)
{
    return c == '2' || c == '4' || c == '5';
}

/* A part of an enhanced status code: one to three digits. */
static const char *skip_part(const char *at)
{
    size_t digits = 0;
    while (digits < 3 && smtp_is_digit((unsigned char)at[digits])) {
        digits++;
    }
    return digits > 0 ? at + digits : NULL;
}

/* "-4.7.1" behind a code of its class, up to the "@"; "" for none. */
static bool take_spelt_enhanced(const char *at, const char *end, char class, char out[12])
{
    out[0] = '\0';
    if (at == end) {
        return true;
    }
    if (at[0] != '-' || at[1] != class || at[2] != '.') {
        return false;
    }
    const char *detail = skip_part(at + 3);
    const char *behind = detail != NULL && *detail == '.' ? skip_part(detail + 1) : NULL;
    if (behind != end) {
        return false;
    }
    smtp_bytes_copy(out, (struct smtp_span){at + 1, (size_t)(end - at) - 1});
    out[end - at - 1] = '\0';
    return true;
}

/* The reply that "bob+450-4.7.1@example.com" spells. False: it spells none. */
static bool spelt_reply(const char *path, struct smtp_server_reply *reply)
{
    const char *end = strrchr(path, '@');
    const char *plus = end != NULL ? memrchr(path, '+', (size_t)(end - path)) : NULL;
    if (plus == NULL || end - plus < 4 || !is_class(plus[1]) ||
        !smtp_is_digit((unsigned char)plus[2]) || plus[2] > '5' ||
        !smtp_is_digit((unsigned char)plus[3]) ||
        !take_spelt_enhanced(plus + 4, end, plus[1], reply->enhanced)) {
        return false;
    }
    reply->code = (plus[1] - '0') * 100 + (plus[2] - '0') * 10 + (plus[3] - '0');
    snprintf(reply->text, sizeof reply->text, "As the address says");
    return true;
}

static enum smtp_server_verdict do_as_spelt(void *user,
                                            const struct smtp_server_session_info *session,
                                            const char *path, const char *parameters,
                                            struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    (void)parameters;
    struct smtp_server_reply spelt = {0};
    if (!spelt_reply(path, &spelt)) {
        return SMTP_ACCEPT;
    }
    *reply = spelt;
    return spelt.code == 421  ? SMTP_DISCONNECT /* RFC 5321 3.8 */
           : spelt.code < 400 ? SMTP_ACCEPT
                              : SMTP_REFUSE;
}

struct smtp_server_hooks smtp_harness_faults_hooks(struct smtp_harness_faults *faults)
{
    struct smtp_server_hooks table = {.user = faults,
                                      .streaming = true, /* of a message, only for whom it is */
                                      .message = refuse_some,
                                      .close = forget,
                                      .fault = go_wrong};
    if (smtp_harness_faults_has_magic(faults)) {
        table.mail = do_as_spelt;
        table.rcpt = do_as_spelt;
    }
    return table;
}
