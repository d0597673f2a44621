/* player.c - plays the steps of a dialogue one after the other, the same for both roles: what this end does is done,
 * what the other one does is heard (hear.c). Knows nothing of how a connection is had (play.c). */
#include "harness/dialogue/player.h"

#include "common/clock.h"

#include <poll.h>
#include <stdio.h>

#define PART_MS 1000 /* how long a peer may take to close, once all was played */

static bool say_now(struct smtp_dialogue_player *player)
{
    struct smtp_span octets = smtp_buffer_span(&player->to_say);
    if (octets.len == 0) {
        return true;
    }
    const struct smtp_dialogue_step *step = player->saying;
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), player->step_timeout_ms);
    enum smtp_status status = smtp_dialogue_wire_say(&player->wire, octets, deadline_ns);
    smtp_buffer_clear(&player->to_say, 0);
    player->before_ns = smtp_clock_now_ns();
    if (status == SMTP_OK || status == SMTP_CLOSED) {
        player->not_taken = status == SMTP_CLOSED ? step : NULL;
        return true; /* what the peer said before it went may be what is written */
    }
    if (status == SMTP_TIMED_OUT) {
        return smtp_dialogue_tell_divergence(player, step, SMTP_SPAN(""), SIZE_MAX,
                                             "the peer takes nothing for %llu ms",
                                             (unsigned long long)player->step_timeout_ms);
    }
    const char *why = status == SMTP_TLS_FAILED ? smtp_tls_error(player->wire.tls) : "";
    return smtp_dialogue_tell_divergence(player, step, SMTP_SPAN(""), SIZE_MAX,
                                         "it cannot be sent: %s",
                                         why[0] != '\0' ? why : smtp_status_text(status));
}

/** Waits before what this end does. */
static bool keep_waiting(struct smtp_dialogue_player *player)
{
    if (player->wait == NULL) {
        return true;
    }
    if (!say_now(player)) {
        return false;
    }
    uint64_t until_ns = player->before_ns + player->wait->time_ns;
    for (uint64_t now_ns = smtp_clock_now_ns(); now_ns < until_ns; now_ns = smtp_clock_now_ns()) {
        (void)poll(NULL, 0, smtp_clock_poll_ms(now_ns, until_ns));
    }
    return true;
}

static bool tell_not_taken(struct smtp_dialogue_player *player)
{
    return player->not_taken == NULL ||
           smtp_dialogue_tell_divergence(player, player->not_taken, SMTP_SPAN(""), SIZE_MAX,
                                         "the peer closed the connection before it took this");
}

static bool do_say(struct smtp_dialogue_player *player, const struct smtp_dialogue_step *step)
{
    if (step->kind == SMTP_DIALOGUE_LINES) {
        return true; /* none */
    }
    if (!tell_not_taken(player)) {
        return false;
    }
    size_t before = player->to_say.len;
    struct smtp_span unknown = {"", 0};
    enum smtp_status status =
        smtp_dialogue_render(player->dialogue, step, &player->names, &player->to_say, &unknown);
    if (status == SMTP_BAD_ARGUMENT) {
        return smtp_dialogue_tell_cannot(player, step, "nothing is known of ${%.*s} here",
                                         (int)unknown.len, unknown.bytes);
    }
    if (status != SMTP_OK) {
        return smtp_dialogue_tell_cannot(player, step, "%s", smtp_status_text(status));
    }
    player->saying = before == 0 ? step : player->saying;
    struct smtp_span all = smtp_buffer_span(&player->to_say);
    smtp_dialogue_tell_said(player, step, (struct smtp_span){all.bytes + before, all.len - before});
    return true;
}

static bool do_end(struct smtp_dialogue_player *player, const struct smtp_dialogue_step *step)
{
    if (!say_now(player) || !tell_not_taken(player)) {
        return false;
    }
    if (step->kind == SMTP_DIALOGUE_HALF_CLOSE) {
        smtp_dialogue_wire_half_close(
            &player->wire, smtp_deadline_after(smtp_clock_now_ns(), player->step_timeout_ms));
        return true;
    }
    smtp_dialogue_wire_close(&player->wire, step->kind == SMTP_DIALOGUE_RESET);
    return true;
}

