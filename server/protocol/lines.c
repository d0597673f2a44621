/* lines.c - cutting what comes in into lines: commands, and the responses of AUTH.
 * Knows: that CRLF alone ends a line, limits of a line, what the log may see of one, that a part of a
 * line may be a part of a secret. Does not know: what a line means (verbs.c, auth.c), content. */
#include "common/secret.h"
#include "server/protocol/state.h"

#include <stdio.h>

/* ---- whole lines ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void skip(struct smtp_span *text, bool blanks)
{
    while (text->len > 0 && is_blank(text->bytes[0]) == blanks) {
        text->bytes++;
        text->len--;
    }
}

/* Takes "AUTH" and what separates it off the line. */
static bool take_auth(struct smtp_span *line)
{
    skip(line, true);
    if (!smtp_command_take_word(line, SMTP_SPAN("AUTH")) ||
        (line->len > 0 && !is_blank(line->bytes[0]))) {
        return false;
    }
    skip(line, true);
    return true;
}

/* "AUTH mechanism ***": what stands before the secret may be seen. A peer may send credentials where
 * nothing asked for them, and in no good form. rest: the line behind "AUTH". */
static void log_auth(const struct smtp_server_session *session, struct smtp_span line,
                     struct smtp_span rest)
{
    skip(&rest, false);
    if (smtp_span_trim_end(rest).len == 0) {
        smtp_server_session_log(session, SMTP_LOG_COMMAND, line);
        return;
    }
    size_t open = line.len - rest.len;
    char masked[128];
    int len = snprintf(masked, sizeof masked, "%.*s ***", open > 100 ? 100 : (int)open, line.bytes);
    smtp_server_session_log(session, SMTP_LOG_COMMAND, (struct smtp_span){masked, (size_t)len});
}

/* Of a response the log sees whether there was something, and "*", which is no secret. */
static void log_response(const struct smtp_server_session *session, struct smtp_span line)
{
    bool plain = line.len == 0 || smtp_span_equal(line, SMTP_SPAN("*"));
    smtp_server_session_log(session, SMTP_LOG_COMMAND, plain ? line : SMTP_SPAN("***"));
}

/* A line of a client that ends lines in LF or CR alone, or counted a chunk wrong: AUTH stands behind one. */
static bool hides_auth(struct smtp_span line)
{
    for (size_t i = 0; i < line.len; i++) {
        struct smtp_span rest = {line.bytes + i + 1, line.len - i - 1};
        if ((line.bytes[i] == '\n' || line.bytes[i] == '\r') && take_auth(&rest)) {
            return true;
        }
    }
    return false;
}

/* Whether the whole line may be a secret: what follows AUTH, or AUTH in an odd form. */
static bool log_command(struct smtp_server_session *session, struct smtp_span line)
{
    struct smtp_span rest = line;
    if (hides_auth(line)) {
        session->secrets_may_follow = true;
        log_response(session, line);
        return true;
    }
    if (take_auth(&rest)) {
        session->secrets_may_follow = true;
        log_auth(session, line, rest);
        return line.len > 4 && (is_blank(line.bytes[0]) || line.bytes[4] != ' ');
    }
    if (session->secrets_may_follow && !smtp_server_knows_verb(session, line)) {
        log_response(session, line);
        return true;
    }
    session->secrets_may_follow = false;
    smtp_server_session_log(session, SMTP_LOG_COMMAND, line);
    return false;
}

static void take_command(struct smtp_server_session *session, struct smtp_span line)
{
    size_t limit = session->config->limits.commands;
    smtp_buffer_clear(&session->texts, SMTP_SERVER_STORAGE_KEPT);
    session->utf8_inquiry = false;
    bool secret = (session->config->log != NULL || smtp_server_wants_steps(session)) &&
                  log_command(session, line);
    if (limit != 0 && ++session->command_count > limit) {
        smtp_server_session_say(session, 421, "4.7.0", "Too many commands, closing");
        smtp_server_session_enter(session, SMTP_SERVER_ENDED);
        return;
    }
    if (smtp_server_wants_steps(session)) {
        smtp_server_ask_command(session, line, secret);
        return;
    }
    smtp_server_execute(session, line);
    smtp_server_session_check_limits(session);
}

static void take_overlong(struct smtp_server_session *session)
{
    session->overlong = false;
    session->secrets_may_follow |= session->overlong_auth;
    smtp_server_session_note(session, "a command line over the limit, its octets dropped");
    if (session->state == SMTP_SERVER_AUTH) {
        smtp_server_refuse_long_response(session);
    } else if (session->overlong_bdat) {
        (void)smtp_server_announce_chunk(session, SMTP_SPAN(""), false);
    } else {
        smtp_server_refuse_overlong(session, session->overlong_auth);
    }
    smtp_server_session_check_limits(session);
}

/* A line of an exchange of AUTH. */
static void take_response(struct smtp_server_session *session, struct smtp_span line)
{
    size_t limit = session->config->limits.auth_line_octets;
    if (limit != 0 && line.len + 2 > limit) {
        take_overlong(session);
        return;
    }
    log_response(session, line);
    smtp_server_take_response(session, line);
    smtp_server_session_check_limits(session);
}

static void take_whole(struct smtp_server_session *session, struct smtp_span line)
{
    if (session->state == SMTP_SERVER_AUTH) {
        take_response(session, line);
    } else {
        take_command(session, line);
    }
}

/* ---- lines in pieces ---- */

static void forget_line(struct smtp_server_session *session)
{
    smtp_secret_wipe(session->line.bytes,
                     session->line.len); /* nothing is ever taken off its front */
    smtp_buffer_clear(&session->line, SMTP_SERVER_STORAGE_KEPT);
}

