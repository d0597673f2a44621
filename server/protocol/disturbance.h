/* disturbance.h - a step that goes wrong on purpose (struct smtp_server_fault), without I/O: the session and the time go in;
 * what goes out in place of the step's reply, when, and how it ends come out. It waits until what was said before is out, is
 * delayed, is done or not, and what is said to it goes out as the fault wants; then comes the fault's ending. */
#ifndef SMTP_SERVER_PROTOCOL_DISTURBANCE_H
#define SMTP_SERVER_PROTOCOL_DISTURBANCE_H

#include "server/protocol/session.h"

enum smtp_server_disturbance_phase {
    SMTP_DISTURBANCE_NONE,
    SMTP_DISTURBANCE_WAITING, /* until what was said before is out */
    SMTP_DISTURBANCE_DELAYED,
    SMTP_DISTURBANCE_DOING,   /* its reply is to come */
    SMTP_DISTURBANCE_SAYING,  /* the reply goes out; of TLS the handshake goes on */
    SMTP_DISTURBANCE_RESTING, /* its ending lasts */
};

/** All zero: there is none. */
struct smtp_server_disturbance {
    struct smtp_server_fault fault; /* its ending is CLOSE where nothing could follow */
    struct smtp_buffer out;         /* what is to go out; owned */
    size_t allowed;                 /* octets of it that may now */
    size_t added;                   /* of TLS: octets of the handshake so far */
    uint64_t due_ns; /* of the phase, or the next segment; while it rests the driver's to set */
    enum smtp_server_step_kind kind;
    enum smtp_server_disturbance_phase phase;
    bool uncoded; /* its reply has no enhanced status code of its own (RFC 2034 3) */
};

/** What the driver is to do. */
enum smtp_server_disturbance_act {
    SMTP_DISTURBANCE_WAITS,   /* nothing: it goes on when it is due, or something has happened */
    SMTP_DISTURBANCE_GOES_ON, /* nothing: it is a phase further */
    SMTP_DISTURBANCE_SHAKES_HANDS, /* of TLS: begin the handshake, unless the fault is silent */
    SMTP_DISTURBANCE_SPEAKS,       /* nothing: what is said is in `out` */
    SMTP_DISTURBANCE_WRITES,       /* write what is owed, or some of it */
    SMTP_DISTURBANCE_ENDS,  /* what the fault's ending says: it rests then, or is to be ended */
    SMTP_DISTURBANCE_LOOKS, /* it rests, and is due */
    SMTP_DISTURBANCE_FAILS, /* out of memory: close */
};

/** Takes over the fault's identity. One that there was is to be ended first. */
void smtp_server_disturbance_begin(struct smtp_server_disturbance *it,
                                   const struct smtp_server_step *step,
                                   const struct smtp_server_fault *fault);
void smtp_server_disturbance_end(struct smtp_server_disturbance *it);

/** On to the next phase, or segment. busy: what was said before is still on its way, or more is to come. */
enum smtp_server_disturbance_act smtp_server_disturbance_step(struct smtp_server_disturbance *it,
                                                              struct smtp_server_session *session,
                                                              bool busy, uint64_t now_ns);
/** When time alone brings it on; SMTP_NEVER. */
uint64_t smtp_server_disturbance_due_ns(const struct smtp_server_disturbance *it);

/** Of TLS: what the handshake has to say goes out as the fault wants. False: out of memory. */
bool smtp_server_disturbance_add(struct smtp_server_disturbance *it, struct smtp_span octets,
                                 uint64_t now_ns) SMTP_MUST_CHECK;
/** What may go out now. */
struct smtp_span smtp_server_disturbance_owed(const struct smtp_server_disturbance *it);
void smtp_server_disturbance_sent(struct smtp_server_disturbance *it, size_t len);

/** The session takes nothing now. */
bool smtp_server_disturbance_holds(const struct smtp_server_disturbance *it,
                                   const struct smtp_server_session *session);
/** What comes is read all the same, and dropped. */
bool smtp_server_disturbance_reads(const struct smtp_server_disturbance *it);
/** The reply is on its way out, or nothing is said any more: no other word may come between. */
bool smtp_server_disturbance_speaks(const struct smtp_server_disturbance *it);

#endif
