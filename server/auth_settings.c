/* auth_settings.c - see auth_settings.h.
 * Knows: which mechanisms there are, and where each can be offered. */
#include "server/auth_settings.h"

#include "common/bytes.h"
#include "common/error.h"

#include <stdlib.h>
#include <string.h>

/* The longest list: each known mechanism once. */
#define LIST_SIZE 256

/* What a mechanism needs, to be offered. */
enum {
    SENDS_SECRET = 1,   /* TLS, unless the options say otherwise */
    NEEDS_PASSWORD = 2, /* the server must know it: the auth hook alone does not help */
    NEEDS_TLS = 4,
};

static const struct mechanism {
    const char *name;
    unsigned needs;
} mechanisms[] = {
    {"SCRAM-SHA-256-PLUS", NEEDS_PASSWORD | NEEDS_TLS},
    {"SCRAM-SHA-256", NEEDS_PASSWORD},
    {"SCRAM-SHA-1-PLUS", NEEDS_PASSWORD | NEEDS_TLS},
    {"SCRAM-SHA-1", NEEDS_PASSWORD},
    {"CRAM-MD5", NEEDS_PASSWORD},
    {"PLAIN", SENDS_SECRET},
    {"LOGIN", SENDS_SECRET},
    {"XOAUTH2", SENDS_SECRET},
    {"OAUTHBEARER", SENDS_SECRET},
    {"EXTERNAL", NEEDS_TLS},
};
static const char all_names[] = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 "
                                "CRAM-MD5 PLAIN LOGIN XOAUTH2 OAUTHBEARER EXTERNAL";

static const struct mechanism *find(struct smtp_span name)
{
    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++) {
        if (smtp_span_equal_nocase(name, smtp_span_of(mechanisms[i].name))) {
            return &mechanisms[i];
        }
    }
    return NULL;
}

/* The next word of a list parted by spaces; empty at its end. */
static struct smtp_span take_word(const char **list)
{
    *list += strspn(*list, " ");
    struct smtp_span word = {*list, strcspn(*list, " ")};
    *list += word.len;
    return word;
}

static bool holds(const char *list, const char *name)
{
    struct smtp_span word;
    while ((word = take_word(&list)).len > 0) {
        if (smtp_span_equal_nocase(word, smtp_span_of(name))) {
            return true;
        }
    }
    return false;
}

static enum smtp_status check_list(const char *option, const char *list, struct smtp_error *error)
{
    struct smtp_span word;
    while ((word = take_word(&list)).len > 0) {
        if (find(word) == NULL) {
            return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                  "%s: \"%.*s\" is no mechanism known here; known are %s", option,
                                  (int)(word.len > 40 ? 40 : word.len), word.bytes, all_names);
        }
    }
    return SMTP_OK;
}

static bool is_offered(const struct mechanism *mechanism, const struct smtp_server_options *options,
                       const struct smtp_server_tables *tables, bool tls)
{
    const struct smtp_server_auth *auth = &options->auth;
    bool passwords = auth->user_count > 0 || smtp_server_tables_passwords(tables) != NULL;
    if (auth->too_weak != NULL && holds(auth->too_weak, mechanism->name)) {
        return false;
    }
    if ((mechanism->needs & NEEDS_PASSWORD) != 0
            ? !passwords
            : !passwords && smtp_server_tables_auth(tables) == NULL) {
        return false;
    }
    return tls || ((mechanism->needs & NEEDS_TLS) == 0 &&
                   ((mechanism->needs & SENDS_SECRET) == 0 || auth->plain_without_tls));
}

/* The names of the list that are offered, in its order, each once, as they are written here. */
static char *offered(const char *list, const struct smtp_server_options *options,
                     const struct smtp_server_tables *tables, bool tls)
{
    char out[LIST_SIZE] = "";
    struct smtp_span word;
    while ((word = take_word(&list)).len > 0) {
        const struct mechanism *mechanism = find(word);
        if (mechanism != NULL && is_offered(mechanism, options, tables, tls) &&
            !holds(out, mechanism->name)) {
            strncat(out, out[0] != '\0' ? " " : "", LIST_SIZE - strlen(out) - 1);
            strncat(out, mechanism->name, LIST_SIZE - strlen(out) - 1);
        }
    }
    return strdup(out);
}

static enum smtp_status copy_mechanisms(struct smtp_server_auth_settings *settings,
                                        const struct smtp_server_options *options,
                                        const struct smtp_server_tables *tables,
                                        struct smtp_error *error)
{
    const struct smtp_server_auth *auth = &options->auth;
    const char *list = auth->mechanisms != NULL ? auth->mechanisms : all_names;
    const char *too_weak = auth->too_weak != NULL ? auth->too_weak : "";
    enum smtp_status status = check_list("auth.mechanisms", list, error);
    if (status == SMTP_OK) {
        status = check_list("auth.too_weak", too_weak, error);
    }
    if (status != SMTP_OK) {
        return status;
    }
    settings->mechanisms_clear = offered(list, options, tables, false);
    settings->mechanisms_tls = offered(list, options, tables, true);
    settings->too_weak = strdup(too_weak);
    if (settings->mechanisms_clear == NULL || settings->mechanisms_tls == NULL ||
        settings->too_weak == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    for (char *at = settings->too_weak; *at != '\0'; at++) {
        *at = *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
    }
    return SMTP_OK;
}

enum smtp_status smtp_server_auth_settings_init(struct smtp_server_auth_settings *settings,
                                                const struct smtp_server_options *options,
                                                const struct smtp_server_tables *tables,
                                                struct smtp_error *error)
{
    *settings = (struct smtp_server_auth_settings){0};
    enum smtp_status status = smtp_server_users_init(&settings->users, options->auth.users,
                                                     options->auth.user_count, error);
    return status == SMTP_OK ? copy_mechanisms(settings, options, tables, error) : status;
}

void smtp_server_auth_settings_clear(struct smtp_server_auth_settings *settings)
{
    smtp_server_users_clear(&settings->users);
    free(settings->mechanisms_clear);
    free(settings->mechanisms_tls);
    free(settings->too_weak);
    *settings = (struct smtp_server_auth_settings){0};
}
