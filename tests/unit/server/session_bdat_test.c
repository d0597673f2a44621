/* session_bdat_test.c - BDAT (RFC 3030) against the core: chunks, what is refused of them, and that the
 * session stays in step whatever their octets look like. */
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <stdio.h>

#define ENVELOPE "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"

/* ---- what is taken ---- */

TEST(session, a_chunk_refused_outside_a_transaction_does_not_fail_those_of_the_next_rfc3030_2)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                "EHLO client.test\r\nBDAT 1 LAST\r\nx"
                "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nBDAT 3 LAST\r\no\r\n",
                "220 250 503/5.5.1 250/2.1.0 250/2.1.5 250/2.0.0", "o\r\n");
}

TEST(session, each_chunk_gets_its_250_rfc3030_2)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, CORE_OPENING "BDAT 3\r\nonebdat 2\r\ntwBDAT 3 last\r\no\r\nNOOP\r\n",
                CORE_OPENED "250/2.0.0 250/2.0.0 250/2.0.0 250/2.0.0", "onetwo\r\n");
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "BDAT 3\r\none");
    expect_contains(core_output(&core), "250 2.0.0 3 octets received\r\n");
    core_clear(&core);
}

TEST(session, chunks_may_be_empty_rfc3030_2)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, CORE_OPENING "BDAT 0\r\nBDAT 3\r\na\r\nBDAT 0\r\nBDAT 0 LAST\r\nRSET\r\n",
                CORE_OPENED "250/2.0.0 250/2.0.0 250/2.0.0 250/2.0.0 250/2.0.0", "a\r\n");
    CORE_EXPECT(&core, CORE_OPENING "BDAT 0 LAST\r\nRSET\r\n", CORE_OPENED "250/2.0.0 250/2.0.0",
                "");
}

TEST(session, a_chunk_is_its_octets_whatever_they_say_rfc3030_2)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                CORE_OPENING
                "BDAT 33\r\n..a\r\n.\r\nQUIT\r\nRSET\r\nBDAT 9\r\n\r\n.\r\nBDAT 3 LAST\r\n"
                ".\r\nQUIT\r\n",
                CORE_OPENED "250/2.0.0 250/2.0.0 221/2.0.0",
                "..a\r\n.\r\nQUIT\r\nRSET\r\nBDAT 9\r\n\r\n.\r\n.\r\n");
}

TEST(session, content_of_chunks_need_not_end_in_crlf)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, CORE_OPENING "BDAT 1 LAST\r\nxNOOP\r\n", CORE_OPENED "250/2.0.0 250/2.0.0",
                "x");
}

TEST(session, bdat_and_data_both_work_in_one_session_rfc3030_2)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                CORE_OPENING "DATA\r\n..x\r\n.\r\n" ENVELOPE "BDAT 5 LAST\r\n..y\r\n" ENVELOPE
                             "DATA\r\n..z\r\n.\r\n",
                CORE_OPENED "354 250/2.0.0 250/2.1.0 250/2.1.5 250/2.0.0 250/2.1.0 250/2.1.5 354 "
                            "250/2.0.0",
                ".x\r\n", "..y\r\n", ".z\r\n");
}

TEST(session, messages_by_bdat_are_taken_glued_together_rfc3030_4_2)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                CORE_OPENING "BDAT 2\r\nonBDAT 3 LAST\r\ne\r\n" ENVELOPE
                             "BDAT 5 LAST\r\ntwo\r\n" ENVELOPE "BDAT 7 LAST\r\nthree\r\nQUIT\r\n",
                CORE_OPENED "250/2.0.0 250/2.0.0 250/2.1.0 250/2.1.5 250/2.0.0 250/2.1.0 250/2.1.5 "
                            "250/2.0.0 221/2.0.0",
                "one\r\n", "two\r\n", "three\r\n");
}

TEST(session, what_does_not_touch_the_transaction_may_stand_between_chunks)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, CORE_OPENING "BDAT 2\r\na\rNOOP\r\nVRFY x\r\nHELP\r\nBDAT 1 LAST\r\n\n",
                CORE_OPENED "250/2.0.0 250/2.0.0 252/2.0.0 214/2.0.0 250/2.0.0", "a\r\n");
}

