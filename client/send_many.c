/* send_many.c - a stream of messages over one session, on the caller's thread (stream.h). Knows: waiting, and what is
 * told of all of them. Reading goes first, so that neither side waits for the other. */
#include "client/stream.h"
#include "common/error.h"

static enum smtp_status conclude(struct smtp_client_stream *stream)
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

/* The caller's function, which knows no later. */
struct caller {
    smtp_client_next *next;
    smtp_client_sent *sent;
    void *user;
};

static enum smtp_client_more next_of_caller(void *user, size_t index, struct smtp_outgoing *message)
{
    const struct caller *caller = user;
    return caller->next(caller->user, index, message) ? SMTP_CLIENT_MORE_MESSAGE
                                                      : SMTP_CLIENT_MORE_NONE;
}

static void sent_to_caller(void *user, size_t index, const struct smtp_send_result *result)
{
    const struct caller *caller = user;
    if (caller->sent != NULL) {
        caller->sent(caller->user, index, result);
    }
}

enum smtp_status smtp_client_send_many(struct smtp_client *client, smtp_client_next *next,
                                       smtp_client_sent *sent, void *user)
{
    struct caller caller = {next, sent, user};
    struct smtp_client_passage passages[SMTP_CLIENT_IN_FLIGHT_MAX];
    struct smtp_client_stream stream = {.client = client,
                                        .next = next_of_caller,
                                        .sent = sent_to_caller,
                                        .user = &caller,
                                        .passages = passages,
                                        .capacity = SMTP_CLIENT_IN_FLIGHT_MAX,
                                        .waits = true};
    client->stage = SMTP_STAGE_NONE;
    enum smtp_status status = smtp_client_send_prepare(client);
    if (status != SMTP_OK) {
        return status;
    }
    while (!smtp_client_stream_is_over(&stream)) {
        if (smtp_client_session_ended(client->session)) {
            smtp_client_stream_cut(&stream);
        }
        if (!smtp_client_stream_step(&stream) && stream.count > 0) {
            smtp_client_connection_move(client);
        }
    }
    return conclude(&stream);
}
