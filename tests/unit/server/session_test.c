/* session_test.c - server/protocol/session.c, verbs.c and decisions.c: dialogues against the core,
 * each whole, octet by octet and cut at every offset. A dialogue's outcome is its reply codes and
 * the contents captured. */
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <stdio.h>

/* ---- the ordinary way ---- */

TEST(session, takes_one_message_rfc5321_3_3)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, CORE_OPENING "DATA\r\nSubject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n",
                CORE_OPENED "354 250/2.0.0 221/2.0.0", "Subject: x\r\n\r\nhello\r\n");
}

TEST(session, takes_helo_rfc5321_4_1_1_1)
{
    struct core core = core_defaults();
    CORE_EXPECT(
        &core,
        "HELO client.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nx\r\n.\r\n",
        "220 250 250/2.1.0 250/2.1.5 354 250/2.0.0", "x\r\n");
}

TEST(session, takes_verbs_and_words_in_any_case_rfc5321_2_4)
{
    struct core core = core_defaults();
    CORE_EXPECT(
        &core,
        "ehLO client.test\r\nmAiL fRoM:<a@x.test>\r\nrcpt to:<b@y.test>\r\ndAtA\r\nx\r\n.\r\n"
        "quiT\r\n",
        CORE_OPENED "354 250/2.0.0 221/2.0.0", "x\r\n");
}

TEST(session, takes_two_messages_glued_together_rfc2920_3_1)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                CORE_OPENING
                "DATA\r\none\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<c@z.test>\r\nDATA\r\ntwo\r\n.\r\n",
                CORE_OPENED "354 250/2.0.0 250/2.1.0 250/2.1.5 354 250/2.0.0", "one\r\n",
                "two\r\n");
}

TEST(session, keeps_the_envelope_as_given)
{
    struct core core = core_defaults();
    core_open(&core);
    core_feed_text(&core,
                   "EHLO [127.0.0.1]\r\nMAIL FROM:<@r.test:MiXeD@x.test> BODY=8BITMIME SIZE=9\r\n"
                   "RCPT TO:<\"b c\"@y.test>\r\nRCPT TO:<PostMaster>\r\nDATA\r\nx\r\n.\r\n");
    expect_int(core.message_count, 1);
    const struct smtp_message *message = core.messages[0];
    expect_str(smtp_message_reverse_path(message), "@r.test:MiXeD@x.test");
    expect_str(smtp_message_mail_parameters(message), "BODY=8BITMIME SIZE=9");
    expect_int(smtp_message_recipient_count(message), 2);
    expect_str(smtp_message_forward_path(message, 0), "\"b c\"@y.test");
    expect_str(smtp_message_forward_path(message, 1), "PostMaster");
    expect_str(smtp_message_rcpt_parameters(message, 1), "");
    expect_str(smtp_message_helo(message), "[127.0.0.1]");
    expect_str(smtp_message_protocol(message), "ESMTP");
    expect_str(smtp_message_peer(message), "127.0.0.1:1");
    core_clear(&core);
}

TEST(session, ehlo_lists_what_is_on_and_nothing_else_rfc5321_4_1_1_1)
{
    struct core core = core_defaults();
    core_open(&core);
    core_feed_text(&core, "EHLO c.test\r\n");
    expect_str(core_output(&core),
               "220 mx.test ESMTP\r\n250-mx.test\r\n250-PIPELINING\r\n"
               "250-SIZE 33554432\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
               "250-CHUNKING\r\n250-BINARYMIME\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n"
               "250-LIMITS RCPTMAX=100\r\n250-VRFY\r\n250 HELP\r\n");
    core_clear(&core);
    core.config.keywords = (struct smtp_server_keywords){0};
    core.output = SMTP_BUFFER(SIZE_MAX);
    core_open(&core);
    core_feed_text(&core, "EHLO c.test\r\nHELP\r\nNOOP\r\n");
    expect_str(core_output(&core), "220 mx.test ESMTP\r\n250 mx.test\r\n"
                                   "502 HELP is not implemented\r\n250 OK\r\n");
    core_clear(&core);
}

