/* sasl_scram_test.c - SCRAM (RFC 5802, RFC 7677) from the server's side: with libgsasl's client, and by
 * hand with each thing that can be wrong in a message. */
#include "common/secret.h"
#include "tests/support/test.h"
#include "tests/unit/server/exchange.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

/* ---- a client by hand ---- */

struct hand {
    const EVP_MD *hash;
    char client_first_bare[300];
    char server_first[1000];
    char salt[100]; /* base64 */
    char nonce[200];
    unsigned iterations;
    char server_final[210]; /* that must come */
};

static void read_server_first(struct hand *hand, const struct exchange *e)
{
    exchange_challenge(e, hand->server_first);
    expect_int(sscanf(hand->server_first, "r=%199[^,],s=%99[^,],i=%u", hand->nonce, hand->salt,
                      &hand->iterations),
               3);
}

static unsigned mac(const EVP_MD *hash, const unsigned char *key, size_t key_len, const char *text,
                    unsigned char *out)
{
    unsigned len = 0;
    expect_true(HMAC(hash, key, (int)key_len, (const unsigned char *)text, strlen(text), out,
                     &len) != NULL);
    return len;
}

static void to_base64(const void *octets, size_t len, char *out, size_t size)
{
    struct smtp_buffer buffer = SMTP_BUFFER(1000);
    expect_int(smtp_base64_append(&buffer, (struct smtp_span){octets, len}), SMTP_OK);
    struct smtp_span span = smtp_buffer_span(&buffer);
    snprintf(out, size, "%.*s", (int)span.len, span.bytes);
    smtp_buffer_free(&buffer);
}

/* without_proof, ",p=" and the proof; and what the server must answer. */
static void make_client_final(struct hand *hand, const char *password, const char *without_proof,
                              char out[700])
{
    unsigned char salted[EVP_MAX_MD_SIZE], key[EVP_MAX_MD_SIZE], stored[EVP_MAX_MD_SIZE];
    unsigned char signature[EVP_MAX_MD_SIZE];
    char message[2000], text[200];
    struct smtp_buffer salt = SMTP_BUFFER(100);
    expect_int(smtp_base64_decode(&salt, smtp_span_of(hand->salt)), SMTP_OK);
    int len = EVP_MD_get_size(hand->hash);
    struct smtp_span span = smtp_buffer_span(&salt);
    expect_int(PKCS5_PBKDF2_HMAC(password, (int)strlen(password), (const unsigned char *)span.bytes,
                                 (int)span.len, (int)hand->iterations, hand->hash, len, salted),
               1);
    smtp_buffer_free(&salt);
    snprintf(message, sizeof message, "%s,%s,%s", hand->client_first_bare, hand->server_first,
             without_proof);
    mac(hand->hash, salted, (size_t)len, "Server Key", key);
    mac(hand->hash, key, (size_t)len, message, signature);
    to_base64(signature, (size_t)len, text, sizeof text);
    snprintf(hand->server_final, sizeof hand->server_final, "v=%s", text);
    mac(hand->hash, salted, (size_t)len, "Client Key", key);
    expect_int(EVP_Digest(key, (size_t)len, stored, NULL, hand->hash, NULL), 1);
    mac(hand->hash, stored, (size_t)len, message, signature);
    for (int i = 0; i < len; i++) {
        key[i] ^= signature[i];
    }
    to_base64(key, (size_t)len, text, sizeof text);
    snprintf(out, 700, "%s,p=%s", without_proof, text);
}

/* Begins; header: "n,,"; bare: "n=ann,r=abc". The step after the first message. */
static enum smtp_server_auth_step first(struct exchange *e, struct hand *hand,
                                        const char *mechanism, const char *header, const char *bare)
{
    char message[400];
    *hand = (struct hand){.hash = strstr(mechanism, "256") != NULL ? EVP_sha256() : EVP_sha1()};
    snprintf(hand->client_first_bare, sizeof hand->client_first_bare, "%s", bare);
    snprintf(message, sizeof message, "%s%s", header, bare);
    exchange_begin(e, mechanism);
    enum smtp_server_auth_step step = exchange_text(e, message);
    if (step == SMTP_SERVER_AUTH_CHALLENGE) {
        read_server_first(hand, e);
    }
    return step;
}

