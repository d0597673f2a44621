/* session_replies.c - replies in, each matched with what it answers by counting (RFC 5321 4.3, RFC 2920
 * 3.1, RFC 2033 4.2). Knows: what may be said unasked, and what comes too early. Does not know: what a
 * reply means to whom. */
#include "client/protocol/session_state.h"
#include "client/protocol/stage.h"

#include <string.h>

/* Why a reply cannot be one to what is owed; NULL: it can. */
static const char *what_is_wrong(const struct smtp_client_session *session, int code)
{
    const struct smtp_client_owed *front = smtp_client_session_front(session);
    bool early = session->sent_octets < front->end_at;
    bool of_content = front->stage == SMTP_STAGE_DOT || front->stage == SMTP_STAGE_CONTENT;
    if (of_content && early && code < 400) {
        return "the server answered before the content had ended";
    }
    if (front->stage == SMTP_STAGE_DOT && code / 100 == 3) { /* neither taken nor refused */
        return "the server answered as if it waited for more";
    }
    return !of_content && early && code != 421 ? "the server answered a command before it was sent"
                                               : NULL;
}

/* RFC 2033 4.2: a reply for each recipient that was accepted; where none was, a single refusal. */
static size_t finals_due(const struct smtp_client_session *session)
{
    const struct smtp_client_flight *flight = smtp_client_session_first(session);
    size_t accepted = flight != NULL ? flight->transaction.taken : session->steps.accepted;
    return session->lmtp ? accepted : 1;
}

static void dispatch(struct smtp_client_session *session, enum smtp_client_stage stage,
                     enum smtp_status judged, const struct smtp_reply *reply, bool more,
                     uint64_t now_ns)
{
    if (session->in_flight > 0) {
        smtp_client_session_transaction_reply(session, stage, judged, reply, more, now_ns);
    } else if (stage == SMTP_STAGE_AUTH) {
        smtp_client_session_auth_reply(session, judged, reply, now_ns);
    } else if (stage == SMTP_STAGE_DOT && session->lmtp) {
        smtp_client_session_step_final(session, judged, reply, more, now_ns);
    } else {
        smtp_client_session_command_reply(session, stage, judged, reply, now_ns);
    }
}

static void take_reply(struct smtp_client_session *session, uint64_t now_ns)
{
    struct smtp_reply reply = smtp_client_reply_reader_reply(&session->reader);
    const struct smtp_client_owed *front = smtp_client_session_front(session);
    bool early = session->sent_octets < front->end_at;
    enum smtp_client_stage stage = smtp_client_session_front_stage(session);
    enum smtp_status judged = smtp_client_stage_judge(stage, reply.code);
    const char *wrong = what_is_wrong(session, reply.code);
    if (wrong != NULL) {
        smtp_client_session_end(session, SMTP_PROTOCOL_VIOLATION, wrong);
        return;
    }
    if (reply.code == 421 || early) {
        smtp_client_session_end_by_reply(session, stage, judged, &reply);
        return;
    }
    bool more = stage == SMTP_STAGE_DOT && ++session->finals < finals_due(session);
    if (!more) {
        if (session->timed != NULL) {
            session->timed(session->timed_user, stage, now_ns - front->begun_ns);
        }
        smtp_client_session_take_front(session);
    }
    session->auth.challenged = reply.code == 334 && stage != SMTP_STAGE_DATA;
    dispatch(session, stage, judged, &reply, more, now_ns);
    if (!session->ended) {
        smtp_client_session_arm(session, now_ns);
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

/* Whether there is something that the server can be answering. */
static bool is_answerable(const struct smtp_client_session *session)
{
    const struct smtp_client_owed *front = smtp_client_session_front(session);
    return front != NULL && (front->asked || session->sent_octets > session->answered_octets);
}

void smtp_client_session_receive(struct smtp_client_session *session, const char *bytes, size_t len,
                                 size_t *used, uint64_t now_ns)
{
    *used = 0;
    while (*used < len && !session->ended && !smtp_client_session_event_waits(session)) {
        if (!is_answerable(session)) {
            take_unsolicited(session, bytes + *used, len - *used);
            return;
        }
        size_t taken = 0;
        struct smtp_error error; /* set where the status is one */
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
