/* connection.c - see connection.h.
 * Knows: when to read, wait and close. The session takes octets straight from the loop's read
 * buffer; only what it does not take yet is copied. Does not know: the protocol, what the hooks
 * decide, how replies are written (outgoing.c), how TLS is spoken (secure.c). */
#include "server/connection.h"

#include "common/clock.h"
#include "common/secret.h"
#include "common/tls.h"
#include "server/auth.h"
#include "server/hooks.h"
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

/* The first octet of a TLS handshake (RFC 8446 5.1), which no command begins with. */
#define TLS_HANDSHAKE_RECORD 0x16

static void settle(struct smtp_server_connection *connection);

struct smtp_server_connection *smtp_server_connection_new(int fd, bool is_unix, bool implicit_tls)
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
    connection->is_unix = is_unix;
    connection->implicit_tls = implicit_tls;
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

static void on_closed(uv_handle_t *handle)
{
    struct smtp_server_connection *connection = handle->data;
    if (--connection->open_handles > 0) {
        return;
    }
    struct smtp_server_loop *loop = connection->loop;
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
    free(connection);
    smtp_server_loop_closed_one(loop);
}

/* The session's end, once; the connection may live on to get its last octets out. */
static void end_session(struct smtp_server_connection *connection, const char *reason)
{
    if (connection->session != NULL) {
        smtp_server_session_cut(connection->session); /* drops what came of a message first */
        smtp_server_tell_close(connection, reason);
        smtp_server_end_auth(connection);
        smtp_server_session_free(connection->session);
        connection->session = NULL;
    }
}

void smtp_server_connection_end(struct smtp_server_connection *connection, const char *reason)
{
    end_session(connection, reason);
    connection->stage = SMTP_SERVER_ENDING;
    smtp_secret_free_buffer(&connection->waiting);
}

void smtp_server_connection_cut(struct smtp_server_connection *connection, const char *reason)
{
    if (connection->stage == SMTP_SERVER_CLOSING) {
        return;
    }
    struct smtp_server *server = connection->loop->server;
    smtp_server_secure_say_end(connection);
    end_session(connection, reason);
    connection->stage = SMTP_SERVER_CLOSING;
    uv_close(&connection->io.handle, on_closed);
    uv_close((uv_handle_t *)&connection->timer, on_closed);
    atomic_fetch_sub_explicit(&server->sessions_open, 1, memory_order_relaxed);
    if (atomic_load(&server->acceptor.paused)) { /* a descriptor is free again */
        uv_async_send(&server->loops[0].wake);
    }
}

static void start_dropping(struct smtp_server_connection *connection)
{
    uv_os_fd_t fd;
    end_session(connection, "the session ended");
    if (connection->peer_done || connection->loop->stopping ||
        uv_fileno(&connection->io.handle, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        smtp_server_connection_cut(connection, "");
        return;
    }
    connection->stage = SMTP_SERVER_DROPPING;
    connection->stage_due_ns = smtp_deadline_after(smtp_clock_now_ns(), DROP_MS);
}

/* ---- reading ---- */

bool smtp_server_connection_may_take(const struct smtp_server_connection *connection)
{
    return connection->stage == SMTP_SERVER_TALKING &&
           smtp_server_session_wants_input(connection->session) &&
           smtp_server_unsent(connection) <= SMTP_SERVER_UNSENT_MAX;
}

/* Feeds the session; returns how many octets it took. What it has to say is left to be written,
 * unless it takes no more before that is out. */
static size_t take_in(struct smtp_server_connection *connection, const char *bytes, size_t len)
{
    uint64_t now_ns = smtp_server_loop_now_ns(connection->loop);
    size_t taken = 0;
    while (taken < len && smtp_server_connection_may_take(connection)) {
        size_t used =
            smtp_server_session_receive(connection->session, bytes + taken, len - taken, now_ns);
        taken += used;
        bool asked = smtp_server_answer_events(connection, now_ns);
        if (!smtp_server_connection_may_take(connection)) {
            smtp_server_flush(connection);
        } else if (used == 0 && !asked) {
            break;
        }
    }
    return taken;
}

static void take_waiting(struct smtp_server_connection *connection)
{
    struct smtp_span span = smtp_buffer_span(&connection->waiting);
    if (span.len > 0 && connection->stage == SMTP_SERVER_TALKING) {
        smtp_buffer_take(&connection->waiting, take_in(connection, span.bytes, span.len));
        if (connection->waiting.len == 0) {
            smtp_secret_free_buffer(&connection->waiting);
        }
        smtp_server_flush(connection);
    }
    if (connection->tls != NULL && connection->stage == SMTP_SERVER_TALKING) {
        smtp_server_secure_go_on(connection);
        smtp_server_flush(connection);
    }
}

void smtp_server_connection_take(struct smtp_server_connection *connection, const char *bytes,
                                 size_t len)
{
    size_t taken = take_in(connection, bytes, len);
    if (connection->stage != SMTP_SERVER_TALKING || taken == len ||
        smtp_server_session_ended(connection->session)) {
        return;
    }
    if (smtp_buffer_append(&connection->waiting, bytes + taken, len - taken) != SMTP_OK) {
        smtp_server_connection_cut(connection, "out of memory");
    }
}

/* In the clear. A peer that begins with TLS here waits for an answer that SMTP cannot give. */
static void take_clear(struct smtp_server_connection *connection, struct smtp_span fresh)
{
    if (!connection->heard && fresh.bytes[0] == TLS_HANDSHAKE_RECORD) {
        smtp_server_log(connection, SMTP_LOG_NOTE,
                        SMTP_SPAN("a TLS handshake came where a command was expected: this address "
                                  "begins in the clear, then STARTTLS"));
        smtp_server_connection_end(connection, "TLS where a command was expected");
        return;
    }
    connection->heard = true;
    smtp_server_connection_take(connection, fresh.bytes, fresh.len);
}

void smtp_server_connection_take_wire(struct smtp_server_connection *connection,
                                      struct smtp_span wire)
{
    if (connection->tls != NULL) {
        smtp_server_secure_take(connection, wire);
    } else if (connection->stage == SMTP_SERVER_TALKING) {
        take_clear(connection, wire);
    }
}

void smtp_server_connection_take_turn(struct smtp_server_connection *connection)
{
    struct smtp_span fresh = connection->fresh;
    connection->fresh.len = 0;
    if (fresh.len == 0) {
        return;
    }
    if (connection->stage == SMTP_SERVER_DROPPING) {
        connection->dropped += fresh.len;
    } else if (connection->stage == SMTP_SERVER_NAMING) {
        smtp_server_naming_take(connection, fresh);
    } else {
        smtp_server_connection_take_wire(connection, fresh);
    }
}

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
    smtp_server_connection_take_turn(connection); /* of an earlier read in the same turn */
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
    take_waiting(connection);
    settle(connection);
}

