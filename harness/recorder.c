/* recorder.c - see record.h: recordings in files, and the hook table that makes one a session.
 * Knows: sessions. Does not know: what a recording says (record.c). */
#include "common/error.h"
#include "harness/new_file.h"
#include "harness/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum smtp_status smtp_harness_record_write(const struct smtp_harness_transcript *transcript,
                                           const char *path, struct smtp_error *error)
{
    char *text = smtp_harness_record_text(transcript);
    if (text == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    int failure = smtp_replace_file(path, smtp_span_of(text), S_IRUSR | S_IWUSR);
    free(text);
    return failure == 0 ? SMTP_OK
                        : smtp_error_set(error, SMTP_SYSTEM_FAILED, failure,
                                         "cannot write the recording %s: %s", path,
                                         smtp_errno_text(failure));
}

/* ---- the hook table ---- */

struct recorder {
    void (*complain)(const char *message);
    char directory[];
};

static void on_log(void *user, const struct smtp_server_session_info *session,
                   const struct smtp_server_log_entry *entry)
{
    (void)user;
    if (*session->user == NULL) {
        *session->user = smtp_harness_transcript_new();
    }
    if (*session->user != NULL) {
        smtp_harness_transcript_add(*session->user, entry);
    }
}

static void on_close(void *user, const struct smtp_server_session_info *session)
{
    const struct recorder *recorder = user;
    struct smtp_harness_transcript *transcript = *session->user;
    struct smtp_error error = {0};
    char *path = NULL;
    *session->user = NULL;
    bool named = asprintf(&path, "%s/session-%llu.smtp", recorder->directory,
                          (unsigned long long)session->number) >= 0;
    if (transcript == NULL || !named) {
        recorder->complain("a session is not recorded: out of memory");
    } else if (smtp_harness_record_write(transcript, path, &error) != SMTP_OK) {
        recorder->complain(error.message);
    }
    if (named) {
        free(path);
    }
    smtp_harness_transcript_free(transcript);
}

enum smtp_status smtp_harness_recorder(struct smtp_server_hooks *table, const char *directory,
                                       void (*complain)(const char *message),
                                       struct smtp_error *error)
{
    struct stat status;
    int failure = mkdir(directory, 0777) != 0 ? errno : 0;
    if (failure == EEXIST) {
        bool is_directory = stat(directory, &status) == 0 && S_ISDIR(status.st_mode);
        failure = !is_directory ? ENOTDIR : access(directory, W_OK | X_OK) != 0 ? errno : 0;
    }
    if (failure != 0) {
        return smtp_error_set(error, SMTP_SYSTEM_FAILED, failure, "cannot record in %s: %s",
                              directory, smtp_errno_text(failure));
    }
    struct recorder *recorder = malloc(sizeof *recorder + strlen(directory) + 1);
    if (recorder == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    recorder->complain = complain;
    memcpy(recorder->directory, directory, strlen(directory) + 1);
    /* Blocking: a file is written when a session closes, and others shall not wait for the disk. */
    *table = (struct smtp_server_hooks){
        .user = recorder, .blocking = true, .close = on_close, .release = free, .log = on_log};
    return SMTP_OK;
}
