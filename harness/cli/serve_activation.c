/* serve_activation.c - see serve_activation.h. */
#include "harness/cli/serve_activation.h"

#include "common/bytes.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* NOLINTBEGIN(concurrency-mt-unsafe): the environment is read, and cleared, before there is another thread */

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

static bool read_number(const char *program, const char *name, uint64_t max, uint64_t *number)
{
    const char *text = getenv(name);
    if (text == NULL || !smtp_span_to_u64(smtp_span_of(text), max, number)) {
        smtp_cli_wrong(program, "%s in the environment is to be a number up to %llu, not '%s'",
                       name, (unsigned long long)max, text != NULL ? text : "");
        return false;
    }
    return true;
}

/** The scheme for a name of `len` octets: with "://", or "" for what every socket speaks. */
static const char *scheme_of(const char *name, size_t len)
{
    static const char *const schemes[] = {"smtps", "lmtp"};
    static const char *const written[] = {"smtps://", "lmtp://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (len == strlen(schemes[i]) && memcmp(name, schemes[i], len) == 0) {
            return written[i];
        }
    }
    return "";
}

/** One of them, which no program started from here shall have. */
static bool add(struct smtp_serve_activation *activation, const char *program, const char *scheme)
{
    int fd = FIRST_FD + (int)activation->count;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        smtp_cli_wrong(program,
                       "LISTEN_FDS in the environment names descriptor %d, which is not open", fd);
        return false;
    }
    char *text = activation->listeners[activation->count++];
    snprintf(text, sizeof activation->listeners[0], "%sfd:%d", scheme, fd);
    return true;
}

static bool add_all(struct smtp_serve_activation *activation, const char *program)
{
    uint64_t pid = 0, count = 0;
    const char *name = getenv("LISTEN_FDNAMES");
    if (!read_number(program, "LISTEN_PID", INT32_MAX, &pid)) {
        return false;
    }
    if ((pid_t)pid != getpid()) {
        return true;
    }
    if (!read_number(program, "LISTEN_FDS", SMTP_CLI_TEXTS_MAX, &count)) {
        return false;
    }
    while (activation->count < count) {
        size_t len = name != NULL ? strcspn(name, ":") : 0;
        if (!add(activation, program, name != NULL ? scheme_of(name, len) : "")) {
            return false;
        }
        name = name != NULL && name[len] == ':' ? name + len + 1 : NULL;
    }
    return true;
}

bool smtp_serve_activation_take(struct smtp_serve_activation *activation, const char *program)
{
    activation->count = 0;
    bool taken = getenv("LISTEN_PID") == NULL || add_all(activation, program);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return taken;
}

/* NOLINTEND(concurrency-mt-unsafe) */
