/* raw_client.h - the least of a client, on a plain socket and with nothing of its own on the heap,
 * so that the benchmarks measure the server only. Step by step: one command, one reply. */
#ifndef SMTP_TESTS_BENCH_RAW_CLIENT_H
#define SMTP_TESTS_BENCH_RAW_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Connects to 127.0.0.1, takes the greeting, says EHLO. The descriptor (non-blocking), or -1 with
 *  the reason on standard error. */
int raw_client_open(uint16_t port);
/** The same from a numeric address of this host; NULL: any. */
int raw_client_open_from(const char *from, uint16_t port);

/** Writes the octets and reads one whole reply. True: a 2yz or 3yz. */
bool raw_client_say(int fd, const char *octets, size_t len);

/** Writes all of it, waiting where the socket is full. */
bool raw_client_write(int fd, const char *octets, size_t len);

#endif
