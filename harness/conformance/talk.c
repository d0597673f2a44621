/* talk.c - a connection of a scenario: making one, TLS, writing. Reading is talk_read.c. */
#include "harness/conformance/talk.h"

#include "common/clock.h"
#include "harness/lines.h"

#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SAID_MAX ((size_t)512)
#define REPLY_MAX ((size_t)1 << 20)

static void release(void *thing)
{
    struct smtp_talk *talk = thing;
    smtp_dialogue_wire_clear(&talk->wire);
    smtp_harness_transcript_free(talk->transcript);
    smtp_buffer_free(&talk->taken);
    smtp_buffer_free(&talk->said);
    smtp_buffer_free(&talk->keywords);
    free(talk);
}

bool smtp_talk_make_nowhere(struct smtp_check *check)
{
    struct smtp_talk *talk = calloc(1, sizeof *talk);
    if (talk == NULL) {
        return false;
    }
    talk->check = check;
    smtp_dialogue_wire_init(&talk->wire, -1);
    check->nowhere = smtp_check_own(check, talk, release);
    return check->nowhere != NULL;
}

struct smtp_talk *smtp_talk_new(struct smtp_check *check, int fd, bool is_client)
{
    struct smtp_talk *talk = calloc(1, sizeof *talk);
    if (talk == NULL) {
        close(fd);
        smtp_check_skip(check, "out of memory");
        return check->nowhere;
    }
    *talk = (struct smtp_talk){.check = check,
                               .is_client = is_client,
                               .transcript = smtp_harness_transcript_new(),
                               .taken = SMTP_BUFFER(REPLY_MAX),
                               .said = SMTP_BUFFER(SAID_MAX),
                               .keywords = SMTP_BUFFER(REPLY_MAX)};
    smtp_dialogue_wire_init(&talk->wire, fd);
    if (smtp_check_own(check, talk, release) == NULL) {
        return check->nowhere;
    }
    if (talk->transcript == NULL) {
        smtp_check_skip(check, "out of memory");
        return talk;
    }
    smtp_check_show_dialogue(check, "", talk->transcript);
    talk->before = check->last;
    check->last = talk;
    return talk;
}

void smtp_talk_hang_up(struct smtp_check *check)
{
    for (struct smtp_talk *talk = check->last; talk != NULL; talk = talk->before) {
        smtp_dialogue_wire_clear(&talk->wire);
    }
}

void smtp_talk_log(struct smtp_talk *talk, enum smtp_server_log_kind kind, struct smtp_span text)
{
    const struct smtp_server_log_entry entry = {.kind = kind,
                                                .pipelined = false,
                                                .time_ns = smtp_clock_now_ns(),
                                                .text = text.bytes,
                                                .len = text.len};
    if (talk->transcript != NULL) {
        smtp_harness_transcript_add(talk->transcript, &entry);
    }
}

/* ---- TLS ---- */

static bool secure(struct smtp_talk *talk, struct smtp_tls *tls)
{
    if (tls == NULL) {
        smtp_check_skip(talk->check, "out of memory");
        return false;
    }
    enum smtp_status status = smtp_dialogue_wire_secure(&talk->wire, tls, talk->check->deadline_ns);
    if (status != SMTP_OK) {
        const char *why = smtp_tls_error(tls);
        smtp_talk_log(talk, SMTP_LOG_NOTE, smtp_span_of(why[0] != '\0' ? why : "no handshake"));
        talk->wire.closed_own = true;
        talk->wire.ended = true;
        return false;
    }
    const struct smtp_tls_facts *facts = smtp_tls_facts(tls);
    smtp_talk_log(
        talk, SMTP_LOG_TLS,
        smtp_span_of(smtp_check_text(talk->check, "%s, %s", facts->version, facts->cipher)));
    return true;
}

bool smtp_talk_try_tls(struct smtp_talk *talk, int min_version, int max_version)
{
    struct smtp_check *check = talk->check;
    const struct smtp_tls_trust trust = {.ca_file = check->options->ca_file,
                                         .insecure = check->options->ca_file == NULL};
    struct ssl_ctx_st *context = NULL;
    struct smtp_error error;
    if (check->is_decided) {
        return false;
    }
    if (smtp_tls_client_context(&context, &trust, &error) != SMTP_OK) {
        smtp_check_skip(check, "no TLS: %s", error.message);
        return false;
    }
    bool takes = (min_version == 0 || SSL_CTX_set_min_proto_version(context, min_version) == 1) &&
                 (max_version == 0 || SSL_CTX_set_max_proto_version(context, max_version) == 1);
    bool held = takes && secure(talk, smtp_tls_new_client(context, check->tls_name, NULL));
    smtp_tls_context_release(context);
    return held;
}

void smtp_talk_begin_tls(struct smtp_talk *talk)
{
    if (!smtp_talk_try_tls(talk, 0, 0)) {
        const char *why = talk->wire.tls != NULL ? smtp_tls_error(talk->wire.tls) : "";
        smtp_check_fail(talk->check, "the TLS handshake failed: %s",
                        why[0] != '\0' ? why : "the server did not take part in it");
    }
}

