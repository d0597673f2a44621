/* rfc3207.c - STARTTLS (RFC 3207), TLS from the first octet and passwords in the clear (RFC 8314). */
#include "harness/conformance/ask.h"
#include "harness/conformance/rules.h"

#include <openssl/ssl.h>

/** A session in the clear where STARTTLS is offered. */
static struct smtp_talk *begin(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello_clear(check);
    smtp_ask_needs(talk, "STARTTLS");
    return talk;
}

/** STARTTLS, 220; skips where TLS cannot be had for the moment (RFC 3207 4). */
static void ask_starttls(struct smtp_talk *talk)
{
    if (smtp_talk_try(talk, "STARTTLS") == 454) {
        smtp_check_skip(talk->check, "it offers STARTTLS and has no TLS: %s",
                        smtp_check_show(talk->check, talk->reply.octets));
    }
    smtp_check_that(talk->check, smtp_talk_is(talk, "220"), "expected 220 to STARTTLS, came %s",
                    smtp_check_show(talk->check, talk->reply.octets));
}

static void starttls_no_parameter(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    smtp_talk_ask(talk, "501", "STARTTLS x");
    smtp_talk_ask(talk, "250", "NOOP");
}

static void starttls_state_discarded(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    if (smtp_talk_try(talk, "MAIL FROM:<%s>", check->sender) == 250) { /* else TLS comes first */
        smtp_ask_rcpt(talk, check->recipient);
    }
    smtp_ask_starttls(talk);
    smtp_talk_ask(talk, "503 554 530", "DATA");
    smtp_talk_ask(talk, "503 530 ~5yz", "RCPT TO:<%s>", check->recipient);
    smtp_ask_ehlo(talk);
    smtp_talk_try(talk, "MAIL FROM:<%s>", check->sender);
    if (smtp_talk_is(talk, "530")) { /* a login comes first */
        smtp_check_pass(check);
    }
    smtp_check_that(check, smtp_talk_is(talk, "250"), "expected 250 to MAIL inside TLS, came %s",
                    smtp_check_show(check, talk->reply.octets));
}

static void starttls_not_offered_again(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_secured(check);
    smtp_check_that(check, !smtp_ask_offers(talk, "STARTTLS"), "STARTTLS is offered inside TLS");
}

static void starttls_not_demanded_on_mx(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello_clear(check);
    smtp_talk_try(talk, "MAIL FROM:<%s>", check->sender);
    bool demands = smtp_talk_is(talk, "530");
    if (check->options->role != SMTP_ROLE_MX) {
        smtp_check_skip(check, "it is for a public MX: port 25, or --role mx");
    }
    smtp_check_that(check, !demands, "expected mail to be taken in the clear, came %s",
                    smtp_check_show(check, talk->reply.octets));
    smtp_talk_ask(talk, "250", "RSET");
    smtp_ask_deliver(talk);
}

static void tls_required_530(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    if (smtp_talk_try(talk, "MAIL FROM:<%s>", check->sender) == 250) {
        smtp_check_skip(check, "it takes mail in the clear");
    }
    smtp_check_that(check, smtp_talk_is(talk, "530"), "expected 530 to MAIL in the clear, came %s",
                    smtp_check_show(check, talk->reply.octets));
    smtp_talk_ask(talk, "530", "RCPT TO:<%s>", check->recipient);
    smtp_talk_ask(talk, "530", "VRFY postmaster");
    smtp_talk_ask(talk, "250", "NOOP");
    smtp_talk_ask(talk, "250", "%s", smtp_ask_ehlo_line(check));
    smtp_ask_quit(talk);
}

/* ---- section 6: what is said in the clear and heard inside TLS ---- */

/** STARTTLS with these octets behind it in one packet, and the handshake. False: it is refused or closed, with a reply
 *  or without one, which will do. */
static bool inject(struct smtp_talk *talk, const char *octets)
{
    smtp_talk_write(talk, "STARTTLS\r\n%s", octets);
    int code = smtp_talk_read_if(talk, SMTP_TALK_ANY_TIME);
    smtp_check_that(talk->check, code != 0 || smtp_talk_is_over(talk),
                    "expected a reply to STARTTLS or the end of the connection, came neither");
    return code == 220 && smtp_talk_untaken(talk).len == 0 && smtp_talk_try_tls(talk, 0, 0);
}

