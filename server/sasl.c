/* sasl.c - see sasl.h.
 * Knows: which mechanism is whose, who decides, CRAM-MD5 (RFC 2195), and what the OAuth mechanisms do
 * with a token. CRAM-MD5 is not libgsasl's: its challenge names localhost, not the server, and it
 * compares in a time that tells. Does not know: SMTP, TLS. */
#include "server/sasl.h"

#include "common/secret.h"
#include "server/sasl_exchange.h"
#include "server/sasl_oauth.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MD5_OCTETS ((size_t)16)
#define CRAM_CHALLENGE_SIZE 320 /* two numbers and a hostname of 255 */

enum smtp_server_auth_step smtp_server_sasl_challenge(struct smtp_server_exchange *exchange,
                                                      const char *text)
{
    smtp_secret_free(exchange->challenge);
    exchange->challenge = strdup(text);
    exchange->challenge_len = exchange->challenge != NULL ? strlen(text) : 0;
    return exchange->challenge != NULL ? SMTP_SERVER_AUTH_CHALLENGE : SMTP_SERVER_AUTH_FAILED;
}

/* ---- who, and whether ---- */

bool smtp_server_sasl_identify(struct smtp_server_exchange *exchange, const char *identity,
                               const char *authorization)
{
    exchange->identity = identity != NULL ? smtp_server_saslprep(identity) : NULL;
    if (exchange->identity == NULL || authorization == NULL || *authorization == '\0') {
        return exchange->identity != NULL;
    }
    exchange->authorization = smtp_server_saslprep(authorization);
    if (exchange->authorization == NULL) {
        return false;
    }
    if (strcmp(exchange->authorization, exchange->identity) == 0) {
        free(exchange->authorization);
        exchange->authorization = NULL;
    }
    return true;
}

void smtp_server_sasl_password(struct smtp_server_exchange *exchange,
                               char password[SMTP_SERVER_SECRET_SIZE])
{
    const struct smtp_server_sasl_source *source = &exchange->source;
    const char *known = NULL;
    password[0] = '\0';
    if (source->find_password == NULL) {
        known = smtp_server_users_password(source->users, exchange->identity);
    } else if (source->find_password(source->user, exchange->identity, password)) {
        password[SMTP_SERVER_SECRET_SIZE - 1] = '\0';
        known = password;
    }
    exchange->nobody = known == NULL || *known == '\0';
    if (exchange->nobody) {
        known = "nobody's";
    }
    if (known != password) {
        memcpy(password, known, strlen(known) + 1); /* shorter, says the table */
    }
}

/* Passwords are prepared on both sides (RFC 4616 2), tokens are taken as they are. */
static bool is_secret(struct smtp_server_exchange *exchange, const char *given)
{
    char password[SMTP_SERVER_SECRET_SIZE];
    smtp_server_sasl_password(exchange, password);
    bool token = exchange->mechanism->token;
    char *known = token ? strdup(password) : smtp_server_saslprep(password);
    char *prepared = token ? strdup(given) : smtp_server_saslprep(given);
    smtp_secret_wipe(password, sizeof password);
    exchange->lacking = exchange->lacking || (token && (known == NULL || prepared == NULL));
    bool equal = known != NULL && prepared != NULL &&
                 smtp_secret_equal(smtp_span_of(known), smtp_span_of(prepared));
    smtp_secret_free(known);
    smtp_secret_free(prepared);
    return equal && !exchange->nobody;
}

static enum smtp_server_verdict decide_by_table(struct smtp_server_exchange *exchange,
                                                const char *secret)
{
    bool right = secret == NULL || is_secret(exchange, secret);
    return right && exchange->authorization == NULL ? SMTP_ACCEPT : SMTP_REFUSE;
}

enum smtp_server_auth_step smtp_server_sasl_decide(struct smtp_server_exchange *exchange,
                                                   const char *secret)
{
    const struct smtp_server_sasl_source *source = &exchange->source;
    const struct smtp_server_credentials credentials = {
        .mechanism = exchange->mechanism->name,
        .identity = exchange->identity,
        .authorization_identity = exchange->authorization != NULL ? exchange->authorization : "",
        .secret = secret,
    };
    exchange->verdict = source->decide != NULL
                            ? source->decide(source->user, &credentials, &exchange->reply)
                            : decide_by_table(exchange, secret);
    return exchange->verdict == SMTP_ACCEPT ? SMTP_SERVER_AUTH_ACCEPTED : SMTP_SERVER_AUTH_REFUSED;
}

/* ---- CRAM-MD5 ---- */

