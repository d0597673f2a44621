/* known_failures_life_test.c - what went wrong in the life of other servers, from start to stop, and must not here: a test
 * for each row of tests/known_failures.tsv that is about threads, ports, descriptors and signals. Above each stands
 * where it happened. */
#include "client/smtp_client.h"
#include "common/clock.h"
#include "common/net.h"
#include "tests/end_to_end/peer.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#define ROUNDS 20
#define PATIENCE_MS 50 /* for a transaction that nobody ends */

static void *stop_it(void *server)
{
    smtp_server_stop(server, PATIENCE_MS);
    return NULL;
}

struct stopping {
    struct smtp_server *server;
    atomic_uint closes;
};

static enum smtp_server_verdict stop_at_mail(void *user,
                                             const struct smtp_server_session_info *session,
                                             const char *reverse_path, const char *parameters,
                                             struct smtp_server_reply *reply)
{
    struct stopping *stopping = user;
    (void)session;
    (void)reverse_path;
    (void)parameters;
    (void)reply;
    smtp_server_stop(stopping->server, PATIENCE_MS); /* in a hook it is a request */
    return SMTP_ACCEPT;
}

static void count_close(void *user, const struct smtp_server_session_info *session)
{
    struct stopping *stopping = user;
    (void)session;
    stopping->closes++;
}

/* go-smtp#75, #76 and #149, aiosmtpd#394, maildev#580: a stop that waits for itself, closes twice, or races */
TEST(known_failures, stop_deadlock)
{
    struct stopping stopping = {.server = NULL};
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.listen = smtp_own_loopback();
    options.listen_count = 1;
    options.hooks.user = &stopping;
    options.hooks.mail = stop_at_mail;
    options.hooks.close = count_close;
    stopping.server = make(&options);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        pthread_t threads[4];
        struct smtp_wire wire;
        start(stopping.server);
        greeted(&wire, stopping.server);
        expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250 ");
        expect_true(smtp_wire_send(&wire, "MAIL FROM:<a@x>\r\n", 17));
        for (size_t i = 0; i < 4; i++) {
            expect_int(pthread_create(&threads[i], NULL, stop_it, stopping.server), 0);
        }
        smtp_server_stop(stopping.server, PATIENCE_MS);
        smtp_server_stop(stopping.server, PATIENCE_MS);
        for (size_t i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
        }
        smtp_wire_close(&wire);
        expect_int(stopping.closes, round);
        expect_int(smtp_server_session_count(stopping.server), 0);
    }
    smtp_server_free(stopping.server);
}

static enum smtp_server_verdict note_number(void *user,
                                            const struct smtp_server_session_info *session,
                                            struct smtp_server_reply *reply)
{
    atomic_uint *last = user;
    (void)reply;
    *last = (unsigned)session->number;
    return SMTP_ACCEPT;
}

/* aiosmtpd#35, #244 and #262: started and not yet accepting; a connection of the server's own, to find out */
TEST(known_failures, readiness_race)
{
    atomic_uint last = 0;
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.listen = smtp_own_loopback();
    options.listen_count = 1;
    options.hooks.user = &last;
    options.hooks.connect = note_number;
    struct smtp_server *server = make(&options);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        struct smtp_wire wire;
        start(server);
        greeted(&wire, server); /* at once, and the first is the first */
        expect_int(last, round);
        smtp_wire_close(&wire);
        smtp_server_stop(server, 1000);
    }
    smtp_server_free(server);
}

/* greenmail#85, netDumbster#5 and #22, voodoodyne/subethasmtp#49 */
TEST(known_failures, port_reuse)
{
    char address[64];
    const char *listen[] = {address};
    struct smtp_error error = {.message = ""};
    struct smtp_server_options options;
    struct smtp_server *first = started(NULL);
    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)smtp_server_port(first, 0));
    smtp_server_options_init(&options);
    options.listen = listen;
    options.listen_count = 1;
    struct smtp_server *second = make(&options);
    expect_int(smtp_server_start(second, &error), SMTP_LISTEN_FAILED); /* no port is shared */
    expect_contains(error.message, address);
    send_one(first);
    smtp_server_stop(first, 1000);
    expect_int(smtp_server_start(second, &error),
               SMTP_OK); /* connections linger there: never mind */
    send_one(second);
    expect_int(smtp_server_start(first, &error), SMTP_LISTEN_FAILED);
    smtp_server_free(second);
    start(first);
    send_one(first);
    smtp_server_free(first);
}

static void spent_time(struct timeval *out)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    timeradd(&usage.ru_utime, &usage.ru_stime, out);
}

