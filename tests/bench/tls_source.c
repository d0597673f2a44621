/* tls_source.c - a source of TLS sessions that carry no message: a few threads, each with one session at
 * a time, step by step. Knows: as much of SMTP as STARTTLS takes; it verifies nothing, as the server is
 * what is measured. */
#include "common/clock.h"
#include "tests/bench/tls.h"
#include "tests/bench/tls_link.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

struct source {
    const struct tls_load *load;
    struct ssl_ctx_st *context;
    struct ssl_session_st *session; /* to resume; NULL: none. Written before the threads start */
    atomic_uint_fast64_t started;   /* sessions; relaxed */
    atomic_bool failed;             /* relaxed */
};

/* Under TLS 1.3 the ticket comes behind the handshake. */
static bool fetch_session(struct source *source, struct tls_link *link)
{
    while ((source->session = smtp_tls_session(link->tls)) == NULL) {
        char plain[512];
        size_t len;
        if (smtp_tls_read(link->tls, plain, sizeof plain, &len) != SMTP_TLS_WAITS ||
            smtp_tls_session(link->tls) != NULL) {
            continue;
        }
        if (!tls_link_receive(link)) {
            return false;
        }
    }
    return true;
}

static bool one_session(struct source *source, bool fetch)
{
    struct tls_link link = {-1, NULL};
    bool done = tls_link_open(&link, source->load->port, source->load->starttls, source->context,
                              source->session) &&
                smtp_tls_facts(link.tls)->resumed == (source->session != NULL) &&
                (!fetch || fetch_session(source, &link));
    if (done && source->load->starttls) {
        done = tls_link_say(&link, "EHLO bench.test\r\n", "\n250 ") &&
               tls_link_say(&link, "QUIT\r\n", "\n221 ");
    }
    if (done) {
        smtp_tls_shut_down(link.tls);
        (void)tls_link_flush(&link);
    } else {
        fprintf(stderr, "tls source: a session failed (%s)\n",
                link.tls != NULL ? smtp_tls_error(link.tls) : "before TLS");
    }
    tls_link_close(&link);
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
