/* auth.c - the calls that log in: hello, the choice of a mechanism, one exchange, and what came of it.
 * Knows: when a password may be sent as it is, that a refused one is not tried again; a mechanism of the
 * caller's own. Does not know: what mechanisms say (sasl.c), lines and replies
 * (client/protocol/session_auth.c). */
#include "client/client.h"
#include "client/sasl.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

/* Runs one exchange to its end. identity: for messages, NULL or "" for none. */
static enum smtp_status exchange(struct smtp_client *client,
                                 const struct smtp_client_mechanism *mechanism,
                                 const char *identity)
{
    enum smtp_status status = smtp_client_connection_check(client);
    if (status != SMTP_OK) {
        return status;
    }
    status = smtp_client_session_auth(client->session, mechanism, smtp_clock_now_ns());
    if (status != SMTP_OK) {
        client->error = *smtp_client_session_error(client->session);
        return status;
    }
    struct smtp_client_event event;
    char what[300];
    bool named = identity != NULL && *identity != '\0';
    snprintf(what, sizeof(what), named ? "AUTH %s as \"%s\"" : "AUTH %s", mechanism->name,
             identity);
    smtp_client_connection_run(client, NULL, &event);
    client->stage = event.stage;
    bool answered = event.status == SMTP_OK || event.status == SMTP_REFUSED_TRANSIENT ||
                    event.status == SMTP_REFUSED_PERMANENT;
    if (!answered) { /* the session knows why the exchange was cancelled */
        event.kind = SMTP_CLIENT_EVENT_ENDED;
    }
    return smtp_client_report_event(client, &event, what);
}

static struct smtp_client_sasl_setting setting_of(const struct smtp_client *client,
                                                  const struct smtp_client_credentials *credentials,
                                                  struct smtp_client_binding_octets *bindings)
{
    struct smtp_client_sasl_setting setting = {
        .offered = smtp_client_extension(client, "AUTH"),
        .confidential = credentials->plain_without_tls || client->tls != NULL,
    };
    if (client->tls != NULL) { /* it was verified, or the caller chose that it need not be */
        setting.bindings.tls_unique =
            (struct smtp_span){bindings->tls_unique, smtp_tls_binding(client->tls, SMTP_TLS_UNIQUE,
                                                                      bindings->tls_unique)};
        setting.bindings.tls_exporter = (struct smtp_span){
            bindings->tls_exporter,
            smtp_tls_binding(client->tls, SMTP_TLS_EXPORTER, bindings->tls_exporter)};
    }
    return setting;
}

enum smtp_status smtp_client_auth_prepare(struct smtp_client *client,
                                          const struct smtp_client_credentials *credentials,
                                          struct smtp_client_binding_octets *bindings,
                                          struct smtp_client_sasl **out)
{
    const struct smtp_client_sasl_kind *kind = NULL;
    struct smtp_client_sasl_setting setting = setting_of(client, credentials, bindings);
    *out = NULL;
    if (setting.bindings.tls_exporter.len == SMTP_TLS_BINDING_FAILED) { /* and none weaker */
        return smtp_error_set(&client->error, SMTP_TLS_FAILED, 0,
                              "AUTH: OpenSSL cannot tell what binds to the TLS channel");
    }
    enum smtp_status status = smtp_client_sasl_choose(&kind, credentials, &setting, &client->error);
    return status == SMTP_OK
               ? smtp_client_sasl_new(out, kind, credentials, &setting, &client->error)
               : status;
}

enum smtp_status smtp_client_auth(struct smtp_client *client,
                                  const struct smtp_client_credentials *credentials)
{
    struct smtp_client_sasl *sasl = NULL;
    struct smtp_client_binding_octets bindings;
    enum smtp_status status = smtp_client_sasl_check(credentials, &client->error);
    if (status == SMTP_OK) {
        status = smtp_client_hello(client);
    }
    if (status != SMTP_OK) {
        return status;
    }
    status = smtp_client_auth_prepare(client, credentials, &bindings, &sasl);
    if (status == SMTP_OK) {
        status = exchange(client, smtp_client_sasl_mechanism(sasl), credentials->identity);
    }
    smtp_client_sasl_free(sasl);
    return status;
}

