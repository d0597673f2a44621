/* wire.h - the plain end of an SMTP connection for tests, in the clear or over TLS: octets out,
 * replies in, every wait bounded. Knows how replies are parted (RFC 5321 4.2.1). Uses neither half's
 * protocol code. */
#ifndef SMTP_TESTS_SUPPORT_WIRE_H
#define SMTP_TESTS_SUPPORT_WIRE_H

#include "common/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct smtp_wire {
    int fd;               /* -1: no connection */
    struct smtp_tls *tls; /* NULL: in the clear; owned */
    bool end_came;        /* the peer said close_notify */
    size_t len;           /* octets in text */
    char text[8192];      /* a reply must fit */
    char reply[8192];
};

/** Connects to "127.0.0.1:25", "[::1]:25" or "unix:PATH". False: no connection (fd is -1). */
bool smtp_wire_connect(struct smtp_wire *wire, const char *address);
/** From here on TLS, as its client: the whole handshake. Context, name and session as for
 *  smtp_tls_new_client. False: it failed, and smtp_tls_error(wire->tls) says why, or the peer went. */
bool smtp_wire_secure(struct smtp_wire *wire, struct ssl_ctx_st *context, const char *name,
                      struct ssl_session_st *session);
/** Sends all; false when the peer has gone or takes nothing for 10 s. */
bool smtp_wire_send(struct smtp_wire *wire, const char *octets, size_t len);
/** The next whole reply, its lines parted by LF; "" when the peer closed or 10 s passed. Valid
 *  until the next call. */
const char *smtp_wire_reply(struct smtp_wire *wire);
/** Sends a command line (CRLF is added) and gives its reply. */
const char *smtp_wire_ask(struct smtp_wire *wire, const char *line);
/** Reads on to the end: true when the peer closed (or reset) within 10 s. */
bool smtp_wire_closed(struct smtp_wire *wire);
void smtp_wire_close(struct smtp_wire *wire);
/** The same, by a reset (RST) instead of an orderly end. */
void smtp_wire_reset(struct smtp_wire *wire);

/** A list of one listener's address, of this process alone ("127.n.n.n:0"): a server can be started there again, as no
 *  other's connection has taken its port meanwhile. Valid until the next call. */
const char *const *smtp_own_loopback(void);

/** Descriptors open in this process, and its threads. */
unsigned smtp_count_descriptors(void);
unsigned smtp_count_threads(void);

#endif
