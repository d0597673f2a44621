/* session_content.c - content on its way to the server (RFC 5321 4.1.1.4, RFC 6152, RFC 1870). Knows: what
 * the server must offer for it, DATA's encoding and final dot. Does not know: chunks (session_chunks.c);
 * where content comes from. */
#include "client/protocol/session_state.h"
#include "common/error.h"

#include <inttypes.h>

static enum smtp_status unsupported(struct smtp_client_session *session, const char *why)
{
    return smtp_error_set(&session->error, SMTP_UNSUPPORTED, 0, "%s", why);
}

static const char eight_bit_unsupported[] =
    "the content holds octets above 127 and the server does not offer 8BITMIME: encode it as "
    "quoted-printable or base64";
static const char declared_seven_bit[] =
    "the content holds octets above 127 and is declared as 7BIT";

static const char long_line[] =
    "a line of the content has more than 998 octets (RFC 5322 2.1.1): fold it, or encode it as "
    "quoted-printable or base64";

static enum smtp_status check_body(struct smtp_client_session *session,
                                   const struct smtp_client_content_facts *facts)
{
    const struct smtp_client_extensions *offered = &session->extensions;
    bool eight_bit = facts->bits == SMTP_CLIENT_EIGHT_BIT;
    switch (facts->body) {
    case SMTP_BODY_BINARYMIME: /* RFC 3030 3 */
        return offered->binary_mime && offered->chunking
                   ? SMTP_OK
                   : unsupported(session, "the content is BINARYMIME, and the server does not "
                                          "offer both BINARYMIME and CHUNKING");
    case SMTP_BODY_8BITMIME:
        return offered->eight_bit_mime
                   ? SMTP_OK
                   : unsupported(session, "the content is declared as 8BITMIME, which the server "
                                          "does not offer");
    case SMTP_BODY_7BIT:
        return eight_bit
                   ? smtp_error_set(&session->error, SMTP_BAD_ARGUMENT, 0, "%s", declared_seven_bit)
                   : SMTP_OK;
    case SMTP_BODY_DETECT:
        break;
    }
    return eight_bit && !offered->eight_bit_mime ? unsupported(session, eight_bit_unsupported)
                                                 : SMTP_OK;
}

enum smtp_status smtp_client_session_check_content(struct smtp_client_session *session,
                                                   const struct smtp_client_content_facts *facts)
{
    uint64_t size_max = session->extensions.size_max;
    if (facts->size_known && size_max > 0 && facts->size_bytes > size_max) {
        return smtp_error_set(&session->error, SMTP_UNSUPPORTED, 0,
                              "the message has %" PRIu64 " octets and the server takes %" PRIu64
                              " (SIZE)",
                              facts->size_bytes, size_max);
    }
    if (facts->has_long_line && !session->options->long_lines) {
        return smtp_error_set(&session->error, SMTP_BAD_ARGUMENT, 0, "%s", long_line);
    }
    return check_body(session, facts);
}

enum smtp_status smtp_client_session_check_octets(struct smtp_client_session *session)
{
    if (session->encoder.long_line && !session->options->long_lines) {
        smtp_client_session_end(session, SMTP_BAD_ARGUMENT, long_line);
        return session->error.status;
    }
    if (!session->encoder.eight_bit || !session->high_octets_refused) {
        return SMTP_OK;
    }
    smtp_client_session_end(session, SMTP_UNSUPPORTED,
                            session->extensions.eight_bit_mime ? declared_seven_bit
                                                               : eight_bit_unsupported);
    return session->error.status;
}

/* ---- taken from the driver ---- */

void smtp_client_session_begin_content(struct smtp_client_session *session, uint64_t now_ns)
{
    if (smtp_client_session_expect(session, SMTP_STAGE_DOT) != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory");
        return;
    }
    smtp_client_encoder_init(&session->encoder);
    session->chunks.on = false;
    session->content_open = true;
    smtp_client_session_arm(session, now_ns);
    smtp_client_session_raise(session, SMTP_CLIENT_EVENT_CONTENT_WANTED, SMTP_STAGE_CONTENT,
                              SMTP_OK, NULL);
}

