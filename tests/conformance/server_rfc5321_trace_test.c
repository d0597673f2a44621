/* server_rfc5321_trace_test.c - the rules of RFC 5321 4.4, 6 and 7.2 for servers (trace, failures, loops) can fail, and
 * hold where they are kept. */
#include "tests/conformance/server_proof.h"
#include "tests/support/test.h"

/* ---- what arrives ---- */

static bool behind(struct smtp_proof_mail *mail, const char *trace)
{
    mail->arrival.content = smtp_span_of(smtp_proof_text(
        mail, "%s%.*s", trace, (int)mail->arrival.content.len, mail->arrival.content.bytes));
    return true;
}

/** A server that is two hops, and filters between them. */
static bool two_hops(struct smtp_proof_mail *mail)
{
    return behind(mail, "Received: from a by b; Thu, 01 Jan 2026 00:00:01 +0000\r\n"
                        "Authentication-Results: b; spf=none\r\n"
                        "Received: from check.example by a; Thu, 01 Jan 2026 00:00:00 +0000\r\n");
}

static bool no_trace(struct smtp_proof_mail *mail)
{
    (void)mail;
    return true;
}

static bool trace_at_the_end(struct smtp_proof_mail *mail)
{
    const char *end = memmem(mail->arrival.content.bytes, mail->arrival.content.len, "\r\n\r\n", 4);
    int header = (int)(end - mail->arrival.content.bytes) + 2;
    mail->arrival.content = smtp_span_of(smtp_proof_text(
        mail, "X-Top: here\r\n%.*sReceived: from a by b; Thu, 01 Jan 2026 00:00:00 +0000\r\n%.*s",
        header, mail->arrival.content.bytes, (int)mail->arrival.content.len - header,
        mail->arrival.content.bytes + header));
    return true;
}

static bool no_from_clause(struct smtp_proof_mail *mail)
{
    return behind(mail, "Received: by harness.test; Thu, 01 Jan 2026 00:00:00 +0000\r\n");
}

static bool for_both(struct smtp_proof_mail *mail)
{
    return behind(mail, "Received: from a by b for <" PROOF_RECIPIENT ">,<" PROOF_OTHER ">;\r\n"
                        " Thu, 01 Jan 2026 00:00:00 +0000\r\n");
}

static bool short_year(struct smtp_proof_mail *mail)
{
    return behind(mail, "Received: from a by b; Thu, 01 Jan 26 00:00:00 +0000\r\n");
}

#define DATED(name, date)                                                                          \
    static bool name(struct smtp_proof_mail *mail)                                                 \
    {                                                                                              \
        return behind(mail, "Received: from a by b; " date "\r\n");                                \
    }

/* none is a date */
DATED(thirty_two, "Thu, 32 Jan 2026 00:00:00 +0000")
DATED(no_month, "Thu, 01 Jam 2026 00:00:00 +0000")
DATED(no_day, "Foo, 01 Jan 2026 00:00:00 +0000")
DATED(no_space, "Thu,01 Jan 2026 00:00:00 +0000")
DATED(no_comma, "Thu 01 Jan 2026 00:00:00 +0000")
DATED(hour_24, "Thu, 01 Jan 2026 24:00:00 +0000")
DATED(minute_60, "Thu, 01 Jan 2026 00:60:00 +0000")
DATED(second_61, "Thu, 01 Jan 2026 00:00:61 +0000")
DATED(one_digit, "Thu, 01 Jan 2026 0:00:00 +0000")
DATED(no_zone, "Thu, 01 Jan 2026 00:00:00")
DATED(short_zone, "Thu, 01 Jan 2026 00:00:00 +000")
DATED(long_zone, "Thu, 01 Jan 2026 00:00:00 +00000")
DATED(wide_zone, "Thu, 01 Jan 2026 00:00:00 +9960")
DATED(more_behind, "Thu, 01 Jan 2026 00:00:00 +0000 x")
DATED(zone_and_digit, "Thu, 01 Jan 2026 00:00:00 GMT1")

