/* sasl_test.c - SASL exchanges in memory, with libgsasl's client and by hand: PLAIN, LOGIN, CRAM-MD5,
 * EXTERNAL, and what they have in common. */
#include "tests/support/test.h"
#include "tests/unit/server/exchange.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

static const char *const password_mechanisms[] = {"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1",
                                                  "SCRAM-SHA-256"};
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

TEST(sasl, each_mechanism_lets_in_who_has_the_password_and_nobody_else)
{
    struct exchange e;
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(password_mechanisms); i++) {
        const char *mechanism = password_mechanisms[i];
        expect_int(exchange_log_in(&e, mechanism, "ann", NULL, "secret"),
                   SMTP_SERVER_AUTH_ACCEPTED);
        expect_str(e.answer.identity, "ann");
        expect_int(exchange_log_in(&e, mechanism, "ann", NULL, "Secret"), SMTP_SERVER_AUTH_REFUSED);
        expect_true(e.answer.reply == NULL);
        expect_int(exchange_log_in(&e, mechanism, "ann", NULL, "secre"), SMTP_SERVER_AUTH_REFUSED);
        expect_int(exchange_log_in(&e, mechanism, "cat", NULL, "secret"), SMTP_SERVER_AUTH_REFUSED);
    }
    exchange_clear(&e);
}

TEST(sasl, who_does_not_exist_is_refused_at_the_same_step_and_in_the_same_words)
{
    struct exchange e;
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(password_mechanisms); i++) {
        /* the second: what the server computes with in the place of a password */
        const char *tried[] = {"secret", "nobody's"};
        for (size_t k = 0; k < COUNT(tried); k++) {
            expect_int(exchange_log_in(&e, password_mechanisms[i], "dan", NULL, tried[k]),
                       SMTP_SERVER_AUTH_REFUSED);
            expect_true(e.answer.reply == NULL);
        }
    }
    exchange_clear(&e);
}

TEST(sasl, identities_and_passwords_are_utf8_as_saslprep_leaves_them_rfc4013)
{
    struct exchange e;
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(password_mechanisms); i++) {
        expect_int(exchange_log_in(&e, password_mechanisms[i], "b\xc3\xb6", NULL,
                                   "p\xc3\xa4ss w\xc3\xb6rd"),
                   SMTP_SERVER_AUTH_ACCEPTED);
        expect_str(e.answer.identity, "b\xc3\xb6");
    }
    /* o and a with combining diaereses; a no-break space */
    exchange_begin(&e, "PLAIN");
    expect_int(EXCHANGE_SAY(&e, "\0bo\xcc\x88\0pa\xcc\x88ss\xc2\xa0wo\xcc\x88rd"),
               SMTP_SERVER_AUTH_ACCEPTED);
    expect_str(e.answer.identity, "b\xc3\xb6");
    exchange_begin(&e, "PLAIN");
    expect_int(EXCHANGE_SAY(&e, "\0ann\0secret\x7f"), SMTP_SERVER_AUTH_REFUSED);
    exchange_begin(&e, "PLAIN");
    expect_int(EXCHANGE_SAY(&e, "\0ann\xff\0secret"), SMTP_SERVER_AUTH_REFUSED);
    exchange_clear(&e);
}

TEST(sasl, fields_of_255_octets_are_taken_rfc4616_2)
{
    struct exchange e;
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(password_mechanisms); i++) {
        expect_int(exchange_log_in(&e, password_mechanisms[i], exchange_long_name, NULL,
                                   exchange_long_name),
                   SMTP_SERVER_AUTH_ACCEPTED);
        expect_str(e.answer.identity, exchange_long_name);
    }
    exchange_clear(&e);
}

TEST(sasl, acting_as_somebody_else_is_for_a_hook_to_allow)
{
    static const char *const able[] = {"PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"};
    struct exchange e;
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(able); i++) {
        e.source.decide = NULL;
        expect_int(exchange_log_in(&e, able[i], "ann", "ann", "secret"), SMTP_SERVER_AUTH_ACCEPTED);
        expect_int(exchange_log_in(&e, able[i], "ann", "cat", "secret"), SMTP_SERVER_AUTH_REFUSED);
        exchange_hook_auth(&e, SMTP_ACCEPT);
        expect_int(exchange_log_in(&e, able[i], "ann", "cat", "secret"), SMTP_SERVER_AUTH_ACCEPTED);
        expect_str(e.answer.identity, "ann");
        expect_str(e.authorization, "cat");
    }
    exchange_clear(&e);
}

