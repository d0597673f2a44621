/* disturbed.c - see disturbed.h. */
#include "harness/simulate/disturbed.h"

#include "harness/simulate/server_end.h"
#include "server/disturbed_reply.h"

#define SEGMENT_PAUSE_NS (2 * SMTP_NS_PER_MS)
#define NS_IN_S 1000000000u

bool smtp_sim_disturbed_holds(const struct smtp_sim_server *server)
{
    const struct smtp_sim_disturbance *it = &server->disturbance;
    return it->phase != SMTP_SIM_UNDISTURBED &&
           (it->phase != SMTP_SIM_DOING || smtp_server_session_pending(server->session).len > 0);
}

bool smtp_sim_disturbed_speaks(const struct smtp_sim_server *server)
{
    return server->disturbance.phase >= SMTP_SIM_DOING;
}

bool smtp_sim_disturbed_reads(const struct smtp_sim_server *server)
{
    const struct smtp_sim_disturbance *it = &server->disturbance;
    return it->phase == SMTP_SIM_RESTING && it->fault.ending != SMTP_END_DEAF;
}

void smtp_sim_disturbed_end(struct smtp_sim_server *server)
{
    server->disturbance.phase = SMTP_SIM_UNDISTURBED;
    smtp_buffer_free(&server->disturbance.out);
}

static bool is_hello(const char *verb)
{
    return strcmp(verb, "EHLO") == 0 || strcmp(verb, "LHLO") == 0;
}

/* What the peer hears then need not be so: a reply in place of another, or more or less than one. */
static bool lies(const struct smtp_server_fault *fault)
{
    return fault->replaced || fault->twice || fault->garbled || fault->cut ||
           (fault->reply.code != 0 && fault->reply.code < 400);
}

/* Which no server does, and no client can go on after (RFC 5321 4.1.1.5). */
static bool is_refused_rset(const struct smtp_server_step *step,
                            const struct smtp_server_fault *fault)
{
    return strcmp(step->verb, "RSET") == 0 && fault->reply.code >= 400;
}

bool smtp_sim_disturb(struct smtp_sim_server *server, const struct smtp_server_step *step)
{
    struct smtp_sim_run *run = server->run;
    struct smtp_sim_disturbance *it = &server->disturbance;
    struct smtp_server_session_info info = {.number = server->number + 1,
                                            .hostname = run->plan.server.hostname,
                                            .peer = "127.0.0.1:1",
                                            .proxy = "",
                                            .helo = smtp_server_session_helo(server->session),
                                            .lmtp = run->plan.lmtp,
                                            .identity = "",
                                            .user = &server->fault_state};
    struct smtp_server_fault fault = {0};
    if (run->faults == NULL ||
        !run->fault_hooks.fault(run->fault_hooks.user, &info, step, &fault)) {
        if (step->kind == SMTP_STEP_COMMAND && it->phase == SMTP_SIM_DOING) {
            smtp_sim_disturbed_end(server); /* BDAT LAST for nobody has no reply with LMTP */
        }
        return false;
    }
    smtp_sim_disturbed_end(server);
    *it = (struct smtp_sim_disturbance){
        .phase = SMTP_SIM_WAITING,
        .kind = step->kind,
        .fault = fault,
        .out = SMTP_BUFFER(SIZE_MAX),
        .uncoded = step->kind <= SMTP_STEP_GREETING || is_hello(step->verb),
    };
    run->counts->faults++;
    server->lied = server->lied || lies(&fault);
    server->refused_rset = server->refused_rset || is_refused_rset(step, &fault);
    smtp_sim_remark(run, server->number, "%s", fault.note);
    return true;
}

/* ---- endings ---- */

/* Silence, until the time of the session is over. */
static void rest(struct smtp_sim_server *server)
{
    smtp_server_session_keep_waiting(server->session, true, server->run->now_ns);
    server->disturbance.phase = SMTP_SIM_RESTING;
    server->disturbance.due_ns = server->ends_ns;
    server->in_at = server->in_len = 0;
}

static void finish(struct smtp_sim_server *server)
{
    struct smtp_sim_disturbance *it = &server->disturbance;
    uint64_t now_ns = server->run->now_ns;
    enum smtp_server_step_kind kind = it->kind;
    switch (it->fault.ending == SMTP_GO_ON && it->fault.cut ? SMTP_END_CLOSE : it->fault.ending) {
    case SMTP_GO_ON:
        smtp_sim_disturbed_end(server);
        smtp_server_session_keep_waiting(server->session, false, now_ns);
        if (kind == SMTP_STEP_CONTENT) {
            smtp_server_session_answer(server->session, SMTP_ACCEPT, NULL, now_ns);
        }
        break;
    case SMTP_END_CLOSE:
        smtp_sim_server_be_over(server, false);
        break;
    case SMTP_END_RESET:
        smtp_sim_server_be_over(server, true);
        break;
    case SMTP_END_HALF_CLOSE:
        smtp_sim_wire_close(server->down, now_ns);
        rest(server);
        break;
    case SMTP_END_HANG:
    case SMTP_END_DEAF:
        rest(server);
        break;
    }
}

