/* verbs.c - the commands of RFC 5321 4.1.1: one row a verb, one function a row.
 * Knows: where each is legal, its syntax, what it asks of the session. What happens once a step is
 * accepted or refused stands in decisions.c. Does not know: octets on the wire, content, time. */
#include "server/protocol/path.h"
#include "server/protocol/state.h"

#include <stdio.h>

#define STATE(name) (1u << SMTP_SERVER_##name)
#define IN_TRANSACTION (STATE(MAIL) | STATE(RCPT))
#define AFTER_HELLO (STATE(READY) | IN_TRANSACTION)
#define ALWAYS (STATE(CONNECTED) | AFTER_HELLO)

#define HELP_TEXT_MAX 512

enum argument_rule { NO_ARGUMENT, MAY_HAVE_ARGUMENT, NEEDS_ARGUMENT };

struct verb {
    struct smtp_span name;
    unsigned legal_in;        /* states */
    const char *out_of_order; /* the 503 elsewhere */
    enum argument_rule argument;
    const char *syntax;  /* for 501 and HELP */
    size_t extra_octets; /* what extensions add to the line's limit */
    void (*act)(struct smtp_server_session *session, struct smtp_span argument);
};

static const struct verb *find_verb(struct smtp_span name);
static const struct verb *each_verb(size_t i);

static void refuse_syntax(struct smtp_server_session *session, const char *syntax)
{
    char text[160];
    snprintf(text, sizeof text, "Syntax: %s", syntax);
    smtp_server_session_say(session, 501, "5.5.4", text);
}

/* ---- HELO, EHLO ---- */

/* The text with a NUL behind it, for an event; it lives until the next command. */
static const char *as_text(struct smtp_server_session *session, struct smtp_span span)
{
    char *text = smtp_buffer_reserve(&session->texts, span.len + 1);
    if (text == NULL) {
        smtp_server_session_fail(session);
        return NULL;
    }
    smtp_bytes_copy(text, span);
    text[span.len] = '\0';
    smtp_buffer_added(&session->texts, span.len + 1);
    return text;
}

