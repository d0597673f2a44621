/* peer.c - see peer.h. */
#include "tests/end_to_end/peer.h"

#include "common/clock.h"
#include "common/net.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEER_WAIT_MS 60000

static void peer_fail(struct peer *peer, const char *step, const char *came)
{
    if (peer->failure[0] == '\0') {
        snprintf(peer->failure, sizeof(peer->failure), "at \"%.*s\": %.200s",
                 (int)strcspn(step, "\n"), step, came);
    }
}

uint64_t peer_deadline(void)
{
    return smtp_deadline_after(smtp_clock_now_ns(), PEER_WAIT_MS);
}

/* One read of the socket into TLS. */
static bool peer_receive(struct peer *peer)
{
    char wire[16384];
    size_t len = 0;
    return smtp_net_read(peer->fd, wire, sizeof(wire), peer_deadline(), &len) == SMTP_OK &&
           smtp_tls_receive(peer->tls, wire, len);
}

static bool peer_read_secure(struct peer *peer, char *bytes, size_t capacity, size_t *len)
{
    for (;;) {
        enum smtp_tls_progress progress = smtp_tls_read(peer->tls, bytes, capacity, len);
        if (progress != SMTP_TLS_WAITS || !peer_receive(peer)) {
            peer->ended = progress == SMTP_TLS_ENDED;
            return progress == SMTP_TLS_DONE;
        }
    }
}

static bool peer_read(struct peer *peer)
{
    size_t len = 0;
    char *room = peer->in + peer->in_len;
    size_t capacity = sizeof(peer->in) - peer->in_len;
    bool came = capacity > 0 &&
                (peer->tls != NULL
                     ? peer_read_secure(peer, room, capacity, &len)
                     : smtp_net_read(peer->fd, room, capacity, peer_deadline(), &len) == SMTP_OK);
    peer->in_len += len;
    return came;
}

static void peer_drop(struct peer *peer, size_t len)
{
    peer->in_len -= len;
    memmove(peer->in, peer->in + len, peer->in_len);
}

static void peer_put(struct peer *peer, const char *bytes, size_t len)
{
    while (len > 0) {
        struct iovec part = {(void *)(uintptr_t)bytes, peer->drip ? 1 : len};
        size_t written = 0;
        if (smtp_net_write(peer->fd, &part, 1, peer_deadline(), &written) != SMTP_OK) {
            peer_fail(peer, "S:", "the client is gone");
            return;
        }
        bytes += written;
        len -= written;
    }
}

/* Writes what TLS has pending. */
static void peer_flush(struct peer *peer)
{
    struct smtp_span pending = smtp_tls_pending(peer->tls);
    peer_put(peer, pending.bytes, pending.len);
    smtp_tls_sent(peer->tls, pending.len);
}

static void peer_write(struct peer *peer, const char *bytes, size_t len)
{
    if (peer->tls == NULL) {
        peer_put(peer, bytes, len);
    } else if (smtp_tls_write(peer->tls, (struct smtp_span){bytes, len})) {
        peer_flush(peer);
    } else {
        peer_fail(peer, "S:", smtp_tls_error(peer->tls));
    }
}

/* Writes up to *left octets of what TLS has pending. */
static void peer_flush_some(struct peer *peer, size_t *left)
{
    struct smtp_span pending = smtp_tls_pending(peer->tls);
    size_t len = pending.len < *left ? pending.len : *left;
    peer_put(peer, pending.bytes, len);
    smtp_tls_sent(peer->tls, pending.len);
    *left -= len;
}

/* The server's half of a handshake, or the first octets of it, like "[tls 100]". What the client thinks
 * of it shows in the next step. */
static void peer_tls(struct peer *peer, const char *step)
{
    peer->tls = smtp_tls_new_server(peer->context);
    if (peer->tls == NULL || peer->in_len > 0) {
        peer_fail(peer, step, "octets came in the clear");
        return;
    }
    size_t left = step[4] == ' ' ? strtoul(step + 5, NULL, 10) : SIZE_MAX;
    enum smtp_tls_progress progress;
    while ((progress = smtp_tls_handshake(peer->tls)) == SMTP_TLS_WAITS) {
        peer_flush_some(peer, &left);
        if (left == 0 || !peer_receive(peer)) {
            return;
        }
    }
    peer_flush_some(peer, &left);
    if (progress != SMTP_TLS_DONE) { /* the client said why: what comes next comes in the clear */
        if (smtp_tls_undecrypted(peer->tls) > 0) {
            peer_fail(peer, step, "octets came behind the client's alert");
        }
        smtp_tls_free(peer->tls);
        peer->tls = NULL;
    }
}

/* All S: lines in a row go out in one write. */
static void peer_say(struct peer *peer, const char *step)
{
    char *lines = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&lines, &len);
    expect_true(out != NULL);
    while (strncmp(step, "S: ", 3) == 0) {
        size_t line = strcspn(step, "\n");
        fprintf(out, "%.*s\r\n", (int)line - 3, step + 3);
        step += line + 1;
    }
    fclose(out);
    peer_write(peer, lines, len);
    free(lines);
}

