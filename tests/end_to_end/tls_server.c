/* tls_server.c - see tls_server.h. */
#include "tests/end_to_end/tls_server.h"

#include "common/clock.h"
#include "common/net.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <unistd.h>

#define WAIT_MS 15000

static void on_log(void *user, const struct smtp_server_session_info *session,
                   const struct smtp_server_log_entry *entry)
{
    static const char *const names[] = {
        [SMTP_LOG_CONNECT] = "connect", [SMTP_LOG_REPLY] = "reply", [SMTP_LOG_NOTE] = "note",
        [SMTP_LOG_TLS] = "tls",         [SMTP_LOG_CLOSE] = "close", [SMTP_LOG_COMMAND] = NULL,
        [SMTP_LOG_CONTENT] = NULL,
    };
    struct diary *diary = user;
    (void)session;
    if (names[entry->kind] == NULL) {
        return;
    }
    pthread_mutex_lock(&diary->lock);
    int len = snprintf(diary->text + diary->len, sizeof diary->text - diary->len, "%s: %.*s\n",
                       names[entry->kind], (int)entry->len, entry->text);
    diary->len += (size_t)len < sizeof diary->text - diary->len ? (size_t)len : 0;
    pthread_mutex_unlock(&diary->lock);
}

static void on_close(void *user, const struct smtp_server_session_info *session)
{
    const struct diary *diary = user;
    (void)session;
    expect_int(write(diary->closes[1], "c", 1), 1);
}

void diary_open(struct diary *diary, struct smtp_server_options *options)
{
    *diary = (struct diary){.len = 0};
    pthread_mutex_init(&diary->lock, NULL);
    expect_int(pipe2(diary->closes, O_CLOEXEC | O_NONBLOCK), 0);
    options->hooks.user = diary;
    options->hooks.log = on_log;
    options->hooks.close = on_close;
}

void diary_await_close(struct diary *diary)
{
    char octet;
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), WAIT_MS);
    expect_int(smtp_net_wait(diary->closes[0], false, deadline_ns), SMTP_OK);
    expect_int(read(diary->closes[0], &octet, 1), 1);
}

const char *diary_text(struct diary *diary)
{
    pthread_mutex_lock(&diary->lock); /* what was written before the close is there */
    pthread_mutex_unlock(&diary->lock);
    return diary->text;
}

void diary_close(struct diary *diary)
{
    close(diary->closes[0]);
    close(diary->closes[1]);
    pthread_mutex_destroy(&diary->lock);
}

struct ssl_ctx_st *trusting(const char *ca_pem, int version)
{
    const struct smtp_tls_trust trust = {.ca_pem = ca_pem};
    struct ssl_ctx_st *context = NULL;
    struct smtp_error error = {0};
    if (smtp_tls_client_context(&context, &trust, &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
    if (version != 0) {
        expect_int(SSL_CTX_set_min_proto_version(context, version), 1);
        expect_int(SSL_CTX_set_max_proto_version(context, version), 1);
    }
    return context;
}

void ready_for_tls(struct smtp_wire *wire, const struct smtp_server *server, size_t i)
{
    expect_true(smtp_wire_connect(wire, smtp_server_address(server, i)));
    if (!smtp_server_is_implicit_tls(server, i)) {
        expect_contains(smtp_wire_reply(wire), "220 ");
        expect_contains(smtp_wire_ask(wire, "EHLO c.example"), "STARTTLS");
        expect_contains(smtp_wire_ask(wire, "STARTTLS"), "220 ");
    }
}

void secured(struct smtp_wire *wire, const struct smtp_server *server, size_t i,
             struct ssl_ctx_st *context, struct ssl_session_st *session)
{
    ready_for_tls(wire, server, i);
    if (!smtp_wire_secure(wire, context, "localhost", session)) {
        SMTP_TEST_FAIL("no TLS: %s", smtp_tls_error(wire->tls));
    }
    if (smtp_server_is_implicit_tls(server, i)) {
        expect_contains(smtp_wire_reply(wire), "220 ");
    }
    const char *reply = smtp_wire_ask(wire, "EHLO c.example");
    expect_contains(reply, "250 ");
    expect_true(strstr(reply, "STARTTLS") == NULL); /* RFC 3207 4.2 */
}

void send_and_quit(struct smtp_wire *wire)
{
    expect_contains(smtp_wire_ask(wire, "MAIL FROM:<ann@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "RCPT TO:<bob@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "DATA"), "354 ");
    expect_contains(smtp_wire_ask(wire, "Subject: hi\r\n\r\n..dot\r\n."), "250 ");
    expect_contains(smtp_wire_ask(wire, "QUIT"), "221 ");
    expect_true(smtp_wire_closed(wire));
    expect_true(wire->end_came);
    smtp_wire_close(wire);
}
