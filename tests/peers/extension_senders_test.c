/* extension_senders_test.c - what real programs send beyond RFC 5321, against this server: LMTP, DSN,
 * SMTPUTF8, REQUIRETLS and the like, XCLIENT and PROXY headers. */
#include "tests/peers/postfix.h"
#include "tests/peers/program.h"
#include "tests/peers/sending.h"
#include "tests/support/test.h"

#include <stdio.h>

#define PYTHON "/usr/bin/python3" /* the system's, which has the system's modules */
#define SECONDS 60 /* a bound for a test of several programs; the usual time is below one */
#define UTF8_PATH "j\xc3\xbcrgen@example.com"

static const char *const lmtp_address[] = {"lmtp://127.0.0.1:0"};
static const char *const loopback[] = {"127.0.0.1"};

/* ---- LMTP ---- */

static void begin_lmtp(struct sending *sending, struct smtp_harness_options *options)
{
    options->server.listen = lmtp_address;
    options->server.listen_count = 1;
    sending_begin(sending, options);
}

TEST_WITHIN(peers, swaks_delivers_by_lmtp, SECONDS)
{
    struct sending sending;
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    begin_lmtp(&sending, &options);
    const struct letter *letter = &sending.letters[LETTER_DOTS];
    sending_by_swaks(&sending, letter, "bob@example.com,carol@example.net",
                     (const char *[]){"--protocol", "LMTP", NULL});
    expect_sent(&sending, 0, letter, sending_two);
    expect_str(smtp_message_protocol(sending_message(&sending, 0)), "LMTP");
    sending_end(&sending);
}

TEST_WITHIN(peers, msmtp_delivers_by_lmtp, SECONDS)
{
    struct sending sending;
    struct smtp_harness_options options;
    char port[32];
    smtp_harness_options_init(&options);
    begin_lmtp(&sending, &options);
    snprintf(port, sizeof port, "--port=%s", sending.port);
    const char *argv[] = {"msmtp",      "--protocol=lmtp",      "--host=127.0.0.1",
                          port,         "--from=" REVERSE_PATH, "--tls=off",
                          "--auth=off", "--domain=peer.test",   "--timeout=10",
                          "--",         sending_two[0],         NULL};
    const char *one[] = {sending_two[0], NULL};
    size_t len;
    char *text = letter_with_lf(&sending.letters[LETTER_LARGE], &len);
    free(sending_run(argv, text, len));
    free(text);
    expect_sent(&sending, 0, &sending.letters[LETTER_LARGE], one);
    expect_str(smtp_message_protocol(sending_message(&sending, 0)), "LMTP");
    sending_end(&sending);
}

static enum smtp_server_verdict refuse_second(void *user,
                                              const struct smtp_server_session_info *session,
                                              struct smtp_message *message,
                                              struct smtp_server_reply *reply)
{
    (void)user;
    if (session->lmtp && smtp_message_recipient_count(message) == 2) {
        (void)smtp_server_reply(&reply[1], 552, "5.2.2", "Mailbox full");
    }
    return SMTP_ACCEPT;
}

/* RFC 2033 4.2: a reply for each recipient, in order. */
TEST_WITHIN(peers, smtplib_hears_of_each_recipient_by_lmtp, SECONDS)
{
    struct sending sending;
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.hooks.message = refuse_second;
    begin_lmtp(&sending, &options);
    const char *argv[] = {PYTHON,
                          PEERS_SOURCE "/send_smtplib.py",
                          "--lmtp",
                          sending.port,
                          "2",
                          REVERSE_PATH,
                          sending_two[0],
                          sending_two[1],
                          NULL};
    const struct letter *letter = &sending.letters[LETTER_PLAIN];
    char *said = sending_run(argv, letter->octets, letter->len);
    const char *at = said;
    for (int i = 0; i < 2; i++) {
        expect_int(strncmp(at, "250 ", 4), 0);
        at = strchr(at, '\n') + 1;
        expect_int(strncmp(at, "552 b'5.2.2 Mailbox full'\n", 26), 0);
        at = strchr(at, '\n') + 1;
    }
    expect_str(at, "");
    free(said);
    expect_sent(&sending, 1, letter, sending_two);
    sending_end(&sending);
}

