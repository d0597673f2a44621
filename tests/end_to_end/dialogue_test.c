/* dialogue_test.c - dialogues played by both roles against each other, and each way in which one can go another way
 * than written. */
#include "common/address.h"
#include "common/net.h"
#include "harness/dialogue/dialogue.h"
#include "server/smtp_server.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct smtp_dialogue *read_text(const char *name, const char *text)
{
    struct smtp_dialogue *dialogue = NULL;
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    enum smtp_status status = smtp_dialogue_parse(&dialogue, name, smtp_span_of(text), &why);
    char *complaint = smtp_harness_lines_take(&why);
    expect_str(complaint, "");
    expect_int(status, SMTP_OK);
    free(complaint);
    return dialogue;
}

/** Both ends of a connection, each with its own dialogue; the client's is `text` where it has none. */
struct pair {
    const char *server_text, *client_text;
    struct smtp_dialogue_options server_options, client_options;
    struct smtp_dialogue_result server, client;
    struct smtp_dialogue *served;
    int listener;
};

static void *serve(void *user)
{
    struct pair *pair = user;
    smtp_dialogue_play_server(pair->served, pair->listener, &pair->server_options, &pair->server);
    return NULL;
}

static void play_pair(struct pair *pair)
{
    struct smtp_address address;
    char text[SMTP_ADDRESS_TEXT_SIZE];
    pthread_t thread;
    expect_int(smtp_address_parse("127.0.0.1:0", 0, &address, NULL), SMTP_OK);
    expect_int(smtp_net_listen(&address, &pair->listener, NULL), SMTP_OK);
    smtp_address_of_socket(pair->listener, false, &address);
    smtp_address_format(&address, text);
    pair->served = read_text("server.smtp", pair->server_text);
    struct smtp_dialogue *said =
        read_text("client.smtp", pair->client_text != NULL ? pair->client_text : pair->server_text);
    expect_int(pthread_create(&thread, NULL, serve, pair), 0);
    smtp_dialogue_play_client(said, text, &pair->client_options, &pair->client);
    pthread_join(thread, NULL);
    close(pair->listener);
    smtp_dialogue_free(pair->served);
    smtp_dialogue_free(said);
}

static void clear(struct pair *pair)
{
    smtp_dialogue_result_clear(&pair->server);
    smtp_dialogue_result_clear(&pair->client);
}

static void expect_both_held(struct pair *pair)
{
    play_pair(pair);
    expect_str(pair->client.report, "");
    expect_str(pair->server.report, "");
    expect_int(pair->client.outcome, SMTP_DIALOGUE_HELD);
    expect_int(pair->server.outcome, SMTP_DIALOGUE_HELD);
    clear(pair);
}

static void expect_held(const char *text)
{
    struct pair pair = {.server_text = text};
    expect_both_held(&pair);
}

/** The client does not find what it expects, on this line, and says so. */
static void expect_client_diverges(const char *server, const char *client, unsigned line,
                                   const char *report)
{
    struct pair pair = {.server_text = server,
                        .client_text = client,
                        .client_options = {.step_timeout_ms = 1000},
                        .server_options = {.step_timeout_ms = 20000}};
    play_pair(&pair);
    expect_contains(pair.client.report, report);
    expect_int(pair.client.outcome, SMTP_DIALOGUE_DIVERGED);
    expect_int(pair.client.line, line);
    clear(&pair);
}

static void expect_server_diverges(const char *server, const char *client, unsigned line,
                                   const char *report)
{
    struct pair pair = {.server_text = server,
                        .client_text = client,
                        .client_options = {.step_timeout_ms = 20000},
                        .server_options = {.step_timeout_ms = 1000}};
    play_pair(&pair);
    expect_contains(pair.server.report, report);
    expect_int(pair.server.outcome, SMTP_DIALOGUE_DIVERGED);
    expect_int(pair.server.line, line);
    clear(&pair);
}

/* ---- what holds ---- */

