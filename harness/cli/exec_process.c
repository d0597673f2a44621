/* exec_process.c - see exec_process.h. That the process is not reaped before its end_family keeps the number of
 * its group from becoming another's. Signals that we are sent go to the group, as a terminal's do; what is to be
 * gone is the whole family (exec_family.h). */
#include "harness/cli/exec_process.h"

#include "common/clock.h"
#include "common/error.h"
#include "harness/cli/exec_family.h"

#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 1000 /* between SIGTERM and SIGKILL, and for the kernel to take it away then */
#define TIMED_OUT_STATUS 124
#define SIGNAL_STATUS 128

extern char **environ;

static const int caught[SMTP_EXEC_SIGNALS] = {SIGCHLD, SIGTSTP, SIGCONT, SIGINT,  SIGTERM,
                                              SIGHUP,  SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};
#define STOP_SIGNAL 1 /* its place among them */

static void kill_group(const struct smtp_exec_process *process, int number)
{
    if (process->pid > 0) {
        kill(-process->pid, number);
    }
}

/** To all that descends from it; where that cannot be found out, to its group. */
static void signal_family(const struct smtp_exec_process *process, int number)
{
    if (!smtp_exec_family_signal(&process->family, number)) {
        kill_group(process, number);
    }
}

/* ---- the terminal ---- */

