/* record_test.c - what is recorded of a session, by its server or by its client, is played unchanged: as the
 * client against a server like the first, and as the server against a client that does the same again. */
#include "client/smtp_client.h"
#include "harness/dialogue/dialogue.h"
#include "harness/record.h"
#include "tests/end_to_end/as_written.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

struct scenario {
    void (*prepare)(struct smtp_server_options *server); /* NULL: the defaults */
    const char *scheme;                                  /* "", "lmtp://", "smtps://" */
    void (*talk)(struct smtp_client *client, unsigned round);
    const char *secrets[2]; /* of SECRET and SECRET_2, to be played as the client */
    const char *holds;      /* what the recording has in it */
    bool server_only;       /* it can be played as the server alone */
};

struct end {
    const struct scenario *scenario;
    struct smtp_identity *identity;
    struct smtp_dialogue *dialogue;
    struct smtp_dialogue_options options;
    struct smtp_dialogue_result result;
    int listener;
};

/* ---- the two ends ---- */

static void complain(const char *message)
{
    fprintf(stderr, "%s\n", message);
}

static struct smtp_server *server_for(const struct end *end, const char *directory)
{
    char address[64];
    const char *listen = address;
    struct smtp_server_options options;
    struct smtp_server_hooks recorder;
    struct smtp_error error;
    snprintf(address, sizeof address, "%s127.0.0.1:0", end->scenario->scheme);
    smtp_server_options_init(&options);
    options.listen = &listen;
    options.listen_count = 1;
    options.tls.identity = end->identity;
    if (end->scenario->prepare != NULL) {
        end->scenario->prepare(&options);
    }
    if (directory != NULL) {
        expect_int(smtp_harness_recorder(&recorder, directory, complain, &error), SMTP_OK);
        options.receivers = &recorder;
        options.receiver_count = 1;
    }
    return started(&options);
}

static void talk_to(const struct end *end, const char *address, unsigned round,
                    struct smtp_harness_transcript *transcript)
{
    struct smtp_client_options options;
    struct smtp_client *client;
    char url[80];
    bool implicit = strcmp(end->scenario->scheme, "smtps://") == 0;
    snprintf(url, sizeof url, "%s%s", implicit ? "" : end->scenario->scheme, address);
    smtp_client_options_init(&options);
    options.tls.ca_pem = smtp_identity_ca_pem(end->identity);
    options.tls.policy = implicit ? SMTP_CLIENT_TLS_IMPLICIT : SMTP_CLIENT_TLS_NEVER;
    options.timeouts.overall_ms = 5000;
    options.chunk_octets = 64;
    options.chunking = end->scenario->holds != NULL && strstr(end->scenario->holds, "BDAT") != NULL;
    options.log = transcript != NULL ? smtp_harness_transcript_client_log : NULL;
    options.log_user = transcript;
    expect_int(smtp_client_new(&client, &options), SMTP_OK);
    expect_int(smtp_client_connect(client, url, 0), SMTP_OK);
    end->scenario->talk(client, round);
    smtp_client_free(client);
}

/* ---- playing what was recorded ---- */

static void expect_held(struct end *end, const char *role, const char *text)
{
    if (end->result.outcome != SMTP_DIALOGUE_HELD) {
        SMTP_TEST_FAIL("played as the %s:\n%s\n%s", role, end->result.report, text);
    }
    smtp_dialogue_result_clear(&end->result);
}

static void play_as_client(struct end *end, const char *text)
{
    struct smtp_dialogue_variable secrets[2] = {{"SECRET", {NULL, 0}}, {"SECRET_2", {NULL, 0}}};
    for (size_t i = 0; i < 2 && end->scenario->secrets[i] != NULL; i++) {
        secrets[i].value = smtp_span_of(end->scenario->secrets[i]);
        end->options.variable_count = i + 1;
    }
    end->options.variables = secrets;
    end->options.ca_pem = smtp_identity_ca_pem(end->identity);
    struct smtp_server *server = server_for(end, NULL);
    smtp_dialogue_play_client(end->dialogue, smtp_server_address(server, 0), &end->options,
                              &end->result);
    expect_held(end, "client", text);
    smtp_server_free(server);
}

static void *play(void *user)
{
    struct end *end = user;
    smtp_dialogue_play_server(end->dialogue, end->listener, &end->options, &end->result);
    return NULL;
}

static void play_as_server(struct end *end, const char *text)
{
    pthread_t thread;
    char address[64];
    end->options =
        (struct smtp_dialogue_options){.step_timeout_ms = 5000, .identity = end->identity};
    end->listener = listen_somewhere("", address);
    expect_int(pthread_create(&thread, NULL, play, end), 0);
    talk_to(end, address, 2, NULL);
    pthread_join(thread, NULL);
    close(end->listener);
    expect_held(end, "server", text);
}

