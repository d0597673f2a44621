/* verbs.c - the commands of RFC 5321 4.1.1: one row a verb, one function a row.
 * Knows: where each is legal, its syntax, what it asks of the session. What happens once a step is
 * accepted or refused stands in decisions.c. Does not know: octets on the wire, content, time. */
#include "server/protocol/path.h"
#include "server/protocol/state.h"

#include <stdio.h>

#define STATE(name) (1u << SMTP_SERVER_##name)
#define IN_TRANSACTION (STATE(MAIL) | STATE(RCPT))
#define AFTER_HELLO (STATE(READY) | IN_TRANSACTION | STATE(CHUNKS))
#define ALWAYS (STATE(CONNECTED) | AFTER_HELLO)

#define HELP_TEXT_MAX 512

enum argument_rule { NO_ARGUMENT, MAY_HAVE_ARGUMENT, NEEDS_ARGUMENT };

/* What a verb works without, where the server wants it first. */
enum { WITHOUT_TLS = 1, WITHOUT_LOGIN = 2 };

struct verb {
    struct smtp_span name;
    unsigned legal_in;        /* states */
    const char *out_of_order; /* the 503 elsewhere, where it is not legal after EHLO */
    enum argument_rule argument;
    unsigned works_without; /* WITHOUT_TLS, WITHOUT_LOGIN */
    const char *syntax;     /* for 501 and HELP */
    void (*act)(struct smtp_server_session *session, struct smtp_span argument);
    /* the longest line with CRLF, where extensions add to the limit, which is not 0; NULL: as any */
    size_t (*line_octets)(const struct smtp_server_session_config *config);
    bool (*known)(const struct smtp_server_session *session); /* NULL: always */
    enum smtp_server_offer offer; /* 502 where it is not offered; SMTP_OFFER_NONE: it is always */
};

static const struct verb *find_verb(const struct smtp_server_session *session,
                                    struct smtp_span name);
static const struct verb *each_verb(size_t i);

static bool is_known(const struct verb *verb, const struct smtp_server_session *session)
{
    return verb->known == NULL || verb->known(session);
}

static bool is_offered(const struct verb *verb, const struct smtp_server_session *session)
{
    return verb->offer == SMTP_OFFER_NONE || smtp_server_offers(session, verb->offer);
}

/* ---- HELO, EHLO, LHLO ---- */

/* HELO has a domain alone by RFC 5321 4.1.1.1; a literal is taken too, as many clients send one. */
static void hello(struct smtp_server_session *session, struct smtp_span name, bool extended)
{
    if (!smtp_is_domain_or_literal(name, session->config->limits.domain_octets)) {
        smtp_server_session_say(session, 501, "5.5.4",
                                "The name must be a domain or an address literal");
        return;
    }
    const char *text = smtp_server_session_text(session, name);
    if (text != NULL) {
        smtp_server_session_ask(session, &(struct smtp_server_event){
                                             .kind = SMTP_SERVER_ASK_HELO,
                                             .name = text,
                                             .extended = extended,
                                         });
    }
}

static void act_helo(struct smtp_server_session *session, struct smtp_span argument)
{
    hello(session, argument, false);
}

static void act_ehlo(struct smtp_server_session *session, struct smtp_span argument)
{
    hello(session, argument, true);
}

/* RFC 2033 4.1: LHLO takes the place of both, and has the semantics of EHLO. */
static bool is_lmtp(const struct smtp_server_session *session)
{
    return session->lmtp;
}

static bool is_smtp(const struct smtp_server_session *session)
{
    return !session->lmtp;
}

/* ---- STARTTLS, AUTH ---- */

static bool knows_starttls(const struct smtp_server_session *session)
{
    return session->config->starttls || session->tls != NULL;
}

/* RFC 3207 asks for no EHLO before it and forbids it in no transaction: the one is the peer's affair,
 * the other is dropped when TLS is up (4.2). Octets behind it in one piece with it came before 220, so
 * whoever sent them does not know of TLS, or wants them taken for what came under it: the session ends
 * (RFC 3207 6, CVE-2011-0411). */
