/* submitters_test.c - programs that submit mail every day, against this server over TLS and with AUTH: each
 * verifies the harness's certificate, every octet must come as it was sent, and the message must say how
 * it came. */
#include "tests/peers/submission.h"
#include "tests/support/test.h"

#include <ctype.h>
#include <stdio.h>

#define PYTHON "/usr/bin/python3" /* the system's, which has the system's modules */
#define SECONDS 60                /* a bound for a test of many programs; the usual time is a few */

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static const char *way_name(const struct submission *submission)
{
    static const char *const names[] = {"starttls", "implicit", "none"};
    return names[submission->way];
}

static bool has_token(const struct submission *submission)
{
    return submission->mechanism != NULL && (strcmp(submission->mechanism, "XOAUTH2") == 0 ||
                                             strcmp(submission->mechanism, "OAUTHBEARER") == 0);
}

static bool has_certificate(const struct submission *submission)
{
    return submission->mechanism != NULL && strcmp(submission->mechanism, "EXTERNAL") == 0;
}

/* What follows the program in the commands of the scripts here. */
static void compose_script(struct arguments *arguments, const struct submission *submission,
                           const char *version)
{
    argument(arguments, "%u", submission_port(submission));
    argument(arguments, "%s", way_name(submission));
    argument(arguments, "%s", version);
    arguments_add(arguments,
                  (const char *[]){submission->ca_file,
                                   has_certificate(submission) ? submission->own_certificate : "",
                                   or_empty(submission->mechanism), submission->user,
                                   submission->secret, REVERSE_PATH, FORWARD_PATH, NULL});
}

static void compose_smtplib(struct arguments *arguments, const struct submission *submission)
{
    arguments_add(arguments, (const char *[]){PYTHON, PEERS_SOURCE "/submit_smtplib.py", NULL});
    compose_script(arguments, submission, submission->version != NULL ? "TLSv1_2" : "");
}

static void compose_nodemailer(struct arguments *arguments, const struct submission *submission)
{
    arguments_add(arguments, (const char *[]){"node", PEERS_SOURCE "/submit_nodemailer.js", NULL});
    compose_script(arguments, submission, or_empty(submission->version));
}

static void compose_swaks(struct arguments *arguments, const struct submission *submission)
{
    arguments_add(arguments, (const char *[]){"swaks",
                                              "--server",
                                              "127.0.0.1",
                                              "--helo",
                                              "peer.test",
                                              "--from",
                                              REVERSE_PATH,
                                              "--to",
                                              FORWARD_PATH,
                                              "--data",
                                              "-",
                                              "--no-strip-from",
                                              "--timeout",
                                              "10",
                                              "--hide-send",
                                              "--tls-verify",
                                              "--tls-ca-path",
                                              submission->ca_file,
                                              "--port",
                                              NULL});
    argument(arguments, "%u", submission_port(submission));
    if (submission->way != IN_THE_CLEAR) {
        argument(arguments, "%s", submission->way == STARTTLS ? "--tls" : "--tls-on-connect");
    }
    if (submission->version != NULL) {
        arguments_add(arguments, (const char *[]){"--tls-protocol", "tlsv1_2", NULL});
    }
    if (submission->mechanism != NULL) {
        arguments_add(arguments, (const char *[]){"--auth", submission->mechanism, "--auth-user",
                                                  submission->user, "--auth-password",
                                                  submission->secret, NULL});
    }
}

static void add_lower_case(struct arguments *arguments, const char *option, const char *value)
{
    char lower[64];
    size_t len = 0;
    for (; value[len] != '\0' && len + 1 < sizeof lower; len++) {
        lower[len] = (char)tolower((unsigned char)value[len]);
    }
    lower[len] = '\0';
    argument(arguments, "%s%s", option, lower);
}

static void compose_msmtp(struct arguments *arguments, const struct submission *submission)
{
    arguments_add(arguments, (const char *[]){"msmtp", "--file=/dev/null", "--host=127.0.0.1",
                                              "--from=" REVERSE_PATH, "--domain=peer.test",
                                              "--timeout=10", NULL});
    argument(arguments, "--tls=%s", submission->way == IN_THE_CLEAR ? "off" : "on");
    argument(arguments, "--port=%u", submission_port(submission));
    argument(arguments, "--tls-starttls=%s", submission->way == STARTTLS ? "on" : "off");
    argument(arguments, "--tls-trust-file=%s", submission->ca_file);
    if (submission->version != NULL) {
        argument(arguments, "--tls-priorities=NORMAL:-VERS-TLS1.3");
    }
    if (has_certificate(submission)) {
        argument(arguments, "--tls-cert-file=%s", submission->own_certificate);
        argument(arguments, "--tls-key-file=%s", submission->own_certificate);
    }
    if (submission->mechanism != NULL) {
        add_lower_case(arguments, "--auth=", submission->mechanism);
        argument(arguments, "--user=%s", submission->user);
        argument(arguments, "--passwordeval=printf %%s '%s'", submission->secret);
    }
    arguments_add(arguments, (const char *[]){"--", FORWARD_PATH, NULL});
}