TEST(session, rset_and_ehlo_drop_chunks)
{
    struct core core = core_defaults();
    core_take_content(&core, SIZE_MAX);
    CORE_EXPECT(&core, CORE_OPENING "BDAT 1\r\nxRSET\r\n" ENVELOPE "BDAT 1 LAST\r\ny",
                CORE_OPENED "250/2.0.0 250/2.0.0 250/2.1.0 250/2.1.5 250/2.0.0", "y");
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "BDAT 1\r\nxRSET\r\n" ENVELOPE
                                       "BDAT 1\r\nyEHLO c.test\r\n" ENVELOPE "BDAT 1\r\nzQUIT\r\n");
    expect_str(core_given(&core), "xyz");
    expect_int(core.drop_count, 3);
    expect_int(core.message_count, 0);
    core_clear(&core);
}

TEST(session, the_log_has_the_octets_of_chunks)
{
    struct core core = core_defaults();
    core_log(&core);
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "BDAT 5\r\na\r\n.bBDAT 2 LAST\r\ncd");
    expect_contains(core_log(&core), "C:BDAT 5\nD:a\r\n.b\nS:250 2.0.0 5 octets received\n"
                                     "C:BDAT 2 LAST\nD:cd\nS:250 2.0.0");
    core_clear(&core);
}

/* ---- lines, and BODY=BINARYMIME ---- */

TEST(session, crlf_between_two_chunks_is_one_line_end)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, CORE_OPENING "BDAT 2\r\na\rBDAT 0\r\nBDAT 2 LAST\r\n\nb",
                CORE_OPENED "250/2.0.0 250/2.0.0 250/2.0.0", "a\r\nb");
}

TEST(session, chunks_of_lines_hold_no_bare_line_end_rfc3030_3)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, CORE_OPENING "BDAT 3 LAST\r\na\nb" ENVELOPE,
                CORE_OPENED "554/5.6.0 250/2.1.0 250/2.1.5");
    CORE_EXPECT(&core, CORE_OPENING "BDAT 2 LAST\r\na\rNOOP\r\n",
                CORE_OPENED "554/5.6.0 250/2.0.0");
    CORE_EXPECT(&core, CORE_OPENING "BDAT 2\r\na\rBDAT 1 LAST\r\nb",
                CORE_OPENED "250/2.0.0 554/5.6.0");
    CORE_EXPECT(&core, CORE_OPENING "BDAT 2\r\na\rBDAT 0 LAST\r\n",
                CORE_OPENED "250/2.0.0 554/5.6.0");
    core.config.bare_line_end = SMTP_BARE_ACCEPT;
    CORE_EXPECT(&core, CORE_OPENING "BDAT 4 LAST\r\na\nb\r", CORE_OPENED "250/2.0.0", "a\nb\r");
    core.config.bare_line_end = SMTP_BARE_REFUSE_AND_CLOSE;
    CORE_EXPECT(&core, CORE_OPENING "BDAT 9\r\na\nb", CORE_OPENED "554/5.6.0");
    CORE_EXPECT(&core, CORE_OPENING "BDAT 2 LAST\r\na\rNOOP\r\n", CORE_OPENED "554/5.6.0");
}

TEST(session, the_octet_of_a_bare_line_end_counts_through_the_chunks)
{
    struct core core = core_defaults();
    core_log(&core);
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "BDAT 3\r\na\r\nBDAT 3\r\nb\nc");
    expect_contains(core_log(&core), "N:bare LF at octet 5 of the content\n");
    expect_contains(core_output(&core), "554 5.6.0 Bare LF at octet 5 of the content");
    core_clear(&core);
}

/* Before EHLO, too: what comes behind the octets must not pass as if EHLO had been said. */
TEST(session, the_octets_of_a_bdat_before_ehlo_change_nothing)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, "BDAT 6\r\nNOOP\r\nMAIL FROM:<>\r\nQUIT\r\n",
                "220 503/5.5.1 503/5.5.1 221/2.0.0");
}

