/* letter.h - a message of a simulated session: what its client is given, and what must arrive, worked out octet by octet and
 * not by the code under test. Knows: RFC 5321 2.3.8 and 4.1.1.4. Does not know: sessions. */
#ifndef SMTP_HARNESS_SIMULATE_LETTER_H
#define SMTP_HARNESS_SIMULATE_LETTER_H

#include "client/smtp_client.h"
#include "common/bytes.h"
#include "harness/simulate/draw.h"

#define SMTP_SIM_RECIPIENTS 3
#define SMTP_SIM_ADDRESS_SIZE 32

struct smtp_sim_letter {
    size_t number; /* of the run's, from 0: its reverse-path is "lN@sim.test" */
    char reverse_path[SMTP_SIM_ADDRESS_SIZE];
    char recipients[SMTP_SIM_RECIPIENTS][SMTP_SIM_ADDRESS_SIZE];
    const char *forward_paths[SMTP_SIM_RECIPIENTS];
    struct smtp_mail_options mail;
    struct smtp_envelope envelope; /* of the above */
    struct smtp_buffer source;     /* owned; storage is kept from run to run */
    struct smtp_buffer expected;   /* likewise: what the server must have */

    /* what became of it; the client's end */
    bool begun;              /* smtp_client_session_send took it */
    bool given;              /* all of its content, and the end of it */
    uint64_t ends_at;        /* after so many octets of the session's, at least */
    bool answered;           /* the client has a result */
    uint64_t answered_ns;    /* since when */
    enum smtp_status status; /* which */
    unsigned taken;          /* bits: recipients that the client calls accepted */
    bool unended;            /* its last octet was never written */
    /* the server's end */
    unsigned kept;     /* how often it is in the mailbox */
    unsigned kept_for; /* bits: the recipients it was kept for */
    bool disturbed;    /* a fault spoke in its place: what the client was told need not be true */
};

/** Draws one. number: less than 1000. */
void smtp_sim_letter_draw(struct smtp_sim_letter *letter, size_t number, struct smtp_draw *draw);
void smtp_sim_letter_free(struct smtp_sim_letter *letter);
/** The number of the letter with that reverse-path; SIZE_MAX: it is none. */
size_t smtp_sim_letter_number(const char *reverse_path);

#endif
