/* tls_acceptor.c - the floor of STARTTLS: one thread, canned replies by a line's first letter, and
 * common/tls.h. Knows: that its source says one line at a time and waits for the reply. Does not know:
 * SMTP's order, limits, deadlines; it checks nothing, which is why no server can be expected to pass it. */
#include "common/net.h"
#include "common/tls.h"
#include "tests/bench/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_A_TURN 64
#define OCTETS_A_READ 16384

/* One connection. The listener and standard input are entered as such too. */
struct accepted {
    int fd;
    struct smtp_tls *tls; /* NULL before STARTTLS */
    bool ends;            /* QUIT was said */
};

struct acceptor {
    int epoll_fd;
    struct ssl_ctx_st *context;
    struct accepted listener, input;
};

static bool watch(struct acceptor *acceptor, struct accepted *accepted)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = accepted};
    return epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_ADD, accepted->fd, &event) == 0;
}

static void drop(struct accepted *accepted)
{
    smtp_tls_free(accepted->tls);
    close(accepted->fd); /* leaves the epoll set by itself */
    free(accepted);
}

/* False: the peer has gone. What the source waits for always fits into the socket. */
static bool flush(struct accepted *accepted)
{
    struct smtp_span wire = smtp_tls_pending(accepted->tls);
    if (wire.len == 0) {
        return true;
    }
    bool written = write(accepted->fd, wire.bytes, wire.len) == (ssize_t)wire.len;
    smtp_tls_sent(accepted->tls, wire.len);
    return written;
}

static const char *reply_to(struct accepted *accepted, char first)
{
    switch (first | 32) {
    case 'e':
        return accepted->tls == NULL ? "250-acceptor.test\r\n250 STARTTLS\r\n"
                                     : "250 acceptor.test\r\n";
    case 's':
        return "220 Go on\r\n";
    default:
        accepted->ends = true;
        return "221 Bye\r\n";
    }
}

static bool answer_plain(struct acceptor *acceptor, struct accepted *accepted, char first)
{
    const char *reply = reply_to(accepted, first);
    if (write(accepted->fd, reply, strlen(reply)) < 0) {
        return false;
    }
    if ((first | 32) == 's') {
        accepted->tls = smtp_tls_new_server(acceptor->context);
        return accepted->tls != NULL;
    }
    return !accepted->ends;
}

static bool answer_secure(struct accepted *accepted, const char *octets, size_t len)
{
    char plain[512];
    size_t plain_len = 0;
    if (!smtp_tls_receive(accepted->tls, octets, len) ||
        smtp_tls_handshake(accepted->tls) == SMTP_TLS_BROKEN) {
        return false;
    }
    while (smtp_tls_read(accepted->tls, plain, sizeof plain, &plain_len) == SMTP_TLS_DONE) {
        if (!smtp_tls_write(accepted->tls, smtp_span_of(reply_to(accepted, plain[0])))) {
            return false;
        }
    }
    if (accepted->ends) {
        smtp_tls_shut_down(accepted->tls);
    }
    return flush(accepted) && !accepted->ends;
}

static void serve(struct acceptor *acceptor, struct accepted *accepted)
{
    char octets[OCTETS_A_READ];
    ssize_t len = read(accepted->fd, octets, sizeof octets);
    bool stays = len > 0 && (accepted->tls == NULL ? answer_plain(acceptor, accepted, octets[0])
                                                   : answer_secure(accepted, octets, (size_t)len));
    if (!stays) {
        drop(accepted);
    }
}

static void accept_all(struct acceptor *acceptor)
{
    static const char greeting[] = "220 acceptor.test\r\n";
    int fd;
    while ((fd = smtp_net_accept(acceptor->listener.fd)) >= 0) {
        struct accepted *accepted = calloc(1, sizeof *accepted);
        if (accepted == NULL) {
            close(fd);
            return;
        }
        accepted->fd = fd;
        if (!watch(acceptor, accepted) || write(fd, greeting, sizeof greeting - 1) < 0) {
            drop(accepted);
        }
    }
}

static void run(struct acceptor *acceptor)
{
    struct epoll_event events[EVENTS_A_TURN];
    for (;;) {
        int count = epoll_wait(acceptor->epoll_fd, events, EVENTS_A_TURN, -1);
        for (int i = 0; i < count; i++) {
            struct accepted *accepted = events[i].data.ptr;
            if (accepted == &acceptor->input) {
                return;
            }
            if (accepted == &acceptor->listener) {
                accept_all(acceptor);
            } else {
                serve(acceptor, accepted);
            }
        }
    }
}

static bool listen_anywhere(struct acceptor *acceptor, struct smtp_error *error)
{
    struct smtp_address address = {.kind = SMTP_ADDRESS_TCP, .host = "127.0.0.1", .port = 0};
    if (smtp_net_listen(&address, &acceptor->listener.fd, error) != SMTP_OK) {
        return false;
    }
    smtp_address_of_socket(acceptor->listener.fd, false, &address);
    printf("%u\n", (unsigned)address.port);
    fflush(stdout);
    return watch(acceptor, &acceptor->listener) && watch(acceptor, &acceptor->input);
}

int tls_acceptor(void)
{
    struct acceptor acceptor = {.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                                .listener = {.fd = -1},
                                .input = {.fd = STDIN_FILENO}};
    struct smtp_identity *identity = NULL;
    struct smtp_error error = {.message = "no epoll"};
    bool ready =
        smtp_identity_new(&identity, NULL, &error) == SMTP_OK &&
        smtp_tls_server_context(&acceptor.context, identity, NULL, false, &error) == SMTP_OK &&
        listen_anywhere(&acceptor, &error);
    if (ready) {
        run(&acceptor);
    } else {
        fprintf(stderr, "tls acceptor: %s\n", error.message);
    }
    smtp_tls_context_release(acceptor.context);
    smtp_identity_release(identity);
    close(acceptor.listener.fd);
    close(acceptor.epoll_fd);
    return ready ? 0 : 1;
}
