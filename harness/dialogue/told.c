/* told.c - what becomes of a dialogue that is played: the transcript, and the report of where it went another way. */
#include "common/clock.h"
#include "harness/dialogue/player.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LINES_BEFORE 6
#define CAME_MAX 300 /* octets shown of what came */

/* ---- the transcript ---- */

static void log_entry(struct smtp_dialogue_player *player, enum smtp_server_log_kind kind,
                      bool pipelined, struct smtp_span text)
{
    const struct smtp_server_log_entry entry = {.kind = kind,
                                                .pipelined = pipelined,
                                                .time_ns = smtp_clock_now_ns(),
                                                .text = text.bytes,
                                                .len = text.len};
    smtp_harness_transcript_add(player->transcript, &entry);
}

void smtp_dialogue_tell_note(struct smtp_dialogue_player *player, enum smtp_server_log_kind kind,
                             const char *text)
{
    log_entry(player, kind, false, smtp_span_of(text));
}

static struct smtp_span without_crlf(struct smtp_span octets)
{
    bool has = octets.len >= 2 && memcmp(octets.bytes + octets.len - 2, "\r\n", 2) == 0;
    return (struct smtp_span){octets.bytes, octets.len - (has ? 2 : 0)};
}

/** How many octets follow a BDAT command (RFC 3030 2). */
static uint64_t chunk_of(struct smtp_span line)
{
    uint64_t octets = 0;
    if (line.len < 6 ||
        !smtp_span_equal_nocase((struct smtp_span){line.bytes, 5}, SMTP_SPAN("BDAT "))) {
        return 0;
    }
    const char *digits = line.bytes + 5;
    size_t len = 0;
    while (len < line.len - 5 && smtp_is_digit((unsigned char)digits[len])) {
        len++;
    }
    return smtp_span_to_u64((struct smtp_span){digits, len}, UINT64_MAX / 2, &octets) ? octets : 0;
}

/** How much of a command a transcript shows: "AUTH PLAIN ", and nothing of what answers a challenge but "*"
 *  (RFC 4954 4). */
static size_t shown_of(const struct smtp_dialogue_player *player, struct smtp_span line)
{
    static const struct smtp_span auth = SMTP_SPAN("AUTH ");
    if (player->was_challenged) {
        return smtp_span_equal(line, SMTP_SPAN("*")) ? line.len : 0;
    }
    if (line.len <= auth.len ||
        !smtp_span_equal_nocase((struct smtp_span){line.bytes, auth.len}, auth)) {
        return line.len;
    }
    const char *blank = memchr(line.bytes + auth.len, ' ', line.len - auth.len);
    return blank != NULL ? (size_t)(blank - line.bytes) + 1 : line.len;
}

static void log_command(struct smtp_dialogue_player *player, struct smtp_span line)
{
    char masked[128];
    size_t shown = shown_of(player, line);
    if (shown < line.len) {
        int len =
            snprintf(masked, sizeof masked, "%.*s***", shown < 100 ? (int)shown : 100, line.bytes);
        line = (struct smtp_span){masked, (size_t)len};
    }
    log_entry(player, SMTP_LOG_COMMAND, player->last_was_clients, line);
}

static void tell_client(struct smtp_dialogue_player *player, struct smtp_span octets, bool is_line)
{
    struct smtp_span line = without_crlf(octets);
    bool is_dot = is_line && smtp_span_equal(line, SMTP_SPAN("."));
    bool is_content = player->chunk_left > 0 || (player->in_content && !is_dot) || !is_line;
    if (is_content) {
        log_entry(player, SMTP_LOG_CONTENT, false, octets);
        player->chunk_left -= octets.len < player->chunk_left ? octets.len : player->chunk_left;
        return;
    }
    player->last_was_clients = player->last_was_clients && !player->in_content;
    log_command(player, line);
    player->in_content = player->was_challenged = false;
    player->chunk_left = chunk_of(line);
}

void smtp_dialogue_tell_said(struct smtp_dialogue_player *player,
                             const struct smtp_dialogue_step *step, struct smtp_span octets)
{
    if (step->speaker == SMTP_DIALOGUE_CLIENT) {
        tell_client(player, octets, step->has_crlf);
        player->last_was_clients = true;
        return;
    }
    log_entry(player, SMTP_LOG_REPLY, false, without_crlf(octets));
    player->in_content = octets.len >= 3 && memcmp(octets.bytes, "354", 3) == 0;
    player->was_challenged = octets.len >= 3 && memcmp(octets.bytes, "334", 3) == 0;
    player->chunk_left = 0;
    player->last_was_clients = false;
}

/* ---- the report ---- */

