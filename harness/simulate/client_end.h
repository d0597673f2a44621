/* client_end.h - the client's core in a simulated session, driven as client/connection.c and stream.c drive it. */
#ifndef SMTP_HARNESS_SIMULATE_CLIENT_END_H
#define SMTP_HARNESS_SIMULATE_CLIENT_END_H

#include "client/content_source.h"
#include "client/protocol/session.h"
#include "harness/simulate/run.h"

enum smtp_sim_client_stage {
    SMTP_SIM_GREETING,
    SMTP_SIM_HELLO,
    SMTP_SIM_STARTTLS,
    SMTP_SIM_CLIENT_SHAKING,
    SMTP_SIM_AUTH,
    SMTP_SIM_SENDING,
    SMTP_SIM_QUITTING,
    SMTP_SIM_CLIENT_OVER,
};

struct smtp_sim_client {
    struct smtp_sim_run *run;
    size_t number; /* of its session */
    struct smtp_client_session *session;
    enum smtp_sim_client_stage stage;
    struct smtp_sim_wire *up, *down;
    char in[1024];
    size_t in_at, in_len;
    struct smtp_sim_letter *letters; /* of the run's, `count` of them */
    size_t count, begun, done;
    struct smtp_sim_letter *in_flight[SMTP_SIM_LETTERS_EACH]; /* in the order of their sends */
    size_t first, flying;
    struct smtp_sim_letter *giving; /* whose content is wanted now, or was last */
    size_t given;                   /* octets of it */
    uint64_t written;               /* octets of the session */
    struct smtp_client_source source;
    uint64_t shake_due_ns;
    uint64_t ends_ns; /* when its time for all is over */
    bool leaves;      /* without a word, after so many steps */
    uint64_t leaves_after;
};

/** A new connection. False: out of memory. */
bool smtp_sim_client_open(struct smtp_sim_client *client);
void smtp_sim_client_close(struct smtp_sim_client *client);
/** One thing that can be done now; false: it waits. */
bool smtp_sim_client_step(struct smtp_sim_client *client);
/** When time alone makes a difference; SMTP_NEVER. */
uint64_t smtp_sim_client_due_ns(const struct smtp_sim_client *client);
/** How long it may wait at most for what it waits for now; 0: for ever. */
uint64_t smtp_sim_client_longest_ms(const struct smtp_sim_client *client);
/** The handshake is over, well or not. */
void smtp_sim_client_shaken(struct smtp_sim_client *client, bool well);

#endif
