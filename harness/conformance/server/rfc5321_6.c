/* rfc5321_6.c - what becomes of mail that cannot be delivered, and loops (RFC 5321 6). */
#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"
#include "harness/conformance/name.h"
#include "harness/conformance/rules.h"

/** A message that the next hop refuses; false: the server refused it itself, and then nobody need be told. */
static bool send_refused(struct smtp_check *check, const char *reverse_path)
{
    smtp_arrivals_use(check, SMTP_ARRIVALS_REFUSING);
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_talk_step(talk, "250", "MAIL FROM:<%s>", reverse_path);
    int code = smtp_talk_try(talk, "RCPT TO:<%s>", check->recipient);
    if (code / 100 == 2) {
        smtp_talk_step(talk, "354", "DATA");
        smtp_talk_write(talk, "%s", smtp_ask_message(check));
        code = smtp_talk_read(talk);
    }
    if (code / 100 != 2) {
        smtp_check_skip(check, "it asks the next hop before it answers, so that nothing bounces");
    }
    return smtp_check_goes_on(check);
}

static void bounce_null_reverse_path(struct smtp_check *check)
{
    struct smtp_arrival notification;
    if (!send_refused(check, check->sender) || !smtp_arrivals_notified(check, &notification)) {
        return;
    }
    struct smtp_span mail = notification.mail, rcpts = notification.rcpts;
    smtp_check_that(check, smtp_span_has(mail, "<>"),
                    "expected MAIL FROM:<> of the notification, came %s",
                    smtp_check_show(check, mail));
    smtp_check_that(check, smtp_name_stands_in(rcpts, check->sender),
                    "expected the notification for <%s>, came %s", check->sender,
                    smtp_check_show(check, rcpts));
}

static void no_bounce_to_null(struct smtp_check *check)
{
    struct smtp_arrival notification;
    if (send_refused(check, "")) {
        bool came = smtp_arrivals_notified_of_refusal(check, &notification);
        smtp_check_that(check, !came,
                        "expected no notification to the null reverse-path, came one for %s",
                        smtp_check_show(check, notification.rcpts));
    }
}

#define HOPS 99

static void loop_threshold_100(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_data(talk);
    for (int i = 0; i < HOPS; i++) {
        smtp_talk_write(
            talk, "Received: from h%d.example by h%d.example; Thu, 01 Jan 2026 00:00:00 +0000\r\n",
            i, i + 1);
    }
    smtp_talk_write(talk, "%s", smtp_ask_message(check));
    smtp_talk_expect(talk, "250");
}

static const struct smtp_rule rows[] = {
    {"rfc5321/6.1/bounce-null-reverse-path", SMTP_MUST, SMTP_NEEDS_SINK,
     "A delivery failure after acceptance is reported by a message with null reverse-path "
     "to the original reverse-path.",
     "[sink] Let the next hop refuse the recipient with 550; a notification arrives with "
     "MAIL FROM:<> and RCPT equal to the original sender.",
     bounce_null_reverse_path},
    {"rfc5321/6.1/no-bounce-to-null", SMTP_MUST_NOT, SMTP_NEEDS_SINK,
     "No notification is sent when the failed message had a null reverse-path.",
     "[sink] Same with MAIL FROM:<>; no notification to anyone outside appears.",
     no_bounce_to_null},
    {"rfc5321/6.3/loop-threshold-100", SMTP_SHOULD, 0,
     "Loop detection by counting Received fields uses a threshold of at least 100. [known "
     "deviation: Postfix hopcount_limit 50, Exim received_headers_max 30 (source); "
     "Sendmail 25 (memory)]",
     "Send a message with 99 distinct Received fields; accepted.", loop_threshold_100},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc5321_6, rows);
