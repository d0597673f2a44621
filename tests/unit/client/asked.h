/* asked.h - an envelope given to a session after EHLO: what the session says of it, and what goes out in
 * one group. */
#ifndef SMTP_TESTS_UNIT_CLIENT_ASKED_H
#define SMTP_TESTS_UNIT_CLIENT_ASKED_H

#include "client/protocol/session.h"

/** What the server offers: keywords with their parameters, a line each, PIPELINING added. */
struct asked_of {
    const char *offered; /* "DSN\nSIZE 1000\n"; NULL: HELO was said in place of EHLO */
    bool tls;
    bool insecure;
    bool own_context; /* the caller's SSL_CTX, which the session does not look at */
};

struct asked {
    enum smtp_status status;
    char said[8192];   /* the group with its line ends; "": nothing */
    char message[512]; /* the error's; "" where there was none */
};

struct asked ask_envelope(const struct asked_of *of, const struct smtp_envelope *envelope);
/** From ann@x to bob@y. */
struct asked ask_mail(const struct asked_of *of, const struct smtp_mail_options *mail);
struct asked ask_rcpt(const struct asked_of *of, const struct smtp_rcpt_options *rcpt);
/** From one to one; mail: NULL for nothing. */
struct asked ask_paths(const char *offered, const char *reverse_path, const char *forward_path,
                       const struct smtp_mail_options *mail);

#endif
