/* receivers_test.c - servers that others wrote, against this client: the envelope and every octet
 * of the content must arrive as they were given. */
#include "client/smtp_client.h"
#include "tests/peers/letters.h"
#include "tests/peers/postfix.h"
#include "tests/peers/program.h"
#include "tests/support/test.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define SECONDS 60 /* a bound for a test of several programs; the usual time is below one */
#define READY_MS 10000
#define PORT_TRIES 5 /* a free port can be taken by another before the server has it */

static const char *const two[] = {"bob@example.com", "carol@example.com", NULL};

static struct smtp_client *new_client(void)
{
    struct smtp_client *client;
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.helo_name = "client.test";
    options.timeouts.overall_ms = 20000;
    expect_int(smtp_client_new(&client, &options), SMTP_OK);
    return client;
}

static void expect_ok(const struct smtp_client *client, enum smtp_status status)
{
    if (status != SMTP_OK) {
        SMTP_TEST_FAIL("%s: %s; last reply %d %s", smtp_status_name(status),
                       smtp_client_error(client)->message, smtp_client_reply(client)->code,
                       smtp_client_reply(client)->text);
    }
}

static void send_letter(struct smtp_client *client, const struct letter *letter)
{
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.org", .forward_paths = two, .forward_path_count = 2};
    const struct smtp_send_result *result;
    expect_ok(client, smtp_client_send(client, &envelope,
                                       smtp_content_memory(letter->octets, letter->len), &result));
    expect_int(result->accepted_count, 2);
    expect_int(result->final_reply.code, 250);
}

static void send_all(struct smtp_client *client, const struct letter letters[LETTER_COUNT])
{
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        send_letter(client, &letters[i]);
    }
}

/* ---- aiosmtpd ---- */

/* What it printed has this text at *at; moves *at behind it. */
static void expect_printed(const struct program *program, size_t *at, const char *text, size_t len)
{
    expect_true(program->said_len - *at >= len);
    expect_bytes(program->said + *at, len, text, len);
    *at += len;
}

TEST_WITHIN(peers, aiosmtpd_gets_every_octet, SECONDS)
{
    struct letter letters[LETTER_COUNT];
    struct program program;
    struct smtp_client *client = new_client();
    const char *argv[] = {"/usr/bin/python3", PEERS_SOURCE "/receive_aiosmtpd.py", NULL};
    letters_make(letters);
    program_start(&program, argv);
    expect_true(program_says(&program, 0, "\n", READY_MS) >= 0);
    unsigned port = 0;
    expect_int(sscanf(program.said, "port %u", &port), 1);
    expect_ok(client, smtp_client_connect(client, "127.0.0.1", (uint16_t)port));
    send_all(client, letters);
    expect_ok(client, smtp_client_quit(client));
    program_end_input(&program);
    expect_int(program_wait(&program), 0);

    size_t at = (size_t)(strchr(program.said, '\n') - program.said) + 1;
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        char head[128];
        snprintf(head, sizeof head,
                 "from ann@example.org\nto bob@example.com\nto carol@example.com\noctets %zu\n",
                 letters[i].len);
        expect_printed(&program, &at, head, strlen(head));
        expect_printed(&program, &at, letters[i].octets, letters[i].len);
    }
    expect_int(at, program.said_len);
    program_free(&program);
    smtp_client_free(client);
    letters_free(letters);
}

/* ---- Postfix's smtp-sink ---- */

/* smtp-sink does not say when it listens: asks, a few milliseconds apart, until it does. False: it
 * ended. */
static bool connect_when_ready(struct smtp_client *client, struct program *program, uint16_t port)
{
    for (int waited_ms = 0; waited_ms < READY_MS; waited_ms += 5) {
        if (smtp_client_connect(client, "127.0.0.1", port) == SMTP_OK) {
            return true;
        }
        struct pollfd ended = {.fd = program->output, .events = POLLIN};
        if (poll(&ended, 1, 5) > 0) {
            return false;
        }
    }
    return false;
}

#define SMTP_SINK PEERS_POSTFIX "/usr/sbin/smtp-sink"

/* Starts it, to append messages to a file, and connects. */
static void start_sink(struct program *program, struct smtp_client *client, const char *file)
{
    char address[32];
    const char *as_user[] = {SMTP_SINK, "-D", file, address, "10", NULL};
    const char *as_root[] = {SMTP_SINK, "-u", "nobody", "-D", file, address, "10", NULL};
    for (int i = 0; i < PORT_TRIES; i++) {
        uint16_t port = free_port();
        snprintf(address, sizeof address, "127.0.0.1:%u", port);
        program_start(program, geteuid() == 0 ? as_root : as_user);
        if (connect_when_ready(client, program, port)) {
            return;
        }
        program_stop(program);
        program_free(program);
    }
    SMTP_TEST_FAIL("smtp-sink did not start");
}

