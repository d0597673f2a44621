/* scenarios_session.c - the order of things inside a session, and the addresses a server listens
 * on. */
#include "common/error.h"
#include "harness/selftest/scenarios.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool replied(struct smtp_trial *trial, const char *what, const struct smtp_client *client,
                    int code)
{
    return smtp_trial_is_number(trial, what, (uint64_t)smtp_client_reply(client)->code,
                                (uint64_t)code);
}

static bool rset_in_the_middle(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    if (!smtp_trial_open(trial, NULL, &ends)) {
        return false;
    }
    struct smtp_client *client = ends.client;
    return smtp_trial_is_ok(trial, "MAIL", smtp_client_mail(client, "mallory@example.com", NULL),
                            client) &&
           smtp_trial_is_ok(trial, "RCPT", smtp_client_rcpt(client, BOB, NULL), client) &&
           smtp_trial_is_ok(trial, "RSET", smtp_client_rset(client), client) &&
           smtp_trial_is_status(trial, "DATA without a transaction",
                                smtp_client_data(client, smtp_content_text("lost")),
                                SMTP_REFUSED_PERMANENT, client) &&
           replied(trial, "its code", client, 503) &&
           smtp_trial_is_ok(trial, "MAIL", smtp_client_mail(client, ANN, NULL), client) &&
           smtp_trial_is_ok(trial, "RCPT", smtp_client_rcpt(client, CAROL, NULL), client) &&
           smtp_trial_is_ok(trial, "DATA", smtp_client_data(client, smtp_content_text("kept\n")),
                            client) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, CAROL, SMTP_SPAN("kept\r\n"));
}

static bool two_messages_one_session(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    if (!smtp_trial_open(trial, NULL, &ends) ||
        !smtp_trial_send(trial, ends.client, BOB, smtp_content_text("one\n"), SMTP_OK, 250) ||
        !smtp_trial_send(trial, ends.client, CAROL, smtp_content_text("two\n"), SMTP_OK, 250) ||
        !smtp_trial_count(trial, ends.harness, 2)) {
        return false;
    }
    const struct smtp_harness_message *second = smtp_harness_message(ends.harness, 1);
    return smtp_trial_is_number(trial, "the second message's session",
                                smtp_message_session(smtp_harness_envelope(second)), 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, SMTP_SPAN("one\r\n")) &&
           smtp_trial_captured(trial, ends.harness, 1, ANN, CAROL, SMTP_SPAN("two\r\n"));
}

static bool commands_out_of_order(struct smtp_trial *trial)
{
    /* RFC 5321 4.1.4 and 3.3: refused with 503, and nothing is mixed up by it */
    struct smtp_harness *harness = smtp_trial_harness(trial, NULL);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_asks(trial, wire, "MAIL FROM:<" ANN ">", "503") &&
           smtp_raw_asks(trial, wire, "EHLO client.test", "250") &&
           smtp_raw_asks(trial, wire, "RCPT TO:<" BOB ">", "503") &&
           smtp_raw_asks(trial, wire, "DATA", "503") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<" ANN ">", "250") &&
           smtp_raw_asks(trial, wire, "DATA", "5") &&
           smtp_raw_asks(trial, wire, "RCPT TO:<" BOB ">", "250") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<" CAROL ">", "503") &&
           smtp_raw_asks(trial, wire, "DATA", "354") &&
           smtp_raw_asks(trial, wire, "in order\r\n.", "250") &&
           smtp_raw_asks(trial, wire, "DATA", "503") && smtp_raw_asks(trial, wire, "QUIT", "221") &&
           smtp_raw_closes(trial, wire) && smtp_trial_count(trial, harness, 1) &&
           smtp_trial_captured(trial, harness, 0, ANN, BOB, SMTP_SPAN("in order\r\n"));
}

