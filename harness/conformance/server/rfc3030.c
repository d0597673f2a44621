/* rfc3030.c - CHUNKING and BINARYMIME (RFC 3030), 8BITMIME (RFC 6152). */
#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"
#include "harness/conformance/rules.h"

static struct smtp_talk *begin(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_needs(talk, "CHUNKING");
    return talk;
}

/** A chunk behind its command, in one write; the reply. */
static int bdat(struct smtp_talk *talk, const char *codes, struct smtp_span chunk, bool last)
{
    struct smtp_buffer octets = SMTP_BUFFER(SIZE_MAX / 2);
    const char *command =
        smtp_check_text(talk->check, "BDAT %zu%s\r\n", chunk.len, last ? " LAST" : "");
    if (smtp_buffer_append(&octets, command, strlen(command)) != SMTP_OK ||
        smtp_buffer_append(&octets, chunk.bytes, chunk.len) != SMTP_OK) {
        smtp_check_skip(talk->check, "out of memory");
    }
    smtp_talk_put(talk, smtp_buffer_span(&octets));
    smtp_buffer_free(&octets);
    return smtp_talk_expect(talk, codes);
}

static struct smtp_span header(struct smtp_check *check)
{
    return smtp_span_of(smtp_ask_header(check));
}

/* ---- section 2: chunks ---- */

static void data_still_supported(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    smtp_ask_deliver(talk);
    smtp_ask_begin(talk);
    bdat(talk, "250", header(check), true);
    smtp_ask_quit(talk);
}

/** What arrived ends in these octets. */
static void expect_end(struct smtp_check *check, struct smtp_span octets)
{
    struct smtp_arrival arrival;
    if (!smtp_arrivals_wait(check, &arrival)) {
        return;
    }
    struct smtp_span came = arrival.content;
    size_t len = came.len < octets.len ? came.len : octets.len;
    struct smtp_span end = {came.bytes + came.len - len, len};
    smtp_check_that(check, smtp_span_equal(end, octets), "expected %s to arrive, came %s",
                    smtp_check_show(check, octets), smtp_check_show(check, end));
}

static void bdat_exact_octets(struct smtp_check *check)
{
    static const struct smtp_span body = {"\r\n.\r\n..two\r\n.one\r\nQUIT\r\nlast\r\n", 30};
    struct smtp_talk *talk = begin(check);
    smtp_ask_begin(talk);
    bdat(talk, "250", header(check), false);
    bdat(talk, "250", body, true);
    smtp_ask_quit(talk);
    expect_end(check, body);
}

static void bdat_250_per_chunk(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    smtp_ask_begin(talk);
    bdat(talk, "250", header(check), false);
    bdat(talk, "250", SMTP_SPAN("Two.\r\n"), false);
    bdat(talk, "250", SMTP_SPAN("Three.\r\n"), false);
    bdat(talk, "250", SMTP_SPAN(""), true);
    smtp_ask_begin(talk);
    bdat(talk, "250", header(check), false);
    bdat(talk, "250", SMTP_SPAN(""), false);
    bdat(talk, "250", SMTP_SPAN("End.\r\n"), true);
    smtp_ask_quit(talk);
}

static const struct smtp_span command_in_chunk = {"MAIL FROM:<x@example.com>\r\n", 27};

static void bdat_failure_consumes_chunk(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    bdat(talk, "5yz", command_in_chunk, !check->options->lmtp); /* LMTP: LAST has no reply */
    smtp_ask_in_step(talk);
    smtp_ask_mail(talk);
    smtp_ask_bad_recipient(talk);
    bdat(talk, "5yz", command_in_chunk, !check->options->lmtp); /* LMTP: LAST has no reply */
    smtp_ask_quit(talk);
}

static void bdat_pipelined_after_failure(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    smtp_ask_needs(talk, "PIPELINING");
    smtp_ask_mail(talk);
    smtp_ask_bad_recipient(talk);
    smtp_talk_write(talk, "BDAT 6\r\nRSET\r\nBDAT 6\r\nNOOP\r\nBDAT 6%s\r\nQUIT\r\n",
                    check->options->lmtp ? "" : " LAST"); /* which has no reply there */
    smtp_talk_expect(talk, "4yz 5yz");
    smtp_talk_expect(talk, "4yz 5yz");
    smtp_talk_expect(talk, "4yz 5yz");
    smtp_talk_ask(talk, "250", "RSET");
    smtp_ask_quit(talk);
}

