/* listener.c - see listener.h.
 * Knows: accepting in bounded batches, and waiting where descriptors or memory have run out.
 * Does not know: what is said on a connection, but for the one reply where there are too many. */
#include "server/listener.h"

#include "common/error.h"
#include "common/net.h"
#include "server/connection.h"
#include "server/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Connections a wake-up: many enough to be cheap, few enough that open sessions are not kept
 * waiting. */
#define ACCEPT_BATCH 64
/* How long accepting rests when the system has no descriptor or memory and no session closes. */
#define PAUSE_MS 100

enum smtp_status smtp_server_acceptor_init(struct smtp_server_acceptor *acceptor,
                                           struct smtp_server *server)
{
    const struct smtp_server_settings *settings = &server->settings;
    *acceptor = (struct smtp_server_acceptor){.server = server};
    atomic_init(&acceptor->paused, false);
    acceptor->listeners = calloc(settings->listen_count, sizeof *acceptor->listeners);
    if (acceptor->listeners == NULL) {
        return SMTP_NO_MEMORY;
    }
    acceptor->count = settings->listen_count;
    for (size_t i = 0; i < acceptor->count; i++) {
        acceptor->listeners[i].server = server;
        acceptor->listeners[i].address = settings->listen[i].address;
        acceptor->listeners[i].implicit_tls = settings->listen[i].implicit_tls;
        acceptor->listeners[i].lmtp = settings->listen[i].lmtp;
        acceptor->listeners[i].fd = -1;
        acceptor->listeners[i].given = settings->listen[i].fd;
    }
    uv_timer_init(&server->loops[0].uv, &acceptor->resume);
    acceptor->resume.data = acceptor;
    return SMTP_OK;
}

void smtp_server_acceptor_clear(struct smtp_server_acceptor *acceptor)
{
    free(acceptor->listeners);
    acceptor->listeners = NULL;
}

/* ---- opening and closing ---- */

/* A path that somebody else has made stays. */
static void close_socket(struct smtp_server_listener *listener)
{
    if (listener->fd < 0) {
        return;
    }
    if (!listener->taken_over && listener->address.kind == SMTP_ADDRESS_UNIX) {
        unlink(listener->address.host);
    }
    close(listener->fd);
    listener->fd = -1;
}

static enum smtp_status learn_address(struct smtp_server_listener *listener,
                                      struct smtp_error *error)
{
    struct smtp_address real = listener->address;
    if (real.kind == SMTP_ADDRESS_TCP && !smtp_address_of_socket(listener->fd, false, &real)) {
        return smtp_error_set(error, SMTP_LISTEN_FAILED, errno,
                              "cannot learn which address is listened on: %s",
                              smtp_errno_text(errno));
    }
    pthread_mutex_lock(&listener->server->lock);
    listener->address = real;
    smtp_address_format(&real, listener->text);
    pthread_mutex_unlock(&listener->server->lock);
    return SMTP_OK;
}

static enum smtp_status open_socket(struct smtp_server_listener *listener, struct smtp_error *error)
{
    listener->taken_over = listener->given >= 0;
    if (!listener->taken_over) {
        return smtp_net_listen(&listener->address, &listener->fd, error);
    }
    struct smtp_address unused;
    struct smtp_error reason = {0};
    int fd = listener->given;
    listener->given = -1;
    if (smtp_net_check_listener(fd, &unused, &reason) !=
        SMTP_OK) { /* closed since smtp_server_new */
        return smtp_error_set(error, SMTP_LISTEN_FAILED, 0, "%s", reason.message);
    }
    smtp_net_take_listener(fd);
    listener->fd = fd;
    return SMTP_OK;
}

enum smtp_status smtp_server_acceptor_open(struct smtp_server_acceptor *acceptor,
                                           struct smtp_error *error)
{
    enum smtp_status status = SMTP_OK;
    size_t opened = 0;
    while (opened < acceptor->count && status == SMTP_OK) {
        struct smtp_server_listener *listener = &acceptor->listeners[opened];
        status = open_socket(listener, error);
        opened += status == SMTP_OK;
    }
    for (size_t i = 0; i < acceptor->count && status == SMTP_OK; i++) {
        status = learn_address(&acceptor->listeners[i], error);
    }
    while (status != SMTP_OK && opened > 0) {
        close_socket(&acceptor->listeners[--opened]);
    }
    return status;
}

