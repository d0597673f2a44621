/* session_send.c - whole transactions in a session, several of them in flight (RFC 5321 3.3, RFC 2920
 * 3.1, RFC 3030 4.2). Knows: which commands a message takes, when the next may follow behind it, how each
 * way out leaves the session ready for the next message. Does not know: content (session_content.c); who
 * gets what result (transaction.c). */
#include "client/protocol/offered.h"
#include "client/protocol/session_state.h"
#include "common/error.h"

#include <stdlib.h>
#include <string.h>

/* What may be on its way, unanswered, when another message is begun. */
#define IN_FLIGHT_OCTETS_MAX 262144

struct smtp_client_flight *smtp_client_session_flight(const struct smtp_client_session *session,
                                                      size_t i)
{
    return session->flights[(session->first + i) % SMTP_CLIENT_IN_FLIGHT_MAX];
}

struct smtp_client_flight *smtp_client_session_first(const struct smtp_client_session *session)
{
    return session->in_flight > 0 ? smtp_client_session_flight(session, 0) : NULL;
}

struct smtp_client_flight *smtp_client_session_last(const struct smtp_client_session *session)
{
    return session->in_flight > 0 ? smtp_client_session_flight(session, session->in_flight - 1)
                                  : NULL;
}

/* ---- the beginning ---- */

/* The next transaction's place in the ring; alone, it is always the first, whose storage is used again. */
static struct smtp_client_flight *next_flight(struct smtp_client_session *session)
{
    if (session->in_flight == 0) {
        session->first = 0;
    }
    size_t at = (session->first + session->in_flight) % SMTP_CLIENT_IN_FLIGHT_MAX;
    if (session->flights[at] == NULL) {
        session->flights[at] = calloc(1, sizeof(*session->flights[at]));
        if (session->flights[at] != NULL) {
            smtp_client_transaction_init(&session->flights[at]->transaction);
        }
    }
    return session->flights[at];
}

/* A transaction of chunks whose last reply is to come may have failed by then, and its state is
 * "indeterminate" (RFC 3030 2): RSET makes it sure, and costs no round trip. After the final dot there is
 * no transaction any more, whatever the reply (RFC 5321 4.1.1.4). */
static bool needs_reset(const struct smtp_client_session *session)
{
    const struct smtp_client_flight *last = smtp_client_session_last(session);
    return last != NULL && last->chunks_owed > 0;
}

bool smtp_client_session_may_begin(const struct smtp_client_session *session)
{
    const struct smtp_client_flight *last = smtp_client_session_last(session);
    if (last == NULL || session->ended || smtp_client_session_event_waits(session)) {
        return smtp_client_session_why_not(session, SMTP_STAGE_MAIL) == NULL;
    }
    return smtp_client_session_groups(session) && last->closed &&
           session->in_flight < SMTP_CLIENT_IN_FLIGHT_MAX &&
           smtp_client_session_queued_octets(session) - session->answered_octets <
               IN_FLIGHT_OCTETS_MAX;
}

/* RFC 6152 3: said where it is needed, or asked for. */
static enum smtp_body body_to_declare(const struct smtp_client_session *session,
                                      const struct smtp_client_content_facts *facts)
{
    bool offered = session->extensions.eight_bit_mime;
    switch (facts->body) {
    case SMTP_BODY_BINARYMIME:
    case SMTP_BODY_8BITMIME:
        return facts->body;
    case SMTP_BODY_7BIT:
        return offered ? SMTP_BODY_7BIT : SMTP_BODY_DETECT;
    case SMTP_BODY_DETECT:
        break;
    }
    return offered && facts->bits != SMTP_CLIENT_SEVEN_BIT ? SMTP_BODY_8BITMIME : SMTP_BODY_DETECT;
}

static enum smtp_status queue_mail(struct smtp_client_session *session,
                                   const struct smtp_envelope *envelope,
                                   const struct smtp_client_content_facts *facts)
{
    struct smtp_client_command mail = {
        .verb = "MAIL FROM:",
        .kind = SMTP_CLIENT_REVERSE_PATH,
        .argument = envelope->reverse_path,
        .parameters = session->extended ? envelope->mail_parameters : NULL,
        .mail = envelope->mail,
        .smtputf8 = session->smtputf8,
        .declare_size = facts->size_known && session->extensions.size,
        .size_bytes = facts->size_bytes,
        .body = body_to_declare(session, facts),
    };
    return smtp_client_session_queue(session, SMTP_STAGE_MAIL, &mail);
}

static enum smtp_status queue_verb(struct smtp_client_session *session,
                                   enum smtp_client_stage stage, const char *verb)
{
    struct smtp_client_command command = {.verb = verb};
    return smtp_client_session_queue(session, stage, &command);
}

