/* own.h - the other end of a load, in this process: a server on threads of its own, which looks at each message as it is
 * captured: is it whole, and is it there for the first time? */
#ifndef SMTP_HARNESS_LOAD_OWN_H
#define SMTP_HARNESS_LOAD_OWN_H

#include "client/smtp_client.h"
#include "harness/load/tally.h"

enum smtp_load_scheme { SMTP_LOAD_SMTP, SMTP_LOAD_SMTPS, SMTP_LOAD_LMTP };

struct smtp_load_own_options {
    enum smtp_load_scheme scheme;
    bool tls; /* STARTTLS is offered; a certificate is made for that, and with SMTPS */
    const struct smtp_client_credentials
        *credentials;  /* who may log in, and must; NULL: there is no AUTH */
    unsigned workers;  /* loops, 1..64 */
    size_t recipients; /* of a message, at most */
    uint64_t octets;   /* likewise */
};

struct smtp_load_own;

enum smtp_status smtp_load_own_start(struct smtp_load_own **out,
                                     const struct smtp_load_own_options *options,
                                     struct smtp_error *error) SMTP_MUST_CHECK;
/** "127.0.0.1:41233", or "lmtp://..."; as smtp_client_connect takes it. */
const char *smtp_load_own_host(const struct smtp_load_own *own);
/** Whom a client must trust; "" without TLS. */
const char *smtp_load_own_ca_pem(const struct smtp_load_own *own);
/** Stops; from here on nothing more arrives. Idempotent. */
void smtp_load_own_stop(struct smtp_load_own *own);
/** The numbers that arrived whole; those that came again are counted in it. */
const struct smtp_tally *smtp_load_own_arrived(const struct smtp_load_own *own);
/** Messages that were not as they were sent. */
uint64_t smtp_load_own_damaged(const struct smtp_load_own *own);
void smtp_load_own_free(struct smtp_load_own *own); /* NULL: nothing */

#endif
