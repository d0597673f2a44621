/* senders_test.c - programs that send mail every day, against this server: the envelope and every
 * octet of the content must come as they sent it. */
#include "tests/peers/program.h"
#include "tests/peers/sending.h"
#include "tests/support/test.h"

#include <stdio.h>

#define PYTHON "/usr/bin/python3" /* the system's, which has the system's modules */
#define SECONDS 60 /* a bound for a test of several programs; the usual time is below one */

TEST_WITHIN(peers, smtplib_delivers_every_octet, SECONDS)
{
    struct sending sending;
    sending_begin(&sending, NULL);
    const char *argv[] = {PYTHON,         PEERS_SOURCE "/send_smtplib.py",
                          sending.port,   "1",
                          REVERSE_PATH,   sending_two[0],
                          sending_two[1], NULL};
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        const struct letter *letter = &sending.letters[i];
        char *said = sending_run(argv, letter->octets, letter->len);
        expect_str(said, "");
        free(said);
        expect_sent(&sending, i, letter, sending_two);
        const struct smtp_message *message =
            smtp_harness_envelope(smtp_harness_message(sending.harness, i));
        const char *body = strstr(smtp_message_mail_parameters(message), "BODY=8BITMIME");
        expect_int(body != NULL, letter->eight_bit); /* smtplib asked, having read our EHLO reply */
    }
    sending_end(&sending);
}

TEST_WITHIN(peers, smtplib_sends_several_messages_in_one_session, SECONDS)
{
    struct sending sending;
    sending_begin(&sending, NULL);
    const char *argv[] = {PYTHON,         PEERS_SOURCE "/send_smtplib.py",
                          sending.port,   "3",
                          REVERSE_PATH,   sending_two[0],
                          sending_two[1], NULL};
    const struct letter *letter = &sending.letters[LETTER_DOTS];
    free(sending_run(argv, letter->octets, letter->len));
    for (size_t i = 0; i < 3; i++) {
        expect_sent(&sending, i, letter, sending_two);
        expect_int(
            smtp_message_session(smtp_harness_envelope(smtp_harness_message(sending.harness, i))),
            1);
    }
    sending_end(&sending);
}

static enum smtp_server_verdict refuse_bob(void *user,
                                           const struct smtp_server_session_info *session,
                                           const char *forward_path, const char *parameters,
                                           struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    (void)parameters;
    return strcmp(forward_path, sending_two[0]) == 0
               ? smtp_server_reply(reply, 550, "5.1.1", "No such user")
               : SMTP_ACCEPT;
}

/* RFC 5321 3.3: the refusal of one recipient leaves the transaction to the others. */
TEST_WITHIN(peers, smtplib_is_told_which_recipient_was_refused, SECONDS)
{
    struct sending sending;
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.hooks.rcpt = refuse_bob;
    sending_begin(&sending, &options);
    const char *argv[] = {PYTHON,         PEERS_SOURCE "/send_smtplib.py",
                          sending.port,   "1",
                          REVERSE_PATH,   sending_two[0],
                          sending_two[1], NULL};
    const struct letter *letter = &sending.letters[LETTER_PLAIN];
    char *said = sending_run(argv, letter->octets, letter->len);
    expect_str(said, "bob@example.com 550\n");
    free(said);
    expect_sent(&sending, 0, letter, sending_two + 1);
    sending_end(&sending);
}

TEST_WITHIN(peers, swaks_delivers_every_octet, SECONDS)
{
    struct sending sending;
    sending_begin(&sending, NULL);
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        const struct letter *letter = &sending.letters[i];
        sending_by_swaks(&sending, letter, "bob@example.com,carol@example.net",
                         (const char *[]){NULL});
        expect_sent(&sending, i, letter, sending_two);
    }
    sending_end(&sending);
}

