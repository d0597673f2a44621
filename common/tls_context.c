/* tls_context.c - the contexts of tls.h: which versions, whose certificates, what is resumed. Knows
 * nothing of a connection. */
#include "common/error.h"
#include "common/identity.h"
#include "common/tls.h"
#include "common/tls_failure.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#define SESSIONS_KEPT 1024 /* for clients without tickets (RFC 5077); one takes some 2 KiB */

static const unsigned char session_id_context[] = "smtp"; /* sessions are this program's alone */

static SSL_CTX *new_context(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);
    if (context != NULL) {
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
        SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
        SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN); /* what the identity has, no more */
    }
    return context;
}

/* Every certificate of the text; where: for the message. Takes source. */
static enum smtp_status trust_all(SSL_CTX *context, BIO *source, const char *where, bool name_them,
                                  struct smtp_error *error)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    unsigned count = 0;
    bool added = true;
    X509 *certificate;
    ERR_clear_error();
    while (added && (certificate = PEM_read_bio_X509(source, NULL, NULL, NULL)) != NULL) {
        added = X509_STORE_add_cert(store, certificate) == 1 &&
                (!name_them || SSL_CTX_add_client_CA(context, certificate) == 1);
        X509_free(certificate);
        count++;
    }
    BIO_free(source);
    if (!added) {
        return smtp_tls_failed(error, "an authority's certificate cannot be trusted");
    }
    if (!smtp_tls_input_is_bad()) {
        return smtp_tls_failed(error,
                               "%s: certificate %u of the authorities is empty, or cannot be read",
                               where, count + 1);
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) { /* the end */
        ERR_clear_error();
        return count > 0
                   ? SMTP_OK
                   : smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                    "%s: expected certificates of authorities in PEM, found none",
                                    where);
    }
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                          "%s: certificate %u of the authorities is damaged (%s)", where, count + 1,
                          smtp_tls_queue_reason());
}

static enum smtp_status trust_text(SSL_CTX *context, const char *pem, bool name_them,
                                   struct smtp_error *error)
{
    BIO *source = BIO_new_mem_buf(pem, -1);
    if (source == NULL) {
        return smtp_tls_failed(error, "the authorities cannot be read");
    }
    return trust_all(context, source, "the authorities' text", name_them, error);
}

static enum smtp_status trust_file(SSL_CTX *context, const char *file, struct smtp_error *error)
{
    BIO *source;
    enum smtp_status status = smtp_tls_open_file(&source, file, "authorities' file", error);
    if (status != SMTP_OK) {
        return status;
    }
    return trust_all(context, source, file, false, error);
}

static enum smtp_status give(struct ssl_ctx_st **out, SSL_CTX *context, enum smtp_status status)
{
    if (status != SMTP_OK) {
        SSL_CTX_free(context);
        return status;
    }
    *out = context;
    return SMTP_OK;
}

/* A name that is asked for is acknowledged, and kept with the session for when it is resumed (RFC
 * 6066 3): there is one certificate, whatever the name. */
static int take_any_name(SSL *ssl, int *alert, void *user)
{
    (void)ssl, (void)alert, (void)user;
    return SSL_TLSEXT_ERR_OK;
}

enum smtp_status smtp_tls_server_context(struct ssl_ctx_st **out,
                                         const struct smtp_identity *identity,
                                         const char *client_ca_pem, bool client_required,
                                         struct smtp_error *error)
{
    ERR_clear_error();
    SSL_CTX *context = new_context(TLS_server_method());
    if (context == NULL || !smtp_identity_use(identity, context)) {
        return give(out, context, smtp_tls_failed(error, "the server's TLS context"));
    }
    SSL_CTX_set_session_id_context(context, session_id_context, sizeof session_id_context - 1);
    SSL_CTX_sess_set_cache_size(context, SESSIONS_KEPT);
    SSL_CTX_set_num_tickets(context, 1); /* a client may use it more than once */
    SSL_CTX_set_tlsext_servername_callback(context, take_any_name);
    enum smtp_status status = SMTP_OK;
    if (client_ca_pem != NULL) {
        SSL_CTX_set_verify(context,
                           SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE |
                               (client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                           NULL);
        status = trust_text(context, client_ca_pem, true, error);
    } else if (client_required) {
        status = smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                "client certificates are required: say which authority's");
    }
    return give(out, context, status);
}

static enum smtp_status trust_as_told(SSL_CTX *context, const struct smtp_tls_trust *trust,
                                      struct smtp_error *error)
{
    if (trust->ca_file == NULL && trust->ca_pem == NULL) {
        return SSL_CTX_set_default_verify_paths(context) == 1
                   ? SMTP_OK
                   : smtp_tls_failed(error, "the system's authorities cannot be read");
    }
    enum smtp_status status = SMTP_OK;
    if (trust->ca_file != NULL) {
        status = trust_file(context, trust->ca_file, error);
    }
    if (status == SMTP_OK && trust->ca_pem != NULL) {
        status = trust_text(context, trust->ca_pem, false, error);
    }
    return status;
}

enum smtp_status smtp_tls_client_context(struct ssl_ctx_st **out,
                                         const struct smtp_tls_trust *trust,
                                         struct smtp_error *error)
{
    ERR_clear_error();
    SSL_CTX *context = new_context(TLS_client_method());
    if (context == NULL ||
        (trust->identity != NULL && !smtp_identity_use(trust->identity, context))) {
        return give(out, context, smtp_tls_failed(error, "the client's TLS context"));
    }
    enum smtp_status status = SMTP_OK;
    if (!trust->insecure) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        status = trust_as_told(context, trust, error);
        ERR_clear_error(); /* a system without authorities leaves something */
    }
    return give(out, context, status);
}

enum smtp_status smtp_tls_context_check(const struct ssl_ctx_st *context, struct smtp_error *error)
{
    ERR_clear_error();
    if (SSL_CTX_check_private_key(context) == 1) {
        return SMTP_OK;
    }
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                          "the SSL_CTX must hold a certificate and its key: %s",
                          smtp_tls_queue_reason());
}

struct ssl_ctx_st *smtp_tls_context_retain(struct ssl_ctx_st *context)
{
    SSL_CTX_up_ref(context);
    return context;
}

void smtp_tls_context_release(struct ssl_ctx_st *context)
{
    SSL_CTX_free(context);
}
