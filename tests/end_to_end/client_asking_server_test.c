/* client_asking_server_test.c - what the client asks for, and what this project's server makes of it: two
 * halves that share no protocol code. */
#include "client/smtp_client.h"
#include "client/smtp_pool.h"
#include "server/smtp_mailbox.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"

#define BOEB                                                                                       \
    "b\xC3\xB6"                                                                                    \
    "b"

static const char *const trusted[] = {"127.0.0.1"};
static const struct smtp_server_user users[] = {{"ann", "secret"}};

static struct smtp_server *start_all(bool proxy)
{
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.keywords.future_release = options.keywords.deliver_by = true;
    options.keywords.mt_priority = options.keywords.xclient = true;
    options.auth.users = users;
    options.auth.user_count = 1;
    options.limits.hold_s = 3600;
    options.limits.deliver_by_s = 60;
    options.trusted_peers = trusted;
    options.trusted_peer_count = 1;
    options.proxy_protocol = proxy;
    return started(&options);
}

static struct smtp_client *connect_with(struct smtp_server *server,
                                        struct smtp_client_options *options)
{
    struct smtp_client *client = NULL;
    expect_int(smtp_client_new(&client, options), SMTP_OK);
    expect_int(smtp_client_connect(client, smtp_server_address(server, 0), 0), SMTP_OK);
    return client;
}

static struct smtp_client *connect_over_tls(struct smtp_server *server)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    options.tls.ca_pem = smtp_server_ca_pem(server);
    return connect_with(server, &options);
}

static void finish(struct smtp_client *client, struct smtp_server *server)
{
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    smtp_server_free(server);
}

static void expect_sent(struct smtp_client *client, const struct smtp_envelope *envelope)
{
    enum smtp_status status =
        smtp_client_send(client, envelope, smtp_content_text("Subject: x\n\nHello\n"), NULL);
    expect_str(status == SMTP_OK ? "" : smtp_client_error(client)->message, "");
    expect_int(status, SMTP_OK);
}

TEST(client_asking_server, every_option_of_mail_and_rcpt_is_understood)
{
    static const char *const paths[] = {"bob@example.com", "cat@example.com"};
    struct smtp_mail_options mail = {
        .dsn_return = SMTP_DSN_RETURN_HEADERS,
        .dsn_envelope_id = "id 1+2=3",
        .require_tls = true,
        .hold_for_s = 3600,
        .deliver_by = SMTP_DELIVER_BY_RETURN,
        .deliver_by_s = 60,
        .deliver_by_trace = true,
        .has_priority = true,
        .priority = -3,
        .auth = "ann+x@example.com",
    };
    struct smtp_rcpt_options rcpt[] = {
        {.notify = SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY, .original_recipient = "b=b@x"},
        {.notify = SMTP_NOTIFY_NEVER, .original_recipient = BOEB "+@x"},
    };
    struct smtp_envelope envelope = {.reverse_path = "ann@example.com",
                                     .forward_paths = paths,
                                     .forward_path_count = 2,
                                     .mail = &mail,
                                     .rcpt = rcpt};
    struct smtp_server *server = start_all(false);
    struct smtp_client *client = connect_over_tls(server);
    expect_int(smtp_client_login(client, "ann", "secret"), SMTP_OK);
    expect_sent(client, &envelope);
    struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(server), 1);
    expect_str(smtp_message_mail_parameters(message),
               "SIZE=21 REQUIRETLS RET=HDRS ENVID=id+201+2B2+3D3 HOLDFOR=3600 BY=60;RT "
               "MT-PRIORITY=-3 AUTH=ann+2Bx@example.com");
    expect_str(smtp_message_rcpt_parameters(message, 0),
               "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+3Db@x");
    expect_str(smtp_message_rcpt_parameters(message, 1),
               "NOTIFY=NEVER ORCPT=utf-8;b\\x{F6}b\\x{2B}@x");
    smtp_message_release(message);
    mail = (struct smtp_mail_options){.hold_for_s = 3601};
    expect_int(smtp_client_send(client, &envelope, smtp_content_text("x\n"), NULL),
               SMTP_UNSUPPORTED);
    mail = (struct smtp_mail_options){.deliver_by = SMTP_DELIVER_BY_RETURN, .deliver_by_s = 59};
    expect_int(smtp_client_send(client, &envelope, smtp_content_text("x\n"), NULL),
               SMTP_UNSUPPORTED);
    finish(client, server);
}