/* CVE-2010-3493 (smtpd: a peer that is gone when it is accepted ends the loop), FoxTelem#457 (EMFILE: the loop spins) */
TEST_ALONE(known_failures, accept_loop_dies_or_spins)
{
    struct smtp_server *server = started(NULL);
    struct smtp_wire open_before, waiting;
    const struct rlimit few = {.rlim_cur = 200, .rlim_max = 200};
    int taken[200], count = 0;
    struct timeval before, after, spent;
    for (int i = 0; i < 100; i++) { /* gone before they are greeted */
        expect_true(smtp_wire_connect(&waiting, smtp_server_address(server, 0)));
        smtp_wire_reset(&waiting);
    }
    greeted(&open_before, server);
    expect_int(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (count < 200 && (taken[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) {
        count++;
    }
    expect_int(errno, EMFILE);
    close(taken[--count]); /* for this end of the connection */
    expect_true(smtp_wire_connect(&waiting, smtp_server_address(server, 0)));
    char octet;
    size_t got;
    spent_time(&before);
    expect_int(
        smtp_net_read(waiting.fd, &octet, 1, smtp_deadline_after(smtp_clock_now_ns(), 300), &got),
        SMTP_TIMED_OUT);
    spent_time(&after);
    timersub(&after, &before, &spent);
    expect_true(spent.tv_sec == 0 && spent.tv_usec < 150000);
    expect_contains(smtp_wire_ask(&open_before, "NOOP"), "250 ");
    while (count > 0) {
        close(taken[--count]);
    }
    expect_contains(smtp_wire_reply(&waiting), "220 ");
    smtp_wire_close(&waiting);
    smtp_wire_close(&open_before);
    smtp_server_free(server);
}

static void write_until_it_fails(struct smtp_client *client, const struct peer *peer)
{
    static char much[1 << 20];
    static const char *const to[] = {"b@x"};
    const struct smtp_envelope envelope = {
        .reverse_path = "a@x", .forward_paths = to, .forward_path_count = 1};
    memset(much, 'x', sizeof much);
    for (size_t i = 900; i + 2 < sizeof much; i += 902) {
        memcpy(much + i, "\r\n", 2);
    }
    expect_int(smtp_client_connect(client, "127.0.0.1", peer->address.port), SMTP_OK);
    expect_true(smtp_client_send(client, &envelope, smtp_content_memory(much, sizeof much), NULL) !=
                SMTP_OK);
}

/* What the server's side sees of a peer that hangs up while it is asked about its first command. */
struct hanging_up {
    sem_t asked, hung_up, closed;
    unsigned broken; /* pipes, before `closed` */
};

static enum smtp_server_verdict await_hang_up(void *user,
                                              const struct smtp_server_session_info *session,
                                              const char *argument, struct smtp_server_reply *reply)
{
    struct hanging_up *hanging_up = user;
    (void)session, (void)argument, (void)reply;
    sem_post(&hanging_up->asked);
    while (sem_wait(&hanging_up->hung_up) != 0) {
    }
    return SMTP_ACCEPT;
}

static void note_close(void *user, const struct smtp_server_session_info *session,
                       const struct smtp_server_log_entry *entry)
{
    struct hanging_up *hanging_up = user;
    (void)session;
    if (entry->kind == SMTP_LOG_CLOSE) {
        hanging_up->broken += memmem(entry->text, entry->len, "broken pipe", 11) != NULL;
        sem_post(&hanging_up->closed);
    }
}

/* The reply to VRFY is answered by a reset; the next writes break, as the others are more than goes out in one, unless the
 * reset is late. */
static void hang_up_on(struct smtp_server *server, struct hanging_up *hanging_up)
{
    static char many[1000 * 6];
    struct smtp_wire wire;
    for (size_t i = 0; i < sizeof many; i += 6) {
        memcpy(many + i, "HELP\r\n", 6);
    }
    greeted(&wire, server);
    expect_true(smtp_wire_send(&wire, "VRFY x\r\n", 8));
    while (sem_wait(&hanging_up->asked) != 0) {
    }
    expect_true(smtp_wire_send(&wire, many, sizeof many));
    smtp_wire_close(&wire);
    sem_post(&hanging_up->hung_up);
    while (sem_wait(&hanging_up->closed) != 0) {
    }
}

/* vmime#134, nullmailer#97: a peer that hangs up ends the process */
TEST_ALONE(known_failures, sigpipe)
{
    struct peer peer = {0};
    struct sigaction now;
    struct smtp_client *client = NULL;
    struct hanging_up hanging_up = {.broken = 0};
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.hooks.user = &hanging_up;
    options.hooks.vrfy = await_hang_up;
    options.hooks.log = note_close;
    sem_init(&hanging_up.asked, 0, 0);
    sem_init(&hanging_up.hung_up, 0, 0);
    sem_init(&hanging_up.closed, 0, 0);
    struct smtp_server *server = started(&options);
    signal(SIGPIPE, SIG_DFL); /* would end this test */
    for (int i = 0; i < ROUNDS; i++) {
        hang_up_on(server, &hanging_up);
    }
    send_one(server);
    smtp_server_free(server);
    expect_true(hanging_up.broken > 0);
    peer_start(&peer, "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250 mx\nC: MAIL FROM:<a@x>\nS: 250 ok\n"
                      "C: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\nS: 354 go\n[reset]\n");
    expect_int(smtp_client_new(&client, NULL), SMTP_OK);
    write_until_it_fails(client, &peer);
    smtp_client_free(client);
    peer_stop(&peer);
    expect_int(sigaction(SIGPIPE, NULL, &now), 0);
    expect_true(now.sa_handler == SIG_DFL); /* and it is the program's own, still */
}