/* A msg-id: random digits, the time, the server's name (RFC 2195 2). */
static enum smtp_server_auth_step cram_challenge(struct smtp_server_exchange *exchange)
{
    char text[CRAM_CHALLENGE_SIZE];
    uint64_t number;
    if (RAND_bytes((unsigned char *)&number, sizeof number) != 1) {
        return SMTP_SERVER_AUTH_FAILED;
    }
    snprintf(text, sizeof text, "<%" PRIu64 ".%lld@%s>", number, (long long)time(NULL),
             exchange->source.hostname);
    return smtp_server_sasl_challenge(exchange, text);
}

static void to_hex(const unsigned char *octets, size_t len, char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[octets[i] >> 4];
        text[2 * i + 1] = digits[octets[i] & 15];
    }
}

static bool cram_holds(struct smtp_server_exchange *exchange, const char *digest)
{
    char password[SMTP_SERVER_SECRET_SIZE], right[2 * MD5_OCTETS];
    unsigned char octets[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    smtp_server_sasl_password(exchange, password);
    char *prepared = smtp_server_saslprep(password);
    bool prepared_well = prepared != NULL;
    bool made = prepared_well && HMAC(EVP_md5(), prepared, (int)strlen(prepared),
                                      (const unsigned char *)exchange->challenge,
                                      exchange->challenge_len, octets, &len) != NULL;
    smtp_secret_wipe(password, sizeof password);
    smtp_secret_free(prepared);
    if (!made || len != MD5_OCTETS) {
        exchange->lacking = exchange->lacking || prepared_well;
        return false;
    }
    to_hex(octets, len, right);
    bool equal = smtp_secret_equal((struct smtp_span){right, sizeof right},
                                   (struct smtp_span){digest, sizeof right});
    smtp_secret_wipe(right, sizeof right);
    smtp_secret_wipe(octets, sizeof octets);
    return equal && !exchange->nobody;
}

/* An identity, which may hold spaces, SP, 32 digits in lower case. */
static enum smtp_server_auth_step cram_md5(struct smtp_server_exchange *exchange, char *response,
                                           size_t len)
{
    if (!exchange->begun && response == NULL) {
        return cram_challenge(exchange);
    }
    char *digest = len > 2 * MD5_OCTETS + 1 ? response + len - 2 * MD5_OCTETS : NULL;
    if (!exchange->begun || strlen(response) != len || digest == NULL || digest[-1] != ' ' ||
        strspn(digest, "0123456789abcdef") != 2 * MD5_OCTETS) {
        return SMTP_SERVER_AUTH_MALFORMED;
    }
    digest[-1] = '\0';
    return smtp_server_sasl_identify(exchange, response, NULL) && cram_holds(exchange, digest)
               ? smtp_server_sasl_decide(exchange, NULL)
               : SMTP_SERVER_AUTH_REFUSED;
}

/* ---- XOAUTH2 and OAUTHBEARER ---- */

/* Nobody logs in without a name: OAUTHBEARER without "a=" is refused, unless the table knows whose the
 * token is. A refusal says why in a challenge, and is a refusal after the response to that (RFC 7628 3.2.2). */
static enum smtp_server_auth_step decide_token(struct smtp_server_exchange *exchange,
                                               const struct smtp_server_oauth *said,
                                               const char *why)
{
    if (smtp_server_sasl_identify(exchange, said->identity, NULL) &&
        (smtp_server_sasl_decide(exchange, said->token) == SMTP_SERVER_AUTH_ACCEPTED ||
         exchange->verdict == SMTP_DISCONNECT)) {
        return exchange->verdict == SMTP_ACCEPT ? SMTP_SERVER_AUTH_ACCEPTED
                                                : SMTP_SERVER_AUTH_REFUSED;
    }
    exchange->awaits_last = true;
    return smtp_server_sasl_challenge(exchange, why);
}

static enum smtp_server_auth_step xoauth2(struct smtp_server_exchange *exchange, char *response,
                                          size_t len)
{
    struct smtp_server_oauth said;
    return smtp_server_xoauth2_parse(response, len, &said)
               ? decide_token(exchange, &said, "{\"status\":\"401\",\"schemes\":\"bearer\"}")
               : SMTP_SERVER_AUTH_MALFORMED;
}

static enum smtp_server_auth_step oauthbearer(struct smtp_server_exchange *exchange, char *response,
                                              size_t len)
{
    struct smtp_server_oauth said;
    if (!smtp_server_oauthbearer_parse(response, len, &said)) {
        return SMTP_SERVER_AUTH_MALFORMED;
    }
    if (*said.identity == '\0' && exchange->source.decide == NULL) {
        const char *owner = smtp_server_users_identity(exchange->source.users, said.token);
        said.identity = owner != NULL ? owner : "";
    }
    return decide_token(exchange, &said, "{\"status\":\"invalid_token\"}");
}

static enum smtp_server_auth_step oauthbearer_last(struct smtp_server_exchange *exchange,
                                                   char *response, size_t len)
{
    (void)exchange;
    return len == 1 && response[0] == '\x01' ? SMTP_SERVER_AUTH_REFUSED
                                             : SMTP_SERVER_AUTH_MALFORMED;
}

/* The response is empty there; some clients send what OAUTHBEARER has. */
static enum smtp_server_auth_step xoauth2_last(struct smtp_server_exchange *exchange,
                                               char *response, size_t len)
{
    return len == 0 ? SMTP_SERVER_AUTH_REFUSED : oauthbearer_last(exchange, response, len);
}

/* ---- the exchange ---- */

static const struct smtp_server_sasl_mechanism mechanisms[] = {
    {"PLAIN", smtp_server_sasl_plain, NULL, .gsasl = true},
    {"LOGIN", smtp_server_sasl_login, NULL, .gsasl = true, .server_first = true},
    {"CRAM-MD5", cram_md5, NULL, .server_first = true},
    {"SCRAM-SHA-1", smtp_server_sasl_scram, smtp_server_sasl_scram_last, .gsasl = true},
    {"SCRAM-SHA-1-PLUS", smtp_server_sasl_scram, smtp_server_sasl_scram_last, .gsasl = true,
     .plus = true},
    {"SCRAM-SHA-256", smtp_server_sasl_scram, smtp_server_sasl_scram_last, .gsasl = true},
    {"SCRAM-SHA-256-PLUS", smtp_server_sasl_scram, smtp_server_sasl_scram_last, .gsasl = true,
     .plus = true},
    {"EXTERNAL", smtp_server_sasl_external, NULL, .gsasl = true},
    {"XOAUTH2", xoauth2, xoauth2_last, .token = true},
    {"OAUTHBEARER", oauthbearer, oauthbearer_last, .token = true},
};

struct smtp_server_exchange *
smtp_server_exchange_begin(const char *mechanism, const struct smtp_server_sasl_source *source)
{
    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++) {
        if (strcmp(mechanisms[i].name, mechanism) != 0) {
            continue;
        }
        struct smtp_server_exchange *exchange = calloc(1, sizeof *exchange);
        if (exchange == NULL) {
            return NULL;
        }
        exchange->mechanism = &mechanisms[i];
        exchange->source = *source;
        if (mechanisms[i].gsasl && !smtp_server_sasl_open_gsasl(exchange)) {
            smtp_server_exchange_free(exchange);
            return NULL;
        }
        return exchange;
    }
    return NULL;
}

