/* delivery.c - see delivery.h.
 * Knows: line ends, the trace fields of a final delivery, and which reply an errno is. Does not know:
 * which file it is, or what becomes of it. */
#include "server/receivers/delivery.h"

#include "common/clock.h"
#include "common/error.h"
#include "server/smtp_receivers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS_PER_S 1000000000

/* The parameter as a whole word; its keyword and value in either case (RFC 3030 3). */
bool smtp_delivery_is_binary(const struct smtp_message *message)
{
    static const char parameter[] = "BODY=BINARYMIME";
    const char *at = smtp_message_mail_parameters(message);
    while (*at != '\0') {
        size_t len = strcspn(at, " ");
        if (len == sizeof parameter - 1 && strncasecmp(at, parameter, len) == 0) {
            return true;
        }
        at += len + strspn(at + len, " ");
    }
    return false;
}

static void write_out(struct smtp_delivery *delivery)
{
    size_t written = 0;
    while (written < delivery->len && delivery->failure == 0) {
        ssize_t len = write(delivery->fd, delivery->octets + written, delivery->len - written);
        if (len > 0) {
            written += (size_t)len;
        } else if (len == 0) {
            delivery->failure = EIO;
        } else if (errno != EINTR) {
            delivery->failure = errno;
        }
    }
    delivery->len = 0;
}

void smtp_delivery_put(struct smtp_delivery *delivery, struct smtp_span octets)
{
    while (octets.len > 0 && delivery->failure == 0) {
        size_t room = sizeof delivery->octets - delivery->len;
        size_t len = octets.len < room ? octets.len : room;
        memcpy(delivery->octets + delivery->len, octets.bytes, len);
        delivery->len += len;
        delivery->last = octets.bytes[len - 1];
        octets = (struct smtp_span){octets.bytes + len, octets.len - len};
        if (delivery->len == sizeof delivery->octets) {
            write_out(delivery);
        }
    }
}

/** An address, without what could end its line. */
static void put_path(struct smtp_delivery *delivery, const char *path)
{
    for (; *path != '\0'; path++) {
        bool safe = !smtp_is_control((unsigned char)*path);
        smtp_delivery_put(delivery, safe ? (struct smtp_span){path, 1} : SMTP_SPAN("?"));
    }
}

/* A CR waits for what comes behind it: an LF takes its place. */
static void put_lines(struct smtp_delivery *delivery, struct smtp_span octets)
{
    if (delivery->cr_waits && octets.len > 0) {
        delivery->cr_waits = false;
        if (octets.bytes[0] != '\n') {
            smtp_delivery_put(delivery, SMTP_SPAN("\r"));
        }
    }
    while (octets.len > 0) {
        const char *cr = memchr(octets.bytes, '\r', octets.len);
        size_t len = cr != NULL ? (size_t)(cr - octets.bytes) : octets.len;
        size_t taken = len + (cr != NULL ? 1 : 0);
        smtp_delivery_put(delivery, (struct smtp_span){octets.bytes, len});
        octets = (struct smtp_span){octets.bytes + taken, octets.len - taken};
        if (cr != NULL && octets.len == 0) {
            delivery->cr_waits = true;
        } else if (cr != NULL && octets.bytes[0] != '\n') {
            smtp_delivery_put(delivery, SMTP_SPAN("\r"));
        }
    }
}

void smtp_delivery_put_content(struct smtp_delivery *delivery, struct smtp_span octets)
{
    if (delivery->binary) {
        smtp_delivery_put(delivery, octets);
    } else {
        put_lines(delivery, octets);
    }
}

void smtp_delivery_put_trace(struct smtp_delivery *delivery, const struct smtp_message *message,
                             const char *by, bool delivered_to)
{
    char received[SMTP_RECEIVED_MAX];
    smtp_delivery_put(delivery, SMTP_SPAN("Return-Path: <"));
    put_path(delivery, smtp_message_reverse_path(message));
    smtp_delivery_put(delivery, SMTP_SPAN(">\n"));
    if (delivered_to && smtp_message_recipient_count(message) == 1) {
        smtp_delivery_put(delivery, SMTP_SPAN("Delivered-To: "));
        put_path(delivery, smtp_message_forward_path(message, 0));
        smtp_delivery_put(delivery, SMTP_SPAN("\n"));
    }
    size_t len = smtp_message_write_received(message, by, smtp_clock_unix_ns() / NS_PER_S, received,
                                             sizeof received);
    put_lines(delivery, (struct smtp_span){received, len});
}

void smtp_delivery_end_content(struct smtp_delivery *delivery)
{
    if (delivery->cr_waits) {
        delivery->cr_waits = false;
        smtp_delivery_put(delivery, SMTP_SPAN("\r"));
    }
}

bool smtp_delivery_end(struct smtp_delivery *delivery)
{
    smtp_delivery_end_content(delivery);
    write_out(delivery);
    return delivery->failure == 0;
}

int smtp_delivery_open(int base, const char *path, int flags)
{
    int fd;
    do {
        fd = openat(base, path, flags | O_CLOEXEC, S_IRUSR | S_IWUSR);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

int smtp_delivery_sync(int fd)
{
    int result;
    do {
        result = fsync(fd);
    } while (result != 0 && errno == EINTR);
    return result;
}

enum smtp_server_verdict smtp_delivery_refuse(int sys_errno, struct smtp_server_reply *reply)
{
    /* EFBIG: the file may not grow further, by a limit of this process or the file system. */
    bool full = sys_errno == ENOSPC || sys_errno == EDQUOT || sys_errno == EFBIG;
    (void)smtp_server_reply(reply, full ? 452 : 451, full ? "4.3.1" : "4.3.0", "%s",
                            full ? "Insufficient system storage" : "The message cannot be stored");
    snprintf(reply->note, sizeof reply->note, "the message cannot be stored: %s",
             smtp_errno_text(sys_errno));
    return SMTP_REFUSE;
}
