/* raw_client.c - see raw_client.h.
 * Knows: when a reply is whole. Does not know: what it says beyond its first digit. */
#include "tests/bench/raw_client.h"

#include "common/clock.h"
#include "common/net.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 10000 /* loopback: whoever takes longer hangs */

static uint64_t patience_end_ns(void)
{
    return smtp_deadline_after(smtp_clock_now_ns(), PATIENCE_MS);
}

bool raw_client_write(int fd, const char *octets, size_t len)
{
    while (len > 0) {
        size_t written = 0;
        struct iovec rest = {.iov_base = (void *)(uintptr_t)octets, .iov_len = len};
        if (smtp_net_write(fd, &rest, 1, patience_end_ns(), &written) != SMTP_OK) {
            return false;
        }
        octets += written;
        len -= written;
    }
    return true;
}

/* RFC 5321 4.2.1: the last line is the one with a space (or nothing) after its code. */
static bool is_whole(const char *reply, size_t len)
{
    if (len < 5 || reply[len - 1] != '\n') {
        return false;
    }
    const char *line_feed = memrchr(reply, '\n', len - 1);
    const char *last_line = line_feed == NULL ? reply : line_feed + 1;
    return reply + len - last_line >= 5 && last_line[3] != '-';
}

static bool read_reply(int fd)
{
    char reply[2048]; /* EHLO's is the longest; one that fills it is a failure */
    size_t len = 0;
    while (!is_whole(reply, len)) {
        size_t got = 0;
        if (len == sizeof reply || smtp_net_read(fd, reply + len, sizeof reply - len,
                                                 patience_end_ns(), &got) != SMTP_OK) {
            return false;
        }
        len += got;
    }
    return reply[0] == '2' || reply[0] == '3';
}

bool raw_client_say(int fd, const char *octets, size_t len)
{
    return raw_client_write(fd, octets, len) && read_reply(fd);
}

int raw_client_open(uint16_t port)
{
    return raw_client_open_from(NULL, port);
}

int raw_client_open_from(const char *from, uint16_t port)
{
    static const char ehlo[] = "EHLO bench.test\r\n";
    struct smtp_address address = {.kind = SMTP_ADDRESS_TCP, .host = "127.0.0.1", .port = port};
    struct smtp_error error;
    int fd = -1;
    if (smtp_net_connect(&address, from, patience_end_ns(), &fd, &error) != SMTP_OK) {
        fprintf(stderr, "raw client: %s\n", error.message);
        return -1;
    }
    if (read_reply(fd) && raw_client_say(fd, ehlo, sizeof ehlo - 1)) {
        return fd;
    }
    fputs("raw client: no greeting, or EHLO was not accepted\n", stderr);
    close(fd);
    return -1;
}
