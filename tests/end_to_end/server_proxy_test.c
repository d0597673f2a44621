/* server_proxy_test.c - connections that a proxy hands on to a running server: the header comes first,
 * of a trusted peer alone; what it names is what hooks, log and message know; what comes behind it is
 * not lost. The header's own forms are in tests/unit/server/proxy_test.c. */
#include "common/clock.h"
#include "common/net.h"
#include "server/smtp_server.h"
#include "tests/end_to_end/running_server.h"
#include "tests/end_to_end/tls_server.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define LINE "PROXY TCP4 192.0.2.1 198.51.100.1 40112 25\r\n"
#define BINARY                                                                                     \
    SIGNATURE "\x21\x21\x00\x24"                                                                   \
              "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                         \
              "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x9c\xb0\x00\x19"

struct proxied {
    struct diary diary;
    struct smtp_server_options options;
    struct smtp_server *server;
};

static enum smtp_server_verdict on_helo(void *user, const struct smtp_server_session_info *session,
                                        const char *name, bool extended,
                                        struct smtp_server_reply *reply)
{
    (void)user;
    (void)name;
    (void)extended;
    const char *colon = strrchr(session->proxy, ':');
    return smtp_server_reply(reply, 250, NULL, "peer=%s proxy=%.*s", session->peer,
                             colon != NULL ? (int)(colon - session->proxy) : 0, session->proxy);
}

static void prepare(struct proxied *proxied, const char *const *trusted, size_t count)
{
    smtp_server_options_init(&proxied->options);
    diary_open(&proxied->diary, &proxied->options);
    proxied->options.hooks.helo = on_helo;
    proxied->options.proxy_protocol = true;
    proxied->options.trusted_peers = trusted;
    proxied->options.trusted_peer_count = count;
}

static void open_server(struct proxied *proxied)
{
    static const char *const trusted[] = {"127.0.0.0/8", "::1", "unix:"};
    prepare(proxied, trusted, 3);
    proxied->server = started(&proxied->options);
}

static void close_server(struct proxied *proxied)
{
    smtp_server_free(proxied->server);
    diary_close(&proxied->diary);
}

static void connect_to(struct smtp_wire *wire, const struct proxied *proxied)
{
    expect_true(smtp_wire_connect(wire, smtp_server_address(proxied->server, 0)));
}

static void expect_peer(struct smtp_wire *wire, const char *words)
{
    expect_contains(smtp_wire_reply(wire), "220 ");
    expect_contains(smtp_wire_ask(wire, "HELO c.example"), words);
}

/* ---- who the peer is ---- */

static void expect_named(const char *header, size_t len, const char *peer)
{
    struct proxied proxied;
    struct smtp_wire wire;
    char words[200];
    open_server(&proxied);
    connect_to(&wire, &proxied);
    expect_true(smtp_wire_send(&wire, header, len));
    snprintf(words, sizeof words, "peer=%s proxy=127.0.0.1", peer);
    expect_peer(&wire, words);
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<b@b.example>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    expect_contains(smtp_wire_ask(&wire, "x\r\n."), "250 ");
    struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(proxied.server), 1);
    expect_true(message != NULL);
    expect_str(smtp_message_peer(message), peer);
    smtp_message_release(message);
    snprintf(words, sizeof words, "connect: %s\n", peer);
    expect_contains(diary_text(&proxied.diary), words);
    expect_contains(diary_text(&proxied.diary), "note: named by the PROXY header of 127.0.0.1:");
    smtp_wire_close(&wire);
    close_server(&proxied);
}

TEST(server_proxy, the_header_names_the_peer_and_who_connected_is_the_proxy)
{
    expect_named(LINE, sizeof(LINE) - 1, "192.0.2.1:40112");
    expect_named(BINARY, sizeof(BINARY) - 1, "[2001:db8::1]:40112");
}

static void expect_unnamed(const char *header, size_t len)
{
    struct proxied proxied;
    struct smtp_wire wire;
    open_server(&proxied);
    connect_to(&wire, &proxied);
    expect_true(smtp_wire_send(&wire, header, len));
    expect_contains(smtp_wire_reply(&wire), "220 ");
    const char *reply = smtp_wire_ask(&wire, "HELO c.example");
    expect_contains(reply, "peer=127.0.0.1:");
    expect_true(strcmp(strstr(reply, "proxy="), "proxy=") == 0);
    smtp_wire_close(&wire);
    close_server(&proxied);
}

