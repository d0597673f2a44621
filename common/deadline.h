/* deadline.h - deadlines as plain numbers: instants of a monotonic clock in nanoseconds. Reads no
 * clock, so that a protocol core can use it. */
#ifndef SMTP_COMMON_DEADLINE_H
#define SMTP_COMMON_DEADLINE_H

#include <stdint.h>

#define SMTP_NEVER UINT64_MAX /* a deadline that does not come */
#define SMTP_NS_PER_MS UINT64_C(1000000)

/** now + timeout; a timeout of 0 is no deadline. */
static inline uint64_t smtp_deadline_after(uint64_t now_ns, uint64_t timeout_ms)
{
    return timeout_ms == 0 || timeout_ms > (SMTP_NEVER - now_ns) / SMTP_NS_PER_MS
               ? SMTP_NEVER
               : now_ns + timeout_ms * SMTP_NS_PER_MS;
}

static inline uint64_t smtp_deadline_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

#endif
