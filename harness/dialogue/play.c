/* play.c - a dialogue from its first session to its last, as client or as server: the connections, the TLS contexts,
 * and what must be known before it begins. Knows nothing of what is said (player.c). */
#include "common/address.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/net.h"
#include "harness/dialogue/player.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define STEP_TIMEOUT_MS 10000
#define TOLERANCE_MS 50

/* ---- before it begins ---- */

static bool check_sent(struct smtp_dialogue_player *player, struct smtp_dialogue_names *known,
                       const struct smtp_dialogue_step *step)
{
    const struct smtp_dialogue_part *parts = smtp_dialogue_parts(player->dialogue, step);
    for (size_t i = 0; i < step->part_count; i++) {
        struct smtp_span value;
        if (parts[i].kind == SMTP_DIALOGUE_VARIABLE && !parts[i].has_value &&
            !smtp_dialogue_names_is_own(parts[i].name) &&
            !smtp_dialogue_names_find(known, parts[i].name, &value)) {
            int len = (int)parts[i].name.len;
            return smtp_dialogue_tell_cannot(
                player, step,
                "${%.*s} is sent, and nothing before tells what it is; set it (--set %.*s=VALUE), "
                "or write ${%.*s=VALUE}",
                len, parts[i].name.bytes, len, parts[i].name.bytes, len, parts[i].name.bytes);
        }
    }
    return true;
}

static bool learn_names(struct smtp_dialogue_player *player, struct smtp_dialogue_names *known,
                        const struct smtp_dialogue_step *step)
{
    const struct smtp_dialogue_part *parts = smtp_dialogue_parts(player->dialogue, step);
    for (size_t i = 0; i < step->part_count; i++) {
        if (parts[i].kind == SMTP_DIALOGUE_VARIABLE &&
            !smtp_dialogue_names_add(known, parts[i].name, SMTP_SPAN(""))) {
            return smtp_dialogue_tell_cannot(player, step, "out of memory");
        }
    }
    return true;
}

/** Octets that are received have an end. */
static bool check_received(struct smtp_dialogue_player *player,
                           const struct smtp_dialogue_names *known,
                           const struct smtp_dialogue_step *step, bool is_last)
{
    bool ends = !is_last && step[1].kind >= SMTP_DIALOGUE_CLOSE &&
                step[1].kind <= SMTP_DIALOGUE_RESET && step[1].speaker == step->speaker;
    return ends || !smtp_dialogue_is_open(player->dialogue, step, known) ||
           smtp_dialogue_tell_cannot(
               player, step,
               "nothing tells where these octets end: write what they end with, or "
               "[%c close] behind them",
               step->speaker == SMTP_DIALOGUE_CLIENT ? 'C' : 'S');
}

/** What this role needs to know can be known; nothing is sent before that is sure. */
static bool check(struct smtp_dialogue_player *player)
{
    struct smtp_dialogue_names known = SMTP_DIALOGUE_NAMES;
    bool held = true;
    for (size_t i = 0; i < player->options->variable_count && held; i++) {
        held = smtp_dialogue_names_add(&known, smtp_span_of(player->options->variables[i].name),
                                       SMTP_SPAN("")) ||
               smtp_dialogue_tell_cannot(player, NULL, "out of memory");
    }
    size_t count = smtp_dialogue_step_count(player->dialogue);
    for (size_t i = 0; i < count && held; i++) {
        const struct smtp_dialogue_step *step = smtp_dialogue_step_at(player->dialogue, i);
        held = step->speaker == player->role ? check_sent(player, &known, step)
                                             : check_received(player, &known, step, i + 1 == count);
        held = held && learn_names(player, &known, step);
    }
    smtp_dialogue_names_free(&known);
    return held;
}

static bool set_names(struct smtp_dialogue_player *player)
{
    for (size_t i = 0; i < player->options->variable_count; i++) {
        const struct smtp_dialogue_variable *variable = &player->options->variables[i];
        if (!smtp_dialogue_names_add(&player->names, smtp_span_of(variable->name),
                                     variable->value)) {
            return smtp_dialogue_tell_cannot(player, NULL, "out of memory");
        }
    }
    player->names.host = smtp_span_of(player->host);
    player->names.port = smtp_span_of(player->port);
    return true;
}

static bool uses_tls(const struct smtp_dialogue_player *player)
{
    bool uses = player->options->implicit_tls;
    for (size_t i = 0; i < smtp_dialogue_step_count(player->dialogue) && !uses; i++) {
        uses = smtp_dialogue_step_at(player->dialogue, i)->kind == SMTP_DIALOGUE_TLS;
    }
    return uses;
}