static void act_starttls(struct smtp_server_session *session, struct smtp_span argument)
{
    (void)argument;
    if (session->tls != NULL) {
        smtp_server_session_say(session, 503, "5.5.1", "TLS is up already");
        return;
    }
    if (session->octets_behind) {
        smtp_server_session_note(session, "octets came behind STARTTLS");
        smtp_server_session_say(session, 503, "5.5.1", "Octets came behind STARTTLS, closing");
        smtp_server_session_enter(session, SMTP_SERVER_ENDED);
        return;
    }
    smtp_server_session_ask(session, &(struct smtp_server_event){.kind = SMTP_SERVER_ASK_STARTTLS});
}

static bool knows_auth(const struct smtp_server_session *session)
{
    return smtp_server_knows_auth(session->config);
}

static size_t auth_line_octets(const struct smtp_server_session_config *config)
{
    const struct smtp_server_limits *limits = &config->limits;
    if (!smtp_server_knows_auth(config)) {
        return limits->command_line_octets;
    }
    return limits->auth_line_octets == 0                            ? SIZE_MAX
           : limits->auth_line_octets > limits->command_line_octets ? limits->auth_line_octets
                                                                    : limits->command_line_octets;
}

/* ---- RSET, QUIT ---- */

static void act_rset(struct smtp_server_session *session, struct smtp_span argument)
{
    (void)argument;
    smtp_server_session_reset(session);
    smtp_server_session_say(session, 250, "2.0.0", "OK");
    if (session->state != SMTP_SERVER_CONNECTED) {
        smtp_server_session_enter(session, SMTP_SERVER_READY);
    }
}

static void act_quit(struct smtp_server_session *session, struct smtp_span argument)
{
    (void)argument;
    smtp_server_session_say(session, 221, "2.0.0", "Bye");
    smtp_server_session_enter(session, SMTP_SERVER_ENDED);
}

/* ---- the inquiries ---- */

static void act_noop(struct smtp_server_session *session, struct smtp_span argument)
{
    (void)argument;
    smtp_server_session_say(session, 250, "2.0.0", "OK");
}

/* Those that are carried out (RFC 5321 4.1.1.8). */
static void list_verbs(const struct smtp_server_session *session, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "Commands:");
    const struct verb *verb;
    for (size_t i = 0; (verb = each_verb(i)) != NULL && at < size; i++) {
        if (is_known(verb, session) && is_offered(verb, session)) {
            at += (size_t)snprintf(text + at, size - at, " %s", verb->name.bytes);
        }
    }
}

static void act_help(struct smtp_server_session *session, struct smtp_span argument)
{
    char text[HELP_TEXT_MAX];
    if (argument.len > 0) {
        const struct verb *verb = find_verb(session, argument);
        if (verb == NULL) {
            smtp_server_session_say(session, 504, "5.5.4", "No help on that");
            return;
        }
        snprintf(text, sizeof text, "Syntax: %s", verb->syntax);
    } else {
        list_verbs(session, text, sizeof text);
    }
    smtp_server_session_say(session, 214, "2.0.0", text);
}

/* ---- the table: the only dispatch ---- */

/* What works without TLS stands in RFC 3207 4, without a login in RFC 4954 6; HELP does too, as it
 * gives nothing away. */