/* The second message with this c= and nonce; more: further attributes, like ",x=1". */
static enum smtp_server_auth_step final(struct exchange *e, struct hand *hand, const char *password,
                                        const char *binding, const char *nonce, const char *more)
{
    char encoded[200], without_proof[600], message[700];
    to_base64(binding, strlen(binding), encoded, sizeof encoded);
    snprintf(without_proof, sizeof without_proof, "c=%s,r=%s%s", encoded, nonce, more);
    make_client_final(hand, password, without_proof, message);
    return exchange_text(e, message);
}

static const char *const mechanisms[] = {"SCRAM-SHA-1", "SCRAM-SHA-256"};

TEST(scram, the_hand_computes_as_the_rfcs_examples_rfc5802_5_rfc7677_3)
{
    struct hand hand = {.hash = EVP_sha1(),
                        .client_first_bare = "n=user,r=fyko+d2lbbFgONRv9qkxdawL",
                        .server_first = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s="
                                        "QSXCR+Q6sek8bf92,i=4096",
                        .salt = "QSXCR+Q6sek8bf92",
                        .iterations = 4096};
    char message[700];
    make_client_final(&hand, "pencil", "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
                      message);
    expect_str(message, "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
                        "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
    expect_str(hand.server_final, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");
    hand = (struct hand){.hash = EVP_sha256(),
                         .client_first_bare = "n=user,r=rOprNGfwEbeRWgbNEkqO",
                         .server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s="
                                         "W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                         .salt = "W22ZaJ0SNY7soEsUEjb6gQ==",
                         .iterations = 4096};
    make_client_final(&hand, "pencil",
                      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", message);
    expect_contains(message, ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    expect_str(hand.server_final, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST(scram, the_servers_signature_comes_in_a_challenge_and_235_after_an_empty_response_rfc4954_4)
{
    struct exchange e;
    struct hand hand;
    char text[1000];
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(mechanisms); i++) {
        expect_int(first(&e, &hand, mechanisms[i], "n,,", "n=ann,r=abc"),
                   SMTP_SERVER_AUTH_CHALLENGE);
        expect_true(strncmp(hand.nonce, "abc", 3) == 0 && strlen(hand.nonce) > 3 + 16);
        expect_true(hand.iterations >= 4096); /* RFC 7677 4 */
        expect_int(final(&e, &hand, "secret", "n,,", hand.nonce, ""), SMTP_SERVER_AUTH_CHALLENGE);
        expect_str(exchange_challenge(&e, text), hand.server_final);
        expect_int(exchange_text(&e, ""), SMTP_SERVER_AUTH_ACCEPTED);
        expect_str(e.answer.identity, "ann");
    }
    exchange_clear(&e);
}

TEST(scram, something_in_the_place_of_the_empty_response_is_malformed)
{
    struct exchange e;
    struct hand hand;
    exchange_init(&e);
    first(&e, &hand, "SCRAM-SHA-256", "n,,", "n=ann,r=abc");
    expect_int(final(&e, &hand, "secret", "n,,", hand.nonce, ""), SMTP_SERVER_AUTH_CHALLENGE);
    expect_int(exchange_text(&e, "x"), SMTP_SERVER_AUTH_MALFORMED);
    exchange_clear(&e);
}

TEST(scram, the_salt_is_the_same_each_time_and_there_for_who_does_not_exist)
{
    static const char *const names[] = {"n=ann,r=abc", "n=nobody,r=abc"};
    struct exchange e;
    struct hand one, two;
    char salts[COUNT(names)][100];
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(names); i++) {
        expect_int(first(&e, &one, "SCRAM-SHA-256", "n,,", names[i]), SMTP_SERVER_AUTH_CHALLENGE);
        expect_int(first(&e, &two, "SCRAM-SHA-256", "n,,", names[i]), SMTP_SERVER_AUTH_CHALLENGE);
        expect_str(one.salt, two.salt);
        expect_true(strcmp(one.nonce, two.nonce) != 0);
        expect_int(one.iterations, 4096);
        expect_int(strlen(one.salt), 24); /* 16 octets */
        snprintf(salts[i], sizeof salts[i], "%s", one.salt);
        expect_int(final(&e, &two, "wrong", "n,,", two.nonce, ""), SMTP_SERVER_AUTH_REFUSED);
        expect_true(e.answer.reply == NULL);
    }
    expect_true(strcmp(salts[0], salts[1]) != 0);
    struct exchange other;
    exchange_init(&other);
    first(&other, &one, "SCRAM-SHA-256", "n,,", names[0]);
    expect_true(strcmp(one.salt, salts[0]) != 0);
    exchange_clear(&other);
    exchange_clear(&e);
}

TEST(scram, a_first_message_of_another_form_never_goes_through_rfc5802_5_1)
{
    static const struct {
        const char *header, *bare;
    } rows[] = {
        {"", ""},
        {"n", ""},
        {"n,", ""},
        {"n,,", ""},
        {"", "n=ann,r=abc"},
        {"n,", "n=ann,r=abc"},
        {"x,,", "n=ann,r=abc"},
        {"n,,", "r=abc"},
        {"n,,", "n=ann"},
        {"n,,", "n=,r=abc"},
        {"n,,", "n=ann,r="},
        {"n,,", "n=ann,s=abc"},
        {"n,,", "n=an=6E,r=abc"}, /* another escape than =2C and =3D */
        {"n,,", "n=ann=,r=abc"},
        {"n,,", "n=ann=3,r=abc"},
        {"n,,", "n=ann=2c,r=abc"},
        {"n,a=c=at,", "n=ann,r=abc"},
        {"n,,", "m=1,n=ann,r=abc"}, /* an extension that must be known */
        {"n,,", "n=ann,r=abc,m=1"},
        {"p=tls-unique,,", "n=ann,r=abc"}, /* binds without -PLUS */
        {"n,x=cat,", "n=ann,r=abc"},
    };
    struct exchange e;
    struct hand hand;
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum smtp_server_auth_step step =
            first(&e, &hand, "SCRAM-SHA-256", rows[i].header, rows[i].bare);
        if (step != SMTP_SERVER_AUTH_MALFORMED && step != SMTP_SERVER_AUTH_REFUSED) {
            SMTP_TEST_FAIL("%s%s went through: %d", rows[i].header, rows[i].bare, (int)step);
        }
    }
    exchange_begin(&e, "SCRAM-SHA-256");
    expect_int(EXCHANGE_SAY(&e, "n,,n=ann,r=abc\0"), SMTP_SERVER_AUTH_MALFORMED);
    exchange_clear(&e);
}

TEST(scram, escaped_names_are_taken_apart_rfc5802_5_1)
{
    struct exchange e;
    struct hand hand;
    exchange_init(&e);
    exchange_hook_auth(&e, SMTP_ACCEPT);
    first(&e, &hand, "SCRAM-SHA-256", "n,a=x=2Cy=3Dz,", "n=ann,r=abc");
    expect_int(final(&e, &hand, "secret", "n,a=x=2Cy=3Dz,", hand.nonce, ""),
               SMTP_SERVER_AUTH_CHALLENGE);
    expect_int(exchange_text(&e, ""), SMTP_SERVER_AUTH_ACCEPTED);
    expect_str(e.authorization, "x,y=z");
    exchange_clear(&e);
}

TEST(scram, a_changed_nonce_a_wrong_c_and_an_unknown_mandatory_attribute_fail_rfc5802_5_1)
{
    struct exchange e;
    struct hand hand;
    char nonce[210];
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(mechanisms); i++) {
        first(&e, &hand, mechanisms[i], "n,,", "n=ann,r=abc");
        snprintf(nonce, sizeof nonce, "%sx", hand.nonce);
        expect_int(final(&e, &hand, "secret", "n,,", nonce, ""), SMTP_SERVER_AUTH_REFUSED);
        first(&e, &hand, mechanisms[i], "n,,", "n=ann,r=abc");
        expect_int(final(&e, &hand, "secret", "n,,", "abc", ""), SMTP_SERVER_AUTH_REFUSED);
        first(&e, &hand, mechanisms[i], "n,,", "n=ann,r=abc");
        expect_int(final(&e, &hand, "secret", "y,,", hand.nonce, ""), SMTP_SERVER_AUTH_REFUSED);
        first(&e, &hand, mechanisms[i], "n,,", "n=ann,r=abc");
        expect_int(final(&e, &hand, "secret", "n,,x", hand.nonce, ""), SMTP_SERVER_AUTH_REFUSED);
        first(&e, &hand, mechanisms[i], "n,a=cat,", "n=ann,r=abc");
        expect_int(final(&e, &hand, "secret", "n,,", hand.nonce, ""), SMTP_SERVER_AUTH_REFUSED);
        first(&e, &hand, mechanisms[i], "n,,", "n=ann,r=abc");
        expect_int(final(&e, &hand, "secret", "n,,", hand.nonce, ",m=1"), SMTP_SERVER_AUTH_REFUSED);
    }
    exchange_clear(&e);
}

TEST(scram, unknown_optional_attributes_are_ignored_rfc5802_5_1)
{
    struct exchange e;
    struct hand hand;
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(mechanisms); i++) {
        expect_int(first(&e, &hand, mechanisms[i], "n,,", "n=ann,r=abc,x=1"),
                   SMTP_SERVER_AUTH_CHALLENGE);
        expect_int(final(&e, &hand, "secret", "n,,", hand.nonce, ",x=1"),
                   SMTP_SERVER_AUTH_CHALLENGE);
        expect_int(exchange_text(&e, ""), SMTP_SERVER_AUTH_ACCEPTED);
    }
    exchange_clear(&e);
}

TEST(scram, a_last_message_of_another_form_never_goes_through)
{
    static const char *const rows[] = {
        "",
        "c=biws",
        "c=biws,r=%s",
        "c=biws,r=%s,p=",
        "c=biws,r=%s,p=AAAA",
        "c=biws,r=%s,p=!",
        "c=!,r=%s,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "r=%s,c=biws,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "c=biws,r=%s,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "c=biws,r=%s,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=,x=1",
    };
    struct exchange e;
    struct hand hand;
    char message[600];
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(rows); i++) {
        first(&e, &hand, "SCRAM-SHA-1", "n,,", "n=ann,r=abc");
        const char *place = strstr(rows[i], "%s");
        snprintf(message, sizeof message, "%.*s%s%s",
                 (int)(place != NULL ? (size_t)(place - rows[i]) : strlen(rows[i])), rows[i],
                 place != NULL ? hand.nonce : "", place != NULL ? place + 2 : "");
        enum smtp_server_auth_step step = exchange_text(&e, message);
        if (step != SMTP_SERVER_AUTH_MALFORMED && step != SMTP_SERVER_AUTH_REFUSED) {
            SMTP_TEST_FAIL("%s went through: %d", message, (int)step);
        }
    }
    exchange_clear(&e);
}

