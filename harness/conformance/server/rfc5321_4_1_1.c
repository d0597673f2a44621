/* rfc5321_4_1_1.c - the commands but DATA (RFC 5321 4.1.1). */
#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"
#include "harness/conformance/name.h"
#include "harness/conformance/rules.h"
#include "harness/conformance/settled.h"

static void trailing_space_tolerated(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_talk_ask(talk, "250", "NOOP ");
    smtp_talk_ask(talk, "250", "RSET ");
    smtp_talk_step(talk, "250", "MAIL FROM:<%s> ", check->sender);
    smtp_talk_step(talk, "250 251", "RCPT TO:<%s> ", check->recipient);
    smtp_talk_ask(talk, "354", "DATA ");
    smtp_talk_write(talk, "%s", smtp_ask_message(check));
    smtp_talk_expect(talk, "250");
}

static void argument_on_bare_command(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_begin(talk);
    smtp_talk_ask(talk, "501 ~5yz", "DATA x");
    smtp_talk_ask(talk, "501 ~5yz", "RSET x");
    smtp_ask_send(talk);
    smtp_talk_ask(talk, "501 ~5yz", "QUIT x");
}

/* ---- EHLO, HELO ---- */

static void helo_supported(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_fresh(check);
    smtp_talk_ask(talk, "250", "HELO check.example");
    smtp_ask_deliver(talk);
    smtp_ask_quit(talk);
}

/** ehlo-keyword *( SP ehlo-param ) (RFC 5321 4.1.1.1). */
static bool is_ehlo_line(struct smtp_span line)
{
    size_t at = 0;
    while (at < line.len &&
           (smtp_is_letter_or_digit((unsigned char)line.bytes[at]) || line.bytes[at] == '-')) {
        at++;
    }
    if (at == 0 || line.bytes[0] == '-') {
        return false;
    }
    while (at < line.len) {
        size_t begin = ++at;
        if (line.bytes[begin - 1] != ' ') {
            return false;
        }
        while (at < line.len && line.bytes[at] > ' ' && line.bytes[at] < 127) {
            at++;
        }
        if (at == begin) {
            return false;
        }
    }
    return true;
}

static void ehlo_reply_grammar(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_open(check);
    struct smtp_span first = smtp_talk_text(talk, 0);
    smtp_check_that(check, smtp_name_is_host(smtp_name_first_word(first)),
                    "expected the server's domain first, came %s", smtp_check_show(check, first));
    for (size_t i = 1; i < talk->reply.line_count; i++) {
        struct smtp_span line = smtp_talk_text(talk, i);
        smtp_check_that(check, is_ehlo_line(line),
                        "expected a keyword and parameters with single spaces, came %s",
                        smtp_check_show(check, line));
    }
}

static void optional_commands_listed(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_talk_try(talk, "HELP");
    smtp_check_that(check, !smtp_talk_is(talk, "211 214") || smtp_ask_offers(talk, "HELP"),
                    "HELP is answered and not in the EHLO reply");
    smtp_talk_try(talk, "EXPN postmaster");
    smtp_check_that(check, !smtp_talk_is(talk, "250") || smtp_ask_offers(talk, "EXPN"),
                    "EXPN is answered and not in the EHLO reply");
}

/* ---- RCPT, RSET, NOOP, QUIT ---- */

static void source_route_syntax_accepted(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_mail(talk);
    smtp_talk_ask(talk, "250 251 4yz 550 551 553 ~554", "RCPT TO:<@one.example,@two.example:%s>",
                  check->recipient);
}

static void rset_discards(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_fresh(check);
    smtp_talk_ask(talk, "250", "RSET");
    smtp_ask_ehlo(talk);
    smtp_ask_log_in_if_told(talk);
    smtp_ask_begin(talk);
    smtp_talk_ask(talk, "250", "RSET");
    smtp_talk_ask(talk, "503 554", "DATA");
    smtp_ask_deliver(talk);
    smtp_talk_ask(talk, "250", "RSET");
    smtp_ask_quit(talk);
}

static void noop_keeps_transaction(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_begin(talk);
    smtp_talk_ask(talk, "250", "NOOP");
    smtp_talk_ask(talk, "250 ~5yz", "NOOP some text");
    smtp_talk_try(talk, "VRFY x");
    smtp_talk_try(talk, "EXPN x");
    smtp_talk_try(talk, "HELP");
    smtp_ask_send(talk);
}

static void quit_221_then_close(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_quit(talk);
}

static void lost_connection_no_delivery(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_deliver(talk);
    smtp_ask_data(talk);
    smtp_talk_write(talk, "%sHalf a message", smtp_ask_header(check));
    smtp_talk_close(talk);
    struct smtp_arrival arrival;
    smtp_arrivals_wait(check, &arrival);
    size_t count = smtp_settled(check);
    smtp_check_that(check, count == 1, "expected the whole message alone to arrive, came %zu",
                    count);
}

