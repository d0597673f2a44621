/* new_file.c - see new_file.h. */
#include "harness/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int smtp_new_file(const char *path, char **name)
{
    for (;;) {
        if (asprintf(name, "%s.XXXXXX", path) < 0) {
            *name = NULL;
            errno = ENOMEM;
            return -1;
        }
        int fd = mkostemp(*name, O_CLOEXEC);
        if (fd >= 0) {
            return fd;
        }
        int failure = errno;
        free(*name); /* its X are gone */
        *name = NULL;
        errno = failure;
        if (failure != EINTR) {
            return -1;
        }
    }
}

static int write_all(int fd, struct smtp_span octets)
{
    while (octets.len > 0) {
        ssize_t written = write(fd, octets.bytes, octets.len);
        if (written < 0 && errno != EINTR) {
            return errno;
        }
        if (written > 0) {
            octets.bytes += written;
            octets.len -= (size_t)written;
        }
    }
    return 0;
}

/* Of several failures the first is told. A signal that breaks into close does not keep it open. */
int smtp_fill_file(int fd, struct smtp_span octets)
{
    int failure = write_all(fd, octets);
    int unclosed = close(fd) != 0 && errno != EINTR ? errno : 0;
    return failure != 0 ? failure : unclosed;
}

bool smtp_may_be_replaced(const char *path)
{
    struct stat status;
    return lstat(path, &status) != 0 || S_ISREG(status.st_mode);
}

static int write_into(const char *path, struct smtp_span octets, mode_t mode)
{
    bool shared = strncmp(path, "/dev/", strlen("/dev/")) == 0;
    int fd;
    do {
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (shared ? O_APPEND : O_TRUNC), mode);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? errno : smtp_fill_file(fd, octets);
}

int smtp_replace_file(const char *path, struct smtp_span octets, mode_t mode)
{
    char *made = NULL;
    if (!smtp_may_be_replaced(path)) {
        return write_into(path, octets, mode);
    }
    int fd = smtp_new_file(path, &made);
    if (fd < 0) {
        return errno;
    }
    int unmoded = fchmod(fd, mode) != 0 ? errno : 0;
    int failure = smtp_fill_file(fd, octets);
    failure = failure == 0 ? unmoded : failure;
    if (failure == 0 && rename(made, path) != 0) {
        failure = errno;
    }
    if (failure != 0) {
        unlink(made);
    }
    free(made);
    return failure;
}
