/* exec_place.h - how a command is told where the server is: variables of its environment, words in its arguments,
 * and the file of the authority to trust. Knows nothing of processes. */
#ifndef SMTP_HARNESS_CLI_EXEC_PLACE_H
#define SMTP_HARNESS_CLI_EXEC_PLACE_H

#include "server/smtp_server.h"

#include <stdbool.h>
#include <stddef.h>

struct smtp_harness;

struct smtp_exec_place {
    char **argv; /* ended by NULL; {host} {port} {url} {cafile} are replaced */
    char **
        environment; /* ours, with SMTP_HOST SMTP_PORT SMTP_URL, and SMTP_USER SMTP_PASSWORD SMTP_CA_FILE
                         * where there is such a thing, else without it */
    char *ca_file; /* for us alone to read; NULL: none */
};

/** For a harness that runs; user NULL: nobody can log in. False: what is wrong is said; clear it. */
bool smtp_exec_place_make(struct smtp_exec_place *place, const char *program,
                          struct smtp_harness *harness, const struct smtp_server_user *user,
                          char *const *words, size_t word_count);
/** Removes the file, too, and wipes the password. */
void smtp_exec_place_clear(struct smtp_exec_place *place);

#endif
