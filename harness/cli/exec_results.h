/* exec_results.h - what held of a command and of its mail, found out and told. Knows nothing of processes. */
#ifndef SMTP_HARNESS_CLI_EXEC_RESULTS_H
#define SMTP_HARNESS_CLI_EXEC_RESULTS_H

#include "harness/cli/exec_options.h"

struct smtp_harness;

struct smtp_exec_judgement {
    const char *why; /* "" where it held; the harness's */
    uint64_t elapsed_ns;
};

struct smtp_exec_results {
    const struct smtp_exec_options *options;
    struct smtp_harness *harness;
    const char *command;  /* its name */
    int exit_status;      /* its own */
    int end_signal;       /* that killed it; 0: none */
    bool timed_out;       /* --timeout was over */
    uint64_t elapsed_ns;  /* while it ran */
    uint64_t deadline_ns; /* until when mail may come; monotonic clock */
    struct smtp_exec_judgement none, expected[SMTP_CLI_TEXTS_MAX];
};

/** Waits for the mail that is expected, as long as it may, and judges each expectation. The harness is the
 *  calling thread's meanwhile. */
void smtp_exec_judge(void *results);
/** Whether all of them held. */
bool smtp_exec_held(const struct smtp_exec_results *results);
/** Tells the results as the options say. False: where they cannot be written; that is said. */
bool smtp_exec_tell(const struct smtp_exec_results *results);

#endif
