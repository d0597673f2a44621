/* result.h - what a load came to, in a form that can be added up: how long everything took, how much was sent and accepted,
 * what went wrong. Knows nothing of how it is sent, and told. */
#ifndef SMTP_HARNESS_LOAD_RESULT_H
#define SMTP_HARNESS_LOAD_RESULT_H

#include "common/smtp_status.h"
#include "harness/load/histogram.h"

#include <stdbool.h>

/** What is timed. */
enum smtp_load_phase {
    SMTP_LOAD_CONNECT,
    SMTP_LOAD_GREETING,
    SMTP_LOAD_EHLO,
    SMTP_LOAD_TLS,
    SMTP_LOAD_AUTH,
    SMTP_LOAD_MAIL,
    SMTP_LOAD_RCPT,
    SMTP_LOAD_DATA,    /* up to 354; of BDAT, a chunk that is not the last */
    SMTP_LOAD_DOT,     /* or the last chunk, with its octets */
    SMTP_LOAD_MESSAGE, /* from when it was due, or begun, to its last reply */
    SMTP_LOAD_PHASES,
};
const char *smtp_load_phase_name(enum smtp_load_phase phase);

#define SMTP_LOAD_CAUSES 32
#define SMTP_LOAD_CAUSE_SIZE 160

/** How often what went wrong. */
struct smtp_load_cause {
    char text[SMTP_LOAD_CAUSE_SIZE];
    uint64_t count;
};

struct smtp_load_result {
    struct smtp_histogram phases[SMTP_LOAD_PHASES];
    struct smtp_load_cause causes[SMTP_LOAD_CAUSES]; /* the last stands for all that had no place */
    size_t cause_count;
    uint64_t sent, accepted; /* messages that count; accepted: for all recipients */
    uint64_t octets;         /* of their content, those accepted */
    uint64_t sessions_lost;
    uint64_t elapsed_ns; /* from the end of the warm-up to the last reply */
    uint64_t *seconds;   /* accepted in each second from the beginning, warm-up and all; owned */
    size_t second_count;
    bool interrupted;
};
void smtp_load_result_clear(struct smtp_load_result *result);
/** Adds what another load measured at the same time. False: out of memory. */
bool smtp_load_result_merge(struct smtp_load_result *result, const struct smtp_load_result *other)
    SMTP_MUST_CHECK;
/** One more was accepted in that second; out of memory it is not noted. */
void smtp_load_note_second(struct smtp_load_result *result, size_t second);
void smtp_load_note_cause(struct smtp_load_result *result, const char *text, uint64_t count);

#endif