static void bdat_after_last_503(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    smtp_ask_begin(talk);
    bdat(talk, "250", header(check), true);
    bdat(talk, "503", SMTP_SPAN("QUIT\r"), false);
    smtp_talk_ask(talk, "250", "RSET");
    smtp_ask_quit(talk);
}

static void data_after_bdat_503(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    smtp_ask_begin(talk);
    bdat(talk, "250", header(check), false);
    smtp_talk_ask(talk, "503", "DATA");
    smtp_talk_ask(talk, "250", "RSET");
    smtp_ask_deliver(talk);
    smtp_ask_quit(talk);
}

static void bdat_bad_size(struct smtp_check *check)
{
    static const char *const lines[] = {"BDAT", "BDAT x", "BDAT -1", "BDAT 99999999999999999999",
                                        "BDAT 5 LOST\r\nabc"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines && smtp_check_goes_on(check); i++) {
        struct smtp_talk *talk = begin(check);
        smtp_ask_begin(talk);
        smtp_talk_line(talk, "%s", lines[i]);
        int code = smtp_talk_read_if(talk, SMTP_TALK_ANY_TIME);
        smtp_check_that(check, code / 100 == 4 || code / 100 == 5 || smtp_talk_is_over(talk),
                        "expected 5yz or a close after %s, came %s",
                        smtp_check_show(check, smtp_span_of(lines[i])),
                        code != 0 ? smtp_check_show(check, talk->reply.octets) : "nothing");
    }
    struct smtp_talk *other = begin(check);
    smtp_ask_deliver(other);
}

/* ---- section 3: BINARYMIME ---- */

static void binarymime_needs_bdat(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    smtp_ask_needs(talk, "BINARYMIME");
    smtp_talk_step(talk, "250", "MAIL FROM:<%s> BODY=BINARYMIME", check->sender);
    smtp_ask_rcpt(talk, check->recipient);
    smtp_talk_ask(talk, "503", "DATA");
}

static void binarymime_octets_kept(struct smtp_check *check)
{
    char all[256];
    for (int octet = 0; octet < 256; octet++) {
        all[octet] = (char)octet;
    }
    struct smtp_span body = {all, sizeof all};
    struct smtp_talk *talk = begin(check);
    smtp_ask_needs(talk, "BINARYMIME");
    smtp_talk_step(talk, "250", "MAIL FROM:<%s> BODY=BINARYMIME", check->sender);
    smtp_ask_rcpt(talk, check->recipient);
    bdat(talk, "250", header(check), false);
    bdat(talk, "250", body, true);
    expect_end(check, body);
}

/* ---- RFC 6152 ---- */

static void rule_8bitmime_octets_kept(struct smtp_check *check)
{
    char body[256];
    size_t len = 0;
    for (int octet = 0x80; octet < 0x100; octet++) {
        body[len++] = (char)octet;
    }
    memcpy(body + len, "\r\n", 2);
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_needs(talk, "8BITMIME");
    smtp_talk_ask(talk, "5yz", "MAIL FROM:<%s> BODY=FOO", check->sender);
    /* what comes of two is not said */
    if (smtp_talk_ask(talk, "5yz ~250", "MAIL FROM:<%s> BODY=7BIT BODY=8BITMIME", check->sender) ==
        250) {
        smtp_talk_ask(talk, "250", "RSET");
    }
    smtp_talk_step(talk, "250", "MAIL FROM:<%s> BODY=7BIT", check->sender);
    smtp_talk_ask(talk, "250", "RSET");
    smtp_talk_step(talk, "250", "MAIL FROM:<%s> BODY=8BITMIME", check->sender);
    smtp_ask_rcpt(talk, check->recipient);
    smtp_talk_step(talk, "354", "DATA");
    smtp_talk_write(talk, "%s", smtp_ask_header(check));
    smtp_talk_put(talk, (struct smtp_span){body, len + 2});
    smtp_talk_put_literal(talk, ".\r\n");
    smtp_talk_expect(talk, "250");
    expect_end(check, (struct smtp_span){body, len + 2});
}

