/* plan.h - what one run is like: how both ends are set up, how the network treats them, what goes wrong on purpose. All of it
 * is drawn, so that a run is its seed and its number. */
#ifndef SMTP_HARNESS_SIMULATE_PLAN_H
#define SMTP_HARNESS_SIMULATE_PLAN_H

#include "client/protocol/session.h"
#include "harness/simulate/wire.h"
#include "server/protocol/session.h"

#define SMTP_SIM_SESSIONS 3
#define SMTP_SIM_LETTERS_EACH 3 /* of a session, at most */
#define SMTP_SIM_FAULTS 2
#define SMTP_SIM_FAULT_SIZE 80

struct smtp_sim_plan {
    struct smtp_server_session_config server;
    struct smtp_client_options client;
    struct smtp_sim_manners manners;
    size_t sessions;
    size_t letters; /* of each session */
    bool lmtp;
    bool tls;  /* the client says STARTTLS where it is offered */
    bool auth; /* and AUTH */
    unsigned tls_fails_percent;
    unsigned refuse_percent;                           /* of what the server is asked to decide */
    unsigned break_percent;                            /* of directions that break */
    unsigned leave_percent;                            /* of clients that go without a word */
    unsigned leap_percent;                             /* of steps of the clock that go too far */
    char faults[SMTP_SIM_FAULTS][SMTP_SIM_FAULT_SIZE]; /* in the notation of smtp_harness.h */
    size_t fault_count;
    bool is_calm; /* nothing is to go wrong: every message must arrive */
};

/** What all plans have in common; filled in once. */
struct smtp_sim_defaults {
    struct smtp_server_options server;
    struct smtp_client_options client;
};
void smtp_sim_defaults_init(struct smtp_sim_defaults *defaults);

void smtp_sim_plan_draw(struct smtp_sim_plan *plan, const struct smtp_sim_defaults *defaults,
                        struct smtp_draw *draw);

#endif
