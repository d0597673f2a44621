/* client_tls_test.c - the client's STARTTLS and TLS over real sockets, against a scripted peer with
 * certificates sound and wrong (RFC 3207, RFC 8314). */
#include "tests/end_to_end/pair.h"
#include "tests/support/test.h"

#include <openssl/ssl.h>
#include <stdio.h>

#define CLEAR "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250-SIZE 99\nS: 250 STARTTLS\n"
#define UP CLEAR "C: STARTTLS\nS: 220 go\n[tls]\n"
#define EHLO "C: EHLO [127.0.0.1]\nS: 250 mx\n"
#define MESSAGE                                                                                    \
    "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\nC: DATA\nS: 354 go\n"         \
    "[content]\nS: 250 2.0.0 taken\n"
#define BYE "C: QUIT\nS: 221 bye\n[close_notify]\n"

static const char *const bob[] = {"bob@x"};
static const struct smtp_envelope to_bob = {
    .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 1};

static void begin(struct pair *pair, enum smtp_client_tls_policy policy, const char *script)
{
    pair_begin(pair, policy, SMTP_IDENTITY_SOUND, script);
}

/* Where no message passes, the result says the stage all the same. */
static enum smtp_status send_to_bob(struct pair *pair)
{
    const struct smtp_send_result *result = NULL;
    enum smtp_status status = smtp_client_send(pair->client, &to_bob,
                                               smtp_content_text("Subject: x\n\nHello\n"), &result);
    expect_int(result->status, status);
    if (status == SMTP_TLS_FAILED || status == SMTP_UNSUPPORTED) {
        expect_int(result->stage, SMTP_STAGE_STARTTLS);
        expect_int(result->accepted_count, 0);
    }
    return status;
}

/* RFC 3207 4.2 */
TEST(client_tls, starttls_then_ehlo_again_then_a_message)
{
    struct pair pair = {0};
    begin(&pair, SMTP_CLIENT_TLS_NEVER, UP EHLO MESSAGE BYE);
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_true(smtp_client_tls(pair.client) == NULL);
    expect_int(smtp_client_starttls(pair.client), SMTP_OK);
    expect_true(!smtp_client_has_extension(pair.client, "SIZE"));
    expect_str(smtp_client_tls(pair.client)->version, "TLSv1.3");
    expect_contains(pair.log, "\nTLSv1.3, TLS_");
    expect_int(send_to_bob(&pair), SMTP_OK);
    expect_int(smtp_client_starttls(pair.client), SMTP_BAD_STATE);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    expect_true(smtp_client_tls(pair.client) == NULL);
    pair_end(&pair);
}

/* RFC 8314 3.3 */
TEST(client_tls, implicit_tls_comes_before_the_greeting)
{
    struct pair pair = {0};
    begin(&pair, SMTP_CLIENT_TLS_IMPLICIT, "[tls]\nS: 220 mx\n" EHLO MESSAGE BYE);
    expect_int(pair_connect(&pair, "localhost"), SMTP_OK);
    expect_str(smtp_client_tls(pair.client)->server_name, "localhost");
    expect_int(send_to_bob(&pair), SMTP_OK);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    pair_end(&pair);
}

/* RFC 8314 5.2: nothing but EHLO and STARTTLS was seen, and under TLS nothing at all */
TEST(client_tls, each_wrong_certificate_is_refused_and_no_message_passes)
{
    static const struct {
        enum smtp_identity_flaw flaw;
        const char *why;
    } rows[] = {{SMTP_IDENTITY_EXPIRED, "has expired"},
                {SMTP_IDENTITY_NOT_YET_VALID, "not yet valid"},
                {SMTP_IDENTITY_WRONG_NAME, "is for wrong.invalid, not for 127.0.0.1"},
                {SMTP_IDENTITY_SELF_SIGNED, "self-signed"},
                {SMTP_IDENTITY_UNKNOWN_CA, "authority"},
                {SMTP_IDENTITY_NO_INTERMEDIATE, "intermediate"}};
    static const enum smtp_client_tls_policy policies[] = {
        SMTP_CLIENT_TLS_WHEN_OFFERED, SMTP_CLIENT_TLS_REQUIRED, SMTP_CLIENT_TLS_IMPLICIT};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) * 3; i++) {
        static struct pair pair;
        enum smtp_client_tls_policy policy = policies[i % 3];
        bool implicit = policy == SMTP_CLIENT_TLS_IMPLICIT;
        pair_begin(&pair, policy, rows[i / 3].flaw, implicit ? "[tls]\n[eof]\n" : UP "[eof]\n");
        enum smtp_status status = pair_connect(&pair, "127.0.0.1");
        if (!implicit) {
            expect_int(status, SMTP_OK);
            status = send_to_bob(&pair);
        }
        expect_int(status, SMTP_TLS_FAILED);
        expect_contains(pair_error(&pair), rows[i / 3].why);
        expect_contains(pair_error(&pair), "no TLS with 127.0.0.1:");
        expect_true(!smtp_client_is_connected(pair.client));
        expect_int(send_to_bob(&pair), SMTP_BAD_STATE);
        pair_end(&pair);
    }
}

