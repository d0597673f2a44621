/* users.c - see users.h. */
#include "server/users.h"

#include "common/error.h"
#include "common/secret.h"

#include <gsasl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define IDENTITY_MAX 255 /* octets, RFC 4616 2 */

char *smtp_server_saslprep(const char *text)
{
    char *prepared = NULL;
    if (gsasl_saslprep(text, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) != GSASL_OK) {
        return NULL;
    }
    if (*prepared == '\0') {
        free(prepared);
        return NULL;
    }
    return prepared;
}

/* The place of a row counts from 1, as people do. */
static enum smtp_status copy_row(struct smtp_server_users *users,
                                 const struct smtp_server_user *row, struct smtp_error *error)
{
    const char *identity = row->identity != NULL ? row->identity : "";
    const char *password = row->password != NULL ? row->password : "";
    if (strlen(identity) > IDENTITY_MAX || strlen(password) >= SMTP_SERVER_SECRET_SIZE) {
        return smtp_error_set(
            error, SMTP_BAD_ARGUMENT, 0,
            "auth.users: user %zu must have an identity of 1 to %d octets (it has "
            "%zu) and a password of 1 to %d (it has %zu)",
            users->count + 1, IDENTITY_MAX, strlen(identity), SMTP_SERVER_SECRET_SIZE - 1,
            strlen(password));
    }
    char *prepared = smtp_server_saslprep(identity);
    char *prepared_password = smtp_server_saslprep(password);
    const char *wrong = prepared == NULL ? "identity" : "password";
    bool both = prepared != NULL && prepared_password != NULL;
    smtp_secret_free(prepared_password);
    if (!both) {
        free(prepared);
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "auth.users: the %s of user %zu must be UTF-8 without control "
                              "characters (SASLprep, RFC 4013), and not empty",
                              wrong, users->count + 1);
    }
    if (smtp_server_users_password(users, prepared) != NULL) {
        enum smtp_status status = smtp_error_set(
            error, SMTP_BAD_ARGUMENT, 0, "auth.users: \"%.80s\" is there twice, again as user %zu",
            prepared, users->count + 1);
        free(prepared);
        return status;
    }
    char *copy = strdup(password);
    if (copy == NULL) {
        free(prepared);
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    struct smtp_server_user *kept = &users->rows[users->count++];
    kept->identity = prepared;
    kept->password = copy;
    return SMTP_OK;
}

enum smtp_status smtp_server_users_init(struct smtp_server_users *users,
                                        const struct smtp_server_user *rows, size_t count,
                                        struct smtp_error *error)
{
    *users = (struct smtp_server_users){0};
    enum smtp_status status = SMTP_OK;
    pthread_mutex_init(&users->lock, NULL);
    if (count > 0 && (users->rows = calloc(count, sizeof *users->rows)) == NULL) {
        smtp_server_users_clear(users);
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    for (size_t i = 0; i < count && status == SMTP_OK; i++) {
        status = copy_row(users, &rows[i], error);
    }
    if (status != SMTP_OK) {
        smtp_server_users_clear(users);
    }
    return status;
}

void smtp_server_users_clear(struct smtp_server_users *users)
{
    for (size_t i = 0; users->rows != NULL && i < users->count; i++) {
        free((char *)(uintptr_t)users->rows[i].identity);
        smtp_secret_free((char *)(uintptr_t)users->rows[i].password);
    }
    free(users->rows);
    pthread_mutex_destroy(&users->lock);
    smtp_secret_wipe(users, sizeof *users);
}

/* Both look at every row, so that the time does not tell where, or whether, it was. */
const char *smtp_server_users_password(const struct smtp_server_users *users, const char *identity)
{
    const char *found = NULL;
    for (size_t i = 0; i < users->count; i++) {
        if (smtp_secret_equal(smtp_span_of(users->rows[i].identity), smtp_span_of(identity))) {
            found = users->rows[i].password;
        }
    }
    return found;
}

const char *smtp_server_users_identity(const struct smtp_server_users *users, const char *password)
{
    const char *found = NULL;
    for (size_t i = 0; i < users->count; i++) {
        if (smtp_secret_equal(smtp_span_of(users->rows[i].password), smtp_span_of(password))) {
            found = users->rows[i].identity;
        }
    }
    return found;
}

/* OpenSSL takes milliseconds to give its first random octets: a server that is never asked for a salt
 * starts without them. */
static bool draw_salt_key(struct smtp_server_users *users)
{
    pthread_mutex_lock(&users->lock);
    users->has_salt_key =
        users->has_salt_key || RAND_bytes(users->salt_key, sizeof users->salt_key) == 1;
    bool has = users->has_salt_key;
    pthread_mutex_unlock(&users->lock);
    return has;
}

bool smtp_server_users_salt(struct smtp_server_users *users, const char *identity,
                            unsigned char salt[SMTP_SERVER_SALT_OCTETS])
{
    unsigned char octets[EVP_MAX_MD_SIZE];
    if (!draw_salt_key(users) ||
        HMAC(EVP_sha256(), users->salt_key, sizeof users->salt_key, (const unsigned char *)identity,
             strlen(identity), octets, NULL) == NULL) {
        return false;
    }
    memcpy(salt, octets, SMTP_SERVER_SALT_OCTETS);
    return true;
}
