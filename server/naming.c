/* naming.c - see naming.h.
 * Knows: whose header is believed, and who the peer is then. Does not know: how a header is written
 * (proxy.c), sockets. */
#include "server/naming.h"

#include "common/clock.h"
#include "server/hooks.h"
#include "server/incoming.h"
#include "server/outgoing.h"
#include "server/protocol/session.h"
#include "server/proxy.h"
#include "server/secure.h"
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>

#define NOTE_SIZE 512

void smtp_server_naming_give_up(struct smtp_server_connection *connection, const char *reason)
{
    smtp_server_log(connection, SMTP_LOG_CONNECT, smtp_span_of(connection->peer));
    smtp_server_connection_cut(connection, reason);
}

void smtp_server_naming_begin(struct smtp_server_connection *connection)
{
    const struct smtp_server_settings *settings = &connection->loop->server->settings;
    connection->stage = SMTP_SERVER_NAMING;
    connection->stage_due_ns =
        smtp_deadline_after(smtp_clock_now_ns(), settings->config.limits.handshake_timeout_ms);
    if (!smtp_server_trusts(&settings->trusted, connection->peer)) {
        smtp_server_naming_give_up(connection,
                                   "a PROXY header is taken of trusted_peers alone, and "
                                   "the peer is none of them");
        return;
    }
    connection->proxy = calloc(1, sizeof *connection->proxy);
    if (connection->proxy == NULL) {
        smtp_server_connection_cut(connection, "out of memory");
    }
}

/* The header is whole. */
static void begin(struct smtp_server_connection *connection)
{
    char peer[SMTP_ADDRESS_TEXT_SIZE];
    char note[NOTE_SIZE];
    bool named = connection->proxy->named;
    smtp_address_format(&connection->proxy->source, peer);
    free(connection->proxy);
    connection->proxy = NULL;
    if (named && !smtp_server_connection_make_session(connection, peer)) {
        return;
    }
    smtp_server_connection_begin(connection);
    snprintf(note, sizeof note,
             named ? "named by the PROXY header of %.320s"
                   : "the PROXY header of %.320s names no peer",
             connection->peer);
    smtp_server_log(connection, SMTP_LOG_NOTE, smtp_span_of(note));
    if (connection->stage == SMTP_SERVER_SECURING) {
        smtp_server_secure_begin(connection); /* its first octets may be here already */
    }
}

void smtp_server_naming_take(struct smtp_server_connection *connection, struct smtp_span wire)
{
    size_t used;
    enum smtp_server_proxy_progress progress =
        smtp_server_proxy_receive(connection->proxy, wire.bytes, wire.len, &used);
    if (progress == SMTP_SERVER_PROXY_MALFORMED) {
        char reason[NOTE_SIZE];
        snprintf(reason, sizeof reason, "the PROXY header is malformed: %s",
                 connection->proxy->wrong);
        smtp_server_naming_give_up(connection, reason);
        return;
    }
    if (progress == SMTP_SERVER_PROXY_DONE) {
        begin(connection);
        if (used < wire.len) {
            smtp_server_take_wire(connection,
                                  (struct smtp_span){wire.bytes + used, wire.len - used});
        }
    }
}
