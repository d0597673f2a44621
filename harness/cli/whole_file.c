/* whole_file.c - see whole_file.h. Knows files, not what is in them. */
#include "harness/cli/whole_file.h"

#include "common/error.h"
#include "harness/cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_MAX ((size_t)1 << 20) /* far more than a few certificates */

static bool write_text(int fd, const char *text)
{
    FILE *out = fdopen(fd, "w");
    if (out == NULL) {
        close(fd);
        return false;
    }
    bool written = fchmod(fd, 0644) == 0 && fputs(text, out) >= 0 && fflush(out) == 0;
    return fclose(out) == 0 && written;
}

bool smtp_cli_write_file(const char *program, const char *path, const char *text)
{
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
        temporary = NULL;
    }
    int fd = temporary != NULL ? mkstemp(temporary) : -1;
    bool written = fd >= 0 && write_text(fd, text) && rename(temporary, path) == 0;
    if (!written) {
        fprintf(stderr, "%s: cannot write %s: %s\n", program, path, smtp_errno_text(errno));
        if (fd >= 0) {
            unlink(temporary);
        }
    }
    free(temporary);
    return written;
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
