/* results_test.c - what a transaction comes to where its replies are of several kinds: the status of
 * the whole, the final reply, and what the session says of its own end. */
#include "client/protocol/session.h"
#include "common/deadline.h"
#include "tests/support/test.h"

static const char *const two[] = {"bob@x", "cat@x"};
static const struct smtp_envelope to_two = {
    .reverse_path = "ann@x", .forward_paths = two, .forward_path_count = 2};

#define LOST "" /* in place of a reply: the connection ends */

struct play {
    struct smtp_client_options options;
    struct smtp_client_session *session;
    struct smtp_buffer said; /* all that the client sent since it was opened */
};

static void take_pending(struct play *play)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    int count;
    while ((count = smtp_client_session_pending(play->session, parts)) > 0) {
        expect_int(smtp_buffer_append(&play->said, parts[0].bytes, parts[0].len), SMTP_OK);
        smtp_client_session_sent(play->session, parts[0].len, 0);
    }
}

static void hear(struct play *play, const char *reply)
{
    size_t used = 0;
    smtp_client_session_receive(play->session, reply, strlen(reply), &used, 0);
}

static void command(struct play *play, enum smtp_client_stage stage, const char *verb,
                    const char *reply)
{
    struct smtp_client_event event;
    struct smtp_client_command line = {
        .verb = verb, .kind = SMTP_CLIENT_DOMAIN, .argument = "client.test"};
    expect_int(smtp_client_session_command(play->session, stage, &line, 0), SMTP_OK);
    take_pending(play);
    hear(play, reply);
    expect_true(smtp_client_session_next_event(play->session, &event));
}

static void open_play(struct play *play, bool pipelining, const char *ehlo_reply)
{
    struct smtp_client_event event;
    smtp_client_options_init(&play->options);
    play->options.pipelining = pipelining;
    play->said = SMTP_BUFFER(1 << 20);
    play->session = smtp_client_session_new(&play->options);
    expect_true(play->session != NULL);
    smtp_client_session_open(play->session, 0, SMTP_NEVER);
    hear(play, "220 x\r\n");
    expect_true(smtp_client_session_next_event(play->session, &event));
    command(play, SMTP_STAGE_EHLO, "EHLO ", ehlo_reply);
    smtp_buffer_clear(&play->said, 1 << 20);
}

/* Sends a message to two and answers each command with the next reply. */
static const struct smtp_send_result *send_to_two(struct play *play, const char *const *replies)
{
    struct smtp_client_content_facts facts = {0};
    struct smtp_client_event event;
    expect_int(smtp_client_session_send(play->session, &to_two, &facts, 0), SMTP_OK);
    for (;; replies++) {
        take_pending(play);
        if (strcmp(*replies, LOST) == 0) {
            smtp_client_session_lost(play->session);
        }
        hear(play, *replies);
        if (!smtp_client_session_next_event(play->session, &event)) {
            continue;
        }
        if (event.kind == SMTP_CLIENT_EVENT_TRANSACTION_DONE) {
            return smtp_client_session_result(play->session);
        }
        expect_int(event.kind, SMTP_CLIENT_EVENT_CONTENT_WANTED);
        expect_int(smtp_client_session_content_end(play->session, 0), SMTP_OK);
    }
}

static void close_play(struct play *play)
{
    smtp_client_session_free(play->session);
    smtp_buffer_free(&play->said);
}

TEST(client_results, the_final_reply_is_that_of_the_first_refusal_where_all_were_refused)
{
    struct play play;
    open_play(&play, true, "250 x\r\n");
    const struct smtp_send_result *result =
        send_to_two(&play, (const char *const[]){"250 x\r\n", "550 first\r\n", "551 second\r\n",
                                                 "250 reset\r\n"});
    expect_int(result->status, SMTP_REFUSED_PERMANENT);
    expect_int(result->final_reply.code, 550);
    expect_str(result->final_reply.text, "first");
    close_play(&play);
}

TEST(client_results, one_refused_for_now_makes_the_whole_worth_another_try_rfc5321_4_2_1)
{
    struct play play;
    open_play(&play, true, "250 x\r\n");
    const struct smtp_send_result *result = send_to_two(
        &play, (const char *const[]){"250 x\r\n", "354 what\r\n", "450 x\r\n", "250 x\r\n"});
    expect_int(result->recipients[0].status, SMTP_PROTOCOL_VIOLATION);
    expect_int(result->status, SMTP_REFUSED_TRANSIENT);
    close_play(&play);
}

TEST(client_results, a_lost_connection_is_told_though_a_recipient_was_refused_for_now)
{
    struct play play;
    open_play(&play, true, "250 x\r\n");
    const struct smtp_send_result *result =
        send_to_two(&play, (const char *const[]){"250 x\r\n", "450 x\r\n", LOST});
    expect_int(result->recipients[0].status, SMTP_REFUSED_TRANSIENT);
    expect_int(result->recipients[1].status, SMTP_CLOSED);
    expect_int(result->status, SMTP_CLOSED);
    close_play(&play);
}