static enum smtp_status queue_all(struct smtp_client_session *session,
                                  const struct smtp_envelope *envelope,
                                  const struct smtp_client_content_facts *facts)
{
    enum smtp_status status =
        needs_reset(session) ? queue_verb(session, SMTP_STAGE_RSET, "RSET") : SMTP_OK;
    status = status == SMTP_OK ? queue_mail(session, envelope, facts) : status;
    for (size_t i = 0; i < envelope->forward_path_count && status == SMTP_OK; i++) {
        struct smtp_client_command rcpt = {
            .verb = "RCPT TO:",
            .kind = SMTP_CLIENT_FORWARD_PATH,
            .argument = envelope->forward_paths[i],
            .parameters = session->extended && envelope->rcpt_parameters != NULL
                              ? envelope->rcpt_parameters[i]
                              : NULL,
            .rcpt = envelope->rcpt != NULL ? &envelope->rcpt[i] : NULL,
            .smtputf8 = session->smtputf8,
        };
        status = smtp_client_session_queue(session, SMTP_STAGE_RCPT, &rcpt);
    }
    if (status == SMTP_OK && !smtp_client_session_uses_chunks(session, facts->body)) {
        status = queue_verb(session, SMTP_STAGE_DATA, "DATA");
    }
    return status;
}

static enum smtp_status check(struct smtp_client_session *session,
                              const struct smtp_envelope *envelope,
                              const struct smtp_client_content_facts *facts)
{
    if (!smtp_client_session_may_begin(session)) {
        enum smtp_status status = smtp_client_session_check_state(session, SMTP_STAGE_MAIL);
        return status != SMTP_OK ? status : SMTP_BAD_STATE;
    }
    enum smtp_status status = smtp_client_session_check_envelope(session, envelope);
    return status == SMTP_OK ? smtp_client_session_check_content(session, facts) : status;
}

enum smtp_status smtp_client_session_check_send(struct smtp_client_session *session,
                                                const struct smtp_envelope *envelope,
                                                const struct smtp_client_content_facts *facts)
{
    enum smtp_status status = check(session, envelope, facts);
    if (status == SMTP_OK) {
        status = queue_all(session, envelope, facts);
        smtp_client_session_unqueue(session);
    }
    return status;
}

enum smtp_status smtp_client_session_send(struct smtp_client_session *session,
                                          const struct smtp_envelope *envelope,
                                          const struct smtp_client_content_facts *facts,
                                          uint64_t now_ns)
{
    enum smtp_status status = check(session, envelope, facts);
    if (status != SMTP_OK) {
        return status;
    }
    bool opening = needs_reset(session);
    struct smtp_client_flight *flight = next_flight(session);
    if (flight == NULL ||
        smtp_client_transaction_begin(&flight->transaction, envelope->forward_paths,
                                      envelope->forward_path_count) != SMTP_OK) {
        return smtp_error_set(&session->error, SMTP_NO_MEMORY, 0,
                              "out of memory for %zu recipients", envelope->forward_path_count);
    }
    status = queue_all(session, envelope, facts);
    if (status != SMTP_OK) {
        smtp_client_session_unqueue(session);
        return status;
    }
    flight->opening = opening;
    flight->chunked = smtp_client_session_uses_chunks(session, facts->body);
    flight->closed = flight->finished = false;
    flight->owed = flight->chunks_owed = 0;
    flight->end_at = SMTP_CLIENT_NOT_SENT;
    session->in_flight++;
    session->high_octets_refused =
        !session->extensions.eight_bit_mime || facts->body == SMTP_BODY_7BIT;
    smtp_client_session_release(session, now_ns);
    session->chunks.on = flight->chunked;
    if (flight->chunked) {
        smtp_client_session_prepare_chunks(session, facts);
    }
    if (flight->chunked && smtp_client_session_groups(session)) {
        smtp_client_session_begin_chunks(session);
    }
    return SMTP_OK;
}

/* ---- the end ---- */

const struct smtp_send_result *smtp_client_session_result(const struct smtp_client_session *session)
{
    return &session->told->result;
}

bool smtp_client_session_event_waits(const struct smtp_client_session *session)
{
    const struct smtp_client_flight *first = smtp_client_session_first(session);
    return session->event_waits || (first != NULL && first->finished);
}

bool smtp_client_session_next_event(struct smtp_client_session *session,
                                    struct smtp_client_event *event)
{
    struct smtp_client_flight *first = smtp_client_session_first(session);
    if (session->event_waits) {
        *event = session->event;
        session->event_waits = false;
        return true;
    }
    if (first == NULL || !first->finished) {
        return false;
    }
    session->told = &first->transaction;
    session->first = (session->first + 1) % SMTP_CLIENT_IN_FLIGHT_MAX;
    session->in_flight--;
    *event = (struct smtp_client_event){SMTP_CLIENT_EVENT_TRANSACTION_DONE,
                                        session->told->result.stage,
                                        session->told->result.status,
                                        {.text = ""}};
    return true;
}

static void finish(struct smtp_client_session *session, struct smtp_client_flight *flight)
{
    smtp_client_transaction_end(&flight->transaction);
    flight->closed = flight->finished = true;
    if (flight == smtp_client_session_last(session)) {
        smtp_client_session_stop_content(session);
    }
}

