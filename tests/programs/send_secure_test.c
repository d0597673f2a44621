/* send_secure_test.c - the verb `send` under TLS and with a login, as another client for a server, and with a
 * server that says nothing: what passes, what is refused, and the exit status of each. */
#include "tests/programs/send_program.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

/** A server with a certificate, and the file that makes it trusted. */
struct secure {
    struct smtp_harness *harness;
    const char *url;
    char directory[64], ca[96], password[96];
};

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    expect_true(file != NULL && fputs(text, file) >= 0);
    expect_int(fclose(file), 0);
}

/** scheme: "smtp" or "smtps"; mechanisms: NULL for no login. */
static struct secure secure_start(const char *scheme, const char *mechanisms)
{
    static const struct smtp_server_user ann = {"ann", "correct horse"};
    struct secure secure;
    struct smtp_harness_options options;
    char address[32];
    const char *listen[] = {address};
    snprintf(address, sizeof address, "%s://127.0.0.1:0", scheme);
    smtp_harness_options_init(&options);
    options.server.listen = listen;
    options.server.listen_count = 1;
    options.server.tls.mode = SMTP_SERVER_TLS_REQUIRED;
    if (mechanisms != NULL) {
        options.server.auth = (struct smtp_server_auth){
            .users = &ann, .user_count = 1, .required = true, .mechanisms = mechanisms};
    }
    secure.harness = send_begin_with(&options);
    secure.url = smtp_harness_url(secure.harness);
    smtp_make_directory(secure.directory);
    snprintf(secure.ca, sizeof secure.ca, "%s/ca.pem", secure.directory);
    snprintf(secure.password, sizeof secure.password, "%s/password", secure.directory);
    write_text(secure.ca, smtp_harness_ca_pem(secure.harness));
    write_text(secure.password, "correct horse\nnot this\n");
    return secure;
}

static void secure_stop(struct secure *secure)
{
    smtp_remove_directory(secure->directory);
    smtp_harness_stop(secure->harness);
}

#define SECURE_SEND(secure, ...)                                                                   \
    SEND((secure).url, "-q", "--text", "sealed", "bob@example.com", __VA_ARGS__)

static void expect_arrived(struct secure *secure, const char *how)
{
    if (smtp_harness_expect(secure->harness, how) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", smtp_harness_failure(secure->harness));
    }
}

static void expect_nothing(struct secure *secure)
{
    expect_int(smtp_harness_expect_none(secure->harness, "", 0), SMTP_OK);
}

/* ---- TLS ---- */

TEST_ALONE(send_secure, starttls_passes_with_the_authority_and_is_refused_without)
{
    struct secure secure = secure_start("smtp", NULL);
    unsetenv("SMTP_CA_FILE");
    expect_ended(run_to_end(SECURE_SEND(secure, "--tls", "required")), EX_PROTOCOL, "no TLS with ");
    expect_nothing(&secure);
    struct ended ended = run_to_end(SEND(secure.url, "--text", "sealed", "bob@example.com"));
    expect_str(ended.out, "bob@example.com: not-sent\n"); /* without the 220 to STARTTLS */
    expect_ended(ended, EX_PROTOCOL, "--ca FILE says whom TLS trusts");
    expect_ended(run_to_end(SECURE_SEND(secure, "--tls", "never")), EX_NOPERM, "530");
    expect_nothing(&secure);
    expect_ended(run_to_end(SECURE_SEND(secure, "--tls", "required", "--ca", secure.ca)), 0, "");
    expect_arrived(&secure, "tls~^TLSv1 protocol=ESMTPS count=1");
    setenv("SMTP_CA_FILE", secure.ca, 1);
    expect_ended(run_to_end(SECURE_SEND(secure, "--tls", "offered")), 0, "");
    unsetenv("SMTP_CA_FILE");
    expect_ended(run_to_end(SECURE_SEND(secure, "--tls", "required", "--insecure")), 0, "");
    expect_arrived(&secure, "tls~^TLSv1 count=3");
    secure_stop(&secure);
}

/* RFC 8314 3.3 */
TEST(send_secure, smtps_is_tls_from_the_first_octet_and_refused_without_the_authority)
{
    struct secure secure = secure_start("smtps", NULL);
    unsetenv("SMTP_CA_FILE");
    expect_true(strncmp(secure.url, "smtps://", 8) == 0);
    expect_ended(run_to_end(SECURE_SEND(secure, "-F", "x")), EX_PROTOCOL, "no TLS with ");
    expect_nothing(&secure);
    expect_ended(run_to_end(SECURE_SEND(secure, "--ca", secure.ca)), 0, "");
    expect_arrived(&secure, "tls~^TLSv1 protocol=ESMTPS count=1");
    secure_stop(&secure);
}

