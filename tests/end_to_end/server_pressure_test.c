/* server_pressure_test.c - peers that misbehave below SMTP: that vanish, never read, send an octet
 * at a time, come in masses; and a system that has run out of descriptors. The other sessions go
 * on, memory stays bounded, every wait ends. */
#include "common/clock.h"
#include "common/net.h"
#include "server/smtp_server.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#define WAIT_MS 15000

/* Told of each close, through the server's own hook: what the tests wait for instead of sleeping.
 */
struct closes {
    int pipe[2];
};

static void on_close(void *user, const struct smtp_server_session_info *session)
{
    const struct closes *closes = user;
    (void)session;
    expect_int(write(closes->pipe[1], "c", 1), 1);
}

static void watch_closes(struct closes *closes, struct smtp_server_options *options)
{
    expect_int(pipe2(closes->pipe, O_CLOEXEC | O_NONBLOCK), 0);
    options->hooks.user = closes;
    options->hooks.close = on_close;
}

static void await_close(const struct closes *closes)
{
    char octet;
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), WAIT_MS);
    expect_int(smtp_net_wait(closes->pipe[0], false, deadline_ns), SMTP_OK);
    expect_int(read(closes->pipe[0], &octet, 1), 1);
}

/* ---- peers that go ---- */

TEST(server_pressure, a_peer_that_vanishes_inside_the_content_leaves_no_message_and_no_session)
{
    struct closes closes;
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    watch_closes(&closes, &options);
    struct smtp_server *server = started(&options);
    for (int i = 0; i < 4; i++) {
        open_content(&wire, server);
        expect_true(smtp_wire_send(&wire, "Subject: half\r\n\r\nhal", 19));
        if (i % 2 == 0) {
            smtp_wire_reset(&wire);
        } else {
            smtp_wire_close(&wire);
        }
        await_close(&closes);
    }
    send_one(server);
    await_close(&closes);
    expect_int(smtp_mailbox_captured(smtp_server_mailbox(server)), 1);
    smtp_server_free(server);
}

/* What came before the end of file is answered, as a client that shuts down its sending side
 * expects. */
TEST(server_pressure, a_peer_that_only_ends_its_sending_still_gets_every_reply)
{
    struct smtp_server *server = started(NULL);
    struct smtp_wire wire;
    static const char all[] = "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRSET\r\nNOOP\r\n";
    greeted(&wire, server);
    expect_true(smtp_wire_send(&wire, all, sizeof all - 1));
    expect_int(shutdown(wire.fd, SHUT_WR), 0);
    for (int i = 0; i < 5; i++) {
        expect_contains(smtp_wire_reply(&wire), "250 ");
    }
    expect_true(smtp_wire_closed(&wire));
    smtp_server_free(server);
}

/* The lines that come until the peer closes. */
static size_t count_lines(const struct smtp_wire *wire)
{
    static char octets[65536];
    size_t lines = 0, len = 0;
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), WAIT_MS);
    while (smtp_net_read(wire->fd, octets, sizeof octets, deadline_ns, &len) == SMTP_OK) {
        for (size_t i = 0; i < len; i++) {
            lines += octets[i] == '\n';
        }
    }
    return lines;
}

static enum smtp_server_verdict answer_at_length(void *user,
                                                 const struct smtp_server_session_info *session,
                                                 const char *argument,
                                                 struct smtp_server_reply *reply)
{
    static const char words[] = "a reply as long as a line may be, again and again and again; ";
    (void)user;
    (void)session;
    (void)argument;
    return smtp_server_reply(reply, 252, "2.0.0", "%s%s%s%s%s%s%s", words, words, words, words,
                             words, words, words);
}

/* Commands and an end, and only then are replies read, by a socket with little room: in some of the
 * rounds the end comes while replies wait to be written, in others not. */
