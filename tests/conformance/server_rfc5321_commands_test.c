/* server_rfc5321_commands_test.c - the rules of RFC 5321 3 and 4.1.1 for servers (procedures, commands) can fail, and
 * hold where they are kept. */
#include "tests/conformance/server_proof.h"
#include "tests/support/test.h"

#define OPENED "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\n"

static bool twice(struct smtp_proof_mail *mail)
{
    (void)mail;
    mail->copies = 2; /* as if the half message had been delivered */
    return true;
}

#define ONLY_QUIT "S: 554 No\nC: NOOP\nS: 503 Only QUIT\nC: QUIT\nS: 221 Bye\n"

/* a keyword behind HELO */
#define LISTED(keyword)                                                                            \
    {                                                                                              \
        "rfc5321/3.2/helo-no-extension-list",                                                      \
            .dialogue = "S: 220 a.test\nC: HELO ...\nS: 250-a.test\nS: 250 " keyword "\n",         \
            .detail = "came \"" keyword                                                            \
    }

static const struct smtp_server_proof procedures[] = {
    LISTED("SIZE 1000"),
    LISTED("PIPELINING"),
    LISTED("STARTTLS"),
    LISTED("8BITMIME"),
    LISTED("CHUNKING"),
    LISTED("DSN"),
    LISTED("SMTPUTF8"),
    LISTED("AUTH=PLAIN"),
    {"rfc5321/3.2/helo-no-extension-list",
     .dialogue = "S: 220 a.test\nC: HELO ...\nS: 250-a.test\nS: 250 dsn\n", .detail = "came \"dsn",
     .right_dialogue =
         "S: 220 a.test\nC: HELO ...\nS: 250-a.test\nS: 250-Sizes vary\nS: 250 DSN2\n"},
    {"rfc5321/3.1/reject-554-waits-for-quit", .dialogue = "S: 554 No\n[S close]\n",
     .detail = "expected nothing", .right_dialogue = ONLY_QUIT "[S close]\n"},
    {"rfc5321/3.1/reject-554-waits-for-quit", .dialogue = ONLY_QUIT "S: 221 Bye\n[S close]\n",
     .detail = "expected the end of the connection", .right_dialogue = "S: 220 a.test\n",
     .right_verdict = SMTP_SKIP},
    {"rfc5321/3.1/reject-554-waits-for-quit", .dialogue = "S: 554 No\nC: NOOP\nS: 250 Ok\n",
     .detail = "expected 503; came \"250", .right_dialogue = ONLY_QUIT "[S close]\n"},
    {"rfc5321/3.3/rcpt-before-mail-503", .faults = {"rcpt: reply 250 2.1.5 once"},
     .detail = "expected 503; came \"250"},
    {"rfc5321/3.3/header-defects-not-refused", .faults = {"dot: reply 554 5.6.0 from 2"}},
    {"rfc5321/3.3/header-defects-not-refused", .faults = {"quit: reply 500 5.5.1"},
     .detail = "expected 221; came \"500"},
    {"rfc5321/3.3/resent-fields-not-refused", .faults = {"dot: reply 550 5.6.0"}},
    {"rfc5321/3.5.3/vrfy-250-only-if-verified", .faults = {"any VRFY*: reply 250 2.0.0"},
     .detail = "nobody has"},
    {"rfc5321/3.7.2/odd-received-not-refused", .faults = {"dot: reply 554 5.4.6"}},
    {"rfc5321/3.8/unknown-command-keeps-connection", .faults = {"any NOOP: reply 500 5.5.1"},
     .detail = "expected 250; came \"500"},
    {"rfc5321/3.8/unknown-command-keeps-connection", .faults = {"quit: reply 500 5.5.1"},
     .detail = "expected 221; came \"500"},
    {"rfc5321/3.8/unknown-command-keeps-connection",
     .dialogue = OPENED "C: XYZZY\nS: 500 What?\nC: FROBNICATE ...\nS: 421 Enough\n[S close]\n",
     .detail = "421"},
};

#define BEGUN OPENED "C: MAIL ...\nS: 250 Ok\nC: RCPT ...\nS: 250 Ok\n"
/* every command that keeps a transaction as it is */
#define INQUIRED(noop)                                                                             \
    BEGUN "C: NOOP\nS: 250 Ok\nC: NOOP some text\nS: " noop "\nC: VRFY x\nS: 252 Perhaps\n"        \
          "C: EXPN x\nS: 550 No\nC: HELP\nS: 214 Read\n"

