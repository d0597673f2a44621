/* state.c - what every other file here stands on: the session's state, which changes in one place,
 * and what is said to the peer and to the log.
 * Knows: that a reply is whole or not there, that a session that stops says 421 once no transaction
 * is open. Does not know: why anything is said. */
#include "server/protocol/state.h"

#include "common/secret.h"
#include "server/protocol/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- state ---- */

static bool in_transaction(const struct smtp_server_session *session)
{
    return session->state >= SMTP_SERVER_MAIL && session->state <= SMTP_SERVER_CHUNK;
}

void smtp_server_session_forget_response(struct smtp_server_session *session)
{
    struct smtp_buffer *texts = &session->texts;
    texts->len = strlen(texts->bytes) + 1; /* the mechanism stays */
    smtp_secret_wipe(texts->bytes + texts->len, texts->capacity - texts->len);
}

static void end(struct smtp_server_session *session)
{
    size_t due = smtp_server_session_replies_due(session);
    if (session->state == SMTP_SERVER_AUTH) {
        smtp_server_session_forget_response(session);
        smtp_server_session_raise(
            session, &(struct smtp_server_event){.kind = SMTP_SERVER_AUTH_CANCELLED}, false);
    }
    session->state = SMTP_SERVER_ENDED;
    smtp_server_session_clear_transaction(session);
    smtp_server_session_release(session, due);
    smtp_secret_free_buffer(&session->line);
}

void smtp_server_session_enter(struct smtp_server_session *session, enum smtp_server_state state)
{
    if (session->state == SMTP_SERVER_ENDED) {
        return;
    }
    if (state == SMTP_SERVER_ENDED) {
        end(session);
        return;
    }
    session->state = state;
    if (session->shutting_down && !in_transaction(session)) {
        if (state != SMTP_SERVER_HANDSHAKE) {
            smtp_server_session_say(session, 421, "4.3.2", "Server is stopping, closing");
        }
        end(session);
    }
}

void smtp_server_session_fail(struct smtp_server_session *session)
{
    if (session->state == SMTP_SERVER_ENDED) {
        return;
    }
    smtp_server_session_enter(session,
                              SMTP_SERVER_ENDED); /* frees what it can, so that 421 has room */
    smtp_server_session_say(session, 421, "4.3.0", "Out of memory, closing");
}

/* Where a MESSAGE waits to be asked, its content is not dropped. */
void smtp_server_session_drop_content(struct smtp_server_session *session)
{
    bool asked = session->event_waits && session->event.kind == SMTP_SERVER_ASK_MESSAGE;
    if (!session->transaction.given || asked) {
        return;
    }
    session->transaction.given = false;
    if (session->config->drop != NULL) {
        session->config->drop(session->user);
    }
}

void smtp_server_session_clear_transaction(struct smtp_server_session *session)
{
    smtp_server_session_drop_content(session);
    smtp_transaction_clear(&session->transaction);
}

void smtp_server_session_reset(struct smtp_server_session *session)
{
    if (session->transaction.envelope.texts.len == 0) {
        return;
    }
    smtp_server_session_clear_transaction(session);
    if ((session->config->asks & (1u << SMTP_SERVER_RESET)) != 0) {
        smtp_server_session_raise(session, &(struct smtp_server_event){.kind = SMTP_SERVER_RESET},
                                  false);
    }
}

void smtp_server_session_raise(struct smtp_server_session *session,
                               const struct smtp_server_event *event, bool question)
{
    session->event = *event;
    session->event_waits = true;
    session->question_open = question;
}

const char *smtp_server_session_text(struct smtp_server_session *session, struct smtp_span span)
{
    char *text = smtp_buffer_reserve(&session->texts, span.len + 1);
    if (text == NULL) {
        smtp_server_session_fail(session);
        return NULL;
    }
    smtp_bytes_copy(text, span);
    text[span.len] = '\0';
    smtp_buffer_added(&session->texts, span.len + 1);
    return text;
}

struct smtp_message_origin smtp_server_session_origin(const struct smtp_server_session *session)
{
    return (struct smtp_message_origin){
        .session = session->number,
        .helo = smtp_server_session_helo(session),
        .peer = session->peer,
        .protocol = smtp_server_session_protocol(session),
        .tls = session->tls != NULL ? session->tls->version : "",
        .identity = smtp_server_session_identity(session),
    };
}

const char *smtp_server_session_peer(const struct smtp_server_session *session)
{
    return session->peer;
}

const char *smtp_server_session_helo(const struct smtp_server_session *session)
{
    return session->helo != NULL ? session->helo : "";
}

/* RFC 3848, and of a transaction with SMTPUTF8 RFC 6531 4.3: after HELO it is "SMTP", whatever carries
 * it */
