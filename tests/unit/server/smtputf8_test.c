/* smtputf8_test.c - SMTPUTF8 (RFC 6531): which addresses are taken when, what a reply may hold, and the
 * names of the protocol. */
#include "server/protocol/path.h"
#include "server/protocol/reply.h"
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <stdio.h>

#define E "\xc3\xa9" /* e with an acute accent */
#define HELLO "EHLO c.test\r\n"
#define OPENING HELLO "MAIL FROM:<> SMTPUTF8\r\n"
#define OPENED "220 250 250/2.1.0 "

/* rfc6531/3.1/smtputf8-offer */
TEST(smtputf8, is_offered_without_a_parameter_and_beside_8bitmime_rfc6531_3_1)
{
    struct core core = core_defaults();
    core_open(&core);
    core_feed_text(&core, HELLO);
    expect_contains(core_output(&core), "250-8BITMIME\r\n250-SMTPUTF8\r\n");
    core_clear(&core);
}

/* rfc6531/3.2/smtputf8-addresses */
TEST(smtputf8, the_parameter_makes_addresses_in_utf8_good_rfc6531_3_2)
{
    static const char *const good[] = {
        "caf" E "@x.test",
        E "@x.test",
        "a@b" E "cher.test",
        "\"" E " x\"@y.test",
        "\xe4\xbd\xa0@\xe4\xbe\x8b\xe5\xad\x90.test",
        "\xf0\x9f\x98\x80@x",
        "a@" E "-" E ".test",
        "@r" E ":a@b.test",
        "a." E ".b@x.test",
        "\"\\\"" E "\"@x",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char input[256];
        struct core core = core_defaults();
        int len = snprintf(input, sizeof input, HELLO "MAIL FROM:<%s> SMTPUTF8\r\nRCPT TO:<%s>\r\n",
                           good[i], good[i]);
        core_expect(&core, input, (size_t)len, OPENED "250/2.1.5", (const char *const[]){NULL});
    }
}

TEST(smtputf8, ill_formed_utf8_is_refused_with_the_parameter_too_rfc6531_3_3)
{
    static const char *const bad[] = {
        "caf\xe9@x.test", "a@b\xff.test",  "\"\xc3\"@x",  "a\xc0\xaf@x", "a\xed\xa0\x80@x",
        "\"\\" E "\"@x", /* a quoted-pair has ASCII alone */
        "a@-" E ".test",  "a@" E "-.test", "a@[" E ":x]", "a@[x:" E "]", E "@",
        ("@" E),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char input[256];
        struct core core = core_defaults();
        int len = snprintf(input, sizeof input,
                           HELLO "MAIL FROM:<%s> SMTPUTF8\r\nMAIL FROM:<> SMTPUTF8\r\n"
                                 "RCPT TO:<%s>\r\n",
                           bad[i], bad[i]);
        core_expect(&core, input, (size_t)len, "220 250 501/5.1.7 250/2.1.0 501/5.1.3",
                    (const char *const[]){NULL});
    }
}

TEST(smtputf8, without_the_parameter_they_are_550_and_553_rfc6531_3_5)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                HELLO "MAIL FROM:<caf" E "@x>\r\nMAIL FROM:<a@x>\r\nRCPT TO:<" E "@x>\r\n"
                      "RCPT TO:<a@" E ".test>\r\nRCPT TO:<b@x>\r\nDATA\r\nx\r\n.\r\n",
                "220 250 550/5.6.7 250/2.1.0 553/5.6.7 553/5.6.7 250/2.1.5 354 250/2.0.0", "x\r\n");
}

TEST(smtputf8, where_it_is_off_they_are_syntax_and_the_parameter_555_rfc5321_2_4)
{
    struct core core = core_defaults();
    core.config.keywords.smtputf8 = false;
    CORE_EXPECT(&core,
                HELLO "MAIL FROM:<caf" E "@x>\r\nMAIL FROM:<a@x> SMTPUTF8\r\nMAIL FROM:<a@x>\r\n"
                      "RCPT TO:<" E "@x>\r\n",
                "220 250 501/5.1.7 555/5.5.4 250/2.1.0 501/5.1.3");
    core = core_defaults();
    CORE_EXPECT(&core, "HELO c.test\r\nMAIL FROM:<caf" E "@x>\r\nMAIL FROM:<a@x> SMTPUTF8\r\n",
                "220 250 501/5.1.7 555/5.5.4");
}

