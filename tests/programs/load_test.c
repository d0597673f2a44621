/* load_test.c - the verb `load` as a shell sees it: what was sent, accepted and seen to arrive; figures that add up. */
#include "tests/programs/send_program.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define LOAD(...) ARGV("load", __VA_ARGS__)

static json_t *json_of(const struct ended *ended)
{
    json_error_t wrong;
    json_t *object = json_loads(ended->out, 0, &wrong);
    if (object == NULL) {
        SMTP_TEST_FAIL("%s: %s%s", wrong.text, ended->out, ended->err);
    }
    return object;
}

/** What one in the background tells at its end. */
static json_t *next_json(struct background *load)
{
    char line[65536];
    json_error_t wrong;
    expect_true(next_line(load, line, sizeof line) != NULL);
    json_t *object = json_loads(line, 0, &wrong);
    if (object == NULL) {
        SMTP_TEST_FAIL("%s: %s", wrong.text, line);
    }
    return object;
}

static long long number_at(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value)) {
        SMTP_TEST_FAIL("there is no number \"%s\"", name);
    }
    return json_integer_value(value);
}

/** All were accepted, and arrived once and whole. */
static void expect_all(struct ended ended, long long count)
{
    json_t *object = json_of(&ended);
    const json_t *seen = json_object_get(object, "verification");
    const json_t *message = json_object_get(json_object_get(object, "phases"), "message");
    expect_int(number_at(object, "sent"), count);
    expect_int(number_at(object, "accepted"), count);
    expect_int(number_at(message, "count"), count);
    expect_int(number_at(seen, "arrived"), count);
    expect_int(number_at(seen, "lost") + number_at(seen, "again") + number_at(seen, "damaged") +
                   number_at(seen, "unasked"),
               0);
    expect_int(json_array_size(json_object_get(object, "failures")), 0);
    json_decref(object);
    expect_ended(ended, 0, "");
}

TEST(load, every_message_is_seen_to_arrive_once_and_whole_in_each_way)
{
    static const char *const ways[] = {"step", "pipelined", "across", "bdat"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        expect_all(run_to_end(LOAD("--json", "--messages", "400", "--sessions", "8", "--way",
                                   ways[i], "--size", "200-3000", "--recipients", "3")),
                   400);
    }
}

TEST_ALONE(load, tls_lmtp_logins_threads_and_short_sessions_lose_nothing)
{
    expect_all(run_to_end(LOAD("--json", "--messages", "60", "--sessions", "4", "--as", "smtps")),
               60);
    expect_all(run_to_end(LOAD("--json", "--messages", "60", "--sessions", "4", "--as", "lmtp",
                               "--recipients", "2")),
               60);
    expect_all(run_to_end(LOAD("--json", "--messages", "200", "--sessions", "6", "--threads", "3",
                               "--workers", "2", "--session-messages", "7")),
               200);
    setenv("SMTP_PASSWORD", "open sesame", 1);
    struct ended ended = run_to_end(LOAD("--json", "--messages", "40", "--sessions", "4", "--tls",
                                         "required", "--user", "ann", "--mechanism", "PLAIN"));
    unsetenv("SMTP_PASSWORD");
    json_t *object = json_of(&ended);
    const json_t *phases = json_object_get(object, "phases");
    expect_int(number_at(json_object_get(phases, "TLS"), "count"), 4);
    expect_int(number_at(json_object_get(phases, "AUTH"), "count"), 4);
    json_decref(object);
    expect_all(ended, 40);
}

TEST(load, files_take_turns)
{
    char directory[64], path[96];
    smtp_make_directory(directory);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%d.eml", directory, i);
        FILE *file = fopen(path, "w");
        fprintf(file, "Subject: %d\n\n.dot\n\xC3\xA9\n", i);
        fclose(file);
    }
    expect_all(run_to_end(LOAD("--json", "--messages", "30", "--size", directory)), 30);
    smtp_remove_directory(directory);
}

