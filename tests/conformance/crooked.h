/* crooked.h - a small server that is plain but for what it is told to do wrong, where octets end and otherwise: for rules
 * that our own server has no fault for. Shares no code with it. */
#ifndef SMTP_TESTS_CONFORMANCE_CROOKED_H
#define SMTP_TESTS_CONFORMANCE_CROOKED_H

#include "harness/conformance/arrivals.h"

#include <stdbool.h>

struct smtp_crooked {
    const char *ends[2];                       /* octets that end the content, besides CRLF.CRLF */
    const char *line_end;                      /* of commands; NULL: CRLF */
    bool ignores_nul;                          /* as if they were not there */
    bool needs_whole_end;                      /* CRLF.CRLF in one read */
    bool (*misses_end)(size_t at, size_t len); /* CRLF.CRLF there in the content; NULL: none */
    bool needs_line_before_end;                /* a dot right behind 354 is none */
    bool refuses_recipients;                   /* 550 to each, and DATA is taken all the same */
    size_t limit;                              /* octets of content, as sent; 0: none */
    const char *keyword;                       /* offered besides PIPELINING; NULL: none */
    bool one_by_one;                           /* PIPELINING is not offered */
    unsigned lag_ms;                      /* before what was read is answered: it is far away */
    bool (*refuses)(const char *command); /* with 501; NULL: none */
    unsigned
        hold_ms; /* between the reply to a message and its arrival; nothing is read meanwhile */
    struct smtp_arrivals
        *arrivals; /* where messages arrive, MAIL's line before them; NULL: nowhere */
};

/** Serves a connected socket until QUIT or the client closes. */
void smtp_crooked_serve(int connection, const struct smtp_crooked *how);

#endif
