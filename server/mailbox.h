/* mailbox.h - the mailbox from the server's side; smtp_mailbox.h is the public one. */
#ifndef SMTP_SERVER_MAILBOX_H
#define SMTP_SERVER_MAILBOX_H

#include "server/smtp_mailbox.h"

/** NULL: out of memory. */
struct smtp_mailbox *smtp_mailbox_new(void);
/** Before the first message: it keeps the last so many messages and octets of content, 0 for any number; the newest in any
 *  case. */
void smtp_mailbox_bound(struct smtp_mailbox *mailbox, size_t messages, uint64_t octets);
void smtp_mailbox_free(struct smtp_mailbox *mailbox);

/** Takes over the caller's reference, numbers the message, wakes the waiters. On SMTP_NO_MEMORY the
 *  reference stays the caller's. */
enum smtp_status smtp_mailbox_put(struct smtp_mailbox *mailbox, struct smtp_message *message)
    SMTP_MUST_CHECK;
/** The same in two halves, for a message that must not be refused any more once others have it: a place is taken, which is
 *  SMTP_NO_MEMORY if at all, and then filled or given back. */
enum smtp_status smtp_mailbox_reserve(struct smtp_mailbox *mailbox) SMTP_MUST_CHECK;
void smtp_mailbox_fill(struct smtp_mailbox *mailbox, struct smtp_message *message);
void smtp_mailbox_give_back(struct smtp_mailbox *mailbox);
/** The same as put of a message that is numbered and counted, and not kept: the reference stays the caller's. Of
 *  one mailbox either all messages are kept or none. */
void smtp_mailbox_pass(struct smtp_mailbox *mailbox, struct smtp_message *message);

#endif
