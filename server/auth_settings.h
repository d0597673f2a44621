/* auth_settings.h - options.auth, checked and copied: the user table and the lists of mechanisms.
 * Does not know: how a mechanism works (sasl.h). */
#ifndef SMTP_SERVER_AUTH_SETTINGS_H
#define SMTP_SERVER_AUTH_SETTINGS_H

#include "server/tables.h"
#include "server/users.h"

struct smtp_server_auth_settings {
    struct smtp_server_users users;
    /* As session_config wants them: upper case, parted by spaces, "" for none; owned. */
    char *mechanisms_clear;
    char *mechanisms_tls;
    char *too_weak;
};

/** SMTP_BAD_ARGUMENT names the option and what is wrong. On failure, too, to be cleared. */
enum smtp_status smtp_server_auth_settings_init(struct smtp_server_auth_settings *settings,
                                                const struct smtp_server_options *options,
                                                const struct smtp_server_tables *tables,
                                                struct smtp_error *error) SMTP_MUST_CHECK;
/** Passwords are wiped. */
void smtp_server_auth_settings_clear(struct smtp_server_auth_settings *settings);

#endif