static void compose_curl(struct arguments *arguments, const struct submission *submission)
{
    arguments_add(arguments, (const char *[]){"curl", "--silent", "--show-error", "--noproxy", "*",
                                              "--max-time", "10", "--mail-from", REVERSE_PATH,
                                              "--mail-rcpt", FORWARD_PATH, "--upload-file", "-",
                                              "--cacert", submission->ca_file, NULL});
    if (submission->way == STARTTLS) {
        argument(arguments, "--ssl-reqd");
    }
    if (submission->version != NULL) {
        arguments_add(arguments, (const char *[]){"--tls-max", "1.2", NULL});
    }
    if (has_certificate(submission)) {
        arguments_add(arguments, (const char *[]){"--cert", submission->own_certificate, NULL});
    }
    if (submission->mechanism != NULL) {
        arguments_add(arguments, (const char *[]){"--login-options", NULL});
        argument(arguments, "AUTH=%s", submission->mechanism);
        arguments_add(arguments, (const char *[]){"--user", NULL});
        argument(arguments, "%s:%s", submission->user,
                 has_token(submission) || has_certificate(submission) ? "" : submission->secret);
    }
    if (has_token(submission)) {
        arguments_add(arguments, (const char *[]){"--oauth2-bearer", submission->secret, NULL});
    }
    argument(arguments, "%s://127.0.0.1:%u/peer.test",
             submission->way == IMPLICIT ? "smtps" : "smtp", submission_port(submission));
}

/* It logs in, then hands on what it reads. */
static void compose_gsasl(struct arguments *arguments, const struct submission *submission)
{
    const char *mechanism = submission->mechanism;
    arguments_add(arguments, (const char *[]){"gsasl", "--smtp", "--quiet", NULL});
    argument(arguments, submission->way == STARTTLS ? "--starttls" : "--no-starttls");
    argument(arguments, "--connect=127.0.0.1:%u", submission_port(submission));
    argument(arguments, "--x509-ca-file=%s", submission->ca_file);
    argument(arguments, "--mechanism=%s", mechanism);
    argument(arguments, "--authentication-id=%s", submission->user);
    argument(arguments, "--password=%s", submission->secret);
    if (strstr(mechanism, "-PLUS") == NULL) {
        argument(arguments, "--no-cb");
    }
    if (submission->version != NULL) {
        argument(arguments, "--priority=NORMAL:-VERS-TLS1.3");
    }
    if (has_certificate(submission)) {
        argument(arguments, "--x509-cert-file=%s", submission->own_certificate);
        argument(arguments, "--x509-key-file=%s", submission->own_certificate);
        argument(arguments, "--authorization-id=%s", submission->user);
    }
}

/* It hands on what it reads, from EHLO on. */
static void compose_openssl(struct arguments *arguments, const struct submission *submission)
{
    arguments_add(arguments, (const char *[]){"openssl", "s_client", "-quiet",
                                              "-verify_return_error", "-verify_ip", "127.0.0.1",
                                              "-CAfile", submission->ca_file, "-connect", NULL});
    argument(arguments, "127.0.0.1:%u", submission_port(submission));
    if (submission->way == STARTTLS) {
        arguments_add(arguments, (const char *[]){"-starttls", "smtp", NULL});
    }
    argument(arguments, submission->version != NULL ? "-tls1_2" : "-tls1_3");
}

static const struct peer smtplib = {.name = "smtplib",
                                    .compose = compose_smtplib,
                                    .lacks = {"No suitable authentication method found"}};
static const struct peer nodemailer = {.name = "nodemailer",
                                       .compose = compose_nodemailer,
                                       .lacks = {"Unknown authentication method"}};
static const struct peer swaks = {.name = "swaks",
                                  .compose = compose_swaks,
                                  .reads = WITHOUT_LAST_CRLF, /* it adds one always */
                                  .lacks = {"is not a recognized auth type"},
                                  .ignores_names = true};
static const struct peer msmtp = {
    .name = "msmtp", .compose = compose_msmtp, .reads = WITH_LF, .lacks = {"for --auth"}};
