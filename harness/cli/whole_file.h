/* whole_file.h - small files, written so that whoever sees one sees all of it. */
#ifndef SMTP_HARNESS_CLI_WHOLE_FILE_H
#define SMTP_HARNESS_CLI_WHOLE_FILE_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stdio.h>

/** Writes the text under another name in the same folder, readable for all, then renames. False: it
 *  says why on standard error, and nothing is left behind. What is no file (a pipe, a link, /dev/stdout) is
 *  written as it is, and stays that. */
bool smtp_cli_write_file(const char *program, const char *path, const char *text);
/** The same with octets of any kind, readable for its owner alone: it is mail. */
bool smtp_cli_write_mail(const char *program, const char *path, struct smtp_span octets);
/** Removes a file that was written so; what is no file stays. NULL: there is none. */
void smtp_cli_take_file_away(const char *path);
/** A text that is put together in memory, so that it can be whole. */
struct smtp_cli_kept {
    FILE *stream; /* NULL: none is kept */
    char *text;
    size_t len;
};
/** False: out of memory. */
bool smtp_cli_keep(struct smtp_cli_kept *kept);
/** Puts it into a file as above; "-": on standard output; NULL: nowhere. Frees it. False: it says why on
 *  standard error. */
bool smtp_cli_put(const char *program, struct smtp_cli_kept *kept, const char *path);
/** All of a file, NUL-terminated, to be freed by the caller. NULL: it says why on standard error. */
char *smtp_cli_read_file(const char *program, const char *path);

#endif
