/* sasl_test.c - the client's SASL: which mechanism is chosen, which credentials are fit, and what is said,
 * against a SCRAM server (RFC 5802) made here of HMAC and PBKDF2 alone, right and wrong. */
#include "client/sasl.h"
#include "common/secret.h"
#include "tests/support/test.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

/* ---- the choice ---- */

struct choice {
    const char *offered;
    struct smtp_client_credentials credentials;
    bool confidential, bindable;
    const char *mechanism; /* NULL: UNSUPPORTED, and the message holds the next */
    const char *message;
};

#define PASSWORD .identity = "ann", .password = "secret"
#define TOKEN .identity = "ann", .token = "secret"
#define ALL                                                                                        \
    "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS "          \
    "EXTERNAL XOAUTH2 OAUTHBEARER"

static const struct choice choices[] = {
    {ALL, {PASSWORD}, true, true, "SCRAM-SHA-256-PLUS", NULL},
    {ALL, {PASSWORD}, true, false, "SCRAM-SHA-256", NULL},
    {ALL, {PASSWORD}, false, false, "SCRAM-SHA-256", NULL},
    {"PLAIN SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256",
     {PASSWORD},
     true,
     true,
     "SCRAM-SHA-1-PLUS",
     NULL},
    {"PLAIN CRAM-MD5 SCRAM-SHA-1", {PASSWORD}, true, true, "SCRAM-SHA-1", NULL},
    {"LOGIN PLAIN CRAM-MD5", {PASSWORD}, true, true, "CRAM-MD5", NULL},
    {"LOGIN PLAIN", {PASSWORD}, true, false, "PLAIN", NULL},
    {"LOGIN", {PASSWORD}, true, false, "LOGIN", NULL},
    {"login  plain ", {PASSWORD}, true, false, "PLAIN", NULL},
    {ALL, {PASSWORD, .mechanism = "login"}, true, true, "LOGIN", NULL},
    {ALL, {PASSWORD, .mechanism = "EXTERNAL"}, true, true, "EXTERNAL", NULL},
    {ALL, {TOKEN}, true, true, "OAUTHBEARER", NULL},
    {"PLAIN XOAUTH2", {TOKEN}, true, true, "XOAUTH2", NULL},
    {ALL, {.token = "secret"}, true, true, "OAUTHBEARER", NULL},
    {ALL, {0}, true, true, "EXTERNAL", NULL},
    {ALL, {.authorization_identity = "bob"}, true, true, "EXTERNAL", NULL},
    /* whom to act as cannot be said by every mechanism */
    {"LOGIN PLAIN CRAM-MD5",
     {PASSWORD, .authorization_identity = "bob"},
     true,
     true,
     "PLAIN",
     NULL},
    {"LOGIN CRAM-MD5",
     {PASSWORD, .authorization_identity = "bob"},
     true,
     true,
     NULL,
     "no AUTH mechanism that these credentials serve; it offers \"LOGIN CRAM-MD5\""},
    /* RFC 4954 4 and 14: not in the clear unless told otherwise */
    {"PLAIN LOGIN", {PASSWORD}, false, false, NULL, "PLAIN would send the secret in the clear"},
    {"LOGIN", {PASSWORD}, false, false, NULL, "LOGIN would send the secret in the clear"},
    {ALL, {PASSWORD, .mechanism = "PLAIN"}, false, false, NULL, "in the clear: use TLS"},
    {ALL, {TOKEN}, false, false, NULL, "OAUTHBEARER would send the secret in the clear"},
    {"PLAIN XOAUTH2", {TOKEN}, false, false, NULL, "XOAUTH2 would send the secret in the clear"},
    {"PLAIN",
     {PASSWORD, .mechanism = "LOGIN"},
     true,
     true,
     NULL,
     "does not offer AUTH LOGIN; it offers \"PLAIN\""},
    {ALL, {PASSWORD, .mechanism = "SCRAM-SHA-1-PLUS"}, true, false, NULL, "bound to"},
    {"PLAIN", {0}, true, true, NULL, "no AUTH mechanism that"},
    {"EXTERNAL", {PASSWORD}, true, true, NULL, "no AUTH mechanism that"},
    {"XPLAIN PLAINX GSSAPI", {PASSWORD}, true, true, NULL, "no AUTH mechanism that"},
    {"", {PASSWORD}, true, true, NULL, "it offers \"\""},
    {NULL, {PASSWORD}, true, true, NULL, "does not offer AUTH"},
    {NULL, {PASSWORD}, false, true, NULL, "does not offer AUTH (without TLS)"},
};