TEST(session, help_names_expn_only_where_it_is_carried_out_rfc5321_4_1_1_8)
{
    struct core core = core_defaults();
    core_open(&core);
    core_feed_text(&core, "HELP\r\n");
    expect_contains(core_output(&core), " VRFY HELP\r\n");
    core_clear(&core);
    core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_ASK_EXPN;
    core_open(&core);
    core_feed_text(&core, "HELP\r\n");
    expect_contains(core_output(&core), " VRFY EXPN HELP\r\n");
    core_clear(&core);
}

/* ---- order ---- */

TEST(session, refuses_what_is_out_of_order_rfc5321_3_3)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                "MAIL FROM:<a@x.test>\r\nEHLO c.test\r\nRCPT TO:<b@y.test>\r\nDATA\r\n"
                "MAIL FROM:<a@x.test>\r\nDATA\r\nMAIL FROM:<b@x.test>\r\nRCPT TO:<b@y.test>\r\n"
                "DATA\r\nx\r\n.\r\nRCPT TO:<b@y.test>\r\n",
                "220 503/5.5.1 250 503/5.5.1 503/5.5.1 250/2.1.0 503/5.5.1 503/5.5.1 250/2.1.5 354 "
                "250/2.0.0 503/5.5.1",
                "x\r\n");
}

TEST(session, second_ehlo_drops_the_transaction_rfc5321_4_1_4)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, CORE_OPENING "EHLO again.test\r\nDATA\r\nMAIL FROM:<a@x.test>\r\n",
                CORE_OPENED "250 503/5.5.1 250/2.1.0");
}

TEST(session, refused_ehlo_keeps_the_transaction_rfc5321_4_1_4)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, CORE_OPENING "EHLO\r\nEHLO bad_name\r\nDATA\r\nx\r\n.\r\n",
                CORE_OPENED "501/5.5.4 501/5.5.4 354 250/2.0.0", "x\r\n");
}

TEST(session, rset_drops_the_transaction_only_rfc5321_4_1_1_5)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, "RSET\r\n" CORE_OPENING "RSET\r\nDATA\r\nMAIL FROM:<a@x.test>\r\n",
                "220 250/2.0.0 250 250/2.1.0 250/2.1.5 250/2.0.0 503/5.5.1 250/2.1.0");
}

TEST(session, inquiries_leave_the_transaction_alone_rfc5321_4_1_1_9)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                "NOOP\r\nHELP\r\nVRFY x\r\n" CORE_OPENING
                "NOOP\r\nNOOP text\r\nVRFY x\r\nEXPN y\r\nHELP\r\nHELP MAIL\r\nHELP "
                "XYZ\r\nDATA\r\nx\r\n.\r\n",
                "220 250/2.0.0 214/2.0.0 252/2.0.0 250 250/2.1.0 250/2.1.5 250/2.0.0 250/2.0.0 "
                "252/2.0.0 502/5.5.1 214/2.0.0 214/2.0.0 504/5.5.4 354 250/2.0.0",
                "x\r\n");
}

TEST(session, tells_of_a_dropped_transaction_once)
{
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_RESET;
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "RSET\r\nRSET\r\nMAIL FROM:<>\r\nHELO c.test\r\n");
    expect_int(core.reset_count, 2);
    core_clear(&core);
}

/* RFC 5321 4.1.4: the second EHLO drops the transaction and is answered with the extensions, though
 * the question about it is answered from the same event that tells of the drop. */
TEST(session, a_second_ehlo_that_is_asked_about_lists_the_extensions_again)
{
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_ASK_HELO | 1u << SMTP_SERVER_RESET;
    core_open(&core);
    core_feed_text(&core, CORE_OPENING);
    core.output.len = 0;
    core_feed_text(&core, "EHLO again.test\r\n");
    expect_contains(core_output(&core), "250-mx.test\r\n250-PIPELINING\r\n");
    expect_int(core.reset_count, 1);
    core_clear(&core);
}

/* ---- syntax ---- */

TEST(session, unknown_verbs_get_500_and_the_session_goes_on_rfc5321_4_2_4)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, "XYZZY\r\nFOO bar\r\n\r\n  \r\nNOOP\r\n",
                "220 500/5.5.1 500/5.5.1 500/5.5.1 500/5.5.1 250/2.0.0");
}

