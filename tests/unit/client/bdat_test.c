/* bdat_test.c - content by BDAT (RFC 3030), against the client's core without a socket: dialogues whole
 * and octet by octet, chunks of any size, a refusal and the end of the connection at every place. */
#include "tests/support/test.h"
#include "tests/unit/client/flow.h"

#include <stdio.h>

#define MAIL "C: MAIL FROM:<ann@x>\n"
#define RCPT "C: RCPT TO:<b@x>\n"
#define CONTENT "C: Subject: x\nC: \nC: .a\n"
#define PIPED "PIPELINING\nCHUNKING\n"

static const struct flow_dialogue dialogues[] = {
    /* rfc3030/2/bdat-exact-count */
    {"one chunk in the group of its envelope",
     {.offered = PIPED},
     MAIL RCPT "C: BDAT 18 LAST\n" CONTENT "S: 250 ok\nS: 250 ok\nS: 250 taken\n",
     "OK 250@final dot\n",
     false},
    {"lock-step where PIPELINING is not offered",
     {.offered = "CHUNKING\n"},
     MAIL "S: 250 ok\n" RCPT "S: 250 ok\nC: BDAT 18 LAST\n" CONTENT "S: 250 taken\n",
     "OK 250@final dot\n",
     false},
    {"content of unknown size in one chunk, where it all came at once",
     {.offered = PIPED, .size_unknown = true},
     MAIL RCPT "C: BDAT 18 LAST\n" CONTENT "S: 250 ok\nS: 250 ok\nS: 250 taken\n",
     "OK 250@final dot\n",
     false},
    {"BODY and SIZE are said as with DATA",
     {.offered = PIPED "8BITMIME\nSIZE\n", .messages = {{.content = "\xC3\xB6\n"}}},
     "C: MAIL FROM:<ann@x> SIZE=4 BODY=8BITMIME\n" RCPT
     "C: BDAT 4 LAST\nC: \xC3\xB6\nS: 250 ok\nS: 250 ok\nS: 250 taken\n",
     "OK 250@final dot\n",
     false},
    {"no content at all is a last chunk of 0 octets",
     {.offered = PIPED, .messages = {{.content = ""}}},
     MAIL RCPT "C: BDAT 0 LAST\nS: 250 ok\nS: 250 ok\nS: 250 taken\n",
     "OK 250@final dot\n",
     false},
    {"the same of unknown size",
     {.offered = PIPED, .size_unknown = true, .messages = {{.content = ""}}},
     MAIL RCPT "C: BDAT 0 LAST\nS: 250 ok\nS: 250 ok\nS: 250 taken\n",
     "OK 250@final dot\n",
     false},
    /* rfc3030/2/bdat-only-if-offered */
    {"DATA where CHUNKING is not offered",
     {.offered = "PIPELINING\n"},
     MAIL RCPT "C: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: Subject: x\nC: \nC: ..a\nC: .\n"
               "S: 250 taken\n",
     "OK 250@final dot\n",
     false},
    {"DATA where the caller does not want chunks",
     {.offered = PIPED, .no_chunking = true},
     MAIL RCPT "C: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: Subject: x\nC: \nC: ..a\nC: .\n"
               "S: 250 taken\n",
     "OK 250@final dot\n",
     false},
    /* rfc3030/3/binary-only-with-binarymime */
    {"BINARYMIME goes octet for octet, whatever the caller thinks of chunks",
     {.offered = PIPED "BINARYMIME\n",
      .no_chunking = true,
      .body = SMTP_BODY_BINARYMIME,
      .messages = {{.content = "a\rb\rc\r\n"}}},
     "C: MAIL FROM:<ann@x> BODY=BINARYMIME\n" RCPT
     "C: BDAT 7 LAST\nC: a\rb\rc\nS: 250 ok\nS: 250 ok\nS: 250 taken\n",
     "OK 250@final dot\n",
     false},
    /* chunks */
    {"the first chunk goes with the envelope, the others when somebody may have them",
     {.offered = PIPED, .chunk_octets = 12},
     MAIL RCPT "C: BDAT 12\nC: Subject: x\nS: 250 ok\nS: 250 ok\nC: BDAT 6 LAST\nC: \nC: .a\n"
               "S: 250 12 octets\nS: 250 taken\n",
     "OK 250@final dot\n",
     false},
    {"each chunk is waited for in lock-step",
     {.offered = "CHUNKING\n", .chunk_octets = 12},
     MAIL "S: 250 ok\n" RCPT "S: 250 ok\nC: BDAT 12\nC: Subject: x\nS: 250 ok\nC: BDAT 6 LAST\n"
          "C: \nC: .a\nS: 250 taken\n",
     "OK 250@final dot\n",
     false},
    {"a stream whose end shows late ends with what was held back",
     {.offered = PIPED, .size_unknown = true, .block = 11},
     MAIL RCPT "C: BDAT 12\nC: Subject: x\nS: 250 ok\nS: 250 ok\nC: BDAT 6 LAST\nC: \nC: .a\n"
               "S: 250 ok\nS: 250 taken\n",
     "OK 250@final dot\n",
     false},
    /* refusals; rfc3030/2/bdat-stop-after-error */
    {"every recipient refused, the only chunk on its way",
     {.offered = PIPED, .messages = {{.recipients = "b@x c@x"}}},
     MAIL RCPT "C: RCPT TO:<c@x>\nC: BDAT 18 LAST\n" CONTENT
               "S: 250 ok\nS: 550 no\nS: 450 no\nS: 503 no\nC: RSET\nS: 250 ok\n",
     "REFUSED_TRANSIENT 550@RCPT 450@RCPT\n",
     false},
    {"every recipient refused: no further chunk",
     {.offered = PIPED, .chunk_octets = 12},
     MAIL RCPT "C: BDAT 12\nC: Subject: x\nS: 250 ok\nS: 550 no\nS: 503 no\nC: RSET\nS: 250 ok\n",
     "REFUSED_PERMANENT 550@RCPT\n",
     false},
    {"every recipient refused in lock-step: no chunk",
     {.offered = "CHUNKING\n"},
     MAIL "S: 250 ok\n" RCPT "S: 550 no\nC: RSET\nS: 250 ok\n",
     "REFUSED_PERMANENT 550@RCPT\n",
     false},
    {"MAIL refused with all of it on its way",
     {.offered = PIPED},
     MAIL RCPT "C: BDAT 18 LAST\n" CONTENT "S: 451 no\nS: 503 no\nS: 503 no\nC: RSET\nS: 250 ok\n",
     "REFUSED_TRANSIENT 451@MAIL\n",
     false},
    {"one recipient refused",
     {.offered = PIPED, .messages = {{.recipients = "b@x c@x"}}},
     MAIL RCPT "C: RCPT TO:<c@x>\nC: BDAT 18 LAST\n" CONTENT
               "S: 250 ok\nS: 550 no\nS: 250 ok\nS: 250 taken\n",
     "PARTLY_REFUSED 550@RCPT 250@final dot\n",
     false},
    {"a chunk refused for now: none follows",
     {.offered = "CHUNKING\n", .chunk_octets = 12},
     MAIL "S: 250 ok\n" RCPT "S: 250 ok\nC: BDAT 12\nC: Subject: x\nS: 452 full\nC: RSET\n"
          "S: 250 ok\n",
     "REFUSED_TRANSIENT 452@content\n",
     false},
    {"a chunk refused for good",
     {.offered = "CHUNKING\n", .chunk_octets = 12},
     MAIL "S: 250 ok\n" RCPT "S: 250 ok\nC: BDAT 12\nC: Subject: x\nS: 552 full\nC: RSET\n"
          "S: 250 ok\n",
     "REFUSED_PERMANENT 552@content\n",
     false},
    {"a chunk refused, the last one on its way already",
     {.offered = PIPED, .chunk_octets = 12},
     MAIL RCPT "C: BDAT 12\nC: Subject: x\nS: 250 ok\nS: 250 ok\nC: BDAT 6 LAST\nC: \nC: .a\n"
               "S: 552 full\nS: 503 no\nC: RSET\nS: 250 ok\n",
     "REFUSED_PERMANENT 552@content\n",
     false},
    {"the last chunk refused: the state is indeterminate, RSET",
     {.offered = PIPED},
     MAIL RCPT "C: BDAT 18 LAST\n" CONTENT
               "S: 250 ok\nS: 250 ok\nS: 554 spam\nC: RSET\nS: 250 ok\n",
     "REFUSED_PERMANENT 554@final dot\n",
     false},
    {"RSET refused ends the session",
     {.offered = PIPED},
     MAIL RCPT "C: BDAT 18 LAST\n" CONTENT
               "S: 250 ok\nS: 250 ok\nS: 554 spam\nC: RSET\nS: 500 no\n",
     "REFUSED_PERMANENT 554@final dot\n",
     true},
    /* RFC 3207 4: before TLS, where it is required, every command is answered so */
    {"530 to all, and to RSET, leaves the session",
     {.offered = PIPED},
     MAIL RCPT "C: BDAT 18 LAST\n" CONTENT "S: 530 no\nS: 530 no\nS: 530 no\nC: RSET\nS: 530 no\n",
     "REFUSED_PERMANENT 530@MAIL\n",
     false},
    /* RFC 5321 4.3.2 */
    {"354 to a chunk is no acceptance",
     {.offered = "CHUNKING\n", .chunk_octets = 12},
     MAIL "S: 250 ok\n" RCPT
          "S: 250 ok\nC: BDAT 12\nC: Subject: x\nS: 354 go\nC: RSET\nS: 250 ok\n",
     "PROTOCOL_VIOLATION 354@content\n",
     false},
    {"354 to the last chunk: unknown",
     {.offered = PIPED},
     MAIL RCPT "C: BDAT 18 LAST\n" CONTENT "S: 250 ok\nS: 250 ok\nS: 354 go\n",
     "DELIVERY_UNKNOWN 0@final dot\n",
     true},
    /* the end */
    {"421 to a chunk",
     {.offered = "CHUNKING\n", .chunk_octets = 12},
     MAIL "S: 250 ok\n" RCPT "S: 250 ok\nC: BDAT 12\nC: Subject: x\nS: 421 bye\n",
     "REFUSED_TRANSIENT 421@content\n",
     true},
    {"421 to the last chunk",
     {.offered = PIPED},
     MAIL RCPT "C: BDAT 18 LAST\n" CONTENT "S: 250 ok\nS: 250 ok\nS: 421 bye\n",
     "REFUSED_TRANSIENT 421@final dot\n",
     true},
    {"421 to RCPT, the chunk behind it",
     {.offered = PIPED},
     MAIL RCPT "C: BDAT 18 LAST\n" CONTENT "S: 250 ok\nS: 421 bye\n",
     "REFUSED_TRANSIENT 421@RCPT\n",
     true},
    {"lost before any reply, all of it sent: unknown",
     {.offered = PIPED},
     MAIL RCPT "C: BDAT 18 LAST\n" CONTENT "[close]\n",
     "DELIVERY_UNKNOWN 0@final dot\n",
     true},
    {"no answer to the last chunk: unknown",
     {.offered = PIPED},
     MAIL RCPT "C: BDAT 18 LAST\n" CONTENT "S: 250 ok\nS: 250 ok\n[timeout]\n",
     "DELIVERY_UNKNOWN 0@final dot\n",
     true},
    {"lost between two chunks",
     {.offered = PIPED, .chunk_octets = 12},
     MAIL RCPT "C: BDAT 12\nC: Subject: x\n[close]\n",
     "CLOSED 0@MAIL\n",
     true},
    {"lost, and nobody was to have it",
     {.offered = PIPED},
     MAIL RCPT "C: BDAT 18 LAST\n" CONTENT "S: 250 ok\nS: 550 no\n[close]\n",
     "REFUSED_PERMANENT 550@RCPT\n",
     true},
};

