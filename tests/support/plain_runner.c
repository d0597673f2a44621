/* plain_runner.c - runs the tests of one program where Criterion cannot. Those of a suite share a process, as a sanitizer
 * makes each dear to begin and to look over for leaks as it ends; one that fails ends it, and those behind it get another.
 * Each is bounded by an alarm. Arguments select by "suite" or "suite/name", or leave out by "-beginning of suites". Knows
 * no SMTP. */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_AT_ONCE 16
#define MOST_TOGETHER 16

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

/* Tests of one suite that share a process, and how many of them have passed, which the process writes. */
struct batch {
    const struct smtp_plain_test **tests;
    unsigned count;
    pid_t process;
    unsigned *passed;
};

static void begin(struct batch *batch)
{
    *batch->passed = 0;
    fflush(NULL);
    batch->process = fork();
    if (batch->process < 0) {
        perror("fork");
        exit(2);
    }
    if (batch->process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a runner that is killed leaves nothing behind */
        while (*batch->passed < batch->count) {
            alarm(batch->tests[*batch->passed]->seconds * 4); /* the sanitizer slows everything */
            batch->tests[*batch->passed]->run();
            *batch->passed += 1;
        }
        exit(0);
    }
}

/* The process of a batch has ended: its tests are counted, and those behind the one that failed are left to be begun.
 * Where all passed and it did not end well, that was found as it ended, and is one failure more: a leak or a race, whose
 * report says where. */
static void count(struct batch *batch, int status, unsigned *passed, unsigned *failed)
{
    unsigned done = *batch->passed;
    bool all = done == batch->count;
    *passed += done;
    if (!all || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        *failed += 1;
        const struct smtp_plain_test *last = batch->tests[all ? done - 1 : done];
        printf("FAILED %s/%s (%s%s %d)\n", last->suite, last->name,
               all ? "or one before it, told as they ended: " : "",
               WIFSIGNALED(status) ? "signal" : "status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        done += !all;
    }
    batch->process = 0;
    batch->tests += done;
    batch->count -= done;
}

/* Waits for the process of any batch to end. */
static void finish(struct batch *batches, size_t most, unsigned *passed, unsigned *failed)
{
    int status = 0;
    pid_t ended;
    while ((ended = wait(&status)) < 0 && errno == EINTR) {
    }
    for (size_t i = 0; i < most; i++) {
        if (batches[i].process == ended) {
            count(&batches[i], status, passed, failed);
        }
    }
}

/* The next tests, as many as may be together. */
static unsigned together(const struct smtp_plain_test **from, const struct smtp_plain_test **end)
{
    unsigned count = from < end;
    while (count > 0 && count < MOST_TOGETHER && from + count < end && !from[0]->alone &&
           !from[count]->alone && strcmp(from[count]->suite, from[0]->suite) == 0) {
        count++;
    }
    return count;
}

/* Those that the arguments choose, and where they end. */
static const struct smtp_plain_test **choose(int argc, char **argv,
                                             const struct smtp_plain_test ***end)
{
    size_t count = 0;
    for (const struct smtp_plain_test *test = tests; test != NULL; test = test->next) {
        count += selected(test, argc, argv);
    }
    const struct smtp_plain_test **chosen = calloc(count + 1, sizeof *chosen);
    *end = chosen;
    for (const struct smtp_plain_test *test = tests; test != NULL && chosen != NULL;
         test = test->next) {
        if (selected(test, argc, argv)) {
            *(*end)++ = test;
        }
    }
    return chosen;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    const struct smtp_plain_test **end, **chosen = choose(argc, argv, &end), **next = chosen;
    long wanted = 2 * sysconf(_SC_NPROCESSORS_ONLN); /* most tests wait, and not for one of them */
    size_t most = wanted < 1 ? 1 : wanted > MOST_AT_ONCE ? MOST_AT_ONCE : (size_t)wanted;
    struct batch batches[MOST_AT_ONCE] = {{0}};
    unsigned *done = mmap(NULL, sizeof *done * MOST_AT_ONCE, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t busy = most; busy > 0 && done != MAP_FAILED;) {
        busy = 0;
        for (size_t i = 0; i < most; i++) {
            struct batch *batch = &batches[i];
            batch->passed = &done[i];
            if (batch->process == 0 && batch->count == 0) {
                batch->tests = next;
                batch->count = together(next, end);
                next += batch->count;
            }
            if (batch->process == 0 && batch->count > 0) {
                begin(batch);
            }
            busy += batch->process != 0;
        }
        if (busy > 0) {
            finish(batches, most, &passed, &failed);
        }
    }
    free(chosen);
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
