/* examples_test.c - the article's own programs, each run as a process of its own. */
#include "harness/smtp_harness.h"
#include "tests/end_to_end/process.h"
#include "tests/support/test.h"

#include <signal.h>
#include <stdio.h>

#define CLIENT SMTP_EXAMPLES "/client_basic"
#define SERVER SMTP_EXAMPLES "/server_debugging_server"
#define BOTH SMTP_EXAMPLES "/harness_both_ends"

/** Starts the debugging server on a free port and takes the port from its first line. */
static struct background start_server(char *port, size_t capacity)
{
    char line[256];
    struct background server = start_process((const char *const[]){SERVER, "127.0.0.1", "0", NULL});
    expect_true(next_line(&server, line, sizeof line) != NULL);
    expect_true(strncmp(line, "listening on 127.0.0.1:", 23) == 0);
    snprintf(port, capacity, "%s", line + 23);
    return server;
}

TEST(examples, client_sends_to_the_debugging_server_which_prints_the_message)
{
    char port[16], line[512];
    struct background server = start_server(port, sizeof port);
    struct ended client = run_to_end((const char *const[]){CLIENT, "127.0.0.1", port, NULL});
    if (client.exit_status != 0) {
        SMTP_TEST_FAIL("the client: %d %s", client.exit_status, client.err);
    }
    ended_clear(&client);
    expect_str(next_line(&server, line, sizeof line), "---------- MESSAGE FOLLOWS ----------");
    bool subject = false, peer = false;
    while (next_line(&server, line, sizeof line) != NULL && line[0] != '\0') {
        subject = subject || strncmp(line, "Subject: ", 9) == 0;
        peer = peer || strcmp(line, "X-Peer: 127.0.0.1") == 0;
    }
    expect_true(subject);
    expect_true(peer); /* the last of the headers, before the empty line */
    unsigned body_lines = 0;
    while (next_line(&server, line, sizeof line) != NULL &&
           strcmp(line, "------------ END MESSAGE ------------") != 0) {
        body_lines++;
    }
    expect_true(body_lines > 0);
    expect_int(end_process(&server, SIGTERM), 0);
}

TEST(examples, the_debugging_server_ends_with_0_on_SIGINT)
{
    char port[16];
    struct background server = start_server(port, sizeof port);
    expect_int(end_process(&server, SIGINT), 0);
}

TEST(examples, client_says_host_port_and_reason_when_nothing_listens)
{
    /* a port that a server just had: free, and nobody listens there */
    struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
    expect_true(harness != NULL);
    char port[8];
    snprintf(port, sizeof port, "%u", smtp_harness_port(harness));
    smtp_harness_stop(harness);
    struct ended client = run_to_end((const char *const[]){CLIENT, "127.0.0.1", port, NULL});
    expect_int(client.exit_status, 1);
    expect_contains(client.err, "127.0.0.1");
    expect_contains(client.err, port);
    expect_contains(client.err, "refused");
    ended_clear(&client);
}

TEST(examples, both_ends_run_in_one_process)
{
    struct ended both = run_to_end((const char *const[]){BOTH, NULL});
    if (both.exit_status != 0) {
        SMTP_TEST_FAIL("exit status %d: %s", both.exit_status, both.err);
    }
    expect_true(both.out[0] != '\0');
    ended_clear(&both);
}