TEST(sasl, the_strongest_that_is_offered_and_served_is_chosen)
{
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        const struct choice *row = &choices[i];
        const struct smtp_client_sasl_kind *kind = NULL;
        struct smtp_error error = {0};
        struct smtp_client_sasl_setting setting = {
            row->offered, row->confidential, {{"", 0}, {"", 0}}};
        setting.bindings.tls_exporter = (struct smtp_span){"x", row->bindable ? 1 : 0};
        expect_int(smtp_client_sasl_check(&row->credentials, &error), SMTP_OK);
        enum smtp_status status =
            smtp_client_sasl_choose(&kind, &row->credentials, &setting, &error);
        if (row->mechanism == NULL) {
            expect_int(status, SMTP_UNSUPPORTED);
            expect_contains(error.message, row->message);
        } else {
            expect_int(status, SMTP_OK);
            expect_str(kind->name, row->mechanism);
        }
    }
}

/* ---- the credentials ---- */

TEST(sasl, unfit_credentials_are_refused_and_not_shown)
{
    static const struct {
        struct smtp_client_credentials credentials;
        enum smtp_status status;
        const char *message;
    } rows[] = {
        {{.identity = "a\nb", .password = "x"}, SMTP_UNSAFE_ARGUMENT, "identity holds a control"},
        {{.identity = "ann", .password = "x\x01y"},
         SMTP_UNSAFE_ARGUMENT,
         "password holds a control"},
        {{.identity = "ann", .password = "\x7F"}, SMTP_UNSAFE_ARGUMENT, "password holds a control"},
        {{PASSWORD, .authorization_identity = "\r"},
         SMTP_UNSAFE_ARGUMENT,
         "authorization identity"},
        {{.identity = "a", .token = "x\x01y"}, SMTP_UNSAFE_ARGUMENT, "token"},
        {{.identity = "a", .token = "x y"}, SMTP_BAD_ARGUMENT, "token"},
        {{.identity = "a", .token = "\xC3\xA9"}, SMTP_BAD_ARGUMENT, "token"},
        {{.identity = "ann", .password = "\xE9"}, SMTP_BAD_ARGUMENT, "password is no UTF-8"},
        {{.identity = "ann", .password = "\xC0\x80"}, SMTP_BAD_ARGUMENT, "password is no UTF-8"},
        {{.identity = "ann", .password = "\xED\xA0\x80"}, SMTP_BAD_ARGUMENT, "no UTF-8"},
        {{.identity = "ann", .password = "\xF4\x90\x80\x80"}, SMTP_BAD_ARGUMENT, "no UTF-8"},
        {{.identity = "ann", .password = "\xF0\x9F\x98"}, SMTP_BAD_ARGUMENT, "no UTF-8"},
        {{.identity = "\xE2\x82", .password = "x"}, SMTP_BAD_ARGUMENT, "identity is no UTF-8"},
        {{.password = "secret"}, SMTP_BAD_ARGUMENT, "no identity"},
        {{.identity = "", .password = "secret"}, SMTP_BAD_ARGUMENT, "no identity"},
        {{PASSWORD, .mechanism = "NTLM"}, SMTP_BAD_ARGUMENT, "none of"},
        {{PASSWORD, .mechanism = "PLAIN\r\n"}, SMTP_BAD_ARGUMENT, "none of"},
        {{PASSWORD, .mechanism = "XOAUTH2"}, SMTP_BAD_ARGUMENT, "XOAUTH2 needs a token"},
        {{.token = "t", .mechanism = "XOAUTH2"}, SMTP_BAD_ARGUMENT, "needs an identity beside"},
        {{TOKEN, .mechanism = "PLAIN"},
         SMTP_BAD_ARGUMENT,
         "PLAIN needs an identity and a password"},
        {{PASSWORD, .authorization_identity = "bob", .mechanism = "LOGIN"},
         SMTP_BAD_ARGUMENT,
         "LOGIN cannot carry"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct smtp_error error = {0};
        expect_int(smtp_client_sasl_check(&rows[i].credentials, &error), rows[i].status);
        expect_contains(error.message, rows[i].message);
        expect_true(strstr(error.message, "secret") == NULL);
    }
}

TEST(sasl, utf8_credentials_of_every_length_are_fit)
{
    struct smtp_error error = {0};
    struct smtp_client_credentials credentials = {
        .identity = "\x7E\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEF\xBF\xBD",
        .password = "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\xE2\x82\xAC"};
    expect_int(smtp_client_sasl_check(&credentials, &error), SMTP_OK);
}

/* ---- what is said ---- */

struct exchange {
    struct smtp_client_sasl *sasl;
    struct smtp_buffer said; /* the last answer */
    struct smtp_error error;
};

static enum smtp_status begin_where(struct exchange *exchange,
                                    const struct smtp_client_credentials *credentials,
                                    const struct smtp_client_sasl_setting *setting)
{
    const struct smtp_client_sasl_kind *kind = NULL;
    *exchange = (struct exchange){.said = SMTP_BUFFER(SMTP_CLIENT_RESPONSE_MAX)};
    expect_int(smtp_client_sasl_choose(&kind, credentials, setting, &exchange->error), SMTP_OK);
    return smtp_client_sasl_new(&exchange->sasl, kind, credentials, setting, &exchange->error);
}

/* Where nothing else is offered, and nothing can be bound. */
static enum smtp_status begin(struct exchange *exchange,
                              const struct smtp_client_credentials *credentials)
{
    struct smtp_client_sasl_setting setting = {credentials->mechanism, true, {{"", 0}, {"", 0}}};
    return begin_where(exchange, credentials, &setting);
}

static enum smtp_status hear(struct exchange *exchange, const char *challenge)
{
    const struct smtp_client_mechanism *mechanism = smtp_client_sasl_mechanism(exchange->sasl);
    smtp_buffer_clear(&exchange->said, SMTP_CLIENT_RESPONSE_MAX);
    return mechanism->answer(mechanism->user, smtp_span_of(challenge), &exchange->said,
                             &exchange->error);
}

static bool complete(const struct exchange *exchange)
{
    const struct smtp_client_mechanism *mechanism = smtp_client_sasl_mechanism(exchange->sasl);
    return mechanism->is_complete(mechanism->user);
}

static void end(struct exchange *exchange)
{
    smtp_client_sasl_free(exchange->sasl);
    smtp_buffer_free(&exchange->said);
}

/* One answer to one challenge. */
static void expect_answer(const struct smtp_client_credentials *credentials, const char *challenge,
                          const char *answer, size_t len)
{
    struct exchange exchange;
    expect_int(begin(&exchange, credentials), SMTP_OK);
    expect_int(hear(&exchange, challenge), SMTP_OK);
    struct smtp_span said = smtp_buffer_span(&exchange.said);
    expect_bytes(said.bytes, said.len, answer, len);
    expect_true(complete(&exchange));
    end(&exchange);
}

/* RFC 4616 2: [authzid] NUL authcid NUL passwd, as UTF-8 */
TEST(sasl, plain_holds_two_nul_and_utf8)
{
    struct smtp_client_credentials ascii = {PASSWORD, .mechanism = "PLAIN"};
    struct smtp_client_credentials other = {.identity = "Andr\xC3\xA9",
                                            .password = "\xE2\x82\xAC=,",
                                            .authorization_identity = "b\xC3\xB6",
                                            .mechanism = "PLAIN"};
    expect_answer(&ascii, "", "\0ann\0secret", 11);
    expect_answer(&other, "", "b\xC3\xB6\0Andr\xC3\xA9\0\xE2\x82\xAC=,", 16);
}

/* RFC 2195 2: HMAC-MD5 over the whole challenge; a longer secret than 64 octets is hashed first */
TEST(sasl, cram_md5_signs_the_whole_challenge)
{
    static const char challenge[] = "<1.2@mx.test>";
    static const char *const secrets[] = {
        "tenoctets.",
        "a secret of one hundred octets, which is more than the block of MD5 has, and "
        "so it is hashed first"};
    for (size_t i = 0; i < 2; i++) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned digest_len = 0;
        char expected[100] = "ann b. ";
        HMAC(EVP_md5(), secrets[i], (int)strlen(secrets[i]), (const unsigned char *)challenge,
             strlen(challenge), digest, &digest_len);
        for (unsigned at = 0; at < digest_len; at++) {
            snprintf(expected + 7 + 2 * at, 3, "%02x", digest[at]);
        }
        struct smtp_client_credentials credentials = {
            .identity = "ann b.", .password = secrets[i], .mechanism = "CRAM-MD5"};
        expect_answer(&credentials, challenge, expected, 39);
    }
}

