/* check_telling.c - see check_telling.h. The signals are waited for on a thread of their own. */
#include "harness/cli/check_telling.h"

#include "common/clock.h"

#include <signal.h>
#include <stdlib.h>

#define READER_S 1 /* for whoever reads what is told, where a signal came */

/* ---- results ---- */

void smtp_check_telling_add(void *user, const struct smtp_suite_result *result)
{
    struct smtp_check_telling *telling = user;
    char *detail = NULL;
    pthread_mutex_lock(&telling->lock);
    if (atomic_load_explicit(&telling->is_over, memory_order_relaxed)) {
        pthread_mutex_unlock(&telling->lock);
        return;
    }
    if (telling->view.line->tap) {
        smtp_check_view_count(&telling->view, result);
    } else {
        smtp_check_view_add(&telling->view, result);
    }
    if (telling->report != NULL) {
        const struct smtp_report_result told =
            smtp_check_view_report(telling->view.line, result, &detail);
        smtp_report_add(telling->report, &told);
    }
    free(detail);
    if (ferror(telling->view.out)) { /* nobody reads it any more */
        atomic_store_explicit(&telling->is_over, true, memory_order_relaxed);
        smtp_command_running_end(&telling->running);
    }
    pthread_mutex_unlock(&telling->lock);
}

/** With the lock. */
static void tell_sum(struct smtp_check_telling *telling)
{
    telling->view.sum.is_interrupted = telling->signal != 0;
    if (!telling->view.line->tap) {
        smtp_check_view_end(&telling->view, smtp_clock_now_ns() - telling->begin_ns);
    } else if (telling->signal != 0) {
        fputs("Bail out! interrupted\n", telling->view.out);
    }
    fflush(telling->view.out);
}

bool smtp_check_telling_sum(struct smtp_check_telling *telling)
{
    pthread_mutex_lock(&telling->lock);
    if (telling->signal == 0) {
        tell_sum(telling);
    }
    bool is_whole = !ferror(telling->view.out);
    pthread_mutex_unlock(&telling->lock);
    return is_whole;
}

/* ---- signals ---- */

/** Those that were ignored before us stay so. */
static void name_signals(sigset_t *signals)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigemptyset(signals);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            sigaddset(signals, numbers[i]);
        }
    }
}

static void end_by(int number)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, number);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    raise(number);
}

/** False: who has the lock writes, and nobody reads. */
static bool lock_soon(struct smtp_check_telling *telling)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += READER_S;
    return pthread_mutex_timedlock(&telling->lock, &until) == 0;
}

static void *await_signal(void *user)
{
    struct smtp_check_telling *telling = user;
    sigset_t signals;
    int number = 0;
    name_signals(&signals);
    if (sigwait(&signals, &number) != 0) {
        return NULL;
    }
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    bool may_tell = lock_soon(telling);
    if (may_tell) {
        telling->signal = number;
        tell_sum(telling);
        atomic_store_explicit(&telling->is_over, true, memory_order_relaxed);
        pthread_mutex_unlock(&telling->lock);
    }
    if (telling->view.line->side == SMTP_RULE_SERVER) {
        end_by(number); /* there is nothing to clear */
    }
    smtp_command_running_end(&telling->running);
    if (!may_tell) {
        end_by(number);
    }
    return NULL;
}

bool smtp_check_telling_begin(struct smtp_check_telling *telling,
                              const struct smtp_check_line *line)
{
    sigset_t signals;
    *telling = (struct smtp_check_telling){
        .running = SMTP_COMMAND_RUNNING,
        .begin_ns = smtp_clock_now_ns(),
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .view = {.line = line, .out = stdout, .colour = smtp_report_wants_colour(stdout)}};
    name_signals(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN); /* else commands and their files were left behind */
    return pthread_create(&telling->watcher, NULL, await_signal, telling) == 0;
}

bool smtp_check_telling_is_interrupted(struct smtp_check_telling *telling)
{
    pthread_mutex_lock(&telling->lock);
    bool is_interrupted = telling->signal != 0;
    pthread_mutex_unlock(&telling->lock);
    return is_interrupted;
}

void smtp_check_telling_end(struct smtp_check_telling *telling)
{
    pthread_cancel(telling->watcher);
    pthread_join(telling->watcher, NULL);
    if (telling->signal != 0) {
        end_by(telling->signal);
    }
}
