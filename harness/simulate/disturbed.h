/* disturbed.h - a step of the simulated server that goes wrong on purpose: server/protocol/disturbance.h on a simulated wire and
 * clock. */
#ifndef SMTP_HARNESS_SIMULATE_DISTURBED_H
#define SMTP_HARNESS_SIMULATE_DISTURBED_H

#include "harness/simulate/server_end.h"

/** Puts the step to the plan of faults. True: it goes wrong, and smtp_sim_disturbed_step sees to that. */
bool smtp_sim_disturb(struct smtp_sim_server *server, const struct smtp_server_step *step);
/** One thing that can be done now; false: it waits, or there is none. */
bool smtp_sim_disturbed_step(struct smtp_sim_server *server);

#endif
