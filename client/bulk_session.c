/* bulk_session.c - one session of a bulk: its octets, its messages one after another, its end. Knows: what can go on without
 * waiting, and what it waits for. Does not know: which message is next (bulk.c); what is said before the first
 * (bulk_opening.c). */
#include "client/bulk.h"
#include "client/sasl.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/net.h"

#include <errno.h>
#include <unistd.h>

#define RETRY_MS UINT64_C(100) /* after a connection that brought nothing */

/* ---- time ---- */

void smtp_bulk_session_timed(struct smtp_bulk_session *session, enum smtp_client_stage stage)
{
    const struct smtp_bulk_hooks *hooks = &session->bulk->hooks;
    if (hooks->timed != NULL) {
        hooks->timed(hooks->user, stage, smtp_clock_now_ns() - session->begun_ns);
    }
}

/* STARTTLS counts with its handshake, AUTH as a whole exchange: bulk_opening.c tells of them. */
static void reply_timed(void *user, enum smtp_client_stage stage, uint64_t elapsed_ns)
{
    const struct smtp_bulk_session *session = user;
    const struct smtp_bulk_hooks *hooks = &session->bulk->hooks;
    if (stage != SMTP_STAGE_STARTTLS && stage != SMTP_STAGE_AUTH) {
        hooks->timed(hooks->user, stage, elapsed_ns);
    }
}

void smtp_bulk_session_watch(struct smtp_bulk_session *session)
{
    if (session->bulk->hooks.timed != NULL) {
        smtp_client_session_time(session->client->session, reply_timed, session);
    }
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
    struct smtp_bulk_session *session = handle->data;
    smtp_bulk_session_is_closed(session);
}

static void close_session(struct smtp_bulk_session *session)
{
    struct smtp_client *client = session->client;
    uint64_t now_ns = smtp_clock_now_ns();
    smtp_client_sasl_free(session->sasl);
    session->sasl = NULL;
    session->tries = session->brought ? 0 : session->tries + 1;
    session->retry_ns =
        session->brought ? now_ns : smtp_deadline_after(now_ns, RETRY_MS * session->tries);
    session->stage = SMTP_BULK_CLOSING;
    if (session->has_poll) {
        uv_close((uv_handle_t *)&session->poll, on_closed);
    }
    smtp_client_close(client);
    if (!session->has_poll) {
        smtp_bulk_session_is_closed(session);
    }
}

void smtp_bulk_session_fail(struct smtp_bulk_session *session, enum smtp_client_stage at)
{
    const struct smtp_bulk_hooks *hooks = &session->bulk->hooks;
    if (session->stage == SMTP_BULK_CLOSING) {
        return;
    }
    session->bulk->error = session->client->error;
    if (hooks->lost != NULL) {
        hooks->lost(hooks->user, at, &session->client->error);
    }
    close_session(session);
}

/* ---- messages ---- */

static enum smtp_client_more next_of_bulk(void *user, size_t index, struct smtp_outgoing *message)
{
    struct smtp_bulk_session *session = user;
    const struct smtp_bulk_options *options = &session->bulk->options;
    if ((options->session_messages > 0 && index >= options->session_messages) ||
        smtp_client_limits_mails_left(session->client) == 0) {
        return SMTP_CLIENT_MORE_NONE;
    }
    return smtp_bulk_next_message(session, session->first_place + index % options->in_flight,
                                  message);
}

static void sent_of_bulk(void *user, size_t index, const struct smtp_send_result *result)
{
    struct smtp_bulk_session *session = user;
    const struct smtp_bulk *bulk = session->bulk;
    session->brought = session->brought || result->final_reply.code > 0;
    bulk->hooks.sent(bulk->hooks.user, session->first_place + index % bulk->options.in_flight,
                     result);
}

static void begin_messages(struct smtp_bulk_session *session)
{
    const struct smtp_bulk *bulk = session->bulk;
    session->stream = (struct smtp_client_stream){.client = session->client,
                                                  .next = next_of_bulk,
                                                  .sent = sent_of_bulk,
                                                  .user = session,
                                                  .passages = bulk->passages + session->first_place,
                                                  .capacity = bulk->options.in_flight};
}

static void quit(struct smtp_bulk_session *session)
{
    struct smtp_client *client = session->client;
    session->stage = SMTP_BULK_QUITTING;
    session->brought = true; /* all that it was to bring */
    if (smtp_client_session_command(client->session, SMTP_STAGE_QUIT,
                                    &(struct smtp_client_command){.verb = "QUIT"},
                                    smtp_clock_now_ns()) != SMTP_OK) {
        close_session(session);
    }
}

static bool send_step(struct smtp_bulk_session *session)
{
    struct smtp_client_stream *stream = &session->stream;
    bool has_ended = smtp_client_session_ended(session->client->session);
    if (has_ended) {
        smtp_client_stream_cut(stream);
    }
    if (smtp_client_stream_step(stream)) {
        return true;
    }
    if (smtp_client_stream_is_over(stream) && !has_ended) {
        quit(session);
        return true;
    }
    if (has_ended && stream->count == 0) {
        session->client->error = *smtp_client_session_error(session->client->session);
        smtp_bulk_session_fail(session, SMTP_STAGE_NONE);
    }
    return false;
}

/* ---- going on ---- */

static bool hear_step(struct smtp_bulk_session *session)
{
    struct smtp_client_event event;
    if (!smtp_client_session_next_event(session->client->session, &event)) {
        return false;
    }
    if (session->stage == SMTP_BULK_OPENING) {
        smtp_bulk_session_hear(session, &event);
    } else {
        close_session(session); /* QUIT was answered, or not */
    }
    return true;
}

