/* serve_receivers.h - what `serve` does with messages: the receivers that were asked for, as hook tables. */
#ifndef SMTP_HARNESS_CLI_SERVE_RECEIVERS_H
#define SMTP_HARNESS_CLI_SERVE_RECEIVERS_H

#include "harness/cli/server_options.h"

/** Which are wanted; NULL or false: not that one. */
struct smtp_serve_receivers {
    const char *relay_url;
    const char *maildir;
    bool durable; /* of the Maildir */
    const char *mbox;
    bool print;
    bool json, json_content;
    /** Called, on any thread, where standard output could not be written; the message was refused. */
    void (*output_failed)(void *user, int sys_errno);
    void *output_user;
};

/** Makes them, the most likely to refuse first, and adds them to the server's tables. False: what is wrong is said. */
bool smtp_serve_receivers_make(const char *program, const struct smtp_serve_receivers *wanted,
                               struct smtp_cli_server_options *server);

#endif