TEST(session, arguments_where_none_belong_get_501_and_change_nothing_rfc5321_4_3_2)
{
    struct core core = core_defaults();
    CORE_EXPECT(
        &core, CORE_OPENING "DATA x\r\nRSET x\r\nQUIT x\r\nHELO\r\nVRFY\r\nDATA \r\nx\r\n.\r\n",
        CORE_OPENED "501/5.5.4 501/5.5.4 501/5.5.4 501/5.5.4 501/5.5.4 354 250/2.0.0", "x\r\n");
}

TEST(session, bad_paths_get_501_and_open_nothing_rfc5321_4_1_4)
{
    static const char *const bad[] = {"<a@@b>",
                                      "<unclosed",
                                      "a@b",
                                      " <a@b>",
                                      "<a@b> trailing?",
                                      "<a b@c>",
                                      "<a@b\x01>",
                                      "<a@b.>",
                                      "<a@-b>",
                                      "<@b>",
                                      "<a@[1.2.3]>",
                                      "<\"a@b>",
                                      "<a@b>SIZE=1",
                                      "<a@b> =1",
                                      "<a@b> SIZE=",
                                      "<a@b> SIZE=-1",
                                      "<a@b> SIZE=x",
                                      "<a@b> BODY=FOO",
                                      "<a@b> SIZE=1 SIZE=1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char input[256];
        struct core core = core_defaults();
        int len = snprintf(input, sizeof input,
                           "EHLO c.test\r\nMAIL FROM:%s\r\nRCPT TO:<b@y.test>\r\nMAIL FROM:<>\r\n",
                           bad[i]);
        core_open(&core);
        core_feed(&core, input, (size_t)len);
        const char *codes = core_codes(&core);
        if (strncmp(codes, "220 250 501/5.", 14) != 0 ||
            strstr(codes, " 503/5.5.1 250/2.1.0") == NULL) {
            SMTP_TEST_FAIL("MAIL FROM:%s gave %s", bad[i], codes);
        }
        core_clear(&core);
    }
}

TEST(session, unknown_parameters_get_555_rfc5321_4_1_1_11)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                "EHLO c.test\r\nMAIL FROM:<a@x.test> NOSUCH=1\r\nRCPT TO:<b@y.test>\r\n"
                "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test> NOSUCH\r\nDATA\r\n",
                "220 250 555/5.5.4 503/5.5.1 250/2.1.0 555/5.5.4 503/5.5.1");
}

TEST(session, parameters_of_an_extension_that_is_off_get_555)
{
    struct core core = core_defaults();
    core.config.keywords.size = false;
    core.config.keywords.eight_bit_mime = false;
    CORE_EXPECT(&core, "EHLO c.test\r\nMAIL FROM:<> SIZE=1\r\nMAIL FROM:<> BODY=7BIT\r\n",
                "220 250 555/5.5.4 555/5.5.4");
}

TEST(session, control_octets_get_501_rfc5321_4_1_2)
{
    struct core core = core_defaults();
    CORE_EXPECT(
        &core,
        "EHLO c.test\r\nMAIL FROM:<a\0@b>\r\nMAIL FROM:<a\177@b>\r\nNOOP \001\r\n"
        "MAIL FROM:<caf\303\251@x.test>\r\nMAIL FROM:<>\r\nRCPT TO:<caf\303\251@x.test>\r\n",
        "220 250 501/5.5.2 501/5.5.2 501/5.5.2 550/5.6.7 250/2.1.0 553/5.6.7");
}

TEST(session, a_bare_line_end_ends_no_command_rfc5321_2_3_8)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                "NOOP\nNOOP\r\nNOOP\rNOOP\r\nEHLO c.test\nMAIL FROM:<>\r\nNOOP\r\nNOOP\r\r\n\n\r\n",
                "220 500/5.5.2 500/5.5.2 500/5.5.2 250/2.0.0 500/5.5.2 500/5.5.2");
}

/* ---- limits ---- */

TEST(session, a_line_of_512_octets_is_taken_and_one_of_513_refused_rfc5321_4_5_3_1_4)
{
    char input[2048];
    struct core core = core_defaults();
    int len = snprintf(input, sizeof input, "NOOP %0505d\r\nNOOP %0506d\r\nNOOP\r\n", 0, 0);
    core_expect(&core, input, (size_t)len, "220 250/2.0.0 500/5.5.2 250/2.0.0",
                (const char *const[]){NULL});
}

