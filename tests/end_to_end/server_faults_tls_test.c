/* server_faults_tls_test.c - what goes wrong before a session: when a connection comes (SMTP_STEP_CONNECT), and
 * in the TLS handshake (SMTP_STEP_TLS), by raw sockets. */
#include "common/clock.h"
#include "tests/end_to_end/faulty_server.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"

#include <stdio.h>

static const char *const implicit[] = {"smtps://127.0.0.1:0"};

/* Listening with TLS from the first octet, or not. */
static struct faulty step_at(enum smtp_server_step_kind kind, bool from_the_first_octet)
{
    struct faulty it = faulty_step(kind, NULL);
    if (from_the_first_octet) {
        it.options.listen = implicit;
        it.options.listen_count = 1;
    }
    return it;
}

static void connect_to(const struct faulty *it, struct smtp_wire *wire)
{
    expect_true(smtp_wire_connect(wire, smtp_server_address(it->server, 0)));
}

/* ---- connect ---- */

TEST(server_faults_connect, a_reply_is_said_in_the_clear_and_the_connection_closes)
{
    for (int tls = 0; tls < 2; tls++) {
        struct faulty it = step_at(SMTP_STEP_CONNECT, tls);
        struct smtp_wire wire;
        char octets[256];
        (void)smtp_server_reply(&it.fault.reply, 421, "4.3.2", "Busy");
        faulty_start(&it, false);
        connect_to(&it, &wire);
        expect_rest(&wire, octets, sizeof octets, WIRE_ENDED);
        expect_str(octets, "421 4.3.2 Busy\r\n");
        smtp_wire_close(&wire);
        diary_await_close(&it.diary);
        expect_contains(diary_text(&it.diary), "connect: 127.0.0.1:");
        expect_contains(diary_text(&it.diary), "reply: 421 4.3.2 Busy\nclose: a fault closes");
        faulty_stop(&it);
    }
}

TEST(server_faults_connect, the_connection_ends_before_anything_is_said)
{
    static const struct {
        enum smtp_server_ending ending;
        enum wire_end end;
    } rows[] = {{SMTP_END_CLOSE, WIRE_ENDED},
                {SMTP_END_RESET, WIRE_RESET},
                {SMTP_END_HALF_CLOSE, WIRE_ENDED},
                {SMTP_END_HANG, WIRE_SILENT},
                {SMTP_END_DEAF, WIRE_SILENT}};
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof *rows); i++) {
        struct faulty it = step_at(SMTP_STEP_CONNECT, i % 2);
        struct smtp_wire wire;
        char octets[256];
        it.fault.silent = true;
        it.fault.ending = rows[i / 2].ending;
        it.fault.delay_ms = 50; /* a reset at once could be the end of connect() itself */
        faulty_start(&it, false);
        connect_to(&it, &wire);
        expect_rest(&wire, octets, sizeof octets, rows[i / 2].end);
        expect_str(octets, "");
        smtp_wire_close(&wire);
        diary_await_close(&it.diary);
        faulty_stop(&it);
    }
}

TEST(server_faults_connect, after_a_delay_all_is_as_ever)
{
    for (int tls = 0; tls < 2; tls++) {
        struct faulty it = step_at(SMTP_STEP_CONNECT, tls);
        struct smtp_wire wire;
        it.fault.delay_ms = 100;
        faulty_start(&it, tls);
        uint64_t began_ns = smtp_clock_now_ns();
        faulty_open(&it, &wire);
        expect_true((smtp_clock_now_ns() - began_ns) / 1000000 >= 100);
        expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
        smtp_wire_close(&wire);
        faulty_stop(&it);
    }
}

/* A PROXY header may bring the first command with it. */
TEST(server_faults_connect, what_comes_behind_a_proxy_header_waits_with_the_delay)
{
    static const char first[] = "PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\nEHLO c.example\r\n";
    static const char *const trusted[] = {"127.0.0.1"};
    struct faulty it = step_at(SMTP_STEP_CONNECT, false);
    struct smtp_wire wire;
    it.options.proxy_protocol = true;
    it.options.trusted_peers = trusted;
    it.options.trusted_peer_count = 1;
    it.fault.delay_ms = 50;
    faulty_start(&it, false);
    connect_to(&it, &wire);
    expect_true(smtp_wire_send(&wire, first, sizeof first - 1));
    expect_contains(smtp_wire_reply(&wire), "220 ");
    expect_contains(smtp_wire_reply(&wire), "250 ");
    expect_contains(diary_text(&it.diary), "connect: 192.0.2.1:1");
    smtp_wire_close(&wire);
    faulty_stop(&it);
}

/* ---- TLS ---- */

