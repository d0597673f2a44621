/* listener.h - accepting: the listening sockets, watched by the first loop, and the handing out of
 * connections to all of them in turn. */
#ifndef SMTP_SERVER_LISTENER_H
#define SMTP_SERVER_LISTENER_H

#include "common/address.h"

#include <stdatomic.h>
#include <uv.h>

struct smtp_server;

struct smtp_server_listener {
    struct smtp_server *server;
    /* Written under the server's lock by who starts, read under it by any thread (and, without, by
     * loops[0] and who starts). The real one once started: a port that was free stays its own. */
    struct smtp_address address;
    char text[SMTP_ADDRESS_TEXT_SIZE]; /* of address, likewise; "" before the first start */
    int fd;                            /* -1: not listening */
    int given;       /* a socket that listens already, for the first start; -1: none */
    bool taken_over; /* fd was given */
    bool implicit_tls;
    bool lmtp;
    uv_poll_t poll;
};

struct smtp_server_acceptor {
    struct smtp_server *server;
    struct smtp_server_listener *listeners;
    size_t count;
    unsigned next_loop; /* whose turn it is */
    uv_timer_t resume;  /* ends a pause */
    atomic_bool
        paused; /* written by loops[0]; sequentially consistent, any loop that closes looks */
};

/** With the addresses of the settings, on loops[0]. SMTP_OK or SMTP_NO_MEMORY. */
enum smtp_status smtp_server_acceptor_init(struct smtp_server_acceptor *acceptor,
                                           struct smtp_server *server) SMTP_MUST_CHECK;
/** The resume timer must be closed by now (its loop is). */
void smtp_server_acceptor_clear(struct smtp_server_acceptor *acceptor);

/** Binds and listens on all, or on none. Before the threads run. */
enum smtp_status smtp_server_acceptor_open(struct smtp_server_acceptor *acceptor,
                                           struct smtp_error *error) SMTP_MUST_CHECK;
/** Watches the sockets from now on. Before the threads run. */
void smtp_server_acceptor_watch(struct smtp_server_acceptor *acceptor);
/** Closes the listening sockets. On loops[0], or before the threads run. */
void smtp_server_acceptor_close(struct smtp_server_acceptor *acceptor);
/** Ends a pause, if there is one. On loops[0]. */
void smtp_server_acceptor_resume(struct smtp_server_acceptor *acceptor);

#endif
