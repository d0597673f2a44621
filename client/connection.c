/* connection.c - drives a session over a socket, on the caller's thread: blocking calls with
 * deadlines. Knows: the descriptor, the clock, when to read and when to write. Reading goes first,
 * so that a server that answers in the middle of content is heard. Does not know: commands and
 * replies (client/protocol/). */
#include "client/client.h"
#include "client/proxy.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/net.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

void smtp_client_connection_close(struct smtp_client *client)
{
    if (client->tls != NULL) {
        smtp_client_secure_end(client);
    }
    if (client->fd >= 0) {
        close(client->fd);
        client->fd = -1;
    }
    client->in_at = client->in_len = 0;
}

/* RFC 5321 4.1.4: the name for EHLO is an address literal where there is no better one. */
static void choose_helo_name(struct smtp_client *client)
{
    if (client->options.helo_name != NULL) {
        snprintf(client->helo_name, sizeof(client->helo_name), "%s", client->options.helo_name);
        return;
    }
    struct smtp_address own;
    bool known = smtp_address_of_socket(client->fd, false, &own);
    if (!known || own.kind != SMTP_ADDRESS_TCP || own.host[0] == '\0') {
        snprintf(client->helo_name, sizeof(client->helo_name), "[127.0.0.1]");
        return;
    }
    own.host[strcspn(own.host, "%")] = '\0'; /* an IPv6 zone means nothing to the peer */
    snprintf(client->helo_name, sizeof(client->helo_name),
             strchr(own.host, ':') != NULL ? "[IPv6:%.240s]" : "[%.240s]", own.host);
}

void smtp_client_note(const struct smtp_client *client, enum smtp_client_log_kind kind,
                      const char *text)
{
    if (client->options.log != NULL) {
        client->options.log(client->options.log_user, kind, text, strlen(text));
    }
}

static void note_connected(const struct smtp_client *client)
{
    char text[SMTP_ADDRESS_TEXT_SIZE + 16] = "connected to ";
    smtp_address_format(&client->address, text + strlen(text));
    smtp_client_note(client, SMTP_CLIENT_LOG_NOTE, text);
}

/* The commonest failure of all gets the plainest words. */
static enum smtp_status explain(struct smtp_client *client, enum smtp_status status)
{
    if (status != SMTP_CONNECT_FAILED || client->error.sys_errno != ECONNREFUSED ||
        client->address.kind != SMTP_ADDRESS_TCP) {
        return status;
    }
    return smtp_error_set(&client->error, status, ECONNREFUSED,
                          "cannot connect to %.160s port %u: connection refused; is a server "
                          "listening there?",
                          client->address.host, (unsigned)client->address.port);
}

/* The first octets of all, before TLS: whom the server is to take this client for. */
static enum smtp_status send_proxy_header(struct smtp_client *client, uint64_t deadline_ns)
{
    struct smtp_client_proxy_header header;
    if (client->options.proxy_header == NULL) {
        return SMTP_OK;
    }
    enum smtp_status status =
        smtp_client_proxy_header_make(&header, client->options.proxy_header, &client->error);
    for (size_t sent = 0; status == SMTP_OK && sent < header.len;) {
        struct iovec rest = {header.octets + sent, header.len - sent};
        size_t len = 0;
        status = smtp_net_write(client->fd, &rest, 1, deadline_ns, &len);
        sent += len;
    }
    if (status != SMTP_OK) {
        smtp_client_connection_close(client);
        return smtp_error_set(&client->error, status, 0,
                              "the server closed the connection, or did not read, before the PROXY "
                              "header was sent");
    }
    char text[160];
    snprintf(text, sizeof(text), "PROXY header sent: %.120s", client->options.proxy_header);
    smtp_client_note(client, SMTP_CLIENT_LOG_NOTE, text);
    return SMTP_OK;
}

enum smtp_status smtp_client_connection_entered(struct smtp_client *client, uint64_t deadline_ns)
{
    choose_helo_name(client);
    note_connected(client);
    return send_proxy_header(client, deadline_ns);
}