static const struct verb verbs[] = {
    {.name = {"EHLO", 4},
     .legal_in = ALWAYS,
     .argument = NEEDS_ARGUMENT,
     .works_without = WITHOUT_TLS | WITHOUT_LOGIN,
     .syntax = "EHLO domain-or-literal",
     .act = act_ehlo,
     .known = is_smtp},
    {.name = {"HELO", 4},
     .legal_in = ALWAYS,
     .argument = NEEDS_ARGUMENT,
     .works_without = WITHOUT_LOGIN,
     .syntax = "HELO domain",
     .act = act_helo,
     .known = is_smtp},
    {.name = {"LHLO", 4},
     .legal_in = ALWAYS,
     .argument = NEEDS_ARGUMENT,
     .works_without = WITHOUT_TLS | WITHOUT_LOGIN,
     .syntax = "LHLO domain-or-literal",
     .act = act_ehlo,
     .known = is_lmtp},
    {.name = {"MAIL", 4},
     .legal_in = STATE(READY),
     .out_of_order = "A transaction is open; RSET drops it",
     .argument = NEEDS_ARGUMENT,
     .syntax = smtp_server_mail_syntax,
     .act = smtp_server_act_mail,
     .line_octets = smtp_server_mail_line_octets},
    {.name = {"RCPT", 4},
     .legal_in = IN_TRANSACTION,
     .out_of_order = "Send MAIL first",
     .argument = NEEDS_ARGUMENT,
     .syntax = smtp_server_rcpt_syntax,
     .act = smtp_server_act_rcpt,
     .line_octets = smtp_server_rcpt_line_octets},
    {.name = {"DATA", 4},
     .legal_in = STATE(RCPT),
     .out_of_order = "No transaction with an accepted recipient is open",
     .argument = NO_ARGUMENT,
     .syntax = "DATA",
     .act = smtp_server_act_data},
    {.name = {"BDAT", 4},
     .legal_in = STATE(RCPT) | STATE(CHUNKS),
     .out_of_order = "No transaction with an accepted recipient is open",
     .argument = NEEDS_ARGUMENT,
     .syntax = smtp_server_bdat_syntax,
     .act = smtp_server_act_bdat,
     .known = smtp_server_knows_bdat},
    {.name = {"RSET", 4},
     .legal_in = ALWAYS,
     .argument = NO_ARGUMENT,
     .works_without = WITHOUT_LOGIN,
     .syntax = "RSET",
     .act = act_rset},
    {.name = {"NOOP", 4},
     .legal_in = ALWAYS,
     .argument = MAY_HAVE_ARGUMENT,
     .works_without = WITHOUT_TLS | WITHOUT_LOGIN,
     .syntax = "NOOP [text]",
     .act = act_noop},
    {.name = {"QUIT", 4},
     .legal_in = ALWAYS | STATE(TURNED_AWAY),
     .argument = NO_ARGUMENT,
     .works_without = WITHOUT_TLS | WITHOUT_LOGIN,
     .syntax = "QUIT",
     .act = act_quit},
    {.name = {"STARTTLS", 8},
     .legal_in = ALWAYS,
     .argument = NO_ARGUMENT,
     .works_without = WITHOUT_TLS | WITHOUT_LOGIN,
     .syntax = "STARTTLS",
     .act = act_starttls,
     .known = knows_starttls},
    {.name = {"AUTH", 4},
     .legal_in = STATE(READY),
     .out_of_order = "No AUTH while a transaction is open",
     .argument = NEEDS_ARGUMENT,
     .works_without = WITHOUT_LOGIN,
     .syntax = "AUTH mechanism [initial-response]",
     .act = smtp_server_begin_auth,
     .line_octets = auth_line_octets,
     .known = knows_auth},
    {.name = {"XCLIENT", 7},
     .legal_in = STATE(CONNECTED) | STATE(READY),
     .out_of_order = "No XCLIENT while a transaction is open",
     .argument = NEEDS_ARGUMENT,
     .works_without = WITHOUT_LOGIN,
     .syntax = smtp_server_xclient_syntax,
     .act = smtp_server_act_xclient,
     .known = smtp_server_knows_xclient},
    {.name = {"VRFY", 4},
     .legal_in = ALWAYS,
     .argument = NEEDS_ARGUMENT,
     .syntax = "VRFY user-or-mailbox [SMTPUTF8]",
     .act = smtp_server_act_vrfy,
     .line_octets = smtp_server_inquiry_line_octets,
     .offer = SMTP_OFFER_VRFY},
    {.name = {"EXPN", 4},
     .legal_in = ALWAYS,
     .argument = NEEDS_ARGUMENT,
     .syntax = "EXPN mailing-list [SMTPUTF8]",
     .act = smtp_server_act_expn,
     .line_octets = smtp_server_inquiry_line_octets,
     .offer = SMTP_OFFER_EXPN},
    {.name = {"HELP", 4},
     .legal_in = ALWAYS,
     .argument = MAY_HAVE_ARGUMENT,
     .works_without = WITHOUT_LOGIN,
     .syntax = "HELP [verb]",
     .act = act_help,
     .offer = SMTP_OFFER_HELP},
};
#define VERB_COUNT (sizeof verbs / sizeof *verbs)
_Static_assert(VERB_COUNT <= SMTP_SERVER_VERBS_MAX, "a session counts the uses of each");

