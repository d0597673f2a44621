/* new_file.h - a file that was not there, for its owner alone: it may be mail. */
#ifndef SMTP_HARNESS_NEW_FILE_H
#define SMTP_HARNESS_NEW_FILE_H

/** Makes it beside that path, its name the path with something behind; *name is owned, NULL where there is none. Returns
 *  its descriptor, -1 with errno. */
int smtp_new_file(const char *path, char **name);

#endif
