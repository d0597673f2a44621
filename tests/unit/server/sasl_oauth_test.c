/* sasl_oauth_test.c - XOAUTH2 and OAUTHBEARER (RFC 7628) from the server's side. */
#include "tests/support/test.h"
#include "tests/unit/server/exchange.h"

#include <stdio.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))
#define S "\x01"

struct row {
    const char *bytes;
    size_t len;
};
#define ROW(text)                                                                                  \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static void expect_malformed(const char *mechanism, const struct row *rows, size_t count)
{
    struct exchange e;
    exchange_init(&e);
    exchange_hook_auth(&e, SMTP_ACCEPT);
    for (size_t i = 0; i < count; i++) {
        exchange_begin(&e, mechanism);
        if (exchange_say(&e, rows[i].bytes, rows[i].len) != SMTP_SERVER_AUTH_MALFORMED) {
            SMTP_TEST_FAIL("row %zu is not malformed: %d", i, (int)e.answer.step);
        }
    }
    expect_int(e.decided, 0);
    exchange_clear(&e);
}

TEST(oauth, a_good_token_logs_in_rfc7628_3_1)
{
    struct exchange e;
    exchange_init(&e);
    exchange_begin(&e, "OAUTHBEARER");
    expect_int(
        exchange_text(&e, "n,a=cat," S "host=mx.example" S "port=587" S "auth=Bearer tok.en-1" S S),
        SMTP_SERVER_AUTH_ACCEPTED);
    expect_str(e.answer.identity, "cat");
    exchange_begin(&e, "OAUTHBEARER");
    expect_int(exchange_nothing(&e), SMTP_SERVER_AUTH_CHALLENGE);
    expect_int(e.answer.challenge.len, 0);
    expect_int(exchange_text(&e, "y,a=cat," S "auth=bearer tok.en-1" S "x=1" S S),
               SMTP_SERVER_AUTH_ACCEPTED);
    exchange_begin(&e, "XOAUTH2");
    expect_int(exchange_text(&e, "user=cat" S "auth=Bearer tok.en-1" S S),
               SMTP_SERVER_AUTH_ACCEPTED);
    expect_str(e.answer.identity, "cat");
    exchange_clear(&e);
}

TEST(oauth, the_token_can_tell_whose_it_is_rfc7628_3_1)
{
    struct exchange e;
    exchange_init(&e);
    exchange_begin(&e, "OAUTHBEARER");
    expect_int(exchange_text(&e, "n,," S "auth=Bearer tok.en-1" S S), SMTP_SERVER_AUTH_ACCEPTED);
    expect_str(e.answer.identity, "cat");
    exchange_begin(&e, "OAUTHBEARER");
    expect_int(exchange_text(&e, "n,," S "auth=Bearer nothing" S S), SMTP_SERVER_AUTH_CHALLENGE);
    exchange_clear(&e);
}

TEST(oauth, a_bad_token_is_told_in_json_and_refused_after_the_dummy_response_rfc7628_3_2_2)
{
    static const struct {
        const char *mechanism, *message, *why;
    } rows[] = {
        {"OAUTHBEARER", "n,a=cat," S "auth=Bearer wrong" S S, "{\"status\":\"invalid_token\"}"},
        {"OAUTHBEARER", "n,a=dan," S "auth=Bearer tok.en-1" S S, "{\"status\":\"invalid_token\"}"},
        {"OAUTHBEARER", "n,a=ann," S "auth=Bearer tok.en-1" S S, "{\"status\":\"invalid_token\"}"},
        {"XOAUTH2", "user=cat" S "auth=Bearer wrong" S S,
         "{\"status\":\"401\",\"schemes\":\"bearer\"}"},
        {"XOAUTH2", "user=dan" S "auth=Bearer wrong" S S,
         "{\"status\":\"401\",\"schemes\":\"bearer\"}"},
    };
    struct exchange e;
    char text[1000];
    exchange_init(&e);
    for (size_t i = 0; i < COUNT(rows); i++) {
        exchange_begin(&e, rows[i].mechanism);
        exchange_text(&e, rows[i].message);
        expect_str(exchange_challenge(&e, text), rows[i].why);
        expect_int(exchange_text(&e, S), SMTP_SERVER_AUTH_REFUSED);
        exchange_begin(&e, rows[i].mechanism);
        exchange_text(&e, rows[i].message);
        expect_int(exchange_text(&e, rows[i].message), SMTP_SERVER_AUTH_MALFORMED);
    }
    exchange_begin(&e, "XOAUTH2");
    exchange_text(&e, rows[3].message);
    expect_int(exchange_text(&e, ""), SMTP_SERVER_AUTH_REFUSED);
    exchange_begin(&e, "OAUTHBEARER");
    exchange_text(&e, rows[0].message);
    expect_int(exchange_text(&e, ""), SMTP_SERVER_AUTH_MALFORMED);
    exchange_clear(&e);
}

