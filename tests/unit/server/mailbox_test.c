/* mailbox_test.c - server/mailbox.c */
#include "common/clock.h"
#include "server/mailbox.h"
#include "server/message.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#define LONG_MS 15000 /* must not pass: what is waited for comes */

static struct smtp_message *new_message(const char *content)
{
    struct smtp_message_envelope envelope = {SMTP_BUFFER(64), SMTP_BUFFER(64), 0};
    const struct smtp_message_origin origin = {1, "h", "p", "SMTP", "", ""};
    expect_int(smtp_buffer_append(&envelope.texts, "\0", 2), SMTP_OK);
    struct smtp_message *message = smtp_message_new(&envelope, &origin, strlen(content));
    expect_true(message != NULL && smtp_message_append(&message, content, strlen(content)));
    smtp_message_finish(&message);
    smtp_buffer_free(&envelope.texts);
    return message;
}

static void put(struct smtp_mailbox *mailbox, const char *content)
{
    expect_int(smtp_mailbox_put(mailbox, new_message(content)), SMTP_OK);
}

static void expect_next(struct smtp_mailbox *mailbox, struct smtp_mailbox_cursor *cursor,
                        smtp_message_predicate *predicate, void *user, uint64_t number)
{
    struct smtp_message *message = NULL;
    expect_int(smtp_mailbox_next(mailbox, cursor, predicate, user, LONG_MS, &message), SMTP_OK);
    expect_int(smtp_message_number(message), number);
    expect_int(cursor->number, number);
    smtp_message_release(message);
}

TEST(mailbox, numbers_messages_from_1)
{
    struct smtp_mailbox *mailbox = smtp_mailbox_new();
    put(mailbox, "one");
    put(mailbox, "two");
    expect_int(smtp_mailbox_count(mailbox), 2);
    expect_int(smtp_mailbox_captured(mailbox), 2);
    struct smtp_message *message = smtp_mailbox_get(mailbox, 2);
    expect_str(smtp_message_content(message, NULL), "two");
    expect_int(smtp_message_number(message), 2);
    smtp_message_release(message);
    expect_true(smtp_mailbox_get(mailbox, 0) == NULL);
    expect_true(smtp_mailbox_get(mailbox, 3) == NULL);
    smtp_mailbox_free(mailbox);
}

TEST(mailbox, numbers_go_on_after_a_clear_and_references_stay_good)
{
    struct smtp_mailbox *mailbox = smtp_mailbox_new();
    put(mailbox, "one");
    struct smtp_message *kept = smtp_mailbox_get(mailbox, 1);
    smtp_mailbox_clear(mailbox);
    expect_int(smtp_mailbox_count(mailbox), 0);
    expect_int(smtp_mailbox_captured(mailbox), 1);
    expect_true(smtp_mailbox_get(mailbox, 1) == NULL);
    put(mailbox, "two");
    expect_int(smtp_mailbox_captured(mailbox), 2);
    struct smtp_message *second = smtp_mailbox_get(mailbox, 2);
    expect_str(smtp_message_content(second, NULL), "two");
    smtp_message_release(second);
    smtp_mailbox_free(mailbox);
    expect_str(smtp_message_content(kept, NULL), "one");
    smtp_message_release(kept);
}

TEST(mailbox, a_place_that_is_reserved_stays_whatever_comes_and_is_cleared)
{
    struct smtp_mailbox *mailbox = smtp_mailbox_new();
    put(mailbox, "one");
    expect_int(smtp_mailbox_reserve(mailbox), SMTP_OK);
    expect_int(smtp_mailbox_reserve(mailbox), SMTP_OK);
    for (int i = 0; i < 62; i++) { /* all places of the first ring, but the one of the second */
        put(mailbox, "x");
    }
    smtp_mailbox_clear(mailbox);
    expect_int(smtp_mailbox_count(mailbox), 0);
    expect_int(smtp_mailbox_captured(mailbox), 63);
    smtp_mailbox_fill(mailbox, new_message("kept"));
    smtp_mailbox_give_back(mailbox);
    put(mailbox, "more");
    struct smtp_message *message = smtp_mailbox_get(mailbox, 64);
    expect_str(smtp_message_content(message, NULL), "kept");
    smtp_message_release(message);
    expect_int(smtp_mailbox_captured(mailbox), 65);
    smtp_mailbox_free(mailbox);
}

