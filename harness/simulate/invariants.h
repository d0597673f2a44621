/* invariants.h - what must hold after a run, whatever befell it. Knows: what was given, kept and told. Does not know: how it
 * came about. */
#ifndef SMTP_HARNESS_SIMULATE_INVARIANTS_H
#define SMTP_HARNESS_SIMULATE_INVARIANTS_H

#include "harness/simulate/run.h"

/** The first breach is in run->breach. */
void smtp_sim_check_letters(struct smtp_sim_run *run);

#endif
