/* session_chunks.c - content by BDAT (RFC 3030 2, 4.2). Knows: how content is cut into chunks, which of
 * them may go before which reply. A chunk that was announced is always filled: the server counts. Does not
 * know: what a refused chunk means (session_send.c); where content comes from. */
#include "client/protocol/session_state.h"
#include "common/error.h"

#include <string.h>

/* What goes out before it is known whether all, or any, may have it: a small message whole, and not much of a large one. */
#define FIRST_CHUNK_MAX 65536
/* Chunks on their way, unanswered: what goes for nothing when the first of them is refused. */
#define CHUNKS_OWED_MAX 8
#define HELD_MAX ((size_t)1 << 20) /* a block encoded, and one that waits */

bool smtp_client_session_uses_chunks(const struct smtp_client_session *session, enum smtp_body body)
{
    return session->extensions.chunking &&
           (session->options->chunking || body == SMTP_BODY_BINARYMIME);
}

enum smtp_status smtp_client_session_announce(struct smtp_client_session *session, uint64_t octets,
                                              bool last, uint64_t now_ns)
{
    char verb[5 + SMTP_U64_DIGITS_MAX + sizeof(" LAST")] = "BDAT ";
    size_t len = 5 + smtp_u64_write(octets, verb + 5);
    memcpy(verb + len, last ? " LAST" : "", last ? sizeof(" LAST") : 1);
    struct smtp_client_command bdat = {.verb = verb};
    enum smtp_status status =
        smtp_client_session_queue(session, last ? SMTP_STAGE_DOT : SMTP_STAGE_CONTENT, &bdat);
    if (status == SMTP_OK) {
        smtp_client_session_release(session, now_ns);
        smtp_client_session_extend(session, octets, now_ns);
    }
    return status;
}

void smtp_client_session_prepare_chunks(struct smtp_client_session *session,
                                        const struct smtp_client_content_facts *facts)
{
    struct smtp_buffer held = session->chunks.held;
    held.max = HELD_MAX;
    session->chunks = (struct smtp_client_chunks){
        .on = true,
        .binary = facts->body == SMTP_BODY_BINARYMIME,
        .size_known = facts->size_known,
        .left = facts->size_bytes,
        .missing = facts->size_bytes,
        .held = held,
    };
    smtp_client_encoder_init(&session->encoder);
    session->encoder.chunked = true;
}

void smtp_client_session_begin_chunks(struct smtp_client_session *session)
{
    session->content_open = true;
    smtp_client_session_raise(session, SMTP_CLIENT_EVENT_CONTENT_WANTED, SMTP_STAGE_CONTENT,
                              SMTP_OK, NULL);
}

/* ---- which chunk may go ---- */

static bool all_answered(const struct smtp_client_flight *flight)
{
    return flight->transaction.answered == flight->transaction.result.recipient_count;
}

/* LMTP: how many replies the last chunk has must be known, so those before it are waited for, and somebody must have been
 * accepted: for nobody it has none (RFC 2033 4.3), but a 503 of some servers. */
static bool may_announce(const struct smtp_client_session *session,
                         const struct smtp_client_flight *flight)
{
    if (flight->transaction.doomed || session->chunks.last ||
        (session->lmtp && flight->transaction.taken == 0)) {
        return false;
    }
    bool group = smtp_client_session_groups(session);
    if (!all_answered(flight)) {
        return group && !session->chunks.begun;
    }
    return flight->chunks_owed < (group && !session->lmtp ? CHUNKS_OWED_MAX : 1);
}

static uint64_t chunk_max(const struct smtp_client_session *session,
                          const struct smtp_client_flight *flight)
{
    uint64_t octets = session->options->chunk_octets > 0 ? session->options->chunk_octets : 1;
    return !all_answered(flight) && octets > FIRST_CHUNK_MAX ? FIRST_CHUNK_MAX : octets;
}

/* Announces the next chunk of what is there. False: not now. */
static bool announce_next(struct smtp_client_session *session, struct smtp_client_flight *flight,
                          bool flush, uint64_t now_ns)
{
    struct smtp_client_chunks *chunks = &session->chunks;
    uint64_t there = chunks->held.len + chunks->rest.len;
    uint64_t all = chunks->size_known ? chunks->left : there;
    uint64_t max = chunk_max(session, flight);
    bool may_be_last = !flush && there <= max;
    bool wait = there == 0 ? all > 0 || !chunks->size_known : !chunks->size_known && may_be_last;
    if (!may_announce(session, flight) || session->whole.len > 0 || (wait && !chunks->ended)) {
        return false;
    }
    uint64_t octets = all < max ? all : max;
    bool last = octets == all && (chunks->size_known || chunks->ended);
    if (smtp_client_session_announce(session, octets, last, now_ns) != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory for BDAT");
        return false;
    }
    chunks->begun = true;
    chunks->last = last;
    chunks->left -= chunks->size_known ? octets : 0;
    chunks->open = octets;
    flight->chunks_owed++;
    if (last) {
        flight->end_at = smtp_client_session_queued_octets(session) + octets;
    }
    return true;
}

/* ---- octets into chunks ---- */

