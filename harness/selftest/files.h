/* files.h - folders and files of one scenario, all gone when it is over. NULL or false: a failure is noted. */
#ifndef SMTP_HARNESS_SELFTEST_FILES_H
#define SMTP_HARNESS_SELFTEST_FILES_H

#include "harness/selftest/trial.h"

/** A new folder; it and all in it is removed at the end. */
const char *smtp_trial_folder(struct smtp_trial *trial);
/** Removes it and all in it now. */
bool smtp_trial_remove_folder(struct smtp_trial *trial, const char *folder);
/** "folder/name". */
const char *smtp_trial_path(struct smtp_trial *trial, const char *folder, const char *name);
/** All that a file holds, as text. */
const char *smtp_trial_file(struct smtp_trial *trial, const char *path);
/** The same of the only file in folder/name. */
const char *smtp_trial_only_file(struct smtp_trial *trial, const char *folder, const char *name);
/** How many files there are in folder/name. */
size_t smtp_count_files(const char *folder, const char *name);
/** The first octets of a text, as text. */
const char *smtp_trial_part(struct smtp_trial *trial, const char *text, size_t len);

#endif
