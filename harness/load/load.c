/* load.c - see load.h. Knows: which message is next, and when; what counts. Does not know: sessions (client/smtp_bulk.h), what
 * messages are (letters.h), how it is told. */
#include "harness/load/load.h"

#include "common/clock.h"
#include "common/error.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)
#define WATCH_NS (100 * SMTP_NS_PER_MS)

/** A message on its way. */
struct place {
    struct smtp_letter letter;
    uint64_t number;
    uint64_t begun_ns; /* or due */
};

/** A loop, on a thread of its own. */
struct worker {
    struct smtp_load *load;
    struct smtp_bulk *bulk;
    struct place *places;
    size_t place_count;
    bool counts; /* the warm-up is over */
    struct smtp_load_result result;
    atomic_uint_fast64_t answered;
    uint64_t last_ns; /* the last reply */
    enum smtp_status status;
    struct smtp_error error;
    pthread_t thread;
};

struct smtp_load {
    struct smtp_load_plan plan;
    struct smtp_tally *accepted;
    struct worker *workers;
    size_t worker_count;
    atomic_uint_fast64_t next; /* the number of the next message */
    atomic_bool stopped;
    uint64_t begun_ns;
    uint64_t total; /* messages, at most as many as can be told apart */
    pthread_mutex_t lock;
    pthread_cond_t ended;
    size_t running; /* with the lock */
};

/* ---- what is next ---- */

/** When it is due; of a closed loop: at once. */
static uint64_t due_of(const struct smtp_load *load, uint64_t number)
{
    return load->plan.rate > 0
               ? load->begun_ns + (uint64_t)((double)number / load->plan.rate * (double)NS_PER_S)
               : 0;
}

static bool is_over(const struct smtp_load *load, uint64_t number, uint64_t now_ns)
{
    uint64_t duration_ns = load->plan.duration_ns;
    return number >= load->total ||
           (load->plan.rate == 0 && duration_ns > 0 && now_ns - load->begun_ns >= duration_ns);
}

