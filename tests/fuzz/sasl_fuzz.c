/* sasl_fuzz.c - SASL exchanges: the server's end under any responses, the client's under any challenges, and both against each
 * other with names and passwords of the input. Nobody is let in who has not said the password, no client is content with a
 * server that has not proved it; who has it is let in, and with one octet of SCRAM changed on the way nobody is. */
#include "client/sasl.h"
#include "client/sasl_scram.h"
#include "common/secret.h"
#include "server/sasl.h"
#include "server/sasl_oauth.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#define PASSWORD "tok.en-of-ann"
#define NONCE "fyko+d2lbbFgONRv9qkxdawL"
#define STEPS_MAX 8
#define BINDING "binding-of-the-channel"

static const char *const mechanisms[] = {
    "PLAIN",    "LOGIN",       "CRAM-MD5",      "XOAUTH2",          "OAUTHBEARER",
    "EXTERNAL", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"};
#define MECHANISMS (sizeof mechanisms / sizeof *mechanisms)

static size_t binding(void *user, enum smtp_tls_binding kind, char bytes[SMTP_TLS_BINDING_MAX])
{
    (void)user;
    (void)kind;
    memcpy(bytes, BINDING, sizeof BINDING - 1);
    return sizeof BINDING - 1;
}

static struct smtp_server_sasl_source source_of(struct smtp_server_users *users,
                                                const char *mechanism)
{
    return (struct smtp_server_sasl_source){.hostname = "mx.test",
                                            .users = users,
                                            .subject = "ann",
                                            .plus_offered = strstr(mechanism, "PLUS") != NULL,
                                            .binding = binding};
}

/* ---- the server alone ---- */

static bool may_be_let_in(const char *mechanism, struct smtp_span said)
{
    if (strcmp(mechanism, "EXTERNAL") == 0) {
        return true;
    }
    return strstr(mechanism, "SCRAM") == NULL && strcmp(mechanism, "CRAM-MD5") != 0 &&
           smtp_span_has(said, PASSWORD);
}

static void check_server(struct fuzz_input *input)
{
    static const struct smtp_server_user ann = {"ann", PASSWORD};
    const char *mechanism = mechanisms[fuzz_below(input, MECHANISMS)];
    struct smtp_span all = fuzz_rest(input);
    struct smtp_server_users users;
    struct smtp_error error = {0};
    FUZZ_HOLDS(smtp_server_users_init(&users, &ann, 1, &error) == SMTP_OK);
    struct smtp_server_sasl_source source = source_of(&users, mechanism);
    struct smtp_server_exchange *exchange = smtp_server_exchange_begin(mechanism, &source);
    FUZZ_HOLDS(exchange != NULL);
    bool nothing = fuzz_below(input, 2) == 0;
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        struct smtp_span part = fuzz_part(input, '\n');
        char *copy = fuzz_copy(part);
        struct smtp_server_auth_answer answer =
            smtp_server_exchange_step(exchange, i > 0 || !nothing,
                                      (struct smtp_span){copy, i > 0 || !nothing ? part.len : 0});
        free(copy);
        if (answer.step == SMTP_SERVER_AUTH_ACCEPTED) {
            FUZZ_HOLDS(may_be_let_in(mechanism, all));
            FUZZ_HOLDS(answer.identity != NULL && strcmp(answer.identity, "ann") == 0);
        }
        if (answer.step != SMTP_SERVER_AUTH_CHALLENGE) {
            break;
        }
        FUZZ_HOLDS(answer.challenge.len <= SMTP_CLIENT_RESPONSE_MAX);
    }
    smtp_server_exchange_free(exchange);
    smtp_server_users_clear(&users);
}

/* ---- the client alone ---- */

/* More iterations than a run has time for. */
static bool is_costly(struct smtp_span challenge)
{
    size_t digits = 0, most = 0;
    for (size_t i = 0; i < challenge.len; i++) {
        digits = smtp_is_digit((unsigned char)challenge.bytes[i]) ? digits + 1 : 0;
        most = digits > most ? digits : most;
    }
    return most > 4;
}

static void check_client(struct fuzz_input *input)
{
    unsigned bits = fuzz_octet(input);
    const struct smtp_client_scram_options options = {
        .sha256 = (bits & 1) != 0,
        .flag = (bits & 2) != 0 ? "p=tls-exporter" : "n",
        .binding = (bits & 2) != 0 ? SMTP_SPAN(BINDING) : SMTP_SPAN(""),
        .identity = "user",
        .password = PASSWORD,
        .authorization_identity = (bits & 4) != 0 ? "a,b=c" : NULL,
        .nonce = NONCE};
    struct smtp_client_scram *scram = NULL;
    struct smtp_error error = {0};
    enum smtp_status status = smtp_client_scram_new(&scram, &options, &error);
    FUZZ_HOLDS(status == SMTP_OK);
    struct smtp_span challenge = {"", 0};
    for (unsigned i = 0; i < STEPS_MAX && status == SMTP_OK && !is_costly(challenge); i++) {
        struct smtp_buffer response = SMTP_BUFFER(SMTP_CLIENT_RESPONSE_MAX);
        char *copy = fuzz_copy(challenge);
        FUZZ_HOLDS(smtp_buffer_reserve(&response, SMTP_CLIENT_RESPONSE_MAX) != NULL);
        status = smtp_client_scram_answer(scram, (struct smtp_span){copy, challenge.len}, &response,
                                          &error);
        FUZZ_HOLDS((status == SMTP_OK) == (error.message[0] == '\0'));
        FUZZ_HOLDS(!smtp_client_scram_is_complete(scram));
        free(copy);
        smtp_buffer_free(&response);
        challenge = fuzz_part(input, '\n');
    }
    smtp_client_scram_free(scram);
}

