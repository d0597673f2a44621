/* server_end.c - see server_end.h.
 * Knows: what a server is asked, and that it decides by chance; that a message is in the mailbox before it is answered 250.
 * Does not know: what is true (invariants.c). */
#include "harness/simulate/server_end.h"

#include "common/utf8.h"
#include "harness/simulate/disturbed.h"
#include "server/message.h"

#define PENDING_MAX ((size_t)128 * 1024) /* octets that wait to be written, and no more */

static const struct smtp_tls_facts tls_facts = {
    .version = "TLSv1.3", .cipher = "simulated", .server_name = "", .peer_subject = ""};

/* ---- life ---- */

bool smtp_sim_server_open(struct smtp_sim_server *server)
{
    struct smtp_sim_run *run = server->run;
    const struct smtp_server_session_start start = {.number = server->number + 1,
                                                    .peer = "127.0.0.1:1",
                                                    .lmtp = run->plan.lmtp,
                                                    .user = server};
    server->session = smtp_server_session_new(&run->plan.server, &start);
    if (server->session == NULL) {
        return false;
    }
    server->stalls_ns = SMTP_NEVER;
    server->lied_ns = SMTP_NEVER;
    server->ends_ns = smtp_deadline_after(run->now_ns, run->plan.server.limits.session_timeout_ms);
    smtp_server_session_open(server->session, run->now_ns);
    return true;
}

void smtp_sim_server_close(struct smtp_sim_server *server)
{
    struct smtp_server_session_info info = {.user = &server->fault_state};
    if (server->run->faults != NULL && server->run->fault_hooks.close != NULL) {
        server->run->fault_hooks.close(server->run->fault_hooks.user, &info);
    }
    smtp_server_disturbance_end(&server->disturbance);
    smtp_server_session_free(server->session);
    server->session = NULL;
}

void smtp_sim_server_be_over(struct smtp_sim_server *server, bool reset)
{
    server->stage = SMTP_SIM_SERVER_OVER;
    smtp_server_session_cut(server->session);
    smtp_server_disturbance_end(&server->disturbance);
    if (reset) {
        server->down->breaks = SMTP_SIM_RESET;
        server->down->broken = true;
    }
    smtp_sim_wire_close(server->down, server->run->now_ns);
    server->up->broken = true; /* nobody reads it any more */
}

/* ---- what it is asked ---- */

static bool refuses(struct smtp_sim_server *server)
{
    return smtp_draw_percent(&server->run->draw, server->run->plan.refuse_percent);
}

static enum smtp_server_verdict draw_refusal(struct smtp_draw *draw,
                                             struct smtp_server_reply *reply)
{
    int code = smtp_draw_percent(draw, 50) ? 451 : 554;
    (void)smtp_server_reply(reply, code, NULL, "Not %s", code == 451 ? "now" : "ever");
    return smtp_draw_percent(draw, 90) ? SMTP_REFUSE : SMTP_DISCONNECT;
}

static void decide(struct smtp_sim_server *server)
{
    struct smtp_server_reply reply = {.code = 0};
    enum smtp_server_verdict verdict =
        refuses(server) ? draw_refusal(&server->run->draw, &reply) : SMTP_ACCEPT;
    smtp_server_session_answer(server->session, verdict, &reply, server->run->now_ns);
}

static void decide_login(struct smtp_sim_server *server, const struct smtp_server_event *event)
{
    static const struct smtp_span expected = {"\0sim\0secret", 11};
    struct smtp_server_auth_answer answer = {.step = SMTP_SERVER_AUTH_ACCEPTED, .identity = "sim"};
    if (!event->has_response) {
        answer = (struct smtp_server_auth_answer){.step = SMTP_SERVER_AUTH_CHALLENGE,
                                                  .challenge = SMTP_SPAN("")};
    } else if (!smtp_span_equal(event->response, expected) && server->lied_ns == SMTP_NEVER) {
        smtp_sim_breach(server->run, "the login did not come as it was said");
    } else if (refuses(server)) {
        answer = (struct smtp_server_auth_answer){.step = SMTP_SERVER_AUTH_REFUSED};
    }
    smtp_server_session_answer_auth(server->session, &answer, server->run->now_ns);
}

/* ---- messages ---- */

static struct smtp_sim_letter *letter_of(struct smtp_sim_server *server,
                                         const struct smtp_message *message)
{
    struct smtp_sim_run *run = server->run;
    size_t number = smtp_sim_letter_number(smtp_message_reverse_path(message));
    if (number >= run->letter_count) {
        smtp_sim_breach(run, "a message of nobody has come, from <%s>",
                        smtp_message_reverse_path(message));
        return NULL;
    }
    return &run->letters[number];
}