TEST(send_secure, a_certificate_for_another_name_is_refused_unless_that_name_is_said)
{
    struct secure secure = secure_start("smtp", NULL);
    expect_ended(run_to_end(SECURE_SEND(secure, "--ca", secure.ca, "--tls-name", "mx.example")),
                 EX_PROTOCOL, "mx.example");
    expect_nothing(&secure);
    expect_ended(run_to_end(SECURE_SEND(secure, "--ca", secure.ca, "--tls-name", "localhost")), 0,
                 "");
    expect_ended(run_to_end(SECURE_SEND(secure, "--ca", secure.ca, "--tls-name", "\303.example")),
                 EX_USAGE, "the certificate's name: ");
    expect_ended(run_to_end(SECURE_SEND(secure, "--ca", "/nonexistent.pem", "--tls", "required")),
                 EX_CONFIG, "--ca: cannot read /nonexistent.pem: No such file or directory");
    expect_arrived(&secure, "tls~^TLSv1 count=1");
    secure_stop(&secure);
}

TEST(send_secure, tls_that_is_required_and_not_offered_sends_nothing)
{
    struct smtp_harness *harness = send_begin();
    expect_ended(run_to_end(SEND(smtp_harness_url(harness), "-q", "--tls", "required", "--text",
                                 "x", "bob@example.com")),
                 EX_UNAVAILABLE, "the server does not offer STARTTLS");
    expect_int(smtp_harness_expect_none(harness, "", 0), SMTP_OK);
    smtp_harness_stop(harness);
}

/* ---- logins ---- */

TEST_ALONE(send_secure, the_password_is_a_file_s_first_line_or_of_the_environment_or_of_the_url)
{
    struct secure secure = secure_start("smtp", "SCRAM-SHA-256 PLAIN");
    char url[128];
    expect_ended(run_to_end(SECURE_SEND(secure, "--ca", secure.ca)), EX_NOPERM, "530");
    expect_nothing(&secure);
    expect_ended(run_to_end(SECURE_SEND(secure, "--ca", secure.ca, "--user", "ann",
                                        "--password-file", secure.password)),
                 0, "");
    expect_arrived(&secure, "auth=ann tls~^TLSv1 protocol=ESMTPSA count=1");
    setenv("SMTP_PASSWORD", "correct horse", 1);
    expect_ended(
        run_to_end(SECURE_SEND(secure, "--ca", secure.ca, "--user", "ann", "--mechanism", "PLAIN")),
        0, "");
    setenv("SMTP_PASSWORD", "wrong", 1);
    snprintf(url, sizeof url, "smtp://ann:correct%%20horse@127.0.0.1:%u",
             smtp_harness_port(secure.harness));
    expect_ended(
        run_to_end(SEND(url, "-q", "--ca", secure.ca, "--text", "sealed", "bob@example.com")), 0,
        "");
    expect_arrived(&secure, "auth=ann count=3");
    expect_ended(run_to_end(SECURE_SEND(secure, "--ca", secure.ca, "--user", "ann")), EX_NOPERM,
                 "535");
    expect_arrived(&secure, "count=3");
    unsetenv("SMTP_PASSWORD");
    secure_stop(&secure);
}

TEST_ALONE(send_secure, a_password_goes_out_in_the_clear_where_that_is_said_alone)
{
    static const struct smtp_server_user ann = {"ann", "secret"};
    struct smtp_harness_options options;
    send_options_init(&options);
    options.server.auth = (struct smtp_server_auth){
        .users = &ann, .user_count = 1, .mechanisms = "PLAIN", .plain_without_tls = true};
    struct smtp_harness *harness = send_begin_with(&options);
    const char *url = smtp_harness_url(harness);
    setenv("SMTP_PASSWORD", "secret", 1);
    expect_ended(run_to_end(SEND(url, "-q", "--text", "x", "b@c.d", "--user", "ann")),
                 EX_UNAVAILABLE, "the server does not offer STARTTLS");
    expect_ended(
        run_to_end(SEND(url, "-q", "--text", "x", "b@c.d", "--user", "ann", "--tls", "never")),
        EX_NOPERM, "use TLS, or allow plain without TLS");
    expect_int(smtp_harness_expect_none(harness, "", 0), SMTP_OK);
    expect_ended(run_to_end(SEND(url, "-q", "--text", "x", "b@c.d", "--user", "ann", "--tls",
                                 "never", "--plain-without-tls")),
                 0, "");
    expect_int(smtp_harness_expect(harness, "auth=ann protocol=ESMTPA count=1"), SMTP_OK);
    unsetenv("SMTP_PASSWORD");
    smtp_harness_stop(harness);
}

/* ---- another client's words ---- */

static struct smtp_harness *begin_trusting(bool proxy_protocol)
{
    static const char *const trusted[] = {"127.0.0.1"};
    struct smtp_harness_options options;
    send_options_init(&options);
    options.server.trusted_peers = trusted;
    options.server.trusted_peer_count = 1;
    options.server.keywords.xclient = true;
    options.server.proxy_protocol = proxy_protocol;
    return send_begin_with(&options);
}

