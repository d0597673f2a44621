/* sasl_gsasl.c - the mechanisms that libgsasl does: PLAIN, LOGIN, SCRAM-*, EXTERNAL.
 * Knows: libgsasl, and where it is laxer than the RFCs. Does not know: whose secret is whose. */
#include "common/secret.h"
#include "server/sasl_exchange.h"

#include <stdlib.h>

/* ---- what libgsasl asks ---- */

static int give_base64(struct smtp_server_exchange *exchange, Gsasl_property property,
                       struct smtp_span octets)
{
    struct smtp_buffer text = SMTP_BUFFER((size_t)4 * SMTP_TLS_BINDING_MAX);
    int status = GSASL_MALLOC_ERROR;
    if (smtp_base64_append(&text, octets) == SMTP_OK) {
        struct smtp_span span = smtp_buffer_span(&text);
        status = gsasl_property_set_raw(exchange->session, property, span.bytes, span.len);
    }
    exchange->lacking = exchange->lacking || status == GSASL_MALLOC_ERROR;
    smtp_secret_free_buffer(&text);
    return status;
}

static int give_salt(struct smtp_server_exchange *exchange)
{
    unsigned char salt[SMTP_SERVER_SALT_OCTETS];
    if (!smtp_server_sasl_identify(exchange, gsasl_property_fast(exchange->session, GSASL_AUTHID),
                                   gsasl_property_fast(exchange->session, GSASL_AUTHZID))) {
        return GSASL_AUTHENTICATION_ERROR;
    }
    if (!smtp_server_users_salt(exchange->source.users, exchange->identity, salt)) {
        exchange->lacking = true;
        return GSASL_CRYPTO_ERROR;
    }
    return give_base64(exchange, GSASL_SCRAM_SALT,
                       (struct smtp_span){(const char *)salt, sizeof salt});
}

static int give_password(struct smtp_server_exchange *exchange)
{
    char password[SMTP_SERVER_SECRET_SIZE];
    if (exchange->identity == NULL) {
        return GSASL_NO_PASSWORD;
    }
    smtp_server_sasl_password(exchange, password);
    int status = gsasl_property_set(exchange->session, GSASL_PASSWORD, password);
    smtp_secret_wipe(password, sizeof password);
    return status;
}

static int give_binding(struct smtp_server_exchange *exchange, Gsasl_property property)
{
    char octets[SMTP_TLS_BINDING_MAX];
    enum smtp_tls_binding kind =
        property == GSASL_CB_TLS_UNIQUE ? SMTP_TLS_UNIQUE : SMTP_TLS_EXPORTER;
    const struct smtp_server_sasl_source *source = &exchange->source;
    size_t len = exchange->mechanism->plus && source->binding != NULL
                     ? source->binding(source->user, kind, octets)
                     : 0;
    return len > 0 ? give_base64(exchange, property, (struct smtp_span){octets, len})
                   : GSASL_NO_CALLBACK;
}

static int judge(struct smtp_server_exchange *exchange, const char *identity, bool with_secret)
{
    const char *secret =
        with_secret ? gsasl_property_fast(exchange->session, GSASL_PASSWORD) : NULL;
    char *prepared = secret != NULL ? smtp_server_saslprep(secret) : NULL;
    bool accepted =
        (prepared != NULL) == with_secret &&
        smtp_server_sasl_identify(exchange, identity,
                                  gsasl_property_fast(exchange->session, GSASL_AUTHZID)) &&
        smtp_server_sasl_decide(exchange, prepared) == SMTP_SERVER_AUTH_ACCEPTED;
    smtp_secret_free(prepared);
    return accepted ? GSASL_OK : GSASL_AUTHENTICATION_ERROR;
}

static int on_question(Gsasl *gsasl, Gsasl_session *session, Gsasl_property property)
{
    struct smtp_server_exchange *exchange = gsasl_callback_hook_get(gsasl);
    switch (property) {
    case GSASL_VALIDATE_SIMPLE:
        return judge(exchange, gsasl_property_fast(session, GSASL_AUTHID), true);
    case GSASL_VALIDATE_EXTERNAL:
        return judge(exchange, exchange->source.subject, false);
    case GSASL_SCRAM_SALT:
        return give_salt(exchange);
    case GSASL_PASSWORD:
        return give_password(exchange);
    case GSASL_CB_TLS_UNIQUE:
    case GSASL_CB_TLS_EXPORTER:
        return give_binding(exchange, property);
    default: /* the iterations: 4096 then, RFC 7677 4 */
        return GSASL_NO_CALLBACK;
    }
}

/* ---- sessions ---- */

bool smtp_server_sasl_open_gsasl(struct smtp_server_exchange *exchange)
{
    if (gsasl_init(&exchange->gsasl) != GSASL_OK) {
        exchange->gsasl = NULL;
        return false;
    }
    gsasl_callback_set(exchange->gsasl, on_question);
    gsasl_callback_hook_set(exchange->gsasl, exchange);
    return gsasl_server_start(exchange->gsasl, exchange->mechanism->name, &exchange->session) ==
           GSASL_OK;
}

