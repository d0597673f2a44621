/* smtp_pool.h - sessions kept open between messages: connecting, TLS and AUTH are paid once for many.
 *
 * Contract
 *   Ownership  Targets, options and credentials are copied where a session needs them, and secrets wiped with
 *              it. A client that was taken is the caller's until it is given back.
 *   Threads    Every function here but _free may be called from any thread; a taken client belongs to one.
 *   Errors     See smtp_status.h.
 *
 * Example
 *     struct smtp_client_pool *pool;
 *     struct smtp_client_target target = {.host = "localhost:1025"};
 *     if (smtp_client_pool_new(&pool, NULL) == SMTP_OK) {
 *         status = smtp_client_pool_send(pool, &target, &envelope, content, NULL, NULL, &error);
 *         smtp_client_pool_free(pool);
 *     }
 */
#ifndef SMTP_POOL_H
#define SMTP_POOL_H

#include "smtp_client.h"

#ifdef __cplusplus
extern "C" {
#endif

struct smtp_client_pool;

struct smtp_client_pool_options {
    size_t sessions; /* 10: open at once for one target; more callers wait */
    size_t
        messages; /* 100: a session brings, then QUIT; 0: any number. LIMITS' MAILMAX where it is less */
    uint64_t age_ms;  /* 300000: a session gets, then QUIT; 0: any */
    uint64_t idle_ms; /* 30000: it may lie unused, then QUIT; 0: for ever. The pool has no thread of
                       * its own: what is overdue is found at its next call */
};
void smtp_client_pool_options_init(struct smtp_client_pool_options *options);

/** Where a session goes. Sessions are shared by all targets that are alike in host, port, TLS policy and trust,
 *  name, and credentials, and in every other option. */
struct smtp_client_target {
    const char *host; /* as smtp_client_connect takes it */
    uint16_t port;
    const struct smtp_client_options *options;         /* NULL: the defaults */
    const struct smtp_client_credentials *credentials; /* NULL: no login */
};

/** options NULL: the defaults. SMTP_OK, SMTP_BAD_ARGUMENT, SMTP_NO_MEMORY. */
enum smtp_status smtp_client_pool_new(struct smtp_client_pool **out,
                                      const struct smtp_client_pool_options *options)
    SMTP_MUST_CHECK;
/** Says QUIT on every session and frees. Every taken client has been given back. NULL: nothing. */
void smtp_client_pool_free(struct smtp_client_pool *pool);

/** One message, over a session that lies there or a new one. Where a session that lay there turns out to be
 *  dead before the final dot (or the last chunk) went out, the message goes once more over a new one, if its
 *  content can be read again: nothing can have been delivered. Otherwise as smtp_client_send, and what
 *  keeps a session from being: as smtp_client_connect, _hello, _auth; then there is no result. Nor is a
 *  session used for a message that its LIMITS keep off, where a new one takes it.
 *  @param sent   NULL, or called with the result (index 0) before the session is given back.
 *  @param error  NULL, or filled in. */
enum smtp_status smtp_client_pool_send(struct smtp_client_pool *pool,
                                       const struct smtp_client_target *target,
                                       const struct smtp_envelope *envelope,
                                       struct smtp_content content, smtp_client_sent *sent,
                                       void *user, struct smtp_error *error) SMTP_MUST_CHECK;

/** A session to use directly: connected, greeted, logged in. Waits where too many are open, at most
 *  options.timeouts.overall_ms of the target. Give it back, whatever became of it. */
enum smtp_status smtp_client_pool_take(struct smtp_client_pool *pool,
                                       const struct smtp_client_target *target,
                                       struct smtp_client **out, struct smtp_error *error)
    SMTP_MUST_CHECK;
/** Back into the pool: an open transaction is dropped (RSET), a session that has ended, is too old or has
 *  brought enough, or is
 *  with another server or another's login by now, is closed. */
void smtp_client_pool_give(struct smtp_client_pool *pool, struct smtp_client *client);

/** Sessions that are open, taken or not. */
size_t smtp_client_pool_count(struct smtp_client_pool *pool);

#ifdef __cplusplus
}
#endif
#endif