TEST(server_proxy, a_header_that_names_nobody_keeps_the_peer)
{
    static const char local[] = SIGNATURE "\x20\x00\x00\x00",
                      unspec[] = SIGNATURE "\x21\x00\x00\x00";
    expect_unnamed("PROXY UNKNOWN\r\n", 15);
    expect_unnamed(local, sizeof local - 1);
    expect_unnamed(unspec, sizeof unspec - 1);
}

TEST(server_proxy, a_unix_socket_and_several_workers_do_as_well)
{
    static const char *const trusted[] = {"unix:"};
    struct proxied proxied;
    char path[64], address[80];
    snprintf(path, sizeof path, "/tmp/proxy-%d.sock", (int)getpid());
    snprintf(address, sizeof address, "unix:%s", path);
    const char *listen[] = {address};
    prepare(&proxied, trusted, 1);
    proxied.options.listen = listen;
    proxied.options.listen_count = 1;
    proxied.options.workers = 3;
    proxied.server = started(&proxied.options);
    for (int i = 0; i < 6; i++) {
        struct smtp_wire wire;
        connect_to(&wire, &proxied);
        expect_true(smtp_wire_send(&wire, LINE, sizeof(LINE) - 1));
        expect_peer(&wire, "peer=192.0.2.1:40112 proxy=unix");
        smtp_wire_close(&wire);
    }
    close_server(&proxied);
}

/* ---- its octets ---- */

static void expect_session_behind(const char *header, size_t len)
{
    static const char behind[] =
        "HELO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n"
        "PROXY UNKNOWN\r\n.\r\nQUIT\r\n";
    char octets[512];
    memcpy(octets, header, len);
    memcpy(octets + len, behind, sizeof behind - 1);
    size_t whole = len + sizeof behind - 1, size;
    for (size_t cut = 0; cut <= len + 2; cut++) {
        struct proxied proxied;
        struct smtp_wire wire;
        open_server(&proxied);
        connect_to(&wire, &proxied);
        for (size_t at = 0; cut == 0 && at < whole; at++) { /* octet by octet */
            expect_true(smtp_wire_send(&wire, octets + at, 1));
        }
        if (cut > 0) {
            expect_true(smtp_wire_send(&wire, octets, cut));
            expect_true(smtp_wire_send(&wire, octets + cut, whole - cut));
        }
        static const char *const replies[] = {"220 ", "250 ", "250 ", "250 ",
                                              "354 ", "250 ", "221 "};
        for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
            expect_contains(smtp_wire_reply(&wire), replies[i]);
        }
        expect_true(smtp_wire_closed(&wire));
        smtp_wire_close(&wire);
        struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(proxied.server), 1);
        expect_true(message != NULL);
        expect_str(smtp_message_content(message, &size), "PROXY UNKNOWN\r\n"); /* it comes once */
        smtp_message_release(message);
        close_server(&proxied);
    }
}

TEST(server_proxy, octet_by_octet_and_at_any_cut_nothing_behind_it_is_lost)
{
    expect_session_behind(LINE, sizeof(LINE) - 1);
    expect_session_behind(BINARY, sizeof(BINARY) - 1);
}

TEST(server_proxy, nothing_is_said_before_the_header)
{
    struct proxied proxied;
    struct smtp_wire wire;
    open_server(&proxied);
    connect_to(&wire, &proxied);
    expect_true(smtp_wire_send(&wire, "PROXY UNKNOWN", 13));
    expect_int(smtp_net_wait(wire.fd, false, smtp_deadline_after(smtp_clock_now_ns(), 50)),
               SMTP_TIMED_OUT);
    expect_true(smtp_wire_send(&wire, "\r\n", 2));
    expect_contains(smtp_wire_reply(&wire), "220 ");
    smtp_wire_close(&wire);
    close_server(&proxied);
}

/* ---- who is not heard ---- */

/* The connection closes without a word, and the log says why. */
static void expect_no_word(struct proxied *proxied, struct smtp_wire *wire, const char *why)
{
    char octet;
    size_t len = 0;
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), 10000);
    expect_int(smtp_net_read(wire->fd, &octet, 1, deadline_ns, &len), SMTP_CLOSED);
    diary_await_close(&proxied->diary);
    expect_contains(diary_text(&proxied->diary), why);
    expect_contains(diary_text(&proxied->diary), "connect: 127.0.0.1:");
    expect_true(strstr(diary_text(&proxied->diary), "reply: ") == NULL);
    smtp_wire_close(wire);
}

