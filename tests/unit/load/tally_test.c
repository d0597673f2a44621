/* tally_test.c - harness/load/tally.c: which numbers were seen, by many threads at once. */
#include "harness/load/tally.h"
#include "tests/support/test.h"

#include <pthread.h>

static struct smtp_tally *make(void)
{
    return calloc(1, sizeof(struct smtp_tally));
}

TEST(tally, knows_which_are_missing_and_which_came_again)
{
    struct smtp_tally *sent = make(), *arrived = make();
    for (uint64_t number = 0; number < 3 * SMTP_TALLY_CHUNK_BITS; number += 1000) {
        expect_true(smtp_tally_add(sent, number));
        if (number != 5000 && number != 2 * SMTP_TALLY_CHUNK_BITS / 1000 * 1000) {
            expect_true(smtp_tally_add(arrived, number));
        }
    }
    expect_true(smtp_tally_add(arrived, 1000));
    expect_true(smtp_tally_add(arrived, 7));
    expect_int(smtp_tally_missing(sent, arrived), 2);
    expect_int(smtp_tally_missing(arrived, sent), 1);
    expect_int(arrived->again, 1);
    expect_int(arrived->count, sent->count - 2 + 1);
    expect_true(!smtp_tally_add(sent, SMTP_TALLY_MAX));
    smtp_tally_clear(sent);
    smtp_tally_clear(arrived);
    free(sent);
    free(arrived);
}

#define NUMBERS 20000

static void *add_all(void *user)
{
    for (uint64_t number = 0; number < NUMBERS; number++) {
        smtp_tally_add(user, number * 131);
    }
    return NULL;
}

TEST(tally, counts_each_once_whoever_was_first)
{
    struct smtp_tally *tally = make();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        expect_int(pthread_create(&threads[i], NULL, add_all, tally), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    expect_int(tally->count, NUMBERS);
    expect_int(tally->again, 3 * NUMBERS);
    smtp_tally_clear(tally);
    free(tally);
}
