/* wire.c - see wire.h. Moves octets between a socket of common/net.h and a TLS connection of common/tls.h. */
#include "harness/dialogue/wire.h"

#include "common/clock.h"
#include "common/net.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEARD_MAX ((size_t)64 << 20)
#define READ_OCTETS ((size_t)16384)

void smtp_dialogue_wire_init(struct smtp_dialogue_wire *wire, int fd)
{
    *wire = (struct smtp_dialogue_wire){.fd = fd, .heard = SMTP_BUFFER(HEARD_MAX)};
}

static void end(struct smtp_dialogue_wire *wire, bool was_reset)
{
    wire->ended = true;
    wire->was_reset = wire->was_reset || was_reset;
    wire->heard_ns = smtp_clock_now_ns();
}

static enum smtp_status keep(struct smtp_dialogue_wire *wire, const char *octets, size_t len)
{
    wire->heard_ns = smtp_clock_now_ns();
    return smtp_buffer_append(&wire->heard, octets, len);
}

/** Decrypts what there is. SMTP_OK: something was, or the end came. SMTP_TIMED_OUT: nothing yet. */
static enum smtp_status decrypt(struct smtp_dialogue_wire *wire)
{
    char octets[READ_OCTETS];
    size_t len = 0, before = wire->heard.len;
    for (;;) {
        switch (smtp_tls_read(wire->tls, octets, sizeof octets, &len)) {
        case SMTP_TLS_DONE: {
            enum smtp_status status = keep(wire, octets, len);
            if (status != SMTP_OK) {
                return status;
            }
            break;
        }
        case SMTP_TLS_ENDED:
            end(wire, false);
            return SMTP_OK;
        case SMTP_TLS_BROKEN:
            return SMTP_TLS_FAILED;
        default:
            return wire->heard.len > before ? SMTP_OK : SMTP_TIMED_OUT;
        }
    }
}

/** One read of the socket, waiting until the deadline: what came is in `octets`, or the end came. */
static enum smtp_status read_socket(struct smtp_dialogue_wire *wire, char octets[READ_OCTETS],
                                    uint64_t deadline_ns, size_t *len)
{
    errno = 0;
    enum smtp_status status = smtp_net_read(wire->fd, octets, READ_OCTETS, deadline_ns, len);
    if (status == SMTP_CLOSED) {
        end(wire, errno == ECONNRESET || errno == EPIPE);
        return SMTP_OK;
    }
    return status;
}

enum smtp_status smtp_dialogue_wire_hear(struct smtp_dialogue_wire *wire, uint64_t deadline_ns)
{
    char octets[READ_OCTETS];
    enum smtp_status status = wire->tls != NULL && !wire->ended ? decrypt(wire) : SMTP_TIMED_OUT;
    while (status == SMTP_TIMED_OUT && !wire->ended) {
        size_t len = 0;
        status = read_socket(wire, octets, deadline_ns, &len);
        if (status != SMTP_OK || wire->ended) {
            return status;
        }
        if (wire->tls == NULL) {
            return keep(wire, octets, len);
        }
        status = smtp_tls_receive(wire->tls, octets, len) ? decrypt(wire) : SMTP_NO_MEMORY;
    }
    return wire->ended ? SMTP_OK : status;
}

/** Reads only what is there already. */
static enum smtp_status hear_what_is_there(struct smtp_dialogue_wire *wire)
{
    enum smtp_status status = smtp_dialogue_wire_hear(wire, smtp_clock_now_ns());
    return status == SMTP_TIMED_OUT ? SMTP_OK : status;
}

/** Waits until the socket takes octets; `hears`: or until some come. */
static enum smtp_status wait_to_write(struct smtp_dialogue_wire *wire, bool hears,
                                      uint64_t deadline_ns)
{
    struct pollfd item = {.fd = wire->fd, .events = (short)(POLLOUT | (hears ? POLLIN : 0))};
    for (;;) {
        uint64_t now_ns = smtp_clock_now_ns();
        if (now_ns >= deadline_ns) {
            return SMTP_TIMED_OUT;
        }
        int ready = poll(&item, 1, smtp_clock_poll_ms(now_ns, deadline_ns));
        if (ready < 0 && errno != EINTR && errno != EAGAIN) {
            return SMTP_SYSTEM_FAILED;
        }
        if (ready > 0) {
            return hears && (item.revents & POLLIN) != 0 ? hear_what_is_there(wire) : SMTP_OK;
        }
    }
}

