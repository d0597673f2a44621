/* serve_user.h - whom `serve` runs as: started by root it listens, where only root may, and is somebody else
 * before anybody is accepted and before it writes any file. Knows nothing of what is served. */
#ifndef SMTP_HARNESS_CLI_SERVE_USER_H
#define SMTP_HARNESS_CLI_SERVE_USER_H

#include "harness/cli/options.h"

#include <sys/types.h>

struct smtp_serve_user {
    const char *text; /* as given: USER[:GROUP], names or numbers; NULL: it stays who it is */

    uid_t uid; /* what smtp_serve_user_find made of it */
    gid_t gid;
    char listeners[SMTP_CLI_TEXTS_MAX][32]; /* "smtps://fd:3", of smtp_serve_user_listen */
};

/** Who is meant: somebody other than root, and this process may become that. False: what is wrong is said. */
bool smtp_serve_user_find(struct smtp_serve_user *user, const char *program);
/** Listens on each TCP address and puts the socket in its place; Unix sockets are the user's own to make. */
bool smtp_serve_user_listen(struct smtp_serve_user *user, const char *program,
                            struct smtp_cli_texts *listen);
/** Becomes that user, of that group alone, for good, as do the programs it starts; it is verified that there
 *  is no way back. False: it is not so, and nothing shall run. */
bool smtp_serve_user_become(const struct smtp_serve_user *user, const char *program);

#endif
