/* idn.h - internationalised domain names (RFC 5890, RFC 5891): U-labels to A-labels. */
#ifndef SMTP_CLIENT_PROTOCOL_IDN_H
#define SMTP_CLIENT_PROTOCOL_IDN_H

#include "common/bytes.h"

/** Appends the domain with an A-label in place of each label that is not ASCII (IDNA2008, nontransitional
 *  mapping: upper case is folded). ASCII labels are copied and not looked at.
 *  @return SMTP_OK; SMTP_BAD_ARGUMENT names the label that is none; SMTP_NO_MEMORY, SMTP_LIMIT_EXCEEDED
 *          of the buffer. */
enum smtp_status smtp_client_idn_append(struct smtp_buffer *out, struct smtp_span domain,
                                        struct smtp_error *error) SMTP_MUST_CHECK;
/** The same into text of `size` octets, NUL-terminated. */
enum smtp_status smtp_client_idn_copy(char *text, size_t size, const char *domain,
                                      struct smtp_error *error) SMTP_MUST_CHECK;

#endif
