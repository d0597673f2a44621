/* client_proof.h - that each rule for clients can fail: it is judged by a client that breaks just that rule
 * (crooked_client.py with a flaw), and by one that keeps it. */
#ifndef SMTP_TESTS_CONFORMANCE_CLIENT_PROOF_H
#define SMTP_TESTS_CONFORMANCE_CLIENT_PROOF_H

#include <stdbool.h>
#include <stddef.h>

struct smtp_client_proof {
    const char *id;
    const char *flaw;   /* words of crooked_client.py, parted by spaces */
    const char *detail; /* a part of why it failed, so that it is for that reason; NULL: any */
    const char *right;  /* words that keep the rule; NULL: none are needed */
    bool slow;          /* --slow, a thousand times faster */

    /* the flaw breaks no rule, yet: */
    const char *skips; /* a part of why the rule cannot be judged by it */
    const char *warns; /* a part of what it is warned of */
};

/** Judges all of a table, several at a time, each by the wrong and by the right client; the test fails with what
 *  did not come out as it must. */
void smtp_client_proofs_hold(const struct smtp_client_proof *proofs, size_t count);
#define SMTP_CLIENT_PROOFS_HOLD(rows) smtp_client_proofs_hold((rows), sizeof(rows) / sizeof *(rows))

#endif
