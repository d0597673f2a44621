/* busy.h - sessions that send at a steady rate, in a process of their own, and how long each message took from when it was
 * due. Knows no server's inside. */
#ifndef SMTP_TESTS_SOAK_BUSY_H
#define SMTP_TESTS_SOAK_BUSY_H

#include "tests/soak/soak.h"

struct busy_order {
    uint16_t port;
    unsigned sessions;
    unsigned rate; /* messages a second, of all sessions */
    unsigned duration_ms;
    unsigned session_messages; /* then a new one; 0: any number */
};
struct busy_answer {
    uint64_t accepted;
    uint64_t failed; /* refused, cut off, unknown */
    uint64_t p50_us, p99_us, p999_us, max_us;
};

/** For soak_child_start: a struct busy_answer for each struct busy_order. */
void busy_obey(int orders, int answers);
/** Gives the order and waits for its answer; what `meanwhile` (NULL: nothing) has to look at is asked for every 20 ms. */
bool busy_run(const struct soak_child *child, const struct busy_order *order,
              struct busy_answer *answer, void (*meanwhile)(void *user), void *user);
/** One line of its figures. */
void busy_print(const char *what, const struct busy_answer *answer);

#endif