TEST(mailbox, a_cursor_gives_each_message_once_and_skips_what_was_removed)
{
    struct smtp_mailbox *mailbox = smtp_mailbox_new();
    struct smtp_mailbox_cursor cursor = {0};
    for (int i = 0; i < 200; i++) { /* the array grows on the way */
        put(mailbox, "x");
    }
    for (uint64_t number = 1; number <= 200; number++) {
        expect_next(mailbox, &cursor, NULL, NULL, number);
    }
    struct smtp_message *none = NULL;
    expect_int(smtp_mailbox_next(mailbox, &cursor, NULL, NULL, 0, &none), SMTP_TIMED_OUT);
    expect_true(none == NULL);
    put(mailbox, "removed");
    smtp_mailbox_clear(mailbox);
    put(mailbox, "stays");
    expect_next(mailbox, &cursor, NULL, NULL, 202);
    smtp_mailbox_free(mailbox);
}

TEST(mailbox, a_cursor_of_now_does_not_see_what_was_there)
{
    struct smtp_mailbox *mailbox = smtp_mailbox_new();
    put(mailbox, "before");
    struct smtp_mailbox_cursor cursor = smtp_mailbox_now(mailbox);
    expect_int(smtp_mailbox_none(mailbox, &cursor, NULL, NULL, 0), SMTP_OK);
    put(mailbox, "after");
    expect_next(mailbox, &cursor, NULL, NULL, 2);
    smtp_mailbox_free(mailbox);
}

struct look {
    struct smtp_mailbox *mailbox;
    unsigned count;
};

/* Calls the mailbox itself: were a lock held, this would never return. */
static bool is_wanted(const struct smtp_message *message, void *user)
{
    struct look *look = user;
    look->count++;
    expect_int(smtp_mailbox_count(look->mailbox), 3);
    return strcmp(smtp_message_content(message, NULL), "wanted") == 0;
}

TEST(mailbox, a_predicate_sees_each_message_once_and_no_lock_is_held)
{
    struct smtp_mailbox *mailbox = smtp_mailbox_new();
    struct smtp_mailbox_cursor cursor = {0};
    struct look look = {mailbox, 0};
    put(mailbox, "other");
    put(mailbox, "wanted");
    put(mailbox, "other");
    expect_next(mailbox, &cursor, is_wanted, &look, 2);
    expect_int(look.count, 2);
    struct smtp_message *none = NULL;
    expect_int(smtp_mailbox_next(mailbox, &cursor, is_wanted, &look, 0, &none), SMTP_TIMED_OUT);
    expect_int(look.count, 3);
    expect_int(cursor.number, 3);
    smtp_mailbox_free(mailbox);
}

TEST(mailbox, waiting_ends_at_its_deadline_and_not_before)
{
    struct smtp_mailbox *mailbox = smtp_mailbox_new();
    struct smtp_mailbox_cursor cursor = {0};
    uint64_t start_ns = smtp_clock_now_ns();
    expect_int(smtp_mailbox_wait(mailbox, 1, 20), SMTP_TIMED_OUT);
    expect_true(smtp_clock_now_ns() - start_ns >= 20 * SMTP_NS_PER_MS);
    start_ns = smtp_clock_now_ns();
    expect_int(smtp_mailbox_none(mailbox, &cursor, NULL, NULL, 20), SMTP_OK);
    expect_true(smtp_clock_now_ns() - start_ns >= 20 * SMTP_NS_PER_MS);
    expect_int(smtp_mailbox_wait(mailbox, 0, 0), SMTP_OK);
    expect_int(smtp_mailbox_wait(mailbox, 1, 0), SMTP_TIMED_OUT);
    smtp_mailbox_free(mailbox);
}

TEST(mailbox, a_cursor_before_what_was_removed_is_waited_with_too)
{
    struct smtp_mailbox *mailbox = smtp_mailbox_new();
    struct smtp_mailbox_cursor cursor = {0};
    put(mailbox, "x");
    smtp_mailbox_clear(mailbox);
    uint64_t start_ns = smtp_clock_now_ns();
    expect_int(smtp_mailbox_none(mailbox, &cursor, NULL, NULL, 20), SMTP_OK);
    expect_true(smtp_clock_now_ns() - start_ns >= 20 * SMTP_NS_PER_MS);
    put(mailbox, "y");
    expect_next(mailbox, &cursor, NULL, NULL, 2);
    smtp_mailbox_free(mailbox);
}