TEST_WITHIN(peers, msmtp_delivers_every_octet, SECONDS)
{
    struct sending sending;
    char port[32];
    sending_begin(&sending, NULL);
    snprintf(port, sizeof port, "--port=%s", sending.port);
    const char *argv[] = {"msmtp",
                          "--host=127.0.0.1",
                          port,
                          "--from=" REVERSE_PATH,
                          "--tls=off",
                          "--auth=off",
                          "--domain=peer.test",
                          "--timeout=10",
                          "--",
                          sending_two[0],
                          sending_two[1],
                          NULL};
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        const struct letter *letter = &sending.letters[i];
        size_t len;
        char *text = letter_with_lf(letter, &len); /* it reads what a sendmail program reads */
        free(sending_run(argv, text, len));
        free(text);
        expect_sent(&sending, i, letter, sending_two);
    }
    sending_end(&sending);
}

TEST_WITHIN(peers, curl_delivers_every_octet, SECONDS)
{
    struct sending sending;
    sending_begin(&sending, NULL);
    const char *argv[] = {
        "curl",         "--silent",    "--show-error", "--noproxy",     "*",
        "--max-time",   "10",          "--mail-from",  REVERSE_PATH,    "--mail-rcpt",
        sending_two[0], "--mail-rcpt", sending_two[1], "--upload-file", "-",
        sending.url,    NULL};
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        const struct letter *letter = &sending.letters[i];
        free(sending_run(argv, letter->octets, letter->len));
        expect_sent(&sending, i, letter, sending_two);
        expect_str(
            smtp_message_helo(smtp_harness_envelope(smtp_harness_message(sending.harness, i))),
            "peer.test");
    }
    sending_end(&sending);
}

#define SMTP_SOURCE PEERS_POSTFIX "/usr/sbin/smtp-source"

/* Four sessions at once, many messages in each, every one with all its octets. */
TEST_WITHIN(peers, smtp_source_fills_many_sessions, SECONDS)
{
    struct sending sending;
    sending_begin(&sending, NULL);
    const char *argv[] = {
        SMTP_SOURCE,     "-d", "-s",        "4",  "-m",         "200", "-F",
        "/dev/stdin",    "-M", "peer.test", "-f", REVERSE_PATH, "-t",  sending_two[0],
        sending.address, NULL};
    const char *one[] = {sending_two[0], NULL};
    struct letter *letter = &sending.letters[LETTER_DOTS];
    size_t len;
    char *text = letter_with_lf(letter, &len);
    free(sending_run(argv, text, len));
    free(text);
    letter_add(letter, "\r\n"); /* which it adds before the final dot, always */
    for (size_t i = 0; i < 200; i++) {
        expect_sent(&sending, i, letter, one);
    }
    expect_int(smtp_mailbox_captured(smtp_harness_mailbox(sending.harness)), 200);
    sending_end(&sending);
}

/* smtp-source's own content: a header, then exactly the octets asked for, lines of 80 that begin
 * with a digit. */
TEST_WITHIN(peers, smtp_source_payload_has_the_length_asked_for, SECONDS)
{
    struct sending sending;
    sending_begin(&sending, NULL);
    const char *argv[] = {SMTP_SOURCE,
                          "-s",
                          "3",
                          "-m",
                          "30",
                          "-r",
                          "5",
                          "-l",
                          "4000",
                          "-M",
                          "peer.test",
                          "-f",
                          REVERSE_PATH,
                          "-t",
                          sending_two[0],
                          sending.address,
                          NULL};
    free(sending_run(argv, "", 0));
    expect_int(smtp_harness_wait_count(sending.harness, 30), SMTP_OK);
    for (size_t i = 0; i < 30; i++) {
        const struct smtp_message *message =
            smtp_harness_envelope(smtp_harness_message(sending.harness, i));
        size_t size_bytes;
        const char *content = smtp_message_content(message, &size_bytes);
        const char *body = strstr(content, "\r\n\r\n");
        expect_true(body != NULL);
        expect_int(size_bytes - (size_t)(body + 4 - content), 4000 + 2);
        expect_int(smtp_message_recipient_count(message), 5);
        expect_contains(smtp_message_forward_path(message, 4), sending_two[0]);
    }
    expect_int(smtp_mailbox_captured(smtp_harness_mailbox(sending.harness)), 30);
    sending_end(&sending);
}