/* RFC 7628 3.1 and 4.1, RFC 5801 4 */
TEST(sasl, tokens_stand_in_their_fields)
{
    struct smtp_client_credentials bearer = {TOKEN, .mechanism = "OAUTHBEARER"};
    struct smtp_client_credentials nameless = {.token = "secret", .mechanism = "OAUTHBEARER"};
    struct smtp_client_credentials other = {TOKEN, .authorization_identity = "a=b,c",
                                            .mechanism = "OAUTHBEARER"};
    struct smtp_client_credentials xoauth2 = {TOKEN, .mechanism = "XOAUTH2"};
    expect_answer(&bearer, "", "n,a=ann,\1auth=Bearer secret\1\1", 29);
    expect_answer(&nameless, "", "n,,\1auth=Bearer secret\1\1", 24);
    expect_answer(&other, "", "n,a=a=3Db=2Cc,\1auth=Bearer secret\1\1", 35);
    expect_answer(&xoauth2, "", "user=ann\1auth=Bearer secret\1\1", 29);
}

/* RFC 7628 3.2.3 */
TEST(sasl, a_refused_token_is_answered_once)
{
    static const char *const mechanisms[] = {"OAUTHBEARER", "XOAUTH2"};
    static const char *const answers[] = {"\1", ""};
    for (size_t i = 0; i < 2; i++) {
        struct exchange exchange;
        struct smtp_client_credentials credentials = {TOKEN, .mechanism = mechanisms[i]};
        expect_int(begin(&exchange, &credentials), SMTP_OK);
        expect_int(hear(&exchange, ""), SMTP_OK);
        expect_int(hear(&exchange, "{\"status\":\"invalid_token\"}"), SMTP_OK);
        struct smtp_span said = smtp_buffer_span(&exchange.said);
        expect_bytes(said.bytes, said.len, answers[i], strlen(answers[i]));
        expect_true(!complete(&exchange));
        expect_int(hear(&exchange, "{}"), SMTP_PROTOCOL_VIOLATION);
        end(&exchange);
    }
}

