/* server_tls_test.c - the server over TLS (RFC 3207, RFC 8314), as a client that does it right sees
 * it: STARTTLS and implicit TLS, certificates, resumption, many at once. What goes wrong is in
 * server_handshake_test.c. */
#include "common/clock.h"
#include "common/net.h"
#include "tests/end_to_end/running_server.h"
#include "tests/end_to_end/tls_server.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const both[] = {"127.0.0.1:0", "smtps://127.0.0.1:0"};

static void listen_on_both(struct smtp_server_options *options)
{
    smtp_server_options_init(options);
    options->listen = both;
    options->listen_count = 2;
}

static void expect_captured(const struct smtp_server *server, size_t count)
{
    struct smtp_mailbox *mailbox = smtp_server_mailbox((struct smtp_server *)(uintptr_t)server);
    expect_int(smtp_mailbox_captured(mailbox), count);
    struct smtp_message *message = smtp_mailbox_get(mailbox, count);
    size_t len = 0;
    const char *content = smtp_message_content(message, &len);
    expect_bytes(content, len, "Subject: hi\r\n\r\n.dot\r\n", 21);
    expect_str(smtp_message_protocol(message), "ESMTPS"); /* RFC 3848 */
    smtp_message_release(message);
}

/* ---- both ways, both versions ---- */

static void expect_a_message_over(int version, size_t listener, const char *logged)
{
    struct smtp_server_options options;
    struct diary diary;
    struct smtp_wire wire;
    listen_on_both(&options);
    diary_open(&diary, &options);
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), version);
    secured(&wire, server, listener, context, NULL);
    expect_int(SSL_CTX_get_max_proto_version(context), version);
    send_and_quit(&wire);
    diary_await_close(&diary);
    expect_contains(diary_text(&diary), logged);
    expect_captured(server, 1);
    smtp_server_free(server);
    smtp_tls_context_release(context);
    diary_close(&diary);
}

TEST(server_tls, starttls_takes_tls_1_2)
{
    expect_a_message_over(TLS1_2_VERSION, 0, "tls: TLSv1.2, ");
}

TEST(server_tls, starttls_takes_tls_1_3)
{
    expect_a_message_over(TLS1_3_VERSION, 0, "tls: TLSv1.3, TLS_");
}

TEST(server_tls, implicit_tls_takes_tls_1_2_and_greets_under_it)
{
    expect_a_message_over(TLS1_2_VERSION, 1, "tls: TLSv1.2, ");
}

TEST(server_tls, implicit_tls_takes_tls_1_3_and_greets_under_it)
{
    expect_a_message_over(TLS1_3_VERSION, 1, "tls: TLSv1.3, TLS_");
}

TEST(server_tls, plain_and_implicit_addresses_live_side_by_side)
{
    char folder[] = "/tmp/smtp-tls-XXXXXX";
    char path[64];
    expect_true(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "smtps://unix:%s/s", folder);
    const char *listen[] = {"smtp://127.0.0.1:0", "SMTPS://[::1]:0", path, "127.0.0.1:0"};
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.listen = listen;
    options.listen_count = 4;
    options.workers = 2;
    struct smtp_server *server = started(&options);
    expect_contains(smtp_server_address(server, 0), "127.0.0.1:");
    expect_true(strncmp(smtp_server_address(server, 1), "[::1]:", 6) == 0);
    expect_str(smtp_server_address(server, 2), path + 8);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), 0);
    for (size_t i = 0; i < 8; i++) {
        struct smtp_wire wire;
        expect_int(smtp_server_is_implicit_tls(server, i % 4), i % 4 == 1 || i % 4 == 2);
        secured(&wire, server, i % 4, context, NULL);
        send_and_quit(&wire);
        expect_captured(server, i + 1);
    }
    expect_true(!smtp_server_is_implicit_tls(server, 4));
    send_one(server); /* and in the clear */
    smtp_server_free(server);
    smtp_tls_context_release(context);
    expect_int(rmdir(folder), 0);
}

