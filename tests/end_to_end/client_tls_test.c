/* client_tls_test.c - the client's STARTTLS and TLS over real sockets, against a scripted peer with
 * certificates sound and wrong (RFC 3207, RFC 8314). */
#include "client/smtp_client.h"
#include "tests/end_to_end/peer.h"
#include "tests/support/test.h"

#include <stdio.h>

#define CLEAR "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250-SIZE 99\nS: 250 STARTTLS\n"
#define UP CLEAR "C: STARTTLS\nS: 220 go\n[tls]\n"
#define EHLO "C: EHLO [127.0.0.1]\nS: 250 mx\n"
#define MESSAGE                                                                                    \
    "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\nC: DATA\nS: 354 go\n"         \
    "[content]\nS: 250 2.0.0 taken\n"
#define BYE "C: QUIT\nS: 221 bye\n[close_notify]\n"

static const char *const bob[] = {"bob@x"};
static const struct smtp_envelope to_bob = {"ann@x", bob, 1, NULL, NULL};

/* A peer with a certificate, and a client that trusts its authority. */
struct pair {
    struct peer peer;
    struct smtp_identity *identity;
    struct smtp_client_options options;
    struct smtp_client *client;
    char log[4000];
};

static void keep_log(void *user, enum smtp_client_log_kind kind, const char *text, size_t len)
{
    struct pair *pair = user;
    size_t at = strlen(pair->log);
    if (kind != SMTP_CLIENT_LOG_CONTENT) {
        snprintf(pair->log + at, sizeof(pair->log) - at, "%.*s\n", (int)len, text);
    }
}

static void begin_flawed(struct pair *pair, enum smtp_identity_flaw flaw,
                         enum smtp_client_tls_policy policy, const char *script)
{
    struct smtp_identity_options wanted = {.flaw = flaw};
    struct smtp_error error = {0};
    *pair = (struct pair){.client = NULL};
    expect_int(smtp_identity_new(&pair->identity, &wanted, &error), SMTP_OK);
    peer_start_tls(&pair->peer, pair->identity, script);
    smtp_client_options_init(&pair->options);
    pair->options.tls.policy = policy;
    pair->options.tls.ca_pem = smtp_identity_ca_pem(pair->identity);
    pair->options.log = keep_log;
    pair->options.log_user = pair;
}

static void begin(struct pair *pair, enum smtp_client_tls_policy policy, const char *script)
{
    begin_flawed(pair, SMTP_IDENTITY_SOUND, policy, script);
}

static enum smtp_status connect_to(struct pair *pair, const char *host)
{
    if (pair->client == NULL) {
        expect_int(smtp_client_new(&pair->client, &pair->options), SMTP_OK);
    }
    return smtp_client_connect(pair->client, host, pair->peer.address.port);
}

static enum smtp_status send_to_bob(struct pair *pair)
{
    return smtp_client_send(pair->client, &to_bob, smtp_content_text("Subject: x\n\nHello\n"),
                            NULL);
}

static const char *error_of(const struct pair *pair)
{
    return smtp_client_error(pair->client)->message;
}

static void end(struct pair *pair)
{
    smtp_client_free(pair->client);
    peer_stop(&pair->peer);
    smtp_identity_release(pair->identity);
}

/* RFC 3207 4.2 */
TEST(client_tls, starttls_then_ehlo_again_then_a_message)
{
    static struct pair pair;
    begin(&pair, SMTP_CLIENT_TLS_NEVER, UP EHLO MESSAGE BYE);
    expect_int(connect_to(&pair, "127.0.0.1"), SMTP_OK);
    expect_true(smtp_client_tls(pair.client) == NULL);
    expect_int(smtp_client_starttls(pair.client), SMTP_OK);
    expect_true(!smtp_client_has_extension(pair.client, "SIZE"));
    expect_str(smtp_client_tls(pair.client)->version, "TLSv1.3");
    expect_contains(pair.log, "\nTLSv1.3, TLS_");
    expect_int(send_to_bob(&pair), SMTP_OK);
    expect_int(smtp_client_starttls(pair.client), SMTP_BAD_STATE);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    expect_true(smtp_client_tls(pair.client) == NULL);
    end(&pair);
}

/* RFC 8314 3.3 */
TEST(client_tls, implicit_tls_comes_before_the_greeting)
{
    static struct pair pair;
    begin(&pair, SMTP_CLIENT_TLS_IMPLICIT, "[tls]\nS: 220 mx\n" EHLO MESSAGE BYE);
    expect_int(connect_to(&pair, "localhost"), SMTP_OK);
    expect_str(smtp_client_tls(pair.client)->server_name, "localhost");
    expect_int(send_to_bob(&pair), SMTP_OK);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    end(&pair);
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
        begin_flawed(&pair, rows[i / 3].flaw, policy, implicit ? "[tls]\n[eof]\n" : UP "[eof]\n");
        enum smtp_status status = connect_to(&pair, "127.0.0.1");
        if (!implicit) {
            expect_int(status, SMTP_OK);
            status = send_to_bob(&pair);
        }
        expect_int(status, SMTP_TLS_FAILED);
        expect_contains(error_of(&pair), rows[i / 3].why);
        expect_contains(error_of(&pair), "no TLS with 127.0.0.1:");
        expect_true(!smtp_client_is_connected(pair.client));
        expect_int(send_to_bob(&pair), SMTP_BAD_STATE);
        end(&pair);
    }
}
