/* certificate.h - what the server shows over TLS: an SSL_CTX, made when it is first needed, and
 * replaced while the server runs. Any thread. */
#ifndef SMTP_SERVER_CERTIFICATE_H
#define SMTP_SERVER_CERTIFICATE_H

#include "common/smtp_tls.h"
#include "server/settings.h"

#include <pthread.h>

struct smtp_server_certificate {
    const struct smtp_server_settings *settings;
    pthread_mutex_t lock;
    struct smtp_identity *identity; /* under lock; NULL: none yet, or the context is the caller's */
    struct ssl_ctx_st *context;     /* under lock; NULL: not made yet */
};

/** settings: borrowed. The caller's own certificate, and client_ca_pem, are checked now; one to be
 *  made costs nothing yet. SMTP_BAD_ARGUMENT, SMTP_TLS_FAILED, SMTP_NO_MEMORY; to be cleared then,
 *  too. */
enum smtp_status smtp_server_certificate_init(struct smtp_server_certificate *certificate,
                                              const struct smtp_server_settings *settings,
                                              const struct smtp_server_tls *tls,
                                              struct smtp_error *error) SMTP_MUST_CHECK;
void smtp_server_certificate_clear(struct smtp_server_certificate *certificate);

/** The context for a new connection, retained for the caller; made where there is none yet. */
enum smtp_status smtp_server_certificate_context(struct smtp_server_certificate *certificate,
                                                 struct ssl_ctx_st **out, struct smtp_error *error)
    SMTP_MUST_CHECK;
/** See smtp_server_set_certificate, smtp_server_identity and smtp_server_ca_pem. */
enum smtp_status smtp_server_certificate_set(struct smtp_server_certificate *certificate,
                                             struct smtp_identity *identity,
                                             struct ssl_ctx_st *context, struct smtp_error *error)
    SMTP_MUST_CHECK;
struct smtp_identity *smtp_server_certificate_identity(struct smtp_server_certificate *certificate);
const char *smtp_server_certificate_ca_pem(struct smtp_server_certificate *certificate);

#endif
