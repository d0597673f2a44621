/* hooks.h - the session's questions, put to the hooks and the mailbox. */
#ifndef SMTP_SERVER_HOOKS_H
#define SMTP_SERVER_HOOKS_H

#include "server/connection.h"
#include "server/protocol/session.h"

/** What hooks are told of a connection whose session lives. */
struct smtp_server_session_info smtp_server_info_of(struct smtp_server_connection *connection);
/** Answers every open event. Returns whether there was one. */
bool smtp_server_answer_events(struct smtp_server_connection *connection, uint64_t now_ns);
/** A line for the log hook; the core's `log`, with the connection as user. */
void smtp_server_log(void *connection, enum smtp_server_log_kind kind, struct smtp_span text);
/** The session is over: the log and the close hook are told. */
void smtp_server_tell_close(struct smtp_server_connection *connection, const char *reason);

#endif
