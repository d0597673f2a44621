/* users.h - the table of who may log in, and the salts of their passwords. All threads may ask at once.
 * Knows SASLprep (RFC 4013), no mechanism. */
#ifndef SMTP_SERVER_USERS_H
#define SMTP_SERVER_USERS_H

#include "server/smtp_server.h"

#include <pthread.h>

#define SMTP_SERVER_SALT_OCTETS 16
#define SMTP_SERVER_SALT_KEY_OCTETS 32

struct smtp_server_users {
    struct smtp_server_user *rows; /* prepared identities, passwords as given; owned */
    size_t count;
    pthread_mutex_t lock;
    bool has_salt_key;                                   /* under lock */
    unsigned char salt_key[SMTP_SERVER_SALT_KEY_OCTETS]; /* under lock; constant once it is there */
};

/** Copies the table. SMTP_BAD_ARGUMENT says which user and what is wrong: an
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

/** A salt for the identity, the same for each login, so that clients may keep what they derive, and no
 *  other for one that does not exist. False: OpenSSL gives no random octets. */
bool smtp_server_users_salt(struct smtp_server_users *users, const char *identity,
                            unsigned char salt[SMTP_SERVER_SALT_OCTETS]);

/** The text as SASLprep leaves it (RFC 4013; unassigned code points stay), to be freed with
 *  smtp_secret_free. NULL: it is not UTF-8, holds what is prohibited, is empty, or there is no
 *  memory. */
char *smtp_server_saslprep(const char *text);

#endif
