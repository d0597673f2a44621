/* intake.c - taking content in: into the message, to whoever wants it as it comes, or nowhere.
 * Knows: the limits of content, what is refused and how that is told. Does not know: where content
 * ends and dots (content.c), how a message lies in memory, what becomes of it. */
#include "server/protocol/state.h"

#include <stdio.h>

static bool has_refused_bare(const struct smtp_server_session *session)
{
    const struct smtp_content_decoder *decoder = &session->transaction.decoder;
    return session->config->bare_line_end != SMTP_BARE_ACCEPT &&
           (decoder->bare_cr_at != 0 || decoder->bare_lf_at != 0);
}

/* A bare LF is named before a line that is too long: it is what makes one of many. */
static void say_refusal(struct smtp_server_session *session)
{
    const struct smtp_transaction *transaction = &session->transaction;
    const struct smtp_content_decoder *decoder = &transaction->decoder;
    const struct smtp_server_limits *limits = &session->config->limits;
    char text[160];
    if (limits->message_octets != 0 && transaction->content_octets > limits->message_octets) {
        smtp_server_session_say(session, 552, "5.3.4", "Message size exceeds the fixed maximum");
    } else if (!has_refused_bare(session)) {
        snprintf(text, sizeof text,
                 "Line too long: that at octet %llu of the content has %llu octets, %zu may be",
                 (unsigned long long)decoder->long_line_at,
                 (unsigned long long)decoder->long_line_octets, decoder->line_limit);
        smtp_server_session_say(session, 500, "5.6.0", text);
    } else {
        bool lf_first = decoder->bare_cr_at == 0 ||
                        (decoder->bare_lf_at != 0 && decoder->bare_lf_at < decoder->bare_cr_at);
        snprintf(text, sizeof text, "Bare %s at octet %llu of the content; lines end in CRLF",
                 lf_first ? "LF" : "CR",
                 (unsigned long long)(lf_first ? decoder->bare_lf_at : decoder->bare_cr_at));
        smtp_server_session_say(session, 554, "5.6.0", text);
    }
}

static void refuse_content(struct smtp_server_session *session)
{
    smtp_server_session_hold(session);
    say_refusal(session);
    smtp_server_session_release(session, smtp_server_session_replies_due(session));
}

/* Told once, when the first one comes, whatever else is wrong with the content. */
static void tell_bare(struct smtp_server_session *session)
{
    struct smtp_transaction *transaction = &session->transaction;
    const struct smtp_content_decoder *decoder = &transaction->decoder;
    if (transaction->bare_told) {
        return;
    }
    transaction->bare_told = true;
    if (decoder->bare_cr_at != 0) {
        smtp_server_session_note(session, "bare CR at octet %llu of the content",
                                 (unsigned long long)decoder->bare_cr_at);
    }
    if (decoder->bare_lf_at != 0) {
        smtp_server_session_note(session, "bare LF at octet %llu of the content",
                                 (unsigned long long)decoder->bare_lf_at);
    }
    if (session->config->bare_line_end == SMTP_BARE_REFUSE_AND_CLOSE) {
        refuse_content(session);
        smtp_server_session_enter(session, SMTP_SERVER_ENDED);
    }
}

static void discard(struct smtp_server_session *session)
{
    smtp_transaction_discard_content(&session->transaction);
    smtp_server_session_drop_content(session);
}

/* With what the chunk that comes in has left: a count alone takes no memory. */
static bool will_be_too_large(const struct smtp_server_session *session)
{
    uint64_t limit = session->config->limits.message_octets;
    uint64_t octets = session->transaction.content_octets;
    return limit != 0 && (octets > limit || session->chunk.left > limit - octets);
}

/* Looked at after each step: what will be refused is not kept, so that memory stays within limits.
 */
static void judge_content(struct smtp_server_session *session)
{
    bool bare = has_refused_bare(session);
    bool too_large = will_be_too_large(session);
    bool long_line = session->transaction.decoder.long_line_at != 0;
    if (bare || too_large || long_line) {
        discard(session);
    }
    if (bare) {
        tell_bare(session);
    }
}

