/* send_test.c - the verb `send` as a shell sees it: messages made and read, results, exit statuses. */
#include "tests/programs/send_program.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* ---- messages that are made ---- */

TEST(send, a_message_is_made_of_options_and_each_recipient_is_told)
{
    struct smtp_harness *harness = send_begin();
    struct ended ended =
        run_to_end(SEND(smtp_harness_url(harness), "--from", "Ann Lee <ann@example.com>", "--to",
                        "Bob <bob@example.com>, carol@example.com", "--cc", "dan@example.com",
                        "--bcc", "eve@example.com", "--subject", "Gr\303\274\303\237e", "--text",
                        "Hello", "fay@example.com"));
    expect_str(ended.out, "bob@example.com: ok, 250 2.0.0 OK: message 1\n"
                          "carol@example.com: ok, 250 2.0.0 OK: message 1\n"
                          "dan@example.com: ok, 250 2.0.0 OK: message 1\n"
                          "eve@example.com: ok, 250 2.0.0 OK: message 1\n"
                          "fay@example.com: ok, 250 2.0.0 OK: message 1\n");
    expect_ended(ended, 0, "");
    expect_int(smtp_harness_expect(harness,
                                   "from=ann@example.com to=bob@example.com to=carol@example.com "
                                   "to=dan@example.com to=eve@example.com to=fay@example.com "
                                   "subject=\"Gr\303\274\303\237e\" text=Hello count=1"),
               SMTP_OK);
    const struct smtp_harness_message *message = next_message(harness);
    expect_str(smtp_harness_header(message, "From"), "Ann Lee <ann@example.com>");
    expect_str(smtp_harness_header(message, "Cc"), "dan@example.com");
    expect_true(strstr(source_of(message), "eve@") == NULL &&
                strstr(source_of(message), "fay@") == NULL);
    smtp_harness_stop(harness);
}

TEST(send, texts_come_from_files_and_standard_input_and_files_are_attached)
{
    struct smtp_harness *harness = send_begin();
    char directory[64], text[96], html[96];
    smtp_make_directory(directory);
    snprintf(text, sizeof text, "%s/notes.txt", directory);
    snprintf(html, sizeof html, "@%s/notes.txt", directory);
    FILE *file = fopen(text, "w");
    fputs("<p>from a file</p>\n", file);
    fclose(file);
    expect_ended(
        run_with_input(SEND("-q", smtp_harness_url(harness), "--to", "bob@example.com", "--text",
                            "-", "--html", html, "--attach", text, "--header", "X-Mark: 1"),
                       "from a pipe\n"),
        0, "");
    const struct smtp_harness_message *message = next_message(harness);
    expect_str(smtp_harness_text(message), "from a pipe\n");
    expect_str(smtp_harness_html(message), "<p>from a file</p>\n");
    expect_str(smtp_harness_header(message, "X-Mark"), "1");
    expect_str(smtp_harness_part(message, 2)->name, "notes.txt");
    expect_int(smtp_harness_part(message, 2)->size_bytes, 19);
    expect_ended(
        run_to_end(SEND("-q", smtp_harness_url(harness), "bob@example.com", "--text", "@@home\n")),
        0, "");
    expect_str(smtp_harness_text(next_message(harness)), "@home\n");
    smtp_remove_directory(directory);
    smtp_harness_stop(harness);
}

/* ---- messages that are read ---- */

TEST(send, a_message_is_sent_as_it_is_its_line_ends_mended_alone)
{
    struct smtp_harness *harness = send_begin();
    expect_ended(run_with_input(SEND("-q", smtp_harness_url(harness), "-f", "ann@example.com",
                                     "bob@example.com"),
                                "Bcc: x@example.com\nX-A:  b\n\n.\n..two\r\nend"),
                 0, "");
    const struct smtp_harness_message *message = next_message(harness);
    expect_str(source_of(message), "Bcc: x@example.com\r\nX-A:  b\r\n\r\n.\r\n..two\r\nend\r\n");
    smtp_harness_stop(harness);
}

