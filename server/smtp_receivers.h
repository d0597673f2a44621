/* smtp_receivers.h - ready-made receivers of messages, each a hook table for options.receivers of a
 * server (smtp_server.h). Several at once are a tee: each gets every message, in their order, and the first
 * that refuses refuses it; those before it have it then, so the one most likely to refuse comes first.
 * A sink needs none: options.mailbox = SMTP_MAILBOX_DISCARD. The relay, which needs the client, is in
 * smtp_relay.h.
 *
 * Contract
 *   Ownership  smtp_server_new takes the table over where it succeeds, and releases it when the server is
 *              freed; otherwise the caller gives it back with `out->release(out->user)`.
 *   Threads    A table may serve one server.
 *   Errors     See smtp_status.h. What goes wrong with a message is its reply: 452 4.3.1 where the disk is
 *              full, 451 4.3.0 where it cannot be written; nothing of the message is left then.
 *
 * Example
 *     struct smtp_server_hooks maildir;
 *     if (smtp_receiver_maildir(&maildir, &(struct smtp_maildir){.path = "Mail"}, &error) == SMTP_OK) {
 *         options.receivers = &maildir;
 *         options.receiver_count = 1;
 *         options.mailbox = SMTP_MAILBOX_DISCARD;
 *     }
 */
#ifndef SMTP_RECEIVERS_H
#define SMTP_RECEIVERS_H

#include "smtp_server.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Prints each message, envelope and content, between two lines, whole: messages that come at once are not
 *  mixed. file: borrowed until the release; not closed. */
enum smtp_status smtp_receiver_print(struct smtp_server_hooks *out, FILE *file,
                                     struct smtp_error *error) SMTP_MUST_CHECK;

/** Appends each message to an mbox file (RFC 4155, in the "mboxrd" form: a line of content that begins
 *  with "From ", with any number of ">" before it, gets one more), under a lock of the file (fcntl) and
 *  whole or not at all. Line ends are LF. Return-Path and Received come first (RFC 5321 4.4).
 *  SMTP_BAD_ARGUMENT: the file cannot be opened. */
enum smtp_status smtp_receiver_mbox(struct smtp_server_hooks *out, const char *path,
                                    struct smtp_error *error) SMTP_MUST_CHECK;

struct smtp_maildir {
    const char *path; /* made where it is not there, with its tmp, new and cur */
    /** 250 only when message and directory are on the disk (fsync): a message that was accepted outlives a
     *  crash of the machine. Without it: of this process. */
    bool durable;
};

/** Delivers each message into a Maildir, one file for all its recipients: written in tmp as it comes in, in
 *  constant memory, and moved to new when it is whole. Line ends are LF. Return-Path, Delivered-To where
 *  there is one recipient (RFC 5321 7.2) and Received come first (RFC 5321 4.4). SMTP_BAD_ARGUMENT: the directory cannot be made or
 *  written. */
enum smtp_status smtp_receiver_maildir(struct smtp_server_hooks *out,
                                       const struct smtp_maildir *maildir, struct smtp_error *error)
    SMTP_MUST_CHECK;

/** The trace field of a message, for whoever hands it on (RFC 5321 4.4), folded, with its last CRLF:
 *      Received: from client.example ([192.0.2.1]) by server.example with ESMTPS
 *       id 12 for <bob@example.com>; Wed, 25 Nov 2026 17:00:00 +0000
 *  by: the name of this server. unix_s: when it was received, 1900 to 9999. "for" only where there is one
 *  recipient. "id session-7" where the message has no number yet.
 *  Returns its length, which is less than size, or 0 where there is no room (SMTP_RECEIVED_MAX is enough). */
#define SMTP_RECEIVED_MAX 2048
size_t smtp_message_write_received(const struct smtp_message *message, const char *by,
                                   int64_t unix_s, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
