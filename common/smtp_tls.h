/* smtp_tls.h - certificates without files, and what is known of a TLS connection. Knows no SMTP.
 *
 * Contract
 *   Ownership  An identity is immutable and counted: whoever keeps one retains it. Texts it hands
 *              out live as long as the reference.
 *   Threads    Every function here may be called from any thread.
 *   Errors     See smtp_status.h.
 *
 * Example: a certificate for localhost, and what another program needs to trust it
 *     struct smtp_identity *identity;
 *     if (smtp_identity_new(&identity, NULL, &error) == SMTP_OK) {
 *         fputs(smtp_identity_ca_pem(identity), ca_file);
 *         options.tls.identity = identity;
 *     }
 */
#ifndef SMTP_TLS_H
#define SMTP_TLS_H

#include "smtp_status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An OpenSSL SSL_CTX, for callers that bring their own. */
struct ssl_ctx_st;

/** A certificate with its private key and chain, and the authority that signed it. */
struct smtp_identity;

/** What is wrong with a certificate on request, so that a client that does not look is found out. */
enum smtp_identity_flaw {
    SMTP_IDENTITY_SOUND,
    SMTP_IDENTITY_EXPIRED,         /* its validity ended an hour ago */
    SMTP_IDENTITY_NOT_YET_VALID,   /* begins in an hour */
    SMTP_IDENTITY_WRONG_NAME,      /* is for wrong.invalid alone */
    SMTP_IDENTITY_SELF_SIGNED,     /* signed by its own key, by no authority */
    SMTP_IDENTITY_UNKNOWN_CA,      /* signed by another authority than smtp_identity_ca_pem tells */
    SMTP_IDENTITY_NO_INTERMEDIATE, /* signed by an intermediate authority that is not sent along */
};

struct smtp_identity_options {
    /** DNS names ("*.example.com" too) and IP addresses it is for. NULL: localhost, harness.test,
     *  127.0.0.1 and ::1. The first is its common name. */
    const char *const *names;
    size_t name_count;
    int64_t valid_from_unix_s;  /* 0: an hour ago */
    int64_t valid_until_unix_s; /* 0: in 30 days */
    enum smtp_identity_flaw flaw;
    /** Whose authority signs it, where that was made here too (borrowed). NULL: a new one is made. */
    const struct smtp_identity *authority;
};

/** Makes an authority, and a certificate signed by it, in memory (ECDSA P-256). options NULL: the
 *  defaults. SMTP_OK, SMTP_BAD_ARGUMENT (a name that is none, a validity that ends before it
 *  begins), SMTP_TLS_FAILED, SMTP_NO_MEMORY. One reference. */
enum smtp_status smtp_identity_new(struct smtp_identity **out,
                                   const struct smtp_identity_options *options,
                                   struct smtp_error *error) SMTP_MUST_CHECK;
/** A certificate for a client, signed by the same authority; common_name: like "ann". */
enum smtp_status smtp_identity_new_client(struct smtp_identity **out,
                                          const struct smtp_identity *authority,
                                          const char *common_name, struct smtp_error *error)
    SMTP_MUST_CHECK;
/** The user's own, from PEM files: the certificate with its chain behind it, and the key (NULL: in
 *  the same file). SMTP_BAD_ARGUMENT says which file and what is wrong with it, SMTP_TLS_FAILED that OpenSSL
 *  cannot use what is in it, SMTP_NO_MEMORY. */
enum smtp_status smtp_identity_load(struct smtp_identity **out, const char *certificate_file,
                                    const char *key_file, struct smtp_error *error) SMTP_MUST_CHECK;

struct smtp_identity *smtp_identity_retain(struct smtp_identity *identity); /* its argument */
void smtp_identity_release(struct smtp_identity *identity);                 /* NULL: nothing */

/** The authority's certificate as PEM, for whoever is to trust it; "" for a loaded identity. */
const char *smtp_identity_ca_pem(const struct smtp_identity *identity);
/** The certificate with its chain, and the key, as PEM: for programs that want files. */
const char *smtp_identity_certificate_pem(const struct smtp_identity *identity);
const char *smtp_identity_key_pem(const struct smtp_identity *identity);

/** What is known of a TLS connection; the texts are never NULL, "" for none. */
struct smtp_tls_facts {
    const char *version;     /* "TLSv1.3" */
    const char *cipher;      /* "TLS_AES_256_GCM_SHA384" */
    const char *server_name; /* asked for with SNI */
    /** The common name of the peer's verified certificate, else its whole subject. */
    const char *peer_subject;
    bool resumed; /* an earlier session was taken up again */
};

#ifdef __cplusplus
}
#endif
#endif
