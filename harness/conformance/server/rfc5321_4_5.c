/* rfc5321_4_5.c - the least a server does, sizes, times (RFC 5321 4.5), and VRFY (7.3). */
#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"
#include "harness/conformance/rules.h"
#include "harness/conformance/volley.h"

#include <stdlib.h>

/* ---- 4.5.1, 7.3: the minimum ---- */

static void postmaster_without_domain(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_mail(talk);
    smtp_talk_step(talk, "250 251", "RCPT TO:<postmaster>");
    smtp_talk_step(talk, "250 251", "RCPT TO:<POSTMASTER>");
    smtp_talk_step(talk, "250 251", "RCPT TO:<PoStMaStEr>");
}

static void vrfy_implemented(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_talk_try(talk, "VRFY %s", check->recipient);
    smtp_check_that(check, !smtp_talk_is(talk, "500 502"),
                    "expected any reply but 500 and 502, came %s",
                    smtp_check_show(check, talk->reply.octets));
}

static void vrfy_disabled_is_252(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    int known = smtp_talk_try(talk, "VRFY %s", check->recipient);
    if (known == 530) {
        smtp_check_skip(check, "it wants a login or TLS first");
    }
    int unknown = smtp_talk_try(talk, "VRFY %s@%s", check->token, check->domain);
    smtp_check_that(check, known != unknown || known == 252,
                    "expected 252 where a known and an unknown name are answered alike, came %s",
                    smtp_check_show(check, talk->reply.octets));
}

/* ---- 4.5.3.1: sizes ---- */

static const char *repeated(struct smtp_check *check, char octet, size_t count)
{
    char *text = smtp_check_own(check, malloc(count + 1), free);
    if (text == NULL) {
        return "";
    }
    memset(text, octet, count);
    text[count] = '\0';
    return text;
}

#define LOCAL_PART_OCTETS 64
#define PATH_OCTETS 256
#define LABEL_OCTETS 63

static void path_256(struct smtp_check *check)
{
    const char *local = repeated(check, 'l', LOCAL_PART_OCTETS);
    const char *label = repeated(check, 'd', LABEL_OCTETS);
    /* <64@189>: three labels, ".example" at the end */
    size_t left = PATH_OCTETS - 2 - LOCAL_PART_OCTETS - 1 - 2 * (LABEL_OCTETS + 1) - 8;
    const char *path =
        smtp_check_text(check, "%s@%s.%s.%.*s.example", local, label, label, (int)left, label);
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_talk_try(talk, "MAIL FROM:<%s>", path);
    smtp_check_that(check, !smtp_talk_is(talk, "500 501 552 555"),
                    "expected a path of 256 octets to be handled, came %s",
                    smtp_check_show(check, talk->reply.octets));
    smtp_talk_ask(talk, "250", "RSET");
    smtp_ask_mail(talk);
    smtp_talk_try(talk, "RCPT TO:<%s>", path);
    smtp_check_that(check, !smtp_talk_is(talk, "500 501 552 555"),
                    "expected a path of 256 octets to be handled, came %s",
                    smtp_check_show(check, talk->reply.octets));
}

static void command_line_512(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    if (smtp_talk_try(talk, "NOOP x") != 250) {
        smtp_check_skip(check, "it takes no argument of NOOP");
    }
    smtp_talk_try(talk, "NOOP %s", repeated(check, 'x', 512 - 2 - 5));
    smtp_check_that(check, smtp_talk_is(talk, "250"),
                    "expected a line of 512 octets to be handled as a short one was, came %s",
                    smtp_check_show(check, talk->reply.octets));
    smtp_ask_quit(talk);
}

static void reply_line_512(struct smtp_check *check)
{
    const char *argument = repeated(check, 'x', 512 - 2 - 5);
    const char *const lines[] = {
        smtp_check_text(check, "VRFY %s", argument), smtp_check_text(check, "HELP %s", argument),
        smtp_check_text(check, "XYZZ %s", argument),
        smtp_check_text(check, "RCPT TO:<%.480s@example.com>", argument),
        smtp_check_text(check, "MAIL FROM:<%.400s> %.60s", argument, argument)};
    struct smtp_talk *talk = smtp_ask_hello(check);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        smtp_talk_try(talk, "%s", lines[i]);
        struct smtp_span octets = talk->reply.octets;
        for (size_t at = 0; at < octets.len;) {
            const char *end = memmem(octets.bytes + at, octets.len - at, "\r\n", 2);
            size_t len = (size_t)(end - octets.bytes) + 2 - at;
            smtp_check_that(check, len <= 512,
                            "expected reply lines of 512 octets at most, came %zu: %s", len,
                            smtp_check_show(check, (struct smtp_span){octets.bytes + at, len}));
            at += len;
        }
    }
}

