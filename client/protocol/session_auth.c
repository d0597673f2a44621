/* session_auth.c - AUTH in a session (RFC 4954 4): the command, challenges and responses, "*".
 * Knows: the 512 octets of a command line, base64, how often a server may ask, what the log may show,
 * that secrets are wiped when they were sent. Does not know: what a mechanism says (client/sasl.c). */
#include "client/protocol/session_state.h"
#include "common/error.h"
#include "common/secret.h"

#include <stdio.h>
#include <string.h>

/* RFC 4954 4: an initial response goes into the command only where all of it, CRLF included, keeps
 * the bound of RFC 5321 4.5.3.1.4. */
#define AUTH_LINE_MAX 512
/* SCRAM takes two; a server that asks on and on is given up. */
#define CHALLENGES_MAX 10

/* ---- secrets ---- */

void smtp_client_session_wipe_sent(struct smtp_client_session *session)
{
    if (session->auth.secret_queued && session->out.len == 0) {
        smtp_secret_wipe(session->out.bytes, session->out.capacity);
        session->auth.secret_queued = false;
    }
}

void smtp_client_session_forget_exchange(struct smtp_client_session *session)
{
    if (session->auth.secret_queued) {
        smtp_secret_wipe(session->out.bytes, session->out.capacity);
        session->auth.secret_queued = false;
    }
    smtp_secret_free_buffer(&session->auth.initial);
    session->auth.mechanism = NULL;
    session->auth.challenged = false;
}

/* How much of "AUTH MECHANISM response" may be seen. */
static size_t shown_of_auth(struct smtp_span line)
{
    size_t at = 4;
    while (at < line.len && line.bytes[at] == ' ') {
        at++;
    }
    while (at < line.len && line.bytes[at] != ' ') {
        at++;
    }
    while (at < line.len && line.bytes[at] == ' ') {
        at++;
    }
    bool empty_response = at + 1 == line.len && line.bytes[at] == '=';
    return empty_response ? line.len : at;
}

void smtp_client_session_note_command(const struct smtp_client_session *session,
                                      struct smtp_span line)
{
    char text[64];
    size_t shown = line.len;
    if (session->auth.challenged) {
        shown = smtp_span_equal(line, SMTP_SPAN("*")) ? 1 : 0;
    } else if (line.len > 5 &&
               smtp_span_equal_nocase((struct smtp_span){line.bytes, 5}, SMTP_SPAN("AUTH "))) {
        shown = shown_of_auth(line);
    }
    if (shown < line.len) {
        int len = snprintf(text, sizeof(text), "%.*s***", shown <= 40 ? (int)shown : 5, line.bytes);
        line = (struct smtp_span){text, (size_t)len};
    }
    smtp_client_session_note(session, SMTP_CLIENT_LOG_COMMAND, line);
}

/* ---- lines out ---- */

/* One line, in storage that is large enough from the beginning: growing would leave a copy behind. */
static enum smtp_status send_line(struct smtp_client_session *session, const char *verb,
                                  const char *argument, uint64_t now_ns)
{
    struct smtp_client_command line = {
        .verb = verb, .kind = SMTP_CLIENT_SECRET, .argument = argument};
    if (smtp_buffer_reserve(&session->out, strlen(verb) + strlen(argument) + 3) == NULL) {
        return smtp_error_set(&session->error, SMTP_NO_MEMORY, 0, "out of memory for AUTH");
    }
    enum smtp_status status = smtp_client_session_queue(session, SMTP_STAGE_AUTH, &line);
    if (status == SMTP_OK) {
        session->auth.secret_queued = true;
        smtp_client_session_release(session, now_ns);
    }
    return status;
}

