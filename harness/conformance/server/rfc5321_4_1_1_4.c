/* rfc5321_4_1_1_4.c - DATA: where the content ends, and that nothing else does (RFC 5321 4.1.1.4). */
#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"
#include "harness/conformance/name.h"
#include "harness/conformance/rules.h"
#include "harness/conformance/smuggle.h"
#include "harness/conformance/trace.h"

/* ---- the transaction ---- */

/** Whether the trace says that it was for that mailbox: a Delivered-To field, or a for clause (RFC 5321 4.4). */
static bool is_traced_to(struct smtp_span content, const char *mailbox)
{
    struct smtp_span header = {content.bytes, smtp_trace_len(content)}, field;
    struct smtp_trace trace;
    char path[SMTP_TRACE_MAX] = "";
    if (smtp_trace_find(header, &field) && smtp_trace_parse(field, &trace)) {
        (void)smtp_trace_clause(&trace, "for", path);
    }
    return smtp_name_stands_in(smtp_span_of(path), mailbox) ||
           (smtp_trace_find_named(header, "Delivered-To", &field) &&
            smtp_name_stands_in(field, mailbox));
}

/** A sink shows whom a message was for; a Maildir shows it where the server says it. */
static void look_at_recipients(struct smtp_check *check, const struct smtp_arrival *second)
{
    smtp_check_that(check, !smtp_name_stands_in(second->rcpts, check->recipient),
                    "expected the second message for <%s> alone, came %s", check->other_recipient,
                    smtp_check_show(check, second->rcpts));
    smtp_check_that(check, !is_traced_to(second->content, check->recipient),
                    "expected the second message for <%s> alone, it was delivered to <%s>",
                    check->other_recipient, check->recipient);
}

static void transaction_cleared_after_data(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_deliver(talk);
    smtp_talk_ask(talk, "503", "RCPT TO:<%s>", check->recipient);
    smtp_ask_mail(talk);
    smtp_ask_rcpt(talk, check->other_recipient);
    smtp_ask_send(talk);
    smtp_ask_quit(talk);
    struct smtp_arrival arrivals[2];
    if (smtp_arrivals_wait_many(check, arrivals, 2)) {
        /* a relay may hand them on in any order */
        const char *id = smtp_check_text(check, "<%s.2@", check->token);
        look_at_recipients(check, &arrivals[smtp_span_has(arrivals[0].content, id) ? 0 : 1]);
    }
}

/* ---- the end ---- */

static void dot_at_once_ends_data(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_data(talk);
    smtp_talk_put_literal(talk, ".\r\n");
    smtp_talk_expect(talk, "250 4yz 5yz");
    smtp_ask_quit(talk);
}

static void octet_by_octet(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_data(talk);
    for (const char *at = smtp_ask_message(check); *at != '\0' && smtp_check_goes_on(check); at++) {
        smtp_talk_put(talk, (struct smtp_span){at, 1});
    }
    smtp_talk_expect(talk, "250");
    smtp_ask_quit(talk);
}

#define LINE_OCTETS 64
#define END "\r\n.\r\n"

/** A header and lines up to `len` octets, and the end of the content behind the last of them. */
static bool make_message(struct smtp_buffer *whole, const char *header, size_t len)
{
    bool held = smtp_buffer_append(whole, header, strlen(header)) == SMTP_OK;
    for (size_t column = 1; whole->len < len && held; column++) {
        bool ends = column % LINE_OCTETS == 0 && len - whole->len > 2;
        held = smtp_buffer_append(whole, ends ? "\r\n" : "x", ends ? 2 : 1) == SMTP_OK;
    }
    return held && smtp_buffer_append(whole, END, sizeof END - 1) == SMTP_OK;
}

/** A message whose end begins so many octets before `mark`, in two writes that part there. */
static void end_across(struct smtp_talk *talk, size_t mark, size_t before)
{
    struct smtp_buffer whole = SMTP_BUFFER(SIZE_MAX / 2);
    smtp_ask_data(talk);
    if (make_message(&whole, smtp_ask_header(talk->check), mark - before)) {
        struct smtp_span octets = smtp_buffer_span(&whole);
        smtp_talk_put(talk, (struct smtp_span){octets.bytes, mark});
        smtp_talk_put(talk, (struct smtp_span){octets.bytes + mark, octets.len - mark});
    } else {
        smtp_check_skip(talk->check, "out of memory");
    }
    smtp_buffer_free(&whole);
    smtp_talk_expect(talk, "250");
}

static void end_of_data_any_segmentation(struct smtp_check *check)
{
    static const size_t marks[] = {1024, 4096, 8192, 16384};
    octet_by_octet(check);
    struct smtp_talk *talk = smtp_ask_hello(check);
    for (size_t m = 0; m < sizeof marks / sizeof *marks; m++) {
        for (size_t before = 0; before <= 5 && smtp_check_goes_on(check); before++) {
            end_across(talk, marks[m], before);
        }
    }
    smtp_ask_quit(talk);
}

