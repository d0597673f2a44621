/* secure.h - TLS between a connection's socket and its session (RFC 3207, RFC 8314): nothing read in
 * the clear ever enters it, and no reply leaves it in the clear. On the loop's thread. */
#ifndef SMTP_SERVER_SECURE_H
#define SMTP_SERVER_SECURE_H

#include "common/bytes.h"
#include "server/connection.h"

/** TLS begins with the next octet, unless that goes wrong; the stage is SECURING until the handshake is
 *  over. */
void smtp_server_secure_begin(struct smtp_server_connection *connection);
/** It begins. identity: what is shown in place of the server's certificate; NULL: that. */
void smtp_server_secure_start(struct smtp_server_connection *connection,
                              const struct smtp_identity *identity);
/** Goes on with the handshake; once it is over, and nothing of it goes wrong, the session does. */
void smtp_server_secure_shake_hands(struct smtp_server_connection *connection);
/** Octets came from the wire. */
void smtp_server_secure_take(struct smtp_server_connection *connection, struct smtp_span wire);
/** Decrypts for the session as much as it takes; the rest stays encrypted. */
void smtp_server_secure_go_on(struct smtp_server_connection *connection);

/** Encrypts what the session says, and at its end close_notify; what is for the wire. */
struct smtp_span smtp_server_secure_owed(struct smtp_server_connection *connection);
/** How many octets that is, of those that are not encrypted yet as they are. */
size_t smtp_server_secure_unsent(const struct smtp_server_connection *connection);
/** close_notify, where it still can be said; for a connection that is cut. In the clear: nothing. */
void smtp_server_secure_say_end(struct smtp_server_connection *connection);
/** For the log, where the peer has ended it. */
const char *smtp_server_secure_why_closed(const struct smtp_server_connection *connection);

#endif