TEST(sasl, mechanisms_that_it_does_not_know_do_not_begin)
{
    struct exchange e;
    exchange_init(&e);
    expect_true(smtp_server_exchange_begin("ANONYMOUS", &e.source) == NULL);
    expect_true(smtp_server_exchange_begin("NTLM", &e.source) == NULL);
    expect_true(smtp_server_exchange_begin("", &e.source) == NULL);
    smtp_server_exchange_free(NULL);
    exchange_clear(&e);
}

TEST(sasl, an_exchange_can_end_anywhere)
{
    static const char *const all[] = {"PLAIN",       "LOGIN",         "CRAM-MD5",    "EXTERNAL",
                                      "SCRAM-SHA-1", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2"};
    struct exchange e;
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(all); i++) {
        exchange_begin(&e, all[i]);
        exchange_begin(&e, all[i]);
        expect_int(exchange_nothing(&e), SMTP_SERVER_AUTH_CHALLENGE);
    }
    exchange_clear(&e);
}

/* ---- hooks ---- */

TEST(sasl, the_auth_hook_alone_decides_on_a_secret)
{
    struct exchange e;
    exchange_init(&e);
    exchange_hook_auth(&e, SMTP_ACCEPT);
    expect_int(exchange_log_in(&e, "PLAIN", "eve", NULL, "anything"), SMTP_SERVER_AUTH_ACCEPTED);
    expect_str(e.mechanism, "PLAIN");
    expect_str(e.identity, "eve");
    expect_str(e.authorization, "");
    expect_str(e.secret, "anything");
    expect_int(exchange_log_in(&e, "LOGIN", "eve", NULL, "other"), SMTP_SERVER_AUTH_ACCEPTED);
    expect_str(e.secret, "other");
    exchange_hook_auth(&e, SMTP_REFUSE);
    expect_int(exchange_log_in(&e, "PLAIN", "ann", NULL, "secret"), SMTP_SERVER_AUTH_REFUSED);
    expect_true(e.answer.reply != NULL);
    expect_str(e.answer.reply->text, "Not you");
    expect_true(!e.answer.disconnect);
    exchange_clear(&e);
}

TEST(sasl, the_auth_hook_has_the_last_word_on_a_proof_and_sees_no_secret)
{
    static const char *const proving[] = {"CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"};
    struct exchange e;
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(proving); i++) {
        exchange_hook_auth(&e, SMTP_ACCEPT);
        e.decided = 0;
        expect_int(exchange_log_in(&e, proving[i], "ann", NULL, "wrong"), SMTP_SERVER_AUTH_REFUSED);
        expect_int(e.decided, 0);
        expect_int(exchange_log_in(&e, proving[i], "ann", NULL, "secret"),
                   SMTP_SERVER_AUTH_ACCEPTED);
        expect_int(e.decided, 1);
        expect_str(e.secret, "(none)");
        exchange_hook_auth(&e, SMTP_DISCONNECT);
        expect_int(exchange_log_in(&e, proving[i], "ann", NULL, "secret"),
                   SMTP_SERVER_AUTH_REFUSED);
        expect_true(e.answer.disconnect);
    }
    exchange_clear(&e);
}

TEST(sasl, the_password_hook_takes_the_place_of_the_table)
{
    struct exchange e;
    exchange_init(&e);
    exchange_hook_password(&e);
    for (size_t i = 0; i < COUNT(password_mechanisms); i++) {
        e.looked_up = 0;
        expect_int(exchange_log_in(&e, password_mechanisms[i], "hook", NULL, "of the hook"),
                   SMTP_SERVER_AUTH_ACCEPTED);
        expect_int(e.looked_up, 1);
        expect_int(exchange_log_in(&e, password_mechanisms[i], "ann", NULL, "secret"),
                   SMTP_SERVER_AUTH_REFUSED);
        /* what the hook left in the place of a password that it said is none */
        expect_int(exchange_log_in(&e, password_mechanisms[i], "ann", NULL, "of the hook"),
                   SMTP_SERVER_AUTH_REFUSED);
    }
    exchange_clear(&e);
}