static void check_oauth(struct fuzz_input *input)
{
    struct smtp_span rest = fuzz_rest(input);
    for (unsigned i = 0; i < 2; i++) {
        struct smtp_server_oauth out = {0};
        char *message = malloc(rest.len + 1);
        FUZZ_HOLDS(message != NULL);
        smtp_bytes_copy(message, rest);
        message[rest.len] = '\0';
        if ((i == 0 ? smtp_server_xoauth2_parse : smtp_server_oauthbearer_parse)(message, rest.len,
                                                                                 &out)) {
            FUZZ_HOLDS(out.token[0] != '\0' &&
                       strlen(out.token) + strlen(out.identity) <= rest.len);
            FUZZ_HOLDS(i == 1 || out.identity[0] != '\0');
        }
        free(message);
    }
}

/* ---- both ---- */

struct both {
    struct smtp_server_exchange *server;
    struct smtp_client_sasl *client;
    unsigned change_at; /* which message from the server has an octet changed; 0: none */
    unsigned change_octet;
    bool changed;
};

static struct smtp_span change(struct both *both, struct smtp_span challenge, unsigned number,
                               char *copy)
{
    if (number == both->change_at && challenge.len > 0) {
        copy[both->change_octet % challenge.len] ^= 1;
        both->changed = true;
    }
    return (struct smtp_span){copy, challenge.len};
}

/* Whether both are content. */
static bool talk(struct both *both, bool speaks_first)
{
    const struct smtp_client_mechanism *mechanism = smtp_client_sasl_mechanism(both->client);
    struct smtp_server_auth_answer answer = {.step = SMTP_SERVER_AUTH_CHALLENGE};
    struct smtp_error error = {0};
    if (!speaks_first) {
        answer = smtp_server_exchange_step(both->server, false, (struct smtp_span){"", 0});
    }
    for (unsigned i = 0; answer.step == SMTP_SERVER_AUTH_CHALLENGE && i < STEPS_MAX; i++) {
        struct smtp_buffer response = SMTP_BUFFER(SMTP_CLIENT_RESPONSE_MAX);
        char *copy = fuzz_copy(answer.challenge);
        struct smtp_span challenge = change(both, answer.challenge, i, copy);
        enum smtp_status status = mechanism->answer(mechanism->user, challenge, &response, &error);
        free(copy);
        if (status != SMTP_OK) {
            smtp_buffer_free(&response);
            return false;
        }
        answer = smtp_server_exchange_step(both->server, true, smtp_buffer_span(&response));
        smtp_buffer_free(&response);
    }
    return answer.step == SMTP_SERVER_AUTH_ACCEPTED && mechanism->is_complete(mechanism->user);
}

static void log_in(struct both *both, const struct smtp_server_user *user, const char *mechanism)
{
    const struct smtp_client_credentials credentials = {.identity = user->identity,
                                                        .password = user->password,
                                                        .mechanism = mechanism,
                                                        .plain_without_tls = true};
    const struct smtp_client_sasl_setting setting = {
        mechanism, true, {SMTP_SPAN(BINDING), SMTP_SPAN(BINDING)}};
    const struct smtp_client_sasl_kind *kind = NULL;
    struct smtp_server_users users;
    struct smtp_error error = {0};
    if (smtp_client_sasl_check(&credentials, &error) != SMTP_OK ||
        smtp_server_users_init(&users, user, 1, &error) != SMTP_OK) {
        return;
    }
    struct smtp_server_sasl_source source = source_of(&users, mechanism);
    FUZZ_HOLDS(smtp_client_sasl_choose(&kind, &credentials, &setting, &error) == SMTP_OK);
    if (smtp_client_sasl_new(&both->client, kind, &credentials, &setting, &error) == SMTP_OK) {
        bool scram = strstr(mechanism, "SCRAM") != NULL;
        both->server = smtp_server_exchange_begin(mechanism, &source);
        FUZZ_HOLDS(both->server != NULL);
        bool content = talk(both, !kind->server_first);
        FUZZ_HOLDS(both->changed || content);
        FUZZ_HOLDS(!both->changed || !scram || !content);
        smtp_server_exchange_free(both->server);
        smtp_client_sasl_free(both->client);
    }
    smtp_server_users_clear(&users);
}

static void check_both(struct fuzz_input *input)
{
    static const char *const able[] = {"PLAIN",       "LOGIN",         "CRAM-MD5",
                                       "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"};
    const char *mechanism = able[fuzz_below(input, sizeof able / sizeof *able)];
    struct both both = {.change_at = fuzz_octet(input) % 4, .change_octet = fuzz_octet(input)};
    char *identity = fuzz_text(fuzz_part(input, '\n')), *password = fuzz_text(fuzz_rest(input));
    const struct smtp_server_user user = {identity, password};
    log_in(&both, &user, mechanism);
    free(identity);
    free(password);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct fuzz_input input = {octets, len};
    switch (fuzz_below(&input, 4)) {
    case 0:
        check_server(&input);
        break;
    case 1:
        check_client(&input);
        break;
    case 2:
        check_oauth(&input);
        break;
    default:
        check_both(&input);
        break;
    }
    return 0;
}
