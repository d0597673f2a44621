/* world.h - one run: some sessions, one clock, one thread, until nothing more can happen; and whether all that must hold has
 * held. */
#ifndef SMTP_HARNESS_SIMULATE_WORLD_H
#define SMTP_HARNESS_SIMULATE_WORLD_H

#include "harness/simulate/client_end.h"
#include "harness/simulate/server_end.h"

struct smtp_sim_session {
    struct smtp_sim_client client;
    struct smtp_sim_server server;
    struct smtp_sim_wire up, down; /* from the client, to it */
    uint64_t shake_ns;             /* how long its handshake takes */
    uint64_t shaken_ns;            /* when it is over; SMTP_NEVER: it has not begun */
    bool shakes_well;
};

/** Everything a run needs; its storage is used again by the next. */
struct smtp_sim_world {
    struct smtp_sim_defaults defaults;
    struct smtp_sim_run run;
    struct smtp_sim_session sessions[SMTP_SIM_SESSIONS];
};

/** NULL: out of memory. counts: borrowed, those of all runs. */
struct smtp_sim_world *smtp_sim_world_new(struct smtp_sim_counts *counts);
void smtp_sim_world_free(struct smtp_sim_world *world);

/** Runs one, and says what has not held, or NULL; it lives until the next. tell: NULL, or who hears everything. */
const char *smtp_sim_world_run(struct smtp_sim_world *world, uint64_t seed, uint64_t run,
                               smtp_sim_tell *tell, void *tell_user);
/** What the last run was like, in a few words a line, for who reads its dialogue. */
void smtp_sim_world_describe(const struct smtp_sim_world *world, char *text, size_t size);

#endif
