/* server_rfc5321_2_test.c - the rules of RFC 5321 2 for servers can fail, and hold where they are kept. */
#include "tests/conformance/server_proof.h"
#include "tests/support/test.h"

static bool make_lower_case(struct smtp_proof_mail *mail)
{
    mail->arrival.mail = SMTP_SPAN("MAIL FROM:<mixed@example.com>");
    return true;
}

static bool change_sender(struct smtp_proof_mail *mail)
{
    mail->arrival.mail = SMTP_SPAN("MAIL FROM:<bounces+MiXeD@example.com>");
    return true;
}

static bool in_capitals(struct smtp_proof_mail *mail)
{
    mail->arrival.mail = SMTP_SPAN("MAIL FROM:<MiXeD@EXAMPLE.COM> SIZE=1");
    return true;
}

/* every keyword of the registry, and a private one */
static const char all_registered[] =
    "S: 220 a.test\nC: EHLO ...\nS: 250-a.test\nS: 250-8BITMIME\nS: 250-ATRN\nS: 250-AUTH\n"
    "S: 250-BINARYMIME\nS: 250-BURL\nS: 250-CHECKPOINT\nS: 250-CHUNKING\nS: 250-CONNEG\n"
    "S: 250-CONPERM\nS: 250-DELIVERBY\nS: 250-DSN\nS: 250-ENHANCEDSTATUSCODES\nS: 250-ETRN\n"
    "S: 250-EXPN\nS: 250-FUTURERELEASE\nS: 250-HELP\nS: 250-LIMITS\nS: 250-MT-PRIORITY\n"
    "S: 250-MTRK\nS: 250-NO-SOLICITING\nS: 250-ONEX\nS: 250-PIPELINING\nS: 250-REQUIRETLS\n"
    "S: 250-RRVS\nS: 250-SAML\nS: 250-SEND\nS: 250-SIZE\nS: 250-SMTPUTF8\nS: 250-SOML\n"
    "S: 250-STARTTLS\nS: 250-SUBMITTER\nS: 250-VRFY\nS: 250-TURN\nS: 250-UTF8SMTP\n"
    "S: 250-VERB\nS: 250 XSPARKLE\n";

static const struct smtp_server_proof proofs[] = {
    {"rfc5321/2.2.1/ehlo-supported", .faults = {"ehlo: reply 502 5.5.1 \"Not here\""},
     .detail = "expected 250; came \"502"},
    {"rfc5321/2.2.2/ehlo-keywords-registered",
     .faults = {"ehlo: reply 250 \"harness.test\\nSPARKLE\""}, .detail = "SPARKLE",
     .right_dialogue = all_registered},
    {"rfc5321/2.4/verbs-case-insensitive", .dialogue = "S: 220 a.test\nC: ehLO ...\nS: 500 What?\n",
     .detail = "ehLO"},
    {"rfc5321/2.4/local-part-case-preserved", .with = PROOF_RELAY, .mangle = make_lower_case,
     .detail = "<MiXeD@example.com> downstream",
     .right_dialogue = "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\nC: MAIL ...\nS: 553 Who?\n",
     .right_verdict = SMTP_SKIP},
    {"rfc5321/2.4/local-part-case-preserved", .with = PROOF_RELAY, .mangle = change_sender,
     .detail = "<MiXeD@example.com> downstream", .right_mangle = in_capitals},
    {"rfc5321/2.4/raw-8bit-envelope-refused", .faults = {"mail: reply 250 2.1.0"},
     .detail = "expected 5yz"},
};

TEST(server_rfc5321_2, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not)
{
    SMTP_SERVER_PROOFS_HOLD(proofs);
}
