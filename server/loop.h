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
    uv_timer_t stop_timer;                       /* the deadline of a stop */
    uv_check_t polled;                           /* all that was there has been read */
    struct smtp_server_connection *turn;         /* a list: those read from in this turn */
    struct smtp_server_connection *turn_last;    /* of it */
    struct smtp_server_connection *resting;      /* a list: those that had their share, in order */
    struct smtp_server_connection *resting_last; /* of it */
    unsigned shares;   /* whole ones that were had in this round, from poll to poll */
    uv_idle_t rested;  /* runs while there are any: the loop does not sleep */
    uint64_t turn_ns;  /* its time; 0: not looked up yet */
    char *read_buffer; /* SMTP_SERVER_READ_SIZE; all reads of a turn */
    size_t read_len;   /* octets in it */
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

/** Large enough for what fast peers have sent; one a loop, so that an idle connection needs none. */
#define SMTP_SERVER_READ_SIZE 262144

/** It asked for more than a share of the loop, and has had that. */
void smtp_server_loop_share_had(struct smtp_server_loop *loop,
                                struct smtp_server_connection *connection);
/** A connection has had its share of the loop: it is gone on with when the others have had theirs. */
void smtp_server_loop_rest(struct smtp_server_loop *loop,
                           struct smtp_server_connection *connection);
/** It goes: it is on no list any more. */
void smtp_server_loop_forget(struct smtp_server_loop *loop,
                             struct smtp_server_connection *connection);

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

/* A turn of the loop has three steps: everything that is there is read, into one buffer; the
 * sessions take it; their replies are written. Work of one kind runs at a stretch, so that its code
 * stays in the processor's cache, and a peer is woken by the first of many replies, not by each. */

/** Room for a read. */
uv_buf_t smtp_server_loop_read_room(const struct smtp_server_loop *loop);
/** So many octets were read into it, for this connection: it gets its turn. */
void smtp_server_loop_read(struct smtp_server_loop *loop, struct smtp_server_connection *connection,
                           size_t len);
/** The time, looked up once a turn. */
uint64_t smtp_server_loop_now_ns(struct smtp_server_loop *loop);

/** Hands a connection over; takes it. From loops[0]. */
void smtp_server_loop_hand_over(struct smtp_server_loop *loop,
                                struct smtp_server_connection *connection);
/** Something of the loop's has closed: a stopping loop may be done. On the loop's thread. */
void smtp_server_loop_closed_one(struct smtp_server_loop *loop);

#endif
