/* crooked_scram.h - a small server that offers SCRAM-SHA-256 and -PLUS, looks at no proof, and else checks what it
 * must but for what it is told to pass over: for rules that our own server has no fault for. Shares no code with it. */
#ifndef SMTP_TESTS_CONFORMANCE_CROOKED_SCRAM_H
#define SMTP_TESTS_CONFORMANCE_CROOKED_SCRAM_H

#include <stdbool.h>

struct smtp_crooked_scram {
    bool takes_any_nonce;
    bool takes_any_binding;
    bool takes_any_extension;    /* "m=" too */
    bool takes_any_name;         /* "=ZZ" in it */
    bool refuses_names_late;     /* those with "=ZZ", at the end */
    bool refuses_y;              /* "y,,", at the end */
    bool says_why;               /* "e=" in a 334 before 535 (RFC 5802 7) */
    bool refuses_all_extensions; /* those behind the nonce too */
    bool adds_no_nonce;          /* to the client's */
    bool says_235_at_once;       /* to the proof, in place of its signature, which is wrong */
    unsigned iterations;         /* 0: 4096 */
};

/** Serves a connected socket until one exchange is over. */
void smtp_crooked_scram_serve(int connection, const struct smtp_crooked_scram *how);

#endif
