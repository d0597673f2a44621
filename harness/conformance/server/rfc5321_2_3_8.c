/* rfc5321_2_3_8.c - lines end in CRLF and in nothing else (RFC 5321 2.3.8). */
#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"
#include "harness/conformance/rules.h"
#include "harness/conformance/see.h"
#include "harness/conformance/settled.h"
#include "harness/conformance/smuggle.h"

static void smuggling_cr_dot_cr(struct smtp_check *check)
{
    smtp_smuggle_literal(check, "\r.\r");
    smtp_smuggle_literal(check, "\r.\r\n");
    smtp_smuggle_literal(check, "\r\n.\rX");
    smtp_smuggle_literal(check, "\r\n.\r\r\n");
}

static void smuggling_nul_dot(struct smtp_check *check)
{
    smtp_smuggle_literal(check, "\r\n\0.\r\n");
    smtp_smuggle_literal(check, "\r\n.\0\r\n");
}

static const struct smtp_span bare_ends[] = {{"\n.\n", 3}, {"\n.\r\n", 4}, {"\r.\r", 3}};
#define BARE_ENDS (sizeof bare_ends / sizeof *bare_ends)

/** Where the message is taken, what goes on has pairs alone. Whether it was. */
static bool relay_bare(struct smtp_check *check, struct smtp_span sequence, size_t taken_before)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_data(talk);
    smtp_talk_write(talk, "%sBefore.", smtp_ask_header(check));
    smtp_talk_put(talk, sequence);
    smtp_talk_write(talk, "Behind.\r\n.\r\n");
    if (smtp_talk_expect(talk, "250 4yz 5yz") != 250) {
        return false;
    }
    struct smtp_arrival arrivals[BARE_ENDS];
    if (!smtp_arrivals_wait_many(check, arrivals, taken_before + 1)) {
        return true;
    }
    struct smtp_span raw = arrivals[taken_before].raw;
    const char *bare = smtp_see_bare(raw);
    if (bare != NULL) {
        size_t at = (size_t)(bare - raw.bytes), begin = at > 20 ? at - 20 : 0;
        size_t len = raw.len - begin < 40 ? raw.len - begin : 40;
        smtp_check_fail(check, "expected CR and LF in pairs to the next hop, came %s",
                        smtp_check_show(check, (struct smtp_span){raw.bytes + begin, len}));
    }
    smtp_check_that(check, smtp_settled(check) == taken_before + 1,
                    "exploitable: the next hop saw another message");
    return true;
}

static void smuggling_relay_bare_lf(struct smtp_check *check)
{
    size_t taken = 0;
    for (size_t i = 0; i < BARE_ENDS; i++) {
        taken += relay_bare(check, bare_ends[i], taken);
    }
}

/** A line that a bare octet ends is no command yet: nothing is said, and with `rest` behind it there is one reply. A
 *  server may also refuse such a line at once and hang up; what it must not do is to carry it out. name: as a detail
 *  begins, "NOOP with LF alone". */
static void end_barely(struct smtp_check *check, const char *line, const char *rest,
                       const char *name, const char *whole)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_talk_write(talk, "%s", line);
    int code = smtp_talk_read_if(talk, check->quiet_ms);
    if (code == 0 && !smtp_talk_is_over(talk)) {
        smtp_talk_write(talk, "%s", rest);
        code = smtp_talk_read_if(talk, SMTP_TALK_ANY_TIME);
        smtp_check_that(check, code != 0 || smtp_talk_is_over(talk),
                        "expected a reply to %s, came none", whole);
        smtp_check_that(
            check, !smtp_talk_waits_for(talk, check->quiet_ms) || smtp_talk_untaken(talk).len == 0,
            "%s, which is one line; expected one reply, came also %s", whole,
            smtp_check_show(check, smtp_talk_untaken(talk)));
        return;
    }
    smtp_check_that(check, code / 100 != 2 && code / 100 != 3, "%s; expected nothing, came %s",
                    name, smtp_check_show(check, talk->reply.octets));
    if (!smtp_talk_waits_for(talk, check->quiet_ms) || smtp_talk_untaken(talk).len > 0) {
        smtp_check_warn(check, "%s is refused, and the connection stays open", name);
    }
}

static void command_bare_lf(struct smtp_check *check)
{
    end_barely(check, "NOOP\n", "\r\n", "NOOP with LF alone", "NOOP with LF and then CRLF");
    end_barely(check, smtp_check_text(check, "MAIL FROM:<%s>\n", check->sender), "\r\n",
               "MAIL with LF alone", "MAIL with LF and then CRLF");
}

static void command_bare_cr(struct smtp_check *check)
{
    end_barely(check, "NOOP\r", "NOOP\r\n", "NOOP with CR alone", "NOOP CR NOOP CRLF");
}

static const struct smtp_rule rows[] = {
    {"rfc5321/2.3.8/smuggling-cr-dot-cr", SMTP_MUST_NOT, 0,
     "No sequence with a lone CR ends the data: CR dot CR, CR dot CRLF, CRLF dot CR. "
     "[known deviation: Cisco Secure Email default clean mode turns bare CR into CRLF "
     "(text of advisories)]",
     "DATA, then a body with the sequence followed by MAIL, RCPT and DATA lines and a "
     "second body, then the true CRLF dot CRLF. Before the true end there is no 2yz reply; "
     "overall either one message is taken or an error is given; no second message appears. "
     "Sequences, each in its own run: 0D 2E 0D; 0D 2E 0D 0A; 0D 0A 2E 0D followed by a "
     "letter; 0D 0A 2E 0D 0D 0A.",
     smuggling_cr_dot_cr},
    {"rfc5321/2.3.8/smuggling-nul-dot", SMTP_MUST_NOT, 0,
     "Octets that a reader may drop do not create an end of data. [level inferred]",
     "DATA, then a body with the sequence followed by MAIL, RCPT and DATA lines and a "
     "second body, then the true CRLF dot CRLF. Before the true end there is no 2yz reply; "
     "overall either one message is taken or an error is given; no second message appears. "
     "Sequences: 0D 0A 00 2E 0D 0A and 0D 0A 2E 00 0D 0A.",
     smuggling_nul_dot},
    {"rfc5321/2.3.8/smuggling-relay-bare-lf", SMTP_MUST_NOT, SMTP_NEEDS_SINK,
     "A relay never sends bare CR or bare LF on: it refuses the message or replaces each "
     "(by CRLF or a harmless octet), with dot stuffing applied after that.",
     "[sink] Submit bodies holding 0A 2E 0A, 0A 2E 0D 0A and 0D 2E 0D; the raw next-hop "
     "stream has no CR or LF outside CRLF pairs and the sink sees one message.",
     smuggling_relay_bare_lf},
    {"rfc5321/2.3.8/command-bare-lf", SMTP_MUST_NOT, 0,
     "A command is not ended by LF alone. [known deviation: Postfix in its default "
     "normalize mode and qmail take bare LF on commands (source); most servers do "
     "(memory)]",
     "Send NOOP LF and wait: no reply; then CRLF: exactly one reply. Repeat with MAIL in "
     "another session. 4yz or 5yz at once, or a close, passes too.",
     command_bare_lf},
    {"rfc5321/2.3.8/command-bare-cr", SMTP_MUST_NOT, 0, "A command is not ended by CR alone.",
     "Send NOOP CR and wait: no reply; then NOOP CRLF: one reply in all. 4yz or 5yz at "
     "once, or a close, passes too.",
     command_bare_cr},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc5321_2_3_8, rows);
