/* hooks.h - puts the harness between the server and the caller's own hooks: the log goes to the
 * transcripts too, everything else through. */
#ifndef SMTP_HARNESS_HOOKS_H
#define SMTP_HARNESS_HOOKS_H

#include "harness/transcript.h"

/** Lives as long as the server. */
struct smtp_harness_hooks {
    struct smtp_server_hooks caller; /* the caller's table; constant once the server runs */
    struct smtp_harness_transcripts *transcripts;
};

/** Takes the caller's table out of *table and puts the harness's there. A hook the caller has not
 *  is not in the new table either, because leaving one out has a meaning; but for log. */
void smtp_harness_hooks_wrap(struct smtp_harness_hooks *hooks, struct smtp_server_hooks *table);

#endif
