/* server_rfc4954_test.c - the rules of RFC 4954 for servers (AUTH) can fail, and hold where they are kept. */
#include "tests/conformance/crooked_scram.h"
#include "tests/conformance/server_proof.h"
#include "tests/support/test.h"

#define ANY "......" /* one line, whatever it says */
#define EHLO(keyword) "S: 220 a.test\nC: EHLO ...\nS: 250-a.test\nS: 250 " keyword "\n"
#define PLAIN EHLO("AUTH PLAIN")
#define MAIL "C: MAIL ...\nS: 250 Ok\n"
#define RSET "C: RSET\nS: 250 Ok\n"
#define LOGIN "C: AUTH PLAIN ...\nS: 235 Welcome\n"
#define ASKED "C: AUTH PLAIN\nS: 334 \n"
/* a session in which the response is refused, as it should be */
#define REFUSED PLAIN ASKED "C: " ANY "\nS: 501 No\n[S close]\n[session]\n"
#define TAKEN PLAIN ASKED "C: " ANY "\nS: 235 Welcome\n"

static void demand_login(struct smtp_harness_options *options)
{
    options->server.auth.required = true;
}

static void demand_no_login(struct smtp_harness_options *options)
{
    options->server.auth.required = false;
}

static void offer_in_the_clear(struct smtp_harness_options *options)
{
    options->server.auth.plain_without_tls = true;
}

static void end_scram_at_once(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_scram_serve(connection, &(struct smtp_crooked_scram){.says_235_at_once = true});
}

static void sign_wrongly(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_scram_serve(connection, &(struct smtp_crooked_scram){0});
}

static const struct smtp_server_proof when[] = {
    {"rfc4954/4/auth-twice-503", .with = PROOF_LOGIN, .dialogue = PLAIN LOGIN LOGIN,
     .detail = "expected 503; came \"235"},
    {"rfc4954/4/auth-in-transaction-503", .with = PROOF_LOGIN, .dialogue = PLAIN MAIL LOGIN,
     .detail = "expected 503; came \"235"},
    {"rfc4954/4/auth-in-transaction-503", .with = PROOF_LOGIN,
     .dialogue = PLAIN MAIL "C: AUTH ...\nS: 503 No\nC: RCPT ...\nS: 503 MAIL first\n",
     .detail = "expected 250 or 251 to RCPT",
     .right_dialogue = PLAIN "C: MAIL ...\nS: 530 Log in first\n", .right_verdict = SMTP_SKIP},
    {"rfc4954/4/auth-in-transaction-503", .with = PROOF_LOGIN,
     .dialogue = PLAIN "C: MAIL ...\nS: 555 No such parameter\n", .detail = "expected 250 to MAIL",
     .right_dialogue = PLAIN "C: MAIL ...\nS: 550 Log in first\n", .right_verdict = SMTP_SKIP},
    {"rfc4954/4/auth-in-transaction-503", .with = PROOF_LOGIN, .dialogue = PLAIN MAIL LOGIN,
     .right_dialogue = PLAIN MAIL "C: AUTH ...\nS: 503 No\nC: RCPT ...\nS: 530 Log in first\n",
     .right_verdict = SMTP_SKIP},
    {"rfc4954/4/auth-in-transaction-503", .with = PROOF_LOGIN, .dialogue = PLAIN MAIL LOGIN,
     .right_dialogue = PLAIN MAIL "C: AUTH ...\nS: 503 No\nC: RCPT ...\nS: 554 Relay denied\n",
     .right_verdict = SMTP_SKIP},
    {"rfc4954/4/auth-no-reset-without-layer", .with = PROOF_LOGIN,
     .dialogue = PLAIN LOGIN "C: MAIL ...\nS: 503 EHLO first\n",
     .detail = "expected 250 or 4yz; came \"503"},
    {"rfc4954/5/mail-auth-parameter",
     .dialogue = PLAIN MAIL RSET "C: MAIL ... AUTH=<>\nS: 530 Log in first\n",
     .detail = "expected 250; came \"530"},
    {"rfc4954/5/mail-auth-parameter",
     .dialogue = PLAIN MAIL RSET MAIL RSET "C: MAIL ... AUTH=...\nS: 501 No\n",
     .detail = "expected 250; came \"501"},
    {"rfc4954/5/mail-auth-parameter",
     .dialogue = PLAIN MAIL RSET MAIL RSET MAIL RSET "C: MAIL ... AUTH=bad+zz\nS: 451 Later\n",
     .detail = "expected 5yz; came \"451", .right_dialogue = PLAIN "C: MAIL ...\nS: 550 Not you\n",
     .right_verdict = SMTP_SKIP},
    {"rfc4954/5/mail-auth-parameter", .dialogue = PLAIN MAIL "C: RSET\nS: 500 What?\n",
     .detail = "expected 250; came \"500",
     .right_dialogue = PLAIN MAIL RSET MAIL RSET MAIL RSET MAIL},
    {"rfc4954/6/auth-required-530", .configure = demand_login, .faults = {"mail: reply 550 5.7.1"},
     .detail = "expected 530 to MAIL"},
    {"rfc4954/6/auth-required-530", .with = PROOF_SUBMISSION, .configure = demand_login,
     .spoil = demand_no_login, .detail = "expected 530 to MAIL"},
    {"rfc4954/6/auth-required-530", .configure = demand_login, .faults = {"rset: reply 530 5.7.0"},
     .detail = "expected 250; came \"530", .right_dialogue = PLAIN MAIL,
     .right_verdict = SMTP_SKIP},
    {"rfc4954/9/auth-no-plaintext-offer-without-tls", .spoil = offer_in_the_clear,
     .detail = "offered in the clear"},
    {"rfc4954/9/auth-no-plaintext-offer-without-tls",
     .dialogue = EHLO("STARTTLS") "C: AUTH PLAIN ...\nS: 235 Welcome\n", .detail = "came \"235"},
};

