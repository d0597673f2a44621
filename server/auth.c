/* auth.c - see auth.h.
 * Knows: what of a connection an exchange may ask, and that it may have to wait for a table that
 * blocks. Does not know: the mechanisms (sasl.h), the lines (protocol/auth.c). */
#include "server/auth.h"

#include "common/tls.h"
#include "server/inquiry.h"
#include "server/sasl.h"
#include "server/server.h"
#include "server/work.h"

#include <stdlib.h>
#include <string.h>

/* An exchange of a connection. */
struct smtp_server_login {
    struct smtp_server_work work; /* the first member: work.h gives it back */
    struct smtp_server_connection *connection;
    struct smtp_server_exchange *exchange;
    /* Of a table that blocks: what the step was given, and what came of it. */
    bool has_response;
    struct smtp_span response;
    struct smtp_server_auth_answer answer;
    /* Taken when the exchange begins: the loop's thread has the TLS, and a step may run elsewhere. */
    size_t binding_len[2];
    char binding[2][SMTP_TLS_BINDING_MAX];
};

static const struct smtp_server_tables *tables_of(const struct smtp_server_login *login)
{
    return &login->connection->loop->server->settings.tables;
}

static size_t binding(void *user, enum smtp_tls_binding kind, char bytes[SMTP_TLS_BINDING_MAX])
{
    const struct smtp_server_login *login = user;
    size_t i = kind == SMTP_TLS_UNIQUE ? 0 : 1;
    memcpy(bytes, login->binding[i], login->binding_len[i]);
    return login->binding_len[i];
}

/* False: OpenSSL has failed, which is no reason to refuse who binds to the channel. */
static bool take_bindings(struct smtp_server_login *login)
{
    const struct smtp_tls *tls = login->connection->tls;
    bool taken = true;
    for (size_t i = 0; i < 2 && tls != NULL; i++) {
        size_t len =
            smtp_tls_binding(tls, i == 0 ? SMTP_TLS_UNIQUE : SMTP_TLS_EXPORTER, login->binding[i]);
        taken = taken && len != SMTP_TLS_BINDING_FAILED;
        login->binding_len[i] = len != SMTP_TLS_BINDING_FAILED ? len : 0;
    }
    return taken;
}

static struct smtp_server_session_info info_for(const struct smtp_server_login *login,
                                                const struct smtp_server_hooks *hooks)
{
    struct smtp_server_session_info info = smtp_server_info_of(login->connection);
    info.user = smtp_server_slot(login->connection, (size_t)(hooks - tables_of(login)->rows));
    return info;
}

/* A hook that disconnects without a reply gives 421, as everywhere. */
static enum smtp_server_verdict decide(void *user,
                                       const struct smtp_server_credentials *credentials,
                                       struct smtp_server_reply *reply)
{
    const struct smtp_server_login *login = user;
    const struct smtp_server_hooks *hooks = smtp_server_tables_auth(tables_of(login));
    struct smtp_server_session_info info = info_for(login, hooks);
    enum smtp_server_verdict verdict = hooks->auth(hooks->user, &info, credentials, reply);
    if (verdict == SMTP_DISCONNECT && reply->code == 0) {
        (void)smtp_server_reply(reply, 421, "4.3.2", "Closing");
    }
    return verdict;
}

static bool find_password(void *user, const char *identity, char password[SMTP_SERVER_SECRET_SIZE])
{
    const struct smtp_server_login *login = user;
    const struct smtp_server_hooks *hooks = smtp_server_tables_passwords(tables_of(login));
    struct smtp_server_session_info info = info_for(login, hooks);
    return hooks->find_password(hooks->user, &info, identity, password);
}

static bool blocks(const struct smtp_server_login *login)
{
    const struct smtp_server_hooks *auth = smtp_server_tables_auth(tables_of(login));
    const struct smtp_server_hooks *passwords = smtp_server_tables_passwords(tables_of(login));
    return (auth != NULL && auth->blocking) || (passwords != NULL && passwords->blocking);
}

static void begin(struct smtp_server_connection *connection, const char *mechanism)
{
    struct smtp_server_settings *settings = &connection->loop->server->settings;
    const struct smtp_tls_facts *tls = smtp_server_session_tls(connection->session);
    struct smtp_server_login *login = calloc(1, sizeof *login);
    if (login == NULL) {
        return;
    }
    const struct smtp_server_sasl_source source = {
        .hostname = settings->hostname,
        .users = &settings->auth.users,
        .subject = tls != NULL ? tls->peer_subject : "",
        .plus_offered = tls != NULL && strstr(settings->auth.mechanisms_tls, "-PLUS") != NULL,
        .user = login,
        .binding = binding,
        .decide = smtp_server_tables_auth(&settings->tables) != NULL ? decide : NULL,
        .find_password =
            smtp_server_tables_passwords(&settings->tables) != NULL ? find_password : NULL,
    };
    login->connection = connection;
    connection->login = login;
    if (take_bindings(login) || strstr(mechanism, "-PLUS") == NULL) {
        login->exchange = smtp_server_exchange_begin(mechanism, &source);
    }
}

static void answer(struct smtp_server_connection *connection,
                   const struct smtp_server_auth_answer *given)
{
    bool over = given->step != SMTP_SERVER_AUTH_CHALLENGE;
    smtp_server_session_answer_auth(connection->session, given,
                                    smtp_server_loop_now_ns(connection->loop));
    if (over) {
        smtp_server_end_auth(connection);
    }
}

static void run(struct smtp_server_work *work)
{
    struct smtp_server_login *login = (struct smtp_server_login *)work;
    login->answer =
        smtp_server_exchange_step(login->exchange, login->has_response, login->response);
}

static void answered(struct smtp_server_work *work)
{
    struct smtp_server_login *login = (struct smtp_server_login *)work;
    struct smtp_server_connection *connection = login->connection;
    smtp_server_connection_wake(connection);
    const struct smtp_server_auth_answer given = login->answer;
    answer(connection, &given);
    smtp_server_connection_go_on(connection);
}

void smtp_server_answer_auth(struct smtp_server_connection *connection,
                             const struct smtp_server_event *event)
{
    if (event->first) {
        begin(connection, event->name);
    }
    struct smtp_server_login *login = connection->login;
    if (login == NULL || login->exchange == NULL) {
        answer(connection, &(struct smtp_server_auth_answer){.step = SMTP_SERVER_AUTH_FAILED});
        return;
    }
    if (blocks(login)) {
        login->has_response = event->has_response;
        login->response = event->response;
        connection->busy = true;
        smtp_server_work_queue(&login->work, connection, run, answered);
        return;
    }
    const struct smtp_server_auth_answer given =
        smtp_server_exchange_step(login->exchange, event->has_response, event->response);
    answer(connection, &given);
}

void smtp_server_end_auth(struct smtp_server_connection *connection)
{
    if (connection->login != NULL) {
        smtp_server_exchange_free(connection->login->exchange);
        free(connection->login);
        connection->login = NULL;
    }
}
