/* extension_receivers_test.c - what this client sends beyond RFC 5321, to servers that others wrote: BDAT, LMTP,
 * DSN, SMTPUTF8, XCLIENT and PROXY headers, and the relay between both. */
#include "client/smtp_client.h"
#include "harness/smtp_harness.h"
#include "harness/smtp_relay.h"
#include "tests/peers/letters.h"
#include "tests/peers/postfix.h"
#include "tests/peers/program.h"
#include "tests/support/test.h"

#include <stdio.h>

#define SECONDS 60 /* a bound for a test of several programs; the usual time is below one */
#define READY_MS 10000
#define PORT_TRIES 5 /* a free port can be taken by another before the server has it */
#define UTF8_PATH "j\xc3\xbcrgen@example.com"

/* ---- a client that remembers its dialogue ---- */

struct talk {
    struct smtp_client *client;
    char said[65536]; /* its commands, a line each */
    size_t len;
};

static void keep_commands(void *user, enum smtp_client_log_kind kind, const char *text, size_t len)
{
    struct talk *talk = user;
    if (kind == SMTP_CLIENT_LOG_COMMAND && talk->len + len + 2 < sizeof talk->said) {
        memcpy(talk->said + talk->len, text, len);
        talk->said[talk->len + len] = '\n';
        talk->len += len + 1;
        talk->said[talk->len] = '\0';
    }
}

static void talk_begin(struct talk *talk, const char *host, uint16_t port, const char *proxy_header)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.helo_name = "client.test";
    options.timeouts.overall_ms = 20000;
    options.proxy_header = proxy_header;
    options.log = keep_commands;
    options.log_user = talk;
    talk->len = 0;
    talk->said[0] = '\0';
    expect_int(smtp_client_new(&talk->client, &options), SMTP_OK);
    if (smtp_client_connect(talk->client, host, port) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", smtp_client_error(talk->client)->message);
    }
}

static void talk_end(struct talk *talk)
{
    expect_int(smtp_client_quit(talk->client), SMTP_OK);
    smtp_client_free(talk->client);
}

/* The result's status; with its error where it is another than expected. */
static const struct smtp_send_result *send_letter(struct talk *talk,
                                                  const struct smtp_envelope *envelope,
                                                  const struct letter *letter,
                                                  enum smtp_status expected)
{
    const struct smtp_send_result *result;
    struct smtp_content content = smtp_content_memory(letter->octets, letter->len);
    enum smtp_status status = smtp_client_send(talk->client, envelope, content, &result);
    if (status != expected) {
        SMTP_TEST_FAIL("%s: %s\n%s", smtp_status_name(status),
                       smtp_client_error(talk->client)->message, talk->said);
    }
    return result;
}

static struct smtp_envelope to(const char *const *forward_paths, size_t count)
{
    return (struct smtp_envelope){.reverse_path = "ann@example.com",
                                  .forward_paths = forward_paths,
                                  .forward_path_count = count};
}

static const char *const bob[] = {"bob@example.com"};
static const char *const three[] = {"bob@example.com", "eve@example.com", "carol@example.com"};

/* ---- Postfix ---- */

/* RFC 3030: in chunks, as Postfix offers, each octet counted. */
TEST_WITHIN(peers, postfix_takes_chunks_and_delivers_every_octet, SECONDS)
{
    struct letter letters[LETTER_COUNT];
    struct postfix postfix;
    struct talk talk;
    struct smtp_envelope envelope = to(bob, 1);
    letters_make(letters);
    postfix_start(&postfix, NULL);
    talk_begin(&talk, "127.0.0.1", postfix.port, NULL);
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        send_letter(&talk, &envelope, &letters[i], SMTP_OK);
    }
    talk_end(&talk);
    postfix_delivers(&postfix, LETTER_COUNT);
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        expect_int(postfix_has(&postfix, &letters[i], "Return-Path: <ann@example.com>\n"), 1);
    }
    expect_contains(talk.said, "\nBDAT ");
    expect_true(strstr(talk.said, "\nDATA") == NULL);
    postfix_stop(&postfix);
    letters_free(letters);
}

