/* server_rfc3461_test.c - the rules of RFC 3461 and RFC 6531 for servers (DSN, SMTPUTF8) can fail, and hold where they are
 * kept. */
#include "tests/conformance/server_proof.h"
#include "tests/support/test.h"

#define EHLO(keyword) "S: 220 a.test\nC: EHLO ...\nS: 250-a.test\nS: 250 " keyword "\n"
#define MAIL "C: MAIL ...\nS: 250 Ok\n"
#define RCPT "C: RCPT ...\nS: 250 Ok\n"
#define RSET "C: RSET\nS: 250 Ok\n"
#define BAD_MAIL "C: MAIL ...\nS: 501 No\n"
#define BAD_RCPT "C: RCPT ...\nS: 501 No\n"
#define NO_MAIL "C: RCPT ...\nS: 503 MAIL first\n"

/* ---- RFC 3461 5.1, 5.4: parameters ---- */

static const struct smtp_server_proof parameters[] = {
    {"rfc3461/5.1/dsn-parameters-neutral",
     .dialogue = EHLO("DSN") MAIL RSET "C: MAIL ...\nS: 555 No\n",
     .detail = "expected 250 with ReT=hdrs"},
    {"rfc3461/5.1/dsn-parameters-neutral",
     .dialogue = EHLO("DSN") MAIL RSET MAIL RCPT "C: RCPT ...\nS: 501 No\n",
     .detail = "expected 250 with NOTIFY=success"},
    {"rfc3461/5.1/dsn-parameters-neutral",
     .dialogue = EHLO("DSN") MAIL RSET MAIL RCPT RCPT RCPT RCPT
     "C: RCPT ...\nS: 550 No\nC: RCPT ...\nS: 250 Ok\n",
     .detail = "expected 550 with NOTIFY=FAILURE"},
    {"rfc3461/5.1/dsn-bad-mail-parameter-501", .dialogue = EHLO("DSN") MAIL,
     .detail = "expected 501; came \"250"},
    {"rfc3461/5.1/dsn-bad-mail-parameter-501", .dialogue = EHLO("DSN") BAD_MAIL RCPT,
     .detail = "expected 503; came \"250"},
    {"rfc3461/5.1/dsn-bad-mail-parameter-501",
     .dialogue =
         EHLO("DSN") BAD_MAIL NO_MAIL BAD_MAIL NO_MAIL BAD_MAIL NO_MAIL BAD_MAIL NO_MAIL MAIL,
     .detail = "expected 501; came \"250"},
    {"rfc3461/5.1/dsn-bad-rcpt-parameter-501", .dialogue = EHLO("DSN") MAIL RCPT,
     .detail = "expected 501; came \"250"},
    {"rfc3461/5.1/dsn-bad-rcpt-parameter-501",
     .dialogue = EHLO("DSN") MAIL BAD_RCPT BAD_RCPT BAD_RCPT BAD_RCPT RCPT,
     .detail = "expected 501; came \"250", .right_dialogue = EHLO("HELP"),
     .right_verdict = SMTP_SKIP},
    {"rfc3461/5.4/dsn-parameter-sizes",
     .dialogue = EHLO("DSN") MAIL RSET "C: MAIL ...\nS: 500 Too long\n",
     .detail = "expected 250 with RET=FULL ENVID=x"},
    {"rfc3461/5.4/dsn-parameter-sizes",
     .dialogue = EHLO("DSN") MAIL RSET MAIL RCPT "C: RCPT ...\nS: 500 Too long\n",
     .detail = "expected 250 with NOTIFY"},
};

TEST_WITHIN(server_rfc3461, parameters_are_taken_as_they_must_be_and_each_rule_of_that_can_fail, 60)
{
    SMTP_SERVER_PROOFS_HOLD(parameters);
}

/* ---- RFC 3461 5.2, 6.1: relayed and told of ---- */

static bool lose_envid(struct smtp_proof_mail *mail)
{
    mail->arrival.mail = SMTP_SPAN("MAIL FROM:<postmaster@example.com> RET=HDRS");
    return true;
}

