/* work.h - work on the threads of libuv's pool, for tables that block: the loop goes on meanwhile, and the
 * connection lives until the work is done. Knows which of these threads works for a server now. */
#ifndef SMTP_SERVER_WORK_H
#define SMTP_SERVER_WORK_H

#include "server/connection.h"

struct smtp_server_work {
    uv_work_t request;
    struct smtp_server_connection *connection;
    void (*run)(struct smtp_server_work *work);  /* on a thread of the pool */
    void (*done)(struct smtp_server_work *work); /* then, on the loop's thread */
    /* under the server's lock, while it runs */
    pthread_t self;
    struct smtp_server_work *next;
    struct smtp_server_work *previous;
};

/** Queues it; it lives until `done`. On the loop's thread. */
void smtp_server_work_queue(struct smtp_server_work *work,
                            struct smtp_server_connection *connection,
                            void (*run)(struct smtp_server_work *work),
                            void (*done)(struct smtp_server_work *work));
/** Whether the calling thread runs some of the server's work; under the server's lock. */
bool smtp_server_works_here(const struct smtp_server *server);

#endif
