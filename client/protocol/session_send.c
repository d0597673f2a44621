/* session_send.c - a whole transaction in a session, and content on its way (RFC 5321 3.3, RFC
 * 2920 3.1). Knows: which commands a message takes, what the server must offer for it, how each way
 * out leaves the session ready for the next message. Does not know: where content comes from; who
 * gets what result (transaction.c). */
#include "client/protocol/offered.h"
#include "client/protocol/session_state.h"
#include "common/deadline.h"
#include "common/error.h"

#include <inttypes.h>
#include <string.h>

enum smtp_status smtp_client_session_check_content(struct smtp_client_session *session,
                                                   const struct smtp_client_content_facts *facts)
{
    const struct smtp_client_extensions *offered = &session->extensions;
    if (facts->bits == SMTP_CLIENT_EIGHT_BIT && !offered->eight_bit_mime) {
        return smtp_error_set(&session->error, SMTP_UNSUPPORTED, 0,
                              "the content holds octets above 127 and the server does not offer "
                              "8BITMIME: encode it as quoted-printable or base64");
    }
    if (facts->size_known && offered->size_max > 0 && facts->size_bytes > offered->size_max) {
        return smtp_error_set(&session->error, SMTP_UNSUPPORTED, 0,
                              "the message has %" PRIu64 " octets and the server takes %" PRIu64
                              " (SIZE)",
                              facts->size_bytes, offered->size_max);
    }
    return SMTP_OK;
}

static const char *rcpt_parameters(const struct smtp_envelope *envelope, size_t i)
{
    return envelope->rcpt_parameters != NULL ? envelope->rcpt_parameters[i] : NULL;
}

static enum smtp_status queue_mail(struct smtp_client_session *session,
                                   const struct smtp_envelope *envelope,
                                   const struct smtp_client_content_facts *facts)
{
    bool declared = facts->bits != SMTP_CLIENT_SEVEN_BIT && session->extensions.eight_bit_mime;
    struct smtp_client_command mail = {
        .verb = "MAIL FROM:",
        .kind = SMTP_CLIENT_REVERSE_PATH,
        .argument = envelope->reverse_path,
        .parameters = session->extended ? envelope->mail_parameters : NULL,
        .mail = envelope->mail,
        .smtputf8 = session->smtputf8,
        .declare_size = facts->size_known && session->extensions.size,
        .size_bytes = facts->size_bytes,
        .body = declared ? SMTP_BODY_8BITMIME : SMTP_BODY_DETECT,
    };
    return smtp_client_session_queue(session, SMTP_STAGE_MAIL, &mail);
}

static enum smtp_status queue_all(struct smtp_client_session *session,
                                  const struct smtp_envelope *envelope,
                                  const struct smtp_client_content_facts *facts)
{
    enum smtp_status status = queue_mail(session, envelope, facts);
    for (size_t i = 0; i < envelope->forward_path_count && status == SMTP_OK; i++) {
        struct smtp_client_command rcpt = {
            .verb = "RCPT TO:",
            .kind = SMTP_CLIENT_FORWARD_PATH,
            .argument = envelope->forward_paths[i],
            .parameters = session->extended ? rcpt_parameters(envelope, i) : NULL,
            .rcpt = envelope->rcpt != NULL ? &envelope->rcpt[i] : NULL,
            .smtputf8 = session->smtputf8,
        };
        status = smtp_client_session_queue(session, SMTP_STAGE_RCPT, &rcpt);
    }
    if (status == SMTP_OK) {
        struct smtp_client_command data = {.verb = "DATA"};
        status = smtp_client_session_queue(session, SMTP_STAGE_DATA, &data);
    }
    return status;
}

enum smtp_status smtp_client_session_send(struct smtp_client_session *session,
                                          const struct smtp_envelope *envelope,
                                          const struct smtp_client_content_facts *facts,
                                          uint64_t now_ns)
{
    enum smtp_status status = smtp_client_session_check_state(session, SMTP_STAGE_MAIL);
    if (status == SMTP_OK) {
        status = smtp_client_session_check_envelope(session, envelope);
    }
    if (status == SMTP_OK) {
        status = smtp_client_session_check_content(session, facts);
    }
    if (status == SMTP_OK) {
        status = queue_all(session, envelope, facts);
    }
    if (status == SMTP_OK &&
        smtp_client_transaction_begin(&session->transaction, envelope) != SMTP_OK) {
        status = smtp_error_set(&session->error, SMTP_NO_MEMORY, 0,
                                "out of memory for %zu recipients", envelope->forward_path_count);
    }
    if (status != SMTP_OK) {
        smtp_client_session_unqueue(session);
        return status;
    }
    session->sending = true;
    session->high_octets_refused = !session->extensions.eight_bit_mime;
    smtp_client_session_release(session, now_ns);
    return SMTP_OK;
}

const struct smtp_send_result *smtp_client_session_result(const struct smtp_client_session *session)
{
    return &session->transaction.result;
}

/* ---- replies in a transaction ---- */

static void finish(struct smtp_client_session *session)
{
    smtp_client_transaction_end(&session->transaction);
    session->sending = false;
    smtp_client_session_raise(session, SMTP_CLIENT_EVENT_TRANSACTION_DONE,
                              session->transaction.result.stage, session->transaction.result.status,
                              NULL);
}

