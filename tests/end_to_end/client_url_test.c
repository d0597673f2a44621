/* client_url_test.c - smtp_send_url over real sockets, against a scripted peer: everything that the URL
 * says is done, and nothing that it forbids. */
#include "client/smtp_client.h"
#include "common/tls.h"
#include "tests/end_to_end/peer.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <unistd.h>

#define CLEAR "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250-AUTH PLAIN\nS: 250 STARTTLS\n"
#define EHLO "C: EHLO [127.0.0.1]\nS: 250-mx\nS: 250 AUTH PLAIN OAUTHBEARER XOAUTH2\n"
#define MESSAGE                                                                                    \
    "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\nC: DATA\nS: 354 go\n"         \
    "[content]\nS: 250 2.0.0 taken\n"
#define BYE "C: QUIT\nS: 221 bye\n[ignore]\n"
/* "\0ann\0p@ss" */
#define LOGIN "C: AUTH PLAIN AGFubgBwQHNz\nS: 235 2.7.0 welcome\n"

static const char *const bob[] = {"bob@x"};
static const struct smtp_envelope to_bob = {
    .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 1};

/* Sends by a URL, in which %u is the peer's port, to a peer with a certificate. */
static enum smtp_status send_by(const char *format, enum smtp_identity_flaw flaw, bool trusted,
                                const char *script, struct smtp_error *error)
{
    struct peer peer = {0};
    struct smtp_identity *identity = NULL;
    struct smtp_identity_options wanted = {.flaw = flaw};
    struct smtp_client_options options;
    char url[300], port[8];
    *error = (struct smtp_error){0};
    expect_int(smtp_identity_new(&identity, &wanted, error), SMTP_OK);
    peer_start_tls(&peer, identity, script);
    smtp_client_options_init(&options);
    options.tls.ca_pem = trusted ? smtp_identity_ca_pem(identity) : NULL;
    snprintf(port, sizeof(port), "%u", (unsigned)peer.address.port);
    const char *mark = strstr(format, "PORT");
    snprintf(url, sizeof(url), "%.*s%s%s", (int)(mark - format), format, port, mark + 4);
    enum smtp_status status =
        smtp_send_url(url, &options, &to_bob, smtp_content_text("Subject: x\n\nHello\n"), error);
    peer_stop(&peer);
    smtp_identity_release(identity);
    expect_int(error->status, status);
    return status;
}

static enum smtp_status send_to_sound(const char *format, const char *script,
                                      struct smtp_error *error)
{
    return send_by(format, SMTP_IDENTITY_SOUND, true, script, error);
}

TEST(send_url, does_starttls_login_message_and_quit)
{
    struct smtp_error error;
    expect_int(send_to_sound("smtp://ann:p%40ss@127.0.0.1:PORT",
                             CLEAR "C: STARTTLS\nS: 220 go\n[tls]\n" EHLO LOGIN MESSAGE BYE,
                             &error),
               SMTP_OK);
    expect_str(error.message, "");
}

TEST(send_url, smtps_is_tls_from_the_first_octet)
{
    struct smtp_error error;
    expect_int(send_to_sound("smtps://ann:p%40ss@localhost:PORT",
                             "[tls]\nS: 220 mx\n" EHLO LOGIN MESSAGE BYE, &error),
               SMTP_OK);
}

TEST(send_url, without_a_user_it_is_a_plain_message_where_tls_is_not_offered)
{
    struct smtp_error error;
    expect_int(send_to_sound("smtp://127.0.0.1:PORT",
                             "S: 220 mx\n" EHLO MESSAGE "C: QUIT\nS: 221 bye\n[eof]\n", &error),
               SMTP_OK);
}

/* RFC 3207 6: neither password nor message passes in the clear */
TEST(send_url, with_a_user_tls_is_required)
{
    struct smtp_error error;
    expect_int(send_to_sound("smtp://ann:p%40ss@127.0.0.1:PORT",
                             "S: 220 mx\n" EHLO "C: QUIT\nS: 221 bye\n[eof]\n", &error),
               SMTP_UNSUPPORTED);
    expect_contains(error.message, "STARTTLS");
}

