/* wire.h - one end of a connection in octets, in the clear or in TLS, with what was heard and not yet taken.
 * Every call is bounded by a deadline. Knows no SMTP. */
#ifndef SMTP_HARNESS_DIALOGUE_WIRE_H
#define SMTP_HARNESS_DIALOGUE_WIRE_H

#include "common/bytes.h"
#include "common/tls.h"

struct smtp_dialogue_wire {
    int fd;               /* owned; -1: closed */
    struct smtp_tls *tls; /* owned; NULL: in the clear */
    struct smtp_buffer heard;
    uint64_t heard_ns; /* when the last of it came, or the end */
    bool ended;        /* nothing more comes */
    bool was_reset;    /* and that is why */
    bool closed_own;   /* nothing more is sent */
};

void smtp_dialogue_wire_init(struct smtp_dialogue_wire *wire, int fd);
/** Waits for more octets, or the end. SMTP_OK, SMTP_TIMED_OUT, SMTP_TLS_FAILED (smtp_tls_error), SMTP_NO_MEMORY,
 *  SMTP_LIMIT_EXCEEDED (64 MiB wait). */
enum smtp_status smtp_dialogue_wire_hear(struct smtp_dialogue_wire *wire, uint64_t deadline_ns)
    SMTP_MUST_CHECK;
/** Writes all, and hears meanwhile what comes, so that neither end waits for the other. SMTP_CLOSED where the peer
 *  takes no more. */
enum smtp_status smtp_dialogue_wire_say(struct smtp_dialogue_wire *wire, struct smtp_span octets,
                                        uint64_t deadline_ns) SMTP_MUST_CHECK;
/** The handshake of `tls` (taken over). SMTP_OK, SMTP_TIMED_OUT, SMTP_CLOSED, SMTP_TLS_FAILED. */
enum smtp_status smtp_dialogue_wire_secure(struct smtp_dialogue_wire *wire, struct smtp_tls *tls,
                                           uint64_t deadline_ns) SMTP_MUST_CHECK;
/** Says that nothing more comes. */
void smtp_dialogue_wire_half_close(struct smtp_dialogue_wire *wire, uint64_t deadline_ns);
/** Closes; with `reset` so that the peer sees a reset. */
void smtp_dialogue_wire_close(struct smtp_dialogue_wire *wire, bool reset);
/** Closes as soon as the peer has, so that what was said last is not lost; at the deadline at the latest. */
void smtp_dialogue_wire_part(struct smtp_dialogue_wire *wire, uint64_t deadline_ns);
void smtp_dialogue_wire_clear(struct smtp_dialogue_wire *wire);

#endif
