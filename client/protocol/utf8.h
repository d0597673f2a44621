/* utf8.h - whether octets are UTF-8 (RFC 3629). Knows nothing of what a character means. */
#ifndef SMTP_CLIENT_PROTOCOL_UTF8_H
#define SMTP_CLIENT_PROTOCOL_UTF8_H

#include "common/bytes.h"

/** The length of the character that begins the text; 0: it is none, or NUL, or the text is empty. */
size_t smtp_client_utf8_length(struct smtp_span text);
bool smtp_client_utf8_valid(struct smtp_span text);
/** No octet is above 127. */
bool smtp_client_is_ascii(struct smtp_span text);

#endif