TEST(load, a_rate_sends_as_many_as_fall_due)
{
    expect_all(run_to_end(LOAD("--json", "--rate", "100", "--duration", "1", "--sessions", "3")),
               100);
    expect_all(run_to_end(LOAD("--json", "--rate", "1000", "--messages", "50", "--sessions", "3")),
               50);
}

TEST(load, the_table_has_a_line_for_each_part_and_what_it_came_to)
{
    struct ended ended = run_to_end(LOAD("--messages", "1000", "--sessions", "1"));
    static const char *const wanted[] = {
        "1 session, 1000 messages of 1024 octets to 1 recipient, pipelined, both ends here",
        "p50       p90       p99     p99.9       max",
        "\nconnect              1",
        "\nMAIL             1,000",
        "\nmessage          1,000",
        " messages/s, ",
        "; 1,000 of 1,000 accepted in ",
        "\n1,000 arrived whole, each once; none is missing\n"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        expect_contains(ended.out, wanted[i]);
    }
    expect_ended(ended, 0, "");
}

TEST(load, what_a_server_refuses_is_told_by_cause)
{
    struct smtp_harness *harness = send_begin();
    struct ended ended = run_to_end(LOAD(smtp_harness_url(harness), "--json", "--messages", "30",
                                         "--sessions", "3", "--to", "bob+452-4.2.2@example.com"));
    json_t *object = json_of(&ended);
    expect_int(number_at(object, "sent"), 30);
    expect_int(number_at(object, "accepted"), 0);
    expect_true(json_is_null(json_object_get(object, "verification")));
    const json_t *causes = json_object_get(object, "failures");
    expect_int(json_array_size(causes), 1);
    expect_int(number_at(json_array_get(causes, 0), "count"), 30);
    expect_contains(json_string_value(json_object_get(json_array_get(causes, 0), "cause")),
                    "RCPT: 452");
    json_decref(object);
    expect_ended(ended, 1, "");
    expect_int(smtp_harness_expect_none(harness, "", 0), SMTP_OK);
    smtp_harness_stop(harness);
}

/** The one failure that is told, and how often. */
static void expect_cause(struct ended ended, const char *cause, long long count)
{
    json_t *object = json_of(&ended);
    const json_t *causes = json_object_get(object, "failures");
    expect_int(json_array_size(causes), 1);
    expect_int(number_at(json_array_get(causes, 0), "count"), count);
    expect_str(json_string_value(json_object_get(json_array_get(causes, 0), "cause")), cause);
    json_decref(object);
    expect_ended(ended, 1, "");
}

TEST(load, of_several_recipients_the_refusal_is_the_cause_not_the_good_reply_behind_it)
{
    struct smtp_harness *harness = send_begin();
    expect_int(smtp_harness_fault(harness, "rcpt load-2@*: reply 550 5.1.1 \"nobody\""), SMTP_OK);
    expect_cause(run_to_end(LOAD(smtp_harness_url(harness), "--json", "--messages", "40",
                                 "--recipients", "3")),
                 "RCPT: 550 nobody", 40);
    smtp_harness_stop(harness);
}

TEST(load, what_cannot_be_sent_has_no_reply_for_its_cause)
{
    expect_cause(run_to_end(LOAD("--json", "--messages", "5", "--to", "two words")),
                 "not sent: an argument is out of its range or malformed", 5);
}

TEST(load, a_server_that_goes_away_ends_it_with_the_figures_so_far)
{
    struct smtp_harness *harness = send_begin();
    struct background load = start_process(
        LOAD(smtp_harness_url(harness), "--json", "--duration", "600", "--sessions", "2"));
    expect_true(smtp_harness_wait(harness, "") != NULL); /* it sends */
    smtp_harness_stop(harness);
    json_t *object = next_json(&load);
    expect_true(json_is_false(json_object_get(object, "interrupted")));
    expect_true(number_at(object, "accepted") > 0);
    json_decref(object);
    expect_int(end_process(&load, 0), 1);
}