TEST(dialogue, a_whole_session_is_played_by_both_roles)
{
    expect_held(
        "S: 220 a ESMTP\nC: EHLO b\nS: 250-a\nS: 250 PIPELINING\n"
        "C: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n"
        "C: Subject: x\nC:\nC: ..dot\nC: .\nS: 250 taken\nC: QUIT\nS: 221 bye\n[S close]\n");
}

TEST(dialogue, raw_octets_nul_bare_cr_and_lf_pass_both_ways)
{
    expect_held(
        "S| 220 \\x00\\r\\xff\\n\nC| \\n\\r\\x00 a\nS| b\\x00\nC: QUIT\\r\\nNOOP\nS: 221 .\n");
}

TEST(dialogue, several_sessions_are_several_connections_and_names_are_known_in_later_ones)
{
    struct pair pair = {
        .server_text = "S: 220 ${id=A1}\nC: ${secret=s3}\n[C close]\n"
                       "[session]\nS: 220 again ${id}\nC: I am ${id} ${secret}\n[C reset]\n",
        .client_text = "S: 220 ${id}\nC: ${secret=t4}\n[C close]\n"
                       "[session]\nS: 220 again ${id}\nC: I am A1 ${secret}\n[C reset]\n"};
    expect_both_held(&pair);
}

TEST(dialogue, what_is_set_from_outside_is_sent_and_expected)
{
    const struct smtp_dialogue_variable who = {"who", SMTP_SPAN("ann")};
    struct pair pair = {.server_text = "S: 220 ${who=nobody}\nC: hello\n",
                        .client_text = "S: 220 ann\nC: hello\n",
                        .server_options = {.variables = &who, .variable_count = 1}};
    expect_both_held(&pair);
}

TEST(dialogue, host_port_date_and_nonce_have_values_of_their_own)
{
    expect_held(
        "S: 220 ${date}; ${nonce}; ${host}; ${port}\nC: ${nonce} ${port}\nS: 250 ${date}\n");
}

TEST(dialogue, three_dots_alone_are_any_number_of_lines)
{
    struct pair pair = {.server_text = "S: 250-a\nS: 250-b\nS: 250 c\nC: a\nC: .\nS: 221 x\n",
                        .client_text = "S: ...\nS: 250 ...\nC: a\nC: .\nS: ...\nS: 221 x\n"};
    expect_both_held(&pair);
}

TEST(dialogue, lines_up_to_the_end_of_the_connection)
{
    struct pair pair = {.server_text = "S: 250-a\nS: 250 c\n[S close]\n",
                        .client_text = "S: ...\n[S close]\n"};
    expect_both_held(&pair);
}

TEST(dialogue, a_half_close_leaves_the_other_half_open)
{
    expect_held("C: one\n[C half-close]\nS: 221 late\n[S close]\n");
}

TEST(dialogue, compare_codes_looks_at_codes_and_whether_replies_go_on)
{
    struct pair pair = {.server_text = "S: 220 other\nC: EHLO x\nS: 250-other\nS: 250 PIPELINING\n",
                        .client_text =
                            "[compare codes]\nS: 220 one\nC: EHLO x\nS: 250-one\nS: 250 SIZE\n"};
    expect_both_held(&pair);
}

TEST(dialogue, pipelining_of_ten_thousand_commands_does_not_stop)
{
    size_t size = 10000 * 60;
    char *text = malloc(size);
    size_t len = 0;
    for (unsigned i = 0; i < 10000; i++) {
        len += (size_t)snprintf(text + len, size - len, "C: RCPT TO:<%u@example.com>\n", i);
    }
    for (unsigned i = 0; i < 10000; i++) {
        len += (size_t)snprintf(text + len, size - len, "S: 250 %u fine\n", i);
    }
    expect_held(text);
    free(text);
}

/* ---- TLS ---- */

static void expect_held_with_tls(const char *text, bool implicit)
{
    struct smtp_identity *identity = NULL;
    expect_int(smtp_identity_new(&identity, NULL, NULL), SMTP_OK);
    struct pair pair = {
        .server_text = text,
        .server_options = {.identity = identity, .implicit_tls = implicit},
        .client_options = {.ca_pem = smtp_identity_ca_pem(identity), .implicit_tls = implicit}};
    expect_both_held(&pair);
    smtp_identity_release(identity);
}

