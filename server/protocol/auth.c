/* auth.c - the AUTH command and the lines after it (RFC 4954).
 * Knows: which mechanism is offered when, base64, cancelling, the replies, that a response is a
 * secret. Does not know: what a mechanism makes of a response, users (the driver knows both). */
#include "common/secret.h"
#include "server/protocol/state.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is offered ---- */

static struct smtp_span next_word(const char **list)
{
    const char *word = *list + strspn(*list, " ");
    *list = word + strcspn(word, " ");
    return (struct smtp_span){word, (size_t)(*list - word)};
}

static bool holds(const char *list, struct smtp_span mechanism)
{
    struct smtp_span word;
    while ((word = next_word(&list)).len > 0) {
        if (smtp_span_equal_nocase(word, mechanism)) {
            return true;
        }
    }
    return false;
}

/* Where TLS has to come first, nobody logs in before. */
static const char *mechanisms_here(const struct smtp_server_session *session)
{
    const struct smtp_server_session_config *config = session->config;
    return session->tls != NULL   ? config->mechanisms_tls
           : config->tls_required ? ""
                                  : config->mechanisms_clear;
}

/* EXTERNAL logs in whom the peer's certificate names: not somebody for whom that peer speaks. */
static bool is_usable(const struct smtp_server_session *session, struct smtp_span mechanism)
{
    return !smtp_span_equal_nocase(mechanism, SMTP_SPAN("EXTERNAL")) ||
           (session->tls != NULL && session->tls->peer_subject[0] != '\0' && !session->spoken_for);
}

bool smtp_server_knows_auth(const struct smtp_server_session_config *config)
{
    return config->mechanisms_tls[0] != '\0' || config->mechanisms_clear[0] != '\0' ||
           config->mechanisms_too_weak[0] != '\0';
}

bool smtp_server_offers_auth(const struct smtp_server_session *session)
{
    const char *list = mechanisms_here(session);
    struct smtp_span word;
    while ((word = next_word(&list)).len > 0) {
        if (is_usable(session, word)) {
            return true;
        }
    }
    return false;
}

void smtp_server_write_offer(const struct smtp_server_session *session,
                             char text[SMTP_SERVER_OFFER_MAX])
{
    const char *list = mechanisms_here(session);
    size_t at = sizeof "AUTH" - 1;
    struct smtp_span word;
    memcpy(text, "AUTH", at);
    while ((word = next_word(&list)).len > 0) {
        if (is_usable(session, word) && word.len + 2 <= SMTP_SERVER_OFFER_MAX - at) {
            text[at] = ' ';
            memcpy(text + at + 1, word.bytes, word.len);
            at += 1 + word.len;
        }
    }
    text[at] = '\0';
}

/* ---- the exchange ---- */

/* Ends it without the driver. */
static void cancel(struct smtp_server_session *session, int code, const char *enhanced,
                   const char *text)
{
    smtp_server_session_forget_response(session);
    smtp_server_session_say(session, code, enhanced, text);
    smtp_server_session_raise(
        session, &(struct smtp_server_event){.kind = SMTP_SERVER_AUTH_CANCELLED}, false);
    smtp_server_session_enter(session, SMTP_SERVER_READY);
}

static const char undecodable[] = "The response is no base64 (RFC 4648 4)";

/* Puts the octets behind the mechanism. The room is made before, so that no part of them stays behind
 * in a block that was too small. */
static enum smtp_status decode(struct smtp_server_session *session, struct smtp_span text)
{
    if (smtp_buffer_reserve(&session->texts, text.len / 4 * 3 + 3) == NULL) {
        return SMTP_NO_MEMORY;
    }
    return smtp_base64_decode(&session->texts, text);
}

static void ask(struct smtp_server_session *session, bool first, bool has_response)
{
    struct smtp_span texts = smtp_buffer_span(&session->texts);
    size_t at = strlen(texts.bytes) + 1; /* behind the mechanism */
    struct smtp_server_event event = {
        .kind = SMTP_SERVER_ASK_AUTH,
        .first = first,
        .name = texts.bytes,
        .has_response = has_response,
        .response = {texts.bytes + at, texts.len - at},
    };
    smtp_server_session_raise(session, &event, true);
}

void smtp_server_take_response(struct smtp_server_session *session, struct smtp_span line)
{
    if (smtp_span_equal(line, SMTP_SPAN("*"))) {
        cancel(session, 501, "5.7.0", "Authentication cancelled");
        return;
    }
    enum smtp_status status = decode(session, line);
    if (status == SMTP_OK) {
        ask(session, false, true);
    } else if (status == SMTP_BAD_ARGUMENT) {
        cancel(session, 501, "5.5.2", undecodable);
    } else {
        smtp_server_session_fail(session);
    }
}

void smtp_server_refuse_long_response(struct smtp_server_session *session)
{
    cancel(session, 500, "5.5.6", "Authentication exchange line is too long");
}

/* ---- the command ---- */

static void refuse_mechanism(struct smtp_server_session *session, struct smtp_span mechanism)
{
    if (holds(session->config->mechanisms_too_weak, mechanism)) {
        smtp_server_session_say(session, 534, "5.7.9", "Authentication mechanism is too weak");
    } else if (session->tls == NULL && holds(session->config->mechanisms_tls, mechanism)) {
        smtp_server_session_say(session, 538, "5.7.11",
                                "Encryption required for requested authentication mechanism");
    } else {
        smtp_server_session_say(session, 504, "5.5.4", "Unrecognized authentication mechanism");
    }
}

/* RFC 4954 4 forbids an initial response where the server speaks first. Of the mechanisms known that
 * is CRAM-MD5; LOGIN, which has no standard, takes the user's name there from many clients. */
