/* session.c - commands out, replies in, each matched with what it answers (RFC 5321 4.3, RFC 2920).
 * Knows: what is owed and by when, groups of commands, what ends a session.
 * Does not know: sockets, clocks, where content comes from; transactions are in session_send.c. */
#include "client/protocol/session.h"

#include "client/protocol/offered.h"
#include "client/protocol/session_state.h"
#include "client/protocol/stage.h"
#include "common/deadline.h"
#include "common/error.h"

#include <stdlib.h>
#include <string.h>

/* The commands of about a million recipients in one transaction. */
#define OUT_MAX ((size_t)64 << 20)
#define STAGES_MAX ((size_t)4 << 20)
#define KEPT_OCTETS 131072 /* storage an idle session keeps */

static void log_reply_line(void *user, struct smtp_span line)
{
    smtp_client_session_note(user, SMTP_CLIENT_LOG_REPLY, line);
}

struct smtp_client_session *smtp_client_session_new(const struct smtp_client_options *options)
{
    struct smtp_client_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return NULL;
    }
    session->options = options;
    session->out = SMTP_BUFFER(OUT_MAX);
    session->stages = SMTP_BUFFER(STAGES_MAX);
    session->ended = true;
    session->deadline_ns = SMTP_NEVER;
    smtp_client_reply_reader_init(&session->reader);
    smtp_client_extensions_init(&session->extensions);
    smtp_client_transaction_init(&session->transaction);
    session->reader.user = session;
    session->reader.on_line = options->log != NULL ? log_reply_line : NULL;
    return session;
}

void smtp_client_session_free(struct smtp_client_session *session)
{
    if (session == NULL) {
        return;
    }
    smtp_client_session_forget_exchange(session);
    smtp_buffer_free(&session->out);
    smtp_buffer_free(&session->stages);
    smtp_client_reply_reader_clear(&session->reader);
    smtp_client_extensions_clear(&session->extensions);
    smtp_client_transaction_clear(&session->transaction);
    free(session);
}

void smtp_client_session_note(const struct smtp_client_session *session,
                              enum smtp_client_log_kind kind, struct smtp_span text)
{
    if (session->options->log != NULL) {
        session->options->log(session->options->log_user, kind, text.bytes, text.len);
    }
}

void smtp_client_session_raise(struct smtp_client_session *session,
                               enum smtp_client_event_kind kind, enum smtp_client_stage stage,
                               enum smtp_status status, const struct smtp_reply *reply)
{
    session->event_waits = true;
    session->event = (struct smtp_client_event){kind, stage, status, {.text = ""}};
    if (reply != NULL) {
        session->event.reply = *reply;
    }
}

/* What is owed first. */
static enum smtp_client_stage front_stage(const struct smtp_client_session *session)
{
    if (session->owed == 0) {
        return SMTP_STAGE_NONE;
    }
    unsigned char octet = (unsigned char)smtp_buffer_span(&session->stages).bytes[0];
    enum smtp_client_stage stage = (enum smtp_client_stage)octet;
    return stage == SMTP_STAGE_DOT && session->content_unsent ? SMTP_STAGE_CONTENT : stage;
}

void smtp_client_session_arm(struct smtp_client_session *session, uint64_t now_ns)
{
    uint64_t deadline_ns = SMTP_NEVER;
    if (session->owed > 0) {
        uint64_t timeout_ms =
            smtp_client_stage_timeout_ms(&session->options->timeouts, front_stage(session));
        deadline_ns = smtp_deadline_after(now_ns, timeout_ms);
    }
    session->deadline_ns = smtp_deadline_earlier(deadline_ns, session->overall_deadline_ns);
}

bool smtp_client_session_idle(const struct smtp_client_session *session)
{
    return !session->ended && !session->sending && !session->event_waits &&
           session->stages.len == 0;
}

void smtp_client_session_unqueue(struct smtp_client_session *session)
{
    session->out.len = session->released;
    session->stages.len = session->owed;
}

void smtp_client_session_release(struct smtp_client_session *session, uint64_t now_ns)
{
    bool group = session->options->pipelining && session->extensions.pipelining;
    struct smtp_span out = smtp_buffer_span(&session->out);
    while (session->stages.len > session->owed && (group || session->owed == 0)) {
        const char *line = out.bytes + session->released;
        const char *lf = memchr(line, '\n', out.len - session->released);
        if (lf == NULL) {
            break; /* cannot be: each stage that is not owed yet has its line */
        }
        smtp_client_session_note_command(session,
                                         (struct smtp_span){line, (size_t)(lf - line) - 1});
        session->released += (size_t)(lf - line) + 1;
        session->owed++;
    }
    smtp_client_session_arm(session, now_ns);
}

