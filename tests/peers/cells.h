/* cells.h - what the tests found out about each peer, for the table in README.md: scripts/peers_table
 * makes it of the file that they write. */
#ifndef SMTP_TESTS_PEERS_CELLS_H
#define SMTP_TESTS_PEERS_CELLS_H

/** The mechanisms that both ends know (RFC 4954 and others). */
#define MECHANISM_COUNT 10
extern const char *const mechanisms[MECHANISM_COUNT];

/** How a connection comes to its TLS, or does without. */
enum way { STARTTLS, IMPLICIT, IN_THE_CLEAR };
#define TLS_WAY_COUNT 2 /* the first two */

/** peer: the column; row: a mechanism, or a TLS version as smtp_message_tls has it. */
void cell_ok(const char *peer, enum way way, const char *row);
/** The peer's build does not have it; found out, not assumed. */
void cell_lacking(const char *peer, const char *row);

#endif
