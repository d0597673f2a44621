/* exec_place.c - see exec_place.h. */
#include "harness/cli/exec_place.h"

#include "common/error.h"
#include "common/secret.h"
#include "harness/cli/options.h"
#include "harness/lines.h"
#include "harness/smtp_harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_DIRECTORY "/tmp"

extern char **environ;

static const char *const variables[] = {"SMTP_HOST", "SMTP_PORT",     "SMTP_URL",
                                        "SMTP_USER", "SMTP_PASSWORD", "SMTP_CA_FILE"};
#define VARIABLE_COUNT (sizeof variables / sizeof *variables)

/* ---- the authority ---- */

static bool write_text(int fd, const char *text)
{
    FILE *out = fdopen(fd, "w");
    if (out == NULL) {
        close(fd);
        return false;
    }
    bool written = fputs(text, out) >= 0;
    return fclose(out) == 0 && written;
}

static bool make_ca_file(struct smtp_exec_place *place, const char *program, const char *pem)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets the environment */
    const char *directory = getenv("TMPDIR");
    if (directory == NULL || directory[0] == '\0') {
        directory = DEFAULT_DIRECTORY;
    }
    char *path = NULL;
    if (asprintf(&path, "%s/smtp-harness-ca.XXXXXX", directory) < 0) {
        path = NULL;
    }
    int fd = path != NULL ? mkostemp(path, O_CLOEXEC) : -1;
    if (fd < 0) {
        smtp_cli_wrong(program, "cannot make a file in %s: %s", directory, smtp_errno_text(errno));
        free(path);
        return false;
    }
    place->ca_file = path; /* removed whatever comes */
    if (!write_text(fd, pem)) {
        smtp_cli_wrong(program, "cannot write %s: %s", path, smtp_errno_text(errno));
        return false;
    }
    return true;
}

/* ---- the arguments ---- */

struct mark {
    const char *mark, *value;
};
#define MARK_COUNT 4

static const struct mark *find_mark(const struct mark marks[MARK_COUNT], const char *text)
{
    for (size_t i = 0; i < MARK_COUNT; i++) {
        if (strncmp(text, marks[i].mark, strlen(marks[i].mark)) == 0) {
            return &marks[i];
        }
    }
    return NULL;
}

/** NULL: what is wrong is said. */
static char *replace(const char *program, const char *word, const struct mark marks[MARK_COUNT])
{
    struct smtp_harness_lines text = SMTP_HARNESS_LINES;
    while (*word != '\0') {
        const struct mark *mark = find_mark(marks, word);
        if (mark != NULL && mark->value == NULL) {
            smtp_cli_wrong(program, "there is nothing that %s could stand for", mark->mark);
            free(smtp_harness_lines_take(&text));
            return NULL;
        }
        const char *value = mark != NULL ? mark->value : word;
        smtp_harness_lines_add(&text, (struct smtp_span){value, mark ? strlen(value) : 1});
        word += mark != NULL ? strlen(mark->mark) : 1;
    }
    char *replaced = smtp_harness_lines_take(&text);
    if (replaced == NULL) {
        smtp_cli_wrong(program, "out of memory");
    }
    return replaced;
}

static bool make_argv(struct smtp_exec_place *place, const char *program,
                      const struct mark marks[MARK_COUNT], char *const *words, size_t count)
{
    place->argv = calloc(count + 1, sizeof *place->argv);
    if (place->argv == NULL) {
        smtp_cli_wrong(program, "out of memory");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        place->argv[i] = replace(program, words[i], marks);
        if (place->argv[i] == NULL) {
            return false;
        }
    }
    return true;
}

/* ---- the environment ---- */

static bool is_ours(const char *entry)
{
    for (size_t i = 0; i < VARIABLE_COUNT; i++) {
        size_t len = strlen(variables[i]);
        if (strncmp(entry, variables[i], len) == 0 && entry[len] == '=') {
            return true;
        }
    }
    return false;
}

/** values: in the order of the variables; NULL: not there. */
static bool make_environment(struct smtp_exec_place *place,
                             const char *const values[VARIABLE_COUNT])
{
    size_t count = 0, kept = 0;
    while (environ[count] != NULL) {
        count++;
    }
    place->environment = calloc(count + VARIABLE_COUNT + 1, sizeof *place->environment);
    if (place->environment == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_ours(environ[i])) {
            place->environment[kept++] = environ[i];
        }
    }
    for (size_t i = 0; i < VARIABLE_COUNT; i++) {
        if (values[i] == NULL) {
            continue;
        }
        if (asprintf(&place->own[place->own_count], "%s=%s", variables[i], values[i]) < 0) {
            return false;
        }
        place->environment[kept++] = place->own[place->own_count++];
    }
    return true;
}

/* ---- all of it ---- */

bool smtp_exec_place_make(struct smtp_exec_place *place, const char *program,
                          struct smtp_harness *harness, const struct smtp_server_user *user,
                          char *const *words, size_t word_count)
{
    *place = (struct smtp_exec_place){.argv = NULL};
    const char *pem = smtp_harness_ca_pem(harness);
    if (pem != NULL && pem[0] != '\0' && !make_ca_file(place, program, pem)) {
        return false;
    }
    const char *host = smtp_harness_host(harness), *url = smtp_harness_url(harness);
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)smtp_harness_port(harness));
    const struct mark marks[MARK_COUNT] = {
        {"{host}", host}, {"{port}", port}, {"{url}", url}, {"{cafile}", place->ca_file}};
    const char *const values[VARIABLE_COUNT] = {host,
                                                port,
                                                url,
                                                user != NULL ? user->identity : NULL,
                                                user != NULL ? user->password : NULL,
                                                place->ca_file};
    if (!make_argv(place, program, marks, words, word_count)) {
        return false;
    }
    if (!make_environment(place, values)) {
        smtp_cli_wrong(program, "out of memory");
        return false;
    }
    return true;
}

void smtp_exec_place_clear(struct smtp_exec_place *place)
{
    if (place->ca_file != NULL) {
        unlink(place->ca_file);
        free(place->ca_file);
    }
    for (size_t i = 0; i < place->own_count; i++) {
        smtp_secret_wipe(place->own[i], strlen(place->own[i]));
        free(place->own[i]);
    }
    for (size_t i = 0; place->argv != NULL && place->argv[i] != NULL; i++) {
        free(place->argv[i]);
    }
    free(place->argv);
    free(place->environment);
    *place = (struct smtp_exec_place){.argv = NULL};
}
