/* server_end.h - the server's core in a simulated session, driven as server/connection.c and its neighbours drive it. */
#ifndef SMTP_HARNESS_SIMULATE_SERVER_END_H
#define SMTP_HARNESS_SIMULATE_SERVER_END_H

#include "harness/simulate/run.h"
#include "server/protocol/disturbance.h"

enum smtp_sim_server_stage {
    SMTP_SIM_TALKING,
    SMTP_SIM_SECURING, /* 220 to STARTTLS was said */
    SMTP_SIM_SERVER_OVER,
};

struct smtp_sim_server {
    struct smtp_sim_run *run;
    size_t number; /* of its session */
    struct smtp_server_session *session;
    enum smtp_sim_server_stage stage;
    struct smtp_sim_wire *up, *down;
    char in[1024];
    size_t in_at, in_len;
    struct smtp_server_disturbance disturbance;
    void *fault_state;  /* the plan's own */
    uint64_t ends_ns;   /* when the time of the whole session is over */
    uint64_t stalls_ns; /* when a peer that takes nothing is left; SMTP_NEVER: all was taken */
    uint64_t lied_ns;   /* since when a fault has said what was not so; SMTP_NEVER */
    bool refused_rset;  /* a fault did */
};

/** A new connection. False: out of memory. */
bool smtp_sim_server_open(struct smtp_sim_server *server);
void smtp_sim_server_close(struct smtp_sim_server *server);
/** One thing that can be done now; false: it waits. */
bool smtp_sim_server_step(struct smtp_sim_server *server);
/** When time alone makes a difference; SMTP_NEVER. */
uint64_t smtp_sim_server_due_ns(const struct smtp_sim_server *server);
/** How long it may wait at most for what it waits for now; 0: for ever. */
uint64_t smtp_sim_server_longest_ms(const struct smtp_sim_server *server);
/** The handshake is over, well or not. */
void smtp_sim_server_shaken(struct smtp_sim_server *server, bool well);
/** The connection is at an end. reset: with all that is under way. */
void smtp_sim_server_be_over(struct smtp_sim_server *server, bool reset);

#endif
