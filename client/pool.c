/* pool.c - sessions kept open between messages (smtp_pool.h). Knows: which are alike, how long each may
 * be used, who waits for one. The lock is held for looking through the list alone, never while something
 * is said. Does not know: what is said (smtp_client.c); what makes two targets alike (target.c). */
#include "client/client.h"
#include "client/smtp_pool.h"
#include "client/target.h"
#include "common/clock.h"
#include "common/error.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define GOODBYE_MS UINT64_C(1000) /* for all replies to QUIT that are waited for in a row */

struct pooled {
    struct pooled *next; /* under lock */
    struct smtp_client *client;
    struct smtp_client_kept_target kept;
    bool taken; /* under lock: by a caller, or while it is opened or closed */
    uint64_t opened_ns;
    uint64_t freed_ns;
    uint64_t connection; /* of its client's, the one that the pool made */
};

struct smtp_client_pool {
    struct smtp_client_pool_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;  /* broadcast under lock when a session is free, or gone */
    struct pooled *sessions; /* under lock; the newest first */
};

void smtp_client_pool_options_init(struct smtp_client_pool_options *options)
{
    *options = (struct smtp_client_pool_options){
        .sessions = 10, .messages = 100, .age_ms = 300000, .idle_ms = 30000};
}

static bool init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) {
        return false;
    }
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(condition, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return made;
}

enum smtp_status smtp_client_pool_new(struct smtp_client_pool **out,
                                      const struct smtp_client_pool_options *options)
{
    *out = NULL;
    struct smtp_client_pool_options defaults;
    smtp_client_pool_options_init(&defaults);
    if (options != NULL && options->sessions == 0) {
        return SMTP_BAD_ARGUMENT;
    }
    struct smtp_client_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return SMTP_NO_MEMORY;
    }
    pool->options = options != NULL ? *options : defaults;
    if (pthread_mutex_init(&pool->lock, NULL) != 0) {
        free(pool);
        return SMTP_NO_MEMORY;
    }
    if (!init_condition(&pool->changed)) {
        pthread_mutex_destroy(&pool->lock);
        free(pool);
        return SMTP_NO_MEMORY;
    }
    *out = pool;
    return SMTP_OK;
}

/* ---- one session ---- */

static void pooled_free(struct pooled *session)
{
    smtp_client_free(session->client);
    smtp_client_target_clear(&session->kept);
    free(session);
}

/* One that is not connected yet. */
static enum smtp_status pooled_new(struct pooled **out, const struct smtp_client_target *target,
                                   struct smtp_error *error)
{
    struct pooled *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for a session");
    }
    enum smtp_status status = smtp_client_target_keep(&session->kept, target)
                                  ? smtp_client_new(&session->client, target->options)
                                  : SMTP_NO_MEMORY;
    if (status != SMTP_OK) {
        pooled_free(session);
        return smtp_error_set(error, status, 0, "no client can be made of the target's options: %s",
                              smtp_status_text(status));
    }
    session->taken = true;
    *out = session;
    return SMTP_OK;
}

static enum smtp_status pooled_open(struct pooled *session, struct smtp_error *error)
{
    struct smtp_client *client = session->client;
    const struct smtp_client_target *target = &session->kept.target;
    session->opened_ns = smtp_clock_now_ns();
    enum smtp_status status = smtp_client_connect(client, target->host, target->port);
    session->connection = client->connections;
    if (status == SMTP_OK) {
        status = target->credentials != NULL ? smtp_client_auth(client, target->credentials)
                                             : smtp_client_hello(client);
    }
    if (status != SMTP_OK) {
        *error = client->error;
    }
    return status;
}

/* Whether it lay unused for too long. */
static bool is_stale(const struct smtp_client_pool *pool, const struct pooled *session,
                     uint64_t now_ns)
{
    return smtp_deadline_after(session->freed_ns, pool->options.idle_ms) <= now_ns;
}

/* Whether it is too old, or has brought as much as it may: for another message it is of no use. Of the time
 * that a whole connection has, half must be left. */
static bool is_used_up(const struct smtp_client_pool *pool, const struct pooled *session,
                       uint64_t now_ns)
{
    const struct smtp_client *client = session->client;
    uint64_t brought = smtp_client_session_mail_count(client->session);
    uint64_t overall_ms = client->options.timeouts.overall_ms;
    return (pool->options.messages > 0 && brought >= pool->options.messages) ||
           smtp_client_limits_mails_left(client) == 0 ||
           smtp_deadline_after(session->opened_ns, pool->options.age_ms) <= now_ns ||
           smtp_deadline_after(session->opened_ns, overall_ms / 2) <= now_ns;
}

/* ---- the list ---- */

