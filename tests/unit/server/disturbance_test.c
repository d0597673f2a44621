/* disturbance_test.c - server/protocol/disturbance.c: what goes out in place of a reply that goes wrong, when, and how it
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

/* ---- of a connection ---- */

struct place {
    struct core core;
    struct smtp_server_session *session;
    struct smtp_server_disturbance it;
    uint64_t now_ns;
};

static void begin(struct place *place, enum smtp_server_step_kind kind,
                  const struct smtp_server_fault *fault)
{
    *place = (struct place){.core = core_defaults(), .now_ns = BEGUN_NS};
    place->session = smtp_server_session_new(&place->core.config,
                                             &(struct smtp_server_session_start){.peer = ""});
    smtp_server_session_connected(place->session, place->now_ns);
    smtp_server_disturbance_begin(
        &place->it, &(struct smtp_server_step){.kind = kind, .verb = "", .argument = ""}, fault);
}

static void end(struct place *place)
{
    smtp_server_disturbance_end(&place->it);
    smtp_server_session_free(place->session);
    core_clear(&place->core);
}

static void expect_act(struct place *place, bool busy, enum smtp_server_disturbance_act expected)
{
    expect_int(smtp_server_disturbance_step(&place->it, place->session, busy, place->now_ns),
               expected);
}

static void expect_written(struct place *place, struct smtp_span expected)
{
    expect_act(place, false, SMTP_DISTURBANCE_WRITES);
    expect_true(smtp_span_equal(smtp_server_disturbance_owed(&place->it), expected));
    smtp_server_disturbance_sent(&place->it, expected.len);
}

TEST(disturbance, what_is_said_to_who_connects_is_the_last)
{
    struct place place;
    begin(&place, SMTP_STEP_CONNECT,
          &(struct smtp_server_fault){.reply = {.code = 421, .text = "Not here"}});
    expect_act(&place, true, SMTP_DISTURBANCE_WAITS);
    expect_act(&place, false, SMTP_DISTURBANCE_GOES_ON);
    expect_act(&place, false, SMTP_DISTURBANCE_SPEAKS);
    expect_written(&place, SMTP_SPAN("421 Not here\r\n"));
    expect_act(&place, false, SMTP_DISTURBANCE_ENDS);
    expect_int(place.it.fault.ending, SMTP_END_CLOSE);
    end(&place);
}

TEST(disturbance, a_handshake_is_garbled_and_cut_as_it_comes)
{
    struct place place;
    begin(&place, SMTP_STEP_TLS,
          &(struct smtp_server_fault){.garbled = true, .cut = true, .cut_octets = 3});
    expect_act(&place, false, SMTP_DISTURBANCE_GOES_ON);
    expect_act(&place, false, SMTP_DISTURBANCE_SHAKES_HANDS);
    expect_true(smtp_server_disturbance_add(&place.it, SMTP_SPAN("ab"), place.now_ns));
    expect_written(&place, SMTP_SPAN("\xe1\xe2"));
    expect_act(&place, true, SMTP_DISTURBANCE_WAITS); /* for more of it */
    place.now_ns += 1000 * SMTP_NS_PER_MS;
    expect_true(smtp_server_disturbance_add(&place.it, SMTP_SPAN("cde"), place.now_ns));
    expect_written(&place, SMTP_SPAN("\xe3"));
    expect_act(&place, false, SMTP_DISTURBANCE_ENDS);
    end(&place);
}

TEST(disturbance, who_rests_reads_unless_deaf)
{
    for (enum smtp_server_ending ending = SMTP_END_HANG; ending <= SMTP_END_DEAF; ending++) {
        struct place place;
        begin(&place, SMTP_STEP_CONTENT, &(struct smtp_server_fault){.ending = ending});
        expect_act(&place, false, SMTP_DISTURBANCE_GOES_ON);
        expect_act(&place, false, SMTP_DISTURBANCE_ENDS);
        expect_true(smtp_server_disturbance_holds(&place.it, place.session));
        expect_true(smtp_server_disturbance_speaks(&place.it));
        expect_true(smtp_server_disturbance_reads(&place.it) == (ending == SMTP_END_HANG));
        expect_act(&place, false, SMTP_DISTURBANCE_WAITS);
        place.it.due_ns = place.now_ns;
        expect_act(&place, false, SMTP_DISTURBANCE_LOOKS);
        end(&place);
    }
}
