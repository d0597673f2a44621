/* rfc2034.c - enhanced status codes (RFC 2034, RFC 3463). */
#include "harness/conformance/ask.h"
#include "harness/conformance/rules.h"
#include "harness/conformance/tour.h"

static bool is_of(const char *verb, const char *const *verbs)
{
    for (; *verbs != NULL; verbs++) {
        if (strcmp(verb, *verbs) == 0) {
            return true;
        }
    }
    return false;
}

static const char *const openings[] = {"greeting", "EHLO", "HELO", NULL};

static void look_for_codes(struct smtp_talk *talk, const char *verb)
{
    int class = talk->reply.code / 100;
    if (is_of(verb, openings) || (class != 2 && class != 4 && class != 5)) {
        return;
    }
    for (size_t i = 0; i < talk->reply.line_count; i++) {
        struct smtp_span text = smtp_talk_text(talk, i);
        size_t len = smtp_talk_enhanced_len(text);
        smtp_check_that(talk->check, len > 0 && len < text.len && text.bytes[len] == ' ',
                        "expected an enhanced code and a space in the reply to %s, came %s", verb,
                        smtp_check_show(talk->check, talk->reply.octets));
    }
}

/** Skips where the extension is not offered. */
static void need_codes(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_needs(talk, "ENHANCEDSTATUSCODES");
}

static void enhanced_code_everywhere(struct smtp_check *check)
{
    need_codes(check);
    smtp_tour(check, false, look_for_codes);
}

static void enhanced_without_ehlo(struct smtp_check *check)
{
    need_codes(check);
    smtp_tour(check, true, look_for_codes);
}

static void look_where_none_is(struct smtp_talk *talk, const char *verb)
{
    if (is_of(verb, openings) || talk->reply.code / 100 == 3) {
        struct smtp_span text = smtp_talk_text(talk, 0);
        smtp_check_that(talk->check, smtp_talk_enhanced_len(text) == 0,
                        "expected no enhanced code in the reply to %s, came %s", verb,
                        smtp_check_show(talk->check, talk->reply.octets));
    }
}

static void enhanced_code_not_on_3yz(struct smtp_check *check)
{
    smtp_tour(check, false, look_where_none_is);
}

static void look_at_class(struct smtp_talk *talk, const char *verb)
{
    struct smtp_span first = smtp_talk_text(talk, 0);
    size_t len = smtp_talk_enhanced_len(first);
    if (len == 0 || is_of(verb, openings)) {
        return;
    }
    smtp_check_that(talk->check, first.bytes[0] - '0' == talk->reply.code / 100,
                    "expected one class in both codes, came %s",
                    smtp_check_show(talk->check, talk->reply.octets));
    for (size_t i = 1; i < talk->reply.line_count; i++) {
        struct smtp_span text = smtp_talk_text(talk, i);
        smtp_check_that(talk->check,
                        smtp_talk_enhanced_len(text) == len &&
                            memcmp(text.bytes, first.bytes, len) == 0,
                        "expected one enhanced code in all lines, came %s",
                        smtp_check_show(talk->check, talk->reply.octets));
    }
}

static void enhanced_class_agrees(struct smtp_check *check)
{
    need_codes(check);
    smtp_tour(check, false, look_at_class);
}

/* ---- RFC 3463 2 ---- */

/** Digit 2, 4 or 5; then two numbers of one to three digits without leading zeros. */
static bool is_well_formed(struct smtp_span code)
{
    size_t digits = 0, number = 0;
    bool zero_first = false;
    for (size_t i = 0; i < code.len; i++) {
        if (code.bytes[i] == '.') {
            digits = 0;
            number++;
            continue;
        }
        zero_first = digits == 0 ? code.bytes[i] == '0' : zero_first;
        digits++;
        if (digits > 3 || (digits > 1 && zero_first) || (number == 0 && digits > 1)) {
            return false;
        }
    }
    return number == 2 && strchr("245", code.bytes[0]) != NULL;
}

static void look_at_syntax(struct smtp_talk *talk, const char *verb)
{
    if (is_of(verb, openings)) {
        return;
    }
    for (size_t i = 0; i < talk->reply.line_count; i++) {
        struct smtp_span text = smtp_talk_text(talk, i);
        text.len = smtp_talk_enhanced_len(text);
        smtp_check_that(talk->check, text.len == 0 || is_well_formed(text),
                        "expected an enhanced code like 5.1.1, came %s",
                        smtp_check_show(talk->check, talk->reply.octets));
    }
}

static void enhanced_syntax(struct smtp_check *check)
{
    need_codes(check);
    smtp_tour(check, false, look_at_syntax);
}

static const struct smtp_rule rows[] = {
    {"rfc2034/3/enhanced-code-not-on-3yz", SMTP_SHOULD_NOT, 0,
     "3yz replies have no enhanced code; greeting and positive EHLO/HELO replies start "
     "with the domain, not with a code. [level inferred]",
     "Check 220, 250 to EHLO, 334 and 354 texts.", enhanced_code_not_on_3yz},
    {"rfc2034/4/enhanced-code-everywhere", SMTP_MUST, 0,
     "With ENHANCEDSTATUSCODES offered, every 2yz, 4yz and 5yz line but greeting and "
     "HELO/EHLO replies starts with an enhanced code and a space. [level inferred] [known "
     "deviation: some error paths lack it, e.g. 535 in OpenSMTPD (source)]",
     "Run a script touching MAIL, RCPT ok and refused, RSET, NOOP, VRFY, unknown verb, "
     "over-long line, end of data, QUIT; check each line.",
     enhanced_code_everywhere},
    {"rfc2034/4/enhanced-class-agrees", SMTP_MUST, 0,
     "The class digit equals the first digit of the reply code, and all lines of a "
     "multi-line reply carry the same enhanced code. [level inferred]",
     "Check every pair in the run.", enhanced_class_agrees},
    {"rfc2034/4/enhanced-without-ehlo", SMTP_MUST, SMTP_NEEDS_SMTP,
     "The codes are present in a HELO session too. [level inferred]",
     "Repeat with HELO; codes are still there.", enhanced_without_ehlo},
    {"rfc3463/2/enhanced-syntax", SMTP_MUST, 0,
     "A code is one digit 2, 4 or 5 and two numbers of one to three digits, joined by "
     "dots, without leading zeros.",
     "Match each code of the run against the grammar; 5.01.1 fails.", enhanced_syntax},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc2034, rows);
