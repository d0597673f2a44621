/* life.c - starting, running and stopping a server, from any thread.
 * Knows: who starts, who joins, who only asks. The state and its lock are never held while waiting
 * for a thread, so that a hook can always ask, too. Does not know: what the loops do. */
#include "common/clock.h"
#include "common/error.h"
#include "server/server.h"
#include "server/work.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define REQUESTED_STOP_MS 1000 /* what smtp_server_request_stop gives open transactions */

/* ---- asking to stop ---- */

/* Async-signal-safe: atomics that are lock-free, clock_gettime, and uv_async_send. */
static void ask_to_stop(struct smtp_server *server, uint64_t wait_ms)
{
    uint64_t now_ns = smtp_clock_now_ns();
    uint64_t deadline_ns = wait_ms == 0 ? now_ns : smtp_deadline_after(now_ns, wait_ms);
    if (deadline_ns == SMTP_NEVER) {
        deadline_ns = SMTP_NEVER - 1; /* never cut, but stop */
    }
    uint64_t before_ns = atomic_load(&server->stop_deadline_ns);
    while (deadline_ns < before_ns &&
           !atomic_compare_exchange_weak(&server->stop_deadline_ns, &before_ns, deadline_ns)) {
    }
    for (unsigned i = 0; i < server->settings.workers; i++) {
        uv_async_send(&server->loops[i].wake);
    }
}

void smtp_server_request_stop(struct smtp_server *server)
{
    ask_to_stop(server, REQUESTED_STOP_MS);
}

/* ---- threads ---- */

static void set_state(struct smtp_server *server, enum smtp_server_life state)
{
    pthread_mutex_lock(&server->lock);
    server->state = state;
    for (unsigned i = 0; state == SMTP_SERVER_IDLE && i < server->settings.workers; i++) {
        server->loops[i].has_self = false; /* a thread to come may get the same id */
    }
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

/* The loops' threads take none of the program's signals (its handlers run on its own threads, as it
 * expects) and never die of SIGPIPE. Those that tell of a fault of the thread itself stay. */
static void block_signals(sigset_t *before)
{
    static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                 SIGABRT, SIGTRAP, SIGSYS, SIGPROF};
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        sigdelset(&blocked, faults[i]);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, before);
}

static void join_loops(struct smtp_server *server, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        pthread_join(server->loops[i].thread, NULL);
    }
    for (unsigned i = 0; i < server->settings.workers; i++) {
        smtp_server_loop_drop_incoming(&server->loops[i]);
    }
}

static enum smtp_status start_loops(struct smtp_server *server, unsigned first,
                                    struct smtp_error *error)
{
    sigset_t before;
    int failure = 0;
    unsigned i = first;
    block_signals(&before);
    while (i < server->settings.workers && failure == 0) {
        failure = smtp_server_loop_start(&server->loops[i]);
        i += failure == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure == 0) {
        return SMTP_OK;
    }
    ask_to_stop(server, 0);
    if (i == 0 || first == 1) { /* loops[0] does not run: let it close the listeners here */
        smtp_server_loop_run(&server->loops[0]);
    }
    join_loops(server, first, i);
    return smtp_error_set(error, SMTP_SYSTEM_FAILED, failure, "cannot start a thread: %s",
                          smtp_errno_text(failure));
}

/* ---- starting ---- */

static enum smtp_status claim_start(struct smtp_server *server, bool runs_here,
                                    struct smtp_error *error)
{
    pthread_mutex_lock(&server->lock);
    bool idle = server->state == SMTP_SERVER_IDLE;
    if (idle) {
        server->state = SMTP_SERVER_STARTING;
        server->runs_here = runs_here;
        for (unsigned i = 0; i < server->settings.workers; i++) {
            server->loops[i].stopping = false;
        }
    }
    pthread_mutex_unlock(&server->lock);
    return idle ? SMTP_OK
                : smtp_error_set(error, SMTP_BAD_STATE, 0,
                                 "the server runs already; smtp_server_stop first");
}

