/* server_auth_test.c - AUTH of a running server (RFC 4954): each mechanism over a socket and what must
 * not work, the hooks auth and find_password, and that no secret is ever told. */
#include "common/secret.h"
#include "server/smtp_server.h"
#include "tests/end_to_end/login.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <pthread.h>
#include <stdio.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))
#define PASSWORD "p1ssword-Xy"
#define TOKEN "tok.en-Xyz"

static const struct smtp_server_user users[] = {{"ann", PASSWORD}, {"cat", TOKEN}};

static void with_users(struct smtp_server_options *options)
{
    smtp_server_options_init(options);
    options->auth.users = users;
    options->auth.user_count = COUNT(users);
    options->auth.plain_without_tls = true;
}

static void ready(struct smtp_wire *wire, const struct smtp_server *server)
{
    greeted(wire, server);
    expect_contains(smtp_wire_ask(wire, "EHLO c.example"), "AUTH ");
}

static const char *const in_the_clear[] = {"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1",
                                           "SCRAM-SHA-256"};

TEST(server_auth, two_wrong_passwords_then_the_right_one_by_each_mechanism_rfc4954_4)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    with_users(&options);
    struct smtp_server *server = started(&options);
    for (size_t i = 0; i < COUNT(in_the_clear); i++) {
        ready(&wire, server);
        expect_contains(log_in(&wire, in_the_clear[i], "ann", "wrong"), "535 5.7.8 ");
        expect_contains(log_in(&wire, in_the_clear[i], "ann", "wrong2"), "535 5.7.8 ");
        expect_contains(log_in(&wire, in_the_clear[i], "ann", PASSWORD), "235 2.7.0 ");
        expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "250 ");
        smtp_wire_close(&wire);
    }
    smtp_server_free(server);
}

