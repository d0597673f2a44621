/* files.h - files and directories for the tests of what is delivered into them. Each aborts where it
 * fails. Knows no SMTP. */
#ifndef SMTP_TESTS_SUPPORT_FILES_H
#define SMTP_TESTS_SUPPORT_FILES_H

#include <stddef.h>
#include <stdint.h>

/** All that is in a file, NUL-terminated; owned. */
char *smtp_read_file(const char *path, size_t *len);
/** A fresh directory under /tmp; its path, valid until the next call in the same buffer. */
const char *smtp_make_directory(char path[64]);
/** Removes it with all that is in it. */
void smtp_remove_directory(const char *path);
/** How many entries it has, and (name not NULL) the name of one of them. */
unsigned smtp_count_entries(const char *directory, const char *folder, char *name, size_t size);
/** From now on no file of this process grows beyond that (EFBIG, as of a full disk); UINT64_MAX: any may. */
void smtp_limit_files(uint64_t octets);

#endif
