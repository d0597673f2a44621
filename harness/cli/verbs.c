/* verbs.c - the one list of verbs, and the words of their names. */
#include "harness/cli/verbs.h"

#include <stdio.h>
#include <string.h>

const struct smtp_cli_verb *const smtp_cli_verbs[] = {
    &smtp_verb_selftest,
    &smtp_verb_serve,
    &smtp_verb_send,
    &smtp_verb_exec,
    &smtp_verb_play,
    &smtp_verb_check_server,
    &smtp_verb_check_client,
    &smtp_verb_load,
    &smtp_verb_simulate,
    &smtp_verb_manual,
    NULL,
};
_Static_assert(sizeof smtp_cli_verbs / sizeof *smtp_cli_verbs <= SMTP_CLI_VERBS_MAX, "all verbs");

struct smtp_cli_verb_words smtp_cli_verb_words(size_t i)
{
    const char *name = smtp_cli_verbs[i]->name;
    size_t len = strcspn(name, " ");
    struct smtp_cli_verb_words words = {.second = name + len + (name[len] == ' ')};
    snprintf(words.first, sizeof words.first, "%.*s", (int)len, name);
    const char *before = i > 0 ? smtp_cli_verbs[i - 1]->name : "";
    words.is_again = words.second[0] != '\0' && strncmp(before, name, len + 1) == 0;
    return words;
}

void smtp_cli_second_words(const char *first, const char *between, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        struct smtp_cli_verb_words words = smtp_cli_verb_words(i);
        if (words.second[0] != '\0' && strcmp(words.first, first) == 0) {
            size_t len = strlen(text);
            snprintf(text + len, size - len, "%s%s", len > 0 ? between : "", words.second);
        }
    }
}