TEST(client_bdat, dialogues_go_as_written_under_any_split_of_the_replies)
{
    for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
        for (size_t piece = 0; piece < 40; piece++) {
            flow_compare(&dialogues[i], &dialogues[i].of, piece);
        }
    }
}

/* What is known beforehand goes out in the same chunks, however it is given. */
TEST(client_bdat, dialogues_go_as_written_under_any_split_of_the_content)
{
    for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
        struct flow_of of = dialogues[i].of;
        for (of.block = 1; of.block < 20 && !of.size_unknown; of.block++) {
            flow_compare(&dialogues[i], &of, 0);
        }
    }
}

/* ---- chunks of any size ---- */

/* The command line at `at`, without its CRLF; where the next begins. */
static size_t read_line(struct smtp_span said, size_t at, char line[80])
{
    const char *lf = memchr(said.bytes + at, '\n', said.len - at);
    expect_true(lf != NULL);
    size_t len = (size_t)(lf - said.bytes) - at;
    snprintf(line, 80, "%.*s", (int)len - 1, said.bytes + at);
    return at + len + 1;
}

/* Reads what the client said as a server would; the content of all chunks. */
static size_t read_chunks(struct flow *flow, char *content, size_t *chunks)
{
    struct smtp_span said = smtp_buffer_span(&flow->said);
    size_t len = 0, at = 0;
    bool last = false;
    *chunks = 0;
    while (at < said.len) {
        char line[80];
        at = read_line(said, at, line);
        unsigned long octets = 0;
        if (sscanf(line, "BDAT %lu", &octets) == 1) {
            expect_true(!last && at + octets <= said.len);
            expect_true(octets <= flow->options.chunk_octets);
            memcpy(content + len, said.bytes + at, octets);
            len += octets;
            at += octets;
            (*chunks)++;
            last = strstr(line, " LAST") != NULL;
        } else {
            expect_true(strncmp(line, "MAIL ", 5) == 0 || strncmp(line, "RCPT ", 5) == 0);
        }
    }
    expect_true(last);
    return len;
}