void smtp_server_connection_end_turn(struct smtp_server_connection *connection)
{
    connection->in_turn = false;
    smtp_server_flush(connection);
    settle(connection);
}

static void read_or_not(struct smtp_server_connection *connection)
{
    bool wanted =
        !connection->peer_done &&
        (connection->stage == SMTP_SERVER_DROPPING || connection->stage == SMTP_SERVER_NAMING ||
         (connection->stage == SMTP_SERVER_SECURING && connection->tls != NULL) ||
         (connection->waiting.len == 0 && smtp_server_connection_may_take(connection)));
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
    return connection->stage == SMTP_SERVER_DROPPING || connection->stage == SMTP_SERVER_NAMING
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
    (void)smtp_server_answer_events(connection, now_ns);
    smtp_server_flush(connection);
}

static void on_timer(uv_timer_t *timer)
{
    struct smtp_server_connection *connection = timer->data;
    uint64_t now_ns = smtp_clock_now_ns();
    connection->timer_due_ns = SMTP_NEVER;
    if (connection->stage == SMTP_SERVER_DROPPING && connection->stage_due_ns <= now_ns) {
        smtp_server_connection_cut(connection, "");
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

/* After anything has happened: goes on to the next stage where its time has come, and sees that
 * reading and the timer are as the stage wants them. */
static void settle(struct smtp_server_connection *connection)
{
    if (connection->stage == SMTP_SERVER_TALKING &&
        smtp_server_session_ended(connection->session)) {
        connection->stage = SMTP_SERVER_ENDING;
        smtp_secret_free_buffer(&connection->waiting);
    } else if (connection->stage == SMTP_SERVER_SECURING && connection->tls == NULL &&
               smtp_server_unsent(connection) == 0) {
        smtp_server_secure_begin(connection); /* the 220 is out */
    }
    if (connection->stage == SMTP_SERVER_ENDING && smtp_server_unsent(connection) == 0) {
        start_dropping(connection);
    } else if (connection->stage <= SMTP_SERVER_SECURING && connection->peer_done &&
               connection->waiting.len == 0 && smtp_server_unsent(connection) == 0) {
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
    connection->open_handles = 2;
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

bool smtp_server_connection_make_session(struct smtp_server_connection *connection,
                                         const char *peer)
{
    const struct smtp_server_settings *settings = &connection->loop->server->settings;
    smtp_server_session_free(connection->session);
    connection->session = smtp_server_session_new(
        &settings->config, &(struct smtp_server_session_start){
                               .number = connection->number,
                               .peer = peer,
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
    uint64_t now_ns = smtp_clock_now_ns();
    if (connection->implicit_tls) {
        connection->stage = SMTP_SERVER_SECURING; /* RFC 8314 3: from the first octet */
        smtp_server_session_open_tls(connection->session, now_ns);
        return;
    }
    connection->stage = SMTP_SERVER_TALKING;
    smtp_server_session_open(connection->session, now_ns);
    (void)smtp_server_answer_events(connection, now_ns);
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

void smtp_server_connection_shut_down(struct smtp_server_connection *connection)
{
    if (connection->stage == SMTP_SERVER_NAMING) {
        smtp_server_naming_give_up(connection, "the server stops");
        return;
    }
    if (connection->stage == SMTP_SERVER_DROPPING || connection->stage == SMTP_SERVER_SECURING) {
        smtp_server_connection_cut(connection, "the server stops");
        return;
    }
    if (connection->stage == SMTP_SERVER_TALKING) {
        uint64_t now_ns = smtp_clock_now_ns();
        smtp_server_session_shut_down(connection->session, now_ns);
        (void)smtp_server_answer_events(connection, now_ns);
        smtp_server_flush(connection);
    }
    if (connection->stage != SMTP_SERVER_CLOSING) {
        settle(connection);
    }
}