/* ---- PLAIN and LOGIN ---- */

TEST(sasl, plain_without_a_response_is_prompted_with_nothing_rfc4954_4)
{
    struct exchange e;
    exchange_init(&e);
    exchange_begin(&e, "PLAIN");
    expect_int(exchange_nothing(&e), SMTP_SERVER_AUTH_CHALLENGE);
    expect_int(e.answer.challenge.len, 0);
    expect_int(EXCHANGE_SAY(&e, "\0ann\0secret"), SMTP_SERVER_AUTH_ACCEPTED);
    exchange_clear(&e);
}

TEST(sasl, plain_messages_of_another_form_are_malformed_or_refused_rfc4616_2)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum smtp_server_auth_step step;
    } rows[] = {
#define ROW(text, step) {text, sizeof(text) - 1, step}
        ROW("", SMTP_SERVER_AUTH_MALFORMED),
        ROW("\0", SMTP_SERVER_AUTH_MALFORMED),
        ROW("\0\0", SMTP_SERVER_AUTH_REFUSED),
        ROW("ann", SMTP_SERVER_AUTH_MALFORMED),
        ROW("ann\0secret", SMTP_SERVER_AUTH_MALFORMED),
        ROW("\0ann\0secret\0", SMTP_SERVER_AUTH_MALFORMED),
        ROW("\0ann\0secret\0x", SMTP_SERVER_AUTH_MALFORMED),
        ROW("\0ann\0", SMTP_SERVER_AUTH_REFUSED),
        ROW("\0\0secret", SMTP_SERVER_AUTH_REFUSED),
        ROW("cat\0ann\0secret", SMTP_SERVER_AUTH_REFUSED),
        ROW("\0ann\0secret ", SMTP_SERVER_AUTH_REFUSED),
        ROW("\0Ann\0secret", SMTP_SERVER_AUTH_REFUSED),
        ROW("ann\0ann\0secret", SMTP_SERVER_AUTH_ACCEPTED),
    };
    struct exchange e;
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(rows); i++) {
        exchange_begin(&e, "PLAIN");
        expect_int(exchange_say(&e, rows[i].bytes, rows[i].len), rows[i].step);
    }
    exchange_clear(&e);
}

TEST(sasl, login_prompts_as_clients_look_for_and_takes_an_initial_response)
{
    struct exchange e;
    char text[1000];
    exchange_init(&e);
    exchange_begin(&e, "LOGIN");
    exchange_nothing(&e);
    expect_str(exchange_challenge(&e, text), "Username:");
    exchange_text(&e, "ann");
    expect_str(exchange_challenge(&e, text), "Password:");
    expect_int(exchange_text(&e, "secret"), SMTP_SERVER_AUTH_ACCEPTED);
    exchange_begin(&e, "LOGIN");
    exchange_text(&e, "ann");
    expect_str(exchange_challenge(&e, text), "Password:");
    expect_int(exchange_text(&e, "secret"), SMTP_SERVER_AUTH_ACCEPTED);
    exchange_clear(&e);
}

TEST(sasl, login_takes_no_empty_field_and_no_nul)
{
    struct exchange e;
    exchange_init(&e);
    exchange_begin(&e, "LOGIN");
    expect_int(exchange_text(&e, ""), SMTP_SERVER_AUTH_MALFORMED);
    exchange_begin(&e, "LOGIN");
    expect_int(EXCHANGE_SAY(&e, "ann\0x"), SMTP_SERVER_AUTH_MALFORMED);
    exchange_begin(&e, "LOGIN");
    expect_int(exchange_text(&e, "ann"), SMTP_SERVER_AUTH_CHALLENGE);
    expect_int(exchange_text(&e, ""), SMTP_SERVER_AUTH_MALFORMED);
    exchange_begin(&e, "LOGIN");
    expect_int(exchange_text(&e, "ann"), SMTP_SERVER_AUTH_CHALLENGE);
    expect_int(EXCHANGE_SAY(&e, "secret\0"), SMTP_SERVER_AUTH_MALFORMED);
    exchange_clear(&e);
}

