/* mailbox.c - see smtp_mailbox.h and mailbox.h.
 * Knows: messages in the order of their numbers, how many may be kept, and who waits. The only place where the server's
 * threads and the user's meet, so the lock is held for a few stores, never for a predicate or a
 * free. Does not know: sessions, what is in a message. */
#include "server/mailbox.h"

#include "common/clock.h"
#include "server/message.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_CAPACITY 64

struct smtp_mailbox {
    pthread_mutex_t lock;
    pthread_cond_t came;            /* signalled under lock when a message came and waiters > 0 */
    struct smtp_message **messages; /* under lock; a ring of capacity, a power of two, or 0 */
    size_t head;                    /* under lock: where the first of them is */
    size_t count;                   /* under lock */
    size_t capacity;                /* under lock */
    size_t reserved;                /* under lock: places of the ring that are promised */
    uint64_t first;                 /* under lock: the number of the first, also when count is 0 */
    uint64_t
        dropped; /* under lock: the number of the last that had to give way to others; 0: none */
    uint64_t octets; /* under lock: of content, of all of them */
    size_t waiters;  /* under lock */
    /* fixed before the first message; 0: none */
    size_t message_max;
    uint64_t octet_max;
};

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

struct smtp_mailbox *smtp_mailbox_new(void)
{
    struct smtp_mailbox *mailbox = calloc(1, sizeof *mailbox);
    if (mailbox == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&mailbox->lock, NULL) != 0) {
        free(mailbox);
        return NULL;
    }
    if (!init_condition(&mailbox->came)) {
        pthread_mutex_destroy(&mailbox->lock);
        free(mailbox);
        return NULL;
    }
    mailbox->first = 1;
    return mailbox;
}

void smtp_mailbox_free(struct smtp_mailbox *mailbox)
{
    if (mailbox == NULL) {
        return;
    }
    mailbox->reserved = 0;
    smtp_mailbox_clear(mailbox);
    pthread_cond_destroy(&mailbox->came);
    pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
}

/* A reader takes the lock too; that is no change a caller could see. */
static struct smtp_mailbox *lock(const struct smtp_mailbox *mailbox)
{
    struct smtp_mailbox *locked = (struct smtp_mailbox *)(uintptr_t)mailbox;
    pthread_mutex_lock(&locked->lock);
    return locked;
}

static void unlock(struct smtp_mailbox *mailbox)
{
    pthread_mutex_unlock(&mailbox->lock);
}

void smtp_mailbox_bound(struct smtp_mailbox *mailbox, size_t messages, uint64_t octets)
{
    mailbox->message_max = messages;
    mailbox->octet_max = octets;
}

/* Under lock. Where the i-th of those that it holds is. */
static struct smtp_message **at(const struct smtp_mailbox *mailbox, size_t i)
{
    return &mailbox->messages[(mailbox->head + i) & (mailbox->capacity - 1)];
}

/* Under lock. Doubling, so that a message costs a constant on average. */
static bool make_room(struct smtp_mailbox *mailbox)
{
    if (mailbox->count + mailbox->reserved < mailbox->capacity) {
        return true;
    }
    size_t capacity = mailbox->capacity == 0 ? FIRST_CAPACITY : mailbox->capacity * 2;
    struct smtp_message **grown =
        reallocarray(mailbox->messages, capacity, sizeof(struct smtp_message *));
    if (grown == NULL) {
        return false;
    }
    /* what stood before the head goes behind the old end */
    memcpy(grown + mailbox->capacity, grown, mailbox->head * sizeof *grown);
    mailbox->messages = grown;
    mailbox->capacity = capacity;
    return true;
}

/* Under lock. Whether the oldest has to give way, so that a message of so many octets fits in. */
static bool is_full(const struct smtp_mailbox *mailbox, uint64_t octets)
{
    bool by_count = mailbox->message_max > 0 && mailbox->count >= mailbox->message_max;
    bool by_octets = mailbox->octet_max > 0 && mailbox->octets + octets > mailbox->octet_max;
    return mailbox->count > 0 && (by_count || by_octets);
}

/* Under lock. */
static struct smtp_message *take_oldest(struct smtp_mailbox *mailbox)
{
    struct smtp_message *oldest = *at(mailbox, 0);
    mailbox->head = (mailbox->head + 1) & (mailbox->capacity - 1);
    mailbox->count--;
    mailbox->octets -= smtp_message_size(oldest);
    mailbox->first++;
    return oldest;
}