/* Moves *at behind the first place that has the words, from *at on. */
static void skip_past(const char **at, const char *words)
{
    expect_contains(*at, words);
    *at = strstr(*at, words) + strlen(words);
}

/* A dumped message at *at is this letter, with LF line ends; moves *at behind it. */
static void expect_dumped(const char **at, const char *end, const struct letter *letter)
{
    size_t len;
    char *text = letter_with_lf(letter, &len);
    skip_past(at,
              "X-Client-Proto: ESMTP\nX-Helo-Args: client.test\nX-Mail-Args: <ann@example.org>");
    skip_past(at, "\nX-Rcpt-Args: <bob@example.com>\nX-Rcpt-Args: <carol@example.com>\nReceived: ");
    skip_past(at, "\n\t");
    skip_past(at, "\n\t"); /* a field of three lines */
    skip_past(at, "\n");
    expect_true((size_t)(end - *at) > len);
    expect_bytes(*at, len, text, len);
    *at += len;
    expect_int(**at, '\n'); /* which smtp-sink adds between messages */
    free(text);
}

TEST_WITHIN(peers, smtp_sink_gets_every_octet, SECONDS)
{
    struct letter letters[LETTER_COUNT];
    struct program program;
    struct smtp_client *client = new_client();
    char *directory = make_directory(), file[128];
    letters_make(letters);
    snprintf(file, sizeof file, "%s/mail", directory);
    start_sink(&program, client, file);
    send_all(client, letters);
    expect_ok(client, smtp_client_quit(client));
    program_stop(&program);

    size_t len;
    char *dump = read_file(file, &len);
    const char *at = dump;
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        expect_dumped(&at, dump + len, &letters[i]);
    }
    expect_int(dump + len - at, 1); /* nothing but the last empty line */
    free(dump);
    program_free(&program);
    remove_directory(directory);
    smtp_client_free(client);
    letters_free(letters);
}

/* ---- Postfix itself ---- */

TEST_WITHIN(peers, postfix_delivers_every_octet_into_a_maildir, SECONDS)
{
    struct letter letters[LETTER_COUNT];
    struct postfix postfix;
    struct smtp_client *client = new_client();
    letters_make(letters);
    postfix_start(&postfix, NULL);
    expect_ok(client, smtp_client_connect(client, "127.0.0.1", postfix.port));
    send_all(client, letters);
    expect_ok(client, smtp_client_quit(client));
    postfix_delivers(&postfix, 2 * LETTER_COUNT);
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        expect_int(postfix_has(&postfix, &letters[i], "\nX-Original-To: bob@example.com\n"), 1);
        expect_int(postfix_has(&postfix, &letters[i], "\nX-Original-To: carol@example.com\n"), 1);
        expect_int(postfix_has(&postfix, &letters[i], "Return-Path: <ann@example.org>\n"), 2);
    }
    postfix_stop(&postfix);
    smtp_client_free(client);
    letters_free(letters);
}

/* What a real server refuses comes back as its answer for that recipient alone. */
TEST_WITHIN(peers, postfix_refuses_to_relay_and_takes_the_rest, SECONDS)
{
    struct postfix postfix;
    struct smtp_client *client = new_client();
    const char *to[] = {"bob@example.com", "eve@elsewhere.example"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.org", .forward_paths = to, .forward_path_count = 2};
    const struct smtp_send_result *result;
    postfix_start(&postfix, NULL);
    expect_ok(client, smtp_client_connect(client, "127.0.0.1", postfix.port));
    expect_int(smtp_client_send(client, &envelope, smtp_content_text("Subject: x\n\nx\n"), &result),
               SMTP_PARTLY_REFUSED);
    expect_int(result->recipients[0].status, SMTP_OK);
    expect_int(result->recipients[1].status, SMTP_REFUSED_PERMANENT);
    expect_int(result->recipients[1].stage, SMTP_STAGE_RCPT);
    expect_int(result->recipients[1].reply.code, 554);
    expect_int(result->recipients[1].reply.enhanced.subject, 7);
    expect_contains(result->recipients[1].reply.text, "Relay access denied");
    expect_ok(client, smtp_client_quit(client));
    postfix_delivers(&postfix, 1);
    postfix_stop(&postfix);
    smtp_client_free(client);
}
