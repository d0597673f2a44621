/* tls.h - one TLS connection without I/O (OpenSSL on memory BIOs): octets of the wire in and out on
 * one side, plain octets on the other. Belongs to one thread at a time. Knows no SMTP. */
#ifndef SMTP_COMMON_TLS_H
#define SMTP_COMMON_TLS_H

#include "common/bytes.h"
#include "common/smtp_tls.h"

struct ssl_session_st;
struct smtp_tls;

/* ---- contexts: an SSL_CTX each, counted by OpenSSL; give back with smtp_tls_context_release. TLS 1.2
 * and 1.3, no renegotiation, no compression. May be used by all threads at once. ---- */

/** client_ca_pem: whose client certificates are taken, NULL: none is asked for. client_required: the
 *  handshake fails without one. Sessions can be resumed. */
enum smtp_status smtp_tls_server_context(struct ssl_ctx_st **out,
                                         const struct smtp_identity *identity,
                                         const char *client_ca_pem, bool client_required,
                                         struct smtp_error *error) SMTP_MUST_CHECK;

/** What a client trusts and shows. */
struct smtp_tls_trust {
    const char *ca_file; /* PEM; NULL: none */
    const char *ca_pem;  /* PEM as text; NULL: none. Neither: the system's authorities */
    bool insecure;       /* no look at the certificate at all */
    const struct smtp_identity *identity; /* the client's own certificate; NULL: none */
};
enum smtp_status smtp_tls_client_context(struct ssl_ctx_st **out,
                                         const struct smtp_tls_trust *trust,
                                         struct smtp_error *error) SMTP_MUST_CHECK;

/** Whether a server can work with a caller's SSL_CTX: SMTP_OK, or SMTP_BAD_ARGUMENT where it has no
 *  certificate or the key is not the certificate's. */
enum smtp_status smtp_tls_context_check(const struct ssl_ctx_st *context, struct smtp_error *error)
    SMTP_MUST_CHECK;

struct ssl_ctx_st *smtp_tls_context_retain(struct ssl_ctx_st *context); /* its argument */
void smtp_tls_context_release(struct ssl_ctx_st *context);              /* NULL: nothing */

/* ---- connections ---- */

/** NULL: out of memory. */
struct smtp_tls *smtp_tls_new_server(struct ssl_ctx_st *context);
/** name: a domain name (sent as SNI) or a numeric address that the certificate must be for, where the
 *  context verifies; NULL: neither. session: an earlier one to resume, or NULL; borrowed. */
struct smtp_tls *smtp_tls_new_client(struct ssl_ctx_st *context, const char *name,
                                     struct ssl_session_st *session);
void smtp_tls_free(struct smtp_tls *tls);

enum smtp_tls_progress {
    SMTP_TLS_DONE,  /* the handshake is over; or octets were read */
    SMTP_TLS_WAITS, /* for octets of the wire */
    SMTP_TLS_ENDED, /* the peer said that nothing more comes (close_notify) */
    SMTP_TLS_BROKEN, /* it failed: smtp_tls_error says why; what is pending (an alert) may be written */
};

/** Octets from the wire; copied. False: out of memory or more than it may hold (1 MiB undecrypted). */
bool smtp_tls_receive(struct smtp_tls *tls, const char *bytes, size_t len);
/** How many octets of the wire wait undecrypted. */
size_t smtp_tls_undecrypted(const struct smtp_tls *tls);
/** Goes on with the handshake; call first and after each receive until it is DONE. */
enum smtp_tls_progress smtp_tls_handshake(struct smtp_tls *tls);
/** Up to capacity plain octets; DONE: *len > 0. */
enum smtp_tls_progress smtp_tls_read(struct smtp_tls *tls, char *bytes, size_t capacity,
                                     size_t *len);
/** Encrypts all of it into what is pending, in records of 1,400 octets at first and 16 KiB for bulk. False: out of memory or
 *  broken. */
bool smtp_tls_write(struct smtp_tls *tls, struct smtp_span plain) SMTP_MUST_CHECK;
/** Says that nothing more comes (close_notify), into what is pending. Once. */
void smtp_tls_shut_down(struct smtp_tls *tls);

/** Octets for the wire; borrowed until the next call. */
struct smtp_span smtp_tls_pending(const struct smtp_tls *tls);
void smtp_tls_sent(struct smtp_tls *tls, size_t len);

/** One line: what failed, as a person can act on, like "the certificate is for wrong.invalid, not for
 *  localhost" or "certificate has expired"; "" while nothing has. */
const char *smtp_tls_error(const struct smtp_tls *tls);
/** After the handshake; borrowed from tls. */
const struct smtp_tls_facts *smtp_tls_facts(const struct smtp_tls *tls);

/** Channel binding data (RFC 5929, RFC 9266) into bytes of 64 octets; 0: this connection has none of
 *  that kind (tls-unique: TLS 1.2 alone); SMTP_TLS_BINDING_FAILED: OpenSSL could not, for want of memory. */
enum smtp_tls_binding { SMTP_TLS_UNIQUE, SMTP_TLS_EXPORTER };
#define SMTP_TLS_BINDING_MAX 64
#define SMTP_TLS_BINDING_FAILED SIZE_MAX
size_t smtp_tls_binding(const struct smtp_tls *tls, enum smtp_tls_binding kind,
                        char bytes[SMTP_TLS_BINDING_MAX]);

/** The session for a later connection, owned by the caller; NULL: it cannot be resumed (yet). */
struct ssl_session_st *smtp_tls_session(const struct smtp_tls *tls);
void smtp_tls_session_free(struct ssl_session_st *session);

#endif