TEST(send, a_file_is_sent_with_its_size_and_its_sender)
{
    struct smtp_harness *harness = send_begin();
    char directory[64], path[96];
    smtp_make_directory(directory);
    snprintf(path, sizeof path, "%s/mail.eml", directory);
    FILE *file = fopen(path, "w");
    fputs("From: Ann <ann@example.com>\n\nhi\n", file);
    fclose(file);
    expect_ended(run_to_end(SEND("-q", smtp_harness_url(harness), "--file", path, "--to",
                                 "bob@example.com")),
                 0, "");
    const struct smtp_message *captured = smtp_harness_envelope(next_message(harness));
    expect_str(smtp_message_reverse_path(captured), "ann@example.com");
    expect_contains(smtp_harness_transcript(harness, 1), "MAIL FROM:<ann@example.com> SIZE=35");
    smtp_remove_directory(directory);
    smtp_harness_stop(harness);
}

TEST(send, t_takes_the_envelope_from_the_header_and_bcc_out)
{
    struct smtp_harness *harness = send_begin();
    expect_ended(run_with_input(SEND("-q", smtp_harness_url(harness), "-t", "fay@example.com"),
                                "Date: Wed, 25 Nov 2026 10:00:00 +0000\nFrom: ann@example.com\n"
                                "Message-ID: <1@example.com>\nTo: Bob <bob@example.com>\n"
                                "Cc: carol@example.com\nBcc: dan@example.com,\n eve@example.com\n"
                                "\nBcc: not me\n"),
                 0, "");
    const struct smtp_harness_message *message = next_message(harness);
    expect_str(source_of(message),
               "Date: Wed, 25 Nov 2026 10:00:00 +0000\r\nFrom: ann@example.com\r\n"
               "Message-ID: <1@example.com>\r\nTo: Bob <bob@example.com>\r\n"
               "Cc: carol@example.com\r\n\r\nBcc: not me\r\n");
    expect_int(smtp_harness_expect(harness, "from=ann@example.com to=bob@example.com "
                                            "to=carol@example.com to=dan@example.com "
                                            "to=eve@example.com to=fay@example.com count=1"),
               SMTP_OK);
    smtp_harness_stop(harness);
}

TEST(send, t_adds_the_fields_that_every_message_has_rfc5322_3_6)
{
    struct smtp_harness *harness = send_begin();
    expect_ended(run_with_input(SEND("-q", smtp_harness_url(harness), "-t", "-i", "-F",
                                     "Cron \"D\"", "-fann@example.com"),
                                "To: bob@example.com\nSubject: a\n\nhi\n"),
                 0, "");
    const struct smtp_harness_message *message = next_message(harness);
    expect_str(smtp_harness_header(message, "From"), "\"Cron \\\"D\\\"\" <ann@example.com>");
    expect_contains(smtp_harness_header(message, "Date"), " +0000");
    expect_contains(smtp_harness_header(message, "Message-ID"), "@example.com>");
    expect_str(smtp_harness_header(message, "Subject"), "a");
    smtp_harness_stop(harness);
}

TEST(send, a_header_in_utf8_asks_for_smtputf8_rfc6531_3_4)
{
    struct smtp_harness *harness = send_begin();
    expect_ended(run_with_input(SEND("-q", smtp_harness_url(harness), "-t"),
                                "From: ann@example.com\nTo: bob@example.com\n"
                                "Subject: Gr\303\274\303\237e\n\nhi\n"),
                 0, "");
    expect_int(smtp_harness_expect(harness, "protocol=UTF8SMTP count=1"), SMTP_OK);
    smtp_harness_stop(harness);
}

