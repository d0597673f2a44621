/* running_server.c - see running_server.h. */
#include "tests/end_to_end/running_server.h"

#include "tests/support/test.h"

struct smtp_server *make(const struct smtp_server_options *options)
{
    struct smtp_server *server = NULL;
    struct smtp_error error = {0};
    if (smtp_server_new(&server, options, &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
    return server;
}

struct smtp_server *make_to_restart(void)
{
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.listen = smtp_own_loopback();
    options.listen_count = 1;
    return make(&options);
}

void start(struct smtp_server *server)
{
    struct smtp_error error = {0};
    if (smtp_server_start(server, &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
}

struct smtp_server *started(const struct smtp_server_options *options)
{
    struct smtp_server *server = make(options);
    start(server);
    return server;
}

void greeted(struct smtp_wire *wire, const struct smtp_server *server)
{
    expect_true(smtp_wire_connect(wire, smtp_server_address(server, 0)));
    expect_contains(smtp_wire_reply(wire), "220 ");
}

void open_transaction(struct smtp_wire *wire, const struct smtp_server *server)
{
    greeted(wire, server);
    expect_contains(smtp_wire_ask(wire, "EHLO c.example"), "250 ");
    expect_contains(smtp_wire_ask(wire, "MAIL FROM:<>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "RCPT TO:<a@b.example>"), "250 ");
}

void open_content(struct smtp_wire *wire, const struct smtp_server *server)
{
    open_transaction(wire, server);
    expect_contains(smtp_wire_ask(wire, "DATA"), "354 ");
}

void send_one(const struct smtp_server *server)
{
    struct smtp_wire wire;
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "HELO client.example"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<bob@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    expect_contains(smtp_wire_ask(&wire, "Subject: hi\r\n\r\n..dot\r\n."), "250 ");
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
}
