/* client_tls_server_test.c - the client's TLS against the real server: every address, large content,
 * certificates of both sides, ports taken for one another. What a peer can do wrong is in
 * client_tls_test.c. */
#include "client/smtp_client.h"
#include "tests/end_to_end/peer.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <unistd.h>

#define LARGE ((size_t)TEST_LARGE_OCTETS)

static const char *const bob[] = {"bob@example.com"};
static const struct smtp_envelope to_bob = {
    .reverse_path = "ann@example.com", .forward_paths = bob, .forward_path_count = 1};

static struct smtp_client *client_of(struct smtp_server *server, enum smtp_client_tls_policy policy)
{
    struct smtp_client *client = NULL;
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.tls.policy = policy;
    options.tls.ca_pem = smtp_server_ca_pem(server);
    expect_int(smtp_client_new(&client, &options), SMTP_OK);
    return client;
}

static void expect_ok(const struct smtp_client *client, enum smtp_status status)
{
    if (status != SMTP_OK) {
        SMTP_TEST_FAIL("%s", smtp_client_error(client)->message);
    }
}

static struct smtp_message *last_message(struct smtp_server *server)
{
    struct smtp_mailbox *mailbox = smtp_server_mailbox(server);
    return smtp_mailbox_get(mailbox, smtp_mailbox_captured(mailbox));
}

/* The certificate made in memory is for each of the addresses listened on. */
TEST(client_tls_server, by_name_by_address_and_by_unix_socket)
{
    char path[64];
    snprintf(path, sizeof(path), "unix:/tmp/client-tls-%d", (int)getpid());
    const char *listens[] = {"127.0.0.1:0", "[::1]:0", path, "smtps://127.0.0.1:0",
                             "smtps://[::1]:0"};
    const char *hosts[] = {"localhost", "::1", path, "127.0.0.1", "::1"};
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.listen = listens;
    options.listen_count = 5;
    struct smtp_server *server = started(&options);
    for (size_t i = 0; i < 5; i++) {
        struct smtp_client *client =
            client_of(server, i < 3 ? SMTP_CLIENT_TLS_REQUIRED : SMTP_CLIENT_TLS_IMPLICIT);
        expect_ok(client, smtp_client_connect(client, hosts[i], smtp_server_port(server, i)));
        expect_ok(client,
                  smtp_client_send(client, &to_bob, smtp_content_text("A: b\n\nc\n"), NULL));
        expect_ok(client, smtp_client_quit(client));
        smtp_client_free(client);
        struct smtp_message *message = last_message(server);
        expect_str(smtp_message_protocol(message), "ESMTPS");
        expect_str(smtp_message_tls(message), "TLSv1.3");
        smtp_message_release(message);
    }
    smtp_server_free(server);
}

/* A Unix socket has no name: the certificate must be for localhost, and one for another is refused. */
TEST(client_tls_server, at_a_unix_socket_the_certificate_must_be_for_localhost)
{
    char path[64];
    snprintf(path, sizeof(path), "unix:/tmp/client-tls-name-%d", (int)getpid());
    const char *listens[] = {path};
    const struct smtp_identity_options wanted = {.flaw = SMTP_IDENTITY_WRONG_NAME};
    struct smtp_identity *identity;
    expect_int(smtp_identity_new(&identity, &wanted, NULL), SMTP_OK);
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.listen = listens;
    options.listen_count = 1;
    options.tls.identity = identity;
    struct smtp_server *server = started(&options);
    struct smtp_client *client = client_of(server, SMTP_CLIENT_TLS_REQUIRED);
    expect_ok(client, smtp_client_connect(client, path, 0));
    expect_int(smtp_client_send(client, &to_bob, smtp_content_text("A: b\n\nc\n"), NULL),
               SMTP_TLS_FAILED);
    expect_contains(smtp_client_error(client)->message, "is for wrong.invalid, not for localhost");
    smtp_client_free(client);
    smtp_server_free(server);
    smtp_identity_release(identity);
}

/* ---- large content ---- */

struct lines {
    const char *bytes;
    size_t at;
};