static void end_while_replies_wait(bool by_quit)
{
    enum {
        COUNT_MAX = 10000,
        STEP = TEST_LARGE_OCTETS > 10000000 ? 400 : 1600,
        COMMAND = sizeof "VRFY x\r\n" - 1
    };
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.hooks.vrfy = answer_at_length;
    struct smtp_server *server = started(&options);
    static char commands[COMMAND * COUNT_MAX + 6];
    const struct sockaddr_in where = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                      .sin_port = htons(smtp_server_port(server, 0))};
    for (size_t count = STEP; count <= COUNT_MAX; count += STEP) {
        struct smtp_wire wire = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        int room = 32768;
        for (size_t i = 0; i < count; i++) {
            memcpy(commands + COMMAND * i, "VRFY x\r\n", COMMAND);
        }
        memcpy(commands + COMMAND * count, "QUIT\r\n", 6);
        expect_int(setsockopt(wire.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
        expect_int(connect(wire.fd, (const struct sockaddr *)&where, sizeof where), 0);
        expect_int(fcntl(wire.fd, F_SETFL, O_NONBLOCK), 0);
        expect_true(smtp_wire_send(&wire, commands, COMMAND * count + (by_quit ? 6 : 0)));
        expect_true(by_quit || shutdown(wire.fd, SHUT_WR) == 0);
        send_one(server); /* the loop has gone round: what can be written has been */
        send_one(server);
        expect_int(count_lines(&wire), 1 + count + by_quit);
        smtp_wire_close(&wire);
    }
    smtp_server_free(server);
}

TEST_WITHIN(server_pressure, replies_that_wait_when_the_end_of_file_comes_are_written, 60)
{
    end_while_replies_wait(false);
}

TEST_WITHIN(server_pressure, replies_that_wait_when_quit_comes_are_written_before_the_221, 60)
{
    end_while_replies_wait(true);
}

/* RFC 5321 4.1.1.10: the 221 reaches a peer even where it goes on sending after QUIT. */
TEST(server_pressure, the_last_reply_is_not_lost_when_the_peer_has_sent_more)
{
    struct smtp_server *server = started(NULL);
    static char octets[32768];
    memset(octets, 'x', sizeof octets);
    memcpy(octets, "QUIT\r\n", 6);
    for (int i = 0; i < 20; i++) {
        struct smtp_wire wire;
        greeted(&wire, server);
        expect_true(smtp_wire_send(&wire, octets, sizeof octets));
        expect_true(smtp_wire_send(&wire, octets + 6, 1000));
        expect_contains(smtp_wire_reply(&wire), "221 ");
        expect_true(smtp_wire_closed(&wire));
        smtp_wire_close(&wire);
    }
    smtp_server_free(server);
}

/* Closing at once would reset the connection under a peer that is still sending, and the 221 might be
 * lost with it (RFC 1122 4.2.2.13). */
TEST(server_pressure, what_a_peer_sends_after_quit_resets_nothing)
{
    struct smtp_server *server = started(NULL);
    static char octets[100];
    for (int i = 0; i < 20; i++) {
        struct smtp_wire wire;
        greeted(&wire, server);
        expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
        for (int more = 0; more < 10; more++) {
            expect_true(smtp_wire_send(&wire, octets, sizeof octets));
        }
        expect_true(smtp_wire_closed(&wire));
        expect_int(shutdown(wire.fd, SHUT_WR), 0);
        smtp_wire_close(&wire);
    }
    smtp_server_free(server);
}

TEST(server_pressure, a_peer_that_stays_after_quit_is_let_go)
{
    struct smtp_server *server = started(NULL);
    struct smtp_wire wire;
    greeted(&wire, server);
    expect_int(smtp_server_session_count(server), 1);
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), WAIT_MS);
    while (smtp_server_session_count(server) > 0 && smtp_clock_now_ns() < deadline_ns) {
        sched_yield();
    }
    expect_int(smtp_server_session_count(server), 0);
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

TEST(server_pressure, a_peer_that_never_stops_sending_after_quit_is_cut)
{
    struct smtp_server *server = started(NULL);
    static char octets[65536];
    struct smtp_wire wire;
    size_t total = 0, len = 0, max = (size_t)64 << 20; /* what both sockets may hold is less */
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    const struct iovec part = {octets, sizeof octets};
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), WAIT_MS);
    while (total < max && smtp_net_write(wire.fd, &part, 1, deadline_ns, &len) == SMTP_OK) {
        total += len;
    }
    expect_true(total < max);
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