enum smtp_status smtp_client_login(struct smtp_client *client, const char *identity,
                                   const char *password)
{
    struct smtp_client_credentials credentials = {.identity = identity, .password = password};
    if (identity == NULL || password == NULL) {
        return smtp_error_set(&client->error, SMTP_BAD_ARGUMENT, 0,
                              "a login needs an identity and a password");
    }
    return smtp_client_auth(client, &credentials);
}

/* ---- a mechanism of the caller's own ---- */

struct own_mechanism {
    smtp_client_respond *respond;
    void *user;
    bool begun; /* the initial response was asked for, and is in `initial` */
    struct smtp_span initial;
};

static enum smtp_status own_answer(void *user, struct smtp_span challenge,
                                   struct smtp_buffer *response, struct smtp_error *error)
{
    struct own_mechanism *own = user;
    const char *octets = NULL;
    size_t len = 0;
    if (own->begun) {
        own->begun = false;
        octets = own->initial.bytes;
        len = own->initial.len;
    } else if (!own->respond(own->user, challenge.bytes, challenge.len, &octets, &len)) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "AUTH was cancelled: the caller's mechanism has no answer to the "
                              "server's challenge");
    }
    return octets != NULL ? smtp_buffer_append(response, octets, len) : SMTP_OK;
}

/* The caller knows; the server is taken at its word. */
static bool own_is_complete(const void *user)
{
    (void)user;
    return true;
}

/* RFC 4422 3.1: sasl-mech = 1*20mech-char */
static bool is_mechanism_name(const char *name)
{
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    return len >= 1 && len <= 20 && name[len] == '\0';
}

static enum smtp_status check_own(struct smtp_client *client, const char *name)
{
    if (!is_mechanism_name(name)) {
        return smtp_error_set(&client->error, SMTP_BAD_ARGUMENT, 0,
                              "the name of a SASL mechanism has 1 to 20 letters, digits, '-' and "
                              "'_' (RFC 4422 3.1)");
    }
    if (smtp_client_is_authenticated(client)) { /* RFC 4954 4: before the mechanism is asked */
        return smtp_error_set(
            &client->error, SMTP_BAD_STATE, 0,
            "AUTH succeeded on this connection before; connect again to log in as "
            "somebody else");
    }
    enum smtp_status status = smtp_client_hello(client);
    const char *offered = status == SMTP_OK ? smtp_client_extension(client, "AUTH") : NULL;
    if (status == SMTP_OK && (offered == NULL || !smtp_client_words_have(offered, name))) {
        return smtp_error_set(&client->error, SMTP_UNSUPPORTED, 0,
                              "the server does not offer AUTH %s; it offers \"%.150s\"", name,
                              offered != NULL ? offered : "");
    }
    return status;
}

enum smtp_status smtp_client_auth_with(struct smtp_client *client, const char *mechanism,
                                       smtp_client_respond *respond, void *user)
{
    struct own_mechanism own = {.respond = respond, .user = user, .begun = true};
    if (mechanism == NULL || respond == NULL) {
        return smtp_error_set(&client->error, SMTP_BAD_ARGUMENT, 0,
                              "AUTH needs the name of a mechanism and a function that responds");
    }
    enum smtp_status status = check_own(client, mechanism);
    if (status != SMTP_OK) {
        return status;
    }
    if (!respond(user, NULL, 0, &own.initial.bytes, &own.initial.len)) {
        return smtp_error_set(&client->error, SMTP_BAD_ARGUMENT, 0,
                              "AUTH was not begun: the caller's mechanism gave up");
    }
    own.begun = own.initial.bytes != NULL;
    struct smtp_client_mechanism described = {.name = mechanism,
                                              .speaks_first = own.begun,
                                              .user = &own,
                                              .answer = own_answer,
                                              .is_complete = own_is_complete};
    return exchange(client, &described, NULL);
}

bool smtp_client_is_authenticated(const struct smtp_client *client)
{
    return client->fd >= 0 && smtp_client_session_is_authenticated(client->session);
}
