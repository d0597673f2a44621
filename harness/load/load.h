/* load.h - many messages over many sessions, and how long everything took: closed loop (the next goes as soon as one is
 * answered) or open (at a fixed rate, and each counts from when it was due, so that a server which stalls is not spared what
 * would have come meanwhile). */
#ifndef SMTP_HARNESS_LOAD_LOAD_H
#define SMTP_HARNESS_LOAD_LOAD_H

#include "client/smtp_bulk.h"
#include "harness/load/letters.h"
#include "harness/load/result.h"
#include "harness/load/tally.h"

#include <stdatomic.h>

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

struct smtp_load;

/** accepted: takes the numbers of messages that were answered 250 for all; NULL: nobody asks. */
enum smtp_status smtp_load_new(struct smtp_load **out, const struct smtp_load_plan *plan,
                               struct smtp_tally *accepted, struct smtp_error *error)
    SMTP_MUST_CHECK;
/** Runs to its end, on threads of its own but for the calling one, which calls watch every 100 ms. SMTP_OK, whatever became
 *  of messages; where none was answered for, what kept all sessions from being. */
enum smtp_status smtp_load_run(struct smtp_load *load,
                               void (*watch)(void *user, const struct smtp_load *load), void *user,
                               struct smtp_load_result *result, struct smtp_error *error)
    SMTP_MUST_CHECK;
/** Begins no more messages. Any thread; async-signal-safe. */
void smtp_load_stop(struct smtp_load *load);
/** The same, and waits for nothing any more: what was on its way has failed. */
void smtp_load_cut(struct smtp_load *load);
void smtp_load_free(struct smtp_load *load); /* NULL: nothing */

/** While it runs: messages answered so far (accepted, or not), and the time since the beginning. */
uint64_t smtp_load_answered(const struct smtp_load *load);
uint64_t smtp_load_elapsed_ns(const struct smtp_load *load);
/** How much of it is done, 0 to 1: of its messages, also of those that a rate makes due; else of its time. */
double smtp_load_progress(const struct smtp_load *load);

#endif
