/* reply.h - writing replies (RFC 5321 4.2, RFC 2034) into the octets owed to the peer. */
#ifndef SMTP_SERVER_PROTOCOL_REPLY_H
#define SMTP_SERVER_PROTOCOL_REPLY_H

#include "common/bytes.h"

#define SMTP_REPLY_LINE_MAX 512 /* with code and CRLF, RFC 5321 4.5.3.1.5 */

/** Appends one reply of as many lines as the text has ('\n' parts them). enhanced: an enhanced
 *  status code before each line's text, or NULL for none. Whatever the text holds, the reply stays
 *  one reply: octets that are not printable ASCII become '?', but for UTF-8 where `utf8` allows it (RFC
 *  6531 3.7.4.2), and a line too long is cut. */
enum smtp_status smtp_reply_append(struct smtp_buffer *out, int code, const char *enhanced,
                                   const char *text, bool utf8) SMTP_MUST_CHECK;

#endif
