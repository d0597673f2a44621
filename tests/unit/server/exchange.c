/* exchange.c - see exchange.h. */
#include "tests/unit/server/exchange.h"

#include "common/secret.h"
#include "tests/support/test.h"

#include <gsasl.h>
#include <stdio.h>

#define X15 "xxxxxxxxxxxxxxx"
#define X60 X15 X15 X15 X15

const char exchange_long_name[256] = X60 X60 X60 X60 X15;

static size_t binding(void *user, enum smtp_tls_binding kind, char bytes[SMTP_TLS_BINDING_MAX])
{
    struct exchange *exchange = user;
    size_t len = strlen(exchange->binding[kind]);
    memcpy(bytes, exchange->binding[kind], len);
    return len;
}

void exchange_init(struct exchange *exchange)
{
    static const struct smtp_server_user users[] = {
        {"ann", "secret"},
        {"b\xc3\xb6", "p\xc3\xa4ss w\xc3\xb6rd"},
        {exchange_long_name, exchange_long_name},
        {"cat", "tok.en-1"},
    };
    struct smtp_error error = {0};
    *exchange = (struct exchange){.source = {.hostname = "mx.example", .subject = ""}};
    exchange->source.users = &exchange->users;
    exchange->source.user = exchange;
    exchange->source.binding = binding;
    if (smtp_server_users_init(&exchange->users, users, sizeof users / sizeof *users, &error) !=
        SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
}

void exchange_clear(struct exchange *exchange)
{
    smtp_server_exchange_free(exchange->exchange);
    smtp_server_users_clear(&exchange->users);
}

static enum smtp_server_verdict decide(void *user,
                                       const struct smtp_server_credentials *credentials,
                                       struct smtp_server_reply *reply)
{
    struct exchange *exchange = user;
    exchange->decided++;
    snprintf(exchange->mechanism, sizeof exchange->mechanism, "%s", credentials->mechanism);
    snprintf(exchange->identity, sizeof exchange->identity, "%s", credentials->identity);
    snprintf(exchange->authorization, sizeof exchange->authorization, "%s",
             credentials->authorization_identity);
    snprintf(exchange->secret, sizeof exchange->secret, "%s",
             credentials->secret != NULL ? credentials->secret : "(none)");
    if (exchange->verdict == SMTP_REFUSE) {
        return smtp_server_reply(reply, 550, "5.7.1", "Not you");
    }
    return exchange->verdict;
}

void exchange_hook_auth(struct exchange *exchange, enum smtp_server_verdict verdict)
{
    exchange->source.decide = decide;
    exchange->verdict = verdict;
}

static bool find_password(void *user, const char *identity, char password[SMTP_SERVER_SECRET_SIZE])
{
    struct exchange *exchange = user;
    exchange->looked_up++;
    bool empty = strcmp(identity, "empty") == 0;
    snprintf(password, SMTP_SERVER_SECRET_SIZE, "%s", empty ? "" : "of the hook");
    return empty || strcmp(identity, "hook") == 0;
}

void exchange_hook_password(struct exchange *exchange)
{
    exchange->source.find_password = find_password;
}

void exchange_begin(struct exchange *exchange, const char *mechanism)
{
    smtp_server_exchange_free(exchange->exchange);
    exchange->exchange = smtp_server_exchange_begin(mechanism, &exchange->source);
    expect_true(exchange->exchange != NULL);
}

enum smtp_server_auth_step exchange_nothing(struct exchange *exchange)
{
    exchange->answer =
        smtp_server_exchange_step(exchange->exchange, false, (struct smtp_span){NULL, 0});
    return exchange->answer.step;
}

/* From storage of exactly that size: a sanitizer sees a read beyond it. */
enum smtp_server_auth_step exchange_say(struct exchange *exchange, const char *bytes, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    expect_true(copy != NULL);
    memcpy(copy, bytes, len);
    exchange->answer =
        smtp_server_exchange_step(exchange->exchange, true, (struct smtp_span){copy, len});
    free(copy);
    return exchange->answer.step;
}

enum smtp_server_auth_step exchange_text(struct exchange *exchange, const char *text)
{
    return exchange_say(exchange, text, strlen(text));
}

const char *exchange_challenge(const struct exchange *exchange, char text[1000])
{
    struct smtp_span challenge = exchange->answer.challenge;
    expect_int(exchange->answer.step, SMTP_SERVER_AUTH_CHALLENGE);
    expect_true(challenge.len < 1000);
    smtp_bytes_copy(text, challenge);
    text[challenge.len] = '\0';
    return text;
}

/* ---- libgsasl's client ---- */

/* The channel as the client sees it: that of the server. */
static int client_question(Gsasl *gsasl, Gsasl_session *session, Gsasl_property property)
{
    struct exchange *exchange = gsasl_callback_hook_get(gsasl);
    if (property != GSASL_CB_TLS_UNIQUE && property != GSASL_CB_TLS_EXPORTER) {
        return GSASL_NO_CALLBACK;
    }
    const char *octets =
        exchange->binding[property == GSASL_CB_TLS_UNIQUE ? SMTP_TLS_UNIQUE : SMTP_TLS_EXPORTER];
    struct smtp_buffer text = SMTP_BUFFER(100);
    if (*octets == '\0') {
        return GSASL_NO_CALLBACK;
    }
    expect_int(smtp_base64_append(&text, smtp_span_of(octets)), SMTP_OK);
    struct smtp_span span = smtp_buffer_span(&text);
    int status = gsasl_property_set_raw(session, property, span.bytes, span.len);
    smtp_buffer_free(&text);
    return status;
}

static enum smtp_server_auth_step converse(struct exchange *exchange, Gsasl_session *client)
{
    /* Where the server speaks first, and LOGIN as many clients do it. */
    bool first = strcmp(gsasl_mechanism_name(client), "CRAM-MD5") == 0 ||
                 strcmp(gsasl_mechanism_name(client), "LOGIN") == 0;
    struct smtp_span challenge = {"", 0};
    int rc = GSASL_NEEDS_MORE;
    if (first) {
        expect_int(exchange_nothing(exchange), SMTP_SERVER_AUTH_CHALLENGE);
        challenge = exchange->answer.challenge;
    }
    for (;;) {
        char *response = NULL;
        size_t len = 0;
        if (rc == GSASL_NEEDS_MORE) {
            rc = gsasl_step(client, challenge.bytes, challenge.len, &response, &len);
        }
        if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE) {
            SMTP_TEST_FAIL("the client: %s", gsasl_strerror(rc));
        }
        enum smtp_server_auth_step step =
            exchange_say(exchange, response != NULL ? response : "", len);
        gsasl_free(response);
        if (step != SMTP_SERVER_AUTH_CHALLENGE) {
            expect_true(step != SMTP_SERVER_AUTH_ACCEPTED || rc == GSASL_OK);
            return step;
        }
        challenge = exchange->answer.challenge;
    }
}

enum smtp_server_auth_step exchange_log_in(struct exchange *exchange, const char *mechanism,
                                           const char *identity, const char *authorization,
                                           const char *password)
{
    Gsasl *gsasl = NULL;
    Gsasl_session *client = NULL;
    expect_int(gsasl_init(&gsasl), GSASL_OK);
    gsasl_callback_set(gsasl, client_question);
    gsasl_callback_hook_set(gsasl, exchange);
    expect_int(gsasl_client_start(gsasl, mechanism, &client), GSASL_OK);
    (void)gsasl_property_set(client, GSASL_AUTHID, identity);
    (void)gsasl_property_set(client, GSASL_PASSWORD, password);
    if (authorization != NULL) {
        (void)gsasl_property_set(client, GSASL_AUTHZID, authorization);
    }
    exchange_begin(exchange, mechanism);
    enum smtp_server_auth_step step = converse(exchange, client);
    gsasl_finish(client);
    gsasl_done(gsasl);
    return step;
}