static bool make_context(struct smtp_dialogue_player *player)
{
    const struct smtp_dialogue_options *options = player->options;
    struct smtp_error error = {.message = ""};
    enum smtp_status status = SMTP_OK;
    if (!uses_tls(player)) {
        return true;
    }
    if (player->role == SMTP_DIALOGUE_CLIENT) {
        const struct smtp_tls_trust trust = {.ca_file = options->ca_file,
                                             .ca_pem = options->ca_pem,
                                             .insecure = options->insecure,
                                             .identity = options->identity};
        status = smtp_tls_client_context(&player->context, &trust, &error);
    } else {
        if (options->identity == NULL) {
            status = smtp_identity_new(&player->identity, NULL, &error);
        }
        if (status == SMTP_OK) {
            status = smtp_tls_server_context(
                &player->context, options->identity != NULL ? options->identity : player->identity,
                NULL, false, &error);
        }
    }
    return status == SMTP_OK || smtp_dialogue_tell_cannot(player, NULL, "%s", error.message);
}

/* ---- connections ---- */

static bool connect_to(struct smtp_dialogue_player *player, const struct smtp_dialogue_step *first,
                       int *fd)
{
    struct smtp_address address;
    struct smtp_error error = {.message = ""};
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), player->step_timeout_ms);
    enum smtp_status status = smtp_address_parse(player->address, 25, &address, &error);
    if (status == SMTP_OK) {
        status = smtp_net_connect(&address, NULL, deadline_ns, fd, &error);
    }
    return status == SMTP_OK || smtp_dialogue_tell_cannot(player, first, "%s", error.message);
}

static bool accept_one(struct smtp_dialogue_player *player, const struct smtp_dialogue_step *first,
                       int *fd)
{
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), player->accept_timeout_ms);
    for (;;) {
        if (smtp_net_wait(player->listener, false, deadline_ns) != SMTP_OK) {
            return smtp_dialogue_tell_cannot(player, first, "nobody connected within %llu ms",
                                             (unsigned long long)player->accept_timeout_ms);
        }
        *fd = smtp_net_accept(player->listener);
        if (*fd >= 0) {
            return true;
        }
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            return smtp_dialogue_tell_cannot(player, first, "no connection can be accepted: %s",
                                             smtp_errno_text(errno));
        }
    }
}

static bool begin_session(struct smtp_dialogue_player *player,
                          const struct smtp_dialogue_step *first)
{
    int fd = -1;
    bool is_client = player->role == SMTP_DIALOGUE_CLIENT;
    smtp_dialogue_wire_init(&player->wire, -1); /* before anything fails: it is cleared then */
    player->transcript = smtp_harness_transcript_new();
    player->result->transcripts[player->result->session] = player->transcript;
    if (player->transcript == NULL) {
        return smtp_dialogue_tell_cannot(player, first, "out of memory");
    }
    if (is_client ? !connect_to(player, first, &fd) : !accept_one(player, first, &fd)) {
        return false;
    }
    smtp_dialogue_wire_init(&player->wire, fd);
    char text[SMTP_ADDRESS_TEXT_SIZE];
    struct smtp_address peer;
    smtp_address_of_socket(fd, true, &peer);
    smtp_address_format(&peer, text);
    smtp_dialogue_tell_note(player, SMTP_LOG_CONNECT, text);
    player->wait = player->within = player->not_taken = NULL;
    player->in_content = player->was_challenged = player->last_was_clients = false;
    player->chunk_left = 0;
    bool already = first->kind == SMTP_DIALOGUE_TLS &&
                   smtp_span_equal(smtp_span_trim_end(first->source), SMTP_SPAN("[tls]"));
    return !player->options->implicit_tls || already || smtp_dialogue_secure(player, first);
}

static bool play_session(struct smtp_dialogue_player *player,
                         const struct smtp_dialogue_step *first, size_t count)
{
    bool held = begin_session(player, first) && smtp_dialogue_play_steps(player, first, count);
    smtp_dialogue_wire_clear(&player->wire);
    smtp_buffer_clear(&player->to_say, 0);
    return held;
}