static void no_extra_crlf_stored(struct smtp_check *check)
{
    static const struct smtp_span line = {"\r\nOne line.\r\n", 13};
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_deliver_body(talk, SMTP_SPAN("One line.\r\n"));
    struct smtp_arrival arrival;
    if (smtp_arrivals_wait(check, &arrival)) {
        struct smtp_span came = arrival.content;
        const char *at = memmem(came.bytes, came.len, line.bytes, line.len);
        if (at != NULL) {
            came = (struct smtp_span){at, came.len - (size_t)(at - came.bytes)};
        }
        smtp_check_that(check, smtp_span_equal(came, line), "expected %s at its end, came %s",
                        smtp_check_show(check, line), smtp_check_show(check, came));
    }
}

/* ---- no end ---- */

static void smuggling_lf_dot_lf(struct smtp_check *check)
{
    smtp_smuggle_literal(check, "\n.\n");
}

static void smuggling_lf_dot_crlf(struct smtp_check *check)
{
    smtp_smuggle_literal(check, "\n.\r\n");
}

static void smuggling_crlf_dot_lf(struct smtp_check *check)
{
    smtp_smuggle_literal(check, "\r\n.\n");
}

static void data_lf_only_lines(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_data(talk);
    smtp_talk_write(talk, "From: <%s>\nTo: <%s>\nSubject: %s\n\nOne line.\nAnother.\n\r\n.\r\n",
                    check->sender, check->recipient, check->token);
    smtp_talk_expect(talk, "4yz 5yz");
}

static const struct smtp_rule rows[] = {
    {"rfc5321/4.1.1.4/transaction-cleared-after-data", SMTP_MUST,
     SMTP_NEEDS_ARRIVALS | SMTP_NEEDS_OTHER,
     "After end of data the reverse-path, recipients and data are cleared; a new "
     "transaction starts from nothing. [level inferred]",
     "[sink] Send two messages in one session with different recipients; RCPT straight "
     "after the first end of data gives 503 and the second message reaches only its own "
     "recipient.",
     transaction_cleared_after_data},
    {"rfc5321/4.1.1.4/dot-at-once-ends-data", SMTP_MUST, 0,
     "A lone dot as the first line after 354 ends the (empty) message. [level inferred]",
     "DATA, 354, then dot CRLF in its own packet; a final reply arrives without more "
     "input.",
     dot_at_once_ends_data},
    {"rfc5321/4.1.1.4/end-of-data-any-segmentation", SMTP_MUST, 0,
     "CRLF dot CRLF is recognised however it is split over packets and buffers, and input "
     "after it is kept. [level inferred]",
     "Send the message one octet per packet, and again with the five octets placed across "
     "1024, 4096, 8192 and 16384 octet marks; exactly one 250 each.",
     end_of_data_any_segmentation},
    {"rfc5321/4.1.1.4/no-extra-crlf-stored", SMTP_MUST_NOT, SMTP_NEEDS_ARRIVALS,
     "The CRLF before the final dot ends the last line; no empty line is added. [level "
     "inferred]",
     "[sink] Send a body of one line; stored copy ends with exactly one CRLF after it.",
     no_extra_crlf_stored},
    {"rfc5321/4.1.1.4/smuggling-lf-dot-lf", SMTP_MUST_NOT, 0, "LF dot LF is not the end of data.",
     "DATA, then a body with the sequence followed by MAIL, RCPT and DATA lines and a "
     "second body, then the true CRLF dot CRLF. Before the true end there is no 2yz reply; "
     "overall either one message is taken or an error is given; no second message appears. "
     "Sequence: 0A 2E 0A.",
     smuggling_lf_dot_lf},
    {"rfc5321/4.1.1.4/smuggling-lf-dot-crlf", SMTP_MUST_NOT, 0,
     "LF dot CRLF is not the end of data (CVE-2023-51764 class). [known deviation: "
     "Postfix, Sendmail and Exim before their fixes of 2023-12 and 2024-01; Cisco Secure "
     "Email in its default clean mode (text of advisories)]",
     "DATA, then a body with the sequence followed by MAIL, RCPT and DATA lines and a "
     "second body, then the true CRLF dot CRLF. Before the true end there is no 2yz reply; "
     "overall either one message is taken or an error is given; no second message appears. "
     "Sequence: 0A 2E 0D 0A.",
     smuggling_lf_dot_crlf},
    {"rfc5321/4.1.1.4/smuggling-crlf-dot-lf", SMTP_MUST_NOT, 0,
     "CRLF dot LF is not the end of data.",
     "DATA, then a body with the sequence followed by MAIL, RCPT and DATA lines and a "
     "second body, then the true CRLF dot CRLF. Before the true end there is no 2yz reply; "
     "overall either one message is taken or an error is given; no second message appears. "
     "Sequence: 0D 0A 2E 0A.",
     smuggling_crlf_dot_lf},
    {"rfc5321/4.1.1.4/data-lf-only-lines", SMTP_MUST_NOT, 0,
     "Lines that end in LF alone are not accepted as lines of the message. [known "
     "deviation: Postfix in its default normalize mode (source) and Exim (documentation) "
     "accept and convert; qmail answers 451 and closes (source)]",
     "Send a whole message with LF line ends and then CRLF dot CRLF; pass on 4yz or 5yz. A "
     "copy in which LF became a line end is a failure; passing the bare LF on fails the "
     "relay row.",
     data_lf_only_lines},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc5321_4_1_1_4, rows);