static enum smtp_status push_stage(struct smtp_client_session *session,
                                   enum smtp_client_stage stage)
{
    char octet = (char)stage;
    return smtp_buffer_append(&session->stages, &octet, 1);
}

enum smtp_status smtp_client_session_queue(struct smtp_client_session *session,
                                           enum smtp_client_stage stage,
                                           const struct smtp_client_command *command)
{
    size_t before = session->out.len;
    enum smtp_status status = smtp_client_command_append(&session->out, command, &session->error);
    if (status == SMTP_OK) {
        status = smtp_client_session_check_offered(session, command);
    }
    if (status == SMTP_OK && push_stage(session, stage) != SMTP_OK) {
        status = smtp_error_set(&session->error, SMTP_NO_MEMORY, 0, "no room for a command");
    }
    if (status != SMTP_OK) {
        session->out.len = before;
    }
    return status;
}

enum smtp_status smtp_client_session_expect_dot(struct smtp_client_session *session)
{
    if (push_stage(session, SMTP_STAGE_DOT) != SMTP_OK) {
        return SMTP_NO_MEMORY;
    }
    session->owed++;
    session->content_unsent = true;
    session->answerable = true; /* a server may refuse in the middle of the content */
    return SMTP_OK;
}

void smtp_client_session_open(struct smtp_client_session *session, uint64_t now_ns,
                              uint64_t overall_deadline_ns)
{
    smtp_buffer_clear(&session->out, KEPT_OCTETS);
    smtp_buffer_clear(&session->stages, KEPT_OCTETS);
    smtp_client_reply_reader_restart(&session->reader);
    smtp_client_extensions_forget(&session->extensions);
    session->whole = (struct smtp_span){NULL, 0};
    session->auth.authenticated = false;
    session->owed = 0;
    session->released = 0;
    session->content_open = session->content_unsent = session->sending = false;
    session->greeted = session->extended = session->ended = session->event_waits = false;
    session->tls = session->handshake_due = session->smtputf8 = false;
    session->error = (struct smtp_error){0};
    session->overall_deadline_ns = overall_deadline_ns;
    if (push_stage(session, SMTP_STAGE_GREETING) != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory");
        return;
    }
    session->owed = 1;
    session->answerable = true;
    smtp_client_session_arm(session, now_ns);
}

enum smtp_status smtp_client_session_command(struct smtp_client_session *session,
                                             enum smtp_client_stage stage,
                                             const struct smtp_client_command *command,
                                             uint64_t now_ns)
{
    enum smtp_status status = smtp_client_session_check_state(session, stage);
    if (status != SMTP_OK) {
        return status;
    }
    struct smtp_client_command allowed = *command;
    allowed.parameters = session->extended ? command->parameters : NULL;
    status = smtp_client_session_choose_utf8(session, &allowed);
    if (status == SMTP_OK) {
        allowed.smtputf8 = session->smtputf8;
        status = smtp_client_session_queue(session, stage, &allowed);
    }
    if (status == SMTP_OK) {
        session->high_octets_refused = !session->extensions.eight_bit_mime;
        smtp_client_session_release(session, now_ns);
    }
    return status;
}

/* ---- the end of a session ---- */

/* Nothing more goes out or is awaited. */
static void stop(struct smtp_client_session *session)
{
    session->ended = true;
    smtp_client_session_forget_exchange(session);
    session->content_open = session->content_unsent = false;
    session->owed = session->released = 0;
    session->whole = (struct smtp_span){NULL, 0};
    smtp_buffer_clear(&session->out, KEPT_OCTETS);
    smtp_buffer_clear(&session->stages, KEPT_OCTETS);
    session->deadline_ns = SMTP_NEVER;
}

