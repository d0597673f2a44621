/* floor.h - the two halves of the floor: what SMTP costs on this kernel when nobody looks at it.
 * Any server's or client's figure divided by these is its distance from what can be reached. */
#ifndef SMTP_TESTS_BENCH_FLOOR_H
#define SMTP_TESTS_BENCH_FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Prints a free port of 127.0.0.1 and answers canned replies there until standard input, which
 *  must be a pipe or a terminal, ends. Returns the exit status. */
int floor_sink(void);

/** What a source is to send, and how. */
struct floor_load {
    const char *from; /* a numeric address to connect from; NULL: any */
    uint16_t port;
    size_t session_count;   /* 1..FLOOR_SESSIONS_MAX connections at once */
    uint64_t message_count; /* over all sessions */
    size_t size_octets;     /* of one message's content with its CRLFs, FLOOR_SIZE_MIN or more */
    enum {
        FLOOR_STEP,      /* each command waits its turn */
        FLOOR_PIPELINED, /* MAIL, RCPT and DATA in one write (RFC 2920) */
        FLOOR_BDAT,      /* FLOOR_WINDOW octets of whole messages in one write (RFC 3030 4.2) */
    } way;
};

#define FLOOR_WINDOW 65536
#define FLOOR_SESSIONS_MAX 50000 /* where as many descriptors are allowed */
#define FLOOR_SIZE_MIN 128       /* room for the header section */
#define FLOOR_SIZE_MAX 1048576   /* one message is built in memory */

/** Sends it and prints one line: messages, seconds, messages a second. Returns the exit status: 1
 *  when a connection or a reply failed. */
int floor_source(const struct floor_load *load);

#endif