TEST(session, lines_of_chunks_have_a_limit)
{
    struct core core = core_defaults();
    core.config.limits.text_line_octets = 6;
    CORE_EXPECT(&core, CORE_OPENING "BDAT 3\r\n.abBDAT 3 LAST\r\nc\r\n",
                CORE_OPENED "250/2.0.0 250/2.0.0", ".abc\r\n"); /* its dot is an octet as any */
    CORE_EXPECT(&core, CORE_OPENING "BDAT 3\r\nabcBDAT 4 LAST\r\nde\r\nNOOP\r\n",
                CORE_OPENED "250/2.0.0 500/5.6.0 250/2.0.0");
    CORE_EXPECT(&core, CORE_OPENING "BDAT 7 LAST\r\nabcdefgNOOP\r\n",
                CORE_OPENED "500/5.6.0 250/2.0.0");
}

#define BINARY "EHLO client.test\r\nMAIL FROM:<a@x.test> BODY=BINARYMIME\r\nRCPT TO:<b@y.test>\r\n"

TEST(session, binarymime_keeps_every_octet_rfc3030_3)
{
    enum { PIECES = 4, SIZE = 256 * PIECES };
    char octets[SIZE];
    for (size_t i = 0; i < SIZE; i++) {
        octets[i] = (char)i;
    }
    for (size_t piece = 1; piece <= SIZE; piece *= 4) {
        struct core core = core_defaults();
        core.config.limits.text_line_octets = 100;
        core_open(&core);
        core_feed_text(&core, BINARY "BDAT 1000\r\n");
        for (size_t at = 0; at < 1000; at += piece) {
            core_feed(&core, octets + at, 1000 - at < piece ? 1000 - at : piece);
        }
        core_feed_text(&core, "BDAT 24 LAST\r\n");
        core_feed(&core, octets + 1000, 24);
        expect_str(core_codes(&core), CORE_OPENED "250/2.0.0 250/2.0.0");
        size_t size;
        const char *content = smtp_message_content(core.messages[0], &size);
        expect_bytes(content, size, octets, SIZE);
        core_clear(&core);
    }
}

TEST(session, binarymime_is_of_one_transaction_only)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, BINARY "BDAT 1 LAST\r\n\n" ENVELOPE "BDAT 1 LAST\r\n\n",
                CORE_OPENED "250/2.0.0 250/2.1.0 250/2.1.5 554/5.6.0", "\n");
}

TEST(session, data_after_binarymime_gets_503_rfc3030_3)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, BINARY "DATA\r\nRSET\r\n" ENVELOPE "DATA\r\nx\r\n.\r\n",
                CORE_OPENED "503/5.5.1 250/2.0.0 250/2.1.0 250/2.1.5 354 250/2.0.0", "x\r\n");
}

TEST(session, binarymime_needs_its_keyword_rfc3030_3)
{
    struct core core = core_defaults();
    core.config.keywords.binary_mime = false;
    CORE_EXPECT(&core, "EHLO c.test\r\nMAIL FROM:<> BODY=BINARYMIME\r\nMAIL FROM:<>\r\n",
                "220 250 501/5.5.4 250/2.1.0");
}

/* ---- what is refused, and read all the same ---- */

#define EVIL "MAIL FROM:<x@y>\r\n" /* 17 octets that must never be a command */

TEST(session, the_octets_of_a_refused_bdat_are_no_commands_rfc3030_2)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, "BDAT 17\r\n" EVIL "NOOP\r\n", "220 503/5.5.1 250/2.0.0");
    CORE_EXPECT(&core, "EHLO c.test\r\nBDAT 17 LAST\r\n" EVIL "NOOP\r\n",
                "220 250 503/5.5.1 250/2.0.0");
    CORE_EXPECT(&core,
                "EHLO c.test\r\nMAIL FROM:<>\r\nBDAT 17\r\n" EVIL "RCPT TO:<b@y.test>\r\n"
                "BDAT 17 LAST\r\n" EVIL "RCPT TO:<b@y.test>\r\n" ENVELOPE,
                "220 250 250/2.1.0 503/5.5.1 503/5.5.1 503/5.5.1 503/5.5.1 250/2.1.0 250/2.1.5");
    CORE_EXPECT(&core, "HELO c.test\r\n" ENVELOPE "BDAT 17\r\n" EVIL "NOOP\r\n",
                CORE_OPENED "503/5.5.1 250/2.0.0");
}

