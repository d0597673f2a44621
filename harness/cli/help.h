/* help.h - what a verb's --help prints: a screen of 80x24, or with `all` every option. */
#ifndef SMTP_HARNESS_CLI_HELP_H
#define SMTP_HARNESS_CLI_HELP_H

#include "harness/cli/options.h"

/** On standard output. */
void smtp_cli_print_help(const struct smtp_cli_usage *usage, bool all);

#endif
