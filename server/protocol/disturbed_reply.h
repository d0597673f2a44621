/* disturbed_reply.h - what is said in place of a reply where a step goes wrong (struct smtp_server_fault).
 * Knows: replies as octets. Does not know: connections, when it is said. */
#ifndef SMTP_SERVER_PROTOCOL_DISTURBED_REPLY_H
#define SMTP_SERVER_PROTOCOL_DISTURBED_REPLY_H

#include "common/bytes.h"
#include "server/smtp_server.h"

/** Appends it. own: what the session said, one reply or, with LMTP, one for each recipient. coded: a reply
 *  of the fault's has an enhanced status code where it names none. rephrased: a refusal is not in `own` as the
 *  fault wants it. False: out of memory. */
bool smtp_server_disturbed_reply(struct smtp_buffer *out, const struct smtp_server_fault *fault,
                                 struct smtp_span own, bool coded, bool rephrased) SMTP_MUST_CHECK;
/** Sets the high bit of all octets from there on but CR and LF. */
void smtp_server_garble(struct smtp_buffer *out, size_t from);

#endif
