/* server_further_test.c - the rules of further extensions for servers (RFC 3848, 4865, 7504, 8689, 9422) can fail, and
 * hold where they are kept. */
#include "tests/conformance/crooked.h"
#include "tests/conformance/server_proof.h"
#include "tests/support/test.h"

#define EHLO(keyword) "S: 220 a.test\nC: EHLO ...\nS: 250-a.test\nS: 250 " keyword "\n"
#define MAIL "C: MAIL ...\nS: 250 Ok\n"
#define RCPT "C: RCPT ...\nS: 250 Ok\n"
#define RSET "C: RSET\nS: 250 Ok\n"

/* ---- RFC 3848 ---- */

static bool with(struct smtp_proof_mail *mail, const char *protocol)
{
    mail->arrival.content = smtp_span_of(smtp_proof_text(
        mail, "Received: from a by b with %s; Thu, 01 Jan 2026 00:00:00 +0000\r\n%.*s", protocol,
        (int)mail->arrival.content.len, mail->arrival.content.bytes));
    return true;
}

static bool with_esmtp(struct smtp_proof_mail *mail)
{
    return with(mail, "ESMTP");
}

static bool with_esmtps(struct smtp_proof_mail *mail)
{
    return with(mail, "ESMTPS");
}

static void without_utf8(struct smtp_harness_options *options)
{
    options->server.keywords.smtputf8 = false;
}

static const struct smtp_server_proof protocols[] = {
    {"rfc3848/1/with-keyword", .with = PROOF_MAILDIR, .mangle = with_esmtp,
     .detail = "expected WITH SMTP, came \"ESMTP\""},
    {"rfc3848/1/with-keyword", .with = PROOF_MAILDIR | PROOF_IMPLICIT_TLS, .mangle = with_esmtp,
     .detail = "expected WITH ESMTPS, came \"ESMTP\""},
    {"rfc3848/1/with-keyword", .with = PROOF_MAILDIR | PROOF_IMPLICIT_TLS, .mangle = with_esmtps,
     .detail = "expected WITH UTF8SMTPS, came \"ESMTPS\""},
    {"rfc3848/1/with-keyword", .with = PROOF_MAILDIR | PROOF_IMPLICIT_TLS | PROOF_LOGIN,
     .configure = without_utf8, .mangle = with_esmtps,
     .detail = "expected WITH ESMTPSA, came \"ESMTPS\""},
    {"rfc3848/1/with-keyword", .with = PROOF_MAILDIR | PROOF_STARTTLS, .mangle = with_esmtp,
     .detail = "expected WITH ESMTPS, came \"ESMTP\""},
    {"rfc3848/1/with-keyword", .with = PROOF_MAILDIR | PROOF_LMTP, .mangle = with_esmtp,
     .detail = "expected WITH LMTP, came \"ESMTP\""},
};

TEST_WITHIN(server_rfc3848, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(protocols);
}

/* ---- RFC 4865 ---- */

#define HOLDS "FUTURERELEASE 100 2030-01-01T00:00:00Z"
#define HOLD_MS 2000 /* what is asked for at least */

static void hold_mail(struct smtp_harness_options *options)
{
    options->server.keywords.future_release = true;
}

static bool is_no_hold(const char *command)
{
    return strstr(command, "HOLDFOR=101") != NULL || strstr(command, "HOLDFOR=0") != NULL ||
           strstr(command, "HOLDUNTIL=") != NULL;
}

static bool is_no_hold_but_0(const char *command)
{
    return strstr(command, "HOLDFOR=0") == NULL && is_no_hold(command);
}

static bool is_no_hold_but_both(const char *command)
{
    return strstr(command, "HOLDUNTIL=") == NULL && is_no_hold(command);
}

#define SERVER(name, ...)                                                                          \
    static void name(int connection, struct smtp_arrivals *arrivals)                               \
    {                                                                                              \
        smtp_crooked_serve(connection, &(struct smtp_crooked){                                     \
                                           .arrivals = arrivals, .keyword = HOLDS, __VA_ARGS__});  \
    }

