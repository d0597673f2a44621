/* sasl.c - what a SASL mechanism says (RFC 4422): libgsasl's word for CRAM-MD5, PLAIN, LOGIN and EXTERNAL;
 * XOAUTH2 and OAUTHBEARER (RFC 7628), which it does not have, by hand, and SCRAM in sasl_scram.c: libgsasl's
 * cannot say "y" (RFC 5802 6). Knows: when an exchange is over, whether SCRAM binds. Does not know: base64,
 * lines, replies (client/protocol/session_auth.c). */
#include "client/sasl.h"

#include "client/sasl_scram.h"
#include "common/error.h"
#include "common/secret.h"

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

struct smtp_client_sasl {
    struct smtp_client_mechanism mechanism;
    const struct smtp_client_sasl_kind *kind;
    const struct smtp_client_credentials *credentials;
    struct smtp_client_scram *scram; /* NULL: another mechanism */
    Gsasl *library;                  /* NULL: a mechanism by hand */
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
    return smtp_client_gs2_header(out, "n", name);
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

static enum smtp_status explain(int code, struct smtp_error *error)
{
    switch (code) {
    case GSASL_MALLOC_ERROR:
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for AUTH");
    case GSASL_MECHANISM_PARSE_ERROR:
    case GSASL_BASE64_ERROR:
        return violation(error, "the server's challenge is not one of this mechanism");
    default:
        return smtp_error_set(error, SMTP_SYSTEM_FAILED, 0, "SASL failed: %s",
                              gsasl_strerror(code));
    }
}

/* What libgsasl would not refuse. */
static enum smtp_status check_challenge(const struct smtp_client_sasl *sasl,
                                        struct smtp_span challenge, struct smtp_error *error)
{
    if (sasl->over) {
        return violation(error, "the server asks for more than the mechanism has to say");
    }
    bool is_cram = sasl->kind->prepares;
    return is_cram && challenge.len == 0 ? violation(error, "the server's challenge is empty")
                                         : SMTP_OK;
}

static enum smtp_status answer_by_library(void *user, struct smtp_span challenge,
                                          struct smtp_buffer *response, struct smtp_error *error)
{
    struct smtp_client_sasl *sasl = user;
    char *octets = NULL;
    size_t len = 0;
    enum smtp_status status = check_challenge(sasl, challenge, error);
    if (status != SMTP_OK) {
        return status;
    }
    int code = gsasl_step(sasl->exchange, challenge.bytes, challenge.len, &octets, &len);
    if (code != GSASL_OK && code != GSASL_NEEDS_MORE) {
        return explain(code, error);
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

/* Before anything is sent, not in the middle of the exchange. */
static enum smtp_status check_prepared(const char *text, struct smtp_error *error)
{
    char *prepared = NULL;
    enum smtp_status status = smtp_client_saslprep(&prepared, text, error);
    smtp_secret_free(prepared);
    return status;
}

static enum smtp_status start_library(struct smtp_client_sasl *sasl, struct smtp_error *error)
{
    const struct smtp_client_credentials *credentials = sasl->credentials;
    enum smtp_status status = SMTP_OK;
    if (sasl->kind->prepares) {
        status = check_prepared(credentials->identity, error);
        status = status == SMTP_OK ? check_prepared(credentials->password, error) : status;
    }
    if (status != SMTP_OK) {
        return status;
    }
    int code = gsasl_init(&sasl->library);
    if (code == GSASL_OK) {
        code = gsasl_client_start(sasl->library, sasl->kind->name, &sasl->exchange);
    }
    if (code != GSASL_OK) {
        return explain(code, error);
    }
    bool named = sasl->kind->needs == SMTP_SASL_PASSWORD;
    if ((named && set(sasl->exchange, GSASL_AUTHID, credentials->identity) != SMTP_OK) ||
        (named && set(sasl->exchange, GSASL_PASSWORD, credentials->password) != SMTP_OK) ||
        set(sasl->exchange, GSASL_AUTHZID, credentials->authorization_identity) != SMTP_OK) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for AUTH");
    }
    return SMTP_OK;
}

/* ---- SCRAM ---- */

static bool is_scram(const struct smtp_client_sasl_kind *kind)
{
    return kind->prepares && !kind->server_first;
}

static enum smtp_status start_scram(struct smtp_client_sasl *sasl,
                                    const struct smtp_client_sasl_setting *setting,
                                    struct smtp_error *error)
{
    const struct smtp_client_credentials *credentials = sasl->credentials;
    const struct smtp_client_bindings *bindings = &setting->bindings;
    bool unique = bindings->tls_unique.len > 0;
    struct smtp_client_scram_options options = {
        .sha256 = strstr(sasl->kind->name, "-256") != NULL,
        .flag = smtp_client_sasl_could_have_bound(setting) ? "y" : "n",
        .binding = {"", 0},
        .identity = credentials->identity,
        .password = credentials->password,
        .authorization_identity = credentials->authorization_identity,
    };
    if (sasl->kind->binds) { /* RFC 9266 1: tls-exporter where tls-unique does not exist: TLS 1.3 */
        options.flag = unique ? "p=tls-unique" : "p=tls-exporter";
        options.binding = unique ? bindings->tls_unique : bindings->tls_exporter;
    }
    sasl->mechanism.answer = smtp_client_scram_answer;
    sasl->mechanism.is_complete = smtp_client_scram_is_complete;
    enum smtp_status status = smtp_client_scram_new(&sasl->scram, &options, error);
    sasl->mechanism.user = sasl->scram;
    return status;
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
                                      const struct smtp_client_sasl_setting *setting,
                                      struct smtp_error *error)
{
    struct smtp_client_sasl *sasl = calloc(1, sizeof(*sasl));
    *out = sasl;
    if (sasl == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for AUTH");
    }
    bool has_token = kind->needs == SMTP_SASL_TOKEN;
    sasl->kind = kind;
    sasl->credentials = credentials;
    sasl->mechanism = (struct smtp_client_mechanism){
        .name = kind->name,
        .speaks_first = !kind->server_first,
        .user = sasl,
        .answer = has_token ? answer_with_token : answer_by_library,
        .is_complete = is_complete,
    };
    enum smtp_status status = SMTP_OK;
    if (is_scram(kind)) {
        status = start_scram(sasl, setting, error);
    } else if (!has_token) {
        status = start_library(sasl, error);
    }
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
    if (sasl == NULL) {
        return;
    }
    if (sasl->exchange != NULL) {
        /* the library's own */
        const char *kept = gsasl_property_fast(sasl->exchange, GSASL_PASSWORD);
        if (kept != NULL) {
            smtp_secret_wipe((void *)(uintptr_t)kept, strlen(kept));
        }
        gsasl_finish(sasl->exchange);
    }
    if (sasl->library != NULL) {
        gsasl_done(sasl->library);
    }
    smtp_client_scram_free(sasl->scram);
    free(sasl);
}
