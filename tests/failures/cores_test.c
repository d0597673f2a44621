/* cores_test.c - both cores joined in memory, without a socket, with the i-th allocation of either failing, and with
 * all later ones failing too: what the client's is told is true of what the server's has handed out, both end, or go on
 * once there is memory again, and nothing is lost. */
#include "client/protocol/content.h"
#include "client/protocol/session.h"
#include "common/deadline.h"
#include "server/message.h"
#include "server/protocol/session.h"
#include "tests/failures/stages.h"
#include "tests/support/test.h"

#include <stdio.h>

#define NOW 1000000000u
#define ROUNDS 2000 /* no dialogue here takes as many */

/* What a pair speaks. */
struct cores_of {
    bool lmtp, chunking, pipelining, tls;
    const char *login; /* a mechanism of one step; NULL: none */
    size_t letters;
};

struct cores {
    const struct cores_of *of;
    struct stage *stage;
    struct smtp_client_session *client;
    struct smtp_server_session *server;
    struct smtp_server_session_config config;
    struct smtp_client_options options;
    size_t begun;                /* the letter begun last */
    size_t flights[2 * LETTERS]; /* letters, as their transactions began */
    size_t begun_flights, ended_flights;
    unsigned there[LETTERS + 1];
    bool part_there; /* something was handed out that is no letter */
    bool replied;
    enum smtp_status status; /* of the last command */
};

static const struct smtp_tls_facts facts = {.version = "TLSv1.3", .cipher = "X"};

static int64_t noon(void)
{
    return 1795608000;
}

/* ---- the server's end ---- */

static void take_message(struct cores *cores, struct smtp_message *message)
{
    size_t len = 0, i = LETTERS;
    const char *content = smtp_message_content(message, &len);
    while (i > 0 &&
           (strlen(stage_letter(i)) != len || memcmp(stage_letter(i), content, len) != 0)) {
        i--;
    }
    cores->there[i]++;
    cores->part_there = cores->part_there || i == 0;
    smtp_message_release(message);
}

static void answer_server(struct cores *cores)
{
    struct smtp_server_event event;
    const struct smtp_server_auth_answer accepted = {.step = SMTP_SERVER_AUTH_ACCEPTED,
                                                     .identity = "ann"};
    while (smtp_server_session_next_event(cores->server, &event)) {
        switch (event.kind) {
        case SMTP_SERVER_ASK_AUTH:
            smtp_server_session_answer_auth(cores->server, &accepted, NOW);
            break;
        case SMTP_SERVER_RESET:
        case SMTP_SERVER_AUTH_CANCELLED:
        case SMTP_SERVER_START_TLS:
            break;
        case SMTP_SERVER_ASK_MESSAGE:
            take_message(cores, event.message);
            smtp_server_session_answer(cores->server, SMTP_ACCEPT, NULL, NOW);
            break;
        default:
            smtp_server_session_answer(cores->server, SMTP_ACCEPT, NULL, NOW);
            break;
        }
    }
}

/* ---- the client's end ---- */

static struct smtp_client_content_facts measure(size_t i)
{
    return (struct smtp_client_content_facts){
        .size_known = true, .size_bytes = strlen(stage_letter(i)), .needs_no_repair = true};
}

static void hear_client(struct cores *cores)
{
    struct smtp_client_event event;
    while (smtp_client_session_next_event(cores->client, &event)) {
        if (event.kind == SMTP_CLIENT_EVENT_TRANSACTION_DONE) {
            stage_told(cores->stage, cores->flights[cores->ended_flights++],
                       smtp_client_session_result(cores->client)->status);
        } else if (event.kind != SMTP_CLIENT_EVENT_CONTENT_WANTED) {
            cores->replied = true;
            cores->status = event.status;
        }
    }
}

/* Its end, where it has ended already, is not judged. */
static void give_content(struct cores *cores)
{
    while (smtp_client_session_takes_content(cores->client)) {
        const char *text = stage_letter(cores->begun);
        enum smtp_status status =
            smtp_client_session_content(cores->client, text, strlen(text), NOW);
        if (status == SMTP_OK) {
            status = smtp_client_session_content_end(cores->client, NOW);
        }
        if (status != SMTP_OK) {
            return;
        }
    }
}

static bool to_server(struct cores *cores)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    if (smtp_client_session_pending(cores->client, parts) == 0) {
        return false;
    }
    size_t len = smtp_server_session_receive(cores->server, parts[0].bytes, parts[0].len, NOW);
    answer_server(cores);
    smtp_client_session_sent(cores->client, len, NOW);
    return len > 0;
}

