/* raw.h - one end of a connection in raw octets: what no client or server of the libraries would
 * say can be said with it. Every call is bounded by one deadline. Knows of SMTP only how a reply
 * ends. */
#ifndef SMTP_HARNESS_SELFTEST_RAW_H
#define SMTP_HARNESS_SELFTEST_RAW_H

#include "common/bytes.h"

struct smtp_raw {
    int fd; /* owned; -1: closed */
    uint64_t deadline_ns;
    struct smtp_buffer heard; /* all that was read; `used` octets of it were handed out already */
    size_t used;
};

/** Takes the descriptor over. */
void smtp_raw_init(struct smtp_raw *wire, int fd, uint64_t deadline_ns);
/** Connects to "host:port". */
enum smtp_status smtp_raw_connect(struct smtp_raw *wire, const char *address, uint64_t deadline_ns,
                                  struct smtp_error *error) SMTP_MUST_CHECK;
void smtp_raw_close(struct smtp_raw *wire);
/** Closes, and forgets what was heard. */
void smtp_raw_clear(struct smtp_raw *wire);

/** Writes all the octets. */
enum smtp_status smtp_raw_say(struct smtp_raw *wire, const char *bytes, size_t len) SMTP_MUST_CHECK;
/** Reads until what was heard since the last call holds `end`; *part is everything up to and with
 *  it, borrowed until the next call. */
enum smtp_status smtp_raw_hear(struct smtp_raw *wire, const char *end, struct smtp_span *part)
    SMTP_MUST_CHECK;
/** Reads one whole reply, of one line or many. */
enum smtp_status smtp_raw_hear_reply(struct smtp_raw *wire, struct smtp_span *reply)
    SMTP_MUST_CHECK;
/** SMTP_OK when the other end closes and says nothing more before. */
enum smtp_status smtp_raw_hear_close(struct smtp_raw *wire) SMTP_MUST_CHECK;

#endif
