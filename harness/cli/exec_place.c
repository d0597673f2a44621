/* exec_place.c - see exec_place.h. */
#include "harness/cli/exec_place.h"

#include "common/error.h"
#include "harness/cli/options.h"
#include "harness/command/words.h"
#include "harness/smtp_harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool make_ca_file(struct smtp_exec_place *place, const char *program, const char *pem)
{
    const char *directory = smtp_command_temporary_directory();
    if (smtp_command_make_file(directory, "smtp-harness-ca", smtp_span_of(pem), &place->ca_file)) {
        return true;
    }
    const char *why = smtp_errno_text(errno);
    if (place->ca_file == NULL) {
        smtp_cli_failed(program, "cannot make a file in %s: %s", directory, why);
    } else {
        smtp_cli_failed(program, "cannot write %s: %s", place->ca_file, why);
    }
    return false;
}

static bool make_argv(struct smtp_exec_place *place, const char *program,
                      const struct smtp_command_mark *marks, size_t mark_count, char *const *words,
                      size_t count)
{
    place->argv = calloc(count + 1, sizeof *place->argv);
    for (size_t i = 0; place->argv != NULL && i < count; i++) {
        const char *missing;
        place->argv[i] = smtp_command_replace(words[i], marks, mark_count, &missing);
        if (place->argv[i] != NULL) {
            continue;
        }
        if (missing != NULL) {
            smtp_cli_wrong(program, "there is nothing that %s could stand for", missing);
        } else {
            smtp_cli_failed(program, "out of memory");
        }
        return false;
    }
    if (place->argv == NULL) {
        smtp_cli_failed(program, "out of memory");
    }
    return place->argv != NULL;
}

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
    const struct smtp_command_mark marks[] = {
        {"{host}", host}, {"{port}", port}, {"{url}", url}, {"{cafile}", place->ca_file}};
    const struct smtp_command_variable variables[] = {
        {"SMTP_HOST", host},
        {"SMTP_PORT", port},
        {"SMTP_URL", url},
        {"SMTP_USER", user != NULL ? user->identity : NULL},
        {"SMTP_PASSWORD", user != NULL ? user->password : NULL},
        {"SMTP_CA_FILE", place->ca_file}};
    if (!make_argv(place, program, marks, sizeof marks / sizeof *marks, words, word_count)) {
        return false;
    }
    place->environment = smtp_command_environment(variables, sizeof variables / sizeof *variables);
    if (place->environment == NULL) {
        smtp_cli_failed(program, "out of memory");
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
    smtp_command_free_words(place->argv);
    smtp_command_free_words(place->environment); /* the password in it */
    *place = (struct smtp_exec_place){.argv = NULL};
}
