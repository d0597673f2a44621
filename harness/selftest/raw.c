/* raw.c - raw octets over a socket of common/net.h. */
#include "harness/selftest/raw.h"

#include "common/address.h"
#include "common/net.h"

#include <string.h>
#include <unistd.h>

#define HEARD_MAX ((size_t)64 << 20) /* more than any scenario sends */
#define READ_OCTETS ((size_t)65536)

void smtp_raw_init(struct smtp_raw *wire, int fd, uint64_t deadline_ns)
{
    *wire =
        (struct smtp_raw){.fd = fd, .deadline_ns = deadline_ns, .heard = SMTP_BUFFER(HEARD_MAX)};
}

enum smtp_status smtp_raw_connect(struct smtp_raw *wire, const char *address, uint64_t deadline_ns,
                                  struct smtp_error *error)
{
    struct smtp_address parsed;
    int fd = -1;
    smtp_raw_init(wire, -1, deadline_ns);
    enum smtp_status status = smtp_address_parse(address, 0, &parsed, error);
    if (status == SMTP_OK) {
        status = smtp_net_connect(&parsed, NULL, deadline_ns, &fd, error);
    }
    if (status == SMTP_OK) {
        wire->fd = fd;
    }
    return status;
}

void smtp_raw_close(struct smtp_raw *wire)
{
    if (wire->fd >= 0) {
        close(wire->fd);
        wire->fd = -1;
    }
}

void smtp_raw_clear(struct smtp_raw *wire)
{
    smtp_raw_close(wire);
    smtp_buffer_free(&wire->heard);
    wire->used = 0;
}

enum smtp_status smtp_raw_say(struct smtp_raw *wire, const char *bytes, size_t len)
{
    while (len > 0) {
        struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
        size_t written = 0;
        enum smtp_status status = smtp_net_write(wire->fd, &part, 1, wire->deadline_ns, &written);
        if (status != SMTP_OK) {
            return status;
        }
        bytes += written;
        len -= written;
    }
    return SMTP_OK;
}

static enum smtp_status read_more(struct smtp_raw *wire)
{
    char *room = smtp_buffer_reserve(&wire->heard, READ_OCTETS);
    if (room == NULL) {
        return SMTP_LIMIT_EXCEEDED;
    }
    size_t len = 0;
    enum smtp_status status = smtp_net_read(wire->fd, room, READ_OCTETS, wire->deadline_ns, &len);
    if (status == SMTP_OK) {
        smtp_buffer_added(&wire->heard, len);
    }
    return status;
}

static struct smtp_span unused(const struct smtp_raw *wire)
{
    struct smtp_span heard = smtp_buffer_span(&wire->heard);
    return (struct smtp_span){heard.bytes + wire->used, heard.len - wire->used};
}

enum smtp_status smtp_raw_hear(struct smtp_raw *wire, const char *end, struct smtp_span *part)
{
    size_t end_len = strlen(end), looked_at = 0;
    for (;;) {
        struct smtp_span heard = unused(wire);
        size_t from = looked_at < end_len ? 0 : looked_at - end_len;
        const char *found = memmem(heard.bytes + from, heard.len - from, end, end_len);
        if (found != NULL) {
            *part = (struct smtp_span){heard.bytes, (size_t)(found - heard.bytes) + end_len};
            wire->used += part->len;
            return SMTP_OK;
        }
        looked_at = heard.len;
        enum smtp_status status = read_more(wire);
        if (status != SMTP_OK) {
            *part = heard;
            return status;
        }
    }
}

enum smtp_status smtp_raw_hear_reply(struct smtp_raw *wire, struct smtp_span *reply)
{
    size_t begin = wire->used;
    struct smtp_span line;
    do {
        enum smtp_status status = smtp_raw_hear(wire, "\r\n", &line);
        if (status != SMTP_OK) {
            *reply = line;
            return status;
        }
    } while (line.len > 3 && line.bytes[3] == '-'); /* RFC 5321 4.2.1 */
    struct smtp_span heard = smtp_buffer_span(&wire->heard);
    *reply = (struct smtp_span){heard.bytes + begin, wire->used - begin};
    return SMTP_OK;
}

enum smtp_status smtp_raw_hear_close(struct smtp_raw *wire)
{
    if (unused(wire).len > 0) {
        return SMTP_NOT_AS_EXPECTED;
    }
    enum smtp_status status = read_more(wire);
    if (status == SMTP_OK) {
        return SMTP_NOT_AS_EXPECTED;
    }
    return status == SMTP_CLOSED ? SMTP_OK : status;
}