/* The messages it holds are these numbers, each with the content that it came with. */
static void expect_held(struct smtp_mailbox *mailbox, uint64_t first, uint64_t last)
{
    char content[24];
    expect_int(smtp_mailbox_count(mailbox), last - first + 1);
    expect_int(smtp_mailbox_captured(mailbox), last);
    expect_true(smtp_mailbox_get(mailbox, first - 1) == NULL);
    for (uint64_t number = first; number <= last; number++) {
        struct smtp_message *message = smtp_mailbox_get(mailbox, number);
        snprintf(content, sizeof content, "%06llu", (unsigned long long)number);
        expect_str(smtp_message_content(message, NULL), content);
        expect_int(smtp_message_number(message), number);
        smtp_message_release(message);
    }
}

static void put_numbered(struct smtp_mailbox *mailbox, uint64_t first, uint64_t last)
{
    char content[24];
    for (uint64_t number = first; number <= last; number++) {
        snprintf(content, sizeof content, "%06llu", (unsigned long long)number);
        put(mailbox, content);
    }
}

TEST(mailbox, a_ring_keeps_the_last_messages)
{
    for (size_t max = 1; max <= 200; max += 33) {
        struct smtp_mailbox *mailbox = smtp_mailbox_new();
        smtp_mailbox_bound(mailbox, max, 0);
        put_numbered(mailbox, 1, max);
        expect_held(mailbox, 1, max);
        for (uint64_t last = max + 1; last < max + 150; last++) {
            put_numbered(mailbox, last, last);
            expect_held(mailbox, last - max + 1, last);
        }
        smtp_mailbox_free(mailbox);
    }
}

TEST(mailbox, a_ring_keeps_the_last_octets_and_the_newest_message_in_any_case)
{
    struct smtp_mailbox *mailbox = smtp_mailbox_new();
    smtp_mailbox_bound(mailbox, 0, 60);
    put_numbered(mailbox, 1, 10);
    expect_held(mailbox, 1, 10);
    put_numbered(mailbox, 11, 13);
    expect_held(mailbox, 4, 13);
    put(mailbox, "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789");
    expect_int(smtp_mailbox_count(mailbox), 1);
    expect_true(smtp_mailbox_get(mailbox, 13) == NULL);
    put_numbered(mailbox, 15, 15);
    expect_held(mailbox, 15, 15);
    smtp_mailbox_free(mailbox);
}

/* otherwise it would wait for ever */
TEST(mailbox, a_cursor_that_a_ring_left_behind_is_told_at_once_where_nothing_is_left)
{
    struct smtp_message *message = NULL;
    struct smtp_mailbox *mailbox = smtp_mailbox_new();
    struct smtp_mailbox_cursor behind = {0};
    smtp_mailbox_bound(mailbox, 1, 0);
    put_numbered(mailbox, 1, 2);
    smtp_mailbox_clear(mailbox);
    expect_int(smtp_mailbox_next(mailbox, &behind, NULL, NULL, UINT64_MAX, &message),
               SMTP_LIMIT_EXCEEDED);
    expect_int(smtp_mailbox_next(mailbox, &behind, NULL, NULL, 0, &message), SMTP_TIMED_OUT);
    smtp_mailbox_free(mailbox);
}

TEST(mailbox, a_cursor_that_a_ring_left_behind_is_told_once_and_goes_on)
{
    struct smtp_message *message = NULL;
    struct smtp_mailbox *mailbox = smtp_mailbox_new();
    struct smtp_mailbox_cursor behind = {0}, none = {0}, with = {0};
    smtp_mailbox_bound(mailbox, 4, 0);
    put_numbered(mailbox, 1, 3);
    expect_next(mailbox, &behind, NULL, NULL, 1);
    with = smtp_mailbox_now(mailbox);
    put_numbered(mailbox, 4, 7);
    expect_int(smtp_mailbox_next(mailbox, &behind, NULL, NULL, 0, &message), SMTP_LIMIT_EXCEEDED);
    expect_true(message == NULL);
    expect_int(smtp_mailbox_none(mailbox, &none, NULL, NULL, 0), SMTP_LIMIT_EXCEEDED);
    for (uint64_t number = 4; number <= 7; number++) {
        expect_next(mailbox, &behind, NULL, NULL, number);
        expect_next(mailbox, &with, NULL, NULL, number); /* it missed none */
    }
    expect_int(smtp_mailbox_next(mailbox, &behind, NULL, NULL, 0, &message), SMTP_TIMED_OUT);
    put_numbered(mailbox, 8, 8);
    smtp_mailbox_clear(mailbox); /* what a caller removed is not missed */
    put_numbered(mailbox, 9, 9);
    expect_next(mailbox, &with, NULL, NULL, 9);
    smtp_mailbox_free(mailbox);
}