TEST(smtputf8, the_parameter_has_no_value_and_is_of_mail_alone_rfc6531_3_1)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                HELLO "MAIL FROM:<> SMTPUTF8=x\r\nMAIL FROM:<> SMTPUTF8 SMTPUTF8\r\n"
                      "MAIL FROM:<> smtputf8\r\nRCPT TO:<b@x> SMTPUTF8\r\n",
                "220 250 501/5.5.4 501/5.5.4 250/2.1.0 555/5.5.4");
}

TEST(smtputf8, it_holds_for_its_transaction_alone)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                OPENING "RSET\r\nMAIL FROM:<" E "@x>\r\nMAIL FROM:<> SMTPUTF8 X=1\r\n"
                        "MAIL FROM:<>\r\nRCPT TO:<" E "@x>\r\n",
                OPENED "250/2.0.0 550/5.6.7 555/5.5.4 250/2.1.0 553/5.6.7");
}

TEST(smtputf8, values_in_utf8_need_it_wherever_it_stands_rfc6533_3)
{
    struct core core = core_defaults();
    core.config.mechanisms_clear = "PLAIN";
    CORE_EXPECT(&core,
                HELLO "MAIL FROM:<> AUTH=" E "@x\r\nMAIL FROM:<> AUTH=" E "@x SMTPUTF8\r\n"
                      "RCPT TO:<b@x> ORCPT=utf-8;" E "\\x{20}@x\r\n"
                      "RCPT TO:<b@x> ORCPT=UTF-8;" E "@x\r\n"
                      "RCPT TO:<b@x> ORCPT=rfc822;" E "@x\r\nRCPT TO:<b@x> ORCPT=utf-8;\xc3@x\r\n"
                      "RCPT TO:<b@x> ORCPT=" E ";b@x\r\n",
                "220 250 501/5.5.4 250/2.1.0 250/2.1.5 250/2.1.5 501/5.5.4 501/5.5.4 501/5.5.4");
}

TEST(smtputf8, limits_count_octets_rfc6531_3_2)
{
    struct core core = core_defaults();
    core.config.limits.local_part_octets = 4;
    CORE_EXPECT(&core, OPENING "RCPT TO:<" E E "@x>\r\nRCPT TO:<" E E "a@x>\r\n",
                OPENED "250/2.1.5 501/5.1.3");
    core = core_defaults();
    core.config.limits.domain_octets = 7;
    CORE_EXPECT(&core, OPENING "RCPT TO:<a@" E "x.test>\r\nRCPT TO:<a@" E ".test>\r\n",
                OPENED "501/5.1.3 250/2.1.5");
}

TEST(smtputf8, a_u_label_may_be_longer_in_octets_than_its_a_label_rfc5890_4_2)
{
    struct smtp_server_options options;
    struct smtp_path path;
    char text[128] = "<a@";
    smtp_server_options_init(&options);
    for (size_t i = 0; i < 40; i++) {
        memcpy(text + 3 + 2 * i, E, 2);
    }
    text[83] = '>';
    struct smtp_span span = smtp_span_of(text);
    expect_int(smtp_path_read(&span, SMTP_FORWARD_PATH, &options.limits, &path), SMTP_PATH_OK);
    expect_int(path.domain.len, 80);
}

TEST(smtputf8, the_name_of_ehlo_stays_ascii_rfc6531_3_7_1)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, "EHLO b" E ".test\r\nEHLO xn--b-9ia.test\r\n", "220 501/5.5.4 250");
}

TEST(smtputf8, the_mail_line_may_be_10_octets_longer_rfc6531_3_1)
{
    static char input[4096];
    struct core core = core_defaults();
    core.config.keywords = (struct smtp_server_keywords){
        .eight_bit_mime = true, .smtputf8 = true, .vrfy = true, .enhanced_status_codes = true};
    int len = snprintf(input, sizeof input,
                       HELLO "MAIL FROM:<> SMTPUTF8%*s\r\nVRFY %0*d SMTPUTF8\r\n"
                             "VRFY %0*d SMTPUTF8\r\nMAIL FROM:<> SMTPUTF8%*s\r\n",
                       512 + 27 - 23, "", 522 - 16, 0, 523 - 16, 0, 512 + 28 - 23, "");
    core_expect(&core, input, (size_t)len, "220 250 250/2.1.0 252/2.0.0 500/5.5.2 500/5.5.2",
                (const char *const[]){NULL});
}

