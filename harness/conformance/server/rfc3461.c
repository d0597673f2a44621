/* rfc3461.c - delivery status notifications (RFC 3461). */
#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"
#include "harness/conformance/rules.h"

static struct smtp_talk *begin(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_needs(talk, "DSN");
    return talk;
}

/** The command with the parameters is answered as without. */
static void is_neutral(struct smtp_talk *talk, const char *command, const char *parameters)
{
    struct smtp_check *check = talk->check;
    int plain = smtp_talk_try(talk, "%s", command);
    if (strncmp(command, "MAIL", 4) == 0) {
        smtp_talk_ask(talk, "250", "RSET");
    }
    int with = smtp_talk_try(talk, "%s %s", command, parameters);
    smtp_check_that(check, plain == with, "expected %d with %s as without, came %s", plain,
                    parameters, smtp_check_show(check, talk->reply.octets));
}

static void dsn_parameters_neutral(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    is_neutral(talk, smtp_check_text(check, "MAIL FROM:<%s>", check->sender),
               "ReT=hdrs EnvId=a+2Bb");
    const char *good = smtp_check_text(check, "RCPT TO:<%s>", check->recipient);
    const char *bad = smtp_check_text(check, "RCPT TO:<%s>", check->bad_recipient);
    is_neutral(talk, good, "NOTIFY=success,FAILURE,Delay ORCPT=RFC822;Bob@Example.COM");
    is_neutral(talk, good, "notify=never");
    is_neutral(talk, bad, "NOTIFY=FAILURE ORCPT=rfc822;bob@example.com");
}

static void dsn_bad_mail_parameter_501(struct smtp_check *check)
{
    static const char *const parameters[] = {"RET=BOTH", "RET=FULL RET=HDRS", "ENVID=a+zz",
                                             "ENVID=a ENVID=b", "ENVID=a=b"};
    struct smtp_talk *talk = begin(check);
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        smtp_talk_ask(talk, "501", "MAIL FROM:<%s> %s", check->sender, parameters[i]);
        smtp_talk_ask(talk, "503", "RCPT TO:<%s>", check->recipient);
    }
}

static void dsn_bad_rcpt_parameter_501(struct smtp_check *check)
{
    static const char *const parameters[] = {"NOTIFY=NEVER,SUCCESS", "NOTIFY=FOO",
                                             "NOTIFY=FAILURE NOTIFY=DELAY", "ORCPT=noaddrtype",
                                             "ORCPT=rfc822;a+zz"};
    struct smtp_talk *talk = begin(check);
    smtp_ask_mail(talk);
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        smtp_talk_ask(talk, "501", "RCPT TO:<%s> %s", check->recipient, parameters[i]);
    }
}

#define ENVID_OCTETS 100
#define ORCPT_OCTETS 500

static void dsn_parameter_sizes(struct smtp_check *check)
{
    char letters[ORCPT_OCTETS + 1];
    memset(letters, 'x', ORCPT_OCTETS);
    letters[ORCPT_OCTETS] = '\0';
    struct smtp_talk *talk = begin(check);
    is_neutral(talk, smtp_check_text(check, "MAIL FROM:<%s>", check->sender),
               smtp_check_text(check, "RET=FULL ENVID=%.*s", ENVID_OCTETS, letters));
    is_neutral(talk, smtp_check_text(check, "RCPT TO:<%s>", check->recipient),
               smtp_check_text(check, "NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;%.*s",
                               ORCPT_OCTETS - 7, letters));
}

/* ---- section 5.2: as a relay ---- */

/** A message with these parameters. */
static void send_with(struct smtp_talk *talk, const char *of_mail, const char *of_rcpt)
{
    struct smtp_check *check = talk->check;
    smtp_talk_step(talk, "250", "MAIL FROM:<%s>%s", check->sender, of_mail);
    smtp_talk_step(talk, "250 251", "RCPT TO:<%s>%s", check->recipient, of_rcpt);
    smtp_ask_send(talk);
}

/** Whether a parameter stands in the commands: its name in any case (RFC 5321 4.1.2), its value to the octet. */
static bool has_parameter(struct smtp_span commands, const char *name, const char *value)
{
    const struct smtp_span wanted = smtp_span_of(name), kept = smtp_span_of(value);
    size_t len = wanted.len + kept.len;
    for (size_t i = 0; i + len <= commands.len; i++) {
        const char *at = commands.bytes + i;
        char behind = i + len < commands.len ? at[len] : ' ';
        if (smtp_span_equal_nocase((struct smtp_span){at, wanted.len}, wanted) &&
            smtp_span_equal((struct smtp_span){at + wanted.len, kept.len}, kept) &&
            (behind == ' ' || behind == '\n')) {
            return true;
        }
    }
    return false;
}

