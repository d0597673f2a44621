/* sasl.c - what a SASL mechanism says (RFC 4422): libgsasl's word for most; XOAUTH2 and OAUTHBEARER
 * (RFC 7628), which it does not have, by hand. Knows: when an exchange is over, what a server must have
 * proved by then. Does not know: base64, lines, replies (client/protocol/session_auth.c). */
#include "client/sasl.h"

#include "common/error.h"
#include "common/secret.h"

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

/* How often a server may have the password hashed (RFC 5802 5.1, i=): about two seconds' work. More is
 * an attack on the client's time. */
#define ITERATIONS_MAX 2000000

struct smtp_client_sasl {
    struct smtp_client_mechanism mechanism;
    const struct smtp_client_sasl_kind *kind;
    const struct smtp_client_credentials *credentials;
    Gsasl *library; /* NULL: a mechanism by hand */
    Gsasl_session *exchange;
    unsigned answers; /* given so far */
    bool over;        /* all was said */
    bool denied;      /* the server said inside the exchange that it refuses */
};

static enum smtp_status violation(struct smtp_error *error, const char *what)
{
    return smtp_error_set(error, SMTP_PROTOCOL_VIOLATION, 0, "%s", what);
}

/* ---- XOAUTH2 and OAUTHBEARER ---- */

static enum smtp_status append(struct smtp_buffer *out, const char *text)
{
    return smtp_buffer_append(out, text, strlen(text));
}

/* RFC 5801 4: ',' and '=' would end a field of the GS2 header. */
static enum smtp_status append_saslname(struct smtp_buffer *out, const char *name)
{
    enum smtp_status status = SMTP_OK;
    for (const char *at = name; *at != '\0' && status == SMTP_OK; at++) {
        status = *at == ','   ? append(out, "=2C")
                 : *at == '=' ? append(out, "=3D")
                              : smtp_buffer_append(out, at, 1);
    }
    return status;
}

/* OAUTHBEARER: "n,a=NAME," before the token; XOAUTH2: "user=NAME". */
static enum smtp_status append_holder(const struct smtp_client_sasl *sasl, struct smtp_buffer *out)
{
    const struct smtp_client_credentials *credentials = sasl->credentials;
    if (!sasl->kind->acts_for) {
        enum smtp_status status = append(out, "user=");
        return status == SMTP_OK ? append(out, credentials->identity) : status;
    }
    const char *name = credentials->authorization_identity != NULL
                           ? credentials->authorization_identity
                           : credentials->identity;
    bool named = name != NULL && *name != '\0';
    enum smtp_status status = append(out, named ? "n,a=" : "n,");
    if (status == SMTP_OK && named) {
        status = append_saslname(out, name);
    }
    return status == SMTP_OK ? append(out, ",") : status;
}

static enum smtp_status answer_with_token(void *user, struct smtp_span challenge,
                                          struct smtp_buffer *response, struct smtp_error *error)
{
    (void)challenge; /* JSON that says why not; the reply says it again */
    struct smtp_client_sasl *sasl = user;
    sasl->answers++;
    if (sasl->answers == 1) {
        enum smtp_status status = append_holder(sasl, response);
        status = status == SMTP_OK ? append(response, "\1auth=Bearer ") : status;
        status = status == SMTP_OK ? append(response, sasl->credentials->token) : status;
        sasl->over = true;
        return status == SMTP_OK ? append(response, "\1\1") : status;
    }
    if (sasl->denied) {
        return violation(error, "the server goes on after it refused the token");
    }
    sasl->denied = true; /* RFC 7628 3.2.3: a failure, which takes one more answer */
    return sasl->kind->acts_for ? append(response, "\1") : SMTP_OK;
}

/* ---- by libgsasl ---- */

static bool is_scram(const struct smtp_client_sasl *sasl)
{
    return sasl->kind->prepares && !sasl->kind->server_first;
}

static enum smtp_status explain(const struct smtp_client_sasl *sasl, int code,
                                struct smtp_error *error)
{
    switch (code) {
    case GSASL_MALLOC_ERROR:
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for AUTH");
    case GSASL_SASLPREP_ERROR:
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "the identity or the password holds characters that SASLprep "
                              "(RFC 4013) forbids");
    case GSASL_AUTHENTICATION_ERROR:
        return violation(error, sasl->answers > 2
                                    ? "the server's signature is wrong: it does not know the "
                                      "password (RFC 5802 5)"
                                    : "the server's nonce does not begin with the client's "
                                      "(RFC 5802 5.1)");
    case GSASL_MECHANISM_PARSE_ERROR:
    case GSASL_BASE64_ERROR:
        return violation(error, "the server's challenge is not one of this mechanism");
    default:
        return smtp_error_set(error, SMTP_SYSTEM_FAILED, 0, "SASL failed: %s",
                              gsasl_strerror(code));
    }
}

