/* server_auth_tls_test.c - AUTH under TLS: what is offered there and what is not before, channel binding
 * (RFC 5929, RFC 9266), and certificates as credentials (EXTERNAL). */
#include "server/smtp_server.h"
#include "tests/end_to_end/login.h"
#include "tests/end_to_end/running_server.h"
#include "tests/end_to_end/tls_server.h"
#include "tests/support/test.h"

#include <openssl/ssl.h>
#include <stdio.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static const struct smtp_server_user users[] = {{"ann", "secret"}};
static const char *const both[] = {"127.0.0.1:0", "smtps://127.0.0.1:0"};
static const char *const mechanisms[] = {"PLAIN",
                                         "LOGIN",
                                         "CRAM-MD5",
                                         "SCRAM-SHA-1",
                                         "SCRAM-SHA-256",
                                         "SCRAM-SHA-1-PLUS",
                                         "SCRAM-SHA-256-PLUS"};

static void with_users(struct smtp_server_options *options)
{
    smtp_server_options_init(options);
    options->listen = both;
    options->listen_count = COUNT(both);
    options->auth.users = users;
    options->auth.user_count = COUNT(users);
}

static void expect_every_mechanism(int version)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    with_users(&options);
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), version);
    for (size_t i = 0; i < COUNT(mechanisms); i++) {
        secured(&wire, server, i % COUNT(both), context, NULL);
        expect_contains(log_in(&wire, mechanisms[i], "ann", "wrong"), "535 5.7.8 ");
        expect_contains(log_in(&wire, mechanisms[i], "nobody", "secret"), "535 5.7.8 ");
        expect_contains(log_in(&wire, mechanisms[i], "ann", "secret"), "235 2.7.0 ");
        send_and_quit(&wire);
        struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(server), i + 1);
        expect_str(smtp_message_protocol(message), "ESMTPSA"); /* RFC 3848 */
        expect_str(smtp_message_identity(message), "ann");
        smtp_message_release(message);
    }
    smtp_server_free(server);
    smtp_tls_context_release(context);
}

TEST(server_auth_tls, every_mechanism_logs_in_over_tls_1_3)
{
    expect_every_mechanism(TLS1_3_VERSION);
}

TEST(server_auth_tls, every_mechanism_logs_in_over_tls_1_2)
{
    expect_every_mechanism(TLS1_2_VERSION);
}

TEST(server_auth_tls, what_sends_secrets_is_offered_under_tls_alone_and_538_before_rfc4954_4)
{
    static const char *const sending[] = {"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"};
    struct smtp_server_options options;
    struct smtp_wire wire;
    char line[100];
    with_users(&options);
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), 0);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"),
                    "AUTH SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5\n");
    for (size_t i = 0; i < COUNT(sending); i++) {
        snprintf(line, sizeof line, "AUTH %s", sending[i]);
        expect_contains(smtp_wire_ask(&wire, line), "538 5.7.11 ");
    }
    expect_contains(SAY(&wire, "AUTH PLAIN ", "\0ann\0secret"), "538 5.7.11 ");
    expect_contains(smtp_wire_ask(&wire, "STARTTLS"), "220 ");
    expect_true(smtp_wire_secure(&wire, context, "localhost", NULL));
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"),
                    "AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 CRAM-MD5 "
                    "PLAIN LOGIN XOAUTH2 OAUTHBEARER\n");
    smtp_wire_close(&wire);
    smtp_server_free(server);
    smtp_tls_context_release(context);
}

TEST(server_auth_tls, a_login_before_tls_is_forgotten_and_so_is_an_exchange_rfc3207_4_2)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    with_users(&options);
    options.auth.required = true;
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), 0);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "AUTH ");
    expect_contains(log_in(&wire, "CRAM-MD5", "ann", "secret"), "235 ");
    expect_contains(smtp_wire_ask(&wire, "STARTTLS"), "220 ");
    expect_true(smtp_wire_secure(&wire, context, "localhost", NULL));
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "AUTH ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "530 5.7.0 ");
    expect_contains(log_in(&wire, "SCRAM-SHA-256-PLUS", "ann", "secret"), "235 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "250 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
    smtp_tls_context_release(context);
}

