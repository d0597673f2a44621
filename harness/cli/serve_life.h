/* serve_life.h - how long `serve` runs: until a signal, enough messages, silence, or until what it prints
 * cannot be written; then it drains. Knows nothing of files and addresses. */
#ifndef SMTP_HARNESS_CLI_SERVE_LIFE_H
#define SMTP_HARNESS_CLI_SERVE_LIFE_H

#include "harness/cli/options.h"
#include "server/smtp_server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

/** Why it ended. */
enum smtp_serve_end {
    SMTP_SERVE_SIGNALLED,
    SMTP_SERVE_ENOUGH, /* exit_after */
    SMTP_SERVE_IDLE,   /* idle_exit_s */
    SMTP_SERVE_MUTE,   /* output_errno */
};

struct smtp_serve_life {
    /* as given; 0: never */
    uint64_t exit_after, idle_exit_s;
    uint64_t drain_s;
    /** Called when it begins to drain, and (at_once) where a second signal came: the process ends when it
     *  returns. */
    void (*ends)(void *user, bool at_once);
    void *user;

    struct smtp_server *server;
    uv_loop_t loop; /* of the thread that began it */
    uv_signal_t signals[2];
    uv_async_t wake;
    uv_timer_t idle;
    unsigned signal_count;
    bool ending;
    enum smtp_serve_end end;
    pthread_t stopper;

    /* written on the server's threads and the stopper's */
    atomic_uint_fast64_t messages;
    atomic_uint_fast64_t last_ns; /* when a session closed or a message came */
    atomic_int output_errno;      /* 0: it can be written */
    atomic_bool stopped;
};

/** From here on signals are caught and kept. False: it says why. */
bool smtp_serve_life_begin(struct smtp_serve_life *life, const char *program);
/** Whether it wants a table of its own. */
bool smtp_serve_life_looks(const struct smtp_serve_life *life);
/** The table, which comes behind all that may refuse a message. */
struct smtp_server_hooks smtp_serve_life_hooks(struct smtp_serve_life *life);
/** What is printed cannot be written: the server is to end. Any thread. */
void smtp_serve_life_mute(void *life, int sys_errno);
/** Until the server, which runs, has drained and stopped. */
enum smtp_serve_end smtp_serve_life_run(struct smtp_serve_life *life, struct smtp_server *server);
/** Once no server has its table any more. */
void smtp_serve_life_over(struct smtp_serve_life *life);

#endif