TEST(load, sessions_that_end_are_told_and_the_rest_arrives)
{
    struct smtp_harness *harness = send_begin();
    expect_int(smtp_harness_fault(harness, "dot: reset once"), SMTP_OK);
    struct ended ended = run_to_end(
        LOAD(smtp_harness_url(harness), "--json", "--messages", "50", "--sessions", "2"));
    json_t *object = json_of(&ended);
    expect_int(number_at(object, "sent"), 50);
    expect_int(number_at(object, "accepted"), 49);
    expect_int(number_at(object, "sessions_lost"), 1);
    json_decref(object);
    expect_ended(ended, 1, "");
    smtp_harness_stop(harness);
}

/** What one load came to, in a file. */
static void save_load(const char *path, const char *const argv[])
{
    struct ended ended = run_to_end(argv);
    FILE *file = fopen(path, "w");
    fputs(ended.out, file);
    fclose(file);
    expect_ended(ended, 0, "");
}

TEST(load, loads_of_the_same_time_add_up)
{
    char directory[64], paths[2][96], plot[96], line[64];
    smtp_make_directory(directory);
    for (int i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%d.json", directory, i);
        save_load(paths[i],
                  LOAD("--json", "--messages", i == 0 ? "100" : "150", "--sessions", "2"));
    }
    snprintf(plot, sizeof plot, "%s/plot.svg", directory);
    expect_all(run_to_end(LOAD("--merge", "--json", "--plot", plot, paths[0], paths[1])), 250);
    FILE *file = fopen(plot, "r");
    expect_true(file != NULL && fgets(line, sizeof line, file) != NULL);
    fclose(file);
    expect_contains(line, "<svg xmlns=");
    expect_ended(run_to_end(ARGV("load", "--merge", plot)), 2, "plot.svg: ");
    smtp_remove_directory(directory);
}

TEST(load, of_loads_added_up_what_nobody_saw_arrive_is_not_said_to_have_arrived)
{
    char directory[64], own[96], other[96], both[96];
    struct smtp_harness *harness = send_begin();
    smtp_make_directory(directory);
    snprintf(own, sizeof own, "%s/own.json", directory);
    snprintf(other, sizeof other, "%s/other.json", directory);
    snprintf(both, sizeof both, "%s/both.json", directory);
    save_load(own, LOAD("--json", "--messages", "20"));
    save_load(other, LOAD("--json", "--messages", "30", smtp_harness_url(harness)));
    save_load(both, LOAD("--json", "--merge", own, other));
    struct ended ended = run_to_end(LOAD("--merge", both, other));
    expect_contains(ended.out, "; 80 of 80 accepted");
    expect_contains(ended.out, "\n20 arrived whole, 60 accepted where nobody saw what arrived\n");
    expect_ended(ended, 0, "");
    smtp_remove_directory(directory);
    smtp_harness_stop(harness);
}

TEST(load, the_first_interrupt_ends_it_with_the_figures_so_far)
{
    struct smtp_harness *harness = send_begin();
    struct background load = start_process(
        LOAD(smtp_harness_url(harness), "--json", "--duration", "600", "--sessions", "2"));
    expect_true(smtp_harness_wait(harness, "") != NULL); /* it sends */
    kill(load.pid, SIGINT);
    json_t *object = next_json(&load);
    expect_true(json_is_true(json_object_get(object, "interrupted")));
    expect_true(number_at(object, "accepted") > 0);
    json_decref(object);
    expect_int(end_process(&load, 0), 0);
    smtp_harness_stop(harness);
}

/** Starts it with a terminal for its standard error; returns the other end. */
static int start_on_terminal(struct background *load, const char *const argv[])
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    expect_true(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    int other = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    expect_true(other >= 0 && kept >= 0 && dup2(other, STDERR_FILENO) >= 0);
    *load = start_process(argv);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(other);
    return terminal;
}

