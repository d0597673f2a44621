/* serve_tell.h - how `serve` tells where it is: lines on standard output, and files that are there for as
 * long. */
#ifndef SMTP_HARNESS_CLI_SERVE_TELL_H
#define SMTP_HARNESS_CLI_SERVE_TELL_H

#include "server/smtp_server.h"

struct smtp_serve_tell {
    const char *ready_file, *ca_file, *pid_file; /* NULL: none */
    bool json;                                   /* the lines are one JSON object */
    bool pid;                                    /* the lines tell the process, too */
    bool tls_required, auth_required, relays;    /* what a stranger meets */
};

/** All of it, of a server that runs. False: what is wrong is said, and nothing is left. */
bool smtp_serve_tell(const struct smtp_serve_tell *tell, const char *program,
                     struct smtp_server *server);
/** Warns, on standard error, of each listener that other machines reach and that asks them for too little. */
void smtp_serve_tell_wide(const struct smtp_serve_tell *tell, const char *program,
                          const struct smtp_server *server);
/** Takes the files away, when it listens no more; but for the process's, which may be asked for until its
 *  end. */
void smtp_serve_tell_no_more(const struct smtp_serve_tell *tell);
/** Takes that away, too. */
void smtp_serve_tell_end(const struct smtp_serve_tell *tell);

#endif
