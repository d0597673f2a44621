/* hear.c - the steps that the other end does: its lines and octets, its end, and when they come. */
#include "common/clock.h"
#include "harness/dialogue/player.h"

#include <stdio.h>

uint64_t smtp_dialogue_deadline(const struct smtp_dialogue_player *player)
{
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), player->step_timeout_ms);
    if (player->wait != NULL) { /* its time does not count */
        deadline_ns += player->wait->time_ns;
    }
    return player->within == NULL
               ? deadline_ns
               : smtp_deadline_earlier(deadline_ns, player->before_ns + player->within->time_ns);
}

static struct smtp_span heard(const struct smtp_dialogue_player *player)
{
    return smtp_buffer_span(&player->wire.heard);
}

static unsigned long long to_ms(uint64_t time_ns)
{
    return (unsigned long long)(time_ns / SMTP_NS_PER_MS);
}

/** It did not come, or not whole, before the deadline or the end. */
static bool tell_missing(struct smtp_dialogue_player *player, const struct smtp_dialogue_step *step,
                         enum smtp_status status)
{
    struct smtp_span came = heard(player);
    const char *so_far = came.len > 0 ? "only a part of this came" : "nothing came";
    if (status == SMTP_TIMED_OUT) {
        const struct smtp_dialogue_step *bound = player->within;
        return smtp_dialogue_tell_divergence(
            player, step, came, SIZE_MAX, "%s within %llu ms", so_far,
            bound != NULL ? to_ms(bound->time_ns) : (unsigned long long)player->step_timeout_ms);
    }
    if (status == SMTP_TLS_FAILED) {
        return smtp_dialogue_tell_divergence(player, step, came, SIZE_MAX, "TLS broke: %s",
                                             smtp_tls_error(player->wire.tls));
    }
    if (status != SMTP_OK) {
        return smtp_dialogue_tell_cannot(player, step, "%s", smtp_status_text(status));
    }
    return smtp_dialogue_tell_divergence(player, step, came, SIZE_MAX,
                                         "%s before the connection %s", so_far,
                                         player->wire.was_reset ? "was reset" : "ended");
}

/** Reads once more; false: it cannot come any more, and that is told. A peer that does not stop talking is one
 *  whose time is over, too. */
static bool hear_more(struct smtp_dialogue_player *player, const struct smtp_dialogue_step *step,
                      uint64_t deadline_ns)
{
    if (player->wire.ended) {
        return tell_missing(player, step, SMTP_OK);
    }
    if (heard(player).len > 0 && smtp_clock_now_ns() >= deadline_ns) {
        return tell_missing(player, step, SMTP_TIMED_OUT);
    }
    enum smtp_status status = smtp_dialogue_wire_hear(&player->wire, deadline_ns);
    return status == SMTP_OK || tell_missing(player, step, status);
}

/** Waits for the first of it, and holds the time it took against [wait]. */
static bool keeps_time(struct smtp_dialogue_player *player, const struct smtp_dialogue_step *step,
                       uint64_t deadline_ns)
{
    const struct smtp_dialogue_step *wait = player->wait;
    if (wait == NULL) {
        return true;
    }
    while (heard(player).len == 0 && !player->wire.ended) {
        if (!hear_more(player, step, deadline_ns)) {
            return false;
        }
    }
    uint64_t tolerance_ns = wait->tolerance_ns != SMTP_DIALOGUE_NO_TOLERANCE
                                ? wait->tolerance_ns
                                : player->tolerance_ms * SMTP_NS_PER_MS;
    uint64_t heard_ns = player->wire.heard_ns;
    uint64_t took_ns = heard_ns > player->before_ns ? heard_ns - player->before_ns : 0;
    if (took_ns + tolerance_ns >= wait->time_ns && took_ns <= wait->time_ns + tolerance_ns) {
        return true;
    }
    return smtp_dialogue_tell_divergence(player, wait, heard(player), SIZE_MAX,
                                         "it came after %llu ms, not %llu ms +-%llu ms",
                                         to_ms(took_ns), to_ms(wait->time_ns), to_ms(tolerance_ns));
}

