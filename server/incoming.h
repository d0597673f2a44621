/* incoming.h - octets on their way from the socket to the session. On the loop's thread. */
#ifndef SMTP_SERVER_INCOMING_H
#define SMTP_SERVER_INCOMING_H

#include "server/connection.h"

/** Whether the session takes octets now. */
bool smtp_server_may_take(const struct smtp_server_connection *connection);
/** Octets for the session; what it does not take yet is kept. */
void smtp_server_take(struct smtp_server_connection *connection, const char *bytes, size_t len);
/** What was kept, as far as the session takes it by now. */
void smtp_server_take_waiting(struct smtp_server_connection *connection);
/** Octets off the wire, where it is known who the peer is. */
void smtp_server_take_wire(struct smtp_server_connection *connection, struct smtp_span wire);
/** What was read in this turn. */
void smtp_server_take_turn(struct smtp_server_connection *connection);

#endif
