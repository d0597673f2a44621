/* client_asking_test.c - over real sockets, against scripted peers: a mechanism of the caller's own,
 * XCLIENT, the PROXY header, REQUIRETLS, names that are not ASCII. */
#include "tests/end_to_end/pair.h"
#include "tests/support/test.h"

#include <stdio.h>

#define CLEAR "S: 220 mx\nC: EHLO [127.0.0.1]\n"
#define UP CLEAR "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n[tls]\nC: EHLO [127.0.0.1]\n"
#define BYE "C: QUIT\nS: 221 bye\n[eof]\n"

static void begin(struct pair *pair, const char *script)
{
    pair_begin(pair, SMTP_CLIENT_TLS_NEVER, SMTP_IDENTITY_SOUND, script);
    expect_int(pair_connect(pair, "127.0.0.1"), SMTP_OK);
}

static void quit(struct pair *pair)
{
    expect_int(smtp_client_quit(pair->client), SMTP_OK);
    pair_end(pair);
}

/* ---- smtp_client_auth_with ---- */

/* What the mechanism says, one response a call; NULL: it gives up. "-": none, the server begins. */
struct lines {
    const char *const *responses;
    size_t at;
    char challenges
        [200]; /* that came, each with '|' behind it; the one for the initial response is "0" */
};

static bool respond(void *user, const char *challenge, size_t challenge_len, const char **response,
                    size_t *response_len)
{
    struct lines *lines = user;
    size_t len = strlen(lines->challenges);
    snprintf(lines->challenges + len, sizeof(lines->challenges) - len, "%.*s|",
             challenge != NULL ? (int)challenge_len : 1, challenge != NULL ? challenge : "0");
    const char *next = lines->responses[lines->at++];
    if (next == NULL) {
        return false;
    }
    if (strcmp(next, "-") != 0) {
        *response = next;
        *response_len = strlen(next);
    }
    return true;
}

#define OFFERS_OWN CLEAR "S: 250-mx\nS: 250 AUTH X-OWN PLAIN\n"

TEST(client_asking, a_mechanism_of_the_callers_own_answers_challenge_by_challenge_rfc4954_4)
{
    struct pair pair = {0};
    static const char *const responses[] = {"first", "second", ""};
    struct lines lines = {.responses = responses};
    begin(&pair, OFFERS_OWN "C: AUTH X-OWN Zmlyc3Q=\nS: 334 b25l\nC: c2Vjb25k\nS: 334 \nC: \n"
                            "S: 235 in\n" BYE);
    expect_int(smtp_client_auth_with(pair.client, "X-OWN", respond, &lines), SMTP_OK);
    expect_str(lines.challenges, "0|one||");
    expect_true(smtp_client_is_authenticated(pair.client));
    expect_contains(pair.log, "\nAUTH X-OWN ***\n");
    expect_true(strstr(pair.log, "c2Vjb25k") == NULL);
    expect_int(smtp_client_auth_with(pair.client, "X-OWN", respond, &lines), SMTP_BAD_STATE);
    quit(&pair);
}

TEST(client_asking, a_mechanism_without_initial_response_lets_the_server_begin)
{
    struct pair pair = {0};
    static const char *const responses[] = {"-", "answer"};
    struct lines lines = {.responses = responses};
    begin(&pair, OFFERS_OWN "C: AUTH x-own\nS: 334 b25l\nC: YW5zd2Vy\nS: 535 5.7.8 no\n" BYE);
    expect_int(smtp_client_auth_with(pair.client, "x-own", respond, &lines),
               SMTP_REFUSED_PERMANENT);
    expect_str(lines.challenges, "0|one|");
    expect_contains(pair_error(&pair), "AUTH x-own refused: 535 5.7.8 no");
    quit(&pair);
}

TEST(client_asking, an_empty_initial_response_goes_as_an_equals_sign_rfc4954_4)
{
    struct pair pair = {0};
    static const char *const responses[] = {""};
    struct lines lines = {.responses = responses};
    begin(&pair, OFFERS_OWN "C: AUTH X-OWN =\nS: 235 in\n" BYE);
    expect_int(smtp_client_auth_with(pair.client, "X-OWN", respond, &lines), SMTP_OK);
    quit(&pair);
}

