/* session_content_sink_test.c - server/protocol/intake.c where content is given as it comes: what is
 * given, when it is dropped, and that a message may keep its size alone. */
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <malloc.h>

static struct core sink(void)
{
    struct core core = core_defaults();
    core_take_content(&core, SIZE_MAX);
    return core;
}

/* A dialogue whole and octet by octet: what was given, how often it was dropped, and the messages
 * asked about. */
static void expect_sunk(const struct core *prepared, const char *input, const char *codes,
                        const char *given, size_t drops, size_t messages)
{
    size_t len = strlen(input);
    for (size_t piece = 1; piece <= len; piece = piece == len ? len + 1 : len) {
        struct core core = *prepared;
        core_open(&core);
        for (size_t at = 0; at < len; at += piece) {
            core_feed(&core, input + at, piece);
        }
        expect_str(core_codes(&core), codes);
        expect_str(core_given(&core), given);
        expect_int(core.drop_count, drops);
        expect_int(core.message_count, messages);
        core_clear(&core);
    }
}

TEST(session, content_is_given_as_it_comes_with_its_dots_removed_rfc5321_4_5_2)
{
    struct core core = sink();
    expect_sunk(&core, CORE_OPENING "DATA\r\none\r\n..two\r\n.\r\n", CORE_OPENED "354 250/2.0.0",
                "one\r\n.two\r\n", 0, 1);
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "DATA\r\none\r\ntw");
    expect_str(core_given(&core), "one\r\ntw"); /* before its end */
    core_clear(&core);
}

TEST(session, the_message_has_its_envelope_when_its_first_octets_are_given)
{
    struct core core = sink(); /* take_content of core.c looks at it */
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "RCPT TO:<c@y.test>\r\nDATA\r\n");
    expect_int(core.give_count, 0);
    core_feed_text(&core, "x");
    expect_int(core.give_count, 1);
    core_clear(&core);
}

TEST(session, empty_content_is_a_message_of_which_nothing_was_given)
{
    struct core core = sink();
    expect_sunk(&core, CORE_OPENING "DATA\r\n.\r\n", CORE_OPENED "354 250/2.0.0", "", 0, 1);
    expect_sunk(&core, CORE_OPENING "DATA\r\nRSET\r\n.\r\nRSET\r\n",
                CORE_OPENED "354 250/2.0.0 250/2.0.0", "RSET\r\n", 0, 1);
}

TEST(session, no_more_is_given_than_is_wanted_and_the_message_is_asked_about_all_the_same)
{
    struct core core = sink();
    core.given_wanted = 1;
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "DATA\r\n");
    core_feed_text(&core, "a");
    core_feed_text(&core, "b\r\n..c\r\n.\r\n");
    expect_str(core_given(&core), "a");
    expect_int(core.message_count, 1);
    expect_int(smtp_message_size(core.messages[0]), 8);
    expect_str(core_codes(&core), CORE_OPENED "354 250/2.0.0");
    expect_int(core.drop_count, 0);
    core_clear(&core);
}

TEST(session, each_message_is_given_anew)
{
    struct core core = sink();
    core.given_wanted = 2;
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "DATA\r\n");
    core_feed_text(&core, "ab");
    core_feed_text(&core, "c\r\n.\r\n");
    core.given_wanted = 4;
    core_feed_text(&core, "MAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n");
    core_feed_text(&core, "de");
    core_feed_text(&core, "f\r\n.\r\n");
    expect_str(core_given(&core), "abde");
    expect_int(core.message_count, 2);
    core_clear(&core);
}

/* ---- drop ---- */

TEST(session, content_that_the_limits_refuse_is_dropped_once)
{
    struct core core = sink();
    core.config.limits.message_octets = 12;
    core.config.limits.text_line_octets = 5;
    expect_sunk(&core, CORE_OPENING "DATA\r\n.\r\nRSET\r\n", CORE_OPENED "354 250/2.0.0 250/2.0.0",
                "", 0, 1);
    const char *const inputs[] = {
        CORE_OPENING "DATA\r\nab\r\n", "cdef\r\nghi\r\n.\r\n", /* too long a line, and too large */
        "a\nb\r\n.\r\n",                                       /* bare LF */
        "\r\na\r\n\r\n\r\n\r\n.\r\n",                          /* too large */
    };
    const char *const codes[] = {"", "552/5.3.4", "554/5.6.0", "552/5.3.4"};
    for (size_t i = 1; i < sizeof inputs / sizeof *inputs; i++) {
        struct core one = core;
        core_open(&one);
        core_feed_text(&one, inputs[0]);
        core_feed_text(&one, inputs[i]);
        core_feed_text(&one, "RSET\r\n");
        expect_int(one.drop_count, 1);
        expect_int(one.message_count, 0);
        expect_str(core_given(&one), "ab\r\n");
        expect_contains(core_codes(&one), codes[i]);
        core_clear(&one);
    }
}

TEST(session, nothing_is_dropped_of_which_nothing_was_given)
{
    struct core core = sink();
    core.config.limits.text_line_octets = 5;
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "DATA\r\n");
    core_feed_text(&core, "too long\r\n.\r\nRSET\r\n");
    expect_str(core_given(&core), "");
    expect_int(core.drop_count, 0);
    core_clear(&core);
}