/* RFC 2920 3.1: behind the lone dot there was no message whose delivery could be unknown. */
TEST(client_results, a_connection_lost_after_the_lone_dot_is_closed_and_no_more)
{
    struct play play;
    open_play(&play, true, "250-x\r\n250 PIPELINING\r\n");
    const struct smtp_send_result *result = send_to_two(
        &play, (const char *const[]){"250 x\r\n", "550 x\r\n", "550 x\r\n", "354 x\r\n", LOST});
    expect_int(result->status, SMTP_REFUSED_PERMANENT);
    expect_int(smtp_client_session_error(play.session)->status, SMTP_CLOSED);
    close_play(&play);
}

TEST(client_results, commands_go_one_by_one_where_the_caller_wants_no_pipelining_rfc2920_3_1)
{
    struct smtp_client_content_facts facts = {0};
    struct play play;
    open_play(&play, false, "250-x\r\n250 PIPELINING\r\n");
    expect_int(smtp_client_session_send(play.session, &to_two, &facts, 0), SMTP_OK);
    take_pending(&play);
    struct smtp_span said = smtp_buffer_span(&play.said);
    expect_bytes(said.bytes, said.len, "MAIL FROM:<ann@x>\r\n", 19);
    close_play(&play);
}

TEST(client_results, helo_forgets_what_ehlo_offered_rfc5321_4_1_1_1)
{
    struct play play;
    open_play(&play, true, "250-x\r\n250-PIPELINING\r\n250 SIZE 5\r\n");
    expect_true(smtp_client_extensions_find(smtp_client_session_extensions(play.session), "SIZE") !=
                NULL);
    command(&play, SMTP_STAGE_HELO, "HELO ", "250 x\r\n");
    expect_true(smtp_client_extensions_find(smtp_client_session_extensions(play.session), "SIZE") ==
                NULL);
    expect_true(!smtp_client_session_extensions(play.session)->pipelining);
    close_play(&play);
}

TEST(client_results, an_answer_to_half_a_command_is_a_violation_rfc5321_4_3_1)
{
    struct smtp_client_event event;
    struct smtp_client_command noop = {.verb = "NOOP"};
    struct play play;
    open_play(&play, true, "250 x\r\n");
    expect_int(smtp_client_session_command(play.session, SMTP_STAGE_COMMAND, &noop, 0), SMTP_OK);
    smtp_client_session_sent(play.session, 2, 0);
    hear(&play, "250 x\r\n");
    expect_true(smtp_client_session_next_event(play.session, &event));
    expect_int(event.status, SMTP_PROTOCOL_VIOLATION);
    expect_true(smtp_client_session_ended(play.session));
    close_play(&play);
}

static enum smtp_status send_with(const char *ehlo_reply, uint64_t size_bytes,
                                  const char *mail_parameters)
{
    struct smtp_envelope envelope = {.reverse_path = "ann@x",
                                     .forward_paths = two,
                                     .forward_path_count = 2,
                                     .mail_parameters = mail_parameters};
    struct smtp_client_content_facts facts = {.size_known = true, .size_bytes = size_bytes};
    struct play play;
    open_play(&play, true, ehlo_reply);
    enum smtp_status status = smtp_client_session_send(play.session, &envelope, &facts, 0);
    close_play(&play);
    return status;
}

TEST(client_results, a_message_of_the_size_that_is_offered_is_sent_rfc1870_4)
{
    expect_int(send_with("250-x\r\n250 SIZE 1000\r\n", 1000, NULL), SMTP_OK);
    expect_int(send_with("250-x\r\n250 SIZE 1000\r\n", 1001, NULL), SMTP_UNSUPPORTED);
    expect_int(send_with("250-x\r\n250 SIZE 0\r\n", 1001, NULL), SMTP_OK);
}

TEST(client_results, each_parameter_needs_its_extension_rfc5321_4_1_1_3)
{
    static const char *const of_dsn[] = {"RET=FULL", "ENVID=1", "NOTIFY=NEVER", "ORCPT=x;y"};
    for (size_t i = 0; i < sizeof(of_dsn) / sizeof(of_dsn[0]); i++) {
        expect_int(send_with("250 x\r\n", 1, of_dsn[i]), SMTP_UNSUPPORTED);
        expect_int(send_with("250-x\r\n250 DSN\r\n", 1, of_dsn[i]), SMTP_OK);
    }
    expect_int(send_with("250 x\r\n", 1, "AUTH=<>"), SMTP_UNSUPPORTED);
    expect_int(send_with("250-x\r\n250 AUTH PLAIN\r\n", 1, "AUTH=<>"), SMTP_OK);
    expect_int(send_with("250 x\r\n", 1, "X-OWN=1"), SMTP_OK);
}

TEST(client_results, a_new_connection_remembers_nothing)
{
    struct play play;
    open_play(&play, true, "250-x\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=1\r\n");
    expect_true(smtp_client_session_extensions(play.session)->pipelining);
    expect_int(smtp_client_session_extensions(play.session)->rcpt_max, 1);
    smtp_client_session_open(play.session, 0, SMTP_NEVER);
    expect_true(!smtp_client_session_extensions(play.session)->pipelining);
    expect_int(smtp_client_session_extensions(play.session)->rcpt_max, 0);
    expect_true(!smtp_client_session_greeted(play.session));
    close_play(&play);
}
