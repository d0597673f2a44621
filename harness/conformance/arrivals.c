/* arrivals.c - the messages that arrived, and waiting for them. Who watches is arrivals_maildir.c and
 * arrivals_sink.c. */
#include "harness/conformance/arrivals.h"

#include "common/clock.h"
#include "common/error.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a suite sends is a few hundred short messages and one or two long ones. */
#define KEPT_MAX ((size_t)256 << 20)
#define SOON_QUIETS 10

struct kept {
    struct smtp_arrival arrival; /* its octets follow the struct */
    struct kept *next;
};

struct smtp_arrivals {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct kept *first, **last;
    size_t octets;
    enum smtp_arrivals_mode mode;
    unsigned mode_users;
    struct smtp_arrivals_watch *maildir; /* one of the two */
    struct smtp_arrivals_sink *sink;
};

/* ---- making and freeing ---- */

static struct smtp_arrivals *make(void)
{
    struct smtp_arrivals *arrivals = calloc(1, sizeof *arrivals);
    if (arrivals == NULL) {
        return NULL;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&arrivals->lock, NULL);
    pthread_cond_init(&arrivals->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    arrivals->last = &arrivals->first;
    return arrivals;
}

void smtp_arrivals_free(struct smtp_arrivals *arrivals)
{
    if (arrivals == NULL) {
        return;
    }
    smtp_arrivals_stop_maildir(arrivals->maildir);
    smtp_arrivals_stop_sink(arrivals->sink);
    while (arrivals->first != NULL) {
        struct kept *next = arrivals->first->next;
        free(arrivals->first);
        arrivals->first = next;
    }
    pthread_cond_destroy(&arrivals->changed);
    pthread_mutex_destroy(&arrivals->lock);
    free(arrivals);
}

enum smtp_status smtp_arrivals_new_maildir(struct smtp_arrivals **out, const char *directory,
                                           struct smtp_error *error)
{
    struct smtp_arrivals *arrivals = make();
    *out = NULL;
    if (arrivals == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    arrivals->maildir = smtp_arrivals_watch_maildir(arrivals, directory, error);
    if (arrivals->maildir == NULL) {
        smtp_arrivals_free(arrivals);
        return error->status;
    }
    *out = arrivals;
    return SMTP_OK;
}

enum smtp_status smtp_arrivals_new_sink(struct smtp_arrivals **out, uint16_t port,
                                        struct smtp_error *error)
{
    struct smtp_arrivals *arrivals = make();
    *out = NULL;
    if (arrivals == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    arrivals->sink = smtp_arrivals_listen(arrivals, port, error);
    if (arrivals->sink == NULL) {
        smtp_arrivals_free(arrivals);
        return error->status;
    }
    *out = arrivals;
    return SMTP_OK;
}

bool smtp_arrivals_is_sink(const struct smtp_arrivals *arrivals)
{
    return arrivals->sink != NULL;
}

uint16_t smtp_arrivals_port(const struct smtp_arrivals *arrivals)
{
    return smtp_arrivals_sink_port(arrivals->sink);
}

/* ---- what arrives ---- */

static struct smtp_span copy_span(char **room, struct smtp_span span)
{
    smtp_bytes_copy(*room, span);
    struct smtp_span copy = {*room, span.len};
    *room += span.len;
    return copy;
}

void smtp_arrivals_add(struct smtp_arrivals *arrivals, const struct smtp_arrival *arrival)
{
    size_t octets =
        arrival->content.len + arrival->mail.len + arrival->rcpts.len + arrival->raw.len;
    struct kept *kept = malloc(sizeof *kept + octets);
    if (kept == NULL) {
        return; /* the check that waits for it fails, in time */
    }
    char *room = (char *)(kept + 1);
    *kept = (struct kept){.arrival = {.content = copy_span(&room, arrival->content),
                                      .mail = copy_span(&room, arrival->mail),
                                      .rcpts = copy_span(&room, arrival->rcpts),
                                      .raw = copy_span(&room, arrival->raw),
                                      .refused = arrival->refused}};
    pthread_mutex_lock(&arrivals->lock);
    bool fits = arrivals->octets + octets <= KEPT_MAX;
    if (fits) {
        arrivals->octets += octets;
        *arrivals->last = kept;
        arrivals->last = &kept->next;
        pthread_cond_broadcast(&arrivals->changed);
    }
    pthread_mutex_unlock(&arrivals->lock);
    if (!fits) {
        free(kept);
    }
}

/* ---- waiting ---- */

struct smtp_span smtp_arrivals_header(struct smtp_span content)
{
    const char *end = content.len > 0 ? memmem(content.bytes, content.len, "\r\n\r\n", 4) : NULL;
    return (struct smtp_span){content.bytes,
                              end != NULL ? (size_t)(end - content.bytes) : content.len};
}

bool smtp_arrivals_is_notification(struct smtp_span header)
{
    return smtp_span_has(header, "multipart/report");
}

enum kind { MESSAGE = 1 << 0, NOTIFICATION = 1 << 1, REFUSAL = 1 << 2 };

static enum kind kind_of(const struct smtp_arrival *arrival, const char *token)
{
    struct smtp_span header = smtp_arrivals_header(arrival->content);
    bool tells = !smtp_span_has(header, token) || smtp_arrivals_is_notification(header);
    return arrival->refused ? REFUSAL : tells ? NOTIFICATION : MESSAGE;
}

/** The messages of these kinds with the token, the first `room` of them, in *found; how many there are. Holds the lock. */
static size_t find(struct smtp_arrivals *arrivals, const char *token, unsigned kinds,
                   struct smtp_arrival *found, size_t room)
{
    size_t count = 0;
    for (const struct kept *kept = arrivals->first; kept != NULL; kept = kept->next) {
        if ((kind_of(&kept->arrival, token) & kinds) != 0 &&
            smtp_span_has(kept->arrival.content, token)) {
            if (count < room) {
                found[count] = kept->arrival;
            }
            count++;
        }
    }
    return count;
}

/** Until something changes; false: the deadline is over. Holds the lock. */
static bool wait_until(struct smtp_arrivals *arrivals, uint64_t deadline_ns)
{
    if (deadline_ns == SMTP_NEVER) {
        return pthread_cond_wait(&arrivals->changed, &arrivals->lock) == 0;
    }
    const struct timespec at = {.tv_sec = (time_t)(deadline_ns / UINT64_C(1000000000)),
                                .tv_nsec = (long)(deadline_ns % UINT64_C(1000000000))};
    return pthread_cond_timedwait(&arrivals->changed, &arrivals->lock, &at) == 0;
}

/** Waits until there are `wanted`; how many there are then. */
static size_t wait_for(struct smtp_check *check, const char *token, unsigned kinds,
                       struct smtp_arrival *found, size_t wanted, uint64_t deadline_ns)
{
    struct smtp_arrivals *arrivals = check->options->arrivals;
    size_t room = found != NULL ? wanted : 0;
    deadline_ns = smtp_deadline_earlier(deadline_ns, check->deadline_ns);
    pthread_mutex_lock(&arrivals->lock);
    size_t count = find(arrivals, token, kinds, found, room);
    while (count < wanted && wait_until(arrivals, deadline_ns)) {
        count = find(arrivals, token, kinds, found, room);
    }
    pthread_mutex_unlock(&arrivals->lock);
    return count;
}

bool smtp_arrivals_wait_many(struct smtp_check *check, struct smtp_arrival *arrivals, size_t count)
{
    memset(arrivals, 0, count * sizeof *arrivals);
    if (check->is_decided) {
        return false;
    }
    size_t came = wait_for(check, check->token, MESSAGE, arrivals, count, SMTP_NEVER);
    return smtp_check_that(check, came >= count, "expected %zu message%s to arrive, came %zu",
                           count, count == 1 ? "" : "s", came);
}

bool smtp_arrivals_wait(struct smtp_check *check, struct smtp_arrival *arrival)
{
    return smtp_arrivals_wait_many(check, arrival, 1);
}

size_t smtp_arrivals_settled(struct smtp_check *check)
{
    size_t count = 0, before;
    if (check->is_decided) {
        return 0;
    }
    do {
        before = count;
        count = wait_for(check, check->token, MESSAGE, NULL, before + 1,
                         smtp_clock_now_ns() + check->quiet_ms * SMTP_NS_PER_MS);
    } while (count > before);
    return count;
}

bool smtp_arrivals_wait_for_token(struct smtp_check *check, const char *token)
{
    return !check->is_decided && wait_for(check, token, MESSAGE, NULL, 1, SMTP_NEVER) > 0;
}

bool smtp_arrivals_notified(struct smtp_check *check, struct smtp_arrival *arrival)
{
    memset(arrival, 0, sizeof *arrival);
    return !check->is_decided &&
           smtp_check_that(check,
                           wait_for(check, check->token, NOTIFICATION, arrival, 1, SMTP_NEVER) > 0,
                           "expected a notification about the message, came none");
}

bool smtp_arrivals_notified_soon(struct smtp_check *check, struct smtp_arrival *arrival)
{
    memset(arrival, 0, sizeof *arrival);
    uint64_t until_ns = smtp_clock_now_ns() + SOON_QUIETS * check->quiet_ms * SMTP_NS_PER_MS;
    return !check->is_decided &&
           wait_for(check, check->token, NOTIFICATION, arrival, 1, until_ns) > 0;
}

bool smtp_arrivals_notified_of_refusal(struct smtp_check *check, struct smtp_arrival *arrival)
{
    memset(arrival, 0, sizeof *arrival);
    if (check->is_decided) {
        return false;
    }
    if (wait_for(check, check->token, REFUSAL | NOTIFICATION, NULL, 1, SMTP_NEVER) == 0) {
        smtp_check_skip(check, "the next hop is not tried within the time");
        return false;
    }
    uint64_t soon_ns = smtp_clock_now_ns() + SOON_QUIETS * check->quiet_ms * SMTP_NS_PER_MS;
    check->deadline_ns = check->deadline_ns > soon_ns ? check->deadline_ns : soon_ns;
    return smtp_arrivals_notified_soon(check, arrival);
}

/* ---- the mode of the next hop ---- */

void smtp_arrivals_leave(struct smtp_check *check)
{
    struct smtp_arrivals *arrivals = check->options->arrivals;
    if (!check->has_mode) {
        return;
    }
    check->has_mode = false;
    pthread_mutex_lock(&arrivals->lock);
    arrivals->mode_users--;
    pthread_cond_broadcast(&arrivals->changed);
    pthread_mutex_unlock(&arrivals->lock);
}

void smtp_arrivals_use(struct smtp_check *check, enum smtp_arrivals_mode mode)
{
    struct smtp_arrivals *arrivals = check->options->arrivals;
    if (check->is_decided || arrivals == NULL || arrivals->sink == NULL) {
        return;
    }
    smtp_arrivals_leave(check);
    pthread_mutex_lock(&arrivals->lock);
    while (arrivals->mode != mode && arrivals->mode_users > 0) {
        (void)wait_until(arrivals, SMTP_NEVER); /* each check has its deadline, and they leave */
    }
    arrivals->mode = mode;
    arrivals->mode_users++;
    pthread_mutex_unlock(&arrivals->lock);
    check->deadline_ns =
        smtp_deadline_after(smtp_clock_now_ns(), check->timeout_ms); /* it begins now */
    check->has_mode = true;
}

enum smtp_arrivals_mode smtp_arrivals_mode(struct smtp_arrivals *arrivals)
{
    pthread_mutex_lock(&arrivals->lock);
    enum smtp_arrivals_mode mode = arrivals->mode;
    pthread_mutex_unlock(&arrivals->lock);
    return mode;
}
