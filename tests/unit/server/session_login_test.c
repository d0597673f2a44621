/* session_login_test.c - server/protocol/: which mechanism is offered when and how each other is
 * refused, when AUTH is in order, what a login changes, what needs one, and AUTH= of MAIL (RFC 4954).
 * The exchange itself stands in session_auth_test.c. */
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <stdio.h>

#define HELLO "EHLO c.test\r\n"
#define GREETED "220 250 "
#define LOGIN "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"
#define MESSAGE "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nx\r\n.\r\n"
#define TAKEN "250/2.1.0 250/2.1.5 354 250/2.0.0"

static const struct smtp_tls_facts facts = {"TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", "", "",
                                            false};
static const struct smtp_tls_facts with_certificate = {"TLSv1.3", "TLS_AES_128_GCM_SHA256", "",
                                                       "ann", false};

static struct smtp_server_auth_answer accept_login(const struct smtp_server_event *event,
                                                   unsigned steps)
{
    (void)event;
    (void)steps;
    return (struct smtp_server_auth_answer){.step = SMTP_SERVER_AUTH_ACCEPTED,
                                            .identity = "j\xc3\xbcrgen"};
}

static struct core with_auth(void)
{
    struct core core = core_defaults();
    core.config.mechanisms_clear = "SCRAM-SHA-256 CRAM-MD5";
    core.config.mechanisms_tls = "SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN EXTERNAL";
    core.config.mechanisms_too_weak = "NTLM DIGEST-MD5";
    core.answer_auth = accept_login;
    return core;
}

static struct core with_plain(void)
{
    struct core core = with_auth();
    core.config.mechanisms_clear = "PLAIN";
    return core;
}

/* ---- the offer ---- */

static void expect_offer(const struct core *prepared, const char *offer)
{
    struct core core = *prepared;
    core_open(&core);
    core_feed_text(&core, HELLO);
    const char *line = strstr(core_output(&core), "AUTH");
    if (offer == NULL) {
        expect_true(line == NULL);
    } else {
        char expected[600];
        snprintf(expected, sizeof expected, "\r\n250-%s\r\n", offer);
        expect_contains(core_output(&core), expected);
        expect_true(strstr(line + 4, "AUTH") == NULL); /* once */
    }
    expect_str(core_codes(&core), "220 250");
    core_clear(&core);
}

TEST(login, ehlo_lists_what_can_be_used_here_and_now_rfc4954_3)
{
    struct core core = with_auth();
    expect_offer(&core, "AUTH SCRAM-SHA-256 CRAM-MD5");
    core.implicit_tls = &facts;
    expect_offer(&core, "AUTH SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN");
    core.implicit_tls = &with_certificate;
    expect_offer(&core, "AUTH SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN EXTERNAL");
}

TEST(login, ehlo_has_no_auth_line_where_nothing_can_be_used_rfc4954_3)
{
    struct core core = core_defaults();
    expect_offer(&core, NULL);
    core.config.mechanisms_too_weak = "PLAIN";
    expect_offer(&core, NULL);
    core.config.mechanisms_tls = "EXTERNAL";
    expect_offer(&core, NULL);
    core.implicit_tls = &facts;
    expect_offer(&core, NULL); /* the peer showed no certificate */
    core.implicit_tls = &with_certificate;
    expect_offer(&core, "AUTH EXTERNAL");
}

TEST(login, ehlo_has_no_auth_line_before_tls_where_tls_is_required_rfc3207_4)
{
    struct core core = with_auth();
    core.config.starttls = true;
    core.config.tls_required = true;
    expect_offer(&core, NULL);
    CORE_EXPECT(&core, HELLO "AUTH CRAM-MD5\r\n", GREETED "530/5.7.0");
    core.implicit_tls = &facts;
    expect_offer(&core, "AUTH SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN");
}

TEST(login, a_list_too_long_for_a_line_is_cut_between_two_names_rfc5321_4_5_3_1_5)
{
    static char list[200 * 10 + 1];
    char offer[600] = "AUTH";
    for (size_t i = 0; i < 200; i++) {
        memcpy(list + i * 10, " MECHANISM", 10);
    }
    for (size_t len = 4; len + 10 < 500; len += 10) {
        memcpy(offer + len, " MECHANISM", 11);
    }
    struct core core = with_auth();
    core.config.mechanisms_clear = list;
    expect_offer(&core, offer);
}