TEST(load, a_terminal_sees_a_bar_while_it_runs)
{
    char seen[4096] = "";
    size_t len = 0;
    struct background load;
    int terminal = start_on_terminal(&load, LOAD("--json", "--duration", "86400"));
    while (strstr(seen, "/s") == NULL) {
        ssize_t got = read(terminal, seen + len, sizeof seen - 1 - len);
        expect_true(got > 0);
        len += (size_t)got;
        seen[len] = '\0';
    }
    expect_contains(seen, "\r[..............................]   0%  ");
    expect_contains(seen, " messages, ");
    kill(load.pid, SIGINT);
    json_decref(next_json(&load));
    expect_int(end_process(&load, 0), 0);
    close(terminal);
}

/* Two signals that do not become one. */
TEST(load, the_second_interrupt_waits_no_longer_for_a_server_that_does_not_answer)
{
    struct smtp_harness *harness = send_begin();
    expect_int(smtp_harness_fault(harness, "dot: hang from 3"), SMTP_OK);
    struct background load = start_process(LOAD(smtp_harness_url(harness), "--json", "--duration",
                                                "600", "--sessions", "1", "--timeout", "final=0"));
    expect_true(smtp_harness_wait(harness, "") != NULL && smtp_harness_wait(harness, "") != NULL);
    kill(load.pid, SIGINT);
    kill(load.pid, SIGTERM);
    json_t *object = next_json(&load);
    expect_true(json_is_true(json_object_get(object, "interrupted")));
    expect_int(number_at(object, "accepted"), 2);
    json_decref(object);
    (void)end_process(&load, 0); /* 1; or 0, where the third was not begun yet */
    smtp_harness_stop(harness);
}

TEST_ALONE(load, there_are_as_many_sessions_as_the_hard_limit_of_descriptors_allows)
{
    struct rlimit limit;
    expect_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    expect_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect_all(run_to_end(LOAD("--json", "--messages", "100", "--sessions", "100")), 100);
}

static const struct {
    const char *complaint;
    const char *words[6];
} mistakes[] = {
    {"cannot connect to", {"unix:/nonexistent"}},
    {"the first word is the server's URL", {"localhost"}},
    {"one URL at a time, not 2", {"smtp://a.test", "smtp://b.test"}},
    {"--size 5: a size is 128 to 1073741824 octets", {"--size", "5"}},
    {"--size 900-200: a size is ", {"--size", "900-200"}},
    {"--size 900-: a size is ", {"--size", "900-"}},
    {"--size 2000000000: a size is ", {"--size", "2000000000"}},
    {"has no file whose name ends in .eml", {"--size", "/dev"}},
    {"nothing was measured", {"--warm-up", "3600", "--messages", "5"}},
    {"cannot read /nonexistent", {"--size", "/nonexistent"}},
    {"--way takes step|pipelined|across|bdat, not 'fast'", {"--way", "fast"}},
    {"--in-flight is of --way across", {"--in-flight", "4"}},
    {"--messages or --duration, not both", {"--messages", "5", "--duration", "5"}},
    {"--warm-up is a part of --duration", {"--duration", "2", "--warm-up", "2"}},
    {"--threads 5 need as many --sessions", {"--threads", "5", "--sessions", "4"}},
    {"--as and --workers are for when there is no URL", {"smtp://a.test", "--as", "lmtp"}},
    {"--xclient is not said by load", {"--xclient", "NAME=a.test"}},
    {"--merge takes files", {"--merge"}},
    {"/nonexistent", {"--merge", "/nonexistent"}},
};

TEST(load, a_mistake_is_told_and_nothing_runs)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const char *argv[10] = {SMTP_HARNESS, "load"};
        for (size_t k = 0; k < 6 && mistakes[i].words[k] != NULL; k++) {
            argv[2 + k] = mistakes[i].words[k];
        }
        struct ended ended = run_to_end(argv);
        expect_str(ended.out, "");
        expect_ended(ended, 2, mistakes[i].complaint);
    }
}
