/* delivery.h - a message on its way into a file: what stands before its content, its line ends, and
 * writing in large blocks. For the receivers that deliver; private to them. */
#ifndef SMTP_SERVER_RECEIVERS_DELIVERY_H
#define SMTP_SERVER_RECEIVERS_DELIVERY_H

#include "common/bytes.h"
#include "server/smtp_server.h"

/** Octets written at once. */
#define SMTP_DELIVERY_BLOCK 65536

/** What has failed once takes no more. Zero-initialise all but `octets`, with the file. */
struct smtp_delivery {
    int fd;      /* borrowed */
    int failure; /* the first errno; 0: none */
    bool binary; /* BODY=BINARYMIME (RFC 3030): the content has no lines, so its octets stay */
    bool cr_waits;
    char last;  /* the last octet put; 0: none */
    size_t len; /* octets that wait */
    char octets[SMTP_DELIVERY_BLOCK];
};

/** Whether the content of a message is not made of lines: BODY=BINARYMIME. */
bool smtp_delivery_is_binary(const struct smtp_message *message);
/** Octets as they are. */
void smtp_delivery_put(struct smtp_delivery *delivery, struct smtp_span octets);
/** Content, any split: CRLF becomes LF. */
void smtp_delivery_put_content(struct smtp_delivery *delivery, struct smtp_span octets);
/** No more content: a CR that waited for its LF stands alone. */
void smtp_delivery_end_content(struct smtp_delivery *delivery);
/** "Return-Path: <...>", and below it, where asked for, "Delivered-To: ...", but only of one recipient: of several
 *  none learns of the others from the header (RFC 5321 7.2); then Received (RFC 5321 4.4). by: this server's name. */
void smtp_delivery_put_trace(struct smtp_delivery *delivery, const struct smtp_message *message,
                             const char *by, bool delivered_to);
/** All that waits is written. False: something has failed. */
bool smtp_delivery_end(struct smtp_delivery *delivery);

/** The reply where a message could not be stored: 452 4.3.1 where there is no room, else 451 4.3.0. Why is for the log
 *  alone: a stranger learns nothing of the file system. */
enum smtp_server_verdict smtp_delivery_refuse(int sys_errno, struct smtp_server_reply *reply);

/** openat and fsync, begun again where a signal breaks in (on a file system over a network, or in user space).
 *  -1 with errno. */
int smtp_delivery_open(int base, const char *path, int flags);
int smtp_delivery_sync(int fd);

#endif
