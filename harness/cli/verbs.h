/* verbs.h - the verbs of smtp-harness, one file each. */
#ifndef SMTP_HARNESS_CLI_VERBS_H
#define SMTP_HARNESS_CLI_VERBS_H

#include "harness/cli/options.h"

/** What a verb returns to the shell. */
enum smtp_cli_exit {
    SMTP_EXIT_HELD = 0,     /* all held */
    SMTP_EXIT_NOT_HELD = 1, /* something did not hold */
    SMTP_EXIT_USAGE = 2,    /* a wrong command line, or it could not run */
};

struct smtp_cli_verb {
    const char *name;                  /* a word, or two: "check server" */
    const char *about;                 /* half a line */
    int (*run)(int argc, char **argv); /* argv[0] is the verb's own (last) word */
    void (*describe)(smtp_cli_reader *reader, void *user); /* shows its usage */
};

extern const struct smtp_cli_verb smtp_verb_selftest;
extern const struct smtp_cli_verb smtp_verb_serve;
extern const struct smtp_cli_verb smtp_verb_exec;
extern const struct smtp_cli_verb smtp_verb_send;
extern const struct smtp_cli_verb smtp_verb_play;
extern const struct smtp_cli_verb smtp_verb_check_server;
extern const struct smtp_cli_verb smtp_verb_check_client;
extern const struct smtp_cli_verb smtp_verb_load;
extern const struct smtp_cli_verb smtp_verb_simulate;
extern const struct smtp_cli_verb smtp_verb_manual;

#define SMTP_CLI_VERBS_MAX 16

/** All of them, in the order of the help; NULL ends them. Those that share a first word stand side by side. */
extern const struct smtp_cli_verb *const smtp_cli_verbs[];

#define SMTP_CLI_WORD_SIZE 16 /* of a verb's first word, with its NUL */

/** The name of a verb, word by word. */
struct smtp_cli_verb_words {
    char first[SMTP_CLI_WORD_SIZE];
    const char *second; /* "": it has one word */
    bool is_again;      /* the verb before begins with the same word */
};
struct smtp_cli_verb_words smtp_cli_verb_words(size_t i);
/** The second words of all verbs that begin with that one, each behind `between` but the first; "": there are none. */
void smtp_cli_second_words(const char *first, const char *between, char *text, size_t size);

#endif
