/* server_rfc3207_test.c - the rules of RFC 3207 and RFC 8314 for servers (STARTTLS, TLS at once) can fail, and hold
 * where they are kept. */
#include "common/tls.h"
#include "tests/conformance/server_proof.h"
#include "tests/support/test.h"

#include <openssl/ssl.h>

#define EHLO(keyword) "S: 220 a.test\nC: EHLO ...\nS: 250-a.test\nS: 250 " keyword "\n"
#define STARTTLS "C: STARTTLS\nS: 220 Go on\n[starttls]\n"
#define MAIL "C: MAIL ...\nS: 250 Ok\n"
#define RCPT "C: RCPT ...\nS: 250 Ok\n"

/* ---- RFC 3207 ---- */

static void demand_tls(struct smtp_harness_options *options)
{
    options->server.tls.mode = SMTP_SERVER_TLS_REQUIRED;
}

static const struct smtp_server_proof starttls[] = {
    {"rfc3207/4/starttls-no-parameter", .dialogue = EHLO("STARTTLS") "C: STARTTLS x\nS: 220 Go\n",
     .detail = "expected 501; came \"220"},
    {"rfc3207/4/starttls-no-parameter",
     .dialogue = EHLO("STARTTLS") "C: STARTTLS x\nS: 501 No\n[starttls]\n", .detail = "NOOP"},
    {"rfc3207/4/starttls-not-demanded-on-mx", .with = PROOF_MX, .spoil = demand_tls,
     .detail = "expected mail to be taken in the clear"},
    {"rfc3207/4/tls-required-530", .configure = demand_tls, .faults = {"mail: reply 554 5.7.1"},
     .detail = "expected 530 to MAIL"},
    {"rfc3207/4/tls-required-530", .configure = demand_tls,
     .faults = {"any VRFY*: reply 252 2.5.2"}, .detail = "expected 530; came \"252"},
    {"rfc3207/4.2/starttls-state-discarded",
     .dialogue = EHLO("STARTTLS") MAIL RCPT STARTTLS "C: DATA\nS: 354 Go on\n",
     .detail = "expected 503 or 554; came \"354"},
    {"rfc3207/4.2/starttls-state-discarded",
     .dialogue = EHLO("STARTTLS") MAIL RCPT STARTTLS "C: DATA\nS: 503 No\n" RCPT,
     .detail = "came \"250"},
    {"rfc3207/4.2/starttls-not-offered-again",
     .dialogue = EHLO("STARTTLS") STARTTLS "C: EHLO ...\nS: 250-a.test\nS: 250 STARTTLS\n",
     .detail = "offered inside TLS"},
    {"rfc3207/4.2/starttls-not-offered-again", .with = PROOF_IMPLICIT_TLS,
     .dialogue = "[tls]\n" EHLO("STARTTLS"), .detail = "offered inside TLS"},
    {"rfc3207/6/inject-command-after-starttls",
     .dialogue =
         EHLO("STARTTLS") "C: STARTTLS\nC: NOOP\nS: 220 Go on\n[starttls]\nS: 250 2.0.0 Ok\n",
     .detail = "inside TLS, after \"NOOP"},
    {"rfc3207/6/inject-command-after-starttls",
     .dialogue = EHLO("STARTTLS") "C: STARTTLS\nC: NOOP\nS: 454 No\n[S close]\n[session]\n" EHLO(
         "STARTTLS") "C: STARTTLS\nC: EHLO ...\nC: MAIL ...\nS: 220 Go on\n[starttls]\n"
                     "S: 250 a.test\nS: 250 Ok\n",
     .detail = "inside TLS, after \"EHLO"},
    {"rfc3207/6/inject-partial-line",
     .dialogue = EHLO("STARTTLS") "C: STARTTLS\nC| RSET\nS: 220 Go on\n[starttls]\nC: NOOP\n"
                                  "S: 500 RSETNOOP?\n",
     .detail = "expected 250; came \"500"},
    {"rfc3207/6/inject-partial-line",
     .dialogue = EHLO("STARTTLS") "C: STARTTLS\nC| RSET\nS: 454 No\n[S close]\n[session]\n" EHLO(
         "STARTTLS") "C: STARTTLS\nS: 220 Go on\nC| RSET\n[starttls]\nC: NOOP\nS: 500 RSETNOOP?\n",
     .detail = "expected 250; came \"500"},
};

TEST_WITHIN(server_rfc3207, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(starttls);
}

/* ---- RFC 8314 ---- */

static void release_context(void *context)
{
    smtp_tls_context_release(context);
}

/** Nothing newer than TLS 1.1. */
static void speak_old_tls(struct smtp_harness_options *options)
{
    struct smtp_identity *identity;
    struct ssl_ctx_st *context;
    struct smtp_error error;
    expect_int(smtp_identity_new(&identity, NULL, &error), SMTP_OK);
    expect_int(smtp_tls_server_context(&context, identity, NULL, false, &error), SMTP_OK);
    smtp_identity_release(identity);
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
    options->server.tls.context = context;
    options->server.hooks = (struct smtp_server_hooks){.user = context, .release = release_context};
}

static const struct smtp_server_proof tls[] = {
    {"rfc8314/3.3/implicit-tls-at-once", .with = PROOF_IMPLICIT_TLS, .dialogue = "S: 220 a.test\n",
     .detail = "before the handshake"},
    {"rfc8314/3.3/implicit-tls-at-once", .with = PROOF_IMPLICIT_TLS,
     .dialogue = "[tls]\nS: 220 a.test\n[S close]\n[session]\nC: EHLO ...\nS: 250 a.test\n",
     .detail = "no reply in the clear"},
    {"rfc8314/4/tls12-supported", .spoil = speak_old_tls, .detail = "TLS 1.2 or 1.3"},
    {"rfc8314/4/tls12-supported", .with = PROOF_IMPLICIT_TLS, .spoil = speak_old_tls,
     .detail = "TLS 1.2 or 1.3"},
    {"rfc8314/4.1/cleartext-auth-uniform", .with = PROOF_LOGIN,
     .dialogue = EHLO("STARTTLS") "C: AUTH PLAIN ...\nS: 538 5.7.11 In TLS\n"
                                  "C: AUTH PLAIN ...\nS: 535 5.7.8 No\n",
     .detail = "expected one answer"},
};

TEST_WITHIN(server_rfc8314, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(tls);
}
