/* words.c - see words.h. */
#include "harness/command/words.h"

#include "common/secret.h"
#include "harness/lines.h"
#include "harness/new_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_DIRECTORY "/tmp"

extern char **environ;

/* ---- arguments ---- */

static const struct smtp_command_mark *find_mark(const struct smtp_command_mark *marks,
                                                 size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strncmp(text, marks[i].mark, strlen(marks[i].mark)) == 0) {
            return &marks[i];
        }
    }
    return NULL;
}

char *smtp_command_replace(const char *word, const struct smtp_command_mark *marks, size_t count,
                           const char **missing)
{
    struct smtp_harness_lines text = SMTP_HARNESS_LINES;
    *missing = NULL;
    while (*word != '\0') {
        const struct smtp_command_mark *mark = find_mark(marks, count, word);
        if (mark != NULL && mark->value == NULL) {
            *missing = mark->mark;
            free(smtp_harness_lines_take(&text));
            return NULL;
        }
        const char *value = mark != NULL ? mark->value : word;
        smtp_harness_lines_add(&text, (struct smtp_span){value, mark ? strlen(value) : 1});
        word += mark != NULL ? strlen(mark->mark) : 1;
    }
    return smtp_harness_lines_take(&text);
}

/* ---- the environment ---- */

static bool is_among(const char *entry, const struct smtp_command_variable *variables, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(variables[i].name);
        if (strncmp(entry, variables[i].name, len) == 0 && entry[len] == '=') {
            return true;
        }
    }
    return false;
}

static bool fill(char **words, const struct smtp_command_variable *variables, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; environ[i] != NULL; i++) {
        if (is_among(environ[i], variables, count)) {
            continue;
        }
        words[kept] = strdup(environ[i]);
        if (words[kept++] == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct smtp_command_variable *variable = &variables[i];
        if (variable->value == NULL) {
            continue;
        }
        if (asprintf(&words[kept], "%s=%s", variable->name, variable->value) < 0) {
            words[kept] = NULL;
            return false;
        }
        kept++;
    }
    return true;
}

char **smtp_command_environment(const struct smtp_command_variable *variables, size_t count)
{
    size_t own = 0;
    while (environ[own] != NULL) {
        own++;
    }
    char **words = calloc(own + count + 1, sizeof *words);
    if (words != NULL && !fill(words, variables, count)) {
        smtp_command_free_words(words);
        return NULL;
    }
    return words;
}

void smtp_command_free_words(char **words)
{
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        smtp_secret_free(words[i]);
    }
    free(words);
}

/* ---- files ---- */

const char *smtp_command_temporary_directory(void)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets the environment */
    const char *directory = getenv("TMPDIR");
    return directory != NULL && directory[0] != '\0' ? directory : DEFAULT_DIRECTORY;
}

bool smtp_command_make_file(const char *directory, const char *name, struct smtp_span content,
                            char **path)
{
    char *beside = NULL;
    *path = NULL;
    if (asprintf(&beside, "%s/%s", directory, name) < 0) {
        errno = ENOMEM;
        return false;
    }
    int fd = smtp_new_file(beside, path);
    int failure = fd < 0 ? errno : smtp_fill_file(fd, content);
    free(beside);
    errno = failure;
    return failure == 0;
}
