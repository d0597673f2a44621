/* wrapped_calls.c - the calls of the system, each counted and made to fail as failing.h says.
 * Knows: what a failed call leaves behind: a connection that EINTR interrupts is on its way all the same, a close
 * that fails has closed, a connection that is lost stays lost. Does not know: which errno is worth trying (how.c). */
#include "tests/failures/failing.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define HERE __builtin_return_address(0)

/* A call that fails with an errno and does nothing. */
#define FAILING(result, name, kind, parameters, arguments)                                         \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        int how = failing_strike(FAILING_##kind, HERE);                                            \
        if (how == 0) {                                                                            \
            return __real_##name arguments;                                                        \
        }                                                                                          \
        errno = how;                                                                               \
        return -1;                                                                                 \
    }

FAILING(int, socket, SOCKET, (int family, int type, int protocol), (family, type, protocol))
FAILING(int, bind, BIND, (int fd, const struct sockaddr *at, socklen_t len), (fd, at, len))
FAILING(int, listen, LISTEN, (int fd, int backlog), (fd, backlog))
FAILING(int, accept4, ACCEPT, (int fd, struct sockaddr *at, socklen_t *len, int flags),
        (fd, at, len, flags))
FAILING(int, getsockopt, SOCKET_OPTION, (int fd, int level, int name, void *to, socklen_t *len),
        (fd, level, name, to, len))
FAILING(int, setsockopt, SOCKET_OPTION,
        (int fd, int level, int name, const void *to, socklen_t len), (fd, level, name, to, len))
FAILING(int, getsockname, SOCKET_NAME, (int fd, struct sockaddr *to, socklen_t *len), (fd, to, len))
FAILING(int, getpeername, SOCKET_NAME, (int fd, struct sockaddr *to, socklen_t *len), (fd, to, len))
FAILING(int, shutdown, SHUTDOWN, (int fd, int how_much), (fd, how_much))
FAILING(int, fsync, SYNC, (int fd), (fd))
FAILING(int, rename, RENAME, (const char *from, const char *to), (from, to))
FAILING(int, renameat, RENAME, (int from_at, const char *from, int to_at, const char *to),
        (from_at, from, to_at, to))
FAILING(int, mkdir, MAKE_FOLDER, (const char *path, mode_t mode), (path, mode))
FAILING(int, mkdirat, MAKE_FOLDER, (int at, const char *path, mode_t mode), (at, path, mode))
FAILING(int, fstat, STAT, (int fd, struct stat *to), (fd, to))
FAILING(int, stat, STAT, (const char *path, struct stat *to), (path, to))
FAILING(int, lstat, STAT, (const char *path, struct stat *to), (path, to))
FAILING(int, access, STAT, (const char *path, int mode), (path, mode))
FAILING(int, faccessat, STAT, (int at, const char *path, int mode, int flags),
        (at, path, mode, flags))
FAILING(int, gethostname, STAT, (char *name, size_t len), (name, len))
FAILING(ssize_t, getrandom, RANDOM, (void *to, size_t len, unsigned flags), (to, len, flags))
FAILING(int, timerfd_create, TIMER, (int clock, int flags), (clock, flags))
FAILING(int, epoll_create1, EPOLL_MAKE, (int flags), (flags))
FAILING(int, eventfd, EPOLL_MAKE, (unsigned value, int flags), (value, flags))
FAILING(int, pipe2, EPOLL_MAKE, (int fds[2], int flags), (fds, flags))

/* ---- not as simple ---- */

int __real_connect(int fd, const struct sockaddr *at, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *at, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *at, socklen_t len)
{
    int how = failing_strike(FAILING_CONNECT, HERE);
    int result = how == 0 || how == EINTR ? __real_connect(fd, at, len) : -1;
    if (how != 0 && (result == 0 || how != EINTR || errno == EINPROGRESS)) {
        errno = how;
        result = -1;
    }
    return result;
}

static int failed(int how)
{
    errno = how;
    return -1;
}

int __real_mkostemp(char *name, int flags);
int __wrap_mkostemp(char *name, int flags);
int __wrap_mkostemp(char *name, int flags)
{
    int how = failing_strike(FAILING_OPEN, HERE);
    if (how == 0) {
        return __real_mkostemp(name, flags);
    }
    memcpy(strstr(name, "XXXXXX"), "tried1", 6); /* as glibc leaves it */
    return failed(how);
}

/* One octet, however many were asked for. */
static size_t part_of(size_t len, int how)
{
    return how == FAILING_PARTLY && len > 1 ? 1 : len;
}

/* The same of a connection: it is over for both ends, unless only the system lacked something. */
static int lost(int fd, int how)
{
    int result = how == FAILING_END ? 0 : failed(how);
    if (how != EINTR && how != EAGAIN && how != ENOBUFS) {
        int saved = errno;
        (void)__real_shutdown(fd, SHUT_RDWR); /* of a file: refused */
        errno = saved;
    }
    return result;
}

ssize_t __real_recv(int fd, void *to, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t len, int flags)
{
    int how = failing_strike(FAILING_RECV, HERE);
    return how > 0 || how == FAILING_END ? lost(fd, how)
                                         : __real_recv(fd, to, part_of(len, how), flags);
}

ssize_t __real_send(int fd, const void *from, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *from, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *from, size_t len, int flags)
{
    int how = failing_strike(FAILING_SEND, HERE);
    return how > 0 ? lost(fd, how) : __real_send(fd, from, part_of(len, how), flags);
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    int how = failing_strike(FAILING_SEND, HERE);
    if (how == FAILING_PARTLY) {
        return __real_send(fd, message->msg_iov->iov_base, part_of(message->msg_iov->iov_len, how),
                           flags);
    }
    return how > 0 ? lost(fd, how) : __real_sendmsg(fd, message, flags);
}

