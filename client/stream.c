/* stream.c - see stream.h. Knows: which message's content is given now, whose result comes next, what stops the
 * stream. Does not know: what may be in flight (client/protocol/session_send.c), where content comes from
 * (content_source.c), how octets come and go. */
#include "client/stream.h"

#include "common/clock.h"
#include "common/error.h"

static struct smtp_client_passage *passage_at(struct smtp_client_stream *stream, size_t index)
{
    return &stream->passages[index % stream->capacity];
}

static struct smtp_client_passage *last_passage(struct smtp_client_stream *stream)
{
    return passage_at(stream, stream->first + stream->count - 1);
}

/* ---- results ---- */

static void note_failure(struct smtp_client_stream *stream, enum smtp_status status)
{
    const struct smtp_error *error = &stream->client->error;
    bool refusal = status == SMTP_REFUSED_TRANSIENT || status == SMTP_REFUSED_PERMANENT ||
                   status == SMTP_PARTLY_REFUSED;
    if (stream->error.status == SMTP_OK) {
        smtp_error_set(&stream->error, status, error->sys_errno, "message %zu: %.230s",
                       stream->first, error->message);
    }
    if (!refusal && stream->kept_off == SMTP_OK) {
        stream->kept_off = status;
    }
}

/* The first of the ring is answered for. */
static void deliver(struct smtp_client_stream *stream, const struct smtp_send_result *result)
{
    stream->accepted += result->status == SMTP_OK;
    stream->partly += result->status == SMTP_PARTLY_REFUSED;
    stream->refused_for_good += result->status == SMTP_REFUSED_PERMANENT;
    if (result->status != SMTP_OK) {
        note_failure(stream, result->status);
    }
    if (stream->sent != NULL) {
        stream->sent(stream->user, stream->first, result);
    }
    stream->first++;
    stream->count--;
}

/* Those that were never begun wait for their turn, so that results come in order; they come before an event,
 * which is of the first that was. */
static bool deliver_unbegun(struct smtp_client_stream *stream)
{
    struct smtp_client_passage *passage = passage_at(stream, stream->first);
    const struct smtp_send_result *result = NULL;
    if (stream->count == 0 || passage->begun || (stream->held && stream->count == 1)) {
        return false;
    }
    stream->client->error = passage->error;
    stream->client->stage = SMTP_STAGE_NONE;
    (void)smtp_client_send_not_begun(stream->client, passage->status, &result);
    deliver(stream, result);
    return true;
}

static bool take_event(struct smtp_client_stream *stream)
{
    struct smtp_client *client = stream->client;
    struct smtp_client_event event;
    if (!smtp_client_session_next_event(client->session, &event)) {
        return false;
    }
    if (event.kind == SMTP_CLIENT_EVENT_TRANSACTION_DONE) {
        const struct smtp_envelope *envelope = &passage_at(stream, stream->first)->message.envelope;
        (void)smtp_client_report_result(client, envelope);
        deliver(stream, smtp_client_session_result(client->session));
    }
    return true;
}

/* ---- beginning ---- */

/* Where its recipients need several transactions, it goes alone. */
static enum smtp_status begin(struct smtp_client_stream *stream,
                              struct smtp_client_passage *passage)
{
    struct smtp_client *client = stream->client;
    const struct smtp_envelope *envelope = &passage->message.envelope;
    smtp_client_source_init(&passage->source, &passage->message.content);
    enum smtp_status status = smtp_client_send_measure(client, envelope, &passage->source);
    if (status != SMTP_OK) {
        return status;
    }
    status = smtp_client_limits_admit(client, envelope, &passage->source.facts);
    if (status != SMTP_OK) { /* where no message is taken any more, the next is not asked for */
        stream->drained = smtp_client_limits_mails_left(client) == 0;
        return status;
    }
    stream->held = smtp_client_limits_count(client, envelope) > 1 && stream->waits;
    if (stream->held) {
        return SMTP_OK;
    }
    if (smtp_client_limits_count(client, envelope) > 1) {
        return smtp_error_set(&client->error, SMTP_LIMIT_EXCEEDED, 0,
                              "the server takes fewer recipients in one transaction (LIMITS "
                              "RCPTMAX)");
    }
    status = smtp_client_session_send(client->session, envelope, &passage->source.facts,
                                      smtp_clock_now_ns());
    if (status != SMTP_OK) {
        client->error = *smtp_client_session_error(client->session);
    }
    passage->begun = status == SMTP_OK;
    return status;
}

static bool begin_next(struct smtp_client_stream *stream)
{
    if (stream->drained || stream->held || stream->count == stream->capacity ||
        !smtp_client_session_may_begin(stream->client->session)) {
        return false;
    }
    size_t index = stream->first + stream->count;
    struct smtp_client_passage *passage = passage_at(stream, index);
    passage->message = (struct smtp_outgoing){0};
    passage->begun = false;
    enum smtp_client_more more = stream->next(stream->user, index, &passage->message);
    if (more != SMTP_CLIENT_MORE_MESSAGE) {
        stream->drained = more == SMTP_CLIENT_MORE_NONE;
        return stream->drained;
    }
    stream->count++;
    passage->status = begin(stream, passage);
    passage->error = stream->client->error;
    return true;
}

/* Alone in the ring now, with nothing in flight. */
static bool send_held(struct smtp_client_stream *stream)
{
    if (!stream->held || stream->count > 1) {
        return false;
    }
    struct smtp_client_passage *passage = last_passage(stream);
    struct smtp_client *client = stream->client;
    const struct smtp_send_result *result = NULL;
    enum smtp_status status = smtp_client_connection_check(client);
    if (status == SMTP_OK) {
        status =
            smtp_client_parts_send(client, &passage->message.envelope, &passage->source, &result);
    }
    if (result == NULL) {
        (void)smtp_client_send_not_begun(client, status, &result);
    }
    stream->held = false;
    deliver(stream, result);
    return true;
}

/* ---- all of it ---- */

bool smtp_client_stream_step(struct smtp_client_stream *stream)
{
    struct smtp_client *client = stream->client;
    if (deliver_unbegun(stream) || take_event(stream) || send_held(stream) || begin_next(stream)) {
        return true;
    }
    return stream->count > 0 && smtp_client_connection_give(client, &last_passage(stream)->source);
}

bool smtp_client_stream_is_over(const struct smtp_client_stream *stream)
{
    return stream->drained && stream->count == 0;
}

void smtp_client_stream_cut(struct smtp_client_stream *stream)
{
    stream->drained = true;
    stream->count -= stream->held; /* it was not begun, and has no result */
    stream->held = false;
}