/* Says QUIT where somebody hears it, and forgets the session. It is taken, so that nobody else has it. */
static void drop(struct smtp_client_pool *pool, struct pooled *session, uint64_t deadline_ns)
{
    struct smtp_client_timeouts *timeouts = &session->client->options.timeouts;
    uint64_t now_ns = smtp_clock_now_ns();
    uint64_t left_ms = now_ns < deadline_ns ? (deadline_ns - now_ns) / SMTP_NS_PER_MS : 0;
    if (smtp_client_is_connected(session->client)) {
        bool short_of_time = timeouts->quit_ms == 0 || timeouts->quit_ms > left_ms;
        timeouts->quit_ms = short_of_time ? left_ms + 1 : timeouts->quit_ms;
        (void)smtp_client_quit(session->client);
    }
    pthread_mutex_lock(&pool->lock);
    struct pooled **at = &pool->sessions;
    while (*at != session) {
        at = &(*at)->next;
    }
    *at = session->next;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    pooled_free(session);
}

static void drop_one(struct smtp_client_pool *pool, struct pooled *session)
{
    drop(pool, session, smtp_deadline_after(smtp_clock_now_ns(), GOODBYE_MS));
}

/* Takes one that lies there and is of no use any more. */
static struct pooled *take_stale(struct smtp_client_pool *pool)
{
    uint64_t now_ns = smtp_clock_now_ns();
    pthread_mutex_lock(&pool->lock);
    struct pooled *session = pool->sessions;
    while (session != NULL && (session->taken || !(is_stale(pool, session, now_ns) ||
                                                   is_used_up(pool, session, now_ns)))) {
        session = session->next;
    }
    if (session != NULL) {
        session->taken = true;
    }
    pthread_mutex_unlock(&pool->lock);
    return session;
}

static void drop_stale(struct smtp_client_pool *pool)
{
    struct pooled *session;
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), GOODBYE_MS);
    while ((session = take_stale(pool)) != NULL) {
        drop(pool, session, deadline_ns);
    }
}

/* Under lock: one that lies there for this target, or NULL; full: and there is no room for another. reuse
 * false: one that lies there only where that is so, for its place. */
static struct pooled *find(const struct smtp_client_pool *pool,
                           const struct smtp_client_target *target, bool reuse, bool *full)
{
    struct pooled *found = NULL;
    size_t open = 0;
    for (struct pooled *session = pool->sessions; session != NULL; session = session->next) {
        if (smtp_client_target_alike(&session->kept.target, target)) {
            open++;
            found = found == NULL && !session->taken ? session : found;
        }
    }
    *full = open >= pool->options.sessions;
    return reuse || *full ? found : NULL;
}

/* Under lock: false when the deadline has passed. */
static bool wait_for_change(struct smtp_client_pool *pool, uint64_t deadline_ns)
{
    if (deadline_ns == SMTP_NEVER) {
        return pthread_cond_wait(&pool->changed, &pool->lock) == 0;
    }
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000),
                             .tv_nsec = (long)(deadline_ns % 1000000000)};
    return pthread_cond_timedwait(&pool->changed, &pool->lock, &until) == 0;
}

/* One that lies there, or a place for a new one, not connected yet. Waits where there is neither. */
static enum smtp_status reserve(struct smtp_client_pool *pool,
                                const struct smtp_client_target *target, bool reuse,
                                struct pooled **out, struct smtp_error *error)
{
    uint64_t deadline_ns =
        smtp_deadline_after(smtp_clock_now_ns(), target->options->timeouts.overall_ms);
    enum smtp_status status = SMTP_OK;
    bool full = false, in_time = true;
    pthread_mutex_lock(&pool->lock);
    struct pooled *session = find(pool, target, reuse, &full);
    while (session == NULL && full && in_time) {
        in_time = wait_for_change(pool, deadline_ns);
        session = find(pool, target, reuse, &full);
    }
    if (session != NULL) {
        session->taken = true;
    } else if (full) {
        status = smtp_error_set(error, SMTP_TIMED_OUT, 0,
                                "all %zu sessions of the pool were in use until the overall "
                                "deadline",
                                pool->options.sessions);
    } else if ((status = pooled_new(&session, target, error)) == SMTP_OK && session != NULL) {
        session->next = pool->sessions;
        pool->sessions = session;
    }
    pthread_mutex_unlock(&pool->lock);
    *out = session;
    return status;
}

/* ---- taking and giving ---- */

/* A session that can be used. lay_there: it need not be a new one; set to whether it was not. */
static enum smtp_status take(struct smtp_client_pool *pool, const struct smtp_client_target *target,
                             struct pooled **out, bool *lay_there, struct smtp_error *error)
{
    for (;;) {
        struct pooled *session = NULL;
        enum smtp_status status = reserve(pool, target, *lay_there, &session, error);
        if (status != SMTP_OK) {
            return status;
        }
        bool is_new = !smtp_client_is_connected(session->client);
        if (is_new) {
            status = pooled_open(session, error);
        } else if (!*lay_there) {
            status = SMTP_CLOSED; /* its place is wanted, not the session */
        } else {                  /* 421 may have come meanwhile, or the end */
            status = smtp_client_connection_check(session->client);
        }
        if (status == SMTP_OK) {
            *lay_there = !is_new;
            *out = session;
            return SMTP_OK;
        }
        drop_one(pool, session);
        if (is_new) {
            return status;
        }
    }
}

