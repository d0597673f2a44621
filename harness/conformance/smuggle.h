/* smuggle.h - whether octets in the content make a server see its end where there is none (RFC 5321 4.1.1.4, 2.3.8):
 * then what follows them is commands of somebody else's. */
#ifndef SMTP_HARNESS_CONFORMANCE_SMUGGLE_H
#define SMTP_HARNESS_CONFORMANCE_SMUGGLE_H

#include "harness/conformance/ask.h"

/** One session: a message with the sequence in it, behind that a transaction, then the true end. Fails where the
 *  server took the sequence for the end, and tells whether what followed was carried out ("exploitable") or not
 *  ("not strict"). Where the suite sees what arrives, no second message may. */
void smtp_smuggle(struct smtp_check *check, struct smtp_span sequence);
#define smtp_smuggle_literal(check, literal) smtp_smuggle((check), SMTP_SPAN(literal))

#endif