static const struct smtp_rule rows[] = {
    {"rfc3030/2/data-still-supported", SMTP_MUST, 0,
     "DATA keeps working on a server that offers CHUNKING.",
     "Send one message with DATA and the next with BDAT in one session; both 250.",
     data_still_supported},
    {"rfc3030/2/bdat-exact-octets", SMTP_MUST, SMTP_NEEDS_ARRIVALS,
     "A chunk is exactly the announced number of octets; dots and CRLF in it mean nothing. "
     "[level inferred]",
     "[sink] BDAT chunk holding CRLF dot CRLF, lines starting with dots, and QUIT lines; "
     "stored copy is equal octet for octet, dots not removed.",
     bdat_exact_octets},
    {"rfc3030/2/bdat-250-per-chunk", SMTP_MUST, 0,
     "Each successful chunk gets its own 250, including one of length zero with LAST. "
     "[known deviation: Postfix refuses a zero chunk without LAST with 551 (source)]",
     "Three chunks and BDAT 0 LAST: four 250 replies; also BDAT 0 in the middle.",
     bdat_250_per_chunk},
    {"rfc3030/2/bdat-failure-consumes-chunk", SMTP_MUST, 0,
     "When BDAT is refused, the chunk that follows is still read and thrown away before "
     "the error is sent.",
     "BDAT with no transaction, and after all RCPT were refused: chunk text is MAIL "
     "FROM:<x@y> CRLF; exactly one error reply, then NOOP gives one 250.",
     bdat_failure_consumes_chunk},
    {"rfc3030/2/bdat-pipelined-after-failure", SMTP_MUST, 0,
     "With PIPELINING, chunks already sent after a failed one are accepted and dropped.",
     "Pipeline three chunks after refused recipients; three replies, none 250, then RSET "
     "gives 250 in step.",
     bdat_pipelined_after_failure},
    {"rfc3030/2/bdat-after-last-503", SMTP_MUST, 0, "BDAT after BDAT LAST is answered 503.",
     "Send a complete message with LAST, then BDAT 5 plus five octets; 503, chunk "
     "swallowed, RSET works.",
     bdat_after_last_503},
    {"rfc3030/2/data-after-bdat-503", SMTP_MUST, 0,
     "DATA after BDAT in the same transaction is answered 503.",
     "MAIL, RCPT, BDAT chunk, DATA; 503, then RSET and a clean transaction.", data_after_bdat_503},
    {"rfc3030/2/bdat-bad-size", SMTP_SHOULD, 0,
     "A malformed or overflowing chunk size is refused and does not put the server out of "
     "step. [level inferred] [known deviation: Postfix answers 521 and hangs up on purpose "
     "(source)]",
     "BDAT, BDAT x, BDAT -1, BDAT 99999999999999999999, BDAT 5 LOST; 5yz reply or close, "
     "no memory blow-up, server still serves new connections.",
     bdat_bad_size},
    {"rfc3030/3/binarymime-needs-bdat", SMTP_MUST, 0, "DATA after BODY=BINARYMIME is answered 503.",
     "If BINARYMIME is offered: MAIL BODY=BINARYMIME, RCPT, DATA; 503.", binarymime_needs_bdat},
    {"rfc3030/3/binarymime-octets-kept", SMTP_MUST, SMTP_NEEDS_SINK,
     "A message accepted as BINARYMIME keeps every octet, bare CR, bare LF and NUL "
     "included.",
     "[sink] Send all 256 octet values by BDAT; next hop that offers BINARYMIME gets them "
     "equal.",
     binarymime_octets_kept},
    {"rfc6152/3/8bitmime-octets-kept", SMTP_MUST, SMTP_NEEDS_ARRIVALS,
     "With 8BITMIME offered, BODY=8BITMIME and BODY=7BIT are accepted and all eight bits "
     "are preserved to the mailbox or next hop. [level inferred]",
     "[sink] Send octets 80 to FF in a body; stored copy is equal. BODY=FOO and two BODY "
     "parameters give 5yz.",
     rule_8bitmime_octets_kept},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc3030, rows);
