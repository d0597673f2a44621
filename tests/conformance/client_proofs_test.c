/* client_proofs_test.c - every rule for clients can fail, and holds where it is kept: a table of flaws. */
#include "tests/conformance/client_proof.h"
#include "tests/support/test.h"

static const struct smtp_client_proof sessions[] = {
    {"rfc5321/2.3.5/ehlo-argument-form", .flaw = "name=localhost", .detail = "a domain with a dot",
     .right = "name=mail-1.a.example"},
    {"rfc5321/2.3.5/ehlo-argument-form", .flaw = "name=a.example.", .detail = "a domain with a dot",
     .right = "name=[192.0.2.1]"},
    {"rfc5321/2.3.5/ehlo-argument-form", .flaw = "name=a..example",
     .detail = "a domain with a dot"},
    {"rfc5321/2.3.5/ehlo-argument-form", .flaw = "name=-a.example", .detail = "a domain with a dot",
     .right = "name=[IPv6:2001:db8::1]"},
    {"rfc5321/2.3.5/ehlo-argument-form", .flaw = "name=a-.example",
     .detail = "a domain with a dot"},
    {"rfc5321/2.3.5/ehlo-argument-form", .flaw = "name=a_b.example",
     .detail = "a domain with a dot"},
    {"rfc5321/2.3.5/ehlo-argument-form", .flaw = "name=[2001:db8::1",
     .detail = "a domain with a dot"},
    {"rfc5321/2.3.5/ehlo-argument-form", .flaw = "name=(192.0.2.1]",
     .detail = "a domain with a dot"},
    {"rfc5321/2.3.5/ehlo-argument-form", .flaw = "name=[fe80::1]", .detail = "a domain with a dot"},
    {"rfc5321/3.2/ehlo-preferred", .flaw = "no-helo", .detail = "HELO after EHLO"},
    {"rfc5321/3.3/command-order", .flaw = "no-rset", .detail = "before the next MAIL"},
    {"rfc5321/3.3/no-content-without-354", .flaw = "content-anyway",
     .detail = "no content after DATA"},
    {"rfc5321/3.3/exact-mail-rcpt-syntax", .flaw = "space-after-colon",
     .detail = "expected MAIL FROM:<"},
    {"rfc5321/3.3/exact-mail-rcpt-syntax", .flaw = "data-argument no-bdat", .detail = "DATA alone"},
    {"rfc5321/3.8/connection-loss-is-temporary", .flaw = "loss-is-permanent",
     .detail = "a permanent one"},
    {"rfc5321/4.1.1.1/hello-before-mail", .flaw = "ignores-hello",
     .detail = "MAIL after EHLO and HELO"},
    {"rfc5321/4.1.1.10/quit-before-close", .flaw = "no-quit", .detail = "expected QUIT"},
    {"rfc5321/4.3.1/waits-for-greeting", .flaw = "talks-first", .detail = "before the greeting"},
    {"rfc5321/4.3.1/lock-step", .flaw = "groups", .detail = "one command at a time"},
};

