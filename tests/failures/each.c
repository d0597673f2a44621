/* each.c - see each.h. */
#include "tests/failures/each.h"

#include "tests/failures/failing.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Runs a scenario, unless all are wanted; a sanitizer makes each several times as dear. */
#ifdef SMTP_PLAIN_RUNNER
#define ALLOCATIONS_QUICK 100
#define OPENSSL_QUICK 2
#define OPENSSL_LATER_QUICK 1
#define CALLS_QUICK 1 /* of a kind and way */
#else
#define ALLOCATIONS_QUICK 400
#define OPENSSL_QUICK 6 /* a handshake has thousands */
#define OPENSSL_LATER_QUICK 3
#define CALLS_QUICK 3
#endif
#define OPENSSL_FULL 6000 /* all of a handshake's; SCRAM's 4096 rounds have 16,000 that are alike */
#define OPENSSL_LATER_FULL 300
#define WAYS 9

/** The ways in which a kind fails; 0 ends them. */
static const int ways[FAILING_KIND_COUNT][WAYS] = {
    [FAILING_SOCKET] = {EMFILE, ENFILE, ENOBUFS, ENOMEM},
    [FAILING_CONNECT] = {EINTR, ECONNREFUSED, ETIMEDOUT, ENETUNREACH},
    [FAILING_BIND] = {EADDRINUSE, EACCES},
    [FAILING_LISTEN] = {EADDRINUSE},
    [FAILING_ACCEPT] = {EINTR, EAGAIN, ECONNABORTED, EMFILE, ENFILE, ENOMEM},
    [FAILING_RECV] = {EINTR, EAGAIN, FAILING_PARTLY, ECONNRESET, ETIMEDOUT, FAILING_END},
    [FAILING_SEND] = {EINTR, EAGAIN, FAILING_PARTLY, EPIPE, ECONNRESET, ENOBUFS},
    [FAILING_READ_SOCKET] = {EINTR, EAGAIN, FAILING_PARTLY, ECONNRESET, EIO, FAILING_END},
    [FAILING_READ_FILE] = {EINTR, FAILING_PARTLY, EIO, FAILING_END},
    [FAILING_READ_OTHER] = {EINTR}, /* libuv locks its signals by a pipe, and aborts at all else */
    [FAILING_WRITE_SOCKET] = {EINTR, EAGAIN, FAILING_PARTLY, EPIPE, ECONNRESET, ENOBUFS},
    [FAILING_WRITE_FILE] = {EINTR, FAILING_PARTLY, ENOSPC, EIO, EDQUOT, EFBIG},
    [FAILING_WRITE_OTHER] = {EINTR},
    [FAILING_POLL] = {EINTR, EAGAIN, FAILING_IDLY, ENOMEM},
    [FAILING_EPOLL] = {EINTR},
    [FAILING_EPOLL_MAKE] = {EMFILE, ENOMEM},
    [FAILING_OPEN] = {EINTR, EMFILE, ENFILE, ENOSPC, EACCES, EROFS},
    [FAILING_SYNC] = {EINTR, EIO, ENOSPC, EDQUOT},
    [FAILING_CLOSE_FILE] = {EINTR, EIO, ENOSPC},
    [FAILING_RENAME] = {EIO, ENOSPC, EACCES},
    [FAILING_MAKE_FOLDER] = {EACCES, ENOSPC, EIO},
    [FAILING_STAT] = {EIO, EACCES},
    [FAILING_LOCK] = {EINTR, EAGAIN, ENOLCK},
    [FAILING_SOCKET_OPTION] = {ENOBUFS},
    [FAILING_SOCKET_NAME] = {ENOBUFS, ENOTCONN},
    [FAILING_SHUTDOWN] = {ENOTCONN},
    [FAILING_THREAD] = {EAGAIN},
    [FAILING_CONDITION] = {FAILING_IDLY},
    [FAILING_RANDOM] = {EINTR, ENOSYS},
    [FAILING_RESOLVE] = {EMFILE, EAI_MEMORY, EAI_AGAIN, EAI_FAIL},
    [FAILING_TIMER] = {EMFILE, ENOMEM},
};

/* Nobody may notice: it is tried again, or done in parts. */
static bool is_invisible(enum failing_kind kind, int how)
{
    return kind != FAILING_ALLOCATION && kind != FAILING_SOCKET && kind != FAILING_EPOLL_MAKE &&
           (how == EINTR || how == EAGAIN || how == FAILING_PARTLY || how == FAILING_IDLY ||
            how == ECONNABORTED || kind == FAILING_ACCEPT) &&
           kind != FAILING_THREAD;
}

void stage_wrong(struct stage *stage, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (stage->trouble[0] == '\0') {
        vsnprintf(stage->trouble, sizeof stage->trouble, format, arguments);
    }
    va_end(arguments);
}

static bool is_set(const char *variable, const char *value)
{
    const char *text = getenv(variable);
    return text != NULL && strcmp(text, value) == 0;
}

