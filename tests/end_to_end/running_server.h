/* running_server.h - a server that runs, and plain sessions with it, for the tests of the server's
 * driver. Each ends the test where it fails. */
#ifndef SMTP_TESTS_END_TO_END_RUNNING_SERVER_H
#define SMTP_TESTS_END_TO_END_RUNNING_SERVER_H

#include "server/smtp_server.h"
#include "tests/support/wire.h"

struct smtp_server *make(const struct smtp_server_options *options); /* NULL: the defaults */
struct smtp_server *make_to_restart(void);                           /* see smtp_own_loopback */
void start(struct smtp_server *server);
struct smtp_server *started(const struct smtp_server_options *options);

/** A connection to the first listener, up to its greeting; then up to a recipient; then up to 354. */
void greeted(struct smtp_wire *wire, const struct smtp_server *server);
void open_transaction(struct smtp_wire *wire, const struct smtp_server *server);
void open_content(struct smtp_wire *wire, const struct smtp_server *server);
/** A whole session with one message in it. */
void send_one(const struct smtp_server *server);

#endif
