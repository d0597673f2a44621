/* tally.h - which numbers were seen, and which more than once. Any thread may add, without a lock. */
#ifndef SMTP_HARNESS_LOAD_TALLY_H
#define SMTP_HARNESS_LOAD_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_TALLY_CHUNKS 8192
#define SMTP_TALLY_CHUNK_BITS ((uint64_t)1 << 20)
#define SMTP_TALLY_MAX (SMTP_TALLY_CHUNKS * SMTP_TALLY_CHUNK_BITS) /* numbers are less */

/** All zero: empty. */
struct smtp_tally {
    _Atomic(_Atomic uint64_t *) chunks[SMTP_TALLY_CHUNKS]; /* made as they are needed */
    atomic_uint_fast64_t count;                            /* different numbers */
    atomic_uint_fast64_t again;                            /* those that were there already */
};

/** False: there was no memory, or the number is too large; then it is not counted. */
bool smtp_tally_add(struct smtp_tally *tally, uint64_t number);
/** How many of the numbers in `tally` are not in `other`. Nobody adds meanwhile. */
uint64_t smtp_tally_missing(const struct smtp_tally *tally, const struct smtp_tally *other);
/** Frees what it holds; it is empty then. */
void smtp_tally_clear(struct smtp_tally *tally);

#endif
