/* bulk_opening.c - what is said before the first message of a session: the greeting, EHLO or HELO, STARTTLS, AUTH; each
 * when the reply to the one before came. The same as smtp_client_hello and smtp_client_auth, which wait. */
#include "client/bulk.h"
#include "client/sasl.h"
#include "common/clock.h"
#include "common/error.h"

static void say(struct smtp_bulk_session *session, enum smtp_client_stage stage,
                const struct smtp_client_command *command)
{
    struct smtp_client *client = session->client;
    session->said = stage;
    if (smtp_client_session_command(client->session, stage, command, smtp_clock_now_ns()) !=
        SMTP_OK) {
        client->error = *smtp_client_session_error(client->session);
        smtp_bulk_session_fail(session, stage);
    }
}

static void say_hello(struct smtp_bulk_session *session, enum smtp_client_stage stage)
{
    struct smtp_client *client = session->client;
    const char *verb =
        stage == SMTP_STAGE_HELO ? "HELO " : smtp_client_session_hello_verb(client->session);
    const struct smtp_client_command hello = {
        .verb = verb, .kind = SMTP_CLIENT_DOMAIN, .argument = client->helo_name};
    say(session, stage, &hello);
}

/* ---- TLS ---- */

static void begin_tls(struct smtp_bulk_session *session)
{
    session->stage = SMTP_BULK_SHAKING;
    if (smtp_client_secure_begin(session->client) != SMTP_OK) {
        smtp_bulk_session_fail(session, SMTP_STAGE_STARTTLS);
        return;
    }
    smtp_bulk_session_shake(session);
}

void smtp_bulk_session_shake(struct smtp_bulk_session *session)
{
    struct smtp_client *client = session->client;
    enum smtp_status status = smtp_client_secure_shake(client, 0);
    if (status == SMTP_TIMED_OUT && client->tls != NULL) {
        return; /* it waits */
    }
    if (status != SMTP_OK) {
        smtp_bulk_session_fail(session, SMTP_STAGE_STARTTLS);
        return;
    }
    smtp_bulk_session_timed(session, SMTP_STAGE_STARTTLS);
    session->stage = SMTP_BULK_OPENING;
    if (client->options.tls.policy == SMTP_CLIENT_TLS_IMPLICIT) {
        smtp_client_connection_opened(client);
        session->said = SMTP_STAGE_GREETING;
    } else {
        smtp_client_session_tls_started(client->session, false, smtp_clock_now_ns());
        say_hello(session, SMTP_STAGE_EHLO);
    }
}

static void say_starttls(struct smtp_bulk_session *session)
{
    struct smtp_client *client = session->client;
    if (!smtp_client_has_extension(client, "STARTTLS")) {
        smtp_error_set(&client->error, SMTP_UNSUPPORTED, 0,
                       "the server does not offer STARTTLS, and TLS is required");
        smtp_bulk_session_fail(session, SMTP_STAGE_STARTTLS);
        return;
    }
    session->begun_ns = smtp_clock_now_ns();
    say(session, SMTP_STAGE_STARTTLS, &(struct smtp_client_command){.verb = "STARTTLS"});
}

/* ---- AUTH ---- */

static void log_in(struct smtp_bulk_session *session)
{
    struct smtp_client *client = session->client;
    session->said = SMTP_STAGE_AUTH;
    session->begun_ns = smtp_clock_now_ns();
    enum smtp_status status = smtp_client_auth_prepare(
        client, session->bulk->kept.target.credentials, &session->bindings, &session->sasl);
    if (status == SMTP_OK) {
        status = smtp_client_session_auth(
            client->session, smtp_client_sasl_mechanism(session->sasl), session->begun_ns);
        client->error =
            status == SMTP_OK ? client->error : *smtp_client_session_error(client->session);
    }
    if (status != SMTP_OK) {
        smtp_bulk_session_fail(session, SMTP_STAGE_AUTH);
    }
}

/* ---- in order ---- */

void smtp_bulk_session_open(struct smtp_bulk_session *session)
{
    struct smtp_client *client = session->client;
    smtp_bulk_session_timed(session, SMTP_STAGE_CONNECT);
    if (smtp_client_connection_entered(client, smtp_clock_now_ns()) != SMTP_OK) {
        smtp_bulk_session_fail(session, SMTP_STAGE_CONNECT);
        return;
    }
    if (client->options.tls.policy == SMTP_CLIENT_TLS_IMPLICIT) {
        session->begun_ns = smtp_clock_now_ns();
        begin_tls(session);
        return;
    }
    smtp_client_connection_opened(client);
    session->stage = SMTP_BULK_OPENING;
    session->said = SMTP_STAGE_GREETING;
}

static void greeted(struct smtp_bulk_session *session)
{
    if (smtp_client_tls_is_due(session->client)) {
        say_starttls(session);
    } else if (session->bulk->kept.target.credentials != NULL) {
        log_in(session);
    } else {
        session->stage = SMTP_BULK_SENDING;
    }
}

static const char *name_of(enum smtp_client_stage stage)
{
    return stage == SMTP_STAGE_GREETING ? "the connection was" : smtp_client_stage_name(stage);
}

void smtp_bulk_session_hear(struct smtp_bulk_session *session,
                            const struct smtp_client_event *event)
{
    struct smtp_client *client = session->client;
    enum smtp_client_stage said = session->said;
    enum smtp_status status = smtp_client_report_event(client, event, name_of(said));
    bool is_refused = status == SMTP_REFUSED_PERMANENT || status == SMTP_REFUSED_TRANSIENT;
    if (said == SMTP_STAGE_AUTH) {
        smtp_client_sasl_free(session->sasl);
        session->sasl = NULL;
    }
    if (said == SMTP_STAGE_EHLO && is_refused && smtp_client_may_say_helo(client) &&
        !smtp_client_session_ended(client->session)) {
        say_hello(session, SMTP_STAGE_HELO);
        return;
    }
    if (status != SMTP_OK) {
        smtp_bulk_session_fail(session, said);
        return;
    }
    if (said == SMTP_STAGE_GREETING) {
        say_hello(session, SMTP_STAGE_EHLO);
    } else if (said == SMTP_STAGE_STARTTLS && smtp_client_connection_take(client)) {
        client->error =
            *smtp_client_session_error(client->session); /* nothing may follow the 220 */
        smtp_bulk_session_fail(session, said);
    } else if (said == SMTP_STAGE_STARTTLS) {
        begin_tls(session);
    } else if (said == SMTP_STAGE_AUTH) {
        smtp_bulk_session_timed(session, SMTP_STAGE_AUTH);
        session->stage = SMTP_BULK_SENDING;
    } else {
        greeted(session);
    }
}
