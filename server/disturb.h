/* disturb.h - a step of a connection that goes wrong on purpose: protocol/disturbance.h with sockets, timers and TLS. One at a
 * time for a connection. On the loop's thread. */
#ifndef SMTP_SERVER_DISTURB_H
#define SMTP_SERVER_DISTURB_H

#include "server/connection.h"
#include "server/protocol/session.h"

/** Puts the step to the tables. True: it goes wrong, and smtp_server_disturb_go_on sees to that. */
bool smtp_server_disturb(struct smtp_server_connection *connection,
                         const struct smtp_server_step *step);
/** The same of CONNECT and TLS, steps that the session does not ask about. */
bool smtp_server_disturb_connection(struct smtp_server_connection *connection,
                                    enum smtp_server_step_kind kind);

/** After anything has happened: goes on as far as it can. It may be over then, or the connection. */
void smtp_server_disturb_go_on(struct smtp_server_connection *connection);
/** When that is due again; SMTP_NEVER. */
uint64_t smtp_server_disturb_due_ns(const struct smtp_server_connection *connection);
/** Forgets it. The session has a word to say, or is over. */
void smtp_server_disturb_end(struct smtp_server_connection *connection);

/* ---- false, or nothing, where there is none ---- */

/** The session takes nothing now. */
bool smtp_server_disturb_holds(const struct smtp_server_connection *connection);
/** What comes is read all the same, and dropped. */
bool smtp_server_disturb_reads(const struct smtp_server_connection *connection);
/** The reply is on its way out, or nothing is said any more: no other word may come between. */
bool smtp_server_disturb_speaks(const struct smtp_server_connection *connection);
/** The session's replies are not what goes out: they are not for the log. */
bool smtp_server_disturb_hides_replies(const struct smtp_server_connection *connection);

/** What it owes to the peer and how much of that may go out now: plain octets, of TLS those of the wire. */
size_t smtp_server_disturb_unsent(const struct smtp_server_connection *connection);
struct smtp_span smtp_server_disturb_owed(struct smtp_server_connection *connection);
void smtp_server_disturb_sent(struct smtp_server_connection *connection, size_t len);
/** It stands between TLS and the socket, not between the session and TLS. */
bool smtp_server_disturb_has_wire(const struct smtp_server_connection *connection);

#endif