static void inject_command_after_starttls(struct smtp_check *check)
{
    const char *const lines[] = {
        "NOOP\r\n",
        smtp_check_text(check, "EHLO evil.example\r\nMAIL FROM:<%s>\r\n", check->sender),
        smtp_check_text(check, "RCPT TO:<%s>\r\n", check->recipient),
        "AUTH PLAIN AGV2aWwAZXZpbA==\r\n",
    };
    bool is_taken = false; /* else nothing is known of what it does inside TLS */
    for (size_t i = 0; i < sizeof lines / sizeof *lines && smtp_check_goes_on(check); i++) {
        struct smtp_talk *talk = begin(check);
        bool is_secured = inject(talk, lines[i]);
        is_taken = is_taken || talk->reply.code != 454;
        if (!is_secured) {
            continue;
        }
        smtp_talk_stays_silent(talk,
                               smtp_check_text(check, "inside TLS, after %s in the clear",
                                               smtp_check_show(check, smtp_span_of(lines[i]))));
        smtp_ask_ehlo(talk);
        smtp_ask_quit(talk);
    }
    if (!is_taken) { /* was it for what stood behind? */
        ask_starttls(begin(check));
    }
}

static void inject_partial_line(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    if (inject(talk, "RSET")) {
        smtp_talk_ask(talk, "250", "NOOP");
        smtp_ask_quit(talk);
    }
    talk = begin(check);
    ask_starttls(talk);
    smtp_talk_put_literal(talk, "RSET");
    if (smtp_talk_try_tls(talk, 0, 0)) {
        smtp_talk_ask(talk, "250", "NOOP");
    }
}

/* ---- RFC 8314 ---- */

static void implicit_tls_at_once(struct smtp_check *check)
{
    if (!check->options->implicit_tls) {
        smtp_check_skip(check, "it is for smtps://");
    }
    struct smtp_talk *talk = smtp_ask_connect_clear(check);
    smtp_talk_stays_silent(talk, "before the handshake");
    smtp_talk_begin_tls(talk);
    smtp_talk_expect(talk, "220");
    struct smtp_talk *clear = smtp_ask_connect_clear(check);
    smtp_talk_write(clear, "%s\r\n", smtp_ask_ehlo_line(check));
    if (smtp_talk_waits_for(clear, check->quiet_ms)) {
        struct smtp_span came = smtp_talk_untaken(clear);
        smtp_check_that(check, came.len == 0 || !smtp_is_digit((unsigned char)came.bytes[0]),
                        "expected no reply in the clear, came %s", smtp_check_show(check, came));
    }
}

/** A connection on which the handshake is next. */
static struct smtp_talk *before_handshake(struct smtp_check *check)
{
    if (check->options->implicit_tls) {
        return smtp_ask_connect_clear(check);
    }
    struct smtp_talk *talk = begin(check);
    ask_starttls(talk);
    return talk;
}

static void tls12_supported(struct smtp_check *check)
{
    bool speaks_12 = smtp_talk_try_tls(before_handshake(check), TLS1_2_VERSION, TLS1_2_VERSION);
    bool speaks_13 = smtp_talk_try_tls(before_handshake(check), TLS1_3_VERSION, TLS1_3_VERSION);
    smtp_check_that(check, speaks_12 || speaks_13,
                    "expected a handshake with TLS 1.2 or 1.3, and neither succeeds");
}

/** The reply's code and its enhanced code: what it says but for its text, in which an id may stand. */
static const char *codes_of(struct smtp_talk *talk)
{
    struct smtp_span text = smtp_talk_text(talk, 0);
    return smtp_check_text(talk->check, "%d %.*s", talk->reply.code,
                           (int)smtp_talk_enhanced_len(text), text.bytes);
}

static void cleartext_auth_uniform(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello_clear(check);
    const char *user = check->options->user;
    smtp_talk_secret_line(talk, "AUTH PLAIN ",
                          smtp_ask_plain(check, user, check->options->password));
    if (smtp_talk_read(talk) == 235) {
        smtp_check_skip(check, "it takes passwords in the clear");
    }
    const char *right = smtp_check_show(check, talk->reply.octets), *codes = codes_of(talk);
    smtp_talk_try(talk, "AUTH PLAIN %s", smtp_ask_plain(check, user, check->token));
    const char *wrong = smtp_check_show(check, talk->reply.octets);
    smtp_check_that(check, strcmp(codes, codes_of(talk)) == 0,
                    "expected one answer to the right and to a wrong password, came %s and %s",
                    right, wrong);
    if (strcmp(right, wrong) != 0) {
        smtp_check_warn(check, "the right and a wrong password have other texts: %s and %s", right,
                        wrong);
    }
}