/* Everything but the first loop's thread: from here on the kernel takes connections. */
static enum smtp_status begin(struct smtp_server *server, bool runs_here, struct smtp_error *error)
{
    enum smtp_status status = claim_start(server, runs_here, error);
    if (status != SMTP_OK) {
        return status;
    }
    atomic_store(&server->stop_deadline_ns, SMTP_NEVER);
    status = smtp_server_acceptor_open(&server->acceptor, error);
    if (status == SMTP_OK) {
        smtp_server_acceptor_watch(&server->acceptor);
        status = start_loops(server, runs_here ? 1 : 0, error);
    }
    set_state(server, status == SMTP_OK ? SMTP_SERVER_RUNNING : SMTP_SERVER_IDLE);
    return status;
}

enum smtp_status smtp_server_start(struct smtp_server *server, struct smtp_error *error)
{
    return begin(server, false, error);
}

/* libuv writes with write(2): on the caller's thread SIGPIPE is blocked, and one that came is
 * taken, so that the program never sees it. */
struct pipe_guard {
    sigset_t before;
    bool was_pending;
};

static void set_of_pipe(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

static void guard_pipe(struct pipe_guard *guard)
{
    sigset_t pending, pipe_only;
    set_of_pipe(&pipe_only);
    sigpending(&pending);
    guard->was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_only, &guard->before);
}

static void unguard_pipe(const struct pipe_guard *guard)
{
    sigset_t pipe_only;
    const struct timespec at_once = {0, 0};
    set_of_pipe(&pipe_only);
    if (!guard->was_pending) {
        while (sigtimedwait(&pipe_only, NULL, &at_once) < 0 && errno == EINTR) {
        }
    }
    pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}

enum smtp_status smtp_server_run(struct smtp_server *server, void (*ready)(void *user), void *user,
                                 struct smtp_error *error)
{
    enum smtp_status status = begin(server, true, error);
    if (status != SMTP_OK) {
        return status;
    }
    struct pipe_guard guard;
    guard_pipe(&guard);
    smtp_server_loop_enter(&server->loops[0]);
    if (ready != NULL) {
        ready(user);
    }
    smtp_server_loop_run(&server->loops[0]);
    join_loops(server, 1, server->settings.workers);
    unguard_pipe(&guard);
    set_state(server, SMTP_SERVER_IDLE);
    return SMTP_OK;
}

/* ---- stopping ---- */

/* Under lock. */
static bool is_own_thread(const struct smtp_server *server)
{
    for (unsigned i = 0; i < server->settings.workers; i++) {
        const struct smtp_server_loop *loop = &server->loops[i];
        if (loop->has_self && pthread_equal(loop->self, pthread_self())) {
            return true;
        }
    }
    return smtp_server_works_here(server);
}

void smtp_server_stop(struct smtp_server *server, uint64_t deadline_ms)
{
    pthread_mutex_lock(&server->lock);
    if (is_own_thread(server)) { /* a hook: it cannot wait for the thread it runs on */
        pthread_mutex_unlock(&server->lock);
        ask_to_stop(server, deadline_ms);
        return;
    }
    while (server->state == SMTP_SERVER_STARTING) {
        pthread_cond_wait(&server->changed, &server->lock);
    }
    if (server->state == SMTP_SERVER_IDLE) {
        pthread_mutex_unlock(&server->lock);
        return;
    }
    ask_to_stop(server, deadline_ms);
    if (server->state == SMTP_SERVER_JOINING || server->runs_here) { /* somebody else joins */
        while (server->state != SMTP_SERVER_IDLE) {
            pthread_cond_wait(&server->changed, &server->lock);
        }
        pthread_mutex_unlock(&server->lock);
        return;
    }
    server->state = SMTP_SERVER_JOINING;
    pthread_mutex_unlock(&server->lock);
    join_loops(server, 0, server->settings.workers);
    set_state(server, SMTP_SERVER_IDLE);
}