#define OVER_LONG 70000

static void over_long_line_one_reply(struct smtp_check *check)
{
    static const size_t marks[] = {512, 1000, 2048, 4096};
    char *line = smtp_check_own(check, malloc(OVER_LONG + 1), free);
    struct smtp_talk *talk = smtp_ask_hello(check);
    if (line == NULL) {
        return;
    }
    memset(line, 'x', OVER_LONG);
    line[OVER_LONG] = '\0';
    memcpy(line, "NOOP ", 5);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        memcpy(line + marks[i], "RSET", 4);
    }
    smtp_talk_line(talk, "%s", line);
    int code = smtp_talk_read_if(talk, SMTP_TALK_ANY_TIME);
    if (code == 421 || smtp_talk_is_over(talk)) {
        smtp_check_warn(check, "it closes the connection");
        return;
    }
    smtp_check_that(check, code != 0, "expected a reply to a line of %d octets, came none",
                    OVER_LONG);
    smtp_talk_line(talk, "NOOP");
    int next = smtp_talk_read_if(talk, SMTP_TALK_ANY_TIME);
    if (smtp_talk_is_over(talk)) {
        smtp_check_warn(check, "it closes the connection");
        return;
    }
    smtp_check_that(check, next == 250, "expected one reply to the line and 250 to NOOP, came %s",
                    smtp_check_show(check, talk->reply.octets));
    smtp_ask_quit(talk);
}

static void text_line_1000(struct smtp_check *check)
{
    const char *plain = repeated(check, 'x', 998), *rest = repeated(check, 'y', 997);
    const char *body = smtp_check_text(check, "%s\r\n..%s\r\n", plain, rest);
    const char *stored = smtp_check_text(check, "%s\r\n.%s\r\n", plain, rest);
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_deliver_body(talk, smtp_span_of(body));
    struct smtp_arrival arrival;
    if (smtp_arrivals_wait(check, &arrival)) {
        smtp_check_that(check, smtp_span_has(arrival.content, stored),
                        "expected both lines of 998 octets to arrive whole, and they did not");
    }
}

/** Names the recipient so often, while it is taken: how often it was. */
static size_t name_recipients(struct smtp_talk *talk, size_t count)
{
    const char *const line = smtp_check_text(talk->check, "RCPT TO:<%s>", talk->check->recipient);
    const struct smtp_volley volley = {&line, 1, count, "2yz"};
    smtp_ask_mail(talk);
    return smtp_volley(talk, &volley);
}

#define RECIPIENTS 100

static void hundred_recipients(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    size_t taken = name_recipients(talk, RECIPIENTS);
    smtp_check_that(check, taken == RECIPIENTS,
                    "expected %d recipients to be taken, came %s to number %zu", RECIPIENTS,
                    smtp_volley_came(talk), taken + 1);
}

#define RECIPIENTS_TRIED 5000

static void too_many_recipients_452(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    size_t taken = name_recipients(talk, RECIPIENTS_TRIED);
    if (taken == RECIPIENTS_TRIED) {
        smtp_check_skip(check, "it takes %d recipients", RECIPIENTS_TRIED);
    }
    smtp_check_that(check, smtp_talk_is(talk, "452 5yz"),
                    "expected 452 after %zu recipients, came %s", taken, smtp_volley_came(talk));
    if (!smtp_talk_is(talk, "452")) {
        smtp_check_warn(check, "452 is the code for too many recipients, came %s",
                        smtp_volley_came(talk));
    }
    if (smtp_talk_is_over(talk)) { /* it counts what was sent ahead as errors */
        smtp_check_skip(check, "it closes the connection when more are named: %s",
                        smtp_volley_came(talk));
    }
    smtp_ask_send(talk);
}

/* ---- 4.5.3.2: times ---- */

#define IDLE_MS 290000

static void idle_timeout_five_minutes(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    uint64_t idle_ms = smtp_check_slow_ms(check, IDLE_MS);
    smtp_check_extend(check, idle_ms);
    if (smtp_talk_waits_for(talk, idle_ms)) {
        smtp_check_fail(check, "expected five minutes of patience, came %s",
                        smtp_talk_is_over(talk) ? "the end of the connection"
                                                : smtp_check_show(check, smtp_talk_untaken(talk)));
    }
    smtp_talk_ask(talk, "250", "NOOP");
}