static const struct verb *each_verb(size_t i)
{
    return i < VERB_COUNT ? &verbs[i] : NULL;
}

static const struct verb *find_verb(const struct smtp_server_session *session,
                                    struct smtp_span name)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (name.len == verbs[i].name.len && (name.bytes[0] & ~32) == verbs[i].name.bytes[0] &&
            smtp_span_equal_nocase(name, verbs[i].name)) {
            return is_known(&verbs[i], session) ? &verbs[i] : NULL;
        }
    }
    return NULL;
}

size_t smtp_server_longest_line(const struct smtp_server_session_config *config)
{
    size_t longest = config->limits.command_line_octets;
    if (longest == 0) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < VERB_COUNT; i++) {
        size_t octets = verbs[i].line_octets != NULL ? verbs[i].line_octets(config) : 0;
        longest = octets > longest ? octets : longest;
    }
    return longest;
}

static bool is_overlong(const struct smtp_server_session *session, const struct verb *verb,
                        size_t line_octets)
{
    size_t limit = session->config->limits.command_line_octets;
    if (limit == 0 || line_octets <= limit) {
        return false;
    }
    return verb == NULL || verb->line_octets == NULL ||
           line_octets > verb->line_octets(session->config);
}

static void refuse_order(struct smtp_server_session *session, const struct verb *verb)
{
    if (session->state == SMTP_SERVER_TURNED_AWAY) {
        /* RFC 7504 3: after 521 nothing else is said */
        int code = session->turned_away_with == 521 ? 521 : 503;
        smtp_server_session_say(session, code, code == 521 ? "5.3.2" : "5.5.1",
                                "No service here; only QUIT is left");
    } else if (session->state == SMTP_SERVER_CONNECTED) {
        smtp_server_session_say(session, 503, "5.5.1",
                                session->lmtp ? "Send LHLO first" : "Send EHLO or HELO first");
    } else if (session->state == SMTP_SERVER_CHUNKS) {
        smtp_server_session_say(
            session, 503, "5.5.1",
            "Chunks of a message have come; BDAT goes on with it, RSET drops it");
    } else {
        smtp_server_session_say(session, 503, "5.5.1", verb->out_of_order);
    }
}

static void refuse_unoffered(struct smtp_server_session *session, const struct verb *verb)
{
    char text[64];
    snprintf(text, sizeof text, "%s is not implemented", verb->name.bytes);
    smtp_server_session_say(session, 502, "5.5.1", text);
}

/* Where the server wants TLS or a login first, 530 to all that the RFC does not except, unknown verbs
 * too. */
static bool is_locked(struct smtp_server_session *session, const struct verb *verb)
{
    const struct smtp_server_session_config *config = session->config;
    unsigned works_without = verb != NULL ? verb->works_without : 0;
    if (config->tls_required && session->tls == NULL && (works_without & WITHOUT_TLS) == 0) {
        smtp_server_session_say(session, 530, "5.7.0", "Must issue a STARTTLS command first");
        return true;
    }
    if (config->auth_required && session->identity == NULL &&
        (works_without & WITHOUT_LOGIN) == 0) {
        smtp_server_session_say(session, 530, "5.7.0", "Authentication required");
        return true;
    }
    return false;
}