/* A server that says 250 to every command and chunk. */
static void accept_all(struct flow *flow)
{
    size_t answered = 0, replies = 0;
    while (flow->results[0] == '\0') {
        (void)flow_write(flow, SIZE_MAX);
        struct smtp_span said = smtp_buffer_span(&flow->said);
        while (answered < said.len) {
            char line[80];
            unsigned long octets = 0;
            answered = read_line(said, answered, line);
            (void)sscanf(line, "BDAT %lu", &octets);
            answered += octets;
            replies++;
        }
        expect_true(replies > 0);
        for (; replies > 0; replies--) {
            flow_hear(flow, "250 x\r\n", 7, 0);
        }
    }
    expect_str(flow->results, "OK 250@final dot\n");
}

static void expect_content(struct flow_of of, const char *content)
{
    char came[400];
    struct flow flow;
    size_t chunks;
    flow_open(&flow, &of, "any chunk");
    accept_all(&flow);
    size_t len = read_chunks(&flow, came, &chunks);
    expect_bytes(came, len, content, strlen(content));
    flow_close(&flow);
}

/* rfc3030/2/bdat-exact-count: no dot is doubled, line ends are repaired as with DATA */
TEST(client_bdat, content_arrives_whole_with_chunks_and_blocks_of_any_size_rfc3030_2)
{
    static const struct {
        const char *given, *sent;
    } rows[] = {{".\n..\n.a\r\n", ".\r\n..\r\n.a\r\n"},
                {"a\rb\nc\r\r\n\n", "a\r\nb\r\nc\r\n\r\n\r\n"},
                {"no end", "no end\r\n"},
                {"x\r\n.\r\ny\r\n", "x\r\n.\r\ny\r\n"},
                {"a\r", "a\r\n"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned variant = 0; variant < 8; variant++) {
            struct flow_of of = {.offered = variant & 1 ? PIPED : "CHUNKING\n",
                                 .size_unknown = (variant & 2) != 0,
                                 .in_one_piece = (variant & 4) != 0,
                                 .messages = {{.content = rows[i].given}}};
            for (of.chunk_octets = 1; of.chunk_octets < 20; of.chunk_octets++) {
                for (of.block = 1; of.block < 20; of.block++) {
                    expect_content(of, rows[i].sent);
                }
            }
        }
    }
}

