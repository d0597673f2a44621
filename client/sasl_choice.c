/* sasl_choice.c - which SASL mechanism is used, and whether the credentials are fit for one.
 * Knows: every mechanism the client has, strongest first, and what each needs. Does not know: what they
 * say (sasl.c). */
#include "client/protocol/extensions.h"
#include "client/sasl.h"
#include "common/error.h"
#include "common/utf8.h"

#include <string.h>

/* Strongest first: SCRAM makes the server prove that it knows the password, and its -PLUS forms tie the
 * proof to the TLS connection; CRAM-MD5 keeps the password from whoever listens. */
static const struct smtp_client_sasl_kind kinds[] = {
    {"SCRAM-SHA-256-PLUS", SMTP_SASL_PASSWORD, .binds = true, .acts_for = true, .prepares = true},
    {"SCRAM-SHA-1-PLUS", SMTP_SASL_PASSWORD, .binds = true, .acts_for = true, .prepares = true},
    {"SCRAM-SHA-256", SMTP_SASL_PASSWORD, .acts_for = true, .prepares = true},
    {"SCRAM-SHA-1", SMTP_SASL_PASSWORD, .acts_for = true, .prepares = true},
    {"CRAM-MD5", SMTP_SASL_PASSWORD, .server_first = true, .prepares = true},
    {"PLAIN", SMTP_SASL_PASSWORD, .reveals = true, .acts_for = true},
    {"LOGIN", SMTP_SASL_PASSWORD, .reveals = true, .server_first = true},
    {"OAUTHBEARER", SMTP_SASL_TOKEN, .reveals = true, .acts_for = true},
    {"XOAUTH2", SMTP_SASL_TOKEN, .reveals = true},
    {"EXTERNAL", SMTP_SASL_NOTHING, .acts_for = true},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool is_empty(const char *text)
{
    return text == NULL || *text == '\0';
}

/* ---- are the credentials fit? ---- */

/* what: names the field; its value is never shown. */
static enum smtp_status check_text(const char *what, const char *text, struct smtp_error *error)
{
    struct smtp_span rest = smtp_span_of(text != NULL ? text : "");
    while (rest.len > 0) {
        if (smtp_is_control((unsigned char)rest.bytes[0])) {
            return smtp_error_set(error, SMTP_UNSAFE_ARGUMENT, 0, "the %s holds a control octet",
                                  what);
        }
        size_t len = smtp_utf8_character(rest);
        if (len == 0) {
            return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "the %s is no UTF-8 text", what);
        }
        rest = (struct smtp_span){rest.bytes + len, rest.len - len};
    }
    return SMTP_OK;
}

/* RFC 6750 2.1: a bearer token is printable ASCII without spaces. */
static enum smtp_status check_token(const char *token, struct smtp_error *error)
{
    for (const char *at = token != NULL ? token : ""; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~') {
            return smtp_error_set(
                error,
                smtp_is_control((unsigned char)*at) ? SMTP_UNSAFE_ARGUMENT : SMTP_BAD_ARGUMENT, 0,
                "the token holds an octet that is no printable ASCII, or a space");
        }
    }
    return SMTP_OK;
}

static const struct smtp_client_sasl_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (smtp_span_equal_nocase(smtp_span_of(kinds[i].name), smtp_span_of(name))) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* NULL: the mechanism can work with them; or what is missing. */
static const char *what_is_missing(const struct smtp_client_sasl_kind *kind,
                                   const struct smtp_client_credentials *credentials)
{
    if (kind->needs == SMTP_SASL_PASSWORD &&
        (is_empty(credentials->identity) || credentials->password == NULL)) {
        return "needs an identity and a password";
    }
    if (kind->needs == SMTP_SASL_TOKEN && is_empty(credentials->token)) {
        return "needs a token";
    }
    if (kind->needs == SMTP_SASL_TOKEN && !kind->acts_for && is_empty(credentials->identity)) {
        return "needs an identity beside the token";
    }
    if (!kind->acts_for && !is_empty(credentials->authorization_identity)) {
        return "cannot carry an authorization identity";
    }
    return NULL;
}

static enum smtp_status check_mechanism(const struct smtp_client_credentials *credentials,
                                        struct smtp_error *error)
{
    const struct smtp_client_sasl_kind *kind = find_kind(credentials->mechanism);
    if (kind == NULL) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "the mechanism is none of SCRAM-SHA-256, SCRAM-SHA-1 (and -PLUS), "
                              "CRAM-MD5, PLAIN, LOGIN, OAUTHBEARER, XOAUTH2, EXTERNAL");
    }
    const char *missing = what_is_missing(kind, credentials);
    return missing == NULL
               ? SMTP_OK
               : smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "%s %s", kind->name, missing);
}

