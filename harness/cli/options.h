/* options.h - the command line of every verb, read by one parser from one table a verb: what can be
 * given, what it means, where it goes. Knows nothing of what the verbs do. */
#ifndef SMTP_HARNESS_CLI_OPTIONS_H
#define SMTP_HARNESS_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum smtp_cli_kind {
    SMTP_CLI_FLAG,
    SMTP_CLI_TEXT,
    SMTP_CLI_TEXTS,
    SMTP_CLI_NUMBER,
    SMTP_CLI_CHOICE,
    SMTP_CLI_HEADING, /* nothing that can be given: it parts the help */
};

/* As many as a person gives; a bound, so that nothing is allocated. */
#define SMTP_CLI_TEXTS_MAX 64

/** The values of an option that may be given more than once. */
struct smtp_cli_texts {
    const char *items[SMTP_CLI_TEXTS_MAX];
    size_t count;
};

/** One row: "--name VALUE" or "-letter VALUE". Made by the functions below. */
struct smtp_cli_option {
    enum smtp_cli_kind kind;
    char letter; /* 0: none */
    const char *name;
    const char *value_name; /* as the help shows it; NULL for a flag */
    const char *help;       /* one line, or two parted by '\n' */
    void *target;
    uint64_t min, max;          /* of a number */
    const char *const *choices; /* of a choice; NULL ends them */
};

/** A line of the help, above the options that belong together. */
struct smtp_cli_option smtp_cli_heading(const char *text);
/** "-v" or "--verbose"; letter 0: none. */
struct smtp_cli_option smtp_cli_flag(char letter, const char *name, bool *target, const char *help);
/** The text is borrowed from argv. */
struct smtp_cli_option smtp_cli_text(const char *name, const char *value_name, const char **target,
                                     const char *help);
/** The same, and may be given again. */
struct smtp_cli_option smtp_cli_texts(const char *name, const char *value_name,
                                      struct smtp_cli_texts *target, const char *help);
struct smtp_cli_option smtp_cli_number(const char *name, uint64_t *target, uint64_t min,
                                       uint64_t max, const char *help);
/** The target becomes the index of what was chosen. */
struct smtp_cli_option smtp_cli_choice(const char *name, const char *value_name, unsigned *target,
                                       const char *const *choices, const char *help);

/** The words of a command line that are no options. */
struct smtp_cli_words {
    const char *name; /* as the help shows them: "URL", "FILE...", "-- COMMAND [ARG]..." */
    size_t min, max;
    /** The first of them ends the options, and so does "--": what follows is another program's. */
    bool end_options;
    char **items; /* of argv, `count` of them, then what argv has there */
    size_t count;
};

/** A verb as its help shows it. */
struct smtp_cli_usage {
    const char *program;          /* "smtp-harness serve" */
    const char *about;            /* one sentence */
    struct smtp_cli_words *words; /* NULL: it takes none */
    /** The names of the options that most people want, parted by spaces: the short help has these, in this
     *  order. NULL: all. */
    const char *first;
    const char *
        lone_word; /* the option whose value a word probably is, where it takes none; may be NULL */
    const char *examples[3];
    const struct smtp_cli_option *options;
    size_t option_count;
};

enum smtp_cli_parsed {
    SMTP_CLI_RUN,   /* all was understood */
    SMTP_CLI_HELP,  /* --help (or --help all) was asked for and is printed: exit 0 */
    SMTP_CLI_WRONG, /* what was wrong is said on standard error: exit 2 */
};

/** The row that "--name" (of len octets) or "-x" speaks of; NULL: none. */
const struct smtp_cli_option *smtp_cli_find(const struct smtp_cli_usage *usage, const char *word,
                                            size_t len);

/** Reads argv[1..argc-1]: "--name VALUE", "--name=VALUE", "-l VALUE", "-lVALUE", and the words the verb takes, which are
 *  moved together in argv. */
enum smtp_cli_parsed smtp_cli_parse(const struct smtp_cli_usage *usage, int argc, char **argv);

/** Is shown a verb's usage: to read a command line by it, to write a page of the manual. */
typedef void smtp_cli_reader(const struct smtp_cli_usage *usage, void *user);

/** A command line, for the reader smtp_cli_parse_line. */
struct smtp_cli_line {
    int argc;
    char **argv;
    enum smtp_cli_parsed parsed;
};
void smtp_cli_parse_line(const struct smtp_cli_usage *usage, void *line);

/** Complains of the command line on standard error in the one form all verbs use, and returns the exit status 2. */
int smtp_cli_wrong(const char *program, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** The same where the line is right and something else is not: it points to no --help. */
int smtp_cli_failed(const char *program, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