/* ---- the phases ---- */

static void do_step(struct smtp_sim_server *server)
{
    struct smtp_sim_disturbance *it = &server->disturbance;
    const struct smtp_server_reply *reply = &it->fault.reply;
    const struct smtp_server_reply unsaid = {.code = 451};
    bool refused = it->fault.silent || reply->code >= 400;
    it->phase = SMTP_SIM_DOING;
    smtp_server_session_answer(server->session, refused ? SMTP_REFUSE : SMTP_ACCEPT,
                               !refused             ? NULL
                               : reply->code >= 400 ? reply
                                                    : &unsaid,
                               server->run->now_ns);
}

static void say(struct smtp_sim_server *server)
{
    struct smtp_sim_disturbance *it = &server->disturbance;
    struct smtp_span own = smtp_server_session_pending(server->session);
    bool coded = !it->uncoded && (server->run->plan.server.keywords.enhanced_status_codes ||
                                  server->run->plan.lmtp);
    bool made = smtp_server_disturbed_reply(&it->out, &it->fault, own, coded,
                                            it->kind <= SMTP_STEP_GREETING);
    smtp_server_session_sent(server->session, own.len);
    if (!made) {
        smtp_sim_server_be_over(server, false);
        return;
    }
    it->phase = SMTP_SIM_SAYING;
    it->due_ns = server->run->now_ns;
    smtp_server_session_keep_waiting(server->session, true, server->run->now_ns);
}

static bool say_on(struct smtp_sim_server *server)
{
    struct smtp_sim_disturbance *it = &server->disturbance;
    const struct smtp_server_fault *fault = &it->fault;
    uint64_t now_ns = server->run->now_ns;
    struct smtp_span out = smtp_buffer_span(&it->out);
    if (out.len == 0) {
        finish(server);
        return true;
    }
    if (now_ns < it->due_ns) {
        return false;
    }
    size_t segment = fault->drip_octets_s > 0  ? 1
                     : fault->split_octets > 0 ? fault->split_octets
                                               : out.len;
    out.len = segment < out.len ? segment : out.len;
    size_t taken = smtp_sim_wire_write(server->down, out, now_ns);
    smtp_sim_said(server->run, server->number, "S: ", (struct smtp_span){out.bytes, taken});
    smtp_buffer_take(&it->out, taken);
    it->due_ns = fault->drip_octets_s > 0  ? it->due_ns + NS_IN_S / fault->drip_octets_s
                 : fault->split_octets > 0 ? now_ns + SEGMENT_PAUSE_NS
                                           : now_ns;
    return taken > 0;
}

bool smtp_sim_disturbed_step(struct smtp_sim_server *server)
{
    struct smtp_sim_disturbance *it = &server->disturbance;
    uint64_t now_ns = server->run->now_ns;
    switch (it->phase) {
    case SMTP_SIM_UNDISTURBED:
        return false;
    case SMTP_SIM_WAITING:
        if (smtp_server_session_pending(server->session).len > 0) {
            return false;
        }
        it->phase = SMTP_SIM_DELAYED;
        it->due_ns = it->fault.delay_ms > 0 ? smtp_deadline_after(now_ns, it->fault.delay_ms) : 0;
        return true;
    case SMTP_SIM_DELAYED:
        if (it->due_ns > now_ns) {
            return false;
        }
        if (it->kind == SMTP_STEP_CONTENT) {
            finish(server);
        } else {
            do_step(server);
        }
        return true;
    case SMTP_SIM_DOING:
        if (smtp_server_session_pending(server->session).len == 0) {
            return false;
        }
        say(server);
        return true;
    case SMTP_SIM_SAYING:
        return say_on(server);
    case SMTP_SIM_RESTING:
        if (it->due_ns > now_ns) {
            return false;
        }
        smtp_sim_server_be_over(server, false);
        return true;
    }
    return false;
}

uint64_t smtp_sim_disturbed_due_ns(const struct smtp_sim_server *server)
{
    const struct smtp_sim_disturbance *it = &server->disturbance;
    bool says =
        it->phase == SMTP_SIM_SAYING && it->out.len > 0 && smtp_sim_wire_has_room(server->down);
    return it->phase == SMTP_SIM_DELAYED || it->phase == SMTP_SIM_RESTING || says ? it->due_ns
                                                                                  : SMTP_NEVER;
}
