/* send_test.c - the program's verb `send` between others: what it makes is taken by Postfix and aiosmtpd and read
 * by Python's email module, and programs that send mail call it as sendmail. */
#include "tests/peers/postfix.h"
#include "tests/peers/program.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <sys/stat.h>

#define SECONDS 60
#define READY_MS 10000

/* ---- aiosmtpd ---- */

static void aiosmtpd_start(struct program *program, unsigned *port)
{
    program_start(program,
                  (const char *[]){"/usr/bin/python3", PEERS_SOURCE "/receive_aiosmtpd.py", NULL});
    expect_true(program_says(program, 0, "\n", READY_MS) >= 0);
    expect_int(sscanf(program->said, "port %u", port), 1);
}

/** Ends it; the content of the only message it got, which came from ann to these; good until program_free. */
static const char *aiosmtpd_end(struct program *program, const char *recipients)
{
    char head[256];
    program_end_input(program);
    expect_int(program_wait(program), 0);
    const char *at = strchr(program->said, '\n') + 1;
    snprintf(head, sizeof head, "from ann@example.org\n%soctets ", recipients);
    if (strncmp(at, head, strlen(head)) != 0) {
        SMTP_TEST_FAIL("expected \"%s\", came \"%s\"", head, at);
    }
    char *content = NULL;
    size_t len = strtoul(at + strlen(head), &content, 10);
    content++;
    expect_int(strlen(content), len);
    return content;
}

/* ---- what a message says ---- */

/** What Python's email module says of it. */
static void expect_read(const char *mail, const char *expected)
{
    struct program reader;
    program_start_with(&reader,
                       (const char *[]){"/usr/bin/python3", PEERS_SOURCE "/read_mail.py", NULL},
                       mail, strlen(mail));
    int status = program_wait(&reader);
    expect_str(reader.said, expected);
    expect_int(status, 0);
    program_free(&reader);
}

static void expect_ends(const char *const *argv, int status, const char *said)
{
    struct program program;
    program_start(&program, argv);
    int ended = program_wait(&program);
    if (ended != status || strstr(program.said, said) == NULL) {
        SMTP_TEST_FAIL("%s: exit status %d, not %d, or not said \"%s\": %s", argv[0], ended, status,
                       said, program.said);
    }
    program_free(&program);
}

/* ---- messages that are made ---- */

#define UMLAUTS                                                                                    \
    "Gr\303\274\303\237e aus K\303\266ln, " /* more than a line of encoded words holds */
#define SUBJECT UMLAUTS UMLAUTS UMLAUTS "\342\202\254 \360\237\223\247"

static const char composed[] = "From Ann L\303\251e <ann@example.org>\n"
                               "To \"Bob (B.) \303\226hm\" <bob@example.com>, carol@example.com\n"
                               "Cc \"Lee, Dan\" <dan@example.com>\n"
                               "Subject " SUBJECT "\n"
                               "X-Mark \303\251t\303\251\n"
                               "part multipart/mixed - - -\n"
                               "part multipart/alternative - - -\n"
                               "part text/plain utf-8 - -\n"
                               "   'h\\xe9llo\\n.\\n..two\\nFrom here\\nno end\\n'\n"
                               "part text/html us-ascii - -\n"
                               "   '<p>hello &amp; bye</p>\\n'\n"
                               "part application/pdf - attachment Pl\303\244ne (2).pdf\n"
                               "   00ff0d0a2e0a0d2e\n"
                               "part text/csv utf-8 attachment a\"b.csv\n"
                               "   '\\xe4;b\\n1;2\\n'\n";

static void put_octets(const char *directory, const char *name, const void *octets, size_t len)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    expect_true(file != NULL);
    expect_int(fwrite(octets, 1, len, file), len);
    fclose(file);
}

