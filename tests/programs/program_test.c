/* program_test.c - the program smtp-harness as a shell sees it: exit status, output, files,
 * signals. */
#include "harness/smtp_harness.h"
#include "tests/programs/serve.h"
#include "tests/support/test.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/** No line of the text (UTF-8) has more than 80 columns; how many lines it has. */
static unsigned expect_80_columns(const char *text)
{
    unsigned lines = 0;
    for (const char *line = text; *line != '\0'; lines++) {
        size_t len = strcspn(line, "\n"), columns = 0;
        for (size_t i = 0; i < len; i++) {
            columns += ((unsigned char)line[i] & 0xC0) != 0x80;
        }
        if (columns > 80) {
            SMTP_TEST_FAIL("%zu columns: %.*s", columns, (int)len, line);
        }
        line += len + (line[len] == '\n');
    }
    return lines;
}

TEST_WITHIN(program, without_a_verb_every_scenario_passes_and_the_last_line_is_the_sum, 60)
{
    struct ended ended = run_to_end((const char *const[]){SMTP_HARNESS, NULL});
    unsigned passed = 0, failed = 1;
    int end = 0;
    if (ended.exit_status != 0) {
        SMTP_TEST_FAIL("exit status %d:\n%s%s", ended.exit_status, ended.out, ended.err);
    }
    const char *sum = last_line(ended.out);
    expect_int(sscanf(sum, "%u passed, %u failed%n", &passed, &failed, &end), 2);
    expect_int(failed, 0);
    expect_true(passed >= 75);
    expect_true(sum[end] == '\0' || strncmp(sum + end, ", ", 2) == 0); /* ", N skipped" */
    expect_true(strchr(ended.out, '\033') == NULL);                    /* no colour in a pipe */
    ended_clear(&ended);
}

TEST(program, only_runs_the_named_scenarios)
{
    struct ended ended =
        run_to_end(ARGV("selftest", "--only", "plain-text", "--only=empty-message"));
    expect_int(ended.exit_status, 0);
    expect_contains(ended.out, "plain-text");
    expect_contains(ended.out, "empty-message");
    expect_str(last_line(ended.out), "2 passed, 0 failed");
    ended_clear(&ended);
}

TEST(program, list_shows_each_scenario_with_its_rfc_and_description)
{
    struct ended ended = run_to_end(ARGV("--list"));
    expect_int(ended.exit_status, 0);
    expect_contains(ended.out, "SCENARIO ");
    expect_contains(ended.out, " RFC              WHAT IT IS ABOUT\n");
    expect_contains(ended.out, " 5321 4.5.3.1.10  beyond the limit 452;");
    expect_contains(ended.out, "\nwait-none                      -                that nothing");
    expect_true(expect_80_columns(ended.out) >= 20);
    ended_clear(&ended);
}

TEST(program, tap_has_a_plan_and_numbered_lines)
{
    struct ended ended =
        run_to_end(ARGV("--tap", "--only", "plain-text", "--only", "empty-message"));
    expect_int(ended.exit_status, 0);
    expect_str(ended.out, "TAP version 13\n1..2\nok 1 - plain-text\nok 2 - empty-message\n"
                          "# 2 passed, 0 failed\n");
    ended_clear(&ended);
}

/** The line's object; moves *at behind the line. */
static json_t *next_object(char **at)
{
    size_t len = strcspn(*at, "\n");
    json_error_t error;
    json_t *object = json_loadb(*at, len, 0, &error);
    if (object == NULL) {
        SMTP_TEST_FAIL("no JSON: %s in %.*s", error.text, (int)len, *at);
    }
    *at += len + 1;
    return object;
}

TEST(program, list_as_json_has_the_rfc_of_every_scenario)
{
    struct ended ended = run_to_end(ARGV("--list", "--json"));
    expect_int(ended.exit_status, 0);
    size_t with_rfc = 0, count = 0;
    for (char *at = ended.out; *at != '\0'; count++) {
        json_t *row = next_object(&at);
        const char *rfc = json_string_value(json_object_get(row, "rfc"));
        expect_true(json_string_value(json_object_get(row, "about"))[0] != '\0');
        if (rfc[0] != '\0') {
            expect_true(strspn(rfc, "0123456789") == 4 && (rfc[4] == ' ' || rfc[4] == '\0'));
            with_rfc++;
        }
        json_decref(row);
    }
    expect_true(count >= 119);
    expect_true(with_rfc >= 100);
    ended_clear(&ended);
}

