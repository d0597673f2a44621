/* failing.h - the seam of these tests: every allocation, and every socket, file and thread call, of the
 * libraries and of libuv goes through the linker's --wrap to wrapped_memory.c and wrapped_calls.c, every allocation of
 * OpenSSL's to openssl_memory.c, which ask here whether this one is to fail.
 * Knows: counts, which one fails and how, what memory is still held. Does not know: SMTP, scenarios. */
#ifndef SMTP_TESTS_FAILURES_FAILING_H
#define SMTP_TESTS_FAILURES_FAILING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What can fail. A call on a descriptor has a kind for each sort of it: libuv takes a failure of its own
 *  wake-up's for the end of the world, and aborts. */
#define FAILING_KINDS(X)                                                                           \
    X(ALLOCATION)                                                                                  \
    X(OPENSSL)                                                                                     \
    X(SOCKET)                                                                                      \
    X(CONNECT)                                                                                     \
    X(BIND)                                                                                        \
    X(LISTEN)                                                                                      \
    X(ACCEPT)                                                                                      \
    X(RECV)                                                                                        \
    X(SEND)                                                                                        \
    X(READ_SOCKET)                                                                                 \
    X(READ_FILE)                                                                                   \
    X(READ_OTHER)                                                                                  \
    X(WRITE_SOCKET)                                                                                \
    X(WRITE_FILE)                                                                                  \
    X(WRITE_OTHER)                                                                                 \
    X(POLL)                                                                                        \
    X(EPOLL)                                                                                       \
    X(EPOLL_MAKE)                                                                                  \
    X(OPEN)                                                                                        \
    X(SYNC)                                                                                        \
    X(CLOSE_FILE)                                                                                  \
    X(RENAME)                                                                                      \
    X(MAKE_FOLDER)                                                                                 \
    X(STAT)                                                                                        \
    X(LOCK)                                                                                        \
    X(SOCKET_OPTION)                                                                               \
    X(SOCKET_NAME)                                                                                 \
    X(SHUTDOWN)                                                                                    \
    X(THREAD)                                                                                      \
    X(CONDITION)                                                                                   \
    X(RANDOM)                                                                                      \
    X(RESOLVE)                                                                                     \
    X(TIMER)

enum failing_kind {
#define X(name) FAILING_##name,
    FAILING_KINDS(X)
#undef X
        FAILING_KIND_COUNT
};
const char *failing_kind_name(enum failing_kind kind);

/** In place of an errno: the call does a part of what it was asked (one octet), comes to its end for no
 *  reason (a poll that times out, a condition that wakes), or finds the end of the stream. */
enum { FAILING_PARTLY = -1, FAILING_IDLY = -2, FAILING_END = -3 };

/** The `at`-th of that kind fails, from 1 (0: none does; all are counted), and with `later` all after it. */
struct failing_plan {
    enum failing_kind kind;
    unsigned at;
    bool later;
    int how; /* an errno, or one of the above */
};
void failing_arm(const struct failing_plan *plan);
/** Nothing fails, nothing is counted any more. How many did. */
unsigned failing_disarm(void);
/** How many of a kind were asked for since it was armed. */
unsigned failing_seen(enum failing_kind kind);
/** From now on nothing of this thread fails: it is the other end. */
void failing_spare_thread(void);
/** Who asks: an address in the program, told as an offset into it, for addr2line; where there is a line (not 0), the name
 *  of a source file, which lives on. */
struct failing_place {
    const void *caller;
    int line;
};
/** For the wrapped calls: 0, or how this one is to fail. */
int failing_strike(enum failing_kind kind, const void *caller);
int failing_strike_at(enum failing_kind kind, struct failing_place place);
/** Where the first one failed. */
struct failing_place failing_where(void);
/** In words. */
const char *failing_tell(struct failing_place place, char to[100]);

/* ---- memory held ---- */

void failing_note(void *pointer, struct failing_place place); /* NULL: nothing */
void failing_forget(void *pointer);
/** What is taken from now on and not given back is a leak. */
void failing_mark(void);
/** How many are; *place: who took the first. */
unsigned failing_held_since_mark(struct failing_place *place);

/* ---- the sum, over all processes of the program ---- */
void failing_count(enum failing_kind kind, unsigned failed); /* what is no allocation is a call */

#endif