static void expect_playable(struct end *end, const char *text)
{
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    if (end->scenario->holds != NULL) {
        expect_contains(text, end->scenario->holds);
    }
    if (smtp_dialogue_parse(&end->dialogue, "recorded.smtp", smtp_span_of(text), &why) != SMTP_OK) {
        SMTP_TEST_FAIL("%s\n%s", smtp_harness_lines_take(&why), text);
    }
    smtp_buffer_free(&why.buffer);
    end->options = (struct smtp_dialogue_options){.step_timeout_ms = 5000};
    if (!end->scenario->server_only) {
        play_as_client(end, text);
    }
    play_as_server(end, text);
    smtp_dialogue_free(end->dialogue);
}

/* Records one session at both ends, and plays both recordings in both roles. */
static void record_and_play(const struct scenario *scenario)
{
    char directory[64], path[128];
    size_t len;
    struct end end = {.scenario = scenario};
    struct smtp_harness_transcript *transcript = smtp_harness_transcript_new();
    smtp_make_directory(directory);
    expect_int(smtp_identity_new(&end.identity, NULL, NULL), SMTP_OK);
    struct smtp_server *server = server_for(&end, directory);
    talk_to(&end, smtp_server_address(server, 0), 1, transcript);
    smtp_server_stop(server, 1000);
    smtp_server_free(server);
    snprintf(path, sizeof path, "%s/session-1.smtp", directory);
    char *of_server = smtp_read_file(path, &len);
    char *of_client = smtp_harness_record_text(transcript);
    expect_playable(&end, of_server);
    expect_playable(&end, of_client);
    free(of_server);
    free(of_client);
    smtp_harness_transcript_free(transcript);
    smtp_identity_release(end.identity);
    smtp_remove_directory(directory);
}

/* ---- what is said ---- */

static void send_to(struct smtp_client *client, const char *content, size_t len,
                    enum smtp_body body)
{
    const char *to[] = {"bob@example.com", "carol@example.com"};
    struct smtp_envelope envelope = {.reverse_path = "ann@example.com",
                                     .forward_paths = to,
                                     .forward_path_count = 2,
                                     .mail = &(struct smtp_mail_options){.body = body}};
    (void)!smtp_client_send(client, &envelope, smtp_content_memory(content, len), NULL);
}

static void send_dated(struct smtp_client *client, unsigned round)
{
    char content[512];
    int len =
        snprintf(content, sizeof content,
                 "Date: Wed, %u Nov 2026 21:00:00 +0000\r\nMessage-ID: <%u.%u@a.example>\r\n"
                 "Content-Type: multipart/mixed; boundary=\"=-part-%u\"\r\n\r\n--=-part-%u\r\n"
                 "\r\n.Hello ... ${X} \\\r\n--=-part-%u--\r\n",
                 round, round * 1234567, round, round * 99999, round * 99999, round * 99999);
    send_to(client, content, (size_t)len, SMTP_BODY_DETECT);
}

static void talk_plainly(struct smtp_client *client, unsigned round)
{
    (void)!smtp_client_helo(client);
    (void)!smtp_client_noop(client);
    send_dated(client, round);
    (void)!smtp_client_vrfy(client, "bob");
    (void)!smtp_client_quit(client);
}

TEST(recording, of_single_commands_and_one_message)
{
    record_and_play(&(struct scenario){.scheme = "", .talk = talk_plainly, .holds = "${DATE="});
}

static void talk_in_groups(struct smtp_client *client, unsigned round)
{
    send_dated(client, round);
    send_dated(client, round);
    (void)!smtp_client_quit(client);
}

TEST(recording, of_pipelined_groups_rfc2920_3_1)
{
    record_and_play(&(struct scenario){.scheme = "",
                                       .talk = talk_in_groups,
                                       .holds = "C: RCPT TO:<carol@example.com>\nC: DATA\n"
                                                "S: 250 2.1.0"});
}

static bool next_of_three(void *user, size_t index, struct smtp_outgoing *message)
{
    static const char *const to[] = {"bob@example.com"};
    (void)user;
    message->envelope = (struct smtp_envelope){
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};
    message->content = smtp_content_text("Subject: one of three\r\n\r\nHello\r\n");
    return index < 3;
}

static void talk_in_a_stream(struct smtp_client *client, unsigned round)
{
    (void)round;
    (void)!smtp_client_send_many(client, next_of_three, NULL, NULL);
    (void)!smtp_client_quit(client);
}

TEST(recording, of_a_stream_of_messages_rfc2920_3_1)
{
    record_and_play(&(struct scenario){.scheme = "", .talk = talk_in_a_stream});
}

static void talk_of_octets(struct smtp_client *client, unsigned round)
{
    static char octets[200];
    (void)round;
    for (size_t i = 0; i < sizeof octets; i++) {
        octets[i] = (char)i;
    }
    send_to(client, octets, sizeof octets, SMTP_BODY_BINARYMIME);
    (void)!smtp_client_quit(client);
}

TEST(recording, of_chunks_of_binary_content_rfc3030_3)
{
    record_and_play(
        &(struct scenario){.scheme = "", .talk = talk_of_octets, .holds = "C: BDAT 64"});
}

