/* exec_process.h - a command that runs beside us as its own process group: it has our standard streams and the
 * terminal, hears the signals that we hear, stops and goes on when we do, and is gone with its children when
 * we are. Knows no SMTP. One thread, and a libuv loop of its own.
 * It is started by posix_spawn, not uv_spawn, which can part it from our group only by taking the terminal away. */
#ifndef SMTP_HARNESS_CLI_EXEC_PROCESS_H
#define SMTP_HARNESS_CLI_EXEC_PROCESS_H

#include "harness/cli/exec_family.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#define SMTP_EXEC_SIGNALS 10

struct smtp_exec_process {
    const char *program; /* for complaints */
    /** SIGINT, SIGTERM, SIGHUP or SIGQUIT after the command's end: it cleans up and does not return. */
    void (*give_up)(void *user, int number);
    void *user;

    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t timer;
    uv_signal_t signals[SMTP_EXEC_SIGNALS];
    sigset_t made_ignored; /* by us, not by who started us */

    struct smtp_exec_family family;
    pid_t pid; /* and its group; 0: not started */
    bool has_terminal;
    bool ended, timed_out, timer_is_over, work_is_done;
    bool was_asked_to_end; /* by a signal that was forwarded */
    int exit_status; /* as a shell tells it: 128 + the signal that killed it; 124: it took too long */
    int end_signal; /* that killed it; 0: none */
};

/** Begins to hear signals. False: what is wrong is said. */
bool smtp_exec_process_begin(struct smtp_exec_process *process);
/** Starts argv[0], looked up in PATH. False: why not is said. */
bool smtp_exec_process_start(struct smtp_exec_process *process, char *const argv[],
                             char *const environment[]);
/** Until it has ended; after timeout_ms (0: never) all that descends from it gets SIGTERM and, soon after, SIGKILL. */
void smtp_exec_process_run(struct smtp_exec_process *process, uint64_t timeout_ms);
/** Waits, still hearing signals, until `holds` or the time is over; it is asked again whenever the process is
 *  woken by smtp_exec_process_wake (any thread). */
void smtp_exec_process_wait(struct smtp_exec_process *process, bool (*holds)(void *user),
                            void *user, uint64_t timeout_ms);
void smtp_exec_process_wake(struct smtp_exec_process *process);
/** Does work that may block on another thread, still hearing signals, until it is done. */
void smtp_exec_process_work(struct smtp_exec_process *process, void (*work)(void *user),
                            void *user);
/** Ends what is left of all that descends from it, in whatever group or session: SIGTERM and, soon after, SIGKILL. */
void smtp_exec_process_end_family(struct smtp_exec_process *process);
/** For give_up: SIGKILL to what is left of them, at once. */
void smtp_exec_process_kill_family(struct smtp_exec_process *process);
void smtp_exec_process_over(struct smtp_exec_process *process);

#endif
