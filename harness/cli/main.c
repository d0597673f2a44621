/* main.c - the program smtp-harness: finds the verb and hands over to it. Knows no verb's options.
 */
#include "harness/cli/unknown.h"
#include "harness/cli/verbs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_help(void)
{
    printf("Both ends of SMTP in one process: a server that captures, clients that send.\n\n"
           "Usage: smtp-harness [VERB] [OPTION]...\n\n"
           "Without a verb it is selftest.\n\n");
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        printf("  %-12s  %s\n", smtp_cli_verbs[i]->name, smtp_cli_verbs[i]->about);
    }
    printf("  %-12s  this text; after a verb, the verb's own\n", "--help");
    printf("  %-12s  the version\n\n", "--version");
    printf("Exit status: 0 all held, 1 something did not, 2 wrong usage or could not run.\n\n"
           "Examples:\n"
           "  smtp-harness\n"
           "  smtp-harness selftest --only plain-text -v\n"
           "  smtp-harness serve --listen 127.0.0.1:2525 --print\n");
}

/** A standard stream that is closed would be the next socket or file that is opened. What is written to one
 *  fails then, as it did. */
static void hold_streams(void)
{
    while (fcntl(STDERR_FILENO, F_GETFD) < 0 || fcntl(STDOUT_FILENO, F_GETFD) < 0 ||
           fcntl(STDIN_FILENO, F_GETFD) < 0) {
        if (open("/dev/null", O_RDONLY) < 0) {
            return;
        }
    }
}

/** How many words from argv[1] on are the verb's name; 0: it is another. */
static int words_of(const char *name, int argc, char **argv)
{
    size_t first = strcspn(name, " ");
    bool has_two = name[first] != '\0';
    if (strncmp(argv[1], name, first) != 0 || argv[1][first] != '\0') {
        return 0;
    }
    return !has_two ? 1 : argc > 2 && strcmp(argv[2], name + first + 1) == 0 ? 2 : 0;
}

int main(int argc, char **argv)
{
    hold_streams();
    if (argc < 2) {
        return smtp_verb_selftest.run(argc, argv);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return SMTP_EXIT_HELD;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("smtp-harness %s\n", SMTP_VERSION);
        return SMTP_EXIT_HELD;
    }
    if (argv[1][0] == '-') {
        return smtp_verb_selftest.run(argc, argv);
    }
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        int words = words_of(smtp_cli_verbs[i]->name, argc, argv);
        if (words > 0) {
            return smtp_cli_verbs[i]->run(argc - words, argv + words);
        }
    }
    return smtp_cli_unknown_verb(argv[1]);
}
