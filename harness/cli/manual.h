/* manual.h - what is made of the verbs' own tables: the page of the manual, and completions. */
#ifndef SMTP_HARNESS_CLI_MANUAL_H
#define SMTP_HARNESS_CLI_MANUAL_H

#include <stdio.h>

/** smtp-harness.1, for man(1): roff with the man macros. */
void smtp_manual_write_page(FILE *out);
/** A completion for bash, as bash-completion loads it by the program's name. */
void smtp_manual_write_bash(FILE *out);
/** A completion for zsh: _smtp-harness, on its fpath. */
void smtp_manual_write_zsh(FILE *out);

#endif
