/* hooks.h - the session's questions, put to the hooks and the mailbox. */
#ifndef SMTP_SERVER_HOOKS_H
#define SMTP_SERVER_HOOKS_H

#include "server/connection.h"
#include "server/protocol/session.h"

/** Answers every open event, until one has to wait for a table that blocks: then the connection is busy.
 *  Returns whether there was one. */
bool smtp_server_answer_events(struct smtp_server_connection *connection);
/** A line for the log hooks; the core's `log`, with the connection as user. */
void smtp_server_log(void *connection, enum smtp_server_log_kind kind, struct smtp_span text);
/** The core's `content` and `drop`, likewise. */
bool smtp_server_give_content(void *connection, const struct smtp_message *message,
                              struct smtp_span octets);
void smtp_server_drop_content(void *connection);
/** Ends the session, if it is not over: the log and close hooks are told, then it is freed. */
void smtp_server_end_session(struct smtp_server_connection *connection, const char *reason);

#endif
