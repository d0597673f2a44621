/* play_test.c - the verb `play`: files of dialogues as either end, and what it says where one does not hold. */
#include "harness/smtp_harness.h"
#include "tests/end_to_end/serve.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <stdio.h>

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
