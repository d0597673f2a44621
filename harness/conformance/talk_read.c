/* talk_read.c - what comes on a connection of a scenario: replies, octets, silence, the end. */
#include "common/clock.h"
#include "harness/conformance/talk.h"

#include <stdio.h>

#define REPLIES_MAX ((size_t)1 << 20) /* octets of replies that nobody has taken yet */

static struct smtp_span heard(const struct smtp_talk *talk)
{
    return smtp_buffer_span(&talk->wire.heard);
}

static const char *peer(const struct smtp_talk *talk)
{
    return talk->is_client ? "server" : "client";
}

/** More octets or the end; false: neither came in time, or the check is decided. */
static bool hear_more(struct smtp_talk *talk, uint64_t deadline_ns)
{
    struct smtp_check *check = talk->check;
    if (check->is_decided) {
        return false;
    }
    if (talk->wire.fd < 0) {
        talk->wire.ended = true;
    }
    if (talk->wire.ended) {
        return true;
    }
    deadline_ns = smtp_deadline_earlier(deadline_ns, check->deadline_ns);
    enum smtp_status status = smtp_dialogue_wire_hear(&talk->wire, deadline_ns);
    switch (status) {
    case SMTP_OK:
        if (talk->wire.ended) {
            smtp_talk_log(talk, SMTP_LOG_CLOSE,
                          talk->wire.was_reset ? SMTP_SPAN("reset by the peer")
                                               : SMTP_SPAN("by the peer"));
        }
        if (talk->is_client && heard(talk).len > REPLIES_MAX) {
            smtp_check_fail(check, "the server floods the connection");
        }
        return !check->is_decided && smtp_clock_now_ns() < deadline_ns;
    case SMTP_TIMED_OUT:
        return false;
    case SMTP_TLS_FAILED:
        smtp_check_fail(check, "TLS failed: %s", smtp_tls_error(talk->wire.tls));
        return false;
    case SMTP_NO_MEMORY:
        smtp_check_skip(check, "out of memory");
        return false;
    default:
        smtp_check_fail(check, "the %s floods the connection", peer(talk));
        return false;
    }
}

/* ---- details ---- */

/** "sent "DATA\r\n"; expected 503; " : how every detail about a reply begins. */
static const char *before(struct smtp_talk *talk, const char *expected)
{
    struct smtp_span said = smtp_buffer_span(&talk->said);
    if (said.len == 0) {
        return smtp_check_text(talk->check, "expected %s", expected);
    }
    return smtp_check_text(talk->check, "sent %s, expected %s", smtp_check_show(talk->check, said),
                           expected);
}

static void fail_missing(struct smtp_talk *talk, const char *expected)
{
    struct smtp_check *check = talk->check;
    if (check->is_decided) {
        return;
    }
    struct smtp_span part = heard(talk);
    const char *what = talk->wire.ended
                           ? (talk->wire.was_reset ? "a reset" : "the end of the connection")
                           : "nothing within the time";
    smtp_check_fail(check, "%s; came %s%s%s", before(talk, expected),
                    part.len > 0 ? smtp_check_show(check, part) : "",
                    part.len > 0 ? " and then " : "", what);
}

/* ---- replies ---- */

/** The length of the first line in `octets` with its CRLF; 0: it is not whole. */
static size_t line_len(struct smtp_span octets)
{
    const char *crlf = octets.len > 0 ? memmem(octets.bytes, octets.len, "\r\n", 2) : NULL;
    return crlf != NULL ? (size_t)(crlf - octets.bytes) + 2 : 0;
}

static bool is_reply_line(struct smtp_span line)
{
    for (size_t i = 0; i < 3; i++) {
        if (line.len < 5 || !smtp_is_digit((unsigned char)line.bytes[i])) {
            return false;
        }
    }
    return line.len == 5 || line.bytes[3] == ' ' || line.bytes[3] == '-';
}

enum reply_state { WHOLE, GOES_ON, NO_REPLY };

/** Looks at what was heard: a whole reply of so many octets and lines? */
static enum reply_state find_reply(struct smtp_span octets, size_t *len, size_t *lines)
{
    *len = *lines = 0;
    for (;;) {
        struct smtp_span rest = {octets.bytes + *len, octets.len - *len};
        size_t line = line_len(rest);
        if (line == 0) {
            return GOES_ON;
        }
        rest.len = line;
        *len += line;
        ++*lines;
        if (!is_reply_line(rest)) {
            return NO_REPLY;
        }
        if (rest.bytes[3] != '-') {
            return WHOLE;
        }
    }
}

