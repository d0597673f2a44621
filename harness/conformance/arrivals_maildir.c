/* arrivals_maildir.c - a thread that reads what comes into DIR/new of a Maildir. What stands there already is
 * not read: it is not of this suite. Knows nothing of messages but their line ends. */
#include "common/error.h"
#include "harness/conformance/arrivals.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#define MESSAGE_MAX ((size_t)256 << 20)

struct smtp_arrivals_watch {
    struct smtp_arrivals *arrivals;
    pthread_t thread;
    int changes; /* of inotify */
    int stop;    /* an eventfd */
    int new_directory;
};

/** All of a file, each line end as CRLF. */
static bool read_message(int fd, struct smtp_buffer *out)
{
    char octets[16384];
    char last = '\0';
    ssize_t len;
    while ((len = read(fd, octets, sizeof octets)) > 0 || (len < 0 && errno == EINTR)) {
        for (ssize_t i = 0, begin = 0; i < len; i++) {
            bool is_bare = octets[i] == '\n' && last != '\r';
            if ((is_bare &&
                 smtp_buffer_append(out, octets + begin, (size_t)(i - begin)) != SMTP_OK) ||
                (is_bare && smtp_buffer_append(out, "\r", 1) != SMTP_OK)) {
                return false;
            }
            begin = is_bare ? i : begin;
            last = octets[i];
            if (i + 1 == len &&
                smtp_buffer_append(out, octets + begin, (size_t)(len - begin)) != SMTP_OK) {
                return false;
            }
        }
    }
    return len == 0;
}

static void take_file(struct smtp_arrivals_watch *watch, const char *name)
{
    struct smtp_buffer message = SMTP_BUFFER(MESSAGE_MAX);
    /* O_NONBLOCK: a FIFO would wait for its writer, and whoever stops us with it */
    int fd = openat(watch->new_directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0 && read_message(fd, &message)) {
        const struct smtp_arrival arrival = {.content = smtp_buffer_span(&message)};
        smtp_arrivals_add(watch->arrivals, &arrival);
    }
    if (fd >= 0) {
        close(fd);
    }
    smtp_buffer_free(&message);
}

/** The names of one read. */
static void take_changes(struct smtp_arrivals_watch *watch)
{
    _Alignas(struct inotify_event) char octets[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
    ssize_t len = read(watch->changes, octets, sizeof octets);
    for (ssize_t at = 0; at < len;) {
        const struct inotify_event *event = (const void *)(octets + at);
        if (event->len > 0) {
            take_file(watch, event->name);
        }
        at += (ssize_t)(sizeof *event + event->len);
    }
}

static void *run(void *user)
{
    struct smtp_arrivals_watch *watch = user;
    struct pollfd items[] = {{.fd = watch->stop, .events = POLLIN},
                             {.fd = watch->changes, .events = POLLIN}};
    while (items[0].revents == 0) {
        if (poll(items, 2, -1) > 0 && (items[1].revents & POLLIN) != 0) {
            take_changes(watch);
        }
    }
    return NULL;
}

static void release(struct smtp_arrivals_watch *watch)
{
    const int fds[] = {watch->changes, watch->stop, watch->new_directory};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    free(watch);
}

/** False: errno says why not. */
static bool open_all(struct smtp_arrivals_watch *watch, const char *path)
{
    watch->new_directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    watch->stop = eventfd(0, EFD_CLOEXEC);
    watch->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return watch->new_directory >= 0 && watch->stop >= 0 && watch->changes >= 0 &&
           /* a file is moved there or, as the first Maildir did it, linked: whole in either case */
           inotify_add_watch(watch->changes, path, IN_MOVED_TO | IN_CREATE) >= 0;
}

struct smtp_arrivals_watch *smtp_arrivals_watch_maildir(struct smtp_arrivals *arrivals,
                                                        const char *directory,
                                                        struct smtp_error *error)
{
    struct smtp_arrivals_watch *watch = calloc(1, sizeof *watch);
    char *path = NULL;
    if (watch == NULL || asprintf(&path, "%s/new", directory) < 0) {
        free(watch);
        smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
        return NULL;
    }
    *watch = (struct smtp_arrivals_watch){
        .arrivals = arrivals, .changes = -1, .stop = -1, .new_directory = -1};
    bool opened = open_all(watch, path);
    if (!opened) {
        smtp_error_set(error, SMTP_SYSTEM_FAILED, errno, "cannot watch %s: %s; is %s a Maildir?",
                       path, smtp_errno_text(errno), directory);
    }
    free(path);
    int failed = opened ? pthread_create(&watch->thread, NULL, run, watch) : 0;
    if (failed != 0) {
        smtp_error_set(error, SMTP_SYSTEM_FAILED, failed, "cannot start a thread: %s",
                       smtp_errno_text(failed));
    }
    if (!opened || failed != 0) {
        release(watch);
        return NULL;
    }
    return watch;
}

void smtp_arrivals_stop_maildir(struct smtp_arrivals_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    eventfd_write(watch->stop, 1);
    pthread_join(watch->thread, NULL);
    release(watch);
}