/* A large message that nobody may have does not cross the wire. */
TEST(client_bdat, at_most_64_kib_go_out_before_rcpt_is_answered)
{
    static char large[300001];
    memset(large, 'x', sizeof(large) - 1);
    for (size_t i = 78; i + 2 < sizeof(large); i += 80) {
        memcpy(large + i, "\r\n", 2);
    }
    memcpy(large + sizeof(large) - 3, "\r\n", 2);
    for (unsigned variant = 0; variant < 4; variant++) {
        struct flow_of of = {.offered = PIPED,
                             .size_unknown = (variant & 1) != 0,
                             .in_one_piece = (variant & 2) != 0,
                             .messages = {{.content = large}}};
        struct flow flow;
        flow_open(&flow, &of, "a large message");
        (void)flow_write(&flow, SIZE_MAX);
        expect_true(flow.said.len > 65536 && flow.said.len < 65536 + 100);
        flow_hear(&flow, "250 x\r\n550 x\r\n503 x\r\n", 21, 0);
        size_t before = flow.said.len;
        (void)flow_write(&flow, SIZE_MAX);
        expect_bytes(smtp_buffer_span(&flow.said).bytes + before, flow.said.len - before,
                     "RSET\r\n", 6);
        flow_close(&flow);
        flow_open(&flow, &of, "a large message");
        accept_all(&flow);
        expect_true(flow.said.len > 300000);
        flow_close(&flow);
    }
}

