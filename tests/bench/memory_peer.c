/* memory_peer.c - see memory_peer.h. */
#include "tests/bench/memory_peer.h"

#include "tests/bench/tls_link.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct order {
    uint16_t port;
    unsigned count;
};

static bool open_one(struct tls_link *link, uint16_t port, struct ssl_ctx_st *context)
{
    return tls_link_open(link, port, true, context, NULL) &&
           tls_link_say(link, "EHLO bench.test\r\n", "\n250 ");
}

/* Until the orders end. What it holds ends with the process. */
static void obey(int orders, int answers)
{
    struct smtp_tls_trust trust = {.insecure = true};
    struct ssl_ctx_st *context = NULL;
    struct smtp_error error;
    struct order order;
    bool ready = smtp_tls_client_context(&context, &trust, &error) == SMTP_OK;
    while (read(orders, &order, sizeof order) == (ssize_t)sizeof order) {
        struct tls_link *links = calloc(order.count, sizeof *links);
        bool done = ready && links != NULL;
        for (unsigned i = 0; i < order.count && done; i++) {
            done = open_one(&links[i], order.port, context);
        }
        char answer = done ? 'y' : 'n';
        if (write(answers, &answer, 1) != 1) {
            break;
        }
    }
}

bool memory_peer_start(struct memory_peer *peer)
{
    int orders[2], answers[2];
    if (pipe(orders) != 0 || pipe(answers) != 0) {
        return false;
    }
    peer->process = fork();
    if (peer->process == 0) {
        close(orders[1]);
        close(answers[0]);
        obey(orders[0], answers[1]);
        _exit(0);
    }
    close(orders[0]);
    close(answers[1]);
    peer->orders = orders[1];
    peer->answers = answers[0];
    return peer->process > 0;
}

bool memory_peer_open(const struct memory_peer *peer, uint16_t port, unsigned count)
{
    struct order order = {.port = port, .count = count};
    char answer = 'n';
    return write(peer->orders, &order, sizeof order) == (ssize_t)sizeof order &&
           read(peer->answers, &answer, 1) == 1 && answer == 'y';
}

void memory_peer_end(const struct memory_peer *peer)
{
    close(peer->orders);
    close(peer->answers);
    (void)waitpid(peer->process, NULL, 0);
}