static bool unknown_command_keeps_session(struct smtp_trial *trial)
{
    /* RFC 5321 4.2.4: 500, and no reason to close (3.8); the transaction stays open */
    struct smtp_ends ends;
    if (!smtp_trial_open(trial, NULL, &ends)) {
        return false;
    }
    struct smtp_client *client = ends.client;
    return smtp_trial_is_ok(trial, "MAIL", smtp_client_mail(client, ANN, NULL), client) &&
           smtp_trial_is_status(trial, "FLY", smtp_client_command(client, "FLY away"),
                                SMTP_REFUSED_PERMANENT, client) &&
           replied(trial, "the code of FLY", client, 500) &&
           smtp_trial_is_ok(trial, "RCPT", smtp_client_rcpt(client, BOB, NULL), client) &&
           smtp_trial_is_ok(trial, "DATA", smtp_client_data(client, smtp_content_text("kept\n")),
                            client) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, SMTP_SPAN("kept\r\n"));
}

static bool vrfy_expn_help_noop(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    if (!smtp_trial_open(trial, NULL, &ends)) {
        return false;
    }
    struct smtp_client *client = ends.client;
    return smtp_trial_is_ok(trial, "NOOP", smtp_client_noop(client), client) &&
           replied(trial, "the code of NOOP", client, 250) &&
           smtp_trial_is_ok(trial, "VRFY", smtp_client_vrfy(client, "bob"), client) &&
           replied(trial, "the code of VRFY", client, 252) &&
           smtp_trial_is_status(trial, "EXPN", smtp_client_expn(client, "friends"),
                                SMTP_REFUSED_PERMANENT, client) &&
           replied(trial, "the code of EXPN", client, 502) &&
           smtp_trial_is_ok(trial, "HELP", smtp_client_help(client, NULL), client) &&
           replied(trial, "the code of HELP", client, 214) &&
           smtp_trial_is_ok(trial, "QUIT", smtp_client_quit(client), client) &&
           replied(trial, "the code of QUIT", client, 221);
}

static enum smtp_server_verdict refuse_ehlo(void *user,
                                            const struct smtp_server_session_info *session,
                                            const char *name, bool extended,
                                            struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    (void)name;
    return extended ? smtp_server_reply(reply, 502, NULL, "EHLO is too new for me") : SMTP_ACCEPT;
}

static bool helo_fallback(struct smtp_trial *trial)
{
    /* RFC 5321 3.2: HELO where EHLO is refused, and then nothing that EHLO would have offered */
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.hooks.helo = refuse_ehlo;
    options.client.helo_name = "client.test";
    if (!smtp_trial_open(trial, &options, &ends) ||
        !smtp_trial_send(trial, ends.client, BOB, smtp_content_text("old\n"), SMTP_OK, 250) ||
        !smtp_trial_count(trial, ends.harness, 1)) {
        return false;
    }
    const struct smtp_message *message =
        smtp_harness_envelope(smtp_harness_message(ends.harness, 0));
    return smtp_trial_is_text(trial, "the protocol", smtp_message_protocol(message), "SMTP") &&
           smtp_trial_is_text(trial, "the name", smtp_message_helo(message), "client.test") &&
           smtp_trial_is_text(trial, "the parameters of MAIL",
                              smtp_message_mail_parameters(message), "") &&
           smtp_trial_is_true(trial, "SIZE is not known",
                              !smtp_client_has_extension(ends.client, "SIZE")) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, SMTP_SPAN("old\r\n"));
}

static enum smtp_server_verdict refuse_connection(void *user,
                                                  const struct smtp_server_session_info *session,
                                                  struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    return smtp_server_reply(reply, 554, NULL, "no service for you");
}

static bool greeting_refused(struct smtp_trial *trial)
{
    /* RFC 5321 3.1: 554 instead of 220, and the server waits for QUIT */
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.hooks.connect = refuse_connection;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    struct smtp_client *client = harness != NULL ? smtp_trial_client(trial, NULL) : NULL;
    if (client == NULL) {
        return false;
    }
    const char *address = smtp_server_address(smtp_harness_server(harness), 0);
    return smtp_trial_is_status(trial, "smtp_client_connect",
                                smtp_client_connect(client, address, 0), SMTP_REFUSED_PERMANENT,
                                client) &&
           smtp_trial_holds(trial, "the error", smtp_client_error(client)->message,
                            "no service for you") &&
           smtp_trial_is_true(trial, "the connection is closed",
                              !smtp_client_is_connected(client)) &&
           smtp_trial_count(trial, harness, 0);
}

