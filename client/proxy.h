/* proxy.h - the PROXY header with which a connection can begin (HAProxy's PROXY protocol, versions 1 and
 * 2): who the peer is to be, told to a server that trusts this client. */
#ifndef SMTP_CLIENT_PROXY_H
#define SMTP_CLIENT_PROXY_H

#include "common/bytes.h"

#define SMTP_CLIENT_PROXY_MAX 107 /* the longest of version 1, without its NUL */

struct smtp_client_proxy_header {
    char octets[SMTP_CLIENT_PROXY_MAX + 1];
    size_t len;
};

/** Makes the header of "v1 SOURCE DESTINATION", "v2 SOURCE DESTINATION" (addresses with their ports, both
 *  IPv4 or both IPv6) or "v1 unknown", "v2 unknown". SMTP_BAD_ARGUMENT, SMTP_UNSAFE_ARGUMENT. */
enum smtp_status smtp_client_proxy_header_make(struct smtp_client_proxy_header *out,
                                               const char *text, struct smtp_error *error)
    SMTP_MUST_CHECK;

#endif
