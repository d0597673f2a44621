/* stream_test.c - several transactions in flight (RFC 2920 3.1, RFC 3030 4.2), against the client's core
 * without a socket: what goes out before which reply, whose reply is whose, and what becomes of each where
 * the session ends. */
#include "tests/support/test.h"
#include "tests/unit/client/flow.h"

#include <stdio.h>

#define MAIL "C: MAIL FROM:<ann@x>\n"
#define RCPT "C: RCPT TO:<b@x>\n"
#define PIPED "PIPELINING\nCHUNKING\n"
#define THREE .count = 3, .messages = {{NULL, "one\n"}, {NULL, "two\n"}, {NULL, "three\n"}}
#define TWO .count = 2, .messages = {{NULL, "one\n"}, {NULL, "two\n"}}
#define ONE_ALL MAIL RCPT "C: BDAT 5 LAST\nC: one\n"
#define TWO_ALL "C: RSET\n" MAIL RCPT "C: BDAT 5 LAST\nC: two\n"
#define THREE_ALL "C: RSET\n" MAIL RCPT "C: BDAT 7 LAST\nC: three\n"
#define DATA MAIL RCPT "C: DATA\n"
#define OK3 "S: 250 ok\nS: 250 ok\nS: 250 taken\n"
#define GO3 "S: 250 ok\nS: 250 ok\nS: 354 go\n"

