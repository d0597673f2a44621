/* server_faults_test.c - steps that go wrong on purpose (struct smtp_server_fault), by raw sockets, in the
 * clear and under TLS: what is said, how it goes out, what follows, and that nobody else notices. */
#include "common/clock.h"
#include "tests/end_to_end/faulty_server.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <sys/socket.h>

#define BOTH(tls) for (int tls = 0; tls < 2; tls++)

static const char message[] = "Subject: hi\r\n\r\nhi\r\n.";

/* ---- replies ---- */

TEST(server_faults, a_refusal_stands_in_place_of_the_command_and_the_next_is_as_ever)
{
    BOTH(tls)
    {
        struct faulty it = faulty_step(SMTP_STEP_COMMAND, "RCPT");
        struct smtp_wire wire;
        (void)smtp_server_reply(&it.fault.reply, 450, "4.7.1", "Greylisted");
        snprintf(it.fault.note, sizeof it.fault.note, "fault 1 is due");
        it.times = 1;
        faulty_start(&it, tls);
        faulty_open(&it, &wire);
        expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<a@b.example>"), "250 ");
        expect_str(smtp_wire_ask(&wire, "RCPT TO:<c@d.example>"), "450 4.7.1 Greylisted");
        expect_str(it.seen, "RCPT TO:<c@d.example>||0");
        expect_contains(smtp_wire_ask(&wire, "DATA"), "503 ");
        expect_contains(smtp_wire_ask(&wire, "RCPT TO:<c@d.example>"), "250 ");
        expect_contains(diary_text(&it.diary),
                        "note: fault 1 is due\nreply: 450 4.7.1 Greylisted\n");
        smtp_wire_close(&wire);
        faulty_stop(&it);
    }
}

TEST(server_faults, a_positive_reply_is_said_in_place_of_the_own_one_and_the_step_is_done)
{
    BOTH(tls)
    {
        struct faulty it = faulty_step(SMTP_STEP_COMMAND, "MAIL");
        struct smtp_wire wire;
        (void)smtp_server_reply(&it.fault.reply, 251, NULL, "odd\nanswer");
        faulty_start(&it, tls);
        faulty_open(&it, &wire);
        expect_str(smtp_wire_ask(&wire, "MAIL FROM:<a@b.example>"),
                   "251-2.0.0 odd\n251 2.0.0 answer");
        expect_contains(smtp_wire_ask(&wire, "RCPT TO:<c@d.example>"), "250 ");
        smtp_wire_close(&wire);
        faulty_stop(&it);
    }
}

TEST(server_faults, an_ehlo_answer_is_replaced_as_a_whole_without_codes_of_its_own)
{
    struct faulty it = faulty_step(SMTP_STEP_COMMAND, "EHLO");
    struct smtp_wire wire;
    (void)smtp_server_reply(&it.fault.reply, 250, NULL, "mx.example\nSIZE 5\nX-ODD");
    faulty_start(&it, false);
    greeted(&wire, it.server);
    expect_str(smtp_wire_ask(&wire, "EHLO c.example"), "250-mx.example\n250-SIZE 5\n250 X-ODD");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<a@b.example>"), "250 ");
    smtp_wire_close(&wire);
    faulty_stop(&it);
}

static void set_octets(struct smtp_server_fault *fault, const char *octets)
{
    fault->replaced = true;
    fault->octet_count = strlen(octets);
    memcpy(fault->octets, octets, fault->octet_count);
}

TEST(server_faults, raw_octets_stand_in_place_of_the_reply_and_in_the_log)
{
    BOTH(tls)
    {
        struct faulty it = faulty_step(SMTP_STEP_COMMAND, "NOOP");
        struct smtp_wire wire;
        char octets[256];
        set_octets(&it.fault, "25\n\x01 no reply");
        it.fault.ending = SMTP_END_CLOSE;
        faulty_start(&it, tls);
        faulty_open(&it, &wire);
        expect_true(smtp_wire_send(&wire, "NOOP\r\n", 6));
        expect_rest(&wire, octets, sizeof octets, WIRE_ENDED);
        expect_str(octets, "25\n\x01 no reply");
        expect_int(wire.end_came, tls);
        smtp_wire_close(&wire);
        diary_await_close(&it.diary);
        expect_contains(diary_text(&it.diary), "reply: 25\nreply: \x01 no reply\n"
                                               "close: a fault closes the connection\n");
        faulty_stop(&it);
    }
}

