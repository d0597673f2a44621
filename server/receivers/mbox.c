/* mbox.c - appends each message to an mbox file (RFC 4155), in the "mboxrd" form.
 * Knows: the line before a message, quoting, locking, and that a message which does not fit leaves
 * nothing. Does not know: line ends and trace fields (delivery.c), sessions. */
#include "common/clock.h"
#include "common/error.h"
#include "server/receivers/delivery.h"
#include "server/smtp_receivers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A program that reads the file holds its lock for moments; one that never lets go must not keep the
 * server from stopping, nor its threads, so all messages wait for it together, not each anew. The system
 * has no waiting for a lock that ends, so it is asked again, once at least: one of our own may have it. */
#define LOCK_MS 3000
#define LOCK_AGAIN_MS 10

struct mbox {
    atomic_uint_least64_t
        give_up_ns; /* relaxed: when the lock is waited for no more; 0: nobody waits */
    char path[];
};

/* ---- the file ---- */

/* When to give up, which whoever is the first to wait decides; what was decided long ago holds no more. */
static uint64_t give_up_at(struct mbox *mbox, uint64_t now_ns)
{
    uint64_t at_ns = atomic_load_explicit(&mbox->give_up_ns, memory_order_relaxed);
    if (at_ns != 0 && now_ns < smtp_deadline_after(at_ns, LOCK_MS)) {
        return at_ns;
    }
    uint64_t new_ns = smtp_deadline_after(now_ns, LOCK_MS);
    bool first = atomic_compare_exchange_strong_explicit(
        &mbox->give_up_ns, &at_ns, new_ns, memory_order_relaxed, memory_order_relaxed);
    return first || at_ns == 0 ? new_ns : at_ns;
}

static int lock_file(struct mbox *mbox, int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool again = false;
    while (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        int sys_errno = errno;
        bool is_held = sys_errno == EAGAIN || sys_errno == EACCES || sys_errno == EINTR;
        uint64_t now_ns = smtp_clock_now_ns();
        bool too_long = now_ns >= give_up_at(mbox, now_ns);
        if (!is_held || (again && too_long)) {
            errno = sys_errno;
            return -1;
        }
        (void)poll(NULL, 0, LOCK_AGAIN_MS);
        again = true;
    }
    atomic_store_explicit(&mbox->give_up_ns, 0, memory_order_relaxed);
    return 0;
}

/* Open, a regular file, and no link: in a folder where others write, that may lead anywhere. It does not
 * wait for the reader of a FIFO either. -1 with errno. */
static int open_file(const char *path)
{
    struct stat status;
    int fd =
        smtp_delivery_open(AT_FDCWD, path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))) {
        return fd;
    }
    close(fd);
    errno = EINVAL;
    return -1;
}

/* Locked, and still the file of that path: while the lock was waited for, its holder may have put another
 * one into its place. -1 with errno. */
static int open_locked(struct mbox *mbox)
{
    for (;;) {
        struct stat opened, named;
        int fd = open_file(mbox->path);
        if (fd < 0) {
            return -1;
        }
        if (lock_file(mbox, fd) != 0) {
            int sys_errno = errno;
            close(fd);
            errno = sys_errno;
            return -1;
        }
        if (fstat(fd, &opened) == 0 && stat(mbox->path, &named) == 0 &&
            opened.st_ino == named.st_ino && opened.st_dev == named.st_dev) {
            return fd;
        }
        close(fd);
    }
}

/* ---- the form ---- */

/* Up to two octets, which may come one by one. An errno; 0: they are there. */
static int read_end(int fd, char *to, size_t len, off_t at)
{
    while (len > 0) {
        ssize_t got = pread(fd, to, len, at);
        if (got <= 0 && (got == 0 || errno != EINTR)) {
            return got == 0 ? EIO : errno;
        }
        size_t read = got > 0 ? (size_t)got : 0;
        to += read;
        len -= read;
        at += (off_t)read;
    }
    return 0;
}

/* "From ann@example.com Wed Nov 25 17:00:00 2026", after an empty line where the file does not end with
 * one. No space in the address: readers look for the date behind the first. */