static const struct smtp_server_proof commands[] = {
    {"rfc5321/4.1.1/trailing-space-tolerated", .dialogue = OPENED "C: NOOP \nS: 501 A space\n",
     .detail = "NOOP "},
    {"rfc5321/4.1.1/argument-on-bare-command",
     .dialogue = OPENED "C: MAIL ...\nS: 250 Ok\nC: RCPT ...\nS: 250 Ok\nC: DATA x\nS: 354 Go on\n",
     .detail = "expected 501; came \"354"},
    {"rfc5321/4.1.1/argument-on-bare-command",
     .dialogue = OPENED
     "C: MAIL ...\nS: 250 Ok\nC: RCPT ...\nS: 250 Ok\nC: DATA x\nS: 501 No\nC: RSET x\nS: 250 Ok\n",
     .detail = "expected 501; came \"250"},
    {"rfc5321/4.1.1/argument-on-bare-command", .faults = {"data: reply 503 5.5.1 from 2"},
     .detail = "expected 354; came \"503"},
    {"rfc5321/4.1.1/argument-on-bare-command", .faults = {"dot: reply 554 5.5.0"},
     .detail = "expected 250; came \"554"},
    {"rfc5321/4.1.1/argument-on-bare-command", .faults = {"quit: reply 221 2.0.0"},
     .detail = "expected 501; came \"221"},
    {"rfc5321/4.1.1.1/helo-supported", .dialogue = "S: 220 a.test\nC: HELO ...\nS: 500 What?\n",
     .detail = "HELO"},
    {"rfc5321/4.1.1.1/ehlo-reply-grammar",
     .faults = {"ehlo: reply 250 \"harness.test\\nSIZE  1000\""}, .detail = "SIZE  1000"},
    {"rfc5321/4.1.1.1/ehlo-reply-grammar", .faults = {"ehlo: reply 250 \"!!\\nSIZE 1000\""},
     .detail = "domain first"},
    {"rfc5321/4.1.1.1/ehlo-reply-grammar",
     .faults = {"ehlo: reply 250 \"[127.0.0.1 hello\\nSIZE 1000\""}, .detail = "domain first"},
    {"rfc5321/4.1.1.1/ehlo-reply-grammar", .faults = {"ehlo: reply 250 \".a.test\\nSIZE 1000\""},
     .detail = "domain first"},
    {"rfc5321/4.1.1.1/ehlo-reply-grammar", .faults = {"ehlo: reply 250 \"-a.test\\nSIZE 1000\""},
     .detail = "domain first"},
    {"rfc5321/4.1.1.1/ehlo-reply-grammar", .faults = {"ehlo: reply 250 \"a.test\\n-SIZE\""},
     .detail = "came \"-SIZE"},
    {"rfc5321/4.1.1.1/ehlo-reply-grammar", .faults = {"ehlo: reply 250 \"a.test\\nSIZE=1\""},
     .detail = "came \"SIZE=1"},
    {"rfc5321/4.1.1.1/optional-commands-listed", .faults = {"any EXPN*: reply 250 2.0.0"},
     .detail = "EXPN is answered"},
    {"rfc5321/4.1.1.1/optional-commands-listed",
     .faults = {"ehlo: reply 250 \"harness.test\\nSIZE 1000\""}, .detail = "HELP is answered"},
    {"rfc5321/4.1.1.3/source-route-syntax-accepted", .faults = {"rcpt: reply 501 5.1.3"},
     .detail = "@one.example"},
    {"rfc5321/4.1.1.5/rset-discards",
     .dialogue = "S: 220 a.test\nC: RSET\nS: 250 Ok\nC: EHLO ...\nS: 250 a.test\nC: MAIL ...\n"
                 "S: 250 Ok\nC: RCPT ...\nS: 250 Ok\nC: RSET\nS: 250 Ok\nC: DATA\nS: 354 Go on\n",
     .detail = "expected 503 or 554; came \"354"},
    {"rfc5321/4.1.1.5/rset-discards", .faults = {"rset: reply 503 5.5.1 once"}, .detail = "RSET"},
    {"rfc5321/4.1.1.9/noop-keeps-transaction", .faults = {"data: reply 503 5.5.1"},
     .detail = "expected 354"},
    {"rfc5321/4.1.1.9/noop-keeps-transaction",
     .dialogue = OPENED "C: MAIL ...\nS: 250 Ok\nC: RCPT ...\nS: 250 Ok\nC: NOOP\nS: 503 DATA\n",
     .detail = "expected 250; came \"503"},
    {"rfc5321/4.1.1.9/noop-keeps-transaction",
     .dialogue = INQUIRED("250 Ok") "C: DATA\nS: 503 RCPT first\n",
     .detail = "expected 354; came \"503 RCPT",
     .right_dialogue = INQUIRED("501 No") "C: DATA\nS: 354 Go on\nC: ...\nC: .\nS: 250 Ok\n",
     .right_warning = "NOOP some text"},
    {"rfc5321/4.1.1.9/noop-keeps-transaction",
     .dialogue = BEGUN "C: NOOP\nS: 250 Ok\nC: NOOP ...\nS: 451 No\n",
     .detail = "expected 250; came \"451"},
    {"rfc5321/4.1.1.10/quit-221-then-close", .faults = {"quit: close"},
     .detail = "expected 221; came the end"},
    {"rfc5321/4.1.1.10/quit-221-then-close",
     .dialogue = OPENED "C: QUIT\nS: 221 Bye\nS: 221 Bye\n[C close]\n",
     .detail = "expected the end of the connection; came \"221"},
    {"rfc5321/4.1.1.10/quit-221-then-close", .dialogue = OPENED "C: QUIT\nS: 221 Bye\n[C close]\n",
     .is_mute = true, .detail = "the end of the connection; came nothing within the time"},
    {"rfc5321/4.1.1.10/lost-connection-no-delivery", .with = PROOF_MAILDIR, .mangle = twice,
     .detail = "came 2"},
    {"rfc5321/4.1.1.11/unknown-parameter-555", .faults = {"mail: reply 501 5.5.4 once"},
     .detail = "expected 555; came \"501"},
    {"rfc5321/4.1.1.11/unknown-parameter-555",
     .dialogue = OPENED "C: MAIL ... NOSUCHPARAM=1\nS: 555 No\nC: RCPT ...\nS: 503 No\n"
                        "C: MAIL ...\nS: 250 Ok\nC: RCPT ... NOSUCHPARAM=1\nS: 250 Ok\n",
     .detail = "expected 555; came \"250"},
};

TEST_WITHIN(server_rfc5321_3, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(procedures);
}

TEST_WITHIN(server_rfc5321_4_1_1,
            each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not, 60)
{
    SMTP_SERVER_PROOFS_HOLD(commands);
}
