/* server_rfc5321_data_test.c - the rules of RFC 5321 2.3.8, 4.1.1.4 and 4.5.2 for servers (lines, the end of the
 * content, transparency) can fail, and hold where they are kept. */
#include "tests/conformance/crooked.h"
#include "tests/conformance/server_proof.h"
#include "tests/support/test.h"

#define OPENED "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\n"
#define HELLO "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\n"
#define SESSION                                                                                    \
    "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\nC: MAIL FROM:...\nS: 250 Ok\nC: RCPT TO:...\n"     \
    "S: 250 Ok\nC: DATA\nS: 354 Go on\n"

/* ---- the end of the content, seen where there is none ---- */

static void end_at_cr_dot_cr(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.ends = {"\r.\r"}});
}

static void end_at_nul_dot(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.ignores_nul = true});
}

static void end_at_lf_dot_lf(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.ends = {"\n.\n"}});
}

static void end_at_lf_dot_crlf(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.ends = {"\n.\r\n"}});
}

static void end_at_crlf_dot_lf(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.ends = {"\r\n.\n"}});
}

static void lines_at_lf(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.line_end = "\n"});
}

static void lines_at_cr(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.line_end = "\r"});
}

/** Sees the end only where it is in one piece. */
static void end_in_one_read(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.needs_whole_end = true});
}

static void never_first_line(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.needs_line_before_end = true});
}

/* ends that are not seen: across the end of a buffer, the last in a block, the first in one */

static bool is_across(size_t mark, size_t at, size_t len)
{
    return at < mark && mark < at + len;
}

#define BUFFER(octets)                                                                             \
    static bool is_across_##octets(size_t at, size_t len)                                          \
    {                                                                                              \
        return is_across(octets, at, len);                                                         \
    }                                                                                              \
    static void end_not_across_##octets(int connection, struct smtp_arrivals *arrivals)            \
    {                                                                                              \
        (void)arrivals;                                                                            \
        smtp_crooked_serve(connection, &(struct smtp_crooked){.misses_end = is_across_##octets});  \
    }

BUFFER(1024)
BUFFER(4096)
BUFFER(8192)
BUFFER(16384)

static bool is_last_of_block(size_t at, size_t len)
{
    return (at + len) % 1024 == 0;
}

static void end_not_last(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.misses_end = is_last_of_block});
}

static bool is_first_of_block(size_t at, size_t len)
{
    return at % 1024 == 0 && len > 0;
}

static void end_not_first(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.misses_end = is_first_of_block});
}

/* ---- what arrives ---- */

static bool add_bare_lf(struct smtp_proof_mail *mail)
{
    mail->arrival.raw = SMTP_SPAN("DATA\r\nA line\n.\nMAIL\r\n.\r\n");
    return true;
}

/** Only in the message of that number. */
static bool add_bare_lf_to(struct smtp_proof_mail *mail, const char *number)
{
    struct smtp_span content = mail->arrival.content;
    bool is_it = memmem(content.bytes, content.len, number, strlen(number)) != NULL;
    mail->arrival.raw =
        is_it ? SMTP_SPAN("DATA\r\nA line\n.\r\n") : SMTP_SPAN("DATA\r\nA line\r\n.\r\n");
    return true;
}

static bool add_bare_lf_to_second(struct smtp_proof_mail *mail)
{
    return add_bare_lf_to(mail, ".2@check.example>");
}

static bool add_bare_lf_to_third(struct smtp_proof_mail *mail)
{
    return add_bare_lf_to(mail, ".3@check.example>");
}

static bool as_sent(struct smtp_proof_mail *mail)
{
    (void)mail;
    return true;
}

/** What came behind "\n.\n" is lost. */
static bool end_at_first(struct smtp_proof_mail *mail)
{
    const char *first = memmem(mail->arrival.content.bytes, mail->arrival.content.len, "first", 5);
    mail->arrival.content.len = (size_t)(first - mail->arrival.content.bytes);
    return true;
}