/* ---- CRAM-MD5 ---- */

static void cram_response(char *out, size_t size, const char *identity, const char *password,
                          struct smtp_span challenge)
{
    unsigned char octets[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    expect_true(HMAC(EVP_md5(), password, (int)strlen(password),
                     (const unsigned char *)challenge.bytes, challenge.len, octets, &len) != NULL);
    size_t at = (size_t)snprintf(out, size, "%s ", identity);
    for (unsigned i = 0; i < len; i++) {
        at += (size_t)snprintf(out + at, size - at, "%02x", octets[i]);
    }
}

TEST(sasl, cram_md5_by_hand_rfc2195_2)
{
    struct exchange e;
    char response[400];
    /* the RFC's own example shows that the hand computes right */
    cram_response(response, sizeof response, "tim", "tanstaaftanstaaf",
                  SMTP_SPAN("<1896.697170952@postoffice.reston.mci.net>"));
    expect_str(response, "tim b913a602c7eda7a495b4e6e7334d3890");
    exchange_init(&e);
    exchange_begin(&e, "CRAM-MD5");
    exchange_nothing(&e);
    cram_response(response, sizeof response, "ann", "secret", e.answer.challenge);
    expect_int(exchange_text(&e, response), SMTP_SERVER_AUTH_ACCEPTED);
    /* a secret of more than 64 octets is hashed first */
    exchange_begin(&e, "CRAM-MD5");
    exchange_nothing(&e);
    cram_response(response, sizeof response, exchange_long_name, exchange_long_name,
                  e.answer.challenge);
    expect_int(exchange_text(&e, response), SMTP_SERVER_AUTH_ACCEPTED);
    exchange_clear(&e);
}

TEST(sasl, cram_md5_prepares_the_password_of_the_table_rfc4013)
{
    struct exchange e;
    struct smtp_server_users users;
    struct smtp_error error;
    char response[400];
    /* an a with a combining diaeresis; the client's is one character */
    const struct smtp_server_user row = {"cat", "pa\xcc\x88ss"};
    exchange_init(&e);
    expect_int(smtp_server_users_init(&users, &row, 1, &error), SMTP_OK);
    e.source.users = &users;
    exchange_begin(&e, "CRAM-MD5");
    exchange_nothing(&e);
    cram_response(response, sizeof response, "cat", "p\xc3\xa4ss", e.answer.challenge);
    expect_int(exchange_text(&e, response), SMTP_SERVER_AUTH_ACCEPTED);
    exchange_clear(&e);
    smtp_server_users_clear(&users);
}

TEST(sasl, cram_md5_challenges_are_msg_ids_with_the_servers_name_and_fresh_rfc2195_2)
{
    struct exchange e;
    char first[1000], second[1000], end;
    unsigned long long number, seconds;
    exchange_init(&e);
    exchange_begin(&e, "CRAM-MD5");
    exchange_nothing(&e);
    exchange_challenge(&e, first);
    exchange_begin(&e, "CRAM-MD5");
    exchange_nothing(&e);
    expect_true(strcmp(first, exchange_challenge(&e, second)) != 0);
    expect_int(sscanf(first, "<%llu.%llu@mx.example%c", &number, &seconds, &end), 3);
    expect_int(end, '>');
    exchange_clear(&e);
}

TEST(sasl, cram_md5_responses_of_another_form_are_malformed)
{
#define DIGEST "0123456789abcdef0123456789abcdef"
    static const char *const rows[] = {
        "",
        "ann",
        "ann ",
        DIGEST,
        " " DIGEST,
        "ann" DIGEST,
        "ann x" DIGEST,
        "ann 0123456789ABCDEF0123456789ABCDEF",
        "ann " DIGEST " ",
    };
    struct exchange e;
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(rows); i++) {
        exchange_begin(&e, "CRAM-MD5");
        exchange_nothing(&e);
        expect_int(exchange_text(&e, rows[i]), SMTP_SERVER_AUTH_MALFORMED);
    }
    exchange_begin(&e, "CRAM-MD5");
    exchange_nothing(&e);
    expect_int(EXCHANGE_SAY(&e, "ann\0 " DIGEST), SMTP_SERVER_AUTH_MALFORMED);
    exchange_begin(&e, "CRAM-MD5");
    exchange_nothing(&e);
    expect_int(exchange_text(&e, "ann " DIGEST), SMTP_SERVER_AUTH_REFUSED);
    exchange_clear(&e);
}