TEST(server_proxy, an_untrusted_peer_is_closed_at_once_whatever_it_says)
{
    static const char *const trusted[] = {"192.0.2.1", "::1", "unix:"};
    for (size_t count = 0; count <= 3; count += 3) {
        struct proxied proxied;
        struct smtp_wire wire;
        prepare(&proxied, trusted, count);
        proxied.server = started(&proxied.options);
        connect_to(&wire, &proxied); /* says nothing */
        expect_no_word(&proxied, &wire, "close: a PROXY header is taken of trusted_peers alone");
        connect_to(&wire, &proxied);
        (void)smtp_wire_send(&wire, LINE "HELO c\r\n", sizeof(LINE) + 7);
        expect_no_word(&proxied, &wire, "close: a PROXY header is taken of trusted_peers alone");
        close_server(&proxied);
    }
}

static void expect_malformed(const char *octets, size_t len, const char *why)
{
    struct proxied proxied;
    struct smtp_wire wire;
    open_server(&proxied);
    connect_to(&wire, &proxied);
    expect_true(smtp_wire_send(&wire, octets, len));
    expect_no_word(&proxied, &wire, why);
    close_server(&proxied);
}

TEST(server_proxy, a_malformed_header_closes_the_connection)
{
    static const char shorter[] = SIGNATURE "\x21\x11\x00\x01x",
                      longer[] = SIGNATURE "\x21\x11\xff\xff";
    expect_malformed("HELO c.example\r\n", 16, "close: the PROXY header is malformed: it begins");
    expect_malformed("\x16\x03\x01", 3, "malformed: it begins");
    expect_malformed("PROXY TCP4 192.0.2.1\r\nHELO c\r\n", 30, "malformed: its addresses");
    expect_malformed("PROXY UNKNOWN\nHELO c\r\n", 22, "malformed: its line");
    expect_malformed(shorter, sizeof shorter - 1, "malformed: it is shorter");
    expect_malformed(longer, sizeof longer - 1, "malformed: it is longer than 4096 octets");
}

TEST(server_proxy, a_line_without_an_end_closes_the_connection)
{
    char octets[107] = "PROXY UNKNOWN ";
    memset(octets + 14, 'x', sizeof octets - 14);
    expect_malformed(octets, sizeof octets, "malformed: its line is longer than 107 octets");
}

TEST(server_proxy, a_peer_that_goes_in_its_header_leaves_nothing)
{
    struct proxied proxied;
    struct smtp_wire wire;
    open_server(&proxied);
    connect_to(&wire, &proxied);
    expect_true(smtp_wire_send(&wire, LINE, 20));
    smtp_wire_close(&wire);
    diary_await_close(&proxied.diary);
    expect_contains(diary_text(&proxied.diary),
                    "close: the peer closed the connection in its PROXY header");
    close_server(&proxied);
}

TEST(server_proxy, a_header_that_does_not_come_is_not_waited_for_longer_than_a_handshake)
{
    struct proxied proxied;
    struct smtp_wire wire;
    static const char *const trusted[] = {"127.0.0.1"};
    prepare(&proxied, trusted, 1);
    proxied.options.limits.handshake_timeout_ms = 30;
    proxied.server = started(&proxied.options);
    connect_to(&wire, &proxied);
    expect_true(smtp_wire_send(&wire, LINE, 20));
    expect_no_word(&proxied, &wire, "close: timed out in the PROXY header");
    close_server(&proxied);
}

TEST(server_proxy, the_limit_of_the_header_is_none_of_the_session)
{
    struct proxied proxied;
    struct smtp_wire wire;
    static const char *const trusted[] = {"127.0.0.1"};
    prepare(&proxied, trusted, 1);
    proxied.options.limits.handshake_timeout_ms = 500;
    proxied.server = started(&proxied.options);
    connect_to(&wire, &proxied);
    expect_true(smtp_wire_send(&wire, LINE, sizeof(LINE) - 1));
    expect_contains(smtp_wire_reply(&wire), "220 ");
    expect_int(smtp_net_wait(wire.fd, false, smtp_deadline_after(smtp_clock_now_ns(), 700)),
               SMTP_TIMED_OUT);
    expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 ");
    smtp_wire_close(&wire);
    close_server(&proxied);
}

TEST(server_proxy, a_server_that_stops_closes_who_has_not_said_its_header)
{
    struct proxied proxied;
    struct smtp_wire wire;
    open_server(&proxied);
    connect_to(&wire, &proxied);
    expect_true(smtp_wire_send(&wire, LINE, 20));
    while (smtp_server_session_count(proxied.server) == 0) {
        sched_yield();
    }
    smtp_server_stop(proxied.server, 10000);
    expect_no_word(&proxied, &wire, "close: the server stops");
    close_server(&proxied);
}

/* ---- TLS ---- */

