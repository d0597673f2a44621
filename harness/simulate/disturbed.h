/* disturbed.h - a step of the simulated server that goes wrong on purpose, as server/disturb.c does it on a socket: the same
 * order, the same words, on a simulated wire and clock. */
#ifndef SMTP_HARNESS_SIMULATE_DISTURBED_H
#define SMTP_HARNESS_SIMULATE_DISTURBED_H

#include "harness/simulate/run.h"

enum smtp_sim_phase {
    SMTP_SIM_UNDISTURBED,
    SMTP_SIM_WAITING, /* until what was said before is out */
    SMTP_SIM_DELAYED,
    SMTP_SIM_DOING, /* its reply is to come */
    SMTP_SIM_SAYING,
    SMTP_SIM_RESTING, /* its ending lasts */
};

struct smtp_sim_server;

struct smtp_sim_disturbance {
    enum smtp_sim_phase phase;
    enum smtp_server_step_kind kind;
    struct smtp_server_fault fault;
    struct smtp_buffer out; /* owned */
    uint64_t due_ns;
    bool uncoded;
};

/** Puts the step to the plan of faults. True: it goes wrong, and smtp_sim_disturbed_step sees to that. */
bool smtp_sim_disturb(struct smtp_sim_server *server, const struct smtp_server_step *step);
/** One thing that can be done now; false: it waits, or there is none. */
bool smtp_sim_disturbed_step(struct smtp_sim_server *server);
uint64_t smtp_sim_disturbed_due_ns(const struct smtp_sim_server *server);
void smtp_sim_disturbed_end(struct smtp_sim_server *server);

/** The session takes nothing now; what it says is not what goes out; what comes is read and dropped. */
bool smtp_sim_disturbed_holds(const struct smtp_sim_server *server);
bool smtp_sim_disturbed_speaks(const struct smtp_sim_server *server);
bool smtp_sim_disturbed_reads(const struct smtp_sim_server *server);

#endif
