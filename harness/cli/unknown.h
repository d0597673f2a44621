/* unknown.h - what is said of a word that a verb does not know: the near one, and which other verb has it. */
#ifndef SMTP_HARNESS_CLI_UNKNOWN_H
#define SMTP_HARNESS_CLI_UNKNOWN_H

#include "harness/cli/options.h"

/** Of "--name" or "-x", whose first `len` octets are the option's (a value may stand behind them). */
void smtp_cli_unknown_option(const struct smtp_cli_usage *usage, const char *word, size_t len);
/** Of a word that is no option, where none (more) is taken. */
void smtp_cli_unknown_word(const struct smtp_cli_usage *usage, const char *word);
/** Of the first word and the second ("" for none); returns the exit status 2. */
int smtp_cli_unknown_verb(const char *word, const char *second);

#endif
