/* server_extensions_test.c - the rules of RFC 1870, 2034, 3463, 2920, 3030 and 6152 for servers can fail, and hold
 * where they are kept. */
#include "tests/conformance/crooked.h"
#include "tests/conformance/server_proof.h"
#include "tests/support/test.h"

#define EHLO(keyword) "S: 220 a.test\nC: EHLO ...\nS: 250-a.test\nS: 250 " keyword "\n"
#define MAIL "C: MAIL ...\nS: 250 Ok\n"
#define RCPT "C: RCPT ...\nS: 250 Ok\n"
#define BAD "C: RCPT ...\nS: 550 No\n"
#define RSET "C: RSET\nS: 250 Ok\n"
#define DATA "C: DATA\nS: 354 Go on\n"

static void small_messages(struct smtp_harness_options *options)
{
    options->server.limits.message_octets = 20000;
}

/* ---- RFC 1870 ---- */

static void count_dots(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.keyword = "SIZE 20000", .limit = 20000});
}

static const struct smtp_server_proof size[] = {
    {"rfc1870/3/size-twenty-digits", .dialogue = EHLO("SIZE 1000") "C: MAIL ...\nS: 250 Ok\n",
     .detail = "expected 552 or 452; came \"250"},
    {"rfc1870/4/actual-size-over-limit-552", .configure = small_messages,
     .faults = {"dot: reply 554 5.3.4"}, .detail = "expected 552; came \"554"},
    {"rfc1870/5/size-excludes-dots", .configure = small_messages, .serve = count_dots,
     .detail = "expected 250; came \"552"},
    {"rfc1870/5/size-excludes-dots", .configure = small_messages,
     .faults = {"dot: reply 552 5.3.4"}, .detail = "expected 250; came \"552",
     .right_dialogue = EHLO("SIZE"), .right_verdict = SMTP_SKIP},
    {"rfc1870/5/size-excludes-dots", .configure = small_messages,
     .faults = {"dot: reply 552 5.3.4"}, .detail = "expected 250; came \"552",
     .right_dialogue = EHLO("HELP"), .right_verdict = SMTP_SKIP},
    {"rfc1870/5/size-excludes-dots", .configure = small_messages,
     .faults = {"dot: reply 552 5.3.4"}, .detail = "expected 250; came \"552",
     .right_dialogue = EHLO("SIZE 100"), .right_verdict = SMTP_SKIP},
    {"rfc1870/5/size-excludes-dots", .configure = small_messages,
     .faults = {"dot: reply 552 5.3.4"}, .detail = "expected 250; came \"552",
     .right_dialogue = EHLO("SIZE 67108865"), .right_verdict = SMTP_SKIP},
    {"rfc1870/6/size-not-end-of-data",
     .dialogue =
         EHLO("SIZE") MAIL RCPT DATA "C: From: ...\nS: 250 Taken\nC: ...\nC: .\nS: 500 What?\n",
     .detail = "came \"500"},
    {"rfc1870/6.1/size-over-limit-552",
     .dialogue = EHLO("SIZE 1000") "C: MAIL ... SIZE=1001\nS: 250 Ok\n",
     .detail = "expected 552; came \"250"},
};

TEST_WITHIN(server_rfc1870, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(size);
}

/* ---- RFC 2034, RFC 3463 ---- */

#define CODES                                                                                      \
    "S: 220 a.test\nC: EHLO ...\nS: 250-a.test\nS: 250 ENHANCEDSTATUSCODES\n[S "                   \
    "close]\n[session]\n"

