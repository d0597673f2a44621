/* server_rfc5321_sizes_test.c - the rules of RFC 5321 4.5 and 7.3 for servers (the minimum, sizes, times) can fail, and
 * hold where they are kept. */
#include "tests/conformance/crooked.h"
#include "tests/conformance/server_proof.h"
#include "tests/support/test.h"

#include <poll.h>
#include <unistd.h>

#define OPENED "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\n"
#define MAIL "C: MAIL ...\nS: 250 Ok\n"

#define TEN(octet) octet octet octet octet octet octet octet octet octet octet
#define FIFTY(octet) TEN(octet) TEN(octet) TEN(octet) TEN(octet) TEN(octet)
#define LABEL FIFTY("d") TEN("d") "ddd"
/* 256 octets with its angle brackets */
#define LONGEST_PATH FIFTY("l") TEN("l") "llll@" LABEL "." LABEL "." FIFTY("d") "ddd.example"
#define OF_505(octet) TEN(FIFTY(octet)) octet octet octet octet octet

static bool cut_line(struct smtp_proof_mail *mail)
{
    const char *text =
        smtp_proof_text(mail, "%.*s", (int)mail->arrival.content.len, mail->arrival.content.bytes);
    char *line = strstr(text, "yyyy");
    *line = '\n';
    mail->arrival.content = smtp_span_of(text);
    return true;
}

static void take_all(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.keyword = NULL});
}

/* far from whoever asks: with lines in windows they come in time, one by one they do not */
static void take_all_far(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.lag_ms = 50});
}

static void take_all_far_one_by_one(int connection, struct smtp_arrivals *arrivals)
{
    (void)arrivals;
    smtp_crooked_serve(connection, &(struct smtp_crooked){.lag_ms = 50, .one_by_one = true});
}

static void few_recipients(struct smtp_harness_options *options)
{
    options->server.limits.recipients = 50;
}

/** Until the client has had enough. */
static void say_nothing(int connection, struct smtp_arrivals *arrivals)
{
    char octet;
    struct pollfd end = {.fd = connection, .events = POLLIN};
    (void)arrivals;
    while (poll(&end, 1, -1) > 0 && read(connection, &octet, 1) > 0) {
    }
}

