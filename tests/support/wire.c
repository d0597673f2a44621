/* wire.c - see wire.h. */
#include "tests/support/wire.h"

#include "common/clock.h"
#include "common/net.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 10000 /* far beyond what anything takes, far below a test's bound */

static uint64_t deadline(void)
{
    return smtp_deadline_after(smtp_clock_now_ns(), PATIENCE_MS);
}

bool smtp_wire_connect(struct smtp_wire *wire, const char *address)
{
    struct smtp_address parsed;
    wire->fd = -1;
    wire->tls = NULL;
    wire->end_came = false;
    wire->len = 0;
    return smtp_address_parse(address, 25, &parsed, NULL) == SMTP_OK &&
           smtp_net_connect(&parsed, NULL, deadline(), &wire->fd, NULL) == SMTP_OK;
}

static bool send_clear(const struct smtp_wire *wire, const char *octets, size_t len)
{
    while (len > 0) {
        const struct iovec part = {.iov_base = (void *)(uintptr_t)octets, .iov_len = len};
        size_t sent = 0;
        if (smtp_net_write(wire->fd, &part, 1, deadline(), &sent) != SMTP_OK) {
            return false;
        }
        octets += sent;
        len -= sent;
    }
    return true;
}

static bool send_pending(struct smtp_wire *wire)
{
    struct smtp_span span = smtp_tls_pending(wire->tls);
    bool sent = send_clear(wire, span.bytes, span.len);
    smtp_tls_sent(wire->tls, span.len);
    return sent;
}

bool smtp_wire_send(struct smtp_wire *wire, const char *octets, size_t len)
{
    if (wire->tls == NULL) {
        return send_clear(wire, octets, len);
    }
    return smtp_tls_write(wire->tls, (struct smtp_span){octets, len}) && send_pending(wire);
}

/* Reads octets of the wire for TLS. */
static enum smtp_status feed_tls(struct smtp_wire *wire, uint64_t until_ns)
{
    char octets[16384];
    size_t got = 0;
    enum smtp_status status = smtp_net_read(wire->fd, octets, sizeof octets, until_ns, &got);
    if (status == SMTP_OK && !smtp_tls_receive(wire->tls, octets, got)) {
        status = SMTP_NO_MEMORY;
    }
    return status;
}

bool smtp_wire_secure(struct smtp_wire *wire, struct ssl_ctx_st *context, const char *name,
                      struct ssl_session_st *session)
{
    uint64_t until_ns = deadline();
    wire->tls = smtp_tls_new_client(context, name, session);
    if (wire->tls == NULL) {
        return false;
    }
    for (;;) {
        enum smtp_tls_progress progress = smtp_tls_handshake(wire->tls);
        if (!send_pending(wire) || progress != SMTP_TLS_WAITS) {
            return progress == SMTP_TLS_DONE;
        }
        if (feed_tls(wire, until_ns) != SMTP_OK) {
            return false;
        }
    }
}

static enum smtp_status wire_read(struct smtp_wire *wire, char *octets, size_t capacity,
                                  uint64_t until_ns, size_t *got)
{
    if (wire->tls == NULL) {
        return smtp_net_read(wire->fd, octets, capacity, until_ns, got);
    }
    for (;;) {
        enum smtp_tls_progress progress = smtp_tls_read(wire->tls, octets, capacity, got);
        if (progress == SMTP_TLS_DONE) {
            return SMTP_OK;
        }
        wire->end_came = wire->end_came || progress == SMTP_TLS_ENDED;
        enum smtp_status status = feed_tls(wire, until_ns);
        if (status != SMTP_OK) {
            return status;
        }
    }
}

/* The end of the last line of the first reply in text, 0 when it has not come yet. */
static size_t reply_end(const char *text, size_t len)
{
    size_t start = 0;
    while (start < len) {
        const char *lf = memchr(text + start, '\n', len - start);
        if (lf == NULL) {
            return 0;
        }
        size_t end = (size_t)(lf - text) + 1;
        if (end - start < 4 || text[start + 3] != '-') {
            return end;
        }
        start = end;
    }
    return 0;
}

static void give_out(struct smtp_wire *wire, size_t end)
{
    size_t at = 0;
    for (size_t i = 0; i < end; i++) {
        if (wire->text[i] != '\r' && !(wire->text[i] == '\n' && i + 1 == end)) {
            wire->reply[at++] = wire->text[i];
        }
    }
    wire->reply[at] = '\0';
    memmove(wire->text, wire->text + end, wire->len - end);
    wire->len -= end;
}

const char *smtp_wire_reply(struct smtp_wire *wire)
{
    uint64_t until_ns = deadline();
    for (;;) {
        size_t end = reply_end(wire->text, wire->len);
        if (end > 0) {
            give_out(wire, end);
            return wire->reply;
        }
        size_t got = 0;
        if (wire->len == sizeof wire->text ||
            wire_read(wire, wire->text + wire->len, sizeof wire->text - wire->len, until_ns,
                      &got) != SMTP_OK) {
            wire->reply[0] = '\0';
            return wire->reply;
        }
        wire->len += got;
    }
}

const char *smtp_wire_ask(struct smtp_wire *wire, const char *line)
{
    char octets[2048];
    int len = snprintf(octets, sizeof octets, "%s\r\n", line);
    if (len < 0 || (size_t)len >= sizeof octets || !smtp_wire_send(wire, octets, (size_t)len)) {
        wire->reply[0] = '\0';
        return wire->reply;
    }
    return smtp_wire_reply(wire);
}

bool smtp_wire_closed(struct smtp_wire *wire)
{
    uint64_t until_ns = deadline();
    enum smtp_status status = SMTP_OK;
    while (status == SMTP_OK) {
        char dropped[4096];
        size_t got = 0;
        status = wire_read(wire, dropped, sizeof dropped, until_ns, &got);
    }
    return status == SMTP_CLOSED;
}

void smtp_wire_close(struct smtp_wire *wire)
{
    if (wire->fd >= 0) {
        close(wire->fd);
        wire->fd = -1;
        smtp_tls_free(wire->tls);
        wire->tls = NULL;
    }
}

void smtp_wire_reset(struct smtp_wire *wire)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    smtp_wire_close(wire);
}

static unsigned count_entries(const char *path)
{
    unsigned count = 0;
    DIR *folder = opendir(path);
    while (folder != NULL && readdir(folder) != NULL) {
        count++;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count;
}

const char *const *smtp_own_loopback(void)
{
    static char address[24];
    static const char *const list[] = {address};
    unsigned pid = (unsigned)getpid();
    snprintf(address, sizeof address, "127.%u.%u.%u:0", 64 + (pid >> 16 & 63), pid >> 8 & 255,
             pid & 255);
    return list;
}

unsigned smtp_count_descriptors(void)
{
    return count_entries("/proc/self/fd");
}

unsigned smtp_count_threads(void)
{
    return count_entries("/proc/self/task");
}