TEST(scram, a_password_that_is_empty_is_none)
{
    struct exchange e;
    struct hand hand;
    exchange_init(&e);
    exchange_hook_password(&e);
    for (size_t i = 0; i < COUNT(mechanisms); i++) {
        expect_int(first(&e, &hand, mechanisms[i], "n,,", "n=empty,r=abc"),
                   SMTP_SERVER_AUTH_CHALLENGE);
        expect_int(final(&e, &hand, "", "n,,", hand.nonce, ""), SMTP_SERVER_AUTH_REFUSED);
    }
    exchange_clear(&e);
}

/* ---- channel binding ---- */

TEST(scram, y_is_a_downgrade_where_plus_is_offered_and_fine_where_it_is_not_rfc5802_6)
{
    struct exchange e;
    struct hand hand;
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(mechanisms); i++) {
        e.source.plus_offered = false;
        expect_int(first(&e, &hand, mechanisms[i], "y,,", "n=ann,r=abc"),
                   SMTP_SERVER_AUTH_CHALLENGE);
        expect_int(final(&e, &hand, "secret", "y,,", hand.nonce, ""), SMTP_SERVER_AUTH_CHALLENGE);
        expect_int(exchange_text(&e, ""), SMTP_SERVER_AUTH_ACCEPTED);
        e.source.plus_offered = true;
        expect_int(first(&e, &hand, mechanisms[i], "y,,", "n=ann,r=abc"), SMTP_SERVER_AUTH_REFUSED);
        expect_int(first(&e, &hand, mechanisms[i], "n,,", "n=ann,r=abc"),
                   SMTP_SERVER_AUTH_CHALLENGE);
    }
    exchange_clear(&e);
}

