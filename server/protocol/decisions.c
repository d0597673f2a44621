/* decisions.c - going on once a step is accepted or refused: one row a question of session.h.
 * Knows: what the session becomes and what the peer is told, either way. Does not know: who decided
 * (a hook, or nobody was asked), syntax, octets. */
#include "common/utf8.h"
#include "server/protocol/reply.h"
#include "server/protocol/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EHLO_TEXT_MAX 2048 /* two names, the hook's text, each keyword's line */

struct decision {
    void (*accept)(struct smtp_server_session *session, const struct smtp_server_event *event,
                   const struct smtp_server_reply *reply);
    void (*refuse)(
        struct smtp_server_session *session); /* undoes the step; NULL: nothing to undo */
    int refusal_code; /* the library's own refusal, where a hook refuses without words */
    const char *refusal_enhanced;
    const char *refusal_text;
};

/* ---- connect ---- */

/* "harness.test text": a greeting, and what HELO gets, begin with the server's name (RFC 5321
 * 4.2). */
static void say_named(struct smtp_server_session *session, int code, const char *text)
{
    char line[SMTP_REPLY_LINE_MAX];
    snprintf(line, sizeof line, "%.255s%s%.250s", session->config->hostname,
             text[0] != '\0' ? " " : "", text);
    smtp_server_session_say(session, code, NULL, line);
}

static void accept_connect(struct smtp_server_session *session,
                           const struct smtp_server_event *event,
                           const struct smtp_server_reply *reply)
{
    (void)event;
    const char *text = session->config->greeting_text;
    if (session->lmtp && strcmp(text, "ESMTP") == 0) {
        text = "LMTP";
    }
    say_named(session, 220, reply->code != 0 ? reply->text : text);
}

/* RFC 5321 3.1: the connection stays until QUIT, unless the code itself says that it closes. */
static void turn_away(struct smtp_server_session *session, const struct smtp_server_reply *reply)
{
    session->turned_away_with = reply->code != 0 ? reply->code : 554;
    say_named(session, session->turned_away_with,
              reply->code != 0 ? reply->text : "No SMTP service here");
    session->error_count = 0; /* no command was refused */
    smtp_server_session_enter(session, session->turned_away_with == 421 ? SMTP_SERVER_ENDED
                                                                        : SMTP_SERVER_TURNED_AWAY);
}

/* ---- HELO, EHLO, LHLO ---- */

static void say_extensions(struct smtp_server_session *session, const char *greeting)
{
    char text[EHLO_TEXT_MAX];
    size_t at = (size_t)snprintf(text, sizeof text, "%s%s%.300s", session->config->hostname,
                                 greeting[0] != '\0' ? " " : "", greeting);
    smtp_server_write_offers(session, text + at, sizeof text - at);
    smtp_server_session_say(session, 250, NULL, text);
}

/* RFC 5321 4.1.4: an accepted HELO or EHLO drops an open transaction, as RSET does. */
static void accept_helo(struct smtp_server_session *session, const struct smtp_server_event *event,
                        const struct smtp_server_reply *reply)
{
    char *helo = strdup(event->name);
    if (helo == NULL) {
        smtp_server_session_fail(session);
        return;
    }
    free(session->helo);
    session->helo = helo;
    session->extended = event->extended;
    smtp_server_session_reset(session);
    if (event->extended) {
        say_extensions(session, reply->code != 0 ? reply->text : "");
    } else {
        say_named(session, 250, reply->code != 0 ? reply->text : "");
    }
    smtp_server_session_enter(session, SMTP_SERVER_READY);
}

/* ---- STARTTLS ---- */

static void accept_starttls(struct smtp_server_session *session,
                            const struct smtp_server_event *event,
                            const struct smtp_server_reply *reply)
{
    (void)event;
    smtp_server_session_say(session, 220, "2.0.0",
                            reply->code != 0 ? reply->text : "Ready to start TLS");
    smtp_server_session_enter(session, SMTP_SERVER_HANDSHAKE);
    if (session->state == SMTP_SERVER_HANDSHAKE) {
        smtp_server_session_raise(
            session, &(struct smtp_server_event){.kind = SMTP_SERVER_START_TLS}, false);
    }
}

