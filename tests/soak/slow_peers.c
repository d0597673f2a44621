/* slow_peers.c - see slow_peers.h.
 * Knows: what each kind says and when; one loop (epoll) has them all, and a round of it takes a peer so much at most, so that
 * it is these that are slow and not their process. */
#include "tests/soak/slow_peers.h"

#include "common/clock.h"
#include "tests/bench/raw_client.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256
#define BEAT_NS 1000000000 /* an octet of the slow ones */
#define BLOCK_OCTETS 16384

static const char *const names[SLOW_KINDS] = {
    "silent peers",          "slow commands",     "slow content",        "slow handshakes",
    "peers that never read", "lines without end", "content without end",
};

const char *slow_kind_name(enum slow_kind kind)
{
    return names[kind];
}

struct peers {
    const struct slow_order *order;
    int epoll;
    int *fds; /* -1: gone */
    unsigned left;
    char block[BLOCK_OCTETS]; /* what the fast ones send, again and again */
    uint64_t begin_ns;
    struct slow_answer answer;
};

static bool floods(enum slow_kind kind)
{
    return kind >= SLOW_READER;
}

static void fill_block(struct peers *peers)
{
    const char *unit = peers->order->kind == SLOW_READER         ? "HELP\r\n"
                       : peers->order->kind == SLOW_ENDLESS_LINE ? "xxxxxxxx"
                                                                 : "content, and more of it\r\n";
    size_t len = strlen(unit);
    for (size_t i = 0; i < BLOCK_OCTETS; i++) {
        peers->block[i] = unit[i % len];
    }
}

static bool say(int fd, const char *line)
{
    return raw_client_say(fd, line, strlen(line));
}

static int open_peer(const struct slow_order *order)
{
    int fd = raw_client_open(order->port);
    bool opened = fd >= 0;
    if (opened && order->kind == SLOW_HANDSHAKE) {
        opened = say(fd, "STARTTLS\r\n");
    }
    if (opened && (order->kind == SLOW_CONTENT || order->kind == SLOW_ENDLESS_CONTENT)) {
        opened = say(fd, "MAIL FROM:<ann@example.com>\r\n") &&
                 say(fd, "RCPT TO:<bob@example.com>\r\n") && say(fd, "DATA\r\n");
    }
    if (fd >= 0 && !opened) {
        close(fd);
        return -1;
    }
    return fd;
}

static void gone(struct peers *peers, unsigned i)
{
    close(peers->fds[i]);
    peers->fds[i] = -1;
    peers->left--;
    peers->answer.cut++;
    peers->answer.longest_ms = (smtp_clock_now_ns() - peers->begin_ns) / 1000000;
}

static bool put(struct peers *peers, unsigned i, const char *octets, size_t len)
{
    ssize_t put = write(peers->fds[i], octets, len);
    if (put < 0 && errno != EAGAIN && errno != EINTR) {
        gone(peers, i);
        return false;
    }
    peers->answer.sent_octets += put > 0 ? (uint64_t)put : 0;
    return true;
}

/* Whether the peer heard the end; what it is told before is read off, but not by one that never reads. */
static bool hears_the_end(const struct peers *peers, unsigned i, uint32_t events)
{
    char octets[4096];
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        return true;
    }
    if (peers->order->kind == SLOW_READER || (events & EPOLLIN) == 0) {
        return false;
    }
    ssize_t got = read(peers->fds[i], octets, sizeof octets);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

static void open_all(struct peers *peers)
{
    const struct slow_order *order = peers->order;
    for (unsigned i = 0; i < order->count; i++) {
        peers->fds[i] = open_peer(order);
        if (peers->fds[i] < 0) {
            continue;
        }
        uint32_t wanted = order->kind == SLOW_READER ? EPOLLOUT : EPOLLIN;
        struct epoll_event event = {.events = wanted | (floods(order->kind) ? EPOLLOUT : 0),
                                    .data.u32 = i};
        (void)epoll_ctl(peers->epoll, EPOLL_CTL_ADD, peers->fds[i], &event);
        peers->answer.opened++;
        peers->left++;
    }
}

/* An octet of each slow one. "\x16...": a TLS record that says it is long. */
static void beat(struct peers *peers, unsigned beats)
{
    static const char hello[] =
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on, an octet a second";
    for (unsigned i = 0; i < peers->order->count; i++) {
        if (peers->fds[i] >= 0) {
            (void)put(
                peers, i,
                peers->order->kind == SLOW_HANDSHAKE ? hello + beats % (sizeof hello - 1) : "x", 1);
        }
    }
}

static void run(struct peers *peers)
{
    struct epoll_event events[EVENTS];
    uint64_t end_ns = smtp_deadline_after(peers->begin_ns, peers->order->give_up_ms);
    uint64_t next_ns = smtp_clock_now_ns() + BEAT_NS;
    unsigned beats = 0;
    while (peers->left > 0 && smtp_clock_now_ns() < end_ns) {
        int count = epoll_wait(
            peers->epoll, events, EVENTS,
            smtp_clock_poll_ms(smtp_clock_now_ns(), next_ns < end_ns ? next_ns : end_ns));
        for (int k = 0; k < count; k++) {
            unsigned i = events[k].data.u32;
            if (hears_the_end(peers, i, events[k].events)) {
                gone(peers, i);
            } else if ((events[k].events & EPOLLOUT) != 0) {
                (void)put(peers, i, peers->block, BLOCK_OCTETS);
            }
        }
        if (smtp_clock_now_ns() >= next_ns) {
            next_ns += BEAT_NS;
            if (!floods(peers->order->kind) && peers->order->kind != SLOW_SILENT) {
                beat(peers, beats++);
            }
        }
    }
}

void slow_obey(int orders, int answers)
{
    static struct peers peers;
    struct slow_order order;
    soak_allow_descriptors();
    (void)signal(SIGPIPE, SIG_IGN); /* this process writes to peers that go */
    while (soak_read(orders, &order, sizeof order)) {
        peers = (struct peers){.order = &order, .begin_ns = smtp_clock_now_ns()};
        peers.epoll = epoll_create1(EPOLL_CLOEXEC);
        peers.fds = calloc(order.count, sizeof *peers.fds);
        if (peers.epoll < 0 || peers.fds == NULL) {
            break;
        }
        fill_block(&peers);
        open_all(&peers);
        run(&peers);
        for (unsigned i = 0; i < order.count; i++) {
            if (peers.fds[i] >= 0) {
                close(peers.fds[i]);
            }
        }
        close(peers.epoll);
        free(peers.fds);
        if (!soak_write(answers, &peers.answer, sizeof peers.answer)) {
            break;
        }
    }
}