/* ---- SCRAM ---- */

/* What the server knows and does. */
struct scram {
    const char *mechanism;
    const char *header; /* the GS2 header that it must get */
    const char *password;
    struct smtp_span tls_unique, tls_exporter;
    const char *wrong;    /* its last in place of the signature; NULL: the right one */
    const char *offered;  /* beside the mechanism */
    const char *acts_for; /* the authorization identity */
    const char *more;     /* behind what it says */
};

#define SCRAM_NAME "us=3Der=2Cx"

static struct smtp_client_credentials scram_credentials(const struct scram *scram)
{
    return (struct smtp_client_credentials){
        .identity = "us=er,x",
        .password = "pencil",
        .authorization_identity = scram->acts_for,
        .mechanism = scram->mechanism,
    };
}

static size_t digest_of(const EVP_MD *md, const unsigned char *key, size_t key_len,
                        const char *text, unsigned char *out)
{
    unsigned len = 0;
    HMAC(md, key, (int)key_len, (const unsigned char *)text, strlen(text), out, &len);
    return len;
}

/* The base64 of octets, as text. */
static const char *base64(const void *octets, size_t len, char *out, size_t size)
{
    struct smtp_buffer text = SMTP_BUFFER(1024);
    expect_int(smtp_base64_append(&text, (struct smtp_span){octets, len}), SMTP_OK);
    snprintf(out, size, "%.*s", (int)text.len, smtp_buffer_span(&text).bytes);
    smtp_buffer_free(&text);
    return out;
}

/* RFC 5802 3: checks the client's proof and makes the server's signature. */
static void scram_sign(const struct scram *scram, const char *auth_message, const char *proof,
                       char *final, size_t size)
{
    const EVP_MD *md = strstr(scram->mechanism, "256") != NULL ? EVP_sha256() : EVP_sha1();
    unsigned char salted[64], key[64], stored[64], signature[64];
    char text[128];
    size_t len = (size_t)EVP_MD_get_size(md);
    expect_int(PKCS5_PBKDF2_HMAC(scram->password, (int)strlen(scram->password),
                                 (const unsigned char *)"saltsalt", 8, 4096, md, (int)len, salted),
               1);
    digest_of(md, salted, len, "Client Key", key);
    expect_int(EVP_Digest(key, len, stored, NULL, md, NULL), 1);
    digest_of(md, stored, len, auth_message, signature);
    for (size_t i = 0; i < len; i++) {
        signature[i] ^= key[i];
    }
    expect_str(proof, base64(signature, len, text, sizeof text));
    digest_of(md, salted, len, "Server Key", key);
    digest_of(md, key, len, auth_message, signature);
    snprintf(final, size, "v=%s", base64(signature, len, text, sizeof text));
}