static void send_composed(unsigned port, const char *const *further)
{
    static const char pdf[] = "\0\xFF\r\n.\n\r.", csv[] = "\303\244;b\n1;2\n";
    struct arguments arguments = {.count = 0};
    char *directory = make_directory();
    put_octets(directory, "Pl\303\244ne (2).pdf", pdf, sizeof pdf - 1);
    put_octets(directory, "a\"b.csv", csv, sizeof csv - 1);
    arguments_add(
        &arguments,
        (const char *[]){SMTP_HARNESS, "send", "--from", "Ann L\303\251e <ann@example.org>", "--to",
                         "\"Bob (B.) \303\226hm\" <bob@example.com>, carol@example.com", "--cc",
                         "\"Lee, Dan\" <dan@example.com>", "--bcc", "eve@example.com", "--subject",
                         SUBJECT, "--header", "X-Mark: \303\251t\303\251", "--text",
                         "h\303\251llo\n.\n..two\nFrom here\nno end\n", "--html",
                         "<p>hello &amp; bye</p>\n", NULL});
    argument(&arguments, "--attach");
    argument(&arguments, "%s/Pl\303\244ne (2).pdf", directory);
    argument(&arguments, "--attach");
    argument(&arguments, "%s/a\"b.csv", directory);
    argument(&arguments, "smtp://127.0.0.1:%u", port);
    arguments_add(&arguments, further);
    expect_ends(arguments.argv, 0, "eve@example.com: ok, 250 ");
    remove_directory(directory);
}

TEST_WITHIN(peers, what_send_makes_comes_through_aiosmtpd_and_python_reads_each_piece, SECONDS)
{
    static const char *const further[][3] = {{NULL}, {"-B", "8BITMIME", NULL}};
    for (size_t i = 0; i < 2; i++) {
        struct program aiosmtpd;
        unsigned port = 0;
        aiosmtpd_start(&aiosmtpd, &port);
        send_composed(port, further[i]);
        const char *mail = aiosmtpd_end(&aiosmtpd, "to bob@example.com\nto carol@example.com\n"
                                                   "to dan@example.com\nto eve@example.com\n");
        expect_true(strstr(mail, "eve@") == NULL);
        expect_read(mail, composed);
        program_free(&aiosmtpd);
    }
}

TEST_WITHIN(peers, what_send_makes_is_delivered_by_postfix_and_python_reads_each_piece, SECONDS)
{
    struct postfix postfix;
    postfix_start(&postfix, NULL);
    send_composed(postfix.port, (const char *[]){NULL});
    postfix_delivers(&postfix, 4);
    char *mail = postfix_find(&postfix, "\nX-Original-To: eve@example.com\n");
    expect_true(mail != NULL);
    expect_read(mail, composed);
    free(mail);
    postfix_stop(&postfix);
}

TEST_WITHIN(peers, what_postfix_refuses_is_told_of_each_recipient_and_by_the_exit_status, SECONDS)
{
    struct postfix postfix;
    struct arguments arguments = {.count = 0};
    postfix_start(&postfix, NULL);
    arguments_add(&arguments, (const char *[]){SMTP_HARNESS, "send", "-f", "ann@example.org",
                                               "--text", "x", "--json", NULL});
    argument(&arguments, "smtp://127.0.0.1:%u", postfix.port);
    argument(&arguments, "eve@elsewhere.example");
    expect_ends(arguments.argv, 69,
                "\"status\":\"permanent\",\"stage\":\"RCPT\",\"code\":554,"
                "\"enhanced\":\"5.7.1\"");
    argument(&arguments, "bob@example.com");
    expect_ends(arguments.argv, 69, "\"recipients\":2,\"accepted\":1");
    postfix_delivers(&postfix, 1);
    postfix_stop(&postfix);
}

/* ---- as sendmail ---- */

/** A program that sends what it is given to that port, as one would put it in sendmail's place. */
static char *make_sendmail(const char *directory, unsigned port)
{
    char script[256];
    snprintf(script, sizeof script, "#!/bin/sh\nexec %s send -q smtp://127.0.0.1:%u \"$@\"\n",
             SMTP_HARNESS, port);
    char *path = write_file(directory, "sendmail", script);
    expect_int(chmod(path, 0755), 0);
    return path;
}

