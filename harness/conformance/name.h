/* name.h - domains, address literals and mailboxes in a text: whether one is well formed, and whether one stands there
 * as a whole. Knows nothing of connections. */
#ifndef SMTP_HARNESS_CONFORMANCE_NAME_H
#define SMTP_HARNESS_CONFORMANCE_NAME_H

#include "common/bytes.h"

/** Domain or address-literal, nothing else with it (RFC 5321 4.1.2, 4.1.3). */
bool smtp_name_is_host(struct smtp_span text);
/** What stands before the first space. */
struct smtp_span smtp_name_first_word(struct smtp_span text);
/** Whether a mailbox or a domain stands in the text, and is no part of a longer one: joann@example.com does not hold
 *  ann@example.com. Letters of either case are the same but in a local part (RFC 5321 2.4). */
bool smtp_name_stands_in(struct smtp_span text, const char *name);

#endif
