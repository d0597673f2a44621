/* wire_test.c - harness/simulate/wire.c: octets arrive in their order or not at all. */
#include "harness/simulate/wire.h"
#include "tests/support/test.h"

#define NOW_NS UINT64_C(1000)

static struct smtp_draw draw;
static struct smtp_sim_manners manners;

static void open_wire(struct smtp_sim_wire *wire, struct smtp_sim_manners like)
{
    *wire = (struct smtp_sim_wire){.manners = NULL};
    draw = smtp_draw_of(1, 1);
    manners = like;
    smtp_sim_wire_open(wire, &manners, &draw);
}

/* Reads all there ever is, moving the clock on. */
static size_t read_all(struct smtp_sim_wire *wire, char *octets, size_t capacity)
{
    size_t len = 0;
    for (uint64_t now_ns = smtp_sim_wire_due_ns(wire); now_ns != SMTP_NEVER && len < capacity;
         now_ns = smtp_sim_wire_due_ns(wire)) {
        size_t more = smtp_sim_wire_read(wire, octets + len, capacity - len, now_ns);
        if (more == 0) {
            break; /* its end */
        }
        len += more;
    }
    return len;
}

TEST(wire, octets_arrive_whole_and_in_order_however_they_are_cut_and_delayed)
{
    struct smtp_sim_wire wire;
    char sent[500], came[600];
    open_wire(&wire, (struct smtp_sim_manners){.cut_percent = 60,
                                               .late_percent = 50,
                                               .late_ns = 5000 * SMTP_NS_PER_MS,
                                               .room = 65536});
    for (size_t i = 0; i < sizeof sent; i++) {
        sent[i] = (char)i;
    }
    for (size_t at = 0; at < sizeof sent; at += 10) {
        expect_int(smtp_sim_wire_write(&wire, (struct smtp_span){sent + at, 10}, NOW_NS + at), 10);
    }
    expect_int(read_all(&wire, came, sizeof came), sizeof sent);
    expect_true(memcmp(came, sent, sizeof sent) == 0);
    smtp_sim_wire_free(&wire);
}

TEST(wire, what_has_not_arrived_cannot_be_read)
{
    struct smtp_sim_wire wire;
    char came[10];
    open_wire(&wire, (struct smtp_sim_manners){
                         .late_percent = 100, .late_ns = 1000 * SMTP_NS_PER_MS, .room = 65536});
    for (int i = 0; i < 20; i++) { /* one of them is late by more than nothing */
        (void)smtp_sim_wire_write(&wire, SMTP_SPAN("x"), NOW_NS);
    }
    uint64_t due_ns = wire.last_ns;
    expect_true(due_ns > NOW_NS);
    size_t before = smtp_sim_wire_read(&wire, came, 0, NOW_NS);
    expect_int(before, 0);
    while (smtp_sim_wire_read(&wire, came, sizeof came, due_ns - 1) > 0) {
    }
    expect_true(wire.count > 0);
    smtp_sim_wire_free(&wire);
}

TEST(wire, a_write_takes_what_there_is_room_for)
{
    struct smtp_sim_wire wire;
    char came[10];
    open_wire(&wire, (struct smtp_sim_manners){.room = 4});
    expect_int(smtp_sim_wire_write(&wire, SMTP_SPAN("abcdef"), NOW_NS), 4);
    expect_int(smtp_sim_wire_write(&wire, SMTP_SPAN("ef"), NOW_NS), 0);
    expect_int(smtp_sim_wire_read(&wire, came, 2, NOW_NS), 2);
    expect_int(smtp_sim_wire_write(&wire, SMTP_SPAN("ef"), NOW_NS), 2);
    smtp_sim_wire_free(&wire);
}

TEST(wire, its_end_comes_behind_what_was_written)
{
    struct smtp_sim_wire wire;
    char came[10];
    open_wire(&wire, (struct smtp_sim_manners){.room = 100});
    (void)smtp_sim_wire_write(&wire, SMTP_SPAN("ab"), NOW_NS);
    smtp_sim_wire_close(&wire, NOW_NS);
    expect_true(!smtp_sim_wire_is_at_end(&wire, NOW_NS));
    expect_int(smtp_sim_wire_read(&wire, came, sizeof came, NOW_NS), 2);
    expect_true(smtp_sim_wire_is_at_end(&wire, NOW_NS));
    smtp_sim_wire_free(&wire);
}

TEST(wire, what_breaks_loses_what_is_behind_the_break)
{
    struct smtp_sim_wire wire;
    char came[10];
    for (enum smtp_sim_break breaks = SMTP_SIM_DROP; breaks <= SMTP_SIM_RESET; breaks++) {
        open_wire(&wire, (struct smtp_sim_manners){.room = 100});
        wire.breaks = breaks;
        wire.breaks_at = 3;
        expect_int(smtp_sim_wire_write(&wire, SMTP_SPAN("abcdef"), NOW_NS), 6);
        expect_int(smtp_sim_wire_write(&wire, SMTP_SPAN("gh"), NOW_NS), 2);
        expect_int(smtp_sim_wire_read(&wire, came, sizeof came, NOW_NS), 3);
        expect_true(smtp_sim_wire_is_at_end(&wire, NOW_NS) == (breaks == SMTP_SIM_HALF_CLOSE));
        expect_true(smtp_sim_wire_is_reset(&wire) == (breaks == SMTP_SIM_RESET));
        smtp_sim_wire_free(&wire);
    }
}