#define BOTH "to bob@example.com\nto carol@example.com\n"

TEST_WITHIN(peers, python_calls_send_as_sendmail, SECONDS)
{
    struct program aiosmtpd;
    unsigned port = 0;
    char *directory = make_directory();
    aiosmtpd_start(&aiosmtpd, &port);
    char *sendmail = make_sendmail(directory, port);
    const char *argv[] = {"/usr/bin/python3", PEERS_SOURCE "/send_sendmail.py", sendmail,
                          "bob@example.com", NULL};
    expect_ends(argv, 0, "");
    argv[3] = "bob@exa mple.com";
    expect_ends(argv, 65, "the message's header: ");
    const char *mail = aiosmtpd_end(&aiosmtpd, BOTH);
    expect_true(strstr(mail, "Bcc") == NULL);
    expect_read(mail, "From Ann L\303\251e <ann@example.org>\nTo bob@example.com\n"
                      "Subject Gr\303\274\303\237e from Python\npart text/plain utf-8 - -\n"
                      "   'Hello\\n.\\n..\\nbye\\n'\n");
    free(sendmail);
    remove_directory(directory);
    program_free(&aiosmtpd);
}

TEST_WITHIN(peers, nodemailer_calls_send_as_sendmail, SECONDS)
{
    struct program aiosmtpd;
    unsigned port = 0;
    char *directory = make_directory();
    aiosmtpd_start(&aiosmtpd, &port);
    char *sendmail = make_sendmail(directory, port);
    expect_ends(
        (const char *[]){"/usr/bin/node", PEERS_SOURCE "/send_nodemailer.js", sendmail, NULL}, 0,
        "");
    expect_read(aiosmtpd_end(&aiosmtpd, BOTH),
                "From Ann L\303\251e <ann@example.org>\nTo bob@example.com\n"
                "Subject Gr\303\274\303\237e from Node\npart text/plain utf-8 - -\n"
                "   'Hello\\n.\\n..\\nbye\\n'\n");
    free(sendmail);
    remove_directory(directory);
    program_free(&aiosmtpd);
}

/** git send-email, which is told of the program by these words. */
static void expect_git(const char *how)
{
    static const char patch[] =
        "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
        "From: Ann <ann@example.org>\nDate: Thu, 26 Nov 2026 10:00:00 +0000\n"
        "Subject: [PATCH] mend it\n\nso that it works\n---\n";
    struct program aiosmtpd;
    struct arguments arguments = {.count = 0};
    unsigned port = 0;
    char *directory = make_directory();
    aiosmtpd_start(&aiosmtpd, &port);
    char *sendmail = make_sendmail(directory, port);
    char *file = write_file(directory, "0001.patch", patch);
    arguments_add(&arguments,
                  (const char *[]){"env", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
                                   "git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org",
                                   "-c", NULL});
    argument(&arguments, "%s=%s", how, sendmail);
    arguments_add(&arguments,
                  (const char *[]){"send-email", "--quiet", "--confirm=never", "--suppress-cc=all",
                                   "--from=Ann <ann@example.org>", "--to=bob@example.com",
                                   "--bcc=carol@example.com", file, NULL});
    expect_ends(arguments.argv, 0, "");
    expect_read(aiosmtpd_end(&aiosmtpd, BOTH),
                "From Ann <ann@example.org>\nTo bob@example.com\nSubject [PATCH] mend it\n"
                "part text/plain - - -\n   'so that it works\\n---\\n'\n");
    free(file);
    free(sendmail);
    remove_directory(directory);
    program_free(&aiosmtpd);
}

TEST_WITHIN(peers, git_send_email_calls_send_as_its_smtp_server_and_as_its_sendmail, SECONDS)
{
    expect_git("sendemail.smtpServer");
    expect_git("sendemail.sendmailCmd");
}