static void take_reply(struct smtp_talk *talk, size_t len, size_t lines)
{
    struct smtp_span octets = {heard(talk).bytes, len};
    smtp_buffer_clear(&talk->taken, SIZE_MAX);
    if (smtp_buffer_append(&talk->taken, octets.bytes, len) != SMTP_OK) {
        smtp_check_fail(talk->check, "a reply of %zu octets", len);
        return;
    }
    for (size_t at = 0; at < len;) {
        size_t line = line_len((struct smtp_span){octets.bytes + at, len - at});
        smtp_talk_log(talk, SMTP_LOG_REPLY, (struct smtp_span){octets.bytes + at, line - 2});
        at += line;
    }
    const char *last = octets.bytes; /* all its lines have one code, or the rule of that is asked */
    talk->reply = (struct smtp_talk_reply){.code = (last[0] - '0') * 100 + (last[1] - '0') * 10 +
                                                   (last[2] - '0'),
                                           .line_count = lines,
                                           .octets = smtp_buffer_span(&talk->taken)};
    talk->is_content = talk->reply.code == 354;
    smtp_buffer_take(&talk->wire.heard, len);
}

/** The next reply's code; 0: none came in time, or the end did (`told`: that fails the check). */
static int read_reply(struct smtp_talk *talk, uint64_t deadline_ns, const char *expected)
{
    struct smtp_check *check = talk->check;
    talk->reply = (struct smtp_talk_reply){0};
    while (!check->is_decided) {
        size_t len, lines;
        switch (find_reply(heard(talk), &len, &lines)) {
        case WHOLE:
            take_reply(talk, len, lines);
            return talk->reply.code;
        case NO_REPLY:
            smtp_check_fail(check, "%s; came %s, which is no reply",
                            before(talk, expected != NULL ? expected : "a reply"),
                            smtp_check_show(check, (struct smtp_span){heard(talk).bytes, len}));
            return 0;
        case GOES_ON:
            break;
        }
        if (talk->wire.ended || !hear_more(talk, deadline_ns)) {
            if (expected != NULL) {
                fail_missing(talk, expected);
            }
            return 0;
        }
    }
    return 0;
}

int smtp_talk_read(struct smtp_talk *talk)
{
    return read_reply(talk, SMTP_NEVER, "a reply");
}

int smtp_talk_read_if(struct smtp_talk *talk, uint64_t within_ms)
{
    return read_reply(talk, smtp_clock_now_ns() + within_ms * SMTP_NS_PER_MS, NULL);
}

/* ---- codes ---- */

/** Whether a code is what `pattern` of that length says: "250", "5yz", "45z" and the like. */
static bool code_is(int code, const char *pattern, size_t len)
{
    char digits[12];
    snprintf(digits, sizeof digits, "%03d", code);
    for (size_t i = 0; i < len && i < 3; i++) {
        if (smtp_is_digit((unsigned char)pattern[i]) && pattern[i] != digits[i]) {
            return false;
        }
    }
    return code != 0 && len == 3;
}

/** Whether one of the codes fits; only those behind "~" where `lenient`. */
static bool fits(int code, const char *codes, bool lenient)
{
    while (*codes != '\0') {
        size_t len = strcspn(codes, " ");
        bool is_lenient = codes[0] == '~';
        if (is_lenient == lenient && code_is(code, codes + is_lenient, len - is_lenient)) {
            return true;
        }
        codes += len + (codes[len] == ' ');
    }
    return false;
}

bool smtp_talk_is(const struct smtp_talk *talk, const char *codes)
{
    return fits(talk->reply.code, codes, false) || fits(talk->reply.code, codes, true);
}

/** "503 or 554" of "503 554 ~5yz". */
static const char *as_sentence(struct smtp_check *check, const char *codes)
{
    const char *sentence = "";
    while (*codes != '\0') {
        size_t len = strcspn(codes, " ");
        if (codes[0] != '~') {
            sentence = smtp_check_text(check, "%s%s%.*s", sentence,
                                       sentence[0] != '\0' ? " or " : "", (int)len, codes);
        }
        codes += len + (codes[len] == ' ');
    }
    return sentence;
}