TEST(client_asking, a_mechanism_that_gives_up_cancels_the_exchange_rfc4954_4)
{
    struct pair pair = {0};
    static const char *const responses[] = {NULL, "first", NULL};
    struct lines lines = {.responses = responses};
    begin(&pair, OFFERS_OWN "C: AUTH X-OWN Zmlyc3Q=\nS: 334 \nC: *\nS: 501 cancelled\n" BYE);
    expect_int(smtp_client_auth_with(pair.client, "X-OWN", respond, &lines), SMTP_BAD_ARGUMENT);
    expect_contains(pair_error(&pair), "not begun");
    expect_int(smtp_client_auth_with(pair.client, "X-OWN", respond, &lines), SMTP_BAD_ARGUMENT);
    expect_contains(pair_error(&pair), "cancelled");
    expect_true(!smtp_client_is_authenticated(pair.client));
    quit(&pair);
}

TEST(client_asking, a_mechanism_that_is_none_or_not_offered_is_not_begun)
{
    struct pair pair = {0};
    static const char *const bad[] = {"", "X OWN", "X-OWN\r\nRSET", "ABCDEFGHIJKLMNOPQRSTU",
                                      "X.OWN"};
    struct lines lines = {.responses = NULL};
    begin(&pair, OFFERS_OWN BYE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect_int(smtp_client_auth_with(pair.client, bad[i], respond, &lines), SMTP_BAD_ARGUMENT);
    }
    expect_int(smtp_client_auth_with(pair.client, "X-OW", respond, &lines), SMTP_UNSUPPORTED);
    expect_contains(pair_error(&pair), "\"X-OWN PLAIN\"");
    expect_int(smtp_client_auth_with(pair.client, NULL, respond, &lines), SMTP_BAD_ARGUMENT);
    expect_int(smtp_client_auth_with(pair.client, "X-OWN", NULL, &lines), SMTP_BAD_ARGUMENT);
    quit(&pair);
}

static bool respond_at_length(void *user, const char *challenge, size_t challenge_len,
                              const char **response, size_t *response_len)
{
    static const char octets[10000] = {1};
    (void)challenge;
    (void)challenge_len;
    *response = octets;
    *response_len = *(size_t *)user;
    return true;
}

/* RFC 4954 4: the initial response fits the command, or waits for a 334; a line has 12288 octets. */
TEST(client_asking, a_long_response_waits_for_its_turn_and_one_too_long_is_not_sent)
{
    struct pair pair = {0};
    size_t len = 600;
    begin(&pair, OFFERS_OWN "C: AUTH X-OWN\nS: 334 \n[octets 802]\nS: 235 in\n" BYE);
    expect_int(smtp_client_auth_with(pair.client, "X-OWN", respond_at_length, &len), SMTP_OK);
    quit(&pair);
    begin(&pair, OFFERS_OWN BYE);
    len = 9217;
    expect_int(smtp_client_auth_with(pair.client, "X-OWN", respond_at_length, &len),
               SMTP_LIMIT_EXCEEDED);
    quit(&pair);
}

/* ---- smtp_client_xclient ---- */

#define OFFERS_XCLIENT CLEAR "S: 250-mx\nS: 250-SIZE 99\nS: 250 XCLIENT NAME ADDR PORT LOGIN\n"

TEST(client_asking, xclient_begins_the_session_again)
{
    struct pair pair = {0};
    begin(&pair, OFFERS_XCLIENT
          "C: XCLIENT NAME=a.example ADDR=192.0.2.1\nS: 220 mx\nC: EHLO [127.0.0.1]\n"
          "S: 250 mx\nC: MAIL FROM:<ann@x>\nS: 250 ok\n" BYE);
    expect_int(smtp_client_xclient(pair.client, "NAME=a.example ADDR=192.0.2.1"), SMTP_OK);
    expect_true(!smtp_client_has_extension(pair.client, "SIZE"));
    expect_true(!smtp_client_has_extension(pair.client, "XCLIENT"));
    expect_int(smtp_client_mail(pair.client, "ann@x", NULL), SMTP_OK);
    quit(&pair);
}

