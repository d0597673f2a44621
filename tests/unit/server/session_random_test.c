/* session_random_test.c - the core under dialogues made up at random from commands, chunks and content,
 * good and bad: what it says never depends on how the octets are cut, and what becomes of content that was
 * given as it came is told exactly once. */
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <stdio.h>

enum { DIALOGUES = 3000, PARTS = 40, INPUT_MAX = PARTS * 64 };

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* The envelope and the ends of content come more often than the rest: a dialogue shall get somewhere. */
static const char *const parts[] = {
    "MAIL FROM:<a@x.test>\r\n",
    "MAIL FROM:<a@x.test>\r\n",
    "MAIL FROM:<a@x.test> BODY=BINARYMIME\r\n",
    "RCPT TO:<b@y.test>\r\n",
    "RCPT TO:<b@y.test>\r\n",
    "RCPT TO:<c@y.test>\r\n",
    "DATA\r\n",
    "a line\r\n",
    "..\r\n",
    ".\r\n",
    "\r\n.\r\n",
    "\r",
    "\n",
    "RSET\r\n",
    "NOOP\r\n",
    "LHLO c.test\r\n",
    "EHLO c.test\r\n",
    "BDAT 0\r\n",
    "BDAT 0 LAST\r\n",
    "BDAT 5\r\nabcde",
    "BDAT 6\r\nRSET\r\n",
    "BDAT 3 LAST\r\n.\r\n",
    "BDAT 2\r\nx\r",
    "BDAT 2 LAST\r\n\ny",
    "BDAT 30 LAST\r\nMAIL FROM:<evil@x.test>\r\n.\r\n\n",
    "BDAT 1 LOST\r\n.",
    "BDAT 40\r\n0123456789012345678901234567890123456789",
};

static size_t make_input(uint32_t *seed, char input[INPUT_MAX], bool lmtp)
{
    size_t len = (size_t)snprintf(input, INPUT_MAX, lmtp ? "LHLO c.test\r\n" : "EHLO c.test\r\n");
    size_t count = next_random(seed) % PARTS;
    for (size_t i = 0; i < count; i++) {
        const char *part = parts[next_random(seed) % (sizeof parts / sizeof *parts)];
        size_t part_len = strlen(part);
        if (len + part_len > INPUT_MAX) {
            break;
        }
        memcpy(input + len, part, part_len);
        len += part_len;
    }
    return len;
}

/* What was given of the message that is under way, and how often its fate was told. */
static struct fate {
    bool open;
    size_t messages;
} fate;

static bool take_content(void *user, const struct smtp_message *message, struct smtp_span octets)
{
    (void)user;
    expect_true(octets.len > 0 && smtp_message_recipient_count(message) > 0);
    fate.open = true;
    return octets.len != 5; /* now and then enough */
}

static void drop_content(void *user)
{
    (void)user;
    expect_true(fate.open);
    fate.open = false;
}

/* The same at the same place of the same dialogue, however it is cut. */
static enum smtp_server_verdict decide(const struct smtp_server_event *event,
                                       struct smtp_server_reply *reply)
{
    static const enum smtp_server_verdict verdicts[] = {SMTP_ACCEPT, SMTP_ACCEPT, SMTP_REFUSE};
    (void)reply;
    if (event->kind == SMTP_SERVER_ASK_MESSAGE) {
        fate.open = false;
        fate.messages++;
        return verdicts[smtp_message_size(event->message) % 3];
    }
    return event->kind == SMTP_SERVER_ASK_RCPT && event->path[0] == 'c' ? SMTP_REFUSE : SMTP_ACCEPT;
}

static void run(const struct core *prepared, const char *input, size_t len, size_t piece,
                char codes[8192])
{
    struct core core = *prepared;
    fate = (struct fate){0};
    core_open(&core);
    for (size_t at = 0; at < len; at += piece) {
        core_feed(&core, input + at, len - at < piece ? len - at : piece);
    }
    snprintf(codes, 8192, "%s, %zu messages", core_codes(&core), fate.messages);
    core_clear(&core);
    expect_true(!fate.open); /* told at the latest when the session was freed */
}

TEST_WITHIN(session, dialogues_at_random_do_not_depend_on_how_they_are_cut, 120)
{
    uint32_t seed = 20261125;
    for (int i = 0; i < DIALOGUES; i++) {
        static char input[INPUT_MAX], whole[8192], cut[8192];
        struct core core;
        core = core_defaults();
        core.config.asks = 1u << SMTP_SERVER_ASK_RCPT;
        core.config.content = take_content;
        core.config.drop = drop_content;
        core.config.limits.text_line_octets = 20;
        core.decide = decide;
        core.lmtp = i % 2 == 1;
        core.config.discard_content = i % 3 == 1;
        core.config.bare_line_end = (enum smtp_server_bare_line_end)(next_random(&seed) % 3);
        /* of content that is too large and bare in one piece the size is named, and closing comes first
         * where the bare one came in a piece before it */
        bool closes = core.config.bare_line_end == SMTP_BARE_REFUSE_AND_CLOSE;
        core.config.limits.message_octets = closes ? 0 : 30;
        size_t len = make_input(&seed, input, core.lmtp);
        run(&core, input, len, len, whole);
        for (size_t piece = 1; piece <= 7; piece += 3) {
            run(&core, input, len, piece, cut);
            if (strcmp(cut, whole) != 0) {
                SMTP_TEST_FAIL("dialogue %d in pieces of %zu gave \"%s\", whole \"%s\":\n%.*s", i,
                               piece, cut, whole, (int)len, input);
            }
        }
    }
}
