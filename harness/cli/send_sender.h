/* send_sender.h - who sends where nobody says so, as sendmail has it: the user at this host. Nothing is looked
 * up in the DNS. */
#ifndef SMTP_HARNESS_CLI_SEND_SENDER_H
#define SMTP_HARNESS_CLI_SEND_SENDER_H

#include <stdbool.h>

/** "ann@host", owned; NULL: out of memory. */
char *smtp_send_sender(void);
/** An address without a domain gets this host's, but for "postmaster" (RFC 5321 2.3.5). Owned; NULL: out of
 *  memory. */
char *smtp_send_qualify(const char *address);
/** The fields that a message must have (RFC 5322 3.6) and does not: with CRLF, owned, "" for none; NULL: out of
 *  memory. */
char *smtp_send_missing_fields(bool from, bool date, bool message_id, const char *full_name,
                               const char *address);

#endif
