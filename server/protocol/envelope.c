/* envelope.c - the verbs that make an envelope, MAIL and RCPT (RFC 5321 4.1.1.2, 4.1.1.3).
 * Knows: their syntax, and what each refusal of a path is called. Does not know: parameters
 * (parameters.c), what follows once a path is accepted (decisions.c). */
#include "common/utf8.h"
#include "server/protocol/path.h"
#include "server/protocol/state.h"

static void refuse_path(struct smtp_server_session *session, enum smtp_path_fault fault,
                        enum smtp_path_kind kind, const char *syntax)
{
    /* RFC 3463 3.2: bad sender's, or bad destination, mailbox address syntax */
    const char *enhanced = kind == SMTP_REVERSE_PATH ? "5.1.7" : "5.1.3";
    switch (fault) {
    case SMTP_PATH_EIGHT_BIT:
        smtp_server_session_say(session, 501, enhanced,
                                "Octets above 127 in an address must be UTF-8 and need SMTPUTF8");
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
        smtp_server_session_refuse_syntax(session, syntax);
        break;
    }
}

/* RFC 6531 3.5: 550 for a sender, 553 for a recipient. Where it is not offered, it is syntax. */
static bool needs_smtputf8(struct smtp_server_session *session, struct smtp_span path,
                           enum smtp_path_kind kind)
{
    if (session->transaction.smtputf8 || !smtp_has_eight_bit(path)) {
        return false;
    }
    if (!session->extended || !smtp_server_offers(session, SMTP_OFFER_SMTPUTF8)) {
        refuse_path(session, SMTP_PATH_EIGHT_BIT, kind, "");
        return true;
    }
    smtp_server_session_say(session, kind == SMTP_REVERSE_PATH ? 550 : 553, "5.6.7",
                            "An address in UTF-8 needs MAIL with SMTPUTF8");
    return true;
}

/* RFC 9422 4.1: each MAIL counts, whatever becomes of it. */
static bool over_mail_limit(struct smtp_server_session *session)
{
    size_t limit = session->config->limits.messages;
    if (limit == 0 || session->mail_count < limit) {
        session->mail_count++;
        return false;
    }
    smtp_server_session_say(session, 421, "4.7.0", "Too many messages in one session, closing");
    smtp_server_session_enter(session, SMTP_SERVER_ENDED);
    return true;
}

const char smtp_server_mail_syntax[] = "MAIL FROM:<reverse-path> [parameters]";
const char smtp_server_rcpt_syntax[] = "RCPT TO:<forward-path> [parameters]";

/* No space stands behind the colon: RFC 5321 3.3 forbids it, and a client under test shall hear
 * so. */
void smtp_server_act_mail(struct smtp_server_session *session, struct smtp_span argument)
{
    struct smtp_path path;
    if (over_mail_limit(session)) {
        return;
    }
    if (!smtp_command_take_word(&argument, SMTP_SPAN("FROM:"))) {
        smtp_server_session_refuse_syntax(session, smtp_server_mail_syntax);
        return;
    }
    enum smtp_path_fault fault =
        smtp_path_read(&argument, SMTP_REVERSE_PATH, &session->config->limits, &path);
    if (fault != SMTP_PATH_OK) {
        refuse_path(session, fault, SMTP_REVERSE_PATH, smtp_server_mail_syntax);
        return;
    }
    struct smtp_transaction *transaction = &session->transaction;
    smtp_transaction_clear(transaction); /* of a chunk that was refused where none was open, too */
    if (!smtp_server_take_parameters(session, argument, true) ||
        needs_smtputf8(session, path.text, SMTP_REVERSE_PATH)) {
        smtp_transaction_clear(transaction);
        return;
    }
    if (smtp_transaction_set_reverse_path(transaction, path.text, smtp_span_trim_start(argument)) !=
        SMTP_OK) {
        smtp_server_session_fail(session);
        return;
    }
    struct smtp_server_event event = {.kind = SMTP_SERVER_ASK_MAIL};
    smtp_transaction_last_path(transaction, &event.path, &event.parameters);
    smtp_server_session_ask(session, &event);
}

/* RFC 9422 4.3: the domains of a session, those of refused recipients too. */
static bool over_domain_limit(struct smtp_server_session *session, struct smtp_span domain)
{
    size_t limit = session->config->limits.recipient_domains;
    if (limit == 0 || domain.len == 0) {
        return false;
    }
    enum smtp_status status = smtp_domain_set_add(&session->recipient_domains, domain, limit);
    if (status == SMTP_LIMIT_EXCEEDED) {
        smtp_server_session_say(session, 452, "4.5.3", "Too many domains of recipients");
    } else if (status != SMTP_OK) {
        smtp_server_session_say(session, 452, "4.3.1", "Out of storage for recipients");
    }
    return status != SMTP_OK;
}

void smtp_server_act_rcpt(struct smtp_server_session *session, struct smtp_span argument)
{
    struct smtp_transaction *transaction = &session->transaction;
    struct smtp_path path;
    if (!smtp_command_take_word(&argument, SMTP_SPAN("TO:"))) {
        smtp_server_session_refuse_syntax(session, smtp_server_rcpt_syntax);
        return;
    }
    enum smtp_path_fault fault =
        smtp_path_read(&argument, SMTP_FORWARD_PATH, &session->config->limits, &path);
    if (fault != SMTP_PATH_OK) {
        refuse_path(session, fault, SMTP_FORWARD_PATH, smtp_server_rcpt_syntax);
        return;
    }
    if (needs_smtputf8(session, path.text, SMTP_FORWARD_PATH) ||
        !smtp_server_take_parameters(session, argument, false)) {
        return;
    }
    size_t limit = session->config->limits.recipients;
    if (limit != 0 && transaction->envelope.recipient_count >= limit) {
        smtp_server_session_say(session, 452, "4.5.3", "Too many recipients");
        return;
    }
    if (over_domain_limit(session, path.domain)) {
        return;
    }
    if (smtp_transaction_propose_recipient(transaction, path.text,
                                           smtp_span_trim_start(argument)) != SMTP_OK) {
        smtp_server_session_say(session, 452, "4.3.1", "Out of storage for recipients");
        return;
    }
    struct smtp_server_event event = {.kind = SMTP_SERVER_ASK_RCPT};
    smtp_transaction_last_path(transaction, &event.path, &event.parameters);
    smtp_server_session_ask(session, &event);
}