TEST(send, stands_in_for_sendmail_as_its_callers_call_it)
{
    struct smtp_harness *harness = send_begin();
    char directory[64], script[96];
    smtp_make_directory(directory);
    snprintf(script, sizeof script, "%s/sendmail", directory);
    FILE *file = fopen(script, "w");
    fprintf(file, "#!/bin/sh\nexec %s send -q %s \"$@\"\n", SMTP_HARNESS,
            smtp_harness_url(harness));
    fchmod(fileno(file), 0755);
    fclose(file);
    const char *const php[] = {script, "-t", "-i", "-fphp@example.com", NULL};
    const char *const cron[] = {script, "-FCronDaemon",    "-i", "-B8BITMIME",
                                "-oem", "bob@example.com", NULL};
    const char *const git[] = {
        script, "-i", "-f", "git@example.com", "bob@example.com", "carol@example.com", NULL};
    const char *const mutt[] = {script,
                                "-oi",
                                "-oem",
                                "-V",
                                "id 1",
                                "-N",
                                "success,delay",
                                "-R",
                                "hdrs",
                                "--",
                                "bob@example.com",
                                NULL};
    expect_ended(run_with_input(php, "To: bob@example.com\r\nSubject: s\r\n\r\nhi\r\n"), 0, "");
    expect_int(smtp_harness_expect(harness, "from=php@example.com to=bob@example.com"), SMTP_OK);
    expect_ended(run_with_input(cron, "From: \"(Cron Daemon)\" <cron@example.com>\n\n.\n"), 0, "");
    expect_int(smtp_harness_expect(harness, "from=cron@example.com to=bob@example.com"), SMTP_OK);
    expect_ended(run_with_input(git, "From: A <a@example.com>\nTo: l@example.com\n\nhi\n"), 0, "");
    expect_int(smtp_harness_expect(harness, "from=git@example.com to=carol@example.com"), SMTP_OK);
    expect_ended(run_with_input(mutt, "From: m@example.com\n\nhi\n"), 0, "");
    expect_contains(smtp_harness_transcript(harness, 4), "RET=HDRS ENVID=id+201");
    expect_contains(smtp_harness_transcript(harness, 4), "NOTIFY=SUCCESS,DELAY");
    smtp_remove_directory(directory);
    smtp_harness_stop(harness);
}

TEST(send, an_address_without_a_domain_is_of_this_host)
{
    struct smtp_harness *harness = send_begin();
    expect_ended(run_with_input(SEND("-q", smtp_harness_url(harness), "root", "postmaster"),
                                "Subject: no sender\n\nhi\n"),
                 0, "");
    expect_int(smtp_harness_expect(harness, "to~\"^root@.\" to=postmaster from~\"^[^@]+@.\""),
               SMTP_OK);
    smtp_harness_stop(harness);
}

/* ---- results ---- */

static json_t *next_object(char **at)
{
    size_t len = strcspn(*at, "\n");
    json_error_t error;
    json_t *object = json_loadb(*at, len, 0, &error);
    if (object == NULL) {
        SMTP_TEST_FAIL("no JSON: %s in %s", error.text, *at);
    }
    *at += len + ((*at)[len] == '\n');
    return object;
}

/** That the line's object is this, with its members in order. */
static void expect_object(char **at, const char *expected)
{
    json_t *object = next_object(at);
    char *text = json_dumps(object, JSON_COMPACT);
    expect_str(text, expected);
    free(text);
    json_decref(object);
}

TEST(send, json_tells_each_recipient_and_then_all)
{
    struct smtp_harness *harness = send_begin();
    struct ended ended =
        run_to_end(SEND(smtp_harness_url(harness), "--json", "--subject", "x", "bob@example.com",
                        "carol+450-4.2.1@example.com", "dan+550-5.1.1@example.com"));
    char *at = ended.out;
    json_t *bob = next_object(&at), *carol = next_object(&at), *dan = next_object(&at),
           *all = next_object(&at);
    expect_str(at, "");
    expect_str(json_string_value(json_object_get(bob, "status")), "ok");
    expect_int(json_integer_value(json_object_get(bob, "code")), 250);
    expect_str(json_string_value(json_object_get(carol, "address")), "carol+450-4.2.1@example.com");
    expect_str(json_string_value(json_object_get(carol, "status")), "temporary");
    expect_str(json_string_value(json_object_get(carol, "stage")), "RCPT");
    expect_int(json_integer_value(json_object_get(carol, "code")), 450);
    expect_str(json_string_value(json_object_get(carol, "enhanced")), "4.2.1");
    expect_str(json_string_value(json_object_get(dan, "status")), "permanent");
    expect_int(json_integer_value(json_object_get(all, "recipients")), 3);
    expect_int(json_integer_value(json_object_get(all, "accepted")), 1);
    expect_str(json_string_value(json_object_get(all, "status")), "PARTLY_REFUSED");
    expect_int(json_integer_value(json_object_get(all, "exit")), EX_TEMPFAIL);
    expect_true(json_is_string(json_object_get(all, "error")));
    json_decref(bob);
    json_decref(carol);
    json_decref(dan);
    json_decref(all);
    expect_ended(ended, EX_TEMPFAIL, "smtp-harness send: ");
    smtp_harness_stop(harness);
}

