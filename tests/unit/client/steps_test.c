/* steps_test.c - a transaction by single commands, against the client's core without a socket: BDAT chunk
 * by chunk (RFC 3030 2), LMTP's replies (RFC 2033 4.2), what LIMITS counts (RFC 9422 4), XCLIENT. */
#include "tests/support/test.h"
#include "tests/unit/client/flow.h"

#define CHUNKED "CHUNKING\nPIPELINING\n"

static void open_steps(struct flow *flow, const char *offered, bool lmtp)
{
    static struct flow_of of;
    of = (struct flow_of){.offered = offered, .lmtp = lmtp, .by_steps = true};
    flow_open(flow, &of, "steps");
}

static enum smtp_status try_command(struct flow *flow, enum smtp_client_stage stage,
                                    const char *verb)
{
    struct smtp_client_command command = {.verb = verb};
    if (stage == SMTP_STAGE_MAIL || stage == SMTP_STAGE_RCPT) {
        command.kind =
            stage == SMTP_STAGE_MAIL ? SMTP_CLIENT_REVERSE_PATH : SMTP_CLIENT_FORWARD_PATH;
        command.argument = "a@x";
    }
    return smtp_client_session_command(flow->session, stage, &command, flow->now_ns);
}

/* Says it and hears the reply; the result is "STATUS code@stage". */
static void expect_command(struct flow *flow, enum smtp_client_stage stage, const char *verb,
                           const char *reply, const char *result)
{
    flow->results[0] = '\0';
    expect_int(try_command(flow, stage, verb), SMTP_OK);
    (void)flow_write(flow, SIZE_MAX);
    flow_hear(flow, reply, strlen(reply), 0);
    expect_str(flow->results, result);
}

static void expect_chunk(struct flow *flow, const char *octets, bool last, const char *line,
                         const char *reply, const char *result)
{
    size_t before = flow->said.len;
    flow->results[0] = '\0';
    expect_int(smtp_client_session_bdat(flow->session, smtp_span_of(octets), last, flow->now_ns),
               SMTP_OK);
    (void)flow_write(flow, SIZE_MAX);
    expect_bytes(smtp_buffer_span(&flow->said).bytes + before, flow->said.len - before, line,
                 strlen(line));
    flow_hear(flow, reply, strlen(reply), 0);
    expect_str(flow->results, result);
}

static void begin(struct flow *flow, size_t recipients)
{
    expect_command(flow, SMTP_STAGE_MAIL, "MAIL FROM:", "250 x\r\n", "OK 250@MAIL\n");
    for (size_t i = 0; i < recipients; i++) {
        expect_command(flow, SMTP_STAGE_RCPT, "RCPT TO:", "250 x\r\n", "OK 250@RCPT\n");
    }
}

static void expect_no_chunk(struct flow *flow, enum smtp_status status)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    expect_int(smtp_client_session_bdat(flow->session, SMTP_SPAN("x"), true, flow->now_ns), status);
    expect_int(smtp_client_session_pending(flow->session, parts), 0);
}

static void expect_no_command(struct flow *flow, enum smtp_client_stage stage, const char *verb)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    expect_int(try_command(flow, stage, verb), SMTP_BAD_STATE);
    expect_int(smtp_client_session_pending(flow->session, parts), 0);
}

/* rfc3030/2/bdat-exact-count: octet for octet, an empty one and one of half a line too */
TEST(client_steps, chunks_go_octet_for_octet_rfc3030_2)
{
    struct flow flow;
    open_steps(&flow, CHUNKED, false);
    begin(&flow, 1);
    expect_chunk(&flow, ".a\nb\r", false, "BDAT 5\r\n.a\nb\r", "250 x\r\n", "OK 250@content\n");
    expect_chunk(&flow, "", false, "BDAT 0\r\n", "250 x\r\n", "OK 250@content\n");
    expect_chunk(&flow, "c", true, "BDAT 1 LAST\r\nc", "250 x\r\n", "OK 250@final dot\n");
    begin(&flow, 1);
    expect_chunk(&flow, "", true, "BDAT 0 LAST\r\n", "250 x\r\n", "OK 250@final dot\n");
    flow_close(&flow);
}

/* rfc3030/2/bdat-only-if-offered */
TEST(client_steps, no_chunk_where_chunking_is_not_offered_rfc3030_2)
{
    struct flow flow;
    open_steps(&flow, "PIPELINING\n", false);
    begin(&flow, 1);
    expect_no_chunk(&flow, SMTP_UNSUPPORTED);
    flow_close(&flow);
}

