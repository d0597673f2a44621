/* record_program_test.c - what the program's verbs record is played unchanged against each other's. */
#include "harness/dialogue/dialogue.h"
#include "tests/end_to_end/as_written.h"
#include "tests/programs/serve.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* ---- two programs ---- */

static const char *const *sending(const char *url, const char *record)
{
    static const char *argv[24];
    const char *all[] = {SMTP_HARNESS,
                         "send",
                         url,
                         "--from",
                         "ann@example.com",
                         "--to",
                         "bob@b.example",
                         "--subject",
                         "Recorded",
                         "--text",
                         "Hello\n.dot\n...\n",
                         "--html",
                         "<p>Hello</p>",
                         "--insecure",
                         record != NULL ? "--record" : NULL,
                         record,
                         NULL};
    memcpy(argv, all, sizeof all);
    return argv;
}

static void serve_and_send(const char *of_server, const char *of_client)
{
    char url[80];
    struct background serve = start_process(ARGV("serve", "--record", of_server));
    hear_url(&serve, url, sizeof url);
    struct ended send = run_to_end(sending(url, of_client));
    if (send.exit_status != 0) {
        SMTP_TEST_FAIL("send ends with %d:\n%s%s", send.exit_status, send.out, send.err);
    }
    ended_clear(&send);
    expect_int(end_process(&serve, SIGTERM), 0);
}

/* ---- playing ---- */

struct server_role {
    char *path;
    int listener;
    struct smtp_dialogue *dialogue;
    struct smtp_dialogue_result result;
};

static struct smtp_dialogue *read_dialogue(const char *path)
{
    struct smtp_dialogue *dialogue = NULL;
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    size_t len;
    char *text = smtp_read_file(path, &len);
    if (smtp_dialogue_parse(&dialogue, path, (struct smtp_span){text, len}, &why) != SMTP_OK) {
        SMTP_TEST_FAIL("%s\n%s", smtp_harness_lines_take(&why), text);
    }
    smtp_buffer_free(&why.buffer);
    free(text);
    return dialogue;
}

static void expect_held(struct smtp_dialogue_result *result)
{
    if (result->outcome != SMTP_DIALOGUE_HELD) {
        SMTP_TEST_FAIL("%s", result->report);
    }
    smtp_dialogue_result_clear(result);
}

static void play_against_serve(const char *path)
{
    char url[80];
    struct smtp_dialogue *dialogue = read_dialogue(path);
    struct smtp_dialogue_options options = {.insecure = true};
    struct smtp_dialogue_result result = {0};
    struct background serve = start_process(ARGV("serve"));
    hear_url(&serve, url, sizeof url);
    smtp_dialogue_play_client(dialogue, url + strlen("smtp://"), &options, &result);
    expect_held(&result);
    expect_int(end_process(&serve, SIGTERM), 0);
    smtp_dialogue_free(dialogue);
}

static void *play(void *user)
{
    struct server_role *role = user;
    struct smtp_dialogue_options options = {.step_timeout_ms = 5000};
    smtp_dialogue_play_server(role->dialogue, role->listener, &options, &role->result);
    return NULL;
}

static void play_against_send(const char *path)
{
    char url[64];
    pthread_t thread;
    struct server_role role = {.dialogue = read_dialogue(path)};
    role.listener = listen_somewhere("smtp://", url);
    expect_int(pthread_create(&thread, NULL, play, &role), 0);
    struct ended send = run_to_end(sending(url, NULL));
    pthread_join(thread, NULL);
    expect_held(&role.result);
    expect_int(send.exit_status, 0);
    ended_clear(&send);
    close(role.listener);
    smtp_dialogue_free(role.dialogue);
}

TEST_WITHIN(recording_programs, what_serve_and_send_recorded_is_played_in_both_roles, 60)
{
    char directory[64], of_server[128], of_client[128], path[160];
    smtp_make_directory(directory);
    snprintf(of_server, sizeof of_server, "%s/serve", directory);
    snprintf(of_client, sizeof of_client, "%s/send.smtp", directory);
    snprintf(path, sizeof path, "%s/session-1.smtp", of_server);
    serve_and_send(of_server, of_client);
    play_against_serve(path);
    play_against_send(path);
    play_against_serve(of_client);
    play_against_send(of_client);
    smtp_remove_directory(directory);
}

TEST_WITHIN(recording_programs, what_exec_recorded_is_played_in_both_roles, 60)
{
    char directory[64], path[160];
    smtp_make_directory(directory);
    snprintf(path, sizeof path, "%s/session-1.smtp", directory);
    const char *const *send = sending("{url}", NULL);
    const char *argv[32] = {SMTP_HARNESS, "exec", "--record", directory, "--"};
    for (size_t i = 0; send[i] != NULL; i++) {
        argv[5 + i] = send[i];
    }
    struct ended exec = run_to_end(argv);
    if (exec.exit_status != 0) {
        SMTP_TEST_FAIL("exec ends with %d:\n%s%s", exec.exit_status, exec.out, exec.err);
    }
    ended_clear(&exec);
    play_against_serve(path);
    play_against_send(path);
    smtp_remove_directory(directory);
}
