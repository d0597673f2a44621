/* pair.c - see pair.h. */
#include "tests/end_to_end/pair.h"

#include "tests/support/test.h"

#include <stdio.h>

static void keep_log(void *user, enum smtp_client_log_kind kind, const char *text, size_t len)
{
    struct pair *pair = user;
    size_t at = strlen(pair->log);
    if (kind != SMTP_CLIENT_LOG_CONTENT) {
        snprintf(pair->log + at, sizeof(pair->log) - at, "%.*s\n", (int)len, text);
    }
}

void pair_begin(struct pair *pair, enum smtp_client_tls_policy policy, enum smtp_identity_flaw flaw,
                const char *script)
{
    struct smtp_identity_options wanted = {.flaw = flaw};
    struct smtp_error error = {0};
    *pair = (struct pair){.client = NULL};
    expect_int(smtp_identity_new(&pair->identity, &wanted, &error), SMTP_OK);
    peer_start_tls(&pair->peer, pair->identity, script);
    smtp_client_options_init(&pair->options);
    pair->options.tls.policy = policy;
    pair->options.tls.ca_pem = smtp_identity_ca_pem(pair->identity);
    pair->options.log = keep_log;
    pair->options.log_user = pair;
}

enum smtp_status pair_connect(struct pair *pair, const char *host)
{
    if (pair->client == NULL) {
        expect_int(smtp_client_new(&pair->client, &pair->options), SMTP_OK);
    }
    return smtp_client_connect(pair->client, host, pair->peer.address.port);
}

const char *pair_error(const struct pair *pair)
{
    return smtp_client_error(pair->client)->message;
}

void pair_end(struct pair *pair)
{
    smtp_client_free(pair->client);
    peer_stop(&pair->peer);
    smtp_identity_release(pair->identity);
}
