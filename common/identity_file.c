/* identity_file.c - an identity as PEM: loaded from files, written as text, shown by a TLS context,
 * counted. Making certificates is identity.c's. */
#include "common/error.h"
#include "common/identity.h"
#include "common/secret.h"
#include "common/tls_failure.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>

/* ---- writing ---- */

/* What was written, as a text of the heap; takes bio. NULL: OpenSSL's error queue says why. */
static char *text_of(BIO *bio, bool written)
{
    char *bytes = NULL;
    long len = bio != NULL && written ? BIO_get_mem_data(bio, &bytes) : -1;
    char *text = len >= 0 ? malloc((size_t)len + 1) : NULL;
    if (text != NULL) {
        smtp_bytes_copy(text, (struct smtp_span){bytes, (size_t)len});
        text[len] = '\0';
    } else if (len >= 0) {
        ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);
    }
    BIO_free(bio);
    return text;
}

static char *certificates_text(X509 *certificate, const STACK_OF(X509) * chain)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool written =
        bio != NULL && (certificate == NULL || PEM_write_bio_X509(bio, certificate) == 1);
    for (int i = 0; written && i < sk_X509_num(chain); i++) {
        written = PEM_write_bio_X509(bio, sk_X509_value(chain, i)) == 1;
    }
    return text_of(bio, written);
}

static char *key_text(const EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when it is freed */
    bool written =
        bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;
    return text_of(bio, written);
}

bool smtp_identity_write_pem(struct smtp_identity *identity)
{
    identity->ca_pem = certificates_text(identity->ca, NULL);
    identity->certificate_pem = certificates_text(identity->certificate, identity->chain);
    identity->key_pem = key_text(identity->key);
    return identity->ca_pem != NULL && identity->certificate_pem != NULL &&
           identity->key_pem != NULL;
}

/* ---- loading ---- */

/* PEM_read_bio_X509 has failed: at the end of the file, or before. */
static bool at_the_end(void)
{
    return ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_PEM &&
           ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

static enum smtp_status no_certificate(const char *file, int before, struct smtp_error *error)
{
    if (!smtp_tls_input_is_bad()) {
        return smtp_tls_failed(error, "%s: certificate %d is empty, or cannot be read", file,
                               before + 1);
    }
    if (at_the_end()) {
        ERR_clear_error();
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "%s: expected PEM with \"-----BEGIN CERTIFICATE-----\", found none",
                              file);
    }
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "%s: certificate %d is damaged (%s)", file,
                          before + 1, smtp_tls_queue_reason());
}

static enum smtp_status load_certificates(struct smtp_identity *identity, const char *file,
                                          struct smtp_error *error)
{
    BIO *bio;
    enum smtp_status status = smtp_tls_open_file(&bio, file, "certificate", error);
    if (status != SMTP_OK) {
        return status;
    }
    identity->chain = sk_X509_new_null();
    identity->certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    X509 *next = NULL;
    while (identity->certificate != NULL && identity->chain != NULL &&
           (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_push(identity->chain, next) == 0) {
            X509_free(next);
            break;
        }
    }
    if (identity->chain == NULL || next != NULL) {
        status = smtp_error_set(error, SMTP_NO_MEMORY, 0, "no memory for a certificate's chain");
    } else if (identity->certificate == NULL || !at_the_end()) {
        int before = identity->certificate == NULL ? 0 : 1 + sk_X509_num(identity->chain);
        status = no_certificate(file, before, error);
    }
    BIO_free(bio);
    ERR_clear_error();
    return status;
}

/* In place of OpenSSL's own, which asks at the terminal. */
static int no_passphrase(char *text, int size, int writing, void *asked)
{
    (void)text, (void)size, (void)writing;
    *(bool *)asked = true;
    return -1;
}

