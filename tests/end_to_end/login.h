/* login.h - AUTH by hand and by libgsasl's client, for the tests of the server's. Each function ends the
 * test where it fails. */
#ifndef SMTP_TESTS_END_TO_END_LOGIN_H
#define SMTP_TESTS_END_TO_END_LOGIN_H

#include "tests/support/wire.h"

/** "AUTH PLAIN " and the octets in base64, or without a command the octets alone; the reply. */
const char *say(struct smtp_wire *wire, const char *command, const char *octets, size_t len);
#define SAY(wire, command, literal) say(wire, command, "" literal, sizeof(literal) - 1)

/** A whole exchange of libgsasl's client, bound to the wire's TLS where the mechanism binds: the reply
 *  that ends it. Where that is 235 the client must be content with the server. */
const char *log_in(struct smtp_wire *wire, const char *mechanism, const char *identity,
                   const char *password);
/** The same, bound to another connection's TLS. */
const char *log_in_bound_to(struct smtp_wire *wire, struct smtp_wire *channel,
                            const char *mechanism, const char *identity, const char *password);

#endif
