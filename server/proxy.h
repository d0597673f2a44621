/* proxy.h - the header of the PROXY protocol, versions 1 and 2, in which a proxy tells whose
 * connection it hands on ("The PROXY protocol", HAProxy's doc/proxy-protocol.txt). Octets go in; who
 * the peer is comes out. */
#ifndef SMTP_SERVER_PROXY_H
#define SMTP_SERVER_PROXY_H

#include "common/address.h"

#include <stdbool.h>
#include <stddef.h>

/** The whole of a header of version 1, "PROXY TCP6 ...\r\n" (section 2.1). */
#define SMTP_PROXY_LINE_MAX 107
/** The whole of a header of version 2. The format allows 65551 octets; addresses take 232 at most, and
 *  what proxies add to them some hundred. */
#define SMTP_PROXY_HEADER_MAX 4096

enum smtp_server_proxy_progress {
    SMTP_SERVER_PROXY_WAITS, /* for more octets */
    SMTP_SERVER_PROXY_DONE,
    SMTP_SERVER_PROXY_MALFORMED, /* or over-long; ->wrong says what is wrong with it */
};

/** Zero-initialise. */
struct smtp_server_proxy {
    const char *wrong; /* of MALFORMED */
    /** Of DONE: the header names a source. Without one (UNKNOWN, UNSPEC, LOCAL, or no kind of address that
     *  this server serves) the peer is who connected. */
    bool named;
    struct smtp_address source;
    size_t len; /* octets so far */
    unsigned char octets[SMTP_PROXY_HEADER_MAX];
};

/** Takes octets up to the end of the header and no further: *used tells how many. Not after DONE or
 *  MALFORMED. */
enum smtp_server_proxy_progress smtp_server_proxy_receive(struct smtp_server_proxy *proxy,
                                                          const char *bytes, size_t len,
                                                          size_t *used);

#endif
