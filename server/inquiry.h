/* inquiry.h - one event of a session put to the hook tables, in their order, until one does not accept;
 * and what their answers add up to. A table that blocks is asked on a thread of the pool: the inquiry
 * goes on when it has answered. Does not know: what follows from the outcome (hooks.c). */
#ifndef SMTP_SERVER_INQUIRY_H
#define SMTP_SERVER_INQUIRY_H

#include "server/connection.h"
#include "server/protocol/session.h"

struct smtp_server_inquiry {
    struct smtp_server_event event;
    struct smtp_server_session_info info; /* but for its user, which is each table's own */
    size_t next;                          /* the table to be asked next */
    enum smtp_server_verdict verdict;     /* of those so far */
    /* To a message under LMTP: the replies of those so far and of the one that is asked, one for each
     * recipient, owned. NULL: there is one reply, as follows. */
    struct smtp_server_reply *each;
    struct smtp_server_reply *each_asked;
    size_t each_count;
    struct smtp_server_reply reply; /* of those so far; code 0: none has filled it in */
    struct smtp_server_reply asked; /* of the one that is asked, where that is another */
};

typedef void smtp_server_inquiry_done(struct smtp_server_connection *connection,
                                      struct smtp_server_inquiry *inquiry);

/** What hooks are told of a connection whose session lives; user: the first table's. */
struct smtp_server_session_info smtp_server_info_of(struct smtp_server_connection *connection);
/** The session's pointer of a table's own. */
void **smtp_server_slot(struct smtp_server_connection *connection, size_t table);

/** Asks, and calls `done` with the outcome: at once, or later and on the loop's thread. Until then the
 *  connection is kept, and with a question of the session's (any event but CLOSED) it is
 *  connection->busy. The event's texts must live until `done`. */
void smtp_server_inquire(struct smtp_server_connection *connection,
                         const struct smtp_server_event *event, smtp_server_inquiry_done *done);
/** The outcome's replies, for smtp_server_session_answer. */
struct smtp_server_reply *smtp_server_inquiry_replies(struct smtp_server_inquiry *inquiry);

#endif
