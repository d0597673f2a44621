/* path.h - paths and domains as they go into a command (RFC 5321 4.1.2, 4.1.3, 4.5.3.1). */
#ifndef SMTP_CLIENT_PROTOCOL_PATH_H
#define SMTP_CLIENT_PROTOCOL_PATH_H

#include "common/bytes.h"

#define SMTP_CLIENT_LOCAL_PART_MAX 64 /* RFC 5321 4.5.3.1.1 */
#define SMTP_CLIENT_DOMAIN_MAX 255    /* 4.5.3.1.2 */
#define SMTP_CLIENT_LABEL_MAX 63      /* RFC 1035 2.3.4 */
#define SMTP_CLIENT_PATH_MAX 256      /* 4.5.3.1.3, brackets counted */

/** Appends "<local-part@domain>", the local part quoted as little as it needs. text: an addr-spec
 *  without brackets, in UTF-8; forward also allows "postmaster" alone, otherwise "" is the null
 *  reverse-path. smtputf8: it goes as it is (RFC 6531 3.3); else a domain goes as its A-labels, and a
 *  local part that is not ASCII is SMTP_UNSUPPORTED. On failure nothing that was appended is of use.
 *  SMTP_BAD_ARGUMENT, SMTP_UNSAFE_ARGUMENT, SMTP_NO_MEMORY. */
enum smtp_status smtp_client_path_append(struct smtp_buffer *out, const char *text, bool forward,
                                         bool smtputf8, struct smtp_error *error) SMTP_MUST_CHECK;

/** Whether it is a domain of letters, digits and hyphens, or an address literal in brackets. */
bool smtp_client_domain_valid(struct smtp_span domain);

#endif
