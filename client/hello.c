/* hello.c - what is said before the first message: EHLO or LHLO, HELO, STARTTLS, as the policy has it (RFC
 * 5321 3.2, RFC 2033 4.1, RFC 3207 4). Does not know: handshakes (secure.c). */
#include "client/client.h"
#include "common/clock.h"
#include "common/error.h"

enum smtp_status smtp_client_ehlo(struct smtp_client *client)
{
    struct smtp_client_command ehlo = {.verb = smtp_client_session_hello_verb(client->session),
                                       .kind = SMTP_CLIENT_DOMAIN,
                                       .argument = client->helo_name};
    return smtp_client_run(client, SMTP_STAGE_EHLO, &ehlo, NULL);
}

enum smtp_status smtp_client_helo(struct smtp_client *client)
{
    struct smtp_client_command helo = {
        .verb = "HELO ", .kind = SMTP_CLIENT_DOMAIN, .argument = client->helo_name};
    return smtp_client_run(client, SMTP_STAGE_HELO, &helo, NULL);
}

static bool is_refusal(enum smtp_status status)
{
    return status == SMTP_REFUSED_PERMANENT || status == SMTP_REFUSED_TRANSIENT;
}

/* STARTTLS, where the server offers it. */
static enum smtp_status ask_for_tls(struct smtp_client *client)
{
    client->stage = SMTP_STAGE_STARTTLS;
    if (!smtp_client_has_extension(client, "STARTTLS")) {
        return smtp_error_set(&client->error, SMTP_UNSUPPORTED, 0,
                              "the server does not offer STARTTLS%s",
                              client->options.tls.policy == SMTP_CLIENT_TLS_REQUIRED
                                  ? ", and TLS is required: no message goes to it in the clear"
                                  : "");
    }
    /* what we trust is looked at first: with nothing to verify by, the session stays as it is */
    enum smtp_status status = smtp_client_secure_prepare(client);
    if (status != SMTP_OK) {
        return status;
    }
    struct smtp_client_command starttls = {.verb = "STARTTLS"};
    status = smtp_client_run(client, SMTP_STAGE_STARTTLS, &starttls, NULL);
    if (status == SMTP_PROTOCOL_VIOLATION) {
        smtp_client_close(client); /* whether it awaits a handshake now, nobody knows */
    }
    return status;
}

enum smtp_status smtp_client_starttls(struct smtp_client *client)
{
    enum smtp_status status = SMTP_OK;
    if (client->tls != NULL) {
        return smtp_error_set(&client->error, SMTP_BAD_STATE, 0, "TLS is up already");
    }
    if (client->fd < 0 || !smtp_client_session_greeted(client->session)) {
        status = smtp_client_ehlo(client);
    }
    if (status == SMTP_OK) {
        status = ask_for_tls(client);
    }
    if (status == SMTP_OK) {
        status = smtp_client_connection_check(client); /* nothing may have come behind the 220 */
    }
    if (status == SMTP_OK) {
        status = smtp_client_secure_start(client);
    }
    if (status == SMTP_OK) {
        smtp_client_session_tls_started(client->session, false, smtp_clock_now_ns());
    }
    return status;
}

bool smtp_client_tls_is_due(const struct smtp_client *client)
{
    enum smtp_client_tls_policy policy = client->options.tls.policy;
    return client->tls == NULL &&
           (policy == SMTP_CLIENT_TLS_REQUIRED || (policy == SMTP_CLIENT_TLS_WHEN_OFFERED &&
                                                   smtp_client_has_extension(client, "STARTTLS")));
}

/* LMTP has no HELO (RFC 2033 4.1). */
bool smtp_client_may_say_helo(const struct smtp_client *client)
{
    return !client->lmtp &&
           (client->tls != NULL || client->options.tls.policy != SMTP_CLIENT_TLS_REQUIRED);
}

static enum smtp_status greet(struct smtp_client *client)
{
    if (client->fd >= 0 && smtp_client_session_greeted(client->session)) {
        return SMTP_OK;
    }
    enum smtp_status status = smtp_client_ehlo(client);
    if (!is_refusal(status) || client->fd < 0 || !smtp_client_may_say_helo(client)) {
        return status; /* 421 closed the connection: HELO would find nobody */
    }
    return smtp_client_helo(client);
}

enum smtp_status smtp_client_hello(struct smtp_client *client)
{
    enum smtp_status status = greet(client);
    if (status != SMTP_OK || !smtp_client_tls_is_due(client)) {
        return status;
    }
    status = smtp_client_starttls(client);
    if (status == SMTP_OK) {
        return greet(client);
    }
    if (client->fd >= 0 && client->options.tls.policy == SMTP_CLIENT_TLS_WHEN_OFFERED) {
        smtp_client_quit_quietly(client); /* nothing goes in the clear to who offered TLS */
    }
    return status;
}

const struct smtp_tls_facts *smtp_client_tls(const struct smtp_client *client)
{
    return client->tls != NULL ? smtp_tls_facts(client->tls) : NULL;
}