TEST(dialogue, starttls_by_both_roles)
{
    expect_held_with_tls("S: 220 a\nC: STARTTLS\nS: 220 go\n[starttls]\nC: EHLO b\nS: 250 a\n"
                         "C: QUIT\nS: 221 bye\n[S close]\n",
                         false);
}

TEST(dialogue, tls_from_the_first_octet_by_both_roles)
{
    expect_held_with_tls("[tls]\nS: 220 a\nC: QUIT\nS: 221 b\n[C close]\n[session]\nS: 220 c\n",
                         true);
    expect_held_with_tls("[tls]\nS: 220 a\n[S half-close]\nC: QUIT\n[C close]\n", false);
    expect_held_with_tls("S: 220 a\n[C reset]\n", true);
}

TEST(dialogue, a_certificate_is_verified_unless_that_is_switched_off)
{
    struct pair pair = {.server_text = "[tls]\nS: 220 a\n"};
    play_pair(&pair);
    expect_int(pair.client.outcome, SMTP_DIALOGUE_DIVERGED);
    expect_contains(pair.client.report, "client.smtp:1: the handshake failed: ");
    expect_int(pair.server.outcome, SMTP_DIALOGUE_DIVERGED);
    clear(&pair);
    pair = (struct pair){.server_text = "[tls]\nS: 220 a\n", .client_options = {.insecure = true}};
    expect_both_held(&pair);
}

TEST(dialogue, octets_in_the_clear_before_a_handshake_are_found)
{
    expect_client_diverges("S: 220 a\nS: 220 injected\n", "S: 220 a\n[starttls]\n", 2,
                           "client.smtp:2: octets came in the clear before the handshake\n"
                           "  expected  [starttls]\n"
                           "  came      S: 220 injected\n");
}

/* ---- what does not hold ---- */

TEST(dialogue, another_reply_is_shown_with_a_caret_and_what_was_before)
{
    expect_client_diverges("S: 220 a\nC: NOOP\nS: 250 no\n", "S: 220 a\nC: NOOP\nS: 250 OK\n", 3,
                           "client.smtp:3: another reply came\n"
                           "  expected  S: 250 OK\n"
                           "  came      S: 250 no\n"
                           "                   ^\n"
                           "before it\n"
                           "  # connected: 127.0.0.1:");
}

TEST(dialogue, another_command_is_found_by_the_server)
{
    expect_server_diverges("S: 220 a\nC: EHLO b\nS: 250 a\n", "S: 220 a\nC: HELO b\nS: 250 a\n", 2,
                           "server.smtp:2: another line came\n"
                           "  expected  C: EHLO b\n"
                           "  came      C: HELO b\n");
}

TEST(dialogue, other_octets_are_found_before_all_of_them_came)
{
    expect_server_diverges("C| abcdefgh\nS: 250 a\n", "C| abX\nS: 250 a\n", 1,
                           "server.smtp:1: other octets came\n"
                           "  expected  C| abcdefgh\n"
                           "  came      C| abX\n"
                           "                 ^\n");
}

TEST(dialogue, a_name_that_is_another_one_now_is_shown_with_what_it_is)
{
    expect_client_diverges("S: 220 a7\nC: x\nS: 250 a8\n", "S: 220 ${id}\nC: x\nS: 250 ${id}\n", 3,
                           "  where     ${id} is \"a7\"\n");
}

TEST(dialogue, what_a_secret_is_is_not_shown)
{
    struct smtp_dialogue_variable secret = {"SECRET", SMTP_SPAN("c2VjcmV0")};
    struct pair pair = {.server_text = "S: 220 a\nC: AUTH PLAIN ${SECRET}\nS: 235 in\n",
                        .client_text = "S: 220 a\nC: AUTH PLAIN eA==\nS: 235 in\n",
                        .server_options = {.variables = &secret, .variable_count = 1}};
    play_pair(&pair);
    expect_contains(pair.server.report, "where     ${SECRET} is ***\n");
    expect_true(strstr(pair.server.report, "c2VjcmV0") == NULL);
    clear(&pair);
}

