/* simulate.h - many runs of a seed, and the first that did not hold, told as a dialogue. */
#ifndef SMTP_HARNESS_SIMULATE_SIMULATE_H
#define SMTP_HARNESS_SIMULATE_SIMULATE_H

#include "harness/simulate/run.h"

#include <stdio.h>

struct smtp_simulation {
    uint64_t seed;
    uint64_t first; /* the number of the first run */
    uint64_t runs;
    /** Called now and then, with how many are done; true: no more. NULL: none. */
    bool (*look)(void *user, uint64_t done);
    void *user;
};

struct smtp_simulation_result {
    struct smtp_sim_counts counts;
    bool held;
    uint64_t failed_run; /* where it has not */
    char breach[SMTP_SIM_BREACH_SIZE];
};

/** SMTP_OK whether it held or not; SMTP_NO_MEMORY. */
enum smtp_status smtp_simulate(const struct smtp_simulation *simulation,
                               struct smtp_simulation_result *result) SMTP_MUST_CHECK;

/** Runs one and writes it as a dialogue: what each end said, when, and what befell them. held: whether it has;
 *  NULL: nobody asks. SMTP_NO_MEMORY. */
enum smtp_status smtp_simulate_told(uint64_t seed, uint64_t run, FILE *to, bool *held)
    SMTP_MUST_CHECK;

#endif