static bool lower_orcpt(struct smtp_proof_mail *mail)
{
    mail->arrival.rcpts = SMTP_SPAN("RCPT TO:<" PROOF_RECIPIENT "> NOTIFY=FAILURE,DELAY "
                                    "ORCPT=rfc822;mixed+2Bcase@example.org\n");
    return true;
}

/** Names and values that mean the same in any case. */
static bool change_case(struct smtp_proof_mail *mail)
{
    bool has_any = memmem(mail->arrival.mail.bytes, mail->arrival.mail.len, "RET=", 4) != NULL;
    if (has_any) {
        mail->arrival.mail =
            SMTP_SPAN("MAIL FROM:<postmaster@example.com> EnvId=Odd+2B+3Dxtext ret=hdrs");
        mail->arrival.rcpts = SMTP_SPAN("RCPT TO:<" PROOF_RECIPIENT "> notify=failure,delay "
                                        "Orcpt=RFC822;MiXeD+2Bcase@Example.ORG\n");
    }
    return true;
}

static bool lower_envid(struct smtp_proof_mail *mail)
{
    change_case(mail);
    mail->arrival.mail = SMTP_SPAN("MAIL FROM:<postmaster@example.com> RET=HDRS "
                                   "ENVID=odd+2b+3dxtext");
    return true;
}

static bool lengthen_envid(struct smtp_proof_mail *mail)
{
    change_case(mail);
    mail->arrival.mail = SMTP_SPAN("MAIL FROM:<postmaster@example.com> RET=HDRS "
                                   "ENVID=Odd+2B+3Dxtext+2E");
    return true;
}

static bool lower_notify(struct smtp_proof_mail *mail)
{
    if (memmem(mail->arrival.rcpts.bytes, mail->arrival.rcpts.len, "NOTIFY=", 7) == NULL) {
        mail->arrival.rcpts = SMTP_SPAN("RCPT TO:<" PROOF_RECIPIENT "> Notify=failure\n");
    }
    return true;
}

/** Where there is none. */
static bool add_notify(struct smtp_proof_mail *mail)
{
    if (memmem(mail->arrival.rcpts.bytes, mail->arrival.rcpts.len, "NOTIFY=", 7) == NULL) {
        mail->arrival.rcpts = SMTP_SPAN("RCPT TO:<" PROOF_RECIPIENT "> NOTIFY=FAILURE\n");
    }
    return true;
}

static bool is_never_told(const struct smtp_proof_mail *mail)
{
    struct smtp_span rcpts = mail->arrival.rcpts;
    return memmem(rcpts.bytes, rcpts.len, "NOTIFY=NEVER", 12) != NULL;
}

/** What was sent with NEVER is refused downstream. */
static bool as_it_is(struct smtp_proof_mail *mail)
{
    mail->arrival.refused = is_never_told(mail);
    return true;
}

static bool without_parameters(struct smtp_proof_mail *mail)
{
    as_it_is(mail);
    mail->arrival.mail = SMTP_SPAN("MAIL FROM:<postmaster@example.com>");
    mail->arrival.rcpts = SMTP_SPAN("RCPT TO:<" PROOF_RECIPIENT ">\n");
    return true;
}

/** What was sent with NEVER never gets there. */
static bool without_parameters_or_lost(struct smtp_proof_mail *mail)
{
    return !is_never_told(mail) && without_parameters(mail);
}

static bool is_lost(struct smtp_proof_mail *mail)
{
    (void)mail;
    return false;
}

static bool tell(struct smtp_proof_mail *mail, const char *from, const char *to, const char *report)
{
    mail->notification.content = smtp_span_of(
        smtp_proof_text(mail, "From: <mailer-daemon@harness.test>\r\n\r\n%s\r\n\r\n%.*s", report,
                        (int)mail->arrival.content.len, mail->arrival.content.bytes));
    mail->notification.mail = smtp_span_of(from);
    mail->notification.rcpts = smtp_span_of(to);
    return true;
}