TEST(client_asking_server, a_local_part_in_utf8_arrives_as_it_is_rfc6531)
{
    static const char *const paths[] = {BOEB "@b\xC3\xBC"
                                             "cher.example",
                                        "cat dog@example.com"};
    struct smtp_envelope envelope = {
        .reverse_path = BOEB "@example.com", .forward_paths = paths, .forward_path_count = 2};
    struct smtp_server *server = start_all(false);
    struct smtp_client *client = connect_with(server, NULL);
    expect_sent(client, &envelope);
    struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(server), 1);
    expect_str(smtp_message_protocol(message), "UTF8SMTP");
    expect_str(smtp_message_reverse_path(message), BOEB "@example.com");
    expect_str(smtp_message_forward_path(message, 0), paths[0]);
    expect_str(smtp_message_forward_path(message, 1), "\"cat dog\"@example.com");
    smtp_message_release(message);
    finish(client, server);
}

TEST(client_asking_server, a_proxy_header_of_each_version_names_the_peer)
{
    static const char *const headers[][2] = {
        {"v1 192.0.2.1:40112 192.0.2.2:25", "192.0.2.1:40112"},
        {"v2 192.0.2.1:40112 192.0.2.2:25", "192.0.2.1:40112"},
        {"v1 [2001:db8::1]:7 [2001:db8::2]:25", "[2001:db8::1]:7"},
        {"v2 [2001:db8::1]:7 [2001:db8::2]:25", "[2001:db8::1]:7"},
    };
    static const char *const bob[] = {"bob@x"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 1};
    struct smtp_server *server = start_all(true);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct smtp_client_options options;
        smtp_client_options_init(&options);
        options.proxy_header = headers[i][0];
        struct smtp_client *client = connect_with(server, &options);
        expect_sent(client, &envelope);
        expect_int(smtp_client_quit(client), SMTP_OK);
        smtp_client_free(client);
        struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(server), i + 1);
        expect_str(smtp_message_peer(message), headers[i][1]);
        smtp_message_release(message);
    }
    smtp_server_free(server);
}

TEST(client_asking_server, xclient_names_the_peer_and_the_session_begins_again)
{
    static const char *const bob[] = {"bob@x"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 1};
    struct smtp_server *server = start_all(false);
    struct smtp_client *client = connect_with(server, NULL);
    expect_int(smtp_client_auth(client, &(struct smtp_client_credentials){.identity = "ann",
                                                                          .password = "secret"}),
               SMTP_OK);
    expect_int(smtp_client_xclient(client, "ADDR=192.0.2.1 PORT=7 NAME=a.example"), SMTP_OK);
    expect_true(!smtp_client_is_authenticated(client));
    expect_sent(client, &envelope);
    struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(server), 1);
    expect_str(smtp_message_peer(message), "192.0.2.1:7");
    smtp_message_release(message);
    finish(client, server);
}

/* What the next one does over a shared session would be done as whom the last one was. */
TEST(client_asking_server, a_pooled_session_that_became_somebody_else_is_not_used_again)
{
    struct smtp_server *server = start_all(false);
    struct smtp_client_pool *pool;
    struct smtp_client *client;
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    struct smtp_client_target target = {.host = smtp_server_address(server, 0),
                                        .options = &options};
    expect_int(smtp_client_pool_new(&pool, NULL), SMTP_OK);
    expect_int(smtp_client_pool_take(pool, &target, &client, NULL), SMTP_OK);
    smtp_client_pool_give(pool, client);
    expect_int(smtp_client_pool_count(pool), 1);
    expect_int(smtp_client_pool_take(pool, &target, &client, NULL), SMTP_OK);
    expect_int(smtp_client_xclient(client, "ADDR=192.0.2.1"), SMTP_OK);
    smtp_client_pool_give(pool, client);
    expect_int(smtp_client_pool_count(pool), 0);
    expect_int(smtp_client_pool_take(pool, &target, &client, NULL), SMTP_OK);
    expect_int(smtp_client_auth(client, &(struct smtp_client_credentials){.identity = "ann",
                                                                          .password = "secret"}),
               SMTP_OK);
    smtp_client_pool_give(pool, client);
    expect_int(smtp_client_pool_count(pool), 0);
    smtp_client_pool_free(pool);
    smtp_server_free(server);
}
