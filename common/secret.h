/* secret.h - octets that must not be seen: comparing, wiping, and the base64 they travel in. Knows no
 * protocol. Thread-safe. */
#ifndef SMTP_COMMON_SECRET_H
#define SMTP_COMMON_SECRET_H

#include "common/bytes.h"

/** Overwrites; the compiler does not leave it out. NULL: nothing. */
void smtp_secret_wipe(void *bytes, size_t len);
/** Wipes a text of the heap and frees it. NULL: nothing. */
void smtp_secret_free(char *text);
/** Frees a buffer's storage, wiped over its whole capacity. */
void smtp_secret_free_buffer(struct smtp_buffer *buffer);
/** Whether they are equal; the time tells the length of `given` and nothing else. */
bool smtp_secret_equal(struct smtp_span known, struct smtp_span given);

/** Appends the base64 form (RFC 4648 4), with padding, in one line. */
enum smtp_status smtp_base64_append(struct smtp_buffer *out, struct smtp_span octets)
    SMTP_MUST_CHECK;
/** Appends the octets. SMTP_BAD_ARGUMENT, and nothing appended: an octet outside the alphabet, padding
 *  missing or inside, bits left over that are not 0 (RFC 4648 3.5). An empty text is no octets. */
enum smtp_status smtp_base64_decode(struct smtp_buffer *out, struct smtp_span text) SMTP_MUST_CHECK;

#endif
