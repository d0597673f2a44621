/* certificate.c - see certificate.h.
 * Knows: whom a made certificate is for. Does not know: how one is made (common/identity.c), what
 * is done with it (secure.c). */
#include "server/certificate.h"

#include "common/error.h"
#include "common/tls.h"

#include <stdlib.h>
#include <strings.h>

/* localhost, 127.0.0.1, ::1 and the hostname, beside the addresses listened on. */
#define OWN_NAMES 4

/* ---- making one ---- */

static size_t add_name(const char **names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(names[i], name) == 0) {
            return count;
        }
    }
    names[count] = name;
    return count + 1;
}

static enum smtp_status make_identity(struct smtp_identity **out,
                                      const struct smtp_server_settings *settings,
                                      struct smtp_error *error)
{
    const char **names = calloc(settings->listen_count + OWN_NAMES, sizeof *names);
    if (names == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    size_t count = add_name(names, 0, "localhost");
    count = add_name(names, count, "127.0.0.1");
    count = add_name(names, count, "::1");
    for (size_t i = 0; i < settings->listen_count; i++) {
        if (settings->listen[i].address.kind == SMTP_ADDRESS_TCP) {
            count = add_name(names, count, settings->listen[i].address.host);
        }
    }
    size_t without_hostname = count;
    count = add_name(names, count, settings->hostname);
    struct smtp_identity_options options = {.names = names, .name_count = count};
    enum smtp_status status = smtp_identity_new(out, &options, error);
    if (status == SMTP_BAD_ARGUMENT) { /* a hostname like "[192.0.2.1]", for which there is none */
        options.name_count = without_hostname;
        status = smtp_identity_new(out, &options, error);
    }
    free(names);
    return status;
}

/* Takes a reference to the identity where it succeeds. */
static enum smtp_status use_identity(struct smtp_server_certificate *certificate,
                                     struct smtp_identity *identity, struct smtp_error *error)
{
    const struct smtp_server_settings *settings = certificate->settings;
    struct ssl_ctx_st *context;
    enum smtp_status status = smtp_tls_server_context(&context, identity, settings->client_ca_pem,
                                                      settings->client_certificate_required, error);
    if (status == SMTP_OK) {
        smtp_identity_retain(identity); /* first: it may be the one that is released */
        smtp_tls_context_release(certificate->context);
        smtp_identity_release(certificate->identity);
        certificate->context = context;
        certificate->identity = identity;
    }
    return status;
}

static enum smtp_status use_context(struct smtp_server_certificate *certificate,
                                    struct ssl_ctx_st *context, struct smtp_error *error)
{
    enum smtp_status status = smtp_tls_context_check(context, error);
    if (status == SMTP_OK) {
        smtp_tls_context_retain(context); /* first, likewise */
        smtp_tls_context_release(certificate->context);
        smtp_identity_release(certificate->identity);
        certificate->context = context;
        certificate->identity = NULL;
    }
    return status;
}

/* Under lock. */
static enum smtp_status make_if_none(struct smtp_server_certificate *certificate,
                                     struct smtp_error *error)
{
    struct smtp_identity *made = NULL;
    if (certificate->context != NULL) {
        return SMTP_OK;
    }
    enum smtp_status status = make_identity(&made, certificate->settings, error);
    if (status == SMTP_OK) {
        status = use_identity(certificate, made, error);
        smtp_identity_release(made);
    }
    return status;
}

/* ---- the whole ---- */

enum smtp_status smtp_server_certificate_init(struct smtp_server_certificate *certificate,
                                              const struct smtp_server_settings *settings,
                                              const struct smtp_server_tls *tls,
                                              struct smtp_error *error)
{
    *certificate = (struct smtp_server_certificate){.settings = settings};
    pthread_mutex_init(&certificate->lock, NULL); /* cannot fail without attributes on Linux */
    if (tls->context != NULL) {
        return use_context(certificate, tls->context, error);
    }
    if (tls->identity != NULL) {
        return use_identity(certificate, tls->identity, error);
    }
    return settings->client_ca_pem != NULL ? make_if_none(certificate, error) : SMTP_OK;
}

void smtp_server_certificate_clear(struct smtp_server_certificate *certificate)
{
    smtp_tls_context_release(certificate->context);
    smtp_identity_release(certificate->identity);
    pthread_mutex_destroy(&certificate->lock);
}

enum smtp_status smtp_server_certificate_context(struct smtp_server_certificate *certificate,
                                                 struct ssl_ctx_st **out, struct smtp_error *error)
{
    pthread_mutex_lock(&certificate->lock);
    enum smtp_status status = make_if_none(certificate, error);
    *out = status == SMTP_OK ? smtp_tls_context_retain(certificate->context) : NULL;
    pthread_mutex_unlock(&certificate->lock);
    return status;
}

enum smtp_status smtp_server_certificate_set(struct smtp_server_certificate *certificate,
                                             struct smtp_identity *identity,
                                             struct ssl_ctx_st *context, struct smtp_error *error)
{
    if ((identity == NULL) == (context == NULL)) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "the new certificate must be an identity or an SSL_CTX, one of them");
    }
    pthread_mutex_lock(&certificate->lock);
    enum smtp_status status = identity != NULL ? use_identity(certificate, identity, error)
                                               : use_context(certificate, context, error);
    pthread_mutex_unlock(&certificate->lock);
    return status;
}

struct smtp_identity *smtp_server_certificate_identity(struct smtp_server_certificate *certificate)
{
    struct smtp_identity *identity = NULL;
    if (!certificate->settings->tls) {
        return NULL;
    }
    pthread_mutex_lock(&certificate->lock);
    if (make_if_none(certificate, NULL) == SMTP_OK && certificate->identity != NULL) {
        identity = smtp_identity_retain(certificate->identity);
    }
    pthread_mutex_unlock(&certificate->lock);
    return identity;
}

const char *smtp_server_certificate_ca_pem(struct smtp_server_certificate *certificate)
{
    if (!certificate->settings->tls) {
        return "";
    }
    pthread_mutex_lock(&certificate->lock);
    enum smtp_status status = make_if_none(certificate, NULL);
    const char *pem = status == SMTP_OK && certificate->identity != NULL
                          ? smtp_identity_ca_pem(certificate->identity)
                          : "";
    pthread_mutex_unlock(&certificate->lock);
    return pem;
}
