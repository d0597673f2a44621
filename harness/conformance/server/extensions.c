/* extensions.c - further extensions: transmission types (RFC 3848), FUTURERELEASE (4865), REQUIRETLS (8689), 521 (7504), LIMITS (9422). */
#include "common/clock.h"
#include "common/deadline.h"
#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"
#include "harness/conformance/rules.h"
#include "harness/conformance/trace.h"
#include "harness/conformance/volley.h"

#include <strings.h>

/* ---- RFC 3848 ---- */

/** A message in that session, the check's message number `count`; the WITH clause of its trace is `expected`. */
static void with_is(struct smtp_talk *talk, const char *parameters, const char *expected,
                    size_t count)
{
    struct smtp_check *check = talk->check;
    struct smtp_arrival arrivals[8];
    struct smtp_trace trace;
    struct smtp_span field;
    char word[SMTP_TRACE_MAX];
    smtp_talk_step(talk, "250", "MAIL FROM:<%s>%s", check->sender, parameters);
    smtp_ask_rcpt(talk, check->recipient);
    smtp_ask_send(talk);
    if (!smtp_arrivals_wait_many(check, arrivals, count)) {
        return;
    }
    bool found = smtp_trace_find(arrivals[count - 1].content, &field) &&
                 smtp_trace_parse(field, &trace) && smtp_trace_clause(&trace, "with", word);
    smtp_check_that(check, found && strcasecmp(word, expected) == 0,
                    "expected WITH %s, came \"%s\"", expected, found ? word : "none");
}

static void with_keyword(struct smtp_check *check)
{
    const struct smtp_check_options *options = check->options;
    const char *base = options->lmtp ? "LMTP" : "ESMTP";
    size_t count = 0;
    struct smtp_talk *talk;
    if (options->user != NULL && options->password != NULL) {
        talk = smtp_ask_logged_in(check);
        with_is(talk, "", smtp_check_text(check, "%s%sA", base, talk->wire.tls != NULL ? "S" : ""),
                ++count);
    }
    if (!options->lmtp && !options->implicit_tls && !options->starttls) {
        talk = smtp_ask_greeted(check);
        smtp_talk_ask(talk, "250", "HELO check.example");
        with_is(talk, "", "SMTP", ++count);
    }
    talk = smtp_ask_open(check);
    bool has_tls = smtp_ask_offers(talk, "STARTTLS") || talk->wire.tls != NULL;
    bool has_utf8 = smtp_ask_offers(talk, "SMTPUTF8");
    with_is(talk, "", smtp_check_text(check, "%s%s", base, talk->wire.tls != NULL ? "S" : ""),
            ++count);
    if (has_tls) {
        talk = smtp_ask_for_login(check);
        with_is(talk, "", smtp_check_text(check, "%sS", base), ++count);
    }
    if (has_utf8) {
        with_is(
            talk, " SMTPUTF8",
            smtp_check_text(check, "UTF8%s%s", options->lmtp ? "LMTP" : "SMTP", has_tls ? "S" : ""),
            ++count);
    }
}

/* ---- RFC 4865 ---- */

static void futurerelease_offer(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    struct smtp_span parameters;
    smtp_ask_needs(talk, "FUTURERELEASE");
    smtp_check_that(check, check->options->role != SMTP_ROLE_MX,
                    "FUTURERELEASE is offered to the world");
    smtp_ask_parameters(talk, "FUTURERELEASE", &parameters);
    const char *space = memchr(parameters.bytes, ' ', parameters.len);
    size_t digits = space != NULL ? (size_t)(space - parameters.bytes) : 0;
    uint64_t seconds;
    bool is_whole =
        space != NULL &&
        smtp_span_to_u64((struct smtp_span){parameters.bytes, digits}, UINT64_MAX / 2, &seconds) &&
        parameters.len - digits >= sizeof " 2026-01-01T00:00:00Z" - 1 &&
        parameters.bytes[parameters.len - 1] == 'Z' && space[11] == 'T';
    smtp_check_that(check, is_whole, "expected seconds and a time in UTC, came %s",
                    smtp_check_show(check, parameters));
}

#define HOLD_MS 5000
#define SECOND_MS 1000

/** Holds a message for that long: it does not come before, but for the second that a time in whole seconds may lose. */
static void is_held(struct smtp_talk *talk, unsigned seconds)
{
    struct smtp_check *check = talk->check;
    struct smtp_arrival arrival;
    uint64_t begun_ns = smtp_clock_now_ns();
    smtp_talk_step(talk, "250", "MAIL FROM:<%s> HOLDFOR=%u", check->sender, seconds);
    smtp_ask_rcpt(talk, check->recipient);
    smtp_ask_send(talk);
    if (smtp_arrivals_wait(check, &arrival)) {
        uint64_t held_ms = (smtp_clock_now_ns() - begun_ns) / SMTP_NS_PER_MS;
        smtp_check_that(check, held_ms + SECOND_MS >= (uint64_t)SECOND_MS * seconds,
                        "expected the message to be held for %u s, it arrived after %llu ms",
                        seconds, (unsigned long long)held_ms);
    }
}