/* ---- peers that are slow ---- */

TEST(server_pressure, a_session_sent_an_octet_at_a_time_is_answered_in_the_same_way)
{
    static const char all[] = "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n"
                              "..x\r\n\r\n.\r\nQUIT\r\n";
    struct smtp_server *server = started(NULL);
    struct smtp_wire wire;
    greeted(&wire, server);
    for (size_t i = 0; i < sizeof all - 1; i++) {
        expect_true(smtp_wire_send(&wire, all + i, 1));
    }
    for (int i = 0; i < 3; i++) {
        expect_contains(smtp_wire_reply(&wire), "250 ");
    }
    expect_contains(smtp_wire_reply(&wire), "354 ");
    expect_contains(smtp_wire_reply(&wire), "250 2.0.0 OK: message 1");
    expect_contains(smtp_wire_reply(&wire), "221 ");
    struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(server), 1);
    expect_str(smtp_message_content(message, NULL), ".x\r\n\r\n");
    smtp_message_release(message);
    smtp_server_free(server);
}

/* What a flood repeats: HELP, with a reply that is long, and a long NOOP, so that few commands fill a socket. */
#define FLOOD_UNIT_LEN 506
#define FLOOD_HELP "HELP\r\n"

static const char *flood_unit(void)
{
    static char unit[FLOOD_UNIT_LEN];
    memset(unit, 'x', sizeof unit);
    memcpy(unit, FLOOD_HELP "NOOP ", 11);
    memcpy(unit + sizeof unit - 2, "\r\n", 2);
    return unit;
}

/* Sends commands until the socket has taken nothing for 200 ms, at most `max` octets; never reads.
 */
static size_t flood(const struct smtp_wire *wire, size_t max)
{
    static char commands[100 * FLOOD_UNIT_LEN];
    size_t total = 0;
    for (size_t i = 0; i < sizeof commands; i += FLOOD_UNIT_LEN) {
        memcpy(commands + i, flood_unit(), FLOOD_UNIT_LEN);
    }
    while (total < max) { /* a write goes on where the last one stopped */
        size_t at = total % sizeof commands, len = 0;
        const struct iovec part = {commands + at, sizeof commands - at};
        uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), 200);
        if (smtp_net_write(wire->fd, &part, 1, deadline_ns, &len) != SMTP_OK) {
            return total;
        }
        total += len;
    }
    return total;
}

/* What HELP and then NOOP are answered, as it comes. */
struct answers {
    char octets[2048];
    size_t help_len, len;
};

static void learn_answers(struct answers *answers, struct smtp_wire *wire)
{
    answers->len = 0;
    for (int i = 0; i < 2; i++) {
        answers->help_len = answers->len;
        for (const char *at = smtp_wire_ask(wire, i == 0 ? "HELP" : "NOOP");; at++) {
            expect_true(answers->len + 2 <= sizeof answers->octets);
            if (*at == '\n' || *at == '\0') {
                memcpy(answers->octets + answers->len, "\r\n", 2);
                answers->len += 2;
            } else {
                answers->octets[answers->len++] = *at;
            }
            if (*at == '\0') {
                break;
            }
        }
    }
    expect_true(memcmp(answers->octets, "214", 3) == 0);
    expect_true(memcmp(answers->octets + answers->help_len, "250 ", 4) == 0);
}

/* So many commands of the flood are answered, each with its own. */
static void expect_answers(const struct answers *answers, const struct smtp_wire *wire,
                           size_t commands)
{
    static char octets[65536];
    size_t left = commands / 2 * answers->len + commands % 2 * answers->help_len, at = 0;
    while (left > 0) {
        uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), WAIT_MS);
        size_t got = 0;
        expect_int(smtp_net_read(wire->fd, octets, left < sizeof octets ? left : sizeof octets,
                                 deadline_ns, &got),
                   SMTP_OK);
        left -= got;
        for (size_t i = 0; i < got;) {
            size_t len = got - i < answers->len - at ? got - i : answers->len - at;
            expect_true(memcmp(octets + i, answers->octets + at, len) == 0);
            i += len;
            at = (at + len) % answers->len;
        }
    }
}