/* The client's first message as text, with its header checked off. */
static void scram_first(struct exchange *exchange, const struct scram *scram, char *bare,
                        size_t size)
{
    expect_int(hear(exchange, ""), SMTP_OK);
    struct smtp_span said = smtp_buffer_span(&exchange->said);
    size_t header = strlen(scram->header);
    expect_true(said.len > header && memcmp(said.bytes, scram->header, header) == 0);
    snprintf(bare, size, "%.*s", (int)(said.len - header), said.bytes + header);
    expect_int(strncmp(bare, "n=" SCRAM_NAME ",r=", 2 + strlen(SCRAM_NAME) + 3), 0);
    expect_true(strlen(strstr(bare, ",r=") + 3) >= 16);
    expect_true(!complete(exchange));
}

/* The client's last message: channel binding, nonce, proof; then the server's. */
static void scram_final(struct exchange *exchange, const struct scram *scram, const char *bare,
                        const char *first, char *final, size_t size)
{
    struct smtp_span said = smtp_buffer_span(&exchange->said);
    char text[512], bound[256], coded[400], expected[700], auth_message[2000];
    snprintf(text, sizeof text, "%.*s", (int)said.len, said.bytes);
    struct smtp_span binding = strncmp(scram->header, "p=tls-u", 7) == 0 ? scram->tls_unique
                               : strncmp(scram->header, "p=tls-e", 7) == 0
                                   ? scram->tls_exporter
                                   : (struct smtp_span){"", 0};
    size_t header = strlen(scram->header);
    memcpy(bound, scram->header, header);
    smtp_bytes_copy(bound + header, binding);
    snprintf(expected, sizeof expected, "c=%s,r=%.*s",
             base64(bound, header + binding.len, coded, sizeof coded), (int)strcspn(first + 2, ","),
             first + 2);
    char *proof = strstr(text, ",p=");
    expect_true(proof != NULL);
    *proof = '\0';
    expect_str(text, expected);
    snprintf(auth_message, sizeof auth_message, "%s,%s,%s", bare, first, text);
    scram_sign(scram, auth_message, proof + 3, final, size);
}

/* Up to the server's last message, which the client answers with nothing; its status. */
static enum smtp_status scram_run(const struct scram *scram, struct exchange *exchange)
{
    char bare[300], first[400], final[200], offered[100];
    const char *more = scram->more != NULL ? scram->more : "";
    struct smtp_client_credentials credentials = scram_credentials(scram);
    snprintf(offered, sizeof offered, "%s %s", scram->mechanism,
             scram->offered != NULL ? scram->offered : "");
    struct smtp_client_sasl_setting setting = {
        offered, true, {scram->tls_unique, scram->tls_exporter}};
    expect_int(begin_where(exchange, &credentials, &setting), SMTP_OK);
    scram_first(exchange, scram, bare, sizeof bare);
    snprintf(first, sizeof first, "r=%sSERVER,s=c2FsdHNhbHQ=,i=4096%s", strstr(bare, ",r=") + 3,
             more);
    expect_int(hear(exchange, first), SMTP_OK);
    scram_final(exchange, scram, bare, first, final, sizeof final);
    strncat(final, more, sizeof final - strlen(final) - 1);
    expect_true(!complete(exchange)); /* the server has not proved anything yet */
    enum smtp_status status = hear(exchange, scram->wrong != NULL ? scram->wrong : final);
    expect_int(exchange->said.len, 0);
    return status;
}

#define NO_BINDING                                                                                 \
    {"", 0},                                                                                       \
    {                                                                                              \
        "", 0                                                                                      \
    }
#define UNIQUE                                                                                     \
    {                                                                                              \
        "unique\0data", 11                                                                         \
    }
#define EXPORTER                                                                                   \
    {                                                                                              \
        "exporter\0of\0thirty-two\0octets...", 32                                                  \
    }