static void futurerelease_limits(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_for_login(check);
    struct smtp_span parameters;
    uint64_t limit = 0;
    smtp_ask_log_in_if_told(talk);
    smtp_ask_needs(talk, "FUTURERELEASE");
    smtp_ask_parameters(talk, "FUTURERELEASE", &parameters);
    size_t digits = 0;
    while (digits < parameters.len && smtp_is_digit((unsigned char)parameters.bytes[digits])) {
        digits++;
    }
    (void)smtp_span_to_u64((struct smtp_span){parameters.bytes, digits}, UINT64_MAX / 2, &limit);
    smtp_talk_ask(talk, "501 ~5yz", "MAIL FROM:<%s> HOLDFOR=%llu", check->sender,
                  (unsigned long long)limit + 1);
    smtp_talk_ask(talk, "501 ~5yz", "MAIL FROM:<%s> HOLDFOR=0", check->sender);
    smtp_talk_ask(talk, "501 ~5yz", "MAIL FROM:<%s> HOLDFOR=60 HOLDUNTIL=2030-01-01T00:00:00Z",
                  check->sender);
    unsigned hold_s = (unsigned)(smtp_check_slow_ms(check, HOLD_MS) / SECOND_MS);
    hold_s = hold_s > 2 ? hold_s : 2;
    if (smtp_check_goes_on(check) && check->timeout_ms < (uint64_t)2 * SECOND_MS * hold_s) {
        smtp_check_skip(check, "a message is to be held for %u s: give --timeout %u", hold_s,
                        2 * hold_s);
    }
    is_held(talk, hold_s);
}

/* ---- RFC 8689 ---- */

static void requiretls_onward(struct smtp_check *check)
{
    smtp_arrivals_use(check, SMTP_ARRIVALS_STARTTLS);
    struct smtp_talk *talk = smtp_ask_secured(check);
    smtp_ask_needs(talk, "REQUIRETLS");
    smtp_talk_ask(talk, "250 4yz 5yz", "MAIL FROM:<%s> REQUIRETLS", check->sender);
    if (smtp_talk_is(talk, "250") &&
        smtp_talk_try(talk, "RCPT TO:<%s>", check->recipient) / 100 == 2) {
        smtp_talk_step(talk, "354", "DATA");
        smtp_talk_write(talk, "%s", smtp_ask_message(check));
        smtp_talk_expect(talk, "250 4yz 5yz");
    }
    struct smtp_arrival notification = {.content = {"", 0}};
    /* where it is refused the sender knows; else a relay takes its time to send, and to tell */
    bool is_taken = smtp_talk_is(talk, "250");
    bool is_told = is_taken && smtp_arrivals_notified_soon(check, &notification);
    smtp_check_that(check, smtp_arrivals_settled(check) == 0,
                    "expected no message at a next hop without REQUIRETLS, and it arrived");
    if (is_taken && !is_told) {
        smtp_check_warn(check, "no notification yet: it may try for longer");
    }
    smtp_check_that(check, !smtp_span_has(notification.content, "A line."),
                    "expected a notification without the body");
}

/* ---- RFC 7504 ---- */

static void greeting_521(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_connect(check);
    if (smtp_talk_read(talk) != 521) {
        smtp_check_skip(check, "its greeting is not 521");
    }
    smtp_talk_line(talk, "%s", smtp_ask_ehlo_line(check));
    int code = smtp_talk_read_if(talk, SMTP_TALK_ANY_TIME);
    smtp_check_that(check, code == 521 || smtp_talk_is_over(talk),
                    "expected 521 or a close after 521, came %s",
                    code != 0 ? smtp_check_show(check, talk->reply.octets) : "nothing");
}

/* ---- RFC 9422 ---- */

#define TRIED_MAX 1000

