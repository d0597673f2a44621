/* new_file.h - files that are written in one go: made beside others, whole or not there. */
#ifndef SMTP_HARNESS_NEW_FILE_H
#define SMTP_HARNESS_NEW_FILE_H

#include "common/bytes.h"

#include <stdbool.h>
#include <sys/types.h>

/** Makes a file that was not there, for its owner alone (it may be mail), beside that path: its name is the path with
 *  something behind; *name is owned, NULL where there is none. Returns its descriptor, -1 with errno. */
int smtp_new_file(const char *path, char **name);
/** Writes all of it and closes the descriptor. An errno; 0: done. */
int smtp_fill_file(int fd, struct smtp_span octets);
/** Whether that name may be given another file: one that nobody has, or a file's own. Under /dev, and behind a link or a
 *  pipe, is what others hold: /dev/stdout stays what it is. */
bool smtp_may_be_replaced(const char *path);
/** What stands at that path afterwards is a file of these octets, whole, or what was there before. What may not be replaced
 *  is written into; in /dev behind what others wrote. An errno; 0: done. */
int smtp_replace_file(const char *path, struct smtp_span octets, mode_t mode);

#endif
