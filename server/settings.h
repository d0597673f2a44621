/* settings.h - the server's options, checked and copied: constant from smtp_server_new to _free. */
#ifndef SMTP_SERVER_SETTINGS_H
#define SMTP_SERVER_SETTINGS_H

#include "common/address.h"
#include "server/protocol/session.h"

struct smtp_server_settings {
    struct smtp_address *listen; /* as the options say, port 0 included; owned */
    size_t listen_count;
    char *hostname;      /* owned */
    char *greeting_text; /* owned */
    unsigned workers;
    struct smtp_server_hooks hooks;
    struct smtp_server_session_config config; /* points into this */
};

/** options NULL: the defaults. SMTP_BAD_ARGUMENT names the option, its range and what came. On
 *  failure nothing is to be cleared. */
enum smtp_status smtp_server_settings_init(struct smtp_server_settings *settings,
                                           const struct smtp_server_options *options,
                                           struct smtp_error *error) SMTP_MUST_CHECK;
void smtp_server_settings_clear(struct smtp_server_settings *settings);

#endif