static const char *const plus[] = {"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"};

TEST(scram, plus_binds_the_channel_in_either_way_rfc5929_rfc9266)
{
    struct exchange e;
    struct hand hand;
    exchange_init(&e);
    snprintf(e.binding[SMTP_TLS_UNIQUE], sizeof e.binding[0], "unique-octets");
    snprintf(e.binding[SMTP_TLS_EXPORTER], sizeof e.binding[0], "export-octets");
    for (size_t i = 0; i < COUNT(plus); i++) {
        first(&e, &hand, plus[i], "p=tls-unique,,", "n=ann,r=abc");
        expect_int(final(&e, &hand, "secret", "p=tls-unique,,unique-octets", hand.nonce, ""),
                   SMTP_SERVER_AUTH_CHALLENGE);
        expect_int(exchange_text(&e, ""), SMTP_SERVER_AUTH_ACCEPTED);
        first(&e, &hand, plus[i], "p=tls-exporter,,", "n=ann,r=abc");
        expect_int(final(&e, &hand, "secret", "p=tls-exporter,,export-octets", hand.nonce, ""),
                   SMTP_SERVER_AUTH_CHALLENGE);
        expect_int(exchange_text(&e, ""), SMTP_SERVER_AUTH_ACCEPTED);
        expect_int(exchange_log_in(&e, plus[i], "ann", NULL, "secret"), SMTP_SERVER_AUTH_ACCEPTED);
    }
    exchange_clear(&e);
}