/* Appends to the line so that no copy of it stays behind where it has to move. */
static enum smtp_status append_to_line(struct smtp_server_session *session, const char *bytes,
                                       size_t len)
{
    struct smtp_buffer *line = &session->line;
    if (line->len > 0 && line->capacity - line->len < len && line->max - line->len >= len) {
        struct smtp_buffer larger = SMTP_BUFFER(line->max);
        size_t wanted = line->len + len;
        wanted = wanted < line->max / 2 ? 2 * wanted : line->max;
        if (smtp_buffer_reserve(&larger, wanted) == NULL) {
            return SMTP_NO_MEMORY;
        }
        smtp_bytes_copy(larger.bytes, smtp_buffer_span(line));
        smtp_buffer_added(&larger, line->len);
        smtp_secret_free_buffer(line);
        *line = larger;
    }
    return smtp_buffer_append(line, bytes, len);
}

/* Whether a line that comes in two parts begins with a verb of four letters and a space. */
static bool begins_with(struct smtp_span part, struct smtp_span next, const char verb[5])
{
    char start[5];
    size_t of_part = part.len < sizeof start ? part.len : sizeof start;
    size_t more = sizeof start - of_part;
    if (next.len < more) {
        return false;
    }
    smtp_bytes_copy(start, (struct smtp_span){part.bytes, of_part});
    smtp_bytes_copy(start + of_part, (struct smtp_span){next.bytes, more});
    return smtp_span_equal_nocase((struct smtp_span){start, sizeof start},
                                  (struct smtp_span){verb, sizeof start});
}

/* Keeps the part of a line whose end has not come. What is over every limit is dropped to its CRLF,
 * so that no tail of it is ever taken for a command. */
static void keep_part(struct smtp_server_session *session, const char *bytes, size_t len)
{
    session->last_octet = bytes[len - 1];
    if (session->overlong) {
        return;
    }
    enum smtp_status status = append_to_line(session, bytes, len);
    if (status == SMTP_NO_MEMORY) {
        smtp_server_session_fail(session);
    } else if (status != SMTP_OK) {
        struct smtp_span part = smtp_buffer_span(&session->line), next = {bytes, len};
        session->overlong = true;
        session->overlong_auth =
            smtp_server_knows_auth(session->config) && begins_with(part, next, "AUTH ");
        session->overlong_bdat =
            smtp_server_knows_bdat(session) && begins_with(part, next, "BDAT ");
        forget_line(session);
    }
}

/* The LF of the first CRLF, NULL for none; the CR may have come before. Only CRLF ends a line. */
static const char *find_line_end(const struct smtp_server_session *session, const char *bytes,
                                 size_t len)
{
    const char *from = bytes;
    const char *lf;
    while ((lf = memchr(from, '\n', (size_t)(bytes + len - from))) != NULL) {
        bool part_waits = session->overlong || session->line.len > 0;
        if (lf > bytes ? lf[-1] == '\r' : part_waits && session->last_octet == '\r') {
            return lf;
        }
        from = lf + 1;
    }
    return NULL;
}

/* A line that came whole is read where it lies. */
size_t smtp_server_take_line(struct smtp_server_session *session, const char *bytes, size_t len)
{
    const char *lf = find_line_end(session, bytes, len);
    if (lf == NULL) {
        keep_part(session, bytes, len);
        return len;
    }
    size_t used = (size_t)(lf - bytes) + 1;
    session->pipelined = session->octets_behind || session->out.len > 0;
    session->octets_behind = used < len;
    if (!session->overlong && (session->line.len > 0 || smtp_server_wants_steps(session))) {
        keep_part(session, bytes, used);
    }
    if (session->overlong) {
        take_overlong(session);
    } else if (session->state == SMTP_SERVER_ENDED) {
        forget_line(session); /* out of memory: it is not whole */
    } else if (session->line.len > 0) {
        struct smtp_span line = smtp_buffer_span(&session->line);
        line.len -= 2;
        take_whole(session, line);
        if (!smtp_server_step_is_open(session)) {
            forget_line(session);
        }
    } else {
        take_whole(session, (struct smtp_span){bytes, used - 2});
    }
    return used;
}

/* ---- a line that was asked about ---- */

/* Of BDAT the octets come all the same: its reply waits until they are in. */
static void refuse_command(struct smtp_server_session *session, struct smtp_span line,
                           const struct smtp_server_reply *refusal)
{
    struct smtp_command command = smtp_command_parse(line);
    size_t limit = session->config->limits.command_line_octets;
    bool chunk =
        smtp_server_knows_bdat(session) && smtp_span_equal_nocase(command.verb, SMTP_SPAN("BDAT"));
    bool readable = (limit == 0 || line.len + 2 <= limit) && !command.has_bare_line_end;
    if (chunk && !smtp_server_announce_chunk(session, command.argument, readable)) {
        return;
    }
    smtp_server_session_say_or(session, refusal, 451, "4.3.0", "Not done");
    if (chunk) {
        smtp_server_drop_chunk(session);
    }
}

void smtp_server_finish_command(struct smtp_server_session *session,
                                const struct smtp_server_reply *refusal)
{
    struct smtp_span line = smtp_buffer_span(&session->line);
    line.len -= 2; /* CRLF */
    smtp_buffer_clear(&session->texts, SMTP_SERVER_STORAGE_KEPT);
    if (refusal == NULL) {
        smtp_server_execute(session, line);
    } else {
        refuse_command(session, line, refusal);
    }
    smtp_server_session_check_limits(session);
    forget_line(session);
}
