/* tls_pair.c - see tls_pair.h. */
#include "tests/support/tls_pair.h"

#include <stdio.h>
#include <stdlib.h>

#define RECORD_HEADER 5

static void must(enum smtp_status status, const struct smtp_error *error)
{
    if (status != SMTP_OK) {
        fprintf(stderr, "tls_pair: %s\n", error->message);
        abort();
    }
}

void smtp_tls_pair_make(struct smtp_tls_pair *pair, enum smtp_identity_flaw flaw)
{
    *pair = (struct smtp_tls_pair){.identity = NULL};
    struct smtp_error error;
    struct smtp_identity_options options = {.flaw = flaw};
    must(smtp_identity_new(&pair->identity, &options, &error), &error);
    must(smtp_tls_server_context(&pair->server_context, pair->identity, NULL, false, &error),
         &error);
    struct smtp_tls_trust trust = {.ca_pem = smtp_identity_ca_pem(pair->identity)};
    must(smtp_tls_client_context(&pair->client_context, &trust, &error), &error);
}

void smtp_tls_pair_connect(struct smtp_tls_pair *pair, const char *name,
                           struct ssl_session_st *session)
{
    smtp_tls_free(pair->server);
    smtp_tls_free(pair->client);
    pair->server = smtp_tls_new_server(pair->server_context);
    pair->client = smtp_tls_new_client(pair->client_context, name, session);
    pair->server_progress = pair->client_progress = SMTP_TLS_WAITS;
    if (pair->server == NULL || pair->client == NULL) {
        abort();
    }
}

static size_t record_length(struct smtp_span wire)
{
    const unsigned char *header = (const unsigned char *)wire.bytes;
    return wire.len < RECORD_HEADER ? wire.len
                                    : RECORD_HEADER + ((size_t)header[3] << 8 | header[4]);
}

/* How long the next part is; *left_of_record: of a record that was cut. */
static size_t next_part(struct smtp_span wire, enum smtp_delivery delivery, size_t *left_of_record)
{
    if (delivery == SMTP_DELIVER_WHOLE || delivery == SMTP_DELIVER_OCTETS) {
        return delivery == SMTP_DELIVER_WHOLE ? wire.len : 1;
    }
    size_t part = *left_of_record;
    *left_of_record = 0;
    if (part == 0) {
        size_t record = record_length(wire);
        part = delivery == SMTP_DELIVER_HALVES ? record / 2 : record;
        *left_of_record = record - part;
    }
    return part;
}

bool smtp_tls_pair_move(struct smtp_tls *from, struct smtp_tls *to, enum smtp_delivery delivery,
                        enum smtp_tls_progress *progress)
{
    struct smtp_span wire = smtp_tls_pending(from);
    size_t at = 0, left_of_record = 0;
    while (at < wire.len) {
        struct smtp_span left = {wire.bytes + at, wire.len - at};
        size_t part = next_part(left, delivery, &left_of_record);
        if (part > left.len || !smtp_tls_receive(to, left.bytes, part)) {
            abort();
        }
        at += part;
        *progress = smtp_tls_handshake(to);
    }
    smtp_tls_sent(from, at);
    return at > 0;
}

bool smtp_tls_pair_shake(struct smtp_tls_pair *pair)
{
    bool moved = true;
    pair->client_progress = smtp_tls_handshake(pair->client);
    pair->server_progress = smtp_tls_handshake(pair->server);
    while (moved) {
        moved =
            smtp_tls_pair_move(pair->client, pair->server, pair->delivery, &pair->server_progress);
        moved |=
            smtp_tls_pair_move(pair->server, pair->client, pair->delivery, &pair->client_progress);
    }
    return pair->client_progress == SMTP_TLS_DONE && pair->server_progress == SMTP_TLS_DONE;
}

void smtp_tls_pair_free(struct smtp_tls_pair *pair)
{
    smtp_tls_free(pair->server);
    smtp_tls_free(pair->client);
    smtp_tls_context_release(pair->server_context);
    smtp_tls_context_release(pair->client_context);
    smtp_identity_release(pair->identity);
}