/** NAME=1..999999 without a leading zero; 0: it is not there; fails where it is malformed. */
static uint64_t limit_of(struct smtp_check *check, struct smtp_span limits, const char *name)
{
    size_t len = strlen(name);
    const char *at = limits.len > 0 ? memmem(limits.bytes, limits.len, name, len) : NULL;
    if (at == NULL || at + len == limits.bytes + limits.len || at[len] != '=') {
        return 0;
    }
    struct smtp_span value = {at + len + 1, 0};
    size_t left = limits.len - (size_t)(value.bytes - limits.bytes);
    while (value.len < left && value.bytes[value.len] != ' ') {
        value.len++;
    }
    uint64_t number = 0;
    smtp_check_that(
        check, value.len > 0 && value.bytes[0] != '0' && smtp_span_to_u64(value, 999999, &number),
        "expected %s from 1 to 999999 without a leading zero, came %s", name,
        smtp_check_show(check, limits));
    return number;
}

static size_t tried(uint64_t limit)
{
    return limit < TRIED_MAX ? (size_t)limit : TRIED_MAX;
}

static void expect_taken(struct smtp_talk *talk, const char *what, const struct smtp_volley *volley)
{
    size_t taken = smtp_volley(talk, volley);
    smtp_check_that(talk->check, taken == volley->count,
                    "expected as many %s as LIMITS says to be taken, came %s to %s", what,
                    smtp_volley_came(talk), volley->lines[taken % volley->line_count]);
}

static void limits_syntax_and_truth(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    struct smtp_span limits;
    smtp_ask_needs(talk, "LIMITS");
    smtp_ask_parameters(talk, "LIMITS", &limits);
    uint64_t rcpts = limit_of(check, limits, "RCPTMAX"), mails = limit_of(check, limits, "MAILMAX");
    limit_of(check, limits, "RCPTDOMAINMAX");
    smtp_ask_mail(talk);
    const char *const rcpt = smtp_check_text(check, "RCPT TO:<%s>", check->recipient);
    expect_taken(talk, "recipients", &(struct smtp_volley){&rcpt, 1, tried(rcpts), "250 251"});
    const char *const again[] = {"RSET", smtp_check_text(check, "MAIL FROM:<%s>", check->sender)};
    size_t further = mails > 0 ? tried(mails) - 1 : 0; /* one has begun */
    expect_taken(talk, "transactions", &(struct smtp_volley){again, 2, 2 * further, "250"});
}

static const struct smtp_rule rows[] = {
    {"rfc3848/1/with-keyword", SMTP_SHOULD, SMTP_NEEDS_ARRIVALS,
     "The WITH clause names the protocol in use: SMTP, ESMTP, ESMTPA, ESMTPS, ESMTPSA, the "
     "LMTP forms, or UTF8 forms of RFC 6531 (RFC 4954 section 7 for AUTH). [level "
     "inferred]",
     "[sink] [tls] [creds] Send by HELO, EHLO, with TLS, with AUTH, with both, with "
     "SMTPUTF8; read the added Received field.",
     with_keyword},
    {"rfc4865/4.2/futurerelease-offer", SMTP_MUST, 0,
     "[optional] FUTURERELEASE is offered only on submission ports and with two "
     "parameters, seconds and UTC time.",
     "Parse EHLO on port 25 and on submission ports.", futurerelease_offer},
    {"rfc4865/4.2/futurerelease-limits", SMTP_MUST, SMTP_NEEDS_ARRIVALS,
     "[optional] HOLDFOR or HOLDUNTIL within the offered limit is accepted; beyond it, "
     "malformed, or both at once is refused (501, 5.5.4); held mail is not released early.",
     "[creds] [sink] HOLDFOR=5: arrives after five seconds and not before; HOLDFOR=max+1, "
     "HOLDFOR=0, both: 501.",
     futurerelease_limits},
    {"rfc7504/3/greeting-521", SMTP_SHOULD, 0,
     "A host that never takes mail greets with 521; later commands but QUIT get 521 or a "
     "close.",
     "Only if the greeting is 521: send EHLO; 521 or close; no other code.", greeting_521},
    {"rfc8689/4.2.1/requiretls-onward", SMTP_MUST_NOT, SMTP_NEEDS_SINK,
     "A message taken with REQUIRETLS is not passed to a next hop that lacks TLS, a "
     "verified certificate or the REQUIRETLS keyword; the sender is notified (5.7.30 or "
     "5.7.10) with headers only.",
     "[tls] [sink] MAIL with REQUIRETLS; sink offers STARTTLS but no REQUIRETLS: QUIT "
     "without MAIL, and a notification comes back without the body.",
     requiretls_onward},
    {"rfc9422/4/limits-syntax-and-truth", SMTP_MUST, 0,
     "LIMITS values are 1 to 999999 without leading zero, and up to that many MAIL or RCPT "
     "commands are accepted. [level inferred]",
     "If LIMITS is offered: parse it; send RCPTMAX recipients and MAILMAX transactions: "
     "none refused for number.",
     limits_syntax_and_truth},
};
SMTP_RULE_TABLE(smtp_rules_server_extensions, rows);