static enum smtp_status load_key(struct smtp_identity *identity, const char *file,
                                 struct smtp_error *error)
{
    BIO *bio;
    enum smtp_status status = smtp_tls_open_file(&bio, file, "key", error);
    if (status != SMTP_OK) {
        return status;
    }
    bool asked = false;
    identity->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
    BIO_free(bio);
    if (identity->key != NULL) {
        ERR_clear_error();
        return SMTP_OK;
    }
    if (asked) {
        ERR_clear_error();
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "%s: the key is encrypted; store it without a passphrase", file);
    }
    if (!smtp_tls_input_is_bad()) {
        return smtp_tls_failed(error, "%s: the key is empty, or cannot be read", file);
    }
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                          "%s: expected a private key in PEM, found none that can be read (%s)",
                          file, smtp_tls_queue_reason());
}

/* OpenSSL decodes the public key with the certificate, and keeps to itself why it could not. */
static enum smtp_status check_pair(const struct smtp_identity *identity,
                                   const char *certificate_file, const char *key_file,
                                   struct smtp_error *error)
{
    if (X509_get0_pubkey(identity->certificate) == NULL) {
        return smtp_tls_failed(error, "%s: the certificate's public key cannot be used",
                               certificate_file);
    }
    if (X509_check_private_key(identity->certificate, identity->key) == 1) {
        return SMTP_OK;
    }
    if (!smtp_tls_input_is_bad()) {
        return smtp_tls_failed(error, "%s: the key cannot be compared", key_file);
    }
    ERR_clear_error();
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                          "%s: this key does not belong to the certificate in %s (the server's own "
                          "must be the first there)",
                          key_file, certificate_file);
}

static enum smtp_status load_all(struct smtp_identity *identity, const char *certificate_file,
                                 const char *key_file, struct smtp_error *error)
{
    enum smtp_status status = load_certificates(identity, certificate_file, error);
    status = status == SMTP_OK ? load_key(identity, key_file, error) : status;
    status = status == SMTP_OK ? check_pair(identity, certificate_file, key_file, error) : status;
    if (status != SMTP_OK) {
        return status;
    }
    return smtp_identity_write_pem(identity) ? SMTP_OK
                                             : smtp_tls_failed(error, "%s", certificate_file);
}

enum smtp_status smtp_identity_load(struct smtp_identity **out, const char *certificate_file,
                                    const char *key_file, struct smtp_error *error)
{
    ERR_clear_error();
    struct smtp_identity *identity = calloc(1, sizeof *identity);
    if (identity == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "no memory for an identity");
    }
    atomic_init(&identity->references, 1);
    enum smtp_status status =
        load_all(identity, certificate_file, key_file != NULL ? key_file : certificate_file, error);
    if (status != SMTP_OK) {
        smtp_identity_release(identity);
        return status;
    }
    *out = identity;
    return SMTP_OK;
}

/* ---- showing, counting ---- */

bool smtp_identity_use(const struct smtp_identity *identity, struct ssl_ctx_st *context)
{
    return SSL_CTX_use_cert_and_key(context, identity->certificate, identity->key, identity->chain,
                                    1) == 1;
}

struct smtp_identity *smtp_identity_retain(struct smtp_identity *identity)
{
    atomic_fetch_add_explicit(&identity->references, 1, memory_order_relaxed);
    return identity;
}

void smtp_identity_release(struct smtp_identity *identity)
{
    if (identity == NULL ||
        atomic_fetch_sub_explicit(&identity->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    X509_free(identity->certificate);
    sk_X509_pop_free(identity->chain, X509_free);
    EVP_PKEY_free(identity->key);
    X509_free(identity->ca);
    EVP_PKEY_free(identity->ca_key);
    free(identity->ca_pem);
    free(identity->certificate_pem);
    smtp_secret_free(identity->key_pem);
    free(identity);
}

const char *smtp_identity_ca_pem(const struct smtp_identity *identity)
{
    return identity->ca_pem;
}

const char *smtp_identity_certificate_pem(const struct smtp_identity *identity)
{
    return identity->certificate_pem;
}

const char *smtp_identity_key_pem(const struct smtp_identity *identity)
{
    return identity->key_pem;
}