/* The certificate is for every name and address that a client may come by. */
TEST(server_tls, the_made_certificate_is_for_localhost_the_hostname_and_the_addresses)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "::1", "127.0.0.2",
                                        "mail.example.com"};
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.hostname = "mail.example.com";
    options.listen = (const char *const[]){"smtps://127.0.0.2:0"};
    options.listen_count = 1;
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct smtp_wire wire;
        ready_for_tls(&wire, server, 0);
        expect_true(smtp_wire_secure(&wire, context, names[i], NULL));
        smtp_wire_close(&wire);
    }
    struct smtp_wire wire;
    ready_for_tls(&wire, server, 0);
    expect_true(!smtp_wire_secure(&wire, context, "other.example.com", NULL));
    smtp_wire_close(&wire);
    smtp_server_free(server);
    smtp_tls_context_release(context);
}

TEST(server_tls, a_hostname_that_no_certificate_can_hold_does_not_stand_in_its_way)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    listen_on_both(&options);
    options.hostname = "[192.0.2.1]";
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), 0);
    secured(&wire, server, 0, context, NULL);
    send_and_quit(&wire);
    smtp_server_free(server);
    smtp_tls_context_release(context);
}

/* ---- modes and the hook ---- */

TEST(server_tls, off_means_that_starttls_is_not_known)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.tls.mode = SMTP_SERVER_TLS_OFF;
    struct smtp_server *server = started(&options);
    greeted(&wire, server);
    expect_true(strstr(smtp_wire_ask(&wire, "EHLO c"), "STARTTLS") == NULL);
    expect_contains(smtp_wire_ask(&wire, "STARTTLS"), "50");
    expect_str(smtp_server_ca_pem(server), "");
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

/* RFC 3207 4 */
TEST(server_tls, required_means_530_to_mail_until_tls_is_up)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.tls.mode = SMTP_SERVER_TLS_REQUIRED;
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), 0);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c"), "STARTTLS");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<>"), "530 5.7.0 ");
    expect_contains(smtp_wire_ask(&wire, "STARTTLS"), "220 ");
    expect_true(smtp_wire_secure(&wire, context, "localhost", NULL));
    expect_contains(smtp_wire_ask(&wire, "EHLO c"), "250 ");
    send_and_quit(&wire);
    smtp_server_free(server);
    smtp_tls_context_release(context);
}

struct asked {
    unsigned starttls;
    char subject[64];     /* of the client's certificate, when MAIL came */
    char server_name[64]; /* likewise */
    bool in_the_clear;    /* when STARTTLS came */
};

static enum smtp_server_verdict first_refuse(void *user,
                                             const struct smtp_server_session_info *session,
                                             struct smtp_server_reply *reply)
{
    struct asked *asked = user;
    asked->in_the_clear = session->tls == NULL;
    return asked->starttls++ == 0 ? smtp_server_reply(reply, 454, "4.7.0", "Not now")
                                  : smtp_server_reply(reply, 220, "2.0.0", "Go on");
}

static enum smtp_server_verdict note_facts(void *user,
                                           const struct smtp_server_session_info *session,
                                           const char *reverse_path, const char *parameters,
                                           struct smtp_server_reply *reply)
{
    struct asked *asked = user;
    (void)reverse_path, (void)parameters, (void)reply;
    if (session->tls != NULL) {
        snprintf(asked->subject, sizeof asked->subject, "%s", session->tls->peer_subject);
        snprintf(asked->server_name, sizeof asked->server_name, "%s", session->tls->server_name);
    }
    return SMTP_ACCEPT;
}

TEST(server_tls, the_starttls_hook_refuses_and_accepts)
{
    struct asked asked = {0};
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.hooks.user = &asked;
    options.hooks.starttls = first_refuse;
    options.hooks.mail = note_facts;
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), 0);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c"), "STARTTLS");
    expect_str(smtp_wire_ask(&wire, "STARTTLS"), "454 4.7.0 Not now");
    expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "STARTTLS"), "Go on");
    expect_true(smtp_wire_secure(&wire, context, "localhost", NULL));
    expect_contains(smtp_wire_ask(&wire, "EHLO c"), "250 ");
    send_and_quit(&wire);
    smtp_server_free(server);
    expect_int(asked.starttls, 2);
    expect_true(asked.in_the_clear);
    expect_str(asked.server_name, "localhost");
    expect_str(asked.subject, "");
    smtp_tls_context_release(context);
}