void smtp_client_connection_opened(struct smtp_client *client)
{
    uint64_t now_ns = smtp_clock_now_ns();
    if (client->lmtp) {
        smtp_client_session_open_lmtp(client->session, now_ns, client->overall_deadline_ns);
    } else {
        smtp_client_session_open(client->session, now_ns, client->overall_deadline_ns);
    }
    if (client->tls != NULL) {
        smtp_client_session_tls_started(client->session, true, now_ns);
    }
}

enum smtp_status smtp_client_connection_open(struct smtp_client *client)
{
    bool implicit = client->options.tls.policy == SMTP_CLIENT_TLS_IMPLICIT;
    enum smtp_status status = implicit ? smtp_client_secure_prepare(client) : SMTP_OK;
    if (status != SMTP_OK) {
        return status;
    }
    uint64_t now_ns = smtp_clock_now_ns();
    client->overall_deadline_ns = smtp_deadline_after(now_ns, client->options.timeouts.overall_ms);
    uint64_t deadline_ns =
        smtp_deadline_earlier(smtp_deadline_after(now_ns, client->options.timeouts.connect_ms),
                              client->overall_deadline_ns);
    status = smtp_net_connect(&client->address, client->options.source_address, deadline_ns,
                              &client->fd, &client->error);
    if (status != SMTP_OK) {
        client->fd = -1;
        return explain(client, status);
    }
    status = smtp_client_connection_entered(client, deadline_ns);
    if (status == SMTP_OK && implicit) {
        status = smtp_client_secure_start(client);
    }
    if (status == SMTP_OK) {
        smtp_client_connection_opened(client);
    }
    return status;
}

static void read_some(struct smtp_client *client)
{
    client->in_at = client->in_len = 0;
    enum smtp_status status;
    if (client->tls == NULL) {
        status = smtp_net_read(client->fd, client->in, sizeof(client->in), 0, &client->in_len);
    } else {
        status = smtp_client_secure_take(client) ? SMTP_OK : smtp_client_secure_read(client);
    }
    if (status != SMTP_OK && status != SMTP_TIMED_OUT) {
        smtp_client_session_lost(client->session);
    }
}

static void take_input(struct smtp_client *client)
{
    size_t used = 0;
    smtp_client_session_receive(client->session, client->in + client->in_at,
                                client->in_len - client->in_at, &used, smtp_clock_now_ns());
    client->in_at += used;
}

/* Writing failed: a reply may still lie there, and says more than a broken pipe. */
static void read_last_words(struct smtp_client *client)
{
    do {
        read_some(client);
        take_input(client);
    } while (client->in_len > 0 && !smtp_client_session_ended(client->session));
    smtp_client_session_lost(client->session);
}

static enum smtp_status write_in_the_clear(struct smtp_client *client)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    struct iovec vectors[SMTP_CLIENT_PENDING_PARTS];
    int count = smtp_client_session_pending(client->session, parts);
    for (int i = 0; i < count; i++) {
        vectors[i] = (struct iovec){(void *)(uintptr_t)parts[i].bytes, parts[i].len};
    }
    size_t len = 0;
    enum smtp_status status = smtp_net_write(client->fd, vectors, count, 0, &len);
    if (status == SMTP_OK) {
        smtp_client_session_sent(client->session, len, smtp_clock_now_ns());
    }
    return status;
}

void smtp_client_connection_write(struct smtp_client *client)
{
    enum smtp_status status =
        client->tls == NULL ? write_in_the_clear(client) : smtp_client_secure_write(client);
    if (status != SMTP_OK && status != SMTP_TIMED_OUT) {
        read_last_words(client);
    }
}

bool smtp_client_connection_wants_to_write(const struct smtp_client *client)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    return smtp_client_session_pending(client->session, parts) > 0 ||
           (client->tls != NULL && smtp_client_secure_wants_to_write(client));
}

bool smtp_client_connection_take(struct smtp_client *client)
{
    bool holds = client->in_at < client->in_len;
    if (holds || (client->tls != NULL && smtp_client_secure_take(client))) {
        take_input(client);
        return true;
    }
    return false;
}