/* HELO has a domain alone by RFC 5321 4.1.1.1; a literal is taken too, as many clients send one. */
static void hello(struct smtp_server_session *session, struct smtp_span name, bool extended)
{
    if (!smtp_is_domain_or_literal(name, session->config->limits.domain_octets)) {
        smtp_server_session_say(session, 501, "5.5.4",
                                "The name must be a domain or an address literal");
        return;
    }
    const char *text = as_text(session, name);
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

/* ---- MAIL, RCPT ---- */

static void refuse_path(struct smtp_server_session *session, enum smtp_path_fault fault,
                        enum smtp_path_kind kind, const char *syntax)
{
    /* RFC 3463 3.2: bad sender's, or bad destination, mailbox address syntax */
    const char *enhanced = kind == SMTP_REVERSE_PATH ? "5.1.7" : "5.1.3";
    switch (fault) {
    case SMTP_PATH_EIGHT_BIT:
        smtp_server_session_say(session, 501, enhanced,
                                "Octets above 127 in an address need SMTPUTF8");
        break;
    case SMTP_PATH_LOCAL_PART_TOO_LONG:
        smtp_server_session_say(session, 501, enhanced, "Local part too long");
        break;
    case SMTP_PATH_DOMAIN_TOO_LONG:
        smtp_server_session_say(session, 501, enhanced, "Domain too long");
        break;
    case SMTP_PATH_TOO_LONG:
        smtp_server_session_say(session, 501, enhanced, "Path too long");
        break;
    default:
        refuse_syntax(session, syntax);
        break;
    }
}

static bool over_message_limit(struct smtp_server_session *session)
{
    size_t limit = session->config->limits.messages;
    if (limit == 0 || session->message_count < limit) {
        return false;
    }
    smtp_server_session_say(session, 421, "4.7.0", "Too many messages in one session, closing");
    smtp_server_session_enter(session, SMTP_SERVER_ENDED);
    return true;
}

static const char mail_syntax[] = "MAIL FROM:<reverse-path> [parameters]";
static const char rcpt_syntax[] = "RCPT TO:<forward-path> [parameters]";

/* No space stands behind the colon: RFC 5321 3.3 forbids it, and a client under test shall hear
 * so. */
static void act_mail(struct smtp_server_session *session, struct smtp_span argument)
{
    struct smtp_span path;
    if (over_message_limit(session)) {
        return;
    }
    if (!smtp_command_take_word(&argument, SMTP_SPAN("FROM:"))) {
        refuse_syntax(session, mail_syntax);
        return;
    }
    enum smtp_path_fault fault =
        smtp_path_read(&argument, SMTP_REVERSE_PATH, &session->config->limits, &path);
    if (fault != SMTP_PATH_OK) {
        refuse_path(session, fault, SMTP_REVERSE_PATH, mail_syntax);
        return;
    }
    struct smtp_transaction *transaction = &session->transaction;
    smtp_transaction_clear(transaction);
    if (!smtp_server_take_parameters(session, argument, true)) {
        return;
    }
    if (smtp_transaction_set_reverse_path(transaction, path, smtp_span_trim_start(argument)) !=
        SMTP_OK) {
        smtp_server_session_fail(session);
        return;
    }
    struct smtp_server_event event = {.kind = SMTP_SERVER_ASK_MAIL};
    smtp_transaction_last_path(transaction, &event.path, &event.parameters);
    smtp_server_session_ask(session, &event);
}

static void act_rcpt(struct smtp_server_session *session, struct smtp_span argument)
{
    struct smtp_transaction *transaction = &session->transaction;
    struct smtp_span path;
    if (!smtp_command_take_word(&argument, SMTP_SPAN("TO:"))) {
        refuse_syntax(session, rcpt_syntax);
        return;
    }
    enum smtp_path_fault fault =
        smtp_path_read(&argument, SMTP_FORWARD_PATH, &session->config->limits, &path);
    if (fault != SMTP_PATH_OK) {
        refuse_path(session, fault, SMTP_FORWARD_PATH, rcpt_syntax);
        return;
    }
    if (!smtp_server_take_parameters(session, argument, false)) {
        return;
    }
    size_t limit = session->config->limits.recipients;
    if (limit != 0 && transaction->envelope.recipient_count >= limit) {
        smtp_server_session_say(session, 452, "4.5.3", "Too many recipients");
        return;
    }
    if (smtp_transaction_propose_recipient(transaction, path, smtp_span_trim_start(argument)) !=
        SMTP_OK) {
        smtp_server_session_say(session, 452, "4.3.1", "Out of storage for recipients");
        return;
    }
    struct smtp_server_event event = {.kind = SMTP_SERVER_ASK_RCPT};
    smtp_transaction_last_path(transaction, &event.path, &event.parameters);
    smtp_server_session_ask(session, &event);
}

/* ---- DATA, RSET, QUIT ---- */

static void act_data(struct smtp_server_session *session, struct smtp_span argument)
{
    (void)argument;
    smtp_server_session_ask(session, &(struct smtp_server_event){.kind = SMTP_SERVER_ASK_DATA});
}

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

static void inquire(struct smtp_server_session *session, enum smtp_server_event_kind kind,
                    struct smtp_span argument)
{
    const char *text = as_text(session, argument);
    if (text != NULL) {
        smtp_server_session_ask(session,
                                &(struct smtp_server_event){.kind = kind, .argument = text});
    }
}

static void act_vrfy(struct smtp_server_session *session, struct smtp_span argument)
{
    inquire(session, SMTP_SERVER_ASK_VRFY, argument);
}

static void act_expn(struct smtp_server_session *session, struct smtp_span argument)
{
    inquire(session, SMTP_SERVER_ASK_EXPN, argument);
}

/* The verbs, but for EXPN where nobody carries it out (RFC 5321 4.1.1.8: what is offered). */
static void list_verbs(const struct smtp_server_session *session, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "Commands:");
    const struct verb *verb;
    for (size_t i = 0; (verb = each_verb(i)) != NULL && at < size; i++) {
        if (verb->act != act_expn || smtp_server_has_expn(session->config)) {
            at += (size_t)snprintf(text + at, size - at, " %s", verb->name.bytes);
        }
    }
}

