/* bulk.c - many sessions on one loop (smtp_bulk.h). Knows: whose turn it is to send, when a message falls due, who is tried
 * again. Does not know: what a session says (bulk_session.c, bulk_opening.c). */
#include "client/bulk.h"

#include "client/sasl.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/net.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

_Static_assert(SMTP_BULK_IN_FLIGHT_MAX <= SMTP_CLIENT_IN_FLIGHT_MAX, "of one session");

#define TICK_MS 50 /* how late a deadline or another try may be */
#define TRIES 3

/* ---- making ---- */

static bool make_session(struct smtp_bulk *bulk, size_t i)
{
    struct smtp_bulk_session *session = &bulk->sessions[i];
    const struct smtp_client_target *target = &bulk->kept.target;
    session->bulk = bulk;
    session->first_place = i * bulk->options.in_flight;
    if (smtp_client_new(&session->client, target->options) != SMTP_OK) {
        return false;
    }
    bulk->made++;
    smtp_bulk_session_watch(session);
    return true;
}

static bool make_sessions(struct smtp_bulk *bulk)
{
    size_t count = bulk->options.sessions;
    bulk->sessions = calloc(count, sizeof(*bulk->sessions));
    bulk->passages = calloc(count * bulk->options.in_flight, sizeof(*bulk->passages));
    bool made = bulk->sessions != NULL && bulk->passages != NULL;
    for (size_t i = 0; i < count && made; i++) {
        made = make_session(bulk, i);
    }
    return made;
}

/* One context of what is trusted, for all of them: reading it takes its time, and no connection waits for it. */
static enum smtp_status prepare_tls(struct smtp_bulk *bulk, struct smtp_error *error)
{
    struct smtp_client *first = bulk->sessions[0].client;
    if (first->options.tls.policy == SMTP_CLIENT_TLS_NEVER) {
        return SMTP_OK;
    }
    enum smtp_status status = smtp_client_secure_prepare(first);
    if (status != SMTP_OK) {
        *error = first->error;
        return status;
    }
    for (size_t i = 1; i < bulk->options.sessions; i++) {
        bulk->sessions[i].client->tls_context = smtp_tls_context_retain(first->tls_context);
    }
    return SMTP_OK;
}

static void on_tick(uv_timer_t *handle);
static void on_due(uv_poll_t *handle, int status, int events);
static void on_wake(uv_async_t *handle);

/* It runs as long as the tick does, or a session is open. */
static bool make_loop(struct smtp_bulk *bulk)
{
    bulk->due_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    bulk->has_loop = bulk->due_fd >= 0 && uv_loop_init(&bulk->loop) == 0;
    if (!bulk->has_loop) {
        return false;
    }
    bulk->tick.data = bulk->due.data = bulk->wake.data = bulk;
    uv_timer_init(&bulk->loop, &bulk->tick);
    bulk->has_wake = uv_async_init(&bulk->loop, &bulk->wake, on_wake) == 0;
    bulk->has_due = uv_poll_init(&bulk->loop, &bulk->due, bulk->due_fd) == 0;
    if (!bulk->has_wake || !bulk->has_due) {
        return false;
    }
    uv_unref((uv_handle_t *)&bulk->wake);
    uv_unref((uv_handle_t *)&bulk->due);
    return uv_poll_start(&bulk->due, UV_READABLE, on_due) == 0;
}

static void free_loop(struct smtp_bulk *bulk)
{
    if (bulk->has_loop) {
        uv_close((uv_handle_t *)&bulk->tick, NULL);
        if (bulk->has_wake) {
            uv_close((uv_handle_t *)&bulk->wake, NULL);
        }
        if (bulk->has_due) {
            uv_close((uv_handle_t *)&bulk->due, NULL);
        }
        uv_run(&bulk->loop, UV_RUN_DEFAULT);
        uv_loop_close(&bulk->loop);
    }
    if (bulk->due_fd >= 0) {
        close(bulk->due_fd);
    }
}

static enum smtp_status check(const struct smtp_client_target *target,
                              const struct smtp_bulk_options *options, struct smtp_error *error)
{
    if (options->sessions == 0 || options->in_flight == 0 ||
        options->in_flight > SMTP_BULK_IN_FLIGHT_MAX) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "sessions is 1 or more, in_flight 1 to %d",
                              SMTP_CLIENT_IN_FLIGHT_MAX);
    }
    if (target->host == NULL) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "the host is NULL");
    }
    enum smtp_status status =
        target->options != NULL ? smtp_client_options_check(target->options, error) : SMTP_OK;
    return status == SMTP_OK && target->credentials != NULL
               ? smtp_client_sasl_check(target->credentials, error)
               : status;
}