enum smtp_status smtp_client_sasl_check(const struct smtp_client_credentials *credentials,
                                        struct smtp_error *error)
{
    enum smtp_status status = check_text("identity", credentials->identity, error);
    if (status == SMTP_OK) {
        status = check_text("password", credentials->password, error);
    }
    if (status == SMTP_OK) {
        status = check_text("authorization identity", credentials->authorization_identity, error);
    }
    if (status == SMTP_OK) {
        status = check_token(credentials->token, error);
    }
    if (status == SMTP_OK && credentials->password != NULL && is_empty(credentials->identity)) {
        status = smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                "there is a password, and no identity that it belongs to");
    }
    return status == SMTP_OK && credentials->mechanism != NULL ? check_mechanism(credentials, error)
                                                               : status;
}

/* ---- the choice ---- */

static bool can_bind(const struct smtp_client_sasl_setting *setting)
{
    return setting->bindings.tls_unique.len > 0 || setting->bindings.tls_exporter.len > 0;
}

bool smtp_client_sasl_could_have_bound(const struct smtp_client_sasl_setting *setting)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (kinds[i].binds && smtp_client_words_have(setting->offered, kinds[i].name)) {
            return false; /* the caller named another: that is no downgrade */
        }
    }
    return can_bind(setting);
}

static enum smtp_status check_named(const struct smtp_client_sasl_kind *kind,
                                    const struct smtp_client_sasl_setting *setting,
                                    struct smtp_error *error)
{
    if (kind == NULL) { /* check_mechanism lets no such name pass */
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "the mechanism is not known");
    }
    if (!smtp_client_words_have(setting->offered, kind->name)) {
        return smtp_error_set(error, SMTP_UNSUPPORTED, 0,
                              "the server does not offer AUTH %s; it offers \"%.150s\"", kind->name,
                              setting->offered);
    }
    if (kind->reveals && !setting->confidential) {
        return smtp_error_set(error, SMTP_UNSUPPORTED, 0,
                              "%s would send the secret in the clear: use TLS, or allow plain "
                              "without TLS",
                              kind->name);
    }
    if (kind->binds && !can_bind(setting)) {
        return smtp_error_set(error, SMTP_UNSUPPORTED, 0,
                              "%s needs a TLS connection that it can be bound to", kind->name);
    }
    return SMTP_OK;
}

/* Whether a mechanism comes into question where none was named. EXTERNAL is for those who have nothing
 * else to show. */
static bool serves(const struct smtp_client_sasl_kind *kind,
                   const struct smtp_client_credentials *credentials,
                   const struct smtp_client_sasl_setting *setting)
{
    bool has_secret = credentials->password != NULL || !is_empty(credentials->token);
    return smtp_client_words_have(setting->offered, kind->name) &&
           what_is_missing(kind, credentials) == NULL &&
           (kind->needs != SMTP_SASL_NOTHING || !has_secret) && (!kind->binds || can_bind(setting));
}

enum smtp_status smtp_client_sasl_choose(const struct smtp_client_sasl_kind **kind,
                                         const struct smtp_client_credentials *credentials,
                                         const struct smtp_client_sasl_setting *setting,
                                         struct smtp_error *error)
{
    if (setting->offered == NULL) {
        return smtp_error_set(error, SMTP_UNSUPPORTED, 0, "the server does not offer AUTH%s",
                              setting->confidential ? "" : " (without TLS)");
    }
    if (credentials->mechanism != NULL) {
        *kind = find_kind(credentials->mechanism);
        return check_named(*kind, setting, error);
    }
    const struct smtp_client_sasl_kind *in_the_clear = NULL;
    for (*kind = kinds; *kind < kinds + KINDS; ++*kind) {
        if (!serves(*kind, credentials, setting)) {
            continue;
        }
        if (!(*kind)->reveals || setting->confidential) {
            return SMTP_OK;
        }
        in_the_clear = in_the_clear != NULL ? in_the_clear : *kind;
    }
    if (in_the_clear != NULL) {
        return check_named(in_the_clear, setting, error);
    }
    return smtp_error_set(error, SMTP_UNSUPPORTED, 0,
                          "the server offers no AUTH mechanism that these credentials serve; it "
                          "offers \"%.150s\"",
                          setting->offered);
}
