/* outgoing.h - what is owed to the peer, on its way to the socket: all replies to one read in one
 * write, and what the socket does not take at once later. On the loop's thread. */
#ifndef SMTP_SERVER_OUTGOING_H
#define SMTP_SERVER_OUTGOING_H

#include "common/bytes.h"
#include "server/connection.h"

/** A peer that pipelines without reading may be owed this much; then nothing more of it is read. */
#define SMTP_SERVER_UNSENT_MAX 65536

/** How many octets are not with the system yet. */
size_t smtp_server_unsent(const struct smtp_server_connection *connection);
/** Octets that the session owes, or what goes out in place of them, before TLS. */
struct smtp_span smtp_server_plain_owed(struct smtp_server_connection *connection);
void smtp_server_plain_sent(struct smtp_server_connection *connection, size_t len);
/** Writes what is owed; while an earlier write is under way, that one's end calls again. */
void smtp_server_flush(struct smtp_server_connection *connection);
/** The same at the end of a turn, in which something came: where there is nothing to say, it is acknowledged at once. */
void smtp_server_flush_turn(struct smtp_server_connection *connection);
/** Looks, when write_due_ns has passed, whether the write under way has moved since. */
bool smtp_server_write_stalls(struct smtp_server_connection *connection, uint64_t now_ns);

#endif
