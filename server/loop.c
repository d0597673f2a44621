/* loop.c - see loop.h.
 * Knows: running, waking and stopping a libuv loop. Does not know: what a connection does, who
 * starts and joins (life.c). */
#include "server/loop.h"

#include "common/clock.h"
#include "common/error.h"
#include "server/connection.h"
#include "server/incoming.h"
#include "server/server.h"

#include <stdlib.h>

/* With less room left than this a read would take too little at a time. */
#define READ_ROOM_MIN 65536

void smtp_server_loop_closed_one(struct smtp_server_loop *loop)
{
    loop->open_count--;
    if (loop->stopping && loop->open_count == 0) {
        uv_stop(&loop->uv);
    }
}

static void cut_all(struct smtp_server_loop *loop)
{
    struct smtp_server_connection *at = loop->connections;
    while (at != NULL) { /* a connection leaves the list only when its handles have closed */
        smtp_server_connection_cut(at, "cut: the server stops");
        at = at->next;
    }
}

static void on_stop_deadline(uv_timer_t *timer)
{
    cut_all(timer->data);
}

/* ---- a turn ---- */

/* So many peers a round may ask for more than their share; of the others only those that sent little are heard then. */
#define SHARES_MAX 4
#define LITTLE_OCTETS 4096

static void rest_sated(struct smtp_server_loop *loop, struct smtp_server_connection *connection)
{
    connection->sated = true;
    smtp_server_loop_rest(loop, connection);
}

static void end_turn(struct smtp_server_loop *loop)
{
    struct smtp_server_connection *turn = loop->turn;
    for (struct smtp_server_connection *at = turn; at != NULL; at = at->next_in_turn) {
        if (loop->shares >= SHARES_MAX && at->fresh.len > LITTLE_OCTETS) {
            rest_sated(loop, at);
        }
        smtp_server_take_turn(at);
    }
    for (struct smtp_server_connection *at = turn; at != NULL; at = at->next_in_turn) {
        smtp_server_connection_end_turn(at);
    }
    loop->turn = NULL;
    loop->turn_ns = 0;
    loop->read_len = 0;
}

/* Runs after polling and before the callbacks of closed handles: all on the list are there. Of those that
 * had their share one gets the next, so that the others, who ask for little, wait for one such peer at most. */
static void on_polled(uv_check_t *check)
{
    struct smtp_server_loop *loop = check->data;
    end_turn(loop);
    loop->shares = 0;
    struct smtp_server_connection *first = loop->resting;
    if (first == NULL) {
        return;
    }
    smtp_server_loop_forget(loop, first);
    first->sated = false;
    smtp_server_connection_written(first); /* it may rest again, behind the others */
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* while it runs, polling does not wait */
}

void smtp_server_loop_rest(struct smtp_server_loop *loop, struct smtp_server_connection *connection)
{
    if (connection->resting) {
        return;
    }
    connection->resting = true;
    connection->next_resting = NULL;
    *(loop->resting == NULL ? &loop->resting : &loop->resting_last->next_resting) = connection;
    loop->resting_last = connection;
    uv_idle_start(&loop->rested, on_idle);
}

void smtp_server_loop_share_had(struct smtp_server_loop *loop,
                                struct smtp_server_connection *connection)
{
    loop->shares++;
    rest_sated(loop, connection);
}

void smtp_server_loop_forget(struct smtp_server_loop *loop,
                             struct smtp_server_connection *connection)
{
    if (!connection->resting) {
        return;
    }
    struct smtp_server_connection *before = NULL;
    struct smtp_server_connection *at = loop->resting;
    while (at != connection) {
        before = at;
        at = at->next_resting;
    }
    *(before == NULL ? &loop->resting : &before->next_resting) = connection->next_resting;
    if (loop->resting_last == connection) {
        loop->resting_last = before;
    }
    connection->resting = false;
    if (loop->resting == NULL) {
        uv_idle_stop(&loop->rested);
    }
}

uv_buf_t smtp_server_loop_read_room(const struct smtp_server_loop *loop)
{
    return uv_buf_init(loop->read_buffer + loop->read_len,
                       (unsigned)(SMTP_SERVER_READ_SIZE - loop->read_len));
}

void smtp_server_loop_read(struct smtp_server_loop *loop, struct smtp_server_connection *connection,
                           size_t len)
{
    loop->read_len += len;
    if (!connection->in_turn) {
        connection->in_turn = true;
        connection->next_in_turn = NULL;
        *(loop->turn == NULL ? &loop->turn : &loop->turn_last->next_in_turn) = connection;
        loop->turn_last = connection;
    }
    if (loop->read_len == SMTP_SERVER_READ_SIZE) { /* there may be more, without end */
        smtp_server_loop_rest(loop, connection);
    }
    if (SMTP_SERVER_READ_SIZE - loop->read_len < READ_ROOM_MIN) {
        end_turn(loop);
    }
}

/* Outside a turn nothing would make the time be looked up again: the loop may sleep next. */
uint64_t smtp_server_loop_now_ns(struct smtp_server_loop *loop)
{
    if (loop->turn == NULL) {
        return smtp_clock_now_ns();
    }
    if (loop->turn_ns == 0) {
        loop->turn_ns = smtp_clock_now_ns();
    }
    return loop->turn_ns;
}

