/* arrivals_sink.c - the next hop: a listener on 127.0.0.1 and a thread a connection, each a plain SMTP server
 * that keeps what came octet for octet. Shares no code with the server of this project. */
#include "common/clock.h"
#include "common/error.h"
#include "common/net.h"
#include "harness/conformance/arrivals.h"
#include "harness/dialogue/wire.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define IDLE_MS 60000 /* a connection that says nothing is closed */
#define CONNECTIONS_MAX 512
#define RAW_MAX ((size_t)256 << 20)

struct connection {
    struct smtp_arrivals_sink *sink;
    struct smtp_dialogue_wire wire;
    struct smtp_buffer raw, mail, rcpts, content;
    bool has_mail, in_data;
    size_t rcpt_count;
    bool keeps; /* nothing failed */
};

struct smtp_arrivals_sink {
    struct smtp_arrivals *arrivals;
    struct smtp_identity *identity; /* that nobody trusts */
    pthread_t thread;
    int listener, stop;
    uint16_t port;
    pthread_mutex_t lock;
    pthread_cond_t one_less;
    size_t connections; /* with the lock */
};

/* ---- one connection ---- */

static void keep(struct connection *connection, struct smtp_buffer *buffer, struct smtp_span octets)
{
    connection->keeps =
        connection->keeps && smtp_buffer_append(buffer, octets.bytes, octets.len) == SMTP_OK;
}

static void say(struct connection *connection, const char *reply)
{
    connection->keeps =
        connection->keeps &&
        smtp_dialogue_wire_say(&connection->wire, smtp_span_of(reply),
                               smtp_clock_now_ns() + IDLE_MS * SMTP_NS_PER_MS) == SMTP_OK;
}

static void reset(struct connection *connection)
{
    smtp_buffer_clear(&connection->mail, SIZE_MAX);
    smtp_buffer_clear(&connection->rcpts, SIZE_MAX);
    smtp_buffer_clear(&connection->content, SIZE_MAX);
    connection->has_mail = connection->in_data = false;
    connection->rcpt_count = 0;
}

/** Whether it is a message that a check sent (ask.c), not one that tells of such a message. */
static bool is_from_check(struct smtp_span content)
{
    struct smtp_span header = smtp_arrivals_header(content);
    return smtp_span_has(header, "@check.example>") && !smtp_arrivals_is_notification(header);
}

static void finish(struct connection *connection)
{
    bool refuses = smtp_arrivals_mode(connection->sink->arrivals) == SMTP_ARRIVALS_REFUSING &&
                   is_from_check(smtp_buffer_span(&connection->content));
    const struct smtp_arrival arrival = {.content = smtp_buffer_span(&connection->content),
                                         .mail = smtp_buffer_span(&connection->mail),
                                         .rcpts = smtp_buffer_span(&connection->rcpts),
                                         .raw = smtp_buffer_span(&connection->raw),
                                         .refused = refuses};
    smtp_arrivals_add(connection->sink->arrivals, &arrival);
    reset(connection);
    say(connection, refuses ? "550 5.1.1 Nobody of that name\r\n" : "250 2.0.0 Kept\r\n");
}

/** Waits until so many octets, or a whole line (len 0), were heard; its length, 0: the end. */
static size_t hear(struct connection *connection, size_t len)
{
    struct smtp_dialogue_wire *wire = &connection->wire;
    for (;;) {
        struct smtp_span heard = smtp_buffer_span(&wire->heard);
        const char *crlf =
            len == 0 && heard.len > 0 ? memmem(heard.bytes, heard.len, "\r\n", 2) : NULL;
        if (crlf != NULL) {
            return (size_t)(crlf - heard.bytes) + 2;
        }
        if (len != 0 && heard.len >= len) {
            return len;
        }
        struct pollfd items[] = {{.fd = wire->fd, .events = POLLIN},
                                 {.fd = connection->sink->stop, .events = POLLIN}};
        bool has_more = wire->tls != NULL && smtp_tls_undecrypted(wire->tls) > 0;
        int ready = wire->ended || has_more ? 1 : poll(items, 2, IDLE_MS);
        if (wire->ended || ready == 0 || items[1].revents != 0 ||
            smtp_dialogue_wire_hear(wire, smtp_clock_now_ns() + IDLE_MS * SMTP_NS_PER_MS) !=
                SMTP_OK) {
            return 0;
        }
    }
}

