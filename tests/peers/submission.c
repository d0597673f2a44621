/* submission.c - see submission.h. The server offers the one mechanism that is tried, so that a program
 * that would rather take another cannot. */
#include "tests/peers/submission.h"

#include "common/secret.h"
#include "tests/support/test.h"

#include <stdio.h>

#define USER "ann@example.org"
#define SECRET "s3cret.Token-1~" /* may be a token too, RFC 6750 2.1 */
#define UTF8_USER "j\xc3\xbcrgen@example.org"
#define UTF8_SECRET                                                                                \
    "Gr\xc3\xbc\xc3\x9f"                                                                           \
    "e \xe2\x82\xac"

static const char *const listen_on[] = {"127.0.0.1:0", "smtps://127.0.0.1:0"};
static const struct smtp_server_user users[] = {{USER, SECRET}, {UTF8_USER, UTF8_SECRET}};

/* Starts it with a certificate that has the flaw; with `mechanism`, it takes mail after AUTH alone. */
static void begin(struct submission *submission, const char *mechanism,
                  enum smtp_identity_flaw flaw)
{
    struct smtp_error error = {0};
    struct smtp_harness_options options;
    struct smtp_identity *identity, *client;
    const struct smtp_identity_options flawed = {.flaw = flaw};
    expect_int(smtp_identity_new(&identity, &flawed, &error), SMTP_OK);
    expect_int(smtp_identity_new_client(&client, identity, USER, &error), SMTP_OK);
    smtp_harness_options_init(&options);
    options.server.listen = listen_on;
    options.server.listen_count = sizeof listen_on / sizeof listen_on[0];
    options.server.tls.identity = identity;
    if (mechanism != NULL) {
        options.server.auth.users = users;
        options.server.auth.user_count = sizeof users / sizeof users[0];
        options.server.auth.required = true;
        options.server.auth.mechanisms = mechanism;
        options.server.auth.plain_without_tls = true;
        options.server.tls.client_ca_pem = smtp_identity_ca_pem(identity);
    }
    *submission = (struct submission){
        .mechanism = mechanism, .user = USER, .secret = SECRET, .directory = make_directory()};
    submission->ca_file =
        write_file(submission->directory, "ca.pem", smtp_identity_ca_pem(identity));
    submission->own_certificate = write_certificate(submission->directory, "client.pem", client);
    letters_make(submission->letters);
    submission->harness = smtp_harness_start(&options, &error);
    expect_str(error.message, "");
    smtp_identity_release(client);
    smtp_identity_release(identity);
}

static void end(struct submission *submission)
{
    smtp_harness_stop(submission->harness);
    letters_free(submission->letters);
    free(submission->ca_file);
    free(submission->own_certificate);
    remove_directory(submission->directory);
}

unsigned submission_port(const struct submission *submission)
{
    return smtp_server_port(smtp_harness_server(submission->harness), submission->way == IMPLICIT);
}

/* The letter as the peer reads it, freed by the caller. */
static char *form_of(const struct peer *peer, const struct letter *letter, size_t *len)
{
    char *octets;
    if (peer->reads == WITH_LF) {
        return letter_with_lf(letter, len);
    }
    if (peer->reads == AS_COMMANDS) {
        return letter_as_commands(letter, REVERSE_PATH, FORWARD_PATH, "", "", len);
    }
    if (peer->reads == AS_A_SESSION) {
        return letter_as_commands(letter, REVERSE_PATH, FORWARD_PATH, "EHLO peer.test\r\n",
                                  "QUIT\r\n", len);
    }
    *len = peer->reads == WITHOUT_LAST_CRLF ? letter->len - 2 : letter->len;
    octets = calloc(1, *len + 1);
    expect_true(octets != NULL);
    memcpy(octets, letter->octets, *len);
    return octets;
}

/* Has it bring the letter; its exit status. What it said is freed by the caller. */
static int run(const struct peer *peer, const struct submission *submission,
               const struct letter *letter, char **said)
{
    struct arguments arguments = {0};
    struct program program;
    size_t len;
    char *input = form_of(peer, letter, &len);
    peer->compose(&arguments, submission);
    program_start_with(&program, arguments.argv, input, len);
    int status = program_wait(&program);
    *said = program.said;
    program.said = NULL;
    program_free(&program);
    free(input);
    return status;
}

