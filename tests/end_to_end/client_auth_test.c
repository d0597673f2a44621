/* client_auth_test.c - logging in over real sockets (RFC 4954): against scripted peers that misbehave, one
 * that pretends to know SCRAM, and the real server with each mechanism. */
#include "common/net.h"
#include "common/secret.h"
#include "server/smtp_mailbox.h"
#include "tests/end_to_end/pair.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <unistd.h>

#define CLEAR "S: 220 mx\nC: EHLO [127.0.0.1]\n"
#define UP CLEAR "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n[tls]\nC: EHLO [127.0.0.1]\n"
#define PLAIN "C: AUTH PLAIN AGFubgBzZWNyZXQ=\n"
#define CRAM_QUESTION "S: 334 PDEuMkBteC50ZXN0Pg==\n"
#define CRAM_ANSWER "C: YW5uIDIxMzFlMjllNzFlM2Y4ZWNlMDE4YjBlNGI3ODEwMTIz\n"
#define BYE "C: QUIT\nS: 221 bye\n[eof]\n"
#define MESSAGE                                                                                    \
    "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\nC: DATA\nS: 354 go\n"         \
    "[content]\nS: 250 2.0.0 taken\n"

static const char *const bob[] = {"bob@x"};
static const struct smtp_envelope to_bob = {
    .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 1};

static void connect_client(struct pair *pair)
{
    expect_int(pair_connect(pair, "127.0.0.1"), SMTP_OK);
}

static void begin_in_the_clear(struct pair *pair, const char *script)
{
    pair_begin(pair, SMTP_CLIENT_TLS_NEVER, SMTP_IDENTITY_SOUND, script);
    connect_client(pair);
}

static enum smtp_status auth_in_the_clear(struct pair *pair, const char *mechanism)
{
    struct smtp_client_credentials credentials = {
        .identity = "ann", .password = "secret", .mechanism = mechanism, .plain_without_tls = true};
    return smtp_client_auth(pair->client, &credentials);
}

static void end(struct pair *pair)
{
    expect_true(strstr(pair->log, "secret") == NULL);
    expect_true(strstr(pair->log, "AGFubg") == NULL);
    expect_true(strstr(pair->log, "c2VjcmV0") == NULL);
    pair_end(pair);
}

/* RFC 4954 4: hello and STARTTLS come first where nobody said them; after 235 nothing is forgotten */
TEST(client_auth, one_call_says_hello_starts_tls_and_logs_in)
{
    struct pair pair = {0};
    pair_begin(&pair, SMTP_CLIENT_TLS_REQUIRED, SMTP_IDENTITY_SOUND,
               UP "S: 250-mx\nS: 250 AUTH PLAIN\n" PLAIN "S: 235 2.7.0 in\n" MESSAGE
                  "C: QUIT\nS: 221 bye\n[close_notify]\n");
    connect_client(&pair);
    expect_true(!smtp_client_is_authenticated(pair.client));
    expect_int(smtp_client_login(pair.client, "ann", "secret"), SMTP_OK);
    expect_true(smtp_client_is_authenticated(pair.client));
    expect_int(smtp_client_reply(pair.client)->code, 235);
    expect_true(smtp_client_has_extension(pair.client, "AUTH"));
    expect_int(smtp_client_login(pair.client, "ann", "secret"), SMTP_BAD_STATE);
    expect_int(smtp_client_send(pair.client, &to_bob, smtp_content_text("A: b\n\nc\n"), NULL),
               SMTP_OK);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    expect_true(!smtp_client_is_authenticated(pair.client));
    expect_contains(pair.log, "\nAUTH PLAIN ***\n235 2.7.0 in\n");
    end(&pair);
}

/* RFC 4954 4: not in the clear; the session stays as it was */
TEST(client_auth, a_password_does_not_go_in_the_clear_unless_told_to)
{
    struct pair pair = {0};
    begin_in_the_clear(&pair, CLEAR "S: 250-mx\nS: 250 AUTH LOGIN PLAIN\n" PLAIN "S: 235 in\n" BYE);
    expect_int(smtp_client_login(pair.client, "ann", "secret"), SMTP_UNSUPPORTED);
    expect_contains(pair_error(&pair), "in the clear");
    expect_true(!smtp_client_is_authenticated(pair.client));
    expect_int(auth_in_the_clear(&pair, NULL), SMTP_OK);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    end(&pair);
}