TEST(send_secure, xclient_and_a_proxy_header_name_the_peer)
{
    static const char *const headers[] = {"v1 192.0.2.1:4011 192.0.2.2:25",
                                          "v2 [2001:db8::1]:4011 [2001:db8::2]:25"};
    static const char *const peers[] = {"192.0.2.1:4011", "[2001:db8::1]:4011"};
    struct smtp_harness *harness = begin_trusting(false);
    expect_ended(run_to_end(SEND(smtp_harness_url(harness), "-q", "--text", "x", "b@c.d",
                                 "--xclient", "NAME=a.example ADDR=192.0.2.7 PORT=4012")),
                 0, "");
    expect_str(smtp_message_peer(smtp_harness_envelope(next_message(harness))), "192.0.2.7:4012");
    smtp_harness_stop(harness);
    harness = begin_trusting(true);
    for (size_t i = 0; i < 2; i++) {
        expect_ended(run_to_end(SEND(smtp_harness_url(harness), "-q", "--text", "x", "b@c.d",
                                     "--proxy-header", headers[i])),
                     0, "");
        expect_str(smtp_message_peer(smtp_harness_envelope(next_message(harness))), peers[i]);
    }
    smtp_harness_stop(harness);
}

TEST(send_secure, xclient_that_is_not_offered_or_not_understood_sends_nothing)
{
    struct smtp_harness *harness = send_begin();
    expect_ended(run_to_end(SEND(smtp_harness_url(harness), "-q", "--text", "x", "b@c.d",
                                 "--xclient", "ADDR=192.0.2.7")),
                 EX_UNAVAILABLE, "the server does not offer XCLIENT");
    smtp_harness_stop(harness);
    harness = begin_trusting(false);
    expect_ended(run_to_end(SEND(smtp_harness_url(harness), "-q", "--text", "x", "b@c.d",
                                 "--xclient", "COLOUR=red")),
                 EX_UNAVAILABLE, "XCLIENT takes no COLOUR");
    expect_int(smtp_harness_expect_none(harness, "", 0), SMTP_OK);
    smtp_harness_stop(harness);
}

/* ---- a server that says nothing, RFC 5321 4.5.3.2 ---- */

static const struct {
    const char *fault, *timeout, *complaint;
} silences[] = {
    {"greeting: hang", "greeting=100", "in time; stage: greeting"},
    {"starttls: hang", "command=100", "in time; stage: STARTTLS"},
    {"tls: hang", "handshake=100", "in time"},
    {"ehlo: hang", "command=100", "in time; stage: EHLO"},
    {"mail: hang", "command=100", "in time; stage: MAIL"},
    {"data: hang", "data=100", "in time; stage: DATA"},
    {"dot: hang", "final=100", "in time after the final dot: unknown"},
    {"mail: hang", "overall=300", "the overall deadline passed; stage: MAIL"},
};

TEST(send_secure, a_server_that_says_nothing_is_given_up_and_another_try_is_told)
{
    struct secure secure = secure_start("smtp", NULL);
    for (size_t i = 0; i < sizeof silences / sizeof *silences; i++) {
        expect_int(smtp_harness_fault(secure.harness, silences[i].fault), SMTP_OK);
        expect_ended(run_to_end(SECURE_SEND(secure, "--ca", secure.ca, "--timeout",
                                            silences[i].timeout, "--no-chunking")),
                     EX_TEMPFAIL, silences[i].complaint);
        smtp_harness_clear_faults(secure.harness);
    }
    expect_nothing(&secure);
    secure_stop(&secure);
}

TEST(send_secure, what_became_of_a_message_whose_last_reply_never_came_is_unknown)
{
    struct smtp_harness *harness = send_begin();
    expect_int(smtp_harness_fault(harness, "dot: hang"), SMTP_OK);
    struct ended ended = run_to_end(SEND(smtp_harness_url(harness), "--text", "x",
                                         "bob@example.com", "--timeout", "final=100"));
    expect_str(ended.out, "bob@example.com: unknown\n");
    expect_ended(ended, EX_TEMPFAIL, "unknown whether the message was delivered");
    smtp_harness_stop(harness);
}

TEST(send_secure, a_connection_that_is_refused_or_reset_is_worth_another_try)
{
    struct smtp_harness *harness = send_begin();
    char url[64];
    snprintf(url, sizeof url, "%s", smtp_harness_url(harness));
    expect_int(smtp_harness_fault(harness, "mail: reset"), SMTP_OK);
    expect_ended(run_to_end(SEND(url, "-q", "--text", "x", "b@c.d", "--no-pipelining")),
                 EX_TEMPFAIL, "the server closed the connection; stage: MAIL");
    smtp_harness_stop(harness);
    expect_ended(run_to_end(SEND(url, "-q", "--text", "x", "b@c.d")), EX_TEMPFAIL,
                 "connection refused");
}

