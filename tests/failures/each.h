/* each.h - runs a scenario again and again, each time with another allocation, or another call of the system, failing.
 * Knows: which errno is worth trying of which call, and which of them nobody may notice. Does not know: what a scenario
 * does.
 * By default small scenarios have each of theirs failed, large ones every k-th, so that the program is quick; with
 * SMTP_FAILURES=full in the environment each of all. SMTP_FAILURES_GO_ON=1: what does not hold is told, and the next one
 * is tried. What is told of places are offsets into the program: addr2line -fe build/dev/tests/failures 0x... */
#ifndef SMTP_TESTS_FAILURES_EACH_H
#define SMTP_TESTS_FAILURES_EACH_H

#include "client/smtp_client.h"
#include "common/address.h"
#include "server/smtp_server.h"

#include <stdbool.h>

#define LETTERS 8 /* a scenario sends at most, numbered from 1 */

/** What a scenario works with, made anew for each run. */
struct stage {
    bool must_hold; /* in `after`: nothing failed, or nothing that may be noticed */
    int how;        /* of the plan; 0: nothing failed */
    void *user;
    struct smtp_server *server;
    struct smtp_server_options options; /* of it, and of its clients */
    struct smtp_client_options client;
    char folder[64];                      /* where something is delivered; "": nowhere */
    char address[SMTP_ADDRESS_TEXT_SIZE]; /* of the server, as clients take it */
    struct {
        bool tried;
        enum smtp_status status; /* what its sender was told */
    } letters[LETTERS + 1];
    char trouble[600]; /* what does not hold; "" nothing */
};

struct scenario {
    const char *name;
    void (*before)(struct stage *stage); /* what need not fail: NULL nothing */
    void (*run)(struct stage *stage); /* here it fails; notes what it is told, and judges nothing */
    void (*after)(struct stage *stage); /* judges, sends another message, frees all */
};

/** Tells what does not hold; the first counts. */
void stage_wrong(struct stage *stage, const char *format, ...) SMTP_PRINTF(2, 3);

/** Every allocation; with `later` each time all after it, too. */
void each_allocation(const struct scenario *scenario, bool later);
/** Every allocation of OpenSSL's, likewise; of more than some thousands every k-th, even in full. */
void each_of_openssl(const struct scenario *scenario, bool later);
/** Every call of each kind, in each way. */
void each_call(const struct scenario *scenario);

/** A test of either. */
#define BOTH_FAIL(name, scenario)                                                                  \
    TEST_WITHIN(failing_allocations, name, 60)                                                     \
    {                                                                                              \
        each_allocation(&(scenario), false);                                                       \
    }                                                                                              \
    TEST_WITHIN(failing_calls, name, 60)                                                           \
    {                                                                                              \
        each_call(&(scenario));                                                                    \
    }

/** Tests of what makes its calls within OpenSSL, where they do not fail here: OpenSSL's allocations, and our own. */
#define MEMORY_FAILS(name, scenario)                                                               \
    TEST_WITHIN(failing_allocations, name, 60)                                                     \
    {                                                                                              \
        each_allocation(&(scenario), false);                                                       \
    }                                                                                              \
    OPENSSL_FAILS(name, scenario)

/** A test of OpenSSL's. */
#define OPENSSL_FAILS(name, scenario)                                                              \
    TEST_WITHIN(failing_openssl, name, 600)                                                        \
    {                                                                                              \
        each_of_openssl(&(scenario), false);                                                       \
        each_of_openssl(&(scenario), true);                                                        \
    }

#endif
