/* rfc5321_4_4.c - the trace that a server adds (RFC 5321 4.4), and that it adds nothing else (6.4, 7.2). */
#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"
#include "harness/conformance/name.h"
#include "harness/conformance/rules.h"
#include "harness/conformance/settled.h"
#include "harness/conformance/trace.h"

#include <strings.h>

static const char old_trace[] =
    "Received: from c.example by d.example; Thu, 01 Jan 2026 00:00:03 +0000\r\n"
    "Received: from b.example (b.example [192.0.2.2])\r\n"
    "\tby c.example;  Thu, 01 Jan 2026 00:00:02 +0000\r\n"
    "Received: from a.example by b.example; Thu, 01 Jan 2026 00:00:01 +0000\r\n";

/** A message with that before its header, and what arrived of it. */
static bool send_and_see(struct smtp_check *check, const char *before, struct smtp_arrival *arrival)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_data(talk);
    smtp_talk_write(talk, "%s%s", before, smtp_ask_message(check));
    smtp_talk_expect(talk, "250");
    return smtp_arrivals_wait(check, arrival);
}

static bool see_trace(struct smtp_check *check, struct smtp_trace *trace)
{
    struct smtp_arrival arrival;
    struct smtp_span field;
    if (!send_and_see(check, "", &arrival)) {
        return false;
    }
    bool found = smtp_trace_find(arrival.content, &field) && smtp_trace_parse(field, trace);
    return smtp_check_that(check, found, "expected a Received field, came none");
}

static void received_prepended(struct smtp_check *check)
{
    struct smtp_arrival arrival;
    if (!send_and_see(check, old_trace, &arrival)) {
        return;
    }
    struct smtp_span header = smtp_arrivals_header(arrival.content), first;
    const char *old = memmem(header.bytes, header.len, old_trace, sizeof old_trace - 1);
    if (!smtp_check_that(check, old != NULL,
                         "expected the old Received fields as they were, came %s",
                         smtp_check_show(check, header))) {
        return;
    }
    struct smtp_span before = {header.bytes, (size_t)(old - header.bytes)};
    smtp_check_that(check, smtp_trace_find(before, &first),
                    "expected a new Received field at the top, came %s",
                    smtp_check_show(check, header));
}

static void received_from_clause(struct smtp_check *check)
{
    struct smtp_trace trace;
    char name[SMTP_TRACE_MAX];
    if (!see_trace(check, &trace)) {
        return;
    }
    smtp_check_that(check, smtp_trace_clause(&trace, "from", name),
                    "expected a FROM clause, came \"%s\"", trace.text);
    if (smtp_check_goes_on(check) && !smtp_name_stands_in(smtp_span_of(name), "check.example") &&
        !smtp_name_stands_in(smtp_span_of(trace.comments), "check.example")) {
        smtp_check_warn(check, "the EHLO name should be in it: \"%s %s\"", trace.text,
                        trace.comments);
    }
    if (smtp_check_goes_on(check) && strchr(trace.comments, '[') == NULL && name[0] != '[') {
        smtp_check_warn(check, "the peer's address should be in it as a literal: \"%s %s\"",
                        trace.text, trace.comments);
    }
}

/** A message to both recipients, whose header names neither. */
static void deliver_to_both(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_begin(talk);
    smtp_ask_rcpt(talk, check->other_recipient);
    smtp_talk_step(talk, "354", "DATA");
    smtp_talk_write(talk,
                    "From: <%s>\r\nSubject: %s\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
                    "Message-ID: <%s@check.example>\r\n\r\nTo both.\r\n.\r\n",
                    check->sender, check->token, check->token);
    smtp_talk_expect(talk, "250");
    if (check->options->lmtp) {
        smtp_talk_expect(talk, "250");
    }
}

static bool names_both(const struct smtp_check *check, struct smtp_span text)
{
    return smtp_name_stands_in(text, check->recipient) &&
           smtp_name_stands_in(text, check->other_recipient);
}

static void received_for_one_path(struct smtp_check *check)
{
    struct smtp_arrival arrival;
    struct smtp_trace trace;
    struct smtp_span field;
    deliver_to_both(check);
    if (!smtp_arrivals_wait(check, &arrival) || !smtp_trace_find(arrival.content, &field) ||
        !smtp_trace_parse(field, &trace)) {
        return;
    }
    bool has_both = names_both(check, smtp_span_of(trace.text));
    smtp_check_that(check, !has_both && smtp_trace_count(&trace, "for") <= 1,
                    "expected one path in the FOR clause, came \"%s\"", trace.text);
}