/* ---- into the message ---- */

static bool open_message(struct smtp_server_session *session, size_t first_octets)
{
    struct smtp_message_origin origin = smtp_server_session_origin(session);
    return smtp_transaction_open_message(&session->transaction, &origin, first_octets,
                                         session->config->discard_content);
}

static void give(struct smtp_server_session *session, struct smtp_span octets)
{
    struct smtp_transaction *transaction = &session->transaction;
    if (session->config->content != NULL && !transaction->sated) {
        transaction->given = true;
        transaction->sated = !session->config->content(session->user, transaction->message, octets);
    }
}

/* False: out of memory. */
static bool keep(struct smtp_server_session *session, struct smtp_span octets)
{
    struct smtp_transaction *transaction = &session->transaction;
    if (transaction->unwanted) {
        return true;
    }
    if (transaction->message == NULL && !open_message(session, octets.len)) {
        return false;
    }
    give(session, octets);
    if (session->config->discard_content) {
        smtp_message_omit(transaction->message, octets.len);
        return true;
    }
    return smtp_message_append(&transaction->message, octets.bytes, octets.len);
}

/* Octets of content, however they came. */
static void take_in(struct smtp_server_session *session, struct smtp_span octets)
{
    session->transaction.content_octets += octets.len;
    judge_content(session);
    if (!keep(session, octets)) {
        smtp_server_session_fail(session);
    }
}

/* The whole content is there. */
static void ask_message(struct smtp_server_session *session)
{
    struct smtp_transaction *transaction = &session->transaction;
    if (transaction->message == NULL && !open_message(session, 0)) {
        smtp_server_session_fail(session);
        return;
    }
    smtp_server_session_ask(session, &(struct smtp_server_event){
                                         .kind = SMTP_SERVER_ASK_MESSAGE,
                                         .message = smtp_transaction_take_message(transaction),
                                     });
}

/* ---- after DATA ---- */

static void finish_data(struct smtp_server_session *session)
{
    if (!session->transaction.unwanted) {
        ask_message(session);
        return;
    }
    refuse_content(session);
    smtp_server_session_clear_transaction(session);
    smtp_server_session_enter(session, SMTP_SERVER_READY);
    smtp_server_session_check_limits(session);
}

static void end_content(struct smtp_server_session *session)
{
    if (!smtp_server_ask_step(session, SMTP_STEP_END_OF_CONTENT)) {
        finish_data(session);
    }
}

size_t smtp_server_take_content(struct smtp_server_session *session, const char *bytes, size_t len)
{
    struct smtp_content_step step = smtp_content_decode(&session->transaction.decoder, bytes, len);
    smtp_server_session_log(session, SMTP_LOG_CONTENT, (struct smtp_span){bytes, step.used});
    if (step.keep.len > 0) { /* what is found wrong with content is found in octets of it */
        take_in(session, step.keep);
    }
    if (step.ended) {
        session->octets_behind = step.used < len;
    }
    session->content_whole = step.ended;
    if (step.keep.len > 0 && session->state == SMTP_SERVER_CONTENT &&
        smtp_server_ask_step(session, SMTP_STEP_CONTENT)) {
        return step.used;
    }
    if (step.ended) {
        end_content(session);
    }
    return step.used;
}

/* ---- after BDAT ---- */

size_t smtp_server_take_chunk(struct smtp_server_session *session, const char *bytes, size_t len)
{
    struct smtp_server_chunk *chunk = &session->chunk;
    size_t used = len < chunk->left ? len : (size_t)chunk->left;
    chunk->left -= used;
    smtp_server_session_log(session, SMTP_LOG_CONTENT, (struct smtp_span){bytes, used});
    if (!chunk->dropped) {
        if (!session->transaction.binary) { /* its lines are looked at; CRLF may be cut in two */
            (void)smtp_content_decode(&session->transaction.decoder, bytes, used);
        }
        take_in(session, (struct smtp_span){bytes, used});
    }
    if (chunk->left == 0) {
        session->octets_behind = used < len;
    }
    session->content_whole = false; /* settling finds out */
    if (chunk->dropped || session->state != SMTP_SERVER_CHUNK ||
        !smtp_server_ask_step(session, SMTP_STEP_CONTENT)) {
        smtp_server_settle_chunk(session);
    }
    return used;
}

