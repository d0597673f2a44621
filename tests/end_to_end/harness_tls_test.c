/* harness_tls_test.c - a harness and TLS: whom its clients trust, what is copied, what its hooks see. */
#include "harness/smtp_harness.h"
#include "tests/support/test.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

static struct smtp_harness *start(struct smtp_harness_options *options)
{
    struct smtp_error error = {.status = SMTP_OK};
    options->wait_ms = 10000;
    struct smtp_harness *harness = smtp_harness_start(options, &error);
    expect_str(error.message, "");
    expect_true(harness != NULL);
    return harness;
}

static enum smtp_status send_to_bob(struct smtp_client *client)
{
    const char *to[] = {"bob@example.com"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};
    return smtp_client_send(client, &envelope, smtp_content_text("sealed\n"), NULL);
}

TEST(harness_tls, its_clients_trust_its_server_with_nothing_prepared)
{
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    struct smtp_harness *harness = start(&options);
    expect_int(smtp_client_starttls(smtp_harness_client(harness)), SMTP_OK);
    expect_int(smtp_client_starttls(smtp_harness_connect(harness)), SMTP_OK);
    expect_int(send_to_bob(smtp_harness_client(harness)), SMTP_OK);
    expect_true(smtp_harness_wait(harness, "tls~^TLSv1 protocol=ESMTPS") != NULL);
    smtp_harness_stop(harness);
}

TEST(harness_tls, its_authority_is_what_another_client_needs)
{
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    struct smtp_harness *harness = start(&options);
    struct smtp_client *client = NULL;
    options.client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    expect_int(smtp_client_new(&client, &options.client), SMTP_OK); /* the system's authorities */
    expect_int(smtp_client_connect(client, smtp_harness_host(harness), smtp_harness_port(harness)),
               SMTP_OK);
    expect_int(send_to_bob(client), SMTP_TLS_FAILED);
    smtp_client_free(client);
    options.client.tls.ca_pem = smtp_harness_ca_pem(harness);
    expect_int(smtp_client_new(&client, &options.client), SMTP_OK);
    expect_int(smtp_client_connect(client, smtp_harness_host(harness), smtp_harness_port(harness)),
               SMTP_OK);
    expect_int(send_to_bob(client), SMTP_OK);
    smtp_client_free(client);
    smtp_harness_stop(harness);
}

TEST(harness_tls, another_authority_in_the_options_is_trusted_in_its_place)
{
    struct smtp_identity *other = NULL;
    struct smtp_harness_options options;
    expect_int(smtp_identity_new(&other, NULL, NULL), SMTP_OK);
    smtp_harness_options_init(&options);
    options.client.tls.ca_pem = smtp_identity_ca_pem(other);
    struct smtp_harness *harness = start(&options);
    expect_int(smtp_client_starttls(smtp_harness_client(harness)), SMTP_TLS_FAILED);
    smtp_harness_stop(harness);
    smtp_identity_release(other);
}

static const char *no_authority(void *user)
{
    ++*(unsigned *)user;
    return NULL;
}

TEST(harness_tls, a_caller_that_is_asked_for_the_authority_is_asked_alone)
{
    unsigned asked = 0;
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.client.tls.find_ca_pem = no_authority;
    options.client.tls.find_ca_user = &asked;
    struct smtp_harness *harness = start(&options);
    struct smtp_client *client = smtp_harness_client(harness);
    expect_int(smtp_client_hello(client), SMTP_OK);
    expect_int(asked, 0); /* not before it is needed */
    expect_int(smtp_client_starttls(client), SMTP_TLS_FAILED);
    expect_int(asked, 1);
    smtp_harness_stop(harness);
}