TEST(sasl, cram_md5_takes_no_initial_response_rfc4954_4)
{
    struct exchange e;
    exchange_init(&e);
    exchange_begin(&e, "CRAM-MD5");
    expect_int(exchange_text(&e, "ann " DIGEST), SMTP_SERVER_AUTH_MALFORMED);
    exchange_clear(&e);
}

/* ---- EXTERNAL ---- */

TEST(sasl, external_is_who_the_certificate_is_for_rfc4422_a)
{
    struct exchange e;
    exchange_init(&e);
    e.source.subject = "client.example";
    exchange_begin(&e, "EXTERNAL");
    expect_int(exchange_text(&e, ""), SMTP_SERVER_AUTH_ACCEPTED);
    expect_str(e.answer.identity, "client.example");
    exchange_begin(&e, "EXTERNAL");
    expect_int(exchange_nothing(&e), SMTP_SERVER_AUTH_CHALLENGE);
    expect_int(e.answer.challenge.len, 0);
    expect_int(exchange_text(&e, "client.example"), SMTP_SERVER_AUTH_ACCEPTED);
    exchange_begin(&e, "EXTERNAL");
    expect_int(exchange_text(&e, "ann"), SMTP_SERVER_AUTH_REFUSED);
    exchange_begin(&e, "EXTERNAL");
    expect_int(EXCHANGE_SAY(&e, "ann\0"), SMTP_SERVER_AUTH_MALFORMED);
    exchange_hook_auth(&e, SMTP_ACCEPT);
    exchange_begin(&e, "EXTERNAL");
    expect_int(exchange_text(&e, "ann"), SMTP_SERVER_AUTH_ACCEPTED);
    expect_str(e.identity, "client.example");
    expect_str(e.authorization, "ann");
    expect_str(e.secret, "(none)");
    exchange_clear(&e);
}

TEST(sasl, external_without_a_certificate_is_refused)
{
    struct exchange e;
    exchange_init(&e);
    exchange_hook_auth(&e, SMTP_ACCEPT);
    exchange_begin(&e, "EXTERNAL");
    expect_int(exchange_text(&e, ""), SMTP_SERVER_AUTH_REFUSED);
    exchange_begin(&e, "EXTERNAL");
    expect_int(exchange_text(&e, "ann"), SMTP_SERVER_AUTH_REFUSED);
    expect_int(e.decided, 0);
    exchange_clear(&e);
}

/* ---- the table ---- */

TEST(sasl, a_user_that_nobody_could_log_in_as_is_refused_by_the_table)
{
    static const struct {
        struct smtp_server_user user;
        const char *why;
    } rows[] = {
        {{"", "x"}, "identity of user 2"},        {{NULL, "x"}, "identity of user 2"},
        {{"bob", ""}, "password of user 2"},      {{"bob", NULL}, "password of user 2"},
        {{"b\x01", "x"}, "identity of user 2"},   {{"bob", "\xff"}, "password of user 2"},
        {{"ann", "x"}, "\"ann\" is there twice"}, {{"a\xc2\xadnn", "x"}, "\"ann\" is there twice"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct smtp_server_user two[] = {{"ann", "secret"}, rows[i].user};
        struct smtp_server_users users;
        struct smtp_error error = {0};
        expect_int(smtp_server_users_init(&users, two, 2, &error), SMTP_BAD_ARGUMENT);
        expect_contains(error.message, rows[i].why);
    }
}
