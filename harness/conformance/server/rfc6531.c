/* rfc6531.c - internationalised addresses (RFC 6531). */
#include "harness/conformance/ask.h"
#include "harness/conformance/rules.h"
#include "harness/conformance/tour.h"

#define E_ACUTE "\xC3\xA9"
#define UTF8_PATH "caf" E_ACUTE "@r" E_ACUTE "seau.example"

static bool is_ascii(struct smtp_span octets)
{
    for (size_t i = 0; i < octets.len; i++) {
        if ((unsigned char)octets.bytes[i] > 127) {
            return false;
        }
    }
    return true;
}

static void smtputf8_offer(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_open(check);
    struct smtp_span parameters;
    smtp_ask_needs(talk, "SMTPUTF8");
    smtp_ask_parameters(talk, "SMTPUTF8", &parameters);
    smtp_check_that(check, parameters.len == 0, "expected SMTPUTF8 without parameters, came %s",
                    smtp_check_show(check, parameters));
    smtp_check_that(check, smtp_ask_offers(talk, "8BITMIME"),
                    "SMTPUTF8 is offered without 8BITMIME");
    smtp_check_that(check, is_ascii(talk->reply.octets),
                    "expected ASCII in the EHLO reply, came %s",
                    smtp_check_show(check, talk->reply.octets));
}

static bool is_syntax_refusal(const struct smtp_talk *talk)
{
    return smtp_talk_is(talk, "500 501 555");
}

static void smtputf8_addresses(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_needs(talk, "SMTPUTF8");
    smtp_talk_ask(talk, "5yz", "MAIL FROM:<a\xff@example.com> SMTPUTF8");
    smtp_talk_ask(talk, "5yz", "MAIL FROM:<%s> SMTPUTF8=x", check->sender);
    smtp_talk_try(talk, "MAIL FROM:<" UTF8_PATH "> SMTPUTF8");
    smtp_check_that(check, !is_syntax_refusal(talk),
                    "expected a UTF-8 reverse-path to be understood, came %s",
                    smtp_check_show(check, talk->reply.octets));
    smtp_talk_try(talk, "RSET");
    smtp_talk_step(talk, "250", "MAIL FROM:<%s> SMTPUTF8", check->sender);
    smtp_talk_try(talk, "RCPT TO:<" UTF8_PATH ">");
    smtp_check_that(check, !is_syntax_refusal(talk),
                    "expected a UTF-8 forward-path to be understood, came %s",
                    smtp_check_show(check, talk->reply.octets));
}

static void replies_stay_ascii(struct smtp_check *check)
{
    const char *const lines[] = {
        smtp_check_text(check, "%.4s r" E_ACUTE "seau.example", smtp_ask_ehlo_line(check)),
        smtp_ask_ehlo_line(check),
        "NOOP caf" E_ACUTE,
        "HELP caf" E_ACUTE,
        "CAF" E_ACUTE,
        "MAIL FROM:<" UTF8_PATH ">",
        "MAIL FROM:<" UTF8_PATH "> SMTPUTF8",
        smtp_check_text(check, "RCPT TO:<" E_ACUTE "%s>", check->bad_recipient),
        "RCPT TO:<" UTF8_PATH "> NOTIFY=" E_ACUTE,
    };
    struct smtp_talk *talk = smtp_ask_fresh(check);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        smtp_talk_try(talk, "%s", lines[i]);
        bool may = smtp_talk_is(talk, "251 551");
        smtp_check_that(check, may || is_ascii(talk->reply.octets),
                        "expected ASCII in the reply to %s, came %s",
                        smtp_check_show(check, smtp_span_of(lines[i])),
                        smtp_check_show(check, talk->reply.octets));
    }
}

static const struct smtp_rule rows[] = {
    {"rfc6531/3.1/smtputf8-offer", SMTP_MUST_NOT, 0,
     "The SMTPUTF8 keyword has no parameter, and 8BITMIME is offered with it.",
     "Parse the EHLO reply; domain names in it are LDH or A-labels only (3.7.1).", smtputf8_offer},
    {"rfc6531/3.2/smtputf8-addresses", SMTP_MUST, 0,
     "UTF-8 is accepted in MAIL and RCPT wherever a mailbox may stand, after the SMTPUTF8 "
     "parameter.",
     "MAIL with a UTF-8 local part and UTF-8 domain plus SMTPUTF8, then a UTF-8 recipient: "
     "no syntax refusal; ill-formed UTF-8 is refused; SMTPUTF8=x is refused.",
     smtputf8_addresses},
    {"rfc6531/3.7.4.2/replies-stay-ascii", SMTP_MUST_NOT, 0,
     "Replies hold non-ASCII only where the section allows (251, 551, VRFY, EXPN after the "
     "parameter). [known deviation: servers that echo the rejected address (memory)]",
     "Send unknown UTF-8 recipients, UTF-8 EHLO names and arguments, with and without the "
     "parameter; scan all reply octets.",
     replies_stay_ascii},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc6531, rows);
