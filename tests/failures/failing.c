/* failing.c - see failing.h. The sum is kept in a file that the program's first process makes, tells and
 * removes: under Criterion each test is a program started anew. */
#include "tests/failures/failing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PLACES (1u << 16) /* blocks held at once, by far */

extern const char __executable_start[]; /* the linker's */

static _Thread_local bool spared;
static atomic_bool armed;
static struct { /* a thread of libuv's may look while the next is set */
    atomic_int kind, how;
    atomic_uint at;
    atomic_bool later;
} plan;
static atomic_uint seen[FAILING_KIND_COUNT];
static atomic_uint struck;
static struct { /* written once, by the first that fails; read when nothing fails any more */
    _Atomic(const void *) caller;
    atomic_int line;
} where;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Under lock: an open hash of what is held, places behind a taken one are probed. Addresses are kept turned over, so
 * that the leak sanitizer does not take the table for whom they belong to. */
static struct {
    uintptr_t pointer; /* 0: a free place */
    struct failing_place place;
    uint64_t number;
} held[PLACES];
static uint64_t numbers, mark; /* what has a greater number than the mark counts */
static unsigned since_mark;

const char *failing_kind_name(enum failing_kind kind)
{
    static const char *const names[] = {
#define X(name) #name,
        FAILING_KINDS(X)
#undef X
    };
    return names[kind];
}

void failing_arm(const struct failing_plan *wanted)
{
    atomic_store(&plan.kind, (int)wanted->kind);
    atomic_store(&plan.how, wanted->how);
    atomic_store(&plan.at, wanted->at);
    atomic_store(&plan.later, wanted->later);
    for (size_t i = 0; i < FAILING_KIND_COUNT; i++) {
        atomic_store(&seen[i], 0);
    }
    atomic_store(&struck, 0);
    atomic_store(&where.caller, NULL);
    atomic_store(&where.line, 0);
    atomic_store(&armed, true);
}

unsigned failing_disarm(void)
{
    atomic_store(&armed, false);
    return atomic_load(&struck);
}

unsigned failing_seen(enum failing_kind kind)
{
    return atomic_load(&seen[kind]);
}

const char *failing_tell(struct failing_place place, char to[100])
{
    if (place.line != 0) {
        snprintf(to, 100, "%s:%d", (const char *)place.caller, place.line);
    } else {
        size_t offset = (size_t)((const char *)place.caller - __executable_start);
        snprintf(to, 100, "0x%zx", place.caller != NULL ? offset : 0);
    }
    return to;
}

int failing_strike(enum failing_kind kind, const void *caller)
{
    return failing_strike_at(kind, (struct failing_place){.caller = caller});
}

int failing_strike_at(enum failing_kind kind, struct failing_place place)
{
    if (!atomic_load(&armed) || spared) {
        return 0;
    }
    unsigned number = atomic_fetch_add(&seen[kind], 1) + 1;
    unsigned at = atomic_load(&plan.at);
    if ((int)kind != atomic_load(&plan.kind) || at == 0 || number < at ||
        (number > at && !atomic_load(&plan.later))) {
        return 0;
    }
    if (atomic_fetch_add(&struck, 1) == 0) {
        atomic_store(&where.caller, place.caller);
        atomic_store(&where.line, place.line);
    }
    return atomic_load(&plan.how);
}

void failing_spare_thread(void)
{
    spared = true;
}

struct failing_place failing_where(void)
{
    return (struct failing_place){atomic_load(&where.caller), atomic_load(&where.line)};
}

/* ---- memory held ---- */

static size_t place_of(uintptr_t turned)
{
    return (size_t)((turned >> 4) * 0x9E3779B97F4A7C15u >> 40) & (PLACES - 1);
}

/* Under lock: its place, or the free one that would be. */
static size_t find(uintptr_t turned)
{
    size_t at = place_of(turned);
    while (held[at].pointer != 0 && held[at].pointer != turned) {
        at = (at + 1) & (PLACES - 1);
    }
    return at;
}

void failing_note(void *pointer, struct failing_place place)
{
    if (pointer == NULL) {
        return;
    }
    pthread_mutex_lock(&lock);
    size_t at = find(~(uintptr_t)pointer);
    held[at].pointer = ~(uintptr_t)pointer;
    held[at].place = place;
    held[at].number = ++numbers;
    since_mark++;
    pthread_mutex_unlock(&lock);
}

/* Under lock. Those behind move up, so that none is behind a free place. */
static void close_gap(size_t gap)
{
    for (size_t at = (gap + 1) & (PLACES - 1); held[at].pointer != 0;
         at = (at + 1) & (PLACES - 1)) {
        size_t from = place_of(held[at].pointer);
        if (((at - from) & (PLACES - 1)) >= ((at - gap) & (PLACES - 1))) {
            held[gap] = held[at];
            held[at].pointer = 0;
            gap = at;
        }
    }
}

void failing_forget(void *pointer)
{
    if (pointer == NULL) {
        return;
    }
    pthread_mutex_lock(&lock);
    size_t at = find(~(uintptr_t)pointer);
    if (held[at].pointer != 0) {
        since_mark -= held[at].number > mark;
        held[at].pointer = 0;
        close_gap(at);
    }
    pthread_mutex_unlock(&lock);
}

void failing_mark(void)
{
    pthread_mutex_lock(&lock);
    mark = numbers;
    since_mark = 0;
    pthread_mutex_unlock(&lock);
}

unsigned failing_held_since_mark(struct failing_place *place)
{
    uint64_t first = UINT64_MAX;
    pthread_mutex_lock(&lock);
    unsigned count = since_mark;
    for (size_t i = 0; count > 0 && i < PLACES; i++) {
        if (held[i].pointer != 0 && held[i].number > mark && held[i].number < first) {
            first = held[i].number;
            *place = held[i].place;
        }
    }
    pthread_mutex_unlock(&lock);
    return count;
}

/* ---- the sum ---- */

#define SUM_VARIABLE "SMTP_FAILURES_SUM"
static char sum_path[] = "/tmp/smtp-failures-XXXXXX";
static pid_t teller;

__attribute__((constructor)) static void make_sum(void)
{
    int fd = getenv(SUM_VARIABLE) == NULL ? mkstemp(sum_path) : -1;
    if (fd >= 0) {
        close(fd);
        setenv(SUM_VARIABLE, sum_path, 1);
        teller = getpid();
    }
}

__attribute__((destructor)) static void tell_sum(void)
{
    if (teller != getpid()) {
        return;
    }
    FILE *file = fopen(sum_path, "r");
    unsigned long sums[FAILING_OPENSSL + 2] = {0}, failed; /* the last: of calls */
    unsigned kind;
    while (file != NULL && fscanf(file, "%u %lu", &kind, &failed) == 2) {
        sums[kind <= FAILING_OPENSSL ? kind : FAILING_OPENSSL + 1] += failed;
    }
    if (file != NULL) {
        fclose(file);
    }
    unlink(sum_path);
    printf("%lu allocations failed, %lu of OpenSSL's, %lu system calls failed\n",
           sums[FAILING_ALLOCATION], sums[FAILING_OPENSSL], sums[FAILING_OPENSSL + 1]);
}

void failing_count(enum failing_kind kind, unsigned failed)
{
    FILE *file = fopen(getenv(SUM_VARIABLE), "a");
    if (file != NULL) {
        fprintf(file, "%u %u\n", (unsigned)kind, failed);
        fclose(file);
    }
}
