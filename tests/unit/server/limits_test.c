/* limits_test.c - LIMITS (RFC 9422): what is offered, and that it is kept to. */
#include "server/protocol/domain_set.h"
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <stdio.h>

#define HELLO "EHLO c.test\r\n"
#define OPENING HELLO "MAIL FROM:<>\r\n"
#define OPENED "220 250 250/2.1.0 "

/* ---- the offer ---- */

static void expect_offer(const struct smtp_server_limits *limits, const char *line)
{
    struct core core = core_defaults();
    core.config.limits.messages = limits->messages;
    core.config.limits.recipients = limits->recipients;
    core.config.limits.recipient_domains = limits->recipient_domains;
    core_open(&core);
    core_feed_text(&core, HELLO);
    if (line != NULL) {
        expect_contains(core_output(&core), line);
    } else {
        expect_true(strstr(core_output(&core), "LIMITS") == NULL);
    }
    core_clear(&core);
}

/* rfc9422/4/limits-syntax-and-truth */
TEST(limits, those_that_are_set_are_offered_rfc9422_3)
{
    expect_offer(&(struct smtp_server_limits){.recipients = 100}, "250-LIMITS RCPTMAX=100\r\n");
    expect_offer(
        &(struct smtp_server_limits){.messages = 1, .recipients = 2, .recipient_domains = 3},
        "250-LIMITS MAILMAX=1 RCPTMAX=2 RCPTDOMAINMAX=3\r\n");
    expect_offer(&(struct smtp_server_limits){.messages = 999999}, "250-LIMITS MAILMAX=999999\r\n");
    expect_offer(&(struct smtp_server_limits){.recipient_domains = 1},
                 "250-LIMITS RCPTDOMAINMAX=1\r\n");
}

TEST(limits, what_is_not_from_1_to_999999_is_not_offered_rfc9422_3)
{
    expect_offer(&(struct smtp_server_limits){.messages = 0}, NULL);
    expect_offer(&(struct smtp_server_limits){.messages = 1000000, .recipients = 1000000}, NULL);
    expect_offer(&(struct smtp_server_limits){.messages = 1000000, .recipients = 7},
                 "250-LIMITS RCPTMAX=7\r\n");
}

TEST(limits, they_hold_where_the_keyword_is_off)
{
    struct core core = core_defaults();
    core.config.keywords.limits = false;
    core.config.limits.messages = 1;
    core.config.limits.recipients = 1;
    CORE_EXPECT(&core, OPENING "RCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\nRSET\r\nMAIL FROM:<>\r\n",
                OPENED "250/2.1.5 452/4.5.3 250/2.0.0 421/4.7.0");
    core_open(&core);
    core_feed_text(&core, HELLO);
    expect_true(strstr(core_output(&core), "LIMITS") == NULL);
    core_clear(&core);
}

/* ---- MAILMAX ---- */

TEST(limits, mail_commands_count_whatever_becomes_of_them_rfc9422_4_1)
{
    struct core core = core_defaults();
    core.config.limits.messages = 3;
    CORE_EXPECT(&core,
                HELLO "MAIL FROM:<a>\r\nMAIL FROM:<> X=1\r\nMAIL FROM:<>\r\nRSET\r\n"
                      "MAIL FROM:<>\r\nNOOP\r\n",
                "220 250 501/5.5.4 555/5.5.4 250/2.1.0 250/2.0.0 421/4.7.0");
}

TEST(limits, as_many_transactions_as_offered_are_taken_rfc9422_4_1)
{
    struct core core = core_defaults();
    core.config.limits.messages = 3;
    core_open(&core);
    core_feed_text(&core, HELLO);
    for (int i = 0; i < 4; i++) {
        core_feed_text(&core, "MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nDATA\r\n.\r\n");
    }
    expect_int(core.message_count, 3);
    expect_contains(core_output(&core), "\r\n421 4.7.0 ");
    expect_true(smtp_server_session_ended(core.session));
    core_clear(&core);
}

TEST(limits, ehlo_does_not_begin_the_count_anew_rfc9422_4_1)
{
    struct core core = core_defaults();
    core.config.limits.messages = 1;
    CORE_EXPECT(&core, OPENING HELLO "MAIL FROM:<>\r\n", OPENED "250 421/4.7.0");
}

/* ---- RCPTMAX ---- */

TEST(limits, as_many_recipients_as_offered_are_taken_in_each_transaction_rfc9422_4_2)
{
    struct core core = core_defaults();
    core.config.limits.recipients = 2;
    CORE_EXPECT(&core,
                OPENING "RCPT TO:<a@x>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n.\r\n"
                        "MAIL FROM:<>\r\nRCPT TO:<b@x>\r\n",
                OPENED "250/2.1.5 250/2.1.5 452/4.5.3 354 250/2.0.0 250/2.1.0 250/2.1.5", "");
}