/* The mechanism's answer in base64, with its NUL. */
static enum smtp_status answer(struct smtp_client_session *session, struct smtp_span challenge,
                               struct smtp_buffer *text)
{
    const struct smtp_client_mechanism *mechanism = session->auth.mechanism;
    struct smtp_buffer octets = SMTP_BUFFER(SMTP_CLIENT_RESPONSE_MAX);
    *text = SMTP_BUFFER(SMTP_CLIENT_COMMAND_MAX + 1);
    enum smtp_status status = SMTP_NO_MEMORY;
    session->error = (struct smtp_error){0};
    if (smtp_buffer_reserve(&octets, SMTP_CLIENT_RESPONSE_MAX) != NULL &&
        smtp_buffer_reserve(text, SMTP_CLIENT_COMMAND_MAX + 1) != NULL) {
        status = mechanism->answer(mechanism->user, challenge, &octets, &session->error);
    }
    status = status == SMTP_OK ? smtp_base64_append(text, smtp_buffer_span(&octets)) : status;
    status = status == SMTP_OK ? smtp_buffer_append(text, "", 1) : status;
    smtp_secret_free_buffer(&octets);
    if (status != SMTP_OK) {
        smtp_secret_free_buffer(text);
    }
    if (status != SMTP_OK && session->error.status == SMTP_OK) {
        smtp_error_set(&session->error, status, 0,
                       status == SMTP_NO_MEMORY ? "out of memory for AUTH"
                                                : "a response of AUTH is longer than %d octets",
                       SMTP_CLIENT_RESPONSE_MAX);
    }
    return status;
}

/* AUTH with the initial response where it fits, else alone; then it waits for a 334. */
static enum smtp_status send_command(struct smtp_client_session *session, uint64_t now_ns)
{
    struct smtp_buffer *initial = &session->auth.initial;
    char verb[32];
    snprintf(verb, sizeof(verb), "AUTH %s", session->auth.mechanism->name);
    const char *response = smtp_buffer_span(initial).bytes;
    if (initial->len > 0 && *response == '\0') {
        response = "="; /* RFC 4954 4: there is one, and it is empty */
    }
    bool fits = strlen(verb) + 1 + strlen(response) + 2 <= AUTH_LINE_MAX;
    enum smtp_status status = send_line(session, verb, fits ? response : "", now_ns);
    if (fits) {
        smtp_secret_free_buffer(initial);
    }
    return status;
}

enum smtp_status smtp_client_session_auth(struct smtp_client_session *session,
                                          const struct smtp_client_mechanism *mechanism,
                                          uint64_t now_ns)
{
    struct smtp_client_exchange *auth = &session->auth;
    enum smtp_status status = smtp_client_session_check_state(session, SMTP_STAGE_AUTH);
    if (status != SMTP_OK) {
        return status;
    }
    if (auth->authenticated) { /* RFC 4954 4: once a session */
        return smtp_error_set(
            &session->error, SMTP_BAD_STATE, 0,
            "AUTH succeeded on this connection before; connect again to log in as "
            "somebody else");
    }
    *auth = (struct smtp_client_exchange){.mechanism = mechanism};
    if (mechanism->speaks_first) {
        status = answer(session, (struct smtp_span){"", 0}, &auth->initial);
    }
    status = status == SMTP_OK ? send_command(session, now_ns) : status;
    if (status != SMTP_OK) {
        smtp_client_session_forget_exchange(session);
    }
    return status;
}

/* ---- replies in ---- */

/* The session ends here. */
static void break_off(struct smtp_client_session *session, enum smtp_status status, const char *why)
{
    struct smtp_error error = {0};
    smtp_error_set(&error, status, 0, "%s", why);
    smtp_client_session_end(session, status, error.message);
    smtp_client_session_raise(session, SMTP_CLIENT_EVENT_ENDED, SMTP_STAGE_AUTH, status, NULL);
}

static void finish(struct smtp_client_session *session, enum smtp_status status,
                   const struct smtp_reply *reply, uint64_t now_ns)
{
    smtp_client_session_forget_exchange(session);
    smtp_client_session_raise(session, SMTP_CLIENT_EVENT_REPLY, SMTP_STAGE_AUTH, status, reply);
    smtp_client_session_release(session, now_ns); /* sets the deadline */
}

/* RFC 4954 4: "*" alone; the server answers 501. session->error says why. */
static void cancel(struct smtp_client_session *session, enum smtp_status why, uint64_t now_ns)
{
    struct smtp_error error = session->error;
    session->auth.failure = why;
    smtp_secret_free_buffer(&session->auth.initial);
    if (send_line(session, "", "*", now_ns) != SMTP_OK) {
        break_off(session, SMTP_NO_MEMORY, "out of memory for AUTH");
        return;
    }
    session->error = error;
}