/* ---- resumption ---- */

static void expect_resumption(int version, size_t listener)
{
    struct smtp_server_options options;
    struct diary diary;
    struct smtp_wire wire;
    listen_on_both(&options);
    diary_open(&diary, &options);
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), version);
    secured(&wire, server, listener, context, NULL);
    expect_true(!smtp_tls_facts(wire.tls)->resumed);
    struct ssl_session_st *session = smtp_tls_session(wire.tls);
    expect_true(session != NULL);
    send_and_quit(&wire);
    secured(&wire, server, listener, context, session);
    expect_true(smtp_tls_facts(wire.tls)->resumed);
    send_and_quit(&wire);
    diary_await_close(&diary);
    diary_await_close(&diary);
    expect_contains(diary_text(&diary), ", resumed\n");
    expect_captured(server, 2);
    smtp_tls_session_free(session);
    smtp_server_free(server);
    smtp_tls_context_release(context);
    diary_close(&diary);
}

TEST(server_tls, a_session_of_tls_1_2_is_resumed)
{
    expect_resumption(TLS1_2_VERSION, 0);
}

TEST(server_tls, a_session_of_tls_1_3_is_resumed)
{
    expect_resumption(TLS1_3_VERSION, 1);
}

/* ---- certificates ---- */

static struct smtp_identity *identity_made(void)
{
    struct smtp_identity *identity = NULL;
    expect_int(smtp_identity_new(&identity, NULL, NULL), SMTP_OK);
    return identity;
}

static struct ssl_ctx_st *showing(const char *ca_pem, const struct smtp_identity *identity)
{
    const struct smtp_tls_trust trust = {.ca_pem = ca_pem, .identity = identity};
    struct ssl_ctx_st *context = NULL;
    expect_int(smtp_tls_client_context(&context, &trust, NULL), SMTP_OK);
    return context;
}

/* With TLS 1.3 a client hears of it only after its own handshake is over. */
static bool serves(struct smtp_server *server, struct ssl_ctx_st *context)
{
    struct smtp_wire wire;
    ready_for_tls(&wire, server, 1);
    bool served = smtp_wire_secure(&wire, context, "localhost", NULL) &&
                  strncmp(smtp_wire_reply(&wire), "220 ", 4) == 0;
    smtp_wire_close(&wire);
    return served;
}

TEST(server_tls, a_client_certificate_is_asked_for_and_its_subject_reaches_the_hooks)
{
    struct smtp_identity *authority = identity_made(), *ann = NULL;
    struct asked asked = {0};
    struct smtp_server_options options;
    struct smtp_wire wire;
    expect_int(smtp_identity_new_client(&ann, authority, "ann", NULL), SMTP_OK);
    listen_on_both(&options);
    options.tls.client_ca_pem = smtp_identity_ca_pem(authority);
    options.hooks.user = &asked;
    options.hooks.mail = note_facts;
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = showing(smtp_server_ca_pem(server), ann);
    struct ssl_ctx_st *without = showing(smtp_server_ca_pem(server), NULL);
    secured(&wire, server, 0, context, NULL);
    send_and_quit(&wire);
    expect_true(serves(server, without)); /* asked for, not required */
    smtp_server_free(server);
    expect_str(asked.subject, "ann");
    smtp_tls_context_release(context);
    smtp_tls_context_release(without);
    smtp_identity_release(authority);
    smtp_identity_release(ann);
}