/* rfc3030/2/bdat-stop-after-error */
TEST(client_steps, after_a_refused_chunk_nothing_but_rset_and_quit_rfc3030_2)
{
    static const char *const replies[] = {"452 x\r\n", "552 x\r\n"};
    static const char *const results[] = {"REFUSED_TRANSIENT 452@content\n",
                                          "REFUSED_PERMANENT 552@final dot\n"};
    for (int last = 0; last < 2; last++) {
        struct flow flow;
        open_steps(&flow, CHUNKED, false);
        begin(&flow, 1);
        expect_chunk(&flow, "x", last == 1, last == 1 ? "BDAT 1 LAST\r\nx" : "BDAT 1\r\nx",
                     replies[last], results[last]);
        expect_no_chunk(&flow, SMTP_BAD_STATE);
        expect_no_command(&flow, SMTP_STAGE_DATA, "DATA");
        expect_no_command(&flow, SMTP_STAGE_MAIL, "MAIL FROM:");
        expect_no_command(&flow, SMTP_STAGE_COMMAND, "NOOP");
        expect_true(!smtp_client_session_may_begin(flow.session));
        expect_command(&flow, SMTP_STAGE_RSET, "RSET", "250 x\r\n", "OK 250@RSET\n");
        begin(&flow, 1);
        expect_chunk(&flow, "x", true, "BDAT 1 LAST\r\nx", "250 x\r\n", "OK 250@final dot\n");
        flow_close(&flow);
    }
}

TEST(client_steps, after_a_refused_chunk_quit_may_be_said)
{
    struct flow flow;
    open_steps(&flow, CHUNKED, false);
    begin(&flow, 1);
    expect_chunk(&flow, "x", false, "BDAT 1\r\nx", "552 x\r\n", "REFUSED_PERMANENT 552@content\n");
    expect_command(&flow, SMTP_STAGE_QUIT, "QUIT", "221 x\r\n", "OK 221@QUIT\n");
    smtp_client_session_open(flow.session, 1,
                             UINT64_MAX); /* the next connection knows nothing of it */
    flow_hear(&flow, "220 x\r\n", 7, 0);
    expect_true(smtp_client_session_may_begin(flow.session));
    flow_close(&flow);
}

TEST(client_steps, data_and_chunks_do_not_mix_rfc3030_2)
{
    struct flow flow;
    open_steps(&flow, CHUNKED, false);
    begin(&flow, 1);
    expect_chunk(&flow, "x", false, "BDAT 1\r\nx", "250 x\r\n", "OK 250@content\n");
    expect_no_command(&flow, SMTP_STAGE_DATA, "DATA");
    expect_command(&flow, SMTP_STAGE_RSET, "RSET", "250 x\r\n", "OK 250@RSET\n");
    begin(&flow, 1);
    expect_command(&flow, SMTP_STAGE_DATA, "DATA", "451 x\r\n", "REFUSED_TRANSIENT 451@DATA\n");
    expect_no_chunk(&flow, SMTP_BAD_STATE);
    expect_command(&flow, SMTP_STAGE_RSET, "RSET", "250 x\r\n", "OK 250@RSET\n");
    begin(&flow, 1);
    expect_chunk(&flow, "x", true, "BDAT 1 LAST\r\nx", "250 x\r\n", "OK 250@final dot\n");
    flow_close(&flow);
}

TEST(client_steps, the_last_chunk_without_an_answer_is_unknown)
{
    for (size_t left = 0; left < 2; left++) {
        struct flow flow;
        open_steps(&flow, CHUNKED, false);
        begin(&flow, 1);
        flow.results[0] = '\0';
        expect_int(smtp_client_session_bdat(flow.session, SMTP_SPAN("xy"), true, 1), SMTP_OK);
        (void)flow_write(&flow, strlen("BDAT 2 LAST\r\nxy") - left);
        smtp_client_session_lost(flow.session);
        flow_go_on(&flow);
        expect_str(flow.results,
                   left == 0 ? "DELIVERY_UNKNOWN 0@final dot\n" : "CLOSED 0@content\n");
        flow_close(&flow);
    }
}

/* ---- LMTP ---- */

static void send_data(struct flow *flow, const char *replies, const char *result)
{
    flow->results[0] = '\0';
    flow->given = 0;
    expect_int(try_command(flow, SMTP_STAGE_DATA, "DATA"), SMTP_OK);
    (void)flow_write(flow, SIZE_MAX);
    flow_hear(flow, "354 x\r\n", 7, 0);
    (void)flow_write(flow, SIZE_MAX);
    flow_hear(flow, replies, strlen(replies), 0);
    expect_str(flow->results, result);
}

static void expect_recipients(struct flow *flow, const char *const *texts, size_t count)
{
    const struct smtp_send_result *result = smtp_client_session_result(flow->session);
    expect_int(result->recipient_count, count);
    for (size_t i = 0; i < count; i++) {
        expect_str(result->recipients[i].reply.text, texts[i]);
    }
}

/* rfc2033/4.2/lmtp-counts-accepted-only */
TEST(client_steps, lmtp_reads_a_reply_for_each_accepted_recipient_and_tells_the_worst_rfc2033_4_2)
{
    struct flow flow;
    open_steps(&flow, CHUNKED, true);
    begin(&flow, 2);
    expect_command(&flow, SMTP_STAGE_RCPT, "RCPT TO:", "550 x\r\n", "REFUSED_PERMANENT 550@RCPT\n");
    send_data(&flow, "250 one\r\n250-two\r\n250 lines\r\n", "OK 250@final dot\n");
    expect_recipients(&flow, (const char *const[]){"one", "two\nlines"}, 2);
    begin(&flow, 3);
    send_data(&flow, "250 one\r\n452 two\r\n554 three\r\n", "PARTLY_REFUSED 452@final dot\n");
    expect_recipients(&flow, (const char *const[]){"one", "two", "three"}, 3);
    begin(&flow, 2);
    send_data(&flow, "554 one\r\n452 two\r\n", "REFUSED_TRANSIENT 554@final dot\n");
    begin(&flow, 2);
    send_data(&flow, "554 one\r\n552 two\r\n", "REFUSED_PERMANENT 554@final dot\n");
    flow_close(&flow);
}