/* RFC 5802 5 to 7, RFC 7677, RFC 5929, RFC 9266 */
TEST(sasl, scram_with_and_without_channel_binding)
{
    static const struct scram rows[] = {
        {"SCRAM-SHA-1", "n,,", "pencil", NO_BINDING, .wrong = NULL},
        {"SCRAM-SHA-256", "n,,", "pencil", NO_BINDING, .wrong = NULL},
        {"SCRAM-SHA-1-PLUS", "p=tls-unique,,", "pencil", UNIQUE, {"", 0}, .wrong = NULL},
        {"SCRAM-SHA-256-PLUS", "p=tls-unique,,", "pencil", UNIQUE, EXPORTER, .wrong = NULL},
        {"SCRAM-SHA-1-PLUS", "p=tls-exporter,,", "pencil", {"", 0}, EXPORTER, .wrong = NULL},
        {"SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "pencil", {"", 0}, EXPORTER, .wrong = NULL},
        /* RFC 5802 6: "y" where the client could have bound and was not offered to */
        {"SCRAM-SHA-1", "y,,", "pencil", UNIQUE, {"", 0}, .wrong = NULL},
        {"SCRAM-SHA-256", "y,,", "pencil", {"", 0}, EXPORTER, .wrong = NULL},
        {"SCRAM-SHA-256", "y,,", "pencil", UNIQUE, EXPORTER, .offered = "PLAIN SCRAM-X-PLUS"},
        /* not where it was offered and not wanted: the server would have to refuse */
        {"SCRAM-SHA-256", "n,,", "pencil", UNIQUE, EXPORTER, .offered = "SCRAM-SHA-256-PLUS"},
        {"SCRAM-SHA-256", "n,,", "pencil", UNIQUE, EXPORTER, .offered = "scram-sha-1-plus"},
        {"SCRAM-SHA-256", "n,,", "pencil", NO_BINDING, .offered = "SCRAM-SHA-256-PLUS"},
        /* RFC 5801 4: whom to act as */
        {"SCRAM-SHA-1", "n,a=b=3Do=2Cb,", "pencil", NO_BINDING, .acts_for = "b=o,b"},
        {"SCRAM-SHA-256", "y,a=bob,", "pencil", {"", 0}, EXPORTER, .acts_for = "bob"},
        {"SCRAM-SHA-256-PLUS",
         "p=tls-exporter,a=bob,",
         "pencil",
         {"", 0},
         EXPORTER,
         .acts_for = "bob"},
        {"SCRAM-SHA-256", "n,,", "pencil", NO_BINDING, .acts_for = ""},
        /* RFC 5802 5.1: what may be unknown is let be */
        {"SCRAM-SHA-256", "n,,", "pencil", NO_BINDING, .more = ",x=1,y="},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct exchange exchange;
        expect_int(scram_run(&rows[i], &exchange), SMTP_OK);
        expect_true(complete(&exchange));
        expect_int(hear(&exchange, "more"), SMTP_PROTOCOL_VIOLATION);
        end(&exchange);
    }
}

/* RFC 5802 5: the server must know the password too */
TEST(sasl, scram_takes_no_server_signature_but_the_right_one)
{
    static const char *const wrong[] = {"v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                                        "v=",
                                        "v=!",
                                        "",
                                        "x=y",
                                        "v",
                                        "x=y,v=AAAA",
                                        "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct exchange exchange;
        struct scram scram = {"SCRAM-SHA-1", "n,,", "pencil", NO_BINDING, .wrong = wrong[i]};
        expect_int(scram_run(&scram, &exchange), SMTP_PROTOCOL_VIOLATION);
        expect_true(!complete(&exchange));
        expect_true(exchange.error.message[0] != '\0');
        end(&exchange);
    }
}

/* RFC 5802 7: server-error; the reply that follows says the same */
TEST(sasl, scram_hears_a_refusal_in_place_of_the_signature)
{
    struct exchange exchange;
    struct scram scram = {"SCRAM-SHA-256", "n,,", "pencil", NO_BINDING, .wrong = "e=invalid-proof"};
    expect_int(scram_run(&scram, &exchange), SMTP_OK);
    expect_true(!complete(&exchange));
    expect_int(hear(&exchange, "v=AAAA"), SMTP_PROTOCOL_VIOLATION);
    end(&exchange);
}

/* RFC 5802 5.1: the nonce begins with the client's; the work asked for is bounded */
TEST(sasl, scram_takes_no_first_message_that_is_none)
{
    static const char *const firsts[] = {
        "r=SERVER,s=c2FsdHNhbHQ=,i=4096",
        "r=x%sSERVER,s=c2FsdHNhbHQ=,i=4096",
        "r=%s,s=c2FsdHNhbHQ=,i=4096", /* the server adds nothing */
        "%sSERVER,s=c2FsdHNhbHQ=,i=4096",
        "r=,s=c2FsdHNhbHQ=,i=4096",
        "r=%sSERVER",
        "r=%sSERVER,s=c2FsdHNhbHQ=,i=",
        "r=%sSERVER,s=c2FsdHNhbHQ=,i=4096x",
        "r=%sSERVER,s=c2FsdHNhbHQ=,i= 4096",
        "r=%sSERVER,s=c2FsdHNhbHQ=,x=1,i=4096",
        "r=%sSERVER,s=,i=4096",
        "r=%sSERVER,s=c2FsdHNhbHQ,i=4096",
        "r=%sSERVER,s=c2FsdHNhbHQ=,i=4096,m=ext",
        "s=c2FsdHNhbHQ=,r=%sSERVER,i=4096",
        "r=%sSERVER,s=c2FsdHNhbHQ=,i=0",
        "r=%sSERVER,s=c2FsdHNhbHQ=,i=-1",
        "r=%sSERVER,s=c2FsdHNhbHQ=,i=2000001",
        "r=%sSERVER,s=c2FsdHNhbHQ=,i=4294967297",
        "r=%sSERVER,s=c2FsdHNhbHQ=,i=99999999999999999999999",
        "r=%sSERVER,s=c2FsdHNhbHQ=",
        "r=%sSERVER,s=!,i=4096",
        "r=%sSERVER,i=4096,s=c2FsdHNhbHQ=",
        "m=ext,r=%sSERVER,s=c2FsdHNhbHQ=,i=4096",
        "e=unknown-user",
        "v=AAAA",
        "",
    };
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        struct exchange exchange;
        struct scram scram = {"SCRAM-SHA-256", "n,,", "pencil", NO_BINDING, .wrong = NULL};
        struct smtp_client_credentials credentials = scram_credentials(&scram);
        char bare[300], first[400];
        expect_int(begin(&exchange, &credentials), SMTP_OK);
        scram_first(&exchange, &scram, bare, sizeof bare);
        const char *nonce = strstr(firsts[i], "%s"), *own = strstr(bare, ",r=") + 3;
        size_t before = nonce != NULL ? (size_t)(nonce - firsts[i]) : strlen(firsts[i]);
        snprintf(first, sizeof first, "%.*s%s%s", (int)before, firsts[i], nonce != NULL ? own : "",
                 nonce != NULL ? nonce + 2 : "");
        expect_int(hear(&exchange, first), SMTP_PROTOCOL_VIOLATION);
        expect_int(exchange.said.len, 0);
        expect_true(exchange.error.message[0] != '\0');
        expect_int(hear(&exchange, "v="), SMTP_PROTOCOL_VIOLATION); /* nothing goes on */
        expect_contains(exchange.error.message, "more than the mechanism has to say");
        expect_true(!complete(&exchange));
        end(&exchange);
    }
}