static const struct peer curl = {.name = "curl",
                                 .compose = compose_curl,
                                 .lacks = {"Login denied", "(3) URL using bad/illegal format"}};
static const struct peer openssl = {
    .name = "openssl s_client", .compose = compose_openssl, .reads = AS_A_SESSION};
static const struct peer gsasl = {.name = "gsasl",
                                  .compose = compose_gsasl,
                                  .reads = AS_COMMANDS,
                                  .lacks = {"Cannot find mechanism"},
                                  .starttls_only = true};

#define OVER_TLS(peer)                                                                             \
    TEST_WITHIN(peers, peer##_over_tls_delivers_every_octet, SECONDS)                              \
    {                                                                                              \
        peer_delivers(&peer);                                                                      \
    }                                                                                              \
    TEST_WITHIN(peers, peer##_refuses_each_wrong_certificate, SECONDS)                             \
    {                                                                                              \
        peer_refuses_flaws(&peer);                                                                 \
    }

#define WITH_AUTH(peer)                                                                            \
    TEST_WITHIN(peers, peer##_logs_in_by_each_mechanism, SECONDS)                                  \
    {                                                                                              \
        peer_logs_in(&peer);                                                                       \
    }                                                                                              \
    TEST_WITHIN(peers, peer##_is_refused_with_a_wrong_password, SECONDS)                           \
    {                                                                                              \
        peer_is_refused(&peer);                                                                    \
    }

OVER_TLS(smtplib)
WITH_AUTH(smtplib)
OVER_TLS(nodemailer)
WITH_AUTH(nodemailer)
OVER_TLS(swaks)
WITH_AUTH(swaks)
OVER_TLS(msmtp)
WITH_AUTH(msmtp)
OVER_TLS(curl)
WITH_AUTH(curl)
OVER_TLS(openssl)
WITH_AUTH(gsasl)

/* RFC 4616 2, RFC 5802 2.2: names and passwords are UTF-8. */
TEST_WITHIN(peers, names_and_passwords_beyond_ascii_come_as_they_are, SECONDS)
{
    peer_logs_in_with_utf8(&curl, "PLAIN");
    peer_logs_in_with_utf8(&nodemailer, "LOGIN");
    peer_logs_in_with_utf8(&swaks, "CRAM-MD5");
    peer_logs_in_with_utf8(&msmtp, "SCRAM-SHA-1");
    peer_logs_in_with_utf8(&gsasl, "SCRAM-SHA-256");
}

/* One session by STARTTLS that ends at once, with these options of s_client's; what it said, freed by the
 * caller. */
static char *greet_by_openssl(const struct smtp_harness *harness, const char *ca_file,
                              const char *version, const char *option, const char *session_file)
{
    static const char commands[] = "EHLO peer.test\r\nQUIT\r\n";
    struct arguments arguments = {0};
    struct program program;
    arguments_add(&arguments, (const char *[]){"openssl", "s_client", "-ign_eof", "-starttls",
                                               "smtp", "-verify_return_error", "-CAfile", ca_file,
                                               version, option, session_file, "-connect", NULL});
    argument(&arguments, "127.0.0.1:%u", smtp_harness_port(harness));
    program_start_with(&program, arguments.argv, commands, sizeof commands - 1);
    int status = program_wait(&program);
    if (status != 0) {
        SMTP_TEST_FAIL("s_client ended with %d: %s", status, program.said);
    }
    char *said = program.said;
    program.said = NULL;
    program_free(&program);
    return said;
}

/* RFC 8446 2.2, RFC 5077: the second connection takes the first one's session up again. */
TEST_WITHIN(peers, openssl_resumes_a_session, SECONDS)
{
    static const char *const versions[][2] = {{"-tls1_3", "\nReused, TLSv1.3, "},
                                              {"-tls1_2", "\nReused, TLSv1.2, "}};
    struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
    char *directory = make_directory(), *session_file = write_file(directory, "session", "");
    expect_true(harness != NULL);
    char *ca_file = write_file(directory, "ca.pem", smtp_harness_ca_pem(harness));
    for (size_t i = 0; i < 2; i++) {
        char *first = greet_by_openssl(harness, ca_file, versions[i][0], "-sess_out", session_file);
        char *second = greet_by_openssl(harness, ca_file, versions[i][0], "-sess_in", session_file);
        expect_contains(first, "\nNew, TLSv1.");
        expect_contains(second, versions[i][1]);
        expect_contains(second, "\n221 2.0.0 ");
        free(first);
        free(second);
    }
    free(session_file);
    free(ca_file);
    remove_directory(directory);
    smtp_harness_stop(harness);
}