TEST(session, the_refusal_comes_after_the_octets_rfc3030_2)
{
    struct core core = core_defaults();
    core_log(&core);
    core_open(&core);
    core_feed_text(&core, "BDAT 3 LAST\r\n");
    core_feed_text(&core, "ab");
    expect_str(core_codes(&core), "220");
    core_feed_text(&core, "c");
    expect_str(core_codes(&core), "220 503/5.5.1");
    expect_contains(core_log(&core), "C:BDAT 3 LAST\nD:ab\nD:c\nS:503 5.5.1 ");
    core_clear(&core);
}

TEST(session, bdat_after_last_gets_503_rfc3030_2)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, CORE_OPENING "BDAT 1 LAST\r\nxBDAT 5\r\nQUIT\nRSET\r\n",
                CORE_OPENED "250/2.0.0 503/5.5.1 250/2.0.0", "x");
}

TEST(session, between_chunks_neither_data_nor_an_envelope_is_legal_rfc3030_2)
{
    struct core core = core_defaults();
    CORE_EXPECT(
        &core,
        CORE_OPENING "BDAT 1\r\nxDATA\r\nMAIL FROM:<>\r\nRCPT TO:<c@y.test>\r\nRSET\r\n" ENVELOPE
                     "DATA\r\ny\r\n.\r\n",
        CORE_OPENED "250/2.0.0 503/5.5.1 503/5.5.1 503/5.5.1 250/2.0.0 250/2.1.0 250/2.1.5 354 "
                    "250/2.0.0",
        "y\r\n");
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "BDAT 1\r\nxDATA\r\n");
    expect_contains(core_output(&core), "503 5.5.1 Chunks of a message have come; BDAT goes on");
    core_clear(&core);
}

static enum smtp_server_verdict later(const struct smtp_server_event *event,
                                      struct smtp_server_reply *reply)
{
    return event->kind == SMTP_SERVER_ASK_DATA ? smtp_server_reply(reply, 451, "4.3.2", "Not now")
                                               : SMTP_ACCEPT;
}

TEST(session, bdat_after_data_gets_503_rfc3030_2)
{
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_ASK_DATA;
    core.decide = later;
    CORE_EXPECT(&core, CORE_OPENING "DATA\r\nBDAT 6 LAST\r\nRSET\r\nNOOP\r\n",
                CORE_OPENED "451/4.3.2 503/5.5.1 250/2.0.0");
}

TEST(session, the_data_hook_is_asked_at_the_first_bdat_before_its_octets)
{
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_ASK_DATA;
    core.decide = later;
    CORE_EXPECT(&core, CORE_OPENING "BDAT 6\r\nRSET\r\nBDAT 6 LAST\r\nRSET\r\n" ENVELOPE,
                CORE_OPENED "451/4.3.2 503/5.5.1 250/2.1.0 250/2.1.5");
    core_take_content(&core, SIZE_MAX);
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "BDAT 6 LAST\r\nRSET");
    expect_str(core_codes(&core), "220 250 250/2.1.0 250/2.1.5"); /* told after the octets */
    expect_str(core_given(&core), "");
    core_feed_text(&core, "\r\n");
    expect_contains(core_output(&core), "451 4.3.2 Not now\r\n");
    core_clear(&core);
}

TEST(session, an_empty_chunk_that_a_hook_is_asked_about_waits_for_nothing_else)
{
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_ASK_DATA;
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "BDAT 0 LAST\r\n");
    expect_str(core_codes(&core), CORE_OPENED "250/2.0.0");
    core_feed_text(&core, ENVELOPE);
    core.decide = later;
    core_feed_text(&core, "BDAT 0\r\n");
    expect_str(core_codes(&core), CORE_OPENED "250/2.0.0 250/2.1.0 250/2.1.5 451/4.3.2");
    core_clear(&core);
}

static size_t asked;
static enum smtp_server_verdict count(const struct smtp_server_event *event,
                                      struct smtp_server_reply *reply)
{
    asked += event->kind == SMTP_SERVER_ASK_DATA ? 1 : 0;
    return event->kind == SMTP_SERVER_ASK_DATA ? smtp_server_reply(reply, 354, NULL, "Go on")
                                               : SMTP_ACCEPT;
}