static void tell_lines_before(struct smtp_dialogue_player *player)
{
    char *text =
        player->transcript != NULL ? smtp_harness_transcript_text(player->transcript) : NULL;
    if (text == NULL || text[0] == '\0') {
        free(text);
        return;
    }
    const char *from = text + strlen(text);
    for (unsigned lines = 0; from > text && lines < LINES_BEFORE; lines++) {
        from--; /* over the line's end */
        while (from > text && from[-1] != '\n') {
            from--;
        }
    }
    smtp_harness_lines_print(&player->report, "before it\n");
    while (*from != '\0') {
        size_t len = strcspn(from, "\n");
        smtp_harness_lines_print(&player->report, "  %.*s\n", (int)len, from);
        from += len + (from[len] == '\n');
    }
    free(text);
}

/** As recordings name them: SECRET, SECRET_2. */
static bool is_secret(struct smtp_span name)
{
    static const struct smtp_span secret = SMTP_SPAN("SECRET");
    return name.len >= secret.len && memcmp(name.bytes, secret.bytes, secret.len) == 0;
}

/** What the names in the step stand for. */
static void tell_names(struct smtp_dialogue_player *player, const struct smtp_dialogue_step *step)
{
    const struct smtp_dialogue_part *parts = smtp_dialogue_parts(player->dialogue, step);
    for (size_t i = 0; i < step->part_count; i++) {
        struct smtp_span value;
        if (parts[i].kind == SMTP_DIALOGUE_VARIABLE &&
            smtp_dialogue_names_find(&player->names, parts[i].name, &value)) {
            smtp_harness_lines_print(&player->report, "  where     ${%.*s} is ",
                                     (int)parts[i].name.len, parts[i].name.bytes);
            if (is_secret(parts[i].name)) {
                smtp_harness_lines_print(&player->report, "***\n");
                continue;
            }
            smtp_harness_lines_quote(&player->report, value, CAME_MAX);
            smtp_harness_lines_print(&player->report, "\n");
        }
    }
}

static size_t escaped_len(struct smtp_span octets)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_harness_lines_escape(&lines, octets);
    size_t len = lines.buffer.len;
    smtp_buffer_free(&lines.buffer);
    return len;
}

static void tell_came(struct smtp_dialogue_player *player, const struct smtp_dialogue_step *step,
                      struct smtp_span came, size_t agreed)
{
    bool has_crlf = came.len >= 2 && memcmp(came.bytes + came.len - 2, "\r\n", 2) == 0;
    struct smtp_span shown = {came.bytes, came.len < CAME_MAX ? came.len : CAME_MAX};
    if (has_crlf && came.len <= CAME_MAX) {
        shown = without_crlf(came);
    }
    char other = player->role == SMTP_DIALOGUE_CLIENT ? 'S' : 'C';
    smtp_harness_lines_print(&player->report, "  came      %c%c ", other, has_crlf ? ':' : '|');
    smtp_harness_lines_escape(&player->report, shown);
    if (shown.len == CAME_MAX) {
        smtp_harness_lines_print(&player->report, " and %zu octets more", came.len - shown.len);
    }
    smtp_harness_lines_print(&player->report, "\n");
    if (step->kind == SMTP_DIALOGUE_SAY && agreed <= shown.len) {
        size_t column = escaped_len((struct smtp_span){shown.bytes, agreed});
        bool hides_space = agreed > 0 && agreed < shown.len && shown.bytes[agreed - 1] == ' ';
        column -= hides_space ? 3 : 0; /* a space is an escape only at the very end */
        smtp_harness_lines_print(&player->report, "  %*s^\n", (int)(column + 13), "");
    }
}

static void tell_where(struct smtp_dialogue_player *player, const struct smtp_dialogue_step *step,
                       const char *format, va_list arguments)
{
    char what[512];
    vsnprintf(what, sizeof what, format, arguments);
    if (step != NULL) {
        smtp_harness_lines_print(&player->report, "%s:%u: %s\n", player->dialogue->name, step->line,
                                 what);
        player->result->line = step->line;
    } else {
        smtp_harness_lines_print(&player->report, "%s: %s\n", player->dialogue->name, what);
    }
}

bool smtp_dialogue_tell_divergence(struct smtp_dialogue_player *player,
                                   const struct smtp_dialogue_step *step, struct smtp_span came,
                                   size_t agreed, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell_where(player, step, format, arguments);
    va_end(arguments);
    player->result->outcome = SMTP_DIALOGUE_DIVERGED;
    smtp_harness_lines_print(&player->report, "  expected  %.*s\n", (int)step->source.len,
                             step->source.bytes);
    tell_names(player, step);
    if (came.len > 0) {
        tell_came(player, step, came, agreed);
    }
    tell_lines_before(player);
    return false;
}

bool smtp_dialogue_tell_cannot(struct smtp_dialogue_player *player,
                               const struct smtp_dialogue_step *step, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell_where(player, step, format, arguments);
    va_end(arguments);
    player->result->outcome = SMTP_DIALOGUE_CANNOT_RUN;
    return false;
}