TEST(scram, plus_refuses_another_channel_another_kind_and_none_rfc5802_6)
{
    struct exchange e;
    struct hand hand;
    exchange_init(&e);
    snprintf(e.binding[SMTP_TLS_EXPORTER], sizeof e.binding[0], "export-octets");
    for (size_t i = 0; i < COUNT(plus); i++) {
        first(&e, &hand, plus[i], "p=tls-exporter,,", "n=ann,r=abc");
        expect_int(final(&e, &hand, "secret", "p=tls-exporter,,export-octetx", hand.nonce, ""),
                   SMTP_SERVER_AUTH_REFUSED);
        first(&e, &hand, plus[i], "p=tls-exporter,,", "n=ann,r=abc");
        expect_int(final(&e, &hand, "secret", "p=tls-exporter,,", hand.nonce, ""),
                   SMTP_SERVER_AUTH_REFUSED);
        expect_int(first(&e, &hand, plus[i], "n,,", "n=ann,r=abc"), SMTP_SERVER_AUTH_REFUSED);
        expect_int(first(&e, &hand, plus[i], "y,,", "n=ann,r=abc"), SMTP_SERVER_AUTH_REFUSED);
        /* TLS 1.3 has no tls-unique; nobody here knows the other */
        expect_int(first(&e, &hand, plus[i], "p=tls-unique,,", "n=ann,r=abc"),
                   SMTP_SERVER_AUTH_REFUSED);
        expect_int(first(&e, &hand, plus[i], "p=tls-server-end-point,,", "n=ann,r=abc"),
                   SMTP_SERVER_AUTH_REFUSED);
    }
    exchange_clear(&e);
}