TEST(session, the_data_hook_is_asked_once_a_transaction_and_its_354_is_not_said)
{
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_ASK_DATA;
    core.decide = count;
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "BDAT 1\r\naBDAT 1\r\nbBDAT 1 LAST\r\nc");
    expect_int(asked, 1);
    expect_str(core_codes(&core), CORE_OPENED "250/2.0.0 250/2.0.0 250/2.0.0");
    core_clear(&core);
}

static enum smtp_server_verdict hang_up(const struct smtp_server_event *event,
                                        struct smtp_server_reply *reply)
{
    (void)event;
    (void)reply;
    return SMTP_DISCONNECT;
}

TEST(session, a_hook_can_hang_up_at_a_chunk)
{
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_ASK_DATA;
    core.decide = hang_up;
    CORE_EXPECT(&core, CORE_OPENING "BDAT 6\r\nRSET\r\n", CORE_OPENED "421/4.3.2");
}

static enum smtp_server_verdict refuse_message(const struct smtp_server_event *event,
                                               struct smtp_server_reply *reply)
{
    (void)event;
    (void)reply;
    return SMTP_REFUSE;
}

TEST(session, a_message_of_chunks_can_be_refused)
{
    struct core core = core_defaults();
    core.decide = refuse_message;
    CORE_EXPECT(&core, CORE_OPENING "BDAT 1\r\nxBDAT 1 LAST\r\ny" ENVELOPE,
                CORE_OPENED "250/2.0.0 554/5.7.1 250/2.1.0 250/2.1.5");
}

TEST(session, after_a_failed_chunk_all_others_are_read_and_refused_until_rset_rfc3030_2)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                CORE_OPENING "BDAT 2\r\n\n\nBDAT 17\r\n" EVIL "BDAT 1\r\nxMAIL FROM:<>\r\n"
                             "RCPT TO:<c@y.test>\r\nDATA\r\nNOOP\r\nRSET\r\n" ENVELOPE
                             "BDAT 1 LAST\r\ny",
                CORE_OPENED "554/5.6.0 503/5.5.1 503/5.5.1 503/5.5.1 503/5.5.1 503/5.5.1 250/2.0.0 "
                            "250/2.0.0 250/2.1.0 250/2.1.5 250/2.0.0",
                "y");
}

/* What a client pipelines across messages: nothing of one is ever mixed with another's. */
TEST(session, the_last_chunk_ends_a_failed_transaction)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                CORE_OPENING "BDAT 2\r\n\n\nBDAT 1 LAST\r\nx" ENVELOPE "BDAT 1 LAST\r\ny" ENVELOPE
                             "BDAT 2 LAST\r\n\n\n" ENVELOPE "BDAT 1 LAST\r\nz",
                CORE_OPENED "554/5.6.0 503/5.5.1 250/2.1.0 250/2.1.5 250/2.0.0 250/2.1.0 250/2.1.5 "
                            "554/5.6.0 250/2.1.0 250/2.1.5 250/2.0.0",
                "y", "z");
    CORE_EXPECT(&core,
                "EHLO c.test\r\nMAIL FROM:<evil@x.test>\r\nBDAT 1 LAST\r\nx" ENVELOPE
                "BDAT 1 LAST\r\ny",
                "220 250 250/2.1.0 503/5.5.1 250/2.1.0 250/2.1.5 250/2.0.0", "y");
}

TEST(session, nothing_is_left_of_a_transaction_whose_last_chunk_failed)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, CORE_OPENING "BDAT 2 LAST\r\n\n\nBDAT 1\r\nxDATA\r\n" ENVELOPE,
                CORE_OPENED "554/5.6.0 503/5.5.1 503/5.5.1 250/2.1.0 250/2.1.5");
}

TEST(session, all_chunks_pipelined_behind_refused_recipients_are_refused_rfc3030_2)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<>\r\nBDAT 17\r\n" EVIL "BDAT 17\r\n" EVIL
                "BDAT 17 LAST\r\n" EVIL "RSET\r\n",
                "220 250 250/2.1.0 501/5.5.4 503/5.5.1 503/5.5.1 503/5.5.1 250/2.0.0");
}

