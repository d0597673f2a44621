/* server_handshake_test.c - TLS at the server gone wrong: handshakes that are cut, dripped, never
 * ended or no handshakes, octets put in between the clear and TLS, ends without close_notify. Each
 * time the connection closes within bounds, nothing is said in the clear, the log says why, and the
 * server serves on. */
#include "common/clock.h"
#include "common/net.h"
#include "tests/end_to_end/running_server.h"
#include "tests/end_to_end/tls_server.h"
#include "tests/support/test.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/socket.h>

enum { PLAIN, IMPLICIT };

struct trial {
    struct smtp_server_options options;
    struct diary diary;
    struct smtp_server *server;
    struct ssl_ctx_st *context; /* of a client that trusts it */
};

static void set_up(struct trial *trial)
{
    static const char *const listen[] = {"127.0.0.1:0", "smtps://127.0.0.1:0"};
    smtp_server_options_init(&trial->options);
    trial->options.listen = listen;
    trial->options.listen_count = 2;
    diary_open(&trial->diary, &trial->options);
}

static void begin(struct trial *trial)
{
    trial->server = started(&trial->options);
    trial->context = trusting(smtp_server_ca_pem(trial->server), 0);
}

/* One message was served after whatever happened. */
static void end(struct trial *trial)
{
    diary_await_close(&trial->diary);
    smtp_server_stop(trial->server, 10000);
    expect_int(smtp_server_session_count(trial->server), 0);
    expect_int(smtp_mailbox_captured(smtp_server_mailbox(trial->server)), 1);
    smtp_server_free(trial->server);
    smtp_tls_context_release(trial->context);
    diary_close(&trial->diary);
}

static void finish(struct trial *trial)
{
    struct smtp_wire wire;
    secured(&wire, trial->server, IMPLICIT, trial->context, NULL);
    send_and_quit(&wire);
    end(trial);
}

/* All that comes to the end of the connection, as it comes; its length. */
static size_t read_raw(const struct smtp_wire *wire, char *octets, size_t capacity)
{
    uint64_t until_ns = smtp_deadline_after(smtp_clock_now_ns(), 10000);
    size_t len = 0, got = 0;
    while (len < capacity &&
           smtp_net_read(wire->fd, octets + len, capacity - len, until_ns, &got) == SMTP_OK) {
        len += got;
    }
    return len;
}

/* Nothing at all, or records of TLS alone (an alert): no reply in the clear. */
static void expect_no_reply(const struct smtp_wire *wire)
{
    char octets[8192];
    size_t len = read_raw(wire, octets, sizeof octets);
    for (size_t at = 0; at < len;) {
        expect_true(len - at >= 5 && octets[at] >= 0x14 && octets[at] <= 0x17 &&
                    octets[at + 1] == 3);
        at += 5 + (size_t)((unsigned char)octets[at + 3] << 8 | (unsigned char)octets[at + 4]);
        expect_true(at <= len);
    }
}

/* ---- cut ---- */

static size_t record_len(struct smtp_span wire)
{
    return 5 + (size_t)((unsigned char)wire.bytes[3] << 8 | (unsigned char)wire.bytes[4]);
}

static void feed(struct smtp_wire *wire)
{
    char octets[16384];
    size_t got = 0;
    uint64_t until_ns = smtp_deadline_after(smtp_clock_now_ns(), 10000);
    expect_int(smtp_net_read(wire->fd, octets, sizeof octets, until_ns, &got), SMTP_OK);
    expect_true(smtp_tls_receive(wire->tls, octets, got));
}

static bool send_clear(const struct smtp_wire *wire, const char *octets, size_t len)
{
    struct smtp_wire clear = {.fd = wire->fd};
    return smtp_wire_send(&clear, octets, len);
}

/* Goes through the handshake until so many records of ours are sent, and so many octets of the next.
 * False: it was over before. */
static bool shake_until(struct smtp_wire *wire, struct ssl_ctx_st *context, size_t records,
                        size_t octets)
{
    wire->tls = smtp_tls_new_client(context, "localhost", NULL);
    for (;;) {
        enum smtp_tls_progress progress = smtp_tls_handshake(wire->tls);
        struct smtp_span pending = smtp_tls_pending(wire->tls);
        while (pending.len > 0) {
            if (records == 0) {
                expect_true(send_clear(wire, pending.bytes, octets));
                return true;
            }
            records--;
            size_t len = record_len(pending);
            expect_true(send_clear(wire, pending.bytes, len));
            smtp_tls_sent(wire->tls, len);
            pending = smtp_tls_pending(wire->tls);
        }
        if (progress != SMTP_TLS_WAITS) {
            return false;
        }
        feed(wire);
    }
}