static void act_help(struct smtp_server_session *session, struct smtp_span argument)
{
    char text[HELP_TEXT_MAX];
    if (!session->config->keywords.help) {
        smtp_server_session_say(session, 502, "5.5.1", "HELP is not implemented");
        return;
    }
    if (argument.len > 0) {
        const struct verb *verb = find_verb(argument);
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

static const char hello_first[] = "Send EHLO or HELO first";

static const struct verb verbs[] = {
    /* name, legal in, elsewhere, argument, syntax, extra octets, act */
    {{"EHLO", 4}, ALWAYS, "", NEEDS_ARGUMENT, "EHLO domain-or-literal", 0, act_ehlo},
    {{"HELO", 4}, ALWAYS, "", NEEDS_ARGUMENT, "HELO domain", 0, act_helo},
    {{"MAIL", 4},
     STATE(READY),
     "A transaction is open; RSET drops it",
     NEEDS_ARGUMENT,
     mail_syntax,
     SMTP_SERVER_MAIL_EXTRA_OCTETS,
     act_mail},
    {{"RCPT", 4}, IN_TRANSACTION, "Send MAIL first", NEEDS_ARGUMENT, rcpt_syntax, 0, act_rcpt},
    {{"DATA", 4},
     STATE(RCPT),
     "No transaction with an accepted recipient is open",
     NO_ARGUMENT,
     "DATA",
     0,
     act_data},
    {{"RSET", 4}, ALWAYS, "", NO_ARGUMENT, "RSET", 0, act_rset},
    {{"NOOP", 4}, ALWAYS, "", MAY_HAVE_ARGUMENT, "NOOP [text]", 0, act_noop},
    {{"QUIT", 4}, ALWAYS | STATE(TURNED_AWAY), "", NO_ARGUMENT, "QUIT", 0, act_quit},
    {{"VRFY", 4}, ALWAYS, "", NEEDS_ARGUMENT, "VRFY user-or-mailbox", 0, act_vrfy},
    {{"EXPN", 4}, ALWAYS, "", NEEDS_ARGUMENT, "EXPN mailing-list", 0, act_expn},
    {{"HELP", 4}, ALWAYS, "", MAY_HAVE_ARGUMENT, "HELP [verb]", 0, act_help},
};
#define VERB_COUNT (sizeof verbs / sizeof *verbs)

static const struct verb *each_verb(size_t i)
{
    return i < VERB_COUNT ? &verbs[i] : NULL;
}

static const struct verb *find_verb(struct smtp_span name)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (name.len == verbs[i].name.len && (name.bytes[0] & ~32) == verbs[i].name.bytes[0] &&
            smtp_span_equal_nocase(name, verbs[i].name)) {
            return &verbs[i];
        }
    }
    return NULL;
}

size_t smtp_server_longest_line(const struct smtp_server_session_config *config)
{
    size_t extra = 0;
    for (size_t i = 0; i < VERB_COUNT; i++) {
        extra = verbs[i].extra_octets > extra ? verbs[i].extra_octets : extra;
    }
    return config->limits.command_line_octets == 0 ? SIZE_MAX
                                                   : config->limits.command_line_octets + extra;
}

static void refuse_order(struct smtp_server_session *session, const struct verb *verb)
{
    if (session->state == SMTP_SERVER_TURNED_AWAY) {
        /* RFC 7504 3: after 521 nothing else is said */
        int code = session->turned_away_with == 521 ? 521 : 503;
        smtp_server_session_say(session, code, code == 521 ? "5.3.2" : "5.5.1",
                                "No service here; only QUIT is left");
    } else if (session->state == SMTP_SERVER_CONNECTED) {
        smtp_server_session_say(session, 503, "5.5.1", hello_first);
    } else {
        smtp_server_session_say(session, 503, "5.5.1", verb->out_of_order);
    }
}

static void unknown_verb(struct smtp_server_session *session, const struct smtp_command *command)
{
    const char *name = as_text(session, command->verb);
    const char *argument = name != NULL ? as_text(session, command->argument) : NULL;
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

void smtp_server_refuse_overlong(struct smtp_server_session *session)
{
    if (session->state == SMTP_SERVER_TURNED_AWAY) {
        refuse_order(session, NULL);
        return;
    }
    smtp_server_session_say(session, 500, "5.5.2", "Line too long");
}

/* Every line gets exactly one reply: the first of these that applies, or the verb's own. */
void smtp_server_execute(struct smtp_server_session *session, struct smtp_span line)
{
    struct smtp_command command = smtp_command_parse(line);
    const struct verb *verb = find_verb(command.verb);
    size_t limit = session->config->limits.command_line_octets;
    size_t extra = verb != NULL ? verb->extra_octets : 0;
    bool turned_away = session->state == SMTP_SERVER_TURNED_AWAY;
    if (limit != 0 && line.len + 2 > limit + extra) {
        smtp_server_refuse_overlong(session);
    } else if (turned_away && (verb == NULL || (verb->legal_in & STATE(TURNED_AWAY)) == 0)) {
        refuse_order(session, verb);
    } else if (command.has_bare_line_end) {
        smtp_server_session_note(session, "bare CR or LF in a command line");
        smtp_server_session_say(session, 500, "5.5.2", "A bare CR or LF ends no command");
    } else if (verb == NULL) {
        unknown_verb(session, &command);
    } else if (command.has_control) {
        smtp_server_session_say(session, 501, "5.5.2", "A control octet in the command");
    } else if ((verb->legal_in & (1u << session->state)) == 0) {
        refuse_order(session, verb);
    } else if ((verb->argument == NO_ARGUMENT && command.argument.len > 0) ||
               (verb->argument == NEEDS_ARGUMENT && command.argument.len == 0)) {
        refuse_syntax(session, verb->syntax);
    } else {
        verb->act(session, command.argument);
    }
}
