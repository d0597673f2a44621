/* trusted.h - the peers that are believed what they say of others, with XCLIENT and PROXY:
 * options.trusted_peers, checked and kept as addresses. */
#ifndef SMTP_SERVER_TRUSTED_H
#define SMTP_SERVER_TRUSTED_H

#include "common/smtp_status.h"

#include <stdbool.h>
#include <stddef.h>

/** One entry: the peers whose address has the first `bits` bits in common with this one. */
struct smtp_server_network {
    int family;                /* AF_INET, AF_INET6 or AF_UNIX */
    unsigned bits;             /* 0 for AF_UNIX */
    unsigned char address[16]; /* in network order */
};

struct smtp_server_trusted {
    struct smtp_server_network *networks; /* owned */
    size_t count;
};

/** Takes the entries apart: "127.0.0.1", "::1", "10.0.0.0/8", "2001:db8::/32", "unix:".
 *  SMTP_BAD_ARGUMENT names the entry and what is wrong with it; on failure nothing is to be cleared. */
enum smtp_status smtp_server_trusted_init(struct smtp_server_trusted *trusted,
                                          const char *const *entries, size_t count,
                                          struct smtp_error *error) SMTP_MUST_CHECK;
void smtp_server_trusted_clear(struct smtp_server_trusted *trusted);

/** peer: as smtp_server_session_info has it, "127.0.0.1:40112", "[::1]:2525", "unix:". An IPv4 address
 *  that is written as IPv6 ("::ffff:127.0.0.1") is the IPv4 address. What is no address is not trusted. */
bool smtp_server_trusts(const struct smtp_server_trusted *trusted, const char *peer);

#endif