/* RFC 3461: Postfix sends the notification that was asked for, with the ids that were given. */
TEST_WITHIN(peers, postfix_notifies_of_the_delivery, SECONDS)
{
    struct letter letters[LETTER_COUNT];
    struct postfix postfix;
    struct talk talk;
    const struct smtp_mail_options mail = {.dsn_return = SMTP_DSN_RETURN_HEADERS,
                                           .dsn_envelope_id = "order=7 +x"};
    const struct smtp_rcpt_options rcpt = {.notify = SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE,
                                           .original_recipient = "robert+a@example.net"};
    struct smtp_envelope envelope = to(bob, 1);
    envelope.mail = &mail;
    envelope.rcpt = &rcpt;
    letters_make(letters);
    postfix_start(&postfix, NULL);
    talk_begin(&talk, "127.0.0.1", postfix.port, NULL);
    send_letter(&talk, &envelope, &letters[LETTER_PLAIN], SMTP_OK);
    talk_end(&talk);
    postfix_delivers(&postfix, 2); /* and the notification, to ann@example.com */
    char *notification = postfix_find(&postfix, "multipart/report");
    expect_true(notification != NULL);
    expect_contains(notification, "\nOriginal-Envelope-Id: order=7 +x\n");
    expect_contains(notification, "\nOriginal-Recipient: rfc822;robert+a@example.net\n");
    expect_contains(notification, "\nAction: delivered\n");
    free(notification);
    postfix_stop(&postfix);
    letters_free(letters);
}

TEST_WITHIN(peers, postfix_delivers_to_an_address_beyond_ascii, SECONDS)
{
    static const char *const path[] = {UTF8_PATH};
    struct letter letters[LETTER_COUNT];
    struct postfix postfix;
    struct talk talk;
    struct smtp_envelope envelope = to(path, 1);
    letters_make(letters);
    postfix_start(&postfix, NULL);
    talk_begin(&talk, "127.0.0.1", postfix.port, NULL);
    send_letter(&talk, &envelope, &letters[LETTER_EIGHT_BIT], SMTP_OK);
    talk_end(&talk);
    expect_contains(talk.said, " SMTPUTF8\n");
    postfix_delivers(&postfix, 1);
    expect_int(postfix_has(&postfix, &letters[LETTER_EIGHT_BIT], "Delivered-To: " UTF8_PATH "\n"),
               1);
    postfix_stop(&postfix);
    letters_free(letters);
}

/* Whom Postfix believes to have sent the first letter. */
static void expect_received_from(struct postfix *postfix, const char *words)
{
    postfix_delivers(postfix, 1);
    char *mail = postfix_find(postfix, "Received: ");
    expect_true(mail != NULL);
    expect_contains(mail, words);
    free(mail);
    postfix_stop(postfix);
}

TEST_WITHIN(peers, postfix_believes_xclient, SECONDS)
{
    struct letter letters[LETTER_COUNT];
    struct postfix postfix;
    struct talk talk;
    struct smtp_envelope envelope = to(bob, 1);
    letters_make(letters);
    postfix_start(&postfix, NULL);
    talk_begin(&talk, "127.0.0.1", postfix.port, NULL);
    expect_int(smtp_client_hello(talk.client), SMTP_OK);
    if (smtp_client_xclient(talk.client, "NAME=spike.example ADDR=192.0.2.9") != SMTP_OK) {
        SMTP_TEST_FAIL("%s", smtp_client_error(talk.client)->message);
    }
    send_letter(&talk, &envelope, &letters[LETTER_PLAIN], SMTP_OK);
    talk_end(&talk);
    expect_received_from(&postfix, "\nReceived: from client.test (spike.example [192.0.2.9])\n");
    letters_free(letters);
}

TEST_WITHIN(peers, postfix_believes_proxy_headers_of_both_versions, SECONDS)
{
    static const char *const headers[] = {"v1 192.0.2.9:40000 192.0.2.2:25",
                                          "v2 192.0.2.9:40000 192.0.2.2:25"};
    struct letter letters[LETTER_COUNT];
    letters_make(letters);
    for (size_t i = 0; i < 2; i++) {
        struct postfix postfix;
        struct talk talk;
        struct smtp_envelope envelope = to(bob, 1);
        postfix_start(&postfix, NULL);
        talk_begin(&talk, "127.0.0.1", postfix.proxy_port, headers[i]);
        send_letter(&talk, &envelope, &letters[LETTER_PLAIN], SMTP_OK);
        talk_end(&talk);
        expect_received_from(&postfix, "\nReceived: from client.test (unknown [192.0.2.9])\n");
    }
    letters_free(letters);
}