TEST(server_faults, a_reply_comes_twice_garbled_or_cut)
{
    BOTH(tls)
    {
        static const char garbled[] = "\xb2\xb5\xb0\xa0\xb2\xae\xb0\xae\xb0\xa0\xcf\xcb\r\n";
        struct faulty it = faulty_step(SMTP_STEP_COMMAND, "NOOP");
        struct smtp_wire wire;
        char octets[256];
        it.fault.twice = true;
        faulty_start(&it, tls);
        faulty_open(&it, &wire);
        expect_str(smtp_wire_ask(&wire, "NOOP"), "250 2.0.0 OK");
        expect_str(smtp_wire_reply(&wire), "250 2.0.0 OK");
        expect_str(smtp_wire_ask(&wire, "RSET"), "250 2.0.0 OK");
        it.fault = (struct smtp_server_fault){.garbled = true};
        expect_str(smtp_wire_ask(&wire, "NOOP"),
                   "\xb2\xb5\xb0\xa0\xb2\xae\xb0\xae\xb0\xa0\xcf\xcb");
        it.fault = (struct smtp_server_fault){
            .garbled = true, .twice = true, .cut = true, .cut_octets = sizeof garbled + 3};
        expect_true(smtp_wire_send(&wire, "NOOP\r\n", 6));
        expect_rest(&wire, octets, sizeof octets, WIRE_ENDED);
        expect_int(strlen(octets), sizeof garbled + 3);
        expect_true(memcmp(octets, garbled, sizeof garbled - 1) == 0);
        expect_true(memcmp(octets + sizeof garbled - 1, garbled, 4) == 0);
        smtp_wire_close(&wire);
        faulty_stop(&it);
    }
}

TEST(server_faults, a_reply_is_split_into_segments)
{
    struct faulty it = faulty_step(SMTP_STEP_COMMAND, "NOOP");
    struct smtp_wire wire;
    char octets[256];
    size_t lens[3];
    it.fault.split_octets = 6; /* "250 2.0.0 OK\r\n" */
    faulty_start(&it, false);
    faulty_open(&it, &wire);
    expect_true(smtp_wire_send(&wire, "NOOP\r\n", 6));
    for (size_t i = 0; i < 3; i++) {
        lens[i] = one_read(&wire, octets, sizeof octets, 10000);
    }
    expect_int(lens[0] + lens[1] + lens[2], 14);
    expect_true(lens[0] == 6 || lens[0] == 12); /* two reads of a slow reader may be one */
    expect_contains(smtp_wire_ask(&wire, "RSET"), "250 ");
    smtp_wire_close(&wire);
    faulty_stop(&it);
}

TEST(server_faults, a_reply_drips_octet_by_octet)
{
    BOTH(tls)
    {
        struct faulty it = faulty_step(SMTP_STEP_COMMAND, "NOOP");
        struct smtp_wire wire;
        it.fault.drip_octets_s = 100;
        faulty_start(&it, tls);
        faulty_open(&it, &wire);
        uint64_t began_ns = smtp_clock_now_ns();
        expect_str(smtp_wire_ask(&wire, "NOOP"), "250 2.0.0 OK"); /* 14 octets: 13 pauses */
        uint64_t took_ms = (smtp_clock_now_ns() - began_ns) / 1000000;
        expect_true(took_ms >= 125);
        expect_contains(smtp_wire_ask(&wire, "RSET"), "250 ");
        smtp_wire_close(&wire);
        faulty_stop(&it);
    }
}

/* ---- delay, and pipelining around a fault (RFC 2920) ---- */

TEST(server_faults, a_step_waits_until_earlier_replies_are_out_and_later_commands_wait_for_it)
{
    BOTH(tls)
    {
        static const char group[] = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"
                                    "RCPT TO:<e@f.example>\r\nDATA\r\n";
        struct faulty it = faulty_step(SMTP_STEP_COMMAND, "RCPT");
        struct smtp_wire wire;
        it.fault.delay_ms = 150;
        it.times = 1;
        faulty_start(&it, tls);
        faulty_open(&it, &wire);
        uint64_t began_ns = smtp_clock_now_ns();
        expect_true(smtp_wire_send(&wire, group, sizeof group - 1));
        expect_contains(smtp_wire_reply(&wire), "250 2.1.0");
        expect_true((smtp_clock_now_ns() - began_ns) / 1000000 < 140);
        expect_contains(smtp_wire_reply(&wire), "250 2.1.5");
        expect_true((smtp_clock_now_ns() - began_ns) / 1000000 >= 150);
        expect_contains(smtp_wire_reply(&wire), "250 2.1.5");
        expect_contains(smtp_wire_reply(&wire), "354 ");
        expect_contains(smtp_wire_ask(&wire, message), "250 ");
        expect_int(faulty_message_count(&it), 1);
        smtp_wire_close(&wire);
        faulty_stop(&it);
    }
}