/* libgsasl frees what it was told without wiping it. */
void smtp_server_sasl_close_gsasl(struct smtp_server_exchange *exchange)
{
    static const Gsasl_property secrets[] = {GSASL_PASSWORD, GSASL_SCRAM_SALTED_PASSWORD,
                                             GSASL_SCRAM_SERVERKEY, GSASL_SCRAM_STOREDKEY};
    if (exchange->session != NULL) {
        for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
            const char *secret = gsasl_property_fast(exchange->session, secrets[i]);
            if (secret != NULL) {
                smtp_secret_wipe((char *)(uintptr_t)secret, strlen(secret));
            }
        }
        gsasl_finish(exchange->session);
    }
    if (exchange->gsasl != NULL) {
        gsasl_done(exchange->gsasl);
    }
}

static enum smtp_server_auth_step run(struct smtp_server_exchange *exchange, const char *response,
                                      size_t len)
{
    smtp_secret_free(exchange->challenge);
    exchange->challenge = NULL;
    exchange->challenge_len = 0;
    switch (gsasl_step(exchange->session, response, len, &exchange->challenge,
                       &exchange->challenge_len)) {
    case GSASL_OK:
        return SMTP_SERVER_AUTH_ACCEPTED;
    case GSASL_NEEDS_MORE:
        return SMTP_SERVER_AUTH_CHALLENGE;
    case GSASL_MECHANISM_PARSE_ERROR:
    case GSASL_BASE64_ERROR:
        return SMTP_SERVER_AUTH_MALFORMED;
    case GSASL_MALLOC_ERROR:
    case GSASL_CRYPTO_ERROR:
        return SMTP_SERVER_AUTH_FAILED;
    default:
        return SMTP_SERVER_AUTH_REFUSED;
    }
}

enum smtp_server_auth_step smtp_server_sasl_plain(struct smtp_server_exchange *exchange,
                                                  char *response, size_t len)
{
    return len > 0 ? run(exchange, response, len) : SMTP_SERVER_AUTH_MALFORMED;
}

enum smtp_server_auth_step smtp_server_sasl_external(struct smtp_server_exchange *exchange,
                                                     char *response, size_t len)
{
    return run(exchange, response, len);
}

/* The prompts are those of every server: there are clients that look at them. An initial response
 * answers the first. */
enum smtp_server_auth_step smtp_server_sasl_login(struct smtp_server_exchange *exchange,
                                                  char *response, size_t len)
{
    if (!exchange->begun) {
        enum smtp_server_auth_step step = run(exchange, "", 0);
        if (step != SMTP_SERVER_AUTH_CHALLENGE || response == NULL) {
            return step == SMTP_SERVER_AUTH_CHALLENGE
                       ? smtp_server_sasl_challenge(exchange, "Username:")
                       : step;
        }
    }
    enum smtp_server_auth_step step = run(exchange, response, len);
    return step == SMTP_SERVER_AUTH_CHALLENGE ? smtp_server_sasl_challenge(exchange, "Password:")
                                              : step;
}

/* ---- SCRAM ---- */

/* A saslname has "=2C" and "=3D" and no other '=' (RFC 5802 5.1). */
static bool is_name(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (name[i] == '=' && strncmp(name + i, "=2C", 3) != 0 &&
            strncmp(name + i, "=3D", 3) != 0) {
            return false;
        }
    }
    return true;
}

/* Whether each attribute may be there as it stands: libgsasl lets names with another '=' and
 * mandatory extensions ("m=") through, which must make it fail (RFC 5802 5.1). */
static bool attributes_hold(const char *message)
{
    for (const char *at = message;; at++) {
        size_t len = strcspn(at, ",");
        bool named = at[0] == 'n' || at[0] == 'a';
        if (strncmp(at, "m=", 2) == 0 || (named && at[1] == '=' && !is_name(at + 2, len - 2))) {
            return false;
        }
        at += len;
        if (*at == '\0') {
            return true;
        }
    }
}

enum smtp_server_auth_step smtp_server_sasl_scram(struct smtp_server_exchange *exchange,
                                                  char *response, size_t len)
{
    bool first = exchange->identity == NULL;
    if (len == 0 || strlen(response) != len) {
        return SMTP_SERVER_AUTH_MALFORMED;
    }
    /* A client that could bind the channel and was told that the server cannot: somebody in between
     * took the -PLUS mechanisms out (RFC 5802 6). Binding without -PLUS binds nothing. */
    if (!attributes_hold(response) ||
        (first && !exchange->mechanism->plus &&
         (response[0] == 'p' || (response[0] == 'y' && exchange->source.plus_offered)))) {
        return SMTP_SERVER_AUTH_REFUSED;
    }
    enum smtp_server_auth_step step = run(exchange, response, len);
    if (step != SMTP_SERVER_AUTH_ACCEPTED) {
        return step;
    }
    /* 235 has no room for the server's signature: it comes in a challenge (RFC 4954 4). */
    exchange->awaits_last = !exchange->nobody;
    return exchange->nobody ? SMTP_SERVER_AUTH_REFUSED : SMTP_SERVER_AUTH_CHALLENGE;
}

enum smtp_server_auth_step smtp_server_sasl_scram_last(struct smtp_server_exchange *exchange,
                                                       char *response, size_t len)
{
    (void)response;
    return len == 0 ? smtp_server_sasl_decide(exchange, NULL) : SMTP_SERVER_AUTH_MALFORMED;
}