void smtp_client_session_fail_transaction(struct smtp_client_session *session,
                                          enum smtp_client_stage stage, enum smtp_status status,
                                          const struct smtp_reply *reply)
{
    if (smtp_client_transaction_fail(&session->transaction, stage, status, reply) != SMTP_OK) {
        session->transaction.failure = SMTP_NO_MEMORY;
    }
    finish(session);
}

/* RFC 2920 3.1: the server took a DATA that stood in a group with refused recipients. Nothing but
 * the dot may follow. */
static void send_lone_dot(struct smtp_client_session *session, uint64_t now_ns)
{
    if (smtp_client_session_expect_dot(session) != SMTP_OK ||
        smtp_buffer_append(&session->out, ".\r\n", 3) != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory");
        return;
    }
    session->released = session->out.len;
    smtp_client_session_release(session, now_ns);
}

/* RFC 5321 4.1.4: the next MAIL needs a session in which no transaction is open. */
static void reset(struct smtp_client_session *session, uint64_t now_ns)
{
    struct smtp_client_command rset = {.verb = "RSET"};
    smtp_client_session_unqueue(session);
    if (smtp_client_session_queue(session, SMTP_STAGE_RSET, &rset) != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory");
        return;
    }
    smtp_client_session_release(session, now_ns);
}

void smtp_client_session_transaction_reply(struct smtp_client_session *session,
                                           enum smtp_client_stage stage, enum smtp_status judged,
                                           const struct smtp_reply *reply, uint64_t now_ns)
{
    struct smtp_client_transaction *transaction = &session->transaction;
    if (stage == SMTP_STAGE_RSET && judged == SMTP_OK) {
        finish(session);
        return;
    }
    if (stage == SMTP_STAGE_RSET) {
        smtp_client_session_end(session, SMTP_PROTOCOL_VIOLATION, "the server refused RSET");
        return;
    }
    if (smtp_client_transaction_reply(transaction, stage, judged, reply) != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory for a reply");
        return;
    }
    if (stage == SMTP_STAGE_DOT) {
        finish(session);
    } else if (stage == SMTP_STAGE_DATA && judged == SMTP_OK && !transaction->doomed) {
        smtp_client_session_begin_content(session, now_ns);
    } else if (stage == SMTP_STAGE_DATA && judged == SMTP_OK) {
        send_lone_dot(session, now_ns);
    } else if (transaction->doomed && session->owed == 0) {
        reset(session, now_ns);
    } else {
        smtp_client_session_release(session, now_ns);
    }
}

/* ---- content ---- */

void smtp_client_session_begin_content(struct smtp_client_session *session, uint64_t now_ns)
{
    if (smtp_client_session_expect_dot(session) != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory");
        return;
    }
    smtp_client_encoder_init(&session->encoder);
    session->content_open = true;
    smtp_client_session_release(session, now_ns); /* sets the deadline */
    smtp_client_session_raise(session, SMTP_CLIENT_EVENT_CONTENT_WANTED, SMTP_STAGE_CONTENT,
                              SMTP_OK, NULL);
}

static void queue_content(struct smtp_client_session *session, const char *bytes, size_t len,
                          uint64_t now_ns)
{
    smtp_client_session_note(session, SMTP_CLIENT_LOG_CONTENT, (struct smtp_span){bytes, len});
    smtp_buffer_added(&session->out, len);
    session->released = session->out.len;
    smtp_client_session_release(session, now_ns);
}

enum smtp_status smtp_client_session_content(struct smtp_client_session *session, const char *bytes,
                                             size_t len, uint64_t now_ns)
{
    if (!session->content_open || len > SMTP_CLIENT_BLOCK_MAX) {
        return smtp_error_set(&session->error, SMTP_BAD_STATE, 0, "no content is wanted");
    }
    char *room = smtp_buffer_reserve(&session->out, 2 * len + 1);
    if (room == NULL) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory for content");
        return session->error.status;
    }
    size_t made = smtp_client_encoder_feed(&session->encoder, bytes, len, room);
    if (session->encoder.eight_bit && session->high_octets_refused) {
        smtp_client_session_end(session, SMTP_UNSUPPORTED,
                                "the content holds octets above 127 and the server does not offer "
                                "8BITMIME: encode it as quoted-printable or base64");
        return session->error.status;
    }
    queue_content(session, room, made, now_ns);
    return SMTP_OK;
}

void smtp_client_session_content_whole(struct smtp_client_session *session,
                                       struct smtp_span content, uint64_t now_ns)
{
    if (session->content_open && content.len > 0) {
        smtp_client_session_note(session, SMTP_CLIENT_LOG_CONTENT, content);
        session->whole = content;
        smtp_client_session_release(session, now_ns);
    }
}

enum smtp_status smtp_client_session_content_end(struct smtp_client_session *session,
                                                 uint64_t now_ns)
{
    if (!session->content_open) {
        return smtp_error_set(&session->error, SMTP_BAD_STATE, 0, "no content is wanted");
    }
    char *room = smtp_buffer_reserve(&session->out, SMTP_CLIENT_DOT_SIZE);
    if (room == NULL) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory for content");
        return session->error.status;
    }
    session->content_open = false;
    queue_content(session, room, smtp_client_encoder_finish(&session->encoder, room), now_ns);
    return SMTP_OK;
}
