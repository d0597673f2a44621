/* main.c - the program smtp-harness: finds the verb and hands over to it. Knows no verb's options.
 */
#include "harness/cli/unknown.h"
#include "harness/cli/verbs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_verb(const struct smtp_cli_verb *verb)
{
    printf("  %-12s  %s\n", verb->name, verb->about);
}

static void print_help(void)
{
    printf("Both ends of SMTP in one process: a server that captures, clients that send.\n\n"
           "Usage: smtp-harness [VERB] [OPTION]...\n"
           "Without a verb it is selftest.\n\n");
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        print_verb(smtp_cli_verbs[i]);
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

/** How many words from argv[1] on are the name of verb i; 0: they are another's. */
static int words_of(size_t i, int argc, char **argv)
{
    struct smtp_cli_verb_words words = smtp_cli_verb_words(i);
    if (strcmp(argv[1], words.first) != 0) {
        return 0;
    }
    bool has_one = words.second[0] == '\0';
    return has_one ? 1 : argc > 2 && strcmp(argv[2], words.second) == 0 ? 2 : 0;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/** Of a first word that several verbs share, "check". False: there is no such word. */
static bool print_help_of(const char *first)
{
    char seconds[80];
    smtp_cli_second_words(first, "|", seconds, sizeof seconds);
    if (seconds[0] == '\0') {
        return false;
    }
    printf("Usage: smtp-harness %s %s [OPTION]...\n\n", first, seconds);
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        if (strcmp(smtp_cli_verb_words(i).first, first) == 0) {
            print_verb(smtp_cli_verbs[i]);
        }
    }
    printf("\nEach has its own --help.\n");
    return true;
}

int main(int argc, char **argv)
{
    hold_streams();
    if (argc < 2) {
        return smtp_verb_selftest.run(argc, argv);
    }
    if (is_help(argv[1])) {
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
        int words = words_of(i, argc, argv);
        if (words > 0) {
            return smtp_cli_verbs[i]->run(argc - words, argv + words);
        }
    }
    if (argc > 2 && is_help(argv[2]) && print_help_of(argv[1])) {
        return SMTP_EXIT_HELD;
    }
    return smtp_cli_unknown_verb(argv[1], argc > 2 ? argv[2] : "");
}
