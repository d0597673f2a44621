/* whole_file.c - see whole_file.h. Knows files, not what is in them. */
#include "harness/cli/whole_file.h"

#include "common/error.h"
#include "harness/cli/options.h"
#include "harness/new_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_MAX ((size_t)1 << 20) /* far more than a few certificates */

#define FOR_ALL 0644
#define FOR_ITS_OWNER 0600

static bool complain(const char *program, const char *path, int failure)
{
    fprintf(stderr, "%s: cannot write %s: %s\n", program, path, smtp_errno_text(failure));
    return false;
}

static bool write_whole(const char *program, const char *path, struct smtp_span octets, mode_t mode)
{
    int failure = smtp_replace_file(path, octets, mode);
    return failure == 0 || complain(program, path, failure);
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
    if (path != NULL && smtp_may_be_replaced(path)) {
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
    return printed || complain(program, "to standard output", errno);
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