static const struct smtp_server_proof proofs[] = {
    {"rfc5321/4.5.1/postmaster-without-domain",
     .faults = {"rcpt postmaster: reply 550 5.1.1 from 2"}, .detail = "<POSTMASTER>"},
    {"rfc5321/4.5.1/postmaster-without-domain",
     .faults = {"rcpt postmaster: reply 550 5.1.1 from 3"}, .detail = "<PoStMaStEr>"},
    {"rfc5321/4.5.1/vrfy-implemented", .faults = {"any VRFY*: reply 502 5.5.1"}, .detail = "502"},
    {"rfc5321/7.3/vrfy-disabled-is-252", .faults = {"any VRFY*: reply 550 5.1.1"}, .detail = "252",
     .right_dialogue = OPENED "C: VRFY ...\nS: 530 Log in first\n", .right_verdict = SMTP_SKIP},
    {"rfc5321/4.5.3.1.3/path-256", .faults = {"mail llll*: reply 501 5.1.7"},
     .detail = "256 octets"},
    {"rfc5321/4.5.3.1.3/path-256", .faults = {"rcpt llll*: reply 501 5.1.3"},
     .detail = "256 octets"},
    {"rfc5321/4.5.3.1.3/path-256",
     .dialogue = OPENED "C: MAIL FROM:<" LONGEST_PATH ">\nS: 501 Too long\n",
     .detail = "a path of 256 octets to be handled, came \"501"},
    {"rfc5321/4.5.3.1.3/path-256",
     .dialogue = OPENED "C: MAIL ...\nS: 250 Ok\nC: RSET\nS: 250 Ok\nC: MAIL ...\nS: 250 Ok\n"
                        "C: RCPT TO:<" LONGEST_PATH ">\nS: 501 Too long\n",
     .detail = "a path of 256 octets to be handled, came \"501"},
    {"rfc5321/4.5.3.1.4/command-line-512",
     .dialogue = OPENED "C: NOOP x\nS: 250 Ok\nC: NOOP " OF_505("x") "\nS: 500 Too long\n",
     .detail = "as a short one was, came \"500", .right_dialogue = OPENED "C: NOOP x\nS: 501 No\n",
     .right_verdict = SMTP_SKIP},
    {"rfc5321/4.5.3.1.4/command-line-512", .faults = {"any NOOP?xx*: reply 500 5.5.2"},
     .detail = "512 octets"},
    {"rfc5321/4.5.3.1.5/reply-line-512",
     .dialogue = OPENED
     "C: VRFY ${name}\nS: 550 No one here goes by the name that you have given, which was: "
     "${name}, so far as anybody knows\n",
     .detail = "512 octets at most"},
    {"rfc5321/4.5.3.1.6/text-line-1000", .with = PROOF_MAILDIR, .mangle = cut_line,
     .detail = "arrive whole"},
    {"rfc5321/4.5.3.1.8/hundred-recipients", .spoil = few_recipients,
     .detail = "\\r\\n\" to number 51", .right_serve = take_all_far},
    {"rfc5321/4.5.3.1.8/hundred-recipients",
     .dialogue = OPENED MAIL "C: RCPT ...\nS: 250 Ok\nC: RCPT ...\n[S close]\n",
     .detail = "came the end of the connection to number 2", .right_serve = take_all_far_one_by_one,
     .right_verdict = SMTP_SKIP},
    {"rfc5321/4.5.3.1.8/hundred-recipients", .is_mute = true,
     .dialogue = OPENED MAIL "C: RCPT ...\n[wait 2s]\nS: 250 Ok\n",
     .detail = "nothing within the time"},
    {"rfc5321/4.5.3.1.9/over-long-line-one-reply",
     .dialogue = OPENED "C: NOOP ...\nS: 500 Long\nS: 500 Long\nC: NOOP\nS: 250 Ok\n",
     .detail = "one reply"},
    {"rfc5321/4.5.3.1.10/too-many-recipients-452", .spoil = few_recipients,
     .faults = {"rcpt: reply 451 4.5.3 from 40"}, .detail = "expected 452"},
    {"rfc5321/4.5.3.1.10/too-many-recipients-452",
     .dialogue = OPENED MAIL "C: RCPT ...\nS: 250 Ok\nC: RCPT ...\n[S close]\n",
     .detail = "expected 452 after 1 recipients, came the end",
     .right_serve = take_all_far_one_by_one, .right_verdict = SMTP_SKIP},
    /* it has had enough of what was sent ahead */
    {"rfc5321/4.5.3.1.10/too-many-recipients-452",
     .dialogue = OPENED MAIL "C: RCPT ...\nS: 250 Ok\nC: RCPT ...\nS: 451 Too many\n[S close]\n",
     .detail = "expected 452 after 1 recipients, came \"451",
     .right_dialogue = "S: 220 a.test\nC: EHLO ...\nS: 250-a.test\nS: 250 PIPELINING\n" MAIL FIFTY(
         "C: RCPT ...\n") "S: 250 Ok\nS: 452 Too many\nS: 421 Enough\n[S close]\n",
     .right_verdict = SMTP_SKIP},
    {"rfc5321/4.5.3.1.10/too-many-recipients-452", .faults = {"data: reply 554 5.5.0"},
     .detail = "expected 354"},
    {"rfc5321/4.5.3.1.10/too-many-recipients-452", .faults = {"dot: reply 554 5.5.0"},
     .detail = "expected 250", .right_serve = take_all, .right_verdict = SMTP_SKIP},
    {"rfc5321/4.5.3.2.7/idle-timeout-five-minutes", .with = PROOF_SLOW,
     .dialogue = OPENED "[wait 50ms]\nS: 421 Gone\n[S close]\n", .detail = "patience"},
    {"rfc5321/4.5.3.2.7/idle-timeout-five-minutes", .with = PROOF_SLOW, .serve = say_nothing,
     .is_mute = true, .detail = "nothing within the time"},
};

TEST_WITHIN(server_rfc5321_4_5,
            each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not, 60)
{
    SMTP_SERVER_PROOFS_HOLD(proofs);
}