TEST(program, json_is_one_object_a_line_and_the_sum_at_the_end)
{
    struct ended ended = run_to_end(ARGV("--json", "--only", "eight-bit", "-v"));
    expect_int(ended.exit_status, 0);
    char *at = ended.out;
    json_t *result = next_object(&at), *sum = next_object(&at);
    expect_str(json_string_value(json_object_get(result, "name")), "eight-bit");
    expect_str(json_string_value(json_object_get(result, "rfc")), "6152 3");
    expect_str(json_string_value(json_object_get(result, "result")), "passed");
    expect_str(json_string_value(json_object_get(result, "detail")), "");
    expect_true(json_is_real(json_object_get(result, "ms")));
    expect_contains(json_string_value(json_object_get(result, "dialogue")), "BODY=8BITMIME");
    expect_int(json_integer_value(json_object_get(sum, "passed")), 1);
    expect_int(json_integer_value(json_object_get(sum, "failed")), 0);
    expect_str(at, "");
    json_decref(result);
    json_decref(sum);
    ended_clear(&ended);
}

TEST_ALONE(program, verbose_draws_the_dialogue_within_80_columns)
{
    setenv("LC_ALL", "C.UTF-8", 1);
    struct ended ended = run_to_end(ARGV("-v", "--only", "longest-lines", "--only", "eight-bit"));
    expect_int(ended.exit_status, 0);
    expect_contains(ended.out, "MAIL FROM:<ann@example.com>");
    expect_contains(ended.out, "BDAT 1001 LAST");
    expect_contains(ended.out, "…");
    expect_80_columns(ended.out);
    ended_clear(&ended);
}

TEST_ALONE(program, verbose_draws_where_tls_begins_and_long_replies_below_themselves)
{
    setenv("LC_ALL", "C", 1);
    struct ended ended =
        run_to_end(ARGV("-v", "--only", "starttls", "--only", "commands-injected"));
    expect_int(ended.exit_status, 0);
    expect_contains(ended.out, " <- 220 2.0.0 Ready to start TLS\n");
    expect_contains(ended.out, " === TLS: TLSv1.3, TLS_AES_256_GCM_SHA384 ===");
    expect_contains(ended.out, " #  EHLO [127.0.0.1]");
    expect_contains(ended.out, " <- 503 5.5.1 Octets came behind\n");
    expect_contains(ended.out, "   STARTTLS, closing\n");
    expect_80_columns(ended.out);
    ended_clear(&ended);
}

TEST(program, explain_says_what_each_line_means)
{
    struct ended ended = run_to_end(ARGV("--explain", "--only", "starttls"));
    expect_int(ended.exit_status, 0);
    expect_contains(ended.out, "asks for TLS on this connection (RFC 3207 4)");
    expect_contains(ended.out, "BDAT instead of DATA (RFC 3030 2)");
    expect_80_columns(ended.out);
    ended_clear(&ended);
}

TEST(program, version_is_told_and_ends_with_0)
{
    struct ended ended = run_to_end(ARGV("--version"));
    expect_int(ended.exit_status, 0);
    expect_contains(ended.out, "smtp-harness 0.");
    ended_clear(&ended);
}

TEST(program, help_all_has_every_option_the_short_one_only_the_first)
{
    struct ended all = run_to_end(ARGV("serve", "--help", "all"));
    struct ended brief = run_to_end(ARGV("serve", "--help"));
    expect_contains(all.out, "--magic-addresses");
    expect_contains(brief.out, "--help all");
    expect_true(strstr(brief.out, "--magic-addresses") == NULL);
    expect_80_columns(all.out);
    ended_clear(&all);
    ended_clear(&brief);
}

TEST(program, wrong_words_are_named_and_the_near_one_suggested)
{
    expect_wrong(ARGV("--lst"), "there is no option '--lst'; did you mean '--list'?");
    expect_wrong(ARGV("--only", "plain-txt"),
                 "there is no scenario 'plain-txt'; did you mean 'plain-text'?");
    expect_wrong(ARGV("--only"), "--only needs a value: NAME");
    expect_wrong(ARGV("--list=yes"), "--list takes no value");
    expect_wrong(ARGV("--tap", "--json"), "exclude each other");
    expect_wrong(ARGV("selftest", "plain-text"), "'plain-text' is not an option");
    expect_wrong(ARGV("serve", "--lisen", "x"), "did you mean '--listen'?");
    expect_wrong(ARGV("serve", "--workers", "65"), "a number from 1 to 64, not '65'");
    expect_wrong(ARGV("serve", "--size-limit", "10k"), "not '10k'");
    expect_wrong(ARGV("serve", "--bare-lf", "keep"), "refuse|close|accept, not 'keep'");
}

TEST(program, serve_says_why_it_cannot_listen)
{
    struct smtp_harness *taken = smtp_harness_start(NULL, NULL);
    expect_true(taken != NULL);
    char address[32], port[8];
    snprintf(port, sizeof port, "%u", smtp_harness_port(taken));
    snprintf(address, sizeof address, "127.0.0.1:%s", port);
    struct ended ended = run_to_end(ARGV("serve", "--listen", address));
    expect_int(ended.exit_status, 2);
    expect_str(ended.out, "");
    expect_contains(ended.err, address);
    ended_clear(&ended);
    smtp_harness_stop(taken);
}