/* Content in memory that needs no repair is written from where it lies. */
TEST(client_bdat, whole_content_is_not_copied_unless_it_is_small)
{
    static char large[10001];
    memset(large, '.', sizeof(large) - 1);
    memcpy(large + sizeof(large) - 3, "\r\n", 2);
    struct flow_of of = {.offered = PIPED, .in_one_piece = true, .messages = {{.content = large}}};
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    struct flow flow;
    flow_open(&flow, &of, "large");
    expect_int(smtp_client_session_pending(flow.session, parts), 2);
    expect_true(parts[1].bytes == large);
    expect_int(parts[1].len, 10000);
    expect_true(memcmp(parts[0].bytes + parts[0].len - 17, "BDAT 10000 LAST\r\n", 17) == 0);
    flow_close(&flow);
    of.messages[0].content = "small\r\n";
    flow_open(&flow, &of, "small");
    expect_int(smtp_client_session_pending(flow.session, parts), 1);
    flow_close(&flow);
}

/* ---- a refusal and an end at every place ---- */

/* RFC 1047: unknown only where the last octet may have been sent */
TEST(client_bdat, a_connection_lost_at_any_octet_is_unknown_behind_the_last_alone)
{
    struct flow_of of = {.offered = PIPED};
    for (size_t sent = 0;; sent++) {
        struct flow flow;
        flow_open(&flow, &of, "lost");
        size_t went = flow_write(&flow, sent);
        smtp_client_session_lost(flow.session);
        flow_go_on(&flow);
        struct smtp_span said = smtp_buffer_span(&flow.said);
        bool all = said.len > 4 && memcmp(said.bytes + said.len - 4, ".a\r\n", 4) == 0;
        expect_str(flow.results, all ? "DELIVERY_UNKNOWN 0@final dot\n" : "CLOSED 0@MAIL\n");
        flow_close(&flow);
        if (went < sent) {
            expect_true(all);
            return;
        }
    }
}

/* A chunk that was announced is filled though it is refused: the server counts. */
TEST(client_bdat, an_early_refusal_in_the_middle_of_a_chunk_ends_the_session)
{
    static const char reply[] = "250 x\r\n250 x\r\n552 x\r\n";
    struct flow_of of = {.offered = PIPED};
    for (size_t left = 1; left < 18; left++) {
        struct flow flow;
        flow_open(&flow, &of, "early");
        struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
        expect_int(smtp_client_session_pending(flow.session, parts), 1);
        (void)flow_write(&flow, parts[0].len - left);
        flow_hear(&flow, reply, strlen(reply), 0);
        expect_true(smtp_client_session_ended(flow.session));
        expect_str(flow.results, "REFUSED_PERMANENT 552@content\n");
        flow_close(&flow);
    }
}

