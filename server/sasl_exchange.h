/* sasl_exchange.h - an exchange from inside: what its mechanisms have in common. */
#ifndef SMTP_SERVER_SASL_EXCHANGE_H
#define SMTP_SERVER_SASL_EXCHANGE_H

#include "server/sasl.h"

#include <gsasl.h>

/** Takes a response, len octets with a NUL behind them, wiped afterwards. NULL: the client sent none;
 *  only where the server speaks first. */
typedef enum smtp_server_auth_step
smtp_server_sasl_step_function(struct smtp_server_exchange *exchange, char *response, size_t len);

struct smtp_server_sasl_mechanism {
    const char *name;
    smtp_server_sasl_step_function *step;
    smtp_server_sasl_step_function *last; /* after a challenge that awaits no real answer */
    bool server_first;
    bool gsasl; /* libgsasl's */
    bool plus;  /* binds to the TLS channel */
    bool token; /* its secret is a token, not a password: never prepared */
};

struct smtp_server_exchange {
    const struct smtp_server_sasl_mechanism *mechanism;
    struct smtp_server_sasl_source source;
    Gsasl *gsasl; /* its own: libgsasl promises nothing to threads that share one */
    Gsasl_session *session;
    char *identity;      /* prepared; NULL until it is known */
    char *authorization; /* prepared; NULL: the same */
    char *challenge;     /* the last one; owned */
    size_t challenge_len;
    bool begun; /* a response or its absence was taken */
    bool awaits_last;
    bool nobody; /* the identity does not exist: fails at the end, whatever is proved */
    bool
        lacking; /* memory, or random octets: the step fails, whatever it came to, and nobody is refused for it */
    enum smtp_server_verdict verdict;
    struct smtp_server_reply reply;
};

/** Keeps the text as the challenge. CHALLENGE, or FAILED without memory. */
enum smtp_server_auth_step smtp_server_sasl_challenge(struct smtp_server_exchange *exchange,
                                                      const char *text);
/** Keeps who logs in and whom to act as ("" or NULL: the same), prepared. False: either is none. */
bool smtp_server_sasl_identify(struct smtp_server_exchange *exchange, const char *identity,
                               const char *authorization);
/** The known password of the identity; where there is none, another, and nobody is set. */
void smtp_server_sasl_password(struct smtp_server_exchange *exchange,
                               char password[SMTP_SERVER_SECRET_SIZE]);
/** ACCEPTED or REFUSED, by the hook or the table. secret NULL: it was proved. */
enum smtp_server_auth_step smtp_server_sasl_decide(struct smtp_server_exchange *exchange,
                                                   const char *secret);

/* sasl_gsasl.c */
bool smtp_server_sasl_open_gsasl(struct smtp_server_exchange *exchange);
void smtp_server_sasl_close_gsasl(struct smtp_server_exchange *exchange);
smtp_server_sasl_step_function smtp_server_sasl_plain, smtp_server_sasl_login,
    smtp_server_sasl_scram, smtp_server_sasl_scram_last, smtp_server_sasl_external;

#endif
