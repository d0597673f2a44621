/* words.h - how a command is told things: marks like {port} in its arguments, variables of its environment, and files
 * for us alone. Knows nothing of processes, and no SMTP. */
#ifndef SMTP_HARNESS_COMMAND_WORDS_H
#define SMTP_HARNESS_COMMAND_WORDS_H

#include "common/bytes.h"

struct smtp_command_mark {
    const char *mark, *value; /* value NULL: there is nothing that it could stand for */
};

/** The word with every mark replaced; owned. NULL: *missing is the mark without a value, or NULL where memory
 *  failed. */
char *smtp_command_replace(const char *word, const struct smtp_command_mark *marks, size_t count,
                           const char **missing) SMTP_MUST_CHECK;

struct smtp_command_variable {
    const char *name, *value; /* value NULL: it is not there, even where we have it ourselves */
};

/** Our environment with these in place of its own of those names; ended by NULL, owned. NULL: out of memory. */
char **smtp_command_environment(const struct smtp_command_variable *variables, size_t count)
    SMTP_MUST_CHECK;
/** Wipes and frees a list of texts that NULL ends; NULL: nothing. */
void smtp_command_free_words(char **words);

/** The directory for such files: TMPDIR, else /tmp. */
const char *smtp_command_temporary_directory(void);
/** Makes a file that only we may read, its name that one with something behind ("smtp-harness-ca"), in that directory.
 *  *path is owned, and not NULL where the file is there, even if it could not be written; the rest is in errno. */
bool smtp_command_make_file(const char *directory, const char *name, struct smtp_span content,
                            char **path) SMTP_MUST_CHECK;

#endif
