/* slow_peers.h - peers that would hold a server up, many in a process of their own. Knows no server's inside. */
#ifndef SMTP_TESTS_SOAK_SLOW_PEERS_H
#define SMTP_TESTS_SOAK_SLOW_PEERS_H

#include "tests/soak/soak.h"

enum slow_kind {
    SLOW_SILENT,          /* connects, and says nothing */
    SLOW_COMMAND,         /* an octet a second, of a command that does not end */
    SLOW_CONTENT,         /* an octet a second, of content that does not end */
    SLOW_HANDSHAKE,       /* the same of a TLS handshake, behind STARTTLS */
    SLOW_READER,          /* commands as fast as they are taken; reads no reply */
    SLOW_ENDLESS_LINE,    /* a line without an end, as fast as it is taken */
    SLOW_ENDLESS_CONTENT, /* content without an end, likewise */
    SLOW_KINDS,
};
const char *slow_kind_name(enum slow_kind kind);

struct slow_order {
    enum slow_kind kind;
    uint16_t port;
    unsigned count;
    unsigned give_up_ms; /* after that those that were not cut are closed */
};
struct slow_answer {
    unsigned opened;
    unsigned cut;        /* by the server: before it gave up */
    uint64_t longest_ms; /* from the first connection to the last cut */
    uint64_t sent_octets;
};

/** For soak_child_start: for each struct slow_order, a struct slow_answer when no peer is left. */
void slow_obey(int orders, int answers);

#endif
