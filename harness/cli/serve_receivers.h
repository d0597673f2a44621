/* serve_receivers.h - what `serve` does with messages: the receivers that were asked for, as hook tables. */
#ifndef SMTP_HARNESS_CLI_SERVE_RECEIVERS_H
#define SMTP_HARNESS_CLI_SERVE_RECEIVERS_H

#include "server/smtp_server.h"

#define SMTP_SERVE_RECEIVERS_MAX 4

/** Which are wanted; NULL or false: not that one. */
struct smtp_serve_receivers {
    const char *relay_url;
    const char *maildir;
    bool durable; /* of the Maildir */
    const char *mbox;
    bool print;
};

/** Makes them; a server takes them over. False: what is wrong is said, and nothing is left. */
bool smtp_serve_receivers_make(const char *program, const struct smtp_serve_receivers *wanted,
                               struct smtp_server_hooks tables[SMTP_SERVE_RECEIVERS_MAX],
                               size_t *count);
/** Gives them back, where no server took them over. */
void smtp_serve_receivers_release(struct smtp_server_hooks *tables, size_t count);

#endif
