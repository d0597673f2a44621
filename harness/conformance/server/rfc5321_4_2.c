/* rfc5321_4_2.c - replies (RFC 5321 4.2, 4.3). */
#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"
#include "harness/conformance/name.h"
#include "harness/conformance/rules.h"
#include "harness/conformance/settled.h"
#include "harness/conformance/tour.h"

/* ---- their form ---- */

static void look_at_codes(struct smtp_talk *talk, const char *verb)
{
    struct smtp_span octets = talk->reply.octets;
    (void)verb;
    for (size_t at = 0; at < octets.len;) {
        const char *end = memchr(octets.bytes + at, '\n', octets.len - at);
        size_t len = (size_t)(end - octets.bytes) + 1 - at;
        struct smtp_span line = {octets.bytes + at, len};
        smtp_check_that(talk->check, line.bytes[0] >= '2' && line.bytes[0] <= '5',
                        "expected codes from 2yz to 5yz, came %s",
                        smtp_check_show(talk->check, line));
        smtp_check_that(talk->check, len >= 2 && line.bytes[len - 2] == '\r',
                        "expected CRLF at the end of each line, came %s",
                        smtp_check_show(talk->check, line));
        at += len;
    }
}

static void reply_code_range(struct smtp_check *check)
{
    smtp_tour(check, false, look_at_codes);
}

static void look_at_lines(struct smtp_talk *talk, const char *verb)
{
    struct smtp_span octets = talk->reply.octets;
    (void)verb;
    for (size_t at = 0; at < octets.len;) {
        const char *end = memmem(octets.bytes + at, octets.len - at, "\r\n", 2);
        smtp_check_that(talk->check, memcmp(octets.bytes + at, octets.bytes, 3) == 0,
                        "expected one code in all lines, came %s",
                        smtp_check_show(talk->check, octets));
        at = (size_t)(end - octets.bytes) + 2;
    }
}

static void multiline_same_code(struct smtp_check *check)
{
    smtp_tour(check, false, look_at_lines);
}

static void greeting_form(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_greeted(check);
    smtp_check_that(check, smtp_name_is_host(smtp_name_first_word(smtp_talk_text(talk, 0))),
                    "expected a domain or an address in brackets behind the code, came %s",
                    smtp_check_show(check, talk->reply.octets));
}

/* ---- one for each command ---- */

static void one_reply_per_command(struct smtp_check *check)
{
    smtp_tour(check, false, NULL);
}

static void no_dead_capability(struct smtp_check *check)
{
    static const struct {
        const char *keyword, *line;
    } forms[] = {
        {"AUTH", "AUTH NOSUCHMECHANISM"}, {"CHUNKING", "BDAT 0"},       {"VRFY", "VRFY postmaster"},
        {"EXPN", "EXPN postmaster"},      {"ETRN", "ETRN example.com"}, {"HELP", "HELP"},
        {"STARTTLS", "STARTTLS"},
    };
    struct smtp_talk *talk = smtp_ask_hello(check);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (smtp_ask_offers(talk, forms[i].keyword)) {
            smtp_talk_try(talk, "%s", forms[i].line);
            smtp_check_that(check, !smtp_talk_is(talk, "500 502"),
                            "%s is offered, yet %s is answered %s", forms[i].keyword, forms[i].line,
                            smtp_check_show(check, talk->reply.octets));
        }
    }
}

static void unknown_command_500(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_talk_ask(talk, "500", "XYZZY");
    smtp_talk_ask(talk, "500", "FOO");
}

/* ---- what a refusal means ---- */

/** A message that a server may refuse at its end: false, where it did not. */
static bool refuses(struct smtp_check *check, const char *before, const char *body)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_data(talk);
    smtp_talk_write(talk, "%s%s%s\r\n.\r\n", before, smtp_ask_header(check), body);
    int code = smtp_talk_read(talk);
    return code / 100 == 4 || code / 100 == 5;
}

#define MANY_RECEIVED 250

static const char *many_received(struct smtp_check *check)
{
    struct smtp_buffer fields = SMTP_BUFFER(SIZE_MAX / 2);
    for (int i = 0; i < MANY_RECEIVED; i++) {
        const char *field = smtp_check_text(
            check, "Received: from h%d.example by h%d.example; Thu, 01 Jan 2026 00:00:00 +0000\r\n",
            i, i + 1);
        if (smtp_buffer_append(&fields, field, strlen(field)) != SMTP_OK) {
            break;
        }
    }
    struct smtp_span all = smtp_buffer_span(&fields);
    const char *text = smtp_check_text(check, "%.*s", (int)all.len, all.bytes);
    smtp_buffer_free(&fields);
    return text;
}

static void refused_data_not_delivered(struct smtp_check *check)
{
    bool refused =
        refuses(check, "", "A bare\nline end.") || refuses(check, many_received(check), "A loop.");
    if (!refused) {
        smtp_check_skip(
            check, "it refuses neither bare LF nor %d Received fields at the end of the content",
            MANY_RECEIVED);
        return;
    }
    size_t accepted = check->message_count - 1; /* all but the last were not refused */
    struct smtp_arrival first;
    if (accepted > 0) {
        smtp_arrivals_wait(check, &first);
    }
    smtp_check_that(check, smtp_settled(check) <= accepted,
                    "expected nothing of a refused message to arrive, and it did");
}

static const struct smtp_rule rows[] = {
    {"rfc5321/4.2/greeting-form", SMTP_MUST, 0,
     "The opening 220 reply puts the server domain or address literal as the first word "
     "after the code. [level inferred]",
     "Connect and parse the greeting, also when it has several lines; the first word is a "
     "syntactically valid domain or a bracketed literal.",
     greeting_form},
    {"rfc5321/4.2/one-reply-per-command", SMTP_MUST, 0, "Each command produces exactly one reply.",
     "Send a script of valid, bad and over-long commands one by one with a pause; count "
     "replies equal commands, no stray line follows.",
     one_reply_per_command},
    {"rfc5321/4.2.1/multiline-same-code", SMTP_MUST, 0,
     "All lines of one reply carry the same code; a hyphen follows on all but the last.",
     "Check every multi-line reply of the run.", multiline_same_code},
    {"rfc5321/4.2.4/no-dead-capability", SMTP_MUST_NOT, 0,
     "A capability is not listed in EHLO if its command is answered 500 or 502.",
     "For each offered verb-type keyword (AUTH, STARTTLS, CHUNKING, VRFY, EXPN, ETRN, "
     "HELP) send a harmless form of the verb; 500 or 502 fails.",
     no_dead_capability},
    {"rfc5321/4.2.4/unknown-command-500", SMTP_SHOULD, 0,
     "An unrecognised verb gets 500; 502 is for a recognised one that is not implemented. "
     "[known deviation: qmail answers 502 to every unknown verb (source); Gmail too "
     "(memory)]",
     "Send XYZZY and FOO; expect 500.", unknown_command_500},
    {"rfc5321/4.2.5/refused-data-not-delivered", SMTP_MUST_NOT, SMTP_NEEDS_ARRIVALS,
     "After a 4yz or 5yz answer to end of data the server makes no delivery attempt.",
     "[sink] Provoke a refusal after end of data (over the size limit, or too many "
     "Received); no copy appears downstream.",
     refused_data_not_delivered},
    {"rfc5321/4.3.2/reply-code-range", SMTP_MUST_NOT, 0,
     "Reply codes are three digits and the first is 2, 3, 4 or 5.",
     "Check every reply line seen in the whole run; also each line ends in CRLF.",
     reply_code_range},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc5321_4_2, rows);