TEST(server_tls, a_required_client_certificate_must_come_from_the_right_authority)
{
    struct smtp_identity *authority = identity_made(), *other = identity_made();
    struct smtp_identity *ann = NULL, *eve = NULL;
    struct smtp_server_options options;
    struct diary diary;
    expect_int(smtp_identity_new_client(&ann, authority, "ann", NULL), SMTP_OK);
    expect_int(smtp_identity_new_client(&eve, other, "ann", NULL), SMTP_OK);
    listen_on_both(&options);
    diary_open(&diary, &options);
    options.tls.client_ca_pem = smtp_identity_ca_pem(authority);
    options.tls.client_certificate_required = true;
    struct smtp_server *server = started(&options);
    const struct smtp_identity *shown[] = {ann, NULL, eve};
    for (size_t i = 0; i < 3; i++) {
        struct ssl_ctx_st *context = showing(smtp_server_ca_pem(server), shown[i]);
        expect_int(serves(server, context), i == 0);
        diary_await_close(&diary);
        smtp_tls_context_release(context);
    }
    expect_contains(diary_text(&diary), "the client sent no certificate, and one is required");
    smtp_server_free(server);
    diary_close(&diary);
    smtp_identity_release(authority);
    smtp_identity_release(other);
    smtp_identity_release(ann);
    smtp_identity_release(eve);
}

TEST(server_tls, the_certificate_is_replaced_while_the_server_runs)
{
    struct smtp_identity *second = identity_made();
    struct smtp_server_options options;
    struct smtp_wire old;
    listen_on_both(&options);
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *trusts_first = trusting(smtp_server_ca_pem(server), 0);
    struct ssl_ctx_st *trusts_second = trusting(smtp_identity_ca_pem(second), 0);
    secured(&old, server, 0, trusts_first, NULL);
    expect_true(!serves(server, trusts_second));
    expect_int(smtp_server_set_certificate(server, second, NULL, NULL), SMTP_OK);
    expect_str(smtp_server_ca_pem(server), smtp_identity_ca_pem(second));
    expect_true(serves(server, trusts_second));
    expect_true(!serves(server, trusts_first));
    send_and_quit(&old); /* what was open goes on */
    smtp_server_free(server);
    smtp_tls_context_release(trusts_first);
    smtp_tls_context_release(trusts_second);
    smtp_identity_release(second);
}

