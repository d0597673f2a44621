/* settled.c - see settled.h. */
#include "harness/conformance/settled.h"

#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"

#define ROUNDS                                                                                     \
    2 /* a relay need not keep the order: the second is sent when the first has arrived */

/** Sends a message with that token; whether it was taken. */
static bool send_behind(struct smtp_check *check, const char *token)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    if (smtp_talk_try(talk, "MAIL FROM:<%s>", check->sender) != 250 ||
        smtp_talk_try(talk, "RCPT TO:<%s>", check->recipient) / 100 != 2 ||
        smtp_talk_try(talk, "DATA") != 354) {
        return false;
    }
    smtp_talk_write(talk,
                    "From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\n"
                    "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <%s@check.example>\r\n"
                    "\r\nAll before it has arrived.\r\n.\r\n",
                    check->sender, check->recipient, token, token);
    return smtp_talk_read(talk) == 250;
}

size_t smtp_settled(struct smtp_check *check)
{
    bool was_taken = true;
    smtp_talk_hang_up(check); /* a server may hear one at a time */
    for (unsigned i = 0; i < ROUNDS && was_taken && smtp_check_goes_on(check); i++) {
        /* without the check's own token, so that it is none of the check's messages */
        const char *token = smtp_check_text(check, "behind%u%u%s", check->message_count, i,
                                            check->token + sizeof "check" - 1);
        was_taken = send_behind(check, token);
        if (was_taken && !smtp_arrivals_wait_for_token(check, token)) {
            smtp_check_skip(check, "what it takes does not arrive within the time");
        }
    }
    return smtp_arrivals_settled(check);
}
