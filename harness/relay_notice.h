/* relay_notice.h - what a relay tells the sender of a message that went on to a server without DSN, where success
 * was to be told (RFC 3461 5.2.2, RFC 3464). */
#ifndef SMTP_HARNESS_RELAY_NOTICE_H
#define SMTP_HARNESS_RELAY_NOTICE_H

#include "client/smtp_client.h"
#include "server/smtp_server.h"

/** Sends a notification with action "relayed" to the message's reverse-path by the same session, which has just
 *  accepted the message; not where the next server offers DSN, where nobody asked for success to be told, and to
 *  the null reverse-path. That it cannot be sent changes nothing of the message. */
void smtp_relay_notify(struct smtp_client *client, const char *hostname,
                       const struct smtp_message *message);

#endif
