/* bulk.h - what a bulk holds; for bulk.c (its loop, and whose turn it is), bulk_session.c (one session's octets and messages)
 * and bulk_opening.c (what is said before the first message). */
#ifndef SMTP_CLIENT_BULK_H
#define SMTP_CLIENT_BULK_H

#include "client/smtp_bulk.h"
#include "client/stream.h"
#include "client/target.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <uv.h>

/** What a session waits for. */
enum smtp_bulk_stage {
    SMTP_BULK_CLOSED, /* nothing: it is tried again at retry_ns, or over */
    SMTP_BULK_CONNECTING,
    SMTP_BULK_SHAKING, /* hands, for TLS */
    SMTP_BULK_OPENING, /* a reply to what comes before the first message */
    SMTP_BULK_SENDING,
    SMTP_BULK_QUITTING,
    SMTP_BULK_CLOSING, /* the loop, which lets go of its descriptor */
};

struct smtp_bulk_session {
    struct smtp_bulk *bulk;
    struct smtp_client *client;
    struct smtp_client_stream stream;
    size_t first_place; /* of its passages */
    enum smtp_bulk_stage stage;
    enum smtp_client_stage said; /* OPENING: the command whose reply is awaited */
    uv_poll_t poll;
    bool has_poll;
    int interest;   /* what poll waits for */
    bool is_idle;   /* it wants a message, and there was none yet; it is in the bulk's list */
    bool is_over;   /* it is not tried again */
    bool brought;   /* a message was answered, on this connection */
    unsigned tries; /* in a row that brought none */
    uint64_t retry_ns;
    uint64_t begun_ns;             /* of what is timed here: connecting, STARTTLS, AUTH */
    struct smtp_client_sasl *sasl; /* NULL: no exchange is open */
    struct smtp_client_binding_octets bindings;
    struct smtp_bulk_session *next_idle;
};

struct smtp_bulk {
    struct smtp_client_kept_target kept;
    struct smtp_bulk_options options;
    struct smtp_bulk_hooks hooks;
    struct smtp_bulk_session *sessions;
    struct smtp_client_passage *passages; /* of all of them */
    size_t made;                          /* sessions that have their client */
    size_t open;                          /* that are not over */
    struct sockaddr_storage where;
    socklen_t where_len;
    uv_loop_t loop;
    uv_timer_t tick; /* deadlines and tries that are due */
    uv_poll_t due;   /* due_fd: the next message is due */
    int due_fd;
    uv_async_t wake;
    bool has_loop, has_wake, has_due;
    bool no_more;                               /* messages */
    uint64_t due_ns;                            /* before then none is asked for */
    struct smtp_bulk_session *idle, **idle_end; /* a list, the longest idle first */
    struct smtp_error error;                    /* of the session that was given up last */
    atomic_bool stopped, is_cut;
};

/* ---- bulk.c ---- */
/** The next message for this session; notes that none is due, or that it wants one. */
enum smtp_client_more smtp_bulk_next_message(struct smtp_bulk_session *session, size_t place,
                                             struct smtp_outgoing *message);
/** Its descriptor was let go: it is tried again, or over. */
void smtp_bulk_session_is_closed(struct smtp_bulk_session *session);

/* ---- bulk_session.c ---- */
/** Begins a connection; fd >= 0: it is connected already. */
void smtp_bulk_session_connect(struct smtp_bulk_session *session, int fd);
/** All that can go on without waiting does. */
void smtp_bulk_session_go_on(struct smtp_bulk_session *session);
/** Looks at the deadline. */
void smtp_bulk_session_expire(struct smtp_bulk_session *session, uint64_t now_ns);
/** It ends now, whatever it waits for. */
void smtp_bulk_session_cut(struct smtp_bulk_session *session);
/** It failed, for the reason that the client's error has: told, and closed. */
void smtp_bulk_session_fail(struct smtp_bulk_session *session, enum smtp_client_stage at);
/** Its replies are timed, from now on. */
void smtp_bulk_session_watch(struct smtp_bulk_session *session);
/** What began at begun_ns is over. */
void smtp_bulk_session_timed(struct smtp_bulk_session *session, enum smtp_client_stage stage);

/* ---- bulk_opening.c ---- */
/** The connection is there: what comes next is awaited, TLS or the greeting. */
void smtp_bulk_session_open(struct smtp_bulk_session *session);
/** The handshake goes on as far as it can. */
void smtp_bulk_session_shake(struct smtp_bulk_session *session);
/** The reply that was awaited came. */
void smtp_bulk_session_hear(struct smtp_bulk_session *session,
                            const struct smtp_client_event *event);

#endif