enum smtp_status smtp_bulk_new(struct smtp_bulk **out, const struct smtp_client_target *target,
                               const struct smtp_bulk_options *options,
                               const struct smtp_bulk_hooks *hooks, struct smtp_error *error)
{
    struct smtp_error unasked = {.status = SMTP_OK};
    struct smtp_client_options defaults;
    struct smtp_client_target whole = *target;
    error = error != NULL ? error : &unasked;
    *out = NULL;
    enum smtp_status status = check(target, options, error);
    if (status != SMTP_OK) {
        return status;
    }
    if (whole.options == NULL) {
        smtp_client_options_init(&defaults);
        whole.options = &defaults;
    }
    struct smtp_bulk *bulk = calloc(1, sizeof(*bulk));
    if (bulk == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    bulk->options = *options;
    bulk->options.tries = options->tries > 0 ? options->tries : TRIES;
    bulk->hooks = *hooks;
    bulk->due_fd = -1;
    bulk->idle_end = &bulk->idle;
    atomic_init(&bulk->stopped, false);
    atomic_init(&bulk->is_cut, false);
    if (!smtp_client_target_keep(&bulk->kept, &whole) || !make_sessions(bulk) || !make_loop(bulk)) {
        smtp_bulk_free(bulk);
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for %zu sessions",
                              options->sessions);
    }
    status = prepare_tls(bulk, error);
    if (status != SMTP_OK) {
        smtp_bulk_free(bulk);
        return status;
    }
    *out = bulk;
    return SMTP_OK;
}

void smtp_bulk_free(struct smtp_bulk *bulk)
{
    if (bulk == NULL) {
        return;
    }
    for (size_t i = 0; i < bulk->made; i++) {
        smtp_client_free(bulk->sessions[i].client);
    }
    free_loop(bulk);
    smtp_client_target_clear(&bulk->kept);
    free(bulk->sessions);
    free(bulk->passages);
    free(bulk);
}

/* ---- messages ---- */

static void want_message(struct smtp_bulk_session *session)
{
    struct smtp_bulk *bulk = session->bulk;
    if (!session->is_idle) {
        session->is_idle = true;
        session->next_idle = NULL;
        *bulk->idle_end = session;
        bulk->idle_end = &session->next_idle;
    }
}

