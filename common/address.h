/* address.h - where to listen and where to connect, as people write it. Looks no name up. */
#ifndef SMTP_COMMON_ADDRESS_H
#define SMTP_COMMON_ADDRESS_H

#include "common/smtp_status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define SMTP_HOST_MAX 255 /* a domain name's length, RFC 1035 2.3.4 */
#define SMTP_ADDRESS_TEXT_SIZE 320

enum smtp_address_kind { SMTP_ADDRESS_TCP, SMTP_ADDRESS_UNIX };

/** "host:port", "host", "[IPv6]:port", "[IPv6]", a bare IPv6 address, or "unix:PATH". */
struct smtp_address {
    enum smtp_address_kind kind;
    char host[SMTP_HOST_MAX + 1]; /* without brackets; the path for a Unix socket (at most 107) */
    uint16_t port;
};

/** Takes the text apart; where it names no port, default_port. Only more than one ':' outside
 *  brackets makes it a bare IPv6 address. SMTP_BAD_ARGUMENT with a message that names the part. */
enum smtp_status smtp_address_parse(const char *text, uint16_t default_port,
                                    struct smtp_address *out, struct smtp_error *error)
    SMTP_MUST_CHECK;

/** "127.0.0.1:25", "[::1]:25" or "unix:PATH" into text of SMTP_ADDRESS_TEXT_SIZE octets. */
void smtp_address_format(const struct smtp_address *address, char *text);

/** The same of a socket's own (peer false) or other end; "unix:" for an unnamed Unix socket. False, with errno: the
 *  system does not say, and its host is "unknown". */
bool smtp_address_of_socket(int fd, bool peer, struct smtp_address *out);

/** A numeric TCP address or Unix path as sockaddr; "localhost" is 127.0.0.1, any other name is
 *  SMTP_BAD_ARGUMENT: a server never asks a name server. */
enum smtp_status smtp_address_to_sockaddr(const struct smtp_address *address,
                                          struct sockaddr_storage *out, socklen_t *out_len,
                                          struct smtp_error *error) SMTP_MUST_CHECK;

#endif
