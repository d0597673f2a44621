/* exec.c - runs a command beside a server, waits for its mail, and tells what held. */
#include "common/clock.h"
#include "common/error.h"
#include "harness/cli/exec_options.h"
#include "harness/cli/exec_place.h"
#include "harness/cli/exec_process.h"
#include "harness/cli/exec_results.h"
#include "harness/cli/exec_save.h"
#include "harness/cli/verbs.h"
#include "harness/smtp_harness.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM SMTP_EXEC_PROGRAM
#define MS_PER_S 1000u
#define SIGNAL_STATUS 128

struct exec {
    struct smtp_exec_options options;
    struct smtp_exec_process process;
    struct smtp_exec_place place;
    struct smtp_harness *harness;
    atomic_size_t open; /* sessions; written by the server's threads, ordered as they come */
};

/* ---- the server's side ---- */

static enum smtp_server_verdict on_connect(void *user,
                                           const struct smtp_server_session_info *session,
                                           struct smtp_server_reply *reply)
{
    struct exec *exec = user;
    (void)reply;
    if (*session->user == NULL) { /* with XCLIENT it is asked again */
        *session->user = exec;
        atomic_fetch_add(&exec->open, 1);
    }
    return SMTP_ACCEPT;
}

static void on_close(void *user, const struct smtp_server_session_info *session)
{
    struct exec *exec = user;
    if (*session->user != NULL) {
        atomic_fetch_sub(&exec->open, 1);
        smtp_exec_process_wake(&exec->process);
    }
}

static bool no_session_is_open(void *user)
{
    const struct exec *exec = user;
    return atomic_load(&exec->open) == 0;
}

static bool add_faults(struct exec *exec)
{
    const struct smtp_cli_texts *faults = &exec->options.common.faults;
    for (size_t i = 0; i < faults->count; i++) {
        if (smtp_harness_fault(exec->harness, faults->items[i]) != SMTP_OK) {
            const char *why = smtp_harness_failure(exec->harness);
            size_t len = strlen(why);
            len -= len > 0 && why[len - 1] == '\n';
            smtp_cli_wrong(PROGRAM, "--fault: %.*s", (int)len, why);
            return false;
        }
    }
    return true;
}

static bool start_server(struct exec *exec)
{
    struct smtp_cli_server_options *common = &exec->options.common;
    const struct smtp_server_hooks sessions = {
        .user = exec, .streaming = true, .connect = on_connect, .close = on_close};
    if (!smtp_cli_server_options_apply(common) || !smtp_cli_server_options_record(common)) {
        smtp_cli_server_options_release_tables(common);
        return false;
    }
    smtp_cli_server_options_add(common, &sessions);
    struct smtp_harness_options options;
    struct smtp_error error = {.message = ""};
    smtp_harness_options_init(&options);
    options.server = common->server;
    options.wait_ms = exec->options.wait_s * MS_PER_S;
    options.fault_seed = common->fault_seed;
    options.magic_addresses = common->magic_addresses;
    exec->harness = smtp_harness_start(&options, &error);
    if (exec->harness == NULL) {
        smtp_cli_wrong(PROGRAM, "%s", error.message);
        return false;
    }
    return add_faults(exec);
}

/* ---- from begin to end ---- */

static void on_give_up(void *user, int number)
{
    struct exec *exec = user;
    smtp_exec_process_kill_family(&exec->process);
    smtp_exec_place_clear(&exec->place);
    _exit(SIGNAL_STATUS + number);
}

/** Everything up to the command's start. */
static bool start(struct exec *exec)
{
    const struct smtp_cli_server_options *common = &exec->options.common;
    const struct smtp_cli_words *command = &exec->options.command;
    if (!start_server(exec) ||
        !smtp_exec_place_make(&exec->place, PROGRAM, exec->harness,
                              common->auth.count > 0 ? &common->users[0] : NULL, command->items,
                              command->count)) {
        return false;
    }
    return smtp_exec_process_start(&exec->process, exec->place.argv, exec->place.environment);
}

/** Runs it, then waits for its sessions to end and for its mail: but not for mail that it can hardly have sent,
 *  since it failed, nor where whoever sent a signal wants an end. */
static int run_command(struct exec *exec)
{
    const struct smtp_exec_options *options = &exec->options;
    struct smtp_exec_process *process = &exec->process;
    uint64_t begin_ns = smtp_clock_now_ns(), wait_ms = options->wait_s * MS_PER_S;
    smtp_exec_process_run(process, options->timeout_s * MS_PER_S);
    uint64_t end_ns = smtp_clock_now_ns();
    bool waits = process->exit_status == 0 && !process->was_asked_to_end;
    struct smtp_exec_results results = {
        .options = options,
        .harness = exec->harness,
        .command = options->command.items[0],
        .exit_status = process->exit_status,
        .end_signal = process->end_signal,
        .timed_out = process->timed_out,
        .elapsed_ns = end_ns - begin_ns,
        .deadline_ns = end_ns + (waits ? wait_ms * SMTP_NS_PER_MS : 0),
    };
    if (waits) {
        smtp_exec_process_wait(process, no_session_is_open, exec, wait_ms);
    }
    smtp_exec_process_work(process, smtp_exec_judge, &results);
    bool told = smtp_exec_tell(&results);
    if (options->save != NULL && !smtp_exec_save(PROGRAM, options->save, exec->harness)) {
        told = false;
    }
    return process->exit_status != 0   ? process->exit_status
           : !told                     ? SMTP_EXIT_USAGE
           : !smtp_exec_held(&results) ? SMTP_EXIT_NOT_HELD
                                       : SMTP_EXIT_HELD;
}

static int run(struct exec *exec)
{
    exec->process.program = PROGRAM;
    exec->process.give_up = on_give_up;
    exec->process.user = exec;
    if (!smtp_exec_process_begin(&exec->process)) {
        return SMTP_EXIT_USAGE;
    }
    bool started = start(exec);
    smtp_cli_server_options_clear(&exec->options.common);
    int status = started ? run_command(exec) : SMTP_EXIT_USAGE;
    smtp_exec_process_end_family(&exec->process);
    smtp_harness_stop(exec->harness);
    smtp_exec_place_clear(&exec->place);
    smtp_exec_process_over(&exec->process);
    return status;
}

static void describe(smtp_cli_reader *reader, void *user)
{
    struct smtp_exec_options options;
    smtp_exec_options_use(&options, reader, user);
}

static int run_verb(int argc, char **argv)
{
    struct exec exec = {.harness = NULL};
    struct smtp_cli_line line = {argc, argv, SMTP_CLI_RUN};
    smtp_exec_options_use(&exec.options, smtp_cli_parse_line, &line);
    if (line.parsed != SMTP_CLI_RUN) {
        return line.parsed == SMTP_CLI_HELP ? SMTP_EXIT_HELD : SMTP_EXIT_USAGE;
    }
    if (!smtp_exec_options_check(&exec.options)) {
        smtp_cli_server_options_clear(&exec.options.common);
        return SMTP_EXIT_USAGE;
    }
    return run(&exec);
}

const struct smtp_cli_verb smtp_verb_exec = {
    .name = "exec",
    .about = "runs a command beside a server, asserts on the mail it sent",
    .run = run_verb,
    .describe = describe,
};