SERVER(take_any_hold, .hold_ms = HOLD_MS)
SERVER(take_hold_of_0, .refuses = is_no_hold_but_0, .hold_ms = HOLD_MS)
SERVER(take_hold_of_both, .refuses = is_no_hold_but_both, .hold_ms = HOLD_MS)
SERVER(release_at_once, .refuses = is_no_hold)
SERVER(release_early, .refuses = is_no_hold, .hold_ms = HOLD_MS / 8)
SERVER(hold, .refuses = is_no_hold, .hold_ms = HOLD_MS)

static const struct smtp_server_proof future[] = {
    {"rfc4865/4.2/futurerelease-offer", .with = PROOF_MX, .dialogue = EHLO(HOLDS),
     .detail = "offered to the world", .right_dialogue = EHLO("HELP"), .right_verdict = SMTP_SKIP},
    {"rfc4865/4.2/futurerelease-offer", .configure = hold_mail,
     .dialogue = EHLO("FUTURERELEASE 100"), .detail = "expected seconds and a time"},
    {"rfc4865/4.2/futurerelease-offer", .with = PROOF_SUBMISSION, .configure = hold_mail,
     .dialogue = EHLO("FUTURERELEASE 2030-01-01T00:00:00Z 100"),
     .detail = "expected seconds and a time"},
    {"rfc4865/4.2/futurerelease-limits", .with = PROOF_MAILDIR, .serve = take_any_hold,
     .detail = "came \"250", .right_serve = hold},
    {"rfc4865/4.2/futurerelease-limits", .with = PROOF_MAILDIR, .serve = take_hold_of_0,
     .detail = "came \"250", .right_serve = hold},
    {"rfc4865/4.2/futurerelease-limits", .with = PROOF_MAILDIR, .serve = take_hold_of_both,
     .detail = "came \"250", .right_serve = hold},
    {"rfc4865/4.2/futurerelease-limits", .with = PROOF_MAILDIR, .serve = release_at_once,
     .detail = "to be held for 2 s", .right_serve = hold},
    {"rfc4865/4.2/futurerelease-limits", .with = PROOF_MAILDIR, .serve = release_early,
     .detail = "to be held for 2 s", .right_serve = hold},
};

TEST_WITHIN(server_rfc4865, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(future);
}

/* ---- RFC 7504, RFC 9422 ---- */

static enum smtp_server_verdict take_no_mail(void *user,
                                             const struct smtp_server_session_info *session,
                                             struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    return smtp_server_reply(reply, 521, "5.3.2", "No mail here");
}

static void be_without_mail(struct smtp_harness_options *options)
{
    options->server.hooks.connect = take_no_mail;
}

static void limit_messages(struct smtp_harness_options *options)
{
    options->server.limits.messages = 5;
}

/** With 50 ms between what comes and what is said. */
static void keep_limits_far(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){
                                       .keyword = "LIMITS RCPTMAX=300 MAILMAX=80", .lag_ms = 50});
}

