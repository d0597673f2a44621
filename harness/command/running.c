/* running.c - see running.h. */
#include "harness/command/running.h"

void smtp_command_running_add(struct smtp_command_running *running, struct smtp_command_run *run)
{
    if (running == NULL) {
        return;
    }
    pthread_mutex_lock(&running->lock);
    run->next = running->first;
    running->first = run;
    if (running->is_over) {
        smtp_command_kill(run);
    }
    pthread_mutex_unlock(&running->lock);
}

void smtp_command_running_remove(struct smtp_command_running *running, struct smtp_command_run *run)
{
    if (running == NULL) {
        return;
    }
    pthread_mutex_lock(&running->lock);
    struct smtp_command_run **link = &running->first;
    while (*link != NULL && *link != run) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = run->next;
    }
    pthread_mutex_unlock(&running->lock);
}

void smtp_command_running_end(struct smtp_command_running *running)
{
    pthread_mutex_lock(&running->lock);
    running->is_over = true;
    for (const struct smtp_command_run *run = running->first; run != NULL; run = run->next) {
        smtp_command_kill(run);
    }
    pthread_mutex_unlock(&running->lock);
}

bool smtp_command_running_is_over(struct smtp_command_running *running)
{
    if (running == NULL) {
        return false;
    }
    pthread_mutex_lock(&running->lock);
    bool is_over = running->is_over;
    pthread_mutex_unlock(&running->lock);
    return is_over;
}
