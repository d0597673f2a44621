/* clock.h - the two clocks, and a deadline as poll() wants it. */
#ifndef SMTP_COMMON_CLOCK_H
#define SMTP_COMMON_CLOCK_H

#include "common/deadline.h"

#include <stdint.h>

/** Nanoseconds of the monotonic clock. */
uint64_t smtp_clock_now_ns(void);
/** Nanoseconds since 1970-01-01 UTC. */
int64_t smtp_clock_unix_ns(void);
/** Milliseconds from now until the deadline, rounded up, for poll(): -1 for SMTP_NEVER. */
int smtp_clock_poll_ms(uint64_t now_ns, uint64_t deadline_ns);

#endif