TEST(client_asking, xclient_values_are_encoded_and_ipv6_is_marked)
{
    struct pair pair = {0};
    begin(&pair,
          OFFERS_XCLIENT "C: XCLIENT ADDR=IPV6:2001:db8::1 NAME=[UNAVAILABLE]\n" OFFERS_XCLIENT
                         "C: XCLIENT addr=IPv6:::1 LOGIN=a+2Bb+3Dc+C3+B6\nS: 220 mx\n" BYE);
    expect_int(smtp_client_xclient(pair.client, "ADDR=2001:db8::1 NAME=[UNAVAILABLE]"), SMTP_OK);
    expect_int(smtp_client_xclient(pair.client, "addr=IPv6:::1 LOGIN=a+b=c\xC3\xB6"), SMTP_OK);
    quit(&pair);
}

TEST(client_asking, xclient_that_is_not_offered_or_malformed_is_not_sent)
{
    struct pair pair = {0};
    static const struct {
        const char *attributes;
        enum smtp_status status;
    } rows[] = {
        {"HELO=x", SMTP_UNSUPPORTED},
        {"NAME=x PROTO=ESMTP", SMTP_UNSUPPORTED},
        {"", SMTP_BAD_ARGUMENT},
        {"NAME", SMTP_BAD_ARGUMENT},
        {"NAME=", SMTP_BAD_ARGUMENT},
        {"=x", SMTP_BAD_ARGUMENT},
        {"NAME=a  ADDR=192.0.2.1", SMTP_BAD_ARGUMENT},
        {"NAME=a ", SMTP_BAD_ARGUMENT},
        {" NAME=a", SMTP_BAD_ARGUMENT},
        {"NA-ME=a", SMTP_BAD_ARGUMENT},
        {"NAME=\xFF", SMTP_BAD_ARGUMENT},
        {"NAMENAMENAMENAMENAMEN=a", SMTP_BAD_ARGUMENT},
        {"NAME=a\r\nMAIL FROM:<x@y>", SMTP_UNSAFE_ARGUMENT},
        {"NAME=a\tb", SMTP_UNSAFE_ARGUMENT},
    };
    begin(&pair, OFFERS_XCLIENT BYE);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum smtp_status status = smtp_client_xclient(pair.client, rows[i].attributes);
        expect_str(status == rows[i].status ? "as expected" : rows[i].attributes, "as expected");
    }
    char line[600] = "NAME=";
    memset(line + 5, 'x', sizeof(line) - 6);
    expect_int(smtp_client_xclient(pair.client, line), SMTP_LIMIT_EXCEEDED);
    expect_int(smtp_client_xclient(pair.client, NULL), SMTP_BAD_ARGUMENT);
    quit(&pair);
    begin(&pair, CLEAR "S: 250 mx\n" BYE);
    expect_int(smtp_client_xclient(pair.client, "NAME=x"), SMTP_UNSUPPORTED);
    expect_contains(pair_error(&pair), "XCLIENT");
    quit(&pair);
}

TEST(client_asking, xclient_refused_leaves_the_session_as_it_was)
{
    struct pair pair = {0};
    begin(&pair, OFFERS_XCLIENT "C: XCLIENT NAME=x\nS: 550 5.7.0 insufficient authorization\n" BYE);
    expect_int(smtp_client_xclient(pair.client, "NAME=x"), SMTP_REFUSED_PERMANENT);
    expect_contains(pair_error(&pair), "insufficient");
    expect_true(smtp_client_has_extension(pair.client, "XCLIENT"));
    quit(&pair);
}

/* ---- options.proxy_header ---- */

TEST(client_asking, a_proxy_header_of_version_1_comes_before_the_greeting)
{
    struct pair pair = {0};
    pair_begin(&pair, SMTP_CLIENT_TLS_NEVER, SMTP_IDENTITY_SOUND,
               "C: PROXY TCP4 192.0.2.1 192.0.2.2 40112 25\nS: 220 mx\n" BYE "[accept]\n"
               "C: PROXY TCP4 192.0.2.1 192.0.2.2 40112 25\nS: 220 mx\n" BYE);
    pair.options.proxy_header = "v1 192.0.2.1:40112 192.0.2.2:25";
    for (int i = 0; i < 2; i++) { /* each connection */
        expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
        expect_int(smtp_client_quit(pair.client), SMTP_OK);
    }
    expect_contains(pair.log, "PROXY header sent: v1 192.0.2.1:40112 192.0.2.2:25\n");
    pair_end(&pair);
}