TEST(harness_tls, what_the_options_point_to_may_be_gone_after_the_start)
{
    struct smtp_identity *identity = NULL, *ann = NULL;
    const char *names[] = {"mail.example.com"};
    struct smtp_identity_options made = {.names = names, .name_count = 1};
    expect_int(smtp_identity_new(&identity, &made, NULL), SMTP_OK);
    expect_int(smtp_identity_new_client(&ann, identity, "ann", NULL), SMTP_OK);
    char *texts[] = {strdup("client.test"), strdup("127.0.0.1"), strdup("mail.example.com"),
                     strdup(smtp_identity_ca_pem(identity))};
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.tls.identity = identity;
    options.server.tls.client_ca_pem = smtp_identity_ca_pem(identity);
    options.server.tls.client_certificate_required = true;
    options.client.helo_name = texts[0];
    options.client.source_address = texts[1];
    options.client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    options.client.tls.name = texts[2];
    options.client.tls.ca_pem = texts[3];
    options.client.tls.identity = ann;
    struct smtp_harness *harness = start(&options);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        memset(texts[i], 'x', strlen(texts[i]));
        free(texts[i]);
    }
    smtp_identity_release(identity);
    smtp_identity_release(ann);
    expect_int(send_to_bob(smtp_harness_client(harness)), SMTP_OK);
    expect_int(send_to_bob(smtp_harness_connect(harness)), SMTP_OK);
    expect_int(smtp_harness_expect(harness, "helo=client.test tls~^TLS count=2"), SMTP_OK);
    smtp_harness_stop(harness);
}

TEST(harness_tls, a_context_of_the_caller_s_is_retained)
{
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.client.tls.context = SSL_CTX_new(TLS_client_method()); /* verifies nothing by itself */
    struct smtp_harness *harness = start(&options);
    SSL_CTX_free(options.client.tls.context);
    expect_int(smtp_client_starttls(smtp_harness_client(harness)), SMTP_OK);
    expect_int(smtp_client_starttls(smtp_harness_connect(harness)), SMTP_OK);
    smtp_harness_stop(harness);
}

/* RFC 8314: the clients begin as the server's first listener does, whatever the policy says. */
TEST(harness_tls, a_first_listener_with_tls_makes_clients_and_url_that_fit)
{
    const char *listen[] = {"smtps://127.0.0.1:0", "127.0.0.1:0"};
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.listen = listen;
    options.server.listen_count = 2;
    struct smtp_harness *harness = start(&options);
    char url[64];
    snprintf(url, sizeof url, "smtps://127.0.0.1:%u", smtp_harness_port(harness));
    expect_str(smtp_harness_url(harness), url);
    expect_int(send_to_bob(smtp_harness_client(harness)), SMTP_OK);
    expect_true(smtp_harness_wait(harness, "protocol=ESMTPS") != NULL);
    smtp_harness_stop(harness);
}

static enum smtp_server_verdict not_now(void *user, const struct smtp_server_session_info *session,
                                        struct smtp_server_reply *reply)
{
    ++*(unsigned *)user;
    return smtp_server_reply(reply, 454, "4.7.0", "session %llu has no TLS now",
                             (unsigned long long)session->number);
}

TEST(harness_tls, the_starttls_hook_decides)
{
    unsigned asked = 0;
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.hooks.user = &asked;
    options.server.hooks.starttls = not_now;
    struct smtp_harness *harness = start(&options);
    struct smtp_client *client = smtp_harness_client(harness);
    expect_int(smtp_client_starttls(client), SMTP_REFUSED_TRANSIENT);
    expect_str(smtp_client_reply(client)->text, "session 1 has no TLS now");
    expect_int(asked, 1);
    expect_int(send_to_bob(client), SMTP_OK);
    smtp_harness_stop(harness);
}

TEST(harness_tls, without_tls_there_is_no_authority)
{
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.tls.mode = SMTP_SERVER_TLS_OFF;
    struct smtp_harness *harness = start(&options);
    expect_str(smtp_harness_ca_pem(harness), "");
    expect_int(smtp_client_starttls(smtp_harness_client(harness)), SMTP_UNSUPPORTED);
    smtp_harness_stop(harness);
}
