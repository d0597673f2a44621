/* faulty_server.c - see faulty_server.h. */
#include "tests/end_to_end/faulty_server.h"

#include "common/clock.h"
#include "common/deadline.h"
#include "common/net.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#define WAIT_MS 15000 /* for what is to come */

struct faulty faulty_step(enum smtp_server_step_kind kind, const char *verb)
{
    struct faulty faulty = {.kind = kind, .verb = verb};
    smtp_server_options_init(&faulty.options);
    return faulty;
}

static void remember(struct faulty *faulty, const struct smtp_server_step *step)
{
    size_t at = (size_t)snprintf(faulty->seen, sizeof faulty->seen, "%s %.60s|", step->verb,
                                 step->argument);
    size_t count = step->message != NULL ? smtp_message_recipient_count(step->message) : 0;
    for (size_t i = 0; i < count; i++) {
        at += (size_t)snprintf(faulty->seen + at, sizeof faulty->seen - at, "%.30s,",
                               smtp_message_forward_path(step->message, i));
    }
    snprintf(faulty->seen + at, sizeof faulty->seen - at, "|%d", (int)step->content_octets);
}

static bool on_step(void *user, const struct smtp_server_session_info *session,
                    const struct smtp_server_step *step, struct smtp_server_fault *fault)
{
    struct faulty *faulty = user;
    if (step->kind != faulty->kind ||
        (faulty->verb != NULL && strcmp(step->verb, faulty->verb) != 0) ||
        step->content_octets < faulty->content_octets ||
        (faulty->session != 0 && session->number != faulty->session)) {
        return false;
    }
    remember(faulty, step);
    if (faulty->times != 0 && atomic_load(&faulty->due) >= faulty->times) {
        return false;
    }
    *fault = faulty->fault;
    if (fault->identity != NULL) {
        smtp_identity_retain(fault->identity);
    }
    atomic_fetch_add(&faulty->due, 1);
    return true;
}

void faulty_start(struct faulty *faulty, bool under_tls)
{
    struct smtp_server_hooks table = {.user = faulty, .fault = on_step};
    faulty->is_secured = under_tls;
    diary_open(&faulty->diary, &faulty->options);
    faulty->options.receivers = &table;
    faulty->options.receiver_count = 1;
    faulty->server = started(&faulty->options);
    faulty->trust = under_tls ? trusting(smtp_server_ca_pem(faulty->server), 0) : NULL;
}

void faulty_open(struct faulty *faulty, struct smtp_wire *wire)
{
    if (faulty->is_secured) {
        secured(wire, faulty->server, 0, faulty->trust, NULL);
        return;
    }
    greeted(wire, faulty->server);
    expect_contains(smtp_wire_ask(wire, "EHLO c.example"), "250 ");
}

void faulty_open_transaction(struct faulty *faulty, struct smtp_wire *wire)
{
    faulty_open(faulty, wire);
    expect_contains(smtp_wire_ask(wire, "MAIL FROM:<ann@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "RCPT TO:<bob@example.com>"), "250 ");
}

size_t faulty_message_count(const struct faulty *faulty)
{
    return smtp_mailbox_count(smtp_server_mailbox(faulty->server));
}

void faulty_stop(struct faulty *faulty)
{
    smtp_server_free(faulty->server);
    smtp_tls_context_release(faulty->trust);
    diary_close(&faulty->diary);
    smtp_identity_release(faulty->fault.identity);
}

size_t one_read(struct smtp_wire *wire, char *octets, size_t size, uint64_t wait_ms)
{
    size_t got = 0;
    uint64_t until_ns = smtp_deadline_after(smtp_clock_now_ns(), wait_ms);
    return smtp_net_read(wire->fd, octets, size, until_ns, &got) == SMTP_OK ? got : 0;
}

static ssize_t read_on(struct smtp_wire *wire, char *octets, size_t size)
{
    char cipher[4096];
    size_t got = 0;
    if (wire->tls == NULL) {
        return recv(wire->fd, octets, size, MSG_DONTWAIT);
    }
    enum smtp_tls_progress progress = smtp_tls_read(wire->tls, octets, size, &got);
    if (progress != SMTP_TLS_WAITS) {
        wire->end_came = wire->end_came || progress == SMTP_TLS_ENDED;
        errno = EPROTO; /* where TLS is broken */
        return progress == SMTP_TLS_DONE ? (ssize_t)got : progress == SMTP_TLS_ENDED ? 0 : -1;
    }
    ssize_t len = recv(wire->fd, cipher, sizeof cipher, MSG_DONTWAIT);
    if (len <= 0) {
        return len;
    }
    expect_true(smtp_tls_receive(wire->tls, cipher, (size_t)len));
    return read_on(wire, octets, size);
}

enum wire_end rest_of(struct smtp_wire *wire, char *octets, size_t size, uint64_t wait_ms)
{
    size_t at = 0;
    memcpy(octets, wire->text, wire->len);
    at += wire->len;
    wire->len = 0;
    for (;;) {
        expect_true(at < size - 1);
        ssize_t len = read_on(wire, octets + at, size - 1 - at);
        at += len > 0 ? (size_t)len : 0;
        octets[at] = '\0';
        if (len == 0) {
            return WIRE_ENDED;
        }
        if (len < 0 && errno != EAGAIN) {
            expect_int(errno, ECONNRESET);
            return WIRE_RESET;
        }
        uint64_t until_ns = smtp_deadline_after(smtp_clock_now_ns(), wait_ms);
        if (len < 0 && smtp_net_wait(wire->fd, false, until_ns) != SMTP_OK) {
            return WIRE_SILENT;
        }
    }
}

void expect_rest(struct smtp_wire *wire, char *octets, size_t size, enum wire_end end)
{
    expect_int(rest_of(wire, octets, size, end == WIRE_SILENT ? SILENCE_MS : WAIT_MS), end);
}
