/* scenarios_streams.c - many messages: a stream over one session, and sessions kept in a pool. */
#include "client/smtp_pool.h"
#include "harness/selftest/scenarios.h"

#include <stdio.h>
#include <string.h>

#define MESSAGES 20

/** What the messages of a stream point to, and what became of them. */
struct stream {
    char paths[MESSAGES][32];
    const char *to[MESSAGES];
    char texts[MESSAGES][64];
    size_t sent, accepted;
    bool in_order;
};

static bool next_message(void *user, size_t index, struct smtp_outgoing *message)
{
    struct stream *stream = user;
    if (index >= MESSAGES) {
        return false;
    }
    snprintf(stream->paths[index], sizeof stream->paths[index], "user%zu@example.com", index);
    snprintf(stream->texts[index], sizeof stream->texts[index], "Subject: %zu\n\n.\n", index);
    stream->to[index] = stream->paths[index];
    message->envelope = (struct smtp_envelope){
        .reverse_path = ANN, .forward_paths = &stream->to[index], .forward_path_count = 1};
    message->content = smtp_content_text(stream->texts[index]);
    return true;
}

static void message_sent(void *user, size_t index, const struct smtp_send_result *result)
{
    struct stream *stream = user;
    stream->in_order = stream->in_order && index == stream->sent;
    stream->sent++;
    stream->accepted += result->status == SMTP_OK;
}

/** Every message of the stream but number `refused` (MESSAGES: none) was captured, in order. */
static bool all_captured(struct smtp_trial *trial, struct smtp_harness *harness, size_t refused)
{
    for (size_t i = 0, at = 0; i < MESSAGES; i++) {
        char path[32], content[64];
        if (i == refused) {
            continue;
        }
        snprintf(path, sizeof path, "user%zu@example.com", i);
        int len = snprintf(content, sizeof content, "Subject: %zu\r\n\r\n.\r\n", i);
        if (!smtp_trial_captured(trial, harness, at++, ANN, path,
                                 (struct smtp_span){content, (size_t)len})) {
            return false;
        }
    }
    return smtp_trial_count(trial, harness, refused < MESSAGES ? MESSAGES - 1 : MESSAGES);
}

static bool streams(struct smtp_trial *trial, const struct smtp_harness_options *options,
                    enum smtp_status expected, size_t refused)
{
    struct smtp_ends ends;
    struct stream stream = {.in_order = true};
    return smtp_trial_open(trial, options, &ends) &&
           smtp_trial_is_status(
               trial, "smtp_client_send_many",
               smtp_client_send_many(ends.client, next_message, message_sent, &stream), expected,
               ends.client) &&
           smtp_trial_is_number(trial, "results", stream.sent, MESSAGES) &&
           smtp_trial_is_number(trial, "accepted", stream.accepted,
                                refused < MESSAGES ? MESSAGES - 1 : MESSAGES) &&
           smtp_trial_is_true(trial, "results in order", stream.in_order) &&
           all_captured(trial, ends.harness, refused);
}

static bool many_with_bdat(struct smtp_trial *trial)
{
    return streams(trial, NULL, SMTP_OK, MESSAGES);
}

static bool many_with_data(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.client.chunking = false;
    return streams(trial, &options, SMTP_OK, MESSAGES);
}

static bool many_without_pipelining(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.keywords.pipelining = false;
    return streams(trial, &options, SMTP_OK, MESSAGES);
}

static enum smtp_server_verdict refuse_seven(void *user,
                                             const struct smtp_server_session_info *session,
                                             const char *forward_path, const char *parameters,
                                             struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    (void)parameters;
    return strncmp(forward_path, "user7@", 6) == 0
               ? smtp_server_reply(reply, 550, "5.1.1", "no such user")
               : SMTP_ACCEPT;
}

static bool many_one_refused(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.hooks.rcpt = refuse_seven;
    return streams(trial, &options, SMTP_PARTLY_REFUSED, 7);
}

/* ---- the pool ---- */

static void free_pool(void *pool)
{
    smtp_client_pool_free(pool);
}