static void put_from_line(struct smtp_delivery *delivery, const struct smtp_message *message,
                          off_t size)
{
    char end[] = {'\n', '\n'}, date[64];
    size_t end_len = size < 2 ? (size_t)size : sizeof end;
    delivery->failure =
        read_end(delivery->fd, end + sizeof end - end_len, end_len, size - (off_t)end_len);
    size_t missing = end[1] != '\n' ? 2 : end[0] != '\n' ? 1 : 0;
    smtp_delivery_put(delivery, (struct smtp_span){"\n\n", missing});
    const time_t now = time(NULL);
    struct tm tm = {0};
    const char *path = smtp_message_reverse_path(message);
    smtp_delivery_put(delivery, SMTP_SPAN("From "));
    for (const char *at = *path != '\0' ? path : "MAILER-DAEMON"; *at != '\0'; at++) {
        bool safe = *at != ' ' && !smtp_is_control((unsigned char)*at);
        smtp_delivery_put(delivery, safe ? (struct smtp_span){at, 1} : SMTP_SPAN("?"));
    }
    smtp_delivery_put(delivery, SMTP_SPAN(" "));
    if (gmtime_r(&now, &tm) != NULL && asctime_r(&tm, date) != NULL) {
        smtp_delivery_put(delivery, smtp_span_of(date)); /* its LF comes with it */
    }
}

/* Line by line: one that could be taken for the line before a message gets a '>' more. */
static void put_quoted(struct smtp_delivery *delivery, struct smtp_span content)
{
    static const char from[] = "From ";
    while (content.len > 0) {
        const char *lf = memchr(content.bytes, '\n', content.len);
        size_t len = lf != NULL ? (size_t)(lf - content.bytes) + 1 : content.len;
        size_t quotes = 0;
        while (quotes < len && content.bytes[quotes] == '>') {
            quotes++;
        }
        if (len - quotes >= sizeof from - 1 &&
            memcmp(content.bytes + quotes, from, sizeof from - 1) == 0) {
            smtp_delivery_put(delivery, SMTP_SPAN(">"));
        }
        smtp_delivery_put_content(delivery, (struct smtp_span){content.bytes, len});
        content = (struct smtp_span){content.bytes + len, content.len - len};
    }
}

/* A file system over a network may keep octets until they are closed, and fail then: they are closed as another
 * descriptor, while the lock is held and they can still be taken back. An errno; 0: done. */
static int write_through(int fd)
{
    int other = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return other < 0 || (close(other) != 0 && errno != EINTR) ? errno : 0;
}

/* An errno; 0: it is in the file, and an empty line after it. Otherwise the file is as it was. */
static int append(int fd, const struct smtp_message *message, const char *by)
{
    struct stat before;
    struct smtp_delivery *delivery = calloc(1, sizeof *delivery);
    if (delivery == NULL || fstat(fd, &before) != 0) {
        int sys_errno = errno;
        free(delivery);
        return sys_errno;
    }
    struct smtp_span content;
    content.bytes = smtp_message_content(message, &content.len);
    delivery->fd = fd;
    delivery->binary = smtp_delivery_is_binary(message);
    put_from_line(delivery, message, before.st_size);
    smtp_delivery_put_trace(delivery, message, by, false);
    put_quoted(delivery, content);
    smtp_delivery_end_content(delivery);
    smtp_delivery_put(delivery, delivery->last == '\n' ? SMTP_SPAN("\n") : SMTP_SPAN("\n\n"));
    int failure = smtp_delivery_end(delivery) ? write_through(fd) : delivery->failure;
    if (failure != 0 && ftruncate(fd, before.st_size) != 0) {
        failure = errno; /* nothing more can be done: the reply is a refusal all the same */
    }
    free(delivery);
    return failure;
}

/* ---- the table ---- */

static enum smtp_server_verdict on_message(void *user,
                                           const struct smtp_server_session_info *session,
                                           struct smtp_message *message,
                                           struct smtp_server_reply *reply)
{
    int fd = open_locked(user);
    int failure = fd >= 0 ? append(fd, message, session->hostname) : errno;
    if (fd >= 0) {
        (void)close(fd); /* all was written through */
    }
    return failure == 0 ? SMTP_ACCEPT : smtp_delivery_refuse(failure, reply);
}

enum smtp_status smtp_receiver_mbox(struct smtp_server_hooks *out, const char *path,
                                    struct smtp_error *error)
{
    *out = (struct smtp_server_hooks){0};
    int fd = path != NULL ? open_file(path) : (errno = EINVAL, -1);
    if (fd < 0) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, errno,
                              "the mbox %.150s cannot be opened for writing: %s",
                              path != NULL ? path : "(NULL)",
                              errno == EINVAL ? "it is no regular file" : smtp_errno_text(errno));
    }
    close(fd);
    size_t path_size = strlen(path) + 1;
    struct mbox *mbox = malloc(sizeof *mbox + path_size);
    if (mbox == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    atomic_init(&mbox->give_up_ns, 0);
    memcpy(mbox->path, path, path_size);
    *out = (struct smtp_server_hooks){
        .user = mbox, .blocking = true, .message = on_message, .release = free};
    return SMTP_OK;
}