/* Which sort of descriptor it is, from the kind of sockets on. */
static enum failing_kind sort_of(int fd, enum failing_kind of_socket)
{
    struct stat status;
    int saved = errno;
    enum failing_kind kind = of_socket + 2;
    extern int __real_fstat(int, struct stat *);
    if (__real_fstat(fd, &status) == 0) {
        kind = S_ISSOCK(status.st_mode)  ? of_socket
               : S_ISREG(status.st_mode) ? of_socket + 1
                                         : of_socket + 2;
    }
    errno = saved;
    return kind;
}

ssize_t __real_read(int fd, void *to, size_t len);
ssize_t __wrap_read(int fd, void *to, size_t len);
ssize_t __wrap_read(int fd, void *to, size_t len)
{
    int how = failing_strike(sort_of(fd, FAILING_READ_SOCKET), HERE);
    return how == FAILING_END ? 0 : how > 0 ? failed(how) : __real_read(fd, to, part_of(len, how));
}

ssize_t __real_pread(int fd, void *to, size_t len, off_t at);
ssize_t __wrap_pread(int fd, void *to, size_t len, off_t at);
ssize_t __wrap_pread(int fd, void *to, size_t len, off_t at)
{
    int how = failing_strike(FAILING_READ_FILE, HERE);
    return how == FAILING_END ? 0
           : how > 0          ? failed(how)
                              : __real_pread(fd, to, part_of(len, how), at);
}

ssize_t __real_write(int fd, const void *from, size_t len);
ssize_t __wrap_write(int fd, const void *from, size_t len);
ssize_t __wrap_write(int fd, const void *from, size_t len)
{
    int how = failing_strike(sort_of(fd, FAILING_WRITE_SOCKET), HERE);
    return how > 0 ? lost(fd, how) : __real_write(fd, from, part_of(len, how));
}

ssize_t __real_writev(int fd, const struct iovec *parts, int count);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
    int how = failing_strike(sort_of(fd, FAILING_WRITE_SOCKET), HERE);
    if (how == FAILING_PARTLY) {
        return __real_write(fd, parts->iov_base, part_of(parts->iov_len, how));
    }
    return how > 0 ? lost(fd, how) : __real_writev(fd, parts, count);
}

int __real_poll(struct pollfd *items, nfds_t count, int wait_ms);
int __wrap_poll(struct pollfd *items, nfds_t count, int wait_ms);
int __wrap_poll(struct pollfd *items, nfds_t count, int wait_ms)
{
    int how = failing_strike(FAILING_POLL, HERE);
    return how > 0 ? failed(how) : how == FAILING_IDLY ? 0 : __real_poll(items, count, wait_ms);
}

int __real_epoll_pwait(int fd, struct epoll_event *to, int most, int wait_ms, const sigset_t *mask);
int __wrap_epoll_pwait(int fd, struct epoll_event *to, int most, int wait_ms, const sigset_t *mask);
int __wrap_epoll_pwait(int fd, struct epoll_event *to, int most, int wait_ms, const sigset_t *mask)
{
    int how = failing_strike(FAILING_EPOLL, HERE);
    return how > 0 ? failed(how) : __real_epoll_pwait(fd, to, most, wait_ms, mask);
}

int __real_epoll_wait(int fd, struct epoll_event *to, int most, int wait_ms);
int __wrap_epoll_wait(int fd, struct epoll_event *to, int most, int wait_ms);
int __wrap_epoll_wait(int fd, struct epoll_event *to, int most, int wait_ms)
{
    int how = failing_strike(FAILING_EPOLL, HERE);
    return how > 0 ? failed(how) : __real_epoll_wait(fd, to, most, wait_ms);
}

/* The mode counts only where a file may be made. */
static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    int how = failing_strike(FAILING_OPEN, HERE);
    return how > 0 ? failed(how) : __real_open(path, flags, mode);
}

int __real_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    int how = failing_strike(FAILING_OPEN, HERE);
    return how > 0 ? failed(how) : __real_openat(at, path, flags, mode);
}

/* Only the locking of a file can fail. */
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    int how = command == F_OFD_SETLK ? failing_strike(FAILING_LOCK, HERE) : 0;
    return how > 0 ? failed(how) : __real_fcntl(fd, command, argument);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    bool file = sort_of(fd, FAILING_READ_SOCKET) == FAILING_READ_FILE;
    int how = file ? failing_strike(FAILING_CLOSE_FILE, HERE) : 0;
    int result = __real_close(fd);
    return how > 0 ? failed(how) : result;
}

int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out)
{
    int how = failing_strike(FAILING_RESOLVE, HERE);
    if (how > 0) {
        errno = how;
        return EAI_SYSTEM;
    }
    return how < 0 ? how : __real_getaddrinfo(host, port, hints, out);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *user);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *user);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *user)
{
    int how = failing_strike(FAILING_THREAD, HERE);
    return how != 0 ? how : __real_pthread_create(thread, attributes, run, user);
}

int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    return failing_strike(FAILING_CONDITION, HERE) != 0
               ? 0
               : __real_pthread_cond_wait(condition, mutex);
}

int __real_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    return failing_strike(FAILING_CONDITION, HERE) != 0
               ? 0
               : __real_pthread_cond_timedwait(condition, mutex, until);
}