/* RFC 3207 6, RFC 8314 5.2: with TLS demanded nothing passes without it, whoever strips or breaks it */
TEST(client_tls, where_it_is_required_no_message_passes_without_it)
{
    static const struct {
        const char *script;
        enum smtp_status status;
        const char *why;
    } rows[] = {
        {"S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250 PIPELINING\nC: QUIT\nS: 221 "
         "bye\n[eof]\n",
         SMTP_UNSUPPORTED, "does not offer STARTTLS, and TLS is required"},
        {"S: 220 mx\nC: EHLO [127.0.0.1]\nS: 502 what\nC: QUIT\nS: 221 bye\n[eof]\n",
         SMTP_REFUSED_PERMANENT, "EHLO [127.0.0.1] refused: 502 what"},
        {CLEAR "C: STARTTLS\nS: 454 no\nC: QUIT\nS: 221 bye\n[eof]\n", SMTP_REFUSED_TRANSIENT,
         "STARTTLS refused: 454 no"},
        {CLEAR "C: STARTTLS\nS: 502 no\nC: QUIT\nS: 221 bye\n[eof]\n", SMTP_REFUSED_PERMANENT,
         "STARTTLS refused: 502 no"},
        {CLEAR "C: STARTTLS\nS: 250 no\n[eof]\n", SMTP_PROTOCOL_VIOLATION,
         "STARTTLS: unexpected reply: 250 no"},
        {CLEAR "C: STARTTLS\nS: 220 go\n[some]\nS: 250 garbage\n[ignore]\n", SMTP_TLS_FAILED,
         "came \"250 garbage"},
        {CLEAR "C: STARTTLS\nS: 220 go\n[some]\n", SMTP_TLS_FAILED, "closed the connection"},
        {CLEAR "C: STARTTLS\nS: 220 go\n[some]\n[reset]\n", SMTP_TLS_FAILED,
         "closed the connection"},
        {CLEAR "C: STARTTLS\nS: 220 go\n[alert]\n[ignore]\n", SMTP_TLS_FAILED,
         "alert \"handshake failure\""},
        {CLEAR "C: STARTTLS\nS: 421 bye\n[eof]\n", SMTP_REFUSED_TRANSIENT, "421 bye"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct pair pair;
        begin(&pair, SMTP_CLIENT_TLS_REQUIRED, rows[i].script);
        expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
        expect_int(send_to_bob(&pair), rows[i].status);
        expect_contains(pair_error(&pair), rows[i].why);
        if (smtp_client_is_connected(pair.client)) {
            expect_int(smtp_client_rcpt(pair.client, "bob@x", NULL), SMTP_BAD_STATE);
            expect_int(smtp_client_helo(pair.client), SMTP_BAD_STATE);
            expect_int(smtp_client_command(pair.client, "NOOP"), SMTP_BAD_STATE);
            expect_int(smtp_client_quit(pair.client), SMTP_OK);
        }
        pair_end(&pair);
    }
}

TEST(client_tls, where_it_is_required_one_call_does_all_of_it)
{
    struct pair pair = {0};
    begin(&pair, SMTP_CLIENT_TLS_REQUIRED, UP EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\n" BYE);
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(smtp_client_mail(pair.client, "ann@x", NULL), SMTP_OK);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    pair_end(&pair);
}

TEST(client_tls, when_offered_it_is_used_and_a_failure_ends_the_session)
{
    static const struct {
        const char *script;
        enum smtp_status status;
    } rows[] = {
        {UP EHLO MESSAGE BYE, SMTP_OK},
        {"S: 220 mx\n" EHLO MESSAGE "C: QUIT\nS: 221 bye\n[eof]\n", SMTP_OK},
        {CLEAR "C: STARTTLS\nS: 454 no\nC: QUIT\nS: 221 bye\n[eof]\n", SMTP_REFUSED_TRANSIENT}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct pair pair;
        begin(&pair, SMTP_CLIENT_TLS_WHEN_OFFERED, rows[i].script);
        expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
        expect_int(send_to_bob(&pair), rows[i].status);
        expect_true(smtp_client_is_connected(pair.client) == (rows[i].status == SMTP_OK));
        if (rows[i].status != SMTP_OK) {
            expect_contains(pair_error(&pair), "STARTTLS refused: 454 no");
            expect_int(smtp_client_reply(pair.client)->code, 454);
        } else {
            expect_int(smtp_client_quit(pair.client), SMTP_OK);
        }
        pair_end(&pair);
    }
}

/* RFC 3207 4: one packet, CVE-2021-38371 */
TEST(client_tls, octets_in_the_packet_of_220_are_an_attack)
{
    struct pair pair = {0};
    begin(&pair, SMTP_CLIENT_TLS_NEVER,
          CLEAR "C: STARTTLS\nS: 220 go\nS: 250-fake\nS: 250 AUTH PLAIN\n[eof]\n");
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(smtp_client_starttls(pair.client), SMTP_PROTOCOL_VIOLATION);
    expect_contains(pair_error(&pair), "behind the reply to STARTTLS, in the clear");
    expect_true(!smtp_client_is_connected(pair.client));
    pair_end(&pair);
}

TEST(client_tls, starttls_that_is_not_offered_is_not_said)
{
    struct pair pair = {0};
    begin(&pair, SMTP_CLIENT_TLS_NEVER,
          "S: 220 mx\n" EHLO "C: HELO [127.0.0.1]\nS: 250 mx\nC: QUIT\nS: 221 bye\n[eof]\n");
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(smtp_client_starttls(pair.client), SMTP_UNSUPPORTED);
    expect_int(smtp_client_helo(pair.client), SMTP_OK);
    expect_int(smtp_client_starttls(pair.client), SMTP_UNSUPPORTED);
    expect_str(pair_error(&pair), "the server does not offer STARTTLS");
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    expect_int(smtp_client_starttls(pair.client), SMTP_BAD_STATE);
    pair_end(&pair);
}

TEST(client_tls, the_name_to_verify_may_differ_from_the_host)
{
    struct pair pair = {0};
    pair_begin(&pair, SMTP_CLIENT_TLS_REQUIRED, SMTP_IDENTITY_WRONG_NAME, UP EHLO MESSAGE BYE);
    pair.options.tls.name = "wrong.invalid";
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(send_to_bob(&pair), SMTP_OK);
    expect_str(smtp_client_tls(pair.client)->server_name, "wrong.invalid");
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    pair_end(&pair);
}

TEST(client_tls, insecure_takes_any_certificate)
{
    struct pair pair = {0};
    pair_begin(&pair, SMTP_CLIENT_TLS_REQUIRED, SMTP_IDENTITY_SELF_SIGNED, UP EHLO MESSAGE BYE);
    pair.options.tls.insecure = true;
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(send_to_bob(&pair), SMTP_OK);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    pair_end(&pair);
}

/* The options' texts and references are the client's own. */
TEST(client_tls, a_context_of_the_callers_is_used)
{
    struct pair pair = {0};
    begin(&pair, SMTP_CLIENT_TLS_REQUIRED, UP EHLO BYE);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    expect_int(SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION), 1);
    pair.options.tls.context = context;
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    SSL_CTX_free(context);
    expect_int(smtp_client_hello(pair.client), SMTP_OK);
    expect_str(smtp_client_tls(pair.client)->version, "TLSv1.2");
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    pair_end(&pair);
}

static const char *give_ca(void *user)
{
    return smtp_identity_ca_pem(user);
}

TEST(client_tls, who_is_trusted_is_asked_for_when_it_is_needed)
{
    struct pair pair = {0};
    begin(&pair, SMTP_CLIENT_TLS_REQUIRED, UP EHLO BYE);
    pair.options.tls.ca_pem = NULL;
    pair.options.tls.find_ca_pem = give_ca;
    pair.options.tls.find_ca_user = pair.identity;
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(smtp_client_hello(pair.client), SMTP_OK);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    pair_end(&pair);
}

/* A file that is not there fails before STARTTLS is said: the session could go on. */
TEST(client_tls, trust_that_cannot_be_read_is_told_before_the_command)
{
    struct pair pair = {0};
    begin(&pair, SMTP_CLIENT_TLS_REQUIRED, CLEAR "C: QUIT\nS: 221 bye\n[eof]\n");
    pair.options.tls.ca_file = "/nonexistent/ca.pem";
    pair.options.tls.ca_pem = NULL;
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_true(send_to_bob(&pair) != SMTP_OK);
    expect_contains(pair_error(&pair), "/nonexistent/ca.pem");
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    pair_end(&pair);
}

/* ---- peers that stop, hang, drip ---- */

TEST(client_tls, the_end_without_close_notify_after_the_message_is_no_error)
{
    static const char *const ends[] = {"C: QUIT\nS: 221 bye\n[no tls]\n", "[no tls]\n"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        static struct pair pair;
        char script[1000];
        snprintf(script, sizeof(script), "%s%s", UP EHLO MESSAGE, ends[i]);
        begin(&pair, SMTP_CLIENT_TLS_REQUIRED, script);
        expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
        expect_int(send_to_bob(&pair), SMTP_OK);
        expect_int(smtp_client_quit(pair.client), SMTP_OK);
        pair_end(&pair);
    }
}

TEST(client_tls, a_connection_lost_after_the_dot_leaves_the_delivery_unknown)
{
    struct pair pair = {0};
    begin(&pair, SMTP_CLIENT_TLS_REQUIRED,
          UP EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\nC: DATA\n"
                  "S: 354 go\n[content]\n[no tls]\n");
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(send_to_bob(&pair), SMTP_DELIVERY_UNKNOWN);
    pair_end(&pair);
}

TEST(client_tls, a_close_notify_in_place_of_a_reply_is_the_end)
{
    struct pair pair = {0};
    begin(&pair, SMTP_CLIENT_TLS_REQUIRED,
          UP EHLO "C: MAIL FROM:<ann@x>\n[end of tls]\n[ignore]\n");
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(send_to_bob(&pair), SMTP_CLOSED);
    expect_contains(pair_error(&pair), "the server closed the connection; stage: MAIL");
    pair_end(&pair);
}

/* One record holds more than is taken from it at once. */
TEST(client_tls, a_long_reply_in_one_record_is_read_to_its_end)
{
    struct pair pair = {0};
    static char script[16384];
    size_t len = (size_t)snprintf(script, sizeof(script), "%s", UP "C: EHLO [127.0.0.1]\n");
    for (int i = 0; i < 150; i++) {
        len += (size_t)snprintf(script + len, sizeof(script) - len,
                                "S: 250-X-KEYWORD-%d and a text that makes its line long\n", i);
    }
    snprintf(script + len, sizeof(script) - len, "S: 250 LAST\n" BYE);
    begin(&pair, SMTP_CLIENT_TLS_REQUIRED, script);
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(smtp_client_hello(pair.client), SMTP_OK);
    expect_true(smtp_client_reply(pair.client)->text[4096] != '\0');
    expect_contains(smtp_client_reply(pair.client)->text, "X-KEYWORD-149");
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    pair_end(&pair);
}

/* The reply that comes in the middle of content is heard, and what cannot be written raises no signal. */
TEST(client_tls, content_that_the_server_does_not_want_ends_with_its_reply)
{
    static const struct {
        const char *end;
        enum smtp_status status;
        const char *why;
    } rows[] = {{"[some]\nS: 552 5.3.4 too big\n[ignore]\n", SMTP_REFUSED_PERMANENT, "552"},
                {"[some]\nS: 421 4.3.0 down\n", SMTP_REFUSED_TRANSIENT, "421"},
                {"[some]\n[no tls]\n[reset]\n", SMTP_CLOSED, "closed the connection"}};
    const size_t octets = 8 << 20;
    char *content = malloc(octets);
    expect_true(content != NULL);
    memset(content, 'a', octets);
    for (size_t i = 0; i + 1 < octets; i += 64) {
        memcpy(content + i, "\r\n", 2);
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct pair pair;
        char script[1000];
        snprintf(script, sizeof(script),
                 "%s" EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\n"
                 "C: DATA\nS: 354 go\n%s",
                 UP, rows[i].end);
        begin(&pair, SMTP_CLIENT_TLS_REQUIRED, script);
        expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
        expect_int(
            smtp_client_send(pair.client, &to_bob, smtp_content_memory(content, octets), NULL),
            rows[i].status);
        expect_contains(pair_error(&pair), rows[i].why);
        expect_true(!smtp_client_is_connected(pair.client));
        pair_end(&pair);
    }
    free(content);
}

TEST(client_tls, a_handshake_and_replies_in_single_octets_are_understood)
{
    struct pair pair = {0};
    begin(&pair, SMTP_CLIENT_TLS_REQUIRED,
          "[drip]\n" UP "C: EHLO [127.0.0.1]\nS: 250-mx\nS: 250 PIPELINING\nC: MAIL FROM:<ann@x>\n"
          "C: RCPT TO:<bob@x>\nC: DATA\nS: 250 a\nS: 250 b\nS: 354 c\n[content]\nS: 250-d\n"
          "S: 250 e\n" BYE);
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(send_to_bob(&pair), SMTP_OK);
    expect_str(smtp_client_reply(pair.client)->text, "d\ne");
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    pair_end(&pair);
}

TEST(client_tls, a_handshake_that_is_cut_anywhere_has_failed)
{
    static const unsigned cuts[] = {1, 5, 6, 100, 127, 133, 200, 400, 700};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        static struct pair pair;
        char script[300];
        snprintf(script, sizeof(script), CLEAR "C: STARTTLS\nS: 220 go\n[tls %u]\n", cuts[i]);
        begin(&pair, SMTP_CLIENT_TLS_REQUIRED, script);
        expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
        expect_int(send_to_bob(&pair), SMTP_TLS_FAILED);
        expect_contains(pair_error(&pair), "closed the connection in the handshake");
        pair_end(&pair);
    }
}

