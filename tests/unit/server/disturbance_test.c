/* disturbance_test.c - server/protocol/disturbance.c: what goes out in place of a greeting that goes wrong, when, and how it
 * ends. */
#include "common/deadline.h"
#include "server/protocol/disturbance.h"
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <stdio.h>

#define BEGUN_NS (1000 * SMTP_NS_PER_MS)

static const char *const endings[] = {"goes on", "closes", "half-closes",
                                      "resets",  "hangs",  "deaf"};

/* "MS OCTETS, " of each write, then the ending. takes: octets that the wire takes at once. */
static const char *greet(const struct smtp_server_fault *fault, size_t takes)
{
    static char told[400];
    struct core core = core_defaults();
    struct smtp_server_event event;
    struct smtp_server_disturbance it;
    enum smtp_server_disturbance_act act;
    uint64_t now_ns = BEGUN_NS;
    size_t len = 0;
    core.config.asks = 1u << SMTP_SERVER_ASK_STEP;
    struct smtp_server_session *session =
        smtp_server_session_new(&core.config, &(struct smtp_server_session_start){.peer = ""});
    smtp_server_session_open(session, now_ns);
    expect_true(smtp_server_session_next_event(session, &event));
    smtp_server_disturbance_begin(&it, event.step, fault);
    do {
        act = smtp_server_disturbance_step(&it, session, false, now_ns);
        if (act == SMTP_DISTURBANCE_WAITS) {
            now_ns = smtp_server_disturbance_due_ns(&it);
            expect_true(now_ns != SMTP_NEVER);
        } else if (act == SMTP_DISTURBANCE_WRITES) {
            struct smtp_span owed = smtp_server_disturbance_owed(&it);
            owed.len = owed.len < takes ? owed.len : takes;
            len += (size_t)snprintf(told + len, sizeof told - len, "%d %.*s, ",
                                    (int)((now_ns - BEGUN_NS) / SMTP_NS_PER_MS), (int)owed.len,
                                    owed.bytes);
            smtp_server_disturbance_sent(&it, owed.len);
        }
    } while (act != SMTP_DISTURBANCE_ENDS);
    snprintf(told + len, sizeof told - len, "%s", endings[it.fault.ending]);
    smtp_server_disturbance_end(&it);
    smtp_server_session_free(session);
    core_clear(&core);
    return told;
}

#define SAYS .replaced = true, .octet_count = 5, .octets = "abcde"
#define EXPECT_GREETING(takes, expected, ...)                                                      \
    expect_str(greet(&(struct smtp_server_fault){__VA_ARGS__}, takes), expected)

TEST(disturbance, a_reply_goes_out_at_its_time_in_its_segments)
{
    EXPECT_GREETING(99, "0 abcde, goes on", SAYS);
    EXPECT_GREETING(99, "2500 abcde, goes on", SAYS, .delay_ms = 2500);
    EXPECT_GREETING(99, "0 abc, 2 de, goes on", SAYS, .split_octets = 3);
    EXPECT_GREETING(99, "0 a, 250 b, 500 c, 750 d, 1000 e, goes on", SAYS, .drip_octets_s = 4);
    EXPECT_GREETING(99, "0 \xe1\xe2\xe3\xe4\xe5, goes on", SAYS, .garbled = true);
    EXPECT_GREETING(99, "0 abcdeabcde, goes on", SAYS, .twice = true);
}

TEST(disturbance, a_segment_taken_in_part_goes_on_without_a_pause)
{
    EXPECT_GREETING(2, "0 ab, 0 c, 2 de, goes on", SAYS, .split_octets = 3);
}

TEST(disturbance, the_ending_comes_behind_the_reply)
{
    EXPECT_GREETING(99, "0 ab, closes", SAYS, .cut = true, .cut_octets = 2);
    EXPECT_GREETING(99, "0 ab, resets", SAYS, .cut = true, .cut_octets = 2,
                    .ending = SMTP_END_RESET);
    EXPECT_GREETING(99, "0 abcde, half-closes", SAYS, .ending = SMTP_END_HALF_CLOSE);
    EXPECT_GREETING(99, "hangs", .silent = true, .delay_ms = 10, .ending = SMTP_END_HANG);
    EXPECT_GREETING(99, "0 554 No\r\n, deaf", .reply = {.code = 554, .text = "No"},
                    .ending = SMTP_END_DEAF);
}
