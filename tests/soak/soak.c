/* soak.c - see soak.h. */
#include "tests/soak/soak.h"

#include "common/clock.h"
#include "common/net.h"
#include "tests/support/wire.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETTLE_MS 10000

/* ---- what is held ---- */

static size_t resident_octets(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%*u %lu", &pages) != 1) {
            pages = 0;
        }
        fclose(file);
    }
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

struct soak_holding soak_holding(void)
{
    struct mallinfo2 account = mallinfo2();
    return (struct soak_holding){.descriptors = smtp_count_descriptors(),
                                 .threads = smtp_count_threads(),
                                 .heap_octets = account.uordblks + account.hblkhd,
                                 .resident_octets = resident_octets()};
}

bool soak_holds_no_more(const char *what, const struct soak_holding *then, size_t heap_slack_octets)
{
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), SETTLE_MS);
    struct soak_holding now = soak_holding();
    while ((now.threads > then->threads || now.descriptors > then->descriptors) &&
           smtp_clock_now_ns() < deadline_ns) {
        sched_yield();
        now = soak_holding();
    }
    bool held = now.descriptors == then->descriptors && now.threads == then->threads &&
                now.heap_octets <= then->heap_octets + heap_slack_octets;
    if (!held) {
        printf("FAIL %s: descriptors %u to %u, threads %u to %u, heap %zu to %zu\n", what,
               then->descriptors, now.descriptors, then->threads, now.threads, then->heap_octets,
               now.heap_octets);
    }
    return held;
}

size_t soak_allow_descriptors(void)
{
    struct rlimit limit = {0};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur;
}

void soak_tick(unsigned ms)
{
    (void)poll(NULL, 0, (int)ms);
}

uint64_t soak_argument(int argc, char **argv, int i, uint64_t otherwise)
{
    if (i >= argc) {
        return otherwise;
    }
    char *end = argv[i];
    errno = 0;
    uint64_t value = strtoull(argv[i], &end, 10);
    if (end == argv[i] || *end != '\0' || errno != 0) {
        fprintf(stderr, "%s: \"%s\" is no number\n", argv[0], argv[i]);
        exit(2);
    }
    return value;
}

uint64_t soak_chance(uint64_t *state)
{
    uint64_t mixed = *state += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}

/* ---- the other process ---- */

bool soak_child_start(struct soak_child *child, void (*obey)(int orders, int answers))
{
    int orders[2], answers[2];
    pid_t parent = getpid();
    if (pipe(orders) != 0 || pipe(answers) != 0) {
        return false;
    }
    fflush(stdout);
    child->pid = fork();
    if (child->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(orders[1]);
        close(answers[0]);
        if (getppid() == parent) {
            obey(orders[0], answers[1]);
        }
        fflush(stdout);
        _exit(0);
    }
    close(orders[0]);
    close(answers[1]);
    child->orders = orders[1];
    child->answers = answers[0];
    return child->pid > 0;
}

bool soak_read(int fd, void *octets, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t got = read(fd, (char *)octets + done, len - done);
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

bool soak_write(int fd, const void *octets, size_t len)
{
    return write(fd, octets, len) == (ssize_t)len; /* less than PIPE_BUF */
}

bool soak_child_order(const struct soak_child *child, const void *order, size_t len)
{
    return soak_write(child->orders, order, len);
}

bool soak_child_waits(const struct soak_child *child, unsigned ms)
{
    struct pollfd poll_fd = {.fd = child->answers, .events = POLLIN};
    return poll(&poll_fd, 1, (int)ms) > 0;
}

bool soak_child_answer(const struct soak_child *child, void *answer, size_t len, unsigned ms)
{
    return soak_child_waits(child, ms) && soak_read(child->answers, answer, len);
}

void soak_child_end(struct soak_child *child)
{
    if (child->pid > 0) {
        close(child->orders);
        close(child->answers);
        (void)kill(child->pid, SIGKILL);
        (void)waitpid(child->pid, NULL, 0);
        child->pid = 0;
    }
}
