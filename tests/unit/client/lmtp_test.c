/* lmtp_test.c - LMTP (RFC 2033) against the client's core without a socket: LHLO, and a reply to the content
 * for each recipient that was accepted, with DATA and with BDAT. */
#include "common/deadline.h"
#include "tests/support/test.h"
#include "tests/unit/client/flow.h"

#include <stdio.h>

#define MAIL "C: MAIL FROM:<ann@x>\n"
#define RCPTS "C: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nC: RCPT TO:<d@x>\n"
#define DATA "C: DATA\n"
#define BDAT "C: BDAT 18 LAST\nC: Subject: x\nC: \nC: .a\n"
#define CONTENT "C: Subject: x\nC: \nC: ..a\nC: .\n"
#define PIPED "PIPELINING\nCHUNKING\n"
#define THREE .lmtp = true, .messages = {{.recipients = "b@x c@x d@x"}}
#define OK4 "S: 250 ok\nS: 250 b\nS: 250 c\nS: 250 d\n"

static const struct flow_dialogue dialogues[] = {
    {"a reply each behind the dot",
     {.offered = "PIPELINING\n", THREE},
     MAIL RCPTS DATA OK4 "S: 354 go\n" CONTENT "S: 250 b\nS: 250-c\nS: 250 c\nS: 250 d\n",
     "OK 250@final dot 250@final dot 250@final dot\n",
     false},
    {"a reply each behind the last chunk",
     {.offered = PIPED, THREE},
     MAIL RCPTS OK4 BDAT "S: 250 b\nS: 250-c\nS: 250 c\nS: 250 d\n",
     "OK 250@final dot 250@final dot 250@final dot\n",
     false},
    {"a reply each in lock-step",
     {.offered = "CHUNKING\n", THREE},
     MAIL "S: 250 ok\nC: RCPT TO:<b@x>\nS: 250 b\nC: RCPT TO:<c@x>\nS: 250 c\nC: RCPT TO:<d@x>\n"
          "S: 250 d\n" BDAT "S: 250 b\nS: 250 c\nS: 250 d\n",
     "OK 250@final dot 250@final dot 250@final dot\n",
     false},
    /* rfc2033/4.2/lmtp-counts-accepted-only: "the second of three refused" */
    {"those that RCPT refused have none",
     {.offered = "PIPELINING\n", THREE},
     MAIL RCPTS DATA "S: 250 ok\nS: 250 b\nS: 550 c\nS: 250 d\nS: 354 go\n" CONTENT
                     "S: 250 b\nS: 452-full\nS: 452 later\n",
     "PARTLY_REFUSED 250@final dot 550@RCPT 452@final dot\n",
     false},
    {"the same behind the last chunk",
     {.offered = PIPED, THREE},
     MAIL RCPTS "S: 250 ok\nS: 550 b\nS: 250 c\nS: 250 d\n" BDAT "S: 554 c\nS: 250 d\n",
     "PARTLY_REFUSED 550@RCPT 554@final dot 250@final dot\n",
     false},
    {"each recipient's message refused for good",
     {.offered = "PIPELINING\n", THREE},
     MAIL RCPTS DATA OK4 "S: 354 go\n" CONTENT "S: 550 b\nS: 551 c\nS: 552 d\n",
     "REFUSED_PERMANENT 550@final dot 551@final dot 552@final dot\n",
     false},
    {"the same behind the last chunk: RSET (RFC 3030 2)",
     {.offered = PIPED, THREE},
     MAIL RCPTS OK4 BDAT "S: 550 b\nS: 551 c\nS: 552 d\nC: RSET\nS: 250 ok\n",
     "REFUSED_PERMANENT 550@final dot 551@final dot 552@final dot\n",
     false},
    {"one of them for now",
     {.offered = "PIPELINING\n", THREE},
     MAIL RCPTS DATA OK4 "S: 354 go\n" CONTENT "S: 550 b\nS: 452 c\nS: 552 d\n",
     "REFUSED_TRANSIENT 550@final dot 452@final dot 552@final dot\n",
     false},
    /* RFC 2033 4.2: DATA without a recipient is 503 */
    {"nobody accepted",
     {.offered = "PIPELINING\n", THREE},
     MAIL RCPTS DATA "S: 250 ok\nS: 550 b\nS: 550 c\nS: 550 d\nS: 503 no\nC: RSET\nS: 250 ok\n",
     "REFUSED_PERMANENT 550@RCPT 550@RCPT 550@RCPT\n",
     false},
    {"nobody accepted: no chunk goes",
     {.offered = PIPED, THREE},
     MAIL RCPTS "S: 250 ok\nS: 550 b\nS: 550 c\nS: 550 d\nC: RSET\nS: 250 ok\n",
     "REFUSED_PERMANENT 550@RCPT 550@RCPT 550@RCPT\n",
     false},
    {"the last one accepted: it goes",
     {.offered = PIPED, THREE},
     MAIL RCPTS "S: 250 ok\nS: 550 b\nS: 550 c\nS: 250 d\n" BDAT "S: 250 d\n",
     "PARTLY_REFUSED 550@RCPT 550@RCPT 250@final dot\n",
     false},
    {"MAIL refused and each RCPT with it",
     {.offered = PIPED, THREE},
     MAIL RCPTS "S: 452 no\nS: 503 b\nS: 503 c\nS: 503 d\nC: RSET\nS: 250 ok\n",
     "REFUSED_TRANSIENT 452@MAIL 452@MAIL 452@MAIL\n",
     false},
    {"DATA taken for nobody",
     {.offered = "PIPELINING\n", THREE},
     MAIL RCPTS DATA "S: 250 ok\nS: 550 b\nS: 550 c\nS: 550 d\nS: 354 go\n",
     "REFUSED_PERMANENT 550@RCPT 550@RCPT 550@RCPT\n",
     true},
    {"MAIL refused and each RCPT taken",
     {.offered = PIPED, THREE},
     MAIL RCPTS "S: 452 no\nS: 250 b\nS: 250 c\nS: 250 d\nC: RSET\nS: 250 ok\n",
     "REFUSED_TRANSIENT 452@MAIL 452@MAIL 452@MAIL\n",
     false},
    {"a chunk before the last is waited for, so that the number of replies is known",
     {.offered = PIPED, .chunk_octets = 12, THREE},
     MAIL RCPTS OK4 "C: BDAT 12\nC: Subject: x\nS: 250 12 octets\nC: BDAT 6 LAST\nC: \nC: .a\n"
                    "S: 250 b\nS: 250 c\nS: 452 d\n",
     "PARTLY_REFUSED 250@final dot 250@final dot 452@final dot\n",
     false},
    {"a chunk before the last refused",
     {.offered = PIPED, .chunk_octets = 12, THREE},
     MAIL RCPTS OK4 "C: BDAT 12\nC: Subject: x\nS: 452 full\nC: RSET\nS: 250 ok\n",
     "REFUSED_TRANSIENT 452@content 452@content 452@content\n",
     false},
    /* rfc2033/5/lmtp-partial-replies */
    {"lost after one of three replies: it counts",
     {.offered = "PIPELINING\n", THREE},
     MAIL RCPTS DATA OK4 "S: 354 go\n" CONTENT "S: 250 b\n[close]\n",
     "DELIVERY_UNKNOWN 250@final dot 0@final dot 0@final dot\n",
     true},
    {"lost before any reply",
     {.offered = PIPED, THREE},
     MAIL RCPTS OK4 BDAT "[close]\n",
     "DELIVERY_UNKNOWN 0@final dot 0@final dot 0@final dot\n",
     true},
    {"no answer for the third",
     {.offered = PIPED, THREE},
     MAIL RCPTS OK4 BDAT "S: 250 b\nS: 554 c\n[timeout]\n",
     "DELIVERY_UNKNOWN 250@final dot 554@final dot 0@final dot\n",
     true},
    {"421 for the second",
     {.offered = PIPED, THREE},
     MAIL RCPTS OK4 BDAT "S: 250 b\nS: 421 bye\n",
     "PARTLY_REFUSED 250@final dot 421@final dot 421@final dot\n",
     true},
};

