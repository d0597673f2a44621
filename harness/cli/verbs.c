/* verbs.c - the one list of verbs. */
#include "harness/cli/verbs.h"

#include <stddef.h>

const struct smtp_cli_verb *const smtp_cli_verbs[] = {
    &smtp_verb_selftest,     &smtp_verb_serve,  &smtp_verb_send,
    &smtp_verb_exec,         &smtp_verb_play,   &smtp_verb_check_server,
    &smtp_verb_check_client, &smtp_verb_manual, NULL,
};
_Static_assert(sizeof smtp_cli_verbs / sizeof *smtp_cli_verbs <= SMTP_CLI_VERBS_MAX, "all verbs");