static const struct smtp_client_proof content[] = {
    {"rfc5321/2.3.8/smuggling-no-bare-cr-lf", .flaw = "raw-content", .detail = "pairs alone"},
    {"rfc5321/2.3.8/smuggling-no-bare-cr-lf", .flaw = "raw-cr", .detail = "pairs alone"},
    {"rfc5321/2.3.8/smuggling-no-bare-cr-lf", .flaw = "raw-lf", .detail = "pairs alone"},
    {"rfc5321/2.3.8/smuggling-no-bare-cr-lf", .flaw = "raw-inner-cr", .detail = "pairs alone"},
    {"rfc5321/2.3.8/smuggling-no-bare-cr-lf", .flaw = "no-stuffing", .detail = "one message"},
    {"rfc5321/2.3.8/crlf-injection-envelope", .flaw = "raw-addresses", .detail = "in the sender"},
    {"rfc5321/2.4/local-part-case-kept", .flaw = "lowers", .detail = "MiXeD"},
    {"rfc5321/4.1.1.1/ehlo-keywords-case-insensitive", .flaw = "case-sensitive",
     .detail = "in upper case"},
    {"rfc5321/4.1.1.3/no-unoffered-parameter", .flaw = "always-size",
     .detail = "without parameters"},
    {"rfc5321/4.1.1.3/no-unoffered-parameter", .flaw = "no-mail", .skips = "sends no MAIL"},
    {"rfc5321/4.1.1.3/no-unoffered-parameter", .flaw = "always-size raw-content",
     .detail = "without parameters"},
    {"rfc5321/4.1.1.3/no-unoffered-parameter", .flaw = "always-dsn raw-content",
     .detail = "without parameters"},
    {"rfc5321/4.1.1.4/terminator-once", .flaw = "extra-crlf", .detail = "expected the body"},
    {"rfc5321/4.1.1.4/missing-final-crlf", .flaw = "forgets-last-dot",
     .detail = "expected the body"},
    {"rfc5321/4.1.2/quoted-local-part-sent", .flaw = "unquotes", .detail = "john smith"},
    {"rfc5321/4.1.2/crlf-injection-parameter", .flaw = "raw-addresses", .detail = "no X=<"},
    {"rfc5321/4.1.2/crlf-injection-parameter", .flaw = "raw-recipients",
     .detail = "no NOTIFY=NEVER, came \"RCPT TO:<bob@example.com> NOTIFY"},
    {"rfc5321/4.1.2/crlf-injection-parameter", .flaw = "raw-tabs",
     .detail = "no NOTIFY=NEVER, came \"RCPT TO:<bob@example.com>\\x09"},
    {"rfc5321/4.1.2/crlf-injection-parameter", .flaw = "raw-envid", .detail = "a line of its own"},
    {"rfc5321/4.1.2/crlf-injection-parameter", .flaw = "raw-xtext", .detail = "no X=b"},
    {"rfc5321/4.5.2/dot-stuffing", .flaw = "no-stuffing"},
    {"rfc5322/2.1.1/line-998", .flaw = "raw-content", .detail = "998 octets"},
    {"rfc5322/2.1.1/line-998", .flaw = "cuts-lines", .detail = "some of it is gone",
     .right = "folds-lines"},
};

static const struct smtp_client_proof replies[] = {
    {"rfc3463/2/unknown-enhanced-code", .flaw = "enhanced-decides", .detail = "450 4.7.999"},
    {"rfc5321/4.2/multiline-reply-any-command", .flaw = "one-line=connect"},
    {"rfc5321/4.2/multiline-reply-any-command", .flaw = "one-line=EHLO"},
    {"rfc5321/4.2/multiline-reply-any-command", .flaw = "one-line=MAIL"},
    {"rfc5321/4.2/multiline-reply-any-command", .flaw = "one-line=RCPT"},
    {"rfc5321/4.2/multiline-reply-any-command", .flaw = "one-line=DATA"},
    {"rfc5321/4.2/unknown-code-by-first-digit", .flaw = "exact-codes"},
    {"rfc5321/4.2/text-ignored", .flaw = "reads-text", .detail = "250 User unknown"},
    {"rfc5321/4.2/out-of-range-code", .flaw = "ignores-codes",
     .detail = "reply to MAIL that is none"},
    {"rfc5321/4.2.1/bare-code-reply", .flaw = "needs-text=MAIL"},
    {"rfc5321/4.2.1/bare-code-reply", .flaw = "needs-text=RCPT"},
    {"rfc5321/4.2.1/bare-code-reply", .flaw = "needs-text=DATA"},
    {"rfc5321/4.2.1/bare-code-reply", .flaw = "needs-text=dot"},
    {"rfc5321/4.2.1/5yz-not-repeated", .flaw = "insists", .detail = "one RCPT"},
    {"rfc5321/4.2.1/5yz-not-repeated", .flaw = "nothing-is-temporary",
     .detail = "a temporary failure or another try"},
    {"rfc5321/4.5.3.1.10/rcpt-552-is-temporary", .flaw = "552-is-permanent",
     .detail = "a permanent failure"},
    {"rfc5321/4.5.3.1.10/rcpt-552-is-temporary", .flaw = "all-or-nothing",
     .detail = "to the 100 that were taken"},
    {"rfc5321/4.5.3.2/per-command-timeout", .flaw = "", .detail = "give up",
     .right = "patience=2.3", .slow = true},
    {"rfc5321/4.5.3.2/timeout-minimums", .flaw = "hasty=connect", .slow = true},
    {"rfc5321/4.5.3.2/timeout-minimums", .flaw = "hasty=MAIL", .slow = true},
    {"rfc5321/4.5.3.2/timeout-minimums", .flaw = "hasty=RCPT", .slow = true},
    {"rfc5321/4.5.3.2/timeout-minimums", .flaw = "hasty=DATA", .slow = true},
    {"rfc5321/4.5.3.2.6/final-reply-ten-minutes", .flaw = "patience=0.1", .slow = true},
    {"rfc5321/4.5.3.2.6/final-reply-ten-minutes", .flaw = "sends-twice", .detail = "one copy",
     .slow = true},
    {"rfc5321/4.5.4.1/one-copy-many-recipients", .flaw = "a-copy-each",
     .detail = "one transaction"},
};

