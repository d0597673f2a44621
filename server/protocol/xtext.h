/* xtext.h - the encodings of values in parameters: xtext (RFC 3461 4), and what RFC 6533 3 has for
 * addresses in UTF-8. */
#ifndef SMTP_SERVER_PROTOCOL_XTEXT_H
#define SMTP_SERVER_PROTOCOL_XTEXT_H

#include "common/bytes.h"

/** Whether it is xtext, of one octet or more, that stands for printable ASCII and spaces: control
 *  octets have no place in an address or an identifier, however they are written. */
bool smtp_is_xtext(struct smtp_span text);
/** Decodes xtext that stands for anything but control octets. False: it is none, or needs more than
 *  `size` octets with its NUL. */
bool smtp_xtext_decode(struct smtp_span text, char *out, size_t size);
/** Whether it is utf-8-addr-xtext or, with characters above U+007F as they are, utf-8-addr-unitext. */
bool smtp_is_utf8_address(struct smtp_span text);

#endif
