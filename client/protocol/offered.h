/* offered.h - whether a command, or an envelope, asks for more than the server offers (RFC 5321 4.1.1.1,
 * 4.1.1.3). All of it is called before an octet goes out. */
#ifndef SMTP_CLIENT_PROTOCOL_OFFERED_H
#define SMTP_CLIENT_PROTOCOL_OFFERED_H

#include "client/protocol/session.h"

/** SMTP_UNSUPPORTED, naming the extension, where the command has a parameter that was not offered, or
 *  asks for more than the limit that was; SMTP_BAD_STATE: REQUIRETLS without verified TLS. */
enum smtp_status smtp_client_session_check_offered(struct smtp_client_session *session,
                                                   const struct smtp_client_command *command)
    SMTP_MUST_CHECK;

/** For MAIL alone: whether its transaction is one of SMTPUTF8, into session->smtputf8. SMTP_UNSUPPORTED:
 *  it was asked for, and is not offered. */
enum smtp_status smtp_client_session_choose_utf8(struct smtp_client_session *session,
                                                 const struct smtp_client_command *command)
    SMTP_MUST_CHECK;

/** The same for a whole envelope. SMTP_BAD_ARGUMENT where it has no recipient, or repeats what the
 *  client declares itself. */
enum smtp_status smtp_client_session_check_envelope(struct smtp_client_session *session,
                                                    const struct smtp_envelope *envelope)
    SMTP_MUST_CHECK;

#endif
