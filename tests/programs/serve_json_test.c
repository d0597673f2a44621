/* serve_json_test.c - what `serve --json` prints, and what becomes of mail when it cannot be printed. */
#include "harness/smtp_harness.h"
#include "tests/programs/serve.h"
#include "tests/support/files.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/** Its next line as an object; owned. */
static json_t *hear_object(struct background *serve)
{
    static char line[1 << 16];
    json_error_t error;
    expect_true(next_line(serve, line, sizeof line) != NULL);
    json_t *object = json_loads(line, 0, &error);
    if (object == NULL) {
        SMTP_TEST_FAIL("%s in %s", error.text, line);
    }
    return object;
}

/** Where its first line says that it listens. */
static void hear_listening(struct background *serve, char *url, size_t capacity)
{
    json_t *object = hear_object(serve);
    const char *first = json_string_value(json_array_get(json_object_get(object, "listening"), 0));
    expect_int(json_integer_value(json_object_get(object, "pid")), serve->pid);
    expect_true(first != NULL);
    snprintf(url, capacity, "%s", first);
    json_decref(object);
}

/** From ann to bob and carol, with content that ends in CRLF: the reply to its dot. */
static const char *send_message(struct smtp_wire *wire, const char *content)
{
    expect_contains(smtp_wire_ask(wire, "MAIL FROM:<ann@example.com> BODY=8BITMIME"), "250 ");
    expect_contains(smtp_wire_ask(wire, "RCPT TO:<bob@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "RCPT TO:<\"c d\"@example.com> NOTIFY=NEVER"), "250 ");
    expect_contains(smtp_wire_ask(wire, "DATA"), "354 ");
    expect_true(smtp_wire_send(wire, content, strlen(content)));
    return smtp_wire_ask(wire, ".");
}

/** That the member is this, written as JSON. */
static void expect_member(const json_t *object, const char *name, const char *expected)
{
    char *text = json_dumps(json_object_get(object, name), JSON_COMPACT | JSON_ENCODE_ANY);
    expect_str(text, expected);
    free(text);
}

static const char letter[] =
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    "X-Folded: one\r\n two\r\n"
    "x-folded: three\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: text/plain; "
    "charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    "aOlsbG8NCg==\r\n"
    "--b\r\nContent-Type: text/html\r\n\r\n<a href=http://a.test/?b&amp;c>hi</a>\r\n"
    "--b\r\nContent-Type: application/pdf\r\n"
    "Content-Disposition: attachment; filename*=utf-8''%C3%A4%20b.pdf\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nMTIz\r\n"
    "--b--\r\n";

TEST(serve_json, each_message_is_one_line_with_envelope_header_and_parts_decoded)
{
    char url[200];
    struct smtp_wire wire;
    struct background serve = start_process(ARGV("serve", "--json"));
    hear_listening(&serve, url, sizeof url);
    enter(&wire, url);
    expect_contains(send_message(&wire, letter), "250 2.0.0 OK: message 1");
    json_t *message = hear_object(&serve);
    expect_member(message, "number", "1");
    expect_member(message, "session", "1");
    expect_member(message, "helo", "\"c.example\"");
    expect_member(message, "protocol", "\"ESMTP\"");
    expect_member(message, "tls", "null");
    expect_member(message, "auth", "null");
    expect_member(message, "from", "\"ann@example.com\"");
    expect_member(message, "parameters", "\"BODY=8BITMIME\"");
    expect_member(message, "to",
                  "[{\"path\":\"bob@example.com\",\"parameters\":\"\"},"
                  "{\"path\":\"\\\"c d\\\"@example.com\",\"parameters\":\"NOTIFY=NEVER\"}]");
    expect_member(message, "subject", "\"Gr\u00fc\u00dfe\"");
    expect_member(message, "text", "\"h\u00e9llo\\n\"");
    expect_member(message, "html", "\"<a href=http://a.test/?b&amp;c>hi</a>\"");
    expect_member(message, "links", "[\"http://a.test/?b&c\"]");
    expect_member(message, "attachments",
                  "[{\"name\":\"\u00e4 b.pdf\",\"type\":\"application/pdf\",\"size\":3}]");
    expect_int(json_integer_value(json_object_get(message, "size")), sizeof letter - 1);
    const json_t *headers = json_object_get(message, "headers");
    expect_int(json_array_size(headers), 5);
    expect_member(json_array_get(headers, 1), "name", "\"X-Folded\"");
    expect_member(json_array_get(headers, 1), "value", "\"one two\"");
    expect_member(json_array_get(headers, 2), "value", "\"three\"");
    expect_true(json_object_get(message, "content") == NULL);
    const char *time = json_string_value(json_object_get(message, "time"));
    expect_int(strlen(time), strlen("2026-11-25T21:06:32.333Z"));
    expect_contains(json_string_value(json_object_get(message, "peer")), "127.0.0.1:");
    json_decref(message);
    expect_contains(send_message(&wire, "no header at all\r\n"), "250 2.0.0 OK: message 2");
    message = hear_object(&serve);
    expect_member(message, "number", "2");
    expect_member(message, "subject", "null");
    expect_member(message, "html", "null");
    expect_member(message, "links", "[]");
    expect_member(message, "attachments", "[]");
    json_decref(message);
    smtp_wire_close(&wire);
    expect_int(end_process(&serve, SIGTERM), 0);
}