/* A mail server that hands on by LMTP bounces for one recipient and is content with the other. */
TEST_WITHIN(peers, postfix_hears_of_each_recipient_by_lmtp, SECONDS)
{
    static const char *const to[] = {"bob@example.com", "carol@example.com", NULL};
    struct sending sending;
    struct postfix postfix;
    struct smtp_harness_options options;
    char next[64];
    smtp_harness_options_init(&options);
    options.server.hooks.message = refuse_second;
    begin_lmtp(&sending, &options);
    snprintf(next, sizeof next, "lmtp:inet:127.0.0.1:%s", sending.port);
    postfix_start_to(&postfix, next);
    char port[8];
    snprintf(port, sizeof port, "%u", postfix.port);
    const char *argv[] = {
        PYTHON, PEERS_SOURCE "/send_smtplib.py", port, "1", REVERSE_PATH, to[0], to[1], NULL};
    const struct letter *letter = &sending.letters[LETTER_DOTS];
    free(sending_run(argv, letter->octets, letter->len));
    postfix_logs(&postfix, "to=<bob@example.com>");
    postfix_logs(&postfix, "status=sent (250 ");
    postfix_logs(&postfix, "to=<carol@example.com>");
    postfix_logs(&postfix, "dsn=5.2.2, status=bounced");
    const struct smtp_message *message = sending_message(&sending, 0);
    expect_str(smtp_message_protocol(message), "LMTP");
    expect_int(smtp_message_recipient_count(message), 2);
    size_t len;
    const char *content = strstr(smtp_message_content(message, &len), "\nFrom: ") + 1;
    expect_str(content, letter->octets); /* behind Postfix's Received */
    postfix_stop(&postfix);
    sending_end(&sending);
}

/* ---- parameters ---- */

/* RFC 3461: what a client asks for is there, as given. */
TEST_WITHIN(peers, nodemailer_asks_for_notifications, SECONDS)
{
    struct sending sending;
    sending_begin(&sending, NULL);
    const char *argv[] = {"node",
                          PEERS_SOURCE "/submit_extensions.js",
                          sending.port,
                          REVERSE_PATH,
                          "bob@example.com",
                          "order=7+x",
                          NULL};
    const struct letter *letter = &sending.letters[LETTER_PLAIN];
    free(sending_run(argv, letter->octets, letter->len));
    const struct smtp_message *message = sending_message(&sending, 0);
    expect_contains(smtp_message_mail_parameters(message), "RET=HDRS");
    expect_contains(smtp_message_mail_parameters(message), "ENVID=order+3D7+2Bx");
    expect_contains(smtp_message_rcpt_parameters(message, 0), "NOTIFY=SUCCESS,DELAY");
    expect_contains(smtp_message_rcpt_parameters(message, 0), "ORCPT=rfc822;bob@example.com");
    sending_end(&sending);
}

/* curl has no option for them: they come in behind the address, and curl's own bracket behind them. */
TEST_WITHIN(peers, curl_asks_for_notifications, SECONDS)
{
    struct sending sending;
    sending_begin(&sending, NULL);
    const char *argv[] = {"curl",
                          "--silent",
                          "--show-error",
                          "--noproxy",
                          "*",
                          "--max-time",
                          "10",
                          "--mail-from",
                          REVERSE_PATH,
                          "--mail-rcpt",
                          "<bob@example.com> NOTIFY=FAILURE ORCPT=rfc822;bob@example.net",
                          "--upload-file",
                          "-",
                          sending.url,
                          NULL};
    const char *one[] = {sending_two[0], NULL};
    const struct letter *letter = &sending.letters[LETTER_PLAIN];
    free(sending_run(argv, letter->octets, letter->len));
    expect_sent(&sending, 0, letter, one);
    expect_str(smtp_message_rcpt_parameters(sending_message(&sending, 0), 0),
               "NOTIFY=FAILURE ORCPT=rfc822;bob@example.net>");
    sending_end(&sending);
}