TEST(send, nothing_sent_is_told_of_each_recipient_too)
{
    struct ended ended =
        run_to_end(SEND("unix:/nonexistent/socket", "--json", "--subject", "x", "bob@example.com"));
    char *at = ended.out;
    expect_object(&at, "{\"address\":\"bob@example.com\",\"status\":\"not-sent\",\"stage\":"
                       "\"connect\",\"code\":null,\"enhanced\":null,\"text\":null}");
    json_t *all = next_object(&at);
    expect_int(json_integer_value(json_object_get(all, "accepted")), 0);
    expect_str(json_string_value(json_object_get(all, "status")), "CONNECT_FAILED");
    json_decref(all);
    expect_ended(ended, EX_TEMPFAIL, "/nonexistent/socket");
}

/** The exit status of a message to these addresses. */
static void expect_exit(struct smtp_harness *harness, const char *one, const char *other,
                        int status)
{
    struct ended ended = run_to_end(SEND(smtp_harness_url(harness), "--subject", "x", one, other));
    expect_ended(ended, status, status == 0 ? "" : "smtp-harness send: ");
}

TEST(send, the_exit_status_is_the_worst_that_another_try_could_help_then_the_worst)
{
    struct smtp_harness *harness = send_begin();
    expect_exit(harness, "a@example.com", "b@example.com", 0);
    expect_exit(harness, "a@example.com", "b+550@example.com", EX_UNAVAILABLE);
    expect_exit(harness, "a+550@example.com", "b+450@example.com", EX_TEMPFAIL);
    expect_exit(harness, "a@example.com", "b+450@example.com", EX_TEMPFAIL);
    expect_exit(harness, "a+550@example.com", "b+553@example.com", EX_UNAVAILABLE);
    expect_exit(harness, "a+530@example.com", "b+530@example.com", EX_NOPERM);
    smtp_harness_stop(harness);
}

TEST(send, quiet_tells_errors_alone)
{
    struct smtp_harness *harness = send_begin();
    struct ended ended = run_to_end(
        SEND(smtp_harness_url(harness), "-q", "--subject", "x", "b+550-5.1.1@example.com"));
    expect_str(ended.out, "");
    expect_ended(ended, EX_UNAVAILABLE, "smtp-harness send: ");
    smtp_harness_stop(harness);
}

TEST(send, a_recipient_list_longer_than_limits_takes_goes_in_several_transactions_rfc9422)
{
    struct smtp_harness_options options;
    send_options_init(&options);
    options.server.limits.recipients = 1;
    struct smtp_harness *harness = send_begin_with(&options);
    expect_ended(run_to_end(SEND(smtp_harness_url(harness), "-q", "--text", "x", "a@example.com",
                                 "b@example.com")),
                 0, "");
    expect_int(smtp_harness_expect(harness, "text=x count=2"), SMTP_OK);
    smtp_harness_stop(harness);
}

/* ---- the dialogue ---- */

TEST(send, verbose_draws_the_dialogue_on_standard_error)
{
    struct smtp_harness *harness = send_begin();
    struct ended ended =
        run_to_end(SEND(smtp_harness_url(harness), "-v", "--text", "x", "a@example.com"));
    expect_str(ended.out, "a@example.com: ok, 250 2.0.0 OK: message 1\n");
    expect_contains(ended.err, "MAIL FROM:<");
    expect_contains(ended.err, "221 2.0.0 Bye");
    expect_ended(ended, 0, "EHLO [127.0.0.1]");
    smtp_harness_stop(harness);
}

TEST(send, record_writes_a_file_or_the_next_one_of_a_directory)
{
    struct smtp_harness *harness = send_begin();
    char directory[64], path[96], folder[96];
    size_t len;
    smtp_make_directory(directory);
    snprintf(path, sizeof path, "%s/one.smtp", directory);
    snprintf(folder, sizeof folder, "%s/all/", directory);
    expect_int(symlink("behind.smtp", path), 0); /* which stays a link */
    const char *const calls[] = {path, folder, folder};
    for (size_t i = 0; i < 3; i++) {
        expect_ended(run_to_end(SEND(smtp_harness_url(harness), "-q", "--record", calls[i],
                                     "--text", "x", "a@example.com")),
                     0, "");
    }
    struct stat status;
    expect_true(lstat(path, &status) == 0 && S_ISLNK(status.st_mode));
    char *text = smtp_read_file(path, &len);
    expect_contains(text, "C: RCPT TO:<a@example.com>\n");
    expect_contains(text, "S: 221 ");
    free(text);
    snprintf(path, sizeof path, "%s/all/session-2.smtp", directory);
    expect_int(access(path, R_OK), 0);
    expect_ended(run_to_end(SEND(smtp_harness_url(harness), "-q", "--record", "/nonexistent/x.smtp",
                                 "--text", "x", "a@example.com")),
                 EX_CANTCREAT, "--record: ");
    smtp_remove_directory(directory);
    smtp_harness_stop(harness);
}

