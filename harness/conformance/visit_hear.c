/* visit_hear.c - what a client under test says, waited for together with the end of the command. */
#include "common/clock.h"
#include "harness/conformance/visit_run.h"

#include <stdlib.h>

/** For how long a connection of an ended command may stay open: that of a process that has left its group. */
#define GRACE_NS (200 * SMTP_NS_PER_MS)

static struct smtp_span heard(const struct smtp_visit_session *session)
{
    return smtp_buffer_span(&session->talk->wire.heard);
}

/** Everything that has come in the clear is kept, taken or not. */
static void keep_clear(struct smtp_visit_session *session)
{
    struct smtp_visit_run *run = session->run;
    struct smtp_span octets = heard(session);
    uint64_t end = session->taken + octets.len;
    size_t fresh = (size_t)(end - session->kept);
    session->kept = end;
    run->octets += fresh;
    if (run->octets > SMTP_VISIT_OCTETS_MAX) {
        smtp_check_fail(run->seen.check,
                        "the client floods the suite: more than %d MiB came, where its task takes "
                        "some KiB",
                        SMTP_VISIT_MIB_MAX);
    } else if (!session->in_tls && fresh > 0 &&
               smtp_buffer_append(&run->clear, octets.bytes + octets.len - fresh, fresh) !=
                   SMTP_OK) {
        smtp_check_skip(run->seen.check, "out of memory");
    }
    run->seen.clear = smtp_buffer_span(&run->clear);
}

/** The same as smtp_dialogue_wire_hear of what is there already; a TLS connection that breaks has ended. */
static enum smtp_status hear_at_once(struct smtp_visit_session *session)
{
    struct smtp_talk *talk = session->talk;
    enum smtp_status status = smtp_dialogue_wire_hear(&talk->wire, smtp_clock_now_ns());
    keep_clear(session);
    switch (status) {
    case SMTP_OK:
        if (talk->wire.ended) {
            smtp_talk_log(talk, SMTP_LOG_CLOSE,
                          talk->wire.was_reset ? SMTP_SPAN("reset by the peer")
                                               : SMTP_SPAN("by the peer"));
        }
        return SMTP_OK;
    case SMTP_TLS_FAILED:
        smtp_talk_log(talk, SMTP_LOG_NOTE, smtp_span_of(smtp_tls_error(talk->wire.tls)));
        talk->wire.ended = true;
        return SMTP_OK;
    case SMTP_TIMED_OUT:
        return SMTP_TIMED_OUT;
    default:
        smtp_check_fail(talk->check, "the client floods the connection");
        return status;
    }
}

bool smtp_visit_hear(struct smtp_visit_session *session, uint64_t until_ns)
{
    struct smtp_visit_run *run = session->run;
    struct smtp_talk *talk = session->talk;
    uint64_t grace_ns = SMTP_NEVER;
    while (smtp_check_goes_on(talk->check)) {
        if (talk->wire.ended || talk->wire.fd < 0) {
            talk->wire.ended = true;
            return true;
        }
        enum smtp_status status = hear_at_once(session);
        if (status != SMTP_TIMED_OUT) {
            return status == SMTP_OK;
        }
        if (run->command.ended && grace_ns == SMTP_NEVER) {
            smtp_command_kill(&run->command);
            grace_ns = smtp_clock_now_ns() + GRACE_NS;
        }
        uint64_t end_ns = smtp_deadline_earlier(smtp_deadline_earlier(until_ns, grace_ns),
                                                talk->check->deadline_ns);
        if (smtp_clock_now_ns() >= end_ns) {
            return false;
        }
        smtp_command_wait(&run->command, talk->wire.fd, end_ns);
    }
    return false;
}

bool smtp_visit_waits_for_octets(struct smtp_visit_session *session)
{
    struct smtp_visit_run *run = session->run;
    const struct smtp_check *check = session->talk->check;
    int fd = session->talk->wire.fd;
    while (smtp_check_goes_on(check) && smtp_clock_now_ns() < check->deadline_ns) {
        if (run->command.ended) {
            smtp_command_kill(&run->command);
            return smtp_command_wait(&run->command, fd, smtp_clock_now_ns() + GRACE_NS);
        }
        if (smtp_command_wait(&run->command, fd, check->deadline_ns)) {
            return true;
        }
    }
    return false;
}

void smtp_visit_pause(struct smtp_visit_session *session, uint64_t ms)
{
    uint64_t until_ns = smtp_clock_now_ns() + ms * SMTP_NS_PER_MS;
    while (!session->talk->wire.ended && smtp_visit_hear(session, until_ns)) {
    }
}

/** Takes and copies them. */
static struct smtp_span take(struct smtp_visit_session *session, size_t len)
{
    struct smtp_span copy =
        smtp_visit_keep(session->talk->check, (struct smtp_span){heard(session).bytes, len});
    if (len > 0) {
        smtp_talk_take(session->talk, len);
    }
    session->taken += len;
    return copy;
}

/** Hears more; false: nothing will come. */
static bool goes_on(struct smtp_visit_session *session)
{
    return !session->talk->wire.ended && smtp_visit_hear(session, SMTP_NEVER);
}

bool smtp_visit_hear_line(struct smtp_visit_session *session, struct smtp_span *line)
{
    size_t looked = 0;
    do {
        struct smtp_span octets = heard(session);
        const char *end = memchr(octets.bytes + looked, '\n', octets.len - looked);
        if (end != NULL && smtp_check_goes_on(session->talk->check)) {
            *line = take(session, (size_t)(end - octets.bytes) + 1);
            return true;
        }
        looked = octets.len;
    } while (goes_on(session));
    return false;
}

/** The length up to and with the end mark; 0: it has not come. Looks from there on. */
static size_t find_end(struct smtp_span octets, size_t looked)
{
    if (octets.len >= 3 && memcmp(octets.bytes, ".\r\n", 3) == 0) {
        return 3;
    }
    size_t from = looked > 4 ? looked - 4 : 0;
    const char *end =
        octets.len > from ? memmem(octets.bytes + from, octets.len - from, "\r\n.\r\n", 5) : NULL;
    return end != NULL ? (size_t)(end - octets.bytes) + 5 : 0;
}

bool smtp_visit_hear_content(struct smtp_visit_session *session, struct smtp_span *raw)
{
    size_t looked = 0;
    do {
        struct smtp_span octets = heard(session);
        size_t len = find_end(octets, looked);
        if (len > 0) {
            *raw = take(session, len);
            return true;
        }
        looked = octets.len;
    } while (goes_on(session));
    *raw = take(session, heard(session).len);
    return false;
}

bool smtp_visit_hear_chunk(struct smtp_visit_session *session, uint64_t len,
                           struct smtp_span *chunk)
{
    while (heard(session).len < len && goes_on(session)) {
    }
    bool is_whole = heard(session).len >= len;
    *chunk = take(session, is_whole ? (size_t)len : heard(session).len);
    return is_whole;
}

void smtp_visit_part(struct smtp_visit_session *session)
{
    struct smtp_talk *talk = session->talk;
    if (!talk->wire.ended) {
        smtp_talk_half_close(talk);
        smtp_visit_pause(session, talk->check->quiet_ms);
    }
    smtp_talk_close(talk);
}
