/* naming.h - the beginning of a connection that a proxy hands on: its PROXY header is taken before
 * anything is said, and before TLS. */
#ifndef SMTP_SERVER_NAMING_H
#define SMTP_SERVER_NAMING_H

#include "server/connection.h"

/** Waits for the header, or cuts the connection where the peer is none of the trusted. */
void smtp_server_naming_begin(struct smtp_server_connection *connection);
/** Octets off the wire: where they complete the header, the session begins with the peer that it names;
 *  what comes behind it is the session's, or TLS's. */
void smtp_server_naming_take(struct smtp_server_connection *connection, struct smtp_span wire);
/** No header comes any more: closes without a word, which the peer could take for one of whom it connects.
 *  The reason is for the log. */
void smtp_server_naming_give_up(struct smtp_server_connection *connection, const char *reason);

#endif
