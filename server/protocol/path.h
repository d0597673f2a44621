/* path.h - domains, address literals and paths as the grammar of RFC 5321 4.1.2 and 4.1.3 has them,
 * and that of RFC 6531 3.3, which adds characters above U+007F. */
#ifndef SMTP_SERVER_PROTOCOL_PATH_H
#define SMTP_SERVER_PROTOCOL_PATH_H

#include "common/bytes.h"
#include "server/smtp_server.h"

enum smtp_path_fault {
    SMTP_PATH_OK,
    SMTP_PATH_MALFORMED,
    SMTP_PATH_EIGHT_BIT,           /* malformed, with an octet above 127 */
    SMTP_PATH_LOCAL_PART_TOO_LONG, /* the limits of RFC 5321 4.5.3.1 */
    SMTP_PATH_DOMAIN_TOO_LONG,
    SMTP_PATH_TOO_LONG,
};

enum smtp_path_kind { SMTP_REVERSE_PATH, SMTP_FORWARD_PATH };

struct smtp_path {
    struct smtp_span text;   /* between the brackets, source route and all */
    struct smtp_span domain; /* or address literal, of its mailbox; empty: it has none */
};

/** Reads the bracketed path that *text starts with and moves *text past it. A reverse-path may be
 *  empty; a forward-path may be postmaster without a domain (RFC 5321 4.5.1). Characters above U+007F
 *  are taken; whether they may be there is the caller's to say. */
enum smtp_path_fault smtp_path_read(struct smtp_span *text, enum smtp_path_kind kind,
                                    const struct smtp_server_limits *limits,
                                    struct smtp_path *path);

/** Whether it is an address as it stands in a literal, whole; of IPv6 without its tag. */
bool smtp_is_ipv4(struct smtp_span text);
bool smtp_is_ipv6(struct smtp_span text);
/** Whether it is an Atom of ASCII, whole. */
bool smtp_is_atom(struct smtp_span text);

/** Whether it is a domain or an address literal in ASCII, whole: the argument of EHLO and HELO (RFC
 *  6531 3.7.1). */
bool smtp_is_domain_or_literal(struct smtp_span text, size_t max_octets);

#endif