/* RFC 6531: UTF-8 in both paths, and curl gives the parameter because it saw the keyword. */
TEST_WITHIN(peers, curl_sends_from_and_to_addresses_beyond_ascii, SECONDS)
{
    struct sending sending;
    sending_begin(&sending, NULL);
    const char *argv[] = {"curl",        "--silent",    "--show-error",
                          "--noproxy",   "*",           "--max-time",
                          "10",          "--mail-from", UTF8_PATH,
                          "--mail-rcpt", UTF8_PATH,     "--upload-file",
                          "-",           sending.url,   NULL};
    const struct letter *letter = &sending.letters[LETTER_EIGHT_BIT];
    free(sending_run(argv, letter->octets, letter->len));
    const struct smtp_message *message = sending_message(&sending, 0);
    expect_str(smtp_message_reverse_path(message), UTF8_PATH);
    expect_str(smtp_message_forward_path(message, 0), UTF8_PATH);
    expect_contains(smtp_message_mail_parameters(message), "SMTPUTF8");
    expect_str(smtp_message_protocol(message), "UTF8SMTP");
    sending_end(&sending);
}

TEST_WITHIN(peers, nodemailer_sends_to_an_address_beyond_ascii, SECONDS)
{
    struct sending sending;
    sending_begin(&sending, NULL);
    const char *argv[] = {
        "node", PEERS_SOURCE "/submit_extensions.js", sending.port, UTF8_PATH, UTF8_PATH, NULL};
    const struct letter *letter = &sending.letters[LETTER_EIGHT_BIT];
    free(sending_run(argv, letter->octets, letter->len));
    const struct smtp_message *message = sending_message(&sending, 0);
    expect_str(smtp_message_reverse_path(message), UTF8_PATH);
    expect_str(smtp_message_forward_path(message, 0), UTF8_PATH);
    expect_str(smtp_message_protocol(message), "UTF8SMTP");
    sending_end(&sending);
}

/* A mail server hands on what it was asked for: ENVID, RET, NOTIFY, ORCPT (RFC 3461 5.2.1), and UTF-8 in
 * a path. */
TEST_WITHIN(peers, postfix_hands_on_notifications_and_utf8, SECONDS)
{
    struct sending sending;
    struct postfix postfix;
    char next[64], port[8];
    sending_begin(&sending, NULL);
    snprintf(next, sizeof next, "smtp:[127.0.0.1]:%s", sending.port);
    postfix_start_to(&postfix, next);
    snprintf(port, sizeof port, "%u", postfix.port);
    const char *argv[] = {PYTHON,
                          PEERS_SOURCE "/send_smtplib.py",
                          "--mail-option",
                          "RET=FULL",
                          "--mail-option",
                          "ENVID=a+2Bb",
                          "--mail-option",
                          "SMTPUTF8",
                          "--rcpt-option",
                          "NOTIFY=FAILURE,DELAY",
                          "--rcpt-option",
                          "ORCPT=rfc822;Bob@Example.NET",
                          port,
                          "1",
                          REVERSE_PATH,
                          UTF8_PATH,
                          NULL};
    const struct letter *letter = &sending.letters[LETTER_PLAIN];
    free(sending_run(argv, letter->octets, letter->len));
    const struct smtp_message *message = sending_message(&sending, 0);
    expect_str(smtp_message_forward_path(message, 0), UTF8_PATH);
    expect_contains(smtp_message_mail_parameters(message), "RET=FULL");
    expect_contains(smtp_message_mail_parameters(message), "ENVID=a+2Bb");
    expect_contains(smtp_message_mail_parameters(message), "SMTPUTF8");
    expect_contains(smtp_message_rcpt_parameters(message, 0), "NOTIFY=FAILURE,DELAY");
    expect_contains(smtp_message_rcpt_parameters(message, 0), "ORCPT=rfc822;Bob@Example.NET");
    postfix_stop(&postfix);
    sending_end(&sending);
}