TEST(send_url, a_certificate_that_is_not_trusted_ends_it_and_insecure_or_name_in_the_query_do_not)
{
    struct smtp_error error;
#define UP CLEAR "C: STARTTLS\nS: 220 go\n[tls]\n"
    expect_int(
        send_by("smtp://127.0.0.1:PORT", SMTP_IDENTITY_WRONG_NAME, true, UP "[eof]\n", &error),
        SMTP_TLS_FAILED);
    expect_contains(error.message, "wrong.invalid");
    expect_int(send_by("smtp://127.0.0.1:PORT?name=wrong.invalid", SMTP_IDENTITY_WRONG_NAME, true,
                       UP EHLO MESSAGE BYE, &error),
               SMTP_OK);
    expect_int(send_by("smtp://127.0.0.1:PORT?insecure=1&tls=required", SMTP_IDENTITY_SELF_SIGNED,
                       false, UP EHLO MESSAGE BYE, &error),
               SMTP_OK);
#undef UP
}

TEST(send_url, ca_and_helo_of_the_query_are_used)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    struct smtp_identity *identity = NULL;
    struct smtp_error error = {0};
    char file[] = "/tmp/send-url-XXXXXX", url[200];
    expect_int(smtp_identity_new(&identity, NULL, &error), SMTP_OK);
    int fd = mkstemp(file);
    const char *pem = smtp_identity_ca_pem(identity);
    expect_int(write(fd, pem, strlen(pem)), strlen(pem));
    close(fd);
    peer_start_tls(peer, identity, "[tls]\nS: 220 mx\nC: EHLO me.example\nS: 250 mx\n" MESSAGE BYE);
    snprintf(url, sizeof(url), "smtps://127.0.0.1:%u?helo=me.example&ca=%s",
             (unsigned)peer->address.port, file);
    enum smtp_status status =
        smtp_send_url(url, NULL, &to_bob, smtp_content_text("Subject: x\n\nHello\n"), &error);
    unlink(file);
    expect_int(status, SMTP_OK);
    peer_stop(peer);
    free(peer);
    smtp_identity_release(identity);
}

/* Authorities that the URL names are trusted alone: not those of the options' text or context. */
TEST(send_url, ca_of_the_query_is_trusted_in_place_of_what_the_options_trust)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    struct smtp_identity *identity = NULL, *other = NULL;
    struct smtp_error error = {0};
    char file[] = "/tmp/send-url-XXXXXX", url[200];
    expect_int(smtp_identity_new(&identity, NULL, &error), SMTP_OK);
    expect_int(smtp_identity_new(&other, NULL, &error), SMTP_OK);
    int fd = mkstemp(file);
    const char *pem = smtp_identity_ca_pem(other);
    expect_int(write(fd, pem, strlen(pem)), strlen(pem));
    close(fd);
    for (size_t i = 0; i < 2; i++) {
        struct smtp_client_options options;
        struct smtp_tls_trust trust = {.ca_pem = smtp_identity_ca_pem(identity)};
        smtp_client_options_init(&options);
        if (i == 0) {
            options.tls.ca_pem = trust.ca_pem;
        } else {
            expect_int(smtp_tls_client_context(&options.tls.context, &trust, &error), SMTP_OK);
        }
        peer_start_tls(peer, identity, "[tls]\n[eof]\n");
        snprintf(url, sizeof(url), "smtps://127.0.0.1:%u?ca=%s", (unsigned)peer->address.port,
                 file);
        expect_int(smtp_send_url(url, &options, &to_bob, smtp_content_text("Subject: x\n\nHello\n"),
                                 &error),
                   SMTP_TLS_FAILED);
        peer_stop(peer);
        smtp_tls_context_release(options.tls.context);
    }
    unlink(file);
    free(peer);
    smtp_identity_release(identity);
    smtp_identity_release(other);
}

/* RFC 7628 3.1: the password's place holds the token */
TEST(send_url, a_token_is_what_oauth_gets)
{
    struct smtp_error error;
    expect_int(
        send_to_sound(
            "smtps://ann:token@127.0.0.1:PORT?auth=XOAUTH2",
            "[tls]\nS: 220 mx\n" EHLO
            "C: AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgdG9rZW4BAQ==\nS: 235 ok\n" MESSAGE BYE,
            &error),
        SMTP_OK);
}

