/* net.h - sockets: listening, connecting and moving octets, all non-blocking underneath, with
 * deadlines. SIGPIPE is never raised. Every descriptor is close-on-exec. */
#ifndef SMTP_COMMON_NET_H
#define SMTP_COMMON_NET_H

#include "common/address.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/** A listening, non-blocking socket in *fd. SO_REUSEADDR, never SO_REUSEPORT. A Unix socket's path
 *  that nobody listens on any more is taken over. SMTP_LISTEN_FAILED says address and reason. */
enum smtp_status smtp_net_listen(const struct smtp_address *address, int *fd,
                                 struct smtp_error *error) SMTP_MUST_CHECK;

/** Whether the descriptor is a stream socket, TCP or Unix, that listens already; then its address. Else
 *  SMTP_BAD_ARGUMENT says what it is. */
enum smtp_status smtp_net_check_listener(int fd, struct smtp_address *address,
                                         struct smtp_error *error) SMTP_MUST_CHECK;
/** Makes such a socket, opened by somebody else, as smtp_net_listen makes one. */
void smtp_net_take_listener(int fd);

/** Accepts one connection, non-blocking, TCP_NODELAY. Returns the descriptor, or -1 with errno;
 *  ECONNABORTED and EINTR are taken care of. */
int smtp_net_accept(int listener);

/** Connects before the deadline: resolves the host (getaddrinfo) and tries each address in turn,
 *  each with a fair share of the time left. source: a numeric local address to bind, or NULL.
 *  SMTP_RESOLVE_FAILED, SMTP_CONNECT_FAILED (host, port and the last reason), SMTP_TIMED_OUT. */
enum smtp_status smtp_net_connect(const struct smtp_address *address, const char *source,
                                  uint64_t deadline_ns, int *fd, struct smtp_error *error)
    SMTP_MUST_CHECK;

/** Begins to connect to one address, without waiting: the socket, *reason 0 where it is connected, EINPROGRESS where it will
 *  be writable when that is decided; -1 with *reason, an errno. source as above. */
int smtp_net_connect_begin(const struct sockaddr *where, socklen_t len, const char *source,
                           int *reason);
/** How it was decided: 0 or an errno. */
int smtp_net_connect_end(int fd);

/** Waits until the descriptor can be read (write false) or written. SMTP_OK or SMTP_TIMED_OUT. */
enum smtp_status smtp_net_wait(int fd, bool write, uint64_t deadline_ns) SMTP_MUST_CHECK;

/** Reads what is there, at least one octet. SMTP_CLOSED at end of file or reset, SMTP_TIMED_OUT. */
enum smtp_status smtp_net_read(int fd, void *bytes, size_t capacity, uint64_t deadline_ns,
                               size_t *len) SMTP_MUST_CHECK;

/** Writes what the socket takes, at least one octet. SMTP_CLOSED, SMTP_TIMED_OUT. */
enum smtp_status smtp_net_write(int fd, const struct iovec *parts, int part_count,
                                uint64_t deadline_ns, size_t *len) SMTP_MUST_CHECK;

#endif
