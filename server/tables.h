/* tables.h - the hook tables of a server, in the order in which they are asked: which of them has a row
 * for an event, and calling it. Does not know: connections, threads, what the answers add up to. */
#ifndef SMTP_SERVER_TABLES_H
#define SMTP_SERVER_TABLES_H

#include "server/protocol/session.h"

/** A bit each, of 32, says which tables were given content. */
#define SMTP_SERVER_TABLES_MAX 32

/** Constant from smtp_server_new to _free. */
struct smtp_server_tables {
    struct smtp_server_hooks *rows; /* owned */
    size_t count;
};

/** Copies options.hooks, unless it is empty, and options.receivers. SMTP_BAD_ARGUMENT: too many. On
 *  failure nothing is to be cleared. */
enum smtp_status smtp_server_tables_init(struct smtp_server_tables *tables,
                                         const struct smtp_server_options *options,
                                         struct smtp_error *error) SMTP_MUST_CHECK;
/** Forgets them, without a word to them. */
void smtp_server_tables_clear(struct smtp_server_tables *tables);
/** The server is freed: `release` of each. */
void smtp_server_tables_release(const struct smtp_server_tables *tables);

/** Whether the table is asked about events of that kind, or told. */
bool smtp_server_hooks_have(const struct smtp_server_hooks *hooks,
                            enum smtp_server_event_kind kind);
/** Calls its row for the event, which it has. What a row that is only told answers is SMTP_ACCEPT. */
enum smtp_server_verdict smtp_server_hooks_call(const struct smtp_server_hooks *hooks,
                                                const struct smtp_server_session_info *info,
                                                const struct smtp_server_event *event,
                                                struct smtp_server_reply *reply);

/** For session_config.asks. */
unsigned smtp_server_tables_asks(const struct smtp_server_tables *tables);
/** Whether a table has the row of content; of log. */
bool smtp_server_tables_take_content(const struct smtp_server_tables *tables);
bool smtp_server_tables_take_log(const struct smtp_server_tables *tables);
/** Whether each table with a row for messages has seen the content by then. */
bool smtp_server_tables_stream(const struct smtp_server_tables *tables);
/** The table that decides on a login, or that knows passwords: the first with the row, NULL for none. */
const struct smtp_server_hooks *smtp_server_tables_auth(const struct smtp_server_tables *tables);
const struct smtp_server_hooks *
smtp_server_tables_passwords(const struct smtp_server_tables *tables);

#endif