static const struct smtp_client_proof extensions[] = {
    {"rfc1870/6/declared-size-value", .flaw = "size-one", .detail = "or a little more",
     .right = "nul-before-size"},
    {"rfc1870/6.2/size-refusal-handling", .flaw = "goes-on", .detail = "RCPT after MAIL"},
    {"rfc2920/3/pipeline-only-if-offered", .flaw = "groups", .detail = "one command at a time"},
    {"rfc2920/3/pipeline-only-if-offered", .flaw = "pipelines keeps-capabilities",
     .detail = "before TLS alone", .right = "pipelines"},
    {"rfc2920/3.1/sync-commands-last", .flaw = "content-with-data", .detail = "behind DATA"},
    {"rfc2920/3.1/all-statuses-checked", .flaw = "one-status"},
    {"rfc2920/3.1/all-statuses-checked", .flaw = "stops-at-refusal",
     .detail = "for the two that were taken"},
    {"rfc2920/3.1/data-accepted-no-recipients", .flaw = "goes-on", .detail = "a lone dot"},
    {"rfc3030/2/bdat-only-if-offered", .flaw = "always-bdat", .detail = "BDAT where CHUNKING"},
    {"rfc3030/2/bdat-exact-count", .flaw = "stuffs-bdat", .detail = "expected the body"},
    {"rfc3030/2/bdat-stop-after-error", .flaw = "small-chunks goes-on-with-bdat",
     .detail = "RSET or QUIT"},
    {"rfc3030/3/binary-only-with-binarymime", .flaw = "raw-content", .detail = "binary content"},
    {"rfc3030/3/binary-only-with-binarymime", .flaw = "keeps-binary", .detail = "binary content"},
    {"rfc3461/4/dsn-parameters-well-formed", .flaw = "raw-xtext", .detail = "in xtext"},
    {"rfc6152/3/no-8bit-unless-offered", .flaw = "raw-content", .detail = "8-bit content"},
    {"rfc6152/3/no-8bit-unless-offered", .flaw = "strips-bits", .detail = "the same text",
     .right = "encodes=quoted-printable"},
    {"rfc6152/3/no-8bit-unless-offered", .flaw = "encodes=binhex", .detail = "the same text",
     .right = "encodes=base64"},
    {"rfc6152/3/body-parameter-declared", .flaw = "no-body", .detail = "one BODY=8BITMIME"},
    {"rfc6152/3/body-parameter-declared", .flaw = "content-alone", .detail = "came no MAIL"},
    {"rfc6531/3.2/no-utf8-unless-offered", .flaw = "raw-utf8", .detail = "a UTF-8 local part"},
    {"rfc6531/3.2/no-utf8-unless-offered", .flaw = "raw-domains", .detail = "a U-label came"},
    {"rfc6531/3.2/no-utf8-unless-offered", .flaw = "drops-accents", .detail = "an A-label"},
    {"rfc6531/3.4/smtputf8-when-needed", .flaw = "no-smtputf8", .detail = "expected SMTPUTF8"},
    {"rfc2033/4.2/lmtp-counts-accepted-only", .flaw = "counts-all patience=0.5",
     .detail = "in step up to QUIT"},
    {"rfc2033/4.2/lmtp-counts-accepted-only", .flaw = "ehlo-in-lmtp", .detail = "expected LHLO"},
    {"rfc2033/5/lmtp-partial-replies", .flaw = "partial-is-sent"},
    {"rfc7504/3/greeting-521-permanent", .flaw = "goes-on", .detail = "MAIL after a greeting"},
    {"rfc9422/3.6/limits-latest-ehlo", .flaw = "keeps-capabilities", .detail = "one transaction"},
    {"rfc9422/3.7/limits-unknown-ignored", .flaw = "takes-any-limit", .detail = "one transaction"},
    {"rfc9422/4.2/limits-respected", .flaw = "no-limits", .detail = "RCPTMAX=2"},
    {"rfc9422/4.2/limits-respected", .flaw = "first-group-alone",
     .detail = "a RCPT for each recipient"},
};