bool smtp_talk_accept_tls(struct smtp_talk *talk, const struct smtp_identity *identity)
{
    struct ssl_ctx_st *context = NULL;
    struct smtp_error error;
    if (talk->check->is_decided) {
        return false;
    }
    if (smtp_tls_server_context(&context, identity, NULL, false, &error) != SMTP_OK) {
        smtp_check_skip(talk->check, "no TLS: %s", error.message);
        return false;
    }
    bool held = secure(talk, smtp_tls_new_server(context));
    smtp_tls_context_release(context);
    return held;
}

/* ---- writing ---- */

static void keep_said(struct smtp_talk *talk, struct smtp_span octets)
{
    smtp_buffer_clear(&talk->said, SAID_MAX);
    size_t len = octets.len < SAID_MAX ? octets.len : SAID_MAX;
    if (smtp_buffer_append(&talk->said, octets.bytes, len) != SMTP_OK) {
        smtp_check_skip(talk->check, "out of memory");
    }
}

/** Lines as such, so that a dialogue reads as one; anything else as octets. */
static void log_said(struct smtp_talk *talk, struct smtp_span octets)
{
    while (octets.len > 0) {
        const char *end = memmem(octets.bytes, octets.len, "\r\n", 2);
        size_t len = end != NULL ? (size_t)(end - octets.bytes) : octets.len;
        struct smtp_span line = {octets.bytes, len};
        if (end == NULL || talk->is_content) {
            line.len = end != NULL ? len + 2 : len;
            smtp_talk_log(talk, talk->is_client ? SMTP_LOG_CONTENT : SMTP_LOG_REPLY, line);
        } else {
            smtp_talk_log(talk, talk->is_client ? SMTP_LOG_COMMAND : SMTP_LOG_REPLY, line);
        }
        size_t taken = end != NULL ? len + 2 : len;
        octets = (struct smtp_span){octets.bytes + taken, octets.len - taken};
    }
}

/** Writes the octets, told as `shown`. */
static void put(struct smtp_talk *talk, struct smtp_span octets, struct smtp_span shown)
{
    if (talk->check->is_decided || octets.len == 0) {
        return;
    }
    keep_said(talk, shown);
    log_said(talk, shown);
    enum smtp_status status = smtp_dialogue_wire_say(&talk->wire, octets, talk->check->deadline_ns);
    if (status == SMTP_TIMED_OUT) {
        smtp_check_fail(talk->check, "the %s took no octets for the whole time of the scenario",
                        talk->is_client ? "server" : "client");
    }
    if (status == SMTP_NO_MEMORY || status == SMTP_LIMIT_EXCEEDED) {
        smtp_check_fail(talk->check, "more came than anybody would say");
    }
}

void smtp_talk_put(struct smtp_talk *talk, struct smtp_span octets)
{
    put(talk, octets, octets);
}

static void write_formatted(struct smtp_talk *talk, const char *end, const char *format,
                            va_list arguments)
{
    char *text = NULL, *whole = NULL;
    if (talk->check->is_decided) {
        return;
    }
    int len = vasprintf(&text, format, arguments);
    int whole_len = len >= 0 ? asprintf(&whole, "%s%s", text, end) : -1;
    if (whole_len >= 0) {
        smtp_talk_put(talk, (struct smtp_span){whole, (size_t)whole_len});
        free(whole);
    } else {
        smtp_check_skip(talk->check, "out of memory");
    }
    if (len >= 0) {
        free(text);
    }
}

void smtp_talk_write(struct smtp_talk *talk, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_formatted(talk, "", format, arguments);
    va_end(arguments);
}

void smtp_talk_line(struct smtp_talk *talk, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_formatted(talk, "\r\n", format, arguments);
    va_end(arguments);
}

void smtp_talk_secret_line(struct smtp_talk *talk, const char *before, const char *secret)
{
    const char *line = smtp_check_text(talk->check, "%s%s\r\n", before, secret);
    const char *shown = smtp_check_text(talk->check, "%s***\r\n", before);
    put(talk, smtp_span_of(line), smtp_span_of(shown));
}

int smtp_talk_ask(struct smtp_talk *talk, const char *codes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_formatted(talk, "\r\n", format, arguments);
    va_end(arguments);
    return smtp_talk_expect(talk, codes);
}

int smtp_talk_step(struct smtp_talk *talk, const char *codes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_formatted(talk, "\r\n", format, arguments);
    va_end(arguments);
    return smtp_talk_expect_step(talk, codes);
}

int smtp_talk_try(struct smtp_talk *talk, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_formatted(talk, "\r\n", format, arguments);
    va_end(arguments);
    return smtp_talk_read(talk);
}

void smtp_talk_half_close(struct smtp_talk *talk)
{
    if (!talk->check->is_decided) {
        smtp_dialogue_wire_half_close(&talk->wire, talk->check->deadline_ns);
    }
}

void smtp_talk_close(struct smtp_talk *talk)
{
    if (!talk->check->is_decided) {
        if (!talk->wire.ended) {
            smtp_talk_log(talk, SMTP_LOG_CLOSE, SMTP_SPAN("by the suite"));
        }
        smtp_dialogue_wire_close(&talk->wire, false);
        talk->wire.ended = true;
    }
}

void smtp_talk_reset(struct smtp_talk *talk)
{
    if (!talk->check->is_decided) {
        smtp_talk_log(talk, SMTP_LOG_CLOSE, SMTP_SPAN("reset by the suite"));
        smtp_dialogue_wire_close(&talk->wire, true);
        talk->wire.ended = true;
    }
}
