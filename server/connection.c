/* connection.c - see connection.h.
 * Knows: when to read, wait and close, and that all waits while a table that blocks is asked. Does not
 * know: the protocol, what the hooks decide, how octets come in (incoming.c) and replies go out
 * (outgoing.c), how TLS is spoken (secure.c). */
#include "server/connection.h"

#include "common/clock.h"
#include "common/secret.h"
#include "common/tls.h"
#include "server/disturb.h"
#include "server/hooks.h"
#include "server/incoming.h"
#include "server/naming.h"
#include "server/outgoing.h"
#include "server/protocol/session.h"
#include "server/secure.h"
#include "server/server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* After the last reply the peer gets this long, and may send this much, before the connection is
 * closed: closing with octets unread would reset it, and the reply could be lost (RFC
 * 1122 4.2.2.13). */
#define DROP_MS 1000
#define DROP_OCTETS_MAX 65536

static void settle(struct smtp_server_connection *connection);

struct smtp_server_connection *
smtp_server_connection_new(int fd, const struct smtp_server_listener *listener)
{
    struct smtp_address address;
    char peer[SMTP_ADDRESS_TEXT_SIZE];
    smtp_address_of_socket(fd, true, &address);
    smtp_address_format(&address, peer);
    size_t peer_size = strlen(peer) + 1;
    struct smtp_server_connection *connection = calloc(1, sizeof *connection + peer_size);
    if (connection == NULL) {
        return NULL;
    }
    connection->fd = fd;
    connection->is_unix = listener->address.kind == SMTP_ADDRESS_UNIX;
    connection->implicit_tls = listener->implicit_tls;
    connection->lmtp = listener->lmtp;
    connection->timer_due_ns = SMTP_NEVER;
    connection->write_due_ns = SMTP_NEVER;
    connection->waiting = SMTP_BUFFER(SMTP_SERVER_READ_SIZE);
    memcpy(connection->peer, peer, peer_size);
    return connection;
}

void smtp_server_connection_discard(struct smtp_server_connection *connection)
{
    close(connection->fd);
    free(connection);
}

/* ---- closing ---- */

void smtp_server_connection_hold(struct smtp_server_connection *connection)
{
    connection->holders++;
}

void smtp_server_connection_let_go(struct smtp_server_connection *connection)
{
    if (--connection->holders > 0) {
        return;
    }
    struct smtp_server_loop *loop = connection->loop;
    smtp_server_loop_forget(loop, connection);
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        loop->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    smtp_secret_free_buffer(&connection->waiting);
    smtp_tls_free(connection->tls);
    free(connection->proxy);
    if (loop->server->settings.tables.count > 1) {
        free(connection->users.each);
    }
    free(connection);
    smtp_server_loop_closed_one(loop);
}

static void on_closed(uv_handle_t *handle)
{
    smtp_server_connection_let_go(handle->data);
}

void smtp_server_connection_end(struct smtp_server_connection *connection, const char *reason)
{
    smtp_server_end_session(connection, reason);
    connection->stage = SMTP_SERVER_ENDING;
    smtp_secret_free_buffer(&connection->waiting);
}

/* reset: with libuv's help, which cannot where a half is closed already. */
static void close_handles(struct smtp_server_connection *connection, bool reset)
{
    struct smtp_server *server = connection->loop->server;
    connection->stage = SMTP_SERVER_CLOSING;
    if (!reset || connection->is_unix || uv_tcp_close_reset(&connection->io.tcp, on_closed) != 0) {
        uv_close(&connection->io.handle, on_closed);
    }
    uv_close((uv_handle_t *)&connection->timer, on_closed);
    atomic_fetch_sub_explicit(&server->sessions_open, 1, memory_order_relaxed);
    if (atomic_load(&server->acceptor.paused)) { /* a descriptor is free again */
        uv_async_send(&server->loops[0].wake);
    }
}

void smtp_server_connection_cut(struct smtp_server_connection *connection, const char *reason)
{
    if (connection->stage == SMTP_SERVER_CLOSING) {
        return;
    }
    if (connection->busy) {
        connection->cut_why = connection->cut_why != NULL ? connection->cut_why : reason;
        return;
    }
    smtp_server_secure_say_end(connection);
    smtp_server_end_session(connection, reason);
    close_handles(connection, false);
}

void smtp_server_connection_reset(struct smtp_server_connection *connection, const char *reason)
{
    smtp_server_end_session(connection, reason);
    close_handles(connection, true);
}