static void expect_not_said(const char *transcript, const char *octets, size_t len)
{
    struct smtp_buffer base64 = SMTP_BUFFER(256);
    expect_int(smtp_base64_append(&base64, (struct smtp_span){octets, len}), SMTP_OK);
    expect_int(smtp_buffer_append(&base64, "", 1), SMTP_OK);
    expect_true(strstr(transcript, smtp_buffer_span(&base64).bytes) == NULL);
    smtp_buffer_free(&base64);
}

/* Nothing of the session's transcript gives the secret away, neither as it is nor as LOGIN and PLAIN send
 * it. */
static void expect_masked(const struct submission *submission, uint64_t session)
{
    const char *transcript = smtp_harness_transcript(submission->harness, session);
    char plain[128];
    int len = snprintf(plain, sizeof plain, "%c%s%c%s", 0, submission->user, 0, submission->secret);
    expect_true(transcript != NULL && strstr(transcript, submission->secret) == NULL);
    expect_not_said(transcript, submission->secret, strlen(submission->secret));
    expect_not_said(transcript, plain, (size_t)len);
}

/* The next message captured is the letter, and came as the submission says; its TLS version. */
static const char *expect_submitted(struct submission *submission, const struct letter *letter)
{
    expect_int(smtp_harness_wait_count(submission->harness, submission->captured + 1), SMTP_OK);
    const struct smtp_message *message =
        smtp_harness_envelope(smtp_harness_message(submission->harness, submission->captured++));
    size_t len = 0;
    char protocol[8];
    expect_str(smtp_message_reverse_path(message), REVERSE_PATH);
    expect_int(smtp_message_recipient_count(message), 1);
    expect_str(smtp_message_forward_path(message, 0), FORWARD_PATH);
    const char *content = smtp_message_content(message, &len);
    expect_bytes(content, len, letter->octets, letter->len);
    snprintf(protocol, sizeof protocol, "ESMTP%s%s", submission->way == IN_THE_CLEAR ? "" : "S",
             submission->mechanism == NULL ? "" : "A");
    expect_str(smtp_message_protocol(message), protocol);
    expect_str(smtp_message_identity(message), submission->mechanism ? submission->user : "");
    expect_str(smtp_message_tls(message), submission->way == IN_THE_CLEAR ? ""
                                          : submission->version != NULL   ? submission->version
                                                                          : "TLSv1.3");
    expect_masked(submission, smtp_message_session(message));
    return smtp_message_tls(message);
}

void peer_delivers(const struct peer *peer)
{
    static const char *const versions[] = {NULL, "TLSv1.2"};
    struct submission submission;
    begin(&submission, NULL, SMTP_IDENTITY_SOUND);
    for (size_t i = 0; i < 2 * TLS_WAY_COUNT; i++) {
        const char *version = NULL;
        submission.way = i / 2 == 0 ? STARTTLS : IMPLICIT;
        submission.version = versions[i % 2];
        for (size_t k = 0; k < LETTER_COUNT; k++) {
            char *said;
            int status = run(peer, &submission, &submission.letters[k], &said);
            if (status != 0) {
                SMTP_TEST_FAIL("%s ended with %d: %s", peer->name, status, said);
            }
            free(said);
            version = expect_submitted(&submission, &submission.letters[k]);
        }
        cell_ok(peer->name, submission.way, version);
    }
    end(&submission);
}