static bool copy(struct smtp_client_session *session, struct smtp_span from)
{
    if (smtp_buffer_append(&session->out, from.bytes, from.len) != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory for content");
        return false;
    }
    smtp_client_session_queue_content(session, from.len);
    session->chunks.open -= from.len;
    return true;
}

/* Fills the chunk that is open with what is there. */
static void fill(struct smtp_client_session *session)
{
    struct smtp_client_chunks *chunks = &session->chunks;
    struct smtp_span from = chunks->rest.len > 0 ? chunks->rest : smtp_buffer_span(&chunks->held);
    from.len = from.len < chunks->open ? from.len : (size_t)chunks->open;
    if (from.len == 0) {
        return;
    }
    if (chunks->rest.len == 0) {
        if (copy(session, from)) {
            smtp_buffer_take(&chunks->held, from.len);
        }
        return;
    }
    if (from.len > SMTP_CLIENT_COPIED_MAX) {
        smtp_client_session_queue_whole(session, from);
        chunks->open -= from.len;
    } else if (!copy(session, from)) {
        return;
    }
    chunks->rest.bytes += from.len;
    chunks->rest.len -= from.len;
}

void smtp_client_session_pump(struct smtp_client_session *session, bool flush, uint64_t now_ns)
{
    struct smtp_client_chunks *chunks = &session->chunks;
    struct smtp_client_flight *flight = smtp_client_session_last(session);
    if (!session->content_open || flight == NULL) {
        return;
    }
    do {
        fill(session);
    } while (!session->ended && chunks->open == 0 && announce_next(session, flight, flush, now_ns));
    if (session->ended || chunks->open > 0) {
        return;
    }
    if (chunks->last && chunks->ended) {
        flight->closed = true;
    }
    if (flight->closed || flight->transaction.doomed) {
        smtp_client_session_stop_content(session);
    }
}

bool smtp_client_session_takes_chunks(const struct smtp_client_session *session)
{
    const struct smtp_client_chunks *chunks = &session->chunks;
    const struct smtp_client_flight *flight = smtp_client_session_last(session);
    if (!session->content_open || chunks->ended || flight == NULL || session->whole.len > 0 ||
        session->released >= SMTP_CLIENT_BLOCK_MAX) {
        return false;
    }
    return chunks->held.len == 0 || (!chunks->size_known && may_announce(session, flight) &&
                                     chunks->held.len <= chunk_max(session, flight));
}

/* ---- taken from the driver ---- */

static enum smtp_status wrong_length(struct smtp_client_session *session)
{
    smtp_client_session_end(session, SMTP_SOURCE_FAILED,
                            "the content is not as long as it was when it was measured");
    return session->error.status;
}

/* Counts what was given against what is announced. False: there is more. */
static bool count(struct smtp_client_chunks *chunks, size_t len)
{
    bool fits = !chunks->size_known || len <= chunks->missing;
    chunks->missing -= chunks->size_known && fits ? len : 0;
    return fits;
}

enum smtp_status smtp_client_session_chunk_content(struct smtp_client_session *session,
                                                   struct smtp_span content, uint64_t now_ns)
{
    struct smtp_client_chunks *chunks = &session->chunks;
    smtp_client_session_pump(session, true, now_ns);
    char *room = smtp_buffer_reserve(&chunks->held, 2 * content.len + 1);
    if (session->ended || room == NULL) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory for content");
        return session->error.status;
    }
    size_t made = content.len;
    if (chunks->binary) {
        smtp_bytes_copy(room, content);
    } else {
        made = smtp_client_encoder_feed(&session->encoder, content.bytes, content.len, room);
        enum smtp_status status = smtp_client_session_check_octets(session);
        if (status != SMTP_OK) {
            return status;
        }
    }
    smtp_buffer_added(&chunks->held, made);
    if (!count(chunks, made)) {
        return wrong_length(session);
    }
    smtp_client_session_pump(session, false, now_ns);
    if (!session->ended) {
        smtp_client_session_arm(session, now_ns);
    }
    return session->ended ? session->error.status : SMTP_OK;
}

void smtp_client_session_chunk_whole(struct smtp_client_session *session, struct smtp_span content,
                                     uint64_t now_ns)
{
    struct smtp_client_chunks *chunks = &session->chunks;
    (void)now_ns;
    chunks->size_known = true;
    chunks->left = content.len;
    chunks->missing = 0;
    chunks->rest = content;
}

enum smtp_status smtp_client_session_chunks_end(struct smtp_client_session *session,
                                                uint64_t now_ns)
{
    struct smtp_client_chunks *chunks = &session->chunks;
    char line_end[SMTP_CLIENT_DOT_SIZE] = "";
    size_t made = smtp_client_encoder_finish(&session->encoder, line_end); /* of text by blocks */
    if (!count(chunks, made) || (chunks->size_known && chunks->missing > 0)) {
        return wrong_length(session);
    }
    if (smtp_buffer_append(&chunks->held, line_end, made) != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory for content");
        return session->error.status;
    }
    chunks->ended = true;
    smtp_client_session_pump(session, false, now_ns);
    if (!session->ended) {
        smtp_client_session_arm(session, now_ns);
    }
    return session->ended ? session->error.status : SMTP_OK;
}
