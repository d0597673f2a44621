/* serve_background.h - going on in the background: the process that was started returns when the one
 * behind it is ready, or could not be. */
#ifndef SMTP_HARNESS_CLI_SERVE_BACKGROUND_H
#define SMTP_HARNESS_CLI_SERVE_BACKGROUND_H

#include <stdbool.h>

/** Before there is any thread. Returns in a process of a session of its own, without standard input, with
 *  *ready for smtp_serve_background_ready and -1; and in the first one, when that is known, with the exit
 *  status that it is to end with. */
int smtp_serve_background(const char *program, int *ready);
/** Lets the first process end with 0, and lets go of what it has: standard output unless it is kept,
 *  and standard error where it is a terminal or a pipe, which somebody may read to its end. */
bool smtp_serve_background_ready(const char *program, int ready, bool keep_output);

#endif