/* ---- endings ---- */

TEST(server_faults, a_command_gets_no_reply_and_the_connection_closes_is_reset_or_half_closed)
{
    static const struct {
        enum smtp_server_ending ending;
        enum wire_end end;
    } rows[] = {{SMTP_END_CLOSE, WIRE_ENDED},
                {SMTP_END_RESET, WIRE_RESET},
                {SMTP_END_HALF_CLOSE, WIRE_ENDED},
                {SMTP_END_HANG, WIRE_SILENT},
                {SMTP_END_DEAF, WIRE_SILENT}};
    BOTH(tls)
    {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct faulty it = faulty_step(SMTP_STEP_COMMAND, "MAIL");
            struct smtp_wire wire;
            char octets[256];
            it.fault.silent = true;
            it.fault.ending = rows[i].ending;
            faulty_start(&it, tls);
            faulty_open(&it, &wire);
            expect_true(smtp_wire_send(&wire, "MAIL FROM:<a@b.example>\r\nNOOP\r\n", 31));
            expect_rest(&wire, octets, sizeof octets, rows[i].end);
            expect_str(octets, "");
            smtp_wire_close(&wire);
            diary_await_close(&it.diary);
            expect_true(strstr(diary_text(&it.diary), "2.1.0") == NULL);
            faulty_stop(&it);
        }
    }
}

TEST(server_faults, after_a_reply_the_connection_is_reset_and_the_reply_still_arrives)
{
    BOTH(tls)
    {
        struct faulty it = faulty_step(SMTP_STEP_COMMAND, "QUIT");
        struct smtp_wire wire;
        char octets[256];
        it.fault.ending = SMTP_END_RESET;
        faulty_start(&it, tls);
        faulty_open(&it, &wire);
        expect_str(smtp_wire_ask(&wire, "QUIT"), "221 2.0.0 Bye");
        expect_rest(&wire, octets, sizeof octets, WIRE_RESET);
        smtp_wire_close(&wire);
        faulty_stop(&it);
    }
}

TEST(server_faults, one_that_hangs_does_not_hold_up_a_stop_nor_another_session)
{
    BOTH(tls)
    {
        for (int ending = SMTP_END_HALF_CLOSE; ending <= SMTP_END_DEAF; ending++) {
            if (ending == SMTP_END_RESET) {
                continue;
            }
            struct faulty it = faulty_step(SMTP_STEP_COMMAND, "DATA");
            struct smtp_wire wire;
            struct smtp_wire other;
            char octets[256];
            it.fault.ending = (enum smtp_server_ending)ending;
            it.session = 1;
            faulty_start(&it, tls);
            faulty_open_transaction(&it, &wire);
            expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
            faulty_open_transaction(&it, &other);
            expect_contains(smtp_wire_ask(&other, "DATA"), "354 ");
            expect_contains(smtp_wire_ask(&other, message), "250 ");
            smtp_wire_close(&other);
            expect_rest(&wire, octets, sizeof octets,
                        ending == SMTP_END_HALF_CLOSE ? WIRE_ENDED : WIRE_SILENT);
            uint64_t began_ns = smtp_clock_now_ns();
            smtp_server_stop(it.server, 10000);
            expect_true((smtp_clock_now_ns() - began_ns) / 1000000 < 5000);
            expect_int(faulty_message_count(&it), 1);
            smtp_wire_close(&wire);
            faulty_stop(&it);
        }
    }
}

TEST(server_faults, a_session_that_hangs_ends_with_its_time)
{
    for (int ending = SMTP_END_HALF_CLOSE; ending <= SMTP_END_DEAF; ending++) {
        struct faulty it =
            faulty_step(SMTP_STEP_COMMAND, ending == SMTP_END_HANG ? "QUIT" : "NOOP");
        struct smtp_wire wire;
        it.options.limits.session_timeout_ms = 300;
        it.fault.ending = (enum smtp_server_ending)ending;
        faulty_start(&it, false);
        faulty_open(&it, &wire);
        (void)smtp_wire_ask(&wire, it.verb);
        expect_true(smtp_wire_closed(&wire));
        diary_await_close(&it.diary);
        expect_contains(diary_text(&it.diary), ending == SMTP_END_RESET
                                                   ? "close: a fault resets"
                                                   : "close: the session has taken too long");
        smtp_wire_close(&wire);
        faulty_stop(&it);
    }
}

/* ---- the greeting, content and its end ---- */