TEST(client_auth, what_the_server_does_not_offer_is_not_said)
{
    static const char *const offers[] = {"S: 250 mx\n", "S: 250-mx\nS: 250 AUTH\n",
                                         "S: 250-mx\nS: 250 AUTH GSSAPI NTLM\n"};
    for (size_t i = 0; i < 3; i++) {
        static struct pair pair;
        char script[300];
        snprintf(script, sizeof(script), CLEAR "%s" BYE, offers[i]);
        begin_in_the_clear(&pair, script);
        expect_int(auth_in_the_clear(&pair, NULL), SMTP_UNSUPPORTED);
        expect_contains(pair_error(&pair), "offer");
        expect_int(smtp_client_quit(pair.client), SMTP_OK);
        end(&pair);
    }
}

/* RFC 4954 14: the certificate must hold before a password goes */
TEST(client_auth, no_password_goes_to_a_server_with_a_wrong_certificate)
{
    static const enum smtp_identity_flaw flaws[] = {SMTP_IDENTITY_SELF_SIGNED,
                                                    SMTP_IDENTITY_WRONG_NAME};
    for (size_t i = 0; i < 2; i++) {
        static struct pair pair;
        pair_begin(&pair, SMTP_CLIENT_TLS_WHEN_OFFERED, flaws[i],
                   CLEAR
                   "S: 250-mx\nS: 250-AUTH PLAIN\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n[tls]\n"
                   "[eof]\n");
        connect_client(&pair);
        expect_int(smtp_client_login(pair.client, "ann", "secret"), SMTP_TLS_FAILED);
        expect_true(!smtp_client_is_connected(pair.client));
        end(&pair);
    }
}

TEST(client_auth, any_certificate_will_do_where_the_caller_chose_so)
{
    struct pair pair = {0};
    pair_begin(&pair, SMTP_CLIENT_TLS_REQUIRED, SMTP_IDENTITY_SELF_SIGNED,
               UP "S: 250-mx\nS: 250 AUTH PLAIN\n" PLAIN "S: 235 in\n[ignore]\n");
    pair.options.tls.insecure = true;
    connect_client(&pair);
    expect_int(smtp_client_login(pair.client, "ann", "secret"), SMTP_OK);
    end(&pair);
}

/* RFC 4954 4: the mechanisms of the EHLO before STARTTLS are forgotten */
TEST(client_auth, what_was_offered_before_tls_does_not_count_after_it)
{
    struct pair pair = {0};
    pair_begin(&pair, SMTP_CLIENT_TLS_REQUIRED, SMTP_IDENTITY_SOUND,
               CLEAR
               "S: 250-mx\nS: 250-AUTH PLAIN\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n[tls]\n"
               "C: EHLO [127.0.0.1]\nS: 250 mx\n[ignore]\n");
    connect_client(&pair);
    expect_int(smtp_client_login(pair.client, "ann", "secret"), SMTP_UNSUPPORTED);
    end(&pair);
}

