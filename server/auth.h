/* auth.h - AUTH of a connection: its exchange, put to the hooks and the user table. */
#ifndef SMTP_SERVER_AUTH_H
#define SMTP_SERVER_AUTH_H

#include "server/connection.h"
#include "server/protocol/session.h"

/** Answers SMTP_SERVER_ASK_AUTH. */
void smtp_server_answer_auth(struct smtp_server_connection *connection,
                             const struct smtp_server_event *event);
/** The exchange is over, or the connection: wiped. There may be none. */
void smtp_server_end_auth(struct smtp_server_connection *connection);

#endif
