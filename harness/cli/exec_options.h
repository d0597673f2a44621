/* exec_options.h - what can be said to `exec` beside what every server's verb takes. Knows nothing of what it
 * does. */
#ifndef SMTP_HARNESS_CLI_EXEC_OPTIONS_H
#define SMTP_HARNESS_CLI_EXEC_OPTIONS_H

#include "harness/cli/server_options.h"

#define SMTP_EXEC_PROGRAM "smtp-harness exec"

struct smtp_exec_options {
    struct smtp_cli_words command;
    struct smtp_cli_texts expect;
    bool none;
    uint64_t wait_s, timeout_s; /* timeout 0: none */
    bool tap, json, verbose, explain;
    const char *report, *junit, *save; /* NULL: none */
    struct smtp_cli_server_options common;
};

/** Sets the defaults and shows `reader` the usage, whose options write to *options. */
void smtp_exec_options_use(struct smtp_exec_options *options, smtp_cli_reader *reader, void *user);
/** Whether all can mean something beside the others, and each expectation can be read. False: what is wrong is
 *  said. */
bool smtp_exec_options_check(const struct smtp_exec_options *options);

#endif
