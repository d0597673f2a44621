/* help.c - see help.h. Knows how rows are laid out; what is in them is each verb's. */
#include "harness/cli/help.h"

#include <stdio.h>
#include <string.h>

#define HELP_COLUMN 29 /* where the explanations begin */

static void print_option(const struct smtp_cli_option *option)
{
    char left[64];
    char letter[] = {option->letter == 0 ? ' ' : '-', option->letter == 0 ? ' ' : option->letter,
                     option->letter == 0 ? ' ' : ',', '\0'};
    snprintf(left, sizeof left, "  %s --%s%s%s", letter, option->name,
             option->value_name != NULL ? " " : "",
             option->value_name != NULL ? option->value_name : "");
    const char *line = option->help;
    for (;;) {
        size_t len = strcspn(line, "\n");
        printf("%-*s  %.*s\n", HELP_COLUMN, left, (int)len, line);
        if (line[len] == '\0') {
            return;
        }
        line += len + 1;
        left[0] = '\0';
    }
}

static void print_all(const struct smtp_cli_usage *usage)
{
    for (size_t i = 0; i < usage->option_count; i++) {
        if (usage->options[i].kind == SMTP_CLI_HEADING) {
            printf("\n%s\n", usage->options[i].help);
        } else {
            print_option(&usage->options[i]);
        }
    }
}

static void print_named(const struct smtp_cli_usage *usage, const char *name, size_t len)
{
    for (size_t i = 0; i < usage->option_count; i++) {
        const struct smtp_cli_option *option = &usage->options[i];
        if (strlen(option->name) == len && memcmp(option->name, name, len) == 0) {
            print_option(option);
        }
    }
}

static void print_first(const struct smtp_cli_usage *usage)
{
    for (const char *at = usage->first; *at != '\0';) {
        size_t len = strcspn(at, " ");
        print_named(usage, at, len);
        at += len + (at[len] == ' ');
    }
    printf("%-*s  and every other option\n", HELP_COLUMN, "      --help all");
}

void smtp_cli_print_help(const struct smtp_cli_usage *usage, bool all)
{
    printf("%s\n\nUsage: %s [OPTION]...%s%s\n\n", usage->about, usage->program,
           usage->words != NULL ? " " : "", usage->words != NULL ? usage->words->name : "");
    if (all || usage->first == NULL) {
        printf("%-*s  this text\n", HELP_COLUMN, "  -h, --help");
        print_all(usage);
    } else {
        print_first(usage);
    }
    printf("\nExamples:\n");
    for (size_t i = 0; i < sizeof usage->examples / sizeof *usage->examples; i++) {
        printf("  %s\n", usage->examples[i]);
    }
}