static bool to_client(struct cores *cores)
{
    struct smtp_span span = smtp_server_session_pending(cores->server);
    size_t len = 0;
    smtp_client_session_receive(cores->client, span.bytes, span.len, &len, NOW);
    len = smtp_client_session_ended(cores->client) ? span.len : len;
    smtp_server_session_sent(cores->server, len);
    if (span.len == 0 && smtp_server_session_ended(cores->server)) {
        smtp_client_session_lost(cores->client);
    }
    return len > 0;
}

/* Octets go to and fro until none move. */
static void talk(struct cores *cores)
{
    bool moves = true;
    for (unsigned i = 0; moves && i < ROUNDS; i++) {
        hear_client(cores);
        give_content(cores);
        answer_server(cores);
        moves = to_server(cores);
        moves = to_client(cores) || moves;
    }
    hear_client(cores);
    if (moves) {
        stage_wrong(cores->stage, "it does not come to an end");
    }
    if (smtp_client_session_ended(cores->client)) {
        smtp_server_session_cut(cores->server);
        answer_server(cores);
    }
}

/* ---- a dialogue ---- */

static bool ask(struct cores *cores, enum smtp_client_stage stage,
                const struct smtp_client_command *command)
{
    cores->replied = false;
    cores->status = smtp_client_session_command(cores->client, stage, command, NOW);
    bool queued = cores->status == SMTP_OK;
    if (queued) {
        talk(cores);
    }
    if (queued && !cores->replied) {
        stage_wrong(cores->stage, "a command has no reply, and no end");
    }
    return cores->status == SMTP_OK;
}

static bool say_hello(struct cores *cores)
{
    const struct smtp_client_command hello = {.verb = smtp_client_session_hello_verb(cores->client),
                                              .kind = SMTP_CLIENT_DOMAIN,
                                              .argument = "client.example"};
    return ask(cores, SMTP_STAGE_EHLO, &hello);
}

static bool secure(struct cores *cores)
{
    const struct smtp_client_command starttls = {.verb = "STARTTLS"};
    if (!ask(cores, SMTP_STAGE_STARTTLS, &starttls)) {
        return false;
    }
    smtp_server_session_tls_started(cores->server, &facts, false, NOW);
    smtp_client_session_tls_started(cores->client, false, NOW);
    return say_hello(cores);
}

static enum smtp_status respond(void *user, struct smtp_span challenge,
                                struct smtp_buffer *response, struct smtp_error *error)
{
    (void)user;
    (void)challenge;
    (void)error;
    return smtp_buffer_append(response, "\0ann\0secret", 11);
}

static bool is_complete(const void *user)
{
    (void)user;
    return true;
}

static bool log_in(struct cores *cores)
{
    static const struct smtp_client_mechanism plain = {
        .name = "PLAIN", .speaks_first = true, .answer = respond, .is_complete = is_complete};
    cores->replied = false;
    cores->status = smtp_client_session_auth(cores->client, &plain, NOW);
    bool queued = cores->status == SMTP_OK;
    if (queued) {
        talk(cores);
    }
    if (queued && !cores->replied) {
        stage_wrong(cores->stage, "AUTH has no reply, and no end");
    }
    return cores->status == SMTP_OK;
}

static void send_letter(struct cores *cores, size_t i)
{
    struct smtp_client_content_facts content = measure(i);
    enum smtp_status status =
        smtp_client_session_send(cores->client, stage_envelope(), &content, NOW);
    cores->begun = i;
    if (status == SMTP_OK) {
        cores->flights[cores->begun_flights++] = i;
    } else {
        stage_told(cores->stage, i, status);
    }
}

static bool meet(struct cores *cores)
{
    const struct smtp_server_session_start start = {
        .number = 1, .peer = "127.0.0.1:1", .lmtp = cores->of->lmtp, .user = cores};
    cores->client = smtp_client_session_new(&cores->options);
    cores->server = smtp_server_session_new(&cores->config, &start);
    if (cores->client == NULL || cores->server == NULL) {
        return false;
    }
    smtp_server_session_open(cores->server, NOW);
    if (cores->of->lmtp) {
        smtp_client_session_open_lmtp(cores->client, NOW, SMTP_NEVER);
    } else {
        smtp_client_session_open(cores->client, NOW, SMTP_NEVER);
    }
    talk(cores);
    return cores->replied && cores->status == SMTP_OK && say_hello(cores) &&
           (!cores->of->tls || secure(cores)) && (!cores->of->login || log_in(cores));
}

