/* run.c - see run.h. */
#include "harness/command/run.h"

#include "common/clock.h"
#include "common/error.h"
#include "harness/command/escaped.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_NS (5 * SMTP_NS_PER_MS)   /* between two looks for its end where there is no pidfd */
#define CLOSE_NS (50 * SMTP_NS_PER_MS) /* for the killed to be gone */
#define SIGNAL_STATUS 128

/* ---- beginning ---- */

static int spawn(struct smtp_command_run *run, char *const argv[], char *const environment[],
                 const char *input, int output)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    sigset_t none, broken_pipe;
    sigemptyset(&none);
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE); /* that we ignore it is nothing to the command */
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &broken_pipe);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input, O_RDONLY, 0);
    int failure = posix_spawnp(&run->pid, argv[0], &actions, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failure;
}

enum smtp_status smtp_command_start(struct smtp_command_run *run, char *const argv[],
                                    char *const environment[], const char *input,
                                    struct smtp_error *error)
{
    int ends[2];
    *run = (struct smtp_command_run){
        .pidfd = -1, .output = -1, .kept = SMTP_BUFFER(SMTP_COMMAND_OUTPUT_MAX)};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return smtp_error_set(error, SMTP_SYSTEM_FAILED, errno, "cannot make a pipe: %s",
                              smtp_errno_text(errno));
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK); /* our end alone */
    int failure = spawn(run, argv, environment, input, ends[1]);
    close(ends[1]);
    if (failure != 0) {
        close(ends[0]);
        run->pid = 0;
        return smtp_error_set(error, SMTP_SYSTEM_FAILED, failure, "cannot run '%s': %s", argv[0],
                              smtp_errno_text(failure));
    }
    run->output = ends[0];
    run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0); /* close-on-exec by itself */
    return SMTP_OK;
}

/* ---- while it runs ---- */

/** Reads once what it wrote. False: nothing is there. */
static bool read_output(struct smtp_command_run *run)
{
    char octets[16384];
    if (run->output < 0) {
        return false;
    }
    ssize_t got = read(run->output, octets, sizeof octets);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return errno == EINTR;
    }
    if (got <= 0) {
        close(run->output);
        run->output = -1;
        return false;
    }
    size_t room = SMTP_COMMAND_OUTPUT_MAX - run->kept.len;
    size_t len = (size_t)got < room ? (size_t)got : room;
    enum smtp_status ignored = smtp_buffer_append(&run->kept, octets, len);
    (void)ignored; /* it is but shown */
    return true;
}

/** Whether it has just been found to have ended. */
static bool look_for_end(struct smtp_command_run *run)
{
    siginfo_t info = {.si_pid = 0};
    if (run->ended || waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0) {
        return false;
    }
    run->ended = true;
    run->status = info.si_code == CLD_EXITED ? info.si_status : SIGNAL_STATUS + info.si_status;
    return true;
}

bool smtp_command_wait(struct smtp_command_run *run, int fd, uint64_t deadline_ns)
{
    for (;;) {
        struct pollfd items[] = {{.fd = fd, .events = POLLIN},
                                 {.fd = run->output, .events = POLLIN},
                                 {.fd = run->ended ? -1 : run->pidfd, .events = POLLIN}};
        uint64_t now_ns = smtp_clock_now_ns(), until_ns = deadline_ns;
        if (run->pidfd < 0 && !run->ended && now_ns + LOOK_NS < until_ns) {
            until_ns = now_ns + LOOK_NS;
        }
        int ready = poll(items, 3, smtp_clock_poll_ms(now_ns, until_ns));
        if (ready > 0 && items[1].revents != 0) {
            read_output(run);
        }
        bool can_read = ready > 0 && items[0].revents != 0;
        if (can_read || (run->pid != 0 && look_for_end(run)) ||
            smtp_clock_now_ns() >= deadline_ns) {
            return can_read;
        }
    }
}

/* ---- its end ---- */

void smtp_command_kill(const struct smtp_command_run *run)
{
    if (run->pid > 0) {
        kill(-run->pid, SIGKILL);
    }
}

/** Reads until it is closed, as it is once all that wrote to it are gone. False: somebody still has it. */
static bool read_to_end(struct smtp_command_run *run)
{
    uint64_t deadline_ns = smtp_clock_now_ns() + CLOSE_NS;
    while (run->output >= 0 && smtp_clock_now_ns() < deadline_ns) {
        struct pollfd item = {.fd = run->output, .events = POLLIN};
        if (poll(&item, 1, smtp_clock_poll_ms(smtp_clock_now_ns(), deadline_ns)) > 0) {
            read_output(run);
        }
    }
    return run->output < 0;
}

void smtp_command_finish(struct smtp_command_run *run, const char *entry)
{
    bool was_started = run->pid > 0;
    smtp_command_kill(run);
    while (run->pid > 0 && waitpid(run->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    if (was_started && (!read_to_end(run) || !run->ended)) {
        smtp_command_kill_escaped(entry);
    }
    if (run->output >= 0) {
        close(run->output);
    }
    if (run->pidfd >= 0) {
        close(run->pidfd);
    }
    run->pid = 0;
    run->output = run->pidfd = -1;
}
