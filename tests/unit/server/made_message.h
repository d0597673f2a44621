/* made_message.h - messages without a session, for the tests of what is done with them. Each ends the
 * test where it fails. */
#ifndef SMTP_TESTS_UNIT_SERVER_MADE_MESSAGE_H
#define SMTP_TESTS_UNIT_SERVER_MADE_MESSAGE_H

#include "server/smtp_server.h"

/** What a test says of a message; NULL or 0: the usual. */
struct made {
    const char *helo;       /* client.example */
    const char *peer;       /* 192.0.2.1:40112 */
    const char *protocol;   /* ESMTP */
    const char *from;       /* ann@example.com */
    const char *parameters; /* "" */
    const char *to[4];      /* bob@example.com */
    uint64_t number;        /* none yet */
    const char *content;    /* "" */
    size_t len;             /* of content; 0: strlen */
};

struct smtp_message *made_message(const struct made *made);
/** Who hooks are called for: number 7, server.example; user: yours. */
struct smtp_server_session_info made_session(void **user);

#endif
