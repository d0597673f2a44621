/* identity.h - what a TLS context takes of an identity. See smtp_tls.h for the rest. */
#ifndef SMTP_COMMON_IDENTITY_H
#define SMTP_COMMON_IDENTITY_H

#include "common/smtp_tls.h"

#include <openssl/x509.h>
#include <stdatomic.h>

/* Immutable once made, but for the count. */
struct smtp_identity {
    atomic_uint references;
    X509 *certificate;
    STACK_OF(X509) * chain; /* what is sent behind the certificate; NULL: nothing */
    EVP_PKEY *key;
    X509 *ca;         /* the authority that smtp_identity_ca_pem tells of; NULL: loaded */
    EVP_PKEY *ca_key; /* NULL: loaded */
    char *ca_pem;
    char *certificate_pem;
    char *key_pem;
};

/** Writes the PEM texts of a new identity whose other fields are there. False: OpenSSL's error queue says why. */
bool smtp_identity_write_pem(struct smtp_identity *identity);

/** Makes the context show this identity. False: OpenSSL's error queue says why. */
bool smtp_identity_use(const struct smtp_identity *identity, struct ssl_ctx_st *context);

#endif
