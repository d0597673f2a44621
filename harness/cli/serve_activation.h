/* serve_activation.h - sockets that systemd, or whoever does as it does, has opened for the program
 * (sd_listen_fds(3)). */
#ifndef SMTP_HARNESS_CLI_SERVE_ACTIVATION_H
#define SMTP_HARNESS_CLI_SERVE_ACTIVATION_H

#include "harness/cli/options.h"

struct smtp_serve_activation {
    char listeners[SMTP_CLI_TEXTS_MAX][24]; /* "fd:3", "smtps://fd:4" */
    size_t count;
};

/** Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, and takes them out of the environment: a name smtp, smtps
 *  or lmtp says what is spoken there, any other means SMTP. None where they are another process's.
 *  False: what is wrong is said. */
bool smtp_serve_activation_take(struct smtp_serve_activation *activation, const char *program);

#endif
