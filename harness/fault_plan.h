/* fault_plan.h - one fault of a plan, as it was taken apart and with what became of it; between the fault
 * files only. */
#ifndef SMTP_HARNESS_FAULT_PLAN_H
#define SMTP_HARNESS_FAULT_PLAN_H

#include "harness/fault.h"

enum smtp_harness_fault_stage {
    SMTP_FAULT_CONNECT,
    SMTP_FAULT_GREETING,
    SMTP_FAULT_EHLO,
    SMTP_FAULT_STARTTLS,
    SMTP_FAULT_TLS,
    SMTP_FAULT_AUTH,
    SMTP_FAULT_MAIL,
    SMTP_FAULT_RCPT,
    SMTP_FAULT_DATA,
    SMTP_FAULT_BDAT,
    SMTP_FAULT_CONTENT,
    SMTP_FAULT_DOT,
    SMTP_FAULT_RSET,
    SMTP_FAULT_QUIT,
    SMTP_FAULT_ANY,
};

#define SMTP_FAULT_CERTAIN UINT64_C(100000) /* a chance of 100 %, in thousandths of it */

struct smtp_harness_fault_entry {
    char *text; /* as written, blanks for control octets; owned */
    enum smtp_harness_fault_stage stage;
    char *pattern;           /* owned; NULL: all */
    uint64_t content_octets; /* of the stage content: once so many are there */
    struct smtp_server_fault fault;
    bool replies_alone; /* it is a refusal that, with LMTP, can be of one recipient */
    bool has_certificate;
    enum smtp_identity_flaw flaw;
    struct smtp_identity *identity; /* owned; NULL: not made yet */

    /* how often; all must say yes */
    uint64_t times;  /* UINT64_MAX: always */
    uint64_t every;  /* 1: each */
    uint64_t from;   /* 1: from the first on */
    uint64_t chance; /* of SMTP_FAULT_CERTAIN */
    uint64_t over;   /* 0: no rate */
    uint64_t over_ns;
    uint64_t *arrivals; /* the last `over` of them, a ring by `steps`; owned; NULL: no rate */

    uint64_t steps; /* that it matched */
    uint64_t due;   /* that it had its way in */
};

/** Takes a notation apart into *entry, to be cleared whatever comes of it. See smtp_harness_faults_add. */
enum smtp_status smtp_harness_fault_parse(const char *text, struct smtp_harness_fault_entry *entry,
                                          struct smtp_harness_lines *why) SMTP_MUST_CHECK;
void smtp_harness_fault_clear(struct smtp_harness_fault_entry *entry);

/** Whether a step at now_ns that it matches is one where it is due, as its frequency says; counted whatever
 *  comes of it. `open`: no fault before it had its way. draw: any number, by chance. */
bool smtp_harness_fault_is_due(struct smtp_harness_fault_entry *entry, uint64_t now_ns,
                               uint64_t draw, bool open);

/** The plan's entries, for the hook table, which holds the lock meanwhile. */
struct smtp_harness_fault_entry **smtp_harness_faults_lock(struct smtp_harness_faults *faults,
                                                           size_t *count);
void smtp_harness_faults_unlock(struct smtp_harness_faults *faults);
/** Whether there is any: without the lock. */
bool smtp_harness_faults_is_empty(const struct smtp_harness_faults *faults);
/** A number by chance for this entry's next step, the same for the same seed. Under the lock. */
uint64_t smtp_harness_faults_draw(const struct smtp_harness_faults *faults, size_t entry);
/** The identity of a `certificate` action, made where it is not there yet: a reference. NULL: it cannot be
 *  made. Under the lock. */
struct smtp_identity *smtp_harness_faults_identity(struct smtp_harness_faults *faults,
                                                   struct smtp_harness_fault_entry *entry,
                                                   struct smtp_error *error);
bool smtp_harness_faults_has_magic(const struct smtp_harness_faults *faults);

#endif
