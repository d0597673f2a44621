/* play_test.c - the verb `play`: files of dialogues as either end, and what it says where one does not hold. */
#include "harness/smtp_harness.h"
#include "tests/programs/serve.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static const char hello[] = "# a greeting and an end\n"
                            "S: 220 ...\n"
                            "C: EHLO client.example\n"
                            "S: ...\n"
                            "S: 250 ${LAST}\n"
                            "C: QUIT\n"
                            "S: 221 ...\n";

/** A file of that text in a folder of its own. */
struct file {
    char folder[64];
    char path[96];
};

static void put(struct file *file, const char *text)
{
    smtp_make_directory(file->folder);
    snprintf(file->path, sizeof file->path, "%s/d.smtp", file->folder);
    FILE *out = fopen(file->path, "w");
    expect_true(out != NULL && fputs(text, out) >= 0 && fclose(out) == 0);
}

/** Plays the client's part against a harness's server. */
static struct ended play_text(const char *text)
{
    struct file file;
    struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
    put(&file, text);
    struct ended ended =
        run_to_end(ARGV("play", file.path, "--connect", smtp_harness_url(harness)));
    smtp_harness_stop(harness);
    smtp_remove_directory(file.folder);
    return ended;
}

TEST(play, a_dialogue_that_holds_ends_with_0)
{
    struct ended ended = play_text(hello);
    expect_contains(ended.out, "1 passed, 0 failed");
    expect_int(ended.exit_status, 0);
    ended_clear(&ended);
}

TEST(play, the_first_divergence_is_shown_by_file_and_line_and_ends_with_1)
{
    struct ended ended = play_text("S: 220 ...\nC: NOOP\nS: 251 ...\n");
    expect_contains(ended.out, "d.smtp:3: another reply came");
    expect_contains(ended.out, "expected  S: 251 ...");
    expect_contains(ended.out, "came      S: 250 2.0.0 ");
    expect_int(ended.exit_status, 1);
    ended_clear(&ended);
}

TEST(play, files_as_editors_write_them_are_read)
{
    struct ended ended = play_text("\xEF\xBB\xBF# BOM, CRLF, a tab, no final newline\r\n"
                                   "S:\t220 ...\r\nC: NOOP\r\nS: 250 ...\r\n[C close]");
    expect_str(ended.err, "");
    expect_int(ended.exit_status, 0);
    ended_clear(&ended);
}

TEST(play, a_file_that_is_no_dialogue_is_told_with_its_line_and_ends_with_2)
{
    struct ended ended = play_text("S: 220 ...\nQ: NOOP\n");
    expect_contains(ended.err, "d.smtp:2: ");
    expect_contains(ended.err, "  Q: NOOP\n  ^\n");
    expect_int(ended.exit_status, 2);
    ended_clear(&ended);
}

TEST(play, a_wrong_command_line_is_told)
{
    expect_wrong(ARGV("play", "/dev/null"), "--connect URL");
    expect_wrong(ARGV("play", "--connect", "smtp://127.0.0.1:1"), "FILE");
    expect_wrong(ARGV("play", "/nonexistent.smtp", "--connect", "smtp://127.0.0.1:1"),
                 "nonexistent.smtp");
}

TEST(play, both_ends_of_one_file_meet)
{
    struct file file;
    char url[200];
    put(&file, hello);
    struct background server = start_process(
        ARGV("play", file.path, "--listen", "smtp://127.0.0.1:0", "--set", "LAST=HELP"));
    hear_url(&server, url, sizeof url);
    struct ended client =
        run_to_end(ARGV("play", file.path, "--connect", url, "--set", "LAST=HELP"));
    expect_str(client.err, "");
    expect_int(client.exit_status, 0);
    ended_clear(&client);
    expect_int(end_process(&server, 0), 0);
    smtp_remove_directory(file.folder);
}

