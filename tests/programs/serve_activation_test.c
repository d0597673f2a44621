/* serve_activation_test.c - `serve` on sockets that whoever started it listens on, as systemd does it
 * (sd_listen_fds(3)). */
#include "tests/programs/serve.h"
#include "tests/support/files.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD 3

/** What a process is started with beside its arguments. */
struct given {
    int sockets[4];
    size_t count;
    const char *fds, *names; /* of the environment; NULL: not there */
    const char *pid;         /* NULL: the right one */
};

/** In the child, before it becomes the program. */
static void give(const struct given *given)
{
    char pid[16];
    int high[4];
    for (size_t i = 0; i < given->count; i++) { /* out of the way, then in place and inherited */
        high[i] = fcntl(given->sockets[i], F_DUPFD, 50);
    }
    close_range(FIRST_FD, 49, 0);
    for (size_t i = 0; i < given->count; i++) {
        dup2(high[i], FIRST_FD + (int)i);
    }
    close_range(FIRST_FD + (unsigned)given->count, ~0U, 0);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    setenv("LISTEN_PID", given->pid != NULL ? given->pid : pid, 1);
    if (given->fds != NULL) {
        setenv("LISTEN_FDS", given->fds, 1);
    }
    if (given->names != NULL) {
        setenv("LISTEN_FDNAMES", given->names, 1);
    }
}

/** As start_process, with standard error in the same pipe. The sockets are closed here. */
static struct background start_given(const struct given *given, const char *const argv[])
{
    int ends[2];
    expect_int(pipe2(ends, O_CLOEXEC), 0);
    pid_t test = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        give(given);
        if (getppid() == test) {
            execv(argv[0], (char *const *)(uintptr_t)argv);
        }
        _exit(127);
    }
    expect_true(pid > 0);
    close(ends[1]);
    for (size_t i = 0; i < given->count; i++) {
        close(given->sockets[i]);
    }
    struct background background = {.pid = pid, .out = fdopen(ends[0], "r")};
    expect_true(background.out != NULL);
    return background;
}

static int listening_tcp(unsigned *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect_int(bind(fd, (struct sockaddr *)&at, len), 0);
    expect_int(listen(fd, 8), 0);
    expect_int(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static int listening_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect_int(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    expect_int(listen(fd, 8), 0);
    return fd;
}

static void expect_said(struct background *serve, const char *format, unsigned port)
{
    char line[256], expected[256];
    snprintf(expected, sizeof expected, format, port);
    expect_str(next_line(serve, line, sizeof line), expected);
}

static void expect_greeting(const char *address)
{
    struct smtp_wire wire;
    expect_true(smtp_wire_connect(&wire, address));
    expect_contains(smtp_wire_reply(&wire), "220 ");
    smtp_wire_close(&wire);
}

TEST(serve_activation, the_names_of_the_sockets_say_what_is_spoken_there)
{
    unsigned ports[4];
    char address[64];
    struct given given = {.count = 4, .fds = "4", .names = "smtp:smtps:lmtp:mail.socket"};
    for (size_t i = 0; i < 4; i++) {
        given.sockets[i] = listening_tcp(&ports[i]);
    }
    struct background serve = start_given(&given, ARGV("serve"));
    expect_said(&serve, "listening on smtp://127.0.0.1:%u", ports[0]);
    expect_said(&serve, "listening on smtps://127.0.0.1:%u", ports[1]);
    expect_said(&serve, "listening on lmtp://127.0.0.1:%u", ports[2]);
    expect_said(&serve, "listening on smtp://127.0.0.1:%u", ports[3]);
    for (size_t i = 0; i < 4; i += 2) {
        snprintf(address, sizeof address, "127.0.0.1:%u", ports[i]);
        expect_greeting(address);
    }
    expect_int(end_process(&serve, SIGTERM), 0);
}

TEST(serve_activation, without_names_it_is_smtp_and_listen_adds_to_them)
{
    unsigned port;
    char line[256];
    struct given given = {.count = 1, .fds = "1"};
    given.sockets[0] = listening_tcp(&port);
    struct background serve = start_given(&given, ARGV("serve", "--listen", "lmtp://[::1]:0"));
    expect_said(&serve, "listening on smtp://127.0.0.1:%u", port);
    expect_contains(next_line(&serve, line, sizeof line), "listening on lmtp://[::1]:");
    expect_int(end_process(&serve, SIGTERM), 0);
}

TEST(serve_activation, a_unix_socket_stays_for_who_made_it)
{
    char folder[64], path[128], address[160], line[256];
    smtp_make_directory(folder);
    snprintf(path, sizeof path, "%s/socket", folder);
    snprintf(address, sizeof address, "unix:%s", path);
    struct given given = {.count = 1, .fds = "1", .names = "lmtp"};
    given.sockets[0] = listening_unix(path);
    struct background serve = start_given(&given, ARGV("serve"));
    expect_contains(next_line(&serve, line, sizeof line), address);
    expect_greeting(address);
    expect_int(end_process(&serve, SIGTERM), 0);
    expect_int(access(path, F_OK), 0);
    smtp_remove_directory(folder);
}

TEST(serve_activation, those_of_another_process_are_left_alone)
{
    unsigned port;
    char line[256], own[64];
    struct given given = {.count = 1, .fds = "nonsense", .pid = "1"};
    given.sockets[0] = listening_tcp(&port);
    snprintf(own, sizeof own, "127.0.0.1:%u\n", port);
    struct background serve = start_given(&given, ARGV("serve"));
    expect_contains(next_line(&serve, line, sizeof line), "listening on smtp://127.0.0.1:");
    expect_true(strstr(line, own) == NULL);
    expect_int(end_process(&serve, SIGTERM), 0);
}

/** It ends with 2, and says this. */
static void expect_refused(const struct given *given, const char *complaint)
{
    char line[512];
    struct background serve = start_given(given, ARGV("serve"));
    expect_contains(next_line(&serve, line, sizeof line), complaint);
    expect_int(end_process(&serve, 0), 2);
}

TEST(serve_activation, what_cannot_be_right_is_told)
{
    struct given given = {.fds = "x"};
    expect_refused(&given, "LISTEN_FDS in the environment is to be a number up to 64, not 'x'");
    given.fds = NULL;
    expect_refused(&given, "not ''");
    given.fds = "65";
    expect_refused(&given, "not '65'");
    given.fds = "1";
    expect_refused(&given, "names descriptor 3, which is not open");
    given.pid = "me";
    expect_refused(&given, "LISTEN_PID in the environment is to be a number up to 2147483647");
    struct given no_socket = {.count = 1, .fds = "1"};
    no_socket.sockets[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    expect_refused(&no_socket, "descriptor 3 is no socket");
    no_socket.sockets[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect_refused(&no_socket, "descriptor 3 does not listen");
}
