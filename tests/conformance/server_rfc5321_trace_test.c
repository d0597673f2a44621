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
DATED(space_before_comma, "Thu ,01 Jan 2026 00:00:00 +0000")
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
DATED(no_space, "Thu,01 Jan 2026 00:00:00 +0000")
DATED(old_zone, "Thu, 01 Jan 2026 00:00:00 GMT")

#define STAMPED(name, stamp)                                                                       \
    static bool name(struct smtp_proof_mail *mail)                                                 \
    {                                                                                              \
        return behind(mail, "Received: " stamp "; Thu, 01 Jan 2026 00:00:00 +0000\r\n");           \
    }

/* none is a Stamp */
STAMPED(by_before_from, "by b from a")
STAMPED(with_before_by, "from a with SMTP by b")
STAMPED(with_before_via, "from a by b with SMTP via TCP")
STAMPED(id_before_with, "from a by b id 1 with SMTP")
STAMPED(for_before_id, "from a by b for <x@a.example> id 1")
STAMPED(from_twice, "from a from a by b")
STAMPED(by_twice, "from a by b by c")
STAMPED(id_twice, "from a by b ID 1 id 2")
STAMPED(with_nothing, "from a by b with (SMTP)")
STAMPED(id_of_nothing, "from a by b id for <x@a.example>")
STAMPED(by_no_domain, "from a by b..c")
STAMPED(by_no_literal, "from a by [garbage]")
STAMPED(from_no_domain, "from a- by b")

/* all are, as they are written: by Postfix, Exim, OpenSMTPD, Dovecot */
STAMPED(of_postfix, "from check.example (localhost [127.0.0.1])\r\n"
                    "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n"
                    "\t key-exchange X25519 server-signature ECDSA (prime256v1))\r\n"
                    "\t(No client certificate requested)\r\n"
                    "\tby mail.example (Postfix) with ESMTPS id 4ABC12\r\n\tfor <x@a.example>")
STAMPED(of_exim, "from [127.0.0.1] (helo=check.example)\r\n"
                 "\tby mail.example with esmtps  (TLS1.3) tls TLS_AES_256_GCM_SHA384\r\n"
                 "\t(Exim 4.96)\r\n\t(envelope-from <x@a.example>)\r\n"
                 "\tid 1tFabc-000000001Xy-0abc\r\n\tfor x@a.example")
STAMPED(of_opensmtpd, "from check.example (<unknown> [127.0.0.1])\r\n"
                      "\tby mail.example (OpenSMTPD) with ESMTPSA id 12ab34cd "
                      "(TLSv1.3:TLS_AES_256_GCM_SHA384:256:NO) auth=yes user=ann\r\n"
                      "\tfor <x@a.example>")
STAMPED(of_dovecot, "from mail.example ([127.0.0.1])\r\n\tby mail.example with LMTP\r\n"
                    "\tid AB+CdEf12 (envelope-from <x@a.example>)\r\n\tfor <x@a.example>")
STAMPED(of_quotes, "from [IPv6:::1] by b via TCP with ESMTP (a \\) for b) id <1@a>\r\n"
                   " for <\"a \\\" for (by) ; b\"@a.example>")
STAMPED(of_many_words, "from a by b (1.2.3.4) with A Mail Server (version=TLS1_2) id 15.20.1")

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

/* names that hold those of others */
static bool for_one_of_two(struct smtp_proof_mail *mail)
{
    return behind(mail, "Received: from a by b id rebob@harness.test for <" PROOF_RECIPIENT ">;\r\n"
                        " Thu, 01 Jan 2026 00:00:00 +0000\r\n");
}

static bool from_longer_name(struct smtp_proof_mail *mail)
{
    return behind(mail, "Received: from precheck.example (check.example.org [127.0.0.1]) by b;\r\n"
                        " Thu, 01 Jan 2026 00:00:00 +0000\r\n");
}

static bool from_helo(struct smtp_proof_mail *mail)
{
    return behind(mail, "Received: from [127.0.0.1] (helo=Check.Example) by b;\r\n"
                        " Thu, 01 Jan 2026 00:00:00 +0000\r\n");
}