/** As of a relay that takes its time, for every message: longer than the silence that rules wait for. */
static bool twice_and_late(struct smtp_proof_mail *mail)
{
    mail->arrival.content = smtp_span_of(
        smtp_proof_text(mail, "%.*s", (int)mail->arrival.content.len, mail->arrival.content.bytes));
    mail->arrival.raw = (struct smtp_span){"", 0};
    mail->copies = 2;
    mail->late_ms = 300;
    return true;
}

static bool twice(struct smtp_proof_mail *mail)
{
    mail->arrival.raw = SMTP_SPAN("DATA\r\nA line\r\n.\r\n");
    mail->copies = 2;
    return true;
}

static bool say_delivered(struct smtp_proof_mail *mail, const char *field)
{
    mail->arrival.content = smtp_span_of(smtp_proof_text(
        mail, "%s\r\n%.*s", field, (int)mail->arrival.content.len, mail->arrival.content.bytes));
    return true;
}

static bool add_first_recipient(struct smtp_proof_mail *mail)
{
    return say_delivered(mail, "Delivered-To: <" PROOF_RECIPIENT ">");
}

static bool for_first_recipient(struct smtp_proof_mail *mail)
{
    return say_delivered(mail, "Received: from a by b for <" PROOF_RECIPIENT ">; now");
}

static bool for_longer_name(struct smtp_proof_mail *mail)
{
    return say_delivered(mail, "Delivered-To: jo" PROOF_RECIPIENT "\r\n"
                               "Received: from a by b for <jo" PROOF_RECIPIENT ">; now");
}

static bool add_empty_line(struct smtp_proof_mail *mail)
{
    mail->arrival.content = smtp_span_of(smtp_proof_text(
        mail, "%.*s\r\n", (int)mail->arrival.content.len, mail->arrival.content.bytes));
    return true;
}

static bool lose_line(struct smtp_proof_mail *mail)
{
    mail->arrival.content.len -= sizeof "One line.\r\n" - 1;
    return true;
}

static bool keep_dots(struct smtp_proof_mail *mail)
{
    mail->arrival.content = smtp_span_of(
        smtp_proof_text(mail, "%.*s..a\r\n...\r\n.b\r\n..\r\nlast\r\n",
                        (int)mail->arrival.content.len - 20, mail->arrival.content.bytes));
    return true;
}

static bool lose_tab(struct smtp_proof_mail *mail)
{
    const char *text =
        smtp_proof_text(mail, "%.*s", (int)mail->arrival.content.len, mail->arrival.content.bytes);
    char *tab = strchr(text, '\t');
    *tab = ' ';
    mail->arrival.content = smtp_span_of(text);
    return true;
}

static void accept_bare(struct smtp_harness_options *options)
{
    options->server.bare_line_end = SMTP_BARE_ACCEPT;
}

#define ONE_LINE OPENED "C: NOOP\\n\nS: 500 What?\n[S close]\n[session]\n"

