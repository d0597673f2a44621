/* submission_servers_test.c - servers that others wrote, against this client over TLS and with AUTH: the
 * certificate is verified, the login is theirs to judge, and every octet must arrive. */
#include "client/smtp_client.h"
#include "common/tls.h"
#include "tests/peers/cells.h"
#include "tests/peers/letters.h"
#include "tests/peers/postfix.h"
#include "tests/peers/program.h"
#include "tests/support/test.h"

#include <openssl/ssl.h>
#include <stdio.h>

#define SECONDS 60 /* a bound for a test of many sessions; the usual time is a few */
#define READY_MS 10000

/* What the server is given, and the letters it is to get. */
struct trial {
    struct letter letters[LETTER_COUNT];
    struct smtp_identity *identity;
    char *directory;
    char *certificate; /* a PEM file: key and chain */
};

static void begin(struct trial *trial)
{
    struct smtp_error error = {0};
    expect_int(smtp_identity_new(&trial->identity, NULL, &error), SMTP_OK);
    letters_make(trial->letters);
    trial->directory = make_directory();
    trial->certificate = write_certificate(trial->directory, "server.pem", trial->identity);
}

static void end(struct trial *trial)
{
    smtp_identity_release(trial->identity);
    letters_free(trial->letters);
    free(trial->certificate);
    remove_directory(trial->directory);
}

static void expect_ok(const struct smtp_client *client, enum smtp_status status)
{
    if (status != SMTP_OK) {
        SMTP_TEST_FAIL("%s: %s; last reply %d %s", smtp_status_name(status),
                       smtp_client_error(client)->message, smtp_client_reply(client)->code,
                       smtp_client_reply(client)->text);
    }
}

/* A context that speaks no newer TLS than 1.2, and trusts the trial's authority. */
static struct ssl_ctx_st *old_context(const struct trial *trial)
{
    struct ssl_ctx_st *context;
    struct smtp_error error = {0};
    const struct smtp_tls_trust trust = {.ca_pem = smtp_identity_ca_pem(trial->identity)};
    expect_int(smtp_tls_client_context(&context, &trust, &error), SMTP_OK);
    expect_int(SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION), 1);
    return context;
}

/* A client that trusts the trial's authority, or the one of ca_pem. */
static struct smtp_client *new_client(const struct trial *trial, enum way way, bool old,
                                      const char *ca_pem)
{
    static const enum smtp_client_tls_policy policies[] = {
        SMTP_CLIENT_TLS_REQUIRED, SMTP_CLIENT_TLS_IMPLICIT, SMTP_CLIENT_TLS_NEVER};
    struct smtp_client *client;
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.helo_name = "client.test";
    options.timeouts.overall_ms = 20000;
    options.tls.policy = policies[way];
    options.tls.ca_pem = ca_pem != NULL ? ca_pem : smtp_identity_ca_pem(trial->identity);
    options.tls.context = old ? old_context(trial) : NULL;
    expect_int(smtp_client_new(&client, &options), SMTP_OK);
    smtp_tls_context_release(options.tls.context);
    return client;
}

