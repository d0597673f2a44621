/* session_tls.c - what TLS changes in a session (RFC 3207, RFC 8314): what may go out before it is up,
 * and what is forgotten then. Does not know: handshakes and certificates, which are the driver's. */
#include "client/protocol/session_state.h"
#include "common/error.h"

enum smtp_status smtp_client_session_check_state(struct smtp_client_session *session,
                                                 enum smtp_client_stage stage)
{
    if (!smtp_client_session_idle(session)) {
        return smtp_error_set(&session->error, SMTP_BAD_STATE, 0,
                              session->ended ? "not connected" : "another command is open");
    }
    if (session->handshake_due) {
        return smtp_error_set(&session->error, SMTP_BAD_STATE, 0,
                              "the server awaits a TLS handshake and no command");
    }
    if (stage == SMTP_STAGE_STARTTLS && session->tls) {
        return smtp_error_set(&session->error, SMTP_BAD_STATE, 0, "TLS is up already");
    }
    bool harmless =
        stage == SMTP_STAGE_EHLO || stage == SMTP_STAGE_STARTTLS || stage == SMTP_STAGE_QUIT;
    if (session->options->tls.policy < SMTP_CLIENT_TLS_REQUIRED || session->tls || harmless) {
        return SMTP_OK;
    }
    return smtp_error_set(&session->error, SMTP_BAD_STATE, 0,
                          "TLS is required and not up: nothing but EHLO, STARTTLS and QUIT is sent "
                          "before it is");
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
