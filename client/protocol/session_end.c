/* session_end.c - how a session ends other than by QUIT, and what that means for each transaction in
 * flight: unknown for those whose last octet may have been sent, for the others that nothing came of them
 * (RFC 5321 4.5.3.2, RFC 1047). Does not know: results (transaction.c). */
#include "client/protocol/session_state.h"
#include "client/protocol/stage.h"
#include "common/deadline.h"
#include "common/error.h"

/* What the end means for one transaction. */
struct fate {
    enum smtp_client_stage stage;
    enum smtp_status status;
    const struct smtp_reply *reply; /* NULL: none */
};

static const char *stage_name(const struct smtp_client_session *session,
                              enum smtp_client_stage stage)
{
    return stage == SMTP_STAGE_EHLO && session->lmtp ? "LHLO" : smtp_client_stage_name(stage);
}

/* Nothing more goes out or is awaited. */
static void stop(struct smtp_client_session *session)
{
    session->ended = true;
    smtp_client_session_forget_exchange(session);
    smtp_client_session_stop_content(session);
    session->owed = session->released = 0;
    session->whole = (struct smtp_span){NULL, 0};
    smtp_buffer_clear(&session->out, SMTP_CLIENT_KEPT_OCTETS);
    smtp_buffer_clear(&session->owing, SMTP_CLIENT_KEPT_OCTETS);
    session->deadline_ns = SMTP_NEVER;
}

/* The server may have taken its message. */
static bool may_be_taken(const struct smtp_client_session *session,
                         const struct smtp_client_flight *flight)
{
    return session->sent_octets >= flight->end_at && !flight->transaction.doomed;
}

static bool any_may_be_taken(const struct smtp_client_session *session,
                             enum smtp_client_stage stage)
{
    if (session->in_flight == 0) {
        return stage == SMTP_STAGE_DOT;
    }
    for (size_t i = 0; i < session->in_flight; i++) {
        const struct smtp_client_flight *flight = smtp_client_session_flight(session, i);
        if (!flight->finished && may_be_taken(session, flight)) {
            return true;
        }
    }
    return false;
}

/* What ended the session met one of the transactions; the others only lost the connection. A 421 says
 * that nothing behind it was looked at. */
static void settle_all(struct smtp_client_session *session, size_t met, struct fate fate,
                       enum smtp_client_stage front)
{
    for (size_t i = 0; i < session->in_flight; i++) {
        struct smtp_client_flight *flight = smtp_client_session_flight(session, i);
        struct fate own = {i == 0 ? front : SMTP_STAGE_MAIL, SMTP_CLOSED, NULL};
        own = i == met ? fate : own;
        own.stage = own.stage == SMTP_STAGE_RSET ? SMTP_STAGE_MAIL : own.stage;
        if (fate.reply == NULL && may_be_taken(session, flight)) {
            own = (struct fate){SMTP_STAGE_DOT, SMTP_DELIVERY_UNKNOWN, NULL};
        }
        smtp_client_session_settle(flight, own.stage, own.status, own.reply);
    }
}

/* Whose end it is: that of the content on its way where its source is at fault, else of what is owed
 * first. */
static size_t index_of_met(const struct smtp_client_session *session, enum smtp_status status)
{
    bool of_content = status == SMTP_SOURCE_FAILED || status == SMTP_UNSUPPORTED;
    return of_content && session->content_open && session->in_flight > 0 ? session->in_flight - 1
                                                                         : 0;
}

void smtp_client_session_end(struct smtp_client_session *session, enum smtp_status status,
                             const char *why)
{
    if (session->ended) {
        return;
    }
    enum smtp_client_stage stage = smtp_client_session_front_stage(session);
    bool unknown = any_may_be_taken(session, stage);
    bool staged = !unknown && stage != SMTP_STAGE_NONE;
    size_t met = index_of_met(session, status);
    struct fate fate = {met > 0 ? SMTP_STAGE_CONTENT : stage, status, NULL};
    status = unknown ? SMTP_DELIVERY_UNKNOWN : status;
    smtp_error_set(&session->error, status, 0, "%s%s%s%s", why, staged ? "; stage: " : "",
                   staged ? stage_name(session, stage) : "",
                   unknown ? " after the final dot: unknown whether the message was delivered"
                           : "");
    smtp_client_session_note(session, SMTP_CLIENT_LOG_NOTE, smtp_span_of(session->error.message));
    stop(session);
    settle_all(session, met, fate, stage);
    if (session->in_flight == 0 && stage != SMTP_STAGE_NONE) {
        smtp_client_session_step_failed(session, status, NULL);
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

void smtp_client_session_end_by_reply(struct smtp_client_session *session,
                                      enum smtp_client_stage stage, enum smtp_status status,
                                      const struct smtp_reply *reply)
{
    smtp_error_set(&session->error, status, 0, "the server ended the session (stage: %s): %d %s",
                   stage_name(session, stage), reply->code, reply->text);
    stop(session);
    settle_all(session, 0, (struct fate){stage, status, reply}, stage);
    if (session->in_flight == 0) {
        smtp_client_session_step_failed(session, status, reply);
        smtp_client_session_raise(session, SMTP_CLIENT_EVENT_REPLY, stage, status, reply);
    }
}
