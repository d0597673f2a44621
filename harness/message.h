/* message.h - the view of a captured message from inside the harness; smtp_harness.h has its
 * readers. Knows who owns it; the MIME side is in message.c alone. */
#ifndef SMTP_HARNESS_MESSAGE_H
#define SMTP_HARNESS_MESSAGE_H

#include "common/bytes.h"
#include "harness/smtp_harness.h"

/** A view that takes over the caller's reference; nothing is parsed before something of its header
 *  or parts is asked for. NULL: out of memory, the reference stays the caller's. */
struct smtp_harness_message *smtp_harness_message_new(struct smtp_message *captured);
/** Frees the view and gives the reference back. NULL: nothing. */
void smtp_harness_message_free(struct smtp_harness_message *message);

/** One field of the header: its name as it came; its value unfolded, RFC 2047 words decoded to UTF-8. */
struct smtp_harness_field {
    const char *name, *value;
};
/** The i-th (0-based), the Content- fields behind the others; NULL beyond. */
const struct smtp_harness_field *smtp_harness_field(const struct smtp_harness_message *message,
                                                    size_t i);

#endif