TEST(client_tls, a_handshake_that_never_ends_meets_its_deadline)
{
    static const struct {
        uint64_t handshake_ms, overall_ms;
        const char *script;
    } rows[] = {{100, 0, CLEAR "C: STARTTLS\nS: 220 go\n[ignore]\n"},
                {100, 0, CLEAR "C: STARTTLS\nS: 220 go\n[tls 100]\n[ignore]\n"},
                {100, 0, CLEAR "C: STARTTLS\nS: 220 go\n[alive]\n"},
                {60000, 300, CLEAR "C: STARTTLS\nS: 220 go\n[ignore]\n"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct pair pair;
        begin(&pair, SMTP_CLIENT_TLS_REQUIRED, rows[i].script);
        pair.options.timeouts.handshake_ms = rows[i].handshake_ms;
        pair.options.timeouts.overall_ms = rows[i].overall_ms;
        expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
        expect_int(send_to_bob(&pair), SMTP_TIMED_OUT);
        expect_contains(pair_error(&pair), "the handshake did not end in time");
        pair_end(&pair);
    }
}

TEST(client_tls, tls_to_a_plain_port_is_said_to_be_that)
{
    struct pair pair = {0};
    begin(&pair, SMTP_CLIENT_TLS_IMPLICIT, "S: 220 mx.example ESMTP\n[ignore]\n");
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_TLS_FAILED);
    expect_contains(pair_error(&pair), "expected TLS, came \"220 mx.example ESMTP");
    pair_end(&pair);
}

