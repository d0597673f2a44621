/* users.h - the table of who may log in, and what the secrets of a server's logins stand on. Constant
 * once made: all threads may read it. Knows SASLprep (RFC 4013), no mechanism. */
#ifndef SMTP_SERVER_USERS_H
#define SMTP_SERVER_USERS_H

#include "server/smtp_server.h"

#define SMTP_SERVER_SALT_KEY_OCTETS 32

struct smtp_server_users {
    struct smtp_server_user *rows; /* prepared identities, passwords as given; owned */
    size_t count;
    /** Salts are made from it and the identity: the same for each login of somebody, so that clients
     *  may keep what they derive, and to be had for identities that do not exist. */
    unsigned char salt_key[SMTP_SERVER_SALT_KEY_OCTETS];
};

/** Copies the table, and draws the salt key. SMTP_BAD_ARGUMENT says which user and what is wrong: an
 *  identity or a password that is empty, longer than 255 or 4095 octets, or that SASLprep refuses; an
 *  identity that is there twice. On failure nothing is to be cleared. */
enum smtp_status smtp_server_users_init(struct smtp_server_users *users,
                                        const struct smtp_server_user *rows, size_t count,
                                        struct smtp_error *error) SMTP_MUST_CHECK;
/** Wipes, too. */
void smtp_server_users_clear(struct smtp_server_users *users);
/** The password of a prepared identity. NULL: nobody. The time does not tell how much is alike. */
const char *smtp_server_users_password(const struct smtp_server_users *users, const char *identity);
/** Whose password it is, as given. NULL: nobody's. Likewise. */
const char *smtp_server_users_identity(const struct smtp_server_users *users, const char *password);

/** The text as SASLprep leaves it (RFC 4013; unassigned code points stay), to be freed with
 *  smtp_secret_free. NULL: it is not UTF-8, holds what is prohibited, is empty, or there is no
 *  memory. */
char *smtp_server_saslprep(const char *text);

#endif
