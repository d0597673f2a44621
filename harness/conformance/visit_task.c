/* visit_task.c - see visit_task.h. */
#include "harness/conformance/visit_task.h"

#include "common/error.h"
#include "harness/command/words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HOST "127.0.0.1"
#define TO_MARK "{to}"

static const char *const default_to[] = {"bob@example.com", NULL};

static const char *const *recipients(const struct smtp_task *task)
{
    return task->to != NULL ? task->to : default_to;
}

static size_t recipient_count(const struct smtp_task *task)
{
    size_t count = 0;
    while (recipients(task)[count] != NULL) {
        count++;
    }
    return count;
}

static size_t message_count(const struct smtp_task *task)
{
    return task->message_count > 1 ? task->message_count : 1;
}

/* ---- files ---- */

static struct smtp_span content_of(struct smtp_check *check, const struct smtp_task *task, size_t i)
{
    if (task->content.len > 0) {
        return task->content;
    }
    return smtp_span_of(smtp_check_text(
        check,
        "From: Ann <ann@example.com>\r\nTo: Bob <bob@example.com>\r\nSubject: %s %zu\r\n"
        "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <%s.%zu@check.example>\r\n\r\n"
        "A message of the suite.\r\n",
        check->token, i + 1, check->token, i + 1));
}

static bool add_file(struct smtp_visit_told *told, const char *name, struct smtp_span content)
{
    bool made =
        smtp_command_make_file(told->directory, name, content, &told->paths[told->path_count]);
    told->path_count += told->paths[told->path_count] != NULL;
    return made;
}

static bool make_files(struct smtp_visit_told *told, struct smtp_check *check,
                       const struct smtp_task *task, const char *ca_pem)
{
    size_t count = message_count(task);
    char *directory = NULL;
    told->paths = calloc(count + 2, sizeof *told->paths);
    if (told->paths == NULL || asprintf(&directory, "%s/smtp-harness-check.XXXXXX",
                                        smtp_command_temporary_directory()) < 0) {
        smtp_check_skip(check, "out of memory");
        return false;
    }
    if (mkdtemp(directory) == NULL) {
        smtp_check_skip(check, "cannot make a directory in %s: %s",
                        smtp_command_temporary_directory(), smtp_errno_text(errno));
        free(directory);
        return false;
    }
    told->directory = directory;
    bool made = add_file(told, "ca", smtp_span_of(ca_pem));
    for (size_t i = 0; made && i < count; i++) {
        made = add_file(told, "message", content_of(check, task, i));
    }
    if (!made) {
        smtp_check_skip(check, "cannot write in %s: %s", directory, smtp_errno_text(errno));
    }
    return made;
}

/** The texts, which NULL ends, with that between each two. */
static const char *joined(struct smtp_check *check, const char *const *texts, const char *between)
{
    const char *all = *texts != NULL ? *texts++ : "";
    while (*texts != NULL) {
        all = smtp_check_text(check, "%s%s%s", all, between, *texts++);
    }
    return all;
}

/* ---- words ---- */

static const char *url_of(struct smtp_check *check, const struct smtp_task *task, const char *port)
{
    const char *scheme = task->lmtp                            ? "lmtp"
                         : task->tls == SMTP_TASK_IMPLICIT_TLS ? "smtps"
                                                               : "smtp";
    return smtp_check_text(check, "%s://" HOST ":%s", scheme, port);
}

