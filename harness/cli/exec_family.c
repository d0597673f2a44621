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

void smtp_exec_family_adopt(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

bool smtp_exec_family_signal(int number)
{
    struct relatives all = {.items = NULL};
    bool whole = look_around(&all);
    bool found = mark_children(&all, getpid());
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

bool smtp_exec_family_is_gone(void)
{
    pid_t reaped;
    do {
        reaped = waitpid(-1, NULL, WNOHANG);
    } while (reaped > 0 || (reaped < 0 && errno == EINTR));
    return reaped < 0;
}
