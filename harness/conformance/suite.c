/* suite.c - see suite.h. Threads take the next rule each; what came of it is told in order. */
#include "harness/conformance/suite.h"

#include "common/clock.h"
#include "common/error.h"
#include "common/net.h"
#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT_MS 10000
#define DEFAULT_QUIET_MS 200
#define DEFAULT_JOBS 8

/* ---- one rule ---- */

/** What is not there, for each need; of a server and of a client. The first is told: what no option mends comes first. */
static const struct {
    unsigned need;
    const char *server, *client;
} reasons[] = {
    {SMTP_NEEDS_LMTP, "it is for LMTP: give --lmtp", "the command has no LMTP (SMTP_URL)"},
    {SMTP_NEEDS_SMTP, "it is not for LMTP", NULL},
    {SMTP_NEEDS_ARRIVALS, "what arrives is not seen: give --maildir or --sink", NULL},
    {SMTP_NEEDS_SINK, "what is relayed is not seen: give --sink", NULL},
    {SMTP_NEEDS_OTHER, "it takes a second --recipient", NULL},
    {SMTP_NEEDS_TLS, NULL, "the command does not begin TLS (SMTP_TLS)"},
    {SMTP_NEEDS_LOGIN, "it takes --user and --password",
     "the command does not log in (SMTP_USER, SMTP_PASSWORD)"},
    {SMTP_NEEDS_TIME, "it takes minutes: give --slow", "it takes minutes: give --slow"},
    {SMTP_NEEDS_FROM, NULL, "the command does not heed SMTP_FROM or {from}"},
    {SMTP_NEEDS_TO, NULL, "the command does not heed SMTP_TO or {to}"},
    {SMTP_NEEDS_SEVERAL, NULL, "the command does not send to several recipients (SMTP_TO, {to})"},
    {SMTP_NEEDS_CONTENT, NULL,
     "the command does not send its standard input, SMTP_MESSAGE or {message}"},
    {SMTP_NEEDS_MESSAGES, NULL, "the command does not send several messages (SMTP_MESSAGES)"},
    {SMTP_NEEDS_HELO, NULL, "the command does not heed SMTP_HELO"},
    {SMTP_NEEDS_DSN, NULL, "the command does not heed SMTP_ENVID and the like"},
    {SMTP_NEEDS_REQUIRETLS, NULL, "the command does not heed SMTP_REQUIRETLS"},
    {SMTP_NEEDS_MECHANISM, NULL, "the command does not heed SMTP_MECHANISM"},
    {SMTP_NEEDS_IMPLICIT_TLS, NULL, "the command does not speak TLS at once (SMTP_URL smtps://)"},
};

static unsigned abilities_of_server(const struct smtp_check_options *options)
{
    return (options->arrivals != NULL ? SMTP_NEEDS_ARRIVALS : 0u) |
           (options->arrivals != NULL && smtp_arrivals_is_sink(options->arrivals) ? SMTP_NEEDS_SINK
                                                                                  : 0u) |
           (options->recipient_count > 1 ? SMTP_NEEDS_OTHER : 0u) |
           (options->lmtp ? SMTP_NEEDS_LMTP : SMTP_NEEDS_SMTP) |
           (options->user != NULL && options->password != NULL ? SMTP_NEEDS_LOGIN : 0u) |
           SMTP_NEEDS_TLS; /* whether it is offered is seen in the session */
}

static void look_at_needs(struct smtp_check *check)
{
    const struct smtp_check_options *options = check->options;
    bool is_server = options->address != NULL;
    unsigned there = (is_server ? abilities_of_server(options) : options->abilities) |
                     (options->slow ? SMTP_NEEDS_TIME : 0u);
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        const char *reason = is_server ? reasons[i].server : reasons[i].client;
        if ((check->rule->needs & ~there & reasons[i].need) != 0 && reason != NULL) {
            smtp_check_skip(check, "%s", reason);
        }
    }
}