static const struct flow_dialogue dialogues[] = {
    /* RFC 3030 4.2 */
    {"whole messages behind each other, RSET where the fate of the one before is not known",
     {.offered = PIPED, THREE},
     ONE_ALL TWO_ALL THREE_ALL OK3 "S: 250 reset\n" OK3 "S: 250 reset\n" OK3,
     "OK 250@final dot\nOK 250@final dot\nOK 250@final dot\n",
     false},
    {"one message at a time where PIPELINING is not offered, and no RSET",
     {.offered = "CHUNKING\n", TWO},
     MAIL "S: 250 ok\n" RCPT "S: 250 ok\nC: BDAT 5 LAST\nC: one\nS: 250 taken\n" MAIL
          "S: 250 ok\n" RCPT "S: 250 ok\nC: BDAT 5 LAST\nC: two\nS: 250 taken\n",
     "OK 250@final dot\nOK 250@final dot\n",
     false},
    {"one refused at RCPT: the RSET behind it was on its way, and no other is sent",
     {.offered = PIPED, THREE},
     ONE_ALL TWO_ALL THREE_ALL "S: 250 ok\nS: 550 no\nS: 503 no\nS: 250 reset\n" OK3
                               "S: 250 reset\n" OK3,
     "REFUSED_PERMANENT 550@RCPT\nOK 250@final dot\nOK 250@final dot\n",
     false},
    {"one refused at MAIL",
     {.offered = PIPED, TWO},
     ONE_ALL TWO_ALL "S: 451 no\nS: 503 no\nS: 503 no\nS: 250 reset\n" OK3,
     "REFUSED_TRANSIENT 451@MAIL\nOK 250@final dot\n",
     false},
    {"one refused at its last chunk",
     {.offered = PIPED, TWO},
     ONE_ALL TWO_ALL "S: 250 ok\nS: 250 ok\nS: 554 spam\nS: 250 reset\n" OK3,
     "REFUSED_PERMANENT 554@final dot\nOK 250@final dot\n",
     false},
    {"the last one refused has its own RSET",
     {.offered = PIPED, TWO},
     ONE_ALL TWO_ALL OK3 "S: 250 reset\nS: 250 ok\nS: 550 no\nS: 503 no\nC: RSET\nS: 250 ok\n",
     "OK 250@final dot\nREFUSED_PERMANENT 550@RCPT\n",
     false},
    {"RSET refused between two: the second was not to be",
     {.offered = PIPED, TWO},
     ONE_ALL TWO_ALL OK3 "S: 500 what\n",
     "OK 250@final dot\nDELIVERY_UNKNOWN 0@final dot\n",
     true},
    /* RFC 2920 3.1 */
    {"with DATA the next envelope goes out behind the final dot",
     {.offered = "PIPELINING\n", THREE},
     DATA GO3 "C: one\nC: .\n" DATA "S: 250 taken\n" GO3 "C: two\nC: .\n" DATA "S: 250 taken\n" GO3
              "C: three\nC: .\nS: 250 taken\n",
     "OK 250@final dot\nOK 250@final dot\nOK 250@final dot\n",
     false},
    {"a message refused after its dot needs no RSET",
     {.offered = "PIPELINING\n", TWO},
     DATA GO3 "C: one\nC: .\n" DATA "S: 554 spam\n" GO3 "C: two\nC: .\nS: 250 taken\n",
     "REFUSED_PERMANENT 554@final dot\nOK 250@final dot\n",
     false},
    {"DATA refused: the next envelope goes out behind RSET",
     {.offered = "PIPELINING\n", TWO},
     DATA "S: 250 ok\nS: 550 no\nS: 503 no\nC: RSET\n" DATA "S: 250 ok\n" GO3
          "C: two\nC: .\nS: 250 taken\n",
     "REFUSED_PERMANENT 550@RCPT\nOK 250@final dot\n",
     false},
    {"DATA taken for nobody: the next envelope goes out behind the lone dot",
     {.offered = "PIPELINING\n", TWO},
     DATA "S: 250 ok\nS: 550 no\nS: 354 go\nC: .\n" DATA "S: 554 nobody\n" GO3
          "C: two\nC: .\nS: 250 taken\n",
     "REFUSED_PERMANENT 550@RCPT\nOK 250@final dot\n",
     false},
    {"an envelope refused while the content before is not answered",
     {.offered = "PIPELINING\n", TWO},
     DATA GO3 "C: one\nC: .\n" DATA "S: 250 taken\nS: 452 no\nS: 503 no\nS: 503 no\nC: RSET\n"
              "S: 250 ok\n",
     "OK 250@final dot\nREFUSED_TRANSIENT 452@MAIL\n",
     false},
    /* large ones */
    {"the chunks of one message end before the next begins",
     {.offered = PIPED,
      .chunk_octets = 5,
      .count = 2,
      .messages = {{NULL, "abc\nd\n"}, {NULL, "two\n"}}},
     MAIL RCPT "C: BDAT 5\nC: abc\nS: 250 ok\nS: 250 ok\nC: BDAT 3 LAST\nC: d\n" TWO_ALL
               "S: 250 ok\nS: 250 taken\nS: 250 reset\n" OK3,
     "OK 250@final dot\nOK 250@final dot\n",
     false},
    {"a chunk refused behind which the next message stands already",
     {.offered = PIPED,
      .chunk_octets = 5,
      .count = 2,
      .messages = {{NULL, "abc\nd\n"}, {NULL, "two\n"}}},
     MAIL RCPT "C: BDAT 5\nC: abc\nS: 250 ok\nS: 250 ok\nC: BDAT 3 LAST\nC: d\n" TWO_ALL
               "S: 552 full\nS: 503 no\nS: 250 reset\n" OK3,
     "REFUSED_PERMANENT 552@content\nOK 250@final dot\n",
     false},
    /* the end */
    {"421 to the first: the others were not looked at",
     {.offered = PIPED, THREE},
     ONE_ALL TWO_ALL THREE_ALL "S: 250 ok\nS: 250 ok\nS: 421 bye\n",
     "REFUSED_TRANSIENT 421@final dot\nCLOSED 0@MAIL\nCLOSED 0@MAIL\n",
     true},
    {"421 to the RSET before the second",
     {.offered = PIPED, TWO},
     ONE_ALL TWO_ALL OK3 "S: 421 bye\n",
     "OK 250@final dot\nREFUSED_TRANSIENT 421@MAIL\n",
     true},
    {"421 in the second",
     {.offered = PIPED, THREE},
     ONE_ALL TWO_ALL THREE_ALL OK3 "S: 250 reset\nS: 250 ok\nS: 421 bye\n",
     "OK 250@final dot\nREFUSED_TRANSIENT 421@RCPT\nCLOSED 0@MAIL\n",
     true},
    {"lost with all sent: unknown, but for what was refused",
     {.offered = PIPED, THREE},
     ONE_ALL TWO_ALL THREE_ALL "S: 250 ok\nS: 550 no\n[close]\n",
     "REFUSED_PERMANENT 550@RCPT\nDELIVERY_UNKNOWN 0@final dot\nDELIVERY_UNKNOWN 0@final dot\n",
     true},
    {"no answer: unknown for all that were sent",
     {.offered = PIPED, TWO},
     ONE_ALL TWO_ALL "[timeout]\n",
     "DELIVERY_UNKNOWN 0@final dot\nDELIVERY_UNKNOWN 0@final dot\n",
     true},
    {"with DATA lost behind the dot: the next was an envelope alone",
     {.offered = "PIPELINING\n", TWO},
     DATA GO3 "C: one\nC: .\n" DATA "[close]\n",
     "DELIVERY_UNKNOWN 0@final dot\nCLOSED 0@MAIL\n",
     true},
    {"no answer to the dot",
     {.offered = "PIPELINING\n", TWO},
     DATA GO3 "C: one\nC: .\n" DATA "[timeout]\n",
     "DELIVERY_UNKNOWN 0@final dot\nCLOSED 0@MAIL\n",
     true},
    {"words in place of a reply",
     {.offered = PIPED, TWO},
     ONE_ALL TWO_ALL OK3 "S: what\n",
     "OK 250@final dot\nDELIVERY_UNKNOWN 0@final dot\n",
     true},
};