static long resident_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* 256 MiB of commands would be owed gigabytes of replies: instead the server stops reading. */
TEST_ALONE(server_pressure, a_peer_that_never_reads_is_not_read_from_and_others_go_on)
{
    struct smtp_server *server = started(NULL);
    struct smtp_wire wire;
    size_t max = (size_t)256 << 20;
    greeted(&wire, server);
    send_one(server);
    long before_kib = resident_kib();
    expect_true(flood(&wire, max) < max);
    expect_true(resident_kib() - before_kib < 64 * 1024); /* with what a sanitizer holds back */
    for (int i = 0; i < 20; i++) {
        send_one(server);
    }
    smtp_server_free(server);
}

/* RFC 1122 4.2.3.4: one that has not set TCP_NODELAY writes the dot when the text is acknowledged, which the kernel puts off
 * for 40 ms at least where nobody asks for it. The best of several: other programs have the processors, too. */
TEST(server_pressure, a_peer_that_waits_to_be_acknowledged_is_not_kept_waiting)
{
    const int off = 0;
    struct smtp_server *server = started(NULL);
    struct smtp_wire wire;
    uint64_t best_ns = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        open_content(&wire, server);
        expect_int(setsockopt(wire.fd, IPPROTO_TCP, TCP_NODELAY, &off, sizeof off), 0);
        uint64_t begin_ns = smtp_clock_now_ns();
        expect_true(smtp_wire_send(&wire, "text\r\n", 6));
        expect_contains(smtp_wire_ask(&wire, "."), "250 ");
        uint64_t took_ns = smtp_clock_now_ns() - begin_ns;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
        smtp_wire_close(&wire);
    }
    expect_true(best_ns < 30 * SMTP_NS_PER_MS);
    smtp_server_free(server);
}

/* And once it reads, every reply is there, in order. */
TEST(server_pressure, a_peer_that_reads_late_gets_every_reply)
{
    struct smtp_server *server = started(NULL);
    struct smtp_wire wire;
    struct answers answers;
    greeted(&wire, server);
    learn_answers(&answers, &wire);
    size_t sent = flood(&wire, (size_t)256 << 20);
    expect_answers(&answers, &wire,
                   sent / FLOOD_UNIT_LEN * 2 + (sent % FLOOD_UNIT_LEN >= strlen(FLOOD_HELP)));
    smtp_server_free(server);
}

/* What ends a flood: sent on a thread of its own, for the server takes it only when replies are
 * read.
 */
struct tail {
    const struct smtp_wire *wire;
    const char *octets; /* the rest of the last command, and more */
    bool sent;
};

static void *send_tail(void *user)
{
    struct tail *tail = user;
    size_t len = strlen(tail->octets);
    while (len > 0) {
        size_t now = 0;
        const struct iovec part = {(void *)(uintptr_t)tail->octets, len};
        uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), WAIT_MS);
        if (smtp_net_write(tail->wire->fd, &part, 1, deadline_ns, &now) != SMTP_OK) {
            return NULL;
        }
        tail->octets += now;
        len -= now;
    }
    tail->sent = shutdown(tail->wire->fd, SHUT_WR) == 0;
    return NULL;
}