/* A client's letter goes through this relay and Postfix into a Maildir; what Postfix refuses, it hears. */
TEST_WITHIN(peers, postfix_gets_what_the_relay_hands_on, SECONDS)
{
    static const char *const paths[] = {"bob@example.com", "eve@elsewhere.example"};
    struct letter letters[LETTER_COUNT];
    struct postfix postfix;
    struct talk talk;
    struct smtp_error error = {0};
    struct smtp_server_hooks relay;
    struct smtp_harness_options options;
    char next[32];
    struct smtp_envelope envelope = to(paths, 2);
    letters_make(letters);
    postfix_start(&postfix, NULL);
    snprintf(next, sizeof next, "127.0.0.1:%u", postfix.port);
    expect_int(smtp_receiver_relay(&relay, next, NULL, NULL, &error), SMTP_OK);
    smtp_harness_options_init(&options);
    options.server.receivers = &relay;
    options.server.receiver_count = 1;
    struct smtp_harness *harness = smtp_harness_start(&options, &error);
    expect_str(error.message, "");
    talk_begin(&talk, "127.0.0.1", smtp_harness_port(harness), NULL);
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        const struct smtp_send_result *result =
            send_letter(&talk, &envelope, &letters[i], SMTP_PARTLY_REFUSED);
        expect_int(result->recipients[0].status, SMTP_OK);
        expect_int(result->recipients[1].stage, SMTP_STAGE_RCPT);
        expect_int(result->recipients[1].reply.code, 554);
        expect_contains(result->recipients[1].reply.text, "Relay access denied");
    }
    talk_end(&talk);
    postfix_delivers(&postfix, LETTER_COUNT);
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        char subject[64];
        snprintf(subject, sizeof subject, "\nSubject: %s\n", letters[i].name);
        char *mail = postfix_find(&postfix, subject);
        expect_true(mail != NULL);
        expect_contains(mail, "\nReceived: from client.test ([127.0.0.1]) by harness.test");
        size_t len;
        char *content =
            with_crlf(strstr(mail, "\nFrom: ") + 1, strlen(strstr(mail, "\nFrom: ") + 1), &len);
        expect_bytes(content, len, letters[i].octets, letters[i].len);
        free(content);
        free(mail);
    }
    smtp_harness_stop(harness);
    postfix_stop(&postfix);
    letters_free(letters);
}

/* ---- Dovecot's LMTP server ---- */

#define EXIT_NOT_HERE 77

/* False: the system does not let it have what it needs. */
static bool start_dovecot(struct program *program, uint16_t *port, char mail[128])
{
    for (int i = 0; i < PORT_TRIES; i++) {
        struct arguments arguments = {0};
        *port = free_port();
        arguments_add(&arguments, (const char *[]){PEERS_SOURCE "/dovecot_lmtp", PEERS_DOVECOT,
                                                   PEERS_DOVECOT_LMTP, NULL});
        argument(&arguments, "%u", *port);
        program_start(program, arguments.argv);
        if (program_says(program, 0, "starting up", READY_MS) >= 0) {
            expect_int(sscanf(program->said, "mail %127s", mail), 1);
            return true;
        }
        program_end_input(program);
        if (program_wait(program) == EXIT_NOT_HERE) {
            program_free(program);
            return false;
        }
        program_free(program);
    }
    SMTP_TEST_FAIL("Dovecot did not start");
    return false;
}

/* RFC 2033: the one that Dovecot does not know is refused, the others have the letter; with DATA and, as
 * Dovecot offers it, with BDAT. */
