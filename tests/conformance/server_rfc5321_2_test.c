/* server_rfc5321_2_test.c - the rules of RFC 5321 2 for servers can fail, and hold where they are kept. */
#include "tests/conformance/server_proof.h"
#include "tests/support/test.h"

static bool make_lower_case(struct smtp_proof_mail *mail)
{
    mail->arrival.mail = SMTP_SPAN("MAIL FROM:<mixed@example.com>");
    return true;
}

static const struct smtp_server_proof proofs[] = {
    {"rfc5321/2.2.1/ehlo-supported", .faults = {"ehlo: reply 502 5.5.1 \"Not here\""},
     .detail = "expected 250; came \"502"},
    {"rfc5321/2.2.2/ehlo-keywords-registered",
     .faults = {"ehlo: reply 250 \"harness.test\\nSPARKLE\""}, .detail = "SPARKLE"},
    {"rfc5321/2.4/verbs-case-insensitive",
     .dialogue = "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\nC: ehLO ...\nS: 500 What?\n",
     .detail = "ehLO"},
    {"rfc5321/2.4/local-part-case-preserved", .with = PROOF_RELAY, .mangle = make_lower_case,
     .detail = "<MiXeD@example.com> downstream"},
    {"rfc5321/2.4/raw-8bit-envelope-refused", .faults = {"mail: reply 250 2.1.0"},
     .detail = "expected 5yz"},
};

TEST(server_rfc5321_2, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not)
{
    SMTP_SERVER_PROOFS_HOLD(proofs);
}
