/* check_test.c - the verbs `check server` and `check client` as a shell sees them: against servers and commands that do
 * anything but what they should, every rule ends in its time, the sum is complete and nothing is left running. What
 * each rule looks at is tested in tests/conformance. */
#include "common/address.h"
#include "common/net.h"
#include "tests/programs/serve.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define QUICK "--timeout", "1", "--quiet", "20", "--jobs", "64"
#define TIMEOUT_MS 1000
/* A rule whose time is over still kills and clears; and other tests run beside this one. */
#define SLACK_MS 20000
/* One that a server breaks that takes no message, and that is no MUST. */
#define SHOULD_RULE "rfc5321/3.3/header-defects-not-refused"
#define SHELL "/bin/sh", "-c"
/* A client that heeds its task; "$0" is this program. */
#define DRIVER                                                                                     \
    SHELL,                                                                                         \
        "exec \"$0\" send --tls \"$SMTP_TLS\" --from \"$SMTP_FROM\" --file \"$SMTP_MESSAGE\" "     \
        "\"$SMTP_URL\" $SMTP_TO",                                                                  \
        SMTP_HARNESS

/** The program's server with a fault ("": none), in the background; url has room for 200. */
static struct background serve_with(const char *fault, char *url)
{
    struct background serve =
        fault[0] == '\0'
            ? start_process(ARGV("serve", "--listen", "127.0.0.1:0"))
            : start_process(ARGV("serve", "--listen", "127.0.0.1:0", "--fault", fault));
    hear_url(&serve, url, 200);
    return serve;
}

/* ---- results as JSON ---- */

static json_int_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    expect_true(json_is_number(value));
    return (json_int_t)json_number_value(value);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    expect_true(text != NULL);
    return text;
}

/** The next line as an object; NULL: it was the last. */
static json_t *next_object(const char **at)
{
    size_t len = strcspn(*at, "\n");
    if (len == 0) {
        return NULL;
    }
    json_t *object = json_loadb(*at, len, 0, NULL);
    expect_true(object != NULL);
    *at += len + ((*at)[len] == '\n');
    return object;
}

