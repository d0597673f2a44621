/* inquiries.c - VRFY and EXPN (RFC 5321 3.5), with SMTPUTF8 or without (RFC 6531 3.7.4.2).
 * Knows: which arguments are taken. Does not know: mailboxes; what is answered stands in decisions.c. */
#include "common/utf8.h"
#include "server/protocol/state.h"

#define SMTPUTF8_OCTETS 10 /* what it adds to the line, RFC 6531 3.1 */

/* SMTPUTF8 behind the argument, RFC 6531 3.7.4.2. */
static void take_smtputf8(struct smtp_server_session *session, struct smtp_span *argument)
{
    static const struct smtp_span word = {" SMTPUTF8", 9};
    size_t before = argument->len > word.len ? argument->len - word.len : 0;
    struct smtp_span end = {argument->bytes + before, argument->len - before};
    if (before > 0 && session->extended && smtp_server_offers(session, SMTP_OFFER_SMTPUTF8) &&
        smtp_span_equal_nocase(end, word)) {
        *argument = smtp_span_trim_end((struct smtp_span){argument->bytes, before});
        session->utf8_inquiry = true;
    }
}

static void inquire(struct smtp_server_session *session, enum smtp_server_event_kind kind,
                    struct smtp_span argument)
{
    take_smtputf8(session, &argument);
    if (!session->utf8_inquiry && smtp_has_eight_bit(argument)) {
        smtp_server_session_say(session, 553, "5.6.7", "A name in UTF-8 needs SMTPUTF8");
        return;
    }
    if (!smtp_is_utf8(argument)) {
        smtp_server_session_say(session, 501, "5.1.3", "Octets above 127 must be UTF-8");
        return;
    }
    const char *text = smtp_server_session_text(session, argument);
    if (text != NULL) {
        smtp_server_session_ask(session,
                                &(struct smtp_server_event){.kind = kind, .argument = text});
    }
}

size_t smtp_server_inquiry_line_octets(const struct smtp_server_session_config *config)
{
    return config->limits.command_line_octets +
           (smtp_server_knows(config, SMTP_OFFER_SMTPUTF8) ? SMTPUTF8_OCTETS : 0);
}

void smtp_server_act_vrfy(struct smtp_server_session *session, struct smtp_span argument)
{
    inquire(session, SMTP_SERVER_ASK_VRFY, argument);
}

void smtp_server_act_expn(struct smtp_server_session *session, struct smtp_span argument)
{
    inquire(session, SMTP_SERVER_ASK_EXPN, argument);
}
