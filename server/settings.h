/* settings.h - the server's options, checked and copied: constant from smtp_server_new to _free. */
#ifndef SMTP_SERVER_SETTINGS_H
#define SMTP_SERVER_SETTINGS_H

#include "common/address.h"
#include "server/auth_settings.h"
#include "server/protocol/session.h"
#include "server/tables.h"
#include "server/trusted.h"

/** One row of options.listen. */
struct smtp_server_listen {
    struct smtp_address address; /* as the options say, port 0 included */
    bool implicit_tls;           /* "smtps://" */
    bool lmtp;                   /* "lmtp://" */
    int fd;                      /* "fd:N": the socket at that address; -1: none yet */
};

struct smtp_server_settings {
    struct smtp_server_listen *listen; /* owned */
    size_t listen_count;
    char *hostname;      /* owned */
    char *greeting_text; /* owned */
    unsigned workers;
    char *client_ca_pem; /* owned; NULL: no client certificate is asked for */
    bool client_certificate_required;
    bool tls; /* there is TLS at all: STARTTLS, or an address with implicit TLS */
    struct smtp_server_auth_settings auth;
    struct smtp_server_trusted trusted;
    bool proxy_protocol;
    struct smtp_server_tables tables;
    size_t ring_messages; /* the mailbox keeps the last so many; 0: any number */
    uint64_t ring_octets; /* likewise */
    bool discards;        /* the mailbox counts messages, and keeps none */
    struct smtp_server_session_config config; /* points into this */
};

/** SMTP_BAD_ARGUMENT names the option, its range and what came. On
 *  failure nothing is to be cleared. */
enum smtp_status smtp_server_settings_init(struct smtp_server_settings *settings,
                                           const struct smtp_server_options *options,
                                           struct smtp_error *error) SMTP_MUST_CHECK;
void smtp_server_settings_clear(struct smtp_server_settings *settings);

#endif