/* RFC 4954 6: a refusal is an answer, and no weaker mechanism is tried with the same password */
TEST(client_auth, a_refused_password_is_told_and_not_tried_again)
{
    static const struct {
        const char *reply;
        enum smtp_status status;
        const char *message;
    } rows[] = {
        {"535 5.7.8 bad credentials", SMTP_REFUSED_PERMANENT,
         "AUTH CRAM-MD5 as \"ann\" refused: 535 5.7.8 bad credentials"},
        {"534 5.7.9 too weak", SMTP_REFUSED_PERMANENT, "refused: 534 5.7.9 too weak"},
        {"538 5.7.11 encrypt", SMTP_REFUSED_PERMANENT, "refused: 538 5.7.11 encrypt"},
        {"432 4.7.12 transition", SMTP_REFUSED_TRANSIENT, "refused: 432 4.7.12 transition"},
        {"454 4.7.0 later", SMTP_REFUSED_TRANSIENT, "refused: 454 4.7.0 later"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct pair pair;
        char script[600];
        snprintf(script, sizeof(script),
                 CLEAR
                 "S: 250-mx\nS: 250 AUTH PLAIN LOGIN CRAM-MD5\nC: AUTH CRAM-MD5\n" CRAM_QUESTION
                     CRAM_ANSWER "S: %s\nC: NOOP\nS: 250 ok\n" BYE,
                 rows[i].reply);
        begin_in_the_clear(&pair, script);
        expect_int(auth_in_the_clear(&pair, NULL), rows[i].status);
        expect_contains(pair_error(&pair), rows[i].message);
        expect_int(smtp_client_reply(pair.client)->code, strtol(rows[i].reply, NULL, 10));
        expect_true(!smtp_client_is_authenticated(pair.client));
        expect_int(smtp_client_noop(pair.client), SMTP_OK);
        expect_int(smtp_client_quit(pair.client), SMTP_OK);
        end(&pair);
    }
}

/* a new connection knows nothing of the one before */
TEST(client_auth, a_new_connection_is_not_logged_in)
{
    struct pair pair = {0};
    begin_in_the_clear(&pair, CLEAR "S: 250-mx\nS: 250 AUTH PLAIN\n" PLAIN
                                    "S: 235 in\n[accept]\n" CLEAR "S: 250 mx\n" BYE);
    expect_int(auth_in_the_clear(&pair, NULL), SMTP_OK);
    expect_true(smtp_client_is_authenticated(pair.client));
    connect_client(&pair);
    expect_true(!smtp_client_is_authenticated(pair.client));
    expect_int(auth_in_the_clear(&pair, NULL), SMTP_UNSUPPORTED);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    end(&pair);
}

TEST(client_auth, unfit_credentials_send_nothing_at_all)
{
    struct pair pair = {0};
    static const struct {
        struct smtp_client_credentials credentials;
        enum smtp_status status;
    } rows[] = {{{.identity = "ann\r\nQUIT", .password = "x"}, SMTP_UNSAFE_ARGUMENT},
                {{.identity = "ann", .password = "x\n"}, SMTP_UNSAFE_ARGUMENT},
                {{.identity = "ann", .token = "x\1y"}, SMTP_UNSAFE_ARGUMENT},
                {{.identity = "ann", .password = "\xFF"}, SMTP_BAD_ARGUMENT},
                {{.identity = "ann", .password = "x", .mechanism = "ROT13"}, SMTP_BAD_ARGUMENT}};
    begin_in_the_clear(&pair, "S: 220 mx\n" BYE);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_int(smtp_client_auth(pair.client, &rows[i].credentials), rows[i].status);
        expect_int(smtp_client_error(pair.client)->status, rows[i].status);
    }
    expect_int(smtp_client_login(pair.client, NULL, "x"), SMTP_BAD_ARGUMENT);
    expect_int(smtp_client_login(pair.client, "ann", NULL), SMTP_BAD_ARGUMENT);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    expect_int(smtp_client_login(pair.client, "ann", "secret"), SMTP_BAD_STATE);
    end(&pair);
}