TEST(serve_json, the_content_is_text_where_it_is_utf_8_and_else_base64)
{
    char url[200];
    struct smtp_wire wire;
    struct background serve = start_process(ARGV("serve", "--json", "--json-content"));
    hear_listening(&serve, url, sizeof url);
    enter(&wire, url);
    expect_contains(send_message(&wire, "Subject: \u00e9\"\\\x01\r\n\r\n..\r\n"), "250 ");
    json_t *message = hear_object(&serve);
    expect_member(message, "content", "\"Subject: \u00e9\\\"\\\\\\u0001\\r\\n\\r\\n.\\r\\n\"");
    expect_true(json_object_get(message, "content_base64") == NULL);
    json_decref(message);
    expect_contains(send_message(&wire, "Subject: \xe9\r\n\r\n\xff\r\n"), "250 ");
    message = hear_object(&serve);
    expect_member(message, "content", "null");
    expect_member(message, "content_base64", "\"U3ViamVjdDog6Q0KDQr/DQo=\"");
    expect_member(message, "text", "\"\u00ff\\n\"");
    json_decref(message);
    smtp_wire_close(&wire);
    expect_int(end_process(&serve, SIGTERM), 0);
}

TEST(serve_json, messages_that_come_at_once_are_whole_lines_with_numbers_in_order)
{
    enum { COUNT = 8 };
    char url[200];
    static struct smtp_wire wires[COUNT];
    struct background serve = start_process(ARGV("serve", "--json", "--workers", "3"));
    hear_listening(&serve, url, sizeof url);
    for (size_t i = 0; i < COUNT; i++) {
        enter(&wires[i], url);
        expect_contains(smtp_wire_ask(&wires[i], "MAIL FROM:<ann@example.com>"), "250 ");
        expect_contains(smtp_wire_ask(&wires[i], "RCPT TO:<bob@example.com>"), "250 ");
        expect_contains(smtp_wire_ask(&wires[i], "DATA"), "354 ");
    }
    for (size_t i = 0; i < COUNT; i++) {
        expect_true(smtp_wire_send(&wires[i], letter, sizeof letter - 1));
        expect_true(smtp_wire_send(&wires[i], ".\r\n", 3));
    }
    for (size_t i = 0; i < COUNT; i++) {
        json_t *message = hear_object(&serve);
        expect_int(json_integer_value(json_object_get(message, "number")), i + 1);
        json_decref(message);
        expect_contains(smtp_wire_reply(&wires[i]), "250 ");
        smtp_wire_close(&wires[i]);
    }
    expect_int(end_process(&serve, SIGTERM), 0);
}

static enum smtp_server_verdict full(void *user, const struct smtp_server_session_info *session,
                                     struct smtp_message *message, struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    (void)message;
    (void)smtp_server_reply(&reply[1], 452, "4.2.2", "Mailbox full");
    return SMTP_ACCEPT;
}

/* RFC 2033 4.2 */
TEST(serve_json, a_recipient_whom_the_next_server_refuses_is_told_with_its_code)
{
    char relay[200], url[200];
    struct smtp_wire wire;
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.listen = (const char *const[]){"lmtp://127.0.0.1:0"};
    options.server.listen_count = 1;
    options.server.hooks.message = full;
    struct smtp_harness *next = smtp_harness_start(&options, NULL);
    expect_true(next != NULL);
    snprintf(relay, sizeof relay, "%s?tls=never", smtp_harness_url(next));
    struct background serve =
        start_process(ARGV("serve", "--json", "--listen", "lmtp://127.0.0.1:0", "--relay", relay));
    hear_listening(&serve, url, sizeof url);
    enter(&wire, url);
    expect_contains(send_message(&wire, letter), "250 ");
    expect_contains(smtp_wire_reply(&wire), "452 4.2.2 ");
    json_t *message = hear_object(&serve);
    expect_member(message, "protocol", "\"LMTP\"");
    expect_member(message, "to",
                  "[{\"path\":\"bob@example.com\",\"parameters\":\"\"},"
                  "{\"path\":\"\\\"c d\\\"@example.com\",\"parameters\":\"NOTIFY=NEVER\","
                  "\"refused\":452}]");
    json_decref(message);
    smtp_wire_close(&wire);
    expect_int(end_process(&serve, SIGTERM), 0);
    smtp_harness_stop(next);
}

