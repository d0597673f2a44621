/* exec_test.c - the verb exec as a shell sees it: the command's process, and what is told of its mail. */
#include "tests/programs/serve.h"
#include "tests/support/test.h"

#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* A client that every machine has: this program's own. */
#define SEND SMTP_HARNESS, "send", "--from", "ann@example.com", "--to", "bob@example.com"
#define HELLO SEND, "--subject", "Hello", "--text", "Hi", "{url}"
#define SHELL "/bin/sh", "-c"

/** exec with these words ends with this, and says that on standard error. */
static void expect_end(const char *const argv[], int status, const char *said)
{
    struct ended ended = run_to_end(argv);
    if (ended.exit_status != status) {
        SMTP_TEST_FAIL("exit status %d, not %d: %s", ended.exit_status, status, ended.err);
    }
    expect_contains(ended.err, said);
    ended_clear(&ended);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- expectations ---- */

TEST(exec, what_holds_ends_with_0_and_standard_output_is_the_commands)
{
    struct ended ended = run_to_end(
        ARGV("exec", "--expect", "to=bob@example.com count=1", "--expect", "subject=Hello", "--",
             SHELL, "echo mine; echo \"$@\"; exec \"$@\" >/dev/null", "sh", HELLO));
    expect_int(ended.exit_status, 0);
    expect_true(strncmp(ended.out, "mine\n", 5) == 0);
    expect_contains(ended.out, "smtp://127.0.0.1:");
    expect_true(strstr(ended.out, "{url}") == NULL && strstr(ended.out, "passed") == NULL);
    expect_contains(ended.err, "ok    to=bob@example.com count=1");
    expect_contains(ended.err, "3 passed, 0 failed");
    ended_clear(&ended);
}

TEST(exec, what_does_not_hold_ends_with_1_and_shows_the_nearest_message_the_faults_and_the_dialogue)
{
    struct ended ended = run_to_end(ARGV("exec", "--wait", "0", "--fault", "mail: delay 1 once",
                                         "--expect", "subject=Bye", "--", HELLO));
    expect_int(ended.exit_status, 1);
    expect_contains(ended.err, "FAIL  subject=Bye");
    expect_contains(ended.err, "nearest: message 1, from <ann@example.com>");
    expect_contains(ended.err, "came: \"Hello\"");
    expect_contains(ended.err, "mail: delay 1 once");
    expect_contains(ended.err, "C: MAIL FROM:<ann@example.com>");
    ended_clear(&ended);
}

TEST(exec, none_holds_without_mail_and_not_with_it)
{
    expect_end(ARGV("exec", "--none", "--", "true"), 0, "ok    no mail is sent");
    expect_end(ARGV("exec", "--none", "--", HELLO), 1, "FAIL  no mail is sent");
}

TEST(exec, without_expectations_what_came_is_told)
{
    expect_end(ARGV("exec", "--", HELLO), 0,
               "message 1, from <ann@example.com> to <bob@example.com>, subject \"Hello\"");
    expect_end(ARGV("exec", "--", "true"), 0, "no mail came");
}

TEST(exec, mail_that_comes_after_the_command_has_ended_is_waited_for)
{
    expect_end(
        ARGV("exec", "--expect", "subject=Hello", "--", SHELL,
             "(until grep -q '^State:.Z' /proc/$$/status; do :; done; \"$@\") >/dev/null 2>&1 &",
             "sh", HELLO),
        0, "2 passed, 0 failed");
}

TEST(exec, a_fault_hits_the_command)
{
    expect_end(ARGV("exec", "--fault", "rcpt: reply 550 5.1.1", "--none", "--", HELLO), 69,
               "ok    no mail is sent");
}

TEST(exec, a_flawed_certificate_is_signed_by_the_authority_that_the_command_is_told)
{
    expect_end(
        ARGV("exec", "--fault", "tls: certificate expired once", "--", HELLO, "--tls", "required"),
        EX_PROTOCOL, "expired");
}

/* ---- what the command is told ---- */

TEST(exec, the_command_is_told_where_the_server_is_and_who_can_log_in)
{
    struct ended ended =
        run_to_end(ARGV("exec", "--auth", "ann:secret", "--auth", "bob:other", "--", SHELL,
                        "echo $SMTP_HOST $SMTP_PORT $SMTP_URL $SMTP_USER $SMTP_PASSWORD; echo $1;"
                        " stat -c %a $SMTP_CA_FILE; head -1 {cafile}; echo $SMTP_CA_FILE",
                        "sh", "{host} {port} {url} {users}"));
    unsigned port = 0, same = 0;
    char rest[64] = "";
    expect_int(ended.exit_status, 0);
    expect_int(sscanf(ended.out, "127.0.0.1 %u smtp://127.0.0.1:%u ann secret\n", &port, &same), 2);
    expect_true(port > 0 && port == same);
    snprintf(rest, sizeof rest, "127.0.0.1 %u smtp://127.0.0.1:%u {users}\n", port, port);
    expect_contains(ended.out, rest);
    expect_contains(ended.out, "\n600\n-----BEGIN CERTIFICATE-----\n");
    const char *file = last_line(ended.out);
    expect_true(file[0] == '/');
    expect_true(access(file, F_OK) != 0); /* it is gone */
    ended_clear(&ended);
}

TEST_ALONE(exec, without_a_login_or_an_authority_their_variables_are_not_there)
{
    setenv("SMTP_USER", "stale", 1);
    setenv("SMTP_CA_FILE", "stale", 1);
    struct ended ended = run_to_end(
        ARGV("exec", "--no-tls", "--", SHELL, "echo ${SMTP_USER-no} ${SMTP_CA_FILE-no}"));
    expect_str(ended.out, "no no\n");
    ended_clear(&ended);
    expect_end(ARGV("exec", "--no-tls", "--", "echo", "{cafile}"), 2,
               "there is nothing that {cafile} could stand for");
}

/* ---- the command's process ---- */

TEST(exec, a_command_that_fails_or_is_killed_has_its_own_exit_status)
{
    expect_end(ARGV("exec", "--none", "--", SHELL, "exit 3"), 3, "it ended with 3");
    expect_end(ARGV("exec", "--none", "--", SHELL, "kill -KILL $$"), 128 + SIGKILL,
               "it was killed by SIGKILL (signal 9)");
    uint64_t begin_ms = now_ms(); /* nor is there any waiting for its mail */
    expect_end(ARGV("exec", "--expect", "count=1", "--", "false"), 1, "it ended with 1");
    expect_true(now_ms() - begin_ms < 4000);
}

TEST(exec, a_command_that_cannot_be_started_is_told_and_ends_with_2)
{
    expect_end(ARGV("exec", "--", "/nonexistent/x"), 2,
               "cannot run '/nonexistent/x': No such file or directory");
    expect_end(ARGV("exec", "--", "/etc/passwd"), 2, "cannot run '/etc/passwd': Permission denied");
    expect_end(ARGV("exec", "--", "/tmp"), 2, "cannot run '/tmp': Permission denied");
    expect_wrong(ARGV("exec", "--none"), "-- COMMAND [ARG]... is missing");
}

/** Its output ends where all that hold it have ended. */
TEST(exec, a_command_that_hangs_and_ignores_sigterm_is_ended_with_its_children)
{
    char line[64];
    uint64_t begin_ms = now_ms();
    struct background exec =
        start_process(ARGV("exec", "--report", "/dev/null", "--timeout", "1", "--", SHELL,
                           "trap '' TERM; sleep 60 & sleep 60; sleep 60"));
    expect_true(next_line(&exec, line, sizeof line) == NULL);
    expect_int(end_process(&exec, 0), 124);
    expect_true(now_ms() - begin_ms < 10000);
}

TEST(exec, a_child_that_is_left_behind_with_the_output_is_ended)
{
    uint64_t begin_ms = now_ms();
    struct background exec = start_process(ARGV("exec", "--report", "/dev/null", "--none", "--",
                                                SHELL, "trap '' TERM; sleep 60 & echo left"));
    char line[64];
    expect_str(next_line(&exec, line, sizeof line), "left");
    expect_true(next_line(&exec, line, sizeof line) == NULL); /* the pipe's other ends are gone */
    expect_int(end_process(&exec, 0), 0);
    expect_true(now_ms() - begin_ms < 10000);
}

/** In a session of its own, with a child in another, so that no signal to a group reaches them. */
#define DAEMON "setsid sh -c 'trap \"\" TERM; setsid sleep 60 & echo up; sleep 60' & "

TEST(exec, a_child_with_a_session_of_its_own_is_ended_at_the_timeout)
{
    char line[64];
    uint64_t begin_ms = now_ms();
    struct background exec = start_process(
        ARGV("exec", "--report", "/dev/null", "--timeout", "1", "--", SHELL, DAEMON "sleep 60"));
    expect_str(next_line(&exec, line, sizeof line), "up");
    expect_true(next_line(&exec, line, sizeof line) == NULL);
    expect_int(end_process(&exec, 0), 124);
    expect_true(now_ms() - begin_ms < 10000);
}

TEST(exec, a_child_with_a_session_of_its_own_is_ended_after_the_command)
{
    char line[64];
    uint64_t begin_ms = now_ms();
    struct background exec =
        start_process(ARGV("exec", "--report", "/dev/null", "--none", "--", SHELL,
                           "(exec 3>&1; (" DAEMON ") | { read up; echo $up >&3; })"));
    expect_str(next_line(&exec, line, sizeof line), "up");
    expect_true(next_line(&exec, line, sizeof line) == NULL);
    expect_int(end_process(&exec, 0), 0);
    expect_true(now_ms() - begin_ms < 10000);
}

TEST(exec, a_child_that_it_had_before_its_command_is_left_alone)
{
    char line[64];
    struct background exec = start_process((const char *const[]){
        SHELL,
        "sleep 60 </dev/null >/dev/null 2>&1 & echo $!;"
        " exec \"$0\" exec --report /dev/null -- sh -c 'setsid sleep 60 & echo up'",
        SMTP_HARNESS, NULL});
    expect_true(next_line(&exec, line, sizeof line) != NULL);
    pid_t before = (pid_t)strtol(line, NULL, 10);
    expect_str(next_line(&exec, line, sizeof line), "up");
    expect_true(next_line(&exec, line, sizeof line) == NULL);
    expect_int(end_process(&exec, 0), 0);
    expect_true(before > 0);
    expect_int(kill(before, SIGKILL), 0); /* it was there */
}

TEST(exec, signals_are_forwarded)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char script[128], line[64];
        snprintf(script, sizeof script,
                 "trap 'echo got; exit 7' %d; echo ready; while :; do sleep 0.01; done",
                 numbers[i]);
        struct background exec =
            start_process(ARGV("exec", "--report", "/dev/null", "--", SHELL, script));
        expect_str(next_line(&exec, line, sizeof line), "ready");
        kill(exec.pid, numbers[i]);
        expect_str(next_line(&exec, line, sizeof line), "got");
        expect_int(end_process(&exec, 0), 7);
    }
}

