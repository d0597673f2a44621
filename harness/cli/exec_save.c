/* exec_save.c - see exec_save.h. Stops at the first file that cannot be written. */
#include "harness/cli/exec_save.h"

#include "common/error.h"
#include "harness/cli/whole_file.h"
#include "harness/harness.h"
#include "harness/record.h"
#include "harness/report/message_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct saving {
    const char *program, *directory;
};

static bool save(const struct saving *saving, const char *kind, uint64_t number, const char *ending,
                 struct smtp_span octets)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s-%" PRIu64 "%s", saving->directory, kind, number, ending) < 0) {
        fprintf(stderr, "%s: out of memory\n", saving->program);
        return false;
    }
    bool saved = smtp_cli_write_mail(saving->program, path, octets);
    free(path);
    return saved;
}

/** Takes the text over; NULL: there was no memory for it. */
static bool save_text(const struct saving *saving, const char *kind, uint64_t number,
                      const char *ending, char *text)
{
    if (text == NULL) {
        fprintf(stderr, "%s: out of memory\n", saving->program);
        return false;
    }
    bool saved = save(saving, kind, number, ending, smtp_span_of(text));
    free(text);
    return saved;
}

static bool save_message(const struct saving *saving, const struct smtp_harness_message *message)
{
    const struct smtp_message *envelope = smtp_harness_envelope(message);
    uint64_t number = smtp_message_number(envelope);
    struct smtp_span content;
    content.bytes = smtp_message_content(envelope, &content.len);
    json_t *object = smtp_report_message(message, number, false);
    char *text = object != NULL ? json_dumps(object, JSON_INDENT(2)) : NULL;
    json_decref(object);
    return save_text(saving, "message", number, ".json", text) &&
           save(saving, "message", number, ".eml", content);
}

static bool save_session(const struct saving *saving, struct smtp_harness *harness, uint64_t number)
{
    struct smtp_harness_transcript *copy =
        smtp_harness_transcript_copy(smtp_harness_transcripts(harness), number);
    if (copy == NULL) {
        return true; /* it said nothing */
    }
    char *text = smtp_harness_record_text(copy);
    smtp_harness_transcript_free(copy);
    return save_text(saving, "session", number, ".smtp", text);
}

/** Also where nothing came that would be written into it. */
static bool make_directory(const char *path)
{
    struct stat status;
    if (mkdir(path, 0777) == 0) {
        return true;
    }
    bool is_there = errno == EEXIST && stat(path, &status) == 0;
    return is_there && S_ISDIR(status.st_mode);
}

bool smtp_exec_save(const char *program, const char *directory, struct smtp_harness *harness)
{
    const struct saving saving = {program, directory};
    if (!make_directory(directory)) {
        fprintf(stderr, "%s: --save: cannot make the directory %s: %s\n", program, directory,
                smtp_errno_text(errno));
        return false;
    }
    const struct smtp_harness_message *message;
    for (size_t i = 0; (message = smtp_harness_message(harness, i)) != NULL; i++) {
        if (!save_message(&saving, message)) {
            return false;
        }
    }
    uint64_t last = smtp_harness_transcripts_last(smtp_harness_transcripts(harness));
    for (uint64_t number = 1; number <= last; number++) {
        if (!save_session(&saving, harness, number)) {
            return false;
        }
    }
    return true;
}
