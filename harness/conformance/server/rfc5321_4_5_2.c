/* rfc5321_4_5_2.c - transparency: what is sent is what is stored (RFC 5321 4.5.2). */
#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"
#include "harness/conformance/rules.h"

/** The body behind the first empty line is exactly this. */
static void expect_body(struct smtp_check *check, struct smtp_span body)
{
    struct smtp_arrival arrival;
    if (!smtp_arrivals_wait(check, &arrival)) {
        return;
    }
    const char *end = memmem(arrival.content.bytes, arrival.content.len, "\r\n\r\n", 4);
    struct smtp_span came = {"", 0};
    if (end != NULL) {
        came.bytes = end + 4;
        came.len = arrival.content.len - (size_t)(came.bytes - arrival.content.bytes);
    }
    smtp_check_that(check, smtp_span_equal(came, body), "expected the body %s, came %s",
                    smtp_check_show(check, body), smtp_check_show(check, came));
}

static void dot_unstuffing(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_deliver_body(talk, SMTP_SPAN("..a\r\n...\r\n.b\r\n..\r\nlast\r\n"));
    expect_body(check, SMTP_SPAN(".a\r\n..\r\nb\r\n.\r\nlast\r\n"));
}

static void all_octets_preserved(struct smtp_check *check)
{
    char body[512];
    size_t len = 0;
    for (int octet = 1; octet < 128; octet++) {
        if (octet != '\r' && octet != '\n') {
            const char shown[] = {'<', (char)octet, '>'};
            if (octet % 16 == 0) {
                memcpy(body + len, "\r\n", 2);
                len += 2;
            }
            memcpy(body + len, shown, sizeof shown);
            len += sizeof shown;
        }
    }
    memcpy(body + len, "\r\n", 2);
    len += 2;
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_deliver_body(talk, (struct smtp_span){body, len});
    expect_body(check, (struct smtp_span){body, len});
}

static const struct smtp_rule rows[] = {
    {"rfc5321/4.5.2/dot-unstuffing", SMTP_MUST, SMTP_NEEDS_ARRIVALS,
     "One leading dot is removed from each line that starts with a dot and has more "
     "characters. [level inferred]",
     "[sink] Send lines ..a, ..., .b and .. ; stored copy has .a, .., b and . in their "
     "place.",
     dot_unstuffing},
    {"rfc5321/4.5.2/all-octets-preserved", SMTP_MUST, SMTP_NEEDS_ARRIVALS,
     "All 128 ASCII codes in message lines (tabs, form feeds, other controls) reach the "
     "recipient. [level inferred]",
     "[sink] Send lines holding each code but CR, LF and NUL; stored copy is equal. NUL is "
     "reported apart.",
     all_octets_preserved},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc5321_4_5_2, rows);