static bool is_complete(const struct smtp_client_target *target, struct smtp_error *error)
{
    if (target->host != NULL) {
        return true;
    }
    (void)smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "the target's host is NULL");
    return false;
}

/* The target with options in any case. */
static struct smtp_client_target filled_in(const struct smtp_client_target *target,
                                           struct smtp_client_options *defaults)
{
    struct smtp_client_target filled = *target;
    smtp_client_options_init(defaults);
    filled.options = filled.options != NULL ? filled.options : defaults;
    return filled;
}

enum smtp_status smtp_client_pool_take(struct smtp_client_pool *pool,
                                       const struct smtp_client_target *target,
                                       struct smtp_client **out, struct smtp_error *error)
{
    struct smtp_error unasked = {.status = SMTP_OK};
    struct smtp_client_options defaults;
    struct smtp_client_target wanted = filled_in(target, &defaults);
    struct pooled *session = NULL;
    bool lay_there = true;
    *out = NULL;
    error = error != NULL ? error : &unasked;
    if (!is_complete(&wanted, error)) {
        return error->status;
    }
    drop_stale(pool);
    enum smtp_status status = take(pool, &wanted, &session, &lay_there, error);
    *out = status == SMTP_OK ? session->client : NULL;
    return status;
}

/* Whether it is with the server that its target names, and to that one who the target says: a caller may
 * have connected elsewhere, logged in, or said XCLIENT. */
static bool is_itself(const struct pooled *session)
{
    bool logged_in = session->kept.target.credentials != NULL;
    return session->client->connections == session->connection && !session->client->as_another &&
           smtp_client_is_authenticated(session->client) == logged_in;
}

static void give(struct smtp_client_pool *pool, struct pooled *session)
{
    struct smtp_client *client = session->client;
    uint64_t now_ns = smtp_clock_now_ns();
    bool usable = smtp_client_is_connected(client) && is_itself(session) &&
                  !is_used_up(pool, session, now_ns);
    bool open = smtp_client_session_may_be_open(client->session);
    if (!usable || (open && smtp_client_rset(client) != SMTP_OK)) {
        drop_one(pool, session);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    session->freed_ns = now_ns;
    session->taken = false;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

void smtp_client_pool_give(struct smtp_client_pool *pool, struct smtp_client *client)
{
    pthread_mutex_lock(&pool->lock);
    struct pooled *session = pool->sessions;
    while (session != NULL && session->client != client) {
        session = session->next;
    }
    pthread_mutex_unlock(&pool->lock);
    if (session != NULL) {
        give(pool, session);
        drop_stale(pool);
    }
}

void smtp_client_pool_free(struct smtp_client_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), GOODBYE_MS);
    while (pool->sessions != NULL) {
        drop(pool, pool->sessions, deadline_ns);
    }
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

size_t smtp_client_pool_count(struct smtp_client_pool *pool)
{
    size_t count = 0;
    pthread_mutex_lock(&pool->lock);
    for (const struct pooled *session = pool->sessions; session != NULL; session = session->next) {
        count++;
    }
    pthread_mutex_unlock(&pool->lock);
    return count;
}

/* ---- one message ---- */

/* Whether nothing of the message can have been delivered, and a new session may do better. */
static bool died_early(const struct smtp_client *client, const struct smtp_send_result *result)
{
    for (size_t i = 0; i < result->recipient_count; i++) {
        if (result->recipients[i].stage == SMTP_STAGE_DOT) {
            return false;
        }
    }
    bool said_goodbye = result->status == SMTP_REFUSED_TRANSIENT && result->final_reply.code == 421;
    return result->status == SMTP_LIMIT_EXCEEDED ||
           (!smtp_client_is_connected(client) && (result->status == SMTP_CLOSED || said_goodbye));
}

enum smtp_status smtp_client_pool_send(struct smtp_client_pool *pool,
                                       const struct smtp_client_target *target,
                                       const struct smtp_envelope *envelope,
                                       struct smtp_content content, smtp_client_sent *sent,
                                       void *user, struct smtp_error *error)
{
    struct smtp_error unasked = {.status = SMTP_OK};
    struct smtp_client_options defaults;
    struct smtp_client_target wanted = filled_in(target, &defaults);
    struct pooled *session = NULL;
    bool lay_there = true;
    off_t position = smtp_client_content_position(&content);
    error = error != NULL ? error : &unasked;
    *error = (struct smtp_error){0};
    if (!is_complete(&wanted, error)) {
        return error->status;
    }
    drop_stale(pool);
    for (;;) {
        enum smtp_status status = take(pool, &wanted, &session, &lay_there, error);
        if (status != SMTP_OK) {
            return status;
        }
        const struct smtp_send_result *result = NULL;
        status = smtp_client_send(session->client, envelope, content, &result);
        bool again = lay_there && died_early(session->client, result) && position >= 0 &&
                     smtp_client_content_return(&content, position, error) == SMTP_OK;
        if (!again && sent != NULL) {
            sent(user, 0, result);
        }
        *error = status != SMTP_OK ? session->client->error : (struct smtp_error){0};
        give(pool, session);
        if (!again) {
            return status;
        }
        lay_there = false;
    }
}