static const struct smtp_server_proof proofs[] = {
    {"rfc5321/2.3.8/smuggling-cr-dot-cr", .serve = end_at_cr_dot_cr, .detail = "exploitable"},
    {"rfc5321/2.3.8/smuggling-nul-dot", .serve = end_at_nul_dot, .detail = "exploitable"},
    {"rfc5321/2.3.8/smuggling-relay-bare-lf", .with = PROOF_RELAY, .spoil = accept_bare,
     .mangle = add_bare_lf, .detail = "in pairs"},
    {"rfc5321/2.3.8/smuggling-relay-bare-lf", .with = PROOF_RELAY, .spoil = accept_bare,
     .mangle = add_bare_lf_to_second, .detail = "in pairs"},
    {"rfc5321/2.3.8/smuggling-relay-bare-lf", .with = PROOF_RELAY, .spoil = accept_bare,
     .mangle = add_bare_lf_to_third, .detail = "in pairs"},
    {"rfc5321/2.3.8/smuggling-relay-bare-lf", .with = PROOF_RELAY, .spoil = accept_bare,
     .mangle = twice, .detail = "another message"},
    {"rfc5321/2.3.8/command-bare-lf", .serve = lines_at_lf, .detail = "NOOP with LF alone"},
    {"rfc5321/2.3.8/command-bare-lf",
     .dialogue = ONE_LINE OPENED "C| MAIL FROM:...>\\n\nS: 250 Ok\n",
     .detail = "MAIL with LF alone",
     .right_dialogue = OPENED "C| NOOP\\n\nS: 521 5.5.2 Bare LF\n[S close]\n[session]\n" OPENED
                              "C| MAIL FROM:...>\\n\nS: 421 Bare LF\n[S close]\n",
     .right_warning = ""},
    {"rfc5321/2.3.8/command-bare-lf", .dialogue = OPENED "C| NOOP\\n\nS: 354 Go on\n",
     .detail = "NOOP with LF alone",
     .right_dialogue = OPENED "C| NOOP\\n\n[S close]\n[session]\n" OPENED
                              "C| MAIL FROM:...>\\n\nS: 554 Bare LF\n"},
    {"rfc5321/2.3.8/command-bare-lf",
     .dialogue = ONE_LINE OPENED "C: MAIL FROM:...>\\n\nS: 501 No\nS: 500 What?\n",
     .detail = "which is one line",
     .right_dialogue = ONE_LINE OPENED "C: MAIL FROM:...>\\n\nS: 501 No\n[S close]\n"},
    {"rfc5321/2.3.8/command-bare-lf", .dialogue = OPENED "C: NOOP\\n\n[wait 2s]\nS: 250 Ok\n",
     .is_mute = true, .detail = "came none",
     .right_dialogue =
         OPENED "C: NOOP\\n\n[S close]\n[session]\n" OPENED "C: MAIL FROM:...>\\n\n[S close]\n"},
    {"rfc5321/2.3.8/command-bare-cr", .serve = lines_at_cr, .detail = "NOOP with CR alone",
     .right_dialogue = OPENED "C| NOOP\\r\nS: 500 Bare CR\n[S close]\n"},
    {"rfc5321/2.3.8/command-bare-cr", .dialogue = OPENED "C: NOOP\\rNOOP\nS: 250 Ok\nS: 250 Ok\n",
     .detail = "which is one line"},
    {"rfc5321/4.1.1.4/transaction-cleared-after-data", .with = PROOF_MAILDIR,
     .mangle = add_first_recipient, .detail = "alone"},
    {"rfc5321/4.1.1.4/transaction-cleared-after-data", .with = PROOF_MAILDIR,
     .mangle = for_first_recipient, .detail = "alone", .right_mangle = for_longer_name},
    {"rfc5321/4.1.1.4/dot-at-once-ends-data", .serve = never_first_line, .is_mute = true,
     .detail = "nothing"},
    {"rfc5321/4.1.1.4/end-of-data-any-segmentation", .serve = end_in_one_read, .is_mute = true,
     .detail = "nothing"},
    {"rfc5321/4.1.1.4/end-of-data-any-segmentation", .serve = end_not_across_1024, .is_mute = true,
     .detail = "nothing"},
    {"rfc5321/4.1.1.4/end-of-data-any-segmentation", .serve = end_not_across_4096, .is_mute = true,
     .detail = "nothing"},
    {"rfc5321/4.1.1.4/end-of-data-any-segmentation", .serve = end_not_across_8192, .is_mute = true,
     .detail = "nothing"},
    {"rfc5321/4.1.1.4/end-of-data-any-segmentation", .serve = end_not_across_16384, .is_mute = true,
     .detail = "nothing"},
    {"rfc5321/4.1.1.4/end-of-data-any-segmentation", .serve = end_not_last, .is_mute = true,
     .detail = "nothing"},
    {"rfc5321/4.1.1.4/end-of-data-any-segmentation", .serve = end_not_first, .is_mute = true,
     .detail = "nothing"},
    {"rfc5321/4.1.1.4/end-of-data-any-segmentation", .faults = {"quit: reply 500 5.5.1"},
     .detail = "expected 221"},
    {"rfc5321/4.1.1.4/no-extra-crlf-stored", .with = PROOF_MAILDIR, .mangle = lose_line,
     .detail = "at its end"},
    {"rfc5321/4.1.1.4/no-extra-crlf-stored", .with = PROOF_MAILDIR, .mangle = add_empty_line,
     .detail = "at its end"},
    {"rfc5321/4.1.1.4/smuggling-lf-dot-lf", .serve = end_at_lf_dot_lf, .detail = "exploitable"},
    {"rfc5321/4.1.1.4/smuggling-lf-dot-lf", /* seen, told late, and what follows refused */
     .dialogue = SESSION "C: ...\nC: The first.\\n.\\nMAIL FROM:...\nC: ...\nC: .\n"
                         "S: 250 Taken\nS: 500 No pipelining\n",
     .detail = "out of step"},
    {"rfc5321/4.1.1.4/smuggling-lf-dot-lf",
     .dialogue = SESSION "C: ...\nC: .\nS: 250 Taken\nC: QUIT\nS: 500 What?\n",
     .detail = "out of step"},
    {"rfc5321/4.1.1.4/smuggling-lf-dot-lf", .with = PROOF_MAILDIR, .spoil = accept_bare,
     .mangle = twice, .detail = "a second message arrived"},
    {"rfc5321/4.1.1.4/smuggling-lf-dot-lf", .with = PROOF_MAILDIR, .spoil = accept_bare,
     .mangle = end_at_first, .detail = "behind it did not arrive"},
    {"rfc5321/4.1.1.4/smuggling-lf-dot-lf", .with = PROOF_MAILDIR, .spoil = accept_bare,
     .mangle = twice_and_late, .detail = "a second message arrived"},
    {"rfc5321/4.1.1.4/smuggling-lf-dot-lf", .with = PROOF_MAILDIR | PROOF_REFUSES,
     .spoil = accept_bare, .mangle = as_sent, .detail = "the rest was refused"},
    /* what stands in the way of a rule breaks none: it is busy, greylists, wants a login, takes no mail at all */
    {"rfc5321/4.1.1.4/smuggling-lf-dot-lf", .serve = end_at_lf_dot_lf, .detail = "exploitable",
     .right_dialogue = "S: 421 Busy\n", .right_verdict = SMTP_SKIP},
    {"rfc5321/4.1.1.4/smuggling-lf-dot-lf", .serve = end_at_lf_dot_lf, .detail = "exploitable",
     .right_dialogue = "S: 554 No mail here\n", .right_verdict = SMTP_SKIP},
    {"rfc5321/4.1.1.4/smuggling-lf-dot-lf", .serve = end_at_lf_dot_lf, .detail = "exploitable",
     .right_dialogue = HELLO "C: MAIL FROM:...\nS: 530 Log in\n", .right_verdict = SMTP_SKIP},
    {"rfc5321/4.1.1.4/smuggling-lf-dot-lf", .serve = end_at_lf_dot_lf, .detail = "exploitable",
     .right_dialogue = HELLO "C: MAIL FROM:...\nS: 250 Ok\nC: RCPT TO:...\nS: 450 Later\n",
     .right_verdict = SMTP_SKIP},
    {"rfc5321/4.1.1.4/smuggling-lf-dot-crlf", .serve = end_at_lf_dot_crlf, .detail = "exploitable"},
    {"rfc5321/4.1.1.4/smuggling-crlf-dot-lf",
     .dialogue = SESSION "C: ...\nC: The first.\nC: .\\nMAIL FROM:...\nC: ...\nC: Message-ID: ...\n"
                         "C:\nC| The second.\nS: 250 Taken\n",
     .detail = "not strict"},
    {"rfc5321/4.1.1.4/smuggling-crlf-dot-lf", .serve = end_at_crlf_dot_lf, .detail = "exploitable"},
    {"rfc5321/4.1.1.4/data-lf-only-lines", .spoil = accept_bare,
     .detail = "expected 4yz or 5yz; came \"250"},
    {"rfc5321/4.5.2/dot-unstuffing", .with = PROOF_MAILDIR, .mangle = keep_dots, .detail = "..a"},
    {"rfc5321/4.5.2/all-octets-preserved", .with = PROOF_MAILDIR, .mangle = lose_tab,
     .detail = "expected the body"},
};

TEST_WITHIN(server_rfc5321_data,
            each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not, 60)
{
    SMTP_SERVER_PROOFS_HOLD(proofs);
}