static void send_letters(struct cores *cores, size_t first, size_t last)
{
    for (size_t i = first; i <= last; i++) {
        if (!smtp_client_session_may_begin(cores->client)) {
            talk(cores);
        }
        if (smtp_client_session_ended(cores->client)) {
            return; /* the driver connects anew */
        }
        send_letter(cores, i);
        if (!cores->of->pipelining || i == last) {
            talk(cores);
        } else {
            give_content(cores);
        }
    }
}

static void part(struct cores *cores)
{
    smtp_client_session_free(cores->client);
    smtp_server_session_free(cores->server);
    cores->client = NULL;
    cores->server = NULL;
}

/* ---- the scenario ---- */

static struct cores cores;
static const struct cores_of *next_of; /* what the next run speaks */

static void before(struct stage *stage)
{
    struct smtp_server_options defaults;
    smtp_server_options_init(&defaults);
    cores = (struct cores){.of = next_of, .stage = stage};
    cores.config = (struct smtp_server_session_config){
        .hostname = "mx.test",
        .greeting_text = "ESMTP",
        .limits = defaults.limits,
        .keywords = defaults.keywords,
        .unix_time_s = noon,
        .starttls = next_of->tls,
        .mechanisms_clear = next_of->login && !next_of->tls ? "PLAIN" : "",
        .mechanisms_tls = next_of->login ? "PLAIN" : "",
        .mechanisms_too_weak = "",
        .asks = (1u << SMTP_SERVER_RESET) | (1u << SMTP_SERVER_ASK_MAIL)};
    cores.config.keywords.pipelining = next_of->pipelining || next_of->lmtp;
    smtp_client_options_init(&cores.options);
    cores.options.chunking = next_of->chunking;
    cores.options.pipelining = next_of->pipelining;
}

static void run(struct stage *stage)
{
    (void)stage;
    if (meet(&cores)) {
        send_letters(&cores, 1, cores.of->letters);
    }
}

static bool both_go_on(void)
{
    return cores.client != NULL && cores.server != NULL &&
           smtp_client_session_greeted(cores.client) &&
           smtp_client_session_may_begin(cores.client) && !smtp_server_session_ended(cores.server);
}

static void after(struct stage *stage)
{
    bool whole = both_go_on() && (!cores.of->tls || smtp_client_session_has_tls(cores.client));
    if (whole) {
        send_letters(&cores, LETTERS - 1, LETTERS - 1);
        if (stage->letters[LETTERS - 1].status != SMTP_OK) {
            stage_wrong(stage, "the same session takes no letter afterwards: %s",
                        smtp_status_name(stage->letters[LETTERS - 1].status));
        }
    }
    part(&cores);
    if (!meet(&cores)) {
        stage_wrong(stage, "there is no new session afterwards");
    } else {
        send_letters(&cores, LETTERS, LETTERS);
    }
    if (stage->letters[LETTERS].status != SMTP_OK || !stage->letters[LETTERS].tried) {
        stage_wrong(stage, "a new session takes no letter afterwards");
    }
    part(&cores);
    for (size_t i = 1; i <= LETTERS; i++) {
        stage_judge_letter(stage, i, cores.there[i]);
    }
    if (cores.part_there) {
        stage_wrong(stage, "a part of a letter was handed out");
    }
    if (stage->must_hold && (!whole || stage->letters[cores.of->letters].status != SMTP_OK)) {
        stage_wrong(stage, "nothing failed, and not all is well");
    }
}

static void each(const char *name, const struct cores_of *of)
{
    const struct scenario both = {name, before, run, after};
    next_of = of;
    each_allocation(&both, false);
    each_allocation(&both, true);
}

#define CORES(name, ...)                                                                           \
    TEST_WITHIN(failing_cores, name, 60)                                                           \
    {                                                                                              \
        each("cores: " #name, &(struct cores_of){__VA_ARGS__});                                    \
    }

CORES(content_by_data, .letters = 2)
CORES(content_by_chunks, .letters = 2, .chunking = true)
CORES(a_stream_of_content, .letters = 5, .pipelining = true)
CORES(a_stream_of_chunks, .letters = 5, .pipelining = true, .chunking = true)
CORES(lmtp, .letters = 3, .lmtp = true)
CORES(lmtp_in_a_stream, .letters = 5, .lmtp = true, .pipelining = true, .chunking = true)
CORES(starttls, .letters = 2, .tls = true, .chunking = true)
CORES(a_login, .letters = 2, .login = "PLAIN")
CORES(a_login_under_tls, .letters = 2, .login = "PLAIN", .tls = true, .pipelining = true)