static const struct smtp_client_proof security[] = {
    {"rfc3207/4/handshake-follows-220", .flaw = "talks-after-220"},
    {"rfc3207/4.1/quit-when-not-trusted", .flaw = "trusts-anything",
     .detail = "a self-signed certificate"},
    {"rfc3207/4.1/quit-when-not-trusted", .flaw = "trusts-expired", .detail = "an expired"},
    {"rfc3207/4.1/quit-when-not-trusted", .flaw = "trusts-any-name", .detail = "another host's"},
    {"rfc3207/4.2/capabilities-forgotten", .flaw = "no-ehlo-in-tls", .detail = "EHLO first"},
    {"rfc3207/4.2/capabilities-forgotten", .flaw = "keeps=AUTH", .detail = "no AUTH inside TLS"},
    {"rfc3207/4.2/capabilities-forgotten", .flaw = "keeps=SIZE no-login",
     .detail = "no parameter inside TLS", .right = "no-login"},
    {"rfc3207/4.2/capabilities-forgotten", .flaw = "keeps=PIPELINING pipelines no-login",
     .detail = "no grouping inside TLS", .right = "pipelines no-login"},
    {"rfc3207/6/tls-required-no-fallback", .flaw = "falls-back", .detail = "in the clear"},
    {"rfc3207/6/inject-reply-after-220", .flaw = "keeps-what-was-heard"},
    {"rfc8314/5.2/min-confidentiality", .flaw = "trusts-anything",
     .detail = "EHLO, STARTTLS and QUIT"},
    {"rfc8689/2/requiretls-only-in-tls", .flaw = "requiretls-anyway",
     .detail = "REQUIRETLS is offered before"},
    {"rfc8689/2/requiretls-only-in-tls", .flaw = "requiretls-value", .detail = "without a value"},
    {"rfc8689/2/requiretls-only-in-tls", .flaw = "no-requiretls", .detail = "without a value"},
    {"rfc4954/4/auth-ir-empty-equals", .flaw = "bare-space", .detail = "AUTH EXTERNAL ="},
    {"rfc4954/4/auth-ir-too-long", .flaw = "long-auth-line", .detail = "512 octets"},
    {"rfc4954/4/auth-bad-challenge-cancel", .flaw = "answers-anything", .detail = "expected \"*\""},
    {"rfc4954/4/auth-one-line-response", .flaw = "wraps=PLAIN"},
    {"rfc4954/4/auth-one-line-response", .flaw = "wraps=LOGIN"},
    {"rfc4954/14/plain-needs-verified-server", .flaw = "trusts-anything",
     .detail = "with a self-signed certificate"},
    {"rfc4954/14/plain-needs-verified-server", .flaw = "trusts-any-name",
     .detail = "with another host's certificate"},
    {"rfc4616/2/plain-message-form", .flaw = "wrong-plain", .detail = "[authzid] NUL"},
    {"rfc2195/2/cram-md5-response", .flaw = "upper-case", .detail = "expected \"ann"},
    {"draft-murchison-sasl-login-00/2/login-prompt-text-ignored", .flaw = "reads-prompts",
     .detail = "whatever"},
    {"draft-murchison-sasl-login-00/2/login-prompt-text-ignored", .flaw = "login-first",
     .detail = "came LOGIN"},
    {"rfc7628/3.2.3/oauth-dummy-response", .flaw = "no-dummy", .detail = "AQ== or *"},
    {"rfc7628/3.2.3/oauth-dummy-response", .flaw = "hangs-up-at-334", .detail = "came nothing"},
    {"rfc7628/3.2.3/oauth-dummy-response", .flaw = "gs2=p,", .detail = "expected a GS2 header"},
    {"rfc7628/3.2.3/oauth-dummy-response", .flaw = "gs2=nn", .detail = "expected a GS2 header"},
    {"rfc7628/3.2.3/oauth-dummy-response", .flaw = "scheme=Basic",
     .detail = "expected a GS2 header"},
    {"rfc7628/3.2.3/oauth-dummy-response", .flaw = "bearer-ends-early",
     .detail = "expected a GS2 header"},
    {"rfc5802/5/scram-verifies-server", .flaw = "trusts-scram", .detail = "MAIL after"},
};