/* ---- bad input: an exit status, a reason, and nothing sent ---- */

static const struct {
    int status;
    const char *complaint;
    const char *const *words; /* behind the URL */
} bad_input[] = {
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
    {EX_USAGE, "there is no address: --to ADDR", WORDS("--subject", "x")},
    {EX_USAGE, "ADDRESS: ", WORDS("--subject", "x", "a@b\r\nRCPT TO:<c@d>")},
    {EX_USAGE, "ADDRESS: ", WORDS("--subject", "x", "<a@b>> SIZE=1")},
    {EX_USAGE, "--to: ", WORDS("--subject", "x", "--to", "a b@example.com")},
    {EX_USAGE, "--bcc: there is no address in it", WORDS("--subject", "x", "--bcc", " ")},
    {EX_USAGE, "--reverse-path: ", WORDS("-f", "a@b\nX", "--subject", "x", "b@example.com")},
    {EX_USAGE, "--subject holds the control octet 0x0D", WORDS("--subject", "x\r\nA: b", "b@c.d")},
    {EX_USAGE, "--header X-A holds", WORDS("--header", "X-A: b\nBcc: c", "b@example.com")},
    {EX_USAGE, "--full-name holds the control octet", WORDS("-F", "x\nA: b", "b@example.com")},
    {EX_USAGE, "the name for EHLO holds the octet 0x0D",
     WORDS("--helo", "x\r\nQUIT", "--subject", "x", "b@example.com")},
    {EX_USAGE, "the PROXY header holds the control octet 0x0D",
     WORDS("--proxy-header", "v1 x\r\n", "--subject", "x", "b@example.com")},
    {EX_USAGE, "--orcpt is given 2 times for 1 recipients",
     WORDS("--orcpt", "a@b.c", "--orcpt", "c@d.e", "--subject", "x", "b@example.com")},
    {EX_USAGE, "--body takes 7BIT, 8BITMIME or BINARYMIME", WORDS("--body", "9BIT", "b@c.d")},
    {EX_USAGE, "--notify takes never", WORDS("--notify", "never,delay", "b@c.d")},
    {EX_USAGE, "--by takes SECONDS;MODE", WORDS("--by", "-5;R", "b@c.d")},
    {EX_USAGE, "--priority takes a number from -9 to 9", WORDS("--priority", "10", "b@c.d")},
    {EX_USAGE, "--ret takes full or hdrs", WORDS("--ret", "all", "b@c.d")},
    {EX_USAGE, "NAME is one of connect, greeting", WORDS("--timeout", "comand=5", "b@c.d")},
    {EX_USAGE, "--timeout command= takes milliseconds", WORDS("--timeout", "command=5s", "b@c.d")},
    {EX_USAGE, "--hold-for and --hold-until exclude",
     WORDS("--hold-for", "5", "--hold-until", "2030-01-01T00:00:00Z", "b@c.d")},
    {EX_USAGE, "--file takes a whole message", WORDS("--file", "x", "--subject", "y", "b@c.d")},
    {EX_USAGE, "standard input can be read once", WORDS("--text", "-", "--html", "-", "b@c.d")},
    {EX_USAGE, "--json and --quiet exclude", WORDS("--json", "-q", "--subject", "y", "b@c.d")},
    {EX_USAGE, "there is no option '--sbject'; did you mean '--subject'?", WORDS("--sbject", "x")},
    {EX_USAGE, "--password-file needs --user", WORDS("--password-file", "x", "b@c.d")},
    {EX_CONFIG, "there is a user and no password", WORDS("--user", "ann", "b@c.d")},
    {EX_CONFIG, "--password-file: cannot read /nonexistent",
     WORDS("--user", "ann", "--password-file", "/nonexistent", "b@c.d")},
    {EX_CONFIG, "/nonexistent", WORDS("--certificate", "/nonexistent", "b@c.d")},
    {EX_NOINPUT, "cannot read /nonexistent", WORDS("--file", "/nonexistent", "b@c.d")},
    {EX_NOINPUT, "cannot read /tmp: Is a directory", WORDS("--file", "/tmp", "b@c.d")},
    {EX_NOINPUT, "--attach: cannot read /tmp: Is a directory", WORDS("--attach", "/tmp", "b@c.d")},
    {EX_NOINPUT, "--text: cannot read /nonexistent", WORDS("--text", "@/nonexistent", "b@c.d")},
    {EX_NOINPUT, "standard input is empty", WORDS("b@example.com")},
    {EX_NOINPUT, "standard input is empty", WORDS("-t")},
};

