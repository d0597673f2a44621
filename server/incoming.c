/* incoming.c - see incoming.h.
 * Knows: that the session takes octets straight from the loop's read buffer, and only what it does not
 * take yet is copied. Does not know: the protocol, when to read (connection.c). */
#include "server/incoming.h"

#include "common/secret.h"
#include "server/disturb.h"
#include "server/hooks.h"
#include "server/loop.h"
#include "server/naming.h"
#include "server/outgoing.h"
#include "server/protocol/session.h"
#include "server/secure.h"

/* The first octet of a TLS handshake (RFC 8446 5.1), which no command begins with. */
#define TLS_HANDSHAKE_RECORD 0x16

bool smtp_server_may_take(const struct smtp_server_connection *connection)
{
    return connection->stage == SMTP_SERVER_TALKING && !connection->busy && !connection->sated &&
           !smtp_server_disturb_holds(connection) &&
           smtp_server_session_wants_input(connection->session) &&
           smtp_server_unsent(connection) <= SMTP_SERVER_UNSENT_MAX;
}

/* Replies can be many times as long as their commands: a peer that asks on and on is answered as much
 * as may be owed at once, and then the others have their turn. */
static void rest_after_share(struct smtp_server_connection *connection)
{
    if (smtp_server_may_take(connection)) {
        smtp_server_loop_share_had(connection->loop, connection);
    }
}

/* Feeds the session; returns how many octets it took. What it has to say is left to be written,
 * unless it takes no more before that is out. */
static size_t take_in(struct smtp_server_connection *connection, const char *bytes, size_t len)
{
    uint64_t now_ns = smtp_server_loop_now_ns(connection->loop);
    size_t taken = 0;
    while (taken < len && smtp_server_may_take(connection)) {
        size_t used =
            smtp_server_session_receive(connection->session, bytes + taken, len - taken, now_ns);
        taken += used;
        bool asked = smtp_server_answer_events(connection);
        if (!smtp_server_may_take(connection)) {
            smtp_server_flush(connection);
            rest_after_share(connection);
        } else if (used == 0 && !asked) {
            break;
        }
    }
    return taken;
}

void smtp_server_take_waiting(struct smtp_server_connection *connection)
{
    struct smtp_span span = smtp_buffer_span(&connection->waiting);
    if (span.len > 0 && connection->stage == SMTP_SERVER_TALKING) {
        smtp_buffer_take(&connection->waiting, take_in(connection, span.bytes, span.len));
        if (connection->waiting.len == 0) {
            smtp_secret_free_buffer(&connection->waiting);
        }
        smtp_server_flush(connection);
    }
    if (connection->tls != NULL && connection->stage == SMTP_SERVER_TALKING) {
        smtp_server_secure_go_on(connection);
        smtp_server_flush(connection);
    }
}

void smtp_server_take(struct smtp_server_connection *connection, const char *bytes, size_t len)
{
    size_t taken = connection->waiting.len == 0 ? take_in(connection, bytes, len) : 0;
    if (connection->stage != SMTP_SERVER_TALKING || taken == len ||
        smtp_server_session_ended(connection->session)) {
        return;
    }
    if (smtp_buffer_append(&connection->waiting, bytes + taken, len - taken) != SMTP_OK) {
        smtp_server_connection_cut(connection, "out of memory");
    }
}

/* In the clear. A peer that begins with TLS here waits for an answer that SMTP cannot give. */
static void take_clear(struct smtp_server_connection *connection, struct smtp_span fresh)
{
    if (!connection->heard && !connection->busy && fresh.bytes[0] == TLS_HANDSHAKE_RECORD) {
        smtp_server_log(connection, SMTP_LOG_NOTE,
                        SMTP_SPAN("a TLS handshake came where a command was expected: this address "
                                  "begins in the clear, then STARTTLS"));
        smtp_server_connection_end(connection, "TLS where a command was expected");
        return;
    }
    connection->heard = true;
    smtp_server_take(connection, fresh.bytes, fresh.len);
}

void smtp_server_take_wire(struct smtp_server_connection *connection, struct smtp_span wire)
{
    if (connection->tls != NULL) {
        smtp_server_secure_take(connection, wire);
    } else if (connection->stage == SMTP_SERVER_TALKING) {
        take_clear(connection, wire);
    } else if (connection->disturbance != NULL && !smtp_server_disturb_reads(connection) &&
               smtp_buffer_append(&connection->waiting, wire.bytes, wire.len) != SMTP_OK) {
        smtp_server_connection_cut(connection, "out of memory"); /* came behind a PROXY header */
    }
}

void smtp_server_take_turn(struct smtp_server_connection *connection)
{
    struct smtp_span fresh = connection->fresh;
    connection->fresh.len = 0;
    if (fresh.len == 0) {
        return;
    }
    if (connection->stage == SMTP_SERVER_DROPPING) {
        connection->dropped += fresh.len;
    } else if (connection->stage == SMTP_SERVER_NAMING) {
        smtp_server_naming_take(connection, fresh);
    } else {
        smtp_server_take_wire(connection, fresh);
    }
}
