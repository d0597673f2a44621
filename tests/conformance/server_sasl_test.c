/* server_sasl_test.c - the rules of the mechanisms for servers (RFC 4616, 2195, 7628, 5802, 7677 and LOGIN) can fail, and
 * hold where they are kept. */
#include "tests/conformance/crooked_scram.h"
#include "tests/conformance/server_proof.h"
#include "tests/support/test.h"

#define ANY "......" /* one line, whatever it says */
#define EHLO(mechanism) "S: 220 a.test\nC: EHLO ...\nS: 250-a.test\nS: 250 AUTH " mechanism "\n"
#define NEXT "[S close]\n[session]\n"
#define PLAIN(code) EHLO("PLAIN") "C: AUTH PLAIN\nS: 334 \nC: " ANY "\nS: " code " So\n"
#define CRAM(challenge) "C: AUTH CRAM-MD5\nS: 334 " challenge "\n"
#define FIRST_ID "PDEuMkBhLnRlc3Q+"  /* <1.2@a.test> */
#define SECOND_ID "PDMuNEBhLnRlc3Q+" /* <3.4@a.test> */
#define NO_ID "bm90IGFuIGlk"         /* not an id */
#define OAUTH "C: AUTH OAUTHBEARER ...\n"
#define STATUS "S: 334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\n" /* {"status":"invalid_token"} */
#define NO_STATUS "S: 334 eyJlcnJvciI6MX0=\n"                  /* {"error":1} */

static const struct smtp_server_proof passwords[] = {
    {"rfc4616/2/plain-field-sizes", .with = PROOF_LOGIN, .dialogue = PLAIN("535"),
     .detail = "expected 235; came \"535"},
    {"rfc4616/2/plain-field-sizes", .with = PROOF_LOGIN, .dialogue = PLAIN("235") NEXT PLAIN("500"),
     .detail = "expected 535; came \"500"},
    {"rfc4616/2/plain-field-sizes", .with = PROOF_LOGIN,
     .dialogue = PLAIN("235") NEXT PLAIN("535") NEXT PLAIN("235"),
     .detail = "expected 535 or 501; came \"235"},
    {"rfc4616/2/plain-field-sizes", .with = PROOF_LOGIN,
     .dialogue =
         PLAIN("235") NEXT PLAIN("535") NEXT PLAIN("501") NEXT PLAIN("501") NEXT PLAIN("235"),
     .detail = "expected 535 or 501; came \"235"},
    {"rfc4616/2/plain-field-sizes", .with = PROOF_LONG_LOGIN, .dialogue = PLAIN("535"),
     .detail = "expected 235; came \"535"},
    {"rfc2195/2/cram-md5-challenge", .with = PROOF_LOGIN, .dialogue = EHLO("CRAM-MD5") CRAM(NO_ID),
     .detail = "expected a message id"},
    {"rfc2195/2/cram-md5-challenge", .with = PROOF_LOGIN,
     .dialogue = EHLO("CRAM-MD5") CRAM(FIRST_ID) "C: " ANY "\nS: 235 Welcome\n",
     .detail = "expected 535; came \"235"},
    {"rfc2195/2/cram-md5-challenge", .with = PROOF_LOGIN,
     .dialogue = EHLO("CRAM-MD5") CRAM(FIRST_ID) "C: " ANY "\nS: 535 No\n" CRAM(FIRST_ID),
     .detail = "expected a fresh challenge", .right_dialogue = EHLO("PLAIN"),
     .right_verdict = SMTP_SKIP},
    {"rfc2195/2/cram-md5-challenge", .with = PROOF_LOGIN,
     .dialogue = EHLO("CRAM-MD5")
         CRAM(FIRST_ID) "C: " ANY "\nS: 535 No\n" CRAM(SECOND_ID) "C: " ANY "\nS: 535 No\n",
     .detail = "expected 235; came \"535"},
    {"draft-murchison-sasl-login-00/2/login-two-prompts", .with = PROOF_LOGIN,
     .dialogue = EHLO("LOGIN") "C: AUTH LOGIN\nS: 334 VXNlciBOYW1l\nC: " ANY "\nS: 235 Welcome\n",
     .detail = "expected 334; came \"235"},
    {"draft-murchison-sasl-login-00/2/login-two-prompts", .with = PROOF_LOGIN,
     .dialogue = EHLO(
         "LOGIN") "C: AUTH LOGIN\nS: 334 VXNlciBOYW1l\nC: " ANY "\nS: 334 UGFzc3dvcmQ=\n"
                  "C: " ANY "\nS: 235 Welcome\n" NEXT EHLO(
                      "LOGIN") "C: AUTH LOGIN ...\nS: 334 UGFzc3dvcmQ=\nC: " ANY "\nS: 535 No\n",
     .detail = "expected 235; came \"535"},
    {"rfc7628/3.2.2/oauth-error-then-535", .with = PROOF_LOGIN,
     .dialogue = EHLO("OAUTHBEARER") OAUTH "S: 535 No\n", .detail = "expected 334; came \"535",
     .right_dialogue =
         EHLO("OAUTHBEARER") OAUTH STATUS "C: AQ==\nS: 534 No\n" OAUTH STATUS "C: *\nS: 501 No\n"},
    {"rfc7628/3.2.2/oauth-error-then-535", .with = PROOF_LOGIN,
     .dialogue = EHLO("OAUTHBEARER") OAUTH NO_STATUS, .detail = "JSON with \"status\""},
    {"rfc7628/3.2.2/oauth-error-then-535", .with = PROOF_LOGIN,
     .dialogue = EHLO("OAUTHBEARER") OAUTH STATUS "C: AQ==\nS: 235 Welcome\n",
     .detail = "expected 535; came \"235"},
};