TEST(session, the_mail_line_may_be_longer_by_what_its_extensions_add_rfc1870_3)
{
    char input[2048];
    struct core core = core_defaults();
    core.config.keywords = (struct smtp_server_keywords){
        .size = true, .eight_bit_mime = true, .enhanced_status_codes = true};
    int len = snprintf(input, sizeof input,
                       "EHLO c.test\r\nMAIL FROM:<> SIZE=1%*s\r\nMAIL FROM:<>%*s\r\n",
                       512 + 43 - 21, "", 512 + 43 - 13, "");
    core_expect(&core, input, (size_t)len, "220 250 250/2.1.0 500/5.5.2",
                (const char *const[]){NULL});
}

TEST(session, an_over_long_line_is_refused_as_one_unit_rfc5321_4_5_3_1_9)
{
    enum { LINE = 70000 };
    static char input[LINE + 64];
    size_t len = 0;
    memset(input, 'N', LINE);
    memcpy(input, "NOOP ", 5);
    for (size_t at = 512; at < LINE; at *= 2) {
        memcpy(input + at, "\nRSET", 5); /* the tail must never be taken for a command */
    }
    len = LINE + (size_t)snprintf(input + LINE, 64, "\r\nNOOP\r\n");
    for (size_t piece = 1; piece < 100000; piece = piece * 3 + 1) {
        struct core core = core_defaults();
        core_open(&core);
        for (size_t at = 0; at < len; at += piece) {
            core_feed(&core, input + at, len - at < piece ? len - at : piece);
        }
        expect_str(core_codes(&core), "220 500/5.5.2 250/2.0.0");
        core_clear(&core);
    }
}