/* what a server may do to an exchange */
TEST(client_auth, a_server_that_breaks_the_exchange_is_told)
{
    static const struct {
        const char *mechanism, *rest;
        enum smtp_status status;
        const char *message;
        bool connected;
    } rows[] = {
        {"CRAM-MD5", "C: AUTH CRAM-MD5\nS: 334 not!base64\nC: *\nS: 501 ok\n" BYE,
         SMTP_PROTOCOL_VIOLATION,
         "AUTH CRAM-MD5 was cancelled: the server's challenge is no base64", true},
        {"CRAM-MD5", "C: AUTH CRAM-MD5\nS: 334 \nC: *\nS: 501 ok\n[eof]\n", SMTP_PROTOCOL_VIOLATION,
         "empty", false},
        {"CRAM-MD5", "C: AUTH CRAM-MD5\nS: 235 in\n[eof]\n", SMTP_PROTOCOL_VIOLATION, "before",
         false},
        {"LOGIN", "C: AUTH LOGIN\nS: 334 \nC: YW5u\nS: 235 in\n[eof]\n", SMTP_PROTOCOL_VIOLATION,
         "before", false},
        {"LOGIN", "C: AUTH LOGIN\nS: 334 \nS: 334 \n[eof]\n", SMTP_PROTOCOL_VIOLATION,
         "nothing was asked for", false},
        {"LOGIN",
         "C: AUTH LOGIN\nS: 334 \nC: YW5u\nS: 334 \nC: c2VjcmV0\nS: 334 \nC: *\nS: 501 ok\n"
         "[eof]\n",
         SMTP_PROTOCOL_VIOLATION, "more than", false},
        {"LOGIN", "C: AUTH LOGIN\nS: 334 \nC: YW5u\n", SMTP_CLOSED, "stage: AUTH", false},
        {"LOGIN", "C: AUTH LOGIN\nS: 334 \nC: YW5u\nS: 421 bye\n[eof]\n", SMTP_REFUSED_TRANSIENT,
         "421 bye", false},
        {"LOGIN", "C: AUTH LOGIN\nS: 334 \nC: YW5u\n[eof]\n", SMTP_TIMED_OUT, "stage: AUTH", false},
        /* RFC 5802 5: success that nobody proved */
        {"SCRAM-SHA-256", "[some]\nS: 235 in\n[ignore]\n", SMTP_PROTOCOL_VIOLATION,
         "accepted AUTH SCRAM-SHA-256 before", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct pair pair;
        char script[600];
        snprintf(script, sizeof(script), CLEAR "S: 250-mx\nS: 250 AUTH %s\n%s", rows[i].mechanism,
                 rows[i].rest);
        pair_begin(&pair, SMTP_CLIENT_TLS_NEVER, SMTP_IDENTITY_SOUND, script);
        pair.options.timeouts.command_ms = rows[i].status == SMTP_TIMED_OUT ? 100 : 10000;
        connect_client(&pair);
        expect_int(auth_in_the_clear(&pair, NULL), rows[i].status);
        expect_contains(pair_error(&pair), rows[i].message);
        expect_true(!smtp_client_is_authenticated(pair.client));
        expect_true(smtp_client_is_connected(pair.client) == rows[i].connected);
        if (rows[i].connected) {
            expect_int(smtp_client_quit(pair.client), SMTP_OK);
        }
        end(&pair);
    }
}

/* ---- a server that pretends to know SCRAM ---- */

/* What it says in place of a proof; then it would take any message. */
struct pretender {
    int listener;
    struct smtp_address address;
    bool extends_nonce;
    const char *last; /* its server-final-message */
    bool cancelled;   /* "*" came */
    bool mailed;      /* MAIL came */
    pthread_t thread;
};

static bool read_line(int fd, char *line, size_t size)
{
    size_t len = 0, got = 0;
    while (len + 1 < size && (len == 0 || line[len - 1] != '\n')) {
        if (smtp_net_read(fd, line + len, 1, peer_deadline(), &got) != SMTP_OK) {
            return false;
        }
        len += got;
    }
    line[len] = '\0';
    return true;
}

static void say(int fd, const char *text)
{
    struct iovec part = {(void *)(uintptr_t)text, strlen(text)};
    size_t len = 0;
    (void)!smtp_net_write(fd, &part, 1, peer_deadline(), &len);
}

static void challenge(int fd, const char *text)
{
    struct smtp_buffer line = SMTP_BUFFER(1000);
    expect_int(smtp_buffer_append(&line, "334 ", 4), SMTP_OK);
    expect_int(smtp_base64_append(&line, smtp_span_of(text)), SMTP_OK);
    expect_int(smtp_buffer_append(&line, "\r\n", 3), SMTP_OK);
    say(fd, smtp_buffer_span(&line).bytes);
    smtp_buffer_free(&line);
}

/* "AUTH SCRAM-SHA-256 <base64 of n,,n=ann,r=NONCE>" */
static void answer_first(const struct pretender *pretender, int fd, const char *line)
{
    struct smtp_buffer first = SMTP_BUFFER(1000);
    char text[300];
    const char *base64 = strrchr(line, ' ') + 1;
    struct smtp_span coded = {base64, strcspn(base64, "\r\n")};
    expect_int(smtp_base64_decode(&first, coded), SMTP_OK);
    expect_int(smtp_buffer_append(&first, "", 1), SMTP_OK);
    const char *nonce = strstr(smtp_buffer_span(&first).bytes, ",r=") + 3;
    snprintf(text, sizeof(text), "r=%sX,s=c2FsdA==,i=4096", pretender->extends_nonce ? nonce : "X");
    challenge(fd, text);
    smtp_buffer_free(&first);
}

static void *pretend(void *argument)
{
    struct pretender *pretender = argument;
    char line[1000];
    if (smtp_net_wait(pretender->listener, false, peer_deadline()) != SMTP_OK) {
        return NULL;
    }
    int fd = smtp_net_accept(pretender->listener);
    say(fd, "220 mx\r\n");
    for (int answers = 0; read_line(fd, line, sizeof(line));) {
        if (strncmp(line, "EHLO", 4) == 0) {
            say(fd, "250-mx\r\n250 AUTH SCRAM-SHA-256 PLAIN\r\n");
        } else if (strncmp(line, "AUTH", 4) == 0) {
            answer_first(pretender, fd, line);
        } else if (strcmp(line, "*\r\n") == 0) {
            pretender->cancelled = true;
            say(fd, "501 5.7.0 cancelled\r\n");
        } else if (strncmp(line, "MAIL", 4) == 0) {
            pretender->mailed = true;
        } else if (answers++ == 0 && pretender->last != NULL) {
            challenge(fd, pretender->last);
        } else {
            say(fd, "235 2.7.0 welcome\r\n");
        }
    }
    close(fd);
    return NULL;
}

/* RFC 5802 5: wrong signature, none at all, a nonce of its own: never logged in, never a MAIL */
TEST(client_auth, a_server_that_does_not_know_the_password_is_found_out)
{
    static const struct {
        bool extends_nonce;
        const char *last;
        const char *message;
        bool cancelled;
    } rows[] = {
        {true, "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "signature is wrong", true},
        {true, NULL, "before the exchange was over", false},
        {false, "v=AAAA", "nonce does not begin", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pretender pretender = {.extends_nonce = rows[i].extends_nonce, .last = rows[i].last};
        struct smtp_error error = {0};
        struct smtp_client *client = NULL;
        expect_int(smtp_address_parse("127.0.0.1:0", 0, &pretender.address, &error), SMTP_OK);
        expect_int(smtp_net_listen(&pretender.address, &pretender.listener, &error), SMTP_OK);
        smtp_address_of_socket(pretender.listener, false, &pretender.address);
        expect_int(pthread_create(&pretender.thread, NULL, pretend, &pretender), 0);
        expect_int(smtp_client_new(&client, NULL), SMTP_OK);
        expect_int(smtp_client_connect(client, "127.0.0.1", pretender.address.port), SMTP_OK);
        expect_int(smtp_client_login(client, "ann", "secret"), SMTP_PROTOCOL_VIOLATION);
        expect_contains(smtp_client_error(client)->message, rows[i].message);
        expect_true(!smtp_client_is_authenticated(client));
        expect_true(!smtp_client_is_connected(client));
        expect_int(smtp_client_send(client, &to_bob, smtp_content_text("x\n"), NULL),
                   SMTP_BAD_STATE);
        smtp_client_free(client);
        pthread_join(pretender.thread, NULL);
        close(pretender.listener);
        expect_true(pretender.cancelled == rows[i].cancelled);
        expect_true(!pretender.mailed);
    }
}

/* ---- the real server ---- */

#define NAME "Andr\xC3\xA9@example.com"
#define WORD "p\xC3\xA4ssw\xC3\xB6rd, 100%"
#define BEARER "a-token-of-letters_and.digits~0123456789+/=="

static const struct smtp_server_user users[] = {{NAME, WORD}, {"token@example.com", BEARER}};

/* A server with those users, and a client that trusts it. */
struct both {
    struct smtp_server *server;
    struct smtp_client_options options;
    struct smtp_client *client;
    char log[8000];
};

static void keep_both(void *user, enum smtp_client_log_kind kind, const char *text, size_t len)
{
    struct both *both = user;
    size_t at = strlen(both->log);
    (void)kind;
    snprintf(both->log + at, sizeof(both->log) - at, "%.*s\n", (int)len, text);
}

static void begin_both(struct both *both, enum smtp_client_tls_policy policy,
                       const struct smtp_server_options *options)
{
    struct smtp_server_options defaults;
    if (options == NULL) {
        smtp_server_options_init(&defaults);
        defaults.auth.users = users;
        defaults.auth.user_count = 2;
        defaults.auth.required = true;
        defaults.auth.plain_without_tls = true;
        options = &defaults;
    }
    *both = (struct both){.server = started(options)};
    smtp_client_options_init(&both->options);
    both->options.tls.policy = policy;
    both->options.tls.ca_pem = smtp_server_ca_pem(both->server);
    both->options.log = keep_both;
    both->options.log_user = both;
}

static void connect_both(struct both *both)
{
    if (both->client == NULL) {
        expect_int(smtp_client_new(&both->client, &both->options), SMTP_OK);
    }
    expect_int(smtp_client_connect(both->client, "127.0.0.1", smtp_server_port(both->server, 0)),
               SMTP_OK);
}

static void end_both(struct both *both)
{
    expect_true(strstr(both->log, WORD) == NULL);
    expect_true(strstr(both->log, BEARER) == NULL);
    smtp_client_free(both->client);
    smtp_server_free(both->server);
}

static struct smtp_client_credentials credentials_for(const char *mechanism)
{
    bool token = strstr(mechanism, "OAUTH") != NULL;
    return (struct smtp_client_credentials){
        .identity = token ? "token@example.com" : NAME,
        .password = token ? NULL : WORD,
        .token = token ? BEARER : NULL,
        .mechanism = mechanism,
        .plain_without_tls = true,
    };
}

static const char *const everywhere[] = {"PLAIN",         "LOGIN",       "CRAM-MD5", "SCRAM-SHA-1",
                                         "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2"};
static const char *const bound[] = {"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"};

/* Logs in, sends a message, which says who sent it; and with a wrong secret it is 535. */
static void try_mechanism(struct both *both, const char *mechanism, const char *protocol)
{
    struct smtp_client_credentials credentials = credentials_for(mechanism);
    struct smtp_client_credentials wrong = credentials;
    wrong.password = wrong.password != NULL ? "wrong" : NULL;
    wrong.token = wrong.token != NULL ? "wrong" : NULL;
    connect_both(both);
    expect_int(smtp_client_auth(both->client, &wrong), SMTP_REFUSED_PERMANENT);
    expect_int(smtp_client_reply(both->client)->code, 535);
    expect_int(smtp_client_reply(both->client)->enhanced.detail, 8);
    expect_contains(smtp_client_error(both->client)->message, mechanism);
    expect_contains(smtp_client_error(both->client)->message, credentials.identity);
    expect_true(!smtp_client_is_authenticated(both->client));
    enum smtp_status status = smtp_client_auth(both->client, &credentials);
    if (status != SMTP_OK) {
        SMTP_TEST_FAIL("%s: %s", mechanism, smtp_client_error(both->client)->message);
    }
    expect_true(smtp_client_is_authenticated(both->client));
    expect_int(smtp_client_send(both->client, &to_bob, smtp_content_text("A: b\n\nc\n"), NULL),
               SMTP_OK);
    expect_int(smtp_client_quit(both->client), SMTP_OK);
    struct smtp_mailbox *mailbox = smtp_server_mailbox(both->server);
    struct smtp_message *message = smtp_mailbox_get(mailbox, smtp_mailbox_captured(mailbox));
    expect_true(message != NULL);
    expect_str(smtp_message_identity(message), credentials.identity);
    expect_str(smtp_message_protocol(message), protocol);
    smtp_message_release(message);
}

TEST(client_auth, each_mechanism_in_the_clear_with_the_real_server)
{
    static struct both both;
    begin_both(&both, SMTP_CLIENT_TLS_NEVER, NULL);
    for (size_t i = 0; i < sizeof(everywhere) / sizeof(everywhere[0]); i++) {
        try_mechanism(&both, everywhere[i], "ESMTPA");
    }
    end_both(&both);
}

static void try_all_under_tls(struct both *both)
{
    for (size_t i = 0; i < sizeof(everywhere) / sizeof(everywhere[0]); i++) {
        try_mechanism(both, everywhere[i], "ESMTPSA");
    }
    for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
        try_mechanism(both, bound[i], "ESMTPSA");
    }
}

/* RFC 9266: -PLUS binds by tls-exporter */
TEST(client_auth, each_mechanism_under_tls_1_3_with_the_real_server)
{
    static struct both both;
    begin_both(&both, SMTP_CLIENT_TLS_REQUIRED, NULL);
    try_all_under_tls(&both);
    expect_contains(both.log, "TLSv1.3");
    end_both(&both);
}

/* RFC 5929 3: -PLUS binds by tls-unique */
TEST(client_auth, each_mechanism_under_tls_1_2_with_the_real_server)
{
    static struct both both;
    struct smtp_error error = {0};
    SSL_CTX *context = NULL;
    begin_both(&both, SMTP_CLIENT_TLS_REQUIRED, NULL);
    struct smtp_tls_trust trust = {.ca_pem = both.options.tls.ca_pem};
    expect_int(smtp_tls_client_context(&context, &trust, &error), SMTP_OK);
    expect_int(SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION), 1);
    both.options.tls.context = context;
    try_all_under_tls(&both);
    expect_contains(both.log, "TLSv1.2");
    end_both(&both);
    smtp_tls_context_release(context);
}

TEST(client_auth, the_strongest_is_taken_from_the_real_server)
{
    static struct both both;
    begin_both(&both, SMTP_CLIENT_TLS_WHEN_OFFERED, NULL);
    connect_both(&both);
    expect_int(smtp_client_login(both.client, NAME, WORD), SMTP_OK);
    expect_contains(both.log, "\nAUTH SCRAM-SHA-256-PLUS ***\n");
    expect_int(smtp_client_quit(both.client), SMTP_OK);
    end_both(&both);
}

/* RFC 5802 6: the client says "y", that it could have bound, and that is no reason to refuse it here */
TEST(client_auth, scram_under_tls_where_the_real_server_does_not_bind)
{
    static struct both both;
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.auth.users = users;
    options.auth.user_count = 2;
    options.auth.mechanisms = "SCRAM-SHA-256";
    begin_both(&both, SMTP_CLIENT_TLS_REQUIRED, &options);
    connect_both(&both);
    expect_int(smtp_client_login(both.client, NAME, WORD), SMTP_OK);
    expect_contains(both.log, "\nAUTH SCRAM-SHA-256 ***\n");
    expect_int(smtp_client_quit(both.client), SMTP_OK);
    end_both(&both);
}

/* RFC 4954 4 and 6: a token of 600 octets does not fit into the command */
TEST(client_auth, a_long_token_goes_after_the_command)
{
    static struct both both;
    static char token[601];
    memset(token, 't', 600);
    struct smtp_server_options options;
    struct smtp_server_user user = {"ann", token};
    smtp_server_options_init(&options);
    options.auth.users = &user;
    options.auth.user_count = 1;
    begin_both(&both, SMTP_CLIENT_TLS_REQUIRED, &options);
    connect_both(&both);
    struct smtp_client_credentials credentials = {.identity = "ann", .token = token};
    expect_int(smtp_client_auth(both.client, &credentials), SMTP_OK);
    expect_contains(both.log, "\nAUTH OAUTHBEARER\n334 \n***\n235");
    expect_true(strstr(both.log, "dHR0dHR0") == NULL);
    expect_int(smtp_client_quit(both.client), SMTP_OK);
    end_both(&both);
}

/* RFC 4422 A: the certificate says who it is */
TEST(client_auth, external_with_a_client_certificate)
{
    static struct both both;
    struct smtp_identity *own = NULL, *client = NULL;
    struct smtp_error error = {0};
    struct smtp_server_options options;
    expect_int(smtp_identity_new(&own, NULL, &error), SMTP_OK);
    expect_int(smtp_identity_new_client(&client, own, "ann", &error), SMTP_OK);
    smtp_server_options_init(&options);
    options.tls.identity = own;
    options.tls.client_ca_pem = smtp_identity_ca_pem(own);
    options.auth.users = users;
    options.auth.user_count = 2;
    begin_both(&both, SMTP_CLIENT_TLS_REQUIRED, &options);
    both.options.tls.identity = client;
    connect_both(&both);
    struct smtp_client_credentials nothing = {.identity = NULL};
    expect_int(smtp_client_auth(both.client, &nothing), SMTP_OK);
    expect_contains(both.log, "\nAUTH EXTERNAL =\n235");
    expect_int(smtp_client_quit(both.client), SMTP_OK);
    end_both(&both);
    smtp_identity_release(client);
    smtp_identity_release(own);
}

/* RFC 4954 6: MAIL before a login, and a mechanism that the server finds too weak */
TEST(client_auth, what_the_real_server_refuses_is_told)
{
    static struct both both;
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.auth.users = users;
    options.auth.user_count = 2;
    options.auth.required = true;
    begin_both(&both, SMTP_CLIENT_TLS_REQUIRED, &options);
    connect_both(&both);
    expect_int(smtp_client_mail(both.client, "ann@x", NULL), SMTP_REFUSED_PERMANENT);
    expect_contains(smtp_client_error(both.client)->message, "refused: 530 5.7.0");
    expect_int(smtp_client_login(both.client, NAME, "wrong"), SMTP_REFUSED_PERMANENT);
    expect_contains(smtp_client_error(both.client)->message,
                    "AUTH SCRAM-SHA-256-PLUS as \"" NAME "\" refused: 535 5.7.8");
    expect_true(strstr(smtp_client_error(both.client)->message, "wrong") == NULL);
    expect_int(smtp_client_quit(both.client), SMTP_OK);
    end_both(&both);
}
