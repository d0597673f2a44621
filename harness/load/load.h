/* load.h - many messages over many sessions, and how long everything took: closed loop (the next goes as soon as one is
 * answered) or open (at a fixed rate, and each counts from when it was due, so that a server which stalls is not spared what
 * would have come meanwhile). */
#ifndef SMTP_HARNESS_LOAD_LOAD_H
#define SMTP_HARNESS_LOAD_LOAD_H

#include "client/smtp_bulk.h"
#include "harness/load/histogram.h"
#include "harness/load/letters.h"
#include "harness/load/tally.h"

#include <stdatomic.h>

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

struct smtp_load_plan {
    const struct smtp_client_target *target; /* borrowed */
    const struct smtp_letters *letters;      /* borrowed */
    const char *reverse_path;                /* borrowed, as the next */
    const char *const *forward_paths;
    size_t forward_path_count;
    size_t sessions;           /* of all threads */
    size_t threads;            /* a loop each; no more than sessions */
    size_t in_flight;          /* as struct smtp_bulk_options */
    uint64_t session_messages; /* likewise */
    uint64_t messages; /* 0: until duration_ns is over; with warm_up_ns: those of it counted too */
    uint64_t duration_ns; /* from the beginning, with the warm-up; 0: until `messages` are sent */
    uint64_t warm_up_ns;  /* what was begun, or due, before it is over does not count */
    double rate;          /* messages a second, of all; 0: closed loop */
};

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
void smtp_load_note_cause(struct smtp_load_result *result, const char *text, uint64_t count);

struct smtp_load;

/** accepted: takes the numbers of messages that were answered 250 for all; NULL: nobody asks. */
enum smtp_status smtp_load_new(struct smtp_load **out, const struct smtp_load_plan *plan,
                               struct smtp_tally *accepted, struct smtp_error *error)
    SMTP_MUST_CHECK;
/** Runs to its end, on threads of its own but for the calling one, which calls watch every 100 ms. SMTP_OK, whatever became
 *  of messages; what kept all sessions from being. */
enum smtp_status smtp_load_run(struct smtp_load *load,
                               void (*watch)(void *user, const struct smtp_load *load), void *user,
                               struct smtp_load_result *result, struct smtp_error *error)
    SMTP_MUST_CHECK;
/** Begins no more messages. Any thread; async-signal-safe. */
void smtp_load_stop(struct smtp_load *load);
void smtp_load_free(struct smtp_load *load); /* NULL: nothing */

/** While it runs: messages answered so far (accepted, or not), and the time since the beginning. */
uint64_t smtp_load_answered(const struct smtp_load *load);
uint64_t smtp_load_elapsed_ns(const struct smtp_load *load);
/** How much of it is done, 0 to 1. */
double smtp_load_progress(const struct smtp_load *load);

#endif