/** From one group to the other, where that one has it. */
static void pass_terminal(const struct smtp_exec_process *process, pid_t from, pid_t to)
{
    sigset_t background, before;
    if (!process->has_terminal || tcgetpgrp(STDIN_FILENO) != from) {
        return;
    }
    sigemptyset(&background);
    sigaddset(&background, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &background, &before);
    tcsetpgrp(STDIN_FILENO, to);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- what the process does ---- */

static void on_signal(uv_signal_t *handle, int number);

/** It has stopped: so do we, until SIGCONT. But not for SIGSTOP, which is between it and whoever sent it; and
 *  where nobody could continue us, SIGTSTP has no effect. */
static void stop_too(struct smtp_exec_process *process, int number)
{
    if (number == SIGSTOP) {
        return;
    }
    pass_terminal(process, process->pid, getpgrp());
    uv_signal_stop(&process->signals[STOP_SIGNAL]);
    raise(number);
    uv_signal_start(&process->signals[STOP_SIGNAL], on_signal, SIGTSTP);
    if (number == SIGTSTP) {
        pass_terminal(process, getpgrp(), process->pid);
        kill_group(process, SIGCONT);
    }
}

static void note_end(struct smtp_exec_process *process, const siginfo_t *info)
{
    process->ended = true;
    process->end_signal = info->si_code == CLD_EXITED ? 0 : info->si_status;
    process->exit_status =
        info->si_code == CLD_EXITED ? info->si_status : SIGNAL_STATUS + info->si_status;
    if (process->timed_out) {
        process->exit_status = TIMED_OUT_STATUS;
    }
    pass_terminal(process, process->pid, getpgrp());
}

static void look_at(struct smtp_exec_process *process)
{
    siginfo_t info = {.si_pid = 0};
    id_t id = (id_t)process->pid;
    if (waitid(P_PID, id, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid != 0) {
        stop_too(process, info.si_status);
    }
    info.si_pid = 0;
    if (waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        note_end(process, &info);
    }
}

/* ---- signals ---- */

static bool asks_to_end(int number)
{
    return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct smtp_exec_process *process = handle->data;
    if (process->pid != 0 && !process->ended) {
        look_at(process); /* a signal to what has just ended would be lost */
    }
    if (process->pid == 0 || process->ended) {
        if (asks_to_end(number)) {
            process->give_up(process->user, number);
        }
        return;
    }
    if (number == SIGCHLD) {
        return;
    }
    process->was_asked_to_end = process->was_asked_to_end || asks_to_end(number);
    if (number == SIGCONT) {
        pass_terminal(process, getpgrp(), process->pid);
    }
    kill_group(process, number);
}

/** As nohup did, for instance: then the process ignores it too. */
static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/** What cannot be written is an error like others, not our end. */
static void ignore(struct smtp_exec_process *process, int number)
{
    if (!is_ignored(number)) {
        signal(number, SIG_IGN);
        sigaddset(&process->made_ignored, number);
    }
}

static int catch_signals(struct smtp_exec_process *process)
{
    int failure = 0;
    for (size_t i = 0; i < SMTP_EXEC_SIGNALS && failure == 0; i++) {
        failure = uv_signal_init(&process->loop, &process->signals[i]);
        process->signals[i].data = process;
        if (failure == 0 && !is_ignored(caught[i])) {
            failure = uv_signal_start(&process->signals[i], on_signal, caught[i]);
        }
    }
    return failure;
}

/* ---- its life ---- */

static void on_wake(uv_async_t *handle)
{
    (void)handle; /* whoever waits looks again */
}

bool smtp_exec_process_begin(struct smtp_exec_process *process)
{
    sigemptyset(&process->made_ignored);
    ignore(process, SIGPIPE);
    ignore(process, SIGXFSZ);
    if (is_ignored(SIGCHLD)) {
        signal(SIGCHLD, SIG_DFL); /* or nothing would be heard of any end */
    }
    smtp_exec_family_adopt(&process->family);
    int failure = uv_loop_init(&process->loop);
    if (failure == 0) {
        failure = uv_async_init(&process->loop, &process->wake, on_wake);
    }
    if (failure == 0) {
        uv_timer_init(&process->loop, &process->timer);
        process->timer.data = process;
        failure = catch_signals(process);
    }
    if (failure != 0) {
        fprintf(stderr, "%s: cannot make an event loop: %s\n", process->program,
                uv_strerror(failure));
    }
    return failure == 0;
}

/** Of a command that is none: how quotes and "--" may have gone wrong. */
static const char *what_was_meant(char *const argv[])
{
    if (strchr(argv[0], ' ') != NULL) {
        return "; its words go without quotes, or behind -- sh -c";
    }
    for (size_t i = 1; argv[i] != NULL; i++) {
        if (strcmp(argv[i], "--") == 0) {
            return "; the command begins at the first word that is no option's, \"--\" or not";
        }
    }
    return "";
}

bool smtp_exec_process_start(struct smtp_exec_process *process, char *const argv[],
                             char *const environment[])
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    process->has_terminal = isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigdefault(&attributes, &process->made_ignored);
    if (process->has_terminal) {
        posix_spawn_file_actions_addtcsetpgrp_np(&actions, STDIN_FILENO);
    }
    pid_t pid = 0;
    int failure = posix_spawnp(&pid, argv[0], &actions, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failure != 0) {
        fprintf(stderr, "%s: cannot run '%s': %s%s\n", process->program, argv[0],
                smtp_errno_text(failure), what_was_meant(argv));
        pass_terminal(process, tcgetpgrp(STDIN_FILENO), getpgrp());
        return false;
    }
    process->pid = pid;
    return true;
}

static void on_too_long(uv_timer_t *handle)
{
    struct smtp_exec_process *process = handle->data;
    signal_family(process, process->timed_out ? SIGKILL : SIGTERM);
    if (!process->timed_out) {
        process->timed_out = true;
        signal_family(process, SIGCONT); /* a stopped one hears of it then */
        uv_timer_start(handle, on_too_long, GRACE_MS, 0);
    }
}

void smtp_exec_process_run(struct smtp_exec_process *process, uint64_t timeout_ms)
{
    uv_update_time(&process->loop);
    if (timeout_ms > 0) {
        uv_timer_start(&process->timer, on_too_long, timeout_ms, 0);
    }
    look_at(process); /* what was before its signal was heard */
    while (!process->ended) {
        uv_run(&process->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&process->timer);
}

/* ---- after its end ---- */

static void on_time_over(uv_timer_t *handle)
{
    ((struct smtp_exec_process *)handle->data)->timer_is_over = true;
}

void smtp_exec_process_wait(struct smtp_exec_process *process, bool (*holds)(void *user),
                            void *user, uint64_t timeout_ms)
{
    uv_update_time(&process->loop);
    process->timer_is_over = false;
    uv_timer_start(&process->timer, on_time_over, timeout_ms, 0);
    while (!holds(user) && !process->timer_is_over) {
        uv_run(&process->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&process->timer);
}

void smtp_exec_process_wake(struct smtp_exec_process *process)
{
    uv_async_send(&process->wake);
}

struct work {
    uv_work_t request;
    struct smtp_exec_process *process;
    void (*run)(void *user);
    void *user;
};

static void do_work(uv_work_t *request)
{
    struct work *work = request->data;
    work->run(work->user);
}

static void on_work_done(uv_work_t *request, int status)
{
    (void)status;
    ((struct work *)request->data)->process->work_is_done = true;
}

void smtp_exec_process_work(struct smtp_exec_process *process, void (*run)(void *user), void *user)
{
    struct work work = {.process = process, .run = run, .user = user};
    work.request.data = &work;
    process->work_is_done = false;
    if (uv_queue_work(&process->loop, &work.request, do_work, on_work_done) != 0) {
        run(user);
        return;
    }
    while (!process->work_is_done) {
        uv_run(&process->loop, UV_RUN_ONCE);
    }
}

static bool family_is_gone(void *user)
{
    return smtp_exec_family_is_gone(&((struct smtp_exec_process *)user)->family);
}

/** An end of one may hand us its children, which are to end likewise. */
static bool family_is_killed(void *user)
{
    bool gone = family_is_gone(user);
    if (!gone) {
        signal_family(user, SIGKILL);
    }
    return gone;
}

void smtp_exec_process_end_family(struct smtp_exec_process *process)
{
    if (process->pid == 0) {
        return;
    }
    if (!family_is_gone(process)) {
        signal_family(process, SIGTERM);
        signal_family(process, SIGCONT);
        smtp_exec_process_wait(process, family_is_gone, process, GRACE_MS);
        smtp_exec_process_wait(process, family_is_killed, process, GRACE_MS);
    }
    process->pid = 0;
}

void smtp_exec_process_kill_family(struct smtp_exec_process *process)
{
    uint64_t deadline_ns = smtp_clock_now_ns() + GRACE_MS * SMTP_NS_PER_MS;
    while (!family_is_killed(process) && smtp_clock_now_ns() < deadline_ns) {
        poll(NULL, 0, 1); /* not the loop: we may be called by it */
    }
}

static void close_handle(uv_handle_t *handle, void *user)
{
    (void)user;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

void smtp_exec_process_over(struct smtp_exec_process *process)
{
    uv_walk(&process->loop, close_handle, NULL);
    uv_run(&process->loop, UV_RUN_DEFAULT);
    uv_loop_close(&process->loop);
}