/* all are */
DATED(shortest, "1 Jan 2026 00:00 -0130")
DATED(leap_second, "Sat, 31 Dec 2016 23:59:60 +0000 (UTC)")
DATED(old_zone, "Thu, 01 Jan 2026 00:00:00 GMT")

static bool no_by_clause(struct smtp_proof_mail *mail)
{
    return behind(mail, "Received: from a (by b); Thu, 01 Jan 2026 00:00:00 +0000\r\n");
}

static bool from_in_comment(struct smtp_proof_mail *mail)
{
    return behind(mail, "Received: (from a) by b; Thu, 01 Jan 2026 00:00:00 +0000\r\n");
}

static bool for_twice(struct smtp_proof_mail *mail)
{
    return behind(mail, "Received: from a by b for <x@a.example> for <y@a.example>;\r\n"
                        " Thu, 01 Jan 2026 00:00:00 +0000\r\n");
}

static bool for_one(struct smtp_proof_mail *mail)
{
    return behind(mail, "Received: from a (to " PROOF_RECIPIENT " for " PROOF_OTHER ") by b\r\n"
                        " for <" PROOF_RECIPIENT ">; Thu, 01 Jan 2026 00:00:00 +0000\r\n");
}

#define DELIVERED                                                                                  \
    "Return-Path: <x@a.example>\r\nDelivered-To: y\r\nX-Original-To: y\r\nEnvelope-To: y\r\n"      \
    "X-Envelope-To: y\r\nDelivery-date: now\r\n"                                                   \
    "Received: from a by b;\r\n Thu, 01 Jan 2026 00:00:00 +0000\r\n"

static bool rewrite_old_trace(struct smtp_proof_mail *mail)
{
    struct smtp_span content = mail->arrival.content;
    const char *text = smtp_proof_text(mail, DELIVERED "%.*s", (int)content.len, content.bytes);
    memcpy(strstr(text, "c.example by d.example"), "C", 1);
    mail->arrival.content = smtp_span_of(text);
    return true;
}

static bool deliver_behind_trace(struct smtp_proof_mail *mail)
{
    return behind(mail, DELIVERED);
}

static bool delivered_to_both(struct smtp_proof_mail *mail)
{
    return behind(mail, "Delivered-To: " PROOF_RECIPIENT "\r\nDelivered-To: " PROOF_OTHER "\r\n");
}

static bool add_date(struct smtp_proof_mail *mail)
{
    return behind(mail, "Received: from a by b; Thu, 01 Jan 2026 00:00:00 +0000\r\n"
                        "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n");
}

static bool is_lost(struct smtp_proof_mail *mail)
{
    (void)mail;
    return false;
}

/** It is given to the next hop, which refuses it, and nobody is told. */
static bool is_refused(struct smtp_proof_mail *mail)
{
    static const char *const to[] = {PROOF_RECIPIENT};
    const struct smtp_envelope envelope = {.forward_paths = to, .forward_path_count = 1};
    const char *url = smtp_proof_text(mail, "smtp://127.0.0.1:%u?tls=never", mail->sink_port);
    struct smtp_span content = mail->arrival.content;
    struct smtp_error error;
    expect_int(smtp_send_url(url, NULL, &envelope, smtp_content_memory(content.bytes, content.len),
                             &error),
               SMTP_REFUSED_PERMANENT);
    return false;
}

/** In place of the message one that tells of it. */
static bool notify(struct smtp_proof_mail *mail, const char *from)
{
    mail->arrival.content = smtp_span_of(smtp_proof_text(
        mail, "From: <mailer-daemon@harness.test>\r\nSubject: Undelivered\r\n\r\n%.*s",
        (int)mail->arrival.content.len, mail->arrival.content.bytes));
    mail->arrival.mail = smtp_span_of(from);
    mail->arrival.rcpts = SMTP_SPAN("RCPT TO:<postmaster@example.com>\n");
    return true;
}

static bool bounce(struct smtp_proof_mail *mail)
{
    return notify(mail, "MAIL FROM:<>");
}

static bool bounce_from_daemon(struct smtp_proof_mail *mail)
{
    return notify(mail, "MAIL FROM:<mailer-daemon@harness.test>");
}

