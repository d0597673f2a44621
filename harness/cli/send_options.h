/* send_options.h - what can be said to `send`. Knows nothing of the connection's life. */
#ifndef SMTP_HARNESS_CLI_SEND_OPTIONS_H
#define SMTP_HARNESS_CLI_SEND_OPTIONS_H

#include "harness/cli/client_options.h"
#include "harness/cli/mail_options.h"

#define SMTP_SEND_PROGRAM "smtp-harness send"

struct smtp_send_options {
    struct smtp_cli_words words; /* the URL, then addresses */

    const char *from;
    struct smtp_cli_texts to, cc, bcc;
    const char *subject, *text, *html;
    struct smtp_cli_texts files; /* a message each; none: standard input */
    struct smtp_cli_texts attachments, headers;

    bool from_header; /* -t */
    bool ignore_dots; /* -i: a line with a dot alone ends nothing here in any case */
    const char *reverse_path, *full_name;
    struct smtp_cli_texts sendmail_options; /* -oi and the like */

    bool verbose, explain, json, quiet;
    const char *record;

    struct smtp_cli_mail_options mail;
    struct smtp_cli_client_options client;
};

/** Sets the defaults and shows `reader` the usage, whose options write to *options. */
void smtp_send_options_use(struct smtp_send_options *options, smtp_cli_reader *reader, void *user);
/** 0, or what is wrong is said: an exit status of sysexits.h. */
int smtp_send_options_apply(struct smtp_send_options *options);
/** Whether a message is to be made, not read. */
bool smtp_send_options_compose(const struct smtp_send_options *options);
void smtp_send_options_clear(struct smtp_send_options *options);

#endif