TEST(session, content_is_dropped_when_the_session_ends_before_it)
{
    enum { CUT, EXPIRED, FREED, CLOSED_BARE, WAYS };
    for (int way = 0; way < WAYS; way++) {
        struct core core = sink();
        core.config.bare_line_end = SMTP_BARE_REFUSE_AND_CLOSE;
        core_open(&core);
        core_feed_text(&core, CORE_OPENING "DATA\r\nab");
        expect_int(core.drop_count, 0);
        if (way == CUT) {
            smtp_server_session_cut(core.session);
            expect_true(smtp_server_session_ended(core.session));
        } else if (way == EXPIRED) {
            smtp_server_session_expire(core.session, smtp_server_session_deadline_ns(core.session));
        } else if (way == CLOSED_BARE) {
            core_feed_text(&core, "\n");
        }
        expect_int(core.drop_count, way == FREED ? 0 : 1);
        smtp_server_session_free(core.session);
        core.session = NULL;
        expect_int(core.drop_count, 1);
        core_clear(&core);
    }
}

TEST(session, chunks_that_came_in_the_clear_are_dropped_when_tls_is_up_rfc3207_4_2)
{
    static const struct smtp_tls_facts facts = {.version = "TLSv1.3", .cipher = "x"};
    struct core core = sink();
    core.config.starttls = true;
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "BDAT 1\r\nxSTARTTLS\r\n");
    expect_int(core.start_tls_count, 1);
    smtp_server_session_tls_started(core.session, &facts, false, core.now_ns);
    expect_int(core.drop_count, 1);
    core_feed_text(&core, "EHLO c.test\r\nBDAT 1 LAST\r\ny");
    expect_str(core_codes(&core), CORE_OPENED "250/2.0.0 220/2.0.0 250 503/5.5.1");
    expect_str(core_given(&core), "x");
    core_clear(&core);
}

/* Whoever takes the event says what becomes of the message, and nobody else does. */
TEST(session, a_message_that_nobody_came_to_be_asked_about_is_dropped)
{
    for (int taken = 0; taken < 2; taken++) {
        struct core core = sink();
        struct smtp_server_event event;
        const char end[] = "ab\r\n.\r\n";
        core_open(&core);
        core_feed_text(&core, CORE_OPENING "DATA\r\n");
        (void)smtp_server_session_receive(core.session, end, sizeof end - 1, core.now_ns);
        smtp_server_session_cut(core.session);
        expect_int(core.drop_count, 0);
        if (taken) {
            expect_true(smtp_server_session_next_event(core.session, &event));
            smtp_message_release(event.message);
        }
        smtp_server_session_free(core.session);
        core.session = NULL;
        expect_int(core.drop_count, taken ? 0 : 1);
        core_clear(&core);
    }
}

/* ---- messages that keep their size alone ---- */

TEST(session, a_message_can_keep_its_size_without_its_octets)
{
    struct core core = sink();
    core.config.discard_content = true;
    core_open(&core);
    core_feed_text(&core, "EHLO c.test\r\nMAIL FROM:<> SIZE=1000\r\nRCPT TO:<b@y.test>\r\nDATA\r\n"
                          "one\r\n..two\r\n.\r\n");
    size_t size = 99;
    expect_int(core.message_count, 1);
    expect_str(smtp_message_content(core.messages[0], &size), "");
    expect_int(size, 0);
    expect_int(smtp_message_size(core.messages[0]), 11);
    expect_str(smtp_message_forward_path(core.messages[0], 0), "b@y.test");
    expect_str(core_given(&core), "one\r\n.two\r\n");
    core_clear(&core);
}

static bool count_content(void *user, const struct smtp_message *message, struct smtp_span octets)
{
    struct core *core = user;
    core->give_count += octets.len;
    expect_int(smtp_message_size(message) + octets.len, core->give_count);
    return true;
}

/* Of the heap, and apart; 0 under a sanitizer. */
static size_t allocated(void)
{
    struct mallinfo2 now = mallinfo2();
    return now.uordblks + now.hblkhd;
}

TEST(session, a_large_message_without_its_octets_takes_no_memory)
{
    enum { PIECE = 65536, PIECES = 1024 };
    static char piece[PIECE];
    struct core core = sink();
    core.config.content = count_content;
    core.config.discard_content = true;
    core.config.limits.message_octets = 0;
    for (size_t i = 0; i < PIECE; i += 64) {
        memset(piece + i, 'a', 62);
        memcpy(piece + i + 62, "\r\n", 2);
    }
    core_open(&core);
    size_t before = allocated();
    core_feed_text(&core, "EHLO client.test\r\nMAIL FROM:<> SIZE=67108864\r\n"
                          "RCPT TO:<b@y.test>\r\nDATA\r\n");
    for (size_t i = 0; i < PIECES; i++) {
        expect_int(smtp_server_session_receive(core.session, piece, PIECE, core.now_ns), PIECE);
    }
    expect_true(allocated() < before + 2 * PIECE);
    core_feed_text(&core, ".\r\n");
    expect_int(core.give_count, (size_t)PIECE * PIECES);
    expect_int(smtp_message_size(core.messages[0]), (size_t)PIECE * PIECES);
    core_clear(&core);
}
