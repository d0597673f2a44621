/* program.c - see program.h. Waiting is poll() on the program's output, whose end is the program's
 * end. */
#include "tests/peers/program.h"

#include "common/smtp_tls.h"
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_ARGUMENTS 5 /* of timeout(1), before the program's own */
#define NOT_FOUND 127       /* what timeout(1) ends with where there is no such program */
#define END_MS 10000        /* for a program to end by itself, or when asked to */

extern char **environ;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void argument(struct arguments *arguments, const char *format, ...)
{
    va_list values;
    char *word = arguments->text + arguments->len;
    size_t room = sizeof arguments->text - arguments->len;
    va_start(values, format);
    int len = vsnprintf(word, room, format, values);
    va_end(values);
    expect_true(len >= 0 && (size_t)len < room && arguments->count + 1 < MOST_ARGUMENTS);
    arguments->argv[arguments->count++] = word;
    arguments->len += (size_t)len + 1;
}

void arguments_add(struct arguments *arguments, const char *const *words)
{
    for (; *words != NULL; words++) {
        expect_true(arguments->count + 1 < MOST_ARGUMENTS);
        arguments->argv[arguments->count++] = *words;
    }
}

static void spawn(struct program *program, const char *const *argv, int input)
{
    char life[16];
    const char *full[TIMEOUT_ARGUMENTS + MOST_ARGUMENTS] = {"timeout", "-k", "1", life, NULL};
    size_t count = TIMEOUT_ARGUMENTS - 1;
    snprintf(life, sizeof life, "%d", PROGRAM_LIFE_S);
    for (size_t i = 0; argv[i] != NULL; i++) {
        expect_true(count + 1 < sizeof full / sizeof full[0]);
        full[count++] = argv[i];
    }
    int output[2];
    expect_int(pipe2(output, O_CLOEXEC), 0);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, 0);
    posix_spawn_file_actions_adddup2(&actions, output[1], 1);
    posix_spawn_file_actions_adddup2(&actions, output[1], 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3); /* no pipe of the test runner's */
    setenv("LD_LIBRARY_PATH", PEERS_POSTFIX "/usr/lib/postfix", 1);
    int failed = posix_spawnp(&program->pid, full[0], &actions, NULL, (char *const *)full, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(output[1]);
    close(input);
    expect_int(failed, 0);
    program->output = output[0];
    program->name = argv[0];
}

void program_start(struct program *program, const char *const *argv)
{
    int input[2];
    *program = (struct program){.said = calloc(1, 1)};
    expect_int(pipe2(input, O_CLOEXEC), 0);
    program->input = input[1];
    spawn(program, argv, input[0]);
}

void program_start_with(struct program *program, const char *const *argv, const void *input,
                        size_t len)
{
    *program = (struct program){.said = calloc(1, 1), .input = -1};
    int file = memfd_create("input", MFD_CLOEXEC);
    expect_int(write(file, input, len), len);
    expect_int(lseek(file, 0, SEEK_SET), 0);
    spawn(program, argv, file);
}

/* Reads what there is within the time: how many octets, 0 at the end, -1 when the time is over. */
static ssize_t hear(struct program *program, int64_t deadline_ms)
{
    char octets[16384];
    int64_t left_ms = deadline_ms - now_ms();
    struct pollfd wait = {.fd = program->output, .events = POLLIN};
    if (left_ms < 0 || poll(&wait, 1, (int)left_ms) <= 0) {
        return -1;
    }
    ssize_t n = read(program->output, octets, sizeof octets);
    if (n > 0) {
        program->said = realloc(program->said, program->said_len + (size_t)n + 1);
        expect_true(program->said != NULL);
        memcpy(program->said + program->said_len, octets, (size_t)n);
        program->said_len += (size_t)n;
        program->said[program->said_len] = '\0';
    }
    return n < 0 ? 0 : n;
}

ssize_t program_says(struct program *program, size_t from, const char *words, int timeout_ms)
{
    int64_t deadline_ms = now_ms() + timeout_ms;
    for (;;) {
        const char *found =
            memmem(program->said + from, program->said_len - from, words, strlen(words));
        if (found != NULL) {
            return found - program->said;
        }
        if (hear(program, deadline_ms) <= 0) {
            return -1;
        }
    }
}

/* Its output ends when it and its children have. */
static int reap(struct program *program)
{
    int64_t deadline_ms = now_ms() + END_MS;
    ssize_t n;
    do {
        n = hear(program, deadline_ms);
    } while (n > 0);
    if (n < 0) {
        kill(program->pid, SIGKILL);
    }
    int status = 0;
    expect_int(waitpid(program->pid, &status, 0), program->pid);
    if (n < 0) {
        SMTP_TEST_FAIL("%s did not end; it said: %s", program->name, program->said);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND) {
        SMTP_TEST_FAIL("%s is missing; `scripts/setup peers` installs it: %s", program->name,
                       program->said);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int program_wait(struct program *program)
{
    return reap(program);
}

void program_tell(struct program *program, const char *words)
{
    expect_int(write(program->input, words, strlen(words)), strlen(words));
}

void program_end_input(struct program *program)
{
    if (program->input >= 0) {
        close(program->input);
        program->input = -1;
    }
}

void program_stop(struct program *program)
{
    program_end_input(program);
    kill(program->pid, SIGTERM);
    reap(program);
}

void program_free(struct program *program)
{
    program_end_input(program);
    close(program->output);
    free(program->said);
}

uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect_int(bind(fd, (struct sockaddr *)&address, len), 0);
    expect_int(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

char *make_directory(void)
{
    char *path = strdup("/tmp/smtp-harness-peers.XXXXXX");
    expect_true(path != NULL && mkdtemp(path) != NULL);
    expect_int(chmod(path, 0777), 0);
    return path;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void remove_directory(char *path)
{
    expect_int(nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(path);
}

char *write_file(const char *directory, const char *name, const char *text)
{
    char *path;
    expect_true(asprintf(&path, "%s/%s", directory, name) > 0);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    expect_true(file >= 0);
    expect_int(write(file, text, strlen(text)), strlen(text));
    close(file);
    return path;
}

char *write_certificate(const char *directory, const char *name,
                        const struct smtp_identity *identity)
{
    char *pem;
    expect_true(asprintf(&pem, "%s%s", smtp_identity_key_pem(identity),
                         smtp_identity_certificate_pem(identity)) > 0);
    char *path = write_file(directory, name, pem);
    free(pem);
    return path;
}

char *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        SMTP_TEST_FAIL("%s cannot be read", path);
    }
    fseek(file, 0, SEEK_END);
    *len = (size_t)ftell(file);
    rewind(file);
    char *octets = calloc(1, *len + 1);
    expect_true(octets != NULL);
    expect_int(fread(octets, 1, *len, file), *len);
    fclose(file);
    return octets;
}
