/* clock.c - see clock.h. */
#include "common/clock.h"

#include <limits.h>
#include <time.h>

#define NS_PER_S 1000000000

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

uint64_t smtp_clock_now_ns(void)
{
    return (uint64_t)read_clock(CLOCK_MONOTONIC);
}

int64_t smtp_clock_unix_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

int smtp_clock_poll_ms(uint64_t now_ns, uint64_t deadline_ns)
{
    if (deadline_ns == SMTP_NEVER) {
        return -1;
    }
    if (deadline_ns <= now_ns) {
        return 0;
    }
    uint64_t ms = (deadline_ns - now_ns + SMTP_NS_PER_MS - 1) / SMTP_NS_PER_MS;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}