TEST(server_tls, an_ssl_ctx_of_the_callers_is_used_and_one_without_certificate_is_refused)
{
    struct smtp_identity *own = identity_made();
    struct ssl_ctx_st *context = NULL;
    struct smtp_server_options options;
    struct smtp_server *server = NULL;
    struct smtp_error error = {0};
    expect_int(smtp_tls_server_context(&context, own, NULL, false, NULL), SMTP_OK);
    listen_on_both(&options);
    options.tls.context = context;
    server = started(&options);
    smtp_tls_context_release(context);
    expect_str(smtp_server_ca_pem(server), "");
    struct ssl_ctx_st *trusts = trusting(smtp_identity_ca_pem(own), 0);
    expect_true(serves(server, trusts));
    SSL_CTX *empty = SSL_CTX_new(TLS_server_method());
    expect_int(smtp_server_set_certificate(server, NULL, empty, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "a certificate and its key");
    expect_int(smtp_server_set_certificate(server, NULL, NULL, NULL), SMTP_BAD_ARGUMENT);
    expect_int(smtp_server_set_certificate(server, own, empty, NULL), SMTP_BAD_ARGUMENT);
    expect_true(serves(server, trusts)); /* the old one stays */
    smtp_server_free(server);
    options.tls.context = empty;
    expect_int(smtp_server_new(&server, &options, &error), SMTP_BAD_ARGUMENT);
    SSL_CTX_free(empty);
    smtp_tls_context_release(trusts);
    smtp_identity_release(own);
}

TEST(server_tls, an_ssl_ctx_that_takes_an_identity_s_place_leaves_no_authority_to_tell)
{
    struct smtp_identity *second = identity_made();
    struct ssl_ctx_st *context = NULL;
    struct smtp_server_options options;
    expect_int(smtp_tls_server_context(&context, second, NULL, false, NULL), SMTP_OK);
    listen_on_both(&options);
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *trusts_second = trusting(smtp_identity_ca_pem(second), 0);
    expect_contains(smtp_server_ca_pem(server), "BEGIN CERTIFICATE");
    expect_int(smtp_server_set_certificate(server, NULL, context, NULL), SMTP_OK);
    smtp_tls_context_release(context);
    expect_str(smtp_server_ca_pem(server), "");
    expect_true(serves(server, trusts_second));
    smtp_server_free(server);
    smtp_tls_context_release(trusts_second);
    smtp_identity_release(second);
}

static void expect_refused(const struct smtp_server_options *options, const char *part)
{
    struct smtp_server *server = NULL;
    struct smtp_error error = {0};
    expect_int(smtp_server_new(&server, options, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, part);
}

TEST(server_tls, options_that_contradict_each_other_are_refused)
{
    struct smtp_identity *own = identity_made();
    struct smtp_server_options options;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    smtp_server_options_init(&options);
    options.tls.identity = own;
    options.tls.context = context;
    expect_refused(&options, "tls.context");
    options.tls.context = NULL;
    options.tls.client_certificate_required = true;
    expect_refused(&options, "tls.client_certificate_required needs tls.client_ca_pem");
    options.tls.client_ca_pem = "no certificate";
    expect_refused(&options, "found none");
    options.tls = (struct smtp_server_tls){.mode = (enum smtp_server_tls_mode)7};
    expect_refused(&options, "tls.mode");
    SSL_CTX_free(context);
    smtp_identity_release(own);
}

/* ---- much of it ---- */

TEST(server_tls, ten_mebibytes_arrive_octet_by_octet_the_same)
{
    enum { LINE = 64, LINES = 10 * 1024 * 1024 / LINE };
    struct smtp_server_options options;
    struct smtp_wire wire;
    listen_on_both(&options);
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), 0);
    char *content = malloc((size_t)LINE * LINES + 3);
    for (size_t i = 0; i < LINES; i++) {
        snprintf(content + i * LINE, LINE + 1, "%0*zu\r\n", LINE - 2, i);
    }
    memcpy(content + (size_t)LINE * LINES, ".\r\n", 3);
    secured(&wire, server, 0, context, NULL);
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<a@b.example>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    expect_true(smtp_wire_send(&wire, content, (size_t)LINE * LINES + 3));
    expect_contains(smtp_wire_reply(&wire), "250 ");
    smtp_wire_close(&wire);
    struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(server), 1);
    size_t len = 0;
    const char *came = smtp_message_content(message, &len);
    expect_bytes(came, len, content, (size_t)LINE * LINES);
    smtp_message_release(message);
    free(content);
    smtp_server_free(server);
    smtp_tls_context_release(context);
}

TEST(server_tls, fifty_sessions_at_once_on_two_loops_each_get_their_own)
{
    enum { COUNT = 50 };
    struct smtp_server_options options;
    static struct smtp_wire wires[COUNT];
    listen_on_both(&options);
    options.workers = 2;
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), 0);
    for (size_t i = 0; i < COUNT; i++) {
        secured(&wires[i], server, i % 2, context, NULL);
    }
    expect_int(smtp_server_session_count(server), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        send_and_quit(&wires[COUNT - 1 - i]);
        expect_captured(server, i + 1);
    }
    smtp_server_free(server);
    smtp_tls_context_release(context);
}

/* Everything is sent before anything is read, by a socket with little room: replies wait encrypted,
 * commands wait undecrypted, and none is lost. */
