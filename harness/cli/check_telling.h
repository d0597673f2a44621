/* check_telling.h - results told as they come and their sum at the end, or where a signal comes before it. Knows the
 * forms by name alone (check_view.h, report.h). */
#ifndef SMTP_HARNESS_CLI_CHECK_TELLING_H
#define SMTP_HARNESS_CLI_CHECK_TELLING_H

#include "harness/cli/check_view.h"
#include "harness/command/running.h"

#include <stdatomic.h>

struct smtp_check_telling {
    struct smtp_command_running running; /* what is ended with it */
    pthread_t watcher;
    struct smtp_report *report; /* TAP, JUnit or both; NULL: neither */
    uint64_t begin_ns;
    pthread_mutex_t lock;
    struct smtp_check_view view; /* by lock */
    int signal;                  /* by lock: that ended it; 0: none */
    atomic_bool is_over;         /* relaxed: nothing more is to be judged nor told */
};

/** The line is borrowed. From now on SIGINT, SIGTERM and SIGHUP tell the sum so far; judging a server they end the
 *  process at once, else what runs is ended and smtp_check_telling_end comes to it. False: no thread can be had. */
bool smtp_check_telling_begin(struct smtp_check_telling *telling,
                              const struct smtp_check_line *line);
/** For smtp_suite.tell, with the telling as its user. */
void smtp_check_telling_add(void *telling, const struct smtp_suite_result *result);
/** Tells the sum. False: what was told could not be written. */
bool smtp_check_telling_sum(struct smtp_check_telling *telling);
bool smtp_check_telling_is_interrupted(struct smtp_check_telling *telling);
/** Heeds no signal any more; where one has come it ends the process. */
void smtp_check_telling_end(struct smtp_check_telling *telling);

#endif