TEST(session, chunks_before_tls_or_a_login_are_read_and_get_530)
{
    struct core core = core_defaults();
    core.config.starttls = true;
    core.config.tls_required = true;
    CORE_EXPECT(&core, "EHLO c.test\r\nBDAT 17 LAST\r\n" EVIL "BDAT 0\r\nNOOP\r\n",
                "220 250 530/5.7.0 530/5.7.0 250/2.0.0");
    core = core_defaults();
    core.config.auth_required = true;
    CORE_EXPECT(&core, "EHLO c.test\r\nBDAT 17\r\n" EVIL "NOOP\r\n", "220 250 530/5.7.0 250/2.0.0");
}

TEST(session, octets_behind_starttls_end_the_session_also_behind_a_chunk_rfc3207_6)
{
    struct core core = core_defaults();
    core.config.starttls = true;
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "BDAT 1\r\nxSTARTTLS\r\nNOOP\r\n");
    expect_str(core_codes(&core), CORE_OPENED "250/2.0.0 503/5.5.1");
    expect_true(smtp_server_session_ended(core.session));
    core_clear(&core);
    CORE_EXPECT(&core, CORE_OPENING "BDAT 10 LAST\r\nSTARTTLS\r\nNOOP\r\n",
                CORE_OPENED "250/2.0.0 250/2.0.0", "STARTTLS\r\n");
}

TEST(session, bdat_is_unknown_where_chunking_is_off)
{
    struct core core = core_defaults();
    core.config.keywords.chunking = false;
    CORE_EXPECT(&core, CORE_OPENING "BDAT 6\r\nNOOP\r\nDATA\r\nx\r\n.\r\n",
                CORE_OPENED "500/5.5.1 250/2.0.0 354 250/2.0.0", "x\r\n");
}

TEST(session, a_server_that_turned_the_peer_away_drops_its_chunks_too)
{
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_ASK_CONNECT;
    core.decide = refuse_message;
    CORE_EXPECT(&core, "BDAT 17 LAST\r\n" EVIL "QUIT\r\n", "554 503/5.5.1 221/2.0.0");
}

TEST(session, what_was_given_of_earlier_chunks_is_dropped_as_soon_as_one_is_refused)
{
    struct core core = core_defaults();
    core_take_content(&core, SIZE_MAX);
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "BDAT 1\r\nxBDAT 1 LOST\r\ny");
    expect_str(core_given(&core), "x");
    expect_int(core.drop_count, 1);
    core_feed_text(&core, "BDAT 1 LAST\r\nzRSET\r\n");
    expect_str(core_given(&core), "x");
    expect_int(core.drop_count, 1);
    core_clear(&core);
}

/* ---- counts ---- */

TEST(session, a_count_that_is_no_number_gets_501_and_ends_the_session_rfc3030_2)
{
    static const char *const bad[] = {"BDAT",
                                      "BDAT ",
                                      "BDAT x",
                                      "BDAT -1",
                                      "BDAT +1",
                                      "BDAT 0x10",
                                      "BDAT LAST",
                                      "BDAT 18446744073709551616",
                                      "BDAT 99999999999999999999",
                                      "BDAT 5LAST",
                                      "BDAT 5\tLAST",
                                      "BDAT 1 LAST\nNOOP",
                                      "BDAT\r1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char input[256];
        struct core core = core_defaults();
        int len = snprintf(input, sizeof input, CORE_OPENING "%s\r\n" EVIL "NOOP\r\n", bad[i]);
        bool no_verb = i + 1 == sizeof bad / sizeof *bad;
        core_expect(&core, input, (size_t)len,
                    no_verb ? CORE_OPENED "500/5.5.2 503/5.5.1 250/2.0.0" : CORE_OPENED "501/5.5.4",
                    (const char *const[]){NULL});
        core_open(&core);
        core_feed(&core, input, (size_t)len);
        expect_int(smtp_server_session_ended(core.session), no_verb ? 0 : 1);
        core_clear(&core);
    }
}