TEST(oauth, a_token_without_a_name_logs_nobody_in_whatever_the_hook_says_rfc7628_3_1)
{
    struct exchange e;
    exchange_init(&e);
    exchange_hook_auth(&e, SMTP_ACCEPT);
    exchange_begin(&e, "OAUTHBEARER");
    expect_int(exchange_text(&e, "n,," S "auth=Bearer token" S S), SMTP_SERVER_AUTH_CHALLENGE);
    expect_int(exchange_text(&e, S), SMTP_SERVER_AUTH_REFUSED);
    exchange_clear(&e);
}

TEST(oauth, the_hook_sees_the_token_and_its_words_come_after_the_dummy_response)
{
    struct exchange e;
    exchange_init(&e);
    exchange_hook_auth(&e, SMTP_ACCEPT);
    exchange_begin(&e, "OAUTHBEARER");
    expect_int(exchange_text(&e, "n,a=x=2Cy=3D," S "auth=Bearer a.b-c_d~e+f/g==" S S),
               SMTP_SERVER_AUTH_ACCEPTED);
    expect_str(e.identity, "x,y=");
    expect_str(e.secret, "a.b-c_d~e+f/g==");
    exchange_hook_auth(&e, SMTP_REFUSE);
    exchange_begin(&e, "XOAUTH2");
    expect_int(exchange_text(&e, "user=eve" S "auth=Bearer token" S S), SMTP_SERVER_AUTH_CHALLENGE);
    expect_int(exchange_text(&e, ""), SMTP_SERVER_AUTH_REFUSED);
    expect_str(e.answer.reply->text, "Not you");
    exchange_hook_auth(&e, SMTP_DISCONNECT);
    exchange_begin(&e, "XOAUTH2");
    expect_int(exchange_text(&e, "user=eve" S "auth=Bearer token" S S), SMTP_SERVER_AUTH_REFUSED);
    expect_true(e.answer.disconnect);
    exchange_clear(&e);
}

TEST(oauth, oauthbearer_of_another_form_is_malformed_rfc7628_3_1)
{
    static const struct row rows[] = {
        ROW(""),
        ROW(S),
        ROW("n,,"),
        ROW("n,," S),
        ROW("n,," S S),
        ROW("n,a=cat," S "host=x" S S),
        ROW("n,a=cat,auth=Bearer t" S S),
        ROW("n,a=cat," S "auth=Bearer t"),
        ROW("n,a=cat," S "auth=Bearer t" S),
        ROW("n,a=cat," S "auth=Bearer t" S S S),
        ROW("n,a=cat," S "auth=Bearer t" S S "x=1" S),
        ROW("n,a=cat," S "auth=Bearer t" S "auth=Bearer t" S S),
        ROW("n,a=cat," S "auth=Basic t" S S),
        ROW("n,a=cat," S "auth=Bearer" S S),
        ROW("n,a=cat," S "auth=Bearer " S S),
        ROW("n,a=cat," S "auth=Bearer a b" S S),
        ROW("n,a=cat," S "auth=Bearer =" S S),
        ROW("n,a=cat," S "auth=Bearer t\xc3\xb6" S S),
        ROW("n,a=cat," S "=1" S "auth=Bearer t" S S),
        ROW("n,a=cat," S "x" S "auth=Bearer t" S S),
        ROW("n,a=cat," S "x1=1" S "auth=Bearer t" S S),
        ROW("n,a=cat," S "x=\x02" S "auth=Bearer t" S S),
        ROW("n,a=cat," S "auth=Bearer t\0" S S),
        ROW("n,a=cat," S "auth=Bearer t" S S "\0"),
        ROW("p=tls-unique,a=cat," S "auth=Bearer t" S S),
        ROW("x,a=cat," S "auth=Bearer t" S S),
        ROW("n,a=," S "auth=Bearer t" S S),
        ROW("n,cat," S "auth=Bearer t" S S),
        ROW("n,a=c=at," S "auth=Bearer t" S S),
        ROW("n" S "auth=Bearer t" S S),
    };
    expect_malformed("OAUTHBEARER", rows, COUNT(rows));
}

TEST(oauth, xoauth2_of_another_form_is_malformed)
{
    static const struct row rows[] = {
        ROW(""),
        ROW(S S),
        ROW("user=cat"),
        ROW("user=cat" S),
        ROW("user=cat" S "auth=Bearer t"),
        ROW("user=cat" S "auth=Bearer t" S),
        ROW("user=cat" S "auth=Bearer t" S "x"),
        ROW("user=cat" S "auth=Bearer t" S S S),
        ROW("user=" S "auth=Bearer t" S S),
        ROW("user=cat" S "auth=Bearer " S S),
        ROW("user=cat" S "auth=Basic t" S S),
        ROW("user=cat" S "Bearer t" S S),
        ROW("auth=Bearer t" S "user=cat" S S),
        ROW("user=cat\0" S "auth=Bearer t" S S),
        ROW("user=cat" S "auth=Bearer t" S S "\0"),
    };
    expect_malformed("XOAUTH2", rows, COUNT(rows));
}
