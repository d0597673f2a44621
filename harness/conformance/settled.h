/* settled.h - what has arrived, where a server takes its time to pass on what it took. Made of ask.h and arrivals.h. */
#ifndef SMTP_HARNESS_CONFORMANCE_SETTLED_H
#define SMTP_HARNESS_CONFORMANCE_SETTLED_H

#include <stddef.h>

struct smtp_check;

/** How many messages of the check's have arrived, once all that the server took have: others are sent behind them, which
 *  are not counted, and awaited; then none must come for quiet_ms. Skips where they do not come within the scenario's
 *  time. Closes the check's connections. */
size_t smtp_settled(struct smtp_check *check);

#endif
