/* rfc5321_2.c - the SMTP model: EHLO and its keywords, the case of letters (RFC 5321 2). */
#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"
#include "harness/conformance/name.h"
#include "harness/conformance/rules.h"

/* ---- 2.2: extensions ---- */

static void ehlo_supported(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_fresh(check);
    smtp_talk_ask(talk, "250", "EHLO check.example");
}

/* "SMTP Service Extensions" of the IANA's registry of mail parameters, as of 2026-11; and VRFY, which
 * RFC 5321 3.5.2 allows beside them */
static const char *const registered[] = {
    "8BITMIME", "ATRN",        "AUTH",          "BINARYMIME",
    "BURL",     "CHECKPOINT",  "CHUNKING",      "CONNEG",
    "CONPERM",  "DELIVERBY",   "DSN",           "ENHANCEDSTATUSCODES",
    "ETRN",     "EXPN",        "FUTURERELEASE", "HELP",
    "LIMITS",   "MT-PRIORITY", "MTRK",          "NO-SOLICITING",
    "ONEX",     "PIPELINING",  "REQUIRETLS",    "RRVS",
    "SAML",     "SEND",        "SIZE",          "SMTPUTF8",
    "SOML",     "STARTTLS",    "SUBMITTER",     "VRFY",
    "TURN",     "UTF8SMTP",    "VERB",
};

static bool is_registered(struct smtp_span keyword)
{
    for (size_t i = 0; i < sizeof registered / sizeof *registered; i++) {
        if (smtp_span_equal_nocase(keyword, smtp_span_of(registered[i]))) {
            return true;
        }
    }
    return false;
}

static void ehlo_keywords_registered(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_open(check);
    for (size_t i = 1; i < talk->reply.line_count; i++) {
        struct smtp_span line = smtp_talk_text(talk, i);
        const char *space = memchr(line.bytes, ' ', line.len);
        struct smtp_span keyword = {line.bytes,
                                    space != NULL ? (size_t)(space - line.bytes) : line.len};
        bool is_private = keyword.len > 0 && (keyword.bytes[0] | 32) == 'x';
        smtp_check_that(check, is_private || is_registered(keyword),
                        "expected keywords of the IANA's registry or with X, came %s",
                        smtp_check_show(check, line));
    }
}

/* ---- 2.4: the case of letters, and octets beyond ASCII ---- */

static void verbs_case_insensitive(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_fresh(check);
    smtp_talk_ask(talk, "250", check->options->lmtp ? "lHlO check.example" : "ehLO check.example");
    smtp_ask_keep_keywords(talk);
    smtp_ask_log_in_if_told(talk);
    smtp_talk_ask(talk, "250", "mAiL fRoM:<%s>", check->sender);
    smtp_talk_ask(talk, "250 251", "rcpt to:<%s>", check->recipient);
    smtp_talk_ask(talk, "354", "dAtA");
    smtp_talk_write(talk, "%s", smtp_ask_message(check));
    smtp_talk_expect(talk, "250");
    smtp_talk_ask(talk, "221", "quiT");
}

static void local_part_case_preserved(struct smtp_check *check)
{
    const char *at = strchr(check->recipient, '@');
    const char *domain = at != NULL ? at : "@example.com";
    const char *from = smtp_ask_sender(check, "MiXeD"),
               *to = smtp_check_text(check, "OtHeR%s", domain);
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_mail_from(talk, from);
    if (smtp_talk_try(talk, "RCPT TO:<%s>", to) / 100 != 2) {
        smtp_check_skip(check, "it does not take <%s>", to);
    }
    smtp_ask_send(talk);
    struct smtp_arrival arrival;
    if (smtp_arrivals_wait(check, &arrival)) {
        smtp_check_that(check, smtp_name_stands_in(arrival.mail, from),
                        "expected <%s> downstream, came %s", from,
                        smtp_check_show(check, arrival.mail));
        smtp_check_that(check, smtp_name_stands_in(arrival.rcpts, to),
                        "expected <%s> downstream, came %s", to,
                        smtp_check_show(check, arrival.rcpts));
    }
}

#define E_ACUTE "\xC3\xA9"

static void raw_8bit_envelope_refused(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_talk_ask(talk, "5yz", "MAIL FROM:<caf" E_ACUTE "@example.org>");
    smtp_ask_mail(talk);
    smtp_talk_ask(talk, "5yz", "RCPT TO:<caf" E_ACUTE "@%s>", check->domain);
    smtp_ask_in_step(talk);
}

static const struct smtp_rule rows[] = {
    {"rfc5321/2.2.1/ehlo-supported", SMTP_MUST, SMTP_NEEDS_SMTP,
     "EHLO is implemented even when no extension is offered.",
     "Read 220, send EHLO with a valid domain; expect a 250 reply (one or many lines), "
     "never 500 or 502.",
     ehlo_supported},
    {"rfc5321/2.2.2/ehlo-keywords-registered", SMTP_MUST_NOT, 0,
     "No EHLO keyword outside the IANA registry unless it starts with X.",
     "Compare every offered keyword with a snapshot of the IANA SMTP extension registry; "
     "unknown non-X keyword fails.",
     ehlo_keywords_registered},
    {"rfc5321/2.4/verbs-case-insensitive", SMTP_MUST, 0,
     "Command verbs and the words FROM: and TO: are matched without regard to case. [level "
     "inferred]",
     "Run a whole transaction with ehLO, mAiL fRoM:, rcpt to:, dAtA, quiT; all succeed.",
     verbs_case_insensitive},
    {"rfc5321/2.4/local-part-case-preserved", SMTP_MUST, SMTP_NEEDS_SINK,
     "Upper and lower case of mailbox local parts are kept as received.",
     "[sink] Relay a message from <MiXeD@a> to <OtHeR@b>; downstream MAIL and RCPT show "
     "the same letters.",
     local_part_case_preserved},
    {"rfc5321/2.4/raw-8bit-envelope-refused", SMTP_SHOULD, 0,
     "Octets above 127 in envelope commands are refused when SMTPUTF8 is not in use.",
     "Send MAIL FROM:<caf(C3 A9)@example.org> without the SMTPUTF8 parameter; expect 5yz, "
     "and RCPT likewise (500 or 501; on a server with SMTPUTF8 550 for MAIL and 553 for "
     "RCPT with X.6.7 also fit, RFC 6531 3.5).",
     raw_8bit_envelope_refused},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc5321_2, rows);