TEST(play, tls_by_the_authority_that_the_server_wrote_and_no_file_stays_behind)
{
    struct file file;
    char ready[96], ca[96], url[200];
    put(&file, "S: 220 a\nC: STARTTLS\nS: 220 b\n[starttls]\nC: QUIT ${who}\nS: 221 c\n");
    snprintf(ready, sizeof ready, "%s/ready", file.folder);
    snprintf(ca, sizeof ca, "%s/ca.pem", file.folder);
    struct background server = start_process(ARGV("play", file.path, "--listen", "127.0.0.1:0",
                                                  "--ready-file", ready, "--ca-file-out", ca));
    hear_url(&server, url, sizeof url);
    size_t len = 0;
    char *told = smtp_read_file(ready, &len);
    expect_true(strncmp(told, url, strlen(url)) == 0);
    free(told);
    struct ended client =
        run_to_end(ARGV("play", file.path, "--connect", url, "--ca", ca, "--set", "who=ann"));
    expect_str(client.err, "");
    expect_int(client.exit_status, 0);
    ended_clear(&client);
    expect_int(end_process(&server, 0), 0);
    expect_int(access(ready, F_OK), -1);
    expect_int(access(ca, F_OK), -1);
    smtp_remove_directory(file.folder);
}

TEST(play, a_signal_ends_the_server_and_leaves_no_ready_file)
{
    struct file file;
    char ready[96], url[200];
    put(&file, hello);
    snprintf(ready, sizeof ready, "%s/ready", file.folder);
    struct background server = start_process(ARGV("play", file.path, "--listen", "127.0.0.1:0",
                                                  "--set", "LAST=x", "--ready-file", ready));
    hear_url(&server, url, sizeof url);
    expect_int(end_process(&server, SIGTERM), 128 + SIGTERM);
    expect_int(access(ready, F_OK), -1);
    smtp_remove_directory(file.folder);
}

TEST(play, what_it_records_it_plays_again_and_the_results_are_told_in_three_forms)
{
    struct file file;
    char record[96], xml[96];
    struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
    const char *url = smtp_harness_url(harness);
    put(&file, hello);
    snprintf(record, sizeof record, "%s/r.smtp", file.folder);
    snprintf(xml, sizeof xml, "%s/r.xml", file.folder);
    struct ended ended = run_to_end(ARGV("play", file.path, "--connect", url, "--record", record,
                                         "--repeat", "2", "--json", "--junit", xml));
    expect_int(ended.exit_status, 0);
    expect_contains(ended.out, "\"result\":\"passed\"");
    ended_clear(&ended);
    size_t len = 0;
    char *told = smtp_read_file(xml, &len);
    expect_contains(told, "tests=\"2\"");
    expect_contains(told, "failures=\"0\"");
    free(told);
    ended = run_to_end(ARGV("play", record, "--connect", url, "--tap"));
    expect_contains(ended.out, "TAP version 13\n1..1\nok 1 - ");
    expect_int(ended.exit_status, 0);
    ended_clear(&ended);
    smtp_harness_stop(harness);
    smtp_remove_directory(file.folder);
}

TEST(play, a_server_that_is_not_there_ends_with_2)
{
    struct file file;
    put(&file, hello);
    struct ended ended = run_to_end(ARGV("play", file.path, "--connect", "unix:/nowhere/at/all"));
    expect_contains(ended.out, "cannot connect to unix:/nowhere/at/all");
    expect_int(ended.exit_status, 2);
    ended_clear(&ended);
    smtp_remove_directory(file.folder);
}

TEST(play, options_that_do_not_go_together_are_told)
{
    expect_wrong(ARGV("play", "x", "--connect", "a", "--listen", "b"), "--connect and --listen");
    expect_wrong(ARGV("play", "x"), "either --connect URL");
    expect_wrong(ARGV("play", "x", "--connect", "a", "--tap", "--json"), "exclude each other");
    expect_wrong(ARGV("play", "x", "--connect", "a", "--ready-file", "r"), "goes with --listen");
    expect_wrong(ARGV("play", "x", "--listen", "a", "--insecure"), "goes with --connect");
    expect_wrong(ARGV("play", "x", "--connect", "smtp://"), "--connect needs a host");
    expect_wrong(ARGV("play", "x", "--connect", "a", "--set", "=b"), "--set needs NAME=VALUE");
    expect_wrong(ARGV("play", "/tmp", "--connect", "a"), "cannot read /tmp");
}
