/* volley.c - see volley.h. */
#include "harness/conformance/volley.h"

#include "common/clock.h"
#include "harness/conformance/ask.h"

/* Its replies fit into any window of TCP, so that neither end waits for the other (RFC 2920 3.1), and a server that
 * counts errors sees few of them beyond the first. */
#define WINDOW 50
/* What of a scenario's time is left for what comes behind. */
#define RESERVE_PART 4

/** Milliseconds until a volley must be over; 0: it must. */
static uint64_t left_ms(const struct smtp_check *check)
{
    if (check->deadline_ns == SMTP_NEVER) {
        return SMTP_TALK_ANY_TIME;
    }
    uint64_t end_ns = check->deadline_ns - check->timeout_ms / RESERVE_PART * SMTP_NS_PER_MS;
    uint64_t now_ns = smtp_clock_now_ns();
    return now_ns < end_ns ? (end_ns - now_ns) / SMTP_NS_PER_MS : 0;
}

bool smtp_volley_has_time(struct smtp_check *check, size_t done, size_t wanted)
{
    if (smtp_check_goes_on(check) && left_ms(check) == 0) {
        smtp_check_skip(check, "it takes %zu round trips, and %zu took its time: give --timeout",
                        wanted, done);
    }
    return smtp_check_goes_on(check);
}

static void send_window(struct smtp_talk *talk, const struct smtp_volley *volley, size_t from,
                        size_t to)
{
    struct smtp_buffer octets = SMTP_BUFFER(SIZE_MAX / 2);
    for (size_t i = from; i < to; i++) {
        const char *line = volley->lines[i % volley->line_count];
        if (smtp_buffer_append(&octets, line, strlen(line)) != SMTP_OK ||
            smtp_buffer_append(&octets, "\r\n", 2) != SMTP_OK) {
            smtp_check_skip(talk->check, "out of memory");
        }
    }
    smtp_talk_put(talk, smtp_buffer_span(&octets));
    smtp_buffer_free(&octets);
}

/** A reply, or the end of the connection, or no time for it; before: how many came. */
static void read_one(struct smtp_talk *talk, size_t before, size_t count)
{
    struct smtp_check *check = talk->check;
    int code = smtp_talk_read_if(talk, left_ms(check));
    if (code != 0 || smtp_talk_is_over(talk)) {
        return;
    }
    if (before == 0) {
        smtp_check_fail(check, "expected a reply to %s, came nothing within the time",
                        smtp_check_show(check, smtp_buffer_span(&talk->said)));
    }
    smtp_check_skip(check, "it takes %zu replies, and %zu took its time: give --timeout", count,
                    before);
}

size_t smtp_volley(struct smtp_talk *talk, const struct smtp_volley *volley)
{
    struct smtp_check *check = talk->check;
    size_t window = smtp_ask_offers(talk, "PIPELINING") ? WINDOW : 1, fitting = 0;
    struct smtp_talk_reply first = {0};
    bool all_fit = true;
    for (size_t at = 0; at < volley->count && all_fit && smtp_check_goes_on(check);) {
        size_t end = volley->count - at < window ? volley->count : at + window;
        send_window(talk, volley, at, end);
        for (; at < end && smtp_check_goes_on(check) && !smtp_talk_is_over(talk); at++) {
            read_one(talk, at, volley->count);
            bool fits = smtp_talk_is(talk, volley->codes);
            if (all_fit && !fits) {
                first = talk->reply;
                first.octets = smtp_span_of(
                    smtp_check_text(check, "%.*s", (int)first.octets.len, first.octets.bytes));
            }
            all_fit = all_fit && fits;
            fitting += all_fit;
        }
    }
    talk->reply = first;
    return fitting;
}

const char *smtp_volley_came(struct smtp_talk *talk)
{
    return talk->reply.code != 0 ? smtp_check_show(talk->check, talk->reply.octets)
                                 : "the end of the connection";
}