TEST(dialogue, one_reply_too_many_does_not_hold)
{
    expect_client_diverges("S: 220 a\nS: 220 b\n", "S: 220 a\n", 1,
                           "client.smtp:1: more came after the last step\n");
}

TEST(dialogue, codes_that_differ_do_not_hold_where_codes_are_compared)
{
    expect_client_diverges("S: 220 a\nC: x\nS: 250-a\nS: 250 b\n",
                           "[compare codes]\nS: 220 b\nC: x\nS: 250 a\n", 4, "another reply came");
    expect_client_diverges("S: 220 a\nC: x\nS: 251 a\n",
                           "[compare codes]\nS: 220 b\nC: x\nS: 250 a\n", 4, "another reply came");
}

TEST(dialogue, silence_ends_with_the_time_of_a_step)
{
    expect_client_diverges("C: a\nC: never\n", "C: a\nS: 250 a\n", 2,
                           "client.smtp:2: nothing came within 1000 ms\n");
    expect_client_diverges("S| 250 a\nC: never\n", "S: 250 a\n", 1,
                           "client.smtp:1: only a part of this came within 1000 ms\n"
                           "  expected  S: 250 a\n"
                           "  came      S| 250 a\n");
}

TEST(dialogue, a_peer_that_talks_on_ends_with_the_time_of_a_step)
{
    size_t len = (size_t)48 << 20;
    char *talk = malloc(len);
    expect_true(talk != NULL);
    memset(talk, 'x', len);
    struct smtp_dialogue_variable variable = {"TALK", {talk, len}};
    struct pair pair = {.server_text = "S| ${TALK}\n",
                        .client_text = "S| ...END\n",
                        .client_options = {.step_timeout_ms = 500},
                        .server_options = {.variables = &variable, .variable_count = 1}};
    play_pair(&pair);
    expect_contains(pair.client.report, " came within 500 ms\n"); /* a part of it, or nothing yet */
    clear(&pair);
    free(talk);
}

TEST(dialogue, a_connection_that_ends_too_early_or_too_late_or_otherwise_is_told)
{
    expect_client_diverges("S: 220 a\n[S close]\n", "S: 220 a\nS: 221 b\n", 2,
                           "nothing came before the connection ended");
    expect_client_diverges("S: 220 a\nC: never\n", "S: 220 a\n[S close]\n", 2,
                           "the connection stays open: no end within 1000 ms");
    expect_client_diverges("S: 220 a\nS: 221 b\n[S close]\n", "S: 220 a\n[S close]\n", 2,
                           "octets came where the connection was to end");
    expect_client_diverges("S: 220 a\n[S close]\n", "S: 220 a\n[S reset]\n", 2,
                           "the connection ended in order, without a reset");
    expect_client_diverges("C: a\n[S reset]\n", "C: a\n[S half-close]\n", 2,
                           "the connection was reset");
}

/* ---- timing ---- */

TEST(dialogue, a_pause_is_made_by_one_end_and_seen_by_the_other)
{
    expect_held("S: 220 a\n[wait 200ms +-150ms]\nC: NOOP\n[wait 200ms +-150ms]\nS: 250 b\n"
                "[within 5s]\nC: QUIT\n[wait 200ms +-150ms]\n[S close]\n");
}

TEST(dialogue, what_comes_too_early_is_found)
{
    expect_client_diverges("C: a\nS: 250 b\n", "C: a\n[wait 150ms +-50ms]\nS: 250 b\n", 2,
                           "not 150 ms +-50 ms");
}