TEST(client_lmtp, dialogues_go_as_written_under_any_split)
{
    for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
        for (size_t piece = 0; piece < 30; piece++) {
            flow_compare(&dialogues[i], &dialogues[i].of, piece);
        }
    }
}

TEST(client_lmtp, messages_behind_each_other_have_each_their_replies)
{
    struct flow_of of = {.offered = PIPED,
                         .lmtp = true,
                         .count = 2,
                         .messages = {{"b@x c@x", "1\n"}, {"d@x", "2\n"}}};
    struct flow flow;
    flow_open(&flow, &of, "two");
    flow_play(&flow,
              MAIL "C: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nS: 250 ok\nS: 250 b\n"
                   "C: BDAT 3 LAST\nC: 1\nC: RSET\n" MAIL "C: RCPT TO:<d@x>\n"
                   "S: 250 c\nS: 250 b\nS: 452 c\nS: 250 reset\nS: 250 ok\nS: 250 d\n"
                   "C: BDAT 3 LAST\nC: 2\nS: 250 d\n",
              0);
    expect_str(flow.results, "PARTLY_REFUSED 250@final dot 452@final dot\nOK 250@final dot\n");
    flow_close(&flow);
}

/* RFC 2033 4.3: for nobody the last chunk has no reply, but Dovecot's 503; so it does not go. */
TEST(client_lmtp, no_chunk_goes_before_somebody_is_accepted)
{
    struct flow_of of = {.offered = PIPED, .lmtp = true, .messages = {{"b@x c@x", "1\n"}}};
    for (size_t piece = 0; piece < 20; piece++) {
        struct flow flow;
        flow_open(&flow, &of, "held");
        flow_play(&flow, MAIL "C: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nS: 250 ok\nS: 550 b\n", piece);
        flow_play(&flow, "S: 250 c\nC: BDAT 3 LAST\nC: 1\nS: 250 c\n", piece);
        expect_str(flow.results, "PARTLY_REFUSED 550@RCPT 250@final dot\n");
        flow_close(&flow);
    }
}