/* ---- mechanisms ---- */

TEST(login, an_unknown_mechanism_is_504_rfc4954_4)
{
    struct core core = with_auth();
    CORE_EXPECT(&core,
                HELLO "AUTH NOSUCH\r\nAUTH nosuch AGFubgBzZWNyZXQ=\r\nAUTH SCRAM-SHA-2\r\n"
                      "AUTH SCRAM-SHA-256X !\r\nAUTH =\r\nNOOP\r\n",
                GREETED "504/5.5.4 504/5.5.4 504/5.5.4 504/5.5.4 504/5.5.4 250/2.0.0");
}

/* RFC 8314 4.1: nobody learns from it whether the password was right. */
TEST(login, a_mechanism_for_tls_alone_is_538_in_the_clear_whatever_the_credentials_rfc4954_6)
{
    struct core core = with_auth();
    CORE_EXPECT(&core, HELLO LOGIN "AUTH plain AGFubgB4\r\nAUTH PLAIN !\r\nAUTH LOGIN\r\nNOOP\r\n",
                GREETED "538/5.7.11 538/5.7.11 538/5.7.11 538/5.7.11 250/2.0.0");
    core.implicit_tls = &facts;
    CORE_EXPECT(&core, HELLO LOGIN, GREETED "235/2.7.0");
}

TEST(login, a_mechanism_too_weak_is_534_in_the_clear_and_under_tls_rfc4954_6)
{
    struct core core = with_auth();
    CORE_EXPECT(&core, HELLO "AUTH NTLM\r\nAUTH digest-md5 AAAA\r\nNOOP\r\n",
                GREETED "534/5.7.9 534/5.7.9 250/2.0.0");
    core.implicit_tls = &facts;
    CORE_EXPECT(&core, HELLO "AUTH NTLM\r\n", GREETED "534/5.7.9");
}

TEST(login, external_needs_a_certificate_of_the_peer_rfc4954_4)
{
    struct core core = with_auth();
    CORE_EXPECT(&core, HELLO "AUTH EXTERNAL =\r\n", GREETED "538/5.7.11");
    core.implicit_tls = &facts;
    CORE_EXPECT(&core, HELLO "AUTH EXTERNAL =\r\n", GREETED "504/5.5.4");
    core.implicit_tls = &with_certificate;
    CORE_EXPECT(&core, HELLO "AUTH EXTERNAL =\r\n", GREETED "235/2.7.0");
}

/* ---- order ---- */

TEST(login, auth_is_an_unknown_verb_where_no_mechanism_is_known_rfc5321_4_2_4)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, LOGIN HELLO LOGIN "AUTH\r\nHELP AUTH\r\nNOOP\r\n",
                "220 500/5.5.1 250 500/5.5.1 500/5.5.1 504/5.5.4 250/2.0.0");
    core.config.mechanisms_too_weak = "PLAIN";
    CORE_EXPECT(&core, HELLO LOGIN "HELP AUTH\r\n", GREETED "534/5.7.9 214/2.0.0");
}

TEST(login, auth_needs_ehlo_before_it_rfc4954_4)
{
    struct core core = with_plain();
    CORE_EXPECT(&core, LOGIN "HELO c.test\r\n" LOGIN HELLO LOGIN,
                "220 503/5.5.1 250 503/5.5.1 250 235/2.7.0");
}

TEST(login, a_second_auth_is_503_rfc4954_4)
{
    struct core core = with_plain();
    CORE_EXPECT(&core, HELLO LOGIN LOGIN "RSET\r\nAUTH PLAIN\r\nEHLO c.test\r\nAUTH NOSUCH\r\n",
                GREETED "235/2.7.0 503/5.5.1 250/2.0.0 503/5.5.1 250 503/5.5.1");
}

TEST(login, auth_in_a_transaction_is_503_and_the_transaction_goes_on_rfc4954_4)
{
    struct core core = with_plain();
    CORE_EXPECT(&core,
                HELLO "MAIL FROM:<a@x.test>\r\n" LOGIN "RCPT TO:<b@y.test>\r\n" LOGIN
                      "DATA\r\nx\r\n.\r\n" LOGIN,
                GREETED "250/2.1.0 503/5.5.1 250/2.1.5 503/5.5.1 354 250/2.0.0 235/2.7.0", "x\r\n");
}

