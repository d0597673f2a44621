/* utf8.h - well-formed UTF-8 (RFC 3629 4): no over-long form, no surrogate, nothing above U+10FFFF. */
#ifndef SMTP_COMMON_UTF8_H
#define SMTP_COMMON_UTF8_H

#include "common/bytes.h"

/** How many octets the character above U+007F has that the text starts with; 0: it starts with none,
 *  or with an ill-formed one. */
size_t smtp_utf8_sequence(struct smtp_span text);
/** The same of any character, ASCII too, which has one octet. */
size_t smtp_utf8_character(struct smtp_span text);
/** Whether an octet is above 127. */
bool smtp_has_eight_bit(struct smtp_span text);
/** Whether all of it is UTF-8, ASCII included. */
bool smtp_is_utf8(struct smtp_span text);

#endif