/* The LF of the first line. NULL: none came, and the step has failed. */
static char *peer_line(struct peer *peer, const char *step)
{
    char *lf;
    while ((lf = memchr(peer->in, '\n', peer->in_len)) == NULL) {
        if (!peer_read(peer)) {
            peer_fail(peer, step, "no line came");
            break;
        }
    }
    return lf;
}

static void peer_expect(struct peer *peer, const char *step)
{
    char *lf = peer_line(peer, step);
    if (lf == NULL) {
        return;
    }
    size_t len = (size_t)(lf - peer->in), wanted = strcspn(step, "\n");
    if (len != wanted + 1 || memcmp(peer->in, step, wanted) != 0 || peer->in[wanted] != '\r') {
        *lf = '\0';
        peer_fail(peer, step, peer->in);
    }
    peer_drop(peer, len + 1);
}

static bool content_ends(const struct peer *peer, size_t *len)
{
    if (peer->in_len >= 3 && memcmp(peer->in, ".\r\n", 3) == 0) {
        *len = 3;
        return true;
    }
    const char *end = memmem(peer->in, peer->in_len, "\r\n.\r\n", 5);
    *len = end != NULL ? (size_t)(end - peer->in) + 5 : 0;
    return end != NULL;
}

static void peer_content(struct peer *peer, const char *step)
{
    size_t len;
    while (!content_ends(peer, &len)) {
        if (!peer_read(peer)) {
            peer_fail(peer, step, "the content did not end");
            return;
        }
    }
    peer->content_len = len < sizeof(peer->content) ? len : sizeof(peer->content);
    memcpy(peer->content, peer->in, peer->content_len);
    peer_drop(peer, len);
}

/* So many octets in the clear, whatever they are, as the content; TLS may begin right behind them. */
static void peer_octets(struct peer *peer, const char *step)
{
    size_t wanted = strtoul(step + 8, NULL, 10);
    while (peer->in_len < wanted) {
        size_t len = 0;
        if (smtp_net_read(peer->fd, peer->in + peer->in_len, wanted - peer->in_len, peer_deadline(),
                          &len) != SMTP_OK) {
            peer_fail(peer, step, "so many octets did not come");
            return;
        }
        peer->in_len += len;
    }
    peer->content_len = wanted;
    memcpy(peer->content, peer->in, wanted);
    peer_drop(peer, wanted);
}

/* A chunk of any size that is not the last, as the content. */
static void peer_chunk(struct peer *peer, const char *step)
{
    char octets[40], *end, *lf = peer_line(peer, step);
    if (lf == NULL) {
        return;
    }
    *lf = '\0';
    unsigned long count = strncmp(peer->in, "BDAT ", 5) == 0 ? strtoul(peer->in + 5, &end, 10) : 0;
    if (count == 0 || strcmp(end, "\r") != 0) {
        peer_fail(peer, step, peer->in);
        return;
    }
    peer_drop(peer, (size_t)(lf - peer->in) + 1);
    snprintf(octets, sizeof octets, "[octets %lu]", count);
    peer_octets(peer, octets);
}

/* Until the client closes; with expected false, whatever it sends before. */
static void peer_eof(struct peer *peer, const char *step, bool expected)
{
    while (peer->in_len == 0 || !expected) {
        if (!expected) {
            peer->in_len = 0;
        }
        if (!peer_read(peer)) {
            return;
        }
    }
    peer_fail(peer, step, "octets came where the end was expected");
}

/* The connection before stays open, unread, until the next one is there. */
static void peer_accept(struct peer *peer)
{
    int before = peer->fd;
    peer->in_len = 0;
    smtp_tls_free(peer->tls);
    peer->tls = NULL;
    peer->fd = smtp_net_wait(peer->listener, false, peer_deadline()) == SMTP_OK
                   ? smtp_net_accept(peer->listener)
                   : -1;
    if (before >= 0) {
        close(before);
    }
    if (peer->fd < 0) {
        peer_fail(peer, "[accept]", "nobody connects");
    }
}

/* Takes RCPT after RCPT, and answers each with a long line before it reads the next. */
static void peer_rcpts(struct peer *peer, const char *step)
{
    static const char answer[] = "250 a long and friendly answer to every single recipient\r\n";
    while (peer->failure[0] == '\0') {
        const char *lf = memchr(peer->in, '\n', peer->in_len);
        if (lf != NULL && memcmp(peer->in, "DATA", 4) == 0) {
            return;
        }
        if (lf != NULL) {
            peer_drop(peer, (size_t)(lf - peer->in) + 1);
            peer_write(peer, answer, sizeof(answer) - 1);
        } else if (!peer_read(peer)) {
            peer_fail(peer, step, "no RCPT came");
        }
    }
}

/* In place of its half of the handshake: the alert handshake_failure (RFC 8446 6.2). */
static void peer_alert(struct peer *peer)
{
    static const char alert[] = {21, 3, 3, 0, 2, 2, 40};
    (void)peer_read(peer);
    peer_put(peer, alert, sizeof(alert));
}

