/* rfc1870.c - SIZE (RFC 1870). */
#include "harness/conformance/ask.h"
#include "harness/conformance/rules.h"

#define SMALL_ENOUGH ((uint64_t)64 << 20) /* a limit that content can be sent up to */

/** The limit that is offered; skips where none is. */
static uint64_t offered_limit(struct smtp_talk *talk)
{
    struct smtp_span parameter;
    uint64_t limit = 0;
    if (smtp_ask_needs(talk, "SIZE") && smtp_ask_parameters(talk, "SIZE", &parameter) &&
        (!smtp_span_to_u64(parameter, UINT64_MAX / 2, &limit) || limit == 0)) {
        smtp_check_skip(talk->check, "SIZE is offered without a limit");
    }
    return limit;
}

static void size_over_limit_552(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    unsigned long long limit = offered_limit(talk);
    smtp_talk_ask(talk, "552", "MAIL FROM:<%s> SIZE=%llu", check->sender, limit + 1);
    smtp_talk_step(talk, "250 452", "MAIL FROM:<%s> SIZE=%llu", check->sender, limit);
    if (talk->reply.code == 452) {
        smtp_check_warn(check, "no room for the size it offers: %s",
                        smtp_check_show(check, talk->reply.octets));
    }
}

static void size_twenty_digits(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    offered_limit(talk);
    smtp_talk_ask(talk, "552 452", "MAIL FROM:<%s> SIZE=18446744073709551617", check->sender);
    smtp_talk_ask(talk, "552 452", "MAIL FROM:<%s> SIZE=99999999999999999999", check->sender);
    smtp_talk_ask(talk, "501 555", "MAIL FROM:<%s> SIZE=abc", check->sender);
    smtp_talk_ask(talk, "501 555", "MAIL FROM:<%s> SIZE=", check->sender);
    smtp_talk_ask(talk, "501 555", "MAIL FROM:<%s> SIZE=-1", check->sender);
}

/** A transaction whose content has `octets`, or a few more, and SIZE=`declared`. */
static void deliver_declared(struct smtp_talk *talk, size_t declared, size_t octets)
{
    struct smtp_check *check = talk->check;
    char line[72];
    memset(line, 'x', sizeof line);
    smtp_talk_step(talk, "250", "MAIL FROM:<%s> SIZE=%zu", check->sender, declared);
    smtp_ask_rcpt(talk, check->recipient);
    smtp_talk_step(talk, "354", "DATA");
    const char *header = smtp_ask_header(check);
    smtp_talk_write(talk, "%s", header);
    for (size_t sent = strlen(header); sent < octets; sent += sizeof line + 2) {
        smtp_talk_write(talk, "%.*s\r\n", (int)sizeof line, line);
    }
    smtp_talk_write(talk, ".\r\n");
    smtp_talk_expect(talk, "250 552");
}

static void size_not_end_of_data(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_needs(talk, "SIZE");
    deliver_declared(talk, 10, 500);
    deliver_declared(talk, 5000, 50);
    smtp_ask_quit(talk);
}

/** A message of exactly `octets` before stuffing; each line begins with `mark`, which is on the wire as it stands.
 *  counted: how many octets of the mark are the message's. */
static void write_message(struct smtp_talk *talk, uint64_t octets, const char *mark, size_t counted)
{
    struct smtp_buffer chunk = SMTP_BUFFER(SIZE_MAX / 2);
    const char *header = smtp_ask_header(talk->check);
    smtp_talk_write(talk, "%s", header);
    uint64_t left = octets - strlen(header);
    char line[500];
    memset(line, 'x', sizeof line);
    while (left > 0 && smtp_check_goes_on(talk->check)) {
        uint64_t len = left > 2 * sizeof line ? sizeof line : left > sizeof line ? left / 2 : left;
        len = len < counted + 2 ? counted + 2 : len;
        if (smtp_buffer_append(&chunk, mark, strlen(mark)) != SMTP_OK ||
            smtp_buffer_append(&chunk, line, (size_t)len - counted - 2) != SMTP_OK ||
            smtp_buffer_append(&chunk, "\r\n", 2) != SMTP_OK) {
            smtp_check_skip(talk->check, "out of memory");
        }
        left -= len < left ? len : left;
        if (chunk.len > 65536 || left == 0) {
            smtp_talk_put(talk, smtp_buffer_span(&chunk));
            smtp_buffer_clear(&chunk, SIZE_MAX);
        }
    }
    smtp_buffer_free(&chunk);
    smtp_talk_write(talk, ".\r\n");
}

static uint64_t small_limit(struct smtp_talk *talk)
{
    uint64_t limit = offered_limit(talk);
    if (limit > SMALL_ENOUGH || (limit > 0 && limit < 4096)) {
        smtp_check_skip(talk->check, "its limit of %llu octets cannot be tried",
                        (unsigned long long)limit);
    }
    return limit;
}

static void size_excludes_dots(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    uint64_t limit = small_limit(talk);
    smtp_ask_data(talk);
    write_message(talk, limit, "..", 1);
    smtp_talk_expect(talk, "250");
}

static void actual_size_over_limit_552(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    uint64_t limit = small_limit(talk);
    smtp_ask_data(talk);
    write_message(talk, limit + 1000, "x", 1);
    smtp_talk_expect(talk, "552");
    smtp_ask_quit(talk);
}

static const struct smtp_rule rows[] = {
    {"rfc1870/3/size-twenty-digits", SMTP_MUST, 0,
     "The SIZE value may have up to 20 digits and is compared without overflow; the MAIL "
     "line may be 26 octets longer. [level inferred]",
     "If a fixed limit is offered: MAIL with SIZE=18446744073709551617 and "
     "SIZE=99999999999999999999; expect 552 (or 452), never 250; SIZE=abc, SIZE= and "
     "SIZE=-1 give 501 or 555.",
     size_twenty_digits},
    {"rfc1870/4/actual-size-over-limit-552", SMTP_MUST, 0,
     "Content above the limit is refused with 552 even when a smaller size or none was "
     "declared. [level inferred] [known deviation: OpenSMTPD answers 554 (source)]",
     "Send n plus 1000 octets without SIZE; the reply after end of data is 552 and the "
     "session stays in step.",
     actual_size_over_limit_552},
    {"rfc1870/5/size-excludes-dots", SMTP_MUST, 0,
     "The limit counts message octets with CRLF, not stuffing dots or the final dot. "
     "[level inferred]",
     "If SIZE n is small enough to test: send exactly n octets where many lines start with "
     "a dot; accepted.",
     size_excludes_dots},
    {"rfc1870/6/size-not-end-of-data", SMTP_MUST_NOT, 0,
     "The declared size does not decide where the message ends.",
     "Declare SIZE=10 and send 500 octets, then SIZE=5000 and send 50; both end only at "
     "CRLF dot CRLF and later commands stay in step.",
     size_not_end_of_data},
    {"rfc1870/6.1/size-over-limit-552", SMTP_MUST, 0,
     "A declared size above the advertised fixed maximum is refused with 552 at MAIL "
     "(minimal server duty in section 7). [level inferred]",
     "If SIZE n is offered: MAIL with SIZE=n+1 gives 552, SIZE=n gives 250.", size_over_limit_552},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc1870, rows);
