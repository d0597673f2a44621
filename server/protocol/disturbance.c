/* disturbance.c - see disturbance.h.
 * Knows: the order in which a step goes wrong, and pacing. Does not know: when something should go wrong (the tables say),
 * how a connection ends. */
#include "server/protocol/disturbance.h"

#include "common/deadline.h"
#include "server/protocol/disturbed_reply.h"
#include "server/protocol/state.h"

#define NS_PER_S UINT64_C(1000000000)
/* Between two segments, so that they are two reads of a peer that reads at once. */
#define SEGMENT_PAUSE_NS (2 * SMTP_NS_PER_MS)

/* ---- beginning and end ---- */

static bool is_hello(const char *verb)
{
    return strcmp(verb, "EHLO") == 0 || strcmp(verb, "HELO") == 0 || strcmp(verb, "LHLO") == 0;
}

void smtp_server_disturbance_begin(struct smtp_server_disturbance *it,
                                   const struct smtp_server_step *step,
                                   const struct smtp_server_fault *fault)
{
    bool speaks_last =
        step->kind == SMTP_STEP_CONNECT && (fault->reply.code != 0 || fault->replaced);
    *it = (struct smtp_server_disturbance){
        .fault = *fault,
        .out = SMTP_BUFFER(SIZE_MAX),
        .kind = step->kind,
        .phase = SMTP_DISTURBANCE_WAITING,
        .uncoded = step->kind <= SMTP_STEP_GREETING || is_hello(step->verb),
    };
    it->fault.reply.text[sizeof it->fault.reply.text - 1] = '\0';
    it->fault.note[sizeof it->fault.note - 1] = '\0';
    if (fault->ending == SMTP_GO_ON && (fault->cut || speaks_last)) {
        it->fault.ending = SMTP_END_CLOSE;
    }
}

void smtp_server_disturbance_end(struct smtp_server_disturbance *it)
{
    smtp_identity_release(it->fault.identity);
    it->fault.identity = NULL;
    smtp_buffer_free(&it->out);
    it->phase = SMTP_DISTURBANCE_NONE;
}

/* What was to be said is out. */
static enum smtp_server_disturbance_act finish(struct smtp_server_disturbance *it,
                                               struct smtp_server_session *session, uint64_t now_ns)
{
    switch (it->fault.ending) {
    case SMTP_GO_ON:
        smtp_server_session_keep_waiting(session, false, now_ns);
        if (it->kind == SMTP_STEP_CONTENT) {
            smtp_server_session_answer(session, SMTP_ACCEPT, NULL, now_ns);
        }
        break;
    case SMTP_END_CLOSE:
    case SMTP_END_RESET:
        break;
    case SMTP_END_HALF_CLOSE:
    case SMTP_END_HANG:
    case SMTP_END_DEAF:
        smtp_server_session_keep_waiting(session, true, now_ns);
        it->phase = SMTP_DISTURBANCE_RESTING;
        it->due_ns = SMTP_NEVER;
        break;
    }
    return SMTP_DISTURBANCE_ENDS;
}

/* ---- the phases ---- */

static void start_saying(struct smtp_server_disturbance *it, struct smtp_server_session *session,
                         uint64_t now_ns)
{
    it->phase = SMTP_DISTURBANCE_SAYING;
    it->due_ns = now_ns;
    smtp_server_session_keep_waiting(session, true, now_ns);
}

static enum smtp_server_disturbance_act say(struct smtp_server_disturbance *it,
                                            struct smtp_server_session *session, uint64_t now_ns)
{
    struct smtp_span own = smtp_server_session_pending(session);
    bool made = smtp_server_disturbed_reply(&it->out, &it->fault, own,
                                            !it->uncoded && smtp_server_session_codes(session),
                                            it->kind <= SMTP_STEP_GREETING);
    smtp_server_session_sent(session, own.len);
    if (!made) {
        return SMTP_DISTURBANCE_FAILS;
    }
    start_saying(it, session, now_ns);
    return SMTP_DISTURBANCE_SPEAKS;
}

static enum smtp_server_disturbance_act
do_step(struct smtp_server_disturbance *it, struct smtp_server_session *session, uint64_t now_ns)
{
    static const struct smtp_server_reply unsaid = {.code = 451};
    const struct smtp_server_reply *reply = &it->fault.reply;
    it->phase = SMTP_DISTURBANCE_DOING;
    if (reply->code >= 400) {
        smtp_server_session_answer(session, SMTP_REFUSE, reply, now_ns);
    } else if (it->fault.silent) {
        smtp_server_session_answer(session, SMTP_REFUSE, &unsaid, now_ns);
    } else {
        smtp_server_session_answer(session, SMTP_ACCEPT, NULL, now_ns);
    }
    return SMTP_DISTURBANCE_GOES_ON;
}