/** Each keeps the rule on the wire, and says that it sent what it did not. */
static const struct smtp_client_proof outcomes[] = {
    {"rfc5321/2.3.8/crlf-injection-envelope", .flaw = "claims-success",
     .detail = "say that it was not sent"},
    {"rfc5321/3.3/no-content-without-354", .flaw = "claims-success",
     .detail = "say that it was not sent"},
    {"rfc5321/4.1.1.1/hello-before-mail", .flaw = "claims-success",
     .detail = "say that it was not sent"},
    {"rfc5321/4.2/out-of-range-code", .flaw = "claims-success",
     .detail = "say that it was not sent"},
    {"rfc2033/4.2/lmtp-counts-accepted-only", .flaw = "claims-success",
     .detail = "say that it was not sent"},
    {"rfc2920/3.1/all-statuses-checked", .flaw = "claims-success",
     .detail = "say that it was not sent"},
    {"rfc2920/3.1/data-accepted-no-recipients", .flaw = "claims-success",
     .detail = "say that it was not sent"},
    {"rfc3030/2/bdat-stop-after-error", .flaw = "claims-success small-chunks",
     .detail = "say that it was not sent"},
    {"rfc3207/4.1/quit-when-not-trusted", .flaw = "claims-success",
     .detail = "say that it was not sent"},
    {"rfc3207/6/tls-required-no-fallback", .flaw = "claims-success",
     .detail = "say that it was not sent"},
    {"rfc5802/5/scram-verifies-server", .flaw = "claims-success",
     .detail = "say that it was not sent"},
    {"rfc6531/3.2/no-utf8-unless-offered", .flaw = "claims-success",
     .detail = "say that it was not sent"},
    {"rfc7628/3.2.3/oauth-dummy-response", .flaw = "claims-success",
     .detail = "say that it was not sent"},
    {"rfc8314/5.2/min-confidentiality", .flaw = "claims-success",
     .detail = "say that it was not sent"},
    {"rfc8689/2/requiretls-only-in-tls", .flaw = "claims-success",
     .detail = "say that it was not sent"},
};

TEST_WITHIN(client_sessions, each_rule_fails_a_client_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_CLIENT_PROOFS_HOLD(sessions);
}

TEST_WITHIN(client_content, each_rule_fails_a_client_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_CLIENT_PROOFS_HOLD(content);
}

TEST_WITHIN(client_replies, each_rule_fails_a_client_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_CLIENT_PROOFS_HOLD(replies);
}

TEST_WITHIN(client_extensions, each_rule_fails_a_client_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_CLIENT_PROOFS_HOLD(extensions);
}

TEST_WITHIN(client_security, each_rule_fails_a_client_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_CLIENT_PROOFS_HOLD(security);
}

TEST_WITHIN(client_outcomes, each_rule_fails_a_client_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_CLIENT_PROOFS_HOLD(outcomes);
}