void smtp_client_session_end(struct smtp_client_session *session, enum smtp_status status,
                             const char *why)
{
    if (session->ended) {
        return;
    }
    enum smtp_client_stage stage = front_stage(session);
    const char *tail = "";
    if (stage == SMTP_STAGE_DOT && !(session->sending && session->transaction.doomed)) {
        status = SMTP_DELIVERY_UNKNOWN; /* the server may have taken the message */
        tail = " after the final dot: unknown whether the message was delivered";
    }
    smtp_error_set(&session->error, status, 0, "%s%s%s%s", why,
                   *tail == '\0' && stage != SMTP_STAGE_NONE ? "; stage: " : "",
                   *tail == '\0' && stage != SMTP_STAGE_NONE ? smtp_client_stage_name(stage) : "",
                   tail);
    smtp_client_session_note(session, SMTP_CLIENT_LOG_NOTE, smtp_span_of(session->error.message));
    stop(session);
    if (session->sending) {
        smtp_client_session_fail_transaction(session, stage, status, NULL);
    } else if (stage != SMTP_STAGE_NONE) {
        smtp_client_session_raise(session, SMTP_CLIENT_EVENT_ENDED, stage, status, NULL);
    }
}

void smtp_client_session_lost(struct smtp_client_session *session)
{
    smtp_client_session_end(session, SMTP_CLOSED, "the server closed the connection");
}

void smtp_client_session_expire(struct smtp_client_session *session, uint64_t now_ns)
{
    if (now_ns >= session->deadline_ns) {
        smtp_client_session_end(session, SMTP_TIMED_OUT,
                                now_ns >= session->overall_deadline_ns
                                    ? "the overall deadline passed"
                                    : "the server did not answer in time");
    }
}

void smtp_client_session_abandon(struct smtp_client_session *session, enum smtp_status status,
                                 const char *why)
{
    smtp_client_session_end(session, status, why);
}

/* A reply that ends the session: 421, or a refusal in the middle of content. */
static void end_by_reply(struct smtp_client_session *session, enum smtp_client_stage stage,
                         enum smtp_status status, const struct smtp_reply *reply)
{
    smtp_error_set(&session->error, status, 0, "the server ended the session (stage: %s): %d %s",
                   smtp_client_stage_name(stage), reply->code, reply->text);
    stop(session);
    if (session->sending) {
        smtp_client_session_fail_transaction(session, stage, status, reply);
    } else {
        smtp_client_session_raise(session, SMTP_CLIENT_EVENT_REPLY, stage, status, reply);
    }
}

/* ---- replies ---- */

static enum smtp_status learn(struct smtp_client_session *session, enum smtp_client_stage stage,
                              const struct smtp_reply *reply)
{
    session->handshake_due = stage == SMTP_STAGE_STARTTLS;
    if (stage != SMTP_STAGE_EHLO && stage != SMTP_STAGE_HELO) {
        return SMTP_OK;
    }
    session->greeted = true;
    session->extended = stage == SMTP_STAGE_EHLO;
    if (stage == SMTP_STAGE_EHLO) {
        return smtp_client_extensions_read(&session->extensions, reply->text);
    }
    smtp_client_extensions_forget(&session->extensions);
    return SMTP_OK;
}

static void command_reply(struct smtp_client_session *session, enum smtp_client_stage stage,
                          enum smtp_status judged, const struct smtp_reply *reply, uint64_t now_ns)
{
    if (judged == SMTP_OK && learn(session, stage, reply) != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory for the EHLO reply");
        smtp_client_session_raise(session, SMTP_CLIENT_EVENT_ENDED, stage, SMTP_NO_MEMORY, NULL);
        return;
    }
    if (stage == SMTP_STAGE_DATA && judged == SMTP_OK) {
        smtp_client_session_begin_content(session, now_ns);
        return;
    }
    smtp_client_session_raise(session, SMTP_CLIENT_EVENT_REPLY, stage, judged, reply);
    smtp_client_session_arm(session, now_ns);
}

/* Why a reply cannot be one to what is owed; NULL: it can. */
static const char *what_is_wrong(const struct smtp_client_session *session,
                                 enum smtp_client_stage stage, int code)
{
    if (stage == SMTP_STAGE_CONTENT && code < 400) {
        return "the server answered before the content had ended";
    }
    if (stage == SMTP_STAGE_DOT && code / 100 == 3) { /* neither taken nor refused */
        return "the server answered as if it waited for more";
    }
    bool unsent = session->owed == 1 && session->released > 0 && stage != SMTP_STAGE_CONTENT;
    return unsent && code != 421 ? "the server answered a command before it was sent" : NULL;
}

