/* secure.c - TLS between the socket and the session: the handshake, octets in and out, resumption (RFC
 * 8446, RFC 3207 4.1). Knows: whom the certificate must be for, how much is encrypted ahead, to whom an
 * earlier session may be offered.
 * Does not know: commands and replies; cryptography (common/tls.h). */
#include "client/client.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/net.h"

#include <string.h>

#define WIRE_SIZE 16384
#define ENCRYPTED_AHEAD ((size_t)262144) /* content is encrypted in pieces of this size */

enum smtp_status smtp_client_secure_prepare(struct smtp_client *client)
{
    const struct smtp_client_tls *tls = &client->options.tls;
    if (client->tls_context != NULL) {
        return SMTP_OK;
    }
    if (tls->context != NULL) {
        client->tls_context = smtp_tls_context_retain(tls->context);
        return SMTP_OK;
    }
    struct smtp_tls_trust trust = {tls->ca_file, tls->ca_pem, tls->insecure, tls->identity};
    if (trust.ca_file == NULL && trust.ca_pem == NULL && tls->find_ca_pem != NULL) {
        trust.ca_pem = tls->find_ca_pem(tls->find_ca_user);
        trust.ca_pem = trust.ca_pem != NULL && *trust.ca_pem != '\0' ? trust.ca_pem : NULL;
    }
    return smtp_tls_client_context(&client->tls_context, &trust, &client->error);
}

void smtp_client_secure_clear(struct smtp_client *client)
{
    smtp_tls_session_free(client->tls_session);
    smtp_tls_context_release(client->tls_context);
}

/* ---- the handshake ---- */

/* Whom the certificate must be for: a Unix socket has no name of its own. */
static const char *name_to_verify(const struct smtp_client *client)
{
    if (client->options.tls.name != NULL) {
        return client->options.tls.name;
    }
    return client->address.kind == SMTP_ADDRESS_TCP ? client->address.host : "localhost";
}

static bool is_same_address(const struct smtp_address *a, const struct smtp_address *b)
{
    return a->kind == b->kind && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* The connection is of no more use, and the session neither. */
static enum smtp_status fail(struct smtp_client *client, enum smtp_status status, const char *why)
{
    char where[SMTP_ADDRESS_TEXT_SIZE];
    smtp_address_format(&client->address, where);
    smtp_error_set(&client->error, status, 0, "no TLS with %.80s: %.160s", where, why);
    client->stage = SMTP_STAGE_STARTTLS;
    smtp_client_connection_close(client);
    if (smtp_client_session_ended(client->session)) {
        smtp_client_note(client, SMTP_CLIENT_LOG_NOTE, client->error.message);
    } else {
        smtp_client_session_abandon(client->session, status, client->error.message);
    }
    return status;
}

/* Writes what is pending before the deadline, an alert too. False: nothing can be written any more; what the
 * server said before may still lie there. */
static bool flush(struct smtp_client *client, uint64_t deadline_ns)
{
    struct smtp_span pending = smtp_tls_pending(client->tls);
    while (pending.len > 0) {
        struct iovec part = {(void *)(uintptr_t)pending.bytes, pending.len};
        size_t len = 0;
        enum smtp_status status = smtp_net_write(client->fd, &part, 1, deadline_ns, &len);
        if (status != SMTP_OK) {
            return status == SMTP_TIMED_OUT;
        }
        smtp_tls_sent(client->tls, len);
        pending = smtp_tls_pending(client->tls);
    }
    return true;
}

/* Reads some of the server's half. SMTP_TIMED_OUT while there is time: nothing came; else what fail() said. */
static enum smtp_status read_handshake(struct smtp_client *client, uint64_t until_ns)
{
    char wire[WIRE_SIZE];
    size_t len = 0;
    enum smtp_status status = smtp_net_read(client->fd, wire, sizeof(wire), until_ns, &len);
    if (smtp_clock_now_ns() >= client->handshake_deadline_ns) {
        return fail(client, SMTP_TIMED_OUT, "the handshake did not end in time");
    }
    if (status == SMTP_TIMED_OUT) {
        return status;
    }
    if (status != SMTP_OK) {
        return fail(client, SMTP_TLS_FAILED, "the server closed the connection in the handshake");
    }
    return smtp_tls_receive(client->tls, wire, len)
               ? SMTP_OK
               : fail(client, SMTP_TLS_FAILED, "the server's handshake is too long");
}

static void note_secured(const struct smtp_client *client)
{
    char text[160];
    const struct smtp_tls_facts *facts = smtp_tls_facts(client->tls);
    snprintf(text, sizeof(text), "%s, %s%s", facts->version, facts->cipher,
             facts->resumed ? ", resumed" : "");
    smtp_client_note(client, SMTP_CLIENT_LOG_TLS, text);
}

enum smtp_status smtp_client_secure_begin(struct smtp_client *client)
{
    struct ssl_session_st *earlier = is_same_address(&client->address, &client->tls_session_address)
                                         ? client->tls_session
                                         : NULL;
    client->encrypted = 0;
    client->handshake_deadline_ns = smtp_deadline_earlier(
        smtp_deadline_after(smtp_clock_now_ns(), client->options.timeouts.handshake_ms),
        client->overall_deadline_ns);
    client->tls = smtp_tls_new_client(client->tls_context, name_to_verify(client), earlier);
    return client->tls != NULL ? SMTP_OK : fail(client, SMTP_NO_MEMORY, "out of memory");
}

enum smtp_status smtp_client_secure_shake(struct smtp_client *client, uint64_t until_ns)
{
    for (;;) {
        enum smtp_tls_progress progress = smtp_tls_handshake(client->tls);
        bool open = flush(client, until_ns);
        if (progress == SMTP_TLS_DONE) {
            note_secured(client);
            return SMTP_OK;
        }
        if (progress != SMTP_TLS_WAITS) {
            return fail(client, SMTP_TLS_FAILED, smtp_tls_error(client->tls));
        }
        enum smtp_status status = read_handshake(client, open ? until_ns : 0);
        if (status == SMTP_TIMED_OUT && !open && client->tls != NULL) {
            return fail(client, SMTP_TLS_FAILED,
                        "the server closed the connection in the handshake");
        }
        if (status != SMTP_OK) {
            return status;
        }
    }
}

enum smtp_status smtp_client_secure_start(struct smtp_client *client)
{
    enum smtp_status status = smtp_client_secure_begin(client);
    return status == SMTP_OK ? smtp_client_secure_shake(client, client->handshake_deadline_ns)
                             : status;
}

/* ---- octets ---- */

bool smtp_client_secure_take(struct smtp_client *client)
{
    size_t len = 0;
    switch (smtp_tls_read(client->tls, client->in, sizeof(client->in), &len)) {
    case SMTP_TLS_DONE:
        client->in_at = 0;
        client->in_len = len;
        return true;
    case SMTP_TLS_WAITS:
        return false;
    case SMTP_TLS_ENDED:
        smtp_client_session_lost(client->session);
        return false;
    case SMTP_TLS_BROKEN:
        break;
    }
    smtp_client_session_abandon(client->session, SMTP_TLS_FAILED, smtp_tls_error(client->tls));
    return false;
}

enum smtp_status smtp_client_secure_read(struct smtp_client *client)
{
    char wire[WIRE_SIZE];
    size_t len = 0;
    enum smtp_status status = smtp_net_read(client->fd, wire, sizeof(wire), 0, &len);
    if (status == SMTP_OK && !smtp_tls_receive(client->tls, wire, len)) {
        status = SMTP_NO_MEMORY;
    }
    if (status == SMTP_OK) {
        (void)smtp_client_secure_take(client);
    }
    return status;
}

/* Encrypts some of what the session has to say. False: it cannot be. */
static bool encrypt_some(struct smtp_client *client)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    int count = smtp_client_session_pending(client->session, parts);
    for (int i = 0; i < count && client->encrypted < ENCRYPTED_AHEAD; i++) {
        size_t room = ENCRYPTED_AHEAD - client->encrypted;
        parts[i].len = parts[i].len < room ? parts[i].len : room;
        if (!smtp_tls_write(client->tls, parts[i])) {
            return false;
        }
        client->encrypted += parts[i].len;
    }
    return true;
}

