/* target.h - where a session of the pool goes, kept longer than the caller does. */
#ifndef SMTP_CLIENT_TARGET_H
#define SMTP_CLIENT_TARGET_H

#include "client/smtp_pool.h"

/** A target whose host, options and credentials are copies of its own. */
struct smtp_client_kept_target {
    struct smtp_client_target target;
    struct smtp_client_options options;
    struct smtp_client_credentials credentials;
};

/** target: with options. False: out of memory; clear all the same. */
bool smtp_client_target_keep(struct smtp_client_kept_target *kept,
                             const struct smtp_client_target *target) SMTP_MUST_CHECK;
/** Frees the copies; the secrets are wiped. */
void smtp_client_target_clear(struct smtp_client_kept_target *kept);
/** Whether a session of the one will do for the other: the same in every respect. Both have options. */
bool smtp_client_target_alike(const struct smtp_client_target *a,
                              const struct smtp_client_target *b);

#endif