/* RFC 8689, 4865, 2852, 6710: smtplib, told what to say, over TLS that it has verified. */
TEST_WITHIN(peers, smtplib_asks_for_all_that_mail_can_have, SECONDS)
{
    struct sending sending;
    struct smtp_harness_options options;
    char *directory = make_directory();
    smtp_harness_options_init(&options);
    options.server.keywords.future_release = true;
    options.server.keywords.deliver_by = true;
    options.server.keywords.mt_priority = true;
    sending_begin(&sending, &options);
    char *ca_file = write_file(directory, "ca.pem", smtp_harness_ca_pem(sending.harness));
    const char *argv[] = {PYTHON,
                          PEERS_SOURCE "/send_smtplib.py",
                          "--ca-file",
                          ca_file,
                          "--mail-option",
                          "REQUIRETLS",
                          "--mail-option",
                          "HOLDFOR=60",
                          "--mail-option",
                          "BY=3600;NT",
                          "--mail-option",
                          "MT-PRIORITY=-3",
                          sending.port,
                          "1",
                          REVERSE_PATH,
                          sending_two[0],
                          NULL};
    const struct letter *letter = &sending.letters[LETTER_PLAIN];
    free(sending_run(argv, letter->octets, letter->len));
    const struct smtp_message *message = sending_message(&sending, 0);
    expect_contains(smtp_message_mail_parameters(message),
                    "REQUIRETLS HOLDFOR=60 BY=3600;NT MT-PRIORITY=-3");
    expect_str(smtp_message_protocol(message), "ESMTPS");
    sending_end(&sending);
    free(ca_file);
    remove_directory(directory);
}

/* ---- who the peer is ---- */

static void begin_trusting(struct sending *sending, bool proxy)
{
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.trusted_peers = loopback;
    options.server.trusted_peer_count = 1;
    options.server.keywords.xclient = true;
    options.server.proxy_protocol = proxy;
    sending_begin(sending, &options);
}

/* The message came from 192.0.2.9, port 40000, as swaks said. */
static void expect_named_peer(struct sending *sending, const struct letter *letter)
{
    const char *one[] = {sending_two[0], NULL};
    expect_sent(sending, 0, letter, one);
    expect_str(smtp_message_peer(sending_message(sending, 0)), "192.0.2.9:40000");
    sending_end(sending);
}

static void run_swaks(const struct sending *sending, const char *const *more)
{
    sending_by_swaks(sending, &sending->letters[LETTER_PLAIN], sending_two[0], more);
}

TEST_WITHIN(peers, swaks_names_the_peer_by_xclient, SECONDS)
{
    struct sending sending;
    begin_trusting(&sending, false);
    run_swaks(&sending, (const char *[]){"--xclient-addr", "192.0.2.9", "--xclient-port", "40000",
                                         "--xclient-name", "spike.example", NULL});
    expect_named_peer(&sending, &sending.letters[LETTER_PLAIN]);
}

TEST_WITHIN(peers, swaks_names_the_peer_by_a_proxy_header, SECONDS)
{
    for (int version = 1; version <= 2; version++) {
        struct sending sending;
        begin_trusting(&sending, true);
        run_swaks(&sending,
                  (const char *[]){"--proxy-version", version == 1 ? "1" : "2", "--proxy-family",
                                   version == 1 ? "TCP4" : "AF_INET", "--proxy-source", "192.0.2.9",
                                   "--proxy-source-port", "40000", "--proxy-dest", "192.0.2.2",
                                   "--proxy-dest-port", "25", NULL});
        expect_named_peer(&sending, &sending.letters[LETTER_PLAIN]);
    }
}
