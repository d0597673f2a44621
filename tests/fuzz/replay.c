/* replay.c - a target without libFuzzer: `fuzz_NAME [FILE-OR-FOLDER...]` runs it over each file once, in the order of their
 * names. A breach aborts, and the file that did it is named on standard error. The last line is
 * `1 passed, 0 failed`. Exit status 2: nothing to run. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_MAX ((size_t)1 << 20)
#define PATH_SIZE 4096

static const char *volatile current = "";

/* Says which file it was; the signal goes on as it would have. */
static void tell(int number)
{
    const char *path = current;
    (void)!write(STDERR_FILENO, "replay: it was ", 15);
    (void)!write(STDERR_FILENO, path, strlen(path));
    (void)!write(STDERR_FILENO, "\n0 passed, 1 failed\n", 20);
    signal(number, SIG_DFL);
    raise(number);
}

static unsigned run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *room = malloc(INPUT_MAX);
    if (file == NULL || room == NULL) {
        perror(path);
        exit(2);
    }
    size_t len = fread(room, 1, INPUT_MAX, file);
    fclose(file);
    uint8_t *octets = (uint8_t *)fuzz_copy((struct smtp_span){(const char *)room, len});
    free(room);
    current = path;
    LLVMFuzzerTestOneInput(octets, len);
    free(octets);
    return 1;
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static unsigned run_path(const char *path)
{
    struct stat facts;
    if (stat(path, &facts) != 0) {
        perror(path);
        exit(2);
    }
    if (!S_ISDIR(facts.st_mode)) {
        return run_file(path);
    }
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_shown, alphasort);
    unsigned done = 0;
    for (int i = 0; i < count; i++) {
        char name[PATH_SIZE];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        done += run_file(name);
        free(entries[i]);
    }
    free(entries);
    return done;
}

int main(int argc, char **argv)
{
    unsigned done = 0;
    signal(SIGABRT, tell);
    for (int i = 1; i < argc; i++) {
        done += run_path(argv[i]);
    }
    printf("%u inputs\n%d passed, 0 failed\n", done, done > 0 ? 1 : 0);
    return done > 0 ? 0 : 2;
}
