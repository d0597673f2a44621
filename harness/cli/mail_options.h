/* mail_options.h - what can be asked for a message with MAIL and RCPT on the command line of every verb that
 * sends one. Knows nothing of the message. */
#ifndef SMTP_HARNESS_CLI_MAIL_OPTIONS_H
#define SMTP_HARNESS_CLI_MAIL_OPTIONS_H

#include "client/smtp_client.h"
#include "harness/cli/options.h"

#define SMTP_CLI_MAIL_ROWS 15

struct smtp_cli_mail_options {
    const char *program;

    /* as given */
    const char *body, *dsn_return, *notify, *hold_until, *by, *priority;
    bool smtputf8, require_tls;
    uint64_t hold_for_s;
    struct smtp_cli_texts original_recipients, mail_parameters, rcpt_parameters;

    /* what that comes to */
    struct smtp_mail_options mail;
    unsigned notify_when;
    char *all_mail_parameters; /* NULL: none */
    char *all_rcpt_parameters;
};

/** What is asked for one message. */
struct smtp_cli_mail_asked {
    struct smtp_mail_options mail;  /* as the options have it, and what the message needs besides */
    struct smtp_rcpt_options *rcpt; /* one a recipient; owned, as the next */
    const char **parameters_each_rcpt;
};

/** Sets the defaults, and fills in the rows of a verb's table whose options write to *options. */
void smtp_cli_mail_options_use(struct smtp_cli_mail_options *options, const char *program,
                               struct smtp_cli_option rows[SMTP_CLI_MAIL_ROWS]);
/** Reads what was given. False: what is wrong is said. Clear in any case. */
bool smtp_cli_mail_options_apply(struct smtp_cli_mail_options *options);
void smtp_cli_mail_options_clear(struct smtp_cli_mail_options *options);

/** Puts it into the envelope, whose recipients are known by now; asked->mail is set. The envelope borrows from both. False:
 *  what is wrong is said. Clear in any case. */
bool smtp_cli_mail_asked_fill(struct smtp_cli_mail_asked *asked,
                              const struct smtp_cli_mail_options *options,
                              struct smtp_envelope *envelope);
void smtp_cli_mail_asked_clear(struct smtp_cli_mail_asked *asked);

#endif