static void on_poll_closed(uv_handle_t *handle)
{
    const struct smtp_server_listener *listener = handle->data;
    smtp_server_loop_closed_one(&listener->server->loops[0]);
}

void smtp_server_acceptor_close(struct smtp_server_acceptor *acceptor)
{
    uv_timer_stop(&acceptor->resume);
    atomic_store(&acceptor->paused, false);
    for (size_t i = 0; i < acceptor->count; i++) {
        struct smtp_server_listener *listener = &acceptor->listeners[i];
        uv_close((uv_handle_t *)&listener->poll, on_poll_closed);
        close_socket(listener);
    }
}

/* ---- accepting ---- */

static void on_resume(uv_timer_t *timer)
{
    smtp_server_acceptor_resume(timer->data);
}

static void pause_accepting(struct smtp_server_acceptor *acceptor)
{
    for (size_t i = 0; i < acceptor->count; i++) {
        uv_poll_stop(&acceptor->listeners[i].poll);
    }
    atomic_store(&acceptor->paused, true);
    uv_timer_start(&acceptor->resume, on_resume, PAUSE_MS, 0);
}

/* RFC 5321 3.8 and 4.2.3: 421 when the service is not available; no session is made for it, and so
 * no TLS: where that comes first the connection is just closed. */
static void turn_away(const struct smtp_server_listener *listener, int fd)
{
    if (listener->implicit_tls) {
        close(fd);
        return;
    }
    char reply[512];
    int len = snprintf(reply, sizeof reply, "421 4.3.2 %s Too many sessions, try again later\r\n",
                       listener->server->settings.hostname);
    const struct iovec part = {.iov_base = reply, .iov_len = (size_t)len};
    size_t sent;
    /* A fresh socket has room for a line; a peer that has gone already misses nothing. */
    enum smtp_status ignored = smtp_net_write(fd, &part, 1, 0, &sent);
    (void)ignored;
    close(fd);
}

static bool is_full(const struct smtp_server *server)
{
    size_t limit = server->settings.config.limits.sessions;
    return limit > 0 && atomic_load_explicit(&server->sessions_open, memory_order_relaxed) >= limit;
}

static void admit(struct smtp_server_listener *listener, int fd)
{
    struct smtp_server *server = listener->server;
    struct smtp_server_acceptor *acceptor = &server->acceptor;
    if (is_full(server)) {
        turn_away(listener, fd);
        return;
    }
    struct smtp_server_connection *connection = smtp_server_connection_new(fd, listener);
    if (connection == NULL) {
        turn_away(listener, fd);
        return;
    }
    atomic_fetch_add_explicit(&server->sessions_open, 1, memory_order_relaxed);
    struct smtp_server_loop *loop = &server->loops[acceptor->next_loop];
    acceptor->next_loop = (acceptor->next_loop + 1) % server->settings.workers;
    if (loop == &server->loops[0]) {
        smtp_server_connection_open(connection, loop);
    } else {
        smtp_server_loop_hand_over(loop, connection);
    }
}

/* An error other than "nothing there" (no descriptors, no memory, a network that is down) may last:
 * accepting rests instead of spinning, and never ends because of it. */
static void on_connections(uv_poll_t *poll, int status, int events)
{
    struct smtp_server_listener *listener = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int fd = smtp_net_accept(listener->fd);
        if (fd >= 0) {
            admit(listener, fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else {
            pause_accepting(&listener->server->acceptor);
            return;
        }
    }
}

void smtp_server_acceptor_watch(struct smtp_server_acceptor *acceptor)
{
    struct smtp_server_loop *loop = &acceptor->server->loops[0];
    for (size_t i = 0; i < acceptor->count; i++) {
        struct smtp_server_listener *listener = &acceptor->listeners[i];
        uv_poll_init(&loop->uv, &listener->poll, listener->fd);
        listener->poll.data = listener;
        loop->open_count++;
        uv_poll_start(&listener->poll, UV_READABLE, on_connections);
    }
}

void smtp_server_acceptor_resume(struct smtp_server_acceptor *acceptor)
{
    if (!atomic_load(&acceptor->paused)) {
        return;
    }
    atomic_store(&acceptor->paused, false);
    uv_timer_stop(&acceptor->resume);
    for (size_t i = 0; i < acceptor->count; i++) {
        uv_poll_start(&acceptor->listeners[i].poll, UV_READABLE, on_connections);
    }
}