static bool from_reverse(struct smtp_proof_mail *mail)
{
    return behind(mail, "Received: from check.example. (a) by b;\r\n"
                        " Thu, 01 Jan 2026 00:00:00 +0000\r\n");
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

static bool delivered_to_one(struct smtp_proof_mail *mail)
{
    return behind(mail, "Delivered-To: " PROOF_RECIPIENT "\r\nX-List: " PROOF_OTHER ".net\r\n");
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

#define OPENED                                                                                     \
    "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\nC: MAIL ...\nS: 250 Ok\nC: RCPT ...\nS: 250 Ok\n"

static const struct smtp_server_proof trace[] = {
    {"rfc5321/4.4/received-from-clause", .with = PROOF_MAILDIR, .mangle = no_from_clause,
     .detail = "a FROM clause", .right_mangle = from_longer_name,
     .right_warning = "the EHLO name should be in it"},
    {"rfc5321/4.4/received-from-clause", .with = PROOF_MAILDIR, .mangle = no_from_clause,
     .detail = "a FROM clause", .right_mangle = from_helo, .right_warning = ""},
    {"rfc5321/4.4/received-from-clause", .with = PROOF_MAILDIR, .mangle = no_from_clause,
     .detail = "a FROM clause", .right_mangle = from_reverse,
     .right_warning = "the peer's address should be in it"},
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
     .detail = "one path", .right_mangle = for_one_of_two},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = short_year, .detail = "a date"},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = thirty_two, .detail = "a date",
     .right_mangle = shortest},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = no_month, .detail = "a date",
     .right_mangle = leap_second},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = no_day, .detail = "a date",
     .right_mangle = old_zone, .right_warning = "a numeric offset is preferred"},
    {"rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = space_before_comma,
     .detail = "a date", .right_mangle = no_space, .right_warning = ""},
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
    {"rfc5321/6.4/relay-adds-only-trace", .with = PROOF_RELAY, .mangle = add_date,
     .detail = "behind the trace",
     .right_dialogue = OPENED "C: DATA\nS: 354 Go on\nC: ...\nC: .\nS: 554 A header?\n",
     .right_verdict = SMTP_SKIP},
    {"rfc5321/6.4/relay-adds-only-trace", .with = PROOF_RELAY,
     .dialogue = OPENED "C: DATA\nS: 354 Go on\nC: ...\nC: .\nS: 354 Go on\n",
     .detail = "came \"354", .right_mangle = add_date, .right_with = PROOF_SUBMISSION,
     .right_verdict = SMTP_SKIP},
    {"rfc5321/7.2/no-recipient-list-in-header", .with = PROOF_RELAY, .mangle = delivered_to_both,
     .detail = "one recipient at most", .right_mangle = delivered_to_one},
};

static bool bounce_to_longer_name(struct smtp_proof_mail *mail)
{
    bounce(mail);
    mail->arrival.rcpts = SMTP_SPAN("RCPT TO:<no-postmaster@example.com>\n");
    return true;
}

#define STAMP(wrong, expected, right)                                                              \
    {                                                                                              \
        "rfc5321/4.4/received-date", .with = PROOF_MAILDIR, .mangle = wrong, .detail = expected,   \
                                     .right_mangle = right                                         \
    }

static const struct smtp_server_proof stamps[] = {
    STAMP(by_before_from, "in that order", of_postfix),
    STAMP(with_before_by, "in that order", of_exim),
    STAMP(with_before_via, "in that order", of_opensmtpd),
    STAMP(id_before_with, "in that order", of_dovecot),
    STAMP(for_before_id, "in that order", of_quotes),
    STAMP(from_twice, "in that order", of_many_words),
    STAMP(by_twice, "in that order", shortest),
    STAMP(id_twice, "in that order", shortest),
    STAMP(with_nothing, "something behind", shortest),
    STAMP(id_of_nothing, "something behind", shortest),
    STAMP(by_no_domain, "behind FROM and BY", shortest),
    STAMP(by_no_literal, "behind FROM and BY", shortest),
    STAMP(from_no_domain, "behind FROM and BY", shortest),
    {"rfc5321/4.4/received-for-one-path", .with = PROOF_MAILDIR, .mangle = for_twice,
     .detail = "one path", .right_mangle = of_quotes},
};

static const struct smtp_server_proof failures[] = {
    {"rfc5321/6.1/bounce-null-reverse-path", .with = PROOF_RELAY, .mangle = bounce_from_daemon,
     .detail = "MAIL FROM:<>", .right_mangle = bounce},
    {"rfc5321/6.1/bounce-null-reverse-path", .with = PROOF_RELAY, .mangle = is_lost,
     .detail = "came none", .right_mangle = bounce},
    {"rfc5321/6.1/bounce-null-reverse-path", .with = PROOF_RELAY, .mangle = bounce_to_recipient,
     .detail = "expected the notification for", .right_mangle = bounce},
    {"rfc5321/6.1/bounce-null-reverse-path", .with = PROOF_RELAY, .mangle = bounce_to_longer_name,
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

TEST_WITHIN(server_rfc5321_4_4, a_stamp_has_its_clauses_in_their_order, 60)
{
    SMTP_SERVER_PROOFS_HOLD(stamps);
}

TEST_WITHIN(server_rfc5321_6, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(failures);
}