/* ---- MAIL, RCPT, DATA, the first BDAT ---- */

static void accept_mail(struct smtp_server_session *session, const struct smtp_server_event *event,
                        const struct smtp_server_reply *reply)
{
    (void)event;
    smtp_server_session_say_or(session, reply, 250, "2.1.0", "Sender OK");
    smtp_server_session_enter(session, SMTP_SERVER_MAIL);
}

static void refuse_mail(struct smtp_server_session *session)
{
    smtp_transaction_clear(&session->transaction);
}

static void accept_rcpt(struct smtp_server_session *session, const struct smtp_server_event *event,
                        const struct smtp_server_reply *reply)
{
    (void)event;
    smtp_transaction_settle_recipient(&session->transaction, true);
    smtp_server_session_say_or(session, reply, 250, "2.1.5", "Recipient OK");
    smtp_server_session_enter(session, SMTP_SERVER_RCPT);
}

static void refuse_rcpt(struct smtp_server_session *session)
{
    smtp_transaction_settle_recipient(&session->transaction, false);
}

static void accept_data(struct smtp_server_session *session, const struct smtp_server_event *event,
                        const struct smtp_server_reply *reply)
{
    (void)event;
    bool chunks = session->holds;
    smtp_transaction_begin_content(&session->transaction, session->config->limits.text_line_octets,
                                   chunks);
    if (chunks) {
        smtp_server_take_in_chunk(session);
        return;
    }
    smtp_server_session_say(session, 354, NULL,
                            reply->code == 354 ? reply->text : "End data with <CRLF>.<CRLF>");
    smtp_server_session_enter(session, SMTP_SERVER_CONTENT);
}

static void refuse_data(struct smtp_server_session *session)
{
    if (session->holds) {
        smtp_server_drop_chunk(session);
    }
}

/* ---- the message ---- */

static void end_transaction(struct smtp_server_session *session)
{
    smtp_server_session_clear_transaction(session);
    smtp_server_session_enter(session, SMTP_SERVER_READY);
}

static void accept_message(struct smtp_server_session *session,
                           const struct smtp_server_event *event,
                           const struct smtp_server_reply *reply)
{
    (void)event;
    size_t due = smtp_server_session_replies_due(session);
    bool one_for_all = reply == &smtp_server_own_words;
    size_t errors = session->error_count;
    for (size_t i = 0; i < due; i++) {
        smtp_server_session_say_or(session, one_for_all ? reply : &reply[i], 250, "2.0.0",
                                   "Message accepted");
    }
    if (session->error_count > errors) { /* one command, however many recipients refused it */
        session->error_count = errors + 1;
    }
    end_transaction(session);
}

/* ---- the inquiries ---- */

/* What the driver answers needs UTF-8, and the peer did not say that it takes that. */
static bool needs_smtputf8(struct smtp_server_session *session,
                           const struct smtp_server_reply *reply)
{
    if (reply->code == 0 || session->utf8_inquiry || !session->extended ||
        !smtp_server_offers(session, SMTP_OFFER_SMTPUTF8) ||
        !smtp_has_eight_bit(smtp_span_of(reply->text))) {
        return false;
    }
    smtp_server_session_say(session, 252, "2.6.8", "The reply is in UTF-8: ask with SMTPUTF8");
    return true;
}

static void accept_vrfy(struct smtp_server_session *session, const struct smtp_server_event *event,
                        const struct smtp_server_reply *reply)
{
    (void)event;
    if (needs_smtputf8(session, reply)) {
        return;
    }
    /* RFC 5321 7.3: neither yes nor no */
    smtp_server_session_say_or(session, reply, 252, "2.0.0", "Not verified; send it mail and see");
}

static void accept_expn(struct smtp_server_session *session, const struct smtp_server_event *event,
                        const struct smtp_server_reply *reply)
{
    (void)event;
    if (needs_smtputf8(session, reply)) {
        return;
    }
    smtp_server_session_say_or(session, reply, 502, "5.5.1", "EXPN is not implemented");
}

