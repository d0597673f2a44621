/* serve_options_test.c - what `serve` offers, takes and does with messages, by its options. */
#include "harness/smtp_harness.h"
#include "tests/programs/serve.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/** The EHLO reply of a server that was started so; it runs on. */
static const char *offered(struct background *serve, struct smtp_wire *wire)
{
    char url[200];
    hear_url(serve, url, sizeof url);
    return enter(wire, url);
}

/** A message to bob over the wire, after EHLO: the reply to its dot. */
static const char *send_over(struct smtp_wire *wire)
{
    expect_contains(smtp_wire_ask(wire, "MAIL FROM:<ann@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "RCPT TO:<bob@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "DATA"), "354 ");
    return smtp_wire_ask(wire, "Subject: hi\r\n\r\ntext\r\n.");
}

TEST(serve_options, each_keyword_can_be_hidden_and_those_that_are_off_offered)
{
    struct smtp_wire wire;
    struct background serve =
        start_process(ARGV("serve", "--hide", "CHUNKING", "--hide=dsn", "--hide", "PIPELINING",
                           "--hide", "VRFY", "--offer", "MT-PRIORITY", "--offer=DELIVERBY"));
    const char *reply = offered(&serve, &wire);
    expect_contains(reply, "8BITMIME");
    expect_contains(reply, "MT-PRIORITY");
    expect_contains(reply, "DELIVERBY");
    expect_true(strstr(reply, "CHUNKING") == NULL && strstr(reply, "DSN") == NULL &&
                strstr(reply, "PIPELINING") == NULL && strstr(reply, "FUTURERELEASE") == NULL);
    expect_contains(smtp_wire_ask(&wire, "VRFY bob"), "502 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com> RET=HDRS"), "555 ");
    smtp_wire_close(&wire);
    expect_int(end_process(&serve, SIGTERM), 0);
}

TEST(serve_options, limits_are_set_by_name)
{
    struct smtp_wire wire;
    struct background serve = start_process(
        ARGV("serve", "--limit", "message-octets=4711", "--limit=errors=1", "--limit",
             "recipients=2", "--limit", "recipient-domains=3", "--limit", "messages=4"));
    const char *reply = offered(&serve, &wire);
    expect_contains(reply, "SIZE 4711");
    expect_contains(reply, "LIMITS MAILMAX=4 RCPTMAX=2 RCPTDOMAINMAX=3");
    expect_contains(smtp_wire_ask(&wire, "FOO"), "50");
    expect_contains(smtp_wire_ask(&wire, "FOO"), "421 ");
    smtp_wire_close(&wire);
    expect_int(end_process(&serve, SIGTERM), 0);
}

TEST(serve_options, wrong_names_list_those_that_are_known)
{
    expect_wrong(ARGV("serve", "--offer", "ETRN"), "--offer does not know 'ETRN'; it knows PIPE");
    expect_wrong(ARGV("serve", "--hide", ""), "--hide does not know ''; it knows PIPELINING, ");
    expect_wrong(ARGV("serve", "--hide", "BDAT"), "MT-PRIORITY, XCLIENT\n");
    expect_wrong(ARGV("serve", "--limit", "recipients"), "takes NAME=N, not 'recipients'");
    expect_wrong(ARGV("serve", "--limit", "rcpt=1"), "NAME is one of local-part-octets, ");
    expect_wrong(ARGV("serve", "--limit", "errors=-1"), "--limit errors= takes a number, not '-1'");
    expect_wrong(ARGV("serve", "--limit", "command-line-octets=10"), "command_line_octets");
    expect_wrong(ARGV("serve", "--durable"), "--durable needs --maildir DIR");
    expect_wrong(ARGV("serve", "--offer", "FUTURERELEASE", "--mbox", "x"),
                 "--mbox, which delivers");
    expect_wrong(ARGV("serve", "--trust", "mx.example"), "mx.example");
    expect_wrong(ARGV("serve", "--maildir", "/dev/null/x"), "/dev/null/x");
    expect_wrong(ARGV("serve", "--mbox", "/dev/null/x"), "/dev/null/x");
    expect_wrong(ARGV("serve", "--relay", "http://ann:secret@host"), "the URL's ");
}

/** The only file in a folder's `new`. */
static void only_message(const char *maildir, char *text, size_t capacity)
{
    char path[512] = "";
    snprintf(path, sizeof path, "%s/new", maildir);
    DIR *folder = opendir(path);
    expect_true(folder != NULL);
    size_t count = 0, len = strlen(path);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            snprintf(path + len, sizeof path - len, "/%s", entry->d_name);
            count++;
        }
    }
    closedir(folder);
    expect_int(count, 1);
    FILE *file = fopen(path, "r");
    expect_true(file != NULL);
    text[fread(text, 1, capacity - 1, file)] = '\0';
    fclose(file);
    expect_int(unlink(path), 0);
}

