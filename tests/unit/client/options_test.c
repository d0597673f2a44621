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
    char texts[6][32] = {"me.example",  "127.0.0.1", "mx.example",
                         "/tmp/ca.pem", "PEM",       "v1 unknown"};
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
    options.proxy_header = texts[5];
    options.tls.identity = identity;
    expect_int(smtp_client_new(&client, &options), SMTP_OK);
    memset(texts, 'x', sizeof(texts));
    smtp_identity_release(identity);
    expect_str(client->options.helo_name, "me.example");
    expect_str(client->options.source_address, "127.0.0.1");
    expect_str(client->options.tls.name, "mx.example");
    expect_str(client->options.tls.ca_file, "/tmp/ca.pem");
    expect_str(client->options.tls.ca_pem, "PEM");
    expect_str(client->options.proxy_header, "v1 unknown");
    expect_contains(smtp_identity_ca_pem(client->options.tls.identity), "BEGIN CERTIFICATE");
    smtp_client_free(client);
}

/* RFC 5890 2.3.2.1: what goes out, and what a certificate has, are A-labels. */
TEST(client_options, names_that_are_not_ascii_are_kept_as_a_labels)
{
    struct smtp_client_options options;
    struct smtp_client *client = NULL;
    smtp_client_options_init(&options);
    options.helo_name = "b\xC3\xBC.example";
    options.tls.name = "m\xC3\xBC.example";
    expect_int(smtp_client_new(&client, &options), SMTP_OK);
    expect_str(client->options.helo_name, "xn--b-eha.example");
    expect_str(client->options.tls.name, "xn--m-eha.example");
    smtp_client_free(client);
    options.helo_name = "\xCC\x88.example";
    expect_int(smtp_client_new(&client, &options), SMTP_BAD_ARGUMENT);
    options.helo_name = NULL;
    options.tls.name = "\xCC\x88.example";
    expect_int(smtp_client_new(&client, &options), SMTP_BAD_ARGUMENT);
}

static struct smtp_error connect_error(const char *host)
{
    struct smtp_client *client = NULL;
    expect_int(smtp_client_new(&client, NULL), SMTP_OK);
    expect_int(smtp_client_connect(client, host, 25), SMTP_BAD_ARGUMENT);
    struct smtp_error error = *smtp_client_error(client);
    smtp_client_free(client);
    return error;
}

TEST(client_options, a_host_that_is_no_name_is_not_looked_up)
{
    struct smtp_error error = connect_error("\xCC\x88x.example");
    expect_contains(error.message, "the label \"\xCC\x88x\"");
    error = connect_error("b\xFC.example");
    expect_contains(error.message, "no UTF-8");
}