const char *smtp_server_session_protocol(const struct smtp_server_session *session)
{
    static const char *const names[][4] = {
        {"ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA"},
        {"UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA"},
        {"LMTP", "LMTPS", "LMTPA", "LMTPSA"},
        {"UTF8LMTP", "UTF8LMTPS", "UTF8LMTPA", "UTF8LMTPSA"},
    };
    if (!session->extended) {
        return session->helo == NULL ? "" : "SMTP";
    }
    return names[(session->transaction.smtputf8 ? 1 : 0) + (session->lmtp ? 2 : 0)]
                [(session->tls != NULL ? 1 : 0) + (session->identity != NULL ? 2 : 0)];
}

const char *smtp_server_session_identity(const struct smtp_server_session *session)
{
    return session->identity != NULL ? session->identity : "";
}

bool smtp_server_session_pipelined(const struct smtp_server_session *session)
{
    return session->pipelined;
}

const struct smtp_tls_facts *smtp_server_session_tls(const struct smtp_server_session *session)
{
    return session->tls;
}

/* ---- what is said ---- */

void smtp_server_session_log(const struct smtp_server_session *session,
                             enum smtp_server_log_kind kind, struct smtp_span text)
{
    if (session->config->log != NULL) {
        session->config->log(session->user, kind, text);
    }
}

void smtp_server_session_note(const struct smtp_server_session *session, const char *format, ...)
{
    if (session->config->log == NULL) {
        return;
    }
    char text[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    smtp_server_session_log(session, SMTP_LOG_NOTE, smtp_span_of(text));
}

static void log_replies(const struct smtp_server_session *session, struct smtp_span octets)
{
    while (session->config->log != NULL && octets.len > 0) {
        const char *cr = memchr(octets.bytes, '\r', octets.len);
        size_t len = (size_t)(cr - octets.bytes);
        smtp_server_session_log(session, SMTP_LOG_REPLY, (struct smtp_span){octets.bytes, len});
        octets.bytes += len + 2;
        octets.len -= len + 2;
    }
}

/* RFC 6531 3.7.4.2: where a mailbox is named to who takes UTF-8, and nowhere else. */
static bool may_hold_utf8(const struct smtp_server_session *session, int code)
{
    return session->utf8_inquiry || (session->transaction.smtputf8 && (code == 251 || code == 551));
}

void smtp_server_session_say(struct smtp_server_session *session, int code, const char *enhanced,
                             const char *text)
{
    struct smtp_buffer *to = session->holds ? &session->held : &session->out;
    size_t before = to->len;
    bool coded = enhanced != NULL && smtp_server_session_codes(session);
    session->error_count += code >= 500 ? 1 : 0;
    if (smtp_reply_append(to, code, coded ? enhanced : NULL, text, may_hold_utf8(session, code)) !=
        SMTP_OK) {
        to->len = before; /* no half a reply */
        smtp_server_session_enter(session, SMTP_SERVER_ENDED);
        return;
    }
    if (!session->holds && session->config->log != NULL) {
        struct smtp_span all = smtp_buffer_span(to);
        log_replies(session, (struct smtp_span){all.bytes + before, all.len - before});
    }
}

void smtp_server_session_hold(struct smtp_server_session *session)
{
    session->holds = true;
}

void smtp_server_session_release(struct smtp_server_session *session, size_t times)
{
    struct smtp_span held = smtp_buffer_span(&session->held);
    session->holds = false;
    for (size_t i = 0; i < times && held.len > 0; i++) {
        if (smtp_buffer_append(&session->out, held.bytes, held.len) != SMTP_OK) {
            smtp_server_session_enter(session, SMTP_SERVER_ENDED);
            break;
        }
        log_replies(session, held);
    }
    smtp_buffer_free(&session->held);
}

size_t smtp_server_session_replies_due(const struct smtp_server_session *session)
{
    bool at_end = session->state == SMTP_SERVER_CONTENT ||
                  (session->state == SMTP_SERVER_CHUNK && session->chunk.last);
    return session->lmtp && at_end ? session->transaction.envelope.recipient_count : 1;
}

void smtp_server_session_say_or(struct smtp_server_session *session,
                                const struct smtp_server_reply *reply, int code,
                                const char *enhanced, const char *text)
{
    if (reply->code == 0) {
        smtp_server_session_say(session, code, enhanced, text);
        return;
    }
    char of_class[] = {(char)('0' + reply->code / 100), '.', '0', '.', '0', '\0'};
    const char *given = reply->enhanced[0] != '\0' ? reply->enhanced : of_class;
    smtp_server_session_say(session, reply->code, reply->code / 100 == 3 ? NULL : given,
                            reply->text);
}

void smtp_server_session_refuse_syntax(struct smtp_server_session *session, const char *syntax)
{
    char text[160];
    snprintf(text, sizeof text, "Syntax: %s", syntax);
    smtp_server_session_say(session, 501, "5.5.4", text);
}

void smtp_server_session_check_limits(struct smtp_server_session *session)
{
    size_t errors = session->config->limits.errors;
    bool waits = session->holds; /* a chunk is refused first */
    if (session->state != SMTP_SERVER_ENDED && !waits && errors != 0 &&
        session->error_count >= errors) {
        smtp_server_session_say(session, 421, "4.7.0", "Too many errors, closing");
        smtp_server_session_enter(session, SMTP_SERVER_ENDED);
    }
}