static bool make_argv(struct smtp_visit_told *told, struct smtp_check *check,
                      const struct smtp_task *task, const struct smtp_command_mark *marks,
                      size_t mark_count)
{
    char *const *words = check->options->command;
    const char *const *to = recipients(task);
    size_t count = 0, made = 0, to_count = recipient_count(task);
    while (words != NULL && words[count] != NULL) {
        count++;
    }
    if (count == 0) {
        smtp_check_skip(check, "there is no command to run");
        return false;
    }
    told->argv = calloc(count * (to_count + 1) + 1, sizeof *told->argv);
    for (size_t i = 0; told->argv != NULL && i < count; i++) {
        bool is_to = strcmp(words[i], TO_MARK) == 0;
        for (size_t n = 0; n < (is_to ? to_count : 1); n++) {
            const char *missing; /* every mark stands for something */
            told->argv[made] =
                is_to ? strdup(to[n]) : smtp_command_replace(words[i], marks, mark_count, &missing);
            if (told->argv[made++] == NULL) {
                smtp_check_skip(check, "out of memory");
                return false;
            }
        }
    }
    if (told->argv == NULL) {
        smtp_check_skip(check, "out of memory");
    }
    return told->argv != NULL;
}

static const char *or_default(const char *text, const char *other)
{
    return text != NULL ? text : other;
}

static bool make_environment(struct smtp_visit_told *told, struct smtp_check *check,
                             const struct smtp_task *task, const struct smtp_command_mark *marks)
{
    static const char *const tls[] = {"never", "required", NULL};
    const char *const *messages = (const char *const *)told->paths + 1;
    const struct smtp_command_variable variables[] = {
        {"SMTP_HOST", marks[0].value},
        {"SMTP_PORT", marks[1].value},
        {"SMTP_URL", marks[2].value},
        {"SMTP_CA_FILE", marks[3].value},
        {"SMTP_USER", task->login ? or_default(task->user, "check-user") : NULL},
        {"SMTP_PASSWORD", task->login ? or_default(task->password, "check-password") : NULL},
        {"SMTP_TLS", tls[task->tls]},
        {"SMTP_FROM", marks[4].value},
        {"SMTP_TO", joined(check, recipients(task), "\n")},
        {"SMTP_MESSAGE", messages[0]},
        {"SMTP_MESSAGES", task->message_count > 1 ? joined(check, messages, "\n") : NULL},
        {"SMTP_HELO", task->helo},
        {"SMTP_MECHANISM", task->mechanism},
        {"SMTP_ENVID", task->envid},
        {"SMTP_RET", task->ret},
        {"SMTP_NOTIFY", task->notify},
        {"SMTP_ORCPT", task->orcpt},
        {"SMTP_REQUIRETLS", task->requiretls ? "1" : NULL},
    };
    told->environment = smtp_command_environment(variables, sizeof variables / sizeof *variables);
    if (told->environment == NULL) {
        smtp_check_skip(check, "out of memory");
    }
    return told->environment != NULL;
}

bool smtp_visit_tell(struct smtp_visit_told *told, struct smtp_check *check,
                     const struct smtp_task *task, const struct smtp_visit_place *place)
{
    *told = (struct smtp_visit_told){.directory = NULL};
    if (!make_files(told, check, task, place->ca_pem)) {
        return false;
    }
    const char *port = smtp_check_text(check, "%u", (unsigned)place->port);
    const struct smtp_command_mark marks[] = {
        {"{host}", HOST},
        {"{port}", port},
        {"{url}", url_of(check, task, port)},
        {"{cafile}", told->paths[0]},
        {"{from}", or_default(task->from, "ann@example.com")},
        {"{message}", told->paths[1]},
        {TO_MARK, joined(check, recipients(task), ",")},
    };
    return make_argv(told, check, task, marks, sizeof marks / sizeof *marks) &&
           make_environment(told, check, task, marks);
}

void smtp_visit_told_clear(struct smtp_visit_told *told)
{
    for (size_t i = 0; i < told->path_count; i++) {
        unlink(told->paths[i]);
    }
    smtp_command_free_words(told->paths);
    smtp_command_free_words(told->argv);
    smtp_command_free_words(told->environment);
    if (told->directory != NULL) {
        rmdir(told->directory);
    }
    free(told->directory);
    *told = (struct smtp_visit_told){.directory = NULL};
}