TEST_WITHIN(peers, dovecot_delivers_for_each_recipient_by_lmtp, SECONDS)
{
    struct letter letters[LETTER_COUNT];
    struct program program;
    struct talk talk;
    uint16_t port;
    char mail[128], address[64];
    struct smtp_envelope envelope = to(three, 3);
    if (!start_dovecot(&program, &port, mail)) {
        printf("not run: no mount namespace for Dovecot's LMTP server here\n");
        return;
    }
    letters_make(letters);
    snprintf(address, sizeof address, "lmtp://127.0.0.1:%u", port);
    talk_begin(&talk, address, 0, NULL);
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        const struct smtp_send_result *result =
            send_letter(&talk, &envelope, &letters[i], SMTP_PARTLY_REFUSED);
        expect_int(result->accepted_count, 2);
        expect_contains(result->recipients[0].reply.text, "<bob@example.com>");
        expect_int(result->recipients[1].reply.code, 550);
        expect_contains(result->recipients[2].reply.text, "<carol@example.com>");
    }
    struct smtp_envelope unknown = to(&three[1], 1); /* 503 to the chunk, against RFC 2033 4.3 */
    send_letter(&talk, &unknown, &letters[0], SMTP_REFUSED_PERMANENT);
    expect_contains(talk.said, "\nRSET\n");
    expect_int(smtp_client_mail(talk.client, "ann@example.com", NULL), SMTP_OK);
    expect_int(smtp_client_rcpt(talk.client, "carol@example.com", NULL), SMTP_OK);
    expect_int(smtp_client_data(talk.client, smtp_content_text("Subject: x\n\nx\n")), SMTP_OK);
    talk_end(&talk);
    expect_contains(talk.said, "LHLO client.test\n");
    expect_contains(talk.said, "\nBDAT ");
    program_end_input(&program);
    expect_int(program_wait(&program), 0);
    expect_contains(program.said, "lmtp(carol@example.com)");
    program_free(&program);
    letters_free(letters);
}

/* ---- aiosmtpd ---- */

/* Starts it in that mode, sends one letter to bob, and returns what it then says it has, from that line on. */
static char *send_to_aiosmtpd(const char *mode, const char *scheme, const char *proxy_header,
                              const struct letter *letter)
{
    struct program program;
    struct talk talk;
    unsigned port = 0;
    char address[64];
    struct smtp_envelope envelope = to(bob, 1);
    const char *argv[] = {"/usr/bin/python3", PEERS_SOURCE "/receive_aiosmtpd.py", mode, NULL};
    program_start(&program, argv);
    expect_true(program_says(&program, 0, "\n", READY_MS) >= 0);
    expect_int(sscanf(program.said, "port %u", &port), 1);
    snprintf(address, sizeof address, "%s127.0.0.1:%u", scheme, port);
    talk_begin(&talk, address, 0, proxy_header);
    send_letter(&talk, &envelope, letter, SMTP_OK);
    talk_end(&talk);
    program_end_input(&program);
    expect_int(program_wait(&program), 0);
    char *said = strdup(strchr(program.said, '\n') + 1);
    program_free(&program);
    return said;
}

TEST_WITHIN(peers, aiosmtpd_gets_every_octet_by_lmtp, SECONDS)
{
    struct letter letters[LETTER_COUNT];
    letters_make(letters);
    char *said = send_to_aiosmtpd("--lmtp", "lmtp://", NULL, &letters[LETTER_DOTS]);
    expect_int(strncmp(said, "from ann@example.com\nto bob@example.com\noctets ", 47), 0);
    expect_contains(said, letters[LETTER_DOTS].octets);
    free(said);
    letters_free(letters);
}

TEST_WITHIN(peers, aiosmtpd_believes_proxy_headers_of_both_versions, SECONDS)
{
    struct letter letters[LETTER_COUNT];
    letters_make(letters);
    char *one =
        send_to_aiosmtpd("--proxy", "", "v1 192.0.2.9:40000 192.0.2.2:25", &letters[LETTER_PLAIN]);
    char *two = send_to_aiosmtpd("--proxy", "", "v2 [2001:db8::9]:40000 [2001:db8::2]:25",
                                 &letters[LETTER_PLAIN]);
    expect_int(strncmp(one, "proxied 192.0.2.9 40000\n", 24), 0);
    expect_int(strncmp(two, "proxied 2001:db8::9 40000\n", 26), 0);
    free(one);
    free(two);
    letters_free(letters);
}