bool smtp_client_secure_wants_to_write(const struct smtp_client *client)
{
    return smtp_tls_pending(client->tls).len > 0;
}

/* The session hears that its octets are sent as their encrypted form goes out, the last of them with
 * the last octet of the wire: so its deadlines run as they do in the clear. */
enum smtp_status smtp_client_secure_write(struct smtp_client *client)
{
    if (smtp_tls_pending(client->tls).len == 0 && !encrypt_some(client)) {
        smtp_client_session_abandon(client->session, SMTP_TLS_FAILED, smtp_tls_error(client->tls));
        return SMTP_OK;
    }
    struct smtp_span pending = smtp_tls_pending(client->tls);
    struct iovec part = {(void *)(uintptr_t)pending.bytes, pending.len};
    size_t len = 0;
    enum smtp_status status = smtp_net_write(client->fd, &part, 1, 0, &len);
    if (status != SMTP_OK) {
        return status;
    }
    smtp_tls_sent(client->tls, len);
    size_t told = client->encrypted;
    if (len < pending.len && told > 0) {
        told = len < told - 1 ? len : told - 1;
    }
    client->encrypted -= told;
    if (told > 0) {
        smtp_client_session_sent(client->session, told, smtp_clock_now_ns());
    }
    return SMTP_OK;
}

/* TLS 1.3 tickets come behind the handshake, so the session is taken at the end. A close_notify goes
 * out only where all before it did: the end of content that is given up must not follow it. */
void smtp_client_secure_end(struct smtp_client *client)
{
    struct ssl_session_st *session = smtp_tls_session(client->tls);
    if (session != NULL) {
        smtp_tls_session_free(client->tls_session);
        client->tls_session = session;
        client->tls_session_address = client->address;
    }
    if (smtp_tls_pending(client->tls).len == 0) {
        smtp_tls_shut_down(client->tls);
        (void)flush(client, 0);
    }
    smtp_tls_free(client->tls);
    client->tls = NULL;
}