static void dsn_relayed_unchanged(struct smtp_check *check)
{
    static const char envid[] = "Odd+2B+3Dxtext", orcpt[] = "MiXeD+2Bcase@Example.ORG";
    struct smtp_talk *talk = begin(check);
    struct smtp_arrival arrivals[2];
    send_with(talk, smtp_check_text(check, " RET=HDRS ENVID=%s", envid),
              smtp_check_text(check, " NOTIFY=FAILURE,DELAY ORCPT=rfc822;%s", orcpt));
    if (smtp_arrivals_wait(check, arrivals)) {
        smtp_check_that(check,
                        has_parameter(arrivals[0].mail, " ENVID=", envid) &&
                            has_parameter(arrivals[0].mail, " RET=HDRS", ""),
                        "expected RET=HDRS and ENVID=%s downstream, came %s", envid,
                        smtp_check_show(check, arrivals[0].mail));
        smtp_check_that(check,
                        has_parameter(arrivals[0].rcpts, " ORCPT=rfc822;", orcpt) &&
                            has_parameter(arrivals[0].rcpts, " NOTIFY=FAILURE,DELAY", ""),
                        "expected NOTIFY and ORCPT=rfc822;%s downstream, came %s", orcpt,
                        smtp_check_show(check, arrivals[0].rcpts));
    }
    send_with(talk, "", "");
    if (smtp_arrivals_wait_many(check, arrivals, 2)) {
        bool adds = smtp_span_has_nocase(arrivals[1].mail, "RET=") ||
                    smtp_span_has_nocase(arrivals[1].mail, "ENVID=") ||
                    smtp_span_has_nocase(arrivals[1].rcpts, "NOTIFY=");
        smtp_check_that(
            check, !adds, "expected no RET, ENVID or NOTIFY of its own downstream, came %s %s",
            smtp_check_show(check, arrivals[1].mail), smtp_check_show(check, arrivals[1].rcpts));
    }
}

/** Refused downstream once it was taken here, it is told to nobody. */
static void never_is_not_told(struct smtp_check *check)
{
    struct smtp_arrival notification;
    smtp_arrivals_use(check, SMTP_ARRIVALS_REFUSING);
    struct smtp_talk *talk = begin(check);
    smtp_ask_mail(talk);
    smtp_talk_step(talk, "250 251", "RCPT TO:<%s> NOTIFY=NEVER", check->recipient);
    smtp_talk_step(talk, "354", "DATA");
    smtp_talk_write(talk, "%s", smtp_ask_message(check));
    if (smtp_talk_read(talk) / 100 == 2) { /* else it asks the next hop before it answers */
        bool came = smtp_arrivals_notified_of_refusal(check, &notification);
        smtp_check_that(check, !came, "expected no notification with NOTIFY=NEVER, came %s",
                        smtp_check_show(check, notification.content));
    }
}

static void dsn_next_hop_without_dsn(struct smtp_check *check)
{
    never_is_not_told(check); /* the first, while nothing is told of this check */
    smtp_arrivals_use(check, SMTP_ARRIVALS_NO_DSN);
    struct smtp_talk *talk = begin(check);
    struct smtp_arrival arrival, notification;
    send_with(talk, " RET=HDRS ENVID=check-42", " NOTIFY=SUCCESS ORCPT=rfc822;bob@example.com");
    if (smtp_arrivals_wait(check, &arrival)) {
        bool has_any = smtp_span_has_nocase(arrival.mail, "RET=") ||
                       smtp_span_has_nocase(arrival.mail, "ENVID=") ||
                       smtp_span_has_nocase(arrival.rcpts, "NOTIFY=") ||
                       smtp_span_has_nocase(arrival.rcpts, "ORCPT=");
        smtp_check_that(check, !has_any, "expected no DSN parameter downstream, came %s %s",
                        smtp_check_show(check, arrival.mail),
                        smtp_check_show(check, arrival.rcpts));
    }
    if (!smtp_arrivals_notified(check, &notification)) {
        return;
    }
    smtp_check_that(check,
                    smtp_span_has_nocase(notification.content, "relayed") &&
                        smtp_span_has(notification.content, "check-42"),
                    "expected a notification with action \"relayed\" and the ENVID, came %s",
                    smtp_check_show(check, notification.content));
    smtp_check_that(check, smtp_span_has(notification.mail, "<>"),
                    "expected MAIL FROM:<> of the notification, came %s",
                    smtp_check_show(check, notification.mail));
}