static void send_letter(struct smtp_client *client, const struct letter *letter)
{
    const char *to[] = {"bob@example.com"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.org", .forward_paths = to, .forward_path_count = 1};
    expect_ok(client, smtp_client_send(client, &envelope,
                                       smtp_content_memory(letter->octets, letter->len), NULL));
}

/* Notes which mechanisms the server does not offer, once it has said hello. */
static void note_lacking(const struct smtp_client *client, const char *peer)
{
    char offered[256];
    snprintf(offered, sizeof offered, " %s ", smtp_client_extension(client, "AUTH"));
    for (size_t i = 0; i < MECHANISM_COUNT; i++) {
        char mechanism[32];
        snprintf(mechanism, sizeof mechanism, " %s ", mechanisms[i]);
        if (strstr(offered, mechanism) == NULL) {
            cell_lacking(peer, mechanisms[i]);
        }
    }
}

/* A login, a letter, QUIT; with `old`, over TLS 1.2. */
static void submit(const struct trial *trial, const char *peer, uint16_t port, enum way way,
                   bool old, const struct smtp_client_credentials *credentials, size_t letter)
{
    struct smtp_client *client = new_client(trial, way, old, NULL);
    expect_ok(client, smtp_client_connect(client, "127.0.0.1", port));
    expect_ok(client, smtp_client_auth(client, credentials));
    expect_true(smtp_client_is_authenticated(client));
    note_lacking(client, peer);
    expect_true((smtp_client_tls(client) == NULL) == (way == IN_THE_CLEAR));
    if (way != IN_THE_CLEAR) {
        expect_str(smtp_client_tls(client)->version, old ? "TLSv1.2" : "TLSv1.3");
    }
    send_letter(client, &trial->letters[letter]);
    expect_ok(client, smtp_client_quit(client));
    smtp_client_free(client);
}

/* ---- Postfix, which leaves AUTH to Dovecot ---- */

#define POSTFIX "Postfix with Dovecot"

static const char *const passwords[] = {"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1",
                                        "SCRAM-SHA-256"};
static const char *const tokens[] = {"XOAUTH2", "OAUTHBEARER"};

/* One letter by this mechanism, each way and without TLS, and what Postfix knew of it. */
static void expect_postfix_takes(struct postfix *postfix, const struct trial *trial,
                                 const struct smtp_client_credentials *credentials)
{
    for (int way = STARTTLS; way <= IN_THE_CLEAR; way++) {
        char words[128];
        size_t from = postfix->program.said_len;
        submit(trial, POSTFIX, way == IMPLICIT ? postfix->tls_port : postfix->port, (enum way)way,
               false, credentials, LETTER_DOTS);
        postfix_delivers(postfix, 1);
        snprintf(words, sizeof words, "sasl_method=%s, sasl_username=%s\n", credentials->mechanism,
                 postfix->user);
        expect_true(program_says(&postfix->program, from, words, READY_MS) >= 0);
        cell_ok(POSTFIX, (enum way)way, credentials->mechanism);
    }
}

TEST_WITHIN(peers, postfix_and_dovecot_take_each_mechanism, SECONDS)
{
    struct trial trial;
    struct postfix postfix;
    begin(&trial);
    postfix_start(&postfix, trial.certificate);
    struct smtp_client_credentials credentials = {
        .identity = postfix.user, .password = postfix.password, .plain_without_tls = true};
    size_t count = 0;
    for (size_t i = 0; i < sizeof passwords / sizeof passwords[0]; i++, count++) {
        credentials.mechanism = passwords[i];
        expect_postfix_takes(&postfix, &trial, &credentials);
    }
    credentials.password = NULL;
    credentials.token = postfix.token;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++, count++) {
        credentials.mechanism = tokens[i];
        expect_postfix_takes(&postfix, &trial, &credentials);
    }
    expect_int(postfix_has(&postfix, &trial.letters[LETTER_DOTS],
                           "\n\t(Authenticated sender: ann@example.org)\n"),
               3 * count);
    expect_int(postfix_has(&postfix, &trial.letters[LETTER_DOTS], " with ESMTPSA id "), 2 * count);
    expect_int(postfix_has(&postfix, &trial.letters[LETTER_DOTS], " with ESMTPA id "), count);
    postfix_stop(&postfix);
    end(&trial);
}

/* And the client takes the strongest by itself. */
TEST_WITHIN(peers, postfix_over_tls_gets_every_octet, SECONDS)
{
    struct trial trial;
    struct postfix postfix;
    begin(&trial);
    postfix_start(&postfix, trial.certificate);
    const struct smtp_client_credentials credentials = {.identity = postfix.user,
                                                        .password = postfix.password};
    for (int way = STARTTLS; way <= IMPLICIT; way++) {
        uint16_t port = way == STARTTLS ? postfix.port : postfix.tls_port;
        for (size_t i = 0; i < LETTER_COUNT; i++) {
            submit(&trial, POSTFIX, port, (enum way)way, false, &credentials, i);
            submit(&trial, POSTFIX, port, (enum way)way, true, &credentials, i);
        }
        cell_ok(POSTFIX, (enum way)way, "TLSv1.3");
        cell_ok(POSTFIX, (enum way)way, "TLSv1.2");
    }
    postfix_delivers(&postfix, 4 * LETTER_COUNT);
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        expect_int(postfix_has(&postfix, &trial.letters[i], "\t(using TLSv1.3 with cipher "), 2);
        expect_int(postfix_has(&postfix, &trial.letters[i], "\t(using TLSv1.2 with cipher "), 2);
    }
    expect_contains(postfix.program.said, "sasl_method=SCRAM-SHA-256,");
    expect_true(strstr(postfix.program.said, "sasl_method=PLAIN") == NULL);
    postfix_stop(&postfix);
    end(&trial);
}