TEST(server_auth_tls, a_client_that_was_told_of_no_plus_is_refused_where_it_is_offered_rfc5802_6)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    with_users(&options);
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), 0);
    secured(&wire, server, 0, context, NULL);
    expect_contains(SAY(&wire, "AUTH SCRAM-SHA-256 ", "y,,n=ann,r=abc"), "535 ");
    expect_contains(SAY(&wire, "AUTH SCRAM-SHA-256 ", "n,,n=ann,r=abc"), "334 ");
    expect_contains(smtp_wire_ask(&wire, "*"), "501 ");
    smtp_wire_close(&wire);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "AUTH ");
    expect_contains(SAY(&wire, "AUTH SCRAM-SHA-256 ", "y,,n=ann,r=abc"), "334 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
    options.auth.mechanisms = "SCRAM-SHA-256";
    server = started(&options);
    smtp_tls_context_release(context);
    context = trusting(smtp_server_ca_pem(server), 0);
    secured(&wire, server, 0, context, NULL);
    expect_contains(SAY(&wire, "AUTH SCRAM-SHA-256 ", "y,,n=ann,r=abc"), "334 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
    smtp_tls_context_release(context);
}

TEST(server_auth_tls, plus_binds_to_this_connection_and_not_to_another_rfc5802_6)
{
    struct smtp_server_options options;
    struct smtp_wire wire, other;
    with_users(&options);
    struct smtp_server *server = started(&options);
    struct ssl_ctx_st *context = trusting(smtp_server_ca_pem(server), 0);
    secured(&wire, server, 0, context, NULL);
    secured(&other, server, 0, context, NULL);
    expect_contains(log_in_bound_to(&wire, &other, "SCRAM-SHA-256-PLUS", "ann", "secret"), "535 ");
    expect_contains(log_in_bound_to(&wire, &wire, "SCRAM-SHA-256-PLUS", "ann", "secret"), "235 ");
    smtp_wire_close(&other);
    smtp_wire_close(&wire);
    smtp_server_free(server);
    smtp_tls_context_release(context);
}

/* ---- EXTERNAL ---- */

static struct ssl_ctx_st *showing(const char *ca_pem, const struct smtp_identity *identity)
{
    const struct smtp_tls_trust trust = {.ca_pem = ca_pem, .identity = identity};
    struct ssl_ctx_st *context = NULL;
    expect_int(smtp_tls_client_context(&context, &trust, NULL), SMTP_OK);
    return context;
}

struct certified {
    struct smtp_server_options options;
    struct smtp_identity *own, *client;
    struct smtp_server *server;
    struct ssl_ctx_st *context;
};

/* The client shows a certificate for ann. */
static void certify(struct certified *certified)
{
    with_users(&certified->options);
    expect_int(smtp_identity_new(&certified->own, NULL, NULL), SMTP_OK);
    expect_int(smtp_identity_new_client(&certified->client, certified->own, "ann", NULL), SMTP_OK);
    certified->options.tls.identity = certified->own;
    certified->options.tls.client_ca_pem = smtp_identity_ca_pem(certified->own);
}

static void start_certified(struct certified *certified)
{
    certified->server = started(&certified->options);
    certified->context = showing(smtp_identity_ca_pem(certified->own), certified->client);
}

static void end_certified(struct certified *certified)
{
    smtp_server_free(certified->server);
    smtp_tls_context_release(certified->context);
    smtp_identity_release(certified->client);
    smtp_identity_release(certified->own);
}

TEST(server_auth_tls, external_logs_in_whom_the_certificate_names_rfc4422_a)
{
    struct certified certified;
    struct smtp_wire wire;
    certify(&certified);
    start_certified(&certified);
    secured(&wire, certified.server, 0, certified.context, NULL);
    expect_contains(SAY(&wire, "AUTH EXTERNAL ", "bob"), "535 5.7.8 ");
    expect_contains(smtp_wire_ask(&wire, "AUTH EXTERNAL ="), "235 ");
    send_and_quit(&wire);
    struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(certified.server), 1);
    expect_str(smtp_message_identity(message), "ann");
    smtp_message_release(message);
    secured(&wire, certified.server, 1, certified.context, NULL);
    expect_str(smtp_wire_ask(&wire, "AUTH EXTERNAL"), "334 ");
    expect_contains(smtp_wire_ask(&wire, ""), "235 ");
    smtp_wire_close(&wire);
    secured(&wire, certified.server, 1, certified.context, NULL);
    expect_contains(SAY(&wire, "AUTH EXTERNAL ", "ann"), "235 ");
    smtp_wire_close(&wire);
    end_certified(&certified);
}

TEST(server_auth_tls, external_is_not_there_without_a_certificate)
{
    struct certified certified;
    struct smtp_wire wire;
    certify(&certified);
    start_certified(&certified);
    smtp_tls_context_release(certified.context);
    certified.context = trusting(smtp_identity_ca_pem(certified.own), 0);
    secured(&wire, certified.server, 0, certified.context, NULL);
    const char *offer = smtp_wire_ask(&wire, "EHLO c.example");
    expect_contains(offer, "AUTH ");
    expect_true(strstr(offer, "EXTERNAL") == NULL);
    expect_contains(smtp_wire_ask(&wire, "AUTH EXTERNAL ="), "504 ");
    smtp_wire_close(&wire);
    end_certified(&certified);
}

static enum smtp_server_verdict only_for_bob(void *user,
                                             const struct smtp_server_session_info *session,
                                             const struct smtp_server_credentials *credentials,
                                             struct smtp_server_reply *reply)
{
    (void)user;
    (void)reply;
    expect_str(session->tls->peer_subject, "ann");
    expect_str(credentials->mechanism, "EXTERNAL");
    expect_str(credentials->identity, "ann");
    expect_true(credentials->secret == NULL);
    return strcmp(credentials->authorization_identity, "bob") == 0 ? SMTP_ACCEPT : SMTP_REFUSE;
}

TEST(server_auth_tls, with_external_a_hook_says_whom_one_may_act_as)
{
    struct certified certified;
    struct smtp_wire wire;
    certify(&certified);
    certified.options.hooks.auth = only_for_bob;
    start_certified(&certified);
    secured(&wire, certified.server, 0, certified.context, NULL);
    expect_contains(smtp_wire_ask(&wire, "AUTH EXTERNAL ="), "535 5.7.8 ");
    expect_contains(SAY(&wire, "AUTH EXTERNAL ", "cat"), "535 5.7.8 ");
    expect_contains(SAY(&wire, "AUTH EXTERNAL ", "bob"), "235 ");
    smtp_wire_close(&wire);
    end_certified(&certified);
}