/* The i= of a server-first-message; 0: it has none that is a number. */
static uint64_t iterations(struct smtp_span challenge)
{
    const char *at = memmem(challenge.bytes, challenge.len, ",i=", 3);
    if (at == NULL) {
        return 0;
    }
    at += 3;
    size_t len = 0, left = challenge.len - (size_t)(at - challenge.bytes);
    while (len < left && smtp_is_digit((unsigned char)at[len])) {
        len++;
    }
    uint64_t number = 0;
    bool fits = smtp_span_to_u64((struct smtp_span){at, len}, UINT64_MAX, &number);
    return fits || len == 0 ? number : UINT64_MAX;
}

/* What libgsasl would not refuse. */
static enum smtp_status check_challenge(struct smtp_client_sasl *sasl, struct smtp_span challenge,
                                        struct smtp_error *error)
{
    if (sasl->over) {
        return violation(error, "the server asks for more than the mechanism has to say");
    }
    if (is_scram(sasl) && sasl->answers == 2 && iterations(challenge) > ITERATIONS_MAX) {
        return violation(error, "the server wants the password hashed more than 2000000 times");
    }
    bool is_cram = sasl->kind->server_first && sasl->kind->prepares;
    return is_cram && challenge.len == 0 ? violation(error, "the server's challenge is empty")
                                         : SMTP_OK;
}

static enum smtp_status answer_by_library(void *user, struct smtp_span challenge,
                                          struct smtp_buffer *response, struct smtp_error *error)
{
    struct smtp_client_sasl *sasl = user;
    char *octets = NULL;
    size_t len = 0;
    sasl->answers++;
    enum smtp_status status = check_challenge(sasl, challenge, error);
    if (status != SMTP_OK) {
        return status;
    }
    /* RFC 5802 7: server-error in place of the signature; a 5yz reply follows */
    if (is_scram(sasl) && sasl->answers == 3 && challenge.len > 2 &&
        memcmp(challenge.bytes, "e=", 2) == 0) {
        sasl->denied = sasl->over = true;
        return SMTP_OK;
    }
    int code = gsasl_step(sasl->exchange, challenge.bytes, challenge.len, &octets, &len);
    if (code != GSASL_OK && code != GSASL_NEEDS_MORE) {
        return explain(sasl, code, error);
    }
    sasl->over = code == GSASL_OK;
    status = smtp_buffer_append(response, octets, len);
    smtp_secret_wipe(octets, len);
    gsasl_free(octets);
    return status;
}

static enum smtp_status set(Gsasl_session *exchange, Gsasl_property property, const char *value)
{
    return value == NULL || gsasl_property_set(exchange, property, value) == GSASL_OK
               ? SMTP_OK
               : SMTP_NO_MEMORY;
}

/* libgsasl takes them in base64. */
static enum smtp_status set_binding(Gsasl_session *exchange, Gsasl_property property,
                                    struct smtp_span binding)
{
    struct smtp_buffer text = SMTP_BUFFER(256);
    enum smtp_status status = smtp_base64_append(&text, binding);
    status = status == SMTP_OK ? smtp_buffer_append(&text, "", 1) : status;
    status = status == SMTP_OK ? set(exchange, property, smtp_buffer_span(&text).bytes) : status;
    smtp_secret_free_buffer(&text);
    return status;
}

/* RFC 9266 1: tls-exporter where tls-unique does not exist, which is TLS 1.3. Only for -PLUS: libgsasl
 * takes a binding beside another mechanism as a failure. Those then say "n" in their GS2 header, that
 * the client does not bind, where RFC 5802 6 wants "y" of one that could and was not offered it: a
 * server does not find out by SCRAM that somebody took -PLUS out of its offer; TLS has to keep it. */