static void flood_and_end(const char *ending, size_t more_replies)
{
    struct smtp_server *server = started(NULL);
    struct smtp_wire wire;
    char octets[FLOOD_UNIT_LEN + 16];
    pthread_t thread;
    struct answers answers;
    greeted(&wire, server);
    learn_answers(&answers, &wire);
    size_t sent = flood(&wire, (size_t)256 << 20), begun = sent % FLOOD_UNIT_LEN;
    snprintf(octets, sizeof octets, "%.*s%s", (int)(FLOOD_UNIT_LEN - begun), flood_unit() + begun,
             ending);
    struct tail tail = {&wire, octets, false};
    expect_int(pthread_create(&thread, NULL, send_tail, &tail), 0);
    expect_answers(&answers, &wire, (sent / FLOOD_UNIT_LEN + 1) * 2);
    for (size_t i = 0; i < more_replies; i++) {
        expect_contains(smtp_wire_reply(&wire), "221 ");
    }
    expect_true(smtp_wire_closed(&wire));
    pthread_join(thread, NULL);
    expect_true(tail.sent);
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

/* RFC 5321 4.1.1.10: QUIT closes when its reply, and so each before it, has been sent. */
TEST(server_pressure, a_quit_while_much_is_owed_loses_no_reply)
{
    flood_and_end("QUIT\r\n", 1);
}

TEST(server_pressure, the_end_of_what_a_peer_sends_loses_no_reply)
{
    flood_and_end("", 0);
}

TEST(server_pressure, a_peer_that_never_reads_is_cut_when_its_time_is_over)
{
    struct closes closes;
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.limits.command_timeout_ms = 300;
    watch_closes(&closes, &options);
    struct smtp_server *server = started(&options);
    greeted(&wire, server);
    flood(&wire, (size_t)256 << 20);
    await_close(&closes);
    smtp_server_free(server);
}

/* RFC 5321 4.5.3.2.7, 3.8 */
TEST(server_pressure, a_command_that_does_not_come_is_answered_421_and_octets_buy_no_time)
{
    struct smtp_server_options options;
    struct smtp_wire idle, slow;
    smtp_server_options_init(&options);
    options.limits.command_timeout_ms = 100;
    struct smtp_server *server = started(&options);
    greeted(&idle, server);
    greeted(&slow, server);
    expect_true(smtp_wire_send(&slow, "NO", 2));
    expect_contains(smtp_wire_reply(&idle), "421 ");
    expect_true(smtp_wire_closed(&idle));
    expect_contains(smtp_wire_reply(&slow), "421 ");
    expect_true(smtp_wire_closed(&slow));
    smtp_server_free(server);
}

TEST(server_pressure, content_that_does_not_come_is_answered_421_and_not_captured)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.limits.content_timeout_ms = 100;
    struct smtp_server *server = started(&options);
    open_content(&wire, server);
    expect_true(smtp_wire_send(&wire, "half", 4));
    expect_contains(smtp_wire_reply(&wire), "421 ");
    expect_true(smtp_wire_closed(&wire));
    expect_int(smtp_mailbox_count(smtp_server_mailbox(server)), 0);
    smtp_server_free(server);
}

TEST(server_pressure, a_session_has_an_end_however_busy_it_is)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    const char *reply = "250 ";
    smtp_server_options_init(&options);
    options.limits.session_timeout_ms = 100;
    struct smtp_server *server = started(&options);
    greeted(&wire, server);
    while (strncmp(reply, "250 ", 4) == 0) {
        reply = smtp_wire_ask(&wire, "NOOP");
    }
    /* Where its last NOOP came after the end, the 421 may have gone with the reset. */
    expect_true(strncmp(reply, "421 ", 4) == 0 || reply[0] == '\0');
    smtp_server_free(server);
}

/* ---- masses ---- */

TEST(server_pressure, sessions_beyond_the_limit_are_greeted_with_421_and_closed)
{
    struct closes closes;
    struct smtp_server_options options;
    struct smtp_wire wires[3], extra;
    smtp_server_options_init(&options);
    options.limits.sessions = 3;
    options.workers = 2;
    watch_closes(&closes, &options);
    struct smtp_server *server = started(&options);
    for (size_t i = 0; i < 3; i++) {
        greeted(&wires[i], server);
    }
    for (int i = 0; i < 10; i++) {
        expect_true(smtp_wire_connect(&extra, smtp_server_address(server, 0)));
        expect_contains(smtp_wire_reply(&extra), "421 4.3.2 ");
        expect_true(smtp_wire_closed(&extra));
        smtp_wire_close(&extra);
    }
    expect_int(smtp_server_session_count(server), 3);
    expect_contains(smtp_wire_ask(&wires[0], "NOOP"), "250 ");
    smtp_wire_reset(&wires[0]);
    await_close(&closes);
    /* The hook runs just before the place is free. */
    const char *greeting = "";
    for (int i = 0; i < 1000 && strncmp(greeting, "220 ", 4) != 0; i++) {
        expect_true(smtp_wire_connect(&extra, smtp_server_address(server, 0)));
        greeting = smtp_wire_reply(&extra);
    }
    expect_contains(greeting, "220 ");
    smtp_server_free(server);
}