static void expect_survived_cuts(int version, size_t listener)
{
    struct trial trial;
    set_up(&trial);
    begin(&trial);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(trial.server), version);
    static const size_t octets[] = {0, 1, 5, 6};
    size_t cuts = 0;
    bool within = true;
    for (size_t records = 0; within; records++) {
        for (size_t i = 0; i < sizeof octets / sizeof *octets && within; i++) {
            struct smtp_wire wire;
            ready_for_tls(&wire, trial.server, listener);
            within = shake_until(&wire, context, records, octets[i]);
            cuts += within;
            if (i % 2 == 0) {
                smtp_wire_close(&wire);
            } else {
                smtp_wire_reset(&wire);
            }
            diary_await_close(&trial.diary);
        }
    }
    expect_true(cuts >= 8); /* a hello and a Finished at least */
    expect_contains(diary_text(&trial.diary), "closed the connection inside the TLS handshake");
    smtp_tls_context_release(context);
    finish(&trial);
}

TEST(server_handshake, of_tls_1_2_cut_at_every_record_leaves_no_session)
{
    expect_survived_cuts(TLS1_2_VERSION, PLAIN);
}

TEST(server_handshake, of_tls_1_3_cut_at_every_record_leaves_no_session)
{
    expect_survived_cuts(TLS1_3_VERSION, IMPLICIT);
}

/* ---- slow ---- */

