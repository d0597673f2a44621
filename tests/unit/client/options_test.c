/* options_test.c - the client's defaults, and that what it is given is copied. */
#include "client/client.h"
#include "tests/support/test.h"

TEST(client_options, defaults)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    expect_int(options.tls.policy, SMTP_CLIENT_TLS_NEVER);
    expect_true(!options.tls.insecure);
    expect_int(options.timeouts.handshake_ms, 30000);
    expect_int(options.timeouts.greeting_ms, 300000); /* RFC 5321 4.5.3.2.1 */
    expect_int(options.timeouts.final_ms, 600000);    /* RFC 5321 4.5.3.2.6 */
    expect_true(options.pipelining);
}

/* The texts may be gone after smtp_client_new, and the certificate given back. */
TEST(client_options, texts_and_references_are_the_clients_own)
{
    char texts[5][32] = {"me.example", "127.0.0.1", "mx.example", "/tmp/ca.pem", "PEM"};
    struct smtp_identity *identity = NULL;
    struct smtp_client_options options;
    struct smtp_client *client = NULL;
    expect_int(smtp_identity_new(&identity, NULL, NULL), SMTP_OK);
    smtp_client_options_init(&options);
    options.helo_name = texts[0];
    options.source_address = texts[1];
    options.tls.name = texts[2];
    options.tls.ca_file = texts[3];
    options.tls.ca_pem = texts[4];
    options.tls.identity = identity;
    expect_int(smtp_client_new(&client, &options), SMTP_OK);
    memset(texts, 'x', sizeof(texts));
    smtp_identity_release(identity);
    expect_str(client->options.helo_name, "me.example");
    expect_str(client->options.source_address, "127.0.0.1");
    expect_str(client->options.tls.name, "mx.example");
    expect_str(client->options.tls.ca_file, "/tmp/ca.pem");
    expect_str(client->options.tls.ca_pem, "PEM");
    expect_contains(smtp_identity_ca_pem(client->options.tls.identity), "BEGIN CERTIFICATE");
    smtp_client_free(client);
}