static enum smtp_server_verdict refuse_carol(void *user,
                                             const struct smtp_server_session_info *session,
                                             const char *path, const char *parameters,
                                             struct smtp_server_reply *reply)
{
    (void)user, (void)session, (void)parameters;
    return strncmp(path, "carol@", 6) == 0
               ? smtp_server_reply(reply, 550, "5.1.1", "No such user ...\nbut try ${others}")
               : SMTP_ACCEPT;
}

static void prepare_refusal(struct smtp_server_options *options)
{
    options->hooks.rcpt = refuse_carol;
}

TEST(recording, of_a_recipient_that_is_refused)
{
    record_and_play(&(struct scenario){
        .prepare = prepare_refusal, .scheme = "", .talk = talk_in_groups, .holds = "S: 550-5.1.1"});
}

TEST(recording, of_lmtp_rfc2033_4_2)
{
    record_and_play(&(struct scenario){.prepare = prepare_refusal,
                                       .scheme = "lmtp://",
                                       .talk = talk_in_groups,
                                       .holds = "C: LHLO "});
}

TEST(recording, of_tls_from_the_first_octet_rfc8314_3)
{
    record_and_play(
        &(struct scenario){.scheme = "smtps://", .talk = talk_in_groups, .holds = "[tls]\nS: 220"});
}

/* ---- logins ---- */

static void prepare_login(struct smtp_server_options *options)
{
    static const struct smtp_server_user ann = {"ann", "secret"};
    options->auth.users = &ann;
    options->auth.user_count = 1;
}

static void log_in(struct smtp_client *client, const char *mechanism)
{
    (void)!smtp_client_starttls(client);
    expect_int(smtp_client_auth(client, &(struct smtp_client_credentials){.identity = "ann",
                                                                          .password = "secret",
                                                                          .mechanism = mechanism}),
               SMTP_OK);
    send_dated(client, 1);
    (void)!smtp_client_quit(client);
}

static void talk_with_plain(struct smtp_client *client, unsigned round)
{
    (void)round;
    log_in(client, "PLAIN");
}

static void talk_with_login(struct smtp_client *client, unsigned round)
{
    (void)round;
    log_in(client, "LOGIN");
}

static void talk_with_cram(struct smtp_client *client, unsigned round)
{
    (void)round;
    log_in(client, "CRAM-MD5");
}

TEST(recording, of_starttls_and_plain_rfc4954_4)
{
    record_and_play(&(struct scenario){.prepare = prepare_login,
                                       .scheme = "",
                                       .talk = talk_with_plain,
                                       .secrets = {"AGFubgBzZWNyZXQ="},
                                       .holds = "C: AUTH PLAIN ${SECRET}\nS: 235"});
}

TEST(recording, of_login)
{
    record_and_play(&(struct scenario){.prepare = prepare_login,
                                       .scheme = "",
                                       .talk = talk_with_login,
                                       .secrets = {"YW5u", "c2VjcmV0"},
                                       .holds = "C: ${SECRET_2}\nS: 235"});
}

TEST(recording, of_cram_md5_as_the_server_rfc2195_2)
{
    record_and_play(&(struct scenario){.prepare = prepare_login,
                                       .scheme = "",
                                       .talk = talk_with_cram,
                                       .holds = "S: 334 ${CHALLENGE=",
                                       .server_only = true});
}

/* ---- sessions that end early ---- */

static void talk_and_go(struct smtp_client *client, unsigned round)
{
    (void)round;
    (void)!smtp_client_mail(client, "ann@example.com", NULL);
    (void)!smtp_client_rcpt(client, "bob@example.com", NULL);
    smtp_client_close(client);
}

TEST(recording, of_a_client_that_goes)
{
    record_and_play(&(struct scenario){.scheme = "", .talk = talk_and_go, .holds = "[C close]"});
}

static ssize_t fail_later(void *user, char *room, size_t size)
{
    unsigned *calls = user;
    (void)size;
    memcpy(room, "Subject: half\r\n", 15);
    return (*calls)++ < 2 ? 15 : -1;
}

static void talk_half(struct smtp_client *client, unsigned round)
{
    const char *to[] = {"bob@example.com"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};
    unsigned calls = 0;
    (void)round;
    expect_int(smtp_client_send(client, &envelope, smtp_content_callback(fail_later, &calls), NULL),
               SMTP_SOURCE_FAILED);
}

TEST(recording, of_content_that_ends_in_the_middle)
{
    record_and_play(
        &(struct scenario){.scheme = "", .talk = talk_half, .holds = "C: Subject: half\n"});
}

static enum smtp_server_verdict turn_away(void *user,
                                          const struct smtp_server_session_info *session,
                                          const char *path, const char *parameters,
                                          struct smtp_server_reply *reply)
{
    (void)user, (void)session, (void)path, (void)parameters;
    smtp_server_reply(reply, 421, "4.3.2", "Later");
    return SMTP_DISCONNECT;
}

static void prepare_end(struct smtp_server_options *options)
{
    options->hooks.mail = turn_away;
    options->keywords.pipelining = false;
}

TEST(recording, of_a_server_that_goes)
{
    record_and_play(&(struct scenario){.prepare = prepare_end,
                                       .scheme = "",
                                       .talk = talk_in_groups,
                                       .holds = "S: 421 4.3.2 Later\n"});
}