static void take(struct connection *connection, size_t len)
{
    keep(connection, &connection->raw,
         (struct smtp_span){smtp_buffer_span(&connection->wire.heard).bytes, len});
    smtp_buffer_take(&connection->wire.heard, len);
}

static bool begins(struct smtp_span line, const char *verb)
{
    size_t len = strlen(verb);
    return line.len >= len &&
           smtp_span_equal_nocase((struct smtp_span){line.bytes, len}, smtp_span_of(verb));
}

static void take_content_line(struct connection *connection, struct smtp_span line)
{
    if (smtp_span_equal(line, SMTP_SPAN(".\r\n"))) {
        finish(connection);
    } else {
        size_t dot = line.bytes[0] == '.';
        keep(connection, &connection->content,
             (struct smtp_span){line.bytes + dot, line.len - dot});
    }
}

static void ehlo(struct connection *connection, enum smtp_arrivals_mode mode)
{
    reset(connection);
    say(connection, "250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
                    "250-CHUNKING\r\n250-BINARYMIME\r\n");
    say(connection, mode == SMTP_ARRIVALS_NO_DSN ? "" : "250-DSN\r\n");
    say(connection,
        mode == SMTP_ARRIVALS_STARTTLS && connection->wire.tls == NULL ? "250-STARTTLS\r\n" : "");
    say(connection, "250-ENHANCEDSTATUSCODES\r\n250 SIZE\r\n");
}

static void mail(struct connection *connection, struct smtp_span line)
{
    reset(connection);
    smtp_buffer_clear(&connection->raw, SIZE_MAX);
    keep(connection, &connection->raw, line);
    connection->has_mail = true;
    keep(connection, &connection->mail, (struct smtp_span){line.bytes, line.len - 2});
    say(connection, "250 2.1.0 Ok\r\n");
}

static void rcpt(struct connection *connection, struct smtp_span line)
{
    if (!connection->has_mail) {
        say(connection, "503 5.5.1 MAIL comes first\r\n");
        return;
    }
    connection->rcpt_count++;
    keep(connection, &connection->rcpts, (struct smtp_span){line.bytes, line.len - 2});
    keep(connection, &connection->rcpts, SMTP_SPAN("\n"));
    say(connection, "250 2.1.5 Ok\r\n");
}

/** A chunk, its command taken already. */
static void bdat(struct connection *connection, struct smtp_span argument)
{
    uint64_t octets = 0;
    size_t digits = 0;
    while (digits < argument.len && smtp_is_digit((unsigned char)argument.bytes[digits])) {
        digits++;
    }
    bool is_last = smtp_span_has_nocase(argument, "LAST");
    if (!smtp_span_to_u64((struct smtp_span){argument.bytes, digits}, RAW_MAX, &octets) ||
        (octets > 0 && hear(connection, (size_t)octets) == 0)) {
        connection->keeps = false;
        return;
    }
    keep(connection, &connection->content,
         (struct smtp_span){smtp_buffer_span(&connection->wire.heard).bytes, (size_t)octets});
    take(connection, (size_t)octets);
    if (connection->rcpt_count == 0) {
        say(connection, "503 5.5.1 RCPT comes first\r\n");
    } else if (is_last) {
        finish(connection);
    } else {
        say(connection, "250 2.0.0 Chunk\r\n");
    }
}

