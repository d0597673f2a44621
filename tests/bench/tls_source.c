/* tls_source.c - a source of TLS sessions that carry no message: a few threads, each with one session at
 * a time, step by step. Knows: as much of SMTP as STARTTLS takes; it verifies nothing, as the server is
 * what is measured. Stands on common/tls.h and raw_client.h alone. */
#include "common/clock.h"
#include "common/net.h"
#include "common/tls.h"
#include "tests/bench/raw_client.h"
#include "tests/bench/tls.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define PATIENCE_MS 10000 /* loopback: whoever takes longer hangs */

struct source {
    const struct tls_load *load;
    struct ssl_ctx_st *context;
    struct ssl_session_st *session; /* to resume; NULL: none. Written before the threads start */
    atomic_uint_fast64_t started;   /* sessions; relaxed */
    atomic_bool failed;             /* relaxed */
};

struct link {
    int fd;
    struct smtp_tls *tls;
};

static uint64_t patience_end_ns(void)
{
    return smtp_deadline_after(smtp_clock_now_ns(), PATIENCE_MS);
}

static bool flush(struct link *link)
{
    struct smtp_span wire = smtp_tls_pending(link->tls);
    bool written = raw_client_write(link->fd, wire.bytes, wire.len);
    smtp_tls_sent(link->tls, wire.len);
    return written;
}

static bool receive(struct link *link)
{
    char octets[4096];
    size_t len = 0;
    return smtp_net_read(link->fd, octets, sizeof octets, patience_end_ns(), &len) == SMTP_OK &&
           smtp_tls_receive(link->tls, octets, len);
}

static bool shake_hands(struct link *link)
{
    enum smtp_tls_progress progress;
    while ((progress = smtp_tls_handshake(link->tls)) == SMTP_TLS_WAITS) {
        if (!flush(link) || !receive(link)) {
            return false;
        }
    }
    bool flushed = flush(link);
    return flushed && progress == SMTP_TLS_DONE;
}

/* One command (NULL: none), and octets until a line ends one that begins with `code` and a space. */
static bool say(struct link *link, const char *command, const char *code)
{
    char reply[2048] = "\n";
    size_t at = 1;
    if (command != NULL && (!smtp_tls_write(link->tls, smtp_span_of(command)) || !flush(link))) {
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
        if (progress != SMTP_TLS_DONE && (progress != SMTP_TLS_WAITS || !receive(link))) {
            return false;
        }
    }
}

static bool open_link(const struct source *source, struct link *link)
{
    struct smtp_address address = {
        .kind = SMTP_ADDRESS_TCP, .host = "127.0.0.1", .port = source->load->port};
    if (source->load->starttls) {
        static const char starttls[] = "STARTTLS\r\n";
        link->fd = raw_client_open(source->load->port);
        if (link->fd < 0 || !raw_client_say(link->fd, starttls, sizeof starttls - 1)) {
            return false;
        }
    } else if (smtp_net_connect(&address, NULL, patience_end_ns(), &link->fd, NULL) != SMTP_OK) {
        return false;
    }
    link->tls = smtp_tls_new_client(source->context, NULL, source->session);
    return link->tls != NULL;
}

/* Under TLS 1.3 the ticket comes behind the handshake. */
static bool fetch_session(struct source *source, struct link *link)
{
    while ((source->session = smtp_tls_session(link->tls)) == NULL) {
        char plain[512];
        size_t len;
        if (smtp_tls_read(link->tls, plain, sizeof plain, &len) != SMTP_TLS_WAITS ||
            smtp_tls_session(link->tls) != NULL) {
            continue;
        }
        if (!receive(link)) {
            return false;
        }
    }
    return true;
}

static bool one_session(struct source *source, bool fetch)
{
    struct link link = {-1, NULL};
    bool done = open_link(source, &link) && shake_hands(&link) &&
                smtp_tls_facts(link.tls)->resumed == (source->session != NULL) &&
                (!fetch || fetch_session(source, &link));
    if (done && source->load->starttls) {
        done = say(&link, "EHLO bench.test\r\n", "\n250 ") && say(&link, "QUIT\r\n", "\n221 ");
    }
    if (done) {
        smtp_tls_shut_down(link.tls);
        flush(&link);
    } else {
        fprintf(stderr, "tls source: a session failed (%s)\n",
                link.tls != NULL ? smtp_tls_error(link.tls) : "before TLS");
    }
    smtp_tls_free(link.tls);
    if (link.fd >= 0) {
        close(link.fd);
    }
    return done;
}

static void *run_thread(void *of)
{
    struct source *source = of;
    while (atomic_fetch_add_explicit(&source->started, 1, memory_order_relaxed) <
               source->load->session_count &&
           !atomic_load_explicit(&source->failed, memory_order_relaxed)) {
        if (!one_session(source, false)) {
            atomic_store_explicit(&source->failed, true, memory_order_relaxed);
        }
    }
    return NULL;
}

static bool run_threads(struct source *source)
{
    pthread_t threads[TLS_THREADS_MAX];
    unsigned count = 0;
    while (count < source->load->thread_count &&
           pthread_create(&threads[count], NULL, run_thread, source) == 0) {
        count++;
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    return count == source->load->thread_count &&
           !atomic_load_explicit(&source->failed, memory_order_relaxed);
}

int tls_source(const struct tls_load *load)
{
    struct source source = {.load = load};
    struct smtp_tls_trust trust = {.insecure = true};
    struct smtp_error error = {.message = "a session failed"};
    bool ready = smtp_tls_client_context(&source.context, &trust, &error) == SMTP_OK &&
                 one_session(&source, load->resumed);
    uint64_t start_ns = smtp_clock_now_ns();
    ready = ready && run_threads(&source);
    double seconds = (double)(smtp_clock_now_ns() - start_ns) / 1e9;
    if (ready) {
        printf("rate %.1f\n", (double)load->session_count / seconds);
    } else {
        fprintf(stderr, "tls source: %s\n", error.message);
    }
    smtp_tls_session_free(source.session);
    smtp_tls_context_release(source.context);
    return ready ? 0 : 1;
}