TEST(session, what_stands_behind_a_good_count_is_refused_after_the_octets)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, CORE_OPENING "BDAT 17 LOST\r\n" EVIL "BDAT 1\r\nxRSET\r\n" ENVELOPE,
                CORE_OPENED "501/5.5.4 503/5.5.1 250/2.0.0 250/2.1.0 250/2.1.5");
    CORE_EXPECT(&core, CORE_OPENING "BDAT 17 LAST LAST\r\n" EVIL "NOOP\r\n",
                CORE_OPENED "501/5.5.4 250/2.0.0");
    CORE_EXPECT(&core, CORE_OPENING "BDAT 17 \001\r\n" EVIL "NOOP\r\n",
                CORE_OPENED "501/5.5.2 250/2.0.0");
    CORE_EXPECT(&core, CORE_OPENING "BDAT  0003   LAST  \r\nx\r\nNOOP\r\n",
                CORE_OPENED "250/2.0.0 250/2.0.0", "x\r\n");
}

TEST(session, a_line_of_bdat_over_the_limit_ends_the_session)
{
    static char input[4096];
    for (size_t spaces = 505; spaces < 3000;
         spaces *= 2) { /* over its limit, and over every limit */
        struct core core = core_defaults();
        int len = snprintf(input, sizeof input, CORE_OPENING "BDAT%*s17\r\n" EVIL "NOOP\r\n",
                           (int)spaces, "");
        core_expect(&core, input, (size_t)len, CORE_OPENED "501/5.5.4",
                    (const char *const[]){NULL});
    }
}

TEST(session, a_chunk_over_the_size_limit_gets_552_after_its_octets_rfc1870_4)
{
    struct core core = core_defaults();
    core.config.limits.message_octets = 10;
    CORE_EXPECT(&core, CORE_OPENING "BDAT 17\r\n" EVIL "BDAT 1 LAST\r\nx" ENVELOPE,
                CORE_OPENED "552/5.3.4 503/5.5.1 250/2.1.0 250/2.1.5");
    CORE_EXPECT(&core, CORE_OPENING "BDAT 10\r\n12345678\r\nBDAT 0\r\nBDAT 1 LAST\r\nx" ENVELOPE,
                CORE_OPENED "250/2.0.0 250/2.0.0 552/5.3.4 250/2.1.0 250/2.1.5");
    CORE_EXPECT(&core, CORE_OPENING "BDAT 8\r\n123456\r\nBDAT 2 LAST\r\n\r\n",
                CORE_OPENED "250/2.0.0 250/2.0.0", "123456\r\n\r\n");
}

TEST(session, a_count_alone_takes_no_memory)
{
    static const char *const counts[] = {"4294967296", "18446744073709551615"};
    static char piece[65536];
    for (size_t i = 0; i < sizeof piece; i += 2) {
        memcpy(piece + i, "\r\n", 2);
    }
    for (size_t i = 0; i < 2; i++) {
        struct core core = core_defaults();
        core_take_content(&core, SIZE_MAX);
        core_open(&core);
        core_feed_text(&core, CORE_OPENING "BDAT 1\r\nxBDAT ");
        core_feed_text(&core, counts[i]);
        core_feed_text(&core, "\r\n");
        for (int n = 0; n < 16; n++) {
            core_feed(&core, piece, sizeof piece);
        }
        expect_str(core_codes(&core), CORE_OPENED "250/2.0.0");
        expect_int(core.given.len, 1); /* nothing of what can never fit */
        expect_int(core.drop_count, 1);
        core_clear(&core);
    }
}

TEST_WITHIN(session, a_chunk_of_4_gib_is_read_dropped_and_answered_552, 60)
{
    enum { PIECE = 1 << 20 };
    char *piece = calloc(1, PIECE);
    struct core core = core_defaults();
    expect_true(piece != NULL);
    core.config.keywords.binary_mime = true;
    core_open(&core);
    core_feed_text(&core, BINARY "BDAT 4294967297 LAST\r\n");
    for (size_t i = 0; i < 4096; i++) {
        expect_int(smtp_server_session_receive(core.session, piece, PIECE, core.now_ns), PIECE);
    }
    core_settle(&core);
    expect_str(core_codes(&core), "220 250 250/2.1.0 250/2.1.5");
    core_feed_text(&core, "xNOOP\r\n");
    expect_str(core_codes(&core), CORE_OPENED "552/5.3.4 250/2.0.0");
    core_clear(&core);
    free(piece);
}

/* ---- limits, time, the end ---- */

