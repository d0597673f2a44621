/* session_steps.c - a transaction that its caller goes through by single commands. Knows: what RFC 3030 2
 * forbids in it, how many recipients were accepted (RFC 2033 4.2: each has a reply to the content),
 * whether it is over. Does not know: whole transactions (session_send.c). */
#include "client/protocol/session_state.h"
#include "common/error.h"

void smtp_client_session_step(struct smtp_client_session *session, enum smtp_client_stage stage)
{
    session->steps.data = session->steps.data || stage == SMTP_STAGE_DATA;
}

void smtp_client_session_step_reply(struct smtp_client_session *session,
                                    enum smtp_client_stage stage, enum smtp_status judged)
{
    static const struct smtp_client_steps none;
    struct smtp_client_steps *steps = &session->steps;
    switch (stage) {
    case SMTP_STAGE_COMMAND: /* any line at all */
        steps->open = true;
        break;
    case SMTP_STAGE_RCPT:
        steps->accepted += judged == SMTP_OK;
        break;
    case SMTP_STAGE_CONTENT:
        steps->refused = judged != SMTP_OK;
        break;
    case SMTP_STAGE_DOT: /* after DATA's there is no transaction any more, whatever the reply */
        if (steps->chunks && judged != SMTP_OK && judged != SMTP_PARTLY_REFUSED) {
            steps->refused = true;
        } else {
            *steps = none;
        }
        break;
    case SMTP_STAGE_EHLO:
    case SMTP_STAGE_HELO:
    case SMTP_STAGE_STARTTLS:
    case SMTP_STAGE_XCLIENT:
    case SMTP_STAGE_MAIL:
    case SMTP_STAGE_RSET:
        if (judged == SMTP_OK) {
            *steps = none;
            steps->open = stage == SMTP_STAGE_MAIL;
        }
        break;
    default:
        break;
    }
}

/* The results of LMTP's replies have the place of a transaction that is alone. */
static struct smtp_client_transaction *results(const struct smtp_client_session *session)
{
    return &session->flights[0]->transaction;
}

void smtp_client_session_step_final(struct smtp_client_session *session, enum smtp_status judged,
                                    const struct smtp_reply *reply, bool more, uint64_t now_ns)
{
    struct smtp_client_transaction *transaction = results(session);
    size_t count = session->steps.accepted > 0 ? session->steps.accepted : 1;
    enum smtp_status status = SMTP_OK;
    if (!session->steps.finals) {
        status = smtp_client_transaction_begin(transaction, NULL, count);
        session->steps.finals = true;
        session->told = transaction;
    }
    if (status == SMTP_OK) {
        status = smtp_client_transaction_reply_for_one(transaction, judged, reply);
    }
    if (status != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory for a reply");
        smtp_client_session_raise(session, SMTP_CLIENT_EVENT_ENDED, SMTP_STAGE_DOT, status, NULL);
        return;
    }
    if (!more) {
        smtp_client_transaction_end(transaction);
        smtp_client_session_command_reply(session, SMTP_STAGE_DOT, transaction->result.status,
                                          &transaction->result.final_reply, now_ns);
    }
}

void smtp_client_session_step_failed(struct smtp_client_session *session, enum smtp_status status,
                                     const struct smtp_reply *reply)
{
    struct smtp_client_transaction *transaction = results(session);
    if (session->steps.finals) {
        session->steps.finals = false;
        if (smtp_client_transaction_fail(transaction, SMTP_STAGE_DOT, status, reply) != SMTP_OK) {
            transaction->failure = SMTP_NO_MEMORY;
        }
        smtp_client_transaction_end(transaction);
    }
}

enum smtp_status smtp_client_session_bdat(struct smtp_client_session *session,
                                          struct smtp_span chunk, bool last, uint64_t now_ns)
{
    enum smtp_status status = smtp_client_session_check_state(session, SMTP_STAGE_CONTENT);
    if (status != SMTP_OK) {
        return status;
    }
    if (!session->extensions.chunking) {
        return smtp_error_set(&session->error, SMTP_UNSUPPORTED, 0,
                              "BDAT needs CHUNKING, which the server does not offer");
    }
    if (last && session->lmtp && session->steps.accepted == 0) {
        return smtp_error_set(&session->error, SMTP_BAD_STATE, 0,
                              "the last chunk has a reply for each recipient that was accepted "
                              "(RFC 2033 4.3), and there is none: say RSET");
    }
    status = smtp_client_session_announce(session, chunk.len, last, now_ns);
    if (status != SMTP_OK) {
        smtp_client_session_unqueue(session);
        return status;
    }
    session->steps.chunks = true;
    if (chunk.len > 0) {
        smtp_client_session_queue_whole(session, chunk);
    }
    smtp_client_session_arm(session, now_ns);
    return SMTP_OK;
}

uint64_t smtp_client_session_mail_count(const struct smtp_client_session *session)
{
    return session->mail_count;
}

bool smtp_client_session_may_be_open(const struct smtp_client_session *session)
{
    return session->steps.open;
}
