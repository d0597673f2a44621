/* connection.h - one connection: a libuv stream, the session core, and the hooks between them. */
#ifndef SMTP_SERVER_CONNECTION_H
#define SMTP_SERVER_CONNECTION_H

#include "common/bytes.h"
#include "server/loop.h"
#include "server/smtp_server.h"

struct smtp_server_disturbance;
struct smtp_server_listener;
struct smtp_server_proxy;
struct smtp_server_session;
struct smtp_tls;

/** How far a connection is. */
enum smtp_server_connection_stage {
    SMTP_SERVER_TALKING,  /* the session lives */
    SMTP_SERVER_SECURING, /* it lives, and waits: the reply to STARTTLS goes out, then TLS begins */
    SMTP_SERVER_DISTURBED, /* it lives, and a fault has the connection: see disturb.h */
    SMTP_SERVER_NAMING,    /* it lives, and waits: a PROXY header is to say who the peer is */
    SMTP_SERVER_ENDING,    /* it has ended; its last octets go out */
    SMTP_SERVER_DROPPING,  /* they are out and our end is closed; what still comes is dropped */
    SMTP_SERVER_CLOSING,   /* the handles close */
};

/** Belongs to one thread at a time: the accepting one, then its loop's. */
struct smtp_server_connection {
    struct smtp_server_loop *loop;
    struct smtp_server_login *login; /* of AUTH; NULL: none is under way */
    struct smtp_server_connection *next;
    struct smtp_server_connection *previous;
    struct smtp_server_connection *next_in_turn; /* of the loop's turn */
    struct smtp_server_connection *next_resting; /* until the others had theirs */
    struct smtp_server_session *session;         /* NULL once it is over */
    struct smtp_server_session *over; /* it is, and a table that blocks is being told; else NULL */
    struct smtp_server_proxy *proxy;  /* while NAMING; else NULL */
    struct smtp_server_disturbance *disturbance; /* of a step that goes wrong; NULL: none does */
    struct smtp_tls *tls;                        /* NULL: in the clear */
    uint64_t number;
    union {
        void *one;
        void **each;            /* owned; where there are several */
    } users;                    /* the hook tables' */
    const char *cut_why;        /* it is to be cut when it is not busy any more; NULL: it is not */
    struct smtp_span fresh;     /* octets read in this turn; of the loop's buffer */
    struct smtp_buffer waiting; /* octets read that the session does not take yet */
    uint64_t timer_due_ns;      /* when the timer fires; SMTP_NEVER: it does not run */
    uint64_t write_due_ns;      /* by when a write must have moved; SMTP_NEVER: none is under way */
    uint64_t stage_due_ns;      /* when DISTURBED, NAMING or DROPPING ends */
    size_t write_left;          /* octets left of the write when write_due_ns was set */
    size_t dropped;             /* octets, while dropping */
    int fd;                     /* until it is opened */
    uint32_t content_given;     /* a bit a table: it has got some of the content that comes in */
    uint32_t content_sated;     /* and wants no more */
    enum smtp_server_connection_stage stage;
    bool busy; /* a table that blocks is asked: until it has answered all else waits */
    bool is_unix;
    bool lmtp;
    bool implicit_tls; /* TLS from the first octet */
    bool heard;        /* something has come in the clear */
    bool end_came;     /* the peer's close_notify */
    bool end_said;     /* ours */
    bool reading;
    bool writing;          /* one write is under way, of what the socket did not take at once */
    bool in_turn;          /* on the loop's list */
    bool resting;          /* on its list of those that had their share: not read from */
    bool sated;            /* and nothing of what waits is taken */
    bool peer_done;        /* end of file came */
    unsigned char holders; /* open handles, and who else needs it */
    uv_timer_t timer;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } io;
    char peer[]; /* who connected: "127.0.0.1:40112", "unix:"; see smtp_server_session_peer */
};

/** Takes the descriptor; NULL, out of memory, leaves it. */
struct smtp_server_connection *
smtp_server_connection_new(int fd, const struct smtp_server_listener *listener);
/** A connection that was never opened: closes the descriptor and frees. */
void smtp_server_connection_discard(struct smtp_server_connection *connection);

/** The loop's thread from here on. Greets; frees itself when it has closed. */
void smtp_server_connection_open(struct smtp_server_connection *connection,
                                 struct smtp_server_loop *loop);
/** The server stops: 421 between transactions, later inside one. */
void smtp_server_connection_shut_down(struct smtp_server_connection *connection);
/** The last step of a turn, see loop.h: the replies are written. */
void smtp_server_connection_end_turn(struct smtp_server_connection *connection);
/** Ends the session; the connection closes when what is owed to the peer is out. */
void smtp_server_connection_end(struct smtp_server_connection *connection, const char *reason);
/** Closes at once, or as soon as it is not busy any more. `reason` is for the log; busy, it must live on. */
void smtp_server_connection_cut(struct smtp_server_connection *connection, const char *reason);

/** The same by a reset (TCP RST), without another word. Not while it is busy. */
void smtp_server_connection_reset(struct smtp_server_connection *connection, const char *reason);

/* ---- for inquiry.c and auth.c ---- */

/** A table that blocked has answered; the session is to be answered next, and then the rest goes on. */
void smtp_server_connection_wake(struct smtp_server_connection *connection);
void smtp_server_connection_go_on(struct smtp_server_connection *connection);
/** It is not freed before it is let go. */
void smtp_server_connection_hold(struct smtp_server_connection *connection);
void smtp_server_connection_let_go(struct smtp_server_connection *connection);

/* ---- for outgoing.c, secure.c, naming.c and disturb.c ---- */

/** A new session with that peer, in place of the one there is. False: out of memory, the connection is
 *  cut. */
bool smtp_server_connection_make_session(struct smtp_server_connection *connection,
                                         const char *peer);
/** It is known who the peer is: greets, or waits for TLS, unless that goes wrong. */
void smtp_server_connection_begin(struct smtp_server_connection *connection);
void smtp_server_connection_begin_session(struct smtp_server_connection *connection);

/** What the socket did not take at once is out. */
void smtp_server_connection_written(struct smtp_server_connection *connection);

#endif