/* RFC 4954 4 and 6: the refusal comes back, mail without a login is refused, and the same connection may
 * log in after all. */
TEST_WITHIN(peers, postfix_refuses_a_wrong_password_and_takes_the_right_one, SECONDS)
{
    static const char *const to[] = {"bob@example.com"};
    const struct smtp_envelope envelope = {
        .reverse_path = "ann@example.org", .forward_paths = to, .forward_path_count = 1};
    struct trial trial;
    struct postfix postfix;
    begin(&trial);
    postfix_start(&postfix, trial.certificate);
    struct smtp_client *client = new_client(&trial, STARTTLS, false, NULL);
    expect_ok(client, smtp_client_connect(client, "127.0.0.1", postfix.port));
    expect_int(smtp_client_login(client, postfix.user, "wr0ng"), SMTP_REFUSED_PERMANENT);
    expect_int(smtp_client_reply(client)->code, 535);
    expect_int(smtp_client_reply(client)->enhanced.subject, 7);
    expect_true(!smtp_client_is_authenticated(client));
    expect_int(smtp_client_send(client, &envelope, smtp_content_text("Subject: x\n\nx\n"), NULL),
               SMTP_REFUSED_PERMANENT);
    expect_contains(smtp_client_reply(client)->text, "Client host rejected");
    expect_ok(client, smtp_client_login(client, postfix.user, postfix.password));
    send_letter(client, &trial.letters[LETTER_PLAIN]);
    expect_ok(client, smtp_client_quit(client));
    postfix_delivers(&postfix, 1);
    expect_true(strstr(postfix.program.said, "SASL PLAIN") ==
                NULL); /* no second try, no weaker one */
    smtp_client_free(client);
    postfix_stop(&postfix);
    end(&trial);
}

/* One call each, with all it needs in the URL. */
TEST_WITHIN(peers, postfix_takes_what_a_url_says, SECONDS)
{
    static const char *const to[] = {"bob@example.com"};
    const struct smtp_envelope envelope = {
        .reverse_path = "ann@example.org", .forward_paths = to, .forward_path_count = 1};
    struct trial trial;
    struct postfix postfix;
    char url[512], *ca_file;
    begin(&trial);
    ca_file = write_file(trial.directory, "ca.pem", smtp_identity_ca_pem(trial.identity));
    postfix_start(&postfix, trial.certificate);
    expect_str(postfix.password, "Gr\xc3\xbc\xc3\x9f"
                                 "e-s3cret");
    for (int way = STARTTLS; way <= IMPLICIT; way++) {
        const struct letter *letter = &trial.letters[LETTER_DOTS];
        struct smtp_error error = {0};
        snprintf(url, sizeof url,
                 "%s://ann%%40example.org:Gr%%C3%%BC%%c3%%9fe-s3cret@127.0.0.1:%u?ca=%s&auth=%s"
                 "&helo=client.test",
                 way == STARTTLS ? "smtp" : "smtps",
                 way == STARTTLS ? postfix.port : postfix.tls_port, ca_file,
                 way == STARTTLS ? "PLAIN" : "SCRAM-SHA-1");
        enum smtp_status status = smtp_send_url(
            url, NULL, &envelope, smtp_content_memory(letter->octets, letter->len), &error);
        expect_str(error.message, "");
        expect_int(status, SMTP_OK);
    }
    postfix_delivers(&postfix, 2);
    expect_int(postfix_has(&postfix, &trial.letters[LETTER_DOTS], " with ESMTPSA id "), 2);
    expect_contains(postfix.program.said, "sasl_method=PLAIN, sasl_username=ann@example.org\n");
    expect_contains(postfix.program.said, "sasl_method=SCRAM-SHA-1,");
    postfix_stop(&postfix);
    free(ca_file);
    end(&trial);
}

