/* mail_data.c - the verbs that bring content, DATA and BDAT (RFC 5321 4.1.1.4, RFC 3030 2).
 * Knows: which may follow which. Does not know: where else they are legal (verbs.c), how BDAT's argument
 * is read (chunk.c), content. */
#include "server/protocol/state.h"

void smtp_server_act_data(struct smtp_server_session *session, struct smtp_span argument)
{
    (void)argument;
    if (session->transaction.binary) { /* RFC 3030 3 */
        smtp_server_session_say(session, 503, "5.5.1", "BODY=BINARYMIME needs BDAT, not DATA");
        return;
    }
    session->transaction.data_came = true;
    smtp_server_session_ask(session, &(struct smtp_server_event){.kind = SMTP_SERVER_ASK_DATA});
}

bool smtp_server_knows_bdat(const struct smtp_server_session *session)
{
    return session->config->keywords.chunking;
}

/* A chunk that is legal by the state. False: it was refused. */
static bool may_take_chunk(struct smtp_server_session *session)
{
    if (!session->chunk.well_formed) {
        smtp_server_session_refuse_syntax(session, smtp_server_bdat_syntax);
    } else if (!session->extended) {
        smtp_server_session_say(session, 503, "5.5.1", "BDAT needs EHLO");
    } else if (session->transaction.chunk_failed) {
        smtp_server_session_say(session, 503, "5.5.1", "A chunk before it was refused; send RSET");
    } else if (session->transaction.data_came) { /* RFC 3030 2: not in one transaction */
        smtp_server_session_say(session, 503, "5.5.1", "BDAT may not follow DATA; send RSET");
    } else {
        return true;
    }
    return false;
}

/* smtp_server_announce_chunk has read its argument. */
void smtp_server_act_bdat(struct smtp_server_session *session, struct smtp_span argument)
{
    (void)argument;
    if (!may_take_chunk(session)) {
        smtp_server_drop_chunk(session);
    } else if (session->state == SMTP_SERVER_RCPT) {
        smtp_server_session_ask(session, &(struct smtp_server_event){.kind = SMTP_SERVER_ASK_DATA});
    } else {
        smtp_server_take_in_chunk(session);
    }
}