/* ---- RCPTDOMAINMAX ---- */

TEST(limits, a_domain_more_than_offered_is_452_and_the_others_stay_rfc9422_4_3)
{
    struct core core = core_defaults();
    core.config.limits.recipient_domains = 2;
    CORE_EXPECT(&core,
                OPENING "RCPT TO:<a@x.test>\r\nRCPT TO:<b@X.tesT>\r\nRCPT TO:<c@[127.0.0.1]>\r\n"
                        "RCPT TO:<d@z.test>\r\nRCPT TO:<postmaster>\r\nRCPT TO:<@q,@r:e@x.test>\r\n"
                        "RCPT TO:<\"@z.test\"@x.test>\r\n",
                OPENED "250/2.1.5 250/2.1.5 250/2.1.5 452/4.5.3 250/2.1.5 250/2.1.5 250/2.1.5");
}

TEST(limits, the_domains_are_those_of_the_session_rfc9422_4_3)
{
    struct core core = core_defaults();
    core.config.limits.recipient_domains = 1;
    CORE_EXPECT(&core,
                OPENING "RCPT TO:<a@x.test>\r\nDATA\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<a@y.test>\r\n"
                        "RCPT TO:<a@x.test>\r\n",
                OPENED "250/2.1.5 354 250/2.0.0 250/2.1.0 452/4.5.3 250/2.1.5", "");
}

static enum smtp_server_verdict refuse_rcpt(const struct smtp_server_event *event,
                                            struct smtp_server_reply *reply)
{
    return event->kind == SMTP_SERVER_ASK_RCPT && event->path[0] == 'n'
               ? smtp_server_reply(reply, 550, "5.1.1", "No such user")
               : SMTP_ACCEPT;
}

TEST(limits, the_domain_of_a_refused_recipient_counts_and_that_of_a_malformed_one_does_not)
{
    struct core core = core_defaults();
    core.config.limits.recipient_domains = 1;
    core.config.asks = 1u << SMTP_SERVER_ASK_RCPT;
    core.decide = refuse_rcpt;
    CORE_EXPECT(&core,
                OPENING "RCPT TO:<..@w.test>\r\nRCPT TO:<a@v.test> X\r\nRCPT TO:<n@x.test>\r\n"
                        "RCPT TO:<a@y.test>\r\nRCPT TO:<a@x.test>\r\n",
                OPENED "501/5.5.4 555/5.5.4 550/5.1.1 452/4.5.3 250/2.1.5");
}

TEST(limits, a_hundred_thousand_domains_take_no_quadratic_time)
{
    struct smtp_domain_set set = {0};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100000;
             i++) { /* in order: the worst case of a tree that does not balance */
            char domain[32];
            snprintf(domain, sizeof domain, round == 0 ? "d%06d.test" : "D%06d.TEST", i);
            expect_int(smtp_domain_set_add(&set, smtp_span_of(domain), 100000), SMTP_OK);
        }
    }
    expect_int(set.count, 100000);
    expect_int(smtp_domain_set_add(&set, SMTP_SPAN("x"), 100000), SMTP_LIMIT_EXCEEDED);
    smtp_domain_set_clear(&set);
    expect_int(set.count, 0);
    expect_int(smtp_domain_set_add(&set, SMTP_SPAN("x"), 1), SMTP_OK);
    smtp_domain_set_clear(&set);
}

/* aiosmtpd's command_call_limit. */
TEST(limits, of_one_verb_so_many_are_taken_and_then_421_but_quit_is_always)
{
    struct core core = core_defaults();
    core.config.limits.each_command = 2;
    CORE_EXPECT(&core, "NOOP\r\nNOOP\r\nHELP\r\nHELP\r\nQUIT\r\n",
                "220 250/2.0.0 250/2.0.0 214/2.0.0 214/2.0.0 221/2.0.0");
    core = core_defaults();
    core.config.limits.each_command = 2;
    CORE_EXPECT(&core, "NOOP\r\nHELP\r\nnoop\r\nHELP\r\nNOOP x\r\nQUIT\r\n",
                "220 250/2.0.0 214/2.0.0 250/2.0.0 214/2.0.0 421/4.7.0");
    core = core_defaults();
    core.config.limits.each_command = 1;
    CORE_EXPECT(&core, "X\r\nX\r\nX\r\n", "220 500/5.5.1 500/5.5.1 500/5.5.1");
}