/* The handshake of a client whose first octets come in one write with the header. */
static void secure_behind(struct smtp_wire *wire, const char *header, size_t len,
                          struct ssl_ctx_st *context)
{
    char octets[4096];
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), 10000);
    size_t before = len, got;
    wire->tls = smtp_tls_new_client(context, "localhost", NULL);
    expect_true(wire->tls != NULL);
    memcpy(octets, header, len);
    enum smtp_tls_progress progress;
    for (;;) {
        progress = smtp_tls_handshake(wire->tls);
        struct smtp_span words = smtp_tls_pending(wire->tls);
        expect_true(before + words.len <= sizeof octets);
        memcpy(octets + before, words.bytes, words.len);
        expect_int(write(wire->fd, octets, before + words.len), before + words.len);
        smtp_tls_sent(wire->tls, words.len);
        before = 0;
        if (progress != SMTP_TLS_WAITS) {
            break;
        }
        expect_int(smtp_net_read(wire->fd, octets, sizeof octets, deadline_ns, &got), SMTP_OK);
        expect_true(smtp_tls_receive(wire->tls, octets, got));
    }
    expect_int(progress, SMTP_TLS_DONE);
}

TEST(server_proxy, the_header_comes_before_TLS_RFC_8314)
{
    static const char *const trusted[] = {"127.0.0.1"}, *const listen[] = {"smtps://127.0.0.1:0"};
    struct proxied proxied;
    prepare(&proxied, trusted, 1);
    proxied.options.listen = listen;
    proxied.options.listen_count = 1;
    proxied.server = started(&proxied.options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(proxied.server), 0);
    for (int together = 0; together < 2; together++) {
        struct smtp_wire wire;
        connect_to(&wire, &proxied);
        if (together) {
            secure_behind(&wire, LINE, sizeof(LINE) - 1, context);
        } else {
            expect_true(smtp_wire_send(&wire, LINE, sizeof(LINE) - 1));
            expect_true(smtp_wire_secure(&wire, context, "localhost", NULL));
        }
        expect_peer(&wire, "peer=192.0.2.1:40112 proxy=127.0.0.1");
        send_and_quit(&wire);
    }
    smtp_tls_context_release(context);
    close_server(&proxied);
}

TEST(server_proxy, STARTTLS_keeps_who_the_peer_is)
{
    struct proxied proxied;
    struct smtp_wire wire;
    open_server(&proxied);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(proxied.server), 0);
    connect_to(&wire, &proxied);
    expect_true(smtp_wire_send(&wire, LINE, sizeof(LINE) - 1));
    expect_peer(&wire, "peer=192.0.2.1:40112 proxy=127.0.0.1");
    expect_contains(smtp_wire_ask(&wire, "STARTTLS"), "220 ");
    expect_true(smtp_wire_secure(&wire, context, "localhost", NULL));
    expect_contains(smtp_wire_ask(&wire, "HELO c.example"), "peer=192.0.2.1:40112 proxy=127.0.0.1");
    send_and_quit(&wire);
    smtp_tls_context_release(context);
    close_server(&proxied);
}

/* ---- whom it makes trusted ---- */

TEST(server_proxy, XCLIENT_is_of_the_peer_that_is_named_not_of_the_proxy)
{
    static const char *const trusted[] = {"127.0.0.1", "198.51.100.7"};
    struct proxied proxied;
    struct smtp_wire wire;
    prepare(&proxied, trusted, 2);
    proxied.options.hooks.helo = NULL;
    proxied.options.keywords.xclient = true;
    proxied.server = started(&proxied.options);
    connect_to(&wire, &proxied);
    expect_true(smtp_wire_send(&wire, LINE, sizeof(LINE) - 1));
    expect_contains(smtp_wire_reply(&wire), "220 ");
    expect_true(strstr(smtp_wire_ask(&wire, "EHLO c.example"), "XCLIENT") == NULL);
    smtp_wire_close(&wire);
    connect_to(&wire, &proxied);
    static const char named[] = "PROXY TCP4 198.51.100.7 198.51.100.1 1 25\r\n";
    expect_true(smtp_wire_send(&wire, named, sizeof named - 1));
    expect_contains(smtp_wire_reply(&wire), "220 ");
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "XCLIENT");
    smtp_wire_close(&wire);
    close_server(&proxied);
}

TEST(server_proxy, a_peer_that_is_no_address_is_named_when_the_server_is_made)
{
    static const char *const trusted[] = {"127.0.0.1", "localhost"};
    struct smtp_server_options options;
    struct smtp_server *server = NULL;
    struct smtp_error error = {0};
    smtp_server_options_init(&options);
    options.trusted_peers = trusted;
    options.trusted_peer_count = 2;
    expect_int(smtp_server_new(&server, &options, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "trusted_peers[1], \"localhost\"");
}