/* One thing that needs no waiting. */
static bool step(struct smtp_bulk_session *session)
{
    switch (session->stage) {
    case SMTP_BULK_OPENING:
    case SMTP_BULK_QUITTING:
        return hear_step(session) || smtp_client_connection_take(session->client);
    case SMTP_BULK_SENDING:
        return send_step(session) || (session->stage == SMTP_BULK_SENDING &&
                                      smtp_client_connection_take(session->client));
    default:
        return false;
    }
}

static void on_ready(uv_poll_t *handle, int status, int events);

static void wait_for(struct smtp_bulk_session *session, int interest)
{
    if (session->interest != interest) {
        session->interest = interest;
        uv_poll_start(&session->poll, interest, on_ready);
    }
}

static bool is_talking(const struct smtp_bulk_session *session)
{
    return session->stage == SMTP_BULK_OPENING || session->stage == SMTP_BULK_SENDING ||
           session->stage == SMTP_BULK_QUITTING;
}

void smtp_bulk_session_go_on(struct smtp_bulk_session *session)
{
    struct smtp_client *client = session->client;
    bool wants_to_write = false;
    do {
        while (step(session)) {
        }
        wants_to_write = is_talking(session) && smtp_client_connection_wants_to_write(client);
        if (wants_to_write) {
            smtp_client_connection_write(client);
        }
        /* what it took may have made room for more, and a failure is an event */
    } while (wants_to_write && is_talking(session) &&
             (!smtp_client_connection_wants_to_write(client) ||
              smtp_client_session_ended(client->session)));
    if (is_talking(session)) {
        wait_for(session, wants_to_write ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    } else if (session->stage == SMTP_BULK_SHAKING) {
        bool more = smtp_client_secure_wants_to_write(client);
        wait_for(session, more ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    }
}

static void connected(struct smtp_bulk_session *session)
{
    begin_messages(session);
    smtp_bulk_session_open(session);
}

static void end_connecting(struct smtp_bulk_session *session, int reason)
{
    struct smtp_client *client = session->client;
    if (reason == 0) {
        connected(session);
        return;
    }
    char text[SMTP_ADDRESS_TEXT_SIZE];
    smtp_address_format(&client->address, text);
    smtp_error_set(&client->error, SMTP_CONNECT_FAILED, reason, "cannot connect to %s: %s", text,
                   smtp_errno_text(reason));
    smtp_bulk_session_fail(session, SMTP_STAGE_CONNECT);
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
    struct smtp_bulk_session *session = handle->data;
    struct smtp_client *client = session->client;
    if (status != 0) {
        session->interest =
            0; /* a reset: libuv waits no more, and what came before it may lie there */
    }
    switch (session->stage) {
    case SMTP_BULK_CONNECTING:
        end_connecting(session, smtp_net_connect_end(client->fd));
        break;
    case SMTP_BULK_SHAKING:
        smtp_bulk_session_shake(session);
        break;
    case SMTP_BULK_OPENING:
    case SMTP_BULK_SENDING:
    case SMTP_BULK_QUITTING:
        if (status != 0 || (events & UV_READABLE) != 0) {
            smtp_client_connection_read(client);
        }
        break;
    default:
        break;
    }
    smtp_bulk_session_go_on(session);
}

void smtp_bulk_session_connect(struct smtp_bulk_session *session, int fd)
{
    struct smtp_bulk *bulk = session->bulk;
    struct smtp_client *client = session->client;
    int reason = 0;
    client->overall_deadline_ns =
        smtp_deadline_after(session->begun_ns, client->options.timeouts.overall_ms);
    client->fd =
        fd >= 0 ? fd
                : smtp_net_connect_begin((const struct sockaddr *)&bulk->where, bulk->where_len,
                                         client->options.source_address, &reason);
    session->brought = false;
    session->interest = 0;
    session->poll.data = session;
    session->stage = SMTP_BULK_CONNECTING;
    session->has_poll =
        client->fd >= 0 && uv_poll_init(&bulk->loop, &session->poll, client->fd) == 0;
    if (!session->has_poll) {
        end_connecting(session, reason != 0 ? reason : ENOMEM);
        return;
    }
    if (reason == EINPROGRESS) {
        wait_for(session, UV_WRITABLE);
        return;
    }
    connected(session);
    smtp_bulk_session_go_on(session);
}

void smtp_bulk_session_expire(struct smtp_bulk_session *session, uint64_t now_ns)
{
    struct smtp_client *client = session->client;
    uint64_t connect_ms = client->options.timeouts.connect_ms;
    if (session->stage == SMTP_BULK_CONNECTING) {
        if (now_ns >= smtp_deadline_after(session->begun_ns, connect_ms)) {
            end_connecting(session, ETIMEDOUT);
        }
    } else if (session->stage == SMTP_BULK_SHAKING) {
        if (now_ns >= client->handshake_deadline_ns) {
            smtp_bulk_session_shake(session);
            smtp_bulk_session_go_on(session);
        }
    } else if (is_talking(session) && now_ns >= smtp_client_session_deadline_ns(client->session)) {
        smtp_client_session_expire(client->session, now_ns);
        smtp_bulk_session_go_on(session);
    }
}

void smtp_bulk_session_cut(struct smtp_bulk_session *session)
{
    static const char why[] = "stopped before the server answered";
    struct smtp_client *client = session->client;
    if (session->stage == SMTP_BULK_CONNECTING || session->stage == SMTP_BULK_SHAKING) {
        smtp_error_set(&client->error, SMTP_TIMED_OUT, 0, "%s", why);
        smtp_bulk_session_fail(session, SMTP_STAGE_NONE);
    } else if (is_talking(session)) {
        smtp_client_session_abandon(client->session, SMTP_TIMED_OUT, why);
        smtp_bulk_session_go_on(session);
    }
}