TEST_WITHIN(server_rfc4954, a_login_comes_when_it_may_and_each_rule_of_that_can_fail, 60)
{
    SMTP_SERVER_PROOFS_HOLD(when);
}

static const struct smtp_server_proof exchange[] = {
    {"rfc4954/4/auth-unknown-mechanism-504", .faults = {"auth nosuch: reply 535 5.7.8"},
     .detail = "expected 504; came \"535"},
    {"rfc4954/4/auth-empty-challenge-space", .dialogue = PLAIN "C: AUTH PLAIN\nS: 334 Go on\n",
     .detail = "expected \"334 \\r\\n\""},
    {"rfc4954/4/auth-empty-challenge-space", .dialogue = PLAIN "C: AUTH PLAIN\nS: 334\n",
     .detail = "334"},
    {"rfc4954/4/auth-cancel-501", .dialogue = PLAIN ASKED "C: *\nS: 535 No\n",
     .detail = "expected 501; came \"535"},
    {"rfc4954/4/auth-cancel-501",
     .dialogue = PLAIN ASKED "C: *\nS: 501 No\nC: AUTH PLAIN\nS: 503 Not again\n",
     .detail = "expected 334; came \"503", .right_dialogue = EHLO("AUTH LOGIN"),
     .right_verdict = SMTP_SKIP},
    {"rfc4954/4/auth-bad-base64-501", .with = PROOF_LOGIN, .dialogue = TAKEN,
     .detail = "expected 501; came \"235"},
    {"rfc4954/4/auth-bad-base64-501", .with = PROOF_LOGIN,
     .dialogue = REFUSED REFUSED REFUSED REFUSED REFUSED TAKEN,
     .detail = "expected 501; came \"235"},
    {"rfc4954/4/auth-initial-response-not-allowed",
     .dialogue = EHLO("AUTH CRAM-MD5") "C: AUTH CRAM-MD5 ...\nS: 334 PDEuMkBhLnRlc3Q+\n",
     .detail = "expected 501; came \"334"},
    {"rfc4954/4/auth-equals-sign-empty", .dialogue = PLAIN "C: AUTH PLAIN =\nS: 334 \n",
     .detail = "came \"334"},
    {"rfc4954/4/auth-long-line", .dialogue = PLAIN ASKED "C: " ANY "\nS: 500 Too long\n",
     .detail = "came \"500", .right_dialogue = EHLO("AUTH LOGIN"), .right_verdict = SMTP_SKIP},
    {"rfc4954/4/auth-long-line",
     .dialogue = PLAIN ASKED "C: " ANY "\nS: 535 No\n" ASKED "C: " ANY "\nS: 235 Welcome\n",
     .detail = "100000 octets, came \"235",
     .right_dialogue = PLAIN ASKED "C: " ANY "\nS: 535 No\n" ASKED "C: " ANY "\n[S close]\n"},
    {"rfc4954/4/auth-long-line",
     .dialogue = PLAIN ASKED "C: " ANY "\nS: 535 No\n" ASKED "C: " ANY
                             "\nS: 500 Too long\nC: NOOP\nS: 500 What?\n",
     .detail = "expected 250 to NOOP",
     .right_dialogue = PLAIN ASKED "C: " ANY "\nS: 535 No\n" ASKED "C: " ANY "\nS: 421 Enough\n"},
    {"rfc4954/4/auth-failure-535-retry", .with = PROOF_LOGIN,
     .dialogue = PLAIN "C: AUTH ...\nS: 535 No\n[S close]\n", .detail = "expected 535"},
    {"rfc4954/4/auth-failure-535-retry", .with = PROOF_LOGIN,
     .dialogue = PLAIN "C: AUTH ...\nS: 550 No\n", .detail = "expected 535; came \"550",
     .right_dialogue = EHLO("HELP"), .right_verdict = SMTP_SKIP},
    {"rfc4954/4/scram-final-in-challenge", .with = PROOF_LOGIN, .serve = end_scram_at_once,
     .detail = "expected 334; came \"235"},
    {"rfc4954/4/scram-final-in-challenge", .with = PROOF_LOGIN, .serve = sign_wrongly,
     .detail = "expected the server's signature"},
};

TEST_WITHIN(server_rfc4954, an_exchange_goes_as_it_must_and_each_rule_of_that_can_fail, 60)
{
    SMTP_SERVER_PROOFS_HOLD(exchange);
}
