/* run.h - a command that runs beside others of this process, as a process group of its own: what it writes is read
 * and its first octets kept, its end is waited for together with a descriptor's readiness. Nothing here is the whole
 * process's: no signal is handled, no other child reaped. Knows no SMTP. One thread a command. */
#ifndef SMTP_HARNESS_COMMAND_RUN_H
#define SMTP_HARNESS_COMMAND_RUN_H

#include "common/bytes.h"

#include <sys/types.h>

#define SMTP_COMMAND_OUTPUT_MAX ((size_t)4096)

struct smtp_command_run {
    pid_t pid; /* and its group's; 0: none runs */
    int pidfd; /* readable at its end; -1: the kernel has no such thing, so that its end is looked for */
    int output;              /* what it writes, standard error too; -1: its end has come */
    struct smtp_buffer kept; /* of it */
    bool ended; /* it is not reaped before smtp_command_finish, so that its number stays its own */
    int status; /* of the ended: as a shell tells it, 128 + the signal that killed it */
    struct smtp_command_run *next; /* running.h */
};

/** Starts argv[0], looked up in PATH, with that file as standard input. SMTP_SYSTEM_FAILED: why not is in *error. */
enum smtp_status smtp_command_start(struct smtp_command_run *run, char *const argv[],
                                    char *const environment[], const char *input,
                                    struct smtp_error *error) SMTP_MUST_CHECK;
/** Waits until the descriptor (-1: none) can be read, the command has ended (unless it had before) or the deadline,
 *  and reads meanwhile what it writes. Whether the descriptor can be read. */
bool smtp_command_wait(struct smtp_command_run *run, int fd, uint64_t deadline_ns);
/** Kills what is left of its group. */
void smtp_command_kill(const struct smtp_command_run *run);
/** Kills, reaps, and reads what it wrote last; also where it was never started. Where it had to be killed, or what it
 *  writes to is still open, also what has left its group: whatever has this entry of its environment, nobody else's. */
void smtp_command_finish(struct smtp_command_run *run, const char *entry);

#endif
