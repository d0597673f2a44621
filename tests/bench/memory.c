/* memory.c - what the server's heap grows by: a captured message of 1 KiB beyond its content, the
 * mailbox's own array included, and a session that has said EHLO and is idle, in the clear and under TLS. Prints
 * "message_octets N session_octets N tls_session_octets N". The other ends of the connections are plain sockets with
 * nothing on the heap, and those of TLS in another process.
 * Knows: glibc's account of the heap. Does not know: what lies in it; kernel memory is not counted.
 */
#include "server/smtp_server.h"
#include "tests/bench/memory_peer.h"
#include "tests/bench/raw_client.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* No power of two: an array that doubles has room to spare, and it counts. */
#define MESSAGE_COUNT 20000
#define SESSION_COUNT 2000
#define TLS_SESSION_COUNT 500
#define CONTENT_OCTETS 1024

static size_t heap_octets(void)
{
    struct mallinfo2 account = mallinfo2(); /* all arenas, and what was mapped by itself */
    return account.uordblks + account.hblkhd;
}

static bool say(int fd, const char *line)
{
    return raw_client_say(fd, line, strlen(line));
}

static bool send_message(int fd)
{
    char content[CONTENT_OCTETS + sizeof ".\r\n" - 1];
    memset(content, 'x', sizeof content);
    for (size_t end = 64; end <= CONTENT_OCTETS; end += 64) {
        memcpy(content + end - 2, "\r\n", 2);
    }
    memcpy(content + CONTENT_OCTETS, ".\r\n", sizeof ".\r\n" - 1);
    return say(fd, "MAIL FROM:<ann@example.com>\r\n") && say(fd, "RCPT TO:<bob@example.com>\r\n") &&
           say(fd, "DATA\r\n") && raw_client_say(fd, content, sizeof content);
}

/* Growth a message beyond its content; the session and one message are there before the count
 * starts. */
static bool measure_messages(struct smtp_server *server, double *octets)
{
    int fd = raw_client_open(smtp_server_port(server, 0));
    bool sent = fd >= 0 && send_message(fd);
    size_t before = heap_octets();
    for (int i = 0; i < MESSAGE_COUNT && sent; i++) {
        sent = send_message(fd);
    }
    *octets = ((double)heap_octets() - (double)before) / MESSAGE_COUNT - CONTENT_OCTETS;
    bool kept = smtp_mailbox_count(smtp_server_mailbox(server)) == MESSAGE_COUNT + 1;
    if (fd >= 0) {
        close(fd);
    }
    return sent && kept;
}

static bool measure_sessions(struct smtp_server *server, double *octets)
{
    static int fds[SESSION_COUNT];
    int opened = 0;
    size_t before = heap_octets();
    while (opened < SESSION_COUNT &&
           (fds[opened] = raw_client_open(smtp_server_port(server, 0))) >= 0) {
        opened++;
    }
    *octets = ((double)heap_octets() - (double)before) / SESSION_COUNT;
    bool all_there = opened == SESSION_COUNT;
    for (int i = 0; i < opened; i++) {
        close(fds[i]);
    }
    return all_there;
}

/* What the first one makes, the certificate and the context, is the server's and not the session's. */
static bool measure_tls_sessions(struct smtp_server *server, const struct memory_peer *peer,
                                 double *octets)
{
    uint16_t port = smtp_server_port(server, 0);
    bool opened = memory_peer_open(peer, port, 1);
    size_t before = heap_octets();
    opened = opened && memory_peer_open(peer, port, TLS_SESSION_COUNT);
    *octets = ((double)heap_octets() - (double)before) / TLS_SESSION_COUNT;
    return opened;
}

/* Both ends are here: two descriptors a session. */
static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool measure(struct smtp_server *server, const struct memory_peer *peer)
{
    double message_octets = 0, session_octets = 0, tls_session_octets = 0;
    bool measured = measure_sessions(server, &session_octets) &&
                    measure_messages(server, &message_octets) &&
                    measure_tls_sessions(server, peer, &tls_session_octets);
    if (measured) {
        printf("message_octets %.0f session_octets %.0f tls_session_octets %.0f\n", message_octets,
               session_octets, tls_session_octets);
    } else {
        fputs("memory: a session or a message was not taken\n", stderr);
    }
    return measured;
}

int main(void)
{
    struct smtp_server *server = NULL;
    struct smtp_error error = {0};
    struct memory_peer peer;
    allow_descriptors();
    if (!memory_peer_start(&peer)) {
        fputs("memory: no process\n", stderr);
        return 1;
    }
    bool running = smtp_server_new(&server, NULL, &error) == SMTP_OK &&
                   smtp_server_start(server, &error) == SMTP_OK;
    if (!running) {
        fprintf(stderr, "memory: %s\n", error.message);
    }
    bool measured = running && measure(server, &peer);
    memory_peer_end(&peer);
    smtp_server_free(server);
    return measured ? 0 : 1;
}
