/* server_shares_test.c - many peers that ask for more than a share of the loop: the others, who ask for little, wait for
 * a few of them at most, however many there are, and each of them has its turn. Counted, not timed: while a hook holds the
 * loop, all that is to be read is sent. */
#include "server/smtp_server.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GREEDY 40
#define COMMANDS 1600 /* of each: their replies are more than may be owed (64 KiB) */
#define WAITS_FOR_MAX                                                                              \
    10 /* twice the shares of a round, and one that rested: its command may come a round late */

/* The hook's, on the loop's thread; the test reads the counts once it has heard what comes behind. */
struct heard {
    sem_t held, let_go;
    bool known[GREEDY];
    atomic_uint greedy;       /* of whom a command was heard */
    atomic_uint before_quiet; /* so many of them before the peer that asked for little */
};

static enum smtp_server_verdict on_vrfy(void *user, const struct smtp_server_session_info *session,
                                        const char *argument, struct smtp_server_reply *reply)
{
    struct heard *heard = user;
    (void)session, (void)reply;
    if (strcmp(argument, "hold") == 0) {
        sem_post(&heard->held);
        while (sem_wait(&heard->let_go) != 0) {
        }
    } else if (strcmp(argument, "quiet") == 0) {
        atomic_store(&heard->before_quiet, atomic_load(&heard->greedy));
    } else {
        bool *known = &heard->known[strtoul(argument, NULL, 10)];
        atomic_fetch_add(&heard->greedy, *known ? 0u : 1u);
        *known = true;
    }
    return SMTP_ACCEPT;
}

static void ask_for_much(struct smtp_wire *wire, unsigned number)
{
    char command[32];
    static char commands[COMMANDS * sizeof command];
    int len = snprintf(command, sizeof command, "VRFY %u\r\n", number);
    for (size_t i = 0; i < COMMANDS; i++) {
        memcpy(commands + i * (size_t)len, command, (size_t)len);
    }
    expect_true(smtp_wire_send(wire, commands, COMMANDS * (size_t)len));
}

TEST(server_shares, who_asks_for_little_waits_for_a_few_of_those_who_ask_for_much)
{
    static struct heard heard;
    static struct smtp_wire greedy[GREEDY];
    struct smtp_wire holder, quiet;
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.hooks.user = &heard;
    options.hooks.vrfy = on_vrfy;
    sem_init(&heard.held, 0, 0);
    sem_init(&heard.let_go, 0, 0);
    struct smtp_server *server = started(&options);
    greeted(&holder, server);
    greeted(&quiet, server);
    for (unsigned i = 0; i < GREEDY; i++) {
        greeted(&greedy[i], server);
    }
    expect_true(smtp_wire_send(&holder, "VRFY hold\r\n", 11));
    while (sem_wait(&heard.held) != 0) {
    }
    for (unsigned i = 0; i < GREEDY; i++) {
        ask_for_much(&greedy[i], i);
    }
    expect_true(smtp_wire_send(&quiet, "VRFY quiet\r\n", 12));
    sem_post(&heard.let_go);
    expect_true(strncmp(smtp_wire_reply(&quiet), "25", 2) == 0);
    expect_true(atomic_load(&heard.before_quiet) > 0);
    expect_true(atomic_load(&heard.before_quiet) <= WAITS_FOR_MAX);
    for (unsigned i = 0; i < GREEDY; i++) {
        expect_true(strncmp(smtp_wire_reply(&greedy[i]), "25", 2) == 0);
        smtp_wire_close(&greedy[i]);
    }
    smtp_wire_close(&holder);
    smtp_wire_close(&quiet);
    smtp_server_free(server);
}