/* Takes every descriptor up to the limit; the last ones taken are in `taken`. */
static size_t take_all_descriptors(int *taken, size_t max)
{
    size_t count = 0;
    while (count < max && (taken[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) {
        count++;
    }
    expect_int(errno, EMFILE);
    return count;
}

static void spent_time(struct timeval *out)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    timeradd(&usage.ru_utime, &usage.ru_stime, out);
}

/* The classic: accept fails at once, again and again, and the loop spins or ends. */
TEST_ALONE(server_pressure, without_descriptors_accepting_rests_and_recovers)
{
    struct smtp_server *server = started(NULL);
    struct smtp_wire open_before, waiting;
    const struct rlimit few = {.rlim_cur = 200, .rlim_max = 200};
    int taken[200];
    struct timeval before, after, spent;
    greeted(&open_before, server);
    expect_int(setrlimit(RLIMIT_NOFILE, &few), 0);
    size_t count = take_all_descriptors(taken, 200);
    expect_true(count > 1);
    close(taken[--count]); /* for this end of the connection */
    expect_true(smtp_wire_connect(&waiting, smtp_server_address(server, 0)));
    spent_time(&before);
    for (int i = 0; i < 100; i++) { /* the open session is served meanwhile */
        expect_contains(smtp_wire_ask(&open_before, "NOOP"), "250 ");
    }
    char octet;
    size_t got;
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), 300);
    expect_int(smtp_net_read(waiting.fd, &octet, 1, deadline_ns, &got), SMTP_TIMED_OUT);
    spent_time(&after);
    timersub(&after, &before, &spent);
    expect_true(spent.tv_sec == 0 && spent.tv_usec < 150000); /* a spin would take all 300 ms */
    while (count > 0) {
        close(taken[--count]);
    }
    expect_contains(smtp_wire_reply(&waiting), "220 ");
    expect_contains(smtp_wire_ask(&waiting, "QUIT"), "221 ");
    send_one(server);
    smtp_server_free(server);
}

TEST_ALONE(server_pressure, without_descriptors_a_session_that_closes_makes_room_for_the_next)
{
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.workers = 2;
    struct smtp_server *server = started(&options);
    struct smtp_wire first, second, waiting;
    const struct rlimit few = {.rlim_cur = 200, .rlim_max = 200};
    int taken[200];
    greeted(&first, server);
    greeted(&second, server); /* of the other worker */
    expect_int(setrlimit(RLIMIT_NOFILE, &few), 0);
    size_t count = take_all_descriptors(taken, 200);
    close(taken[--count]);
    expect_true(smtp_wire_connect(&waiting, smtp_server_address(server, 0)));
    expect_contains(smtp_wire_ask(&second, "QUIT"), "221 ");
    smtp_wire_close(&second);
    expect_contains(smtp_wire_reply(&waiting), "220 ");
    smtp_server_free(server);
}

TEST(server_pressure, two_hundred_sessions_open_at_once_are_all_served)
{
    static struct smtp_wire wires[200];
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.workers = 2;
    struct smtp_server *server = started(&options);
    for (size_t i = 0; i < 200; i++) {
        expect_true(smtp_wire_connect(&wires[i], smtp_server_address(server, 0)));
    }
    for (size_t i = 0; i < 200; i++) {
        expect_contains(smtp_wire_reply(&wires[i]), "220 ");
        expect_contains(smtp_wire_ask(&wires[i], "HELO c"), "250 ");
    }
    expect_int(smtp_server_session_count(server), 200);
    smtp_server_stop(server, 1000);
    for (size_t i = 0; i < 200; i++) {
        expect_contains(smtp_wire_reply(&wires[i]), "421 ");
    }
    smtp_server_free(server);
}