TEST(client_stream, dialogues_go_as_written_under_any_split)
{
    for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
        for (size_t piece = 0; piece < 30; piece++) {
            struct flow_of of = dialogues[i].of;
            of.block = piece;
            of.in_one_piece = piece % 2 == 0;
            flow_compare(&dialogues[i], &of, piece);
        }
    }
}

/* Small messages behind each other are one write. */
TEST(client_stream, three_small_messages_are_one_part_to_write)
{
    struct flow_of of = {.offered = PIPED,
                         .in_one_piece = true,
                         .count = 3,
                         .messages = {{NULL, "1\r\n"}, {NULL, "2\r\n"}, {NULL, "3\r\n"}}};
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    struct flow flow;
    flow_open(&flow, &of, "one write");
    expect_int(flow.begun, 3);
    expect_int(smtp_client_session_pending(flow.session, parts), 1);
    flow_close(&flow);
}

/* Where each message's last octet stands in all that is said. */
static void find_ends(struct flow *flow, size_t ends[3])
{
    static const char *const last[] = {"one\r\n", "two\r\n", "three\r\n"};
    (void)flow_write(flow, SIZE_MAX);
    expect_int(smtp_buffer_append(&flow->said, "", 1), SMTP_OK);
    const char *said = smtp_buffer_span(&flow->said).bytes;
    for (size_t i = 0; i < 3; i++) {
        ends[i] = (size_t)(strstr(said, last[i]) - said) + strlen(last[i]);
    }
}

/* RFC 1047, RFC 5321 4.5.3.2.6: at every octet */
TEST(client_stream, a_connection_lost_anywhere_is_unknown_for_those_that_were_wholly_sent)
{
    struct flow_of of = {.offered = PIPED, THREE};
    struct flow flow;
    size_t ends[3];
    flow_open(&flow, &of, "ends");
    find_ends(&flow, ends);
    flow_close(&flow);
    for (size_t sent = 0; sent <= ends[2]; sent++) {
        char expected[200];
        size_t len = 0;
        flow_open(&flow, &of, "lost");
        expect_int(flow_write(&flow, sent), sent);
        smtp_client_session_lost(flow.session);
        flow_go_on(&flow);
        for (size_t i = 0; i < 3; i++) {
            len += (size_t)snprintf(expected + len, sizeof(expected) - len, "%s",
                                    sent >= ends[i] ? "DELIVERY_UNKNOWN 0@final dot\n"
                                                    : "CLOSED 0@MAIL\n");
        }
        expect_str(flow.results, expected);
        flow_close(&flow);
    }
}