static void received_date(struct smtp_check *check)
{
    struct smtp_trace trace;
    if (!see_trace(check, &trace)) {
        return;
    }
    char word[SMTP_TRACE_MAX];
    smtp_check_that(check, smtp_trace_clause(&trace, "by", word),
                    "expected a BY clause, came \"%s\"", trace.text);
    const char *expected = smtp_trace_judge_stamp(&trace);
    smtp_check_that(check, expected == NULL, "expected %s, came \"%s\"", expected, trace.text);
    enum smtp_trace_date judged = smtp_trace_judge_date(trace.date);
    smtp_check_that(
        check, judged != SMTP_DATE_WRONG,
        "expected a date like Thu, 01 Jan 2026 00:00:00 +0000 behind \";\", came \"%s\"",
        trace.date);
    if (judged == SMTP_DATE_OBSOLETE_ZONE) {
        smtp_check_warn(check, "a numeric offset is preferred: \"%s\"", trace.date);
    }
}

/* ---- 6.4, 7.2: nothing else ---- */

static void relay_adds_only_trace(struct smtp_check *check)
{
    const char *content = smtp_check_text(
        check, "From:  <%s>\r\nsubject:%s \r\nX-Odd :  two  spaces\r\n\r\n  odd\tspacing  \r\n",
        check->sender, check->token);
    if (check->options->role == SMTP_ROLE_SUBMISSION) {
        smtp_check_skip(check, "for its users' mail a server may do more (RFC 6409 8)");
    }
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_data(talk);
    smtp_talk_write(talk, "%s.\r\n", content);
    if (smtp_talk_expect(talk, "250 4yz 5yz") / 100 != 2) {
        smtp_check_skip(check, "it refuses a header like this one: %s",
                        smtp_check_show(check, talk->reply.octets));
    }
    struct smtp_arrival arrival;
    if (smtp_arrivals_wait(check, &arrival)) {
        size_t added = smtp_trace_len(arrival.content);
        struct smtp_span rest = {arrival.content.bytes + added, arrival.content.len - added};
        smtp_check_that(check, smtp_span_equal(rest, smtp_span_of(content)),
                        "expected %s behind the trace, came %s",
                        smtp_check_show(check, smtp_span_of(content)),
                        smtp_check_show(check, rest));
    }
}

static void no_recipient_list_in_header(struct smtp_check *check)
{
    deliver_to_both(check);
    struct smtp_arrival arrivals[2];
    smtp_arrivals_wait(check, &arrivals[0]);
    size_t count = smtp_settled(check);
    count = count < 2 ? count : 2;
    if (!smtp_arrivals_wait_many(check, arrivals, count)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        smtp_check_that(check, !names_both(check, arrivals[i].content),
                        "expected one recipient at most in a header, came %s",
                        smtp_check_show(check, arrivals[i].content));
    }
}

static const struct smtp_rule rows[] = {
    {"rfc5321/4.4/received-prepended", SMTP_MUST, SMTP_NEEDS_ARRIVALS,
     "A Received field is added at the very top; existing ones are neither changed nor "
     "reordered.",
     "[sink] Send a message with three Received fields; the stored copy has one new field "
     "first and then the three, octet for octet.",
     received_prepended},
    {"rfc5321/4.4/received-from-clause", SMTP_MUST, SMTP_NEEDS_ARRIVALS,
     "The new Received field has a FROM clause, which should show the EHLO name and the "
     "peer address as a literal.",
     "[sink] Parse the added field: from clause present, EHLO name and [address] inside.",
     received_from_clause},
    {"rfc5321/4.4/received-for-one-path", SMTP_MUST, SMTP_NEEDS_ARRIVALS | SMTP_NEEDS_OTHER,
     "If a FOR clause appears it names one path, even with several recipients.",
     "[sink] Send to two recipients; no copy shows both addresses in one FOR clause.",
     received_for_one_path},
    {"rfc5321/4.4/received-date", SMTP_MUST, SMTP_NEEDS_ARRIVALS,
     "The added Received field follows the Stamp grammar; its date has a four-digit year "
     "and no obsolete form (RFC 5322 3.6.7), numeric offset preferred.",
     "[sink] Parse the added field as Stamp: its clauses in their order, each once at most; date "
     "parses strictly.",
     received_date},
    {"rfc5321/6.4/relay-adds-only-trace", SMTP_MUST_NOT, SMTP_NEEDS_SINK,
     "A relay does not add Message-ID or Date, fix addresses or touch the body; only trace "
     "fields are added. [known deviation: MTAs that also act as submission servers often "
     "complete headers for local clients (memory)]",
     "[sink] Relay (port 25 role) a message without Date and Message-ID and with odd "
     "spacing; apart from new trace fields it comes out octet for octet.",
     relay_adds_only_trace},
    {"rfc5321/7.2/no-recipient-list-in-header", SMTP_SHOULD_NOT,
     SMTP_NEEDS_ARRIVALS | SMTP_NEEDS_OTHER,
     "The list of RCPT addresses is not copied into the header section.",
     "[sink] Send to two recipients not named in the header; no field of either copy shows "
     "the other address.",
     no_recipient_list_in_header},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc5321_4_4, rows);
