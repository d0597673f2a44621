/* maildir.c - delivers each message into a Maildir (D. J. Bernstein's form): a file of its own in
 * tmp, written as the content comes, then moved to new.
 * Knows: unique names, when a message is there for good, and that what fails leaves nothing. Does not
 * know: line ends and trace fields (delivery.c), sessions. */
#include "common/clock.h"
#include "common/error.h"
#include "server/receivers/delivery.h"
#include "server/smtp_receivers.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS_PER_S 1000000000
#define HOST_SIZE 128
#define NAME_SIZE (HOST_SIZE + 96)
#define TRIES 16 /* names that may be taken already: each is a wonder */

struct maildir {
    int tmp; /* descriptors of the directories: whatever becomes of their path, these are meant */
    int new;
    bool durable;
    uint32_t random;     /* two tables of one process, or of two with one number, differ in it */
    atomic_uint counter; /* relaxed: only a number that no other file of this table has */
    char host[HOST_SIZE];
    /* Messages that come at once share an fsync of the directory. */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* under lock, as all below */
    uint64_t moved;         /* files in new that were to be made durable */
    uint64_t synced;        /* how many of these have been tried */
    uint64_t unsynced;      /* the last of these that failed */
    int failure;            /* its errno */
    bool syncing;           /* somebody is at it */
};

/** A message on its way, one a session. */
struct letter {
    char name[NAME_SIZE];
    struct smtp_delivery delivery;
};

/* ---- a letter ---- */

