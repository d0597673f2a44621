/* send_report.h - what came of a message, told a line each recipient, and as an exit status of sysexits.h.
 * Knows nothing of the connection. */
#ifndef SMTP_HARNESS_CLI_SEND_REPORT_H
#define SMTP_HARNESS_CLI_SEND_REPORT_H

#include "client/smtp_client.h"

#include <stdio.h>

/** What came of it. Borrowed. */
struct smtp_send_outcome {
    const char *name;        /* of the message, where there are several; NULL */
    enum smtp_status status; /* of all: of the first call that failed */
    const struct smtp_error *error;
    const struct smtp_envelope *envelope;
    const struct smtp_send_result *result; /* NULL: no transaction was begun */
    enum smtp_client_stage stage;          /* where it ended, if it was not begun */
    struct smtp_reply reply;               /* to that; code 0: none */
};

/** The exit status. Where recipients differ: 75 (EX_TEMPFAIL) if another try could help any of them, that is
 *  where one was refused for now, or it is not known what came of it; else 69 (EX_UNAVAILABLE) if any was
 *  refused for good. 77 (EX_NOPERM): the login failed, or one is missing. */
int smtp_send_exit_status(const struct smtp_send_outcome *outcome);
/** Which of two is told, of two recipients or messages: by that order. */
int smtp_send_worse_status(int one, int other);
/** A line a recipient. */
void smtp_send_report_lines(FILE *out, const struct smtp_send_outcome *outcome);
/** An object a recipient, then one for all, each with the "file" where messages have names: "address" is in the first alone, "recipients" in the last. False: out
 *  of memory. */
bool smtp_send_report_json(FILE *out, const struct smtp_send_outcome *outcome);

#endif
