/* loop.h - one worker: a libuv loop, on a POSIX thread of its own or on the caller's, and the
 * connections that belong to it. */
#ifndef SMTP_SERVER_LOOP_H
#define SMTP_SERVER_LOOP_H

#include "common/smtp_status.h"
#include "server/heap.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct smtp_server;
struct smtp_server_connection;

struct smtp_server_loop {
    struct smtp_server *server;
    /* of the loop's thread */
    uv_loop_t uv;
    uv_timer_t stop_timer;                      /* the deadline of a stop */
    char *read_buffer;                          /* SMTP_SERVER_READ_SIZE; every read of the loop */
    struct smtp_server_connection *connections; /* a list */
    size_t open_count;                          /* connections and listeners not closed yet */
    bool stopping;
    struct smtp_server_heap heap;
    /* any thread may send to it; async-signal-safe */
    uv_async_t wake;
    /* of whoever starts and joins */
    pthread_t thread;
    /* under the server's lock: which thread runs the loop */
    pthread_t self;
    bool has_self;
    pthread_mutex_t incoming_lock;
    struct smtp_server_connection *incoming; /* under incoming_lock: accepted for this loop */
};

/** Large enough that one read takes what a fast peer has sent; one a loop, so that an idle
 *  connection needs none. */
#define SMTP_SERVER_READ_SIZE 262144

enum smtp_status smtp_server_loop_init(struct smtp_server_loop *loop, struct smtp_server *server,
                                       struct smtp_error *error) SMTP_MUST_CHECK;
/** The loop does not run. Closes every handle left on it. */
void smtp_server_loop_clear(struct smtp_server_loop *loop);

/** This thread is the loop's from now on. */
void smtp_server_loop_enter(struct smtp_server_loop *loop);
/** Runs the loop on this thread until a stop is complete. */
void smtp_server_loop_run(struct smtp_server_loop *loop);
/** The same on a thread of its own, to be joined by the caller. An errno, 0 when it runs. */
int smtp_server_loop_start(struct smtp_server_loop *loop);
/** After its thread is done: closes what was accepted for it too late. */
void smtp_server_loop_drop_incoming(struct smtp_server_loop *loop);

/** Hands a connection over; takes it. From loops[0]. */
void smtp_server_loop_hand_over(struct smtp_server_loop *loop,
                                struct smtp_server_connection *connection);
/** Something of the loop's has closed: a stopping loop may be done. On the loop's thread. */
void smtp_server_loop_closed_one(struct smtp_server_loop *loop);

#endif
