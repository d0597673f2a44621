/* xtext.h - the encoding of RFC 3461 4, in which a parameter's value can be any text. */
#ifndef SMTP_CLIENT_PROTOCOL_XTEXT_H
#define SMTP_CLIENT_PROTOCOL_XTEXT_H

#include "common/bytes.h"

/** Appends printable ASCII as xtext, hexadecimal digits upper case. what: names the text in a message.
 *  SMTP_UNSAFE_ARGUMENT: a control octet; SMTP_BAD_ARGUMENT: one above 127; SMTP_NO_MEMORY. */
enum smtp_status smtp_client_xtext_append(struct smtp_buffer *out, struct smtp_span text,
                                          const char *what, struct smtp_error *error)
    SMTP_MUST_CHECK;
/** The same with octets that were checked before, whatever they are. */
enum smtp_status smtp_client_xtext_append_octets(struct smtp_buffer *out, struct smtp_span octets,
                                                 struct smtp_error *error) SMTP_MUST_CHECK;

#endif
