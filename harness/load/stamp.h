/* stamp.h - content that carries its number and a checksum of itself in its first line, so that whoever holds it can say
 * which it is and whether it is whole:
 *     X-Load: 000000000000002a 9c1f06d1a2b7e830
 * The number, and the checksum of all that follows the line, mixed with the number; both in hexadecimal. */
#ifndef SMTP_HARNESS_LOAD_STAMP_H
#define SMTP_HARNESS_LOAD_STAMP_H

#include "common/bytes.h"

#define SMTP_STAMP_LEN (sizeof "X-Load: 0123456789abcdef 0123456789abcdef\r\n" - 1)

/** The checksum of octets, without a number. */
uint64_t smtp_stamp_sum(struct smtp_span octets);
/** Writes the line for content whose rest has that checksum. */
void smtp_stamp_write(char line[SMTP_STAMP_LEN], uint64_t number, uint64_t sum);
/** False: the content has no stamp, or is not what was stamped. */
bool smtp_stamp_read(struct smtp_span content, uint64_t *number);

#endif
