/** Work on many items by several threads. */
#ifndef TESTS_CONFORMANCE_AT_ONCE_H
#define TESTS_CONFORMANCE_AT_ONCE_H

#include <stdatomic.h>
#include <stddef.h>

/** The items, each `size` octets, and what is done with one; `next` begins as 0. */
struct at_once {
    void (*work)(void *item);
    void *items;
    size_t size, count;
    atomic_size_t next;
};

/** Works on each item once, by `threads` threads at most 16; returns when all are done. */
void at_once(struct at_once *all, size_t threads);

#endif