static const struct smtp_server_proof codes[] = {
    {"rfc2034/3/enhanced-code-not-on-3yz", .dialogue = "S: 220 2.0.0 a.test\n",
     .detail = "no enhanced code in the reply to greeting"},
    {"rfc2034/3/enhanced-code-not-on-3yz",
     .faults = {"data: octets \"354 2.0.0 Go on\\r\\n\" from 2"},
     .detail = "no enhanced code in the reply to DATA"},
    {"rfc2034/4/enhanced-code-everywhere",
     .dialogue = CODES "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\nC: NOOP\nS: 250 2.0. Ok\n",
     .detail = "in the reply to NOOP"},
    {"rfc2034/4/enhanced-code-everywhere",
     .dialogue = CODES "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\nC: NOOP\nS: 250 Ok\n",
     .detail = "in the reply to NOOP"},
    {"rfc2034/4/enhanced-code-everywhere",
     .faults = {"rcpt *" PROOF_BAD "*: octets \"550 Nobody\\r\\n\""},
     .detail = "in the reply to RCPT, came \"550 Nobody"},
    {"rfc2034/4/enhanced-code-everywhere",
     .faults = {"rcpt *" PROOF_RECIPIENT "*: octets \"250 Somebody\\r\\n\" from 2"},
     .detail = "in the reply to RCPT, came \"250 Somebody"},
    {"rfc2034/4/enhanced-code-everywhere", .faults = {"any XYZZY: octets \"500 What?\\r\\n\""},
     .detail = "in the reply to unknown"},
    {"rfc2034/4/enhanced-code-everywhere",
     .faults = {"any VRFY?xx*: octets \"500 Too long\\r\\n\""},
     .detail = "in the reply to VRFY, came \"500 Too long"},
    {"rfc2034/4/enhanced-class-agrees",
     .dialogue = CODES "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\nC: NOOP\nS: 250 5.0.0 Ok\n",
     .detail = "one class in both codes"},
    {"rfc2034/4/enhanced-class-agrees",
     .dialogue = CODES
     "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\nC: NOOP\nS: 250-2.0.0 Ok\nS: 250 2.0.1 Ok\n",
     .detail = "one enhanced code in all lines"},
    {"rfc2034/4/enhanced-without-ehlo",
     .dialogue = CODES "S: 220 a.test\nC: HELO ...\nS: 250 a.test\nC: NOOP\nS: 250 Ok\n",
     .detail = "in the reply to NOOP"},
    {"rfc3463/2/enhanced-syntax",
     .dialogue = CODES "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\nC: NOOP\nS: 250 2.01.1 Ok\n",
     .detail = "2.01.1"},
    {"rfc3463/2/enhanced-syntax",
     .dialogue = CODES "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\nC: NOOP\nS: 250 3.0.0 Ok\n",
     .detail = "3.0.0"},
    {"rfc3463/2/enhanced-syntax",
     .dialogue = CODES "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\nC: NOOP\nS: 250 2.999.10 Ok\n"
                       "C: HELP\nS: 214 2.0.1000 Read\n",
     .detail = "2.0.1000"},
    {"rfc3463/2/enhanced-syntax",
     .dialogue = CODES "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\nC: NOOP\nS: 250 25.0.0 Ok\n",
     .detail = "25.0.0", .right_dialogue = EHLO("HELP"), .right_verdict = SMTP_SKIP},
};

TEST_WITHIN(server_rfc2034, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(codes);
}

/* ---- RFC 2920 ---- */

static bool is_unclosed(const char *command)
{
    return strstr(command, "<unclosed") != NULL;
}

static void send_to_nobody(int connection, struct smtp_arrivals *arrivals)
{
    smtp_crooked_serve(connection,
                       &(struct smtp_crooked){.refuses_recipients = true, .arrivals = arrivals});
}

/* far from whoever asks */
static void be_far(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.lag_ms = 50, .refuses = is_unclosed});
}

#define GROUP "C: MAIL ...\nC: RCPT ...\n"
#define OK "S: 250 Ok\n"

static const struct smtp_server_proof pipelining[] = {
    {"rfc2920/3.1/content-then-next-transaction",
     .dialogue = EHLO(
         "PIPELINING") "C: MAIL ...\nC: RCPT ...\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Go on\n"
                       "C: ...\nC: .\nC: MAIL ...\nC: RCPT ...\nC: DATA\nS: 250 Taken\n",
     .detail = "expected 250; came"},
    {"rfc2920/3.2/pipeline-in-order",
     .dialogue = EHLO("PIPELINING") MAIL BAD RSET
     "C: MAIL ...\nC: RCPT ...\nC: RCPT ...\nC: RCPT ...\nC: DATA\n"
     "S: 250 Ok\nS: 550 No\nS: 250 Ok\nS: 250 Ok\nS: 354 Go on\n",
     .detail = "came \"550"},
    {"rfc2920/3.2/input-never-lost",
     .dialogue =
         EHLO("PIPELINING") "C: MAIL ...\nC: RSET\nC: MAIL ...\nC: RCPT ...\nC: DATA\nS: 501 No\n",
     .detail = "came", .right_serve = be_far, .right_verdict = SMTP_SKIP},
    {"rfc2920/3.2/data-only-with-recipients",
     .dialogue = EHLO("PIPELINING") MAIL BAD RSET
     "C: MAIL ...\nC: RCPT ...\nC: DATA\nS: 250 Ok\nS: 550 No\nS: 354 Go on\n",
     .detail = "expected 503 or 554; came \"354"},
    {"rfc2920/3.2/empty-message-not-sent", .with = PROOF_MAILDIR, .serve = send_to_nobody,
     .detail = "no mail at all"},
    {"rfc2920/3.2/flush-when-input-empty",
     .dialogue = EHLO("PIPELINING") "C: MAIL ...\nC: RCPT ...\nC: NOOP\nS: 250 Ok\nS: 250 "
                                    "Ok\n[wait 2s]\nS: 250 Ok\n",
     .detail = "expected 3 replies within a second"},
    {"rfc2920/3.2/flush-when-input-empty",
     .dialogue = EHLO("PIPELINING") GROUP "C: NOOP\n" OK OK OK RSET GROUP "C: XYZZY\n" OK OK,
     .detail = "that ends in \"XYZZY"},
    {"rfc2920/3.2/flush-when-input-empty",
     .dialogue = EHLO("PIPELINING") GROUP "C: NOOP\n" OK OK OK RSET GROUP
                                          "C: XYZZY\n" OK OK OK RSET GROUP "C: VRFY ...\n" OK OK,
     .detail = "that ends in \"VRFY"},
    {"rfc2920/3.2/flush-when-input-empty",
     .dialogue =
         EHLO("PIPELINING") GROUP "C: NOOP\n" OK OK OK RSET GROUP "C: XYZZY\n" OK OK OK RSET GROUP
                                  "C: VRFY ...\n" OK OK OK RSET GROUP OK,
     .detail = "that ends in RCPT", .right_dialogue = EHLO("HELP"), .right_verdict = SMTP_SKIP},
};