static void expect_dripped(int version, size_t listener)
{
    struct trial trial;
    struct smtp_wire wire;
    set_up(&trial);
    begin(&trial);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(trial.server), version);
    ready_for_tls(&wire, trial.server, listener);
    wire.tls = smtp_tls_new_client(context, "localhost", NULL);
    enum smtp_tls_progress progress;
    while ((progress = smtp_tls_handshake(wire.tls)) != SMTP_TLS_BROKEN) {
        while (smtp_tls_pending(wire.tls).len > 0) {
            expect_true(send_clear(&wire, smtp_tls_pending(wire.tls).bytes, 1));
            smtp_tls_sent(wire.tls, 1);
        }
        if (progress == SMTP_TLS_DONE) {
            break;
        }
        feed(&wire);
    }
    expect_int(progress, SMTP_TLS_DONE);
    if (listener == IMPLICIT) {
        expect_contains(smtp_wire_reply(&wire), "220 ");
    }
    expect_contains(smtp_wire_ask(&wire, "EHLO c"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    smtp_wire_close(&wire);
    diary_await_close(&trial.diary);
    smtp_tls_context_release(context);
    finish(&trial);
}

TEST(server_handshake, dripped_octet_by_octet_is_taken_with_tls_1_2)
{
    expect_dripped(TLS1_2_VERSION, IMPLICIT);
}

TEST(server_handshake, dripped_octet_by_octet_is_taken_with_tls_1_3)
{
    expect_dripped(TLS1_3_VERSION, PLAIN);
}

static void expect_timed_out(size_t listener, bool drip)
{
    struct trial trial;
    struct smtp_wire wire;
    set_up(&trial);
    trial.options.limits.handshake_timeout_ms = 50;
    begin(&trial);
    ready_for_tls(&wire, trial.server, listener);
    struct smtp_tls *hello = smtp_tls_new_client(trial.context, "localhost", NULL);
    expect_int(smtp_tls_handshake(hello), SMTP_TLS_WAITS);
    bool open = true;
    while (drip && open && smtp_tls_pending(hello).len > 1) { /* its last octet never comes */
        open = send_clear(&wire, smtp_tls_pending(hello).bytes, 1);
        smtp_tls_sent(hello, 1);
        uint64_t pause_ns = smtp_deadline_after(smtp_clock_now_ns(), 2);
        open = open && smtp_net_wait(wire.fd, false, pause_ns) == SMTP_TIMED_OUT;
    }
    expect_no_reply(&wire);
    smtp_tls_free(hello);
    smtp_wire_close(&wire);
    diary_await_close(&trial.diary);
    expect_contains(diary_text(&trial.diary), "note: timed out in the TLS handshake\n");
    expect_contains(diary_text(&trial.diary), "close: timed out in the TLS handshake\n");
    expect_true(strstr(diary_text(&trial.diary), "reply: 421") == NULL);
    send_one(trial.server); /* in the clear: a handshake has those 50 ms here */
    end(&trial);
}

TEST(server_handshake, that_never_begins_after_starttls_meets_its_deadline)
{
    expect_timed_out(PLAIN, false);
}

TEST(server_handshake, that_never_begins_on_an_implicit_address_meets_its_deadline)
{
    expect_timed_out(IMPLICIT, false);
}

TEST(server_handshake, that_drips_for_ever_meets_the_deadline_of_the_whole)
{
    expect_timed_out(PLAIN, true);
}

/* ---- put in between ---- */

/* RFC 3207 4.2: what was sent in the clear must not count under TLS. */
TEST(server_handshake, commands_glued_to_starttls_are_refused_and_the_session_closed)
{
    static const char *const glued[] = {"STARTTLS\r\nMAIL FROM:<eve@example.com>\r\n",
                                        "STARTTLS\r\nMA", "STARTTLS\r\n\r\n",
                                        "STARTTLS\r\n\x16\x03\x01"};
    struct trial trial;
    set_up(&trial);
    begin(&trial);
    for (size_t i = 0; i < sizeof glued / sizeof *glued; i++) {
        struct smtp_wire wire;
        greeted(&wire, trial.server);
        expect_contains(smtp_wire_ask(&wire, "EHLO c"), "250 ");
        expect_true(smtp_wire_send(&wire, glued[i], strlen(glued[i])));
        expect_contains(smtp_wire_reply(&wire), "503 5.5.1 ");
        expect_str(smtp_wire_reply(&wire), "");
        smtp_wire_close(&wire);
        diary_await_close(&trial.diary);
    }
    expect_contains(diary_text(&trial.diary), "note: octets came behind STARTTLS\n");
    expect_true(strstr(diary_text(&trial.diary), "tls: ") == NULL);
    finish(&trial);
}

static void expect_broken_by(size_t listener, struct smtp_span octets, const char *noted)
{
    struct trial trial;
    struct smtp_wire wire;
    set_up(&trial);
    begin(&trial);
    ready_for_tls(&wire, trial.server, listener);
    expect_true(smtp_wire_send(&wire, octets.bytes, octets.len));
    expect_no_reply(&wire);
    smtp_wire_close(&wire);
    diary_await_close(&trial.diary);
    expect_contains(diary_text(&trial.diary), noted);
    expect_contains(diary_text(&trial.diary), "close: the TLS handshake failed\n");
    finish(&trial);
}

TEST(server_handshake, commands_after_the_220_are_no_handshake)
{
    expect_broken_by(PLAIN, SMTP_SPAN("EHLO c\r\nMAIL FROM:<eve@example.com>\r\n"),
                     "note: the TLS handshake failed: expected TLS, came \"EHLO c");
}

TEST(server_handshake, plain_text_at_an_implicit_address_is_no_handshake)
{
    expect_broken_by(IMPLICIT, SMTP_SPAN("EHLO c\r\n"), "the peer does not speak TLS here");
}

TEST(server_handshake, a_record_of_nonsense_is_answered_with_an_alert)
{
    expect_broken_by(PLAIN, SMTP_SPAN("\x16\x03\x01\x00\x08nonsense"),
                     "note: the TLS handshake failed: ");
}

/* A TLS client that takes the plain address for an implicit one would wait for ever. */
TEST(server_handshake, at_a_plain_address_is_told_in_the_log_and_closed)
{
    struct trial trial;
    struct smtp_wire wire;
    set_up(&trial);
    begin(&trial);
    expect_true(smtp_wire_connect(&wire, smtp_server_address(trial.server, PLAIN)));
    expect_true(!smtp_wire_secure(&wire, trial.context, "localhost", NULL));
    smtp_wire_close(&wire);
    diary_await_close(&trial.diary);
    expect_contains(diary_text(&trial.diary),
                    "note: a TLS handshake came where a command was expected");
    finish(&trial);
}

TEST(server_handshake, is_looked_for_in_the_first_octet_of_a_connection_alone)
{
    struct trial trial;
    struct smtp_wire wire;
    set_up(&trial);
    begin(&trial);
    greeted(&wire, trial.server);
    expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "\x16\x03\x01"), "500 ");
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
    diary_await_close(&trial.diary);
    finish(&trial);
}

/* ---- under TLS ---- */