static unsigned bit_of(const struct smtp_sim_letter *letter, const char *forward_path)
{
    for (size_t i = 0; i < letter->envelope.forward_path_count; i++) {
        if (strcmp(letter->recipients[i], forward_path) == 0) {
            return 1u << i;
        }
    }
    return 0;
}

/* Keeps it for those who take it; the mailbox has it before anybody is told. */
static void keep(struct smtp_sim_server *server, struct smtp_message *message, unsigned takers)
{
    struct smtp_sim_letter *letter = letter_of(server, message);
    if (letter == NULL || takers == 0 ||
        smtp_mailbox_put(server->run->mailbox, message) != SMTP_OK) {
        smtp_message_release(message);
        return;
    }
    size_t len = 0;
    const char *content = smtp_message_content(message, &len);
    if (!server->run->plan.server.keywords.eight_bit_mime &&
        smtp_has_eight_bit((struct smtp_span){content, len})) {
        smtp_sim_breach(server->run,
                        "message %zu has octets above 127, and 8BITMIME is not offered",
                        letter->number);
    }
    letter->kept_for = 0;
    for (size_t i = 0; i < smtp_message_recipient_count(message); i++) {
        letter->kept_for |=
            (takers & 1u << i) != 0 ? bit_of(letter, smtp_message_forward_path(message, i)) : 0;
    }
}

/* The answer for all; with LMTP one for each. */
static void decide_message(struct smtp_sim_server *server, struct smtp_message *message)
{
    struct smtp_server_reply replies[SMTP_SIM_RECIPIENTS] = {{.code = 0}};
    struct smtp_draw *draw = &server->run->draw;
    size_t count = smtp_message_recipient_count(message);
    bool each = server->run->plan.lmtp;
    enum smtp_server_verdict verdict = SMTP_ACCEPT;
    unsigned takers = 0;
    if (count > SMTP_SIM_RECIPIENTS) {
        smtp_sim_breach(server->run, "a message has %zu recipients", count);
        count = 0;
    }
    for (size_t i = 0; i < (each ? count : 1); i++) {
        bool refused = refuses(server);
        if (refused) {
            enum smtp_server_verdict drawn = draw_refusal(draw, &replies[i]);
            verdict = each ? SMTP_ACCEPT : drawn;
        }
        takers |= refused ? 0 : each ? 1u << i : (1u << count) - 1;
    }
    keep(server, message, takers);
    smtp_server_session_answer(server->session, verdict, replies, server->run->now_ns);
}

static bool answer_event(struct smtp_sim_server *server)
{
    struct smtp_server_event event;
    if (!smtp_server_session_next_event(server->session, &event)) {
        return false;
    }
    switch (event.kind) {
    case SMTP_SERVER_ASK_MESSAGE:
        decide_message(server, event.message);
        break;
    case SMTP_SERVER_ASK_AUTH:
        decide_login(server, &event);
        break;
    case SMTP_SERVER_ASK_STEP:
        if (!smtp_sim_disturb(server, event.step)) {
            smtp_server_session_answer(server->session, SMTP_ACCEPT, NULL, server->run->now_ns);
        }
        break;
    case SMTP_SERVER_START_TLS:
        server->stage = SMTP_SIM_SECURING;
        server->in_at = server->in_len = 0; /* what came behind the command is no part of it */
        break;
    case SMTP_SERVER_AUTH_CANCELLED:
    case SMTP_SERVER_RESET:
    case SMTP_SERVER_CLOSED:
        break;
    default:
        decide(server);
        break;
    }
    return true;
}

/* ---- octets ---- */

static bool is_lost(const struct smtp_sim_server *server)
{
    return smtp_sim_wire_is_reset(server->up) || smtp_sim_wire_is_reset(server->down);
}

static bool hear(struct smtp_sim_server *server)
{
    uint64_t now_ns = server->run->now_ns;
    bool drops = smtp_server_disturbance_reads(&server->disturbance);
    bool takes = server->stage == SMTP_SIM_TALKING &&
                 !smtp_server_disturbance_holds(&server->disturbance, server->session) &&
                 smtp_server_session_wants_input(server->session);
    if (is_lost(server)) {
        smtp_sim_server_be_over(server, true);
        return true;
    }
    if (!takes && !drops && server->stage != SMTP_SIM_SECURING) {
        return false;
    }
    if (server->in_at == server->in_len) {
        server->in_at = 0;
        server->in_len = smtp_sim_wire_read(server->up, server->in, sizeof server->in, now_ns);
        if (server->in_len == 0 && smtp_sim_wire_is_at_end(server->up, now_ns) &&
            smtp_server_session_pending(server->session).len == 0) {
            smtp_sim_server_be_over(server, false);
            return true;
        }
    }
    size_t len = server->in_len - server->in_at;
    size_t used = len;
    if (takes && len > 0) {
        used =
            smtp_server_session_receive(server->session, server->in + server->in_at, len, now_ns);
    }
    server->in_at += used;
    return used > 0;
}

