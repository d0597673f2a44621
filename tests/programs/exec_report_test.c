/* exec_report_test.c - the results of exec and selftest in files and forms, and what exec saves. */
#include "tests/programs/serve.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEND SMTP_HARNESS, "send", "--from", "ann@example.com", "--to", "bob@example.com"
#define HELLO SEND, "--subject", "Hello", "--text", "Hi", "{url}"
#define BAD_NAME "subject=\"<&> #1 \\\\\x01\xFF\""

/** What other programs say: its exit status must be 0. */
static void expect_program(const char *const argv[])
{
    struct ended ended = run_to_end(argv);
    if (ended.exit_status != 0) {
        SMTP_TEST_FAIL("%s ended with %d: %s%s", argv[0], ended.exit_status, ended.out, ended.err);
    }
    ended_clear(&ended);
}

static void expect_valid_junit(const char *path)
{
    expect_program(
        (const char *const[]){"/usr/bin/xmllint", "--noout", "--schema", JUNIT_SCHEMA, path, NULL});
}

TEST(exec_report, junit_is_valid_by_its_schema_whatever_the_names_and_failures_hold)
{
    char folder[64], path[96];
    smtp_make_directory(folder);
    snprintf(path, sizeof path, "%s/junit.xml", folder);
    struct ended ended = run_to_end(ARGV("exec", "--wait", "0", "--junit", path, "--expect",
                                         "subject=Hello", "--expect", BAD_NAME, "--", HELLO));
    expect_int(ended.exit_status, 1);
    expect_contains(ended.err, "2 passed, 1 failed"); /* beside it */
    ended_clear(&ended);
    expect_valid_junit(path);
    char *xml = smtp_read_file(path, NULL);
    expect_contains(xml, "<testsuites name=\"smtp-harness exec\" tests=\"3\" failures=\"1\" ");
    expect_contains(xml, "name=\"subject=&quot;&lt;&amp;&gt; #1 ");
    expect_contains(xml, "C: MAIL FROM:&lt;ann@example.com&gt;");
    free(xml);
    ended = run_to_end(
        ARGV("selftest", "--junit", path, "-v", "--only", "plain-text", "--only", "eight-bit"));
    expect_int(ended.exit_status, 0);
    expect_contains(ended.out, "2 passed, 0 failed");
    ended_clear(&ended);
    expect_valid_junit(path);
    smtp_remove_directory(folder);
}

TEST(exec_report, the_schema_refuses_what_is_no_junit)
{
    char folder[64], path[96];
    smtp_make_directory(folder);
    snprintf(path, sizeof path, "%s/junit.xml", folder);
    FILE *file = fopen(path, "w");
    fputs(
        "<testsuites name='x' tests='1' failures='0' errors='0' time='0'><testsuite/></testsuites>",
        file);
    fclose(file);
    struct ended ended = run_to_end(
        (const char *const[]){"/usr/bin/xmllint", "--noout", "--schema", JUNIT_SCHEMA, path, NULL});
    expect_true(ended.exit_status != 0);
    ended_clear(&ended);
    smtp_remove_directory(folder);
}

TEST(exec_report, tap_is_understood_by_prove)
{
    char folder[64], path[96];
    smtp_make_directory(folder);
    snprintf(path, sizeof path, "%s/results.tap", folder);
    struct ended ended = run_to_end(ARGV("exec", "--tap", "-v", "--report", path, "--expect",
                                         "subject!=\"# SKIP\"", "--", HELLO));
    expect_int(ended.exit_status, 0);
    expect_str(ended.err, "");
    ended_clear(&ended);
    struct ended proved =
        run_to_end((const char *const[]){"/usr/bin/prove", "--exec", "cat", path, NULL});
    expect_int(proved.exit_status, 0);
    expect_contains(proved.out, "Tests=2, ");
    expect_true(strstr(proved.out, "skipped") == NULL);
    ended_clear(&proved);
    ended = run_to_end(ARGV("exec", "--tap", "--report", path, "--none", "--", HELLO));
    expect_int(ended.exit_status, 1);
    ended_clear(&ended);
    proved = run_to_end((const char *const[]){"/usr/bin/prove", "--exec", "cat", path, NULL});
    expect_int(proved.exit_status, 1);
    expect_contains(proved.out, "Failed test:  2");
    ended_clear(&proved);
    smtp_remove_directory(folder);
}

TEST(exec_report, json_is_each_message_each_result_and_the_sum)
{
    struct ended ended = run_to_end(ARGV("exec", "--json", "--report", "-", "--expect", "count=1",
                                         "--", SMTP_HARNESS, "send", "--to", "bob@example.com",
                                         "--subject", "Hello", "{url}"));
    const char *const members[] = {"number", "name", "name", "passed"};
    const char *at = strstr(ended.out, "{\"number\"");
    expect_int(ended.exit_status, 0);
    expect_str(ended.err, "");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        size_t used = strcspn(at, "\n");
        json_t *object = json_loadb(at, used, 0, NULL);
        expect_true(json_object_get(object, members[i]) != NULL);
        json_decref(object);
        at += used + 1;
    }
    expect_str(at, "");
    ended_clear(&ended);
}

