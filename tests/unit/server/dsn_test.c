/* dsn_test.c - RET, ENVID, NOTIFY and ORCPT (RFC 3461), and the encodings of their values. */
#include "server/protocol/xtext.h"
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <stdio.h>

#define HELLO "EHLO c.test\r\n"
#define OPENING HELLO "MAIL FROM:<a@x.test>\r\n"

/* Each value with MAIL, or behind one with RCPT, must get the reply. */
static void expect_each(const char *command, const char *const *values, size_t count,
                        const char *codes)
{
    for (size_t i = 0; i < count; i++) {
        char input[2048];
        struct core core = core_defaults();
        int len = snprintf(input, sizeof input, "%s %s\r\n", command, values[i]);
        core_expect(&core, input, (size_t)len, codes, (const char *const[]){NULL});
    }
}
#define EXPECT_EACH(command, values, codes)                                                        \
    expect_each(command, values, sizeof(values) / sizeof *(values), codes)

#define MAIL HELLO "MAIL FROM:<a@x.test>"
#define RCPT OPENING "RCPT TO:<b@y.test>"

TEST(dsn, is_offered_and_its_parameters_are_555_where_it_is_off_rfc5321_4_1_1_11)
{
    struct core core = core_defaults();
    core_open(&core);
    core_feed_text(&core, HELLO);
    expect_contains(core_output(&core), "250-DSN\r\n");
    core_clear(&core);
    core = core_defaults();
    core.config.keywords.dsn = false;
    CORE_EXPECT(&core,
                MAIL " RET=FULL\r\nMAIL FROM:<> ENVID=a\r\nMAIL FROM:<>\r\n"
                     "RCPT TO:<b@y.test> NOTIFY=NEVER\r\nRCPT TO:<b@y.test> ORCPT=rfc822;a@b\r\n",
                "220 250 555/5.5.4 555/5.5.4 250/2.1.0 555/5.5.4 555/5.5.4");
    core_open(&core);
    core_feed_text(&core, HELLO);
    expect_true(strstr(core_output(&core), "DSN") == NULL);
    core_clear(&core);
}

/* rfc3461/5.1/dsn-parameters-neutral */
TEST(dsn, valid_parameters_change_no_reply_to_mail_rfc3461_5_1)
{
    static const char *const good[] = {
        "RET=FULL",       "RET=HDRS",         "ret=hdrs",    "ENVID=a",
        "envid=QQ314159", "ENVID=+2B",        "ENVID=a+20b", "ENVID=+41+7E",
        "ENVID=<a;b@c>",  "RET=FULL ENVID=x", "ENVID=\\{}",  "SIZE=1 RET=FULL",
    };
    EXPECT_EACH(MAIL, good, "220 250 250/2.1.0");
}

TEST(dsn, valid_parameters_change_no_reply_to_rcpt_rfc3461_5_1)
{
    static const char *const good[] = {
        "NOTIFY=NEVER",
        "NOTIFY=never",
        "NOTIFY=SUCCESS",
        "NOTIFY=success,Failure,DELAY",
        "NOTIFY=DELAY,SUCCESS",
        "ORCPT=rfc822;Bob+2Bx@Y.test",
        "orcpt=RFC822;b@y",
        "ORCPT=x-any;+20",
        "ORCPT=utf-8;b\\x{E9}@y.test",
        "ORCPT=UTF-8;b\\x{1F600}\\x{2b}@y.test",
        "NOTIFY=DELAY ORCPT=rfc822;b@y",
    };
    EXPECT_EACH(RCPT, good, "220 250 250/2.1.0 250/2.1.5");
}

static enum smtp_server_verdict refuse_rcpt(const struct smtp_server_event *event,
                                            struct smtp_server_reply *reply)
{
    return event->kind == SMTP_SERVER_ASK_RCPT
               ? smtp_server_reply(reply, 550, "5.1.1", "No such user")
               : SMTP_ACCEPT;
}

TEST(dsn, a_refused_recipient_is_refused_alike_with_parameters_rfc3461_5_1)
{
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_ASK_RCPT;
    core.decide = refuse_rcpt;
    CORE_EXPECT(&core, RCPT "\r\nRCPT TO:<b@y.test> NOTIFY=NEVER ORCPT=rfc822;b@y.test\r\n",
                "220 250 250/2.1.0 550/5.1.1 550/5.1.1");
}