TEST(exec, a_signal_while_mail_is_waited_for_ends_it_and_leaves_nothing)
{
    char line[256];
    struct background exec = start_process(
        ARGV("exec", "--report", "/dev/null", "--wait", "60", "--expect", "count=1", "--", SHELL,
             "(until grep -q '^State:.Z' /proc/$$/status; do :; done; echo $SMTP_CA_FILE;"
             " trap '' TERM; exec setsid sleep 60) &"));
    expect_true(next_line(&exec, line, sizeof line) != NULL);
    expect_int(access(line, F_OK), 0);
    kill(exec.pid, SIGTERM);
    char rest[8];
    expect_true(next_line(&exec, rest, sizeof rest) == NULL); /* nobody holds its output */
    expect_int(end_process(&exec, 0), 128 + SIGTERM);
    expect_true(access(line, F_OK) != 0);
}

/* ---- words that are wrong ---- */

TEST(exec, expectations_and_faults_that_cannot_be_read_are_shown_with_a_caret)
{
    expect_wrong(ARGV("exec", "--expect", "subjct=x", "--", "true"), "^");
    expect_wrong(ARGV("exec", "--expect", "subjct=x", "--", "true"), "subject");
    expect_wrong(ARGV("exec", "--fault", "rcpt: replay 450", "--", "true"), "^");
    expect_wrong(ARGV("exec", "--tap", "--json", "--", "true"),
                 "--tap and --json exclude each other");
    expect_wrong(ARGV("exec", "--none", "--expect", "count=1", "--", "true"),
                 "--none and --expect exclude each other");
    expect_wrong(ARGV("exec", "--auth", "ann", "--", "true"), "--auth takes USER:PASSWORD");
}