TEST(server_tls, a_peer_that_reads_late_gets_every_reply)
{
    enum { COUNT = 60000, COMMAND = 8 };
    struct smtp_server_options options;
    static char commands[COUNT * COMMAND + 6];
    char name[] = "127.0.0.1";
    listen_on_both(&options);
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), 0);
    struct smtp_wire wire = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const struct sockaddr_in where = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                      .sin_port = htons(smtp_server_port(server, 1))};
    int room = 32768;
    for (size_t i = 0; i < COUNT; i++) {
        memcpy(commands + COMMAND * i, "VRFY x\r\n", COMMAND);
    }
    memcpy(commands + sizeof commands - 6, "QUIT\r\n", 6);
    expect_int(setsockopt(wire.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    expect_int(connect(wire.fd, (const struct sockaddr *)&where, sizeof where), 0);
    expect_int(fcntl(wire.fd, F_SETFL, O_NONBLOCK), 0);
    expect_true(smtp_wire_secure(&wire, context, name, NULL));
    expect_contains(smtp_wire_reply(&wire), "220 ");
    expect_true(smtp_wire_send(&wire, commands, sizeof commands));
    for (size_t i = 0; i < COUNT; i++) {
        expect_contains(smtp_wire_reply(&wire), "252 ");
    }
    expect_contains(smtp_wire_reply(&wire), "221 ");
    expect_true(smtp_wire_closed(&wire) && wire.end_came);
    smtp_wire_close(&wire);
    smtp_server_free(server);
    smtp_tls_context_release(context);
}

struct long_answers {
    atomic_size_t count;
};

static enum smtp_server_verdict answer_at_length(void *user,
                                                 const struct smtp_server_session_info *session,
                                                 const char *argument,
                                                 struct smtp_server_reply *reply)
{
    struct long_answers *answers = user;
    (void)session, (void)argument;
    atomic_fetch_add(&answers->count, 1);
    return smtp_server_reply(reply, 252, "2.0.0", "%0350d", 0);
}

/* So many VRFYs and then the ending, all sent before anything but the reply to EHLO is read, by a
 * socket with little room. Whatever the server can do before somebody reads, it has done. */
static void send_without_reading(struct smtp_wire *wire, const struct smtp_server *server,
                                 size_t count, const char *ending)
{
    const struct sockaddr_in where = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                      .sin_port = htons(smtp_server_port(server, 0))};
    int room = 32768;
    *wire = (struct smtp_wire){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    expect_int(setsockopt(wire->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    expect_int(connect(wire->fd, (const struct sockaddr *)&where, sizeof where), 0);
    expect_int(fcntl(wire->fd, F_SETFL, O_NONBLOCK), 0);
    expect_contains(smtp_wire_reply(wire), "220 ");
    expect_contains(smtp_wire_ask(wire, "EHLO c.example"), "STARTTLS");
    char *octets = malloc(8 * count + strlen(ending));
    expect_true(octets != NULL);
    for (size_t i = 0; i < count; i++) {
        memcpy(octets + 8 * i, "VRFY x\r\n", 8);
    }
    memcpy(octets + 8 * count, ending, strlen(ending));
    expect_true(smtp_wire_send(wire, octets, 8 * count + strlen(ending)));
    free(octets);
    for (int i = 0; i < 2; i++) { /* the loop has gone round */
        struct smtp_wire other;
        greeted(&other, server);
        expect_contains(smtp_wire_ask(&other, "QUIT"), "221 ");
        smtp_wire_close(&other);
    }
}

/* RFC 3207 4: TLS begins behind the 220. It must not while that waits for a peer that does not read. */
TEST(server_tls, starttls_behind_replies_that_wait_begins_when_its_220_is_out)
{
    struct smtp_server_options options;
    struct long_answers answers = {0};
    struct smtp_wire wire;
    char name[] = "127.0.0.1";
    listen_on_both(&options);
    options.hooks.user = &answers;
    options.hooks.vrfy = answer_at_length;
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), 0);
    send_without_reading(&wire, server, 20000, "");
    size_t stalled_at = atomic_load(&answers.count); /* 64 KiB beyond what the system takes */
    smtp_wire_close(&wire);
    expect_true(stalled_at < 20000);
    for (size_t back = 20; back < 180; back += 20) {
        size_t count = stalled_at - back;
        send_without_reading(&wire, server, count, "STARTTLS\r\n");
        for (size_t i = 0; i < count; i++) {
            expect_contains(smtp_wire_reply(&wire), "252 ");
        }
        expect_contains(smtp_wire_reply(&wire), "220 ");
        expect_true(smtp_wire_secure(&wire, context, name, NULL));
        expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250-");
        smtp_wire_close(&wire);
    }
    smtp_server_free(server);
    smtp_tls_context_release(context);
}
