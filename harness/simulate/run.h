/* run.h - what the parts of one run share: its clock, its chance, its messages, and the first thing that did not hold. */
#ifndef SMTP_HARNESS_SIMULATE_RUN_H
#define SMTP_HARNESS_SIMULATE_RUN_H

#include "harness/fault.h"
#include "harness/simulate/letter.h"
#include "harness/simulate/plan.h"
#include "server/mailbox.h"

#define SMTP_SIM_LETTERS ((size_t)SMTP_SIM_SESSIONS * SMTP_SIM_LETTERS_EACH)
#define SMTP_SIM_BREACH_SIZE 400

/** What came of all runs so far. */
struct smtp_sim_counts {
    uint64_t runs, sessions, messages, kept, refused, unknown;
    uint64_t faults, breaks, handshakes, deadlines;
};

/** Told of everything said and everything that befalls a session; who: 'C', 'S', or '#' for a remark. */
typedef void smtp_sim_tell(void *user, uint64_t now_ns, size_t session, char who,
                           struct smtp_span text);

struct smtp_sim_run {
    struct smtp_draw draw;
    uint64_t now_ns;
    struct smtp_sim_plan plan;
    struct smtp_harness_faults *faults; /* NULL: none */
    struct smtp_server_hooks fault_hooks;
    struct smtp_mailbox *mailbox;
    struct smtp_mailbox_cursor before; /* the run's first message comes after it */
    struct smtp_sim_letter letters[SMTP_SIM_LETTERS];
    size_t letter_count;
    struct smtp_sim_counts *counts;    /* of all runs */
    char breach[SMTP_SIM_BREACH_SIZE]; /* "": all has held so far */
    smtp_sim_tell *tell;               /* NULL: nobody listens */
    void *tell_user;
};

/** Something did not hold. The first is kept. */
void smtp_sim_breach(struct smtp_sim_run *run, const char *format, ...) SMTP_PRINTF(2, 3);
/** A remark, where somebody listens. */
void smtp_sim_remark(const struct smtp_sim_run *run, size_t session, const char *format, ...)
    SMTP_PRINTF(3, 4);
void smtp_sim_said(const struct smtp_sim_run *run, size_t session, char who,
                   struct smtp_span octets);

#endif
