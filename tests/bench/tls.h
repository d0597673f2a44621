/* tls.h - the parts of the program `tls`, which measures what TLS costs. Each prints what it has to say
 * on one line and returns the exit status. */
#ifndef SMTP_TESTS_BENCH_TLS_H
#define SMTP_TESTS_BENCH_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Prints a free port of 127.0.0.1 and does there no more than STARTTLS takes, until standard input
 *  ends: canned replies around common/tls.h, as little as a server of ours could be. */
int tls_acceptor(void);

/** What a source of sessions is to do. */
struct tls_load {
    uint16_t port;
    uint64_t session_count; /* over all threads */
    unsigned thread_count;  /* each has one session at a time; 1..TLS_THREADS_MAX */
    bool starttls;          /* EHLO, STARTTLS, handshake, EHLO, QUIT; else the handshake alone */
    bool resumed;           /* each takes up one earlier session again */
};
#define TLS_THREADS_MAX 64

/** Prints "rate N": sessions a second. */
int tls_source(const struct tls_load *load);

/** Prints "rate N own_ms N other_ms N": octets a second, and the processor time of the calling thread and
 *  of the others, through two channels joined in memory: encrypting and decrypting take turns on one
 *  thread. */
int tls_memory(size_t size_octets);

/** Prints the same of one message from the client library (own) to a server on a thread of its own
 *  (other), until the 250. */
int tls_message(size_t size_octets, bool secure);

#endif
