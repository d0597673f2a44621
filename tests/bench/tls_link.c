/* tls_link.c - see tls_link.h. Stands on common/tls.h and raw_client.h alone. */
#include "tests/bench/tls_link.h"

#include "common/clock.h"
#include "common/net.h"
#include "tests/bench/raw_client.h"

#include <unistd.h>

#define PATIENCE_MS 10000 /* loopback: whoever takes longer hangs */

static uint64_t patience_end_ns(void)
{
    return smtp_deadline_after(smtp_clock_now_ns(), PATIENCE_MS);
}

bool tls_link_flush(struct tls_link *link)
{
    struct smtp_span wire = smtp_tls_pending(link->tls);
    bool written = raw_client_write(link->fd, wire.bytes, wire.len);
    smtp_tls_sent(link->tls, wire.len);
    return written;
}

bool tls_link_receive(struct tls_link *link)
{
    char octets[4096];
    size_t len = 0;
    return smtp_net_read(link->fd, octets, sizeof octets, patience_end_ns(), &len) == SMTP_OK &&
           smtp_tls_receive(link->tls, octets, len);
}

static bool shake_hands(struct tls_link *link)
{
    enum smtp_tls_progress progress;
    while ((progress = smtp_tls_handshake(link->tls)) == SMTP_TLS_WAITS) {
        if (!tls_link_flush(link) || !tls_link_receive(link)) {
            return false;
        }
    }
    bool flushed = tls_link_flush(link);
    return flushed && progress == SMTP_TLS_DONE;
}

bool tls_link_say(struct tls_link *link, const char *command, const char *code)
{
    char reply[2048] = "\n";
    size_t at = 1;
    if (!smtp_tls_write(link->tls, smtp_span_of(command)) || !tls_link_flush(link)) {
        return false;
    }
    for (;;) {
        size_t len = 0;
        enum smtp_tls_progress progress =
            smtp_tls_read(link->tls, reply + at, sizeof reply - 1 - at, &len);
        at += len;
        reply[at] = '\0';
        if (progress == SMTP_TLS_DONE && reply[at - 1] == '\n' && strstr(reply, code) != NULL) {
            return true;
        }
        if (progress != SMTP_TLS_DONE && (progress != SMTP_TLS_WAITS || !tls_link_receive(link))) {
            return false;
        }
    }
}

static bool connect_to(struct tls_link *link, uint16_t port, bool starttls)
{
    static const char line[] = "STARTTLS\r\n";
    struct smtp_address address = {.kind = SMTP_ADDRESS_TCP, .host = "127.0.0.1", .port = port};
    if (starttls) {
        link->fd = raw_client_open(port);
        return link->fd >= 0 && raw_client_say(link->fd, line, sizeof line - 1);
    }
    return smtp_net_connect(&address, NULL, patience_end_ns(), &link->fd, NULL) == SMTP_OK;
}

bool tls_link_open(struct tls_link *link, uint16_t port, bool starttls, struct ssl_ctx_st *context,
                   struct ssl_session_st *session)
{
    *link = (struct tls_link){.fd = -1};
    if (!connect_to(link, port, starttls)) {
        return false;
    }
    link->tls = smtp_tls_new_client(context, NULL, session);
    return link->tls != NULL && shake_hands(link);
}

void tls_link_close(struct tls_link *link)
{
    smtp_tls_free(link->tls);
    if (link->fd >= 0) {
        close(link->fd);
    }
    *link = (struct tls_link){.fd = -1};
}
