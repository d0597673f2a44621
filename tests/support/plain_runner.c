/* plain_runner.c - runs the tests of one program where Criterion cannot: each in a process of its
 * own, bounded by an alarm. Arguments select by "suite" or "suite/name". Knows no SMTP. */
#include "test.h"

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct smtp_plain_test *tests; /* filled before main, read after */

void smtp_plain_register(struct smtp_plain_test *test)
{
    struct smtp_plain_test **at = &tests;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = test;
}

_Noreturn void smtp_plain_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    _exit(1);
}

#ifdef __SANITIZE_ADDRESS__
/* Freed memory is held back from reuse, by default 256 MiB of it: so much that a test could not say
 * how much a program needs. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=4";
}
#endif

static bool selected(const struct smtp_plain_test *test, int argc, char **argv)
{
    char full[256];
    snprintf(full, sizeof full, "%s/%s", test->suite, test->name);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], full) == 0 || strcmp(argv[i], test->suite) == 0) {
            return true;
        }
    }
    return argc < 2;
}

static bool passes(const struct smtp_plain_test *test)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a runner that is killed leaves nothing behind */
        alarm(test->seconds * 4);         /* the sanitizer slows everything */
        test->run();
        exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
    }
    bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!passed) {
        printf("FAILED %s/%s (%s %d)\n", test->suite, test->name,
               WIFSIGNALED(status) ? "signal" : "status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    return passed;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    for (const struct smtp_plain_test *test = tests; test != NULL; test = test->next) {
        if (selected(test, argc, argv)) {
            *(passes(test) ? &passed : &failed) += 1;
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