/* Under lock: into a place that is reserved. */
static void add(struct smtp_mailbox *mailbox, struct smtp_message *message, uint64_t octets)
{
    mailbox->reserved--;
    smtp_message_set_number(message, mailbox->first + mailbox->count);
    *at(mailbox, mailbox->count++) = message;
    mailbox->octets += octets;
    if (mailbox->waiters > 0) {
        pthread_cond_broadcast(&mailbox->came);
    }
}

enum smtp_status smtp_mailbox_reserve(struct smtp_mailbox *mailbox)
{
    lock(mailbox);
    bool made = make_room(mailbox);
    mailbox->reserved += made;
    unlock(mailbox);
    return made ? SMTP_OK : SMTP_NO_MEMORY;
}

void smtp_mailbox_give_back(struct smtp_mailbox *mailbox)
{
    lock(mailbox);
    mailbox->reserved--;
    unlock(mailbox);
}

void smtp_mailbox_fill(struct smtp_mailbox *mailbox, struct smtp_message *message)
{
    uint64_t octets = smtp_message_size(message);
    struct smtp_message *oldest;
    do { /* those that give way are released without the lock */
        lock(mailbox);
        oldest = is_full(mailbox, octets) ? take_oldest(mailbox) : NULL;
        if (oldest != NULL) {
            mailbox->dropped = mailbox->first - 1;
        } else {
            add(mailbox, message, octets);
        }
        unlock(mailbox);
        smtp_message_release(oldest);
    } while (oldest != NULL);
}

enum smtp_status smtp_mailbox_put(struct smtp_mailbox *mailbox, struct smtp_message *message)
{
    enum smtp_status status = smtp_mailbox_reserve(mailbox);
    if (status == SMTP_OK) {
        smtp_mailbox_fill(mailbox, message);
    }
    return status;
}

void smtp_mailbox_pass(struct smtp_mailbox *mailbox, struct smtp_message *message)
{
    lock(mailbox);
    smtp_message_set_number(message, mailbox->first++);
    unlock(mailbox);
}

struct smtp_mailbox_cursor smtp_mailbox_now(const struct smtp_mailbox *mailbox)
{
    return (struct smtp_mailbox_cursor){smtp_mailbox_captured(mailbox)};
}

uint64_t smtp_mailbox_captured(const struct smtp_mailbox *mailbox)
{
    struct smtp_mailbox *locked = lock(mailbox);
    uint64_t captured = locked->first + locked->count - 1;
    unlock(locked);
    return captured;
}

size_t smtp_mailbox_count(const struct smtp_mailbox *mailbox)
{
    struct smtp_mailbox *locked = lock(mailbox);
    size_t count = locked->count;
    unlock(locked);
    return count;
}

struct smtp_message *smtp_mailbox_get(const struct smtp_mailbox *mailbox, uint64_t number)
{
    struct smtp_message *message = NULL;
    struct smtp_mailbox *locked = lock(mailbox);
    if (number >= locked->first && number - locked->first < locked->count) {
        message = smtp_message_retain(*at(locked, (size_t)(number - locked->first)));
    }
    unlock(locked);
    return message;
}

/* Under lock, which it gives up while it waits. False: the deadline has passed. */
static bool await_change(struct smtp_mailbox *mailbox, uint64_t deadline_ns)
{
    mailbox->waiters++;
    int result = 0;
    if (deadline_ns == SMTP_NEVER) {
        result = pthread_cond_wait(&mailbox->came, &mailbox->lock);
    } else {
        const uint64_t ns_per_s = 1000 * SMTP_NS_PER_MS;
        struct timespec until = {.tv_sec = (time_t)(deadline_ns / ns_per_s),
                                 .tv_nsec = (long)(deadline_ns % ns_per_s)};
        result = pthread_cond_timedwait(&mailbox->came, &mailbox->lock, &until);
    }
    mailbox->waiters--;
    return result == 0;
}

/* A timeout of 0 looks once: its deadline is now. */
static uint64_t deadline_of(uint64_t timeout_ms)
{
    uint64_t now_ns = smtp_clock_now_ns();
    return timeout_ms == 0 ? now_ns : smtp_deadline_after(now_ns, timeout_ms);
}