static bool wait_none(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    return smtp_trial_open(trial, NULL, &ends) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text("Subject: one\n\n"), SMTP_OK,
                           250) &&
           smtp_trial_is_status(trial, "none to bob (there is one)",
                                smtp_harness_expect_none(ends.harness, "to=bob@example.com", 0),
                                SMTP_NOT_AS_EXPECTED, NULL) &&
           smtp_trial_is_status(trial, "none to carol within 5 ms",
                                smtp_harness_expect_none(ends.harness, "to=carol@example.com", 5),
                                SMTP_OK, NULL) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, SMTP_SPAN("Subject: one\r\n\r\n"));
}

/** Sends one message to the harness's first listener and compares it and the peer's address. */
static bool sends_over(struct smtp_trial *trial, struct smtp_harness *harness, const char *peer)
{
    struct smtp_client *client = smtp_trial_client(trial, NULL);
    const char *address = smtp_server_address(smtp_harness_server(harness), 0);
    if (client == NULL ||
        !smtp_trial_is_ok(trial, "smtp_client_connect", smtp_client_connect(client, address, 0),
                          client) ||
        !smtp_trial_send(trial, client, BOB, smtp_content_text("Subject: there\n\n.\n"), SMTP_OK,
                         250) ||
        !smtp_trial_is_ok(trial, "QUIT", smtp_client_quit(client), client) ||
        !smtp_trial_count(trial, harness, 1)) {
        return false;
    }
    const struct smtp_message *message = smtp_harness_envelope(smtp_harness_message(harness, 0));
    return smtp_trial_holds(trial, "the peer", smtp_message_peer(message), peer) &&
           smtp_trial_captured(trial, harness, 0, ANN, BOB,
                               SMTP_SPAN("Subject: there\r\n\r\n.\r\n"));
}

static bool unix_socket(struct smtp_trial *trial)
{
    char folder[] = "/tmp/smtp-harness-XXXXXX", address[64];
    if (mkdtemp(folder) == NULL) {
        return smtp_trial_fail(trial, "no folder in /tmp: %s", smtp_errno_text(errno));
    }
    snprintf(address, sizeof address, "unix:%s/socket", folder);
    struct smtp_harness_options options;
    const char *listen[] = {address};
    smtp_trial_options(&options);
    options.server.listen = listen;
    options.server.listen_count = 1;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    bool held = harness != NULL && sends_over(trial, harness, "unix:");
    if (harness != NULL) {
        smtp_server_stop(smtp_harness_server(harness), 0);
    }
    unlink(address + strlen("unix:"));
    rmdir(folder);
    return held;
}

static bool ipv6(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    struct smtp_error error = {.status = SMTP_OK};
    const char *listen[] = {"[::1]:0"};
    smtp_trial_options(&options);
    options.server.listen = listen;
    options.server.listen_count = 1;
    struct smtp_harness *probe = smtp_harness_start(&options, &error);
    smtp_harness_stop(probe);
    if (probe == NULL && (error.sys_errno == EADDRNOTAVAIL || error.sys_errno == EAFNOSUPPORT)) {
        return smtp_trial_skip(trial, "this system has no IPv6: %s", error.message);
    }
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    return harness != NULL && sends_over(trial, harness, "[::1]:");
}

static const struct smtp_scenario rows[] = {
    {"rset-in-the-middle", "5321 4.1.1.5", "RSET drops one transaction; the next is its own",
     rset_in_the_middle},
    {"two-messages-one-session", "5321 3.3", "two messages over one connection",
     two_messages_one_session},
    {"commands-out-of-order", "5321 4.1.4", "503 for each, and the message is still right",
     commands_out_of_order},
    {"unknown-command-keeps-session", "5321 4.2.4", "500, and the transaction goes on",
     unknown_command_keeps_session},
    {"vrfy-expn-help-noop", "5321 3.5", "the commands that carry no mail", vrfy_expn_help_noop},
    {"helo-fallback", "5321 3.2", "EHLO refused, so HELO, and no extensions", helo_fallback},
    {"greeting-refused", "5321 3.1", "554 instead of 220", greeting_refused},
    {"wait-none", "", "that nothing comes, and noticing what did", wait_none},
    {"unix-socket", "", "the same over a Unix socket", unix_socket},
    {"ipv6", "5321 4.1.3", "the same over IPv6", ipv6},
};
const struct smtp_scenario_table smtp_scenarios_session = {rows, sizeof rows / sizeof *rows};
