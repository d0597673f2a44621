/* server_rfc3207_test.c - the rules of RFC 3207 and RFC 8314 for servers (STARTTLS, TLS at once) can fail, and hold
 * where they are kept. */
#include "common/clock.h"
#include "harness/dialogue/wire.h"
#include "tests/conformance/server_proof.h"
#include "tests/support/test.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define EHLO(keyword) "S: 220 a.test\nC: EHLO ...\nS: 250-a.test\nS: 250 " keyword "\n"
#define STARTTLS "C: STARTTLS\nS: 220 Go on\n[starttls]\n"
#define MAIL "C: MAIL ...\nS: 250 Ok\n"
#define RCPT "C: RCPT ...\nS: 250 Ok\n"

/* ---- RFC 3207 ---- */

static void demand_tls(struct smtp_harness_options *options)
{
    options->server.tls.mode = SMTP_SERVER_TLS_REQUIRED;
}

#define STEP_NS (4000 * SMTP_NS_PER_MS)

static void say(struct smtp_dialogue_wire *wire, const char *reply)
{
    enum smtp_status status =
        smtp_dialogue_wire_say(wire, smtp_span_of(reply), smtp_clock_now_ns() + STEP_NS);
    (void)status; /* a client that is gone is seen at the next line */
}

/** Waits for that text; what came up to its end is taken. */
static bool hear(struct smtp_dialogue_wire *wire, const char *text)
{
    for (;;) {
        struct smtp_span heard = smtp_buffer_span(&wire->heard);
        const char *at = heard.len > 0 ? memmem(heard.bytes, heard.len, text, strlen(text)) : NULL;
        if (at != NULL) {
            smtp_buffer_take(&wire->heard, (size_t)(at - heard.bytes) + strlen(text));
            return true;
        }
        if (wire->ended ||
            smtp_dialogue_wire_hear(wire, smtp_clock_now_ns() + STEP_NS) != SMTP_OK) {
            return false;
        }
    }
}

static bool secure(struct smtp_dialogue_wire *wire)
{
    struct smtp_identity *identity;
    struct ssl_ctx_st *context;
    struct smtp_error error;
    if (smtp_identity_new(&identity, NULL, &error) != SMTP_OK) {
        return false;
    }
    bool made = smtp_tls_server_context(&context, identity, NULL, false, &error) == SMTP_OK;
    smtp_identity_release(identity);
    if (!made) {
        return false;
    }
    struct smtp_tls *tls = smtp_tls_new_server(context);
    smtp_tls_context_release(context);
    return smtp_dialogue_wire_secure(wire, tls, smtp_clock_now_ns() + STEP_NS) == SMTP_OK;
}

/** Refuses what stands in one packet with STARTTLS, and lets the octets before the handshake begin the first line
 *  inside it. */
static void join_partial_line(int connection, struct smtp_arrivals *arrivals)
{
    char fragment[4];
    struct smtp_dialogue_wire wire;
    (void)arrivals;
    smtp_dialogue_wire_init(&wire, dup(connection));
    say(&wire, "220 a.test\r\n");
    if (hear(&wire, "EHLO check.example\r\n")) {
        say(&wire, "250-a.test\r\n250 STARTTLS\r\n");
    }
    if (hear(&wire, "STARTTLS\r\n") && wire.heard.len == 0) {
        say(&wire, "220 Go on\r\n");
        struct pollfd item = {.fd = connection, .events = POLLIN};
        bool came = poll(&item, 1, 4000) > 0 &&
                    recv(connection, fragment, sizeof fragment, MSG_WAITALL) == sizeof fragment;
        if (came && secure(&wire) && hear(&wire, "NOOP\r\n")) {
            say(&wire, "500 RSETNOOP?\r\n");
        }
    } else {
        say(&wire, "454 No\r\n");
    }
    smtp_dialogue_wire_clear(&wire);
}

/* a session in which something stands behind STARTTLS, and ends it */
#define INJECTED(end) EHLO("STARTTLS") "C: STARTTLS\n" end "[session]\n"
#define NO_TLS "C: STARTTLS\nS: 454 Not now\n"
#define REFUSED "S: 454 Not now\n[S close]\n"
#define ALL_REFUSED                                                                                \
    INJECTED("C: NOOP\n" REFUSED)                                                                  \
    INJECTED("C: EHLO ...\nC: MAIL ...\n" REFUSED)                                                 \
    INJECTED("C: RCPT ...\n" REFUSED) INJECTED("C: AUTH ...\n" REFUSED)