enum smtp_status smtp_mailbox_wait(struct smtp_mailbox *mailbox, size_t count, uint64_t timeout_ms)
{
    uint64_t deadline_ns = deadline_of(timeout_ms);
    bool in_time = timeout_ms > 0;
    lock(mailbox);
    while (mailbox->count < count && in_time) {
        in_time = await_change(mailbox, deadline_ns);
    }
    bool held = mailbox->count >= count;
    unlock(mailbox);
    return held ? SMTP_OK : SMTP_TIMED_OUT;
}

/* Under lock. The number of the first message after the cursor that has not been removed. */
static uint64_t next_number(const struct smtp_mailbox *mailbox,
                            const struct smtp_mailbox_cursor *cursor)
{
    return cursor->number + 1 < mailbox->first ? mailbox->first : cursor->number + 1;
}

/* The message after the cursor, waiting for it until the deadline; the cursor moves past it, and
 * past what has been removed. */
static enum smtp_status take_next(struct smtp_mailbox *mailbox, struct smtp_mailbox_cursor *cursor,
                                  bool may_wait, uint64_t deadline_ns, struct smtp_message **out)
{
    enum smtp_status status = SMTP_TIMED_OUT;
    lock(mailbox);
    while (cursor->number >= mailbox->dropped &&
           next_number(mailbox, cursor) >= mailbox->first + mailbox->count && may_wait) {
        may_wait = await_change(mailbox, deadline_ns);
    }
    uint64_t next = next_number(mailbox, cursor);
    if (cursor->number < mailbox->dropped) {
        cursor->number = mailbox->dropped;
        status = SMTP_LIMIT_EXCEEDED;
    } else if (next < mailbox->first + mailbox->count) {
        *out = smtp_message_retain(*at(mailbox, (size_t)(next - mailbox->first)));
        cursor->number = next;
        status = SMTP_OK;
    }
    unlock(mailbox);
    return status;
}

enum smtp_status smtp_mailbox_next(struct smtp_mailbox *mailbox, struct smtp_mailbox_cursor *cursor,
                                   smtp_message_predicate *predicate, void *user,
                                   uint64_t timeout_ms, struct smtp_message **out)
{
    uint64_t deadline_ns = deadline_of(timeout_ms);
    *out = NULL;
    for (;;) {
        struct smtp_message *message = NULL;
        enum smtp_status status = take_next(mailbox, cursor, timeout_ms > 0, deadline_ns, &message);
        if (status != SMTP_OK) {
            return status;
        }
        if (predicate == NULL || predicate(message, user)) {
            *out = message;
            return SMTP_OK;
        }
        smtp_message_release(message);
    }
}

enum smtp_status smtp_mailbox_none(struct smtp_mailbox *mailbox, struct smtp_mailbox_cursor *cursor,
                                   smtp_message_predicate *predicate, void *user,
                                   uint64_t timeout_ms)
{
    struct smtp_message *message = NULL;
    enum smtp_status status =
        smtp_mailbox_next(mailbox, cursor, predicate, user, timeout_ms, &message);
    smtp_message_release(message);
    return status == SMTP_OK ? SMTP_NOT_AS_EXPECTED : status == SMTP_TIMED_OUT ? SMTP_OK : status;
}

/* The ring stays, as places in it are promised; what comes meanwhile stays too. */
static void clear_one_by_one(struct smtp_mailbox *mailbox)
{
    uint64_t end = smtp_mailbox_captured(mailbox) + 1;
    struct smtp_message *oldest;
    do {
        lock(mailbox);
        oldest = mailbox->count > 0 && mailbox->first < end ? take_oldest(mailbox) : NULL;
        unlock(mailbox);
        smtp_message_release(oldest);
    } while (oldest != NULL);
}

void smtp_mailbox_clear(struct smtp_mailbox *mailbox)
{
    lock(mailbox);
    if (mailbox->reserved > 0) {
        unlock(mailbox);
        clear_one_by_one(mailbox);
        return;
    }
    const struct smtp_mailbox removed = {.messages = mailbox->messages,
                                         .head = mailbox->head,
                                         .count = mailbox->count,
                                         .capacity = mailbox->capacity};
    mailbox->first += removed.count;
    mailbox->messages = NULL;
    mailbox->head = mailbox->count = mailbox->capacity = 0;
    mailbox->octets = 0;
    unlock(mailbox);
    for (size_t i = 0; i < removed.count; i++) {
        smtp_message_release(*at(&removed, i));
    }
    free(removed.messages);
}