/* rfc3461/5.1/dsn-bad-mail-parameter-501 */
TEST(dsn, bad_or_repeated_parameters_of_mail_are_501_and_open_nothing_rfc3461_5_1)
{
    static const char *const bad[] = {
        "RET=BOTH",   "RET",       "RET=",      "RET=FULL RET=FULL", "RET=FULL,HDRS",
        "ENVID=a+zz", "ENVID",     "ENVID=",    "ENVID=a ENVID=a",   "ENVID=a=b",
        "ENVID=a+2b", "ENVID=+",   "ENVID=+0A", "ENVID=+0D+0AX",     "ENVID=+00",
        "ENVID=+7F",  "ENVID=+80", "ENVID=+E9", "ENVID=a\xc3\xa9",   "ENVID=a\xff",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char input[256];
        struct core core = core_defaults();
        int len = snprintf(input, sizeof input, MAIL " %s\r\nRCPT TO:<b@y.test>\r\n", bad[i]);
        core_expect(&core, input, (size_t)len, "220 250 501/5.5.4 503/5.5.1",
                    (const char *const[]){NULL});
    }
}

/* rfc3461/5.1/dsn-bad-rcpt-parameter-501 */
TEST(dsn, bad_or_repeated_parameters_of_rcpt_are_501_rfc3461_5_1)
{
    static const char *const bad[] = {
        "NOTIFY=NEVER,SUCCESS",
        "NOTIFY=SUCCESS,NEVER",
        "NOTIFY=FOO",
        "NOTIFY",
        "NOTIFY=",
        "NOTIFY=,",
        "NOTIFY=SUCCESS,",
        "NOTIFY=,SUCCESS",
        "NOTIFY=SUCCESS,,DELAY",
        "NOTIFY=DELAY,DELAY",
        "NOTIFY=SUCCESSFUL",
        "NOTIFY=NEVER NOTIFY=NEVER",
        "ORCPT=noaddrtype",
        "ORCPT=rfc822;a+zz",
        "ORCPT=rfc822;",
        "ORCPT=;a@b",
        "ORCPT=",
        "ORCPT",
        "ORCPT=rfc822;+0A",
        "ORCPT=rfc822;+E9",
        "ORCPT=rf(c;a@b",
        "ORCPT=rfc822;a@b ORCPT=rfc822;a@b",
        "ORCPT=rfc822;b\xc3\xa9@y.test",
        "ORCPT=utf-8;b+2Bc@y.test",
        "ORCPT=utf-8;b\\x{41}@y.test",
        "ORCPT=utf-8;b\\x{D800}@y.test",
        "ORCPT=utf-8;b\xc3\xa9@y.test", /* as it is only under SMTPUTF8 */
        "ORCPT=utf-8;",
        "RET=FULL ", /* of MAIL */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char input[256];
        struct core core = core_defaults();
        int len = snprintf(input, sizeof input, RCPT " %s\r\nDATA\r\n", bad[i]);
        bool of_mail = strncmp(bad[i], "RET", 3) == 0;
        core_expect(&core, input, (size_t)len,
                    of_mail ? "220 250 250/2.1.0 555/5.5.4 503/5.5.1"
                            : "220 250 250/2.1.0 501/5.5.4 503/5.5.1",
                    (const char *const[]){NULL});
    }
}

/* rfc3461/5.4/dsn-parameter-sizes */
TEST(dsn, envid_has_100_octets_and_orcpt_500_at_most_rfc3461_5_4)
{
    char input[4096];
    struct core core = core_defaults();
    int len = snprintf(input, sizeof input,
                       HELLO "MAIL FROM:<> ENVID=%0*d\r\nMAIL FROM:<> ENVID=%0*d\r\n"
                             "RCPT TO:<b@y.test> ORCPT=rfc822;%0*d\r\n"
                             "RCPT TO:<b@y.test> ORCPT=rfc822;%0*d\r\n",
                       101, 0, 100, 0, 493, 0, 494, 0);
    core_expect(&core, input, (size_t)len, "220 250 501/5.5.4 250/2.1.0 250/2.1.5 501/5.5.4",
                (const char *const[]){NULL});
}

/* The same, of lines: 1036 octets with CRLF, and not one more, where nothing else adds to them. */
TEST(dsn, lines_of_1036_octets_are_taken_rfc3461_5_4)
{
    static char input[8192];
    struct core core = core_defaults();
    core.config.keywords =
        (struct smtp_server_keywords){.dsn = true, .enhanced_status_codes = true};
    int len = snprintf(input, sizeof input,
                       HELLO "MAIL FROM:<> RET=FULL%*s\r\nMAIL FROM:<> RET=FULL%*s\r\n"
                             "RCPT TO:<b@y.test> NOTIFY=DELAY%*s\r\n"
                             "RCPT TO:<b@y.test> NOTIFY=DELAY%*s\r\n",
                       1037 - 23, "", 1036 - 23, "", 1036 - 33, "", 1037 - 33, "");
    core_expect(&core, input, (size_t)len, "220 250 500/5.5.2 250/2.1.0 250/2.1.5 500/5.5.2",
                (const char *const[]){NULL});
}