TEST(server_auth, the_token_mechanisms_tell_why_and_go_on_after_the_dummy_response_rfc7628_3_2_2)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    with_users(&options);
    struct smtp_server *server = started(&options);
    ready(&wire, server);
    /* {"status":"invalid_token"} */
    expect_str(SAY(&wire, "AUTH OAUTHBEARER ",
                   "n,a=cat,\x01"
                   "auth=Bearer wrong\x01\x01"),
               "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=");
    expect_contains(smtp_wire_ask(&wire, "AQ=="), "535 5.7.8 ");
    expect_contains(SAY(&wire, "AUTH OAUTHBEARER ",
                        "n,a=cat,\x01"
                        "auth=Bearer wrong\x01\x01"),
                    "334 ");
    expect_contains(smtp_wire_ask(&wire, "*"), "501 ");
    expect_contains(SAY(&wire, "AUTH XOAUTH2 ",
                        "user=cat\x01"
                        "auth=Bearer wrong\x01\x01"),
                    "334 ");
    expect_contains(smtp_wire_ask(&wire, ""), "535 5.7.8 ");
    expect_contains(SAY(&wire, "AUTH XOAUTH2 ",
                        "user=cat\x01"
                        "auth=Bearer " TOKEN "\x01\x01"),
                    "235 ");
    smtp_wire_close(&wire);
    ready(&wire, server);
    expect_str(smtp_wire_ask(&wire, "AUTH OAUTHBEARER"), "334 ");
    expect_contains(SAY(&wire, "",
                        "n,a=cat,\x01"
                        "auth=Bearer " TOKEN "\x01\x01"),
                    "235 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

TEST(server_auth, auth_has_its_place_in_a_session_rfc4954_4)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    with_users(&options);
    struct smtp_server *server = started(&options);
    greeted(&wire, server);
    expect_contains(SAY(&wire, "AUTH PLAIN ", "\0ann\0" PASSWORD), "503 ");
    expect_contains(smtp_wire_ask(&wire, "HELO c.example"), "250 ");
    expect_contains(SAY(&wire, "AUTH PLAIN ", "\0ann\0" PASSWORD), "503 ");
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "250 ");
    expect_contains(SAY(&wire, "AUTH PLAIN ", "\0ann\0" PASSWORD), "503 ");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<bob@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "RSET"), "250 ");
    expect_contains(SAY(&wire, "AUTH PLAIN ", "\0ann\0" PASSWORD), "235 ");
    expect_contains(SAY(&wire, "AUTH PLAIN ", "\0ann\0" PASSWORD), "503 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

TEST(server_auth, where_it_is_required_mail_before_login_is_530_rfc4954_6)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    with_users(&options);
    options.auth.required = true;
    struct smtp_server *server = started(&options);
    ready(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "530 5.7.0 ");
    expect_contains(log_in(&wire, "CRAM-MD5", "ann", "wrong"), "535 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "530 5.7.0 ");
    expect_contains(log_in(&wire, "SCRAM-SHA-256", "ann", PASSWORD), "235 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "250 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

TEST(server_auth, a_cancelled_exchange_leaves_nothing_behind_rfc4954_4)
{
    static const char *const mechanisms[] = {"PLAIN",       "LOGIN",         "CRAM-MD5",
                                             "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2"};
    struct smtp_server_options options;
    struct smtp_wire wire;
    char line[100];
    with_users(&options);
    struct smtp_server *server = started(&options);
    ready(&wire, server);
    for (size_t i = 0; i < COUNT(mechanisms); i++) {
        snprintf(line, sizeof line, "AUTH %s", mechanisms[i]);
        expect_contains(smtp_wire_ask(&wire, line), "334 ");
        expect_contains(smtp_wire_ask(&wire, "*"), "501 ");
    }
    expect_contains(SAY(&wire, "AUTH SCRAM-SHA-256 ", "n,,n=ann,r=abc"), "334 ");
    expect_contains(smtp_wire_ask(&wire, "*"), "501 ");
    expect_contains(smtp_wire_ask(&wire, "AUTH LOGIN YW5u"), "334 ");
    expect_contains(smtp_wire_ask(&wire, "not base64!"), "501 5.5.2 ");
    expect_contains(log_in(&wire, "SCRAM-SHA-256", "ann", PASSWORD), "235 ");
    smtp_wire_close(&wire);
    /* the end of the connection in the middle of one, by the peer and by the server */
    ready(&wire, server);
    expect_contains(SAY(&wire, "AUTH SCRAM-SHA-256 ", "n,,n=ann,r=abc"), "334 ");
    smtp_wire_reset(&wire);
    ready(&wire, server);
    expect_contains(SAY(&wire, "AUTH SCRAM-SHA-256 ", "n,,n=ann,r=abc"), "334 ");
    smtp_server_free(server);
    smtp_wire_close(&wire);
}

TEST(server_auth, a_response_of_12000_octets_is_taken_and_a_longer_one_leaves_the_session_in_step)
{
    static char octets[100000];
    struct smtp_server_options options;
    struct smtp_wire wire;
    with_users(&options);
    struct smtp_server *server = started(&options);
    ready(&wire, server);
    memset(octets, 'x', sizeof octets);
    int head = snprintf(octets, 100,
                        "n,a=cat,\x01"
                        "auth=Bearer ");
    octets[head] = 'x';
    memset(octets + 8998, 1, 2);
    expect_str(smtp_wire_ask(&wire, "AUTH OAUTHBEARER"), "334 ");
    expect_contains(say(&wire, "", octets, 9000), "334 "); /* 12000 in base64: a wrong token */
    expect_contains(smtp_wire_ask(&wire, "AQ=="), "535 ");
    expect_str(smtp_wire_ask(&wire, "AUTH OAUTHBEARER"), "334 ");
    memset(octets, 'A', sizeof octets);
    memcpy(octets + sizeof octets - 2, "\r\n", 2);
    expect_true(smtp_wire_send(&wire, octets, sizeof octets));
    expect_contains(smtp_wire_reply(&wire), "500 5.5.6 ");
    expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 ");
    expect_contains(log_in(&wire, "PLAIN", "ann", PASSWORD), "235 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

TEST(server_auth, exchanges_end_however_long_a_client_goes_on)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    with_users(&options);
    options.limits.errors = 20;
    struct smtp_server *server = started(&options);
    ready(&wire, server);
    unsigned challenges = 0;
    const char *reply = smtp_wire_ask(&wire, "AUTH LOGIN");
    while (strncmp(reply, "421", 3) != 0 && reply[0] != '\0') {
        challenges += strncmp(reply, "334", 3) == 0 ? 1 : 0;
        expect_true(challenges < 100);
        reply = smtp_wire_ask(&wire, strncmp(reply, "334", 3) == 0 ? "YQ==" : "AUTH LOGIN");
    }
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

/* ---- secrets and the log ---- */

struct kept_log {
    pthread_mutex_t lock;
    char text[65536]; /* every entry, parted by LF */
    size_t len;
};

static void keep(void *user, const struct smtp_server_session_info *session,
                 const struct smtp_server_log_entry *entry)
{
    struct kept_log *log = user;
    (void)session;
    pthread_mutex_lock(&log->lock);
    if (log->len + entry->len + 2 < sizeof log->text) {
        memcpy(log->text + log->len, entry->text, entry->len);
        log->len += entry->len;
        log->text[log->len++] = '\n';
    }
    pthread_mutex_unlock(&log->lock);
}

static void expect_absent(const struct kept_log *log, const char *secret)
{
    if (strstr(log->text, secret) != NULL) {
        SMTP_TEST_FAIL("the log holds \"%s\"", secret);
    }
}

/* In the clear, and in base64 at each of the three places it can have in a group. */
static void expect_secret_absent(const struct kept_log *log, const char *secret)
{
    size_t len = strlen(secret);
    expect_absent(log, secret);
    for (size_t shift = 0; shift < 3; shift++) {
        char padded[100] = {0}, inner[200];
        struct smtp_buffer text = SMTP_BUFFER(200);
        memcpy(padded + shift, secret, len);
        expect_int(smtp_base64_append(&text, (struct smtp_span){padded, shift + len}), SMTP_OK);
        struct smtp_span span = smtp_buffer_span(&text);
        /* without the groups that hold what stands beside it */
        snprintf(inner, sizeof inner, "%.*s", (int)(span.len - 8), span.bytes + 4);
        expect_true(strlen(inner) >= 8);
        expect_absent(log, inner);
        smtp_buffer_free(&text);
    }
}

TEST(server_auth, no_secret_is_in_the_log_in_the_clear_or_in_base64)
{
    static struct kept_log log;
    struct smtp_server_options options;
    struct smtp_wire wire;
    log.len = 0;
    pthread_mutex_init(&log.lock, NULL);
    with_users(&options);
    options.hooks.user = &log;
    options.hooks.log = keep;
    struct smtp_server *server = started(&options);
    greeted(&wire, server);
    expect_contains(SAY(&wire, "AUTH PLAIN ", "\0ann\0" PASSWORD), "503 ");
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250 ");
    expect_contains(SAY(&wire, "AUTH PLAIN  ", "\0ann\0" PASSWORD "x"), "535 ");
    expect_contains(SAY(&wire, "auth plain ", "\0ann\0x" PASSWORD), "535 ");
    expect_contains(SAY(&wire, "AUTH NOSUCH ", "\0ann\0" PASSWORD), "504 ");
    expect_contains(SAY(&wire, "AUTH PLAIN x ", "\0ann\0" PASSWORD), "501 ");
    expect_contains(smtp_wire_ask(&wire, "AUTH PLAIN " PASSWORD), "501 ");
    expect_contains(smtp_wire_ask(&wire, "AUTH LOGIN"), "334 ");
    expect_contains(SAY(&wire, "", PASSWORD), "334 "); /* in the wrong place */
    expect_contains(SAY(&wire, "", PASSWORD), "535 ");
    expect_contains(smtp_wire_ask(&wire, "AUTH PLAIN"), "334 ");
    expect_contains(smtp_wire_ask(&wire, PASSWORD), "501 ");
    expect_contains(SAY(&wire, "AUTH OAUTHBEARER ",
                        "n,a=ann,\x01"
                        "auth=Bearer " TOKEN "\x01\x01"),
                    "334 ");
    expect_contains(smtp_wire_ask(&wire, "AQ=="), "535 ");
    expect_contains(SAY(&wire, "AUTH XOAUTH2 ",
                        "user=cat\x01"
                        "auth=Bearer " TOKEN "\x01\x01"),
                    "235 ");
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
    log.text[log.len] = '\0';
    expect_contains(log.text, "AUTH PLAIN ***");
    expect_contains(log.text, "235 ");
    expect_secret_absent(&log, PASSWORD);
    expect_secret_absent(&log, TOKEN);
    pthread_mutex_destroy(&log.lock);
}

/* ---- hooks ---- */

struct told {
    char mechanism[40], identity[40], authorization[40], secret[40], known_as[40];
    enum smtp_server_verdict verdict;
    int code; /* of a reply of its own; 0: none */
};

static enum smtp_server_verdict on_auth(void *user, const struct smtp_server_session_info *session,
                                        const struct smtp_server_credentials *credentials,
                                        struct smtp_server_reply *reply)
{
    struct told *told = user;
    snprintf(told->mechanism, sizeof told->mechanism, "%s", credentials->mechanism);
    snprintf(told->identity, sizeof told->identity, "%s", credentials->identity);
    snprintf(told->authorization, sizeof told->authorization, "%s",
             credentials->authorization_identity);
    snprintf(told->secret, sizeof told->secret, "%s",
             credentials->secret != NULL ? credentials->secret : "(none)");
    expect_str(session->identity, "");
    expect_str(session->helo, "c.example");
    if (told->code != 0) {
        (void)smtp_server_reply(reply, told->code, NULL, "the hook's words");
    }
    return told->verdict;
}

static enum smtp_server_verdict on_mail(void *user, const struct smtp_server_session_info *session,
                                        const char *reverse_path, const char *parameters,
                                        struct smtp_server_reply *reply)
{
    struct told *told = user;
    (void)reverse_path;
    (void)parameters;
    (void)reply;
    snprintf(told->known_as, sizeof told->known_as, "%s", session->identity);
    return SMTP_ACCEPT;
}

static bool on_find_password(void *user, const struct smtp_server_session_info *session,
                             const char *identity, char password[SMTP_SERVER_SECRET_SIZE])
{
    (void)user;
    expect_str(session->helo, "c.example");
    snprintf(password, SMTP_SERVER_SECRET_SIZE, "%s", PASSWORD);
    return strcmp(identity, "ann") == 0;
}

/* The hooks alone: no table. */
static struct smtp_server *with_hooks(struct told *told)
{
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.auth.plain_without_tls = true;
    options.hooks.user = told;
    options.hooks.auth = on_auth;
    options.hooks.mail = on_mail;
    options.hooks.find_password = on_find_password;
    return started(&options);
}

TEST(server_auth, the_auth_hook_decides_and_the_session_knows_who_logged_in)
{
    struct told told = {.verdict = SMTP_ACCEPT};
    struct smtp_wire wire;
    struct smtp_server *server = with_hooks(&told);
    ready(&wire, server);
    expect_contains(SAY(&wire, "AUTH PLAIN ", "bob\0eve\0any"), "235 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 ");
    smtp_wire_close(&wire);
    ready(&wire, server);
    smtp_server_free(server);
    smtp_wire_close(&wire);
    expect_str(told.mechanism, "PLAIN");
    expect_str(told.identity, "eve");
    expect_str(told.authorization, "bob");
    expect_str(told.secret, "any");
    expect_str(told.known_as, "eve");
}

TEST(server_auth, the_password_hook_serves_the_mechanisms_that_prove_it)
{
    struct told told = {.verdict = SMTP_ACCEPT};
    struct smtp_wire wire;
    struct smtp_server *server = with_hooks(&told);
    for (size_t i = 2; i < COUNT(in_the_clear); i++) {
        ready(&wire, server);
        expect_contains(log_in(&wire, in_the_clear[i], "ann", "wrong"), "535 ");
        expect_contains(log_in(&wire, in_the_clear[i], "ann", PASSWORD), "235 ");
        smtp_wire_close(&wire);
    }
    smtp_server_free(server);
    expect_str(told.identity, "ann");
    expect_str(told.secret, "(none)");
}

TEST(server_auth, the_auth_hooks_replies_and_its_disconnect_are_honoured)
{
    static const struct {
        enum smtp_server_verdict verdict;
        int code;
        const char *reply;
        bool closed;
    } rows[] = {
        {SMTP_ACCEPT, 235, "235 2.7.0 the hook's words", false},
        {SMTP_REFUSE, 0, "535 5.7.8 ", false},
        {SMTP_REFUSE, 454, "454 4.0.0 the hook's words", false},
        {SMTP_DISCONNECT, 0, "421 ", true},
        {SMTP_DISCONNECT, 550, "550 5.0.0 the hook's words", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct told told = {.verdict = rows[i].verdict, .code = rows[i].code};
        struct smtp_server *server = with_hooks(&told);
        for (size_t k = 0; k < COUNT(in_the_clear); k++) {
            struct smtp_wire wire;
            ready(&wire, server);
            expect_contains(log_in(&wire, in_the_clear[k], "ann", PASSWORD), rows[i].reply);
            if (rows[i].closed) {
                expect_true(smtp_wire_closed(&wire));
            } else {
                expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 ");
            }
            smtp_wire_close(&wire);
        }
        smtp_server_free(server);
    }
}
