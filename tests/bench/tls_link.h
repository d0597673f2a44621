/* tls_link.h - one TLS session of a client that blocks and verifies nothing, as the server is what is measured. */
#ifndef SMTP_TESTS_BENCH_TLS_LINK_H
#define SMTP_TESTS_BENCH_TLS_LINK_H

#include "common/tls.h"

struct tls_link {
    int fd;               /* -1: none */
    struct smtp_tls *tls; /* NULL: none */
};

/** Connects, says EHLO and STARTTLS or nothing, and shakes hands. Close it in any case.
 *  session: to be resumed; NULL: none. */
bool tls_link_open(struct tls_link *link, uint16_t port, bool starttls, struct ssl_ctx_st *context,
                   struct ssl_session_st *session);
/** One command, and octets until a line ends one that begins with `code`, as in "\n250 ". */
bool tls_link_say(struct tls_link *link, const char *command, const char *code);
bool tls_link_flush(struct tls_link *link);   /* writes what is pending */
bool tls_link_receive(struct tls_link *link); /* waits for octets of the wire */
void tls_link_close(struct tls_link *link);

#endif