#define TO_SENDER "RCPT TO:<postmaster@example.com>"
#define RELAYED "Original-Envelope-Id: check-42\r\n\r\nAction: relayed"

static bool tell_relayed(struct smtp_proof_mail *mail)
{
    return !is_never_told(mail) && tell(mail, "MAIL FROM:<>", TO_SENDER "\n", RELAYED);
}

/** Of what was sent with NEVER, too. */
static bool tell_always(struct smtp_proof_mail *mail)
{
    return tell(mail, "MAIL FROM:<>", TO_SENDER "\n", RELAYED);
}

static bool tell_relayed_as_daemon(struct smtp_proof_mail *mail)
{
    return !is_never_told(mail) &&
           tell(mail, "MAIL FROM:<mailer-daemon@harness.test>", TO_SENDER "\n", RELAYED);
}

static bool tell_relayed_without_envid(struct smtp_proof_mail *mail)
{
    return !is_never_told(mail) && tell(mail, "MAIL FROM:<>", TO_SENDER "\n", "Action: relayed");
}

static bool tell_delivered(struct smtp_proof_mail *mail)
{
    return !is_never_told(mail) && tell(mail, "MAIL FROM:<>", TO_SENDER "\n",
                                        "Original-Envelope-Id: check-42\r\n\r\nAction: delivered");
}

static bool tell_failed(struct smtp_proof_mail *mail)
{
    return tell(mail, "MAIL FROM:<>", TO_SENDER " NOTIFY=NEVER\n", "Action: failed");
}

static bool tell_failed_as_daemon(struct smtp_proof_mail *mail)
{
    return tell(mail, "MAIL FROM:<mailer-daemon@harness.test>", TO_SENDER "\n", "Action: failed");
}

static bool tell_failed_with_ret(struct smtp_proof_mail *mail)
{
    return tell(mail, "MAIL FROM:<> RET=FULL", TO_SENDER "\n", "Action: failed");
}

static bool tell_failed_with_ret_in_lower_case(struct smtp_proof_mail *mail)
{
    return tell(mail, "MAIL FROM:<> ret=full", TO_SENDER "\n", "Action: failed");
}

static bool tell_failed_and_be_told_in_lower_case(struct smtp_proof_mail *mail)
{
    return tell(mail, "MAIL FROM:<>", TO_SENDER " notify=failure\n", "Action: failed");
}

static bool tell_failed_never(struct smtp_proof_mail *mail)
{
    return tell(mail, "MAIL FROM:<>", TO_SENDER " Notify=Never\n", "Action: failed");
}

static bool tell_failed_and_be_told(struct smtp_proof_mail *mail)
{
    return tell(mail, "MAIL FROM:<>", TO_SENDER " NOTIFY=FAILURE\n", "Action: failed");
}

