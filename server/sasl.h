/* sasl.h - one SASL exchange (RFC 4422) seen from the server, without I/O: responses go in; a
 * challenge or the outcome comes out. PLAIN, LOGIN, SCRAM and EXTERNAL are libgsasl's; CRAM-MD5,
 * XOAUTH2 and OAUTHBEARER are here. Knows nothing of SMTP's lines and base64. */
#ifndef SMTP_SERVER_SASL_H
#define SMTP_SERVER_SASL_H

#include "common/tls.h"
#include "server/protocol/session.h"
#include "server/users.h"

/** What an exchange may ask, and whom; borrowed while it lives. */
struct smtp_server_sasl_source {
    const char *hostname;            /* for CRAM-MD5's challenge */
    struct smtp_server_users *users; /* asked where there is no function for it below */
    const char *subject;             /* of the client's certificate; "" for none */
    bool plus_offered;               /* a mechanism with channel binding is */
    void *user;                      /* for the functions */
    /** Channel binding data into bytes; 0: none of that kind. */
    size_t (*binding)(void *user, enum smtp_tls_binding kind, char bytes[SMTP_TLS_BINDING_MAX]);
    /** NULL: the secret must be the user's, and nobody acts as somebody else. See the hook. */
    enum smtp_server_verdict (*decide)(void *user,
                                       const struct smtp_server_credentials *credentials,
                                       struct smtp_server_reply *reply);
    /** NULL: the users'. See the hook. */
    bool (*find_password)(void *user, const char *identity, char password[SMTP_SERVER_SECRET_SIZE]);
};

struct smtp_server_exchange;

/** Begins an exchange; mechanism: in upper case. NULL: out of memory, or a mechanism that is none of
 *  those above. */
struct smtp_server_exchange *
smtp_server_exchange_begin(const char *mechanism, const struct smtp_server_sasl_source *source);
/** Takes a response; has_response false: the client sent none with its AUTH. After anything but a
 *  challenge the exchange is over. What the answer points to lives until the next call. */
struct smtp_server_auth_answer smtp_server_exchange_step(struct smtp_server_exchange *exchange,
                                                         bool has_response,
                                                         struct smtp_span response);
/** Wipes and frees, at any time. NULL: nothing. */
void smtp_server_exchange_free(struct smtp_server_exchange *exchange);

#endif
