/* escaped.c - see escaped.h. */
#include "harness/command/escaped.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENVIRONMENT_MAX                                                                            \
    ((size_t)1 << 18)  /* of which ours stands at the end, behind what the user has */
#define ROUNDS_MAX 100 /* against what starts others faster than it is killed */

/** Whether the process was started with it; octets has room for ENVIRONMENT_MAX. */
static bool has_entry(const char *number, const char *entry, char *octets)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%.20s/environ", number);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t got = fd >= 0 ? 1 : 0;
    while (got > 0 && len < ENVIRONMENT_MAX) {
        got = read(fd, octets + len, ENVIRONMENT_MAX - len);
        len += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    return len > 0 && memmem(octets, len, entry, strlen(entry) + 1) != NULL;
}

/** The descriptor is opened before the look, so that the number cannot have become another's. */
static bool kill_if_escaped(const char *number, const char *entry, char *octets)
{
    long pid = strtol(number, NULL, 10);
    int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    bool found = pid > 0 && pid != getpid() && has_entry(number, entry, octets);
    if (found && pidfd >= 0) {
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    } else if (found) {
        kill((pid_t)pid, SIGKILL);
    }
    if (pidfd >= 0) {
        close(pidfd);
    }
    return found;
}

/** One look at all processes; whether there were such. */
static bool kill_round(const char *entry, char *octets)
{
    bool found = false;
    DIR *all = opendir("/proc");
    if (all == NULL) {
        return false;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else reads this stream */
    for (struct dirent *item; (item = readdir(all)) != NULL;) {
        found = kill_if_escaped(item->d_name, entry, octets) || found;
    }
    closedir(all);
    return found;
}

void smtp_command_kill_escaped(const char *entry)
{
    char *octets = malloc(ENVIRONMENT_MAX);
    for (size_t i = 0; octets != NULL && i < ROUNDS_MAX && kill_round(entry, octets); i++) {
    }
    free(octets);
}