static const struct smtp_server_proof limits[] = {
    {"rfc7504/3/greeting-521", .configure = be_without_mail,
     .dialogue = "S: 521 No mail here\nC: EHLO ...\nS: 250 a.test\n",
     .detail = "expected 521 or a close after 521, came \"250"},
    {"rfc7504/3/greeting-521", .configure = be_without_mail,
     .dialogue = "S: 521 No mail here\nC: EHLO ...\nS: 503 No\n",
     .detail = "expected 521 or a close after 521, came \"503",
     .right_dialogue = "S: 521 No mail here\nC: EHLO ...\n[S close]\n"},
    {"rfc9422/4/limits-syntax-and-truth", .dialogue = EHLO("LIMITS RCPTMAX=0010"),
     .detail = "RCPTMAX from 1 to 999999"},
    {"rfc9422/4/limits-syntax-and-truth", .dialogue = EHLO("LIMITS MAILMAX=0"),
     .detail = "MAILMAX from 1 to 999999", .right_dialogue = EHLO("HELP"),
     .right_verdict = SMTP_SKIP},
    {"rfc9422/4/limits-syntax-and-truth", .dialogue = EHLO("LIMITS RCPTDOMAINMAX=1000000"),
     .detail = "RCPTDOMAINMAX from 1 to 999999"},
    {"rfc9422/4/limits-syntax-and-truth",
     .dialogue = EHLO("LIMITS RCPTMAX=2") MAIL RCPT "C: RCPT ...\nS: 452 Too many\n",
     .detail = "came \"452 Too many\\r\\n\" to RCPT", .right_serve = keep_limits_far},
    {"rfc9422/4/limits-syntax-and-truth", .configure = limit_messages,
     .dialogue = EHLO("LIMITS MAILMAX=2") MAIL RSET "C: MAIL ...\nS: 452 Too many\n",
     .detail = "came \"452 Too many\\r\\n\" to MAIL"},
    {"rfc9422/4/limits-syntax-and-truth", .configure = limit_messages,
     .dialogue = EHLO("LIMITS RCPTMAX=2 MAILMAX=3") MAIL RCPT RCPT RSET MAIL RSET
     "C: MAIL ...\nS: 452 Too many\n",
     .detail = "came \"452 Too many\\r\\n\" to MAIL",
     .right_dialogue = EHLO("LIMITS RCPTMAX=2 MAILMAX=1") MAIL RCPT RCPT},
};

TEST_WITHIN(server_rfc9422, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(limits);
}

/* ---- RFC 8689 ---- */

static bool as_it_is(struct smtp_proof_mail *mail)
{
    (void)mail;
    return true;
}

static bool is_lost(struct smtp_proof_mail *mail)
{
    (void)mail;
    return false;
}

static bool arrives_late(struct smtp_proof_mail *mail)
{
    mail->arrival.content = smtp_span_of(
        smtp_proof_text(mail, "%.*s", (int)mail->arrival.content.len, mail->arrival.content.bytes));
    mail->late_ms = 200; /* beyond the silence that rules wait for, within the time for a relay */
    return true;
}

static bool tell(struct smtp_proof_mail *mail, size_t len)
{
    mail->notification.content = smtp_span_of(smtp_proof_text(
        mail, "From: <mailer-daemon@harness.test>\r\n\r\nStatus: 5.7.30\r\n\r\n%.*s", (int)len,
        mail->arrival.content.bytes));
    mail->notification.mail = SMTP_SPAN("MAIL FROM:<>");
    mail->notification.rcpts = SMTP_SPAN("RCPT TO:<postmaster@example.com>\n");
    return true;
}

static bool tell_all(struct smtp_proof_mail *mail)
{
    return tell(mail, mail->arrival.content.len);
}

static bool tell_header(struct smtp_proof_mail *mail)
{
    const char *end = memmem(mail->arrival.content.bytes, mail->arrival.content.len, "\r\n\r\n", 4);
    return tell(mail, (size_t)(end - mail->arrival.content.bytes));
}

static const struct smtp_server_proof require_tls[] = {
    {"rfc8689/4.2.1/requiretls-onward", .with = PROOF_RELAY, .mangle = as_it_is,
     .detail = "expected no message at a next hop"},
    {"rfc8689/4.2.1/requiretls-onward", .with = PROOF_RELAY, .mangle = arrives_late,
     .detail = "expected no message at a next hop", .right_mangle = is_lost,
     .right_warning = "no notification yet"},
    {"rfc8689/4.2.1/requiretls-onward", .with = PROOF_RELAY, .mangle = is_lost, .notify = tell_all,
     .detail = "without the body", .right_mangle = is_lost, .right_notify = tell_header},
};

TEST_WITHIN(server_rfc8689, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(require_tls);
}
