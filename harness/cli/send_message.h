/* send_message.h - what `send` sends: the envelope and the content, made or read. Knows nothing of the
 * connection. */
#ifndef SMTP_HARNESS_CLI_SEND_MESSAGE_H
#define SMTP_HARNESS_CLI_SEND_MESSAGE_H

#include "common/bytes.h"
#include "harness/cli/send_options.h"

struct smtp_send_message {
    const char *name; /* its file's, or "standard input" */
    struct smtp_envelope envelope;
    struct smtp_content content;
    uint64_t octets; /* of the content; 0: not known before its end */

    /* where they are */
    char *reverse_path;
    struct smtp_buffer addresses; /* of the recipients, a NUL behind each */
    size_t address_count;
    const char **forward_paths;
    struct smtp_buffer header; /* and what was read with it */
    struct smtp_cli_mail_asked asked;
    int fd; /* of the content; -1: none */
};

/** Makes the message that `options` describe, or reads it from `file` ("-": standard input). 0, or what is wrong is said:
 *  an exit status of sysexits.h. Clear in any case. */
int smtp_send_message_make(struct smtp_send_message *message, struct smtp_send_options *options,
                           const char *file);
void smtp_send_message_clear(struct smtp_send_message *message);

#endif
