/* serve_background.c - see serve_background.h. */
#include "harness/cli/serve_background.h"

#include "common/error.h"
#include "harness/cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *program)
{
    fprintf(stderr, "%s: cannot go into the background: %s\n", program, smtp_errno_text(errno));
    return SMTP_EXIT_USAGE;
}

/** Until the other one says that it is ready, or has ended. */
static int wait_for(pid_t pid, int heard)
{
    char octet;
    ssize_t len;
    do {
        len = read(heard, &octet, 1);
    } while (len < 0 && errno == EINTR);
    if (len == 1) {
        return SMTP_EXIT_HELD;
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : SMTP_EXIT_USAGE;
}

/** Puts nothing in the place of a descriptor. */
static bool let_go(int fd)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool gone = nothing >= 0 && dup2(nothing, fd) == fd;
    if (nothing >= 0) {
        close(nothing);
    }
    return gone;
}

int smtp_serve_background(const char *program, int *ready)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return fail(program);
    }
    pid_t pid = fork();
    if (pid != 0) {
        close(ends[1]);
        return pid > 0 ? wait_for(pid, ends[0]) : fail(program);
    }
    close(ends[0]);
    *ready = ends[1];
    setsid();
    return let_go(STDIN_FILENO) ? -1 : fail(program);
}

static bool is_file(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

bool smtp_serve_background_ready(const char *program, int ready, bool keep_output)
{
    bool let = (keep_output || let_go(STDOUT_FILENO)) &&
               write(ready, "", 1) == 1; /* an end that nobody waits at is an error, too */
    if (!let) {
        fail(program);
    }
    close(ready);
    return let && (is_file(STDERR_FILENO) || let_go(STDERR_FILENO));
}