static size_t count_lines(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

static size_t listed(const char *side, const char *only)
{
    struct ended ended = run_to_end(ARGV("check", side, "--list", "--json", "--only", only));
    expect_int(ended.exit_status, 0);
    size_t count = count_lines(ended.out);
    ended_clear(&ended);
    expect_true(count > 0);
    return count;
}

struct sum {
    json_int_t passed, failed, skipped, must_failed;
};

/** All of the side's rules have their result, each in its time, and the sum is of them. */
static struct sum expect_whole(const struct ended *ended, const char *side, size_t expected)
{
    struct sum counted = {0, 0, 0, 0}, told;
    const char *at = ended->out;
    for (size_t i = 0; i < expected; i++) {
        json_t *object = next_object(&at);
        const char *result = text_of(object, "result");
        expect_true(strchr(text_of(object, "id"), '/') != NULL);
        expect_str(text_of(object, "side"), side);
        counted.passed += strcmp(result, "pass") == 0;
        counted.failed += strcmp(result, "fail") == 0;
        counted.skipped += strcmp(result, "skip") == 0;
        bool is_must = strncmp(text_of(object, "level"), "MUST", 4) == 0;
        counted.must_failed += is_must && strcmp(result, "fail") == 0;
        expect_true((text_of(object, "detail")[0] == '\0') == (strcmp(result, "pass") == 0));
        if (number_of(object, "ms") > TIMEOUT_MS + SLACK_MS) {
            SMTP_TEST_FAIL("%s took %lld ms", text_of(object, "id"), number_of(object, "ms"));
        }
        json_decref(object);
    }
    json_t *sum = next_object(&at);
    told = (struct sum){number_of(sum, "passed"), number_of(sum, "failed"),
                        number_of(sum, "skipped"), number_of(sum, "must_failed")};
    expect_true(json_is_false(json_object_get(sum, "interrupted")));
    json_decref(sum);
    expect_str(at, "");
    expect_int(told.passed, counted.passed);
    expect_int(told.failed, counted.failed);
    expect_int(told.skipped, counted.skipped);
    expect_int(told.must_failed, counted.must_failed);
    return told;
}

/* ---- servers ---- */

static struct sum judge_server(const char *url, int exit_status)
{
    struct ended ended = run_to_end(ARGV("check", "server", "--json", QUICK, url));
    expect_str(ended.err, "");
    expect_int(ended.exit_status, exit_status);
    struct sum sum = expect_whole(&ended, "server", listed("server", ""));
    ended_clear(&ended);
    return sum;
}

static struct sum judge_faulty(const char *fault)
{
    char url[200];
    struct background serve = serve_with(fault, url);
    struct sum sum = judge_server(url, 1);
    end_process(&serve, SIGTERM);
    return sum;
}

TEST_WITHIN(check_server, a_server_that_keeps_the_rules_ends_with_0, 90)
{
    char url[200];
    struct background serve = serve_with("", url);
    struct ended ended = run_to_end(ARGV("check", "server", "--strict", "--only", "rfc5321/4.2/",
                                         "--only", "rfc5321/4.1.1.10/quit", url));
    expect_contains(ended.out, "RFC 5321 4.1.1.10\n  ok    quit-221-then-close ");
    expect_contains(ended.out, "\n\nRFC 5321 4.2\n  ok    ");
    expect_contains(ended.out, " passed, 0 failed (0 MUST, 0 SHOULD), 0 skipped");
    expect_int(ended.exit_status, 0);
    ended_clear(&ended);
    end_process(&serve, SIGTERM);
}

TEST_WITHIN(check_server, one_that_closes_at_once_passes_no_rule, 90)
{
    expect_int(judge_faulty("connect: close").passed, 0);
}

TEST_WITHIN(check_server, one_that_never_speaks_ends_with_2, 90)
{
    char url[200];
    struct background serve = serve_with("greeting: hang", url);
    expect_failed(ARGV("check", "server", "--timeout", "1", url),
                  "said nothing within 1 s: expected a greeting (RFC 5321 3.1)");
    end_process(&serve, SIGTERM);
}

TEST_WITHIN(check_server, one_that_speaks_no_more_holds_none_up, 90)
{
    expect_true(judge_faulty("ehlo: hang").must_failed > 10);
}

TEST_WITHIN(check_server, one_that_speaks_garbage_passes_no_rule, 90)
{
    expect_int(judge_faulty("greeting: octets \"\\xff\\x00rubbish\\r\\n2x0\\r\\n\"").passed, 0);
}

TEST_WITHIN(check_server, one_that_accepts_everything_breaks_rules, 90)
{
    expect_true(judge_faulty("any: reply 250 2.0.0").must_failed > 10);
}

/* ---- a server that floods ---- */

#define FLOODED_MAX 128

struct flood {
    struct pollfd items[FLOODED_MAX]; /* the end is asked for by the first; the second listens */
    nfds_t count;
    int end; /* closed to ask for it */
    char url[64];
    pthread_t thread;
};

/** False: it is gone. */
static bool flood_one(int fd)
{
    static const char line[] = "250-more and more and more and more and more\r\n";
    const struct iovec part = {.iov_base = (void *)(uintptr_t)line, .iov_len = sizeof line - 1};
    size_t len;
    return smtp_net_write(fd, &part, 1, 0, &len) != SMTP_CLOSED;
}

static void flood_all(struct flood *flood)
{
    for (nfds_t i = 2; i < flood->count; i++) {
        if (flood->items[i].revents != 0 && !flood_one(flood->items[i].fd)) {
            close(flood->items[i].fd);
            flood->items[i] = flood->items[--flood->count];
        }
    }
}

static void *run_flood(void *user)
{
    struct flood *flood = user;
    while (poll(flood->items, flood->count, -1) > 0 && flood->items[0].revents == 0) {
        int fd = flood->count < FLOODED_MAX ? smtp_net_accept(flood->items[1].fd) : -1;
        if (fd >= 0) {
            flood->items[flood->count++] = (struct pollfd){.fd = fd, .events = POLLOUT};
        }
        flood_all(flood);
    }
    for (nfds_t i = 0; i < flood->count; i++) {
        close(flood->items[i].fd);
    }
    return NULL;
}

static void flood_start(struct flood *flood)
{
    struct smtp_address address;
    int listener = -1, ends[2];
    expect_int(smtp_address_parse("127.0.0.1:0", 0, &address, NULL), SMTP_OK);
    expect_int(smtp_net_listen(&address, &listener, NULL), SMTP_OK);
    smtp_address_of_socket(listener, false, &address);
    expect_int(pipe2(ends, O_CLOEXEC), 0);
    *flood = (struct flood){
        .items = {{.fd = ends[0], .events = POLLIN}, {.fd = listener, .events = POLLIN}},
        .count = 2,
        .end = ends[1]};
    snprintf(flood->url, sizeof flood->url, "smtp://127.0.0.1:%u", (unsigned)address.port);
    expect_int(pthread_create(&flood->thread, NULL, run_flood, flood), 0);
}

static void flood_stop(struct flood *flood)
{
    close(flood->end);
    pthread_join(flood->thread, NULL);
}

TEST_WITHIN(check_server, one_that_floods_passes_no_rule_and_its_flood_is_not_kept, 90)
{
    struct flood flood;
    flood_start(&flood);
    struct ended ended = run_to_end(ARGV("check", "server", "--json", QUICK, flood.url));
    flood_stop(&flood);
    expect_int(ended.exit_status, 1);
    expect_int(expect_whole(&ended, "server", listed("server", "")).passed, 0);
    expect_true(ended.peak_kib < 512 * 1024);
    ended_clear(&ended);
}

TEST_WITHIN(check_server, one_that_is_not_there_ends_with_2, 90)
{
    expect_failed(ARGV("check", "server", "unix:/nowhere/at/all"),
                  "cannot connect to unix:/nowhere/at/all");
}

/* ---- what is judged, and how it counts ---- */

TEST_WITHIN(check_server, a_should_counts_where_it_is_asked_for, 90)
{
    char url[200];
    struct background serve = serve_with("dot: reply 554 5.0.0", url);
    struct ended ended = run_to_end(ARGV("check", "server", "--only", SHOULD_RULE, url));
    expect_contains(ended.out, "  FAIL  header-defects-not-refused           SHOULD ");
    expect_contains(ended.out, "\n        rule: ");
    expect_contains(ended.out, "\n        here: ");
    expect_contains(ended.out, "MAIL FROM:<");
    expect_contains(ended.out, "\n0 passed, 1 failed (0 MUST, 1 SHOULD), 0 skipped");
    expect_int(ended.exit_status, 0);
    ended_clear(&ended);
    ended = run_to_end(ARGV("check", "server", "--strict", "--only", SHOULD_RULE, url));
    expect_int(ended.exit_status, 1);
    ended_clear(&ended);
    end_process(&serve, SIGTERM);
}

TEST_WITHIN(check_server, all_that_failed_is_named_or_counted_at_the_end, 90)
{
    char url[200];
    struct background serve = serve_with("ehlo: reply 500 5.5.1", url);
    struct ended ended = run_to_end(ARGV("check", "server", QUICK, "--only", "rfc5321/4", url));
    const char *list = strstr(ended.out, "\nFailed:\n  rfc5321/4.1.1/");
    expect_true(list != NULL);
    const char *more = strstr(list, "\n  and "), *sum = strstr(list, " failed (");
    expect_true(more != NULL && sum != NULL);
    size_t named = 0;
    for (const char *at = list; at < more; at++) {
        named += strncmp(at, "\n  rfc", 6) == 0;
    }
    while (sum[-1] != ' ') {
        sum--;
    }
    expect_int(named + strtoul(more + strlen("\n  and "), NULL, 10), strtoul(sum, NULL, 10));
    ended_clear(&ended);
    end_process(&serve, SIGTERM);
}

TEST_WITHIN(check_server, the_list_names_level_requirement_and_check_and_runs_nothing, 90)
{
    struct ended ended = run_to_end(ARGV("check", "server", "--list", "--only", SHOULD_RULE));
    expect_int(ended.exit_status, 0);
    expect_true(strncmp(ended.out, SHOULD_RULE "  SHOULD NOT\n    ", strlen(SHOULD_RULE) + 17) ==
                0);
    expect_contains(ended.out, "\n    Send messages without Date or From,");
    ended_clear(&ended);
    ended = run_to_end(ARGV("check", "server", "--list", "--json", "--only", SHOULD_RULE));
    const char *at = ended.out;
    json_t *object = next_object(&at);
    expect_str(at, "");
    expect_str(text_of(object, "id"), SHOULD_RULE);
    expect_str(text_of(object, "level"), "SHOULD NOT");
    expect_true(text_of(object, "requirement")[0] != '\0' && text_of(object, "check")[0] != '\0');
    json_decref(object);
    ended_clear(&ended);
}

TEST_WITHIN(check_server, what_cannot_be_is_told_and_ends_with_2, 90)
{
    expect_wrong(ARGV("check", "server", "--only", "rfc5321/99", "smtp://127.0.0.1:1"),
                 "no rule is called 'rfc5321/99' or begins with it; --list names them");
    expect_wrong(ARGV("check", "server"), "URL");
    expect_wrong(ARGV("check", "server", "127.0.0.1:25"), "the URL's scheme is none of");
    expect_wrong(ARGV("check", "server", "--tap", "--json", "smtp://127.0.0.1:1"),
                 "--tap and --json exclude each other");
    expect_wrong(ARGV("check", "server", "--sink", "1", "--maildir", "/x", "smtp://127.0.0.1:1"),
                 "--maildir and --sink exclude each other");
    expect_wrong(ARGV("check", "server", "--timeout", "0", "smtp://127.0.0.1:1"), "--timeout");
}

/* ---- for machines ---- */

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    expect_true(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

/** What TAP 13 says, as prove understands it. */
static void expect_proved(const char *const argv[], int exit_status, const char *said)
{
    char folder[64], path[96];
    smtp_make_directory(folder);
    snprintf(path, sizeof path, "%s/results.tap", folder);
    struct ended ended = run_to_end(argv);
    put(path, ended.out);
    ended_clear(&ended);
    struct ended proved =
        run_to_end((const char *const[]){"/usr/bin/prove", "--exec", "cat", path, NULL});
    expect_contains(proved.out, said);
    expect_int(proved.exit_status, exit_status);
    ended_clear(&proved);
    smtp_remove_directory(folder);
}

TEST_WITHIN(check_server, tap_is_understood_by_prove, 90)
{
    char url[200];
    struct background serve = serve_with("dot: reply 554 5.0.0", url);
    expect_proved(ARGV("check", "server", "--tap", "--only", "rfc5321/4.1.1.10/quit", url), 0,
                  "Tests=1, ");
    expect_proved(ARGV("check", "server", "--tap", "--only", SHOULD_RULE, url), 0, "Tests=1, ");
    expect_proved(ARGV("check", "server", "--tap", "--strict", "--only", SHOULD_RULE, url), 1,
                  "Failed test:  1");
    end_process(&serve, SIGTERM);
}

TEST_WITHIN(check_server, junit_is_valid_by_its_schema_and_tells_level_and_dialogue, 90)
{
    char folder[64], path[96], url[200];
    struct background serve = serve_with("any: reply 250 \"<&>\"", url);
    smtp_make_directory(folder);
    snprintf(path, sizeof path, "%s/junit.xml", folder);
    struct ended ended = run_to_end(ARGV("check", "server", "--junit", path, QUICK, url));
    expect_int(ended.exit_status, 1);
    expect_contains(ended.out, " skipped"); /* beside it */
    ended_clear(&ended);
    ended = run_to_end(
        (const char *const[]){"/usr/bin/xmllint", "--noout", "--schema", JUNIT_SCHEMA, path, NULL});
    if (ended.exit_status != 0) {
        SMTP_TEST_FAIL("%s", ended.err);
    }
    ended_clear(&ended);
    char *xml = smtp_read_file(path, NULL);
    expect_contains(xml, "<testsuites name=\"smtp-harness check server\" ");
    expect_contains(xml, "name=\"rfc5321/4.2.4/unknown-command-500\"");
    expect_contains(xml, "C: EHLO ");
    free(xml);
    end_process(&serve, SIGTERM);
    smtp_remove_directory(folder);
}

/* ---- commands ---- */

/** A place for the suite's files, and a pipe that it holds as long as it or what it started lives. */
struct held {
    char folder[64];
    int pipe;
};

static void hold(struct held *held)
{
    char path[96];
    smtp_make_directory(held->folder);
    snprintf(path, sizeof path, "%s/files", held->folder);
    expect_int(mkdir(path, 0700), 0);
    setenv("TMPDIR", path, 1);
    snprintf(path, sizeof path, "%s/pipe", held->folder);
    expect_int(mkfifo(path, 0600), 0);
    held->pipe = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    expect_true(held->pipe >= 0);
    setenv("HELD", path, 1);
}

/** Waits until a command has written to it, and reads all that is there. False: nobody has it any more. */
static bool await_held(const struct held *held)
{
    char octets[1024];
    struct pollfd item = {.fd = held->pipe, .events = POLLIN};
    expect_int(poll(&item, 1, 15000), 1);
    ssize_t len = read(held->pipe, octets, sizeof octets);
    expect_true(len >= 0);
    return len > 0;
}

static void let_go(struct held *held)
{
    close(held->pipe);
    unsetenv("TMPDIR");
    unsetenv("HELD");
    smtp_remove_directory(held->folder);
}

/** No process of a command's, no file. */
static void expect_nothing_left(struct held *held)
{
    while (await_held(held)) {
    }
    expect_int(smtp_count_entries(held->folder, "files", NULL, 0), 0);
    let_go(held);
}

/** Each begins so: it writes an octet, and has the pipe. */
#define HOLD "exec 9>\"$HELD\"; printf x >&9; "

static struct sum judge_client(const char *const argv[])
{
    struct held held;
    hold(&held);
    struct ended ended = run_to_end(argv);
    expect_str(ended.err, "");
    expect_int(ended.exit_status, 1);
    struct sum sum = expect_whole(&ended, "client", listed("client", ""));
    ended_clear(&ended);
    expect_nothing_left(&held);
    return sum;
}
#define JUDGED(script) ARGV("check", "client", "--json", QUICK, "--", SHELL, HOLD script)

TEST_WITHIN(check_client, one_that_keeps_the_rules_ends_with_0, 90)
{
    struct ended ended =
        run_to_end(ARGV("check", "client", "--strict", "--only", "rfc5321/4.1.1.10", "--only",
                        "rfc5321/4.5.2", "--", DRIVER));
    expect_str(ended.err, "");
    expect_contains(ended.out, "  ok    quit-before-close ");
    expect_contains(ended.out, "  ok    dot-stuffing ");
    expect_contains(ended.out, " passed, 0 failed (0 MUST, 0 SHOULD), 0 skipped");
    expect_int(ended.exit_status, 0);
    ended_clear(&ended);
}

/** Where options stand before them, too. */
TEST_WITHIN(check_client, the_command_gets_its_own_words_and_a_word_for_each_recipient, 90)
{
    struct held held;
    hold(&held);
    struct ended ended = run_to_end(ARGV("check", "client", "--json", "--only", "rfc5321/4.1.1.10",
                                         "--", SHELL, "echo \"$#:$1:$2:$3\" >>\"$HELD.words\"",
                                         "sh", "{from}", "{to}", "{port}"));
    ended_clear(&ended);
    char path[96];
    snprintf(path, sizeof path, "%s/pipe.words", held.folder);
    char *words = smtp_read_file(path, NULL);
    expect_true(strncmp(words, "4:ability-from@example.com:ability-to@example.com:", 50) == 0);
    expect_contains(words, "\n3:ann@example.com:bob@example.com:");
    free(words);
    let_go(&held);
}

TEST_WITHIN(check_client, a_command_that_does_nothing_passes_no_rule, 90)
{
    expect_int(judge_client(JUDGED("exit 0")).passed, 0);
}

TEST_WITHIN(check_client, a_command_that_ignores_its_arguments_and_fails_passes_no_rule, 90)
{
    expect_int(judge_client(JUDGED("echo wrong usage >&2; exit 64")).passed, 0);
}

TEST_WITHIN(check_client, a_command_that_hangs_and_ignores_signals_is_ended, 90)
{
    expect_int(judge_client(JUDGED("trap '' TERM INT HUP; sleep 60; sleep 60")).passed, 0);
}

TEST_WITHIN(check_client, what_a_command_leaves_behind_is_ended_in_its_group_or_out_of_it, 90)
{
    expect_int(judge_client(JUDGED("sleep 60 & setsid sh -c 'sleep 60; sleep 60' & exit 0")).passed,
               0);
}

TEST_WITHIN(check_client, a_command_that_floods_its_output_is_ended, 90)
{
    expect_int(judge_client(JUDGED("yes; yes")).passed, 0);
}

TEST_WITHIN(check_client, a_command_that_floods_the_connection_is_ended, 90)
{
    struct held held;
    hold(&held);
    struct ended ended = run_to_end(ARGV("check", "client", "--json", "--timeout", "1", "--only",
                                         "rfc5321/4.1.1", "--", "/bin/bash", "-c",
                                         HOLD "exec 3<>/dev/tcp/$SMTP_HOST/$SMTP_PORT; yes >&3"));
    expect_int(ended.exit_status, 1);
    expect_whole(&ended, "client", listed("client", "rfc5321/4.1.1"));
    ended_clear(&ended);
    expect_nothing_left(&held);
}

TEST_WITHIN(check_client, a_command_that_is_none_is_told_and_ends_with_2, 90)
{
    expect_failed(ARGV("check", "client", "--", "/nonexistent/client"),
                  "cannot run '/nonexistent/client': No such file or directory");
    expect_failed(ARGV("check", "client", "--", "/etc/passwd"), "Permission denied");
    expect_wrong(ARGV("check", "client", "--strict"), "a COMMAND is needed");
    expect_wrong(ARGV("check", "client", "--only", "rfc5321/99", "--", "true"),
                 "no rule is called 'rfc5321/99'");
    expect_wrong(ARGV("check", "client", "--temporary", "256", "--", "true"),
                 "--temporary takes an exit status from 1 to 255, not '256'");
}

/* ---- signals ---- */

/** The rest of what it tells; its last line has the sum. */
static void expect_interrupted(struct background *check)
{
    char line[512], last[512] = "";
    while (next_line(check, line, sizeof line) != NULL) {
        memcpy(last, line, sizeof last);
    }
    expect_contains(last, " skipped; ");
    expect_contains(last, "; interrupted");
}

TEST_WITHIN(check_server, a_signal_tells_the_sum_so_far, 90)
{
    char url[200], line[512];
    struct background serve = serve_with("ehlo: hang", url);
    signal(SIGINT, SIG_DFL);
    struct background check = start_process(ARGV("check", "server", "--timeout", "30", "--only",
                                                 "rfc5321/4.5.2", "--only", "rfc5321/4.5.3", url));
    expect_str(next_line(&check, line, sizeof line), "RFC 5321 4.5.2");
    kill(check.pid, SIGINT);
    expect_interrupted(&check);
    expect_int(end_process(&check, 0), 128 + SIGINT);
    end_process(&serve, SIGTERM);
}

/** The command says by its octet that it is there. */
static void expect_nothing_left_by_signal(const char *script)
{
    struct held held;
    hold(&held);
    signal(SIGINT, SIG_DFL);
    struct background check =
        start_process(ARGV("check", "client", "--timeout", "30", "--", SHELL, script));
    expect_true(await_held(&held));
    kill(check.pid, SIGINT);
    expect_interrupted(&check);
    expect_int(end_process(&check, 0), 128 + SIGINT);
    expect_nothing_left(&held);
}

#define HANG HOLD "trap '' INT TERM; setsid sleep 60 & sleep 60; sleep 60"

TEST_WITHIN(check_client, a_signal_while_its_command_is_looked_at_leaves_nothing, 90)
{
    expect_nothing_left_by_signal(HANG);
}

/** It is looked at by runs one after the other; two at a time are for rules. */
TEST_WITHIN(check_client, a_signal_tells_the_sum_so_far_and_leaves_nothing, 90)
{
    expect_nothing_left_by_signal("mkdir \"$HELD.one\" || { rmdir \"$HELD.one\"; " HANG
                                  "; }; sleep 0.05; rmdir \"$HELD.one\" || sleep 60");
}

TEST_WITHIN(check_client, a_reader_that_has_gone_leaves_nothing_running, 90)
{
    struct held held;
    hold(&held);
    struct ended ended = run_to_end((const char *const[]){
        SHELL, "\"$0\" check client --timeout 30 --only rfc5321 -- \"$@\" | head -1", SMTP_HARNESS,
        SHELL, HOLD "setsid sleep 60 & exit 0", NULL});
    expect_true(strncmp(ended.out, "RFC ", 4) == 0);
    expect_contains(ended.err, "the results cannot be written");
    ended_clear(&ended);
    expect_nothing_left(&held);
}