static void tell(const struct scenario *scenario, const struct failing_plan *plan,
                 const struct stage *stage)
{
    char text[900], place[100];
    snprintf(text, sizeof text, "%s, %s %u%s failing (%d) at %s: %s", scenario->name,
             failing_kind_name(plan->kind), plan->at, plan->later ? " and all later" : "",
             plan->how, failing_tell(failing_where(), place), stage->trouble);
    if (!is_set("SMTP_FAILURES_GO_ON", "1")) {
        SMTP_TEST_FAIL("%s", text);
    }
    fprintf(stderr, "%s\n", text);
}

/* How many of them failed. */
static unsigned run(const struct scenario *scenario, const struct failing_plan *plan)
{
    struct stage stage = {.how = 0};
    unsigned descriptors = smtp_count_entries("/proc/self", "fd", NULL, 0);
    struct failing_place place;
    char words[100];
    failing_mark();
    if (scenario->before != NULL) {
        scenario->before(&stage);
    }
    failing_arm(plan);
    scenario->run(&stage);
    unsigned struck = failing_disarm();
    stage.how = struck > 0 ? plan->how : 0;
    stage.must_hold = struck == 0 || is_invisible(plan->kind, plan->how);
    scenario->after(&stage);
    OPENSSL_thread_stop(); /* a thread's errors and random numbers are kept until it ends */
    unsigned held = failing_held_since_mark(&place);
    if (held > 0) {
        stage_wrong(&stage, "%u blocks are not given back, the first from %s", held,
                    failing_tell(place, words));
    }
    unsigned open = smtp_count_entries("/proc/self", "fd", NULL, 0);
    /* uv_loop_init of libuv 1.44 leaves its first descriptor open where its second cannot be made */
    if (open != descriptors && plan->kind != FAILING_EPOLL_MAKE) {
        stage_wrong(&stage, "%u descriptors are open, %u were", open, descriptors);
    }
    if (stage.trouble[0] != '\0') {
        tell(scenario, plan, &stage);
    }
    return struck;
}

/* Once for what is made on the first use and kept, like libuv's threads, then to count. */
static void run_whole(const struct scenario *scenario)
{
    const struct failing_plan nothing = {.at = 0};
    struct stage stage = {.must_hold = true};
    if (scenario->before != NULL) {
        scenario->before(&stage);
    }
    scenario->run(&stage);
    scenario->after(&stage);
    if (stage.trouble[0] != '\0') {
        SMTP_TEST_FAIL("%s, nothing failing: %s", scenario->name, stage.trouble);
    }
    (void)run(scenario, &nothing);
}

/* So that at most `most` of `count` are tried, the first among them; 0: none is. */
static unsigned step_of(unsigned count, unsigned most)
{
    if (is_set("SMTP_FAILURES", "full") || count <= most) {
        return 1;
    }
    return most > 0 ? (count + most - 1) / most : 0;
}

/* A server that may accept no more rests for 100 ms: unless all are wanted, once a scenario is enough. */
static unsigned most_of(enum failing_kind kind, int how)
{
    bool rests = kind == FAILING_ACCEPT && how != EINTR && how != EAGAIN && how != ECONNABORTED;
    return !rests ? CALLS_QUICK : how == EMFILE ? 1 : 0;
}

static void each_of(const struct scenario *scenario, enum failing_kind kind, unsigned most,
                    bool later)
{
    struct failing_plan plan = {.kind = kind, .later = later, .how = ENOMEM};
    unsigned failed = 0, runs = 0;
    run_whole(scenario);
    unsigned count = failing_seen(kind), step = step_of(count, most);
    if (kind == FAILING_OPENSSL && is_set("SMTP_FAILURES", "full")) {
        unsigned full = later ? OPENSSL_LATER_FULL : OPENSSL_FULL;
        step = (count + full - 1) / full;
    }
    for (plan.at = 1;; plan.at += step) {
        unsigned struck = run(scenario, &plan);
        if (struck == 0) {
            break;
        }
        failed += struck;
        runs++;
    }
    printf("%s: %u %sallocations failed in %u runs\n", scenario->name, failed,
           kind == FAILING_OPENSSL ? "of OpenSSL's " : "", runs);
    failing_count(kind, failed);
}

void each_allocation(const struct scenario *scenario, bool later)
{
    each_of(scenario, FAILING_ALLOCATION, ALLOCATIONS_QUICK, later);
}

void each_of_openssl(const struct scenario *scenario, bool later)
{
    each_of(scenario, FAILING_OPENSSL, later ? OPENSSL_LATER_QUICK : OPENSSL_QUICK, later);
}

void each_call(const struct scenario *scenario)
{
    unsigned counts[FAILING_KIND_COUNT], failed = 0;
    run_whole(scenario);
    for (size_t i = 0; i < FAILING_KIND_COUNT; i++) {
        counts[i] = failing_seen((enum failing_kind)i);
    }
    for (enum failing_kind kind = FAILING_SOCKET; kind < FAILING_KIND_COUNT; kind++) {
        for (const int *way = ways[kind]; *way != 0; way++) {
            struct failing_plan plan = {.kind = kind, .how = *way};
            unsigned step = step_of(counts[kind], most_of(kind, *way));
            for (plan.at = step > 0 ? 1 : UINT_MAX; plan.at <= counts[kind]; plan.at += step) {
                failed += run(scenario, &plan);
            }
        }
    }
    printf("%s: %u system calls failed\n", scenario->name, failed);
    failing_count(FAILING_KIND_COUNT, failed);
}
