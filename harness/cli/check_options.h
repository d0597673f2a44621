/* check_options.h - what can be said to `check server` and `check client`, and what it means. Judges nothing. */
#ifndef SMTP_HARNESS_CLI_CHECK_OPTIONS_H
#define SMTP_HARNESS_CLI_CHECK_OPTIONS_H

#include "client/url.h"
#include "common/address.h"
#include "harness/cli/options.h"
#include "harness/conformance/arrivals.h"
#include "harness/conformance/check.h"

struct smtp_check_line {
    enum smtp_rule_side side;
    const char *program; /* "smtp-harness check server" */

    /* as given: of both */
    struct smtp_cli_texts only;
    bool list, strict, verbose, explain, tap, json, slow;
    const char *junit, *ca_file, *user, *password_file, *password_text;
    uint64_t timeout_s, quiet_ms, jobs;
    struct smtp_cli_words words;
    /* of a server */
    struct smtp_cli_texts recipients;
    const char *sender, *bad_recipient, *maildir;
    bool starttls, lmtp;
    unsigned role;
    uint64_t sink_port; /* 0: none */
    /* of a client */
    struct smtp_cli_texts temporary;

    /* what that comes to */
    struct smtp_check_options options;
    struct smtp_client_url url;
    char address[SMTP_ADDRESS_TEXT_SIZE];
    int temporary_statuses[SMTP_CLI_TEXTS_MAX];
    char *password;
    struct smtp_arrivals *arrivals;
};

/** Shows `reader` the usage of a side's verb, whose options write to *line, with its defaults. */
void smtp_check_line_use(struct smtp_check_line *line, enum smtp_rule_side side,
                         smtp_cli_reader *reader, void *user);
/** Fills in `options`. 0; else 2, and what is wrong is said. Clear in any case. */
int smtp_check_line_apply(struct smtp_check_line *line);
void smtp_check_line_clear(struct smtp_check_line *line);

#endif
