/* session_queue.c - octets out, in order, and the replies that are owed for them (RFC 5321 4.3.2, RFC
 * 2920). Knows: which octet each reply answers, groups of commands, deadlines. Does not know: what a
 * command or a reply means. */
#include "client/protocol/offered.h"
#include "client/protocol/session_state.h"
#include "client/protocol/stage.h"
#include "common/deadline.h"
#include "common/error.h"

#include <string.h>

bool smtp_client_session_groups(const struct smtp_client_session *session)
{
    return session->options->pipelining && session->extensions.pipelining;
}

/* ---- what is owed ---- */

static struct smtp_client_owed *owed_at(const struct smtp_client_session *session, size_t i)
{
    return (struct smtp_client_owed *)(void *)(session->owing.bytes + session->owing.start) + i;
}

const struct smtp_client_owed *smtp_client_session_front(const struct smtp_client_session *session)
{
    return session->owed > 0 ? owed_at(session, 0) : NULL;
}

enum smtp_client_stage smtp_client_session_front_stage(const struct smtp_client_session *session)
{
    const struct smtp_client_owed *front = smtp_client_session_front(session);
    if (front == NULL) {
        return SMTP_STAGE_NONE;
    }
    return front->stage == SMTP_STAGE_DOT && session->sent_octets < front->end_at
               ? SMTP_STAGE_CONTENT
               : front->stage;
}

void smtp_client_session_take_front(struct smtp_client_session *session)
{
    const struct smtp_client_owed *front = owed_at(session, 0);
    struct smtp_client_flight *flight = smtp_client_session_first(session);
    session->answered_octets = front->end_at;
    if (flight != NULL) {
        bool chunk = front->stage == SMTP_STAGE_DOT || front->stage == SMTP_STAGE_CONTENT;
        flight->owed--;
        flight->chunks_owed -= flight->chunked && chunk;
    }
    smtp_buffer_take(&session->owing, sizeof(struct smtp_client_owed));
    session->owed--;
    session->finals = 0;
}

static enum smtp_status push(struct smtp_client_session *session, enum smtp_client_stage stage,
                             bool asked)
{
    struct smtp_client_owed owed = {.end_at = SMTP_CLIENT_NOT_SENT, .stage = stage, .asked = asked};
    return smtp_buffer_append(&session->owing, &owed, sizeof(owed));
}

static void count_owed(struct smtp_client_session *session)
{
    struct smtp_client_flight *flight = smtp_client_session_last(session);
    session->owed++;
    if (flight != NULL) {
        flight->owed++;
    }
}

enum smtp_status smtp_client_session_expect(struct smtp_client_session *session,
                                            enum smtp_client_stage stage)
{
    if (push(session, stage, true) != SMTP_OK) {
        return SMTP_NO_MEMORY;
    }
    count_owed(session);
    return SMTP_OK;
}

void smtp_client_session_extend(struct smtp_client_session *session, uint64_t octets,
                                uint64_t now_ns)
{
    struct smtp_client_owed *last = owed_at(session, session->owed - 1);
    if (last->end_at == SMTP_CLIENT_NOT_SENT) {
        last->end_at = smtp_client_session_queued_octets(session);
    }
    last->end_at += octets;
    last->begun_ns = now_ns;
}

void smtp_client_session_arm(struct smtp_client_session *session, uint64_t now_ns)
{
    uint64_t deadline_ns = SMTP_NEVER;
    if (session->owed > 0) {
        uint64_t timeout_ms = smtp_client_stage_timeout_ms(
            &session->options->timeouts, smtp_client_session_front_stage(session));
        deadline_ns = smtp_deadline_after(now_ns, timeout_ms);
    }
    session->deadline_ns = smtp_deadline_earlier(deadline_ns, session->overall_deadline_ns);
}

/* ---- what goes out ---- */

uint64_t smtp_client_session_queued_octets(const struct smtp_client_session *session)
{
    return session->sent_octets + session->whole.len + session->released;
}