TEST(client_steps, lmtp_reads_a_reply_for_each_recipient_behind_the_last_chunk)
{
    struct flow flow;
    open_steps(&flow, CHUNKED, true);
    begin(&flow, 2);
    expect_chunk(&flow, "x", false, "BDAT 1\r\nx", "250 x\r\n", "OK 250@content\n");
    expect_chunk(&flow, "y", true, "BDAT 1 LAST\r\ny", "250 one\r\n452 two\r\n",
                 "PARTLY_REFUSED 452@final dot\n");
    expect_recipients(&flow, (const char *const[]){"one", "two"}, 2);
    begin(&flow, 1);
    expect_chunk(&flow, "y", true, "BDAT 1 LAST\r\ny", "250 one\r\n", "OK 250@final dot\n");
    flow_close(&flow);
}

TEST(client_steps, lmtp_has_no_last_chunk_for_nobody_rfc2033_4_3)
{
    struct flow flow;
    open_steps(&flow, CHUNKED, true);
    begin(&flow, 0);
    expect_no_chunk(&flow, SMTP_BAD_STATE);
    flow_close(&flow);
}

/* rfc2033/5/lmtp-partial-replies */
TEST(client_steps, lmtp_replies_that_came_before_the_end_count_rfc2033_5)
{
    struct flow flow;
    open_steps(&flow, CHUNKED, true);
    begin(&flow, 3);
    send_data(&flow, "250 one\r\n", "");
    smtp_client_session_lost(flow.session);
    flow_go_on(&flow);
    expect_str(flow.results, "DELIVERY_UNKNOWN 0@final dot\n");
    expect_recipients(&flow, (const char *const[]){"one", "", ""}, 3);
    const struct smtp_send_result *result = smtp_client_session_result(flow.session);
    expect_int(result->recipients[0].status, SMTP_OK);
    expect_int(result->recipients[2].status, SMTP_DELIVERY_UNKNOWN);
    flow_close(&flow);
}

TEST(client_steps, lmtp_421_among_the_replies_is_of_those_that_had_none)
{
    struct flow flow;
    open_steps(&flow, CHUNKED, true);
    begin(&flow, 3);
    send_data(&flow, "250 one\r\n421 bye\r\n", "REFUSED_TRANSIENT 421@final dot\n");
    expect_recipients(&flow, (const char *const[]){"one", "bye", "bye"}, 3);
    const struct smtp_send_result *result = smtp_client_session_result(flow.session);
    expect_int(result->accepted_count, 1);
    expect_int(result->recipients[2].status, SMTP_REFUSED_TRANSIENT);
    flow_close(&flow);
}

/* ---- counts, XCLIENT ---- */

/* rfc9422/4.2/limits-respected: the refused count too */
TEST(client_steps, each_mail_is_counted_and_whether_its_transaction_is_open_rfc9422_4)
{
    struct flow flow;
    open_steps(&flow, CHUNKED, false);
    expect_true(!smtp_client_session_may_be_open(flow.session));
    begin(&flow, 1);
    expect_int(smtp_client_session_mail_count(flow.session), 1);
    expect_true(smtp_client_session_may_be_open(flow.session));
    expect_command(&flow, SMTP_STAGE_RSET, "RSET", "250 x\r\n", "OK 250@RSET\n");
    expect_command(&flow, SMTP_STAGE_MAIL, "MAIL FROM:", "550 x\r\n",
                   "REFUSED_PERMANENT 550@MAIL\n");
    expect_int(smtp_client_session_mail_count(flow.session), 2);
    expect_true(!smtp_client_session_may_be_open(flow.session));
    flow_close(&flow);
}

TEST(client_steps, behind_xclient_the_session_begins_again)
{
    struct flow flow;
    open_steps(&flow, CHUNKED "XCLIENT NAME\n", false);
    expect_command(&flow, SMTP_STAGE_XCLIENT, "XCLIENT NAME=x", "250 x\r\n",
                   "PROTOCOL_VIOLATION 250@XCLIENT\n");
    expect_true(smtp_client_session_greeted(flow.session));
    expect_command(&flow, SMTP_STAGE_XCLIENT, "XCLIENT NAME=x", "550 x\r\n",
                   "REFUSED_PERMANENT 550@XCLIENT\n");
    expect_true(smtp_client_session_greeted(flow.session));
    expect_command(&flow, SMTP_STAGE_XCLIENT, "XCLIENT NAME=x", "220 x\r\n", "OK 220@XCLIENT\n");
    expect_true(!smtp_client_session_greeted(flow.session));
    expect_true(!smtp_client_session_extensions(flow.session)->chunking);
    flow_close(&flow);
}