static const struct smtp_server_proof starttls[] = {
    {"rfc3207/4/starttls-no-parameter", .dialogue = EHLO("STARTTLS") "C: STARTTLS x\nS: 220 Go\n",
     .detail = "expected 501; came \"220"},
    {"rfc3207/4/starttls-no-parameter",
     .dialogue = EHLO("STARTTLS") "C: STARTTLS x\nS: 501 No\n[starttls]\n", .detail = "NOOP",
     .right_dialogue = EHLO("HELP"), .right_verdict = SMTP_SKIP},
    {"rfc3207/4/starttls-not-demanded-on-mx", .with = PROOF_MX, .spoil = demand_tls,
     .detail = "expected mail to be taken in the clear"},
    {"rfc3207/4/tls-required-530", .configure = demand_tls, .faults = {"mail: reply 554 5.7.1"},
     .detail = "expected 530 to MAIL"},
    {"rfc3207/4/tls-required-530", .configure = demand_tls,
     .faults = {"any VRFY*: reply 252 2.5.2"}, .detail = "expected 530; came \"252"},
    {"rfc3207/4/tls-required-530", .configure = demand_tls, .faults = {"rcpt: reply 503 5.5.1"},
     .detail = "expected 530; came \"503"},
    {"rfc3207/4/tls-required-530", .configure = demand_tls,
     .faults = {"any NOOP*: reply 530 5.7.0"}, .detail = "expected 250; came \"530"},
    {"rfc3207/4/tls-required-530", .configure = demand_tls,
     .faults = {"ehlo: reply 530 5.7.0 from 2"}, .detail = "expected 250; came \"530"},
    {"rfc3207/4.2/starttls-state-discarded",
     .dialogue = EHLO("STARTTLS") MAIL RCPT STARTTLS "C: DATA\nS: 354 Go on\n",
     .detail = "; came \"354"},
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
    /* it closes, with a reply or without one */
    {"rfc3207/6/inject-command-after-starttls",
     .dialogue = EHLO("STARTTLS") "C: STARTTLS\nC: NOOP\nS: 220 Go on\n[starttls]\nS: 250 Ok\n",
     .detail = "inside TLS",
     .right_dialogue = INJECTED("C: NOOP\n[S close]\n") INJECTED(
         "C: EHLO ...\nC: MAIL ...\n[S close]\n") INJECTED("C: RCPT ...\nS: 554 No\n[S close]\n")
         EHLO("STARTTLS") "C: STARTTLS\nC: AUTH ...\n[S close]\n"},
    /* STARTTLS is refused, whatever stands behind it */
    {"rfc3207/6/inject-command-after-starttls",
     .dialogue = EHLO("STARTTLS") "C: STARTTLS\nC: NOOP\nS: 220 Go on\n[starttls]\nS: 250 Ok\n",
     .detail = "inside TLS", .right_dialogue = ALL_REFUSED EHLO("STARTTLS") NO_TLS,
     .right_verdict = SMTP_SKIP},
    /* only where something does */
    {"rfc3207/6/inject-command-after-starttls",
     .dialogue = ALL_REFUSED EHLO("STARTTLS") "C: STARTTLS\nS: 500 What?\n",
     .detail = "expected 220 to STARTTLS",
     .right_dialogue = ALL_REFUSED EHLO("STARTTLS") "C: STARTTLS\nS: 220 Go on\n"},
    {"rfc3207/6/inject-command-after-starttls",
     .dialogue = EHLO("STARTTLS") "C: STARTTLS\nC: NOOP\n[wait 2s]\nS: 220 Go on\n",
     .detail = "came neither", .is_mute = true},
    {"rfc3207/6/inject-partial-line",
     .dialogue = EHLO("STARTTLS") "C: STARTTLS\nC| RSET\nS: 220 Go on\n[starttls]\nC: NOOP\n"
                                  "S: 500 RSETNOOP?\n",
     .detail = "expected 250; came \"500",
     .right_dialogue = INJECTED("C| RSET\n[S close]\n") EHLO("STARTTLS") NO_TLS,
     .right_verdict = SMTP_SKIP},
    {"rfc3207/6/inject-partial-line",
     .dialogue = EHLO("STARTTLS") "C: STARTTLS\nC| RSET\nS: 220 Go on\n[starttls]\nC: NOOP\n"
                                  "S: 500 RSETNOOP?\n",
     .detail = "expected 250; came \"500"},
    {"rfc3207/6/inject-partial-line", .serve = join_partial_line,
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

static void speak(struct smtp_harness_options *options, int least, int most)
{
    struct smtp_identity *identity;
    struct ssl_ctx_st *context;
    struct smtp_error error;
    expect_int(smtp_identity_new(&identity, NULL, &error), SMTP_OK);
    expect_int(smtp_tls_server_context(&context, identity, NULL, false, &error), SMTP_OK);
    smtp_identity_release(identity);
    SSL_CTX_set_min_proto_version(context, least);
    SSL_CTX_set_max_proto_version(context, most);
    smtp_tls_context_release(options->server.tls.context);
    options->server.tls.context = context;
    options->server.hooks = (struct smtp_server_hooks){.user = context, .release = release_context};
}

/** Nothing newer than TLS 1.1. */
static void speak_old_tls(struct smtp_harness_options *options)
{
    speak(options, TLS1_VERSION, TLS1_1_VERSION);
}

static void speak_tls12(struct smtp_harness_options *options)
{
    speak(options, TLS1_2_VERSION, TLS1_2_VERSION);
}

static void speak_tls13(struct smtp_harness_options *options)
{
    speak(options, TLS1_3_VERSION, TLS1_3_VERSION);
}

static const struct smtp_server_proof tls[] = {
    /* "before the handshake", or, where this machine is slow, in place of it */
    {"rfc8314/3.3/implicit-tls-at-once", .with = PROOF_IMPLICIT_TLS, .dialogue = "S: 220 a.test\n",
     .detail = "handshake"},
    {"rfc8314/3.3/implicit-tls-at-once", .with = PROOF_IMPLICIT_TLS,
     .dialogue = "[tls]\nS: 220 a.test\n[S close]\n[session]\nC: EHLO ...\nS: 250 a.test\n",
     .detail = "no reply in the clear"},
    {"rfc8314/3.3/implicit-tls-at-once", .with = PROOF_IMPLICIT_TLS,
     .dialogue = "[tls]\nS: 220 a.test\n[S close]\n[session]\nC: EHLO ...\nS: 5\n",
     .detail = "no reply in the clear",
     .right_dialogue = "[tls]\nS: 220 a.test\n[S close]\n[session]\nC: EHLO ...\n[S close]\n"},
    {"rfc8314/4/tls12-supported", .configure = speak_tls12, .spoil = speak_old_tls,
     .detail = "TLS 1.2 or 1.3"},
    {"rfc8314/4/tls12-supported", .configure = speak_tls13, .spoil = speak_old_tls,
     .detail = "TLS 1.2 or 1.3"},
    {"rfc8314/4/tls12-supported", .with = PROOF_IMPLICIT_TLS, .spoil = speak_old_tls,
     .detail = "TLS 1.2 or 1.3"},
    {"rfc8314/4.1/cleartext-auth-uniform", .with = PROOF_LOGIN,
     .dialogue = EHLO("STARTTLS") "C: AUTH PLAIN ...\nS: 538 5.7.11 In TLS\n"
                                  "C: AUTH PLAIN ...\nS: 535 5.7.8 No\n",
     .detail = "expected one answer",
     .right_dialogue = EHLO("STARTTLS") "C: AUTH PLAIN ...\nS: 538 5.7.11 In TLS (id 1)\n"
                                        "C: AUTH PLAIN ...\nS: 538 5.7.11 In TLS (id 2)\n",
     .right_warning = "other texts"},
    {"rfc8314/4.1/cleartext-auth-uniform", .with = PROOF_LOGIN,
     .dialogue = EHLO("STARTTLS") "C: AUTH PLAIN ...\nS: 535 5.7.11 No\n"
                                  "C: AUTH PLAIN ...\nS: 535 5.7.8 No\n",
     .detail = "expected one answer"},
    {"rfc8314/4.1/cleartext-auth-uniform", .with = PROOF_LOGIN,
     .dialogue = EHLO("STARTTLS") "C: AUTH PLAIN ...\nS: 538 No\nC: AUTH PLAIN ...\nS: 535 No\n",
     .detail = "expected one answer", .right_dialogue = EHLO("HELP") "C: AUTH ...\nS: 235 Yes\n",
     .right_verdict = SMTP_SKIP},
};

TEST_WITHIN(server_rfc8314, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(tls);
}