TEST(mailbox, none_fails_as_soon_as_one_came)
{
    struct smtp_mailbox *mailbox = smtp_mailbox_new();
    struct smtp_mailbox_cursor cursor = {0};
    put(mailbox, "x");
    expect_int(smtp_mailbox_none(mailbox, &cursor, NULL, NULL, LONG_MS), SMTP_NOT_AS_EXPECTED);
    expect_int(cursor.number, 1);
    smtp_mailbox_free(mailbox);
}

#define SLEEPERS 4

struct sleeper {
    struct smtp_mailbox *mailbox;
    atomic_uint *about_to_wait;
    enum smtp_status status;
};

/* Passes over the first message; what comes next is waited for. */
static bool is_second(const struct smtp_message *message, void *user)
{
    struct sleeper *sleeper = user;
    if (smtp_message_number(message) == 2) {
        return true;
    }
    atomic_fetch_add(sleeper->about_to_wait, 1);
    return false;
}

static void *wait_for_second(void *user)
{
    struct sleeper *sleeper = user;
    struct smtp_mailbox_cursor cursor = {0};
    struct smtp_message *message = NULL;
    sleeper->status =
        smtp_mailbox_next(sleeper->mailbox, &cursor, is_second, sleeper, LONG_MS, &message);
    smtp_message_release(message);
    return NULL;
}

/* They must wake by the message: at their deadline they would find it as well. */
static void expect_woken(size_t count)
{
    struct smtp_mailbox *mailbox = smtp_mailbox_new();
    struct sleeper sleepers[SLEEPERS];
    pthread_t threads[SLEEPERS];
    atomic_uint about_to_wait = 0;
    put(mailbox, "first");
    for (size_t i = 0; i < count; i++) {
        sleepers[i] = (struct sleeper){mailbox, &about_to_wait, SMTP_TIMED_OUT};
        expect_int(pthread_create(&threads[i], NULL, wait_for_second, &sleepers[i]), 0);
    }
    while (atomic_load(&about_to_wait) < count) {
        sched_yield();
    }
    uint64_t start_ns = smtp_clock_now_ns();
    put(mailbox, "second");
    for (size_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        expect_int(sleepers[i].status, SMTP_OK);
    }
    expect_true(smtp_clock_now_ns() - start_ns < LONG_MS / 2 * SMTP_NS_PER_MS);
    smtp_mailbox_free(mailbox);
}

TEST(mailbox, a_message_wakes_the_one_who_waits)
{
    expect_woken(1);
}

TEST(mailbox, one_message_wakes_all_who_wait)
{
    expect_woken(SLEEPERS);
}

#define PUTTERS 4
#define PUTS 500

static void *put_many(void *mailbox)
{
    for (int i = 0; i < PUTS; i++) {
        put(mailbox, "x");
    }
    return NULL;
}

static void *count_all(void *mailbox)
{
    struct smtp_mailbox_cursor cursor = {0};
    for (uint64_t number = 1; number <= PUTTERS * PUTS; number++) {
        expect_next(mailbox, &cursor, NULL, NULL, number);
    }
    return NULL;
}

TEST(mailbox, several_waiters_each_see_every_message_of_several_threads_in_order)
{
    struct smtp_mailbox *mailbox = smtp_mailbox_new();
    pthread_t putters[PUTTERS], readers[2];
    for (size_t i = 0; i < 2; i++) {
        expect_int(pthread_create(&readers[i], NULL, count_all, mailbox), 0);
    }
    for (size_t i = 0; i < PUTTERS; i++) {
        expect_int(pthread_create(&putters[i], NULL, put_many, mailbox), 0);
    }
    expect_int(smtp_mailbox_wait(mailbox, PUTTERS * PUTS, LONG_MS), SMTP_OK);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(readers[i], NULL);
    }
    for (size_t i = 0; i < PUTTERS; i++) {
        pthread_join(putters[i], NULL);
    }
    expect_int(smtp_mailbox_count(mailbox), PUTTERS * PUTS);
    smtp_mailbox_free(mailbox);
}