TEST_WITHIN(send, bad_input_has_its_reason_and_nothing_is_sent, 60)
{
    struct smtp_harness *harness = send_begin();
    for (size_t i = 0; i < sizeof bad_input / sizeof *bad_input; i++) {
        const char *argv[16] = {SMTP_HARNESS, "send", smtp_harness_url(harness)};
        for (size_t k = 0; bad_input[i].words[k] != NULL; k++) {
            argv[3 + k] = bad_input[i].words[k];
        }
        struct ended ended = run_to_end(argv);
        expect_str(ended.out, "");
        expect_ended(ended, bad_input[i].status, bad_input[i].complaint);
    }
    expect_int(smtp_harness_expect_none(harness, "", 0), SMTP_OK);
    expect_true(smtp_harness_transcript(harness, 1) == NULL); /* nobody even connected */
    smtp_harness_stop(harness);
}

TEST(send, a_wrong_url_is_told_and_never_shown)
{
    expect_ended(run_to_end(SEND("smtp://ann:hunter2@h@x", "b@example.com")), EX_USAGE,
                 "the URL's user or password holds an '@'");
    expect_ended(run_to_end(SEND("localhost", "b@example.com")), EX_USAGE,
                 "the first word is the server's URL, like smtp://127.0.0.1:2525");
    expect_ended(run_to_end(SEND("http://localhost", "b@example.com")), EX_USAGE,
                 "the URL's scheme");
    static const char *const urls[] = {"smtp://ann:hunter2@h/x", "ann:hunter2@h"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct ended ended = run_to_end(SEND(urls[i], "b@example.com"));
        expect_int(ended.exit_status, EX_USAGE);
        expect_true(strstr(ended.err, "hunter2") == NULL);
        ended_clear(&ended);
    }
    expect_ended(run_to_end(ARGV("send")), EX_USAGE, "URL [ADDRESS]... is missing");
}

TEST(send, a_message_whose_header_cannot_serve_is_data_that_is_wrong)
{
    struct smtp_harness *harness = send_begin();
    const char *url = smtp_harness_url(harness);
    expect_ended(run_with_input(SEND("-t", url), "Subject: x\n\nhi\n"), EX_DATAERR,
                 "there is no address: none in To, Cc and Bcc of the message");
    expect_ended(run_with_input(SEND("-t", url), "From: a@b.c\nTo: <bob@example.com\n\nhi\n"),
                 EX_DATAERR, "the message's header: ");
    expect_ended(run_with_input(SEND("-t", url),
                                "Resent-To: a@b.c\nResent-From: a@b.c\nResent-To: a@b.c\n\nhi\n"),
                 EX_DATAERR, "more than one Resent- block");
    expect_int(smtp_harness_expect_none(harness, "", 0), SMTP_OK);
    smtp_harness_stop(harness);
}

TEST(send, a_header_section_without_end_is_refused)
{
    struct smtp_harness *harness = send_begin();
    char directory[64], path[96];
    smtp_make_directory(directory);
    snprintf(path, sizeof path, "%s/huge", directory);
    FILE *file = fopen(path, "w");
    for (size_t i = 0; i < 100000; i++) {
        fprintf(file, "X-Field-%zu: value\n", i);
    }
    fclose(file);
    expect_ended(run_to_end(SEND(smtp_harness_url(harness), "--file", path, "b@example.com")),
                 EX_DATAERR, "the header section is longer than 1048576 octets");
    expect_int(smtp_harness_expect_none(harness, "", 0), SMTP_OK);
    smtp_remove_directory(directory);
    smtp_harness_stop(harness);
}
