/* certificates.c - see certificates.h. */
#include "harness/selftest/certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

static void release_identity(void *thing)
{
    smtp_identity_release(thing);
}

static void release_context(void *thing)
{
    SSL_CTX_free(thing);
}

static struct smtp_identity *keep(struct smtp_trial *trial, enum smtp_status status,
                                  struct smtp_identity *identity, const struct smtp_error *error)
{
    if (status != SMTP_OK) {
        smtp_trial_fail(trial, "no certificate: %s", error->message);
        return NULL;
    }
    return smtp_trial_own(trial, identity, release_identity);
}

static struct smtp_identity *make(struct smtp_trial *trial,
                                  const struct smtp_identity_options *options)
{
    struct smtp_identity *identity = NULL;
    struct smtp_error error = {.status = SMTP_OK};
    enum smtp_status status = smtp_identity_new(&identity, options, &error);
    return keep(trial, status, identity, &error);
}

struct smtp_identity *smtp_trial_identity(struct smtp_trial *trial, enum smtp_identity_flaw flaw)
{
    return make(trial, &(struct smtp_identity_options){.flaw = flaw});
}

struct smtp_identity *smtp_trial_identity_for(struct smtp_trial *trial, const char *name)
{
    return make(trial, &(struct smtp_identity_options){.names = &name, .name_count = 1});
}

struct smtp_identity *smtp_trial_client_identity(struct smtp_trial *trial,
                                                 const struct smtp_identity *authority,
                                                 const char *common_name)
{
    struct smtp_identity *identity = NULL;
    struct smtp_error error = {.status = SMTP_OK};
    enum smtp_status status = smtp_identity_new_client(&identity, authority, common_name, &error);
    return keep(trial, status, identity, &error);
}

/* ---- contexts ---- */

static X509 *read_certificate(const char *pem)
{
    BIO *text = BIO_new_mem_buf(pem, -1);
    X509 *certificate = text != NULL ? PEM_read_bio_X509(text, NULL, NULL, NULL) : NULL;
    BIO_free(text);
    return certificate;
}

static EVP_PKEY *read_key(const char *pem)
{
    BIO *text = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = text != NULL ? PEM_read_bio_PrivateKey(text, NULL, NULL, NULL) : NULL;
    BIO_free(text);
    return key;
}

static struct ssl_ctx_st *keep_context(struct smtp_trial *trial, SSL_CTX *context, bool made)
{
    if (!made) {
        ERR_clear_error();
        SSL_CTX_free(context);
        smtp_trial_fail(trial, "no TLS context could be made");
        return NULL;
    }
    return smtp_trial_own(trial, context, release_context);
}

struct ssl_ctx_st *smtp_trial_client_context(struct smtp_trial *trial, const char *ca_pem,
                                             int newest_version)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    X509 *authority = read_certificate(ca_pem);
    bool made = context != NULL && authority != NULL &&
                X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority) == 1 &&
                SSL_CTX_set_max_proto_version(context, newest_version) == 1;
    X509_free(authority);
    if (made) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    }
    return keep_context(trial, context, made);
}

struct ssl_ctx_st *smtp_trial_server_context(struct smtp_trial *trial,
                                             const struct smtp_identity *identity)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    X509 *certificate = read_certificate(smtp_identity_certificate_pem(identity));
    EVP_PKEY *key = read_key(smtp_identity_key_pem(identity));
    bool made = context != NULL && certificate != NULL && key != NULL &&
                SSL_CTX_use_certificate(context, certificate) == 1 &&
                SSL_CTX_use_PrivateKey(context, key) == 1;
    X509_free(certificate);
    EVP_PKEY_free(key);
    return keep_context(trial, context, made);
}