static void unknown_parameter_555(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_talk_ask(talk, "555", "MAIL FROM:<%s> NOSUCHPARAM=1", check->sender);
    smtp_talk_ask(talk, "503 ~5yz", "RCPT TO:<%s>", check->recipient);
    smtp_ask_mail(talk);
    smtp_talk_ask(talk, "555", "RCPT TO:<%s> NOSUCHPARAM=1", check->recipient);
    smtp_talk_ask(talk, "503 554", "DATA");
}

static const struct smtp_rule rows[] = {
    {"rfc5321/4.1.1/trailing-space-tolerated", SMTP_SHOULD, 0,
     "White space between the command and CRLF is tolerated.",
     "Send NOOP, RSET, DATA and MAIL FROM:<a@b> each with a trailing space; normal success "
     "codes.",
     trailing_space_tolerated},
    {"rfc5321/4.1.1/argument-on-bare-command", SMTP_SHOULD, 0,
     "DATA, RSET and QUIT with an argument are refused as bad syntax (501 by section "
     "4.3.2).",
     "Inside a transaction send DATA x and RSET x; expect 501, then DATA gives 354, "
     "showing the state was untouched.",
     argument_on_bare_command},
    {"rfc5321/4.1.1.1/helo-supported", SMTP_MUST, SMTP_NEEDS_SMTP,
     "HELO still works for old clients and opens a session in which mail can be sent.",
     "Send HELO, MAIL, RCPT, DATA, message; every step gets its normal success code.",
     helo_supported},
    {"rfc5321/4.1.1.1/ehlo-reply-grammar", SMTP_MUST, 0,
     "First EHLO reply line starts with the server domain or address literal; each later "
     "line is a keyword of letters, digits and hyphens plus space-separated printable "
     "parameters without control characters. [known deviation: an extra legacy line "
     "AUTH=mech for old mail programs, e.g. Postfix broken_sasl_auth_clients (source)]",
     "Send EHLO and parse every line against the ehlo-ok-rsp grammar; report the offending "
     "line.",
     ehlo_reply_grammar},
    {"rfc5321/4.1.1.1/optional-commands-listed", SMTP_MUST, 0,
     "Every command outside the required set that the server carries out is listed in the "
     "EHLO reply (EXPN in particular, section 3.5.2). [known deviation: qmail answers HELP "
     "with 214 without listing it (source)]",
     "Send HELP and EXPN; after 211 or 214, or 250 to EXPN, the keyword must have been in "
     "the EHLO reply.",
     optional_commands_listed},
    {"rfc5321/4.1.1.3/source-route-syntax-accepted", SMTP_MUST, 0,
     "A source route in RCPT is understood as syntax; it may be ignored or refused as "
     "policy, but is not a syntax error (also F.2).",
     "RCPT TO:<@one.example,@two.example:user@local>; pass on 250 or a policy code "
     "550/551/553, fail on 500 or 501.",
     source_route_syntax_accepted},
    {"rfc5321/4.1.1.5/rset-discards", SMTP_MUST, 0,
     "RSET is answered 250 and wipes the open transaction.",
     "MAIL, RCPT, RSET (250), DATA gives 503 or 554, new MAIL gives 250. RSET before EHLO "
     "and after end of data: 250 and the connection stays open.",
     rset_discards},
    {"rfc5321/4.1.1.9/noop-keeps-transaction", SMTP_MUST, 0,
     "NOOP, VRFY, EXPN and HELP do not disturb an open transaction; a NOOP argument should "
     "be ignored. [level inferred]",
     "MAIL, RCPT, NOOP, NOOP text, VRFY x, HELP, DATA: NOOP gives 250 and DATA gives 354.",
     noop_keeps_transaction},
    {"rfc5321/4.1.1.10/quit-221-then-close", SMTP_MUST, 0,
     "QUIT is answered 221 and only then is the connection closed.",
     "Send QUIT; read exactly one 221 reply, then end of file.", quit_221_then_close},
    {"rfc5321/4.1.1.10/lost-connection-no-delivery", SMTP_MUST, SMTP_NEEDS_ARRIVALS,
     "If the connection drops before end of data the transaction is cancelled and nothing "
     "is delivered; earlier messages stay accepted.",
     "[sink] Complete message 1, then send half of message 2 and close the socket; only "
     "message 1 arrives.",
     lost_connection_no_delivery},
    {"rfc5321/4.1.1.11/unknown-parameter-555", SMTP_MUST, 0,
     "An unknown MAIL or RCPT parameter is answered 555. [level inferred] [known "
     "deviation: OpenSMTPD answers 503 (source)]",
     "MAIL FROM:<a@b> NOSUCHPARAM=1 and the same on RCPT; expect 555, and no transaction "
     "or recipient is added.",
     unknown_parameter_555},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc5321_4_1_1, rows);
