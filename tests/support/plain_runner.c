/* plain_runner.c - runs the tests of one program where Criterion cannot: each in a process of its
 * own, bounded by an alarm. Arguments select by "suite" or "suite/name", or leave out by "-beginning of suites". Knows no
 * SMTP. */
#include "test.h"

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_AT_ONCE 16

static struct smtp_plain_test *tests; /* filled before main, read after */

void smtp_plain_register(struct smtp_plain_test *test)
{
    struct smtp_plain_test **at = &tests;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = test;
}

void smtp_test_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    _exit(1);
}

/* The address sanitizer holds freed memory back from reuse, by default 256 MiB of it: so much that a test could not say
 * how much a program needs. It calls this before main, and finds it only where it is seen from without. */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "quarantine_size_mb=4";
}

static bool selected(const struct smtp_plain_test *test, int argc, char **argv)
{
    char full[256];
    bool all = true, chosen = false;
    snprintf(full, sizeof full, "%s/%s", test->suite, test->name);
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            all = false;
            chosen = chosen || strcmp(argv[i], full) == 0 || strcmp(argv[i], test->suite) == 0;
        } else if (strncmp(argv[i] + 1, test->suite, strlen(argv[i] + 1)) == 0) {
            return false;
        }
    }
    return all || chosen;
}

/* One test in a process of its own. */
static pid_t begin(const struct smtp_plain_test *test)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a runner that is killed leaves nothing behind */
        alarm(test->seconds * 4);         /* the sanitizer slows everything */
        test->run();
        exit(0);
    }
    return child;
}

/* The tests under way, twice as many as there are processors: most of them wait, and not for one. */
struct running {
    pid_t child;
    const struct smtp_plain_test *test;
};

/* Waits for any of them to end; its place is free then. */
static bool finish(struct running *running, size_t count)
{
    int status = 0;
    pid_t ended;
    while ((ended = wait(&status)) < 0) {
    }
    size_t i = 0;
    while (i < count && running[i].child != ended) {
        i++;
    }
    bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!passed) {
        printf("FAILED %s/%s (%s %d)\n", running[i].test->suite, running[i].test->name,
               WIFSIGNALED(status) ? "signal" : "status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    running[i] = running[count - 1];
    return passed;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    long wanted = 2 * sysconf(_SC_NPROCESSORS_ONLN);
    size_t most = wanted < 1 ? 1 : wanted > MOST_AT_ONCE ? MOST_AT_ONCE : (size_t)wanted;
    struct running running[MOST_AT_ONCE];
    size_t count = 0;
    for (const struct smtp_plain_test *test = tests; test != NULL; test = test->next) {
        if (!selected(test, argc, argv)) {
            continue;
        }
        if (count == most) {
            *(finish(running, count--) ? &passed : &failed) += 1;
        }
        running[count++] = (struct running){begin(test), test};
    }
    while (count > 0) {
        *(finish(running, count--) ? &passed : &failed) += 1;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