/* ---- the protocol's name ---- */

TEST(smtputf8, the_message_tells_the_protocol_rfc6531_4_3)
{
    static const struct smtp_tls_facts facts = {.version = "TLSv1.3", .cipher = "x"};
    static const struct {
        bool lmtp, tls;
        const char *hello, *plain, *utf8;
    } rows[] = {
        {false, false, "EHLO", "ESMTP", "UTF8SMTP"},
        {false, true, "EHLO", "ESMTPS", "UTF8SMTPS"},
        {true, false, "LHLO", "LMTP", "UTF8LMTP"},
        {true, true, "LHLO", "LMTPS", "UTF8LMTPS"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct core core = core_defaults();
        core.lmtp = rows[i].lmtp;
        core.implicit_tls = rows[i].tls ? &facts : NULL;
        core_open(&core);
        core_feed_text(&core, rows[i].hello);
        core_feed_text(&core,
                       " c.test\r\nMAIL FROM:<> SMTPUTF8\r\nRCPT TO:<" E "@x>\r\nDATA\r\n.\r\n"
                       "MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nDATA\r\n.\r\n");
        expect_int(core.message_count, 2);
        expect_str(smtp_message_protocol(core.messages[0]), rows[i].utf8);
        expect_str(smtp_message_forward_path(core.messages[0], 0), E "@x");
        expect_str(smtp_message_protocol(core.messages[1]), rows[i].plain);
        expect_str(smtp_server_session_protocol(core.session), rows[i].plain);
        core_feed_text(&core, "MAIL FROM:<> SMTPUTF8\r\n");
        expect_str(smtp_server_session_protocol(core.session), rows[i].utf8);
        core_feed_text(&core, "RSET\r\nMAIL FROM:<> SMTPUTF8 X\r\n");
        expect_str(smtp_server_session_protocol(core.session), rows[i].plain);
        core_clear(&core);
    }
}

/* ---- replies ---- */

static enum smtp_server_verdict name_a_mailbox(const struct smtp_server_event *event,
                                               struct smtp_server_reply *reply)
{
    switch (event->kind) {
    case SMTP_SERVER_ASK_RCPT:
        return event->path[0] == 'f'
                   ? smtp_server_reply(reply, 251, "2.1.5", "forwards to <" E "@y>")
               : event->path[0] == 'm'
                   ? smtp_server_reply(reply, 551, "5.1.6", "try <" E "@y>")
                   : smtp_server_reply(reply, 550, "5.1.1", "no %s", event->path);
    case SMTP_SERVER_ASK_VRFY:
    case SMTP_SERVER_ASK_EXPN:
        return event->argument[0] == 'n'
                   ? smtp_server_reply(reply, 550, "5.1.1", "no %s", event->argument)
                   : smtp_server_reply(reply, 250, "2.1.5", "<%s" E "@y>\n<\xff>", event->argument);
    default:
        return SMTP_ACCEPT;
    }
}

static struct core with_hooks(void)
{
    struct core core = core_defaults();
    core.config.asks =
        1u << SMTP_SERVER_ASK_RCPT | 1u << SMTP_SERVER_ASK_VRFY | 1u << SMTP_SERVER_ASK_EXPN;
    core.decide = name_a_mailbox;
    return core;
}

/* What comes back for the last command. */
static void expect_reply(const char *input, const char *reply)
{
    struct core core = with_hooks();
    core_open(&core);
    core_feed_text(&core, input);
    const char *output = core_output(&core);
    size_t len = strlen(output), tail = strlen(reply);
    expect_true(len >= tail);
    expect_str(output + len - tail, reply);
    core_clear(&core);
}

/* rfc6531/3.7.4.2/replies-stay-ascii */
TEST(smtputf8, replies_to_rcpt_hold_utf8_only_in_251_and_551_rfc6531_3_7_4_2)
{
    expect_reply(OPENING "RCPT TO:<f@x>\r\n", "\r\n251 2.1.5 forwards to <" E "@y>\r\n");
    expect_reply(OPENING "RCPT TO:<m@x>\r\n", "\r\n551 5.1.6 try <" E "@y>\r\n");
    expect_reply(OPENING "RCPT TO:<" E "@x>\r\n", "\r\n550 5.1.1 no ??@x\r\n");
    expect_reply(HELLO "MAIL FROM:<>\r\nRCPT TO:<f@x>\r\n", "\r\n251 2.1.5 forwards to <??@y>\r\n");
    expect_reply(HELLO "MAIL FROM:<>\r\nRCPT TO:<m@x>\r\n", "\r\n551 5.1.6 try <??@y>\r\n");
}

TEST(smtputf8, vrfy_and_expn_are_answered_in_utf8_with_the_parameter_rfc6531_3_7_4_2)
{
    expect_reply(HELLO "VRFY " E " SMTPUTF8\r\n", "\r\n250-2.1.5 <" E E "@y>\r\n250 2.1.5 <?>\r\n");
    expect_reply(HELLO "EXPN a smtputf8\r\n", "\r\n250-2.1.5 <a" E "@y>\r\n250 2.1.5 <?>\r\n");
    expect_reply(HELLO "VRFY n" E " SMTPUTF8\r\n", "\r\n550 5.1.1 no n" E "\r\n");
    expect_reply(HELLO "VRFY nobody  SMTPUTF8\r\n", "\r\n550 5.1.1 no nobody\r\n");
    expect_reply("HELO c.test\r\nVRFY nobody SMTPUTF8\r\n",
                 "\r\n550 5.1.1 no nobody SMTPUTF8\r\n"); /* an extension needs EHLO */
    expect_reply(HELLO "VRFY n" E " SMTPUTF8\r\nNOOP\r\n", "\r\n250 2.0.0 OK\r\n");
    expect_reply(OPENING "VRFY x SMTPUTF8\r\nRCPT TO:<b" E "@x>\r\n", "\r\n550 5.1.1 no b??@x\r\n");
}

TEST(smtputf8, without_it_a_reply_that_needs_utf8_is_252_with_2_6_8_rfc6531_3_7_4_2)
{
    static const char needed[] = "\r\n252 2.6.8 The reply is in UTF-8: ask with SMTPUTF8\r\n";
    expect_reply(HELLO "VRFY a\r\n", needed);
    expect_reply(HELLO "EXPN a\r\n", needed);
    expect_reply(HELLO "VRFY nobody\r\n", "\r\n550 5.1.1 no nobody\r\n");
    expect_reply(HELLO "VRFY SMTPUTF8\r\n", needed); /* a name like any other */
}

TEST(smtputf8, names_in_utf8_of_vrfy_and_expn_need_it_rfc6531_3_7_4_2)
{
    struct core core = with_hooks();
    CORE_EXPECT(&core,
                HELLO "VRFY " E "\r\nEXPN " E "\r\nVRFY \xff SMTPUTF8\r\nVRFY n" E " SMTPUTF8\r\n",
                "220 250 553/5.6.7 553/5.6.7 501/5.1.3 550/5.1.1");
    core = with_hooks();
    core.config.keywords.smtputf8 = false;
    CORE_EXPECT(&core, HELLO "VRFY n" E " SMTPUTF8\r\nVRFY no SMTPUTF8\r\n",
                "220 250 553/5.6.7 550/5.1.1");
}

TEST(smtputf8, a_long_reply_is_cut_between_characters_rfc5321_4_5_3_1_5)
{
    struct smtp_buffer out = SMTP_BUFFER(SIZE_MAX);
    char text[1000] = "a";
    for (size_t i = 0; i < 400; i++) {
        memcpy(text + 1 + 2 * i, E, 2);
    }
    expect_int(smtp_reply_append(&out, 251, "2.1.5", text, true), SMTP_OK);
    expect_int(out.len, 511); /* "251 2.1.5 a", 249 characters, CRLF */
    expect_int((unsigned char)out.bytes[508], 0xa9);
    smtp_buffer_free(&out);
}
