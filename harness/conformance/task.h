/* task.h - what a client under test is told to do. A command hears of it by its environment, its arguments and its
 * standard input, and need not heed all of it: which words it heeds is found out before (smtp_visit_abilities).
 *   SMTP_HOST SMTP_PORT SMTP_URL    where; {host} {port} {url} in arguments. The URL is smtp://, smtps:// or
 *                                   lmtp://
 *   SMTP_CA_FILE                    whom to trust; {cafile}
 *   SMTP_USER SMTP_PASSWORD         the login, where one is wanted
 *   SMTP_TLS                        "never" or "required": STARTTLS
 *   SMTP_FROM                       the reverse-path, without brackets; {from}
 *   SMTP_TO                         the forward-paths, an address a line; {to}: in an argument of its own it becomes
 *                                   an argument for each, else they stand with commas between
 *   SMTP_MESSAGE                    a file with the message; {message}. It stands on standard input as well
 *   SMTP_MESSAGES                   of several messages over one connection: all their files, a line each
 *   SMTP_HELO                       the name for EHLO
 *   SMTP_MECHANISM                  of SASL
 *   SMTP_ENVID SMTP_RET SMTP_NOTIFY SMTP_ORCPT SMTP_REQUIRETLS ("1")  what to ask of the server
 * The exit status: 0 sent (for all recipients), 75 (or --temporary) not now, anything else refused. */
#ifndef SMTP_HARNESS_CONFORMANCE_TASK_H
#define SMTP_HARNESS_CONFORMANCE_TASK_H

#include "common/bytes.h"

enum smtp_task_tls { SMTP_TASK_CLEAR, SMTP_TASK_STARTTLS, SMTP_TASK_IMPLICIT_TLS };

/** {0}: one short message from ann@example.com to bob@example.com, in the clear, SMTP. */
struct smtp_task {
    const char *from;         /* NULL: ann@example.com; "": null */
    const char *const *to;    /* NULL ends them; NULL: bob@example.com */
    struct smtp_span content; /* empty: a short message in ASCII, CRLF line ends */
    size_t message_count;     /* 0 and 1: one; more: that many over one connection */
    enum smtp_task_tls tls;
    bool lmtp;
    bool login;                   /* SMTP_USER and SMTP_PASSWORD are told: */
    const char *user, *password;  /* NULL: check-user and check-password */
    const char *mechanism, *helo; /* NULL: not told; so are the next */
    const char *envid, *ret, *notify, *orcpt;
    bool requiretls;
};

#endif