/* The final reply is the first refusal, where there was one. */
TEST(client_lmtp, the_final_reply_is_that_of_the_first_refusal)
{
    struct flow_of of = {.offered = PIPED, THREE};
    struct flow flow;
    flow_open(&flow, &of, "final");
    flow_play(&flow, MAIL RCPTS OK4 BDAT "S: 250 b\nS: 452 full\nS: 554 d\n", 0);
    const struct smtp_send_result *result = smtp_client_session_result(flow.session);
    expect_int(result->final_reply.code, 452);
    expect_str(result->final_reply.text, "full");
    expect_str(result->recipients[2].reply.text, "d");
    expect_int(result->accepted_count, 1);
    flow_close(&flow);
}

/* A reply that nobody waits for is no answer to the next command. */
TEST(client_lmtp, a_reply_too_many_ends_the_session)
{
    struct flow_of of = {.offered = PIPED, THREE};
    struct flow flow;
    size_t used = 0;
    flow_open(&flow, &of, "too many");
    flow_play(&flow, MAIL RCPTS OK4 BDAT "S: 250 b\nS: 250 c\nS: 250 d\n", 0);
    smtp_client_session_receive(flow.session, "250 e\r\n", 7, &used, 1);
    expect_true(smtp_client_session_ended(flow.session));
    expect_int(smtp_client_session_error(flow.session)->status, SMTP_PROTOCOL_VIOLATION);
    flow_close(&flow);
}

/* RFC 2033 4.1 */
TEST(client_lmtp, helo_is_not_said)
{
    struct smtp_client_options options;
    struct smtp_client_event event;
    struct smtp_client_command helo = {
        .verb = "HELO ", .kind = SMTP_CLIENT_DOMAIN, .argument = "x"};
    size_t used;
    smtp_client_options_init(&options);
    struct smtp_client_session *session = smtp_client_session_new(&options);
    smtp_client_session_open_lmtp(session, 0, SMTP_NEVER);
    expect_str(smtp_client_session_hello_verb(session), "LHLO ");
    smtp_client_session_receive(session, "220 x\r\n", 7, &used, 0);
    expect_true(smtp_client_session_next_event(session, &event));
    expect_int(smtp_client_session_command(session, SMTP_STAGE_HELO, &helo, 0), SMTP_BAD_STATE);
    expect_contains(smtp_client_session_error(session)->message, "LMTP");
    smtp_client_session_free(session);
}
