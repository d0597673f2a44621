/* process.c - starts programs with output into files (whole runs) or a pipe (in the background). */
#include "tests/programs/process.h"

#include "tests/support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define INPUT_MAX 60000 /* what a pipe takes at once */

/** Starts it with these descriptors as standard input (-1: empty), output and error (-1: as it is). It ends with the
 *  test, should the test end first, and holds no pipe of the test runner's, which would wait for
 *  its other end: nothing is left behind. */
static pid_t spawn(const char *const argv[], int in, int out, int err)
{
    pid_t test = getpid(), pid = fork();
    if (pid != 0) {
        expect_true(pid > 0);
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != test) { /* it ended before that was asked for */
        _exit(127);
    }
    dup2(in >= 0 ? in : open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    if (err >= 0) {
        dup2(err, STDERR_FILENO);
    }
    close_range(STDERR_FILENO + 1, ~0U, 0);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static int wait_for(pid_t pid, struct rusage *usage)
{
    int status = 0;
    while (wait4(pid, &status, 0, usage) < 0) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static char *read_all(FILE *file)
{
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *text = calloc(1, size + 1);
    if (text == NULL || fread(text, 1, size, file) != size) {
        SMTP_TEST_FAIL("output of %zu octets cannot be read", size);
    }
    fclose(file);
    return text;
}

static struct ended run_from(int in, const char *const argv[])
{
    FILE *out = tmpfile(), *err = tmpfile();
    expect_true(out != NULL && err != NULL);
    struct rusage usage = {.ru_maxrss = 0};
    struct ended ended = {.exit_status =
                              wait_for(spawn(argv, in, fileno(out), fileno(err)), &usage)};
    ended.peak_kib = usage.ru_maxrss;
    ended.out = read_all(out);
    ended.err = read_all(err);
    return ended;
}

struct ended run_to_end(const char *const argv[])
{
    return run_from(-1, argv);
}

struct ended run_with_input(const char *const argv[], const char *input)
{
    int ends[2];
    size_t len = strlen(input);
    expect_int(pipe2(ends, O_CLOEXEC), 0);
    expect_true(len <= INPUT_MAX && write(ends[1], input, len) == (ssize_t)len);
    close(ends[1]);
    struct ended ended = run_from(ends[0], argv);
    close(ends[0]);
    return ended;
}

void ended_clear(struct ended *ended)
{
    free(ended->out);
    free(ended->err);
}

const char *last_line(char *text)
{
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '\n') {
        text[len - 1] = '\0';
    }
    char *line = strrchr(text, '\n');
    return line != NULL ? line + 1 : text;
}

struct background start_process(const char *const argv[])
{
    int ends[2];
    expect_int(pipe2(ends, O_CLOEXEC), 0);
    struct background background = {.pid = spawn(argv, -1, ends[1], -1)};
    close(ends[1]);
    background.out = fdopen(ends[0], "r");
    expect_true(background.out != NULL);
    return background;
}

const char *next_line(struct background *background, char *line, int capacity)
{
    if (fgets(line, capacity, background->out) == NULL) {
        return NULL;
    }
    line[strcspn(line, "\n")] = '\0';
    return line;
}

int end_process(struct background *background, int signal_number)
{
    if (signal_number != 0) {
        kill(background->pid, signal_number);
    }
    int status = wait_for(background->pid, NULL);
    fclose(background->out);
    return status;
}