/* RFC 8446 2.2, RFC 5077: the second connection takes the first one's session up again. */
TEST_WITHIN(peers, postfix_lets_a_session_be_resumed, SECONDS)
{
    struct trial trial;
    struct postfix postfix;
    begin(&trial);
    postfix_start(&postfix, trial.certificate);
    for (int old = 0; old <= 1; old++) {
        struct smtp_client *client = new_client(&trial, STARTTLS, old, NULL);
        for (int i = 0; i < 2; i++) {
            expect_ok(client, smtp_client_connect(client, "127.0.0.1", postfix.port));
            expect_ok(client, smtp_client_login(client, postfix.user, postfix.password));
            expect_int(smtp_client_tls(client)->resumed, i == 1);
            send_letter(client, &trial.letters[LETTER_PLAIN]);
            expect_ok(client, smtp_client_quit(client));
        }
        smtp_client_free(client);
    }
    postfix_delivers(&postfix, 4);
    expect_int(postfix_has(&postfix, &trial.letters[LETTER_PLAIN], " with ESMTPSA id "), 4);
    postfix_stop(&postfix);
    end(&trial);
}

/* RFC 3207 4.1: without the certificate's authority nothing is said but STARTTLS. */
TEST_WITHIN(peers, postfix_of_an_unknown_authority_is_told_nothing, SECONDS)
{
    struct trial trial, other;
    struct postfix postfix;
    begin(&trial);
    begin(&other);
    postfix_start(&postfix, trial.certificate);
    struct smtp_client *client =
        new_client(&trial, STARTTLS, false, smtp_identity_ca_pem(other.identity));
    expect_ok(client, smtp_client_connect(client, "127.0.0.1", postfix.port));
    expect_int(smtp_client_login(client, postfix.user, postfix.password), SMTP_TLS_FAILED);
    expect_true(!smtp_client_is_connected(client));
    expect_true(
        program_says(&postfix.program, 0, " ehlo=1 starttls=0/1 commands=1/2\n", READY_MS) >= 0);
    smtp_client_free(client);
    postfix_stop(&postfix);
    end(&other);
    end(&trial);
}

/* ---- aiosmtpd ---- */

#define AIOSMTPD "aiosmtpd"
#define USER "ann@example.org"
#define PASSWORD                                                                                   \
    "Gr\xc3\xbc\xc3\x9f"                                                                           \
    "e-s3cret" /* UTF-8, RFC 4616 2 */

static void start_aiosmtpd(struct program *program, const char *certificate,
                           unsigned ports[TLS_WAY_COUNT])
{
    const char *argv[] = {
        "/usr/bin/python3", PEERS_SOURCE "/receive_aiosmtpd.py", certificate, USER, PASSWORD, NULL};
    program_start(program, argv);
    expect_true(program_says(program, 0, "\n", READY_MS) >= 0);
    expect_int(sscanf(program->said, "ports %u %u", &ports[STARTTLS], &ports[IMPLICIT]), 2);
}

TEST_WITHIN(peers, aiosmtpd_over_tls_gets_every_octet, SECONDS)
{
    static const char *const takes[] = {"LOGIN", "PLAIN"};
    struct trial trial;
    struct program program;
    unsigned ports[TLS_WAY_COUNT];
    char *expected = NULL;
    size_t expected_len = 0;
    begin(&trial);
    FILE *file = open_memstream(&expected, &expected_len);
    start_aiosmtpd(&program, trial.certificate, ports);
    for (size_t i = 0; i < 4 * (size_t)LETTER_COUNT; i++) {
        enum way way = i & 1 ? IMPLICIT : STARTTLS;
        bool old = i & 2;
        const struct letter *letter = &trial.letters[i / 4];
        const struct smtp_client_credentials credentials = {
            .identity = USER, .password = PASSWORD, .mechanism = takes[i / 4 % 2]};
        submit(&trial, AIOSMTPD, (uint16_t)ports[way], way, old, &credentials, i / 4);
        fprintf(file, "TLSv1.%d %s " USER "\nfrom " USER "\nto bob@example.com\noctets %zu\n",
                old ? 2 : 3, credentials.mechanism, letter->len);
        fwrite(letter->octets, 1, letter->len, file);
        cell_ok(AIOSMTPD, way, credentials.mechanism);
        cell_ok(AIOSMTPD, way, old ? "TLSv1.2" : "TLSv1.3");
    }
    expect_int(fclose(file), 0);
    program_end_input(&program);
    expect_int(program_wait(&program), 0);
    const char *came = strchr(program.said, '\n') + 1;
    expect_bytes(came, program.said_len - (size_t)(came - program.said), expected, expected_len);
    free(expected);
    program_free(&program);
    end(&trial);
}