TEST_WITHIN(server_rfc2920, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(pipelining);
}

/* ---- RFC 3030, RFC 6152 ---- */

#define CHUNKING EHLO("CHUNKING")

static bool lose_last(struct smtp_proof_mail *mail)
{
    mail->arrival.content.len -= 3;
    return true;
}

static const struct smtp_server_proof chunking[] = {
    {"rfc3030/2/data-still-supported", .faults = {"data: reply 502 5.5.1"},
     .detail = "expected 354"},
    {"rfc3030/2/bdat-exact-octets", .with = PROOF_MAILDIR, .mangle = lose_last,
     .detail = "to arrive"},
    {"rfc3030/2/bdat-250-per-chunk", .faults = {"bdat: reply 551 5.5.1 from 3"},
     .detail = "sent \"BDAT 8"},
    {"rfc3030/2/bdat-250-per-chunk", .faults = {"bdat: reply 551 5.5.1 from 4"},
     .detail = "sent \"BDAT 0 LAST"},
    {"rfc3030/2/bdat-250-per-chunk", .faults = {"bdat: reply 551 5.5.1 from 6"},
     .detail = "sent \"BDAT 0\\r"},
    {"rfc3030/2/bdat-failure-consumes-chunk",
     .dialogue = CHUNKING "C: BDAT ...\nS: 503 No\nC: MAIL ...\nS: 250 Ok\nC: NOOP\nS: 250 Ok\n",
     .detail = "after the reply to NOOP"},
    {"rfc3030/2/bdat-pipelined-after-failure",
     .dialogue =
         "S: 220 a.test\nC: EHLO ...\nS: 250-a.test\nS: 250-PIPELINING\nS: 250 CHUNKING\n" MAIL BAD
         "C: BDAT 6\nC: RSET\nC: BDAT 6\nC: NOOP\nC: BDAT 6 LAST\nC: QUIT\nS: 503 No\nS: 250 Ok\n",
     .detail = "expected 4yz or 5yz; came \"250"},
    {"rfc3030/2/bdat-after-last-503",
     .dialogue = CHUNKING MAIL RCPT
     "C: BDAT ...\nC: ...\nC:\nS: 250 Taken\nC: BDAT 5\nC| QUIT\\r\nS: 250 Ok\n",
     .detail = "expected 503; came \"250"},
    {"rfc3030/2/data-after-bdat-503", .faults = {"dot: reply 554 5.5.1"},
     .detail = "expected 250; came \"554"},
    {"rfc3030/2/data-after-bdat-503", .faults = {"data: reply 250 2.0.0"},
     .detail = "expected 503; came \"250"},
    {"rfc3030/2/bdat-bad-size", .dialogue = CHUNKING MAIL RCPT "C: BDAT\nS: 250 Fine\n",
     .detail = "5yz or a close"},
    {"rfc3030/3/binarymime-needs-bdat", .faults = {"data: reply 250 2.0.0"},
     .detail = "expected 503; came \"250"},
    {"rfc3030/3/binarymime-octets-kept", .with = PROOF_RELAY, .mangle = lose_last,
     .detail = "to arrive"},
    {"rfc6152/3/8bitmime-octets-kept", .with = PROOF_MAILDIR, .dialogue = EHLO("8BITMIME") MAIL,
     .detail = "expected 5yz; came \"250", .right_dialogue = EHLO("HELP"),
     .right_verdict = SMTP_SKIP},
    {"rfc6152/3/8bitmime-octets-kept", .with = PROOF_MAILDIR, .mangle = lose_last,
     .detail = "to arrive"},
};

TEST_WITHIN(server_rfc3030, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(chunking);
}