TEST(client_asking, a_proxy_header_comes_before_tls)
{
    struct pair pair = {0};
    static const char header[] =
        "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xC0\0\x02\x01\xC0\0\x02\x02\x9C\xB0\0\x19";
    pair_begin(&pair, SMTP_CLIENT_TLS_IMPLICIT, SMTP_IDENTITY_SOUND,
               "[octets 28]\n[tls]\nS: 220 mx\nC: QUIT\nS: 221 bye\n[close_notify]\n");
    pair.options.proxy_header = "v2 192.0.2.1:40112 192.0.2.2:25";
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    expect_bytes(pair.peer.content, pair.peer.content_len, header, sizeof(header) - 1);
    pair_end(&pair);
}

/* ---- what a message asks for ---- */

static const char *const bob[] = {"bob@x"};

/* rfc8689/2/requiretls-only-in-tls: what counts is the EHLO reply after TLS */
TEST(client_asking, requiretls_is_said_where_ehlo_after_tls_offers_it_rfc8689_2)
{
    struct pair pair = {0};
    struct smtp_mail_options mail = {.require_tls = true};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 1, .mail = &mail};
    pair_begin(&pair, SMTP_CLIENT_TLS_REQUIRED, SMTP_IDENTITY_SOUND,
               UP "S: 250-mx\nS: 250 REQUIRETLS\nC: MAIL FROM:<ann@x> REQUIRETLS\nS: 250 ok\n"
                  "C: RCPT TO:<bob@x>\nS: 250 ok\nC: DATA\nS: 354 go\n[content]\nS: 250 ok\n"
                  "C: QUIT\nS: 221 bye\n[close_notify]\n");
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(smtp_client_send(pair.client, &envelope, smtp_content_text("A: b\n\n"), NULL),
               SMTP_OK);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    pair_end(&pair);
    pair_begin(&pair, SMTP_CLIENT_TLS_WHEN_OFFERED, SMTP_IDENTITY_SOUND,
               "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250-REQUIRETLS\nS: 250 STARTTLS\n"
               "C: STARTTLS\nS: 220 go\n[tls]\nC: EHLO [127.0.0.1]\nS: 250 mx\n"
               "C: QUIT\nS: 221 bye\n[close_notify]\n");
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(smtp_client_send(pair.client, &envelope, smtp_content_text("A: b\n\n"), NULL),
               SMTP_UNSUPPORTED);
    expect_contains(pair_error(&pair), "REQUIRETLS");
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    pair_end(&pair);
}

TEST(client_asking, requiretls_is_not_said_in_the_clear_or_unverified_rfc8689_2)
{
    struct pair pair = {0};
    struct smtp_mail_options mail = {.require_tls = true};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 1, .mail = &mail};
    begin(&pair, CLEAR "S: 250-mx\nS: 250 REQUIRETLS\n" BYE);
    expect_int(smtp_client_send(pair.client, &envelope, smtp_content_text("A: b\n\n"), NULL),
               SMTP_BAD_STATE);
    quit(&pair);
    pair_begin(&pair, SMTP_CLIENT_TLS_REQUIRED, SMTP_IDENTITY_SELF_SIGNED,
               UP "S: 250-mx\nS: 250 REQUIRETLS\nC: QUIT\nS: 221 bye\n[close_notify]\n");
    pair.options.tls.insecure = true;
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(smtp_client_send(pair.client, &envelope, smtp_content_text("A: b\n\n"), NULL),
               SMTP_BAD_STATE);
    expect_contains(pair_error(&pair), "verified");
    quit(&pair);
}

/* ---- names that are not ASCII ---- */

#define BOEB                                                                                       \
    "b\xC3\xB6"                                                                                    \
    "b"

TEST(client_asking, a_message_with_utf8_in_its_header_goes_with_smtputf8_rfc6531_3_4)
{
    struct pair pair = {0};
    static const char message[] = "From: ann@x\r\nTo: B\xC3\xB6"
                                  "b <" BOEB "@x>\r\n\r\nHello\r\n";
    begin(&pair, CLEAR "S: 250-mx\nS: 250-8BITMIME\nS: 250 SMTPUTF8\n"
                       "C: MAIL FROM:<ann@x> BODY=8BITMIME SMTPUTF8\nS: 250 ok\n"
                       "C: RCPT TO:<" BOEB "@x>\nS: 250 ok\nC: DATA\nS: 354 go\n[content]\n"
                       "S: 250 ok\n" BYE);
    expect_int(smtp_client_send_message(pair.client, smtp_content_text(message), NULL), SMTP_OK);
    expect_bytes(pair.peer.content, pair.peer.content_len - 3, message, sizeof(message) - 1);
    quit(&pair);
}