TEST(dialogue, what_comes_too_late_is_found)
{
    expect_client_diverges("C: a\n[wait 250ms]\nS: 250 b\n", "C: a\n[wait 1ms +-20ms]\nS: 250 b\n",
                           2, "not 1 ms +-20 ms");
    expect_client_diverges("C: a\n[wait 200ms]\nS: 250 b\n", "C: a\n[within 50ms]\nS: 250 b\n", 3,
                           "nothing came within 50 ms");
}

/* ---- what cannot be run ---- */

TEST(dialogue, a_name_nothing_is_known_of_is_complained_of_before_anything_is_sent)
{
    struct smtp_dialogue *dialogue = read_text("a.smtp", "S: 220 a\nC: ${who}\n");
    struct smtp_dialogue_result result;
    expect_int(smtp_dialogue_play_client(dialogue, "127.0.0.1:1", NULL, &result),
               SMTP_DIALOGUE_CANNOT_RUN);
    expect_str(result.report,
               "a.smtp:2: ${who} is sent, and nothing before tells what it is; set it "
               "(--set who=VALUE), or write ${who=VALUE}\n");
    smtp_dialogue_result_clear(&result);
    smtp_dialogue_free(dialogue);
}

TEST(dialogue, octets_without_an_end_are_complained_of)
{
    struct smtp_dialogue *dialogue = read_text("a.smtp", "S| 220 ...\nC: QUIT\n");
    struct smtp_dialogue_result result;
    expect_int(smtp_dialogue_play_client(dialogue, "127.0.0.1:1", NULL, &result),
               SMTP_DIALOGUE_CANNOT_RUN);
    expect_contains(result.report, "a.smtp:1: nothing tells where these octets end");
    smtp_dialogue_result_clear(&result);
    smtp_dialogue_free(dialogue);
}

TEST(dialogue, nobody_who_connects_is_waited_for_no_longer_than_said)
{
    struct smtp_address address;
    int listener = -1;
    expect_int(smtp_address_parse("127.0.0.1:0", 0, &address, NULL), SMTP_OK);
    expect_int(smtp_net_listen(&address, &listener, NULL), SMTP_OK);
    struct smtp_dialogue *dialogue = read_text("a.smtp", "S: 220 a\n");
    const struct smtp_dialogue_options options = {.accept_timeout_ms = 50};
    struct smtp_dialogue_result result;
    expect_int(smtp_dialogue_play_server(dialogue, listener, &options, &result),
               SMTP_DIALOGUE_CANNOT_RUN);
    expect_contains(result.report, "nobody connected within 50 ms");
    smtp_dialogue_result_clear(&result);
    smtp_dialogue_free(dialogue);
    close(listener);
}

/* ---- the transcript ---- */

TEST(dialogue, the_transcript_tells_what_was_said)
{
    struct pair pair = {.server_text = "S: 220 a\nC: DATA\nS: 354 go\nC: x\nC: .\nS: 250 ok\n"};
    play_pair(&pair);
    expect_int(pair.client.transcript_count, 1);
    char *text = smtp_harness_transcript_text(pair.client.transcripts[0]);
    expect_contains(text, "\nS: 220 a\nC: DATA\nS: 354 go\nC: x\nC: .\nS: 250 ok\n");
    free(text);
    clear(&pair);
}

TEST(dialogue, the_transcript_shows_no_secret)
{
    struct pair pair = {.server_text =
                            "S: 220 a\nC: AUTH PLAIN c2VjcmV0\nS: 334 YQ==\nC: c2VjcmV0\n"
                            "S: 334 Yg==\nC: *\nS: 501 no\nC: NOOP\nS: 250 ok\n"};
    play_pair(&pair);
    char *said = smtp_harness_transcript_text(pair.client.transcripts[0]);
    char *heard = smtp_harness_transcript_text(pair.server.transcripts[0]);
    static const char shown[] = "\nC: AUTH PLAIN ***\nS: 334 YQ==\nC: ***\nS: 334 Yg==\nC: *\n"
                                "S: 501 no\nC: NOOP\nS: 250 ok\n";
    expect_contains(said, shown);
    expect_contains(heard, shown);
    free(said);
    free(heard);
    clear(&pair);
}
