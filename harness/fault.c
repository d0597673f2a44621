/* fault.c - see fault.h. The plan under its lock, how often its faults are due, and how it is told. Does not know
 * the notation (fault_parse.c) or what a step is (fault_hooks.c). */
#include "harness/fault.h"

#include "harness/fault_plan.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct smtp_harness_faults {
    pthread_mutex_t lock;
    struct smtp_harness_fault_entry **entries; /* under lock */
    size_t count;                              /* under lock */
    atomic_bool any; /* count > 0; relaxed: a step just before sees none */
    uint64_t seed;
    bool magic_addresses;
    struct smtp_server *server; /* whose authority signs; NULL: each its own */
};

/* ---- chance ---- */

/* splitmix64: a number from any other, as good as drawn. */
static uint64_t mixed(uint64_t number)
{
    number += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

/* Of the entry and its step alone, so that other faults and sessions do not move it. */
uint64_t smtp_harness_faults_draw(const struct smtp_harness_faults *faults, size_t entry)
{
    return mixed(mixed(faults->seed + entry) + faults->entries[entry]->steps);
}

static uint64_t drawn_seed(void)
{
    uint32_t seed = 0;
    (void)RAND_bytes((unsigned char *)&seed, sizeof seed); /* 0 would do, too */
    return seed != 0 ? seed : 1;
}

/* ---- life ---- */

struct smtp_harness_faults *smtp_harness_faults_new(uint64_t seed, bool magic_addresses)
{
    struct smtp_harness_faults *faults = calloc(1, sizeof *faults);
    if (faults == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&faults->lock, NULL) != 0) {
        free(faults);
        return NULL;
    }
    faults->seed = seed != 0 ? seed : drawn_seed();
    faults->magic_addresses = magic_addresses;
    return faults;
}

static void free_entry(struct smtp_harness_fault_entry *entry)
{
    smtp_harness_fault_clear(entry);
    free(entry);
}

static void clear_all(struct smtp_harness_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        free_entry(faults->entries[i]);
    }
    free(faults->entries);
    faults->entries = NULL;
    faults->count = 0;
    atomic_store_explicit(&faults->any, false, memory_order_relaxed);
}

void smtp_harness_faults_free(struct smtp_harness_faults *faults)
{
    if (faults != NULL) {
        clear_all(faults);
        pthread_mutex_destroy(&faults->lock);
        free(faults);
    }
}

void smtp_harness_faults_clear(struct smtp_harness_faults *faults)
{
    pthread_mutex_lock(&faults->lock);
    clear_all(faults);
    pthread_mutex_unlock(&faults->lock);
}

static bool append(struct smtp_harness_faults *faults, struct smtp_harness_fault_entry *entry)
{
    struct smtp_harness_fault_entry **entries =
        realloc(faults->entries, (faults->count + 1) * sizeof(struct smtp_harness_fault_entry *));
    if (entries == NULL) {
        return false;
    }
    entries[faults->count++] = entry;
    faults->entries = entries;
    atomic_store_explicit(&faults->any, true, memory_order_relaxed);
    return true;
}

enum smtp_status smtp_harness_faults_add(struct smtp_harness_faults *faults, const char *notation,
                                         struct smtp_harness_lines *why)
{
    struct smtp_harness_fault_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        return SMTP_NO_MEMORY;
    }
    enum smtp_status status = smtp_harness_fault_parse(notation, entry, why);
    if (status == SMTP_OK) {
        pthread_mutex_lock(&faults->lock);
        status = append(faults, entry) ? SMTP_OK : SMTP_NO_MEMORY;
        pthread_mutex_unlock(&faults->lock);
    }
    if (status != SMTP_OK) {
        free_entry(entry);
    }
    return status;
}

/* ---- for the hook table ---- */

struct smtp_harness_fault_entry **smtp_harness_faults_lock(struct smtp_harness_faults *faults,
                                                           size_t *count)
{
    pthread_mutex_lock(&faults->lock);
    *count = faults->count;
    return faults->entries;
}

void smtp_harness_faults_unlock(struct smtp_harness_faults *faults)
{
    pthread_mutex_unlock(&faults->lock);
}

bool smtp_harness_faults_is_empty(const struct smtp_harness_faults *faults)
{
    return !atomic_load_explicit(&faults->any, memory_order_relaxed);
}

bool smtp_harness_faults_has_magic(const struct smtp_harness_faults *faults)
{
    return faults->magic_addresses;
}

void smtp_harness_faults_use_server(struct smtp_harness_faults *faults, struct smtp_server *server)
{
    faults->server = server;
}

struct smtp_identity *smtp_harness_faults_identity(struct smtp_harness_faults *faults,
                                                   struct smtp_harness_fault_entry *entry,
                                                   struct smtp_error *error)
{
    if (entry->identity == NULL) {
        struct smtp_identity *own =
            faults->server != NULL ? smtp_server_identity(faults->server) : NULL;
        struct smtp_identity_options options = {.flaw = entry->flaw, .authority = own};
        enum smtp_status status = smtp_identity_new(&entry->identity, &options, error);
        smtp_identity_release(own);
        if (status != SMTP_OK) {
            entry->identity = NULL;
            return NULL;
        }
    }
    return smtp_identity_retain(entry->identity);
}

/* ---- how often ---- */

/* Whether `over` steps have come in the time before this one; it is kept in the place of the oldest. */
static bool is_over_rate(struct smtp_harness_fault_entry *entry, uint64_t now_ns)
{
    uint64_t *oldest = &entry->arrivals[entry->steps % entry->over];
    bool over = entry->steps >= entry->over && now_ns - *oldest < entry->over_ns;
    *oldest = now_ns;
    return over;
}

bool smtp_harness_fault_is_due(struct smtp_harness_fault_entry *entry, uint64_t now_ns,
                               uint64_t draw, bool open)
{
    bool over = entry->arrivals == NULL || is_over_rate(entry, now_ns);
    uint64_t step = ++entry->steps;
    bool due = open && over && entry->due < entry->times && step % entry->every == 0 &&
               step >= entry->from && draw % SMTP_FAULT_CERTAIN < entry->chance;
    entry->due += due;
    return due;
}

/* ---- telling ---- */

void smtp_harness_faults_tell(struct smtp_harness_faults *faults, struct smtp_harness_lines *lines)
{
    bool chance = false;
    pthread_mutex_lock(&faults->lock);
    for (size_t i = 0; i < faults->count; i++) {
        const struct smtp_harness_fault_entry *entry = faults->entries[i];
        smtp_harness_lines_print(lines, "%s  (due %llu of %llu times)\n", entry->text,
                                 (unsigned long long)entry->due, (unsigned long long)entry->steps);
        chance = chance || entry->chance != SMTP_FAULT_CERTAIN;
    }
    if (chance) {
        smtp_harness_lines_print(lines, "seed %llu\n", (unsigned long long)faults->seed);
    }
    pthread_mutex_unlock(&faults->lock);
}
