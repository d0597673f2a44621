/* at_once.c - work on many items by several threads. */
#include "tests/conformance/at_once.h"

#include "tests/support/test.h"

#include <pthread.h>

#define THREADS_MAX 16

static void *take(void *user)
{
    struct at_once *all = user;
    for (size_t i = all->next++; i < all->count; i = all->next++) {
        all->work((char *)all->items + i * all->size);
    }
    return NULL;
}

void at_once(struct at_once *all, size_t threads)
{
    pthread_t started[THREADS_MAX];
    expect_true(threads <= THREADS_MAX);
    for (size_t i = 0; i < threads; i++) {
        expect_int(pthread_create(&started[i], NULL, take, all), 0);
    }
    for (size_t i = 0; i < threads; i++) {
        pthread_join(started[i], NULL);
    }
}
