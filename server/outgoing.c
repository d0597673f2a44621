/* outgoing.c - see outgoing.h.
 * Knows: partial writes, and a peer that does not read. Does not know: what it writes. */
#include "server/outgoing.h"

#include "common/clock.h"
#include "common/tls.h"
#include "server/disturb.h"
#include "server/protocol/session.h"
#include "server/secure.h"
#include "server/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

/* What the socket did not take at once. */
struct rest {
    uv_write_t request; /* data: the connection */
    char bytes[];
};

size_t smtp_server_unsent(const struct smtp_server_connection *connection)
{
    size_t len = connection->writing ? uv_stream_get_write_queue_size(&connection->io.stream) : 0;
    len += smtp_server_disturb_unsent(connection);
    if (connection->tls != NULL) {
        return len + smtp_server_secure_unsent(connection);
    }
    return len +
           (connection->session != NULL ? smtp_server_session_pending(connection->session).len : 0);
}

static void expect_write_progress(struct smtp_server_connection *connection, uint64_t now_ns)
{
    const struct smtp_server *server = connection->loop->server;
    connection->write_left = uv_stream_get_write_queue_size(&connection->io.stream);
    connection->write_due_ns =
        smtp_deadline_after(now_ns, server->settings.config.limits.command_timeout_ms);
}

bool smtp_server_write_stalls(struct smtp_server_connection *connection, uint64_t now_ns)
{
    if (connection->write_due_ns > now_ns) {
        return false;
    }
    bool stalls = uv_stream_get_write_queue_size(&connection->io.stream) >= connection->write_left;
    expect_write_progress(connection, now_ns);
    return stalls;
}

static void on_written(uv_write_t *request, int status)
{
    struct smtp_server_connection *connection = request->data;
    free(request); /* the first member of its struct rest */
    connection->writing = false;
    connection->write_due_ns = SMTP_NEVER;
    if (connection->stage == SMTP_SERVER_CLOSING) {
        return;
    }
    if (status < 0) {
        smtp_server_connection_cut(connection, uv_strerror(status));
        return;
    }
    smtp_server_connection_written(connection);
}

static void write_later(struct smtp_server_connection *connection, struct smtp_span span)
{
    struct rest *rest = malloc(sizeof *rest + span.len);
    if (rest == NULL) {
        smtp_server_connection_cut(connection, "out of memory");
        return;
    }
    memcpy(rest->bytes, span.bytes, span.len);
    rest->request.data = connection;
    uv_buf_t part = uv_buf_init(rest->bytes, (unsigned)span.len);
    int status = uv_write(&rest->request, &connection->io.stream, &part, 1, on_written);
    if (status < 0) {
        free(rest);
        smtp_server_connection_cut(connection, uv_strerror(status));
        return;
    }
    connection->writing = true;
    expect_write_progress(connection, smtp_clock_now_ns());
}

struct smtp_span smtp_server_plain_owed(struct smtp_server_connection *connection)
{
    if (smtp_server_disturb_speaks(connection)) {
        return smtp_server_disturb_owed(connection);
    }
    return connection->session != NULL ? smtp_server_session_pending(connection->session)
                                       : SMTP_SPAN("");
}

void smtp_server_plain_sent(struct smtp_server_connection *connection, size_t len)
{
    if (smtp_server_disturb_speaks(connection)) {
        smtp_server_disturb_sent(connection, len);
    } else if (connection->session != NULL) {
        smtp_server_session_sent(connection->session, len);
    }
}

static bool goes_through_tls(const struct smtp_server_connection *connection)
{
    return connection->tls != NULL && !smtp_server_disturb_has_wire(connection);
}

static struct smtp_span owed(struct smtp_server_connection *connection)
{
    return goes_through_tls(connection) ? smtp_server_secure_owed(connection)
                                        : smtp_server_plain_owed(connection);
}

static void forget(struct smtp_server_connection *connection, size_t len)
{
    if (goes_through_tls(connection)) {
        smtp_tls_sent(connection->tls, len);
    } else {
        smtp_server_plain_sent(connection, len);
    }
}

void smtp_server_flush(struct smtp_server_connection *connection)
{
    if (connection->writing || connection->busy || connection->stage == SMTP_SERVER_CLOSING) {
        return;
    }
    struct smtp_span span = owed(connection);
    if (span.len == 0) {
        return;
    }
    uv_buf_t part = uv_buf_init((char *)(uintptr_t)span.bytes, (unsigned)span.len);
    int written = uv_try_write(&connection->io.stream, &part, 1);
    if (written < 0 && written != UV_EAGAIN) {
        smtp_server_connection_cut(connection, uv_strerror(written));
        return;
    }
    size_t done = written > 0 ? (size_t)written : 0;
    if (done < span.len) {
        write_later(connection, (struct smtp_span){span.bytes + done, span.len - done});
    }
    forget(connection, span.len);
}

/* A peer that writes the end of its content behind the rest, and has not set TCP_NODELAY, sends it when the rest is
 * acknowledged (RFC 1122 4.2.3.4), which Linux puts off for 40 ms, as a reply might come to carry it. An even number:
 * this once (net/ipv4/tcp.c), as the next thing to come may well have a reply. */
#ifdef TCP_QUICKACK
static void acknowledge(const struct smtp_server_connection *connection)
{
    const int once = 2;
    uv_os_fd_t fd;
    if (!connection->is_unix && uv_fileno(&connection->io.handle, &fd) == 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &once, sizeof once);
    }
}
#else
static void acknowledge(const struct smtp_server_connection *connection)
{
    (void)connection; /* when the system likes */
}
#endif

void smtp_server_flush_turn(struct smtp_server_connection *connection)
{
    if (connection->stage == SMTP_SERVER_TALKING && !connection->writing && !connection->busy &&
        owed(connection).len == 0) {
        acknowledge(connection);
    } else {
        smtp_server_flush(connection);
    }
}