/* The same at every octet of the replies. */
TEST(client_stream, a_connection_lost_in_the_replies_leaves_what_was_answered)
{
    static const char replies[] = "250 a\r\n250 b\r\n250 c\r\n250 r\r\n250 d\r\n550 e\r\n503 f\r\n"
                                  "250 r\r\n250 g\r\n250 h\r\n250 i\r\n";
    struct flow_of of = {.offered = PIPED, THREE};
    for (size_t heard = 0; heard < strlen(replies); heard++) {
        struct flow flow;
        flow_open(&flow, &of, "replies");
        (void)flow_write(&flow, SIZE_MAX);
        flow_hear(&flow, replies, heard, 0);
        smtp_client_session_lost(flow.session);
        flow_go_on(&flow);
        const char *second =
            heard >= 42 ? "REFUSED_PERMANENT 550@RCPT\n" : "DELIVERY_UNKNOWN 0@final dot\n";
        char expected[200];
        snprintf(expected, sizeof(expected), "%s%sDELIVERY_UNKNOWN 0@final dot\n",
                 heard >= 21 ? "OK 250@final dot\n" : "DELIVERY_UNKNOWN 0@final dot\n", second);
        expect_str(flow.results, expected);
        flow_close(&flow);
    }
}

/* ---- bounds ---- */

static struct smtp_client_session *begin_many(struct flow *flow, const struct flow_of *of,
                                              const char *content, size_t *begun)
{
    struct smtp_client_content_facts facts = {
        .size_known = true, .size_bytes = strlen(content), .needs_no_repair = true};
    struct smtp_client_event event;
    struct smtp_span all = smtp_span_of(content);
    flow_open(flow, of, "many");
    (void)flow_write(flow, SIZE_MAX);
    for (*begun = 1; smtp_client_session_may_begin(flow->session); (*begun)++) {
        expect_int(smtp_client_session_send(flow->session, &flow->messages[0].envelope, &facts, 1),
                   SMTP_OK);
        expect_true(smtp_client_session_next_event(flow->session, &event));
        expect_int(event.kind, SMTP_CLIENT_EVENT_CONTENT_WANTED);
        smtp_client_session_content_whole(flow->session, all, 1);
        expect_int(smtp_client_session_content_end(flow->session, 1), SMTP_OK);
        (void)flow_write(flow, SIZE_MAX);
    }
    return flow->session;
}

TEST(client_stream, at_most_64_messages_are_in_flight)
{
    struct flow_of of = {.offered = PIPED};
    struct smtp_client_content_facts facts = {0};
    struct flow flow;
    size_t begun;
    struct smtp_client_session *session = begin_many(&flow, &of, "x\r\n", &begun);
    expect_int(begun, SMTP_CLIENT_IN_FLIGHT_MAX);
    expect_int(smtp_client_session_send(session, &flow.messages[0].envelope, &facts, 1),
               SMTP_BAD_STATE);
    expect_int(smtp_client_session_mail_count(session), SMTP_CLIENT_IN_FLIGHT_MAX);
    flow_hear(&flow, "250 a\r\n250 b\r\n250 c\r\n", 21, 0);
    expect_true(smtp_client_session_may_begin(session));
    flow_close(&flow);
}

TEST(client_stream, at_most_some_hundred_kib_are_in_flight)
{
    static char large[50001];
    memset(large, 'x', sizeof(large) - 1);
    memcpy(large + sizeof(large) - 3, "\r\n", 2);
    struct flow_of of = {.offered = PIPED};
    struct flow flow;
    size_t begun;
    (void)begin_many(&flow, &of, large, &begun);
    expect_int(begun, 7);
    flow_close(&flow);
}

/* ---- what may not be ---- */

TEST(client_stream, no_single_command_goes_out_while_messages_are_in_flight)
{
    struct flow_of of = {.offered = PIPED, TWO};
    struct smtp_client_command noop = {.verb = "NOOP"};
    struct flow flow;
    flow_open(&flow, &of, "noop");
    (void)flow_write(&flow, SIZE_MAX);
    expect_int(smtp_client_session_command(flow.session, SMTP_STAGE_COMMAND, &noop, 1),
               SMTP_BAD_STATE);
    flow_close(&flow);
}

/* What cannot be sent leaves those in flight as they are. */
TEST(client_stream, a_bad_envelope_behind_others_disturbs_none_of_them)
{
    static const char *const bad[] = {"c@x>\r\nRSET"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = bad, .forward_path_count = 1};
    struct smtp_client_content_facts facts = {0};
    struct flow_of of = {.offered = PIPED};
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    struct flow flow;
    flow_open(&flow, &of, "bad");
    (void)flow_write(&flow, SIZE_MAX);
    expect_true(smtp_client_session_may_begin(flow.session));
    expect_int(smtp_client_session_send(flow.session, &envelope, &facts, 1), SMTP_UNSAFE_ARGUMENT);
    expect_int(smtp_client_session_pending(flow.session, parts), 0);
    flow_hear(&flow, "250 a\r\n250 b\r\n250 c\r\n", 21, 0);
    expect_str(flow.results, "OK 250@final dot\n");
    flow_close(&flow);
}