static bool bounce_to_recipient(struct smtp_proof_mail *mail)
{
    bounce(mail);
    mail->arrival.rcpts = SMTP_SPAN("RCPT TO:<" PROOF_RECIPIENT ">\n");
    return true;
}

static const struct smtp_server_proof trace[] = {
    {"rfc5321/4.4/received-prepended", .with = PROOF_MAILDIR, .mangle = trace_at_the_end,
     .detail = "at the top", .right_mangle = two_hops},
    {"rfc5321/4.4/received-from-clause", .with = PROOF_MAILDIR, .mangle = no_from_clause,
     .detail = "a FROM clause"},
    {"rfc5321/4.4/received-from-clause", .with = PROOF_MAILDIR, .mangle = no_trace,
     .detail = "a Received field"},
    {"rfc5321/4.4/received-prepended", .with = PROOF_MAILDIR, .mangle = rewrite_old_trace,
     .detail = "the old Received fields", .right_mangle = deliver_behind_trace},
    {"rfc5321/4.4/received-from-clause", .with = PROOF_MAILDIR, .mangle = from_in_comment,
     .detail = "a FROM clause"},
    {"rfc5321/4.4/received-for-one-path", .with = PROOF_MAILDIR, .mangle = for_twice,
     .detail = "one path", .right_mangle = for_one},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = no_by_clause,
     .detail = "a BY clause"},
    {"rfc5321/4.4/received-for-one-path", .with = PROOF_MAILDIR, .mangle = for_both,
     .detail = "one path"},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = short_year, .detail = "a date"},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = thirty_two, .detail = "a date",
     .right_mangle = shortest},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = no_month, .detail = "a date",
     .right_mangle = leap_second},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = no_day, .detail = "a date",
     .right_mangle = old_zone},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = no_space, .detail = "a date"},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = no_comma, .detail = "a date"},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = hour_24, .detail = "a date"},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = minute_60, .detail = "a date"},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = second_61, .detail = "a date"},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = one_digit, .detail = "a date"},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = no_zone, .detail = "a date"},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = short_zone, .detail = "a date"},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = long_zone, .detail = "a date"},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = wide_zone, .detail = "a date"},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = more_behind, .detail = "a date"},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = zone_and_digit,
     .detail = "a date"},
    {"rfc5321/6.4/relay-adds-only-trace", .with = PROOF_RELAY, .mangle = add_date,
     .detail = "behind the trace", .right_mangle = two_hops},
    {"rfc5321/7.2/no-recipient-list-in-header", .with = PROOF_RELAY, .mangle = delivered_to_both,
     .detail = "one recipient at most"},
};

static const struct smtp_server_proof failures[] = {
    {"rfc5321/6.1/bounce-null-reverse-path", .with = PROOF_RELAY, .mangle = bounce_from_daemon,
     .detail = "MAIL FROM:<>", .right_mangle = bounce},
    {"rfc5321/6.1/bounce-null-reverse-path", .with = PROOF_RELAY, .mangle = is_lost,
     .detail = "came none", .right_mangle = bounce},
    {"rfc5321/6.1/bounce-null-reverse-path", .with = PROOF_RELAY, .mangle = bounce_to_recipient,
     .detail = "expected the notification for", .right_mangle = bounce},
    {"rfc5321/6.1/no-bounce-to-null", .with = PROOF_RELAY, .mangle = bounce,
     .detail = "no notification", .right_mangle = is_refused},
    {"rfc5321/6.1/no-bounce-to-null", .with = PROOF_RELAY, .mangle = bounce,
     .detail = "no notification", .right_mangle = is_lost, .right_verdict = SMTP_SKIP},
    {"rfc5321/6.3/loop-threshold-100", .faults = {"dot: reply 554 5.4.6"}, .detail = "554"},
};

TEST_WITHIN(server_rfc5321_4_4,
            each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not, 60)
{
    SMTP_SERVER_PROOFS_HOLD(trace);
}

TEST_WITHIN(server_rfc5321_6, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(failures);
}