bool smtp_dialogue_secure(struct smtp_dialogue_player *player,
                          const struct smtp_dialogue_step *step)
{
    struct smtp_span before = smtp_buffer_span(&player->wire.heard);
    if (before.len > 0) {
        return smtp_dialogue_tell_divergence(player, step, before, SIZE_MAX,
                                             "octets came in the clear before the handshake");
    }
    if (player->wire.tls != NULL) {
        return smtp_dialogue_tell_cannot(player, step, "TLS was begun before on this connection");
    }
    bool is_client = player->role == SMTP_DIALOGUE_CLIENT;
    struct smtp_tls *tls =
        is_client ? smtp_tls_new_client(player->context,
                                        player->tls_name[0] != '\0' ? player->tls_name : NULL, NULL)
                  : smtp_tls_new_server(player->context);
    if (tls == NULL) {
        return smtp_dialogue_tell_cannot(player, step, "out of memory");
    }
    enum smtp_status status =
        smtp_dialogue_wire_secure(&player->wire, tls, smtp_dialogue_deadline(player));
    if (status != SMTP_OK) {
        const char *why = smtp_tls_error(tls);
        return smtp_dialogue_tell_divergence(player, step, SMTP_SPAN(""), SIZE_MAX,
                                             "the handshake failed: %s",
                                             why[0] != '\0' ? why : smtp_status_text(status));
    }
    char text[160];
    snprintf(text, sizeof text, "%s, %s", smtp_tls_facts(tls)->version,
             smtp_tls_facts(tls)->cipher);
    smtp_dialogue_tell_note(player, SMTP_LOG_TLS, text);
    return true;
}

static bool hear(struct smtp_dialogue_player *player, const struct smtp_dialogue_step *step)
{
    if (!say_now(player)) {
        return false;
    }
    switch (step->kind) {
    case SMTP_DIALOGUE_SAY:
        return smtp_dialogue_hear_step(player, step);
    case SMTP_DIALOGUE_LINES:
        return smtp_dialogue_hear_lines(player, step);
    default:
        return smtp_dialogue_hear_end(player, step);
    }
}

static bool act(struct smtp_dialogue_player *player, const struct smtp_dialogue_step *step)
{
    bool own = step->speaker == player->role;
    if (own && !keep_waiting(player)) {
        return false;
    }
    if (step->kind == SMTP_DIALOGUE_TLS) {
        return say_now(player) && smtp_dialogue_secure(player, step);
    }
    if (!own) {
        return hear(player, step);
    }
    return step->kind == SMTP_DIALOGUE_SAY || step->kind == SMTP_DIALOGUE_LINES
               ? do_say(player, step)
               : do_end(player, step);
}

static bool play_step(struct smtp_dialogue_player *player, const struct smtp_dialogue_step *step)
{
    if (step->kind == SMTP_DIALOGUE_WAIT) {
        player->wait = step;
        return true;
    }
    if (step->kind == SMTP_DIALOGUE_WITHIN) {
        player->within = step;
        return true;
    }
    bool held = act(player, step);
    player->wait = player->within = NULL;
    player->before_ns = smtp_clock_now_ns();
    return held;
}

bool smtp_dialogue_play_steps(struct smtp_dialogue_player *player,
                              const struct smtp_dialogue_step *first, size_t count)
{
    player->before_ns = smtp_clock_now_ns();
    for (size_t i = 0; i < count; i++) {
        if (!play_step(player, &first[i])) {
            return false;
        }
    }
    if (!say_now(player) || !tell_not_taken(player)) {
        return false;
    }
    struct smtp_span more = smtp_buffer_span(&player->wire.heard);
    if (more.len > 0) {
        return smtp_dialogue_tell_divergence(player, &first[count - 1], more, SIZE_MAX,
                                             "more came after the last step");
    }
    smtp_dialogue_wire_part(&player->wire, smtp_deadline_after(smtp_clock_now_ns(), PART_MS));
    return true;
}