/* An attacker can end a connection; only close_notify is the peer's own word (RFC 8446 6.1). */
TEST(server_handshake, content_cut_without_close_notify_is_no_message)
{
    struct trial trial;
    set_up(&trial);
    begin(&trial);
    for (int i = 0; i < 3; i++) {
        struct smtp_wire wire;
        secured(&wire, trial.server, (size_t)i % 2, trial.context, NULL);
        expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 ");
        expect_contains(smtp_wire_ask(&wire, "RCPT TO:<a@b.example>"), "250 ");
        expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
        expect_true(smtp_wire_send(&wire, "half\r\n", 6));
        if (i == 2) {
            smtp_tls_shut_down(wire.tls);
            struct smtp_span end = smtp_tls_pending(wire.tls);
            expect_true(send_clear(&wire, end.bytes, end.len));
            expect_true(smtp_wire_closed(&wire) && wire.end_came);
        }
        smtp_wire_close(&wire);
        diary_await_close(&trial.diary);
    }
    expect_contains(diary_text(&trial.diary),
                    "close: the peer closed the connection without close_notify\n");
    expect_contains(diary_text(&trial.diary), "close: the peer closed the connection\n");
    finish(&trial);
}

TEST(server_handshake, octets_garbled_under_tls_end_the_session)
{
    struct trial trial;
    struct smtp_wire wire;
    set_up(&trial);
    begin(&trial);
    secured(&wire, trial.server, PLAIN, trial.context, NULL);
    expect_true(smtp_tls_write(wire.tls, SMTP_SPAN("NOOP\r\n")));
    struct smtp_span span = smtp_tls_pending(wire.tls);
    char garbled[256];
    expect_true(span.len < sizeof garbled);
    memcpy(garbled, span.bytes, span.len);
    garbled[span.len - 1] ^= 1;
    expect_true(send_clear(&wire, garbled, span.len));
    expect_str(smtp_wire_reply(&wire), "");
    smtp_wire_close(&wire);
    diary_await_close(&trial.diary);
    expect_contains(diary_text(&trial.diary), "close: TLS failed\n");
    finish(&trial);
}

/* A command in the clear, in the middle of TLS, is no command. */
TEST(server_handshake, plain_text_put_in_under_tls_ends_the_session)
{
    struct trial trial;
    struct smtp_wire wire;
    set_up(&trial);
    begin(&trial);
    secured(&wire, trial.server, IMPLICIT, trial.context, NULL);
    expect_true(send_clear(&wire, "MAIL FROM:<eve@example.com>\r\n", 29));
    expect_str(smtp_wire_reply(&wire), "");
    smtp_wire_close(&wire);
    diary_await_close(&trial.diary);
    expect_contains(diary_text(&trial.diary), "close: TLS failed\n");
    finish(&trial);
}

/* ---- the server's end ---- */

TEST(server_handshake, is_cut_at_once_when_the_server_stops)
{
    struct trial trial;
    struct smtp_wire waits[2], open;
    set_up(&trial);
    begin(&trial);
    ready_for_tls(&waits[0], trial.server, PLAIN);
    ready_for_tls(&waits[1], trial.server, IMPLICIT);
    secured(&open, trial.server, PLAIN, trial.context, NULL);
    uint64_t before_ns = smtp_clock_now_ns();
    smtp_server_stop(trial.server, 15000);
    expect_true(smtp_clock_now_ns() - before_ns < UINT64_C(5000000000));
    expect_no_reply(&waits[0]);
    expect_no_reply(&waits[1]);
    expect_contains(smtp_wire_reply(&open), "421 ");
    expect_true(smtp_wire_closed(&open) && open.end_came);
    smtp_wire_close(&waits[0]);
    smtp_wire_close(&waits[1]);
    smtp_wire_close(&open);
    for (int i = 0; i < 3; i++) {
        diary_await_close(&trial.diary);
    }
    start(trial.server);
    finish(&trial);
}

/* No session, no TLS: the 421 of a full server has no place before the handshake. */
TEST(server_handshake, with_a_server_that_is_full_is_closed_without_a_word)
{
    struct trial trial;
    struct smtp_wire first, second;
    set_up(&trial);
    trial.options.limits.sessions = 1;
    begin(&trial);
    secured(&first, trial.server, IMPLICIT, trial.context, NULL);
    ready_for_tls(&second, trial.server, IMPLICIT);
    char octet;
    expect_int(read_raw(&second, &octet, 1), 0);
    smtp_wire_close(&second);
    expect_contains(smtp_wire_ask(&first, "QUIT"), "221 ");
    expect_true(smtp_wire_closed(&first));
    smtp_wire_close(&first);
    diary_await_close(&trial.diary);
    finish(&trial);
}
