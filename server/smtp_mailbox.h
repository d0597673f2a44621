/* smtp_mailbox.h - the messages a server has captured, and waiting for them without sleeping.
 *
 * Contract
 *   Ownership  A message is immutable and counted: every call that hands one out gives the caller a
 *              reference, to be given back with smtp_message_release. Strings and octets of a
 *              message live as long as the reference. The mailbox belongs to its server.
 *   Threads    Every function here may be called from any thread at any time.
 *   Errors     See smtp_status.h.
 *
 * Example
 *     struct smtp_mailbox *mailbox = smtp_server_mailbox(server);
 *     struct smtp_mailbox_cursor cursor = smtp_mailbox_now(mailbox);
 *     ... something sends ...
 *     struct smtp_message *message;
 *     if (smtp_mailbox_next(mailbox, &cursor, NULL, NULL, 1000, &message) == SMTP_OK) {
 *         puts(smtp_message_reverse_path(message));
 *         smtp_message_release(message);
 *     }
 */
#ifndef SMTP_MAILBOX_H
#define SMTP_MAILBOX_H

#include "smtp_status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One captured message: the envelope as it was given, the content byte for byte after dot removal
 *  (RFC 5321 4.5.2). Nothing is added: no Received, no Return-Path. */
struct smtp_message;

struct smtp_message *smtp_message_retain(struct smtp_message *message); /* returns its argument */
void smtp_message_release(struct smtp_message *message);                /* NULL: nothing */

/** 1 for the first message of a mailbox, then 2, 3, ...; never used again. */
uint64_t smtp_message_number(const struct smtp_message *message);
/** The session it came in: 1 for the first of a server. */
uint64_t smtp_message_session(const struct smtp_message *message);
/** When the content was complete: nanoseconds since 1970-01-01 UTC. */
int64_t smtp_message_received_unix_ns(const struct smtp_message *message);
/** The name given with HELO or EHLO. */
const char *smtp_message_helo(const struct smtp_message *message);
/** The peer's address, like "127.0.0.1:40112" or "unix:". */
const char *smtp_message_peer(const struct smtp_message *message);
/** The protocol type of RFC 3848 and RFC 6531 4.3: "SMTP" after HELO, "ESMTP" after EHLO, "LMTP" after LHLO,
 *  "UTF8SMTP" and "UTF8LMTP" where the transaction used SMTPUTF8; all but the first with "S" behind for
 *  TLS and "A" for AUTH: "ESMTPS", "ESMTPA", "ESMTPSA". */
const char *smtp_message_protocol(const struct smtp_message *message);
/** The TLS version it came over, like "TLSv1.3"; "" without TLS. */
const char *smtp_message_tls(const struct smtp_message *message);
/** Who had logged in with AUTH; "" for nobody. */
const char *smtp_message_identity(const struct smtp_message *message);
/** The reverse-path without its brackets, "" for the null reverse-path. As given: case and quoting
 *  kept, a source route kept. */
const char *smtp_message_reverse_path(const struct smtp_message *message);
/** The parameters of MAIL as given, like "BODY=8BITMIME SIZE=100"; "" for none. */
const char *smtp_message_mail_parameters(const struct smtp_message *message);
size_t smtp_message_recipient_count(const struct smtp_message *message);
/** The forward-path of accepted recipient i (0-based, in order) without its brackets; NULL
 *  beyond. */
const char *smtp_message_forward_path(const struct smtp_message *message, size_t i);
/** The parameters of its RCPT as given; "" for none, NULL beyond. */
const char *smtp_message_rcpt_parameters(const struct smtp_message *message, size_t i);
/** The content, and its length in octets. A NUL octet follows it (not counted). "" and 0 where it was
 *  not kept, since nobody wanted it but by octets on their way (smtp_server.h: streaming). */
const char *smtp_message_content(const struct smtp_message *message, size_t *size_bytes);
/** How many octets of content came, kept or not. */
uint64_t smtp_message_size(const struct smtp_message *message);

struct smtp_mailbox;

/** Says whether a message is the one asked for. Called without any lock held. */
typedef bool smtp_message_predicate(const struct smtp_message *message, void *user);

/** A place in the mailbox: "after message `number`". Plain data; {0} is before the first. */
struct smtp_mailbox_cursor {
    uint64_t number;
};

/** The place after the newest message. */
struct smtp_mailbox_cursor smtp_mailbox_now(const struct smtp_mailbox *mailbox);

/** How many messages have been captured since the start, removed ones counted too, and those that
 *  options.mailbox = SMTP_MAILBOX_DISCARD does not keep: of these nothing else here sees any, and who waits
 *  for one waits until the deadline. */
uint64_t smtp_mailbox_captured(const struct smtp_mailbox *mailbox);
/** How many it holds. */
size_t smtp_mailbox_count(const struct smtp_mailbox *mailbox);

/** The message of that number, with a reference for the caller; NULL when it is not there. */
struct smtp_message *smtp_mailbox_get(const struct smtp_mailbox *mailbox, uint64_t number);

/** Waits until it holds at least `count` messages.
 *  @param timeout_ms  milliseconds; 0 looks once and does not wait.
 *  @return SMTP_OK or SMTP_TIMED_OUT. */
enum smtp_status smtp_mailbox_wait(struct smtp_mailbox *mailbox, size_t count, uint64_t timeout_ms)
    SMTP_MUST_CHECK;

/** Waits for the next message after the cursor that the predicate (NULL: any) says yes to. The
 *  cursor moves past every message that was looked at, so each is looked at once.
 *  @param out  the message, with a reference for the caller; NULL unless SMTP_OK.
 *  @return SMTP_OK or SMTP_TIMED_OUT; SMTP_LIMIT_EXCEEDED: messages after the cursor had to give way to later ones
 *          (options.mailbox = SMTP_MAILBOX_RING). The cursor is past those now; the next call goes on. */
enum smtp_status smtp_mailbox_next(struct smtp_mailbox *mailbox, struct smtp_mailbox_cursor *cursor,
                                   smtp_message_predicate *predicate, void *user,
                                   uint64_t timeout_ms, struct smtp_message **out) SMTP_MUST_CHECK;

/** Asserts silence: SMTP_OK when no message after the cursor that the predicate says yes to came
 *  within timeout_ms, SMTP_NOT_AS_EXPECTED as soon as one came, SMTP_LIMIT_EXCEEDED as above: nobody knows. The
 *  cursor moves as in smtp_mailbox_next. */
enum smtp_status smtp_mailbox_none(struct smtp_mailbox *mailbox, struct smtp_mailbox_cursor *cursor,
                                   smtp_message_predicate *predicate, void *user,
                                   uint64_t timeout_ms) SMTP_MUST_CHECK;

/** Removes every message it holds. Numbers go on; references that others hold stay good. */
void smtp_mailbox_clear(struct smtp_mailbox *mailbox);

#ifdef __cplusplus
}
#endif
#endif