static bool make_token(struct smtp_check *check)
{
    unsigned char octets[8];
    if (RAND_bytes(octets, sizeof octets) != 1) {
        return false;
    }
    size_t at = (size_t)snprintf(check->token, sizeof check->token, "check");
    for (size_t i = 0; i < sizeof octets; i++) {
        at += (size_t)snprintf(check->token + at, sizeof check->token - at, "%02x", octets[i]);
    }
    return true;
}

static void name_addresses(struct smtp_check *check)
{
    const struct smtp_check_options *options = check->options;
    check->sender = options->sender != NULL ? options->sender : "postmaster@example.com";
    check->recipient = options->recipient_count > 0 ? options->recipients[0] : "postmaster";
    check->other_recipient = options->recipient_count > 1 ? options->recipients[1] : "";
    check->bad_recipient = options->bad_recipient != NULL
                               ? options->bad_recipient
                               : smtp_check_text(check, "%s@localhost", check->token);
    check->domain = "";
}

/** Judges; the check is to be cleared. */
static void judge(struct smtp_check *check, const struct smtp_rule *rule,
                  const struct smtp_check_options *options, uint64_t *elapsed_ns)
{
    uint64_t begin_ns = smtp_clock_now_ns();
    uint64_t quiet_ms = options->quiet_ms != 0 ? options->quiet_ms : DEFAULT_QUIET_MS;
    uint64_t timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    *check = (struct smtp_check){.options = options,
                                 .rule = rule,
                                 .owned = SMTP_BUFFER(SIZE_MAX / 2),
                                 .dialogues = SMTP_BUFFER(SIZE_MAX / 2),
                                 .quiet_ms = quiet_ms,
                                 .timeout_ms = timeout_ms,
                                 .deadline_ns = smtp_deadline_after(begin_ns, timeout_ms)};
    if (!smtp_talk_make_nowhere(check) || !make_token(check)) {
        smtp_check_skip(check, "out of memory");
    } else {
        name_addresses(check);
        look_at_needs(check);
    }
    if (smtp_check_goes_on(check)) {
        smtp_arrivals_use(check, SMTP_ARRIVALS_PLAIN);
        rule->judge(check);
        smtp_talk_hang_up(check);
        smtp_arrivals_leave(check);
    }
    *elapsed_ns = smtp_clock_now_ns() - begin_ns;
}

static void tell_of(const struct smtp_check *check, uint64_t elapsed_ns,
                    void (*tell)(void *user, const struct smtp_suite_result *result), void *user)
{
    struct smtp_span dialogues = smtp_buffer_span(&check->dialogues);
    const struct smtp_suite_result result = {
        .rule = check->rule,
        .verdict = check->verdict,
        .detail = check->detail != NULL ? check->detail : "",
        .warning = check->warning != NULL ? check->warning : "",
        .elapsed_ns = elapsed_ns,
        .dialogues = (const void *)dialogues.bytes,
        .dialogue_count = dialogues.len / sizeof(struct smtp_report_dialogue),
    };
    tell(user, &result);
}

void smtp_suite_judge(const struct smtp_rule *rule, const struct smtp_check_options *options,
                      void (*tell)(void *user, const struct smtp_suite_result *result), void *user)
{
    struct smtp_check check;
    uint64_t elapsed_ns;
    judge(&check, rule, options, &elapsed_ns);
    tell_of(&check, elapsed_ns, tell, user);
    smtp_check_clear(&check);
}

/* ---- many ---- */

enum smtp_status smtp_suite_can_reach(const struct smtp_check_options *options,
                                      struct smtp_error *error)
{
    struct smtp_address address;
    int fd = -1;
    uint64_t timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), timeout_ms);
    enum smtp_status status = smtp_ask_reach(options, deadline_ns, &address, &fd, error);
    if (status != SMTP_OK) {
        return status;
    }
    if (!options->implicit_tls && smtp_net_wait(fd, false, deadline_ns) == SMTP_TIMED_OUT) {
        status = smtp_error_set(error, SMTP_TIMED_OUT, 0,
                                "%s said nothing within %" PRIu64 " s: expected a greeting (RFC "
                                "5321 3.1); where TLS comes first, say smtps://",
                                options->address, timeout_ms / 1000);
    }
    close(fd);
    return status;
}