TEST(sasl, every_scram_exchange_has_a_nonce_of_its_own)
{
    struct exchange one, two;
    struct smtp_client_credentials credentials = {PASSWORD, .mechanism = "SCRAM-SHA-256"};
    expect_int(begin(&one, &credentials), SMTP_OK);
    expect_int(begin(&two, &credentials), SMTP_OK);
    expect_int(hear(&one, ""), SMTP_OK);
    expect_int(hear(&two, ""), SMTP_OK);
    expect_true(!smtp_span_equal(smtp_buffer_span(&one.said), smtp_buffer_span(&two.said)));
    end(&one);
    end(&two);
}

/* RFC 4013 2.3: forbidden characters are told before anything is sent */
TEST(sasl, what_saslprep_forbids_is_refused_at_once)
{
    static const char *const mechanisms[] = {"CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"};
    for (size_t i = 0; i < 3; i++) {
        struct exchange exchange;
        struct smtp_client_credentials credentials = {
            .identity = "ann", .password = "tag\xF3\xA0\x80\x81", .mechanism = mechanisms[i]};
        expect_int(begin(&exchange, &credentials), SMTP_BAD_ARGUMENT);
        expect_contains(exchange.error.message, "SASLprep");
        expect_true(exchange.sasl == NULL);
        end(&exchange);
    }
}
