/* serve_options.h - what can be said to `serve`, and what it means for the server. Knows nothing of
 * the server's life. */
#ifndef SMTP_HARNESS_CLI_SERVE_OPTIONS_H
#define SMTP_HARNESS_CLI_SERVE_OPTIONS_H

#include "harness/cli/options.h"
#include "harness/cli/serve_receivers.h"
#include "server/smtp_server.h"

#define SMTP_SERVE_PROGRAM "smtp-harness serve"

struct smtp_serve_options {
    /* as given */
    struct smtp_cli_texts listen;
    const char *ready_file;
    struct smtp_cli_texts trust, offer, hide, limit;
    struct smtp_serve_receivers receivers;
    uint64_t size_limit, recipient_limit, line_limit, workers;
    unsigned bare_lf;
    bool no_tls, tls_required;
    struct smtp_cli_texts certificate_names;
    unsigned flaw;
    const char *certificate_file, *key_file, *ca_file_out, *client_ca_file;
    struct smtp_cli_texts auth;
    bool auth_required, plain_without_tls;
    const char *auth_mechanisms;

    /* what that comes to */
    struct smtp_server_options server;
    struct smtp_server_user users[SMTP_CLI_TEXTS_MAX];
    struct smtp_server_hooks tables[SMTP_SERVE_RECEIVERS_MAX];
    char *client_ca_pem;
};

/** Sets the defaults and shows `reader` the usage, whose options write to *options. The argv that is read
 *  by it is written to: the secrets in it are wiped by the clear. */
void smtp_serve_options_use(struct smtp_serve_options *options, smtp_cli_reader *reader,
                            void *user);
/** Fills `server` in, reading the files it names. False: what is wrong is said. */
bool smtp_serve_options_apply(struct smtp_serve_options *options);
/** Once the server has its copy: frees, and wipes the secrets, in argv too, where others can see
 *  them. */
void smtp_serve_options_clear(struct smtp_serve_options *options);

#endif