static void starttls(struct connection *connection)
{
    struct ssl_ctx_st *context = NULL;
    struct smtp_error error;
    say(connection, "220 2.0.0 Go on\r\n");
    if (smtp_tls_server_context(&context, connection->sink->identity, NULL, false, &error) !=
        SMTP_OK) {
        connection->keeps = false;
        return;
    }
    struct smtp_tls *tls = smtp_tls_new_server(context);
    smtp_tls_context_release(context);
    connection->keeps =
        connection->keeps && tls != NULL &&
        smtp_dialogue_wire_secure(&connection->wire, tls,
                                  smtp_clock_now_ns() + IDLE_MS * SMTP_NS_PER_MS) == SMTP_OK;
    reset(connection);
}

/** One command line, in a copy of its own. False: the session is over. */
static bool command(struct connection *connection, struct smtp_span line)
{
    enum smtp_arrivals_mode mode = smtp_arrivals_mode(connection->sink->arrivals);
    if (begins(line, "EHLO")) {
        ehlo(connection, mode);
    } else if (begins(line, "MAIL FROM:")) {
        mail(connection, line);
    } else if (begins(line, "RCPT TO:")) {
        rcpt(connection, line);
    } else if (begins(line, "BDAT ")) {
        bdat(connection, (struct smtp_span){line.bytes + 5, line.len - 5});
    } else if (begins(line, "DATA")) {
        connection->in_data = connection->rcpt_count > 0;
        say(connection, connection->in_data ? "354 Go on\r\n" : "503 5.5.1 RCPT comes first\r\n");
    } else if (begins(line, "STARTTLS") && mode == SMTP_ARRIVALS_STARTTLS) {
        starttls(connection);
    } else if (begins(line, "HELO") || begins(line, "RSET")) {
        reset(connection);
        say(connection, "250 2.0.0 Ok\r\n");
    } else if (begins(line, "NOOP")) {
        say(connection, "250 2.0.0 Ok\r\n");
    } else if (begins(line, "QUIT")) {
        say(connection, "221 2.0.0 Bye\r\n");
        return false;
    } else {
        say(connection, "500 5.5.2 What?\r\n");
    }
    return connection->keeps;
}

static void serve(struct connection *connection)
{
    struct smtp_buffer line = SMTP_BUFFER(RAW_MAX);
    say(connection, "220 sink.example ESMTP\r\n");
    bool goes_on = connection->keeps;
    while (goes_on) {
        size_t len = hear(connection, 0);
        smtp_buffer_clear(&line, SIZE_MAX);
        if (len == 0 || smtp_buffer_append(&line, smtp_buffer_span(&connection->wire.heard).bytes,
                                           len) != SMTP_OK) {
            break;
        }
        take(connection, len);
        if (connection->in_data) {
            take_content_line(connection, smtp_buffer_span(&line));
            goes_on = connection->keeps;
        } else {
            goes_on = command(connection, smtp_buffer_span(&line));
        }
    }
    smtp_buffer_free(&line);
}

static void *run_connection(void *user)
{
    struct connection *connection = user;
    struct smtp_arrivals_sink *sink = connection->sink;
    serve(connection);
    smtp_dialogue_wire_clear(&connection->wire);
    smtp_buffer_free(&connection->raw);
    smtp_buffer_free(&connection->mail);
    smtp_buffer_free(&connection->rcpts);
    smtp_buffer_free(&connection->content);
    free(connection);
    pthread_mutex_lock(&sink->lock);
    sink->connections--;
    pthread_cond_signal(&sink->one_less);
    pthread_mutex_unlock(&sink->lock);
    return NULL;
}

/* ---- all of them ---- */