TEST(login, mail_follows_without_another_ehlo_rfc4954_4)
{
    struct core core = with_plain();
    CORE_EXPECT(&core, HELLO LOGIN MESSAGE, GREETED "235/2.7.0 " TAKEN, "x\r\n");
}

/* ---- what a login changes ---- */

TEST(login, the_message_says_who_and_how_rfc3848)
{
    struct core core = with_plain();
    core_open(&core);
    core_feed_text(&core,
                   HELLO MESSAGE LOGIN MESSAGE "RSET\r\n" HELLO MESSAGE "HELO c.test\r\n" MESSAGE);
    static const char *const protocols[] = {"ESMTP", "ESMTPA", "ESMTPA", "SMTP"};
    expect_int(core.message_count, 4);
    for (size_t i = 0; i < 4; i++) {
        expect_str(smtp_message_protocol(core.messages[i]), protocols[i]);
        expect_str(smtp_message_identity(core.messages[i]), i == 0 ? "" : "j\xc3\xbcrgen");
    }
    expect_str(smtp_server_session_identity(core.session), "j\xc3\xbcrgen");
    core_clear(&core);

    core = with_plain();
    core.implicit_tls = &facts;
    core_open(&core);
    core_feed_text(&core, HELLO LOGIN MESSAGE);
    expect_str(smtp_message_protocol(core.messages[0]), "ESMTPSA");
    expect_str(smtp_message_tls(core.messages[0]), "TLSv1.2");
    core_clear(&core);
}

TEST(login, is_forgotten_when_tls_starts_rfc3207_4_2)
{
    struct core core = with_plain();
    core.config.starttls = true;
    core.config.auth_required = true;
    core_open(&core);
    core_feed_text(&core, HELLO LOGIN "STARTTLS\r\n");
    smtp_server_session_tls_started(core.session, &facts, false, core.now_ns);
    expect_str(smtp_server_session_identity(core.session), "");
    core_feed_text(&core, HELLO "MAIL FROM:<>\r\n" LOGIN MESSAGE);
    expect_str(core_codes(&core), GREETED "235/2.7.0 220/2.0.0 250 530/5.7.0 235/2.7.0 " TAKEN);
    core_clear(&core);
}

/* ---- login required ---- */

TEST(login, required_is_530_to_all_but_the_verbs_of_rfc4954_6)
{
    struct core core = with_plain();
    core.config.auth_required = true;
    core.config.starttls = true;
    CORE_EXPECT(&core,
                "MAIL FROM:<>\r\nHELO c.test\r\n" HELLO
                "MAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nVRFY a\r\nEXPN a\r\nXYZZY\r\n"
                "NOOP\r\nRSET\r\nHELP\r\nSTARTTLS x\r\nAUTH\r\nQUIT\r\n",
                "220 530/5.7.0 250 250 530/5.7.0 530/5.7.0 530/5.7.0 530/5.7.0 530/5.7.0 530/5.7.0 "
                "250/2.0.0 250/2.0.0 214/2.0.0 501/5.5.4 501/5.5.4 221/2.0.0");
    core_open(&core);
    core_feed_text(&core, HELLO "MAIL FROM:<>\r\n");
    expect_contains(core_output(&core), "530 5.7.0 Authentication required\r\n");
    core_clear(&core);
}

TEST(login, required_is_fulfilled_by_a_login_rfc4954_6)
{
    struct core core = with_plain();
    core.config.auth_required = true;
    CORE_EXPECT(&core, HELLO LOGIN MESSAGE "RSET\r\n" HELLO MESSAGE,
                GREETED "235/2.7.0 " TAKEN " 250/2.0.0 250 " TAKEN, "x\r\n", "x\r\n");
}