TEST_ALONE(program, verbose_shows_a_login_without_its_secrets)
{
    setenv("LC_ALL", "C", 1);
    struct ended ended = run_to_end(ARGV("-v", "--only", "login-required"));
    expect_int(ended.exit_status, 0);
    expect_contains(ended.out, " <- 530 5.7.0 Authentication\n");
    expect_contains(ended.out, " AUTH SCRAM-SHA-256-PLUS ***    ->\n");
    expect_contains(ended.out, " <- 334 ");
    expect_contains(ended.out, " <- 235 2.7.0 Authentication\n");
    expect_80_columns(ended.out);
    ended_clear(&ended);
}

/** Sends one message to the address and returns what came of it. */
static enum smtp_status send_one(const char *address, const char *text)
{
    struct smtp_client *client = NULL;
    const char *to[] = {"bob@example.com", "carol@example.com"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 2};
    enum smtp_status status = smtp_client_new(&client, NULL);
    if (status == SMTP_OK) {
        status = smtp_client_connect(client, address, 0);
    }
    if (status == SMTP_OK) {
        status = smtp_client_send(client, &envelope, smtp_content_text(text), NULL);
    }
    if (status == SMTP_OK) {
        status = smtp_client_quit(client);
    }
    smtp_client_free(client);
    return status;
}

TEST(program, serve_tells_every_address_in_output_and_ready_file_and_takes_the_file_away)
{
    char folder[] = "/tmp/smtp-test-XXXXXX";
    expect_true(mkdtemp(folder) != NULL);
    char ready[64], socket_path[64], listen_unix[80], urls[2][200], line[256];
    snprintf(ready, sizeof ready, "%s/ready", folder);
    snprintf(socket_path, sizeof socket_path, "%s/socket", folder);
    snprintf(listen_unix, sizeof listen_unix, "unix:%s", socket_path);
    struct background serve = start_process(
        ARGV("serve", "--listen", "127.0.0.1:0", "--listen", listen_unix, "--ready-file", ready));
    hear_url(&serve, urls[0], sizeof urls[0]);
    hear_url(&serve, urls[1], sizeof urls[1]);
    expect_true(strncmp(urls[0], "smtp://127.0.0.1:", 17) == 0 && strlen(urls[0]) > 17);
    expect_str(urls[1], listen_unix);
    expect_int(send_one(urls[0] + strlen("smtp://"), "over TCP\n"), SMTP_OK);
    expect_int(send_one(urls[1], "over a Unix socket\n"), SMTP_OK);
    FILE *file = fopen(ready, "r"); /* there: it is written before the lines are */
    expect_true(file != NULL);
    for (size_t i = 0; i < 2; i++) {
        expect_true(fgets(line, sizeof line, file) != NULL);
        line[strcspn(line, "\n")] = '\0';
        expect_str(line, urls[i]);
    }
    expect_true(fgets(line, sizeof line, file) == NULL);
    fclose(file);
    expect_int(end_process(&serve, SIGTERM), 0);
    expect_true(access(ready, F_OK) != 0);
    unlink(socket_path);
    expect_int(rmdir(folder), 0); /* nothing else was left in it */
}

TEST(program, serve_prints_envelope_and_content)
{
    char url[200], line[256];
    struct background serve =
        start_process(ARGV("serve", "--print", "--listen", "127.0.0.1:0", "--hostname", "mx.test"));
    hear_url(&serve, url, sizeof url);
    expect_int(send_one(url + strlen("smtp://"), "Subject: Hi\n\n.\n"), SMTP_OK);
    while (strncmp(next_line(&serve, line, sizeof line), "X-MailFrom: ", 12) != 0) {
    }
    expect_contains(line, "X-MailFrom: <ann@example.com> SIZE=18");
    expect_str(next_line(&serve, line, sizeof line), "X-RcptTo: <bob@example.com>");
    expect_str(next_line(&serve, line, sizeof line), "X-RcptTo: <carol@example.com>");
    while (strcmp(next_line(&serve, line, sizeof line), "Subject: Hi") != 0) {
    }
    expect_str(next_line(&serve, line, sizeof line), "");
    expect_str(next_line(&serve, line, sizeof line), ".");
    expect_int(end_process(&serve, SIGINT), 0);
}

TEST(program, serve_keeps_to_its_limits)
{
    char url[200];
    struct background serve = start_process(
        ARGV("serve", "--size-limit", "10", "--recipient-limit", "1", "--workers", "2"));
    hear_url(&serve, url, sizeof url);
    expect_int(send_one(url + strlen("smtp://"), "far more than ten octets\n"),
               SMTP_UNSUPPORTED); /* SIZE 10 is offered, and the client keeps to it */
    expect_int(send_one(url + strlen("smtp://"), "short\n"),
               SMTP_OK); /* LIMITS RCPTMAX=1 is offered, and it goes to one after the other */
    expect_int(end_process(&serve, SIGTERM), 0);
}