TEST(server_faults, a_greeting_is_refused_or_replaced)
{
    struct faulty it = faulty_step(SMTP_STEP_GREETING, NULL);
    struct smtp_wire wire;
    (void)smtp_server_reply(&it.fault.reply, 421, "4.7.0", "Too many");
    faulty_start(&it, false);
    expect_true(smtp_wire_connect(&wire, smtp_server_address(it.server, 0)));
    expect_str(smtp_wire_reply(&wire), "421 4.7.0 Too many");
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
    (void)smtp_server_reply(&it.fault.reply, 220, NULL, "other.example ESMTP");
    expect_true(smtp_wire_connect(&wire, smtp_server_address(it.server, 0)));
    expect_str(smtp_wire_reply(&wire), "220 other.example ESMTP");
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250 ");
    smtp_wire_close(&wire);
    faulty_stop(&it);
}

TEST(server_faults, a_message_is_refused_at_its_end_and_nothing_is_captured)
{
    BOTH(tls)
    {
        struct faulty it = faulty_step(SMTP_STEP_END_OF_CONTENT, NULL);
        struct smtp_wire wire;
        (void)smtp_server_reply(&it.fault.reply, 452, "4.3.1", "Full");
        it.times = 2;
        faulty_start(&it, tls);
        faulty_open_transaction(&it, &wire);
        expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
        expect_str(smtp_wire_ask(&wire, message), "452 4.3.1 Full");
        expect_str(it.seen, " |bob@example.com,|0");
        expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "250 ");
        expect_contains(smtp_wire_ask(&wire, "RCPT TO:<bob@example.com>"), "250 ");
        expect_str(smtp_wire_ask(&wire, "BDAT 4 LAST\r\nhi"), "452 4.3.1 Full");
        expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "250 ");
        expect_contains(smtp_wire_ask(&wire, "RCPT TO:<bob@example.com>"), "250 ");
        expect_contains(smtp_wire_ask(&wire, "BDAT 4 LAST\r\nhi"), "250 ");
        expect_int(faulty_message_count(&it), 1);
        smtp_wire_close(&wire);
        faulty_stop(&it);
    }
}

TEST(server_faults, a_message_is_captured_and_its_reply_never_comes)
{
    BOTH(tls)
    {
        struct faulty it = faulty_step(SMTP_STEP_END_OF_CONTENT, NULL);
        struct smtp_wire wire;
        char octets[256];
        it.fault.cut = true;
        it.fault.ending = SMTP_END_HANG;
        faulty_start(&it, tls);
        faulty_open_transaction(&it, &wire);
        expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
        expect_true(smtp_wire_send(&wire, "hi\r\n.\r\n", 7));
        expect_rest(&wire, octets, sizeof octets, WIRE_SILENT);
        expect_str(octets, "");
        expect_int(faulty_message_count(&it), 1);
        smtp_wire_close(&wire);
        diary_await_close(&it.diary);
        faulty_stop(&it);
    }
}

TEST(server_faults, the_connection_ends_while_content_comes_once_so_much_is_there)
{
    BOTH(tls)
    {
        struct faulty it = faulty_step(SMTP_STEP_CONTENT, NULL);
        struct smtp_wire wire;
        char octets[256];
        it.content_octets = 10;
        it.fault.ending = SMTP_END_RESET;
        faulty_start(&it, tls);
        faulty_open_transaction(&it, &wire);
        expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
        expect_true(smtp_wire_send(&wire, "12345\r\n", 7));
        expect_rest(&wire, octets, sizeof octets, WIRE_SILENT);
        expect_true(smtp_wire_send(&wire, "12345\r\n.\r\n", 10));
        expect_rest(&wire, octets, sizeof octets, WIRE_RESET);
        diary_await_close(&it.diary);
        expect_str(it.seen, " |bob@example.com,|14");
        expect_int(faulty_message_count(&it), 0);
        smtp_wire_close(&wire);
        faulty_stop(&it);
    }
}

TEST(server_faults, content_is_delayed_and_then_captured_whole)
{
    struct faulty it = faulty_step(SMTP_STEP_CONTENT, NULL);
    struct smtp_wire wire;
    it.fault.delay_ms = 30;
    faulty_start(&it, false);
    faulty_open_transaction(&it, &wire);
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    uint64_t began_ns = smtp_clock_now_ns();
    expect_contains(smtp_wire_ask(&wire, "a\r\n..b\r\nc\r\n."), "250 ");
    expect_true((smtp_clock_now_ns() - began_ns) / 1000000 >= 30);
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    size_t size = 0;
    struct smtp_message *captured = smtp_mailbox_get(smtp_server_mailbox(it.server), 1);
    const char *content = smtp_message_content(captured, &size);
    expect_bytes(content, size, "a\r\n.b\r\nc\r\n", 10);
    smtp_message_release(captured);
    smtp_wire_close(&wire);
    faulty_stop(&it);
}