static int make_file(struct maildir *maildir, char *name)
{
    for (int i = 0; i < TRIES; i++) {
        int64_t now_ns = smtp_clock_unix_ns();
        unsigned number = atomic_fetch_add_explicit(&maildir->counter, 1, memory_order_relaxed);
        snprintf(name, NAME_SIZE, "%" PRId64 ".M%06dP%ldR%08" PRIx32 "Q%u.%s", now_ns / NS_PER_S,
                 (int)(now_ns % NS_PER_S / 1000), (long)getpid(), maildir->random, number,
                 maildir->host);
        int fd = smtp_delivery_open(maildir->tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
    return -1;
}

static void close_file(struct letter *letter)
{
    if (letter->delivery.fd >= 0) {
        close(letter->delivery.fd);
        letter->delivery.fd = -1;
    }
}

/* Nothing of it is left; what failed is remembered. */
static void remove_letter(const struct maildir *maildir, struct letter *letter)
{
    if (letter->delivery.fd >= 0) {
        close_file(letter);
        unlinkat(maildir->tmp, letter->name, 0);
    }
}

/* NULL: out of memory. */
static struct letter *begin(struct maildir *maildir, const struct smtp_server_session_info *session,
                            const struct smtp_message *message)
{
    struct letter *letter = malloc(sizeof *letter);
    if (letter == NULL) {
        return NULL;
    }
    letter->delivery.fd = make_file(maildir, letter->name);
    letter->delivery.failure = letter->delivery.fd < 0 ? errno : 0;
    letter->delivery.binary = smtp_delivery_is_binary(message);
    letter->delivery.cr_waits = false;
    letter->delivery.last = '\0';
    letter->delivery.len = 0;
    smtp_delivery_put_trace(&letter->delivery, message, session->hostname, true);
    return letter;
}

static bool on_content(void *user, const struct smtp_server_session_info *session,
                       const struct smtp_message *message, const char *octets, size_t len)
{
    struct maildir *maildir = user;
    if (*session->user == NULL) {
        struct letter *made = begin(maildir, session, message);
        *session->user = made != NULL ? (void *)made : maildir; /* a mark: none could be made */
    }
    if (*session->user == maildir) {
        return false;
    }
    struct letter *letter = *session->user;
    smtp_delivery_put_content(&letter->delivery, (struct smtp_span){octets, len});
    if (letter->delivery.failure != 0) {
        remove_letter(maildir, letter); /* at once: it may be the disk that is full */
        return false;
    }
    return true;
}

static void on_drop(void *user, const struct smtp_server_session_info *session)
{
    struct maildir *maildir = user;
    if (*session->user != NULL && *session->user != maildir) {
        remove_letter(maildir, *session->user);
        free(*session->user);
    }
    *session->user = NULL;
}

/* ---- moving it to new ---- */

/* Every file that is in new by now is there after a crash, too. An errno; 0: done. */
static int sync_new(struct maildir *maildir)
{
    pthread_mutex_lock(&maildir->lock);
    uint64_t ticket = ++maildir->moved;
    while (maildir->synced < ticket) {
        if (maildir->syncing) {
            pthread_cond_wait(&maildir->changed, &maildir->lock);
            continue;
        }
        uint64_t last = maildir->moved;
        maildir->syncing = true;
        pthread_mutex_unlock(&maildir->lock);
        int failure = smtp_delivery_sync(maildir->new) != 0 ? errno : 0;
        pthread_mutex_lock(&maildir->lock);
        maildir->syncing = false;
        maildir->synced = last;
        if (failure != 0) {
            maildir->unsynced = last;
            maildir->failure = failure;
        }
        pthread_cond_broadcast(&maildir->changed);
    }
    int failure = ticket <= maildir->unsynced ? maildir->failure : 0;
    pthread_mutex_unlock(&maildir->lock);
    return failure;
}

/* An errno; 0: it is in new. */
static int deliver(struct maildir *maildir, struct letter *letter)
{
    if (!smtp_delivery_end(&letter->delivery)) {
        return letter->delivery.failure;
    }
    if (maildir->durable && smtp_delivery_sync(letter->delivery.fd) != 0) {
        return errno;
    }
    int fd = letter->delivery.fd; /* which file systems over a network may fail at, too */
    letter->delivery.fd = -1;
    int failure = close(fd) != 0 && errno != EINTR ? errno : 0;
    if (failure == 0 && renameat(maildir->tmp, letter->name, maildir->new, letter->name) != 0) {
        failure = errno;
    }
    if (failure != 0) {
        unlinkat(maildir->tmp, letter->name, 0);
        return failure;
    }
    if (maildir->durable) {
        failure = sync_new(maildir);
        if (failure != 0) {
            unlinkat(maildir->new, letter->name, 0);
        }
    }
    return failure;
}

static enum smtp_server_verdict on_message(void *user,
                                           const struct smtp_server_session_info *session,
                                           struct smtp_message *message,
                                           struct smtp_server_reply *reply)
{
    struct maildir *maildir = user;
    if (*session->user == NULL) { /* content of no octets */
        *session->user = begin(maildir, session, message);
    }
    int failure = ENOMEM;
    if (*session->user != NULL && *session->user != maildir) {
        failure = deliver(maildir, *session->user);
    }
    on_drop(user, session);
    return failure == 0 ? SMTP_ACCEPT : smtp_delivery_refuse(failure, reply);
}

/* ---- the table ---- */

static void on_release(void *user)
{
    struct maildir *maildir = user;
    close(maildir->tmp);
    close(maildir->new);
    pthread_cond_destroy(&maildir->changed);
    pthread_mutex_destroy(&maildir->lock);
    free(maildir);
}

/* The name of the machine, of which a file's name holds neither '/' nor ':' (written as octal, as the
 * form has it). */
static void name_host(char *host)
{
    char name[65] = "";
    if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') {
        memcpy(name, "localhost", sizeof "localhost");
    }
    size_t len = 0;
    for (const char *at = name; *at != '\0' && len + 4 < HOST_SIZE; at++) {
        if (*at == '/' || *at == ':') {
            memcpy(host + len, *at == '/' ? "\\057" : "\\072", 4);
            len += 4;
        } else {
            host[len++] = *at > ' ' && *at <= '~' ? *at : '_';
        }
    }
    host[len] = '\0';
}

/* A directory of it, made where it is not there; -1: not, with errno. A link is none. */
static int open_folder(int base, const char *name)
{
    if (mkdirat(base, name, S_IRWXU) != 0 && errno != EEXIST) {
        return -1;
    }
    int fd = smtp_delivery_open(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd >= 0 && faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        int sys_errno = errno;
        close(fd);
        errno = sys_errno;
        return -1;
    }
    return fd;
}

/* What was made is there after a crash, too: its folders, and itself in its own. An errno; 0: done. */
static int sync_folders(int base, bool made)
{
    int failure = smtp_delivery_sync(base) != 0 ? errno : 0;
    if (!made || failure != 0) {
        return failure;
    }
    int parent = smtp_delivery_open(base, "..", O_RDONLY | O_DIRECTORY);
    failure = parent < 0 || smtp_delivery_sync(parent) != 0 ? errno : 0;
    if (parent >= 0) {
        close(parent);
    }
    return failure;
}

static enum smtp_status open_folders(struct maildir *maildir, const char *path,
                                     struct smtp_error *error)
{
    static const char *const names[] = {"tmp", "new", "cur"};
    int folders[] = {-1, -1, -1}, base = -1;
    const char *failed = ".";
    bool made = mkdir(path, S_IRWXU) == 0;
    if (made || errno == EEXIST) {
        base = smtp_delivery_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
    }
    int sys_errno = base < 0 ? errno : 0;
    for (size_t i = 0; i < 3 && sys_errno == 0; i++) {
        failed = names[i];
        folders[i] = open_folder(base, names[i]);
        sys_errno = folders[i] < 0 ? errno : 0;
    }
    if (sys_errno == 0 && maildir->durable) {
        failed = ".";
        sys_errno = sync_folders(base, made);
    }
    for (size_t i = 0; i < 3; i++) {
        if (folders[i] >= 0 && (sys_errno != 0 || i == 2)) {
            close(folders[i]);
        }
    }
    if (base >= 0) {
        close(base);
    }
    if (sys_errno != 0) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, sys_errno,
                              "the Maildir %.80s cannot be made or written (%s): %s", path, failed,
                              smtp_errno_text(sys_errno));
    }
    maildir->tmp = folders[0];
    maildir->new = folders[1];
    return SMTP_OK;
}

enum smtp_status smtp_receiver_maildir(struct smtp_server_hooks *out,
                                       const struct smtp_maildir *options, struct smtp_error *error)
{
    *out = (struct smtp_server_hooks){0};
    if (options->path == NULL || *options->path == '\0') {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "the Maildir's path is empty");
    }
    struct maildir *maildir = calloc(1, sizeof *maildir);
    if (maildir == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    maildir->durable = options->durable;
    enum smtp_status status = open_folders(maildir, options->path, error);
    if (status != SMTP_OK) {
        free(maildir);
        return status;
    }
    if (getrandom(&maildir->random, sizeof maildir->random, 0) < 0) {
        maildir->random = (uint32_t)smtp_clock_now_ns();
    }
    atomic_init(&maildir->counter, 1);
    name_host(maildir->host);
    pthread_mutex_init(&maildir->lock, NULL);
    pthread_cond_init(&maildir->changed, NULL);
    *out = (struct smtp_server_hooks){.user = maildir,
                                      .blocking = options->durable,
                                      .streaming = true,
                                      .content = on_content,
                                      .drop = on_drop,
                                      .message = on_message,
                                      .close = on_drop,
                                      .release = on_release};
    return SMTP_OK;
}