static void start_dropping(struct smtp_server_connection *connection)
{
    uv_os_fd_t fd;
    smtp_server_end_session(connection, "the session ended");
    if (connection->peer_done || connection->loop->stopping ||
        uv_fileno(&connection->io.handle, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        smtp_server_connection_cut(connection, "");
        return;
    }
    connection->stage = SMTP_SERVER_DROPPING;
    connection->stage_due_ns = smtp_deadline_after(smtp_clock_now_ns(), DROP_MS);
}

/* ---- reading ---- */

static void on_room_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    const struct smtp_server_connection *connection = handle->data;
    *out = smtp_server_loop_read_room(connection->loop);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct smtp_server_connection *connection = stream->data;
    if (len == 0) {
        return; /* nothing there after all */
    }
    smtp_server_take_turn(connection); /* of an earlier read in the same turn */
    if (len > 0) {
        connection->fresh = (struct smtp_span){buffer->base, (size_t)len};
        smtp_server_loop_read(connection->loop, connection, (size_t)len);
    } else if (len == UV_EOF) {
        connection->peer_done = true;
        settle(connection);
    } else {
        smtp_server_connection_cut(connection, uv_strerror((int)len));
    }
}

void smtp_server_connection_written(struct smtp_server_connection *connection)
{
    smtp_server_flush(connection);
    smtp_server_take_waiting(connection);
    settle(connection);
}

void smtp_server_connection_end_turn(struct smtp_server_connection *connection)
{
    connection->in_turn = false;
    smtp_server_flush_turn(connection);
    if (connection->waiting.len > 0) {
        smtp_server_take_waiting(connection);
    }
    settle(connection);
}

static void read_or_not(struct smtp_server_connection *connection)
{
    bool wanted =
        !connection->peer_done && !connection->resting &&
        (connection->stage == SMTP_SERVER_DROPPING || connection->stage == SMTP_SERVER_NAMING ||
         (connection->stage == SMTP_SERVER_DISTURBED && smtp_server_disturb_reads(connection)) ||
         (connection->stage == SMTP_SERVER_SECURING && connection->tls != NULL) ||
         (connection->waiting.len == 0 && smtp_server_may_take(connection)));
    if (wanted == connection->reading) {
        return;
    }
    connection->reading = wanted;
    if (!wanted) {
        uv_read_stop(&connection->io.stream);
        return;
    }
    int status = uv_read_start(&connection->io.stream, on_room_wanted, on_read);
    if (status < 0) {
        smtp_server_connection_cut(connection, uv_strerror(status));
    }
}

/* ---- time ---- */

static uint64_t next_due_ns(const struct smtp_server_connection *connection)
{
    uint64_t due_ns = connection->write_due_ns;
    if (connection->stage <= SMTP_SERVER_SECURING) {
        due_ns =
            smtp_deadline_earlier(due_ns, smtp_server_session_deadline_ns(connection->session));
    }
    if (connection->disturbance != NULL) {
        due_ns = smtp_deadline_earlier(due_ns, smtp_server_disturb_due_ns(connection));
    }
    return connection->stage == SMTP_SERVER_DROPPING || connection->stage == SMTP_SERVER_NAMING ||
                   connection->stage == SMTP_SERVER_DISTURBED
               ? smtp_deadline_earlier(due_ns, connection->stage_due_ns)
               : due_ns;
}

/* Inside a handshake there is nothing to say: neither end could read it. */
static void expire(struct smtp_server_connection *connection, uint64_t now_ns)
{
    smtp_server_session_expire(connection->session, now_ns);
    if (connection->stage == SMTP_SERVER_SECURING) {
        smtp_server_connection_cut(connection, "timed out in the TLS handshake");
        return;
    }
    if (smtp_server_disturb_speaks(connection)) { /* the 421 would stand inside another reply */
        smtp_server_connection_cut(connection, "the session has taken too long");
        return;
    }
    smtp_server_disturb_end(connection);
    (void)smtp_server_answer_events(connection);
    smtp_server_flush(connection);
}