/* ---- waking and stopping ---- */

static struct smtp_server_connection *take_incoming(struct smtp_server_loop *loop)
{
    pthread_mutex_lock(&loop->incoming_lock);
    struct smtp_server_connection *incoming = loop->incoming;
    loop->incoming = NULL;
    pthread_mutex_unlock(&loop->incoming_lock);
    return incoming;
}

static void open_incoming(struct smtp_server_loop *loop)
{
    struct smtp_server_connection *at = take_incoming(loop);
    while (at != NULL) {
        struct smtp_server_connection *next = at->next;
        smtp_server_connection_open(at, loop);
        at = next;
    }
}

static void shut_down_all(struct smtp_server_loop *loop)
{
    struct smtp_server_connection *at = loop->connections;
    while (at != NULL) {
        smtp_server_connection_shut_down(at);
        at = at->next;
    }
}

/* Begins the stop, or, when a later caller has less patience, brings its deadline forward. */
static void advance_stop(struct smtp_server_loop *loop, uint64_t deadline_ns)
{
    struct smtp_server *server = loop->server;
    if (!loop->stopping) {
        loop->stopping = true;
        if (loop == &server->loops[0]) {
            smtp_server_acceptor_close(&server->acceptor);
        }
    }
    shut_down_all(loop);
    if (loop->open_count == 0) {
        uv_stop(&loop->uv);
        return;
    }
    int wait_ms = smtp_clock_poll_ms(smtp_clock_now_ns(), deadline_ns);
    if (wait_ms == 0) {
        cut_all(loop);
        return;
    }
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->stop_timer, on_stop_deadline, (uint64_t)wait_ms, 0);
}

static void on_wake(uv_async_t *wake)
{
    struct smtp_server_loop *loop = wake->data;
    struct smtp_server *server = loop->server;
    open_incoming(loop);
    uint64_t deadline_ns = atomic_load(&server->stop_deadline_ns);
    if (deadline_ns != SMTP_NEVER) {
        advance_stop(loop, deadline_ns);
    } else if (loop == &server->loops[0]) {
        smtp_server_acceptor_resume(&server->acceptor);
    }
}

void smtp_server_loop_hand_over(struct smtp_server_loop *loop,
                                struct smtp_server_connection *connection)
{
    pthread_mutex_lock(&loop->incoming_lock);
    connection->next = loop->incoming;
    loop->incoming = connection;
    pthread_mutex_unlock(&loop->incoming_lock);
    uv_async_send(&loop->wake);
}

void smtp_server_loop_drop_incoming(struct smtp_server_loop *loop)
{
    struct smtp_server_connection *at = take_incoming(loop);
    while (at != NULL) {
        struct smtp_server_connection *next = at->next;
        smtp_server_connection_discard(at);
        atomic_fetch_sub_explicit(&loop->server->sessions_open, 1, memory_order_relaxed);
        at = next;
    }
}

enum smtp_status smtp_server_loop_init(struct smtp_server_loop *loop, struct smtp_server *server,
                                       struct smtp_error *error)
{
    *loop = (struct smtp_server_loop){.server = server};
    loop->read_buffer = malloc(SMTP_SERVER_READ_SIZE);
    if (loop->read_buffer == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    int status = uv_loop_init(&loop->uv);
    if (status == 0) {
        status = uv_async_init(&loop->uv, &loop->wake, on_wake);
        if (status != 0) {
            uv_loop_close(&loop->uv);
        }
    }
    if (status != 0) {
        free(loop->read_buffer);
        return smtp_error_set(error, SMTP_SYSTEM_FAILED, -status, "cannot make an event loop: %s",
                              uv_strerror(status));
    }
    uv_timer_init(&loop->uv, &loop->stop_timer);
    uv_idle_init(&loop->uv, &loop->rested);
    uv_check_init(&loop->uv, &loop->polled);
    uv_check_start(&loop->polled, on_polled);       /* neither can fail */
    pthread_mutex_init(&loop->incoming_lock, NULL); /* cannot fail without attributes on Linux */
    loop->wake.data = loop;
    loop->stop_timer.data = loop;
    loop->polled.data = loop;
    return SMTP_OK;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

void smtp_server_loop_clear(struct smtp_server_loop *loop)
{
    uv_walk(&loop->uv, close_handle, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_loop_close(&loop->uv);
    pthread_mutex_destroy(&loop->incoming_lock);
    free(loop->read_buffer);
}

void smtp_server_loop_enter(struct smtp_server_loop *loop)
{
    struct smtp_server *server = loop->server;
    pthread_mutex_lock(&server->lock);
    loop->self = pthread_self();
    loop->has_self = true;
    pthread_mutex_unlock(&server->lock);
}

void smtp_server_loop_run(struct smtp_server_loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_timer_stop(&loop->stop_timer);
}

static void *run_thread(void *loop)
{
    smtp_server_loop_enter(loop);
    smtp_server_loop_run(loop);
    return NULL;
}

int smtp_server_loop_start(struct smtp_server_loop *loop)
{
    return pthread_create(&loop->thread, NULL, run_thread, loop);
}