/* The session goes on after a chunk that was refused, or one that is not the last. With the last the
 * transaction is over either way, so that what was sent behind it without waiting is another one. */
static void go_on(struct smtp_server_session *session)
{
    if (session->transaction.envelope.texts.len == 0) {
        smtp_server_session_enter(session, session->chunk.before);
    } else if (session->chunk.last) {
        smtp_server_session_clear_transaction(session);
        smtp_server_session_enter(session, SMTP_SERVER_READY);
    } else {
        smtp_server_session_enter(session, SMTP_SERVER_CHUNKS);
    }
    smtp_server_session_check_limits(session);
}

/* RFC 3030 2: the octets are all read before an error is told. */
static void refuse_chunk(struct smtp_server_session *session)
{
    size_t due = smtp_server_session_replies_due(session);
    if (!session->chunk.dropped) {
        refuse_content(session);
    } else {
        smtp_server_session_release(session, due);
    }
    if (due == 0) {
        smtp_server_session_note(session, "BDAT LAST without a recipient has no reply with LMTP");
    }
    session->transaction.chunk_failed = true;
    discard(session);
    go_on(session);
}

static void finish_last_chunk(struct smtp_server_session *session)
{
    if (session->transaction.unwanted) {
        refuse_chunk(session);
    } else {
        ask_message(session);
    }
}

static void end_chunk(struct smtp_server_session *session)
{
    const struct smtp_server_chunk *chunk = &session->chunk;
    if (!chunk->dropped && chunk->last) {
        smtp_content_decode_end(&session->transaction.decoder);
        judge_content(session);
    }
    if (session->state == SMTP_SERVER_ENDED) {
        return;
    }
    if (!chunk->dropped && chunk->last) {
        if (!smtp_server_ask_step(session, SMTP_STEP_END_OF_CONTENT)) {
            finish_last_chunk(session);
        }
    } else if (chunk->dropped || session->transaction.unwanted) {
        refuse_chunk(session);
    } else {
        char text[64];
        snprintf(text, sizeof text, "%llu octets received", (unsigned long long)chunk->octets);
        smtp_server_session_say(session, 250, "2.0.0", text);
        go_on(session);
    }
}

void smtp_server_settle_chunk(struct smtp_server_session *session)
{
    if (session->state == SMTP_SERVER_CHUNK && session->chunk.left == 0 &&
        !session->question_open) {
        end_chunk(session);
    }
}

/* ---- what was asked about content ---- */

void smtp_server_go_on_with_content(struct smtp_server_session *session)
{
    if (session->content_whole) {
        end_content(session);
    } /* a chunk is settled with the step */
}

static void refuse_message(struct smtp_server_session *session,
                           const struct smtp_server_reply *refusal)
{
    smtp_server_session_hold(session);
    smtp_server_session_say_or(session, refusal, 451, "4.3.0", "Not done");
    smtp_server_session_release(session, smtp_server_session_replies_due(session));
    discard(session);
    smtp_server_session_clear_transaction(session);
    smtp_server_session_enter(session, SMTP_SERVER_READY);
    smtp_server_session_check_limits(session);
}

void smtp_server_finish_content(struct smtp_server_session *session,
                                const struct smtp_server_reply *refusal)
{
    if (refusal != NULL) {
        refuse_message(session, refusal);
    } else if (session->state == SMTP_SERVER_CHUNK) {
        finish_last_chunk(session);
    } else {
        finish_data(session);
    }
}