static void remove_maildir(const char *maildir)
{
    static const char *const parts[] = {"/tmp", "/new", "/cur", ""};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s%s", maildir, parts[i]);
        expect_int(rmdir(path), 0);
    }
}

TEST(serve_options, maildir_mbox_and_print_at_once_each_get_the_message)
{
    char folder[] = "/tmp/smtp-test-XXXXXX", maildir[64], mbox[64], text[4096], line[256];
    expect_true(mkdtemp(folder) != NULL);
    snprintf(maildir, sizeof maildir, "%s/mail", folder);
    snprintf(mbox, sizeof mbox, "%s/mbox", folder);
    struct smtp_wire wire;
    struct background serve =
        start_process(ARGV("serve", "--maildir", maildir, "--durable", "--mbox", mbox, "--print"));
    expect_contains(offered(&serve, &wire), "250 ");
    expect_contains(send_over(&wire), "250 2.0.0 ");
    smtp_wire_close(&wire);
    only_message(maildir, text, sizeof text);
    expect_true(strncmp(text, "Return-Path: <ann@example.com>\n", 31) == 0);
    expect_contains(text, "\nSubject: hi\n\ntext\n");
    FILE *file = fopen(mbox, "r");
    expect_true(file != NULL);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    expect_true(strncmp(text, "From ann@example.com ", 21) == 0);
    expect_contains(text, "\nSubject: hi\n\ntext\n");
    while (strstr(next_line(&serve, line, sizeof line), "Subject: hi") == NULL) {
    }
    expect_int(end_process(&serve, SIGTERM), 0);
    remove_maildir(maildir);
    unlink(mbox);
    expect_int(rmdir(folder), 0);
}

TEST(serve_options, relay_hands_on_and_passes_refusals_on)
{
    struct smtp_harness *next = smtp_harness_start(NULL, NULL);
    struct smtp_wire wire;
    char url[200];
    expect_true(next != NULL);
    snprintf(url, sizeof url, "%s?tls=never", smtp_harness_url(next));
    struct background serve = start_process(ARGV("serve", "--relay", url));
    expect_contains(offered(&serve, &wire), "250 ");
    expect_contains(send_over(&wire), "250 2.0.0 OK: message 1");
    expect_true(smtp_harness_wait(next, "to=bob@example.com header.Received~^from") != NULL);
    smtp_harness_stop(next);
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "451 4.4.1 ");
    smtp_wire_close(&wire);
    expect_int(end_process(&serve, SIGTERM), 0);
}

TEST(serve_options, an_lmtp_listener_is_told_as_such_and_answers_for_each_recipient)
{
    char url[200];
    struct smtp_wire wire;
    struct background serve = start_process(ARGV("serve", "--listen", "lmtp://127.0.0.1:0"));
    hear_url(&serve, url, sizeof url);
    expect_true(strncmp(url, "lmtp://127.0.0.1:", 17) == 0);
    expect_true(smtp_wire_connect(&wire, url + strlen("lmtp://")));
    expect_contains(smtp_wire_reply(&wire), "220 ");
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "50");
    expect_contains(smtp_wire_ask(&wire, "LHLO c.example"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<bob@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<carol@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    expect_contains(smtp_wire_ask(&wire, "text\r\n."), "250 ");
    expect_contains(smtp_wire_reply(&wire), "250 ");
    smtp_wire_close(&wire);
    expect_int(end_process(&serve, SIGTERM), 0);
}

TEST(serve_options, a_proxy_header_names_the_client_and_untrusted_peers_are_closed)
{
    char url[200];
    struct smtp_wire wire;
    struct background serve =
        start_process(ARGV("serve", "--proxy-protocol", "--trust", "127.0.0.1"));
    hear_url(&serve, url, sizeof url);
    expect_true(smtp_wire_connect(&wire, url + strlen("smtp://")));
    expect_contains(smtp_wire_ask(&wire, "PROXY TCP4 192.0.2.1 192.0.2.2 40112 25"), "220 ");
    smtp_wire_close(&wire);
    expect_int(end_process(&serve, SIGTERM), 0);

    serve = start_process(ARGV("serve", "--proxy-protocol"));
    hear_url(&serve, url, sizeof url);
    expect_true(smtp_wire_connect(&wire, url + strlen("smtp://")));
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
    expect_int(end_process(&serve, SIGTERM), 0);
}