TEST(client_tls, silence_of_a_port_that_begins_with_tls_is_explained)
{
    struct pair pair = {0};
    begin(&pair, SMTP_CLIENT_TLS_NEVER, "[tls]\n");
    pair.options.timeouts.greeting_ms = 100;
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_TIMED_OUT);
    expect_contains(pair_error(&pair), "use implicit TLS");
    pair_end(&pair);
}

/* ---- later connections ---- */

TEST(client_tls, a_client_that_comes_back_resumes_its_session)
{
    struct pair pair = {0};
    begin(&pair, SMTP_CLIENT_TLS_REQUIRED, UP EHLO BYE "[accept]\n" UP EHLO BYE);
    for (int i = 0; i < 2; i++) {
        expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
        expect_int(smtp_client_hello(pair.client), SMTP_OK);
        expect_true(smtp_client_tls(pair.client)->resumed == (i == 1));
        expect_int(smtp_client_quit(pair.client), SMTP_OK);
    }
    expect_contains(pair.log, ", resumed\n");
    pair_end(&pair);
}

/* Even where the other server would take it. */
TEST(client_tls, a_session_is_not_offered_to_another_server)
{
    struct pair pair = {0};
    struct peer other = {0};
    begin(&pair, SMTP_CLIENT_TLS_REQUIRED, UP EHLO BYE);
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(smtp_client_hello(pair.client), SMTP_OK);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    peer_start_like(&other, &pair.peer, UP EHLO BYE);
    expect_int(smtp_client_connect(pair.client, "127.0.0.1", other.address.port), SMTP_OK);
    expect_int(smtp_client_hello(pair.client), SMTP_OK);
    expect_true(!smtp_client_tls(pair.client)->resumed);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    peer_stop(&other);
    pair_end(&pair);
}

TEST(client_tls, after_a_failed_handshake_the_client_can_connect_again)
{
    struct pair pair = {0};
    begin(&pair, SMTP_CLIENT_TLS_REQUIRED,
          CLEAR "C: STARTTLS\nS: 220 go\n[ignore]\n[accept]\n" UP EHLO MESSAGE BYE);
    pair.options.timeouts.handshake_ms = 200;
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(send_to_bob(&pair), SMTP_TIMED_OUT);
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(send_to_bob(&pair), SMTP_OK);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    pair_end(&pair);
}