TEST(session, paths_of_the_allowed_length_are_taken_and_longer_ones_refused_rfc5321_4_5_3_1)
{
    static const struct {
        int local_part, label, labels;
        const char *codes;
    } rows[] = {
        {64, 61, 3, "220 250 250/2.1.0"}, /* 64 + 1 + 3 * 62 - 1 + 2 = 252 */
        {65, 10, 1, "220 250 501/5.1.7"},
        {10, 63, 4, "220 250 501/5.1.7"}, /* 10 + 1 + 255 + 2 = 268 > 256 */
        {10, 64, 1, "220 250 501/5.5.4"}, /* RFC 1035 2.3.4 */
        {1, 50, 6, "220 250 501/5.1.7"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char input[1024];
        struct core core = core_defaults();
        int len =
            snprintf(input, sizeof input, "EHLO c.test\r\nMAIL FROM:<%0*d@", rows[i].local_part, 1);
        for (int label = 0; label < rows[i].labels; label++) {
            len += snprintf(input + len, sizeof input - (size_t)len, "%s%0*d", label > 0 ? "." : "",
                            rows[i].label, 1);
        }
        len += snprintf(input + len, sizeof input - (size_t)len, ">\r\n");
        core_open(&core);
        core_feed(&core, input, (size_t)len);
        expect_str(core_codes(&core), rows[i].codes);
        core_clear(&core);
    }
}

TEST(session, recipients_beyond_the_limit_get_452_and_the_others_stay_rfc5321_4_5_3_1_10)
{
    struct core core = core_defaults();
    core.config.limits.recipients = 2;
    CORE_EXPECT(&core,
                CORE_OPENING "RCPT TO:<c@y.test>\r\nRCPT TO:<d@y.test>\r\nDATA\r\nx\r\n.\r\n",
                CORE_OPENED "250/2.1.5 452/4.5.3 354 250/2.0.0", "x\r\n");
}

TEST(session, a_hundred_recipients_fit_rfc5321_4_5_3_1_8)
{
    struct core core = core_defaults();
    core_open(&core);
    core_feed_text(&core, "EHLO c.test\r\nMAIL FROM:<>\r\n");
    for (int i = 0; i < 101; i++) {
        char line[64];
        snprintf(line, sizeof line, "RCPT TO:<user%d@y.test>\r\n", i);
        core_feed_text(&core, line);
    }
    core_feed_text(&core, "DATA\r\nx\r\n.\r\n");
    expect_int(core.message_count, 1);
    expect_int(smtp_message_recipient_count(core.messages[0]), 100);
    expect_str(smtp_message_forward_path(core.messages[0], 99), "user99@y.test");
    expect_contains(core_output(&core), "452 4.5.3");
    core_clear(&core);
}

TEST(session, declared_sizes_are_held_against_the_limit_rfc1870_6_1)
{
    struct core core = core_defaults();
    core.config.limits.message_octets = 1000;
    CORE_EXPECT(
        &core,
        "EHLO c.test\r\nMAIL FROM:<> SIZE=1001\r\nMAIL FROM:<> SIZE=18446744073709551617\r\n"
        "MAIL FROM:<> SIZE=99999999999999999999\r\nMAIL FROM:<> SIZE=1000\r\n",
        "220 250 552/5.3.4 552/5.3.4 552/5.3.4 250/2.1.0");
}

TEST(session, content_over_the_limit_gets_552_at_its_end_rfc1870_4)
{
    struct core core = core_defaults();
    core.config.limits.message_octets = 10;
    CORE_EXPECT(&core,
                CORE_OPENING
                "DATA\r\n..........\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n"
                "123456789\r\n.\r\nNOOP\r\n",
                CORE_OPENED "354 552/5.3.4 250/2.1.0 250/2.1.5 354 552/5.3.4 250/2.0.0");
}

TEST(session, content_that_is_refused_already_is_counted_on_rfc1870_4)
{
    struct core core = core_defaults();
    core.config.limits.message_octets = 10;
    CORE_EXPECT(&core, CORE_OPENING "DATA\r\na\nb\r\n12345678\r\n.\r\n",
                CORE_OPENED "354 552/5.3.4");
}

TEST(session, the_limit_does_not_count_dots_that_are_taken_out_rfc1870_5)
{
    struct core core = core_defaults();
    core.config.limits.message_octets = 10;
    CORE_EXPECT(&core, CORE_OPENING "DATA\r\n.......\r\n..\r\n.\r\n", CORE_OPENED "354 552/5.3.4");
    core.config.limits.message_octets = 11;
    CORE_EXPECT(&core, CORE_OPENING "DATA\r\n.......\r\n..\r\n.\r\n", CORE_OPENED "354 250/2.0.0",
                "......\r\n.\r\n");
}

TEST(session, the_declared_size_does_not_end_the_content_rfc1870_6)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                "EHLO c.test\r\nMAIL FROM:<> SIZE=2\r\nRCPT TO:<b@y.test>\r\nDATA\r\n12345\r\n.\r\n"
                "MAIL FROM:<> SIZE=5000\r\nRCPT TO:<b@y.test>\r\nDATA\r\nx\r\n.\r\n",
                "220 250 250/2.1.0 250/2.1.5 354 250/2.0.0 250/2.1.0 250/2.1.5 354 250/2.0.0",
                "12345\r\n", "x\r\n");
}

TEST(session, content_lines_have_a_limit_that_leaves_out_the_stuffed_dot_rfc5321_4_5_3_1_6)
{
    struct core core = core_defaults();
    core.config.limits.text_line_octets = 8;
    CORE_EXPECT(&core, CORE_OPENING "DATA\r\n123456\r\n..2345\r\n.\r\n",
                CORE_OPENED "354 250/2.0.0", "123456\r\n.2345\r\n");
    CORE_EXPECT(&core, CORE_OPENING "DATA\r\n1\r\n1234567\r\n.\r\nNOOP\r\n",
                CORE_OPENED "354 500/5.6.0 250/2.0.0");
}

TEST(session, too_many_errors_end_it)
{
    struct core core = core_defaults();
    core.config.limits.errors = 3;
    CORE_EXPECT(&core, "A\r\nB\r\nNOOP\r\nC\r\nNOOP\r\n",
                "220 500/5.5.1 500/5.5.1 250/2.0.0 500/5.5.1 421/4.7.0");
}

TEST(session, temporary_refusals_are_no_errors_of_the_peer)
{
    struct core core = core_defaults();
    core.config.limits.errors = 1;
    core.config.limits.recipients = 1;
    CORE_EXPECT(&core, CORE_OPENING "RCPT TO:<c@y.test>\r\nNOOP\r\nX\r\n",
                CORE_OPENED "452/4.5.3 250/2.0.0 500/5.5.1 421/4.7.0");
}