static bool keeps_bound(struct smtp_dialogue_player *player)
{
    uint64_t took_ns =
        player->wire.heard_ns > player->before_ns ? player->wire.heard_ns - player->before_ns : 0;
    if (player->within == NULL || took_ns <= player->within->time_ns) {
        return true;
    }
    return smtp_dialogue_tell_divergence(player, player->within, heard(player), SIZE_MAX,
                                         "it came after %llu ms", to_ms(took_ns));
}

/* ---- what is said ---- */

/** A whole line with its CRLF that was heard; len 0: not yet. */
static struct smtp_span first_line(const struct smtp_dialogue_player *player)
{
    struct smtp_span all = heard(player);
    const char *crlf = all.len > 0 ? memmem(all.bytes, all.len, "\r\n", 2) : NULL;
    return (struct smtp_span){all.bytes, crlf != NULL ? (size_t)(crlf - all.bytes) + 2 : 0};
}

static bool is_code(struct smtp_span line)
{
    return line.len >= 3 && smtp_is_digit((unsigned char)line.bytes[0]) &&
           smtp_is_digit((unsigned char)line.bytes[1]) &&
           smtp_is_digit((unsigned char)line.bytes[2]);
}

static bool goes_on(struct smtp_span line)
{
    return line.len > 3 && line.bytes[3] == '-';
}

/** [compare codes]: whether the step is a reply line, and the line has its code. */
static bool has_code_of(const struct smtp_dialogue_player *player,
                        const struct smtp_dialogue_step *step, struct smtp_span line)
{
    const struct smtp_dialogue_part *parts = smtp_dialogue_parts(player->dialogue, step);
    struct smtp_span written = parts[0].octets;
    return player->dialogue->compare_codes && step->speaker == SMTP_DIALOGUE_SERVER &&
           parts[0].kind == SMTP_DIALOGUE_LITERAL && is_code(written) && is_code(line) &&
           memcmp(written.bytes, line.bytes, 3) == 0 && goes_on(written) == goes_on(line);
}

static enum smtp_dialogue_match match_line(struct smtp_dialogue_player *player,
                                           const struct smtp_dialogue_step *step,
                                           struct smtp_span line, size_t *len)
{
    enum smtp_dialogue_match match =
        smtp_dialogue_match(player->dialogue, step, &player->names, line, player->wire.ended, len);
    if (match != SMTP_DIALOGUE_MATCHES && has_code_of(player, step, line)) {
        *len = line.len;
        return SMTP_DIALOGUE_MATCHES;
    }
    return match;
}

/** The octets the step is held against now: a line is held against it once it is whole. */
static enum smtp_dialogue_match match_heard(struct smtp_dialogue_player *player,
                                            const struct smtp_dialogue_step *step,
                                            struct smtp_span *octets, size_t *len)
{
    *octets = step->is_one_line ? first_line(player) : heard(player);
    if (step->is_one_line && octets->len == 0) {
        *len = 0;
        return SMTP_DIALOGUE_NEEDS_MORE;
    }
    return match_line(player, step, *octets, len);
}

static void take(struct smtp_dialogue_player *player, const struct smtp_dialogue_step *step,
                 struct smtp_span octets)
{
    smtp_dialogue_tell_said(player, step, octets);
    smtp_buffer_take(&player->wire.heard, octets.len);
}

static const char *what_differs(const struct smtp_dialogue_player *player,
                                const struct smtp_dialogue_step *step)
{
    if (!step->has_crlf) {
        return "other octets came";
    }
    return player->role == SMTP_DIALOGUE_CLIENT ? "another reply came" : "another line came";
}

