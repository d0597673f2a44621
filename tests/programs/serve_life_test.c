/* serve_life_test.c - when `serve` ends, with which exit status, and what it leaves behind. */
#include "common/clock.h"
#include "tests/programs/serve.h"
#include "tests/support/files.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS 1000000u

/** As far as the 354 of DATA. */
static void begin_message(struct smtp_wire *wire)
{
    expect_contains(smtp_wire_ask(wire, "MAIL FROM:<ann@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "RCPT TO:<bob@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "DATA"), "354 ");
}

static void expect_message_taken(struct smtp_wire *wire)
{
    begin_message(wire);
    expect_contains(smtp_wire_ask(wire, "Subject: hi\r\n\r\ntext\r\n."), "250 2.0.0 ");
}

/** It says 421 to a session without a transaction: from here on it drains. */
static void expect_draining(struct smtp_wire *wire)
{
    expect_contains(smtp_wire_reply(wire), "421 ");
    smtp_wire_close(wire);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* ---- by messages and by silence ---- */

TEST(serve_life, exit_after_ends_with_0_when_so_many_messages_are_answered)
{
    char url[200];
    struct smtp_wire wire;
    struct background serve = start_process(ARGV("serve", "--exit-after", "2"));
    hear_url(&serve, url, sizeof url);
    enter(&wire, url);
    expect_message_taken(&wire);
    expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 ");
    expect_message_taken(&wire);
    expect_draining(&wire);
    expect_int(end_process(&serve, 0), 0);
}

TEST(serve_life, a_message_that_is_refused_does_not_count)
{
    char url[200];
    struct smtp_wire wire;
    struct background serve = start_process(ARGV("serve", "--exit-after=1", "--size-limit=10"));
    hear_url(&serve, url, sizeof url);
    enter(&wire, url);
    begin_message(&wire);
    expect_contains(smtp_wire_ask(&wire, "Subject: hi\r\n\r\ntext\r\n."), "552 ");
    begin_message(&wire);
    expect_contains(smtp_wire_ask(&wire, "hi\r\n."), "250 ");
    expect_draining(&wire);
    expect_int(end_process(&serve, 0), 0);
}

TEST(serve_life, an_end_before_the_messages_asked_for_is_1)
{
    struct ended ended = run_to_end(ARGV("serve", "--idle-exit", "1", "--exit-after", "2"));
    expect_int(ended.exit_status, 1);
    expect_contains(ended.err, "ends after 0 of 2 messages");
    ended_clear(&ended);

    char url[200];
    struct background serve = start_process(ARGV("serve", "--exit-after", "1"));
    hear_url(&serve, url, sizeof url);
    expect_int(end_process(&serve, SIGINT), 1);
}

TEST(serve_life, idle_exit_ends_with_0_when_there_was_no_session_for_so_long)
{
    uint64_t begin_ns = smtp_clock_now_ns();
    struct ended ended = run_to_end(ARGV("serve", "--idle-exit", "1"));
    uint64_t elapsed_ns = smtp_clock_now_ns() - begin_ns;
    expect_int(ended.exit_status, 0);
    expect_str(ended.err, "");
    expect_true(elapsed_ns >= 1000u * MS);
    ended_clear(&ended);
}

TEST(serve_life, an_open_session_is_not_idle_and_its_end_begins_the_count_anew)
{
    char url[200];
    struct smtp_wire wire;
    struct background serve =
        start_process(ARGV("serve", "--idle-exit", "1", "--limit", "command-timeout-ms=1500"));
    hear_url(&serve, url, sizeof url);
    uint64_t begin_ns = smtp_clock_now_ns();
    enter(&wire, url);
    expect_draining(&wire); /* its timeout */
    expect_true(smtp_clock_now_ns() - begin_ns >= 1500u * MS);
    expect_int(end_process(&serve, 0), 0);
    expect_true(smtp_clock_now_ns() - begin_ns >= (1500u + 990u) * MS);
}

/* ---- by signals ---- */

TEST(serve_life, a_signal_lets_the_open_transaction_end_and_then_it_is_0)
{
    char url[200];
    struct smtp_wire open, idle;
    struct background serve = start_process(ARGV("serve", "--drain", "15"));
    hear_url(&serve, url, sizeof url);
    enter(&open, url);
    enter(&idle, url);
    begin_message(&open);
    kill(serve.pid, SIGTERM);
    expect_draining(&idle);
    struct smtp_wire late;
    expect_true(!smtp_wire_connect(&late, url + strlen("smtp://")));
    expect_contains(smtp_wire_ask(&open, "text\r\n."), "250 2.0.0 ");
    smtp_wire_close(&open);
    expect_int(end_process(&serve, 0), 0);
}

TEST(serve_life, drain_bounds_what_an_open_transaction_may_take)
{
    static const char *const drains[] = {"0", "1"};
    for (size_t i = 0; i < 2; i++) {
        char url[200];
        struct smtp_wire wire;
        struct background serve = start_process(ARGV("serve", "--drain", drains[i]));
        hear_url(&serve, url, sizeof url);
        enter(&wire, url);
        begin_message(&wire);
        uint64_t begin_ns = smtp_clock_now_ns();
        expect_int(end_process(&serve, SIGTERM), 0);
        expect_true(smtp_clock_now_ns() - begin_ns >= i * 990u * MS);
        expect_true(smtp_wire_closed(&wire));
        smtp_wire_close(&wire);
    }
}

/** A port that takes connections and never says anything; the socket. */
static int silent_port(char url[64])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect_int(bind(fd, (struct sockaddr *)&at, len), 0);
    expect_int(listen(fd, 8), 0);
    expect_int(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    snprintf(url, 64, "smtp://127.0.0.1:%u?tls=never", ntohs(at.sin_port));
    return fd;
}

/* The relay waits for a greeting for minutes, and stopping waits for the relay. */
TEST(serve_life, a_second_signal_ends_it_at_once_with_1_though_a_relay_hangs)
{
    char folder[64], unix_url[128], ready[128], ca[128], pid[128], relay[64], url[200];
    smtp_make_directory(folder);
    snprintf(unix_url, sizeof unix_url, "unix:%s/socket", folder);
    snprintf(ready, sizeof ready, "%s/ready", folder);
    snprintf(ca, sizeof ca, "%s/ca", folder);
    snprintf(pid, sizeof pid, "%s/pid", folder);
    int silent = silent_port(relay);
    struct smtp_wire stuck, idle;
    struct background serve = start_process(
        ARGV("serve", "--listen", "127.0.0.1:0", "--listen", unix_url, "--relay", relay,
             "--ready-file", ready, "--ca-file-out", ca, "--pid-file", pid, "--drain", "0"));
    hear_url(&serve, url, sizeof url);
    hear_url(&serve, unix_url, sizeof unix_url);
    enter(&stuck, url);
    enter(&idle, url);
    expect_true(smtp_wire_send(&stuck, "MAIL FROM:<ann@example.com>\r\n", 29));
    int connected = accept(silent, NULL, NULL); /* the relay is in its hook */
    expect_true(connected >= 0);
    kill(serve.pid, SIGTERM);
    expect_true(smtp_wire_closed(&idle));
    smtp_wire_close(&idle);
    expect_true(!exists(ready) && !exists(ca) && exists(pid));
    expect_int(end_process(&serve, SIGINT), 1);
    expect_int(smtp_count_entries(folder, "", NULL, 0), 0);
    expect_true(smtp_wire_closed(&stuck));
    smtp_wire_close(&stuck);
    close(connected);
    close(silent);
    smtp_remove_directory(folder);
}

/* libuv's own pool has 4 threads. */
TEST(serve_life, relays_that_hang_leave_threads_to_other_sessions)
{
    enum { SESSIONS = 8 };
    char relay[64], url[200];
    int silent = silent_port(relay), connected[SESSIONS];
    struct smtp_wire wires[SESSIONS];
    struct background serve = start_process(ARGV("serve", "--relay", relay, "--drain", "0"));
    hear_url(&serve, url, sizeof url);
    for (int i = 0; i < SESSIONS; i++) {
        enter(&wires[i], url);
        expect_true(smtp_wire_send(&wires[i], "MAIL FROM:<ann@example.com>\r\n", 29));
        connected[i] = accept(silent, NULL, NULL);
        expect_true(connected[i] >= 0);
    }
    kill(serve.pid, SIGTERM);
    expect_int(end_process(&serve, SIGINT), 1);
    for (int i = 0; i < SESSIONS; i++) {
        smtp_wire_close(&wires[i]);
        close(connected[i]);
    }
    close(silent);
}

/* ---- in the background ---- */

/** What it said of itself, and its process, which is a child of the test's from here on. */
static pid_t hear_process(const struct ended *ended, char *url, size_t capacity)
{
    int pid = 0;
    char format[64];
    snprintf(format, sizeof format, "listening on %%%zus\nprocess %%d\n", capacity - 1);
    expect_int(sscanf(ended->out, format, url, &pid), 2);
    return pid;
}

static int wait_for(pid_t pid)
{
    int status = 0;
    expect_int(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_ALONE(serve_life, in_the_background_it_returns_when_it_listens_and_goes_on)
{
    char folder[64], pid_file[128], url[200], text[32];
    smtp_make_directory(folder);
    snprintf(pid_file, sizeof pid_file, "%s/pid", folder);
    expect_int(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    struct ended ended =
        run_to_end(ARGV("serve", "--background", "--pid-file", pid_file, "--idle-exit", "15"));
    expect_int(ended.exit_status, 0);
    pid_t pid = hear_process(&ended, url, sizeof url);
    snprintf(text, sizeof text, "%d\n", (int)pid);
    char *told = smtp_read_file(pid_file, NULL);
    expect_str(told, text);
    free(told);
    struct smtp_wire wire;
    enter(&wire, url);
    expect_message_taken(&wire);
    smtp_wire_close(&wire);
    kill(pid, SIGTERM);
    expect_int(wait_for(pid), 0);
    expect_true(!exists(pid_file));
    ended_clear(&ended);
    smtp_remove_directory(folder);
}

/* Whoever reads what it says to the end is not kept waiting: run as "$(smtp-harness serve ...)". */
TEST_ALONE(serve_life, in_the_background_it_lets_go_of_the_pipes_it_was_given)
{
    char line[256];
    expect_int(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    struct background serve = start_process(((const char *const[]){
        "/bin/sh", "-c", "exec 2>&1; exec " SMTP_HARNESS " serve --background --idle-exit 15",
        NULL}));
    expect_true(next_line(&serve, line, sizeof line) != NULL);
    expect_true(next_line(&serve, line, sizeof line) != NULL);
    pid_t pid = (pid_t)strtol(line + strlen("process "), NULL, 10);
    expect_true(next_line(&serve, line, sizeof line) == NULL);
    expect_int(end_process(&serve, 0), 0);
    expect_int(kill(pid, SIGINT), 0);
    expect_int(wait_for(pid), 0);
}

TEST(serve_life, in_the_background_what_it_cannot_do_is_told_by_the_first_process)
{
    char folder[64], address[128], gone[128];
    smtp_make_directory(folder);
    snprintf(address, sizeof address, "unix:%s/none/socket", folder);
    snprintf(gone, sizeof gone, "%s/none/pid", folder);
    expect_wrong(ARGV("serve", "--background", "--listen", "here"), "listen[0]");
    struct ended ended = run_to_end(ARGV("serve", "--background", "--listen", address));
    expect_int(ended.exit_status, 2);
    expect_str(ended.out, "");
    expect_contains(ended.err, "/none/socket");
    ended_clear(&ended);
    ended = run_to_end(ARGV("serve", "--background", "--pid-file", gone));
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, "/none/pid");
    ended_clear(&ended);
    smtp_remove_directory(folder);
}

TEST(serve_life, bad_numbers_are_told)
{
    expect_wrong(ARGV("serve", "--exit-after", "0"), "--exit-after takes a number from 1 to ");
    expect_wrong(ARGV("serve", "--idle-exit", "0"), "--idle-exit takes a number from 1 to ");
    expect_wrong(ARGV("serve", "--idle-exit", "1.5"), "not '1.5'");
    expect_wrong(ARGV("serve", "--drain", "-1"), "--drain takes a number from 0 to ");
    expect_wrong(ARGV("serve", "--drain"), "--drain needs a value");
    expect_wrong(ARGV("serve", "--background=yes"), "--background takes no value");
}

TEST(serve_life, a_link_that_was_written_through_stays)
{
    char folder[64], link[80], url[200];
    smtp_make_directory(folder);
    snprintf(link, sizeof link, "%s/ready", folder);
    expect_int(symlink("behind", link), 0);
    struct background serve = start_process(ARGV("serve", "--ready-file", link));
    hear_url(&serve, url, sizeof url);
    expect_int(access(link, R_OK), 0);
    expect_int(end_process(&serve, SIGTERM), 0);
    char target[16] = "";
    expect_int(readlink(link, target, sizeof target - 1), 6);
    expect_str(target, "behind");
    smtp_remove_directory(folder);
}