static enum smtp_status set_bindings(struct smtp_client_sasl *sasl,
                                     const struct smtp_client_bindings *bindings)
{
    if (!sasl->kind->binds) {
        return SMTP_OK;
    }
    return bindings->tls_unique.len > 0
               ? set_binding(sasl->exchange, GSASL_CB_TLS_UNIQUE, bindings->tls_unique)
               : set_binding(sasl->exchange, GSASL_CB_TLS_EXPORTER, bindings->tls_exporter);
}

/* Before anything is sent, not in the middle of the exchange. */
static enum smtp_status check_prepared(const struct smtp_client_sasl *sasl, const char *text,
                                       struct smtp_error *error)
{
    char *prepared = NULL;
    int code = gsasl_saslprep(text, GSASL_ALLOW_UNASSIGNED, &prepared, NULL);
    if (prepared != NULL) {
        smtp_secret_wipe(prepared, strlen(prepared));
        gsasl_free(prepared);
    }
    return code == GSASL_OK ? SMTP_OK : explain(sasl, code, error);
}

static enum smtp_status start_library(struct smtp_client_sasl *sasl,
                                      const struct smtp_client_bindings *bindings,
                                      struct smtp_error *error)
{
    const struct smtp_client_credentials *credentials = sasl->credentials;
    enum smtp_status status = SMTP_OK;
    if (sasl->kind->prepares) {
        status = check_prepared(sasl, credentials->identity, error);
        status = status == SMTP_OK ? check_prepared(sasl, credentials->password, error) : status;
    }
    if (status != SMTP_OK) {
        return status;
    }
    int code = gsasl_init(&sasl->library);
    if (code == GSASL_OK) {
        code = gsasl_client_start(sasl->library, sasl->kind->name, &sasl->exchange);
    }
    if (code != GSASL_OK) {
        return explain(sasl, code, error);
    }
    bool named = sasl->kind->needs == SMTP_SASL_PASSWORD;
    if ((named && set(sasl->exchange, GSASL_AUTHID, credentials->identity) != SMTP_OK) ||
        (named && set(sasl->exchange, GSASL_PASSWORD, credentials->password) != SMTP_OK) ||
        set(sasl->exchange, GSASL_AUTHZID, credentials->authorization_identity) != SMTP_OK ||
        set_bindings(sasl, bindings) != SMTP_OK) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for AUTH");
    }
    return SMTP_OK;
}

/* ---- an exchange ---- */

static bool is_complete(const void *user)
{
    const struct smtp_client_sasl *sasl = user;
    return sasl->over && !sasl->denied;
}

enum smtp_status smtp_client_sasl_new(struct smtp_client_sasl **out,
                                      const struct smtp_client_sasl_kind *kind,
                                      const struct smtp_client_credentials *credentials,
                                      const struct smtp_client_bindings *bindings,
                                      struct smtp_error *error)
{
    struct smtp_client_sasl *sasl = calloc(1, sizeof(*sasl));
    *out = sasl;
    if (sasl == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for AUTH");
    }
    bool by_hand = kind->needs == SMTP_SASL_TOKEN;
    sasl->kind = kind;
    sasl->credentials = credentials;
    sasl->mechanism = (struct smtp_client_mechanism){
        .name = kind->name,
        .speaks_first = !kind->server_first,
        .user = sasl,
        .answer = by_hand ? answer_with_token : answer_by_library,
        .is_complete = is_complete,
    };
    enum smtp_status status = by_hand ? SMTP_OK : start_library(sasl, bindings, error);
    if (status != SMTP_OK) {
        smtp_client_sasl_free(sasl);
        *out = NULL;
    }
    return status;
}

const struct smtp_client_mechanism *smtp_client_sasl_mechanism(const struct smtp_client_sasl *sasl)
{
    return &sasl->mechanism;
}

void smtp_client_sasl_free(struct smtp_client_sasl *sasl)
{
    static const Gsasl_property secrets[] = {GSASL_PASSWORD, GSASL_SCRAM_SALTED_PASSWORD};
    if (sasl == NULL) {
        return;
    }
    for (size_t i = 0; sasl->exchange != NULL && i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        const char *kept = gsasl_property_fast(sasl->exchange, secrets[i]); /* the library's own */
        if (kept != NULL) {
            smtp_secret_wipe((void *)(uintptr_t)kept, strlen(kept));
        }
    }
    if (sasl->exchange != NULL) {
        gsasl_finish(sasl->exchange);
    }
    if (sasl->library != NULL) {
        gsasl_done(sasl->library);
    }
    free(sasl);
}
