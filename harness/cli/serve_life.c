/* serve_life.c - see serve_life.h. Stopping waits for hooks, which may hang: it has a thread of its own, so
 * that the second signal is always heard. */
#include "harness/cli/serve_life.h"

#include "common/clock.h"
#include "harness/cli/verbs.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define NS_PER_MS 1000000u
#define MS_PER_S 1000u

static const int caught[] = {SIGINT, SIGTERM};
#define CAUGHT_COUNT (sizeof caught / sizeof *caught)

/* ---- the end ---- */

static void *stop(void *user)
{
    struct smtp_serve_life *life = user;
    smtp_server_stop(life->server, life->drain_s * MS_PER_S);
    atomic_store(&life->stopped, true);
    uv_async_send(&life->wake);
    return NULL;
}

static void end_because(struct smtp_serve_life *life, enum smtp_serve_end end)
{
    if (life->ending) {
        return;
    }
    life->ending = true;
    life->end = end;
    uv_timer_stop(&life->idle);
    life->ends(life->user, false);
    if (pthread_create(&life->stopper, NULL, stop, life) != 0) {
        life->stopper = pthread_self();
        stop(life);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct smtp_serve_life *life = handle->data;
    (void)number;
    if (++life->signal_count == 2) {
        life->ends(life->user, true);
        _exit(SMTP_EXIT_NOT_HELD);
    }
    end_because(life, SMTP_SERVE_SIGNALLED);
}

static void on_wake(uv_async_t *handle)
{
    struct smtp_serve_life *life = handle->data;
    if (atomic_load(&life->stopped)) {
        uv_stop(&life->loop);
    } else if (atomic_load(&life->output_errno) != 0) {
        end_because(life, SMTP_SERVE_MUTE);
    } else if (life->exit_after > 0 && atomic_load(&life->messages) >= life->exit_after) {
        end_because(life, SMTP_SERVE_ENOUGH);
    }
}

static void arm_idle(struct smtp_serve_life *life);

static void on_idle(uv_timer_t *handle)
{
    struct smtp_serve_life *life = handle->data;
    if (smtp_server_session_count(life->server) > 0) {
        atomic_store(&life->last_ns, smtp_clock_now_ns());
    }
    arm_idle(life);
}

/** For when it will have been idle long enough, should nothing come. */
static void arm_idle(struct smtp_serve_life *life)
{
    uint64_t due_ns =
        atomic_load(&life->last_ns) + life->idle_exit_s * MS_PER_S * (uint64_t)NS_PER_MS;
    uint64_t now_ns = smtp_clock_now_ns();
    if (due_ns <= now_ns) {
        end_because(life, SMTP_SERVE_IDLE);
        return;
    }
    uv_update_time(&life->loop);
    uv_timer_start(&life->idle, on_idle, (due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS, 0);
}

/* ---- the server's side ---- */

static enum smtp_server_verdict on_message(void *user,
                                           const struct smtp_server_session_info *session,
                                           struct smtp_message *message,
                                           struct smtp_server_reply *reply)
{
    struct smtp_serve_life *life = user;
    (void)session;
    (void)message;
    (void)reply;
    atomic_store(&life->last_ns, smtp_clock_now_ns());
    if (atomic_fetch_add(&life->messages, 1) + 1 == life->exit_after) {
        uv_async_send(&life->wake);
    }
    return SMTP_ACCEPT;
}

static void on_close(void *user, const struct smtp_server_session_info *session)
{
    struct smtp_serve_life *life = user;
    (void)session;
    atomic_store(&life->last_ns, smtp_clock_now_ns());
}

bool smtp_serve_life_looks(const struct smtp_serve_life *life)
{
    return life->exit_after > 0 || life->idle_exit_s > 0;
}

/* It does not look at the content, which therefore need not be kept. */
struct smtp_server_hooks smtp_serve_life_hooks(struct smtp_serve_life *life)
{
    return (struct smtp_server_hooks){
        .user = life, .streaming = true, .message = on_message, .close = on_close};
}

void smtp_serve_life_mute(void *user, int sys_errno)
{
    struct smtp_serve_life *life = user;
    atomic_store(&life->output_errno, sys_errno);
    uv_async_send(&life->wake);
}

/* ---- from begin to end ---- */

bool smtp_serve_life_begin(struct smtp_serve_life *life, const char *program)
{
    int failure = uv_loop_init(&life->loop);
    if (failure == 0) {
        failure = uv_async_init(&life->loop, &life->wake, on_wake);
    }
    if (failure != 0) {
        fprintf(stderr, "%s: cannot make an event loop: %s\n", program, uv_strerror(failure));
        return false;
    }
    uv_timer_init(&life->loop, &life->idle);
    life->wake.data = life->idle.data = life;
    for (size_t i = 0; i < CAUGHT_COUNT && failure == 0; i++) {
        uv_signal_init(&life->loop, &life->signals[i]);
        life->signals[i].data = life;
        failure = uv_signal_start(&life->signals[i], on_signal, caught[i]);
    }
    if (failure != 0) {
        fprintf(stderr, "%s: cannot catch signals: %s\n", program, uv_strerror(failure));
    }
    return failure == 0;
}

enum smtp_serve_end smtp_serve_life_run(struct smtp_serve_life *life, struct smtp_server *server)
{
    life->server = server;
    atomic_store(&life->last_ns, smtp_clock_now_ns());
    if (life->idle_exit_s > 0) {
        arm_idle(life);
    }
    uv_run(&life->loop, UV_RUN_DEFAULT);
    if (!pthread_equal(life->stopper, pthread_self())) {
        pthread_join(life->stopper, NULL);
    }
    return life->end;
}

static void close_handle(uv_handle_t *handle, void *user)
{
    (void)user;
    uv_close(handle, NULL);
}

void smtp_serve_life_over(struct smtp_serve_life *life)
{
    uv_walk(&life->loop, close_handle, NULL);
    uv_run(&life->loop, UV_RUN_DEFAULT);
    uv_loop_close(&life->loop);
}