/** The next number, where it is due; other threads take theirs at the same time. */
static enum smtp_bulk_more take_number(struct smtp_load *load, uint64_t now_ns, uint64_t *number,
                                       uint64_t *due_ns)
{
    *number = atomic_load_explicit(&load->next, memory_order_relaxed);
    do {
        if (is_over(load, *number, now_ns)) {
            return SMTP_BULK_NONE;
        }
        *due_ns = due_of(load, *number);
        if (*due_ns > now_ns) {
            return SMTP_BULK_LATER;
        }
    } while (!atomic_compare_exchange_weak_explicit(&load->next, number, *number + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    return SMTP_BULK_MESSAGE;
}

static enum smtp_bulk_more next_message(void *user, struct smtp_bulk_message *message)
{
    struct worker *worker = user;
    struct smtp_load *load = worker->load;
    struct place *place = &worker->places[message->place];
    uint64_t now_ns = smtp_clock_now_ns();
    worker->counts = now_ns - load->begun_ns >= load->plan.warm_up_ns;
    enum smtp_bulk_more more = take_number(load, now_ns, &place->number, &message->due_ns);
    if (more != SMTP_BULK_MESSAGE) {
        return more;
    }
    place->begun_ns = message->due_ns > 0 ? message->due_ns : now_ns;
    if (!smtp_letter_write(&place->letter, load->plan.letters, place->number)) {
        smtp_load_note_cause(&worker->result, "no memory for a message", 1);
        return SMTP_BULK_NONE;
    }
    message->outgoing = (struct smtp_outgoing){
        .envelope = {.reverse_path = load->plan.reverse_path,
                     .forward_paths = load->plan.forward_paths,
                     .forward_path_count = load->plan.forward_path_count},
        .content = smtp_content_memory(place->letter.octets, place->letter.len)};
    return SMTP_BULK_MESSAGE;
}

/* ---- what came of it ---- */

/** The first recipient that was refused: where others were accepted, the final reply is a good one. NULL: there is none. */
static const struct smtp_recipient_result *refused_of(const struct smtp_send_result *result)
{
    for (size_t i = 0; i < result->recipient_count; i++) {
        if (result->recipients[i].status != SMTP_OK) {
            return &result->recipients[i];
        }
    }
    return NULL;
}

static void note_refusal(struct worker *worker, const struct smtp_send_result *result)
{
    char text[SMTP_LOAD_CAUSE_SIZE];
    const struct smtp_recipient_result *refused = refused_of(result);
    const struct smtp_reply *reply = refused != NULL ? &refused->reply : &result->final_reply;
    enum smtp_client_stage at = refused != NULL ? refused->stage : result->stage;
    const char *stage = at == SMTP_STAGE_NONE ? "not sent" : smtp_client_stage_name(at);
    if (reply->code > 0) {
        snprintf(text, sizeof text, "%s: %d %.*s", stage, reply->code,
                 (int)strcspn(reply->text, "\n"), reply->text);
    } else {
        snprintf(text, sizeof text, "%s: %s", stage, smtp_status_text(result->status));
    }
    smtp_load_note_cause(&worker->result, text, 1);
}

static void message_sent(void *user, size_t at, const struct smtp_send_result *result)
{
    struct worker *worker = user;
    struct smtp_load *load = worker->load;
    const struct place *place = &worker->places[at];
    uint64_t now_ns = smtp_clock_now_ns();
    bool counts = place->begun_ns - load->begun_ns >= load->plan.warm_up_ns;
    worker->last_ns = now_ns;
    atomic_fetch_add_explicit(&worker->answered, 1, memory_order_relaxed);
    if (counts) {
        worker->result.sent++;
    }
    if (result->status != SMTP_OK) {
        note_refusal(worker, result);
        return;
    }
    if (load->accepted != NULL) {
        (void)smtp_tally_add(load->accepted, place->number);
    }
    smtp_load_note_second(&worker->result, (size_t)((now_ns - load->begun_ns) / NS_PER_S));
    if (counts) {
        worker->result.accepted++;
        worker->result.octets += place->letter.len;
        smtp_histogram_add(&worker->result.phases[SMTP_LOAD_MESSAGE], now_ns - place->begun_ns);
    }
}

/** The phase that a stage is told as; PHASES: none. */
static enum smtp_load_phase phase_of(enum smtp_client_stage stage)
{
    switch (stage) {
    case SMTP_STAGE_CONNECT:
        return SMTP_LOAD_CONNECT;
    case SMTP_STAGE_GREETING:
        return SMTP_LOAD_GREETING;
    case SMTP_STAGE_EHLO:
    case SMTP_STAGE_HELO:
        return SMTP_LOAD_EHLO;
    case SMTP_STAGE_STARTTLS:
        return SMTP_LOAD_TLS;
    case SMTP_STAGE_AUTH:
        return SMTP_LOAD_AUTH;
    case SMTP_STAGE_MAIL:
        return SMTP_LOAD_MAIL;
    case SMTP_STAGE_RCPT:
        return SMTP_LOAD_RCPT;
    case SMTP_STAGE_DATA:
    case SMTP_STAGE_CONTENT:
        return SMTP_LOAD_DATA;
    case SMTP_STAGE_DOT:
        return SMTP_LOAD_DOT;
    default:
        return SMTP_LOAD_PHASES;
    }
}

static void was_timed(void *user, enum smtp_client_stage stage, uint64_t elapsed_ns)
{
    struct worker *worker = user;
    enum smtp_load_phase phase = phase_of(stage);
    if (phase < SMTP_LOAD_MAIL || (phase < SMTP_LOAD_PHASES && worker->counts)) {
        smtp_histogram_add(&worker->result.phases[phase], elapsed_ns);
    }
}

static void session_lost(void *user, enum smtp_client_stage stage, const struct smtp_error *error)
{
    struct worker *worker = user;
    char text[SMTP_LOAD_CAUSE_SIZE];
    bool told = stage == SMTP_STAGE_NONE; /* the message has it */
    snprintf(text, sizeof text, "session: %s%s%.130s", told ? "" : smtp_client_stage_name(stage),
             told ? "" : ": ", error->message);
    worker->result.sessions_lost++;
    smtp_load_note_cause(&worker->result, text, 1);
}

/* ---- threads ---- */

static bool make_worker(struct smtp_load *load, size_t i, struct smtp_error *error)
{
    struct worker *worker = &load->workers[i];
    const struct smtp_load_plan *plan = &load->plan;
    size_t sessions = plan->sessions / plan->threads + (i < plan->sessions % plan->threads);
    const struct smtp_bulk_options options = {.sessions = sessions,
                                              .in_flight = plan->in_flight,
                                              .session_messages = plan->session_messages};
    const struct smtp_bulk_hooks hooks = {.next = next_message,
                                          .sent = message_sent,
                                          .timed = was_timed,
                                          .lost = session_lost,
                                          .user = worker};
    worker->load = load;
    worker->place_count = sessions * plan->in_flight;
    worker->places = calloc(worker->place_count, sizeof *worker->places);
    load->worker_count++;
    if (worker->places == NULL) {
        smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
        return false;
    }
    return smtp_bulk_new(&worker->bulk, plan->target, &options, &hooks, error) == SMTP_OK;
}

enum smtp_status smtp_load_new(struct smtp_load **out, const struct smtp_load_plan *plan,
                               struct smtp_tally *accepted, struct smtp_error *error)
{
    *out = NULL;
    struct smtp_load *load = calloc(1, sizeof *load);
    if (load == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    load->plan = *plan;
    load->accepted = accepted;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&load->lock, NULL);
    pthread_cond_init(&load->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    load->workers = calloc(plan->threads, sizeof *load->workers);
    bool made = load->workers != NULL;
    if (!made) {
        smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    for (size_t i = 0; i < plan->threads && made; i++) {
        made = make_worker(load, i, error);
    }
    if (!made) {
        smtp_load_free(load);
        return error->status;
    }
    *out = load;
    return SMTP_OK;
}

void smtp_load_free(struct smtp_load *load)
{
    if (load == NULL) {
        return;
    }
    for (size_t i = 0; load->workers != NULL && i < load->worker_count; i++) {
        struct worker *worker = &load->workers[i];
        smtp_bulk_free(worker->bulk);
        for (size_t k = 0; worker->places != NULL && k < worker->place_count; k++) {
            smtp_letter_clear(&worker->places[k].letter);
        }
        free(worker->places);
        smtp_load_result_clear(&worker->result);
    }
    pthread_cond_destroy(&load->ended);
    pthread_mutex_destroy(&load->lock);
    free(load->workers);
    free(load);
}

void smtp_load_stop(struct smtp_load *load)
{
    atomic_store_explicit(&load->stopped, true, memory_order_relaxed);
    for (size_t i = 0; i < load->worker_count; i++) {
        smtp_bulk_stop(load->workers[i].bulk);
    }
}

void smtp_load_cut(struct smtp_load *load)
{
    smtp_load_stop(load);
    for (size_t i = 0; i < load->worker_count; i++) {
        smtp_bulk_cut(load->workers[i].bulk);
    }
}

static void *work(void *user)
{
    struct worker *worker = user;
    struct smtp_load *load = worker->load;
    worker->status = smtp_bulk_run(worker->bulk, &worker->error);
    pthread_mutex_lock(&load->lock);
    load->running--;
    pthread_cond_signal(&load->ended);
    pthread_mutex_unlock(&load->lock);
    return NULL;
}

static void watch_until_end(struct smtp_load *load,
                            void (*watch)(void *user, const struct smtp_load *load), void *user)
{
    pthread_mutex_lock(&load->lock);
    while (load->running > 0) {
        uint64_t at_ns = smtp_clock_now_ns() + WATCH_NS;
        const struct timespec at = {(time_t)(at_ns / NS_PER_S), (long)(at_ns % NS_PER_S)};
        pthread_cond_timedwait(&load->ended, &load->lock, &at);
        pthread_mutex_unlock(&load->lock);
        if (watch != NULL) {
            watch(user, load);
        }
        pthread_mutex_lock(&load->lock);
    }
    pthread_mutex_unlock(&load->lock);
}

static uint64_t total_of(const struct smtp_load_plan *plan)
{
    uint64_t total = plan->messages > 0 ? plan->messages : SMTP_TALLY_MAX;
    if (plan->rate > 0 && plan->duration_ns > 0) {
        uint64_t due = (uint64_t)(plan->rate * (double)plan->duration_ns / (double)NS_PER_S);
        total = due < total ? due : total;
    }
    return total;
}

/** The time that is measured: from the end of the warm-up to the last reply. */
static uint64_t measured_ns(const struct smtp_load *load)
{
    uint64_t from_ns = load->begun_ns + load->plan.warm_up_ns, last_ns = from_ns;
    for (size_t i = 0; i < load->worker_count; i++) {
        last_ns = load->workers[i].last_ns > last_ns ? load->workers[i].last_ns : last_ns;
    }
    return last_ns - from_ns;
}

/** Adds up; SMTP_OK where any thread could work, or a message was answered before none could any more. */
static enum smtp_status conclude(struct smtp_load *load, struct smtp_load_result *result,
                                 struct smtp_error *error)
{
    enum smtp_status status = load->workers[0].status;
    bool merged = true;
    *result = (struct smtp_load_result){.interrupted = load->stopped};
    for (size_t i = 0; i < load->worker_count; i++) {
        struct worker *worker = &load->workers[i];
        merged = smtp_load_result_merge(result, &worker->result) && merged;
        if (worker->status == SMTP_OK) {
            status = SMTP_OK;
        } else {
            *error = worker->error;
        }
    }
    result->elapsed_ns = measured_ns(load);
    status = smtp_load_answered(load) > 0 ? SMTP_OK : status;
    return merged ? status : smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
}

enum smtp_status smtp_load_run(struct smtp_load *load,
                               void (*watch)(void *user, const struct smtp_load *load), void *user,
                               struct smtp_load_result *result, struct smtp_error *error)
{
    size_t started = 0;
    load->begun_ns = smtp_clock_now_ns();
    load->total = total_of(&load->plan);
    load->running = load->worker_count;
    while (started < load->worker_count && pthread_create(&load->workers[started].thread, NULL,
                                                          work, &load->workers[started]) == 0) {
        started++;
    }
    pthread_mutex_lock(&load->lock);
    load->running -= load->worker_count - started;
    pthread_mutex_unlock(&load->lock);
    for (size_t i = started; i < load->worker_count; i++) {
        load->workers[i].status =
            smtp_error_set(&load->workers[i].error, SMTP_SYSTEM_FAILED, 0, "no thread can be made");
    }
    watch_until_end(load, watch, user);
    for (size_t i = 0; i < started; i++) {
        pthread_join(load->workers[i].thread, NULL);
    }
    return conclude(load, result, error);
}

/* ---- while it runs ---- */

uint64_t smtp_load_answered(const struct smtp_load *load)
{
    uint64_t answered = 0;
    for (size_t i = 0; i < load->worker_count; i++) {
        answered += atomic_load_explicit(&load->workers[i].answered, memory_order_relaxed);
    }
    return answered;
}

uint64_t smtp_load_elapsed_ns(const struct smtp_load *load)
{
    return smtp_clock_now_ns() - load->begun_ns;
}

double smtp_load_progress(const struct smtp_load *load)
{
    bool by_time = load->plan.messages == 0 && load->plan.rate == 0;
    double done = by_time ? (double)smtp_load_elapsed_ns(load) / (double)load->plan.duration_ns
                          : (double)smtp_load_answered(load) / (double)load->total;
    return done < 1 ? done : 1;
}
