/* session_edges_test.c - what a driver of the client's core may ask at the edges: how long replies took, what would be wrong with
 * a message before it is sent, and calls out of place, which change nothing. */
#include "client/protocol/path.h"
#include "client/protocol/reply_reader.h"
#include "common/deadline.h"
#include "tests/support/test.h"
#include "tests/unit/client/flow.h"

static const struct smtp_client_content_facts facts = {
    .size_known = true, .size_bytes = 3, .bits = SMTP_CLIENT_SEVEN_BIT};

struct timed {
    unsigned count;
    enum smtp_client_stage stages[8];
    uint64_t elapsed_ns[8];
};

static void note(void *user, enum smtp_client_stage stage, uint64_t elapsed_ns)
{
    struct timed *timed = user;
    expect_true(timed->count < 8);
    timed->stages[timed->count] = stage;
    timed->elapsed_ns[timed->count++] = elapsed_ns;
}

static void answer(struct flow *flow, const char *reply, uint64_t after_ns)
{
    flow->now_ns += after_ns;
    flow_hear(flow, reply, strlen(reply), 0);
    (void)flow_write(flow, SIZE_MAX);
}

TEST(client_session_edges, each_reply_is_timed_from_when_its_command_went_out)
{
    static const struct flow_of of = {.offered = "", .count = 1};
    static const enum smtp_client_stage stages[] = {SMTP_STAGE_MAIL, SMTP_STAGE_RCPT,
                                                    SMTP_STAGE_DATA, SMTP_STAGE_DOT};
    struct flow flow;
    struct timed timed = {0};
    flow_open(&flow, &of, "timed");
    smtp_client_session_time(flow.session, note, &timed);
    (void)flow_write(&flow, SIZE_MAX);
    answer(&flow, "250 x\r\n", 5);
    answer(&flow, "250 x\r\n", 7);
    answer(&flow, "354 x\r\n", 11);
    answer(&flow, "250 x\r\n", 13);
    expect_int(timed.count, 4);
    for (unsigned i = 0; i < 4; i++) {
        static const uint64_t elapsed_ns[] = {5, 7, 11, 13};
        expect_int(timed.stages[i], stages[i]);
        expect_int(timed.elapsed_ns[i], elapsed_ns[i]);
    }
    expect_str(flow.results, "OK 250@final dot\n");
    flow_close(&flow);
}

TEST(client_session_edges, a_message_can_be_checked_without_being_sent)
{
    static const struct flow_of of = {.offered = "SIZE 100\n", .by_steps = true};
    static const char *const good[] = {"b@x"}, *const bad[] = {"b@x", "b\r\nc@x"};
    static const char *const missing[] = {"b@x", NULL};
    struct flow flow;
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    flow_open(&flow, &of, "checked");
    struct smtp_envelope envelope = {
        .reverse_path = "a@x", .forward_paths = good, .forward_path_count = 1};
    expect_int(smtp_client_session_check_send(flow.session, &envelope, &facts), SMTP_OK);
    struct smtp_client_content_facts large = facts;
    large.size_bytes = 101;
    expect_true(smtp_client_session_check_send(flow.session, &envelope, &large) != SMTP_OK);
    envelope.forward_paths = bad;
    envelope.forward_path_count = 2;
    expect_int(smtp_client_session_check_send(flow.session, &envelope, &facts),
               SMTP_UNSAFE_ARGUMENT);
    envelope.forward_paths = missing;
    expect_int(smtp_client_session_check_send(flow.session, &envelope, &facts), SMTP_BAD_ARGUMENT);
    envelope.forward_paths = NULL;
    expect_int(smtp_client_session_check_send(flow.session, &envelope, &facts), SMTP_BAD_ARGUMENT);
    expect_int(smtp_client_session_pending(flow.session, parts), 0);
    expect_true(smtp_client_session_may_begin(flow.session));
    flow_close(&flow);
    smtp_client_session_free(NULL);
}

TEST(client_session_edges, content_that_nobody_wants_is_refused_and_goes_nowhere)
{
    static const struct flow_of of = {.offered = "", .by_steps = true};
    struct flow flow;
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    flow_open(&flow, &of, "unwanted");
    expect_true(!smtp_client_session_takes_content(flow.session));
    expect_int(smtp_client_session_content(flow.session, "x", 1, flow.now_ns), SMTP_BAD_STATE);
    expect_int(smtp_client_session_content_end(flow.session, flow.now_ns), SMTP_BAD_STATE);
    smtp_client_session_content_whole(flow.session, SMTP_SPAN("x"), flow.now_ns);
    expect_int(smtp_client_session_pending(flow.session, parts), 0);
    expect_true(!smtp_client_session_ended(flow.session));
    flow_close(&flow);
}

TEST(client_session_edges, a_long_line_that_shows_on_the_way_ends_the_session_rfc5322_2_1_1)
{
    static const struct flow_of of = {.offered = "", .count = 1, .block = 1};
    static char line[SMTP_CLIENT_BLOCK_MAX];
    struct flow flow;
    flow_open(&flow, &of, "long line");
    flow.options.long_lines = false;
    (void)flow_write(&flow, SIZE_MAX);
    answer(&flow, "250 x\r\n", 1);
    answer(&flow, "250 x\r\n", 1);
    struct smtp_client_event event;
    size_t used = 0;
    smtp_client_session_receive(flow.session, "354 x\r\n", 7, &used, flow.now_ns);
    expect_true(smtp_client_session_next_event(flow.session, &event));
    expect_int(event.kind, SMTP_CLIENT_EVENT_CONTENT_WANTED);
    memset(line, 'x', sizeof line);
    expect_int(smtp_client_session_content(flow.session, line, 1200, flow.now_ns),
               SMTP_BAD_ARGUMENT);
    expect_true(smtp_client_session_ended(flow.session));
    flow_close(&flow);
}

TEST(client_session_edges, a_reader_has_an_empty_reply_before_one_is_complete)
{
    struct smtp_client_reply_reader reader;
    struct smtp_error error = {0};
    size_t used = 0;
    smtp_client_reply_reader_init(&reader);
    expect_int(smtp_client_reply_reader_feed(&reader, "250-x", 5, &used, &error), SMTP_OK);
    struct smtp_reply reply = smtp_client_reply_reader_reply(&reader);
    expect_int(reply.code, 0);
    expect_str(reply.text, "");
    smtp_client_reply_reader_clear(&reader);
}

TEST(client_session_edges, paths_that_are_none_are_refused_with_the_part_that_is_wrong)
{
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"@x.test", "@"},
        {"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"@x.test",
         "64 octets"},
        {"a@[IPv6:zz::1]", "a@"},
        {"a@[x\\]", "a@"},
        {"a@[tag:]", "a@"},
        {"a@[tag:a b]", "a@"},
        {"a@", "a@"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smtp_buffer out = SMTP_BUFFER(1000);
        struct smtp_error error = {0};
        expect_int(smtp_client_path_append(&out, rows[i].text, true, false, &error),
                   SMTP_BAD_ARGUMENT);
        expect_contains(error.message, rows[i].part);
        smtp_buffer_free(&out);
    }
    expect_true(smtp_client_domain_valid(SMTP_SPAN("[tag:text]")));
    expect_true(!smtp_client_domain_valid(SMTP_SPAN("[IPv6:1:2:3:g::]")));
}