/* The source may fail then, or be at its end: nobody cares. */
TEST(client_bdat, no_more_content_is_asked_for_when_the_message_is_refused)
{
    struct flow_of of = {.offered = "PIPELINING\nCHUNKING\n", .chunk_octets = 5, .block = 5};
    struct flow flow;
    flow_open(&flow, &of, "refused");
    (void)flow_write(&flow, SIZE_MAX);
    size_t given = flow.given;
    flow_hear(&flow, "550 no\r\n", 8, 0);
    expect_true(!smtp_client_session_takes_content(flow.session));
    expect_int(flow.given, given);
    flow.wanted = false;
    flow_hear(&flow, "503 no\r\n", 8, 0);
    expect_true(!flow.wanted);
    flow_hear(&flow, "503 later\r\n", 11, 0);
    (void)flow_write(&flow, SIZE_MAX);
    flow_hear(&flow, "250 reset\r\n", 11, 0);
    expect_int(smtp_client_session_result(flow.session)->final_reply.code, 550);
    flow_close(&flow);
}

/* A server that reads slowly: what waits for it is bounded. */
TEST(client_bdat, content_waits_while_much_is_not_written_yet)
{
    static char content[300001];
    struct flow_of of = {.offered = "CHUNKING\n", .messages = {{NULL, content}}};
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    struct flow flow;
    memset(content, 'x', sizeof(content) - 1);
    flow_open(&flow, &of, "slow");
    (void)flow_write(&flow, SIZE_MAX);
    flow_hear(&flow, "250 ok\r\n", 8, 0);
    (void)flow_write(&flow, SIZE_MAX);
    flow_hear(&flow, "250 ok\r\n", 8, 0);
    expect_int(smtp_client_session_pending(flow.session, parts), 1);
    expect_true(parts[0].len >= SMTP_CLIENT_BLOCK_MAX && parts[0].len < 2 * SMTP_CLIENT_BLOCK_MAX);
    (void)flow_write(&flow, SIZE_MAX);
    expect_int(flow.given, 300000);
    flow_close(&flow);
}

TEST(client_bdat, an_early_acceptance_is_a_violation)
{
    static const char reply[] = "250 x\r\n250 x\r\n250 x\r\n";
    struct flow_of of = {.offered = PIPED};
    struct flow flow;
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    flow_open(&flow, &of, "early");
    expect_int(smtp_client_session_pending(flow.session, parts), 1);
    (void)flow_write(&flow, parts[0].len - 1);
    flow_hear(&flow, reply, strlen(reply), 0);
    expect_true(smtp_client_session_ended(flow.session));
    expect_str(flow.results, "PROTOCOL_VIOLATION 0@content\n");
    flow_close(&flow);
}

/* Content that is not what was announced must not pass for the message. */
TEST(client_bdat, content_of_another_length_than_it_was_measured_ends_the_session)
{
    for (int more = 0; more < 2; more++) {
        struct smtp_client_content_facts facts = {.size_known = true, .size_bytes = 20};
        struct flow_of of = {.offered = PIPED};
        struct flow flow;
        struct smtp_client_event event;
        flow_open(&flow, &of, "length");
        (void)flow_write(&flow, SIZE_MAX);
        flow_hear(&flow, "250 x\r\n250 x\r\n250 x\r\n", 21, 0);
        expect_int(smtp_client_session_send(flow.session, &flow.messages[1].envelope, &facts, 1),
                   SMTP_OK);
        expect_true(smtp_client_session_next_event(flow.session, &event));
        enum smtp_status status =
            more ? smtp_client_session_content(flow.session, "0123456789012345678901\r\n", 24, 1)
                 : smtp_client_session_content(flow.session, "01234567890\r\n", 13, 1);
        if (!more) {
            expect_int(status, SMTP_OK);
            status = smtp_client_session_content_end(flow.session, 1);
        }
        expect_int(status, SMTP_SOURCE_FAILED);
        expect_true(smtp_client_session_ended(flow.session));
        expect_true(smtp_client_session_next_event(flow.session, &event));
        expect_int(event.status, SMTP_SOURCE_FAILED);
        flow_close(&flow);
    }
}