enum smtp_status smtp_client_session_queue(struct smtp_client_session *session,
                                           enum smtp_client_stage stage,
                                           const struct smtp_client_command *command)
{
    size_t before = session->out.len;
    enum smtp_status status = smtp_client_command_append(&session->out, command, &session->error);
    if (status == SMTP_OK) {
        status = smtp_client_session_check_offered(session, command);
    }
    if (status == SMTP_OK && push(session, stage, false) != SMTP_OK) {
        status = smtp_error_set(&session->error, SMTP_NO_MEMORY, 0, "no room for a command");
    }
    if (status != SMTP_OK) {
        session->out.len = before;
    }
    return status;
}

void smtp_client_session_unqueue(struct smtp_client_session *session)
{
    session->out.len = session->released;
    session->owing.len = session->owed * sizeof(struct smtp_client_owed);
}

void smtp_client_session_release(struct smtp_client_session *session, uint64_t now_ns)
{
    bool group = smtp_client_session_groups(session);
    struct smtp_span out = smtp_buffer_span(&session->out);
    size_t count = session->owing.len / sizeof(struct smtp_client_owed);
    while (count > session->owed && (group || session->owed == 0)) {
        const char *line = out.bytes + session->released;
        const char *lf = memchr(line, '\n', out.len - session->released);
        if (lf == NULL) {
            break; /* cannot be: each reply that is not owed yet has its line */
        }
        smtp_client_session_note_command(session,
                                         (struct smtp_span){line, (size_t)(lf - line) - 1});
        session->released += (size_t)(lf - line) + 1;
        struct smtp_client_owed *owed = owed_at(session, session->owed);
        owed->end_at = smtp_client_session_queued_octets(session);
        owed->begun_ns = now_ns;
        session->mail_count += owed->stage == SMTP_STAGE_MAIL;
        count_owed(session);
    }
    smtp_client_session_arm(session, now_ns);
}

void smtp_client_session_queue_content(struct smtp_client_session *session, size_t len)
{
    struct smtp_span out = smtp_buffer_span(&session->out);
    smtp_client_session_note(session, SMTP_CLIENT_LOG_CONTENT,
                             (struct smtp_span){out.bytes + out.len - len, len});
    session->released += len;
}

void smtp_client_session_queue_whole(struct smtp_client_session *session, struct smtp_span content)
{
    smtp_client_session_note(session, SMTP_CLIENT_LOG_CONTENT, content);
    session->whole = content;
    session->whole_at = session->released;
}

int smtp_client_session_pending(const struct smtp_client_session *session,
                                struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS])
{
    int count = 0;
    const char *out = smtp_buffer_span(&session->out).bytes;
    size_t before = session->whole.len > 0 ? session->whole_at : 0;
    if (before > 0) {
        parts[count++] = (struct smtp_span){out, before};
    }
    if (session->whole.len > 0) {
        parts[count++] = session->whole;
    }
    if (session->released > before) {
        parts[count++] = (struct smtp_span){out + before, session->released - before};
    }
    return count;
}

static void take_out(struct smtp_client_session *session, size_t len)
{
    smtp_buffer_take(&session->out, len);
    session->released -= len;
}

void smtp_client_session_sent(struct smtp_client_session *session, size_t len, uint64_t now_ns)
{
    bool of_content = smtp_client_session_front_stage(session) == SMTP_STAGE_CONTENT;
    session->sent_octets += len;
    if (session->whole.len > 0) {
        size_t before = len < session->whole_at ? len : session->whole_at;
        take_out(session, before);
        session->whole_at -= before;
        len -= before;
        size_t of_whole = len < session->whole.len ? len : session->whole.len;
        session->whole.bytes += of_whole;
        session->whole.len -= of_whole;
        len -= of_whole;
    }
    take_out(session, len);
    smtp_client_session_wipe_sent(session);
    if (session->chunks.on && !session->ended) {
        smtp_client_session_pump(session, false, now_ns);
    }
    if (of_content && !session->ended) {
        smtp_client_session_arm(session, now_ns);
    }
}
