/* offered.h - whether a command, or an envelope, asks for more than the server offers (RFC 5321 4.1.1.1,
 * 4.1.1.3). All of it is called before an octet goes out. */
#ifndef SMTP_CLIENT_PROTOCOL_OFFERED_H
#define SMTP_CLIENT_PROTOCOL_OFFERED_H

#include "client/protocol/session.h"

/** SMTP_UNSUPPORTED, naming the extension, where the command has a parameter that was not offered. */
enum smtp_status smtp_client_session_check_offered(struct smtp_client_session *session,
                                                   const struct smtp_client_command *command)
    SMTP_MUST_CHECK;

/** SMTP_BAD_ARGUMENT where the envelope has no recipient, or repeats what the client declares itself. */
enum smtp_status smtp_client_session_check_envelope(struct smtp_client_session *session,
                                                    const struct smtp_envelope *envelope)
    SMTP_MUST_CHECK;

#endif