/* ---- exit statuses ---- */

static const struct {
    const char *fault;
    int status;
    const char *complaint;
} answers[] = {
    {"greeting: reply 554 5.3.2", EX_UNAVAILABLE, "the connection was refused: 554"},
    {"greeting: reply 421 4.3.2", EX_TEMPFAIL, "the connection was refused: 421"},
    {"greeting: octets \"SSH-2.0-x\\r\\n\"", EX_PROTOCOL, "SSH-2.0-x"},
    {"connect: close", EX_TEMPFAIL, "the server closed the connection"},
    {"starttls: reply 454 4.7.0", EX_TEMPFAIL, "454"},
    {"tls: certificate expired", EX_PROTOCOL, "no TLS with "},
    {"tls: certificate wrong-name", EX_PROTOCOL, "no TLS with "},
    {"tls: cut 100", EX_PROTOCOL, "no TLS with "},
    {"auth: reply 454 4.7.0", EX_TEMPFAIL, "454"},
    {"auth: reply 535 5.7.8", EX_NOPERM, "535"},
    {"auth: reply 534 5.7.9", EX_NOPERM, "534"},
    {"mail: reply 452 4.3.1", EX_TEMPFAIL, "452"},
    {"mail: reply 550 5.7.1", EX_UNAVAILABLE, "550"},
    {"rcpt: reply 450 4.2.1", EX_TEMPFAIL, "450"},
    {"rcpt: reply 551 5.1.6", EX_UNAVAILABLE, "551"},
    {"rcpt: octets \"25\\r\\n\"", EX_PROTOCOL, "\"25"},
    {"data: reply 554 5.6.0", EX_UNAVAILABLE, "554"},
    {"dot: reply 452 4.3.1", EX_TEMPFAIL, "452"},
    {"dot: reply 552 5.3.4", EX_UNAVAILABLE, "552"},
    {"dot: close", EX_TEMPFAIL, "unknown whether the message was delivered"},
};

TEST_WITHIN(send_secure, each_answer_has_its_exit_status, 60)
{
    struct secure secure = secure_start("smtp", "PLAIN");
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        expect_int(smtp_harness_fault(secure.harness, answers[i].fault), SMTP_OK);
        struct ended ended =
            run_to_end(SECURE_SEND(secure, "--ca", secure.ca, "--user", "ann", "--password-file",
                                   secure.password, "--no-chunking", "--timeout", "overall=10000"));
        if (ended.exit_status != answers[i].status) {
            SMTP_TEST_FAIL("%s: exit status %d, %s", answers[i].fault, ended.exit_status,
                           ended.err);
        }
        expect_ended(ended, answers[i].status, answers[i].complaint);
        smtp_harness_clear_faults(secure.harness);
    }
    expect_nothing(&secure);
    expect_ended(run_to_end(SECURE_SEND(secure, "--ca", secure.ca, "--user", "ann",
                                        "--password-file", secure.password)),
                 0, "");
    secure_stop(&secure);
}

TEST(send_secure, results_that_cannot_be_written_are_told_of_a_message_that_was_sent)
{
    struct smtp_harness *harness = send_begin();
    const char *const argv[] = {"/bin/sh",
                                "-c",
                                "exec \"$0\" send \"$1\" --text x bob@example.com >/dev/full",
                                SMTP_HARNESS,
                                smtp_harness_url(harness),
                                NULL};
    expect_ended(run_to_end(argv), EX_IOERR, "the results cannot be written: No space left");
    expect_int(smtp_harness_expect(harness, "to=bob@example.com count=1"), SMTP_OK);
    smtp_harness_stop(harness);
}

/* RFC 2033 4.2 */
TEST(send_secure, over_lmtp_each_recipient_has_an_answer_of_its_own)
{
    const char *listen[] = {"lmtp://127.0.0.1:0"};
    struct smtp_harness_options options;
    send_options_init(&options);
    options.server.listen = listen;
    options.server.listen_count = 1;
    struct smtp_harness *harness = send_begin_with(&options);
    expect_int(smtp_harness_fault(harness, "dot carol@*: reply 452 4.2.2 \"full\""), SMTP_OK);
    struct ended ended = run_to_end(
        SEND(smtp_harness_url(harness), "--text", "x", "bob@example.com", "carol@example.com"));
    expect_contains(ended.out, "bob@example.com: ok, 250 ");
    expect_contains(ended.out, "carol@example.com: temporary, 452 4.2.2 full\n");
    expect_ended(ended, EX_TEMPFAIL, "smtp-harness send: ");
    smtp_harness_stop(harness);
}
