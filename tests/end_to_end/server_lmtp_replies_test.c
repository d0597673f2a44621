/* server_lmtp_replies_test.c - LMTP (RFC 2033) with a running server: the replies of each recipient by
 * DATA and by BDAT, over TCP and a Unix socket, and as many as there may be. */
#include "server/smtp_server.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <stdio.h>
#include <unistd.h>

#define ENVELOPE                                                                                   \
    "MAIL FROM:<s@x.test>\r\nRCPT TO:<a@y.test>\r\nRCPT TO:<full@y.test>\r\n"                      \
    "RCPT TO:<a@y.test>\r\n"

static void say_hello(struct smtp_wire *wire, const struct smtp_server *server)
{
    expect_true(smtp_wire_connect(wire, smtp_server_address(server, 0)));
    expect_contains(smtp_wire_reply(wire), "220 harness.test LMTP");
    expect_contains(smtp_wire_ask(wire, "EHLO c.test"), "500 5.5.1 ");
    expect_contains(smtp_wire_ask(wire, "LHLO c.test"), "\n250-PIPELINING\n");
}

static void send_envelope(struct smtp_wire *wire)
{
    expect_true(smtp_wire_send(wire, ENVELOPE, sizeof ENVELOPE - 1));
    for (int i = 0; i < 4; i++) {
        expect_contains(smtp_wire_reply(wire), "250 ");
    }
}

static enum smtp_server_verdict full(void *user, const struct smtp_server_session_info *session,
                                     struct smtp_message *message, struct smtp_server_reply *reply)
{
    (void)user;
    expect_true(session->lmtp); /* else there is one reply alone */
    for (size_t i = 0; i < smtp_message_recipient_count(message); i++) {
        if (strncmp(smtp_message_forward_path(message, i), "full@", 5) == 0) {
            (void)smtp_server_reply(&reply[i], 452, "4.2.2", "Mailbox full");
        }
    }
    return SMTP_ACCEPT;
}

/* DATA, then BDAT: the second recipient is full, the others have it. */
static void expect_three_replies(struct smtp_wire *wire)
{
    send_envelope(wire);
    expect_contains(smtp_wire_ask(wire, "DATA"), "354 ");
    expect_true(smtp_wire_send(wire, "x\r\n.\r\n", 6));
    expect_contains(smtp_wire_reply(wire), "250 ");
    expect_str(smtp_wire_reply(wire), "452 4.2.2 Mailbox full");
    expect_contains(smtp_wire_reply(wire), "250 ");
    send_envelope(wire);
    expect_true(smtp_wire_send(wire, "BDAT 3 LAST\r\ny\r\nNOOP\r\n", 22));
    expect_contains(smtp_wire_reply(wire), "250 ");
    expect_str(smtp_wire_reply(wire), "452 4.2.2 Mailbox full");
    expect_contains(smtp_wire_reply(wire), "250 ");
    expect_str(smtp_wire_reply(wire), "250 2.0.0 OK");
}

TEST(server_lmtp, each_recipient_has_the_reply_that_a_hook_gave_it_rfc2033_4_2)
{
    char path[64], address[96];
    snprintf(path, sizeof path, "/tmp/smtp-lmtp-%ld", (long)getpid());
    snprintf(address, sizeof address, "lmtp://unix:%s", path);
    const char *const listen[] = {"lmtp://127.0.0.1:0", address};
    for (int row = 0; row < 4; row++) {
        struct smtp_server_options options;
        struct smtp_wire wire;
        smtp_server_options_init(&options);
        options.listen = &listen[row % 2];
        options.listen_count = 1;
        options.hooks.message = full;
        options.hooks.blocking = row >= 2;
        struct smtp_server *server = started(&options);
        say_hello(&wire, server);
        expect_three_replies(&wire);
        smtp_wire_close(&wire);
        struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(server), 2);
        expect_true(message != NULL);
        expect_str(smtp_message_protocol(message), "LMTP");
        expect_str(smtp_message_content(message, NULL), "y\r\n");
        smtp_message_release(message);
        smtp_server_free(server);
    }
}

TEST(server_lmtp, the_replies_of_two_thousand_recipients_all_come)
{
    enum { RECIPIENTS = 2000 };
    static const char *const listen[] = {"lmtp://127.0.0.1:0"};
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.listen = listen;
    options.listen_count = 1;
    options.limits.recipients = RECIPIENTS;
    struct smtp_server *server = started(&options);
    say_hello(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 ");
    for (int i = 0; i < RECIPIENTS; i++) {
        expect_contains(smtp_wire_ask(&wire, "RCPT TO:<a@y.test>"), "250 ");
    }
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    expect_true(smtp_wire_send(&wire, "x\r\n.\r\nNOOP\r\n", 12));
    for (int i = 0; i < RECIPIENTS; i++) {
        expect_contains(smtp_wire_reply(&wire), "250 ");
    }
    expect_str(smtp_wire_reply(&wire), "250 2.0.0 OK");
    smtp_wire_close(&wire);
    smtp_server_free(server);
}
