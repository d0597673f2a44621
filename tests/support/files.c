/* files.c - see files.h. */
#include "tests/support/files.h"

#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void must(bool holds, const char *path)
{
    if (!holds) {
        perror(path);
        abort();
    }
}

char *smtp_read_file(const char *path, size_t *len)
{
    char *text = NULL;
    size_t ignored;
    FILE *from = fopen(path, "rb"), *to = open_memstream(&text, len != NULL ? len : &ignored);
    must(from != NULL && to != NULL, path);
    for (int c = getc(from); c != EOF; c = getc(from)) {
        putc(c, to);
    }
    fclose(from);
    fclose(to);
    return text;
}

const char *smtp_make_directory(char path[64])
{
    memcpy(path, "/tmp/receiver-XXXXXX", sizeof "/tmp/receiver-XXXXXX");
    must(mkdtemp(path) != NULL, path);
    return path;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

void smtp_remove_directory(const char *path)
{
    must(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0, path);
}

unsigned smtp_count_entries(const char *directory, const char *folder, char *name, size_t size)
{
    char path[512];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/%s", directory, folder);
    DIR *entries = opendir(path);
    must(entries != NULL, path);
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (entry->d_name[0] != '.') {
            count++;
            if (name != NULL) {
                snprintf(name, size, "%s/%s", path, entry->d_name);
            }
        }
    }
    closedir(entries);
    return count;
}

void smtp_limit_files(uint64_t octets)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    must(getrlimit(RLIMIT_FSIZE, &limit) == 0, "RLIMIT_FSIZE");
    limit.rlim_cur = octets < limit.rlim_max ? octets : limit.rlim_max;
    must(setrlimit(RLIMIT_FSIZE, &limit) == 0, "RLIMIT_FSIZE");
}