static void begin_connection(struct smtp_arrivals_sink *sink, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    pthread_t thread;
    if (connection == NULL) {
        close(fd);
        return;
    }
    *connection = (struct connection){.sink = sink,
                                      .raw = SMTP_BUFFER(RAW_MAX),
                                      .mail = SMTP_BUFFER(RAW_MAX),
                                      .rcpts = SMTP_BUFFER(RAW_MAX),
                                      .content = SMTP_BUFFER(RAW_MAX),
                                      .keeps = true};
    smtp_dialogue_wire_init(&connection->wire, fd);
    pthread_mutex_lock(&sink->lock);
    while (sink->connections >= CONNECTIONS_MAX) {
        pthread_cond_wait(&sink->one_less, &sink->lock);
    }
    if (pthread_create(&thread, NULL, run_connection, connection) == 0) {
        pthread_detach(thread);
        sink->connections++;
    } else {
        smtp_dialogue_wire_clear(&connection->wire);
        free(connection);
    }
    pthread_mutex_unlock(&sink->lock);
}

static void *run(void *user)
{
    struct smtp_arrivals_sink *sink = user;
    struct pollfd items[] = {{.fd = sink->stop, .events = POLLIN},
                             {.fd = sink->listener, .events = POLLIN}};
    while (items[0].revents == 0) {
        if (poll(items, 2, -1) > 0 && items[1].revents != 0) {
            int fd = smtp_net_accept(sink->listener);
            if (fd >= 0) {
                begin_connection(sink, fd);
            }
        }
    }
    return NULL;
}

static void release(struct smtp_arrivals_sink *sink)
{
    if (sink->listener >= 0) {
        close(sink->listener);
    }
    if (sink->stop >= 0) {
        close(sink->stop);
    }
    smtp_identity_release(sink->identity);
    pthread_cond_destroy(&sink->one_less);
    pthread_mutex_destroy(&sink->lock);
    free(sink);
}

static enum smtp_status open_all(struct smtp_arrivals_sink *sink, uint16_t port,
                                 struct smtp_error *error)
{
    struct smtp_address address = {.kind = SMTP_ADDRESS_TCP, .host = "127.0.0.1", .port = port};
    enum smtp_status status = smtp_identity_new(&sink->identity, NULL, error);
    if (status == SMTP_OK) {
        status = smtp_net_listen(&address, &sink->listener, error);
    }
    if (status != SMTP_OK) {
        return status;
    }
    smtp_address_of_socket(sink->listener, false, &address);
    sink->port = address.port;
    sink->stop = eventfd(0, EFD_CLOEXEC);
    int failed = sink->stop < 0 ? errno : pthread_create(&sink->thread, NULL, run, sink);
    return failed == 0 ? SMTP_OK
                       : smtp_error_set(error, SMTP_SYSTEM_FAILED, failed,
                                        "cannot start the sink: %s", smtp_errno_text(failed));
}

struct smtp_arrivals_sink *smtp_arrivals_listen(struct smtp_arrivals *arrivals, uint16_t port,
                                                struct smtp_error *error)
{
    struct smtp_arrivals_sink *sink = calloc(1, sizeof *sink);
    if (sink == NULL) {
        smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
        return NULL;
    }
    *sink = (struct smtp_arrivals_sink){.arrivals = arrivals, .listener = -1, .stop = -1};
    pthread_mutex_init(&sink->lock, NULL);
    pthread_cond_init(&sink->one_less, NULL);
    if (open_all(sink, port, error) != SMTP_OK) {
        release(sink);
        return NULL;
    }
    return sink;
}

uint16_t smtp_arrivals_sink_port(const struct smtp_arrivals_sink *sink)
{
    return sink->port;
}

void smtp_arrivals_stop_sink(struct smtp_arrivals_sink *sink)
{
    if (sink == NULL) {
        return;
    }
    eventfd_write(sink->stop, 1);
    pthread_join(sink->thread, NULL);
    pthread_mutex_lock(&sink->lock);
    while (sink->connections > 0) {
        pthread_cond_wait(&sink->one_less, &sink->lock);
    }
    pthread_mutex_unlock(&sink->lock);
    release(sink);
}
