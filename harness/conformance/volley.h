/* volley.h - what takes many round trips, in the time of one rule. Commands go in windows where the server offers
 * PIPELINING (RFC 2920), else one by one; where the time runs out a rule is skipped, as a server that is far or slow
 * breaks none. Follows check.h. */
#ifndef SMTP_HARNESS_CONFORMANCE_VOLLEY_H
#define SMTP_HARNESS_CONFORMANCE_VOLLEY_H

#include "harness/conformance/talk.h"

/** Commands that follow each other over and over. */
struct smtp_volley {
    const char *const *lines; /* without CRLF; the first comes again behind the last */
    size_t line_count;
    size_t count;      /* of commands, in all */
    const char *codes; /* of the replies: talk.h */
};

/** Sends them until a reply has none of the codes, and takes the replies to what had gone out by then. Returns how many
 *  replies had one before; then talk->reply is the first that had none, with code 0 where the connection ended instead. */
size_t smtp_volley(struct smtp_talk *talk, const struct smtp_volley *volley);
/** That reply as it is shown, or that there is none. */
const char *smtp_volley_came(struct smtp_talk *talk);
/** Whether there is time for a further one of so many rounds; skips where there is none. */
bool smtp_volley_has_time(struct smtp_check *check, size_t done, size_t wanted);

#endif
