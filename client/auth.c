/* auth.c - the calls that log in: hello, the choice of a mechanism, one exchange, and what came of it.
 * Knows: when a password may be sent as it is, that a refused one is not tried again. Does not know:
 * what mechanisms say (sasl.c), lines and replies (client/protocol/session_auth.c). */
#include "client/client.h"
#include "client/sasl.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

/* Runs one exchange to its end. */
static enum smtp_status exchange(struct smtp_client *client, const struct smtp_client_sasl *sasl,
                                 const struct smtp_client_credentials *credentials)
{
    const struct smtp_client_mechanism *mechanism = smtp_client_sasl_mechanism(sasl);
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
    const char *identity = credentials->identity != NULL ? credentials->identity : "";
    snprintf(what, sizeof(what), *identity != '\0' ? "AUTH %s as \"%s\"" : "AUTH %s",
             mechanism->name, identity);
    smtp_client_connection_run(client, NULL, &event);
    client->stage = event.stage;
    bool answered = event.status == SMTP_OK || event.status == SMTP_REFUSED_TRANSIENT ||
                    event.status == SMTP_REFUSED_PERMANENT;
    if (!answered) { /* the session knows why the exchange was cancelled */
        event.kind = SMTP_CLIENT_EVENT_ENDED;
    }
    return smtp_client_report_event(client, &event, what);
}

/* The connection's channel binding data, where it has TLS. */
struct bindings {
    char tls_unique[SMTP_TLS_BINDING_MAX];
    char tls_exporter[SMTP_TLS_BINDING_MAX];
};

static struct smtp_client_sasl_setting setting_of(const struct smtp_client *client,
                                                  const struct smtp_client_credentials *credentials,
                                                  struct bindings *bindings)
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

enum smtp_status smtp_client_auth(struct smtp_client *client,
                                  const struct smtp_client_credentials *credentials)
{
    const struct smtp_client_sasl_kind *kind = NULL;
    struct smtp_client_sasl *sasl = NULL;
    enum smtp_status status = smtp_client_sasl_check(credentials, &client->error);
    if (status == SMTP_OK) {
        status = smtp_client_hello(client);
    }
    if (status != SMTP_OK) {
        return status;
    }
    struct bindings bindings;
    struct smtp_client_sasl_setting setting = setting_of(client, credentials, &bindings);
    status = smtp_client_sasl_choose(&kind, credentials, &setting, &client->error);
    if (status == SMTP_OK) {
        status = smtp_client_sasl_new(&sasl, kind, credentials, &setting, &client->error);
    }
    if (status == SMTP_OK) {
        status = exchange(client, sasl, credentials);
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

bool smtp_client_is_authenticated(const struct smtp_client *client)
{
    return client->fd >= 0 && smtp_client_session_is_authenticated(client->session);
}