static enum smtp_server_auth_step take(struct smtp_server_exchange *exchange, bool has_response,
                                       struct smtp_span response)
{
    if (!has_response) {
        return exchange->mechanism->server_first ? exchange->mechanism->step(exchange, NULL, 0)
                                                 : smtp_server_sasl_challenge(exchange, "");
    }
    char *text = malloc(response.len + 1);
    if (text == NULL) {
        return SMTP_SERVER_AUTH_FAILED;
    }
    smtp_bytes_copy(text, response);
    text[response.len] = '\0';
    enum smtp_server_auth_step step = exchange->awaits_last
                                          ? exchange->mechanism->last(exchange, text, response.len)
                                          : exchange->mechanism->step(exchange, text, response.len);
    smtp_secret_wipe(text, response.len);
    free(text);
    return step;
}

struct smtp_server_auth_answer smtp_server_exchange_step(struct smtp_server_exchange *exchange,
                                                         bool has_response,
                                                         struct smtp_span response)
{
    enum smtp_server_auth_step step = take(exchange, has_response, response);
    exchange->begun = true;
    step = exchange->lacking ? SMTP_SERVER_AUTH_FAILED : step;
    return (struct smtp_server_auth_answer){
        .step = step,
        .challenge = {exchange->challenge != NULL ? exchange->challenge : "",
                      exchange->challenge_len},
        .identity = exchange->identity,
        .reply = exchange->reply.code != 0 ? &exchange->reply : NULL,
        .disconnect = exchange->verdict == SMTP_DISCONNECT,
    };
}

void smtp_server_exchange_free(struct smtp_server_exchange *exchange)
{
    if (exchange == NULL) {
        return;
    }
    smtp_server_sasl_close_gsasl(exchange);
    free(exchange->identity);
    free(exchange->authorization);
    smtp_secret_free(exchange->challenge);
    free(exchange);
}