TEST(server_faults_tls, another_certificate_is_shown_once)
{
    for (int from_first = 0; from_first < 2; from_first++) {
        const struct smtp_identity_options expired = {.flaw = SMTP_IDENTITY_EXPIRED};
        struct faulty it = step_at(SMTP_STEP_TLS, from_first);
        struct smtp_wire wire;
        it.times = 1;
        expect_int(smtp_identity_new(&it.fault.identity, &expired, NULL), SMTP_OK);
        faulty_start(&it, true);
        struct ssl_ctx_st *trust = trusting(smtp_identity_ca_pem(it.fault.identity), 0);
        ready_for_tls(&wire, it.server, 0);
        expect_true(!smtp_wire_secure(&wire, trust, "localhost", NULL));
        expect_contains(smtp_tls_error(wire.tls), "expired");
        smtp_wire_close(&wire);
        smtp_tls_context_release(trust);
        faulty_open(&it, &wire);
        smtp_wire_close(&wire);
        faulty_stop(&it);
    }
}

TEST(server_faults_tls, the_handshake_is_delayed_split_and_drips_and_holds)
{
    const struct smtp_server_fault faults[] = {
        {.delay_ms = 100}, {.split_octets = 100}, {.drip_octets_s = 20000}};
    for (size_t i = 0; i < 2 * (sizeof faults / sizeof *faults); i++) {
        struct faulty it = step_at(SMTP_STEP_TLS, i % 2);
        struct smtp_wire wire;
        it.fault = faults[i / 2];
        faulty_start(&it, true);
        uint64_t began_ns = smtp_clock_now_ns();
        faulty_open(&it, &wire);
        expect_true((smtp_clock_now_ns() - began_ns) / 1000000 >= it.fault.delay_ms);
        send_and_quit(&wire);
        expect_int(faulty_message_count(&it), 1);
        faulty_stop(&it);
    }
}

TEST(server_faults_tls, the_handshake_fails_where_its_octets_are_garbled)
{
    struct faulty it = step_at(SMTP_STEP_TLS, false);
    struct smtp_wire wire;
    it.fault.garbled = true;
    faulty_start(&it, true);
    ready_for_tls(&wire, it.server, 0);
    expect_true(!smtp_wire_secure(&wire, it.trust, "localhost", NULL));
    smtp_wire_close(&wire);
    faulty_stop(&it);
}

/* Begins the handshake, of which so many octets are to come; then it is to end so, or (any) in whatever way. */
static void expect_cut(struct smtp_wire *wire, struct ssl_ctx_st *trust, size_t octets,
                       enum wire_end end, bool any)
{
    char cipher[4096];
    size_t got = 0;
    wire->tls = NULL;
    struct smtp_tls *tls = smtp_tls_new_client(trust, "localhost", NULL);
    expect_int(smtp_tls_handshake(tls), SMTP_TLS_WAITS);
    struct smtp_span hello = smtp_tls_pending(tls);
    expect_true(smtp_wire_send(wire, hello.bytes, hello.len));
    while (got < octets) {
        size_t more = one_read(wire, cipher, sizeof cipher, 10000);
        expect_true(more > 0);
        got += more;
    }
    expect_int(got, octets);
    if (!any) {
        expect_rest(wire, cipher, sizeof cipher, end);
        expect_str(cipher, "");
    }
    smtp_tls_free(tls);
}

TEST(server_faults_tls, the_handshake_is_cut_and_stalls_closes_or_is_reset)
{
    static const struct {
        enum smtp_server_ending ending;
        enum wire_end end;
    } rows[] = {{SMTP_END_HANG, WIRE_SILENT},
                {SMTP_GO_ON, WIRE_ENDED},
                {SMTP_END_CLOSE, WIRE_ENDED},
                {SMTP_END_RESET, WIRE_ENDED}};
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof *rows); i++) {
        struct faulty it = step_at(SMTP_STEP_TLS, i % 2);
        struct smtp_wire wire;
        it.fault.cut = true;
        it.fault.cut_octets = 200;
        it.fault.ending = rows[i / 2].ending;
        faulty_start(&it, true);
        ready_for_tls(&wire, it.server, 0);
        expect_cut(&wire, it.trust, 200, rows[i / 2].end, it.fault.ending == SMTP_END_RESET);
        uint64_t began_ns = smtp_clock_now_ns();
        smtp_server_stop(it.server, 10000);
        expect_true((smtp_clock_now_ns() - began_ns) / 1000000 < 5000);
        smtp_wire_close(&wire);
        faulty_stop(&it);
    }
}

TEST(server_faults_tls, no_handshake_begins_where_the_connection_just_hangs)
{
    for (int from_first = 0; from_first < 2; from_first++) {
        struct faulty it = step_at(SMTP_STEP_TLS, from_first);
        struct smtp_wire wire;
        it.fault.silent = true;
        it.fault.ending = SMTP_END_HANG;
        faulty_start(&it, true);
        ready_for_tls(&wire, it.server, 0);
        expect_cut(&wire, it.trust, 0, WIRE_SILENT, false);
        smtp_wire_close(&wire);
        diary_await_close(&it.diary);
        faulty_stop(&it);
    }
}