static ssize_t read_lines(void *user, char *bytes, size_t capacity)
{
    struct lines *lines = user;
    size_t len = LARGE - lines->at < capacity ? LARGE - lines->at : capacity;
    memcpy(bytes, lines->bytes + lines->at, len);
    lines->at += len;
    return (ssize_t)len;
}

static char *make_lines(void)
{
    char *bytes = malloc(LARGE);
    expect_true(bytes != NULL);
    for (size_t i = 0; i < LARGE; i++) {
        bytes[i] = (char)('a' + (i ^ i >> 8) % 26);
    }
    for (size_t i = 62; i < LARGE; i += 64) {
        memcpy(bytes + i, "\r\n", 2);
    }
    return bytes;
}

/* From memory as it is, and through the encoder; over TCP, and over a Unix socket, which takes less than
 * what is encrypted at a time. */
TEST_WITHIN(client_tls_server, a_large_message_arrives_octet_for_octet, 120)
{
    char path[64];
    snprintf(path, sizeof(path), "unix:/tmp/client-tls-large-%d", (int)getpid());
    const char *const listens[] = {"127.0.0.1:0", path};
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.listen = listens;
    options.listen_count = 2;
    options.limits.message_octets = 2 * LARGE;
    struct smtp_server *server = started(&options);
    struct smtp_client *client = client_of(server, SMTP_CLIENT_TLS_REQUIRED);
    struct lines lines = {make_lines(), 0};
    for (size_t i = 0; i < 4; i++) {
        bool whole = i % 2 == 0;
        lines.at = 0;
        expect_ok(client, smtp_client_connect(client, smtp_server_address(server, i / 2), 0));
        expect_ok(client, smtp_client_send(client, &to_bob,
                                           whole ? smtp_content_memory(lines.bytes, LARGE)
                                                 : smtp_content_callback(read_lines, &lines),
                                           NULL));
        struct smtp_message *message = last_message(server);
        size_t len = 0;
        const char *content = smtp_message_content(message, &len);
        expect_int(len, LARGE);
        expect_true(memcmp(content, lines.bytes, LARGE) == 0);
        smtp_message_release(message);
        smtp_mailbox_clear(smtp_server_mailbox(server));
        expect_ok(client, smtp_client_quit(client));
    }
    smtp_client_free(client);
    smtp_server_free(server);
    free((void *)(uintptr_t)lines.bytes);
}

static ssize_t read_without_end(void *user, char *bytes, size_t capacity)
{
    memset(bytes, 'a', capacity);
    memcpy(bytes + capacity - 2, "\r\n", 2);
    *(size_t *)user += capacity;
    return (ssize_t)capacity;
}

/* What the socket does not take is not encrypted ahead: only the kernel's buffers fill. */
TEST(client_tls_server, content_that_nobody_reads_is_given_up_and_not_collected)
{
    struct peer peer = {0};
    struct smtp_identity *identity = NULL;
    struct smtp_client_options options;
    struct smtp_client *client = NULL;
    size_t asked_for = 0;
    expect_int(smtp_identity_new(&identity, NULL, NULL), SMTP_OK);
    peer_start_tls(&peer, identity,
                   "[tls]\nS: 220 mx\nC: EHLO [127.0.0.1]\nS: 250 mx\n"
                   "C: MAIL FROM:<ann@example.com>\nS: 250 ok\nC: RCPT TO:<bob@example.com>\n"
                   "S: 250 ok\nC: DATA\nS: 354 go\n[accept]\n");
    smtp_client_options_init(&options);
    options.tls.policy = SMTP_CLIENT_TLS_IMPLICIT;
    options.tls.ca_pem = smtp_identity_ca_pem(identity);
    options.timeouts.content_ms = 300;
    options.long_lines = true;
    expect_int(smtp_client_new(&client, &options), SMTP_OK);
    expect_ok(client, smtp_client_connect(client, "127.0.0.1", peer.address.port));
    struct smtp_content endless = smtp_content_callback(read_without_end, &asked_for);
    expect_int(smtp_client_send(client, &to_bob, endless, NULL), SMTP_TIMED_OUT);
    expect_contains(smtp_client_error(client)->message, "stage: content");
    expect_true(asked_for > 0 && asked_for < ((size_t)32 << 20));
    /* ends the script */
    expect_int(smtp_client_connect(client, "127.0.0.1", peer.address.port), SMTP_TLS_FAILED);
    smtp_client_free(client);
    peer_stop(&peer);
    smtp_identity_release(identity);
}

