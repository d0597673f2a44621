/* message.h - how a captured message lies in memory: one block, header, envelope and content, so
 * that one allocation and one free serve it. Written by the session while it comes in; constant
 * after. */
#ifndef SMTP_SERVER_MESSAGE_H
#define SMTP_SERVER_MESSAGE_H

#include "common/bytes.h"
#include "server/smtp_mailbox.h"

/** The envelope of an open transaction, in the form in which it goes into the message. Kept by the
 *  session from transaction to transaction, so that its storage is allocated once. */
struct smtp_message_envelope {
    struct smtp_buffer
        texts; /* "reverse-path\0parameters\0" then "forward-path\0parameters\0" each */
    struct smtp_buffer places; /* uint32_t a recipient: where its forward-path starts in texts */
    size_t recipient_count;
};

/** What a message says of its session; copied. */
struct smtp_message_origin {
    uint64_t session;
    const char *helo;
    const char *peer;
    const char *protocol;
    const char *tls;      /* version, "" without */
    const char *identity; /* "" for nobody */
};

/** A message with the envelope copied in and room for content_capacity octets of content. One
 *  reference. NULL: out of memory. */
struct smtp_message *smtp_message_new(const struct smtp_message_envelope *envelope,
                                      const struct smtp_message_origin *origin,
                                      size_t content_capacity);
/** Appends content; may move the message (*message changes). False: out of memory, nothing
 *  changed. */
bool smtp_message_append(struct smtp_message **message, const char *bytes, size_t len);
/** Counts content that is not kept. For a message that keeps none of it. */
void smtp_message_omit(struct smtp_message *message, size_t len);
/** No more content: gives back what room is left over. May move the message. */
void smtp_message_finish(struct smtp_message **message);
/** The driver's part: when its content was complete, once, before anybody else sees it. */
void smtp_message_set_received(struct smtp_message *message, int64_t unix_ns);
/** The mailbox's part: its number, once. */
void smtp_message_set_number(struct smtp_message *message, uint64_t number);

#endif