TEST(dsn, rcpt_lines_have_512_octets_where_it_is_off_rfc5321_4_5_3_1_4)
{
    char input[2048];
    struct core core = core_defaults();
    core.config.keywords.dsn = false;
    int len =
        snprintf(input, sizeof input, OPENING "RCPT TO:<b@y.test>%*s\r\nRCPT TO:<b@y.test>%*s\r\n",
                 512 - 20, "", 513 - 20, "");
    core_expect(&core, input, (size_t)len, "220 250 250/2.1.0 250/2.1.5 500/5.5.2",
                (const char *const[]){NULL});
}

TEST(dsn, the_message_keeps_the_parameters_as_given_rfc3461_5_2_1)
{
    struct core core = core_defaults();
    core_open(&core);
    core_feed_text(&core, HELLO "MAIL FROM:<> reT=Hdrs ENVID=aB+2B\r\n"
                                "RCPT TO:<b@y.test> ORCPT=rfc822;BoB@Y.test NOTIFY=Delay\r\n"
                                "DATA\r\nx\r\n.\r\n");
    expect_str(smtp_message_mail_parameters(core.messages[0]), "reT=Hdrs ENVID=aB+2B");
    expect_str(smtp_message_rcpt_parameters(core.messages[0], 0),
               "ORCPT=rfc822;BoB@Y.test NOTIFY=Delay");
    core_clear(&core);
}

/* ---- the encodings ---- */

TEST(xtext, stands_for_printable_octets_in_upper_case_digits_rfc3461_4)
{
    static const char *const good[] = {"a", "+41", "+20", "+7E", "a+2Bb", "~", "!", "\\x{41}"};
    static const char *const bad[] = {"",    "+",   "+4",   "+4a", "+g0", "a b",
                                      "a=b", "+1F", "\x7f", "+7F", "+80", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        expect_true(smtp_is_xtext(smtp_span_of(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect_true(!smtp_is_xtext(smtp_span_of(bad[i])));
    }
}

TEST(xtext, is_decoded_into_its_octets_and_never_beyond_the_room)
{
    char text[5];
    expect_true(smtp_xtext_decode(SMTP_SPAN("a+2Bb+C3"), text, sizeof text));
    expect_str(text, "a+b\xc3");
    expect_true(smtp_xtext_decode(SMTP_SPAN(""), text, sizeof text));
    expect_str(text, "");
    expect_true(!smtp_xtext_decode(SMTP_SPAN("abcde"), text, sizeof text));
    expect_true(!smtp_xtext_decode(SMTP_SPAN("a+0A"), text, sizeof text));
    expect_true(!smtp_xtext_decode(SMTP_SPAN("a+"), text, sizeof text));
    expect_true(!smtp_xtext_decode(SMTP_SPAN("a+7F"), text, sizeof text));
}

TEST(xtext, addresses_in_utf8_embed_what_cannot_stand_as_it_is_rfc6533_3)
{
    static const char *const good[] = {
        "a@b",         "\\x{2B}",    "\\x{3D}",   "\\x{5C}",    "\\x{20}",
        "\\x{80}",     "\\x{E9}",    "\\x{100}",  "\\x{D7FF}",  "\\x{E000}",
        "\\x{10FFFF}", "\xc3\xa9@b", "\\x{fFfF}", "\\x{1F600}", "\xf0\x9f\x98\x80",
    };
    static const char *const bad[] = {
        "",          "a+b",         "a=b",          "\\",       "\\x",     "\\x{",
        "\\x{}",     "\\x{E9",      "\\x{9}",       "\\x{0E9}", "\\x{41}", "\\x{D800}",
        "\\x{DFFF}", "\\x{110000}", "\\x{1000000}", "\\x{0A}",  "\\x{7F}", "\\x{00}",
        "\\X{E9}",   "\\x{G0}",     "\xc3",         "\xc0\xaf", "a b",     "\xed\xa0\x80",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!smtp_is_utf8_address(smtp_span_of(good[i]))) {
            SMTP_TEST_FAIL("refused: %s", good[i]);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (smtp_is_utf8_address(smtp_span_of(bad[i]))) {
            SMTP_TEST_FAIL("taken: %s", bad[i]);
        }
    }
}