static bool play_sessions(struct smtp_dialogue_player *player)
{
    size_t count = smtp_dialogue_step_count(player->dialogue), begin = 0;
    for (size_t i = 0; i <= count; i++) {
        bool ends =
            i == count || smtp_dialogue_step_at(player->dialogue, i)->kind == SMTP_DIALOGUE_SESSION;
        if (!ends) {
            continue;
        }
        const struct smtp_dialogue_step *first = smtp_dialogue_step_at(player->dialogue, begin);
        if (!play_session(player, first, i - begin)) {
            return false;
        }
        player->result->session += i < count;
        begin = i + 1;
    }
    return true;
}

/* ---- the calls ---- */

static enum smtp_dialogue_outcome play(struct smtp_dialogue_player *player)
{
    struct smtp_dialogue_result *result = player->result;
    const struct smtp_dialogue_options *options = player->options;
    player->step_timeout_ms =
        options->step_timeout_ms > 0 ? options->step_timeout_ms : STEP_TIMEOUT_MS;
    player->accept_timeout_ms =
        options->accept_timeout_ms > 0 ? options->accept_timeout_ms : player->step_timeout_ms;
    player->tolerance_ms = options->tolerance_ms > 0 ? options->tolerance_ms : TOLERANCE_MS;
    player->names = SMTP_DIALOGUE_NAMES;
    player->report = SMTP_HARNESS_LINES;
    player->to_say = SMTP_BUFFER(SIZE_MAX / 2);
    *result = (struct smtp_dialogue_result){.outcome = SMTP_DIALOGUE_CANNOT_RUN};
    result->transcript_count = player->dialogue->session_count;
    result->transcripts =
        calloc(result->transcript_count, sizeof(struct smtp_harness_transcript *));
    if (result->transcripts == NULL) {
        result->transcript_count = 0;
        return result->outcome;
    }
    if (set_names(player) && check(player) && make_context(player) && play_sessions(player)) {
        result->outcome = SMTP_DIALOGUE_HELD;
    }
    result->report = smtp_harness_lines_take(&player->report);
    smtp_dialogue_names_free(&player->names);
    smtp_buffer_free(&player->to_say);
    smtp_tls_context_release(player->context);
    smtp_identity_release(player->identity);
    return result->outcome;
}

static void name_peer(struct smtp_dialogue_player *player, const struct smtp_address *address)
{
    snprintf(player->host, sizeof player->host, "%s", address->host);
    snprintf(player->port, sizeof player->port, "%u", (unsigned)address->port);
}

enum smtp_dialogue_outcome smtp_dialogue_play_client(const struct smtp_dialogue *dialogue,
                                                     const char *address,
                                                     const struct smtp_dialogue_options *options,
                                                     struct smtp_dialogue_result *result)
{
    const struct smtp_dialogue_options defaults = {0};
    struct smtp_dialogue_player player = {.dialogue = dialogue,
                                          .role = SMTP_DIALOGUE_CLIENT,
                                          .options = options != NULL ? options : &defaults,
                                          .result = result,
                                          .address = address,
                                          .listener = -1};
    struct smtp_address parsed;
    if (smtp_address_parse(address, 25, &parsed, NULL) ==
        SMTP_OK) { /* else the connection says why */
        name_peer(&player, &parsed);
        bool is_unix = parsed.kind == SMTP_ADDRESS_UNIX;
        snprintf(player.tls_name, sizeof player.tls_name, "%s",
                 is_unix ? "localhost" : parsed.host);
    }
    if (player.options->verify_name != NULL) {
        snprintf(player.tls_name, sizeof player.tls_name, "%s", player.options->verify_name);
    }
    return play(&player);
}

enum smtp_dialogue_outcome smtp_dialogue_play_server(const struct smtp_dialogue *dialogue,
                                                     int listener,
                                                     const struct smtp_dialogue_options *options,
                                                     struct smtp_dialogue_result *result)
{
    const struct smtp_dialogue_options defaults = {0};
    struct smtp_dialogue_player player = {.dialogue = dialogue,
                                          .role = SMTP_DIALOGUE_SERVER,
                                          .options = options != NULL ? options : &defaults,
                                          .result = result,
                                          .listener = listener};
    struct smtp_address own;
    smtp_address_of_socket(listener, false, &own);
    name_peer(&player, &own);
    return play(&player);
}

void smtp_dialogue_result_clear(struct smtp_dialogue_result *result)
{
    for (size_t i = 0; i < result->transcript_count; i++) {
        smtp_harness_transcript_free(result->transcripts[i]);
    }
    free(result->transcripts);
    free(result->report);
    *result = (struct smtp_dialogue_result){.outcome = SMTP_DIALOGUE_CANNOT_RUN};
}