TEST_WITHIN(server_sasl, mechanisms_with_a_password_keep_their_rules_and_each_can_fail, 60)
{
    SMTP_SERVER_PROOFS_HOLD(passwords);
}

/* ---- SCRAM ---- */

#define SCRAM(name, ...)                                                                           \
    static void name(int connection, struct smtp_arrivals *arrivals)                               \
    {                                                                                              \
        (void)arrivals;                                                                            \
        smtp_crooked_scram_serve(connection, &(struct smtp_crooked_scram){__VA_ARGS__});           \
    }

SCRAM(take_any_nonce, .takes_any_nonce = true)
SCRAM(take_any_binding, .takes_any_binding = true)
SCRAM(take_any_extension, .takes_any_extension = true)
SCRAM(take_any_name, .takes_any_name = true)
SCRAM(refuse_all_extensions, .refuses_all_extensions = true)
SCRAM(add_no_nonce, .adds_no_nonce = true)
SCRAM(take_y, .iterations = 0)
SCRAM(refuse_names_late, .refuses_names_late = true, .says_why = true)
SCRAM(say_why, .says_why = true)
SCRAM(take_any_name_and_say_why, .takes_any_name = true, .says_why = true)
SCRAM(say_why_of_y, .refuses_y = true, .says_why = true)
SCRAM(iterate_too_little, .iterations = 4095)

static const struct smtp_server_proof scram[] = {
    {"rfc5802/5.1/scram-server-checks", .with = PROOF_LOGIN, .serve = refuse_all_extensions,
     .detail = "expected 235, came \"535"},
    {"rfc5802/5.1/scram-server-checks", .with = PROOF_LOGIN, .serve = take_any_nonce,
     .detail = "serverx,p="},
    {"rfc5802/5.1/scram-server-checks", .with = PROOF_LOGIN, .serve = take_any_binding,
     .detail = "\"c=eSws"},
    {"rfc5802/5.1/scram-server-checks", .with = PROOF_LOGIN, .serve = take_any_extension,
     .detail = "\"m=1"},
    {"rfc5802/5.1/scram-server-checks", .with = PROOF_LOGIN, .serve = take_any_name,
     .detail = "n=a=ZZb", .right_serve = say_why},
    {"rfc5802/5.1/scram-server-checks", .with = PROOF_LOGIN, .serve = take_any_name_and_say_why,
     .detail = "expected 5yz, came \"235", .right_serve = refuse_names_late},
    {"rfc5802/5.1/scram-server-checks", .with = PROOF_LOGIN, .serve = add_no_nonce,
     .detail = "extends the client's nonce"},
    {"rfc5802/6/scram-downgrade-check", .with = PROOF_LOGIN, .serve = take_y,
     .detail = "\"y,,n=ann", .right_serve = say_why_of_y},
    {"rfc7677/4/scram-iterations", .with = PROOF_LOGIN, .serve = iterate_too_little,
     .detail = "came 4095"},
};

TEST_WITHIN(server_sasl, scram_is_checked_as_it_must_be_and_each_rule_of_that_can_fail, 60)
{
    SMTP_SERVER_PROOFS_HOLD(scram);
}