static void accept_unknown(struct smtp_server_session *session,
                           const struct smtp_server_event *event,
                           const struct smtp_server_reply *reply)
{
    (void)event;
    smtp_server_session_say_or(session, reply, 500, "5.5.1", "Command not recognized");
}

/* ---- the table ---- */

static const struct decision decisions[] = {
    [SMTP_SERVER_ASK_CONNECT] = {accept_connect, NULL, 554, NULL, "No SMTP service here"},
    [SMTP_SERVER_ASK_HELO] = {accept_helo, NULL, 550, "5.7.1", "Not welcome by that name"},
    [SMTP_SERVER_ASK_MAIL] = {accept_mail, refuse_mail, 550, "5.7.1", "Sender refused"},
    [SMTP_SERVER_ASK_RCPT] = {accept_rcpt, refuse_rcpt, 550, "5.1.1", "Recipient refused"},
    [SMTP_SERVER_ASK_DATA] = {accept_data, refuse_data, 554, "5.7.1", "Content refused"},
    [SMTP_SERVER_ASK_MESSAGE] = {accept_message, end_transaction, 554, "5.7.1", "Message refused"},
    [SMTP_SERVER_ASK_VRFY] = {accept_vrfy, NULL, 550, "5.1.1", "No such mailbox"},
    [SMTP_SERVER_ASK_EXPN] = {accept_expn, NULL, 550, "5.1.1", "No such list"},
    [SMTP_SERVER_ASK_UNKNOWN] = {accept_unknown, NULL, 500, "5.5.1", "Command not recognized"},
    [SMTP_SERVER_ASK_STARTTLS] = {accept_starttls, NULL, 454, "4.7.0", "TLS is not available now"},
};

const struct smtp_server_reply smtp_server_own_words = {.code = 0};

/* A message that is not accepted is so for each recipient. */
static void say_outcome(struct smtp_server_session *session, const struct smtp_server_event *event,
                        const struct smtp_server_reply *reply, int code, const char *enhanced,
                        const char *text)
{
    if (event->kind != SMTP_SERVER_ASK_MESSAGE) {
        smtp_server_session_say_or(session, reply, code, enhanced, text);
        return;
    }
    smtp_server_session_hold(session);
    smtp_server_session_say_or(session, reply, code, enhanced, text);
    smtp_server_session_release(session, smtp_server_session_replies_due(session));
}

void smtp_server_decide(struct smtp_server_session *session, const struct smtp_server_event *event,
                        enum smtp_server_verdict verdict, const struct smtp_server_reply *reply)
{
    const struct decision *decision = &decisions[event->kind];
    switch (verdict) {
    case SMTP_ACCEPT:
        decision->accept(session, event, reply);
        return;
    case SMTP_REFUSE:
        if (event->kind == SMTP_SERVER_ASK_CONNECT) {
            turn_away(session, reply);
            return;
        }
        say_outcome(session, event, reply, decision->refusal_code, decision->refusal_enhanced,
                    decision->refusal_text);
        if (decision->refuse != NULL) {
            decision->refuse(session);
        }
        return;
    case SMTP_DISCONNECT:
        break;
    }
    if (event->kind == SMTP_SERVER_ASK_CONNECT) { /* a greeting has no enhanced code */
        say_named(session, reply->code != 0 ? reply->code : 421,
                  reply->code != 0 ? reply->text : "Closing");
    } else {
        say_outcome(session, event, reply, 421, "4.3.2", "Closing");
    }
    smtp_server_session_enter(session, SMTP_SERVER_ENDED);
}

void smtp_server_session_ask(struct smtp_server_session *session,
                             const struct smtp_server_event *event)
{
    bool wanted = event->kind == SMTP_SERVER_ASK_MESSAGE ||
                  (session->config->asks & (1u << event->kind)) != 0;
    if (!wanted) {
        smtp_server_decide(session, event, SMTP_ACCEPT, &smtp_server_own_words);
        return;
    }
    smtp_server_session_raise(session, event, true);
}
