/* pair.h - a scripted peer with a certificate, and a client that trusts its authority and keeps a log. */
#ifndef SMTP_TESTS_END_TO_END_PAIR_H
#define SMTP_TESTS_END_TO_END_PAIR_H

#include "client/smtp_client.h"
#include "tests/end_to_end/peer.h"

struct pair {
    struct peer peer;
    struct smtp_identity *identity;
    struct smtp_client_options options; /* may be changed until the client connects */
    struct smtp_client *client;
    char log[8000]; /* all but content, a line each */
};

void pair_begin(struct pair *pair, enum smtp_client_tls_policy policy, enum smtp_identity_flaw flaw,
                const char *script);
/** Makes the client where there is none yet. */
enum smtp_status pair_connect(struct pair *pair, const char *host);
/** What the client's last failure says. */
const char *pair_error(const struct pair *pair);
/** The script must have gone as written. */
void pair_end(struct pair *pair);

#endif
