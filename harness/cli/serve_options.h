/* serve_options.h - what can be said to `serve` beside what every server's verb takes, and what it means.
 * Knows nothing of the server's life. */
#ifndef SMTP_HARNESS_CLI_SERVE_OPTIONS_H
#define SMTP_HARNESS_CLI_SERVE_OPTIONS_H

#include "harness/cli/serve_activation.h"
#include "harness/cli/serve_life.h"
#include "harness/cli/serve_receivers.h"
#include "harness/cli/serve_tell.h"
#include "harness/cli/serve_user.h"
#include "harness/cli/server_options.h"

#define SMTP_SERVE_PROGRAM "smtp-harness serve"

struct smtp_serve_options {
    struct smtp_serve_tell tell;
    bool background;
    struct smtp_serve_life life;
    struct smtp_serve_activation activation;
    struct smtp_serve_user run_as;
    struct smtp_serve_receivers receivers;
    struct smtp_cli_server_options common;

    struct smtp_harness_faults
        *faults; /* the plan; NULL: none; the caller frees it, behind the server */
};

/** Sets the defaults and shows `reader` the usage, whose options write to *options. */
void smtp_serve_options_use(struct smtp_serve_options *options, smtp_cli_reader *reader,
                            void *user);
/** Fills common.server in, with the sockets of the activation in front, and becomes who it is to run as: what root alone
 *  may read is read then, and nothing written. False: what is wrong is said; clear and end. */
bool smtp_serve_options_apply(struct smtp_serve_options *options);
/** As smtp_cli_server_options_clear, and the secrets of its own. */
void smtp_serve_options_clear(struct smtp_serve_options *options);

#endif
