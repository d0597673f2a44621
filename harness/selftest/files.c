/* files.c - see files.h. */
#include "harness/selftest/files.h"

#include "common/error.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 16) /* what a scenario reads back is small */
#define PATH_OCTETS 512

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

static void remove_all(void *folder)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's is, without FTW_CHDIR */
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

const char *smtp_trial_folder(struct smtp_trial *trial)
{
    char *folder = strdup("/tmp/smtp-selftest-XXXXXX");
    if (folder == NULL || mkdtemp(folder) == NULL) {
        smtp_trial_fail(trial, "no folder in /tmp: %s", smtp_errno_text(errno));
        free(folder);
        return NULL;
    }
    return smtp_trial_own(trial, folder, remove_all);
}

bool smtp_trial_remove_folder(struct smtp_trial *trial, const char *folder)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's is, without FTW_CHDIR */
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0 ||
           smtp_trial_fail(trial, "%s cannot be removed: %s", folder, smtp_errno_text(errno));
}

const char *smtp_trial_path(struct smtp_trial *trial, const char *folder, const char *name)
{
    char *path = smtp_trial_alloc(trial, PATH_OCTETS);
    if (path != NULL) {
        snprintf(path, PATH_OCTETS, "%s/%s", folder, name);
    }
    return path;
}

const char *smtp_trial_file(struct smtp_trial *trial, const char *path)
{
    char *text = smtp_trial_alloc(trial, FILE_MAX);
    FILE *file = path != NULL ? fopen(path, "r") : NULL;
    if (text == NULL || file == NULL) {
        smtp_trial_fail(trial, "%s cannot be read: %s", path != NULL ? path : "the file",
                        smtp_errno_text(errno));
        text = NULL;
    } else {
        text[fread(text, 1, FILE_MAX - 1, file)] = '\0';
    }
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

/** Counts the files of a folder; the last one's path goes into `path`. */
static size_t count_files(const char *folder, const char *name, char path[PATH_OCTETS])
{
    char of_folder[PATH_OCTETS];
    snprintf(of_folder, sizeof of_folder, "%s/%s", folder, name);
    DIR *entries = opendir(of_folder);
    size_t count = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else reads this stream */
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        if (entry->d_name[0] != '.') {
            snprintf(path, PATH_OCTETS, "%.200s/%.40s/%.255s", folder, name, entry->d_name);
            count++;
        }
    }
    if (entries != NULL) {
        closedir(entries);
    }
    return count;
}

size_t smtp_count_files(const char *folder, const char *name)
{
    char path[PATH_OCTETS];
    return count_files(folder, name, path);
}

const char *smtp_trial_only_file(struct smtp_trial *trial, const char *folder, const char *name)
{
    char path[PATH_OCTETS] = "";
    return smtp_trial_is_number(trial, "files", count_files(folder, name, path), 1)
               ? smtp_trial_file(trial, path)
               : NULL;
}

const char *smtp_trial_part(struct smtp_trial *trial, const char *text, size_t len)
{
    char *part = smtp_trial_alloc(trial, len + 1);
    if (part != NULL) {
        snprintf(part, len + 1, "%s", text);
    }
    return part;
}
