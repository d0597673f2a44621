/* smtp_bulk.h - many sessions with one server at once, on the caller's thread: a loop that connects, says hello, logs in
 * and sends, as fast as both ends can, or as messages fall due.
 *
 * Contract
 *   Ownership  Target and options are copied. A message is borrowed from `next` to its `sent`.
 *   Threads    A bulk belongs to one thread; smtp_bulk_stop and _cut may be called from any, and from a signal handler. The
 *              hooks are called on the thread of smtp_bulk_run.
 *   Errors     See smtp_status.h. A refused message is its result; a session that ends before its time is told to `lost`,
 *              and another takes its place.
 *
 * Example
 *     struct smtp_bulk *bulk;
 *     struct smtp_client_target target = {.host = "localhost:1025"};
 *     struct smtp_bulk_options options = {.sessions = 20, .in_flight = 1};
 *     struct smtp_bulk_hooks hooks = {.next = next, .sent = sent, .user = &mine};
 *     if (smtp_bulk_new(&bulk, &target, &options, &hooks, &error) == SMTP_OK) {
 *         status = smtp_bulk_run(bulk, &error);
 *         smtp_bulk_free(bulk);
 *     }
 */
#ifndef SMTP_BULK_H
#define SMTP_BULK_H

#include "smtp_pool.h"

#ifdef __cplusplus
extern "C" {
#endif

struct smtp_bulk;

#define SMTP_BULK_IN_FLIGHT_MAX 64

struct smtp_bulk_options {
    size_t sessions; /* 1 or more: open at once */
    size_t
        in_flight; /* 1..SMTP_BULK_IN_FLIGHT_MAX: messages on their way in one session; more than 1 takes PIPELINING */
    uint64_t
        session_messages; /* a session brings, then QUIT and a new one; 0: any number. LIMITS' MAILMAX counts too */
    unsigned
        tries; /* connections in a row that bring no message, before a session is given up; 0: 3 */
};

/** A message in one of the bulk's places. */
struct smtp_bulk_message {
    size_t
        place; /* 0 .. sessions * in_flight - 1: no two messages at once have the same; set by the bulk */
    uint64_t due_ns; /* of the monotonic clock, with SMTP_BULK_LATER */
    struct smtp_outgoing outgoing;
};

enum smtp_bulk_more {
    SMTP_BULK_MESSAGE, /* it is filled in */
    SMTP_BULK_LATER,   /* none is due before due_ns: it is asked for again then, and not before */
    SMTP_BULK_NONE,    /* there is none any more: sessions end as they become idle */
};

struct smtp_bulk_hooks {
    /** The next message, whoever sends it. */
    enum smtp_bulk_more (*next)(void *user, struct smtp_bulk_message *message);
    /** What became of it; the result lives until it returns. */
    void (*sent)(void *user, size_t place, const struct smtp_send_result *result);
    /** How long something took: CONNECT, GREETING, EHLO, HELO, STARTTLS (command and handshake, or a handshake alone),
     *  AUTH (the exchange), MAIL, RCPT, DATA, CONTENT (a chunk), DOT, RSET, QUIT. NULL: nobody wants to know. */
    void (*timed)(void *user, enum smtp_client_stage stage, uint64_t elapsed_ns);
    /** A session ended where QUIT was not said, or never came to be. NULL: nobody wants to know. */
    void (*lost)(void *user, enum smtp_client_stage stage, const struct smtp_error *error);
    void *user;
};

/** @return SMTP_OK, SMTP_BAD_ARGUMENT, SMTP_UNSAFE_ARGUMENT (what smtp_client_new, smtp_client_connect and smtp_client_auth
 *          find wrong with options, credentials and authorities), SMTP_TLS_FAILED (those of the system cannot be read),
 *          SMTP_NO_MEMORY. */
enum smtp_status smtp_bulk_new(struct smtp_bulk **out, const struct smtp_client_target *target,
                               const struct smtp_bulk_options *options,
                               const struct smtp_bulk_hooks *hooks, struct smtp_error *error)
    SMTP_MUST_CHECK;
/** Until there are no more messages and each session has ended. The first connection tries each address of the host, all
 *  others go where it went. Once.
 *  @return SMTP_OK, whatever became of messages; what kept the first connection from being; what ended the last session
 *          where all were given up. */
enum smtp_status smtp_bulk_run(struct smtp_bulk *bulk, struct smtp_error *error) SMTP_MUST_CHECK;
/** As if `next` had no more. */
void smtp_bulk_stop(struct smtp_bulk *bulk);
/** The same, and nothing is waited for any more: each session ends without QUIT, and what was on its way has
 *  SMTP_TIMED_OUT for its result, or behind its content SMTP_DELIVERY_UNKNOWN. */
void smtp_bulk_cut(struct smtp_bulk *bulk);
/** NULL: nothing. */
void smtp_bulk_free(struct smtp_bulk *bulk);

#ifdef __cplusplus
}
#endif
#endif