static const struct smtp_server_proof relaying[] = {
    {"rfc3461/5.2.1/dsn-relayed-unchanged", .with = PROOF_RELAY, .mangle = lose_envid,
     .detail = "expected RET=HDRS and ENVID", .right_mangle = change_case},
    {"rfc3461/5.2.1/dsn-relayed-unchanged", .with = PROOF_RELAY, .mangle = lower_envid,
     .detail = "expected RET=HDRS and ENVID"},
    {"rfc3461/5.2.1/dsn-relayed-unchanged", .with = PROOF_RELAY, .mangle = lengthen_envid,
     .detail = "expected RET=HDRS and ENVID"},
    {"rfc3461/5.2.1/dsn-relayed-unchanged", .with = PROOF_RELAY, .mangle = lower_notify,
     .detail = "of its own"},
    {"rfc3461/5.2.1/dsn-relayed-unchanged", .with = PROOF_RELAY, .mangle = lower_orcpt,
     .detail = "expected NOTIFY and ORCPT"},
    {"rfc3461/5.2.1/dsn-relayed-unchanged", .with = PROOF_RELAY, .mangle = add_notify,
     .detail = "of its own"},
    {"rfc3461/5.2.2/dsn-next-hop-without-dsn", .with = PROOF_RELAY, .mangle = as_it_is,
     .notify = tell_relayed, .detail = "expected no DSN parameter",
     .right_mangle = without_parameters, .right_notify = tell_relayed},
    {"rfc3461/5.2.2/dsn-next-hop-without-dsn", .with = PROOF_RELAY, .mangle = without_parameters,
     .is_mute = true, .detail = "a notification about the message, came none",
     .right_mangle = without_parameters, .right_notify = tell_relayed},
    {"rfc3461/5.2.2/dsn-next-hop-without-dsn", .with = PROOF_RELAY, .mangle = without_parameters,
     .notify = tell_delivered, .detail = "\"relayed\" and the ENVID, came \"From",
     .right_mangle = without_parameters, .right_notify = tell_relayed},
    {"rfc3461/5.2.2/dsn-next-hop-without-dsn", .with = PROOF_RELAY, .mangle = without_parameters,
     .notify = tell_relayed_without_envid, .detail = "\"relayed\" and the ENVID, came \"From",
     .right_mangle = without_parameters, .right_notify = tell_relayed},
    {"rfc3461/5.2.2/dsn-next-hop-without-dsn", .with = PROOF_RELAY, .mangle = without_parameters,
     .notify = tell_relayed_as_daemon, .detail = "expected MAIL FROM:<>",
     .right_mangle = without_parameters, .right_notify = tell_relayed},
    {"rfc3461/5.2.2/dsn-next-hop-without-dsn", .with = PROOF_RELAY, .mangle = without_parameters,
     .notify = tell_always, .detail = "NOTIFY=NEVER", .right_mangle = without_parameters_or_lost,
     .right_notify = tell_relayed, .right_verdict = SMTP_SKIP},
    {"rfc3461/6.1/dsn-envelope", .with = PROOF_RELAY, .mangle = is_lost, .detail = "came none",
     .right_mangle = is_lost, .right_notify = tell_failed},
    {"rfc3461/6.1/dsn-envelope", .with = PROOF_RELAY, .mangle = is_lost,
     .notify = tell_failed_as_daemon, .detail = "expected MAIL FROM:<> without RET",
     .right_mangle = is_lost, .right_notify = tell_failed},
    {"rfc3461/6.1/dsn-envelope", .with = PROOF_RELAY, .mangle = is_lost,
     .notify = tell_failed_with_ret, .detail = "expected MAIL FROM:<> without RET",
     .right_mangle = is_lost, .right_notify = tell_failed},
    {"rfc3461/6.1/dsn-envelope", .with = PROOF_RELAY, .mangle = is_lost,
     .notify = tell_failed_and_be_told, .detail = "expected no NOTIFY or NEVER",
     .right_mangle = is_lost, .right_notify = tell_failed},
    {"rfc3461/6.1/dsn-envelope", .with = PROOF_RELAY, .mangle = is_lost,
     .notify = tell_failed_with_ret_in_lower_case, .detail = "expected MAIL FROM:<> without RET",
     .right_mangle = is_lost, .right_notify = tell_failed_never},
    {"rfc3461/6.1/dsn-envelope", .with = PROOF_RELAY, .mangle = is_lost,
     .notify = tell_failed_and_be_told_in_lower_case, .detail = "expected no NOTIFY or NEVER",
     .right_mangle = is_lost, .right_notify = tell_failed},
};

TEST_WITHIN(server_rfc3461, a_relay_passes_on_and_tells_as_it_must_and_each_rule_of_that_can_fail,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(relaying);
}

/* ---- RFC 6531 ---- */

#define UTF8_EHLO "S: 220 a.test\nC: EHLO ...\nS: 250-a.test\nS: 250-8BITMIME\nS: 250 SMTPUTF8\n"
#define ANY_250 "C: ......\nS: 250 Ok\n"
/* a reply that may name an address */
#define OTHER_PATH                                                                                 \
    "S: 220 a.test\n" ANY_250 ANY_250 ANY_250 ANY_250 ANY_250 ANY_250 ANY_250                      \
    "C: ......\nS: 551 Try <caf\\xc3\\xa9@a.test>\n" ANY_250