void smtp_client_connection_read(struct smtp_client *client)
{
    read_some(client);
    take_input(client);
}

void smtp_client_connection_move(struct smtp_client *client)
{
    struct smtp_client_session *session = client->session;
    if (smtp_client_connection_take(client) || smtp_client_session_ended(session)) {
        return; /* ended: by TLS, and an event waits */
    }
    bool writing = smtp_client_connection_wants_to_write(client);
    struct pollfd wanted = {.fd = client->fd,
                            .events = (short)(writing ? POLLIN | POLLOUT : POLLIN)};
    uint64_t deadline_ns = smtp_client_session_deadline_ns(session);
    int ready = poll(&wanted, 1, smtp_clock_poll_ms(smtp_clock_now_ns(), deadline_ns));
    if (ready < 0 && errno != EINTR && errno != EAGAIN) {
        smtp_client_session_abandon(session, SMTP_SYSTEM_FAILED, smtp_errno_text(errno));
    } else if (ready > 0 && (wanted.revents & ~POLLOUT) != 0) {
        smtp_client_connection_read(client);
    } else if (ready > 0) {
        smtp_client_connection_write(client);
    }
    /* also of a peer whose octets never pause and never come to a reply */
    smtp_client_session_expire(session, smtp_clock_now_ns());
}

/* One block from the source to the session, or the end. */
static void give_content(struct smtp_client *client, struct smtp_client_source *source)
{
    char block[SMTP_CLIENT_BLOCK_MAX];
    size_t len = 0;
    struct smtp_client_session *session = client->session;
    enum smtp_status status = SMTP_OK;
    uint64_t now_ns = smtp_clock_now_ns();
    if (source->in_one_piece && smtp_client_session_takes_whole(session, &source->facts)) {
        struct smtp_span whole = {source->content.from.memory.bytes,
                                  source->content.from.memory.len};
        smtp_client_session_content_whole(session, whole, now_ns);
    } else if (smtp_client_source_read(source, block, sizeof(block), &len, &client->error) !=
               SMTP_OK) {
        smtp_client_session_abandon(session, SMTP_SOURCE_FAILED, client->error.message);
        return;
    } else if (len > 0) {
        status = smtp_client_session_content(session, block, len, now_ns);
    }
    if (status == SMTP_OK && len == 0) {
        status = smtp_client_session_content_end(session, now_ns);
    }
    if (status != SMTP_OK) {
        smtp_client_session_lost(session); /* it has ended already, and says why */
    }
}

bool smtp_client_connection_give(struct smtp_client *client, struct smtp_client_source *source)
{
    if (!smtp_client_session_takes_content(client->session)) {
        return false;
    }
    give_content(client, source);
    return true;
}

enum smtp_status smtp_client_connection_check(struct smtp_client *client)
{
    if (client->fd < 0) {
        return smtp_error_set(&client->error, SMTP_BAD_STATE, 0,
                              "not connected; call smtp_client_connect first");
    }
    client->answered_each = false;
    struct smtp_client_session *session = client->session;
    if (client->in_at == client->in_len &&
        (client->tls != NULL || smtp_net_wait(client->fd, false, 0) == SMTP_OK)) {
        read_some(client);
    }
    if (client->in_at < client->in_len) {
        take_input(client);
    }
    smtp_client_session_expire(session, smtp_clock_now_ns());
    if (!smtp_client_session_ended(session)) {
        return SMTP_OK;
    }
    client->error = *smtp_client_session_error(session);
    smtp_client_connection_close(client);
    return client->error.status;
}

void smtp_client_connection_run(struct smtp_client *client, struct smtp_client_source *source,
                                struct smtp_client_event *event)
{
    for (;;) {
        bool has_event = smtp_client_session_next_event(client->session, event);
        if (has_event && event->kind != SMTP_CLIENT_EVENT_CONTENT_WANTED) {
            break;
        }
        if (!has_event && !smtp_client_connection_give(client, source)) {
            smtp_client_connection_move(client);
        }
    }
    if (smtp_client_session_ended(client->session)) {
        smtp_client_connection_close(client);
    }
}