struct judged {
    const struct smtp_rule *rule;
    struct smtp_check check;
    uint64_t elapsed_ns;
    bool is_done;
};

struct run {
    const struct smtp_suite *suite;
    struct judged *all;
    size_t count;
    pthread_mutex_t lock;
    size_t next;   /* to be judged */
    size_t untold; /* the first of them */
};

static void tell_what_is_ready(struct run *run)
{
    while (run->untold < run->count && run->all[run->untold].is_done) {
        struct judged *judged = &run->all[run->untold++];
        tell_of(&judged->check, judged->elapsed_ns, run->suite->tell, run->suite->user);
        smtp_check_clear(&judged->check);
    }
}

static bool has_next(const struct run *run)
{
    const atomic_bool *is_over = run->suite->is_over;
    return run->next < run->count &&
           (is_over == NULL || !atomic_load_explicit(is_over, memory_order_relaxed));
}

/** A client that no connection came from has kept no rule. */
static void skip_unseen(struct smtp_check *check)
{
    if (check->options->command != NULL && check->verdict == SMTP_PASS && check->last == NULL) {
        check->is_decided = false;
        smtp_check_skip(check, "the command never connected");
    }
}

static void *work(void *user)
{
    struct run *run = user;
    pthread_mutex_lock(&run->lock);
    while (has_next(run)) {
        struct judged *judged = &run->all[run->next++];
        pthread_mutex_unlock(&run->lock);
        judge(&judged->check, judged->rule, run->suite->options, &judged->elapsed_ns);
        skip_unseen(&judged->check);
        pthread_mutex_lock(&run->lock);
        judged->is_done = true;
        tell_what_is_ready(run);
    }
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

static int compare(const void *judged, const void *other)
{
    const struct smtp_rule *rule = ((const struct judged *)judged)->rule;
    const struct smtp_rule *its = ((const struct judged *)other)->rule;
    int order = smtp_rule_compare(rule->id, its->id);
    return order != 0 ? order : (rule > its) - (rule < its); /* in a section as they stand there */
}

static enum smtp_status work_on_threads(struct run *run)
{
    pthread_t threads[SMTP_SUITE_JOBS_MAX];
    size_t started = 0, wanted = run->suite->jobs != 0 ? run->suite->jobs : DEFAULT_JOBS;
    wanted = wanted < run->count ? wanted : run->count;
    wanted = wanted < SMTP_SUITE_JOBS_MAX ? wanted : SMTP_SUITE_JOBS_MAX;
    while (started < wanted && pthread_create(&threads[started], NULL, work, run) == 0) {
        started++;
    }
    for (size_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    return started > 0 || wanted == 0 ? SMTP_OK : SMTP_SYSTEM_FAILED;
}

enum smtp_status smtp_suite_run(const struct smtp_suite *suite)
{
    struct run run = {.suite = suite, .lock = PTHREAD_MUTEX_INITIALIZER};
    size_t rules = 0;
    while (smtp_rule_at(suite->side, rules) != NULL) {
        rules++;
    }
    run.all = calloc(rules + 1, sizeof *run.all);
    if (run.all == NULL) {
        return SMTP_NO_MEMORY;
    }
    for (size_t i = 0; i < rules; i++) {
        const struct smtp_rule *rule = smtp_rule_at(suite->side, i);
        if (smtp_rule_is_selected(rule->id, suite->prefixes, suite->prefix_count)) {
            run.all[run.count++].rule = rule;
        }
    }
    qsort(run.all, run.count, sizeof *run.all, compare);
    enum smtp_status status = work_on_threads(&run);
    pthread_mutex_destroy(&run.lock);
    free(run.all);
    return status;
}
