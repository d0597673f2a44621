/* serve_json.c - see serve_json.h. Knows how a line is written whole or not at all; what stands in it
 * is message_json.c's. */
#include "harness/cli/serve_json.h"

#include "common/error.h"
#include "harness/message.h"
#include "harness/report/message_json.h"
#include "server/receivers/delivery.h"

#include <errno.h>
#include <pthread.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct json_lines {
    FILE *file;
    bool with_content;
    pthread_mutex_t lock; /* of all below, and for writing */
    uint64_t count;
};

/** The message as an object of the caller's. NULL: out of memory. */
static json_t *object_of(const struct json_lines *lines, struct smtp_message *message,
                         uint64_t number)
{
    struct smtp_message *reference = smtp_message_retain(message);
    struct smtp_harness_message *view = smtp_harness_message_new(reference);
    if (view == NULL) {
        smtp_message_release(reference);
        return NULL;
    }
    json_t *object = smtp_report_message(view, number, lines->with_content);
    smtp_harness_message_free(view);
    return object;
}

/** With LMTP a table before this one may have refused the message for some (RFC 2033 4.2). */
static void mark_refused(json_t *object, const struct smtp_server_reply *replies)
{
    const json_t *recipients = json_object_get(object, "to");
    size_t i;
    json_t *recipient;
    json_array_foreach(recipients, i, recipient)
    {
        if (replies[i].code >= 400) {
            json_object_set_new(recipient, "refused", json_integer(replies[i].code));
        }
    }
}

/** Where a file ends before something is written to it; -1: it is no file. */
static off_t end_of_file(FILE *file)
{
    struct stat status;
    int fd = fileno(file);
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : -1;
}

/** Takes back what was written of a line. */
static void cut_back(FILE *file, off_t end)
{
    __fpurge(file);
    if (end >= 0 && ftruncate(fileno(file), end) == 0) {
        lseek(fileno(file), end, SEEK_SET);
    }
}

/** With the lock. 0, or the errno. */
static int write_line(FILE *file, const json_t *object)
{
    off_t end = end_of_file(file);
    errno = 0;
    clearerr(file);
    if (json_dumpf(object, file, JSON_COMPACT) == 0 && putc('\n', file) != EOF &&
        fflush(file) == 0) {
        return 0;
    }
    int failure = errno != 0 ? errno : EIO;
    cut_back(file, end);
    return failure;
}

static enum smtp_server_verdict on_message(void *user,
                                           const struct smtp_server_session_info *session,
                                           struct smtp_message *message,
                                           struct smtp_server_reply *reply)
{
    struct json_lines *lines = user;
    pthread_mutex_lock(&lines->lock);
    json_t *object = object_of(lines, message, lines->count + 1);
    if (session->lmtp) {
        mark_refused(object, reply);
    }
    int failure = object != NULL ? write_line(lines->file, object) : ENOMEM;
    lines->count += failure == 0;
    pthread_mutex_unlock(&lines->lock);
    json_decref(object);
    return failure == 0 ? SMTP_ACCEPT : smtp_delivery_refuse(failure, reply);
}

static void on_release(void *user)
{
    struct json_lines *lines = user;
    pthread_mutex_destroy(&lines->lock);
    free(lines);
}

enum smtp_status smtp_serve_json(struct smtp_server_hooks *out, FILE *file, bool with_content,
                                 struct smtp_error *error)
{
    struct json_lines *lines = calloc(1, sizeof *lines);
    if (lines == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    lines->file = file;
    lines->with_content = with_content;
    pthread_mutex_init(&lines->lock, NULL);
    *out = (struct smtp_server_hooks){
        .user = lines, .blocking = true, .message = on_message, .release = on_release};
    return SMTP_OK;
}
