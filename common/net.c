/* net.c - see net.h.
 * Knows: POSIX sockets. Does not know: what goes through them, TLS, event loops. */
#include "common/net.h"

#include "common/clock.h"
#include "common/error.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel lowers it to its own bound (net.core.somaxconn) */
/* A first address that answers nothing must leave time for the others, and no address is tried for
 * less. */
#define SHORTEST_TRY_NS (50 * SMTP_NS_PER_MS)
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT (-1) /* Linux has it; elsewhere to set it fails harmlessly */
#endif

static int open_socket(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Small replies must not wait for the peer's acknowledgement. Fails harmlessly on a Unix socket. */
static void send_at_once(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* Else bind() would take a port of the address for one connection alone, with whatever peer, and for as long as it is
 * in TIME_WAIT: one address has few. */
static void choose_port_when_connecting(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
}

static int close_keeping_errno(int fd)
{
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* Whether the socket file at this path has no listener: only the refusal of a connection says so.
 */
static bool is_stale(const struct sockaddr_storage *where, socklen_t len)
{
    const struct sockaddr_un *local = (const struct sockaddr_un *)where;
    struct stat status;
    if (lstat(local->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return false;
    }
    int fd = open_socket(AF_UNIX);
    if (fd < 0) {
        return false;
    }
    bool refused = connect(fd, (const struct sockaddr *)where, len) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int bind_to(int fd, const struct sockaddr_storage *where, socklen_t len)
{
    int result = bind(fd, (const struct sockaddr *)where, len);
    if (result == 0 || errno != EADDRINUSE || where->ss_family != AF_UNIX) {
        return result;
    }
    if (!is_stale(where, len)) {
        errno = EADDRINUSE;
        return -1;
    }
    unlink(((const struct sockaddr_un *)where)->sun_path);
    return bind(fd, (const struct sockaddr *)where, len);
}

/* SO_REUSEADDR lets a server come back to its port while old connections are in TIME_WAIT;
 * SO_REUSEPORT would let two servers share it unnoticed. "[::]" takes IPv6 only, so that "0.0.0.0"
 * may stand beside. */
static int open_listener(const struct sockaddr_storage *where, socklen_t len)
{
    int fd = open_socket(where->ss_family);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    if (where->ss_family != AF_UNIX) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    if (where->ss_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (bind_to(fd, where, len) != 0 || listen(fd, BACKLOG) != 0) {
        return close_keeping_errno(fd);
    }
    return fd;
}

enum smtp_status smtp_net_listen(const struct smtp_address *address, int *fd,
                                 struct smtp_error *error)
{
    struct sockaddr_storage where;
    socklen_t len = 0;
    *fd = -1;
    enum smtp_status status = smtp_address_to_sockaddr(address, &where, &len, error);
    if (status != SMTP_OK) {
        return status;
    }
    *fd = open_listener(&where, len);
    if (*fd >= 0) {
        return SMTP_OK;
    }
    int reason = errno;
    char text[SMTP_ADDRESS_TEXT_SIZE];
    smtp_address_format(address, text);
    return smtp_error_set(error, SMTP_LISTEN_FAILED, reason, "cannot listen on %s: %s", text,
                          smtp_errno_text(reason));
}

static int socket_option(int fd, int option)
{
    int value = -1;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

enum smtp_status smtp_net_check_listener(int fd, struct smtp_address *address,
                                         struct smtp_error *error)
{
    int domain = socket_option(fd, SO_DOMAIN);
    const char *what = NULL;
    if (fcntl(fd, F_GETFD) < 0) {
        what = "is not open";
    } else if (domain < 0) {
        what = "is no socket";
    } else if ((domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX) ||
               socket_option(fd, SO_TYPE) != SOCK_STREAM) {
        what = "is no TCP or Unix stream socket";
    } else if (socket_option(fd, SO_ACCEPTCONN) != 1) {
        what = "does not listen";
    }
    if (what != NULL) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "descriptor %d %s; a socket that listens already is wanted", fd,
                              what);
    }
    smtp_address_of_socket(fd, false, address);
    return SMTP_OK;
}

void smtp_net_take_listener(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int smtp_net_accept(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            send_at_once(fd);
            return fd;
        }
        if (errno != ECONNABORTED && errno != EINTR) {
            return -1;
        }
    }
}

enum smtp_status smtp_net_wait(int fd, bool write, uint64_t deadline_ns)
{
    struct pollfd item = {.fd = fd, .events = write ? POLLOUT : POLLIN};
    for (;;) {
        uint64_t now_ns = smtp_clock_now_ns();
        int ready = poll(&item, 1, smtp_clock_poll_ms(now_ns, deadline_ns));
        if (ready > 0) {
            return SMTP_OK; /* an error on the socket is told by the read or write that follows */
        }
        if (ready == 0 && smtp_clock_now_ns() >= deadline_ns) {
            return SMTP_TIMED_OUT;
        }
        if (ready < 0 && errno != EINTR && errno != EAGAIN) {
            return SMTP_SYSTEM_FAILED;
        }
    }
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

enum smtp_status smtp_net_read(int fd, void *bytes, size_t capacity, uint64_t deadline_ns,
                               size_t *len)
{
    *len = 0;
    for (;;) {
        ssize_t got = recv(fd, bytes, capacity, 0);
        if (got > 0) {
            *len = (size_t)got;
            return SMTP_OK;
        }
        if (got == 0) {
            return SMTP_CLOSED;
        }
        if (errno == EINTR) {
            continue;
        }
        if (!would_block()) {
            return SMTP_CLOSED;
        }
        enum smtp_status status = smtp_net_wait(fd, false, deadline_ns);
        if (status != SMTP_OK) {
            return status;
        }
    }
}

enum smtp_status smtp_net_write(int fd, const struct iovec *parts, int part_count,
                                uint64_t deadline_ns, size_t *len)
{
    /* sendmsg does not change the vector; its struct only lacks the const */
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts,
                             .msg_iovlen = (size_t)part_count};
    *len = 0;
    for (;;) {
        ssize_t sent = part_count == 1 ? send(fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL)
                                       : sendmsg(fd, &message, MSG_NOSIGNAL);
        if (sent >= 0) {
            *len = (size_t)sent;
            return SMTP_OK;
        }
        if (errno == EINTR) {
            continue;
        }
        if (!would_block()) {
            return SMTP_CLOSED;
        }
        enum smtp_status status = smtp_net_wait(fd, true, deadline_ns);
        if (status != SMTP_OK) {
            return status;
        }
    }
}

/* ---- connecting ---- */

/* What is tried, in what time, and what came of it last. */
struct attempt {
    const struct smtp_address *address;
    const char *source;
    uint64_t deadline_ns;
    int reason;     /* errno of the last failure */
    bool timed_out; /* the last failure was the clock's */
};

static bool bind_source(int fd, int family, const char *source)
{
    if (source == NULL || family == AF_UNIX) {
        return true;
    }
    struct smtp_address local = {.kind = SMTP_ADDRESS_TCP};
    struct sockaddr_storage where;
    socklen_t len = 0;
    snprintf(local.host, sizeof local.host, "%s", source);
    if (smtp_address_to_sockaddr(&local, &where, &len, NULL) != SMTP_OK) {
        errno = EINVAL;
        return false;
    }
    if (where.ss_family != family) {
        errno = EAFNOSUPPORT;
        return false;
    }
    choose_port_when_connecting(fd);
    return bind(fd, (const struct sockaddr *)&where, len) == 0;
}

int smtp_net_connect_begin(const struct sockaddr *where, socklen_t len, const char *source,
                           int *reason)
{
    int fd = open_socket(where->sa_family);
    *reason = 0;
    if (fd < 0 || !bind_source(fd, where->sa_family, source)) {
        *reason = errno;
    } else if (connect(fd, where, len) != 0) {
        *reason = errno == EINTR ? EINPROGRESS : errno;
    }
    if (*reason == 0 || *reason == EINPROGRESS) {
        send_at_once(fd);
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

int smtp_net_connect_end(int fd)
{
    int reason = 0;
    socklen_t len = sizeof reason;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &len) == 0 ? reason : errno;
}

/* ETIMEDOUT when the clock ended it. */
static int await_connect(int fd, uint64_t deadline_ns, bool *timed_out)
{
    if (smtp_net_wait(fd, true, deadline_ns) != SMTP_OK) {
        *timed_out = true;
        return ETIMEDOUT;
    }
    return smtp_net_connect_end(fd);
}

static int try_address(struct attempt *attempt, const struct sockaddr *where, socklen_t len,
                       uint64_t deadline_ns)
{
    attempt->timed_out = false;
    int reason = 0;
    int fd = smtp_net_connect_begin(where, len, attempt->source, &reason);
    if (reason == EINPROGRESS) {
        reason = await_connect(fd, deadline_ns, &attempt->timed_out);
    }
    if (reason == 0) {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    attempt->reason = reason;
    return -1;
}

static uint64_t fair_share(uint64_t now_ns, uint64_t deadline_ns, unsigned tries_left)
{
    if (deadline_ns == SMTP_NEVER || tries_left <= 1 || deadline_ns <= now_ns) {
        return deadline_ns;
    }
    uint64_t share_ns = (deadline_ns - now_ns) / tries_left;
    share_ns = share_ns < SHORTEST_TRY_NS ? SHORTEST_TRY_NS : share_ns;
    return smtp_deadline_earlier(now_ns + share_ns, deadline_ns);
}

static int try_all(struct attempt *attempt, const struct addrinfo *found)
{
    unsigned tries_left = 0;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        tries_left++;
    }
    int fd = -1;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next, tries_left--) {
        uint64_t now_ns = smtp_clock_now_ns();
        if (now_ns >= attempt->deadline_ns && at != found) {
            break; /* reason and timed_out still tell of the try before */
        }
        fd = try_address(attempt, at->ai_addr, at->ai_addrlen,
                         fair_share(now_ns, attempt->deadline_ns, tries_left));
    }
    return fd;
}

static enum smtp_status resolve(const struct smtp_address *address, struct addrinfo **found,
                                struct smtp_error *error)
{
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)address->port);
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    int failure = getaddrinfo(address->host, port, &hints, found);
    if (failure == 0) {
        return SMTP_OK;
    }
    int reason = failure == EAI_SYSTEM ? errno : 0;
    return smtp_error_set(error, SMTP_RESOLVE_FAILED, reason, "%s has no address: %s",
                          address->host, gai_strerror(failure));
}

static enum smtp_status tell_failure(const struct attempt *attempt, struct smtp_error *error)
{
    char text[SMTP_ADDRESS_TEXT_SIZE];
    smtp_address_format(attempt->address, text);
    if (attempt->timed_out && smtp_clock_now_ns() >= attempt->deadline_ns) {
        return smtp_error_set(error, SMTP_TIMED_OUT, ETIMEDOUT,
                              "no connection to %s before the deadline", text);
    }
    return smtp_error_set(error, SMTP_CONNECT_FAILED, attempt->reason, "cannot connect to %s: %s",
                          text, smtp_errno_text(attempt->reason));
}

enum smtp_status smtp_net_connect(const struct smtp_address *address, const char *source,
                                  uint64_t deadline_ns, int *fd, struct smtp_error *error)
{
    struct attempt attempt = {address, source, deadline_ns, 0, false};
    *fd = -1;
    if (address->kind == SMTP_ADDRESS_UNIX) {
        struct sockaddr_storage where;
        socklen_t len = 0;
        enum smtp_status status = smtp_address_to_sockaddr(address, &where, &len, error);
        if (status != SMTP_OK) {
            return status;
        }
        *fd = try_address(&attempt, (const struct sockaddr *)&where, len, deadline_ns);
        return *fd >= 0 ? SMTP_OK : tell_failure(&attempt, error);
    }
    struct addrinfo *found = NULL;
    enum smtp_status status = resolve(address, &found, error);
    if (status != SMTP_OK) {
        return status;
    }
    *fd = try_all(&attempt, found);
    freeaddrinfo(found);
    return *fd >= 0 ? SMTP_OK : tell_failure(&attempt, error);
}
