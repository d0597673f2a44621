/* auth.c - see auth.h.
 * Knows: what of a connection an exchange may ask. Does not know: the mechanisms (sasl.h), the lines
 * (protocol/auth.c). */
#include "server/auth.h"

#include "common/tls.h"
#include "server/hooks.h"
#include "server/sasl.h"
#include "server/server.h"

static const struct smtp_server_hooks *hooks_of(const struct smtp_server_connection *connection)
{
    return &connection->loop->server->settings.hooks;
}

static size_t binding(void *user, enum smtp_tls_binding kind, char bytes[SMTP_TLS_BINDING_MAX])
{
    const struct smtp_server_connection *connection = user;
    return connection->tls != NULL ? smtp_tls_binding(connection->tls, kind, bytes) : 0;
}

/* A hook that disconnects without a reply gives 421, as everywhere. */
static enum smtp_server_verdict decide(void *user,
                                       const struct smtp_server_credentials *credentials,
                                       struct smtp_server_reply *reply)
{
    struct smtp_server_connection *connection = user;
    struct smtp_server_session_info info = smtp_server_info_of(connection);
    enum smtp_server_verdict verdict =
        hooks_of(connection)->auth(hooks_of(connection)->user, &info, credentials, reply);
    if (verdict == SMTP_DISCONNECT && reply->code == 0) {
        (void)smtp_server_reply(reply, 421, "4.3.2", "Closing");
    }
    return verdict;
}

static bool find_password(void *user, const char *identity, char password[SMTP_SERVER_SECRET_SIZE])
{
    struct smtp_server_connection *connection = user;
    struct smtp_server_session_info info = smtp_server_info_of(connection);
    return hooks_of(connection)
        ->find_password(hooks_of(connection)->user, &info, identity, password);
}

static struct smtp_server_exchange *begin(struct smtp_server_connection *connection,
                                          const char *mechanism)
{
    struct smtp_server_settings *settings = &connection->loop->server->settings;
    const struct smtp_tls_facts *tls = smtp_server_session_tls(connection->session);
    const struct smtp_server_sasl_source source = {
        .hostname = settings->hostname,
        .users = &settings->auth.users,
        .subject = tls != NULL ? tls->peer_subject : "",
        .plus_offered = tls != NULL && strstr(settings->auth.mechanisms_tls, "-PLUS") != NULL,
        .user = connection,
        .binding = binding,
        .decide = settings->hooks.auth != NULL ? decide : NULL,
        .find_password = settings->hooks.find_password != NULL ? find_password : NULL,
    };
    return smtp_server_exchange_begin(mechanism, &source);
}

void smtp_server_answer_auth(struct smtp_server_connection *connection,
                             const struct smtp_server_event *event, uint64_t now_ns)
{
    if (event->first) {
        connection->exchange = begin(connection, event->name);
    }
    struct smtp_server_auth_answer answer = {.step = SMTP_SERVER_AUTH_FAILED};
    if (connection->exchange != NULL) {
        answer =
            smtp_server_exchange_step(connection->exchange, event->has_response, event->response);
    }
    smtp_server_session_answer_auth(connection->session, &answer, now_ns);
    if (answer.step != SMTP_SERVER_AUTH_CHALLENGE) {
        smtp_server_end_auth(connection);
    }
}

void smtp_server_end_auth(struct smtp_server_connection *connection)
{
    smtp_server_exchange_free(connection->exchange);
    connection->exchange = NULL;
}
