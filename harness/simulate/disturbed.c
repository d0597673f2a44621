/* disturbed.c - see disturbed.h. */
#include "harness/simulate/disturbed.h"

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

static bool goes_wrong(struct smtp_sim_server *server, const struct smtp_server_step *step,
                       struct smtp_server_fault *fault)
{
    const struct smtp_sim_run *run = server->run;
    const struct smtp_server_session_info info = {.number = server->number + 1,
                                                  .hostname = run->plan.server.hostname,
                                                  .peer = "127.0.0.1:1",
                                                  .proxy = "",
                                                  .helo = smtp_server_session_helo(server->session),
                                                  .lmtp = run->plan.lmtp,
                                                  .identity = "",
                                                  .user = &server->fault_state};
    return run->faults != NULL && run->fault_hooks.fault(run->fault_hooks.user, &info, step, fault);
}

bool smtp_sim_disturb(struct smtp_sim_server *server, const struct smtp_server_step *step)
{
    struct smtp_server_disturbance *it = &server->disturbance;
    struct smtp_server_fault fault = {0};
    if (step->kind == SMTP_STEP_COMMAND && it->phase == SMTP_DISTURBANCE_DOING) {
        smtp_server_disturbance_end(it); /* BDAT LAST for nobody has no reply with LMTP */
    }
    if (!goes_wrong(server, step, &fault)) {
        return false;
    }
    smtp_server_disturbance_end(it);
    smtp_server_disturbance_begin(it, step, &fault);
    server->run->counts->faults++;
    if (lies(&fault)) {
        server->lied_ns = smtp_deadline_earlier(server->lied_ns, server->run->now_ns);
    }
    server->refused_rset = server->refused_rset || is_refused_rset(step, &fault);
    smtp_sim_remark(server->run, server->number, "%s", fault.note);
    return true;
}

static void finish(struct smtp_sim_server *server)
{
    struct smtp_server_disturbance *it = &server->disturbance;
    switch (it->fault.ending) {
    case SMTP_GO_ON:
        smtp_server_disturbance_end(it);
        break;
    case SMTP_END_CLOSE:
    case SMTP_END_RESET:
        smtp_sim_server_be_over(server, it->fault.ending == SMTP_END_RESET);
        break;
    case SMTP_END_HALF_CLOSE:
    case SMTP_END_HANG:
    case SMTP_END_DEAF:
        if (it->fault.ending == SMTP_END_HALF_CLOSE) {
            smtp_sim_wire_close(server->down, server->run->now_ns);
        }
        it->due_ns = server->ends_ns;
        server->in_at = server->in_len = 0;
        break;
    }
}

static bool write_out(struct smtp_sim_server *server)
{
    struct smtp_span owed = smtp_server_disturbance_owed(&server->disturbance);
    owed.len = smtp_sim_wire_write(server->down, owed, server->run->now_ns);
    smtp_sim_said(server->run, server->number, 'S', owed);
    smtp_server_disturbance_sent(&server->disturbance, owed.len);
    return owed.len > 0;
}

bool smtp_sim_disturbed_step(struct smtp_sim_server *server)
{
    switch (smtp_server_disturbance_step(&server->disturbance, server->session, false,
                                         server->run->now_ns)) {
    case SMTP_DISTURBANCE_WAITS:
        return false;
    case SMTP_DISTURBANCE_WRITES:
        return write_out(server);
    case SMTP_DISTURBANCE_ENDS:
        finish(server);
        break;
    case SMTP_DISTURBANCE_LOOKS:
    case SMTP_DISTURBANCE_FAILS:
        smtp_sim_server_be_over(server, false);
        break;
    case SMTP_DISTURBANCE_GOES_ON:
    case SMTP_DISTURBANCE_SPEAKS:
    case SMTP_DISTURBANCE_SHAKES_HANDS: /* no plan has faults of TLS */
        break;
    }
    return true;
}
