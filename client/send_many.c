/* send_many.c - a stream of messages over one session, as many of them on their way as the session allows
 * (RFC 2920 3.1, RFC 3030 4.2). Knows: which message's content is given now, whose result comes next, what
 * stops the stream. Reading goes first, so that neither side waits for the other. Does not know: what may
 * be in flight (client/protocol/session_send.c), where content comes from (content_source.c). */
#include "client/client.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

/* A message from next to sent. */
struct passage {
    struct smtp_outgoing message;
    struct smtp_client_source source;
    bool begun;              /* the session has it; else: */
    enum smtp_status status; /* why it was not sent */
    struct smtp_error error;
};

struct stream {
    struct smtp_client *client;
    smtp_client_next *next;
    smtp_client_sent *sent;
    void *user;
    struct passage
        passages[SMTP_CLIENT_IN_FLIGHT_MAX]; /* a ring: handed out, and not answered for */
    size_t first;                            /* the index of the first of them */
    size_t count;
    bool drained;              /* next has no more, or none can follow */
    bool held;                 /* the last of them needs the session for itself, and waits for it */
    size_t accepted;           /* messages, by all recipients */
    size_t partly;             /* by some */
    size_t refused_for_good;   /* by none */
    enum smtp_status kept_off; /* the first other failure; SMTP_OK: none */
    struct smtp_error error;   /* of the first failure */
};

static struct passage *passage_at(struct stream *stream, size_t index)
{
    return &stream->passages[index % SMTP_CLIENT_IN_FLIGHT_MAX];
}

static struct passage *last_passage(struct stream *stream)
{
    return passage_at(stream, stream->first + stream->count - 1);
}

/* ---- results ---- */

static void note_failure(struct stream *stream, enum smtp_status status)
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
static void deliver(struct stream *stream, const struct smtp_send_result *result)
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
static bool deliver_unbegun(struct stream *stream)
{
    struct passage *passage = passage_at(stream, stream->first);
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

static bool take_event(struct stream *stream)
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
static enum smtp_status begin(struct stream *stream, struct passage *passage)
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
    stream->held = smtp_client_limits_count(client, envelope) > 1;
    if (stream->held) {
        return SMTP_OK;
    }
    status = smtp_client_session_send(client->session, envelope, &passage->source.facts,
                                      smtp_clock_now_ns());
    if (status != SMTP_OK) {
        client->error = *smtp_client_session_error(client->session);
    }
    passage->begun = status == SMTP_OK;
    return status;
}

static bool begin_next(struct stream *stream)
{
    if (stream->drained || stream->held || stream->count == SMTP_CLIENT_IN_FLIGHT_MAX ||
        !smtp_client_session_may_begin(stream->client->session)) {
        return false;
    }
    size_t index = stream->first + stream->count;
    struct passage *passage = passage_at(stream, index);
    passage->message = (struct smtp_outgoing){0};
    passage->begun = false;
    if (!stream->next(stream->user, index, &passage->message)) {
        stream->drained = true;
        return true;
    }
    stream->count++;
    passage->status = begin(stream, passage);
    passage->error = stream->client->error;
    return true;
}

/* Alone in the ring now, with nothing in flight. */
static bool send_held(struct stream *stream)
{
    if (!stream->held || stream->count > 1) {
        return false;
    }
    struct passage *passage = last_passage(stream);
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

/* One step that needs no waiting. False: there is none. */
static bool step(struct stream *stream)
{
    struct smtp_client *client = stream->client;
    if (deliver_unbegun(stream) || take_event(stream) || send_held(stream) || begin_next(stream)) {
        return true;
    }
    return stream->count > 0 && smtp_client_connection_give(client, &last_passage(stream)->source);
}

static enum smtp_status conclude(struct stream *stream)
{
    struct smtp_client *client = stream->client;
    bool ended = smtp_client_session_ended(client->session);
    if (ended && client->fd >= 0) {
        smtp_client_connection_close(client);
    }
    enum smtp_status status = stream->kept_off;
    if (ended) {
        stream->error = *smtp_client_session_error(client->session);
        status = stream->error.status;
        bool by_421 = status == SMTP_REFUSED_TRANSIENT || status == SMTP_REFUSED_PERMANENT;
        status = by_421 ? SMTP_CLOSED : status;
    } else if (status == SMTP_OK && stream->accepted < stream->first) {
        bool some = stream->accepted + stream->partly > 0;
        status = stream->refused_for_good == stream->first ? SMTP_REFUSED_PERMANENT
                                                           : SMTP_REFUSED_TRANSIENT;
        status = some ? SMTP_PARTLY_REFUSED : status;
    }
    if (status != SMTP_OK) {
        client->error = stream->error;
        client->error.status = status;
    }
    return status;
}

enum smtp_status smtp_client_send_many(struct smtp_client *client, smtp_client_next *next,
                                       smtp_client_sent *sent, void *user)
{
    struct stream stream = {.client = client, .next = next, .sent = sent, .user = user};
    client->stage = SMTP_STAGE_NONE;
    enum smtp_status status = smtp_client_send_prepare(client);
    if (status != SMTP_OK) {
        return status;
    }
    while (!stream.drained || stream.count > 0) {
        if (smtp_client_session_ended(client->session)) {
            stream.drained = true;
            stream.count -= stream.held; /* it was not begun, and has no result */
            stream.held = false;
        }
        if (!step(&stream) && stream.count > 0) {
            smtp_client_connection_move(client);
        }
    }
    return conclude(&stream);
}