static void dsn_envelope(struct smtp_check *check)
{
    smtp_arrivals_use(check, SMTP_ARRIVALS_REFUSING);
    struct smtp_talk *talk = begin(check);
    smtp_ask_mail(talk);
    smtp_talk_step(talk, "250 251", "RCPT TO:<%s> NOTIFY=FAILURE", check->recipient);
    smtp_talk_step(talk, "354", "DATA");
    smtp_talk_write(talk, "%s", smtp_ask_message(check));
    if (smtp_talk_read(talk) / 100 != 2) {
        smtp_check_skip(check, "it asks the next hop before it answers, so that nothing bounces");
    }
    struct smtp_arrival notification;
    if (!smtp_arrivals_notified(check, &notification)) {
        return;
    }
    smtp_check_that(
        check,
        smtp_span_has(notification.mail, "<>") && !smtp_span_has_nocase(notification.mail, "RET="),
        "expected MAIL FROM:<> without RET, came %s", smtp_check_show(check, notification.mail));
    smtp_check_that(check,
                    !smtp_span_has_nocase(notification.rcpts, "NOTIFY=") ||
                        smtp_span_has_nocase(notification.rcpts, "NOTIFY=NEVER"),
                    "expected no NOTIFY or NEVER, came %s",
                    smtp_check_show(check, notification.rcpts));
}

static const struct smtp_rule rows[] = {
    {"rfc3461/5.1/dsn-parameters-neutral", SMTP_MUST, 0,
     "Valid RET, ENVID, NOTIFY and ORCPT do not change the reply to MAIL and RCPT.",
     "If DSN is offered: compare replies with and without them, in mixed case, for good "
     "and bad recipients.",
     dsn_parameters_neutral},
    {"rfc3461/5.1/dsn-bad-mail-parameter-501", SMTP_MUST, 0,
     "Invalid or repeated RET or ENVID is answered 501. [known deviation: OpenSMTPD takes "
     "an unknown RET value silently (source)]",
     "RET=BOTH, RET twice, ENVID=a+zz, ENVID twice, ENVID=a=b; 501 each and no "
     "transaction.",
     dsn_bad_mail_parameter_501},
    {"rfc3461/5.1/dsn-bad-rcpt-parameter-501", SMTP_SHOULD, 0,
     "Invalid or repeated NOTIFY or ORCPT is answered 501; NEVER stands alone. [known "
     "deviation: OpenSMTPD answers 553 (source)]",
     "NOTIFY=NEVER,SUCCESS, NOTIFY=FOO, NOTIFY twice, ORCPT=noaddrtype, ORCPT=rfc822;a+zz; "
     "501 each.",
     dsn_bad_rcpt_parameter_501},
    {"rfc3461/5.2.1/dsn-relayed-unchanged", SMTP_MUST, SMTP_NEEDS_SINK,
     "A relay passes ENVID, RET, NOTIFY and ORCPT to a DSN-capable next hop as received "
     "(ORCPT letter case included) and adds no ENVID, RET or NOTIFY of its own.",
     "[sink] Send with mixed-case ORCPT and odd xtext; compare the downstream commands; "
     "repeat without any parameter.",
     dsn_relayed_unchanged},
    {"rfc3461/5.2.2/dsn-next-hop-without-dsn", SMTP_MUST, SMTP_NEEDS_SINK,
     "To a next hop without DSN no such parameter is sent; NOTIFY=SUCCESS then yields a "
     "relayed notification and NEVER yields none.",
     "[sink] Next hop offers no DSN: NOTIFY=SUCCESS gives a DSN with action relayed, null "
     "sender and original ENVID; NEVER with 550 downstream gives nothing.",
     dsn_next_hop_without_dsn},
    {"rfc3461/5.4/dsn-parameter-sizes", SMTP_MUST, 0,
     "ENVID of 100, ORCPT of 500 characters and command lines of 1036 are accepted.",
     "MAIL with ENVID of 100 and RCPT with ORCPT of 500 characters; same reply as without.",
     dsn_parameter_sizes},
    {"rfc3461/6.1/dsn-envelope", SMTP_MUST, SMTP_NEEDS_SINK,
     "A notification is sent with MAIL FROM:<>, without RET, and NOTIFY, if any, is NEVER.",
     "[sink] Provoke a failure DSN to a DSN-capable sink; read its MAIL and RCPT.", dsn_envelope},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc3461, rows);