TEST(send_url, what_went_wrong_first_is_told_and_no_secret_with_it)
{
    struct smtp_error error;
    expect_int(send_to_sound("smtps://ann:p%40ss@127.0.0.1:PORT",
                             "[tls]\nS: 220 mx\n" EHLO
                             "C: AUTH PLAIN AGFubgBwQHNz\nS: 535 5.7.8 wrong\n" BYE,
                             &error),
               SMTP_REFUSED_PERMANENT);
    expect_contains(error.message, "535 5.7.8 wrong");
    expect_true(strstr(error.message, "p@ss") == NULL);
    expect_int(
        smtp_send_url("smtp://ann:p@ss@127.0.0.1", NULL, &to_bob, smtp_content_text("x\n"), NULL),
        SMTP_BAD_ARGUMENT);
    expect_int(
        smtp_send_url("smtp://h?helo=a%20b", NULL, &to_bob, smtp_content_text("x\n"), &error),
        SMTP_UNSAFE_ARGUMENT);
    expect_contains(error.message, "the name for EHLO");
}

/* The options may ask for more than the URL's scheme does, and what the URL says itself comes first. */
TEST(send_url, a_stronger_policy_of_the_options_counts_unless_the_url_has_its_own)
{
    static const struct {
        enum smtp_client_tls_policy policy;
        const char *query;
        bool passes;
    } rows[] = {{SMTP_CLIENT_TLS_REQUIRED, "", false},
                {SMTP_CLIENT_TLS_IMPLICIT, "", false},
                {SMTP_CLIENT_TLS_NEVER, "", true},
                {SMTP_CLIENT_TLS_REQUIRED, "?tls=never", true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct peer peer;
        struct smtp_client_options options;
        char url[100];
        peer_start(&peer, rows[i].passes ? "S: 220 mx\n" EHLO MESSAGE BYE : "S: 220 mx\n" EHLO BYE);
        smtp_client_options_init(&options);
        options.tls.policy = rows[i].policy;
        snprintf(url, sizeof(url), "smtp://127.0.0.1:%u%s", (unsigned)peer.address.port,
                 rows[i].query);
        expect_int(
            smtp_send_url(url, &options, &to_bob, smtp_content_text("Subject: x\n\nHello\n"), NULL),
            rows[i].passes ? SMTP_OK : SMTP_UNSUPPORTED);
        peer_stop(&peer);
    }
}

/* RFC 2033 */
TEST(send_url, speaks_lmtp_over_tcp_and_at_a_unix_socket)
{
    struct peer peer = {0};
    struct smtp_error error;
    static const char script[] =
        "S: 220 mx\nC: LHLO [127.0.0.1]\nS: 250 mx\nC: MAIL FROM:<ann@x>\nS: 250 ok\n"
        "C: RCPT TO:<bob@x>\nS: 250 ok\nC: DATA\nS: 354 go\n[content]\nS: 250 for bob\n" BYE;
    expect_int(send_to_sound("lmtp://127.0.0.1:PORT", script, &error), SMTP_OK);
    char where[80], url[120];
    snprintf(where, sizeof(where), "unix:/tmp/send url-%d", (int)getpid());
    snprintf(url, sizeof(url), "lmtp://unix:/tmp/send%%20url-%d?chunking=no", (int)getpid());
    peer_start_at(&peer, where, script);
    expect_int(smtp_send_url(url, NULL, &to_bob, smtp_content_text("A: b\n\n"), &error), SMTP_OK);
    peer_stop(&peer);
    unlink(where + strlen("unix:"));
}

TEST(send_url, says_that_neither_bdat_nor_groups_are_wanted)
{
    struct smtp_error error;
    expect_int(send_to_sound("smtp://127.0.0.1:PORT?tls=never&chunking=no&pipelining=no",
                             "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250-PIPELINING\n"
                             "S: 250 CHUNKING\n" MESSAGE BYE,
                             &error),
               SMTP_OK);
    expect_int(send_to_sound("smtp://127.0.0.1:PORT?tls=never&chunking=no",
                             "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\nS: 250-PIPELINING\n"
                             "S: 250 CHUNKING\nC: MAIL FROM:<ann@x>\nC: RCPT TO:<bob@x>\nC: DATA\n"
                             "S: 250 ok\nS: 250 ok\nS: 354 go\n[content]\nS: 250 ok\n" BYE,
                             &error),
               SMTP_OK);
}

TEST(send_url, says_what_is_wrong_with_an_option_before_it_connects)
{
    struct smtp_client_options options;
    struct smtp_error error;
    smtp_client_options_init(&options);
    options.proxy_header = "v1 nowhere";
    expect_int(
        smtp_send_url("smtp://127.0.0.1:1", &options, &to_bob, smtp_content_text("x"), &error),
        SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "the PROXY header");
}
