/* address_list.h - the addresses in a header field's body (RFC 5322 3.4). */
#ifndef SMTP_CLIENT_ADDRESS_LIST_H
#define SMTP_CLIENT_ADDRESS_LIST_H

#include "common/bytes.h"

#define SMTP_CLIENT_COMMENT_DEPTH_MAX 100 /* nesting; real comments have one or two levels */

/** Appends each addr-spec of an address-list to texts, each with a NUL behind it, and adds their
 *  number to *count. Display names, comments, folding, groups and source routes are left out. What
 *  a
 *  mailbox may hold is not checked here (protocol/path.h does). SMTP_BAD_ARGUMENT,
 *  SMTP_UNSAFE_ARGUMENT, SMTP_NO_MEMORY. */
enum smtp_status smtp_client_address_list_read(struct smtp_span body, struct smtp_buffer *texts,
                                               size_t *count, struct smtp_error *error)
    SMTP_MUST_CHECK;

#endif