/** Writes all of `octets`, which for TLS is encrypted already. */
static enum smtp_status write_all(struct smtp_dialogue_wire *wire, struct smtp_span octets,
                                  bool hears, uint64_t deadline_ns)
{
    while (octets.len > 0) {
        struct iovec part = {.iov_base = (void *)(uintptr_t)octets.bytes, .iov_len = octets.len};
        size_t written = 0;
        enum smtp_status status = smtp_net_write(wire->fd, &part, 1, smtp_clock_now_ns(), &written);
        if (status == SMTP_TIMED_OUT) {
            status = wait_to_write(wire, hears && !wire->ended, deadline_ns);
        }
        if (status != SMTP_OK) {
            wire->was_reset = wire->was_reset || status == SMTP_CLOSED;
            return status;
        }
        octets.bytes += written;
        octets.len -= written;
    }
    return SMTP_OK;
}

/** From a copy, for what is pending moves where octets are decrypted meanwhile. */
static enum smtp_status write_pending(struct smtp_dialogue_wire *wire, bool hears,
                                      uint64_t deadline_ns)
{
    struct smtp_span pending = smtp_tls_pending(wire->tls);
    struct smtp_buffer copy = SMTP_BUFFER(SIZE_MAX / 2);
    enum smtp_status status = smtp_buffer_append(&copy, pending.bytes, pending.len);
    if (status == SMTP_OK) {
        smtp_tls_sent(wire->tls, pending.len);
        status = write_all(wire, smtp_buffer_span(&copy), hears, deadline_ns);
    }
    smtp_buffer_free(&copy);
    return status;
}

enum smtp_status smtp_dialogue_wire_say(struct smtp_dialogue_wire *wire, struct smtp_span octets,
                                        uint64_t deadline_ns)
{
    if (wire->fd < 0 || wire->closed_own) {
        return SMTP_CLOSED;
    }
    if (wire->tls == NULL) {
        return write_all(wire, octets, true, deadline_ns);
    }
    if (!smtp_tls_write(wire->tls, octets)) {
        return SMTP_TLS_FAILED;
    }
    return write_pending(wire, true, deadline_ns);
}

enum smtp_status smtp_dialogue_wire_secure(struct smtp_dialogue_wire *wire, struct smtp_tls *tls,
                                           uint64_t deadline_ns)
{
    char octets[READ_OCTETS];
    wire->tls = tls;
    for (;;) {
        enum smtp_tls_progress progress = smtp_tls_handshake(tls);
        enum smtp_status status = write_pending(wire, false, deadline_ns);
        if (progress != SMTP_TLS_WAITS) {
            return progress == SMTP_TLS_DONE ? status : SMTP_TLS_FAILED;
        }
        size_t len = 0;
        status = status == SMTP_OK ? read_socket(wire, octets, deadline_ns, &len) : status;
        if (status != SMTP_OK || wire->ended) {
            return wire->ended ? SMTP_CLOSED : status;
        }
        if (!smtp_tls_receive(tls, octets, len)) {
            return SMTP_NO_MEMORY;
        }
    }
}

void smtp_dialogue_wire_half_close(struct smtp_dialogue_wire *wire, uint64_t deadline_ns)
{
    if (wire->fd < 0 || wire->closed_own) {
        return;
    }
    if (wire->tls != NULL) {
        smtp_tls_shut_down(wire->tls);
        enum smtp_status ignored = write_pending(wire, false, deadline_ns);
        (void)ignored; /* the peer sees the end all the same */
    }
    shutdown(wire->fd, SHUT_WR);
    wire->closed_own = true;
}

void smtp_dialogue_wire_close(struct smtp_dialogue_wire *wire, bool reset)
{
    if (wire->fd < 0) {
        return;
    }
    if (reset) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    } else {
        smtp_dialogue_wire_half_close(wire, smtp_clock_now_ns());
    }
    close(wire->fd);
    wire->fd = -1;
}

void smtp_dialogue_wire_part(struct smtp_dialogue_wire *wire, uint64_t deadline_ns)
{
    smtp_dialogue_wire_half_close(wire, deadline_ns);
    while (wire->fd >= 0 && !wire->ended && smtp_clock_now_ns() < deadline_ns &&
           smtp_dialogue_wire_hear(wire, deadline_ns) == SMTP_OK) {
        smtp_buffer_clear(&wire->heard, READ_OCTETS);
    }
    smtp_dialogue_wire_close(wire, false);
}

void smtp_dialogue_wire_clear(struct smtp_dialogue_wire *wire)
{
    smtp_dialogue_wire_close(wire, false);
    smtp_tls_free(wire->tls);
    wire->tls = NULL;
    smtp_buffer_free(&wire->heard);
}
