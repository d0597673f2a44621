/* chunk.c - BDAT as a command line (RFC 3030 2): how many octets it announces.
 * Knows: that these octets come whatever becomes of the command, so that the one thing that must be
 * understood of it is their number; that a refusal waits until they are in. Does not know: when BDAT is
 * legal (verbs.c), what the octets are (intake.c). */
#include "server/protocol/state.h"

#include <string.h>

const char smtp_server_bdat_syntax[] = "BDAT octets [LAST]";

/* chunk-size, and what stands behind it. False: it is no number, or one of more than 64 bits. */
static bool read_count(struct smtp_span argument, uint64_t *octets, struct smtp_span *rest)
{
    const char *space = argument.len > 0 ? memchr(argument.bytes, ' ', argument.len) : NULL;
    size_t len = space != NULL ? (size_t)(space - argument.bytes) : argument.len;
    *rest = smtp_span_trim_start((struct smtp_span){argument.bytes + len, argument.len - len});
    return smtp_span_to_u64((struct smtp_span){argument.bytes, len}, UINT64_MAX, octets);
}

/* Without the number nobody knows where the octets end and commands begin again: whatever was taken for
 * a command could be a piece of a message that a stranger wrote. So the session ends. */
bool smtp_server_announce_chunk(struct smtp_server_session *session, struct smtp_span argument,
                                bool readable)
{
    uint64_t octets;
    struct smtp_span rest;
    if (!readable || !read_count(argument, &octets, &rest)) {
        smtp_server_session_note(session, "BDAT without a number of octets");
        smtp_server_session_say(session, 501, "5.5.4",
                                "Syntax: BDAT octets [LAST]; where the chunk ends is not known, "
                                "closing");
        smtp_server_session_enter(session, SMTP_SERVER_ENDED);
        return false;
    }
    bool last = smtp_span_equal_nocase(rest, SMTP_SPAN("LAST"));
    session->chunk = (struct smtp_server_chunk){
        .octets = octets, .left = octets, .last = last, .well_formed = last || rest.len == 0};
    smtp_server_session_hold(session);
    return true;
}

void smtp_server_take_in_chunk(struct smtp_server_session *session)
{
    smtp_server_session_release(session, 1); /* nothing was said */
    smtp_server_session_enter(session, SMTP_SERVER_CHUNK);
}

void smtp_server_drop_chunk(struct smtp_server_session *session)
{
    session->chunk.dropped = true;
    session->chunk.before = session->state;
    smtp_server_session_enter(session, SMTP_SERVER_CHUNK);
}