static void violated(struct smtp_client_session *session, const char *what, uint64_t now_ns)
{
    smtp_error_set(&session->error, SMTP_PROTOCOL_VIOLATION, 0, "AUTH %s was cancelled: %s",
                   session->auth.mechanism->name, what);
    cancel(session, SMTP_PROTOCOL_VIOLATION, now_ns);
}

static void answer_challenge(struct smtp_client_session *session, struct smtp_span challenge,
                             uint64_t now_ns)
{
    struct smtp_buffer text = session->auth.initial;
    enum smtp_status status = SMTP_OK;
    session->auth.initial = (struct smtp_buffer){0};
    if (text.len == 0) {
        status = answer(session, challenge, &text);
    }
    if (status == SMTP_OK) {
        status = send_line(session, "", smtp_buffer_span(&text).bytes, now_ns);
    }
    smtp_secret_free_buffer(&text);
    if (status != SMTP_OK) {
        session->auth.untrusted = status == SMTP_PROTOCOL_VIOLATION;
        cancel(session, status, now_ns);
    }
}

static void take_challenge(struct smtp_client_session *session, const struct smtp_reply *reply,
                           uint64_t now_ns)
{
    struct smtp_buffer challenge = SMTP_BUFFER(SMTP_CLIENT_REPLY_MAX);
    if (reply->code != 334) {
        violated(session, "the server's reply is neither a challenge (334) nor an end", now_ns);
        return;
    }
    if (++session->auth.challenges > CHALLENGES_MAX) {
        violated(session, "the server asks on and on", now_ns);
        return;
    }
    enum smtp_status status = smtp_base64_decode(&challenge, smtp_span_of(reply->text));
    if (status == SMTP_OK) {
        answer_challenge(session, smtp_buffer_span(&challenge), now_ns);
    } else if (status == SMTP_NO_MEMORY) {
        break_off(session, status, "out of memory for a challenge");
    } else {
        violated(session, "the server's challenge is no base64", now_ns);
    }
    smtp_buffer_free(&challenge);
}

/* 235: the exchange must be over, or the server has not proved what it had to (RFC 5802 5). */
static void accepted(struct smtp_client_session *session, const struct smtp_reply *reply,
                     uint64_t now_ns)
{
    const struct smtp_client_mechanism *mechanism = session->auth.mechanism;
    if (session->auth.initial.len > 0 || !mechanism->is_complete(mechanism->user)) {
        char why[160];
        snprintf(
            why, sizeof(why),
            "the server accepted AUTH %s before the exchange was over and it had proved itself",
            mechanism->name);
        break_off(session, SMTP_PROTOCOL_VIOLATION, why);
        return;
    }
    session->auth.authenticated = true;
    finish(session, SMTP_OK, reply, now_ns);
}

/* The reply to "*". */
static void cancelled(struct smtp_client_session *session, const struct smtp_reply *reply,
                      uint64_t now_ns)
{
    struct smtp_error why = session->error;
    if (reply->code < 400) {
        break_off(session, SMTP_PROTOCOL_VIOLATION,
                  "the server went on with AUTH after it was cancelled");
    } else if (session->auth.untrusted) {
        break_off(session, session->auth.failure, why.message);
    } else {
        finish(session, session->auth.failure, reply, now_ns);
    }
}

void smtp_client_session_auth_reply(struct smtp_client_session *session, enum smtp_status judged,
                                    const struct smtp_reply *reply, uint64_t now_ns)
{
    if (session->auth.failure != SMTP_OK) {
        cancelled(session, reply, now_ns);
    } else if (reply->code / 100 == 3) {
        take_challenge(session, reply, now_ns);
    } else if (judged == SMTP_OK) {
        accepted(session, reply, now_ns);
    } else {
        finish(session, judged, reply, now_ns);
    }
}

bool smtp_client_session_is_authenticated(const struct smtp_client_session *session)
{
    return session->auth.authenticated && !session->ended;
}