static void wait_until_due(struct smtp_bulk *bulk, uint64_t due_ns)
{
    const struct itimerspec when = {.it_value = {(time_t)(due_ns / UINT64_C(1000000000)),
                                                 (long)(due_ns % UINT64_C(1000000000))}};
    bulk->due_ns = due_ns;
    timerfd_settime(bulk->due_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

enum smtp_client_more smtp_bulk_next_message(struct smtp_bulk_session *session, size_t place,
                                             struct smtp_outgoing *message)
{
    struct smtp_bulk *bulk = session->bulk;
    struct smtp_bulk_message next = {.place = place};
    bulk->no_more = bulk->no_more || atomic_load_explicit(&bulk->stopped, memory_order_relaxed);
    if (bulk->no_more) {
        return SMTP_CLIENT_MORE_NONE;
    }
    if (bulk->due_ns != 0) {
        want_message(session);
        return SMTP_CLIENT_MORE_LATER;
    }
    switch (bulk->hooks.next(bulk->hooks.user, &next)) {
    case SMTP_BULK_MESSAGE:
        *message = next.outgoing;
        return SMTP_CLIENT_MORE_MESSAGE;
    case SMTP_BULK_LATER:
        want_message(session);
        wait_until_due(bulk, next.due_ns > 0 ? next.due_ns : 1);
        return SMTP_CLIENT_MORE_LATER;
    case SMTP_BULK_NONE:
        break;
    }
    bulk->no_more = true;
    return SMTP_CLIENT_MORE_NONE;
}

/* Those that are idle ask again: until none is, or the next is not due either. */
static void ask_again(struct smtp_bulk *bulk)
{
    bulk->due_ns = 0;
    while (bulk->idle != NULL && bulk->due_ns == 0) {
        struct smtp_bulk_session *session = bulk->idle;
        bulk->idle = session->next_idle;
        bulk->idle_end = bulk->idle != NULL ? bulk->idle_end : &bulk->idle;
        session->is_idle = false;
        smtp_bulk_session_go_on(session);
    }
}

static void on_due(uv_poll_t *handle, int status, int events)
{
    struct smtp_bulk *bulk = handle->data;
    uint64_t times;
    (void)status;
    (void)events;
    if (read(bulk->due_fd, &times, sizeof(times)) == (ssize_t)sizeof(times)) {
        ask_again(bulk);
    }
}

static void on_wake(uv_async_t *handle)
{
    struct smtp_bulk *bulk = handle->data;
    bulk->no_more = true;
    ask_again(bulk);
    bool is_cut = atomic_load_explicit(&bulk->is_cut, memory_order_relaxed);
    for (size_t i = 0; i < bulk->options.sessions && is_cut; i++) {
        smtp_bulk_session_cut(&bulk->sessions[i]);
    }
}

void smtp_bulk_stop(struct smtp_bulk *bulk)
{
    atomic_store_explicit(&bulk->stopped, true, memory_order_relaxed);
    uv_async_send(&bulk->wake);
}

void smtp_bulk_cut(struct smtp_bulk *bulk)
{
    atomic_store_explicit(&bulk->is_cut, true, memory_order_relaxed);
    smtp_bulk_stop(bulk);
}

/* ---- the loop ---- */

static void connect_again(struct smtp_bulk_session *session)
{
    const struct smtp_client_target *target = &session->bulk->kept.target;
    session->begun_ns = smtp_clock_now_ns();
    if (smtp_client_aim(session->client, target->host, target->port) == SMTP_OK) {
        smtp_bulk_session_connect(session, -1);
    }
}

void smtp_bulk_session_is_closed(struct smtp_bulk_session *session)
{
    struct smtp_bulk *bulk = session->bulk;
    session->stage = SMTP_BULK_CLOSED;
    bool stopped = atomic_load_explicit(&bulk->stopped, memory_order_relaxed);
    if (bulk->no_more || stopped || session->tries >= bulk->options.tries) {
        session->is_over = true;
        bulk->open--;
        if (bulk->open == 0) {
            uv_timer_stop(&bulk->tick);
        }
    } else if (session->tries == 0) {
        connect_again(session);
    }
}

static void on_tick(uv_timer_t *handle)
{
    struct smtp_bulk *bulk = handle->data;
    uint64_t now_ns = smtp_clock_now_ns();
    for (size_t i = 0; i < bulk->options.sessions && bulk->open > 0; i++) {
        struct smtp_bulk_session *session = &bulk->sessions[i];
        if (session->stage != SMTP_BULK_CLOSED) {
            smtp_bulk_session_expire(session, now_ns);
        } else if (!session->is_over && bulk->no_more) {
            smtp_bulk_session_is_closed(session);
        } else if (!session->is_over && now_ns >= session->retry_ns) {
            connect_again(session);
        }
    }
}

/* The first connection, which finds out where all go; the socket. */
static enum smtp_status find_where(struct smtp_bulk *bulk, int *fd, struct smtp_error *error)
{
    const struct smtp_client_target *target = &bulk->kept.target;
    struct smtp_client *first = bulk->sessions[0].client;
    enum smtp_status status = SMTP_OK;
    for (size_t i = 0; i < bulk->options.sessions && status == SMTP_OK; i++) {
        struct smtp_client *client = bulk->sessions[i].client;
        status = smtp_client_aim(client, target->host, target->port);
        *error = client->error;
    }
    if (status != SMTP_OK) {
        return status;
    }
    bulk->sessions[0].begun_ns = smtp_clock_now_ns();
    uint64_t deadline_ns =
        smtp_deadline_after(bulk->sessions[0].begun_ns, first->options.timeouts.connect_ms);
    status =
        smtp_net_connect(&first->address, first->options.source_address, deadline_ns, fd, error);
    bulk->where_len = sizeof(bulk->where);
    if (status == SMTP_OK &&
        getpeername(*fd, (struct sockaddr *)&bulk->where, &bulk->where_len) != 0) {
        bulk->where_len = 0;
    }
    return status;
}

static void begin_sessions(struct smtp_bulk *bulk, int first_fd)
{
    bulk->open = bulk->options.sessions;
    for (size_t i = 0; i < bulk->options.sessions; i++) {
        struct smtp_bulk_session *session = &bulk->sessions[i];
        if (i > 0) {
            session->begun_ns = smtp_clock_now_ns();
        }
        smtp_bulk_session_connect(session, i == 0 ? first_fd : -1);
    }
}

enum smtp_status smtp_bulk_run(struct smtp_bulk *bulk, struct smtp_error *error)
{
    struct smtp_error unasked = {.status = SMTP_OK};
    int fd = -1;
    error = error != NULL ? error : &unasked;
    enum smtp_status status = find_where(bulk, &fd, error);
    if (status != SMTP_OK) {
        return status;
    }
    uv_timer_start(&bulk->tick, on_tick, TICK_MS, TICK_MS);
    begin_sessions(bulk, fd);
    uv_run(&bulk->loop, UV_RUN_DEFAULT);
    bool all_given_up = true;
    for (size_t i = 0; i < bulk->options.sessions; i++) {
        all_given_up = all_given_up && bulk->sessions[i].tries >= bulk->options.tries;
    }
    *error = bulk->error;
    return all_given_up ? bulk->error.status : SMTP_OK;
}
