/* proof.h - one rule judged by one peer, and whether the verdict is what it must be: what the proofs of servers and
 * of clients share. */
#ifndef SMTP_TESTS_CONFORMANCE_PROOF_H
#define SMTP_TESTS_CONFORMANCE_PROOF_H

#include "common/error.h"
#include "harness/conformance/suite.h"

struct smtp_proof {
    enum smtp_rule_side side;
    const char *id;
    const char *by; /* who is judged, as a complaint names it */
    enum smtp_verdict expected;
    const char *detail;  /* a part of why it failed or was skipped; NULL: any */
    const char *warning; /* a part of it, "": none; NULL: any, or none */
    char *complaint;     /* NULL: it came out as it must */
};

/** Says that it did not come out as it must; the first complaint stands. */
void smtp_proof_complain(struct smtp_proof *proof, const char *format, ...) SMTP_PRINTF(2, 3);
/** Judges the rule by these options. */
void smtp_proof_judge(struct smtp_proof *proof, const struct smtp_check_options *options);
/** Works on all items, each `size` octets that begin with a struct smtp_proof, `jobs` at a time; the test fails with
 *  their complaints. Frees the items. */
void smtp_proofs_hold(void *items, size_t size, size_t count, void (*work)(void *item),
                      size_t jobs);

#endif