/* ---- where it cannot be written ---- */

/** The reader of its output goes, then a message comes: it is refused, and the server ends with 1. */
static void expect_end_without_reader(struct background *serve, const char *url)
{
    struct smtp_wire wire;
    fclose(serve->out);
    serve->out = tmpfile();
    enter(&wire, url);
    expect_contains(send_message(&wire, letter), "451 4.3.0 ");
    expect_contains(smtp_wire_reply(&wire), "421 ");
    smtp_wire_close(&wire);
    expect_int(end_process(serve, 0), 1);
}

TEST(serve_json, without_a_reader_the_message_is_refused_and_it_ends_with_1)
{
    char url[200];
    struct background serve = start_process(ARGV("serve", "--json"));
    hear_listening(&serve, url, sizeof url);
    expect_end_without_reader(&serve, url);
}

TEST(serve_json, print_without_a_reader_ends_likewise)
{
    char url[200];
    struct background serve = start_process(ARGV("serve", "--print"));
    hear_url(&serve, url, sizeof url);
    expect_end_without_reader(&serve, url);
}

#define FULL_OCTETS 1000000 /* with less the thread sanitizer does not begin */

/* With what JSON skips. */
static void fill(const char *path, size_t octets)
{
    FILE *file = fopen(path, "we");
    expect_true(file != NULL);
    while (octets-- > 0) {
        fputc('\n', file);
    }
    expect_int(fclose(file), 0);
}

TEST_ALONE(serve_json, where_the_disk_is_full_the_message_is_refused_and_nothing_of_it_is_left)
{
    char folder[64], command[512], out[128], err[128];
    smtp_make_directory(folder);
    snprintf(out, sizeof out, "%s/out", folder);
    snprintf(err, sizeof err, "%s/err", folder);
    snprintf(command, sizeof command,
             "exec " SMTP_HARNESS
             " serve --json --json-content --background --idle-exit 15 >> %s 2> %s",
             out, err);
    fill(out, FULL_OCTETS - 700);
    expect_int(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    smtp_limit_files(FULL_OCTETS); /* it inherits that */
    struct ended ended = run_to_end((const char *const[]){"/bin/sh", "-c", command, NULL});
    expect_int(ended.exit_status, 0);
    char *line = smtp_read_file(out, NULL);
    json_t *object = json_loads(line, 0, NULL);
    pid_t pid = (pid_t)json_integer_value(json_object_get(object, "pid"));
    struct smtp_wire wire;
    enter(&wire, json_string_value(json_array_get(json_object_get(object, "listening"), 0)));
    expect_contains(send_message(&wire, letter), "452 4.3.1 ");
    expect_contains(smtp_wire_reply(&wire), "421 ");
    smtp_wire_close(&wire);
    int status = 0;
    expect_int(waitpid(pid, &status, 0), pid);
    expect_int(WEXITSTATUS(status), 1);
    char *left = smtp_read_file(out, NULL);
    expect_str(left, line);
    char *complaint = smtp_read_file(err, NULL);
    expect_contains(complaint, "cannot write to standard output: File too large");
    free(complaint);
    free(left);
    free(line);
    json_decref(object);
    ended_clear(&ended);
    smtp_remove_directory(folder);
}

TEST(serve_json, output_that_is_full_from_the_start_is_told_and_nothing_is_left)
{
    char folder[64], command[512];
    smtp_make_directory(folder);
    snprintf(command, sizeof command,
             "exec " SMTP_HARNESS
             " serve --json --ready-file %s/ready --pid-file %s/pid >/dev/full",
             folder, folder);
    struct ended ended = run_to_end((const char *const[]){"/bin/sh", "-c", command, NULL});
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, "cannot write to standard output: No space left on device");
    expect_int(smtp_count_entries(folder, "", NULL, 0), 0);
    ended_clear(&ended);
    smtp_remove_directory(folder);
}

/* What is opened next would be its standard output, and be written to. */
TEST(serve_json, a_closed_output_is_told)
{
    static const char *const closings[] = {">&-", "<&- >&-"};
    for (size_t i = 0; i < sizeof closings / sizeof *closings; i++) {
        char command[512];
        snprintf(command, sizeof command, "exec " SMTP_HARNESS " serve --json %s", closings[i]);
        struct ended ended = run_to_end((const char *const[]){"/bin/sh", "-c", command, NULL});
        expect_int(ended.exit_status, 2);
        expect_contains(ended.err, "cannot write to standard output: Bad file descriptor");
        ended_clear(&ended);
    }
}

TEST(serve_json, options_that_contradict_are_told)
{
    expect_wrong(ARGV("serve", "--json", "--print"), "--json and --print exclude each other");
    expect_wrong(ARGV("serve", "--json-content"), "--json-content needs --json");
    expect_wrong(ARGV("serve", "--jsn"), "did you mean '--json'?");
}
