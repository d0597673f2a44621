/* stream.h - messages one after another over one session, as many of them on their way as the session allows (RFC 2920
 * 3.1, RFC 3030 4.2), in steps that wait for nothing: for a driver that waits by itself. */
#ifndef SMTP_CLIENT_STREAM_H
#define SMTP_CLIENT_STREAM_H

#include "client/client.h"

enum smtp_client_more {
    SMTP_CLIENT_MORE_MESSAGE, /* it is filled in */
    SMTP_CLIENT_MORE_LATER,   /* ask again, with any step */
    SMTP_CLIENT_MORE_NONE,
};

/** A message from next to sent. */
struct smtp_client_passage {
    struct smtp_outgoing message;
    struct smtp_client_source source;
    bool begun;              /* the session has it; else: */
    enum smtp_status status; /* why it was not sent */
    struct smtp_error error;
};

/** The first six are the caller's to set; the rest begins as zeros. */
struct smtp_client_stream {
    struct smtp_client *client;
    enum smtp_client_more (*next)(void *user, size_t index, struct smtp_outgoing *message);
    smtp_client_sent *sent;
    void *user;
    struct smtp_client_passage *passages; /* a ring: handed out, and not answered for */
    size_t capacity; /* of it: on their way at once, SMTP_CLIENT_IN_FLIGHT_MAX at most */
    bool
        waits; /* a message that LIMITS part (RFC 9422) is sent, which blocks; else it is kept off */

    size_t first; /* the index of the first in the ring */
    size_t count;
    bool drained;              /* next has no more, or none can follow */
    bool held;                 /* the last of them needs the session for itself, and waits for it */
    size_t accepted;           /* messages, by all recipients */
    size_t partly;             /* by some */
    size_t refused_for_good;   /* by none */
    enum smtp_status kept_off; /* the first other failure; SMTP_OK: none */
    struct smtp_error error;   /* of the first failure */
};

/** One step. False: there is none until octets come or go, or there is another message. */
bool smtp_client_stream_step(struct smtp_client_stream *stream);
/** Whether all was handed out and answered for. */
bool smtp_client_stream_is_over(const struct smtp_client_stream *stream);
/** The session has ended: nothing more is begun. What was begun is still answered for, by steps. */
void smtp_client_stream_cut(struct smtp_client_stream *stream);

#endif
