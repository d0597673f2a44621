/* whole_file.c - see whole_file.h. Knows files, not what is in them. */
#include "harness/cli/whole_file.h"

#include "common/error.h"
#include "harness/cli/options.h"
#include "harness/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_MAX ((size_t)1 << 20) /* far more than a few certificates */

#define FOR_ALL 0644
#define FOR_ITS_OWNER 0600

/** Of several failures the first is told. */
static bool write_octets(int fd, struct smtp_span octets, mode_t mode)
{
    FILE *out = fdopen(fd, "w");
    if (out == NULL) {
        close(fd);
        return false;
    }
    bool written = fchmod(fd, mode) == 0 &&
                   fwrite(octets.bytes, 1, octets.len, out) == octets.len && fflush(out) == 0;
    int failure = errno;
    bool closed = fclose(out) == 0;
    errno = written ? errno : failure;
    return closed && written;
}

static bool complain(const char *program, const char *path)
{
    fprintf(stderr, "%s: cannot write %s: %s\n", program, path, smtp_errno_text(errno));
    return false;
}

/** A name that may be given another file: one that nobody has, or a file's own. Under /dev, and behind a link
 *  or a pipe, is what others hold: /dev/stdout stays what it is. */
static bool may_be_replaced(const char *path)
{
    struct stat status;
    return lstat(path, &status) != 0 || S_ISREG(status.st_mode);
}

/** Into what is there: in /dev behind what others wrote, elsewhere in its place. */
static bool write_into(const char *program, const char *path, struct smtp_span octets)
{
    bool shared = strncmp(path, "/dev/", strlen("/dev/")) == 0;
    FILE *out = fopen(path, shared ? "ae" : "we");
    bool written =
        out != NULL && fwrite(octets.bytes, 1, octets.len, out) == octets.len && fflush(out) == 0;
    if (!written) {
        complain(program, path);
    }
    if (out != NULL) {
        fclose(out);
    }
    return written;
}

static bool write_whole(const char *program, const char *path, struct smtp_span octets, mode_t mode)
{
    char *temporary = NULL;
    if (!may_be_replaced(path)) {
        return write_into(program, path, octets);
    }
    int fd = smtp_new_file(path, &temporary);
    bool written = fd >= 0 && write_octets(fd, octets, mode) && rename(temporary, path) == 0;
    if (!written) {
        complain(program, path);
        if (fd >= 0) {
            unlink(temporary);
        }
    }
    free(temporary);
    return written;
}

bool smtp_cli_write_file(const char *program, const char *path, const char *text)
{
    return write_whole(program, path, smtp_span_of(text), FOR_ALL);
}

bool smtp_cli_write_mail(const char *program, const char *path, struct smtp_span octets)
{
    return write_whole(program, path, octets, FOR_ITS_OWNER);
}

void smtp_cli_take_file_away(const char *path)
{
    if (path != NULL && may_be_replaced(path)) {
        unlink(path);
    }
}

/* ---- texts that are kept ---- */

bool smtp_cli_keep(struct smtp_cli_kept *kept)
{
    *kept = (struct smtp_cli_kept){.text = NULL};
    kept->stream = open_memstream(&kept->text, &kept->len);
    return kept->stream != NULL;
}

static bool print(const char *program, struct smtp_span text)
{
    bool printed = fwrite(text.bytes, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
    return printed || complain(program, "to standard output");
}

bool smtp_cli_put(const char *program, struct smtp_cli_kept *kept, const char *path)
{
    bool done = kept->stream == NULL || fclose(kept->stream) == 0;
    if (!done) {
        fprintf(stderr, "%s: out of memory\n", program);
    } else if (path != NULL) {
        struct smtp_span text = {kept->text, kept->len};
        done = strcmp(path, "-") == 0 ? print(program, text)
                                      : write_whole(program, path, text, FOR_ALL);
    }
    free(kept->text);
    return done;
}

char *smtp_cli_read_file(const char *program, const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = file != NULL ? calloc(1, READ_MAX + 1) : NULL;
    bool read = text != NULL;
    if (read) {
        size_t len = fread(text, 1, READ_MAX, file);
        read = ferror(file) == 0;
        text[len] = '\0';
    }
    if (!read) {
        smtp_cli_wrong(program, "cannot read %s: %s", path, smtp_errno_text(errno));
        free(text);
        text = NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return text;
}
