/* manual.c - the verb `manual`: tells the manual's page and the completions on standard output, for who
 * installs them. */
#include "harness/cli/manual.h"

#include "harness/cli/verbs.h"

#include <string.h>

#define PROGRAM "smtp-harness manual"

static const struct {
    const char *word;
    void (*write)(FILE *out);
} forms[] = {
    {"man", smtp_manual_write_page},
    {"bash", smtp_manual_write_bash},
    {"zsh", smtp_manual_write_zsh},
};

static void use(struct smtp_cli_words *words, smtp_cli_reader *reader, void *user)
{
    const struct smtp_cli_usage usage = {
        .program = PROGRAM,
        .about = "The page of the manual, and completions for bash and zsh, on standard output.",
        .words = words,
        .examples = {PROGRAM " man | man -l -", "source <(" PROGRAM " bash)",
                     PROGRAM " zsh > ~/.zfunc/_smtp-harness"},
    };
    reader(&usage, user);
}

#define WORDS                                                                                      \
    {                                                                                              \
        .name = "man|bash|zsh", .min = 1, .max = 1                                                 \
    }

static void describe(smtp_cli_reader *reader, void *user)
{
    struct smtp_cli_words words = WORDS;
    use(&words, reader, user);
}

static int run_verb(int argc, char **argv)
{
    struct smtp_cli_words words = WORDS;
    struct smtp_cli_line line = {argc, argv, SMTP_CLI_RUN};
    use(&words, smtp_cli_parse_line, &line);
    if (line.parsed != SMTP_CLI_RUN) {
        return line.parsed == SMTP_CLI_HELP ? SMTP_EXIT_HELD : SMTP_EXIT_USAGE;
    }
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (strcmp(words.items[0], forms[i].word) == 0) {
            forms[i].write(stdout);
            return fflush(stdout) == 0 ? SMTP_EXIT_HELD : SMTP_EXIT_USAGE;
        }
    }
    return smtp_cli_wrong(PROGRAM, "it writes man, bash or zsh, not '%s'", words.items[0]);
}

const struct smtp_cli_verb smtp_verb_manual = {
    .name = "manual",
    .about = "the manual's page, and completions for bash and zsh",
    .run = run_verb,
    .describe = describe,
};