/* Whether it brought nothing because it has no such mechanism: it says so, and never tried. */
static bool found_lacking(const struct peer *peer, const struct submission *submission,
                          const char *said)
{
    const char *transcript = smtp_harness_transcript(submission->harness, 1);
    if (transcript != NULL && strstr(transcript, "C: AUTH") != NULL) {
        return false;
    }
    for (size_t i = 0; i < sizeof peer->lacks / sizeof peer->lacks[0]; i++) {
        if (peer->lacks[i] != NULL && strstr(said, peer->lacks[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* One login and one letter; false: the peer has no such mechanism. */
static bool log_in(const struct peer *peer, struct submission *submission)
{
    const struct letter *letter = &submission->letters[LETTER_DOTS];
    char *said;
    int status = run(peer, submission, letter, &said);
    bool lacks = found_lacking(peer, submission, said);
    if (status != 0 && !lacks) {
        SMTP_TEST_FAIL("%s with %s ended with %d: %s\n%s", peer->name, submission->mechanism,
                       status, said, smtp_harness_transcript(submission->harness, 1));
    }
    free(said);
    if (lacks) {
        expect_int(smtp_mailbox_captured(smtp_harness_mailbox(submission->harness)), 0);
        cell_lacking(peer->name, submission->mechanism);
        return false;
    }
    const char *version = expect_submitted(submission, letter);
    if (*version != '\0') {
        cell_ok(peer->name, submission->way, version);
    }
    cell_ok(peer->name, submission->way, submission->mechanism);
    return true;
}

/* It binds to TLS, or to a certificate. */
static bool needs_tls(const char *mechanism)
{
    return strstr(mechanism, "-PLUS") != NULL || strcmp(mechanism, "EXTERNAL") == 0;
}

void peer_logs_in(const struct peer *peer)
{
    for (size_t i = 0; i < MECHANISM_COUNT; i++) {
        struct submission submission;
        begin(&submission, mechanisms[i], SMTP_IDENTITY_SOUND);
        submission.way = STARTTLS;
        bool logs_in = log_in(peer, &submission);
        if (logs_in) {
            submission.way = peer->starttls_only ? STARTTLS : IMPLICIT;
            submission.version = "TLSv1.2"; /* which has another channel binding */
            log_in(peer, &submission);
        }
        if (logs_in && !needs_tls(mechanisms[i])) {
            submission.way = IN_THE_CLEAR;
            submission.version = NULL;
            log_in(peer, &submission);
        }
        end(&submission);
    }
}

void peer_logs_in_with_utf8(const struct peer *peer, const char *mechanism)
{
    struct submission submission;
    begin(&submission, mechanism, SMTP_IDENTITY_SOUND);
    submission.user = UTF8_USER;
    submission.secret = UTF8_SECRET;
    expect_true(log_in(peer, &submission));
    end(&submission);
}

/* What the server says to a wrong secret; to a wrong token, {"status": in a challenge (RFC 7628 3.2.2). Of
 * the 535 after it programs differ: curl does not wait for it, msmtp ends the exchange by another response
 * than RFC 7628 3.2.3 has. */
static const char *refusal(const char *mechanism)
{
    bool token = strcmp(mechanism, "XOAUTH2") == 0 || strcmp(mechanism, "OAUTHBEARER") == 0;
    return token ? "S: 334 eyJzdGF0dXMiO" : "S: 535 5.7.8 ";
}

void peer_is_refused(const struct peer *peer)
{
    size_t refused = 0;
    for (size_t i = 0; i < MECHANISM_COUNT; i++) {
        struct submission submission;
        char *said;
        begin(&submission, mechanisms[i], SMTP_IDENTITY_SOUND);
        submission.secret = "wr0ng";
        int status = run(peer, &submission, &submission.letters[LETTER_PLAIN], &said);
        if (strcmp(mechanisms[i], "EXTERNAL") != 0 && !found_lacking(peer, &submission, said)) {
            expect_contains(smtp_harness_transcript(submission.harness, 1), refusal(mechanisms[i]));
            expect_masked(&submission, 1);
            expect_true(status != 0);
            expect_int(smtp_mailbox_captured(smtp_harness_mailbox(submission.harness)), 0);
            refused++;
        }
        free(said);
        end(&submission);
    }
    expect_true(refused > 0);
}

void peer_refuses_flaws(const struct peer *peer)
{
    for (int flaw = SMTP_IDENTITY_EXPIRED; flaw <= SMTP_IDENTITY_NO_INTERMEDIATE; flaw++) {
        if (flaw == SMTP_IDENTITY_WRONG_NAME && peer->ignores_names) {
            continue;
        }
        struct submission submission;
        begin(&submission, NULL, (enum smtp_identity_flaw)flaw);
        for (int way = STARTTLS; way <= IMPLICIT; way++) {
            char *said;
            submission.way = (enum way)way;
            if (run(peer, &submission, &submission.letters[LETTER_PLAIN], &said) == 0) {
                SMTP_TEST_FAIL("%s took the certificate with flaw %d: %s", peer->name, flaw, said);
            }
            expect_contains(said, "certificate");
            free(said);
        }
        expect_int(smtp_mailbox_captured(smtp_harness_mailbox(submission.harness)), 0);
        end(&submission);
    }
}
