/* whole_file.h - small files, written so that whoever sees one sees all of it. */
#ifndef SMTP_HARNESS_CLI_WHOLE_FILE_H
#define SMTP_HARNESS_CLI_WHOLE_FILE_H

#include <stdbool.h>

/** Writes the text under another name in the same folder, readable for all, then renames. False: it
 *  says why on standard error, and nothing is left behind. */
bool smtp_cli_write_file(const char *program, const char *path, const char *text);
/** All of a file, NUL-terminated, to be freed by the caller. NULL: it says why on standard error. */
char *smtp_cli_read_file(const char *program, const char *path);

#endif