static const struct smtp_rule rows[] = {
    {"rfc3207/4/starttls-no-parameter", SMTP_MUST, 0,
     "STARTTLS with a parameter is answered 501 and TLS is not started. [level inferred]",
     "Send STARTTLS x; 501, then NOOP in clear text gives 250.", starttls_no_parameter},
    {"rfc3207/4/starttls-not-demanded-on-mx", SMTP_MUST_NOT, 0,
     "A public MX on port 25 takes local mail without TLS. [known deviation: some "
     "operators demand TLS on purpose (memory)]",
     "Only for the MX role: complete a message to a local mailbox in clear text.",
     starttls_not_demanded_on_mx},
    {"rfc3207/4/tls-required-530", SMTP_SHOULD, 0,
     "A non-public server that demands TLS answers 530 (5.7.0) to everything but NOOP, "
     "EHLO, STARTTLS and QUIT.",
     "If MAIL in clear text is refused: MAIL, RCPT, VRFY give 530; NOOP, EHLO, QUIT work.",
     tls_required_530},
    {"rfc3207/4.2/starttls-state-discarded", SMTP_MUST, 0,
     "After the handshake the session is as after the greeting: EHLO name and open "
     "transaction from before are forgotten.",
     "[tls] EHLO, MAIL, RCPT, STARTTLS, handshake, then DATA: 503 or 554, never 354; RCPT "
     "likewise; then EHLO and a normal transaction work.",
     starttls_state_discarded},
    {"rfc3207/4.2/starttls-not-offered-again", SMTP_MUST_NOT, 0,
     "STARTTLS is missing from the EHLO reply once TLS is active (implicit TLS ports "
     "included).",
     "[tls] EHLO inside TLS on each port; no STARTTLS line.", starttls_not_offered_again},
    {"rfc3207/6/inject-command-after-starttls", SMTP_MUST, 0,
     "Commands that arrive in clear text behind STARTTLS are never carried out inside TLS "
     "(CVE-2011-0411 class). [level inferred] [known deviation: a bug, not a choice: "
     "Postfix and several others until 2011, still found in 2021 (text of advisories)]",
     "[tls] One packet: STARTTLS CRLF NOOP CRLF; handshake; wait two seconds: no reply "
     "inside TLS; EHLO then gets exactly one reply. Refusing or closing passes too. Repeat "
     "with MAIL, RCPT and AUTH.",
     inject_command_after_starttls},
    {"rfc3207/6/inject-partial-line", SMTP_MUST, 0,
     "A clear-text line fragment is not joined with the first octets of the TLS session. "
     "[level inferred]",
     "[tls] One packet: STARTTLS CRLF plus the unfinished text RSET without CRLF; after "
     "the handshake send NOOP CRLF; the reply is 250 for NOOP, not an answer to RSETNOOP. "
     "Also with the fragment sent after 220 and before ClientHello (handshake may fail).",
     inject_partial_line},
    {"rfc8314/3.3/implicit-tls-at-once", SMTP_MUST, 0,
     "On a submissions port the handshake starts at once; the greeting comes inside TLS. "
     "[level inferred]",
     "[tls] Connect to the implicit port and stay silent: no clear-text octet arrives; "
     "after the handshake 220 appears; clear-text EHLO gets no SMTP reply.",
     implicit_tls_at_once},
    {"rfc8314/4/tls12-supported", SMTP_MUST, 0,
     "TLS 1.2 or later is supported on submission ports.",
     "[tls] Handshakes limited to 1.2 and to 1.3; at least one works; success with 1.0 or "
     "1.1 only is a warning (RFC 8997).",
     tls12_supported},
    {"rfc8314/4.1/cleartext-auth-uniform", SMTP_MUST_NOT, SMTP_NEEDS_LOGIN,
     "When clear-text login is not allowed, the answer does not tell whether the "
     "credentials were right.",
     "[creds] AUTH PLAIN without TLS, right and wrong password; code and enhanced code are "
     "equal, another text is reported.",
     cleartext_auth_uniform},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc3207, rows);
