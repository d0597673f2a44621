/* exec_family.c - see exec_family.h. Who descends from whom is told by the parents in /proc/PID/stat. */
#include "harness/cli/exec_family.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STAT_MAX                                                                                   \
    512 /* what of /proc/PID/stat is up to the parent: a number, a name of 64 octets, a state */

struct relative {
    pid_t pid, parent;
    bool ours;
};

struct relatives {
    struct relative *items;
    size_t count, capacity;
};

/** The parent of a process; 0: it has ended, or has none. */
static pid_t parent_of(pid_t pid)
{
    char path[32], stat[STAT_MAX];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    size_t len = fread(stat, 1, sizeof stat - 1, file);
    fclose(file);
    stat[len] = '\0';
    const char *behind_name = strrchr(stat, ')'); /* which may hold any octet, ')' too */
    return behind_name == NULL || strlen(behind_name) < 4
               ? 0
               : (pid_t)strtol(behind_name + 4, NULL, 10);
}

static bool add(struct relatives *all, pid_t pid, pid_t parent)
{
    if (all->count == all->capacity) {
        size_t capacity = all->capacity == 0 ? 256 : 2 * all->capacity;
        struct relative *items = realloc(all->items, capacity * sizeof *items);
        if (items == NULL) {
            return false;
        }
        all->items = items;
        all->capacity = capacity;
    }
    all->items[all->count++] = (struct relative){pid, parent, false};
    return true;
}

/** Every process that there is; false: not all of them. */
static bool look_around(struct relatives *all)
{
    DIR *directory = opendir("/proc");
    bool whole = directory != NULL;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else reads this stream */
    for (const struct dirent *entry; whole && (entry = readdir(directory)) != NULL;) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        pid_t parent = pid > 0 ? parent_of(pid) : 0;
        whole = parent == 0 || add(all, pid, parent);
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return whole;
}

/** Marks the children of that process; whether there were any not marked before. */
static bool mark_children(struct relatives *all, pid_t parent)
{
    bool found = false;
    for (size_t i = 0; i < all->count; i++) {
        struct relative *one = &all->items[i];
        if (one->parent == parent && !one->ours) {
            one->ours = true;
            found = true;
        }
    }
    return found;
}

/** Marks our children but the strangers among them; whether there are any. */
static bool mark_own(const struct smtp_exec_family *family, struct relatives *all)
{
    bool found = false;
    pid_t self = getpid();
    for (size_t i = 0; i < all->count; i++) {
        struct relative *one = &all->items[i];
        one->ours = one->parent == self;
        for (size_t k = 0; k < family->stranger_count; k++) {
            one->ours = one->ours && one->pid != family->strangers[k];
        }
        found = found || one->ours;
    }
    return found;
}

void smtp_exec_family_adopt(struct smtp_exec_family *family)
{
    struct relatives all = {.items = NULL};
    family->stranger_count = 0;
    if (!smtp_exec_family_is_gone(family) && look_around(&all)) {
        for (size_t i = 0; i < all.count; i++) {
            if (all.items[i].parent == getpid() &&
                family->stranger_count < SMTP_EXEC_STRANGERS_MAX) {
                family->strangers[family->stranger_count++] = all.items[i].pid;
            }
        }
    }
    free(all.items);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

bool smtp_exec_family_signal(const struct smtp_exec_family *family, int number)
{
    struct relatives all = {.items = NULL};
    bool whole = look_around(&all);
    bool found = mark_own(family, &all);
    while (found) {
        found = false;
        for (size_t i = 0; i < all.count; i++) {
            found = (all.items[i].ours && mark_children(&all, all.items[i].pid)) || found;
        }
    }
    for (size_t i = 0; i < all.count; i++) {
        if (all.items[i].ours) {
            kill(all.items[i].pid, number);
        }
    }
    free(all.items);
    return whole;
}

/** Its number may soon be another's. */
static void forget_stranger(struct smtp_exec_family *family, pid_t pid)
{
    for (size_t i = 0; i < family->stranger_count; i++) {
        if (family->strangers[i] == pid) {
            family->strangers[i] = family->strangers[--family->stranger_count];
            return;
        }
    }
}

bool smtp_exec_family_is_gone(struct smtp_exec_family *family)
{
    pid_t reaped;
    while ((reaped = waitpid(-1, NULL, WNOHANG)) > 0 || (reaped < 0 && errno == EINTR)) {
        forget_stranger(family, reaped);
    }
    if (reaped < 0 || family->stranger_count == 0) {
        return reaped < 0;
    }
    struct relatives all = {.items = NULL};
    bool gone = look_around(&all) && !mark_own(family, &all);
    free(all.items);
    return gone;
}
