/* compose_source.c - see compose_source.h. Holds one block at a time. */
#include "harness/compose_source.h"

#include "common/bytes.h"
#include "common/error.h"
#include "common/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 65536
#define CHARACTER_MAX 4 /* octets of a character in UTF-8 */

/* ---- measuring ---- */

struct measure {
    struct smtp_harness_compose_facts facts;
    uint64_t line;
    bool after_cr;
    char kept[CHARACTER_MAX]; /* of a character that goes on in the next block */
    size_t kept_len;
};

static void measure_octet(struct measure *measure, unsigned char octet)
{
    struct smtp_harness_compose_facts *facts = &measure->facts;
    facts->high += octet > 127;
    facts->has_nul = facts->has_nul || octet == '\0';
    facts->has_bare_cr = facts->has_bare_cr || (measure->after_cr && octet != '\n');
    measure->after_cr = octet == '\r';
    measure->line = octet == '\n' ? 0 : measure->line + (octet != '\r');
    if (measure->line > facts->longest_line) {
        facts->longest_line = measure->line;
    }
}

/** text: what was kept of the block before, and this one. What may go on is kept. */
static void measure_utf8(struct measure *measure, struct smtp_span text, bool last)
{
    size_t at = 0;
    while (at < text.len && measure->facts.utf8) {
        size_t len = smtp_utf8_character((struct smtp_span){text.bytes + at, text.len - at});
        if (len == 0 && !last && text.len - at < CHARACTER_MAX) {
            break;
        }
        measure->facts.utf8 = len > 0;
        at += len;
    }
    measure->kept_len = measure->facts.utf8 ? text.len - at : 0;
    smtp_bytes_copy(measure->kept, (struct smtp_span){text.bytes + at, measure->kept_len});
}

/** From the beginning of the file, to which it returns. False: errno. */
static bool measure_file(int fd, struct smtp_harness_compose_facts *facts)
{
    struct measure measure = {.facts.utf8 = true};
    char block[CHARACTER_MAX + BLOCK];
    ssize_t len;
    do {
        smtp_bytes_copy(block, (struct smtp_span){measure.kept, measure.kept_len});
        len = read(fd, block + measure.kept_len, BLOCK);
        if (len < 0 && errno != EINTR) {
            return false;
        }
        for (ssize_t i = 0; i < len; i++) {
            measure_octet(&measure, (unsigned char)block[measure.kept_len + (size_t)i]);
        }
        measure.facts.octets += len > 0 ? (uint64_t)len : 0;
        if (len >= 0) {
            measure_utf8(&measure, (struct smtp_span){block, measure.kept_len + (size_t)len},
                         len == 0);
        }
    } while (len != 0);
    measure.facts.has_bare_cr = measure.facts.has_bare_cr || measure.after_cr;
    *facts = measure.facts;
    return lseek(fd, 0, SEEK_SET) == 0;
}

/* ---- setting aside ---- */

static enum smtp_status cannot_set_aside(struct smtp_error *error)
{
    int reason = errno;
    return smtp_error_set(error, SMTP_SYSTEM_FAILED, reason,
                          "the message cannot be set aside in a temporary file: %s",
                          smtp_errno_text(reason));
}

/** A file without a name. -1: errno. */
static int open_unnamed(void)
{
    FILE *file = tmpfile();
    int fd = file != NULL ? fcntl(fileno(file), F_DUPFD_CLOEXEC, 0) : -1;
    int reason = errno;
    if (file != NULL) {
        fclose(file);
    }
    errno = reason;
    return fd;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        size_t done = written > 0 ? (size_t)written : 0;
        bytes += done;
        len -= done;
    }
    return true;
}

static enum smtp_status cannot_read(const char *what, const char *path, struct smtp_error *error)
{
    int reason = errno;
    return smtp_error_set(error, SMTP_SOURCE_FAILED, reason, "%s: cannot read %s: %s", what,
                          strcmp(path, "-") == 0 ? "standard input" : path,
                          smtp_errno_text(reason));
}

/** All of `from`, to the end, into a file of its own. */
static enum smtp_status set_aside(int from, const char *what, const char *path, int *out,
                                  struct smtp_error *error)
{
    char block[BLOCK];
    ssize_t len;
    *out = open_unnamed();
    if (*out < 0) {
        return cannot_set_aside(error);
    }
    while ((len = read(from, block, sizeof block)) != 0) {
        if (len < 0 && errno != EINTR) {
            enum smtp_status status = cannot_read(what, path, error);
            close(*out);
            return status;
        }
        if (len > 0 && !write_all(*out, block, (size_t)len)) {
            enum smtp_status status = cannot_set_aside(error);
            close(*out);
            return status;
        }
    }
    lseek(*out, 0, SEEK_SET);
    return SMTP_OK;
}

/* ---- opening ---- */

/** *fd becomes something that can be read again. On failure it is closed. */
static enum smtp_status make_rereadable(const char *path, const char *what, int *fd,
                                        struct smtp_error *error)
{
    struct stat about = {.st_mode = 0};
    enum smtp_status status = SMTP_OK;
    if (fstat(*fd, &about) == 0 && S_ISREG(about.st_mode) && lseek(*fd, 0, SEEK_CUR) == 0) {
        return SMTP_OK;
    }
    int from = *fd;
    if (S_ISDIR(about.st_mode)) {
        errno = EISDIR;
        status = cannot_read(what, path, error);
    } else {
        status = set_aside(from, what, path, fd, error);
    }
    close(from);
    return status;
}

enum smtp_status smtp_harness_compose_open(const char *path, const char *what, int *fd,
                                           struct smtp_harness_compose_facts *facts,
                                           struct smtp_error *error)
{
    *fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                 : open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) {
        return cannot_read(what, path, error);
    }
    enum smtp_status status = make_rereadable(path, what, fd, error);
    if (status == SMTP_OK && !measure_file(*fd, facts)) {
        status = cannot_read(what, path, error);
        close(*fd);
    }
    return status;
}

enum smtp_status smtp_harness_compose_open_text(const char *text, int *fd,
                                                struct smtp_harness_compose_facts *facts,
                                                struct smtp_error *error)
{
    *fd = open_unnamed();
    if (*fd < 0) {
        return cannot_set_aside(error);
    }
    if (!write_all(*fd, text, strlen(text)) || lseek(*fd, 0, SEEK_SET) != 0 ||
        !measure_file(*fd, facts)) {
        enum smtp_status status = cannot_set_aside(error);
        close(*fd);
        return status;
    }
    return SMTP_OK;
}