void smtp_client_session_settle(struct smtp_client_flight *flight, enum smtp_client_stage stage,
                                enum smtp_status status, const struct smtp_reply *reply)
{
    if (flight->finished) {
        return;
    }
    if (smtp_client_transaction_fail(&flight->transaction, stage, status, reply) != SMTP_OK) {
        flight->transaction.failure = SMTP_NO_MEMORY;
    }
    smtp_client_transaction_end(&flight->transaction);
    flight->closed = flight->finished = true;
}

/* ---- replies ---- */

/* RFC 2920 3.1: the server took a DATA that stood in a group with refused recipients. Nothing but
 * the dot may follow. RFC 2033 4.2 leaves no room for that: nobody knows how many replies would come. */
static void send_lone_dot(struct smtp_client_session *session, struct smtp_client_flight *flight,
                          uint64_t now_ns)
{
    if (session->lmtp && flight->transaction.taken == 0) {
        smtp_client_session_end(session, SMTP_PROTOCOL_VIOLATION,
                                "the server took DATA for no recipient at all");
        return;
    }
    if (smtp_client_session_expect(session, SMTP_STAGE_DOT) != SMTP_OK ||
        smtp_buffer_append(&session->out, ".\r\n", 3) != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory");
        return;
    }
    session->released = session->out.len;
    smtp_client_session_extend(session, 0, now_ns);
    flight->closed = true;
    smtp_client_session_release(session, now_ns);
}

/* RFC 5321 4.1.4: the next MAIL needs a session in which no transaction is open. Where it is on its way
 * already, it has its own RSET before it. */
static void reset(struct smtp_client_session *session, struct smtp_client_flight *flight,
                  uint64_t now_ns)
{
    if (session->in_flight > 1) {
        finish(session, flight);
        return;
    }
    smtp_client_session_stop_content(session);
    smtp_client_session_unqueue(session);
    if (queue_verb(session, SMTP_STAGE_RSET, "RSET") != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory");
        return;
    }
    flight->closed = true;
    smtp_client_session_release(session, now_ns);
}

/* 530 is the answer to every command before TLS or a login where the server requires it, RSET too (RFC 3207
 * 4, RFC 4954 6): no transaction is open then. */
static void reset_reply(struct smtp_client_session *session, struct smtp_client_flight *flight,
                        enum smtp_status judged, int code)
{
    if (judged != SMTP_OK && code != 530) {
        smtp_client_session_end(session, SMTP_PROTOCOL_VIOLATION, "the server refused RSET");
    } else if (flight->opening) {
        flight->opening = false;
    } else {
        finish(session, flight);
    }
}

static void go_on(struct smtp_client_session *session, struct smtp_client_flight *flight,
                  uint64_t now_ns)
{
    const struct smtp_client_transaction *transaction = &flight->transaction;
    bool all_answered = transaction->answered == transaction->result.recipient_count;
    if (transaction->doomed && flight->owed == 0) {
        reset(session, flight, now_ns);
        return;
    }
    if (flight->chunked && flight == smtp_client_session_last(session)) {
        if (all_answered && !session->content_open && !flight->closed && !transaction->doomed) {
            smtp_client_session_begin_chunks(session);
        }
        smtp_client_session_pump(session, false, now_ns);
    }
    smtp_client_session_release(session, now_ns);
}

/* The last reply to the content. Where chunks were taken for nobody, RSET is due (RFC 3030 2); with LMTP too,
 * where there is a reply for each. */
static void content_answered(struct smtp_client_session *session, struct smtp_client_flight *flight,
                             uint64_t now_ns)
{
    smtp_client_transaction_end(&flight->transaction);
    if (!flight->chunked || flight->transaction.result.accepted_count > 0) {
        finish(session, flight);
        return;
    }
    flight->transaction.doomed = true;
    go_on(session, flight, now_ns);
}

void smtp_client_session_transaction_reply(struct smtp_client_session *session,
                                           enum smtp_client_stage stage, enum smtp_status judged,
                                           const struct smtp_reply *reply, bool more,
                                           uint64_t now_ns)
{
    struct smtp_client_flight *flight = smtp_client_session_first(session);
    if (flight == NULL) { /* whoever awaits such a reply is in flight */
        return;
    }
    struct smtp_client_transaction *transaction = &flight->transaction;
    if (stage == SMTP_STAGE_RSET) {
        reset_reply(session, flight, judged, reply->code);
        return;
    }
    enum smtp_status status =
        session->lmtp && stage == SMTP_STAGE_DOT
            ? smtp_client_transaction_reply_for_one(transaction, judged, reply)
            : smtp_client_transaction_reply(transaction, stage, judged, reply);
    if (status != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory for a reply");
    } else if (stage == SMTP_STAGE_DOT && !more) {
        content_answered(session, flight, now_ns);
    } else if (stage == SMTP_STAGE_DATA && judged == SMTP_OK && !transaction->doomed) {
        smtp_client_session_begin_content(session, now_ns);
    } else if (stage == SMTP_STAGE_DATA && judged == SMTP_OK) {
        send_lone_dot(session, flight, now_ns);
    } else if (!more) {
        go_on(session, flight, now_ns);
    }
}