TEST(session, time_for_a_chunk_counts_from_its_last_octet)
{
    for (int refused = 0; refused < 2; refused++) {
        struct core core = core_defaults();
        core.config.limits.content_timeout_ms = 10;
        core_open(&core);
        core_feed_text(&core, refused ? "BDAT 1000\r\n" : CORE_OPENING "BDAT 1000\r\n");
        for (int i = 0; i < 100; i++) {
            core.now_ns += 9000000;
            smtp_server_session_expire(core.session, core.now_ns);
            core_feed_text(&core, "x");
        }
        expect_true(!smtp_server_session_ended(core.session));
        core.now_ns += 10000000;
        smtp_server_session_expire(core.session, core.now_ns);
        core_settle(&core);
        expect_contains(core_output(&core), "421 4.4.2 Timed out waiting for content, closing\r\n");
        expect_contains(core_codes(&core), refused ? "220 503/5.5.1 421" : CORE_OPENED "421");
        core_clear(&core);
    }
}

TEST(session, between_chunks_time_is_that_for_a_command)
{
    struct core core = core_defaults();
    core.config.limits.content_timeout_ms = 10;
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "BDAT 1\r\nx");
    expect_true(smtp_server_session_deadline_ns(core.session) ==
                core.now_ns + 300000 * UINT64_C(1000000));
    core_clear(&core);
}

TEST(session, shutting_down_lets_the_message_of_the_chunks_end)
{
    struct core core = core_defaults();
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "BDAT 1\r\nx");
    smtp_server_session_shut_down(core.session, core.now_ns);
    core_feed_text(&core, "BDAT 1 LAST\r\ny");
    expect_str(core_codes(&core), CORE_OPENED "250/2.0.0 250/2.0.0 421/4.3.2");
    core_clear(&core);
    core = core_defaults();
    core_open(&core);
    core_feed_text(&core, "EHLO c.test\r\nBDAT 2\r\nx");
    smtp_server_session_shut_down(core.session, core.now_ns);
    core_feed_text(&core, "y");
    expect_str(core_codes(&core), "220 250 503/5.5.1 421/4.3.2");
    core_clear(&core);
}

TEST(session, a_refused_chunk_is_an_error_of_the_peer_once_it_is_in)
{
    struct core core = core_defaults();
    core.config.limits.errors = 2;
    CORE_EXPECT(&core, "BDAT 17\r\n" EVIL "BDAT 17\r\n" EVIL "NOOP\r\n",
                "220 503/5.5.1 503/5.5.1 421/4.7.0");
    core.config.limits.errors = 1;
    CORE_EXPECT(&core, CORE_OPENING "BDAT 2\r\n\n\nNOOP\r\n", CORE_OPENED "554/5.6.0 421/4.7.0");
    core_open(&core);
    core_feed_text(&core, "BDAT 2\r\nx");
    expect_str(core_codes(&core), "220"); /* its octets are taken before it hears of both */
    core_feed_text(&core, "y");
    expect_str(core_codes(&core), "220 503/5.5.1 421/4.7.0");
    core_clear(&core);
}

TEST(session, what_is_owed_for_a_refused_chunk_is_said_when_the_session_ends_in_it)
{
    struct core core = core_defaults();
    core_open(&core);
    core_feed_text(&core, "BDAT 17\r\nMAIL");
    smtp_server_session_cut(core.session);
    core_settle(&core);
    expect_str(core_codes(&core), "220 503/5.5.1");
    core_clear(&core);
}

TEST(session, ehlo_offers_chunking_and_binarymime_where_they_are_on_rfc3030_2)
{
    struct core core = core_defaults();
    core_open(&core);
    core_feed_text(&core, "EHLO c.test\r\nHELP BDAT\r\n");
    expect_contains(core_output(&core), "250-CHUNKING\r\n");
    expect_contains(core_output(&core), "250-BINARYMIME\r\n");
    expect_contains(core_output(&core), "BDAT octets [LAST]");
    core_clear(&core);
    core = core_defaults();
    core.config.keywords.chunking = false;
    core.config.keywords.binary_mime = false;
    core_open(&core);
    core_feed_text(&core, "EHLO c.test\r\n");
    expect_true(strstr(core_output(&core), "CHUNKING") == NULL);
    expect_true(strstr(core_output(&core), "BINARYMIME") == NULL);
    core_clear(&core);
}