static bool server_speaks_first(struct smtp_span mechanism)
{
    return smtp_span_equal_nocase(mechanism, SMTP_SPAN("CRAM-MD5"));
}

static bool put_mechanism(struct smtp_server_session *session, struct smtp_span mechanism)
{
    char *name = smtp_buffer_reserve(&session->texts, mechanism.len + 1);
    if (name == NULL) {
        return false;
    }
    for (size_t i = 0; i < mechanism.len; i++) {
        unsigned char c = (unsigned char)mechanism.bytes[i];
        name[i] = (char)(smtp_is_letter(c) ? c & ~32 : c);
    }
    name[mechanism.len] = '\0';
    smtp_buffer_added(&session->texts, mechanism.len + 1);
    return true;
}

/* "=" is an initial response of no octets, nothing is none (RFC 4954 4). */
static void start(struct smtp_server_session *session, struct smtp_span mechanism,
                  struct smtp_span initial)
{
    bool empty = smtp_span_equal(initial, SMTP_SPAN("="));
    enum smtp_status status = SMTP_NO_MEMORY;
    if (put_mechanism(session, mechanism)) {
        status = decode(session, empty ? SMTP_SPAN("") : initial);
    }
    if (status == SMTP_OK) {
        smtp_server_session_enter(session, SMTP_SERVER_AUTH);
        ask(session, true, initial.len > 0);
    } else if (status == SMTP_BAD_ARGUMENT) {
        smtp_server_session_forget_response(session);
        smtp_server_session_say(session, 501, "5.5.2", undecodable);
    } else {
        smtp_server_session_fail(session);
    }
}

void smtp_server_begin_auth(struct smtp_server_session *session, struct smtp_span argument)
{
    const char *space = memchr(argument.bytes, ' ', argument.len);
    size_t len = space != NULL ? (size_t)(space - argument.bytes) : argument.len;
    struct smtp_span mechanism = {argument.bytes, len};
    struct smtp_span initial =
        smtp_span_trim_start((struct smtp_span){argument.bytes + len, argument.len - len});
    if (!session->extended) {
        smtp_server_session_say(session, 503, "5.5.1",
                                session->lmtp ? "Send LHLO first" : "Send EHLO first");
    } else if (session->identity != NULL) {
        smtp_server_session_say(session, 503, "5.5.1", "Logged in already");
    } else if (initial.len > 0 && memchr(initial.bytes, ' ', initial.len) != NULL) {
        smtp_server_session_refuse_syntax(session, "AUTH mechanism [initial-response]");
    } else if (!holds(mechanisms_here(session), mechanism) || !is_usable(session, mechanism)) {
        refuse_mechanism(session, mechanism);
    } else if (initial.len > 0 && server_speaks_first(mechanism)) {
        smtp_server_session_say(session, 501, "5.7.0",
                                "The mechanism takes no initial response: the server speaks first");
    } else {
        start(session, mechanism, initial);
    }
}

/* ---- the answer ---- */

static const struct smtp_server_reply own_words = {.code = 0};

/* Exactly "334 " and the challenge (RFC 4954 4): no text of ours, and no line length of SMTP. */
static void say_challenge(struct smtp_server_session *session, struct smtp_span challenge)
{
    struct smtp_buffer *out = &session->out;
    size_t before = out->len;
    if (smtp_buffer_append(out, "334 ", 4) != SMTP_OK ||
        smtp_base64_append(out, challenge) != SMTP_OK ||
        smtp_buffer_append(out, "\r\n", 2) != SMTP_OK) {
        out->len = before;
        smtp_server_session_fail(session);
        return;
    }
    struct smtp_span all = smtp_buffer_span(out);
    smtp_server_session_log(session, SMTP_LOG_REPLY,
                            (struct smtp_span){all.bytes + before, all.len - before - 2});
}

static void log_in(struct smtp_server_session *session, const char *identity,
                   const struct smtp_server_reply *reply)
{
    session->identity = strdup(identity);
    if (session->identity == NULL) {
        smtp_server_session_fail(session);
        return;
    }
    /* where another reply than 235 may be said on purpose, its client may not know that it is in */
    session->secrets_may_follow = smtp_server_wants_steps(session);
    smtp_server_session_say(
        session, 235, reply->code == 235 && reply->enhanced[0] != '\0' ? reply->enhanced : "2.7.0",
        reply->code != 0 ? reply->text : "Authentication successful");
}

void smtp_server_decide_auth(struct smtp_server_session *session,
                             const struct smtp_server_auth_answer *answer)
{
    const struct smtp_server_reply *reply = answer->reply != NULL ? answer->reply : &own_words;
    smtp_server_session_forget_response(session);
    switch (answer->step) {
    case SMTP_SERVER_AUTH_CHALLENGE:
        say_challenge(session, answer->challenge);
        break;
    case SMTP_SERVER_AUTH_ACCEPTED:
        log_in(session, answer->identity, reply);
        break;
    case SMTP_SERVER_AUTH_REFUSED:
        smtp_server_session_say_or(session, reply, 535, "5.7.8",
                                   "Authentication credentials invalid");
        break;
    case SMTP_SERVER_AUTH_MALFORMED:
        smtp_server_session_say_or(session, reply, 501, "5.5.2",
                                   "The response is not of the mechanism's form");
        break;
    case SMTP_SERVER_AUTH_FAILED:
        smtp_server_session_say_or(session, reply, 454, "4.7.0",
                                   "Temporary authentication failure");
        break;
    }
    if (answer->step != SMTP_SERVER_AUTH_CHALLENGE) {
        smtp_server_session_enter(session, SMTP_SERVER_READY);
    }
    if (answer->disconnect) {
        smtp_server_session_enter(session, SMTP_SERVER_ENDED);
    }
}
