/* server.h - the server from inside: what its loops share. */
#ifndef SMTP_SERVER_SERVER_H
#define SMTP_SERVER_SERVER_H

#include "server/certificate.h"
#include "server/listener.h"
#include "server/loop.h"
#include "server/mailbox.h"
#include "server/settings.h"

#include <pthread.h>
#include <stdatomic.h>

/** Where a server is in its life. */
enum smtp_server_life {
    SMTP_SERVER_IDLE,     /* no thread, no listening socket */
    SMTP_SERVER_STARTING, /* somebody is in start or run */
    SMTP_SERVER_RUNNING,
    SMTP_SERVER_JOINING, /* somebody waits for the threads */
};

struct smtp_server_work;

struct smtp_server {
    struct smtp_server_settings settings;       /* constant from new to free */
    struct smtp_server_certificate certificate; /* has its own lock */
    struct smtp_mailbox *mailbox;               /* has its own lock */
    struct smtp_server_loop *loops;       /* settings.workers of them; the array is constant */
    struct smtp_server_acceptor acceptor; /* of whoever starts or joins, of loops[0] in between */

    pthread_mutex_t lock;
    pthread_cond_t changed;         /* the state changed, under lock */
    enum smtp_server_life state;    /* under lock */
    struct smtp_server_work *works; /* under lock: what runs on the threads of the pool */
    bool runs_here; /* under lock: smtp_server_run is loops[0], and joins the others */

    /* When open sessions are cut; SMTP_NEVER: nobody asked to stop. Sequentially consistent: read
     * by the loops after uv_async_send has woken them. Lock-free, so that a signal handler may set
     * it. */
    _Atomic uint64_t stop_deadline_ns;
    _Atomic uint64_t sessions_made; /* relaxed: only a number to count with */
    _Atomic size_t sessions_open;   /* relaxed: grows on loops[0] only, so its limit holds */
};

#endif