static void take_reply(struct smtp_client_session *session, uint64_t now_ns)
{
    struct smtp_reply reply = smtp_client_reply_reader_reply(&session->reader);
    enum smtp_client_stage stage = front_stage(session);
    enum smtp_status judged = smtp_client_stage_judge(stage, reply.code);
    const char *wrong = what_is_wrong(session, stage, reply.code);
    if (wrong != NULL) {
        smtp_client_session_end(session, SMTP_PROTOCOL_VIOLATION, wrong);
        return;
    }
    smtp_buffer_take(&session->stages, 1);
    session->owed--;
    session->answerable = session->owed > 0;
    session->auth.challenged = reply.code == 334 && stage != SMTP_STAGE_DATA;
    if (reply.code == 421 || stage == SMTP_STAGE_CONTENT) {
        end_by_reply(session, stage, judged, &reply);
    } else if (session->sending) {
        smtp_client_session_transaction_reply(session, stage, judged, &reply, now_ns);
    } else if (stage == SMTP_STAGE_AUTH) {
        smtp_client_session_auth_reply(session, judged, &reply, now_ns);
    } else {
        command_reply(session, stage, judged, &reply, now_ns);
    }
}

/* Octets for which nothing was asked. 421 is the one thing a server may say unasked (RFC 5321 3.8).
 */
static void take_unsolicited(struct smtp_client_session *session, const char *bytes, size_t len)
{
    size_t compared = len < 3 ? len : 3;
    if (session->handshake_due) {
        smtp_client_session_end(session, SMTP_PROTOCOL_VIOLATION,
                                "octets came behind the reply to STARTTLS, in the clear: somebody "
                                "may have put them in to pass for replies under TLS");
    } else if (memcmp(bytes, "421", compared) == 0) {
        smtp_client_session_end(session, SMTP_CLOSED, "the server ended the session with 421");
    } else {
        smtp_client_session_end(session, SMTP_PROTOCOL_VIOLATION,
                                "the server sent octets that nothing was asked for");
    }
}

void smtp_client_session_receive(struct smtp_client_session *session, const char *bytes, size_t len,
                                 size_t *used, uint64_t now_ns)
{
    *used = 0;
    while (*used < len && !session->ended && !session->event_waits) {
        if (session->owed == 0 || !session->answerable) {
            take_unsolicited(session, bytes + *used, len - *used);
            return;
        }
        size_t taken = 0;
        struct smtp_error error = {0};
        enum smtp_status status = smtp_client_reply_reader_feed(&session->reader, bytes + *used,
                                                                len - *used, &taken, &error);
        *used += taken;
        if (status != SMTP_OK) {
            smtp_client_session_end(session, status, error.message);
        } else if (session->reader.complete) {
            take_reply(session, now_ns);
        }
    }
}

/* ---- octets out, events, state ---- */

int smtp_client_session_pending(const struct smtp_client_session *session,
                                struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS])
{
    int count = 0;
    if (session->whole.len > 0) {
        parts[count++] = session->whole;
    }
    if (session->released > 0) {
        parts[count++] =
            (struct smtp_span){smtp_buffer_span(&session->out).bytes, session->released};
    }
    return count;
}

void smtp_client_session_sent(struct smtp_client_session *session, size_t len, uint64_t now_ns)
{
    size_t of_whole = len < session->whole.len ? len : session->whole.len;
    if (of_whole > 0) {
        session->whole.bytes += of_whole;
        session->whole.len -= of_whole;
        len -= of_whole;
    }
    smtp_buffer_take(&session->out, len);
    session->released -= len;
    smtp_client_session_wipe_sent(session);
    session->answerable = true;
    if (session->content_unsent) {
        session->content_unsent =
            session->content_open || session->released > 0 || session->whole.len > 0;
        smtp_client_session_arm(session, now_ns);
    }
}

bool smtp_client_session_next_event(struct smtp_client_session *session,
                                    struct smtp_client_event *event)
{
    if (!session->event_waits) {
        return false;
    }
    *event = session->event;
    session->event_waits = false;
    return true;
}

uint64_t smtp_client_session_deadline_ns(const struct smtp_client_session *session)
{
    return session->deadline_ns;
}

bool smtp_client_session_ended(const struct smtp_client_session *session)
{
    return session->ended;
}

const struct smtp_error *smtp_client_session_error(const struct smtp_client_session *session)
{
    return &session->error;
}

bool smtp_client_session_greeted(const struct smtp_client_session *session)
{
    return session->greeted;
}

const struct smtp_client_extensions *
smtp_client_session_extensions(const struct smtp_client_session *session)
{
    return &session->extensions;
}
