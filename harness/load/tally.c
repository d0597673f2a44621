/* tally.c - see tally.h. A bit a number, in chunks. */
#include "harness/load/tally.h"

#include <stdlib.h>

#define WORDS (SMTP_TALLY_CHUNK_BITS / 64)

/** The chunk, made where nobody did; NULL: out of memory. */
static _Atomic uint64_t *chunk_at(struct smtp_tally *tally, uint64_t i)
{
    _Atomic uint64_t *chunk = atomic_load_explicit(&tally->chunks[i], memory_order_acquire);
    if (chunk != NULL) {
        return chunk;
    }
    _Atomic uint64_t *made = calloc(WORDS, sizeof *made);
    if (made == NULL || atomic_compare_exchange_strong(&tally->chunks[i], &chunk, made)) {
        return made;
    }
    free((void *)made); /* somebody else was first: chunk has it */
    return chunk;
}

bool smtp_tally_add(struct smtp_tally *tally, uint64_t number)
{
    _Atomic uint64_t *chunk =
        number < SMTP_TALLY_MAX ? chunk_at(tally, number / SMTP_TALLY_CHUNK_BITS) : NULL;
    if (chunk == NULL) {
        return false;
    }
    uint64_t at = number % SMTP_TALLY_CHUNK_BITS, bit = (uint64_t)1 << (at % 64);
    uint64_t before = atomic_fetch_or_explicit(&chunk[at / 64], bit, memory_order_relaxed);
    atomic_fetch_add_explicit((before & bit) == 0 ? &tally->count : &tally->again, 1,
                              memory_order_relaxed);
    return true;
}

uint64_t smtp_tally_missing(const struct smtp_tally *tally, const struct smtp_tally *other)
{
    uint64_t missing = 0;
    for (size_t i = 0; i < SMTP_TALLY_CHUNKS; i++) {
        const _Atomic uint64_t *own = tally->chunks[i], *others = other->chunks[i];
        for (size_t k = 0; k < WORDS && own != NULL; k++) {
            uint64_t seen = others != NULL ? others[k] : 0;
            missing += (uint64_t)__builtin_popcountll(own[k] & ~seen);
        }
    }
    return missing;
}

void smtp_tally_clear(struct smtp_tally *tally)
{
    for (size_t i = 0; i < SMTP_TALLY_CHUNKS; i++) {
        free((void *)tally->chunks[i]);
        tally->chunks[i] = NULL;
    }
    tally->count = tally->again = 0;
}
