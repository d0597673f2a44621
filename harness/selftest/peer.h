/* peer.h - a scripted peer: a thread that listens, takes one connection, and says and hears what
 * its script tells, in raw octets. Knows nothing of SMTP; what it hears is for the scenario to
 * compare. */
#ifndef SMTP_HARNESS_SELFTEST_PEER_H
#define SMTP_HARNESS_SELFTEST_PEER_H

#include "common/bytes.h"

enum smtp_peer_act {
    SMTP_PEER_SAY,  /* writes the text in one piece */
    SMTP_PEER_DRIP, /* writes it in single octets */
    SMTP_PEER_HEAR, /* reads until the text has come */
    SMTP_PEER_MAKE, /* writes what `make` makes of all that was heard */
};

/** One step. After the last one the connection is closed. */
struct smtp_peer_step {
    enum smtp_peer_act act;
    const char *text;
    /** Appends the answer; on the peer's thread. False: the script ends here. */
    bool (*make)(struct smtp_span heard, struct smtp_buffer *answer);
};

/* Scripts are tables of these. */
#define SAY(octets)                                                                                \
    {                                                                                              \
        .act = SMTP_PEER_SAY, .text = (octets)                                                     \
    }
#define DRIP(octets)                                                                               \
    {                                                                                              \
        .act = SMTP_PEER_DRIP, .text = (octets)                                                    \
    }
#define HEAR(octets)                                                                               \
    {                                                                                              \
        .act = SMTP_PEER_HEAR, .text = (octets)                                                    \
    }
#define MAKE(function)                                                                             \
    {                                                                                              \
        .act = SMTP_PEER_MAKE, .make = (function)                                                  \
    }

struct smtp_peer;

/** Listens on a free port of 127.0.0.1 and plays the steps (borrowed until the peer is freed) on
 *  the first connection. Everything ends within limit_ms. NULL: *error says why. */
struct smtp_peer *smtp_peer_start(const struct smtp_peer_step *steps, size_t step_count,
                                  uint64_t limit_ms, struct smtp_error *error);
/** "127.0.0.1:PORT". */
const char *smtp_peer_address(const struct smtp_peer *peer);
/** Waits for the end of the script. SMTP_OK: every step could be done. *heard: all it read. */
enum smtp_status smtp_peer_finish(struct smtp_peer *peer, struct smtp_span *heard) SMTP_MUST_CHECK;
/** Waits for the end and frees. NULL: nothing. */
void smtp_peer_free(struct smtp_peer *peer);

#endif