void smtp_client_session_stop_content(struct smtp_client_session *session)
{
    session->content_open = false;
    session->chunks.rest = (struct smtp_span){NULL, 0};
    smtp_buffer_clear(&session->chunks.held, SMTP_CLIENT_KEPT_OCTETS);
}

bool smtp_client_session_takes_content(const struct smtp_client_session *session)
{
    if (session->chunks.on) {
        return smtp_client_session_takes_chunks(session);
    }
    return session->content_open && session->released == 0 && session->whole.len == 0;
}

bool smtp_client_session_takes_whole(const struct smtp_client_session *session,
                                     const struct smtp_client_content_facts *facts)
{
    if (session->chunks.on && session->chunks.binary) {
        return true;
    }
    return facts->needs_no_repair && (session->chunks.on || facts->needs_no_stuffing);
}

static enum smtp_status no_content_wanted(struct smtp_client_session *session)
{
    return smtp_error_set(&session->error, SMTP_BAD_STATE, 0, "no content is wanted");
}

static enum smtp_status no_room(struct smtp_client_session *session)
{
    smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory for content");
    return session->error.status;
}

enum smtp_status smtp_client_session_content(struct smtp_client_session *session, const char *bytes,
                                             size_t len, uint64_t now_ns)
{
    if (!session->content_open || len > SMTP_CLIENT_BLOCK_MAX) {
        return no_content_wanted(session);
    }
    if (session->chunks.on) {
        return smtp_client_session_chunk_content(session, (struct smtp_span){bytes, len}, now_ns);
    }
    char *room = smtp_buffer_reserve(&session->out, 2 * len + 1);
    if (room == NULL) {
        return no_room(session);
    }
    size_t made = smtp_client_encoder_feed(&session->encoder, bytes, len, room);
    enum smtp_status status = smtp_client_session_check_octets(session);
    if (status == SMTP_OK) {
        smtp_buffer_added(&session->out, made);
        smtp_client_session_queue_content(session, made);
        smtp_client_session_arm(session, now_ns);
    }
    return status;
}

void smtp_client_session_content_whole(struct smtp_client_session *session,
                                       struct smtp_span content, uint64_t now_ns)
{
    if (!session->content_open || content.len == 0) {
        return;
    }
    if (session->chunks.on) {
        smtp_client_session_chunk_whole(session, content, now_ns);
        return;
    }
    if (content.len <= SMTP_CLIENT_COPIED_MAX &&
        smtp_buffer_append(&session->out, content.bytes, content.len) == SMTP_OK) {
        smtp_client_session_queue_content(session, content.len);
    } else {
        smtp_client_session_queue_whole(session, content);
    }
    smtp_client_session_arm(session, now_ns);
}

enum smtp_status smtp_client_session_content_end(struct smtp_client_session *session,
                                                 uint64_t now_ns)
{
    if (!session->content_open) {
        return no_content_wanted(session);
    }
    if (session->chunks.on) {
        return smtp_client_session_chunks_end(session, now_ns);
    }
    char *room = smtp_buffer_reserve(&session->out, SMTP_CLIENT_DOT_SIZE);
    if (room == NULL) {
        return no_room(session);
    }
    size_t made = smtp_client_encoder_finish(&session->encoder, room);
    struct smtp_client_flight *flight = smtp_client_session_last(session);
    session->content_open = false;
    smtp_buffer_added(&session->out, made);
    smtp_client_session_queue_content(session, made);
    smtp_client_session_extend(session, 0, now_ns);
    if (flight != NULL) {
        flight->end_at = smtp_client_session_queued_octets(session);
        flight->closed = true;
    }
    smtp_client_session_arm(session, now_ns);
    return SMTP_OK;
}
