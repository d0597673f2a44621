/* new_file.c - see new_file.h. */
#include "harness/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

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