TEST(exec_report, a_report_goes_to_a_device_as_it_is_and_a_full_one_is_an_error)
{
    char folder[64], link[96];
    struct stat status;
    smtp_make_directory(folder);
    snprintf(link, sizeof link, "%s/stdout", folder);
    expect_int(symlink("/proc/self/fd/1", link), 0); /* as /dev/stdout is */
    struct ended ended = run_to_end(ARGV("exec", "--report", link, "--", "true"));
    expect_int(ended.exit_status, 0);
    expect_contains(ended.out, "1 passed, 0 failed");
    ended_clear(&ended);
    expect_int(lstat(link, &status), 0);
    expect_true(S_ISLNK(status.st_mode)); /* and still is */
    smtp_remove_directory(folder);
    ended = run_to_end(ARGV("exec", "--report", "/dev/full", "--", "true"));
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, "cannot write /dev/full: No space left on device");
    ended_clear(&ended);
    ended = run_to_end(ARGV("exec", "--junit", "/nonexistent/x.xml", "--", "true"));
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, "cannot write /nonexistent/x.xml: No such file or directory");
    ended_clear(&ended);
}

/* ---- what is saved ---- */

TEST(exec_save, messages_envelopes_and_dialogues_are_saved)
{
    char folder[64], made[80], path[128];
    smtp_make_directory(folder);
    snprintf(made, sizeof made, "%s/made", folder);
    struct ended ended = run_to_end(ARGV("exec", "--save", made, "--", HELLO));
    expect_int(ended.exit_status, 0);
    ended_clear(&ended);
    expect_int(smtp_count_entries(made, ".", NULL, 0), 3);
    snprintf(path, sizeof path, "%s/message-1.eml", made);
    char *text = smtp_read_file(path, NULL);
    expect_contains(text, "Subject: Hello\r\n");
    free(text);
    snprintf(path, sizeof path, "%s/message-1.json", made);
    json_t *envelope = json_load_file(path, 0, NULL);
    expect_str(json_string_value(json_object_get(envelope, "from")), "ann@example.com");
    json_decref(envelope);
    snprintf(path, sizeof path, "%s/session-1.smtp", made);
    text = smtp_read_file(path, NULL);
    expect_contains(text, "C: MAIL FROM:<ann@example.com>");
    free(text);
    smtp_remove_directory(folder);
}

#define FULL_OCTETS 1000000 /* with less the thread sanitizer does not begin */

/** EFBIG, as of a full disk: no file is there in part. */
TEST(exec_save, a_full_disk_is_an_error_and_leaves_no_part_of_a_file)
{
    char folder[64], path[96], limit[48];
    smtp_make_directory(folder);
    snprintf(path, sizeof path, "%s/big", folder);
    FILE *file = fopen(path, "w");
    for (unsigned i = 0; i < 40000; i++) {
        fputs("forty octets of text are in each line..\n", file);
    }
    fclose(file);
    snprintf(limit, sizeof limit, "--fsize=%u:unlimited", FULL_OCTETS);
    struct ended ended = run_to_end((const char *const[]){
        "/usr/bin/prlimit", limit, SMTP_HARNESS, "exec", "--save", folder, "--", "prlimit",
        "--fsize=unlimited", SEND, "--attach", path, "{url}", NULL});
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, "message-1.eml: File too large");
    ended_clear(&ended);
    expect_true(access(path, F_OK) == 0);
    expect_int(smtp_count_entries(folder, ".", NULL, 0), 2); /* that, and the envelope */
    ended = run_to_end(ARGV("exec", "--save", "/dev/null/x", "--", "true"));
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, "cannot make the directory /dev/null/x: Not a directory");
    ended_clear(&ended);
    smtp_remove_directory(folder);
}

TEST_WITHIN(exec_save, a_large_message_is_saved_whole, 60)
{
    char folder[64], path[96];
    struct stat status;
    smtp_make_directory(folder);
    struct ended ended = run_to_end(
        ARGV("exec", "--size-limit", "0", "--expect", "size>=" TEST_LARGE_TEXT " count=1", "--save",
             folder, "--", "/bin/sh", "-c",
             "(printf 'Subject: big\\n\\n'; yes 0123456789012345678901234567890123456789012345678 |"
             " head -c " TEST_LARGE_TEXT ") | \"$@\"",
             "sh", SEND, "{url}"));
    if (ended.exit_status != 0) {
        SMTP_TEST_FAIL("exit status %d: %s", ended.exit_status, ended.err);
    }
    ended_clear(&ended);
    snprintf(path, sizeof path, "%s/message-1.eml", folder);
    expect_int(stat(path, &status), 0);
    expect_true(status.st_size >= TEST_LARGE_OCTETS);
    smtp_remove_directory(folder);
}
