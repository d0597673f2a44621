/* sasl.h - the client's side of SASL (RFC 4422): which mechanism is used, and what it says. Knows no
 * connection. */
#ifndef SMTP_CLIENT_SASL_H
#define SMTP_CLIENT_SASL_H

#include "client/protocol/auth.h"

/** A mechanism, and what its use depends on. */
struct smtp_client_sasl_kind {
    const char *name;
    enum { SMTP_SASL_PASSWORD, SMTP_SASL_TOKEN, SMTP_SASL_NOTHING } needs;
    bool server_first; /* it has no initial response */
    bool reveals;      /* whoever listens has the secret */
    bool binds;        /* to the TLS connection (RFC 5802 6) */
    bool acts_for;     /* it can carry an authorization identity */
    bool prepares;     /* identity and password by SASLprep (RFC 4013) */
};

/** Channel binding data of the connection (RFC 5929, RFC 9266); empty: it has none of that kind. */
struct smtp_client_bindings {
    struct smtp_span tls_unique;
    struct smtp_span tls_exporter;
};

/** Where a mechanism is to be used. */
struct smtp_client_sasl_setting {
    const char *offered; /* the parameters of EHLO's AUTH; NULL: there is no AUTH */
    bool confidential;   /* a password or a token may be sent as it is */
    struct smtp_client_bindings bindings;
};

/* ---- sasl_choice.c ---- */
/** Whether these credentials may be used at all. SMTP_UNSAFE_ARGUMENT: a control octet (mechanisms part
 *  fields by them, and SASLprep forbids them); SMTP_BAD_ARGUMENT: no UTF-8, a password without an
 *  identity, a mechanism that the client does not have, or that needs other credentials. */
enum smtp_status smtp_client_sasl_check(const struct smtp_client_credentials *credentials,
                                        struct smtp_error *error) SMTP_MUST_CHECK;
/** The named mechanism, or the strongest that is offered and that the credentials serve; the
 *  credentials were checked. SMTP_UNSUPPORTED says why there is none. */
enum smtp_status smtp_client_sasl_choose(const struct smtp_client_sasl_kind **kind,
                                         const struct smtp_client_credentials *credentials,
                                         const struct smtp_client_sasl_setting *setting,
                                         struct smtp_error *error) SMTP_MUST_CHECK;

/** RFC 5802 6: whether the connection can be bound, and nothing that binds it was offered. A server that
 *  does have such a mechanism then knows that somebody took it out of its offer. */
bool smtp_client_sasl_could_have_bound(const struct smtp_client_sasl_setting *setting);

/* ---- sasl.c ---- */
/** One exchange. */
struct smtp_client_sasl;

/** kind: as chosen in this setting; credentials: borrowed for the exchange's life. SMTP_BAD_ARGUMENT:
 *  SASLprep forbids the identity or the password; SMTP_NO_MEMORY, SMTP_LIMIT_EXCEEDED,
 *  SMTP_SYSTEM_FAILED. */
enum smtp_status smtp_client_sasl_new(struct smtp_client_sasl **out,
                                      const struct smtp_client_sasl_kind *kind,
                                      const struct smtp_client_credentials *credentials,
                                      const struct smtp_client_sasl_setting *setting,
                                      struct smtp_error *error) SMTP_MUST_CHECK;
/** For the session; lives as long as the exchange. */
const struct smtp_client_mechanism *smtp_client_sasl_mechanism(const struct smtp_client_sasl *sasl);
/** Wipes and frees. NULL: nothing. */
void smtp_client_sasl_free(struct smtp_client_sasl *sasl);

#endif