TEST(session, too_many_commands_or_messages_end_it)
{
    struct core core = core_defaults();
    core.config.limits.commands = 2;
    CORE_EXPECT(&core, "NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n", "220 250/2.0.0 250/2.0.0 421/4.7.0");
    core = core_defaults();
    core.config.limits.messages = 1;
    CORE_EXPECT(&core, CORE_OPENING "DATA\r\nx\r\n.\r\nMAIL FROM:<>\r\nNOOP\r\n",
                CORE_OPENED "354 250/2.0.0 421/4.7.0", "x\r\n");
}

TEST(session, stops_taking_commands_while_too_much_is_owed)
{
    struct core core = core_defaults();
    core_open(&core);
    static char many[60000];
    for (size_t i = 0; i + 6 <= sizeof many; i += 6) {
        memcpy(many + i, "NOOP\r\n", 6);
    }
    size_t used = smtp_server_session_receive(core.session, many, sizeof many, 1);
    expect_true(used < sizeof many);
    expect_true(!smtp_server_session_wants_input(core.session));
    expect_true(smtp_server_session_pending(core.session).len < 70000);
    core_settle(&core);
    core_feed(&core, many + used, sizeof many - used);
    size_t replies = 0;
    for (const char *at = core_output(&core); (at = strstr(at, "250 2.0.0 OK\r\n")) != NULL; at++) {
        replies++;
    }
    expect_int(replies, sizeof many / 6);
    core_clear(&core);
}

/* ---- content that is not what it seems ---- */

#define SMUGGLED "MAIL FROM:<evil@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nevil\r\n.\r\n"

TEST(session, only_crlf_dot_crlf_ends_content_rfc5321_4_1_1_4)
{
    /* every false end of data of requirements.tsv: refused, once, after the true end */
    static const char *const ends[] = {"a\n.\n",   "a\n.\r\n",  "a\r\n.\n",     "a\r.\r",
                                       "a\r.\r\n", "a\r\n.\rx", "a\r\n.\r\r\n", "a\r\r\n.\n"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char input[512];
        struct core core = core_defaults();
        int len =
            snprintf(input, sizeof input, CORE_OPENING "DATA\r\n%s" SMUGGLED "NOOP\r\n", ends[i]);
        core_expect(&core, input, (size_t)len, CORE_OPENED "354 554/5.6.0 250/2.0.0",
                    (const char *const[]){NULL});
    }
}

TEST(session, bare_line_ends_can_be_accepted_and_still_end_nothing)
{
    struct core core = core_defaults();
    core.config.bare_line_end = SMTP_BARE_ACCEPT;
    CORE_EXPECT(&core, CORE_OPENING "DATA\r\na\n.\nb\r.\rc\r\n.\rd\r\n.\r\r\n..\n\r\n.\r\nNOOP\r\n",
                CORE_OPENED "354 250/2.0.0 250/2.0.0", "a\n.\nb\r.\rc\r\n\rd\r\n\r\r\n.\n\r\n");
}

TEST(session, bare_line_ends_can_close_the_session_at_once)
{
    struct core core = core_defaults();
    core.config.bare_line_end = SMTP_BARE_REFUSE_AND_CLOSE;
    CORE_EXPECT(&core, CORE_OPENING "DATA\r\na\nb" SMUGGLED, CORE_OPENED "354 554/5.6.0");
}

TEST(session, a_bare_line_end_that_closes_does_not_wait_for_the_end_of_the_content)
{
    struct core core = core_defaults();
    core.config.bare_line_end = SMTP_BARE_REFUSE_AND_CLOSE;
    CORE_EXPECT(&core, CORE_OPENING "DATA\r\na\nb\r\n.\r\nNOOP\r\n", CORE_OPENED "354 554/5.6.0");
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "DATA\r\na\nb");
    expect_true(smtp_server_session_ended(core.session));
    core_clear(&core);
}

TEST(session, refused_content_is_an_error_of_the_peer)
{
    struct core core = core_defaults();
    core.config.limits.errors = 1;
    CORE_EXPECT(&core, CORE_OPENING "DATA\r\na\nb\r\n.\r\nNOOP\r\n",
                CORE_OPENED "354 554/5.6.0 421/4.7.0");
}

