/* examples_test.c - the article's own programs, each run as a process of its own. */
#include "client/smtp_client.h"
#include "harness/smtp_harness.h"
#include "tests/end_to_end/running_server.h"
#include "tests/programs/process.h"
#include "tests/support/test.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define CLIENT SMTP_EXAMPLES "/client_basic"
#define SUBMIT SMTP_EXAMPLES "/client_submit"
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
    expect_str(both.out,
               "From: Ann <ann@example.com>\nTo: Bob <bob@example.com>\n"
               "Subject: Gr\303\274\303\237e\n\nHello Bob,\nboth ends are one program.\n");
    ended_clear(&both);
}

/* ---- submission ---- */

/** A server set up like the provider of the article: STARTTLS and a login before any mail. */
struct provider {
    struct smtp_server *server;
    char ca_file[64];
    char address[40];
};

static void open_provider(struct provider *provider, bool with_auth)
{
    static const struct smtp_server_user user = {"ann@example.com", "correct horse"};
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.tls.mode = SMTP_SERVER_TLS_REQUIRED;
    options.auth.users = &user;
    options.auth.user_count = with_auth ? 1 : 0;
    options.auth.required = with_auth;
    *provider = (struct provider){.server = started(&options), .ca_file = "/tmp/submit-XXXXXX"};
    snprintf(provider->address, sizeof(provider->address), "%s",
             smtp_server_address(provider->server, 0));
    int fd = mkstemp(provider->ca_file);
    const char *pem = smtp_server_ca_pem(provider->server);
    expect_true(fd >= 0 && write(fd, pem, strlen(pem)) == (ssize_t)strlen(pem));
    close(fd);
    expect_int(setenv("SMTP_CA_FILE", provider->ca_file, 1), 0);
    expect_int(setenv("SMTP_PASSWORD", "correct horse", 1), 0);
}

static void close_provider(struct provider *provider)
{
    unlink(provider->ca_file);
    unsetenv("SMTP_CA_FILE");
    unsetenv("SMTP_PASSWORD");
    smtp_server_free(provider->server);
}

static struct ended submit(const struct provider *provider)
{
    return run_to_end((const char *const[]){SUBMIT, provider->address, "ann@example.com",
                                            "bob@example.com", NULL});
}

/* What it says when it fails. */
static void expect_not_sent(const struct provider *provider, const char *why)
{
    struct ended ended = submit(provider);
    expect_int(ended.exit_status, 1);
    expect_contains(ended.err, "not sent: ");
    expect_contains(ended.err, why);
    expect_str(ended.out, "");
    ended_clear(&ended);
    expect_int(smtp_mailbox_captured(smtp_server_mailbox(provider->server)), 0);
}

TEST(examples, submit_starts_tls_logs_in_and_sends)
{
    struct provider provider;
    open_provider(&provider, true);
    struct ended ended = submit(&provider);
    if (ended.exit_status != 0) {
        SMTP_TEST_FAIL("submit: %d %s", ended.exit_status, ended.err);
    }
    expect_contains(ended.out, "sent: 250 ");
    ended_clear(&ended);
    struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(provider.server), 1);
    expect_true(message != NULL);
    expect_str(smtp_message_protocol(message), "ESMTPSA");
    expect_str(smtp_message_identity(message), "ann@example.com");
    expect_str(smtp_message_reverse_path(message), "ann@example.com");
    expect_str(smtp_message_forward_path(message, 0), "bob@example.com");
    smtp_message_release(message);
    close_provider(&provider);
}

TEST_ALONE(examples, submit_says_what_is_wrong_with_the_password)
{
    struct provider provider;
    open_provider(&provider, true);
    expect_int(setenv("SMTP_PASSWORD", "wrong", 1), 0);
    expect_not_sent(&provider, "as \"ann@example.com\" refused: 535 5.7.8");
    close_provider(&provider);
}

TEST(examples, submit_sends_nothing_where_the_certificate_is_not_trusted)
{
    struct provider provider;
    open_provider(&provider, true);
    unsetenv("SMTP_CA_FILE"); /* the system's authorities know nothing of this one */
    expect_not_sent(&provider, "no TLS with 127.0.0.1");
    close_provider(&provider);
}

TEST(examples, submit_sends_nothing_where_no_login_is_offered)
{
    struct provider provider;
    open_provider(&provider, false);
    expect_not_sent(&provider, "the server does not offer AUTH");
    close_provider(&provider);
}

TEST(examples, submit_takes_no_password_as_an_argument)
{
    struct provider provider;
    open_provider(&provider, true);
    unsetenv("SMTP_PASSWORD");
    struct ended ended = submit(&provider);
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, "SMTP_PASSWORD");
    ended_clear(&ended);
    ended = run_to_end((const char *const[]){SUBMIT, provider.address, "ann@example.com",
                                             "bob@example.com", "correct horse", NULL});
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, "usage");
    ended_clear(&ended);
    close_provider(&provider);
}

/* RFC 6409 4.3: what the article's closing remark is about */
TEST(examples, the_provider_takes_no_mail_before_a_login)
{
    struct provider provider;
    struct smtp_client_options options;
    struct smtp_client *client;
    open_provider(&provider, true);
    smtp_client_options_init(&options);
    options.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    options.tls.ca_file = provider.ca_file;
    expect_int(smtp_client_new(&client, &options), SMTP_OK);
    expect_int(smtp_client_connect(client, provider.address, 0), SMTP_OK);
    expect_int(smtp_client_mail(client, "ann@example.com", NULL), SMTP_REFUSED_PERMANENT);
    expect_contains(smtp_client_error(client)->message, "refused: 530 5.7.0");
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    close_provider(&provider);
}