TEST(login, where_tls_is_required_too_it_comes_first_rfc3207_4)
{
    struct core core = with_plain();
    core.config.auth_required = true;
    core.config.tls_required = true;
    core.config.starttls = true;
    core_open(&core);
    core_feed_text(&core, HELLO LOGIN "MAIL FROM:<>\r\nSTARTTLS\r\n");
    smtp_server_session_tls_started(core.session, &facts, false, core.now_ns);
    core_feed_text(&core, HELLO "MAIL FROM:<>\r\n" LOGIN MESSAGE);
    expect_str(core_codes(&core),
               GREETED "530/5.7.0 530/5.7.0 220/2.0.0 250 530/5.7.0 235/2.7.0 " TAKEN);
    expect_contains(core_output(&core), "530 5.7.0 Must issue a STARTTLS command first\r\n");
    expect_contains(core_output(&core), "530 5.7.0 Authentication required\r\n");
    core_clear(&core);
}

/* ---- AUTH= of MAIL ---- */

TEST(login, mail_takes_auth_of_a_client_that_did_not_log_in_rfc4954_5)
{
    static const char *const good[] = {
        "<>", "e+3Dmc2@example.com", "a@x.test", "+41@x.test", "a+2B", "+7E", "+20",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char input[128];
        struct core core = with_plain();
        int len = snprintf(input, sizeof input, HELLO "MAIL FROM:<a@x.test> auth=%s\r\n", good[i]);
        core_expect(&core, input, (size_t)len, GREETED "250/2.1.0", (const char *const[]){NULL});
    }
    struct core core = with_plain();
    core_open(&core);
    core_feed_text(&core, HELLO "MAIL FROM:<a@x.test> AUTH=e+3Dmc2@example.com SIZE=3\r\n"
                                "RCPT TO:<b@y.test>\r\nDATA\r\nx\r\n.\r\n");
    expect_str(smtp_message_mail_parameters(core.messages[0]), "AUTH=e+3Dmc2@example.com SIZE=3");
    core_clear(&core);
}

TEST(login, mail_refuses_auth_that_is_no_xtext_rfc4954_5)
{
    static const char *const bad[] = {
        "AUTH=bad+zz",  "AUTH=a+3d",      "AUTH=a+4",  "AUTH=a+",       "AUTH=+",
        "AUTH=a+0D+0A", "AUTH=+00",       "AUTH=+7F",  "AUTH=",         "AUTH",
        "AUTH=a=b",     "AUTH=a\xc3\xbc", "AUTH=++41", "AUTH=a AUTH=a",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char input[128];
        struct core core = with_plain();
        int len = snprintf(input, sizeof input,
                           HELLO "MAIL FROM:<a@x.test> %s\r\nRCPT TO:<b@y.test>\r\n", bad[i]);
        core_expect(&core, input, (size_t)len, GREETED "501/5.5.4 503/5.5.1",
                    (const char *const[]){NULL});
    }
}

TEST(login, mail_knows_auth_only_where_it_is_offered_rfc5321_4_1_1_11)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, HELLO "MAIL FROM:<> AUTH=<>\r\n", GREETED "555/5.5.4");
    core = with_plain();
    core.config.mechanisms_clear = "";
    CORE_EXPECT(&core, HELLO "MAIL FROM:<> AUTH=<>\r\n", GREETED "555/5.5.4");
    core.implicit_tls = &facts;
    CORE_EXPECT(&core, HELLO "MAIL FROM:<> AUTH=<>\r\nHELO c.test\r\nMAIL FROM:<> AUTH=<>\r\n",
                GREETED "250/2.1.0 250 555/5.5.4");
    CORE_EXPECT(&core, HELLO "MAIL FROM:<>\r\nRCPT TO:<b@y.test> AUTH=<>\r\n",
                GREETED "250/2.1.0 555/5.5.4");
}

TEST(login, the_mail_line_may_be_500_octets_longer_where_auth_is_known_rfc4954_3)
{
    char input[4096];
    struct core core = with_plain();
    core.config.keywords = (struct smtp_server_keywords){
        .size = true, .eight_bit_mime = true, .enhanced_status_codes = true};
    int len = snprintf(input, sizeof input,
                       HELLO "MAIL FROM:<> AUTH=%0*d\r\nRSET\r\nMAIL FROM:<> AUTH=%0*d\r\n",
                       512 + 543 - 20, 0, 512 + 543 - 19, 0);
    core_expect(&core, input, (size_t)len, GREETED "250/2.1.0 250/2.0.0 500/5.5.2",
                (const char *const[]){NULL});
}