TEST(session, the_log_has_each_line_of_a_reply)
{
    struct core core = core_defaults();
    core_log(&core);
    core_open(&core);
    core_feed_text(&core, "EHLO c.test\r\n");
    expect_contains(core_log(&core), "C:EHLO c.test\nS:250-mx.test\nS:250-PIPELINING\n");
    expect_contains(core_log(&core), "S:250 HELP\n");
    core_clear(&core);
}

TEST(session, a_bare_line_end_in_content_that_is_refused_already_still_counts)
{
    struct core core = core_defaults();
    core.config.limits.message_octets = 5;
    core.config.bare_line_end = SMTP_BARE_REFUSE_AND_CLOSE;
    CORE_EXPECT(&core, CORE_OPENING "DATA\r\ntoo large\r\nb" SMUGGLED, CORE_OPENED "354 552/5.3.4");
    core_log(&core);
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "DATA\r\ntoo large\r\n");
    core_feed_text(&core, "b\nc\r\n");
    expect_contains(core_log(&core), "N:bare LF at octet 13 of the content\n");
    core_clear(&core);
}

TEST(session, nul_octets_are_kept_and_make_no_end_of_data)
{
    struct core core = core_defaults();
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "DATA\r\n");
    core_feed(&core, "a\r\n\0.\r\n.\0\r\n.\r\n", 15);
    expect_str(core_codes(&core), CORE_OPENED "354 250/2.0.0");
    size_t size;
    const char *content = smtp_message_content(core.messages[0], &size);
    expect_bytes(content, size, "a\r\n\0.\r\n\0\r\n", 10);
    core_clear(&core);
}

TEST(session, the_log_says_at_which_octet_a_bare_line_end_stood)
{
    struct core core = core_defaults();
    core_log(&core);
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "DATA\r\n..a\r\nb\nc\r.\r\n.\r\nAUTH PLAIN c2VjcmV0\r\n");
    expect_contains(core_log(&core), "N:bare LF at octet 7 of the content\n");
    expect_contains(core_output(&core), "554 5.6.0 Bare LF at octet 7 of the content");
    expect_contains(core_log(&core), "C:AUTH PLAIN ***\n");
    expect_true(strstr(core_log(&core), "c2Vj") == NULL);
    core_clear(&core);
}

TEST(session, the_log_tells_of_a_bare_line_end_once_a_message)
{
    struct core core = core_defaults();
    core_log(&core);
    core_open(&core);
    core_feed_text(&core, "EHLO client.test\r\n");
    for (int i = 0; i < 2; i++) {
        core_feed_text(&core, "MAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nDATA\r\na\nb\r\n");
        core_feed_text(&core, "c\nd\r\n.\r\n");
    }
    size_t notes = 0;
    for (const char *at = core_log(&core); (at = strstr(at, "N:bare LF at octet 2 ")) != NULL;
         at++) {
        notes++;
    }
    expect_int(notes, 2);
    core_clear(&core);
}

TEST(session, refused_content_leaves_nothing_of_its_transaction_rfc5321_4_1_1_4)
{
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_RESET;
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "DATA\r\na\nb\r\n.\r\nRSET\r\n");
    expect_str(core_codes(&core), CORE_OPENED "354 554/5.6.0 250/2.0.0");
    expect_int(core.reset_count, 0);
    core_clear(&core);
}

/* A file with LF alone for line ends is one long line to SMTP; what is wrong with it is the LF. */
TEST(session, a_bare_lf_is_named_before_the_long_line_that_it_makes)
{
    struct core core = core_defaults();
    core.config.limits.text_line_octets = 8;
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "DATA\r\nabcde\nfghij\r\n.\r\n");
    expect_contains(core_output(&core), "554 5.6.0 Bare LF at octet 6 of the content");
    core_clear(&core);
    core = core_defaults();
    core.config.limits.text_line_octets = 8;
    core.config.bare_line_end = SMTP_BARE_ACCEPT;
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "DATA\r\nabcde\nfghij\r\n.\r\n");
    expect_contains(core_output(&core), "500 5.6.0 Line too long: that at octet 1 of the content");
    core_clear(&core);
}