/* rfc6531/3.2/no-utf8-unless-offered */
TEST(client_asking, a_message_with_utf8_in_its_header_goes_nowhere_without_smtputf8_rfc6531_3_2)
{
    struct pair pair = {0};
    begin(&pair, CLEAR "S: 250-mx\nS: 250 8BITMIME\n" BYE);
    expect_int(smtp_client_send_message(
                   pair.client, smtp_content_text("From: ann@x\nTo: bob@\xC3\xBC.x\n\n"), NULL),
               SMTP_UNSUPPORTED);
    expect_contains(pair_error(&pair), "SMTPUTF8");
    quit(&pair);
}

TEST(client_asking, a_domain_goes_as_a_labels_where_smtputf8_is_not_offered_rfc6531_3_2)
{
    struct pair pair = {0};
    static const char *const paths[] = {"bob@b\xC3\xBC"
                                        "cher.example"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = paths, .forward_path_count = 1};
    const struct smtp_send_result *result;
    begin(&pair, CLEAR "S: 250 mx\nC: MAIL FROM:<ann@x>\nS: 250 ok\n"
                       "C: RCPT TO:<bob@xn--bcher-kva.example>\nS: 250 ok\nC: DATA\nS: 354 go\n"
                       "[content]\nS: 250 ok\n" BYE);
    expect_int(smtp_client_send(pair.client, &envelope, smtp_content_text("A: b\n\n"), &result),
               SMTP_OK);
    expect_str(result->recipients[0].forward_path, paths[0]); /* as given */
    quit(&pair);
}

TEST(client_asking, vrfy_and_expn_of_a_name_in_utf8_say_smtputf8_or_nothing_rfc6531_3_7_4_2)
{
    struct pair pair = {0};
    begin(&pair,
          CLEAR "S: 250-mx\nS: 250-8BITMIME\nS: 250 SMTPUTF8\nC: VRFY " BOEB " SMTPUTF8\n"
                "S: 252 x\nC: EXPN " BOEB " SMTPUTF8\nS: 250 x\nC: VRFY bob\nS: 252 x\n" BYE);
    expect_int(smtp_client_ehlo(pair.client), SMTP_OK);
    expect_int(smtp_client_vrfy(pair.client, BOEB), SMTP_OK);
    expect_int(smtp_client_expn(pair.client, BOEB), SMTP_OK);
    expect_int(smtp_client_vrfy(pair.client, "bob"), SMTP_OK);
    expect_int(smtp_client_vrfy(pair.client, "b\xF6"), SMTP_BAD_ARGUMENT);
    expect_int(smtp_client_vrfy(pair.client, BOEB "\r\nRSET"), SMTP_UNSAFE_ARGUMENT);
    quit(&pair);
    begin(&pair, "S: 220 mx\n" BYE);
    expect_int(smtp_client_expn(pair.client, BOEB), SMTP_UNSUPPORTED);
    quit(&pair);
}

/* RFC 3030 3: BINARYMIME is an extension of its own */
TEST(client_asking, a_raw_body_needs_the_extension_of_its_value)
{
    struct pair pair = {0};
    begin(&pair, CLEAR "S: 250-mx\nS: 250 8BITMIME\nC: MAIL FROM:<ann@x> BODY=8BITMIME\n"
                       "S: 250 ok\n" BYE);
    expect_int(smtp_client_mail(pair.client, "ann@x", "BODY=binarymime"), SMTP_UNSUPPORTED);
    expect_contains(pair_error(&pair), "needs BINARYMIME");
    expect_int(smtp_client_mail(pair.client, "ann@x", "BODY=8BITMIME"), SMTP_OK);
    quit(&pair);
    begin(&pair, CLEAR "S: 250-mx\nS: 250-CHUNKING\nS: 250 BINARYMIME\n"
                       "C: MAIL FROM:<ann@x> BODY=BINARYMIME\nS: 250 ok\n" BYE);
    expect_int(smtp_client_mail(pair.client, "ann@x", "BODY=8BITMIME"), SMTP_UNSUPPORTED);
    expect_int(smtp_client_mail(pair.client, "ann@x", "BODY=BINARYMIME"), SMTP_OK);
    quit(&pair);
}