/* The source of the second fails: the first is on its way, and that is what is said of it. */
TEST(client_stream, a_source_that_fails_is_the_end_of_its_own_message)
{
    struct flow_of of = {.offered = PIPED};
    struct smtp_client_content_facts facts = {0};
    struct smtp_client_event event;
    struct flow flow;
    flow_open(&flow, &of, "source");
    (void)flow_write(&flow, SIZE_MAX);
    expect_int(smtp_client_session_send(flow.session, &flow.messages[1].envelope, &facts, 1),
               SMTP_OK);
    expect_true(smtp_client_session_next_event(flow.session, &event));
    smtp_client_session_abandon(flow.session, SMTP_SOURCE_FAILED, "the disk is gone");
    flow_go_on(&flow);
    expect_str(flow.results, "DELIVERY_UNKNOWN 0@final dot\nSOURCE_FAILED 0@content\n");
    flow_close(&flow);
}

/* Octets above 127 in the second, where the first may have been taken. */
TEST(client_stream, content_that_may_not_be_sent_is_the_end_of_its_own_message)
{
    struct flow_of of = {.offered = PIPED};
    struct smtp_client_content_facts facts = {.bits = SMTP_CLIENT_BITS_UNKNOWN};
    struct smtp_client_event event;
    struct flow flow;
    flow_open(&flow, &of, "8-bit");
    (void)flow_write(&flow, SIZE_MAX);
    expect_int(smtp_client_session_send(flow.session, &flow.messages[1].envelope, &facts, 1),
               SMTP_OK);
    expect_true(smtp_client_session_next_event(flow.session, &event));
    expect_int(smtp_client_session_content(flow.session, "\xE9", 1, 1), SMTP_DELIVERY_UNKNOWN);
    flow_go_on(&flow);
    expect_str(flow.results, "DELIVERY_UNKNOWN 0@final dot\nUNSUPPORTED 0@content\n");
    flow_close(&flow);
}

static void expect_error(struct flow *flow, enum smtp_status status)
{
    smtp_client_session_lost(flow->session);
    expect_int(smtp_client_session_error(flow->session)->status, status);
    flow_go_on(flow);
}

/* What was refused, or answered, is not unknown, though all of it was sent. */
TEST(client_stream, an_end_behind_refused_and_answered_messages_is_no_unknown_delivery)
{
    struct flow_of of = {.offered = PIPED, TWO};
    struct flow flow;
    size_t used = 0;
    flow_open(&flow, &of, "refused");
    (void)flow_write(&flow, strlen(ONE_ALL) - 3 * 4 + 2);
    flow_hear(&flow, "550 no\r\n", 8, 0);
    expect_error(&flow, SMTP_CLOSED);
    expect_str(flow.results, "REFUSED_PERMANENT 550@MAIL\nCLOSED 0@MAIL\n");
    flow_close(&flow);
    flow_open(&flow, &of, "answered, and not told yet");
    (void)flow_write(&flow, 60);
    smtp_client_session_receive(flow.session, "250 a\r\n250 b\r\n250 c\r\n", 21, &used, 1);
    expect_error(&flow, SMTP_CLOSED);
    expect_str(flow.results, "OK 250@final dot\nCLOSED 0@MAIL\n");
    flow_close(&flow);
}

/* A session that is idle has no deadline, however long ago the last reply came. */
TEST(client_stream, behind_the_last_reply_there_is_no_deadline)
{
    struct flow_of of = {.offered = PIPED};
    struct flow flow;
    flow_open(&flow, &of, "idle");
    (void)flow_write(&flow, SIZE_MAX);
    flow_hear(&flow, "250 a\r\n250 b\r\n250 c\r\n", 21, 0);
    expect_true(smtp_client_session_deadline_ns(flow.session) == UINT64_MAX);
    flow_close(&flow);
}