static void on_timer(uv_timer_t *timer)
{
    struct smtp_server_connection *connection = timer->data;
    uint64_t now_ns = smtp_clock_now_ns();
    connection->timer_due_ns = SMTP_NEVER;
    if (connection->busy) {
        return; /* it is set again when the table has answered */
    }
    if (connection->stage == SMTP_SERVER_DROPPING && connection->stage_due_ns <= now_ns) {
        smtp_server_connection_cut(connection, "");
        return;
    }
    if (connection->stage == SMTP_SERVER_DISTURBED && connection->stage_due_ns <= now_ns) {
        smtp_server_connection_cut(connection, "the session has taken too long");
        return;
    }
    if (connection->stage == SMTP_SERVER_NAMING && connection->stage_due_ns <= now_ns) {
        smtp_server_naming_give_up(connection, "timed out in the PROXY header");
        return;
    }
    if (smtp_server_write_stalls(connection, now_ns)) {
        smtp_server_connection_cut(connection, "the peer does not read");
        return;
    }
    if (connection->stage <= SMTP_SERVER_SECURING &&
        smtp_server_session_deadline_ns(connection->session) <= now_ns) {
        expire(connection, now_ns);
    }
    settle(connection);
}

/* The timer is set anew only where its time has come earlier: a deadline that moves on with each
 * command costs nothing, the timer fires once at the old one and finds out. */
static void arm_timer(struct smtp_server_connection *connection)
{
    uint64_t due_ns = next_due_ns(connection);
    if (due_ns >= connection->timer_due_ns) {
        return;
    }
    uv_update_time(&connection->loop->uv);
    int wait_ms = smtp_clock_poll_ms(smtp_clock_now_ns(), due_ns);
    connection->timer_due_ns = due_ns;
    uv_timer_start(&connection->timer, on_timer, wait_ms > 0 ? (uint64_t)wait_ms : 1, 0);
}

/* ---- the whole ---- */

/* The peer has closed its end, and there is nothing left of what it said. */
static bool has_no_more(const struct smtp_server_connection *connection)
{
    return connection->stage == SMTP_SERVER_DISTURBED ||
           (connection->stage <= SMTP_SERVER_SECURING && connection->waiting.len == 0 &&
            !connection->sated && smtp_server_unsent(connection) == 0 &&
            !smtp_server_disturb_holds(connection));
}

/* After anything has happened: goes on to the next stage where its time has come, and sees that
 * reading and the timer are as the stage wants them. */
static void settle(struct smtp_server_connection *connection)
{
    if (connection->busy) {
        read_or_not(connection);
        return;
    }
    smtp_server_disturb_go_on(connection);
    if (connection->stage == SMTP_SERVER_TALKING &&
        smtp_server_session_ended(connection->session)) {
        connection->stage = SMTP_SERVER_ENDING;
        smtp_secret_free_buffer(&connection->waiting);
    } else if (connection->stage == SMTP_SERVER_SECURING && connection->tls == NULL &&
               connection->disturbance == NULL && smtp_server_unsent(connection) == 0) {
        smtp_server_secure_begin(connection); /* the 220 is out */
        smtp_server_disturb_go_on(connection);
    }
    if (connection->stage == SMTP_SERVER_ENDING && smtp_server_unsent(connection) == 0) {
        start_dropping(connection);
    } else if (connection->peer_done && has_no_more(connection)) {
        smtp_server_connection_cut(connection, smtp_server_secure_why_closed(connection));
    } else if (connection->stage == SMTP_SERVER_NAMING && connection->peer_done) {
        smtp_server_naming_give_up(connection,
                                   "the peer closed the connection in its PROXY header");
    } else if (connection->stage == SMTP_SERVER_DROPPING &&
               (connection->peer_done || connection->dropped > DROP_OCTETS_MAX)) {
        smtp_server_connection_cut(connection, "");
    }
    if (connection->stage != SMTP_SERVER_CLOSING) {
        read_or_not(connection);
    }
    if (connection->stage != SMTP_SERVER_CLOSING) {
        arm_timer(connection);
    }
}

/* The handles, and the place in the loop's list. */
static int attach(struct smtp_server_connection *connection, struct smtp_server_loop *loop)
{
    connection->loop = loop;
    connection->next = loop->connections;
    if (connection->next != NULL) {
        connection->next->previous = connection;
    }
    loop->connections = connection;
    loop->open_count++;
    uv_timer_init(&loop->uv, &connection->timer);
    int status = connection->is_unix ? uv_pipe_init(&loop->uv, &connection->io.pipe, 0)
                                     : uv_tcp_init(&loop->uv, &connection->io.tcp);
    connection->holders = 2; /* the handles */
    connection->timer.data = connection;
    connection->io.handle.data = connection;
    if (status == 0) {
        status = connection->is_unix ? uv_pipe_open(&connection->io.pipe, connection->fd)
                                     : uv_tcp_open(&connection->io.tcp, connection->fd);
    }
    if (status != 0) {
        close(connection->fd);
    }
    return status;
}