/* ---- certificates ---- */

static enum smtp_server_verdict show_subject(void *user,
                                             const struct smtp_server_session_info *session,
                                             const char *reverse_path, const char *parameters,
                                             struct smtp_server_reply *reply)
{
    (void)user, (void)reverse_path, (void)parameters;
    return smtp_server_reply(reply, 250, NULL, "hello %s", session->tls->peer_subject);
}

TEST(client_tls_server, a_certificate_of_the_clients_is_shown_where_it_is_asked_for)
{
    struct smtp_identity *authority = NULL, *ann = NULL;
    struct smtp_server_options options;
    struct smtp_client_options wanted;
    struct smtp_client *client = NULL;
    expect_int(smtp_identity_new(&authority, NULL, NULL), SMTP_OK);
    expect_int(smtp_identity_new_client(&ann, authority, "ann", NULL), SMTP_OK);
    smtp_server_options_init(&options);
    options.tls.identity = authority;
    options.tls.client_ca_pem = smtp_identity_ca_pem(authority);
    options.tls.client_certificate_required = true;
    options.hooks.mail = show_subject;
    struct smtp_server *server = started(&options);
    smtp_client_options_init(&wanted);
    wanted.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    wanted.tls.ca_pem = smtp_identity_ca_pem(authority);
    wanted.tls.identity = ann;
    expect_int(smtp_client_new(&client, &wanted), SMTP_OK);
    smtp_identity_release(ann);   /* the client has its own reference */
    for (int i = 0; i < 2; i++) { /* resumed, too */
        expect_ok(client, smtp_client_connect(client, "127.0.0.1", smtp_server_port(server, 0)));
        expect_ok(client, smtp_client_mail(client, "ann@example.com", NULL));
        expect_str(smtp_client_reply(client)->text, "hello ann");
        expect_true(smtp_client_tls(client)->resumed == (i == 1));
        expect_ok(client, smtp_client_quit(client));
    }
    smtp_client_free(client);
    wanted.tls.identity = NULL;
    expect_int(smtp_client_new(&client, &wanted), SMTP_OK);
    expect_ok(client, smtp_client_connect(client, "127.0.0.1", smtp_server_port(server, 0)));
    expect_int(smtp_client_mail(client, "ann@example.com", NULL), SMTP_TLS_FAILED);
    expect_contains(smtp_client_error(client)->message, "certificate required");
    expect_true(!smtp_client_is_connected(client));
    smtp_client_free(client);
    smtp_server_free(server);
    smtp_identity_release(authority);
}

/* ---- the wrong port ---- */

TEST(client_tls_server, ports_taken_for_one_another_are_told)
{
    static const char *const both[] = {"127.0.0.1:0", "smtps://127.0.0.1:0"};
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.listen = both;
    options.listen_count = 2;
    options.limits.handshake_timeout_ms = 200;
    struct smtp_server *server = started(&options);
    struct smtp_client *client = client_of(server, SMTP_CLIENT_TLS_IMPLICIT);
    expect_int(smtp_client_connect(client, "127.0.0.1", smtp_server_port(server, 0)),
               SMTP_TLS_FAILED);
    expect_contains(smtp_client_error(client)->message, "came \"220 harness.test");
    smtp_client_free(client);
    client = client_of(server, SMTP_CLIENT_TLS_REQUIRED);
    expect_int(smtp_client_connect(client, "127.0.0.1", smtp_server_port(server, 1)), SMTP_CLOSED);
    expect_contains(smtp_client_error(client)->message, "use implicit TLS");
    smtp_client_free(client);
    smtp_server_free(server);
}