/** The reply, where it is one of these or a warning; else 0, and the check is decided. */
static int expect(struct smtp_talk *talk, const char *codes, bool is_step)
{
    struct smtp_check *check = talk->check;
    if (check->is_decided) {
        return 0;
    }
    const char *expected = as_sentence(check, codes);
    int code = read_reply(talk, SMTP_NEVER, expected);
    if (code == 0 || fits(code, codes, false)) {
        return code;
    }
    const char *came = smtp_check_show(check, talk->reply.octets);
    if (fits(code, codes, true)) {
        smtp_check_warn(check, "%s; came %s", before(talk, expected), came);
        return code;
    }
    if (is_step && fits(code, "4yz 530", false)) {
        smtp_check_skip(check, "it stands in the way of the rule: %s%s", came,
                        code == 530 ? " (--user logs in, --tls begins TLS)" : "");
    }
    smtp_check_fail(check, "%s; came %s", before(talk, expected), came);
    return 0;
}

int smtp_talk_expect(struct smtp_talk *talk, const char *codes)
{
    return expect(talk, codes, false);
}

int smtp_talk_expect_step(struct smtp_talk *talk, const char *codes)
{
    return expect(talk, codes, true);
}

struct smtp_span smtp_talk_text(const struct smtp_talk *talk, size_t i)
{
    struct smtp_span rest = talk->reply.octets;
    for (; rest.len > 0; i--) {
        size_t len = line_len(rest);
        if (i == 0) {
            size_t begin = len > 5 ? 4 : 3;
            return (struct smtp_span){rest.bytes + begin, len - 2 - begin};
        }
        rest = (struct smtp_span){rest.bytes + len, rest.len - len};
    }
    return (struct smtp_span){"", 0};
}

size_t smtp_talk_enhanced_len(struct smtp_span text)
{
    size_t at = 0, part = 0;
    for (; part < 3; part++) {
        size_t begin = at;
        while (at < text.len && smtp_is_digit((unsigned char)text.bytes[at])) {
            at++;
        }
        if (at == begin || (part < 2 && (at == text.len || text.bytes[at++] != '.'))) {
            return 0;
        }
    }
    return at == text.len || text.bytes[at] == ' ' ? at : 0;
}

/* ---- octets, silence ---- */

bool smtp_talk_waits_for(struct smtp_talk *talk, uint64_t within_ms)
{
    uint64_t deadline_ns = smtp_clock_now_ns() + within_ms * SMTP_NS_PER_MS;
    while (heard(talk).len == 0 && !talk->wire.ended) {
        if (!hear_more(talk, deadline_ns)) {
            return false;
        }
    }
    return !talk->check->is_decided;
}

struct smtp_span smtp_talk_untaken(const struct smtp_talk *talk)
{
    return talk->check->is_decided ? (struct smtp_span){"", 0} : heard(talk);
}

void smtp_talk_take(struct smtp_talk *talk, size_t len)
{
    struct smtp_span octets = {heard(talk).bytes, len};
    bool is_line = len >= 2 && line_len(octets) == len;
    if (talk->is_client) {
        smtp_talk_log(talk, SMTP_LOG_REPLY, octets);
    } else if (is_line && !talk->is_content) {
        smtp_talk_log(talk, SMTP_LOG_COMMAND, (struct smtp_span){octets.bytes, len - 2});
    } else {
        smtp_talk_log(talk, SMTP_LOG_CONTENT, octets);
    }
    smtp_buffer_take(&talk->wire.heard, len);
}

void smtp_talk_stays_silent(struct smtp_talk *talk, const char *why)
{
    struct smtp_check *check = talk->check;
    if (!smtp_talk_waits_for(talk, check->quiet_ms)) {
        return;
    }
    if (heard(talk).len > 0) {
        smtp_check_fail(check, "%s; expected nothing, came %s", why,
                        smtp_check_show(check, heard(talk)));
    } else {
        smtp_check_fail(check, "%s; expected nothing, came the end of the connection", why);
    }
}

void smtp_talk_ends(struct smtp_talk *talk)
{
    struct smtp_check *check = talk->check;
    while (!check->is_decided && heard(talk).len == 0 && !talk->wire.ended) {
        if (!hear_more(talk, SMTP_NEVER)) {
            smtp_check_fail(check, "%s; came nothing within the time",
                            before(talk, "the end of the connection"));
        }
    }
    if (heard(talk).len > 0) {
        smtp_check_fail(check, "%s; came %s", before(talk, "the end of the connection"),
                        smtp_check_show(check, heard(talk)));
    }
}

bool smtp_talk_is_over(const struct smtp_talk *talk)
{
    return talk->wire.ended && heard(talk).len == 0;
}