#define BAD_UTF8 UTF8_EHLO "C: MAIL ...\nS: 501 No\n"

static const struct smtp_server_proof utf8[] = {
    {"rfc6531/3.1/smtputf8-offer",
     .dialogue =
         "S: 220 a.test\nC: EHLO ...\nS: 250-a.test\nS: 250-8BITMIME\nS: 250 SMTPUTF8 yes\n",
     .detail = "without parameters"},
    {"rfc6531/3.1/smtputf8-offer", .dialogue = EHLO("SMTPUTF8"), .detail = "without 8BITMIME",
     .right_dialogue = EHLO("HELP"), .right_verdict = SMTP_SKIP},
    {"rfc6531/3.1/smtputf8-offer",
     .dialogue = "S: 220 a.test\nC: EHLO ...\nS: 250-r\\xc3\\xa9seau.test\nS: 250-8BITMIME\nS: 250 "
                 "SMTPUTF8\n",
     .detail = "ASCII in the EHLO reply"},
    {"rfc6531/3.2/smtputf8-addresses", .dialogue = UTF8_EHLO MAIL,
     .detail = "expected 5yz; came \"250"},
    {"rfc6531/3.2/smtputf8-addresses", .dialogue = BAD_UTF8 MAIL,
     .detail = "expected 5yz; came \"250", .right_dialogue = EHLO("HELP"),
     .right_verdict = SMTP_SKIP},
    {"rfc6531/3.2/smtputf8-addresses", .dialogue = BAD_UTF8 BAD_MAIL BAD_MAIL,
     .detail = "a UTF-8 reverse-path to be understood"},
    {"rfc6531/3.2/smtputf8-addresses",
     .dialogue = BAD_UTF8 BAD_MAIL MAIL RSET MAIL "C: RCPT ...\nS: 501 No\n",
     .detail = "a UTF-8 forward-path to be understood"},
    {"rfc6531/3.7.4.2/replies-stay-ascii",
     .faults = {"rcpt *: octets \"550 5.1.1 <caf\\xc3\\xa9>\\r\\n\""},
     .detail = "expected ASCII in the reply to \"RCPT"},
    {"rfc6531/3.7.4.2/replies-stay-ascii",
     .faults =
         {"ehlo *: octets \"250-harness.test greets r\\xc3\\xa9seau\\r\\n250 SMTPUTF8\\r\\n\""},
     .detail = "expected ASCII in the reply to \"EHLO r"},
    {"rfc6531/3.7.4.2/replies-stay-ascii",
     .faults =
         {"ehlo *: octets \"250-harness.test r\\xc3\\xa9seau\\r\\n250 SMTPUTF8\\r\\n\" from 2"},
     .detail = "expected ASCII in the reply to \"EHLO check", .right_dialogue = OTHER_PATH},
    {"rfc6531/3.7.4.2/replies-stay-ascii",
     .faults = {"any CAF*: octets \"500 5.5.2 CAF\\xc3\\xa9?\\r\\n\""},
     .detail = "expected ASCII in the reply to \"CAF"},
    {"rfc6531/3.7.4.2/replies-stay-ascii",
     .faults = {"any NOOP*: octets \"250 2.0.0 caf\\xc3\\xa9\\r\\n\""},
     .detail = "expected ASCII in the reply to \"NOOP"},
    {"rfc6531/3.7.4.2/replies-stay-ascii",
     .faults = {"any HELP*: octets \"214 2.0.0 caf\\xc3\\xa9\\r\\n\""},
     .detail = "expected ASCII in the reply to \"HELP"},
    {"rfc6531/3.7.4.2/replies-stay-ascii",
     .faults = {"mail: octets \"553 5.6.7 <caf\\xc3\\xa9>\\r\\n\" once"},
     .detail = "expected ASCII in the reply to \"MAIL"},
};

TEST_WITHIN(server_rfc6531, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(utf8);
}
