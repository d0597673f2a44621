/* running.h - the commands that run beside each other, so that another thread can end all of them at once. Knows of
 * them only that they are process groups. */
#ifndef SMTP_HARNESS_COMMAND_RUNNING_H
#define SMTP_HARNESS_COMMAND_RUNNING_H

#include "harness/command/run.h"

#include <pthread.h>

struct smtp_command_running {
    pthread_mutex_t lock;
    struct smtp_command_run *first; /* by lock; linked by their `next` */
    bool is_over;                   /* by lock: none is to run any more */
};
#define SMTP_COMMAND_RUNNING                                                                       \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }

/** Of a command that has just been started; it is killed where it is over already. running NULL: nothing is kept. */
void smtp_command_running_add(struct smtp_command_running *running, struct smtp_command_run *run);
/** Before smtp_command_finish, which gives its number back. */
void smtp_command_running_remove(struct smtp_command_running *running,
                                 struct smtp_command_run *run);
/** Kills all of them and whatever is added from now on. Whoever waits for one sees that it has ended. Any thread. */
void smtp_command_running_end(struct smtp_command_running *running);
/** Whether that was called; NULL: it was not. */
bool smtp_command_running_is_over(struct smtp_command_running *running);

#endif
