/* record.h - transcripts written as dialogue files that `play` takes: pipelined commands before their
 * replies, what varies from run to run as ${NAME=VALUE}, secrets as ${NAME}. Knows the dialogue notation's
 * written form (harness/dialogue/dialogue.h). */
#ifndef SMTP_HARNESS_RECORD_H
#define SMTP_HARNESS_RECORD_H

#include "harness/transcript.h"

/** The dialogue as text, NUL-terminated, to be freed by the caller. NULL: out of memory. */
char *smtp_harness_record_text(const struct smtp_harness_transcript *transcript);

/** The same into a file, whole or not at all. */
enum smtp_status smtp_harness_record_write(const struct smtp_harness_transcript *transcript,
                                           const char *path, struct smtp_error *error)
    SMTP_MUST_CHECK;

/** Makes a hook table that writes each session of a server to DIR/session-N.smtp when it closes; DIR is
 *  made where it is not there. What cannot be written is told through `complain` (on the server's threads). */
enum smtp_status smtp_harness_recorder(struct smtp_server_hooks *table, const char *directory,
                                       void (*complain)(const char *message),
                                       struct smtp_error *error) SMTP_MUST_CHECK;

#endif