static void unknown_verb(struct smtp_server_session *session, const struct smtp_command *command)
{
    const char *name = smtp_server_session_text(session, command->verb);
    const char *argument =
        name != NULL ? smtp_server_session_text(session, command->argument) : NULL;
    if (argument != NULL) {
        name =
            smtp_buffer_span(&session->texts).bytes; /* the second text may have moved the first */
        smtp_server_session_ask(session, &(struct smtp_server_event){
                                             .kind = SMTP_SERVER_ASK_UNKNOWN,
                                             .name = name,
                                             .argument = argument,
                                         });
    }
}

void smtp_server_refuse_overlong(struct smtp_server_session *session, bool of_auth)
{
    if (session->state == SMTP_SERVER_TURNED_AWAY) {
        refuse_order(session, NULL);
        return;
    }
    if (of_auth) { /* RFC 4954 6 */
        smtp_server_session_say(session, 500, "5.5.6", "Authentication exchange line is too long");
        return;
    }
    smtp_server_session_say(session, 500, "5.5.2", "Line too long");
}

bool smtp_server_knows_verb(const struct smtp_server_session *session, struct smtp_span line)
{
    return find_verb(session, smtp_command_parse(line).verb) != NULL;
}

/* True: the line got its reply, or is asked about. */
static bool is_refused(struct smtp_server_session *session, const struct verb *verb,
                       const struct smtp_command *command)
{
    bool turned_away = session->state == SMTP_SERVER_TURNED_AWAY;
    if (turned_away && (verb == NULL || (verb->legal_in & STATE(TURNED_AWAY)) == 0)) {
        refuse_order(session, verb);
    } else if (command->has_bare_line_end) {
        smtp_server_session_note(session, "bare CR or LF in a command line");
        smtp_server_session_say(session, 500, "5.5.2", "A bare CR or LF ends no command");
    } else if (is_locked(session, verb)) {
        return true;
    } else if (verb == NULL) {
        unknown_verb(session, command);
    } else if (command->has_control) {
        smtp_server_session_say(session, 501, "5.5.2", "A control octet in the command");
    } else if (!is_offered(verb, session)) {
        refuse_unoffered(session, verb);
    } else if ((verb->legal_in & (1u << session->state)) == 0) {
        refuse_order(session, verb);
    } else if ((verb->argument == NO_ARGUMENT && command->argument.len > 0) ||
               (verb->argument == NEEDS_ARGUMENT && command->argument.len == 0)) {
        smtp_server_session_refuse_syntax(session, verb->syntax);
    } else {
        return false;
    }
    return true;
}

/* Every line gets exactly one reply: the first refusal that applies, or the verb's own. */
/* Of one verb a session may say so many; that it leaves is never too much. */
static bool over_limit_of_verb(struct smtp_server_session *session, const struct verb *verb)
{
    size_t limit = session->config->limits.each_command;
    if (limit == 0 || verb == NULL || verb->act == act_quit ||
        ++session->verb_uses[verb - verbs] <= limit) {
        return false;
    }
    char text[64];
    snprintf(text, sizeof text, "Too many %s commands, closing", verb->name.bytes);
    smtp_server_session_say(session, 421, "4.7.0", text);
    smtp_server_session_enter(session, SMTP_SERVER_ENDED);
    return true;
}

void smtp_server_execute(struct smtp_server_session *session, struct smtp_span line)
{
    struct smtp_command command = smtp_command_parse(line);
    const struct verb *verb = find_verb(session, command.verb);
    if (over_limit_of_verb(session, verb)) {
        return;
    }
    bool overlong = is_overlong(session, verb, line.len + 2);
    bool chunk = verb != NULL && verb->act == smtp_server_act_bdat;
    if (chunk && !smtp_server_announce_chunk(session, command.argument,
                                             !overlong && !command.has_bare_line_end)) {
        return;
    }
    if (overlong) {
        smtp_server_refuse_overlong(session, verb != NULL && verb->act == smtp_server_begin_auth);
    } else if (!is_refused(session, verb, &command)) {
        verb->act(session, command.argument);
    } else if (chunk) {
        smtp_server_drop_chunk(session);
    }
}
