/* session_tls.c - what TLS changes in a session (RFC 3207, RFC 8314): what may go out before it is up,
 * and what is forgotten then. Does not know: handshakes and certificates, which are the driver's. */
#include "client/protocol/session_state.h"
#include "common/error.h"

/* RFC 3030 2: after a chunk that was refused nothing but RSET comes, and DATA and BDAT do not mix. */
static const char *why_no_step(const struct smtp_client_steps *steps, enum smtp_client_stage stage)
{
    if (steps->refused && stage != SMTP_STAGE_RSET && stage != SMTP_STAGE_QUIT) {
        return "a chunk was refused: call smtp_client_rset first";
    }
    if (stage == SMTP_STAGE_DATA && steps->chunks) {
        return "the transaction has chunks (BDAT): DATA cannot come behind them";
    }
    return stage == SMTP_STAGE_CONTENT && steps->data
               ? "DATA was said in this transaction: BDAT cannot come behind it"
               : NULL;
}

const char *smtp_client_session_why_not(const struct smtp_client_session *session,
                                        enum smtp_client_stage stage)
{
    if (!smtp_client_session_idle(session)) {
        return session->ended ? "not connected" : "another command is open";
    }
    if (session->handshake_due) {
        return "the server awaits a TLS handshake and no command";
    }
    if (stage == SMTP_STAGE_STARTTLS && session->tls) {
        return "TLS is up already";
    }
    if (stage == SMTP_STAGE_HELO && session->lmtp) {
        return "LMTP has no HELO (RFC 2033 4.1)";
    }
    bool harmless =
        stage == SMTP_STAGE_EHLO || stage == SMTP_STAGE_STARTTLS || stage == SMTP_STAGE_QUIT;
    if (session->options->tls.policy >= SMTP_CLIENT_TLS_REQUIRED && !session->tls && !harmless) {
        return "TLS is required and not up: nothing but EHLO, STARTTLS and QUIT is sent before it "
               "is";
    }
    return why_no_step(&session->steps, stage);
}

enum smtp_status smtp_client_session_check_state(struct smtp_client_session *session,
                                                 enum smtp_client_stage stage)
{
    const char *why = smtp_client_session_why_not(session, stage);
    return why == NULL ? SMTP_OK : smtp_error_set(&session->error, SMTP_BAD_STATE, 0, "%s", why);
}

void smtp_client_session_tls_started(struct smtp_client_session *session, bool awaits_greeting,
                                     uint64_t now_ns)
{
    smtp_client_extensions_forget(&session->extensions);
    session->greeted = session->extended = session->handshake_due = false;
    session->auth.authenticated = false;
    session->tls = true;
    if (awaits_greeting) { /* its time runs from here, not from the connection */
        smtp_client_session_arm(session, now_ns);
    }
}

bool smtp_client_session_has_tls(const struct smtp_client_session *session)
{
    return session->tls;
}