/* Octet after octet of a record that does not end, while the client is there. */
static void peer_alive(struct peer *peer)
{
    static const char record[] = {22, 3, 3, 0x40, 0, 2, 0, 0x3f, 0x70};
    (void)peer_read(peer);
    peer_put(peer, record, sizeof(record));
    size_t written = 0;
    for (int sent = 0; sent < 16000; sent++) {
        struct iovec part = {"", 1};
        if (smtp_net_wait(peer->fd, false, smtp_clock_now_ns() + SMTP_NS_PER_MS) == SMTP_OK ||
            smtp_net_write(peer->fd, &part, 1, peer_deadline(), &written) != SMTP_OK) {
            return;
        }
    }
    peer_fail(peer, "[alive]", "the client waits for ever");
}

static void peer_step(struct peer *peer, const char *step)
{
    struct linger reset = {1, 0};
    if (strncmp(step, "S: ", 3) == 0) {
        peer_say(peer, step);
    } else if (strncmp(step, "C: ", 3) == 0) {
        peer_expect(peer, step + 3);
    } else if (strncmp(step, "[content]", 9) == 0) {
        peer_content(peer, step);
    } else if (strncmp(step, "[octets ", 8) == 0) {
        peer_octets(peer, step);
    } else if (strncmp(step, "[chunk]", 7) == 0) {
        peer_chunk(peer, step);
    } else if (strncmp(step, "[rcpts]", 7) == 0) {
        peer_rcpts(peer, step);
    } else if (strncmp(step, "[eof]", 5) == 0) {
        peer_eof(peer, step, true);
    } else if (strncmp(step, "[ignore]", 8) == 0) {
        peer_eof(peer, step, false);
    } else if (strncmp(step, "[some]", 6) == 0) {
        (void)peer_read(peer);
    } else if (strncmp(step, "[tls", 4) == 0) {
        peer_tls(peer, step);
    } else if (strncmp(step, "[alert]", 7) == 0) {
        peer_alert(peer);
    } else if (strncmp(step, "[alive]", 7) == 0) {
        peer_alive(peer);
    } else if (strncmp(step, "[end of tls]", 12) == 0) { /* and the connection stays */
        smtp_tls_shut_down(peer->tls);
        peer_flush(peer);
    } else if (strncmp(step, "[no tls]", 8) == 0) { /* it ends without a close_notify */
        smtp_tls_free(peer->tls);
        peer->tls = NULL;
    } else if (strncmp(step, "[close_notify]", 14) == 0) { /* awaits the client's */
        peer_eof(peer, step, true);
        if (!peer->ended) {
            peer_fail(peer, step, "the connection ended without it");
        }
    } else if (strncmp(step, "[drip]", 6) == 0) {
        peer->drip = true;
    } else if (strncmp(step, "[close]", 7) == 0) {
        close(peer->fd);
        peer->fd = -1;
    } else if (strncmp(step, "[accept]", 8) == 0) {
        peer_accept(peer);
    } else if (strncmp(step, "[reset]", 7) == 0) {
        (void)setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    } else {
        peer_fail(peer, step, "no such step");
    }
}

static void *peer_run(void *argument)
{
    struct peer *peer = argument;
    peer_accept(peer);
    for (const char *at = peer->script; *at != '\0' && peer->failure[0] == '\0';) {
        bool said = strncmp(at, "S: ", 3) == 0;
        peer_step(peer, at);
        do {
            at += strcspn(at, "\n") + 1;
        } while (said && strncmp(at, "S: ", 3) == 0);
    }
    close(peer->fd);
    smtp_tls_free(peer->tls);
    return NULL;
}

static void start_peer(struct peer *peer, const char *where)
{
    struct smtp_error error = {0};
    expect_int(smtp_address_parse(where, 0, &peer->address, &error), SMTP_OK);
    expect_int(smtp_net_listen(&peer->address, &peer->listener, &error), SMTP_OK);
    smtp_address_of_socket(peer->listener, false, &peer->address);
    expect_int(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
}

void peer_start_at(struct peer *peer, const char *where, const char *script)
{
    *peer = (struct peer){.script = script, .fd = -1};
    start_peer(peer, where);
}

void peer_start_tls(struct peer *peer, const struct smtp_identity *identity, const char *script)
{
    struct smtp_error error = {0};
    *peer = (struct peer){.script = script, .fd = -1};
    expect_int(smtp_tls_server_context(&peer->context, identity, NULL, false, &error), SMTP_OK);
    start_peer(peer, "127.0.0.1:0");
}

void peer_start_like(struct peer *peer, const struct peer *other, const char *script)
{
    *peer = (struct peer){.script = script, .fd = -1};
    peer->context = smtp_tls_context_retain(other->context);
    start_peer(peer, "127.0.0.1:0");
}

void peer_start(struct peer *peer, const char *script)
{
    peer_start_at(peer, "127.0.0.1:0", script);
}

void peer_stop(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
    close(peer->listener);
    smtp_tls_context_release(peer->context);
    expect_str(peer->failure, "");
}
