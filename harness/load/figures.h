/* figures.h - what a load came to, told: a table for people, JSON that can be added up again, a drawing. */
#ifndef SMTP_HARNESS_LOAD_FIGURES_H
#define SMTP_HARNESS_LOAD_FIGURES_H

#include "harness/load/result.h"

#include <stdio.h>

/** What arrived at our own end. */
struct smtp_load_verification {
    bool verified;    /* false: there was nobody to see what arrived */
    uint64_t arrived; /* different messages, whole */
    uint64_t lost;    /* accepted, and did not arrive */
    uint64_t again;   /* arrived more than once */
    uint64_t damaged; /* arrived otherwise than they were sent */
    uint64_t unasked; /* arrived, and were not accepted as far as the client knows */
    uint64_t unseen;  /* of loads added up: accepted where there was nobody to see it */
};

struct smtp_load_figures {
    const struct smtp_load_result *result;
    struct smtp_load_verification verification;
    const char *about; /* what was run, in a line; "" for none */
};

/** Messages a second. */
double smtp_load_rate(const struct smtp_load_result *result);
/** Whether each message was accepted, and where that was seen arrived once and whole; and no session was lost. */
bool smtp_load_held(const struct smtp_load_figures *figures);

/** A table, and a line of what else is to be said. */
void smtp_load_print(FILE *out, const struct smtp_load_figures *figures);
/** One line. False: out of memory. */
bool smtp_load_print_json(FILE *out, const struct smtp_load_figures *figures) SMTP_MUST_CHECK;
/** Adds what such a line (of a whole file) says. SMTP_BAD_ARGUMENT: it is none. */
enum smtp_status smtp_load_read_json(const char *path, struct smtp_load_result *result,
                                     struct smtp_load_verification *verification,
                                     struct smtp_error *error) SMTP_MUST_CHECK;
/** Latency by percentile, and throughput over time, as SVG. */
void smtp_load_draw(FILE *out, const struct smtp_load_figures *figures);

#endif