/* Its time has come. */
static enum smtp_server_disturbance_act
perform(struct smtp_server_disturbance *it, struct smtp_server_session *session, uint64_t now_ns)
{
    switch (it->kind) {
    case SMTP_STEP_CONNECT:
        return say(it, session, now_ns);
    case SMTP_STEP_TLS:
        start_saying(it, session, now_ns);
        return SMTP_DISTURBANCE_SHAKES_HANDS;
    case SMTP_STEP_CONTENT:
        return finish(it, session, now_ns);
    case SMTP_STEP_GREETING:
    case SMTP_STEP_COMMAND:
    case SMTP_STEP_END_OF_CONTENT:
        break;
    }
    return do_step(it, session, now_ns);
}

static enum smtp_server_disturbance_act say_on(struct smtp_server_disturbance *it,
                                               struct smtp_server_session *session, uint64_t now_ns)
{
    const struct smtp_server_fault *fault = &it->fault;
    if (it->out.len == 0) {
        return finish(it, session, now_ns);
    }
    if (it->allowed == 0) {
        if (now_ns < it->due_ns) {
            return SMTP_DISTURBANCE_WAITS;
        }
        size_t segment = fault->drip_octets_s > 0  ? 1
                         : fault->split_octets > 0 ? fault->split_octets
                                                   : it->out.len;
        it->allowed = segment < it->out.len ? segment : it->out.len;
        it->due_ns = fault->drip_octets_s > 0 ? it->due_ns + NS_PER_S / fault->drip_octets_s
                                              : now_ns + SEGMENT_PAUSE_NS;
    }
    return SMTP_DISTURBANCE_WRITES;
}

enum smtp_server_disturbance_act smtp_server_disturbance_step(struct smtp_server_disturbance *it,
                                                              struct smtp_server_session *session,
                                                              bool busy, uint64_t now_ns)
{
    bool unsaid = smtp_server_session_pending(session).len > 0;
    switch (it->phase) {
    case SMTP_DISTURBANCE_NONE:
        break;
    case SMTP_DISTURBANCE_WAITING:
        if (busy || unsaid) {
            break;
        }
        it->phase = SMTP_DISTURBANCE_DELAYED;
        it->due_ns =
            it->fault.delay_ms > 0 ? smtp_deadline_after(now_ns, it->fault.delay_ms) : now_ns;
        return SMTP_DISTURBANCE_GOES_ON;
    case SMTP_DISTURBANCE_DELAYED:
        return now_ns < it->due_ns ? SMTP_DISTURBANCE_WAITS : perform(it, session, now_ns);
    case SMTP_DISTURBANCE_DOING:
        return unsaid ? say(it, session, now_ns) : SMTP_DISTURBANCE_WAITS;
    case SMTP_DISTURBANCE_SAYING:
        return busy ? SMTP_DISTURBANCE_WAITS : say_on(it, session, now_ns);
    case SMTP_DISTURBANCE_RESTING:
        return now_ns < it->due_ns ? SMTP_DISTURBANCE_WAITS : SMTP_DISTURBANCE_LOOKS;
    }
    return SMTP_DISTURBANCE_WAITS;
}

uint64_t smtp_server_disturbance_due_ns(const struct smtp_server_disturbance *it)
{
    bool pauses = it->phase == SMTP_DISTURBANCE_SAYING && it->out.len > 0 && it->allowed == 0;
    return it->phase == SMTP_DISTURBANCE_DELAYED || it->phase == SMTP_DISTURBANCE_RESTING || pauses
               ? it->due_ns
               : SMTP_NEVER;
}

/* ---- what goes out ---- */

bool smtp_server_disturbance_add(struct smtp_server_disturbance *it, struct smtp_span octets,
                                 uint64_t now_ns)
{
    size_t room = it->fault.cut ? it->fault.cut_octets - it->added : octets.len;
    size_t len = octets.len < room ? octets.len : room;
    if (it->out.len == 0 && len > 0 && it->due_ns < now_ns) {
        it->due_ns = now_ns; /* what came late is not made up for */
    }
    bool kept = smtp_buffer_append(&it->out, octets.bytes, len) == SMTP_OK;
    if (kept && it->fault.garbled) {
        smtp_server_garble(&it->out, it->out.len - len);
    }
    it->added += len;
    return kept;
}

struct smtp_span smtp_server_disturbance_owed(const struct smtp_server_disturbance *it)
{
    return (struct smtp_span){smtp_buffer_span(&it->out).bytes, it->allowed};
}

void smtp_server_disturbance_sent(struct smtp_server_disturbance *it, size_t len)
{
    smtp_buffer_take(&it->out, len);
    it->allowed -= len;
}

/* ---- what is asked of it ---- */

bool smtp_server_disturbance_holds(const struct smtp_server_disturbance *it,
                                   const struct smtp_server_session *session)
{
    return it->phase != SMTP_DISTURBANCE_NONE &&
           (it->phase != SMTP_DISTURBANCE_DOING || smtp_server_session_pending(session).len > 0);
}

bool smtp_server_disturbance_reads(const struct smtp_server_disturbance *it)
{
    return it->phase == SMTP_DISTURBANCE_RESTING && it->fault.ending != SMTP_END_DEAF;
}

bool smtp_server_disturbance_speaks(const struct smtp_server_disturbance *it)
{
    return it->phase >= SMTP_DISTURBANCE_DOING;
}