/* Several hook tables have a pointer each; one has the connection's own. */
static bool make_slots(struct smtp_server_connection *connection)
{
    size_t count = connection->loop->server->settings.tables.count;
    if (count > 1) {
        connection->users.each = calloc(count, sizeof *connection->users.each);
    }
    return count <= 1 || connection->users.each != NULL;
}

bool smtp_server_connection_make_session(struct smtp_server_connection *connection,
                                         const char *peer)
{
    const struct smtp_server_settings *settings = &connection->loop->server->settings;
    smtp_server_session_free(connection->session);
    connection->session = smtp_server_session_new(
        &settings->config, &(struct smtp_server_session_start){
                               .number = connection->number,
                               .peer = peer,
                               .lmtp = connection->lmtp,
                               .trusted = smtp_server_trusts(&settings->trusted, peer),
                               .user = connection,
                           });
    if (connection->session == NULL) {
        smtp_server_connection_cut(connection, "out of memory");
        return false;
    }
    return true;
}

void smtp_server_connection_begin(struct smtp_server_connection *connection)
{
    if (smtp_server_disturb_connection(connection, SMTP_STEP_CONNECT)) {
        connection->stage = SMTP_SERVER_DISTURBED;
        connection->stage_due_ns = smtp_server_session_deadline_ns(connection->session);
        return;
    }
    smtp_server_connection_begin_session(connection);
}

void smtp_server_connection_begin_session(struct smtp_server_connection *connection)
{
    uint64_t now_ns = smtp_clock_now_ns();
    if (connection->implicit_tls) {
        connection->stage = SMTP_SERVER_SECURING; /* RFC 8314 3: from the first octet */
        smtp_server_session_open_tls(connection->session, now_ns);
        return;
    }
    connection->stage = SMTP_SERVER_TALKING;
    smtp_server_session_open(connection->session, now_ns);
    (void)smtp_server_answer_events(connection);
    smtp_server_flush(connection);
}

void smtp_server_connection_open(struct smtp_server_connection *connection,
                                 struct smtp_server_loop *loop)
{
    struct smtp_server *server = loop->server;
    int status = attach(connection, loop);
    if (status != 0) {
        smtp_server_connection_cut(connection, uv_strerror(status));
        return;
    }
    if (!make_slots(connection)) {
        smtp_server_connection_cut(connection, "out of memory");
        return;
    }
    connection->number =
        atomic_fetch_add_explicit(&server->sessions_made, 1, memory_order_relaxed) + 1;
    if (!smtp_server_connection_make_session(connection, connection->peer)) {
        return;
    }
    if (server->settings.proxy_protocol) {
        smtp_server_naming_begin(connection);
    } else {
        smtp_server_connection_begin(connection);
    }
    if (connection->stage != SMTP_SERVER_CLOSING) {
        settle(connection);
    }
}

/* What had to wait meanwhile: a stop, before the session goes on as if there were none. */
void smtp_server_connection_wake(struct smtp_server_connection *connection)
{
    connection->busy = false;
    if (connection->loop->stopping) {
        smtp_server_session_shut_down(connection->session, smtp_clock_now_ns());
    }
}

void smtp_server_connection_go_on(struct smtp_server_connection *connection)
{
    (void)smtp_server_answer_events(connection);
    smtp_server_flush(connection);
    smtp_server_take_waiting(connection);
    if (connection->cut_why != NULL) {
        smtp_server_connection_cut(connection, connection->cut_why);
    } else if (connection->stage != SMTP_SERVER_CLOSING) {
        settle(connection);
    }
}

void smtp_server_connection_shut_down(struct smtp_server_connection *connection)
{
    if (connection->busy) {
        return; /* see smtp_server_connection_wake */
    }
    if (connection->stage == SMTP_SERVER_NAMING) {
        smtp_server_naming_give_up(connection, "the server stops");
        return;
    }
    if (connection->stage == SMTP_SERVER_DROPPING || connection->stage == SMTP_SERVER_SECURING ||
        connection->stage == SMTP_SERVER_DISTURBED) {
        smtp_server_connection_cut(connection, "the server stops");
        return;
    }
    if (connection->stage == SMTP_SERVER_TALKING) {
        uint64_t now_ns = smtp_clock_now_ns();
        smtp_server_session_shut_down(connection->session, now_ns);
        (void)smtp_server_answer_events(connection);
        smtp_server_flush(connection);
    }
    if (connection->stage != SMTP_SERVER_CLOSING) {
        settle(connection);
    }
}