/** A pool, and a harness that is its target. */
static struct smtp_client_pool *open_pool(struct smtp_trial *trial,
                                          const struct smtp_client_pool_options *options,
                                          struct smtp_harness **harness)
{
    struct smtp_client_pool *pool = NULL;
    *harness = smtp_trial_harness(trial, NULL);
    if (*harness == NULL || !smtp_trial_is_ok(trial, "smtp_client_pool_new",
                                              smtp_client_pool_new(&pool, options), NULL)) {
        return NULL;
    }
    return smtp_trial_own(trial, pool, free_pool);
}

static bool pool_sends(struct smtp_trial *trial, struct smtp_client_pool *pool,
                       struct smtp_harness *harness)
{
    struct smtp_harness_options bounded;
    struct smtp_error error = {.message = ""};
    const char *to[] = {"bob@example.com"};
    const struct smtp_envelope envelope = {
        .reverse_path = ANN, .forward_paths = to, .forward_path_count = 1};
    smtp_trial_options(&bounded);
    const struct smtp_client_target target = {
        .host = smtp_server_address(smtp_harness_server(harness), 0), .options = &bounded.client};
    enum smtp_status status = smtp_client_pool_send(pool, &target, &envelope,
                                                    smtp_content_text("\n"), NULL, NULL, &error);
    return status == SMTP_OK || smtp_trial_fail(trial, "smtp_client_pool_send: %s", error.message);
}

static bool pool_reuses(struct smtp_trial *trial)
{
    struct smtp_harness *harness;
    struct smtp_client_pool *pool = open_pool(trial, NULL, &harness);
    return pool != NULL && pool_sends(trial, pool, harness) && pool_sends(trial, pool, harness) &&
           pool_sends(trial, pool, harness) &&
           smtp_trial_is_number(trial, "sessions", smtp_client_pool_count(pool), 1) &&
           smtp_trial_expect(trial, harness, "session=1 count=3");
}

static bool pool_message_limit(struct smtp_trial *trial)
{
    struct smtp_harness *harness;
    struct smtp_client_pool_options options;
    smtp_client_pool_options_init(&options);
    options.messages = 2;
    struct smtp_client_pool *pool = open_pool(trial, &options, &harness);
    return pool != NULL && pool_sends(trial, pool, harness) && pool_sends(trial, pool, harness) &&
           pool_sends(trial, pool, harness) &&
           smtp_trial_expect(trial, harness, "session=1 count=2") &&
           smtp_trial_expect(trial, harness, "session=2 count=1");
}

static bool pool_stale_session(struct smtp_trial *trial)
{
    /* the server ends the session that lies in the pool: the message goes over a new one, once */
    struct smtp_harness *harness;
    struct smtp_error error = {.message = ""};
    struct smtp_client_pool *pool = open_pool(trial, NULL, &harness);
    if (pool == NULL || !pool_sends(trial, pool, harness)) {
        return false;
    }
    smtp_server_stop(smtp_harness_server(harness), 0);
    return smtp_trial_is_ok(trial, "the server starts again",
                            smtp_server_start(smtp_harness_server(harness), &error), NULL) &&
           pool_sends(trial, pool, harness) &&
           smtp_trial_is_number(trial, "sessions", smtp_client_pool_count(pool), 1) &&
           smtp_trial_count(trial, harness, 2);
}

static const struct smtp_scenario rows[] = {
    {"send-many-bdat", "3030 4.2", "20 messages, whole ones pipelined", many_with_bdat},
    {"send-many-data", "2920 3.1", "20 messages, the next envelope behind the content",
     many_with_data},
    {"send-many-one-by-one", "5321 3.3", "PIPELINING is not offered", many_without_pipelining},
    {"send-many-one-refused", "2920 3.1", "the others arrive, in order", many_one_refused},
    {"pool-reuses", "5321 4.5.4.1", "three messages over one session", pool_reuses},
    {"pool-message-limit", "5321 4.5.4.1", "two a session, then a new one", pool_message_limit},
    {"pool-stale-session", "5321 4.5.4.1", "one that died in the pool is replaced",
     pool_stale_session},
};
const struct smtp_scenario_table smtp_scenarios_streams = {rows, sizeof rows / sizeof *rows};
