/* tls_pair.h - the two ends of a TLS connection joined in memory, with an identity of their own.
 * Knows how a record is parted (RFC 8446 5.1); uses neither half's code. */
#ifndef SMTP_TESTS_SUPPORT_TLS_PAIR_H
#define SMTP_TESTS_SUPPORT_TLS_PAIR_H

#include "common/tls.h"

/** How the octets of the wire are handed over. */
enum smtp_delivery {
    SMTP_DELIVER_WHOLE,
    SMTP_DELIVER_OCTETS,  /* one by one */
    SMTP_DELIVER_RECORDS, /* one by one */
    SMTP_DELIVER_HALVES,  /* each record in two parts */
};

struct smtp_tls_pair {
    struct smtp_identity *identity;
    struct ssl_ctx_st *server_context, *client_context;
    struct smtp_tls *server, *client;
    enum smtp_tls_progress server_progress, client_progress; /* of the handshake */
    enum smtp_delivery delivery;
};

/** An identity with that flaw, a server's context for it and a client's that trusts its authority.
 *  Aborts where that fails. */
void smtp_tls_pair_make(struct smtp_tls_pair *pair, enum smtp_identity_flaw flaw);
/** Both ends anew, as the contexts are now, no octet exchanged. session: to resume; borrowed. */
void smtp_tls_pair_connect(struct smtp_tls_pair *pair, const char *name,
                           struct ssl_session_st *session);
/** Goes on with the handshake until both ends have said all they have to say: both DONE. */
bool smtp_tls_pair_shake(struct smtp_tls_pair *pair);
/** Hands over what one end has for the other, as pair->delivery tells; after each part `to` goes on
 *  with its handshake. False: there was nothing. */
bool smtp_tls_pair_move(struct smtp_tls *from, struct smtp_tls *to, enum smtp_delivery delivery,
                        enum smtp_tls_progress *progress);
void smtp_tls_pair_free(struct smtp_tls_pair *pair);

#endif