static const struct smtp_rule rows[] = {
    {"rfc5321/4.5.1/postmaster-without-domain", SMTP_MUST, 0,
     "RCPT TO:<Postmaster> without a domain is accepted, in any mixture of case.",
     "MAIL, then RCPT TO:<postmaster>, <POSTMASTER>, <PoStMaStEr>; 250 each.",
     postmaster_without_domain},
    {"rfc5321/4.5.1/vrfy-implemented", SMTP_MUST, 0,
     "VRFY belongs to the minimum command set. [known deviation: OpenSMTPD has no VRFY "
     "(source); Postfix with disable_vrfy_command answers 502 (source)]",
     "VRFY of a known user; any reply but 500 or 502 passes.", vrfy_implemented},
    {"rfc5321/4.5.3.1.3/path-256", SMTP_MUST, 0,
     "A path of 256 octets including brackets is handled, with a local part of 64 octets "
     "(limits for local part and domain in 4.5.3.1.1 and 4.5.3.1.2). The MUST stands in "
     "the parent section 4.5.3.1.",
     "MAIL FROM and RCPT TO with a 64-octet local part and a valid domain that makes the "
     "path exactly 256 octets; not refused for length or syntax (unknown user is fine).",
     path_256},
    {"rfc5321/4.5.3.1.4/command-line-512", SMTP_MUST, 0,
     "A command line of 512 octets with CRLF is handled. The MUST stands in the parent "
     "section 4.5.3.1.",
     "NOOP padded to exactly 512 octets; 250, not 500 too long.", command_line_512},
    {"rfc5321/4.5.3.1.5/reply-line-512", SMTP_MUST, 0,
     "A reply line is at most 512 octets with code and CRLF. [level inferred]",
     "Provoke replies that echo input (500-octet arguments, long recipients); no line "
     "exceeds 512.",
     reply_line_512},
    {"rfc5321/4.5.3.1.6/text-line-1000", SMTP_MUST, SMTP_NEEDS_ARRIVALS,
     "A message line of 1000 octets with CRLF is accepted, the extra transparency dot not "
     "counted. The MUST stands in the parent section 4.5.3.1.",
     "[sink] Send a line of 998 octets, and one that starts with a dot and is 998 octets "
     "before stuffing (999 on the wire); both arrive whole.",
     text_line_1000},
    {"rfc5321/4.5.3.1.8/hundred-recipients", SMTP_MUST, 0,
     "At least 100 recipients per transaction can be held. [known deviation: limits below "
     "100 are common in practice; RFC 9422 section 3.5 admits it (text)]",
     "MAIL and 100 RCPT to valid mailboxes (repeats allowed); none refused for their "
     "number.",
     hundred_recipients},
    {"rfc5321/4.5.3.1.9/over-long-line-one-reply", SMTP_MUST, 0,
     "A command line over the limit is refused as one unit; its tail is not run as a new "
     "command (one reply per command, section 4.2). [level inferred] [known deviation: "
     "OpenSMTPD closes the session (source)]",
     "Send NOOP plus 70000 letters, with the text RSET placed at each 512, 1000, 2048 and "
     "4096 octet mark, then CRLF; at most one reply (normally 500), then NOOP gives 250. "
     "Closing after 500 or 421 is reported.",
     over_long_line_one_reply},
    {"rfc5321/4.5.3.1.10/too-many-recipients-452", SMTP_MUST, 0,
     "When a built-in recipient limit is hit the code is 452; the recipients accepted so "
     "far stay valid (4.5.3.1.8). [known deviation: OpenSMTPD answers 451 (source)]",
     "Send RCPT until refused; the code is 452 (5yz only for a site policy), then DATA "
     "gives 354 and 250 for the accepted ones.",
     too_many_recipients_452},
    {"rfc5321/4.5.3.2.7/idle-timeout-five-minutes", SMTP_SHOULD, SMTP_NEEDS_TIME,
     "The server waits at least five minutes for the next command. [known deviation: "
     "Postfix drops to 10 s under stress (source); large mail sites are shorter (memory)]",
     "[slow] Stay silent 290 seconds after EHLO, then NOOP; 250 expected.",
     idle_timeout_five_minutes},
    {"rfc5321/7.3/vrfy-disabled-is-252", SMTP_MUST, 0,
     "When VRFY is switched off the answer is 252, not a code that looks like success or "
     "failure of a check. [known deviation: Postfix with disable_vrfy_command answers 502 "
     "(source)]",
     "VRFY of a known and of an unknown name; if both answers are equal they must be 252.",
     vrfy_disabled_is_252},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc5321_4_5, rows);
