/* scenarios.h - the tables of scenarios, one a file, in the order they are run. */
#ifndef SMTP_HARNESS_SELFTEST_SCENARIOS_H
#define SMTP_HARNESS_SELFTEST_SCENARIOS_H

#include "harness/selftest/trial.h"

/* who writes to whom in most of them */
#define ANN "ann@example.com"
#define BOB "bob@example.com"
#define CAROL "carol@example.com"
#define DAVE "dave@example.com"

struct smtp_scenario_table {
    const struct smtp_scenario *rows;
    size_t count;
};

extern const struct smtp_scenario_table
    smtp_scenarios_content; /* what is sent is what is captured */
extern const struct smtp_scenario_table smtp_scenarios_envelope; /* who gets it, and refusals */
extern const struct smtp_scenario_table
    smtp_scenarios_session;                                   /* the order of things in a session */
extern const struct smtp_scenario_table smtp_scenarios_peers; /* servers that misbehave */
extern const struct smtp_scenario_table smtp_scenarios_threads; /* many at once, start and stop */
extern const struct smtp_scenario_table smtp_scenarios_safety;  /* injection, smuggling, limits */
extern const struct smtp_scenario_table smtp_scenarios_tls; /* STARTTLS, implicit TLS, policies */
extern const struct smtp_scenario_table smtp_scenarios_tls_wrong;  /* certificates, attacks */
extern const struct smtp_scenario_table smtp_scenarios_auth;       /* each mechanism */
extern const struct smtp_scenario_table smtp_scenarios_auth_wrong; /* refusals, attacks */
extern const struct smtp_scenario_table
    smtp_scenarios_extensions; /* what a message can ask for, where it is offered and where not */
extern const struct smtp_scenario_table
    smtp_scenarios_chunking;                                  /* BDAT, and content of any octets */
extern const struct smtp_scenario_table smtp_scenarios_trust; /* PROXY, XCLIENT, VRFY and EXPN */
extern const struct smtp_scenario_table smtp_scenarios_streams;   /* send_many and the pool */
extern const struct smtp_scenario_table smtp_scenarios_lmtp;      /* an answer for each recipient */
extern const struct smtp_scenario_table smtp_scenarios_receivers; /* Maildir, mbox, relay, tee */
extern const struct smtp_scenario_table smtp_scenarios_faults;    /* a fault at each stage */
extern const struct smtp_scenario_table smtp_scenarios_fault_actions; /* what each fault does */

/** All of them, one after the other. */
size_t smtp_scenario_count(void);
const struct smtp_scenario *smtp_scenario_at(size_t i); /* NULL beyond the last */

#endif
