/* secure.c - see secure.h.
 * Knows: when octets go through the handshake, and when to the session. Does not know: how TLS
 * works (common/tls.c), where the certificate comes from (certificate.c), sockets. */
#include "server/secure.h"

#include "common/clock.h"
#include "common/secret.h"
#include "common/tls.h"
#include "server/disturb.h"
#include "server/hooks.h"
#include "server/incoming.h"
#include "server/outgoing.h"
#include "server/protocol/session.h"
#include "server/server.h"

#include <stdio.h>

#define RECORD_MAX 16384 /* plain octets, RFC 8446 5.1 */

/* What TLS has to say (an alert) still goes out; then the connection closes. */
static void fail(struct smtp_server_connection *connection, const char *what, const char *why)
{
    char text[400];
    int len = snprintf(text, sizeof text, "%s: %.300s", what, why);
    smtp_server_log(connection, SMTP_LOG_NOTE, (struct smtp_span){text, (size_t)len});
    smtp_server_connection_end(connection, what);
}

void smtp_server_secure_begin(struct smtp_server_connection *connection)
{
    if (!smtp_server_disturb_connection(connection, SMTP_STEP_TLS)) {
        smtp_server_secure_start(connection, NULL);
    }
}

/* What came behind a PROXY header, while something held TLS up. */
static void take_waiting(struct smtp_server_connection *connection)
{
    struct smtp_buffer waiting = connection->waiting;
    connection->waiting = SMTP_BUFFER(waiting.max);
    smtp_server_secure_take(connection, smtp_buffer_span(&waiting));
    smtp_buffer_free(&waiting);
}

void smtp_server_secure_start(struct smtp_server_connection *connection,
                              const struct smtp_identity *identity)
{
    struct smtp_server *server = connection->loop->server;
    struct smtp_error error = {0};
    struct ssl_ctx_st *context;
    enum smtp_status status =
        identity != NULL
            ? smtp_tls_server_context(&context, identity, server->settings.client_ca_pem,
                                      server->settings.client_certificate_required, &error)
            : smtp_server_certificate_context(&server->certificate, &context, &error);
    if (status != SMTP_OK) {
        fail(connection, "TLS cannot begin", error.message);
        return;
    }
    connection->tls = smtp_tls_new_server(context);
    smtp_tls_context_release(context);
    if (connection->tls == NULL) {
        fail(connection, "TLS cannot begin", "out of memory");
    } else if (connection->waiting.len > 0) {
        take_waiting(connection);
    }
}

void smtp_server_secure_shake_hands(struct smtp_server_connection *connection)
{
    enum smtp_tls_progress progress = smtp_tls_handshake(connection->tls);
    if (progress == SMTP_TLS_WAITS) {
        return;
    }
    if (progress != SMTP_TLS_DONE) {
        fail(connection, "the TLS handshake failed", smtp_tls_error(connection->tls));
        return;
    }
    if (connection->disturbance != NULL) {
        return; /* its octets go out first */
    }
    uint64_t now_ns = smtp_server_loop_now_ns(connection->loop);
    connection->stage = SMTP_SERVER_TALKING;
    smtp_server_session_tls_started(connection->session, smtp_tls_facts(connection->tls),
                                    connection->implicit_tls, now_ns);
    (void)smtp_server_answer_events(connection);
}

void smtp_server_secure_take(struct smtp_server_connection *connection, struct smtp_span wire)
{
    if (connection->stage > SMTP_SERVER_SECURING) {
        return;
    }
    if (!smtp_tls_receive(connection->tls, wire.bytes, wire.len)) {
        smtp_server_connection_cut(connection, "out of memory");
        return;
    }
    if (connection->stage == SMTP_SERVER_SECURING) {
        smtp_server_secure_shake_hands(connection);
    }
    if (connection->stage == SMTP_SERVER_TALKING) {
        smtp_server_secure_go_on(connection);
    }
}

void smtp_server_secure_go_on(struct smtp_server_connection *connection)
{
    char plain[RECORD_MAX];
    size_t longest = 0;
    enum smtp_tls_progress progress = SMTP_TLS_DONE;
    while (progress == SMTP_TLS_DONE && connection->waiting.len == 0 &&
           smtp_server_may_take(connection)) {
        size_t len = 0;
        progress = smtp_tls_read(connection->tls, plain, sizeof plain, &len);
        if (progress == SMTP_TLS_DONE) {
            longest = len > longest ? len : longest;
            smtp_server_take(connection, plain, len);
        }
    }
    smtp_secret_wipe(plain, longest); /* of a password, maybe */
    if (progress == SMTP_TLS_ENDED) {
        connection->end_came = true;
        connection->peer_done = true;
    } else if (progress == SMTP_TLS_BROKEN) {
        fail(connection, "TLS failed", smtp_tls_error(connection->tls));
    }
}

struct smtp_span smtp_server_secure_owed(struct smtp_server_connection *connection)
{
    struct smtp_server_session *session = connection->session;
    if (session != NULL && connection->stage != SMTP_SERVER_SECURING && !connection->end_said) {
        struct smtp_span plain = smtp_server_plain_owed(connection);
        if (plain.len > 0 && !smtp_tls_write(connection->tls, plain)) {
            smtp_server_connection_cut(connection, "out of memory");
            return SMTP_SPAN("");
        }
        smtp_server_plain_sent(connection, plain.len);
        if (smtp_server_session_ended(session) && connection->disturbance == NULL) {
            connection->end_said = true;
            smtp_tls_shut_down(connection->tls);
        }
    }
    return smtp_tls_pending(connection->tls);
}

size_t smtp_server_secure_unsent(const struct smtp_server_connection *connection)
{
    size_t len = smtp_tls_pending(connection->tls).len;
    bool talks = connection->session != NULL && connection->stage != SMTP_SERVER_SECURING;
    return len + (talks ? smtp_server_session_pending(connection->session).len : 0);
}

void smtp_server_secure_say_end(struct smtp_server_connection *connection)
{
    if (connection->tls == NULL || connection->session == NULL || connection->writing ||
        connection->end_said || connection->stage == SMTP_SERVER_SECURING) {
        return;
    }
    connection->end_said = true;
    smtp_tls_shut_down(connection->tls);
    struct smtp_span wire = smtp_tls_pending(connection->tls);
    uv_buf_t part = uv_buf_init((char *)(uintptr_t)wire.bytes, (unsigned)wire.len);
    (void)uv_try_write(&connection->io.stream, &part, 1); /* a peer that is gone misses nothing */
    smtp_tls_sent(connection->tls, wire.len);
}

const char *smtp_server_secure_why_closed(const struct smtp_server_connection *connection)
{
    if (connection->stage == SMTP_SERVER_SECURING) {
        return "the peer closed the connection inside the TLS handshake";
    }
    return connection->tls == NULL || connection->end_came
               ? "the peer closed the connection"
               : "the peer closed the connection without close_notify";
}