/* The peer takes nothing: for as long as a command may take, and no longer. */
static bool stall(struct smtp_sim_server *server)
{
    uint64_t now_ns = server->run->now_ns;
    if (server->stalls_ns == SMTP_NEVER) {
        server->stalls_ns =
            smtp_deadline_after(now_ns, server->run->plan.server.limits.command_timeout_ms);
    }
    if (server->stalls_ns > now_ns) {
        return false;
    }
    smtp_sim_remark(server->run, server->number, "the peer does not read");
    smtp_sim_server_be_over(server, false);
    return true;
}

static bool write_out(struct smtp_sim_server *server)
{
    struct smtp_span owed = smtp_server_session_pending(server->session);
    if (smtp_server_disturbance_speaks(&server->disturbance) || owed.len == 0) {
        return false;
    }
    if (owed.len > PENDING_MAX) {
        smtp_sim_breach(server->run, "the server holds %zu octets to be written", owed.len);
    }
    size_t taken = smtp_sim_wire_write(server->down, owed, server->run->now_ns);
    if (taken == 0) {
        return stall(server);
    }
    smtp_sim_said(server->run, server->number, 'S', (struct smtp_span){owed.bytes, taken});
    smtp_server_session_sent(server->session, taken);
    server->stalls_ns = SMTP_NEVER;
    return true;
}

/* ---- time ---- */

static bool watch_time(struct smtp_sim_server *server)
{
    struct smtp_sim_run *run = server->run;
    uint64_t deadline_ns = smtp_server_session_deadline_ns(server->session);
    if (smtp_server_session_ended(server->session)) {
        return false;
    }
    if (deadline_ns > run->now_ns) {
        if (smtp_draw_percent(&run->draw, 2)) {
            smtp_server_session_expire(server->session, run->now_ns);
            if (smtp_server_session_ended(server->session)) {
                smtp_sim_breach(run, "the server's deadline fires %.3f s too early",
                                (double)(deadline_ns - run->now_ns) / 1e9);
            }
        }
        return false;
    }
    run->counts->deadlines++;
    smtp_sim_remark(run, server->number, "the server's deadline has passed");
    smtp_server_session_expire(server->session, run->now_ns);
    if (!smtp_server_session_ended(server->session)) {
        smtp_sim_breach(run, "the server goes on after its deadline");
    }
    if (server->stage == SMTP_SIM_SECURING ||
        smtp_server_disturbance_speaks(&server->disturbance)) {
        smtp_sim_server_be_over(server, false);
    }
    smtp_server_disturbance_end(&server->disturbance);
    return true;
}

uint64_t smtp_sim_server_due_ns(const struct smtp_sim_server *server)
{
    if (server->stage == SMTP_SIM_SERVER_OVER) {
        return SMTP_NEVER;
    }
    uint64_t due_ns = smtp_deadline_earlier(smtp_server_disturbance_due_ns(&server->disturbance),
                                            server->stalls_ns);
    if (!smtp_server_disturbance_holds(&server->disturbance, server->session) ||
        smtp_server_disturbance_reads(&server->disturbance)) {
        due_ns = smtp_deadline_earlier(due_ns, smtp_sim_wire_due_ns(server->up));
    }
    return smtp_deadline_earlier(due_ns, smtp_server_session_deadline_ns(server->session));
}

uint64_t smtp_sim_server_longest_ms(const struct smtp_sim_server *server)
{
    const struct smtp_server_limits *limits = &server->run->plan.server.limits;
    bool of_content = limits->content_timeout_ms > limits->command_timeout_ms;
    return server->disturbance.phase != SMTP_DISTURBANCE_NONE ? limits->session_timeout_ms
           : server->stage == SMTP_SIM_SECURING               ? limits->handshake_timeout_ms
           : of_content                                       ? limits->content_timeout_ms
                                                              : limits->command_timeout_ms;
}

void smtp_sim_server_shaken(struct smtp_sim_server *server, bool well)
{
    if (well) {
        server->stage = SMTP_SIM_TALKING;
        smtp_server_session_tls_started(server->session, &tls_facts, false, server->run->now_ns);
    } else {
        smtp_sim_server_be_over(server, false);
    }
}

/* ---- a step ---- */

bool smtp_sim_server_step(struct smtp_sim_server *server)
{
    if (server->stage == SMTP_SIM_SERVER_OVER) {
        return false;
    }
    if (answer_event(server) || smtp_sim_disturbed_step(server)) {
        return true;
    }
    if (smtp_server_session_ended(server->session) &&
        server->disturbance.phase == SMTP_DISTURBANCE_NONE &&
        smtp_server_session_pending(server->session).len == 0) {
        smtp_sim_server_be_over(server, false);
        return true;
    }
    return watch_time(server) || hear(server) || write_out(server);
}