bool smtp_dialogue_hear_step(struct smtp_dialogue_player *player,
                             const struct smtp_dialogue_step *step)
{
    uint64_t deadline_ns = smtp_dialogue_deadline(player);
    if (!keeps_time(player, step, deadline_ns)) {
        return false;
    }
    size_t len = 0;
    for (;;) {
        struct smtp_span octets;
        enum smtp_dialogue_match match = match_heard(player, step, &octets, &len);
        if (match == SMTP_DIALOGUE_MATCHES) {
            octets.len = len;
            bool in_time = keeps_bound(player);
            take(player, step, octets);
            return in_time;
        }
        if (match == SMTP_DIALOGUE_DIFFERS && (octets.len > len || !player->wire.ended)) {
            return smtp_dialogue_tell_divergence(player, step, octets, len, "%s",
                                                 what_differs(player, step));
        }
        if (!hear_more(player, step, deadline_ns)) {
            return false;
        }
    }
}

bool smtp_dialogue_hear_lines(struct smtp_dialogue_player *player,
                              const struct smtp_dialogue_step *step)
{
    const struct smtp_dialogue_step *end = step + 1; /* there is one: parse.c */
    const struct smtp_dialogue_step line_step = {.speaker = step->speaker, .has_crlf = true};
    uint64_t deadline_ns = smtp_dialogue_deadline(player);
    if (!keeps_time(player, step, deadline_ns)) {
        return false;
    }
    for (;;) {
        struct smtp_span line = first_line(player);
        size_t len = 0;
        if (line.len > 0) {
            bool is_end = end->kind == SMTP_DIALOGUE_SAY;
            size_t entries = player->names.entries.len, octets = player->names.octets.len;
            is_end = is_end && match_line(player, end, line, &len) == SMTP_DIALOGUE_MATCHES;
            if (is_end) { /* it is learned when that step is done */
                player->names.entries.len = entries;
                player->names.octets.len = octets;
                return true;
            }
            take(player, &line_step, line);
        } else if (player->wire.ended && end->kind != SMTP_DIALOGUE_SAY && heard(player).len == 0) {
            return true;
        } else if (!hear_more(player, end, deadline_ns)) {
            return false;
        }
        if (smtp_clock_now_ns() >= deadline_ns) { /* a peer that does not stop talking */
            return tell_missing(player, end, SMTP_TIMED_OUT);
        }
    }
}

/* ---- the end ---- */

bool smtp_dialogue_hear_end(struct smtp_dialogue_player *player,
                            const struct smtp_dialogue_step *step)
{
    uint64_t deadline_ns = smtp_dialogue_deadline(player);
    if (!keeps_time(player, step, deadline_ns)) {
        return false;
    }
    while (!player->wire.ended && heard(player).len == 0) {
        enum smtp_status status = smtp_dialogue_wire_hear(&player->wire, deadline_ns);
        if (status == SMTP_TIMED_OUT) {
            return smtp_dialogue_tell_divergence(player, step, heard(player), SIZE_MAX,
                                                 "the connection stays open: no end within %llu ms",
                                                 (unsigned long long)player->step_timeout_ms);
        }
        if (status != SMTP_OK) {
            return tell_missing(player, step, status);
        }
    }
    if (heard(player).len > 0) {
        return smtp_dialogue_tell_divergence(player, step, heard(player), SIZE_MAX,
                                             "octets came where the connection was to end");
    }
    if (step->kind == SMTP_DIALOGUE_RESET && !player->wire.was_reset) {
        return smtp_dialogue_tell_divergence(player, step, heard(player), SIZE_MAX,
                                             "the connection ended in order, without a reset");
    }
    if (step->kind == SMTP_DIALOGUE_HALF_CLOSE && player->wire.was_reset) {
        return smtp_dialogue_tell_divergence(player, step, heard(player), SIZE_MAX,
                                             "the connection was reset");
    }
    return keeps_bound(player);
}
