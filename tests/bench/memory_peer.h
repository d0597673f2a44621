/* memory_peer.h - the other end of TLS sessions, in a process of its own: its heap is not to be counted. */
#ifndef SMTP_TESTS_BENCH_MEMORY_PEER_H
#define SMTP_TESTS_BENCH_MEMORY_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct memory_peer {
    pid_t process;
    int orders, answers;
};

/** Before there is any thread. */
bool memory_peer_start(struct memory_peer *peer);
/** Opens as many more sessions by STARTTLS, each with an EHLO behind it; they stay open until the end. */
bool memory_peer_open(const struct memory_peer *peer, uint16_t port, unsigned count);
void memory_peer_end(const struct memory_peer *peer);

#endif
