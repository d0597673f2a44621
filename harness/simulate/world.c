/* world.c - see world.h.
 * Knows: whose turn it is, and when nothing more can happen. Does not know: SMTP. */
#include "harness/simulate/world.h"

#include "harness/simulate/invariants.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BEGINNING_NS SMTP_SIM_SECOND_NS
#define STEPS_MAX 8       /* of an end in one turn */
#define TURNS_MAX 1000000 /* a run that takes more does not end */
#define LEAP_S 4000

/* ---- what is told ---- */

void smtp_sim_breach(struct smtp_sim_run *run, const char *format, ...)
{
    if (run->breach[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(run->breach, sizeof run->breach, format, arguments);
        va_end(arguments);
    }
}

void smtp_sim_remark(const struct smtp_sim_run *run, size_t session, const char *format, ...)
{
    if (run->tell != NULL) {
        char text[200];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        smtp_sim_said(run, session, '#', smtp_span_of(text));
    }
}

void smtp_sim_said(const struct smtp_sim_run *run, size_t session, char who,
                   struct smtp_span octets)
{
    if (run->tell != NULL && octets.len > 0) {
        run->tell(run->tell_user, run->now_ns, session, who, octets);
    }
}

/* ---- life ---- */

struct smtp_sim_world *smtp_sim_world_new(struct smtp_sim_counts *counts)
{
    struct smtp_sim_world *world = calloc(1, sizeof *world);
    if (world == NULL) {
        return NULL;
    }
    smtp_sim_defaults_init(&world->defaults);
    world->run.counts = counts;
    world->run.mailbox = smtp_mailbox_new();
    if (world->run.mailbox == NULL) {
        free(world);
        return NULL;
    }
    return world;
}

void smtp_sim_world_free(struct smtp_sim_world *world)
{
    if (world == NULL) {
        return;
    }
    for (size_t i = 0; i < SMTP_SIM_LETTERS; i++) {
        smtp_sim_letter_free(&world->run.letters[i]);
    }
    for (size_t i = 0; i < SMTP_SIM_SESSIONS; i++) {
        smtp_sim_wire_free(&world->sessions[i].up);
        smtp_sim_wire_free(&world->sessions[i].down);
    }
    smtp_mailbox_free(world->run.mailbox);
    free(world);
}

/* ---- the beginning ---- */

static void plan_faults(struct smtp_sim_run *run)
{
    if (run->plan.fault_count == 0) {
        return;
    }
    run->faults = smtp_harness_faults_new(smtp_draw_next(&run->draw) | 1, false);
    if (run->faults == NULL) {
        return;
    }
    for (size_t i = 0; i < run->plan.fault_count; i++) {
        struct smtp_harness_lines why = SMTP_HARNESS_LINES;
        if (smtp_harness_faults_add(run->faults, run->plan.faults[i], &why) != SMTP_OK) {
            smtp_sim_breach(run, "no fault is '%s'", run->plan.faults[i]);
        }
        smtp_buffer_free(&why.buffer);
    }
    run->fault_hooks = smtp_harness_faults_hooks(run->faults);
}

static void open_wire(struct smtp_sim_wire *wire, struct smtp_sim_run *run)
{
    smtp_sim_wire_open(wire, &run->plan.manners, &run->draw);
    if (smtp_draw_percent(&run->draw, run->plan.break_percent)) {
        wire->breaks = (enum smtp_sim_break)(1 + smtp_draw_below(&run->draw, 3));
        wire->breaks_at = smtp_draw_below(&run->draw, 900);
        run->counts->breaks++;
    }
}

static bool open_session(struct smtp_sim_world *world, size_t i)
{
    struct smtp_sim_session *session = &world->sessions[i];
    struct smtp_sim_run *run = &world->run;
    open_wire(&session->up, run);
    open_wire(&session->down, run);
    session->client = (struct smtp_sim_client){.run = run,
                                               .number = i,
                                               .up = &session->up,
                                               .down = &session->down,
                                               .letters = &run->letters[i * run->plan.letters],
                                               .count = run->plan.letters};
    session->server = (struct smtp_sim_server){
        .run = run, .number = i, .up = &session->up, .down = &session->down};
    session->shake_ns = smtp_draw_below(&run->draw, 100) * SMTP_NS_PER_MS;
    session->shakes_well = !smtp_draw_percent(&run->draw, run->plan.tls_fails_percent);
    session->shaken_ns = SMTP_NEVER;
    run->counts->sessions++;
    return smtp_sim_server_open(&session->server) && smtp_sim_client_open(&session->client);
}

static void begin(struct smtp_sim_world *world, uint64_t seed, uint64_t number)
{
    struct smtp_sim_run *run = &world->run;
    run->draw = smtp_draw_of(seed, number);
    run->now_ns = BEGINNING_NS;
    run->breach[0] = '\0';
    run->faults = NULL;
    smtp_mailbox_clear(run->mailbox);
    run->before = smtp_mailbox_now(run->mailbox);
    smtp_sim_plan_draw(&run->plan, &world->defaults, &run->draw);
    run->letter_count = run->plan.sessions * run->plan.letters;
    for (size_t i = 0; i < run->letter_count; i++) {
        smtp_sim_letter_draw(&run->letters[i], i, &run->draw);
    }
    plan_faults(run);
    for (size_t i = 0; i < run->plan.sessions; i++) {
        if (!open_session(world, i)) {
            smtp_sim_breach(run, "out of memory");
        }
    }
}

/* ---- turns ---- */

static bool shake(struct smtp_sim_session *session)
{
    struct smtp_sim_run *run = session->client.run;
    bool ready = session->client.stage == SMTP_SIM_CLIENT_SHAKING &&
                 session->server.stage == SMTP_SIM_SECURING &&
                 smtp_server_session_pending(session->server.session).len == 0;
    if (!ready) {
        session->shaken_ns = SMTP_NEVER;
        return false;
    }
    if (session->shaken_ns == SMTP_NEVER) {
        session->shaken_ns = run->now_ns + session->shake_ns;
    }
    if (run->now_ns < session->shaken_ns) {
        return false;
    }
    run->counts->handshakes++;
    smtp_sim_remark(run, session->client.number, "the handshake %s",
                    session->shakes_well ? "is over" : "fails");
    smtp_sim_server_shaken(&session->server, session->shakes_well);
    smtp_sim_client_shaken(&session->client, session->shakes_well);
    session->shaken_ns = SMTP_NEVER;
    return true;
}

/* Some steps of one end, some of the other. */
static bool take_turn(struct smtp_sim_session *session)
{
    struct smtp_draw *draw = &session->client.run->draw;
    bool moved = shake(session);
    uint64_t left = 1 + smtp_draw_below(draw, STEPS_MAX);
    for (; left > 0 && smtp_sim_client_step(&session->client); left--) {
        moved = true;
    }
    left = 1 + smtp_draw_below(draw, STEPS_MAX);
    for (; left > 0 && smtp_sim_server_step(&session->server); left--) {
        moved = true;
    }
    return moved;
}

static bool is_over(const struct smtp_sim_session *session)
{
    return session->client.stage == SMTP_SIM_CLIENT_OVER &&
           session->server.stage == SMTP_SIM_SERVER_OVER;
}

static uint64_t later(uint64_t due_ns, uint64_t now_ns)
{
    return due_ns > now_ns ? due_ns : SMTP_NEVER;
}

/* On to the next thing that time brings, or beyond it. False: there is none. */
static bool advance(struct smtp_sim_world *world)
{
    struct smtp_sim_run *run = &world->run;
    uint64_t due_ns = SMTP_NEVER;
    for (size_t i = 0; i < run->plan.sessions; i++) {
        const struct smtp_sim_session *session = &world->sessions[i];
        if (is_over(session)) {
            continue;
        }
        uint64_t of_client_ns = later(smtp_sim_client_due_ns(&session->client), run->now_ns);
        uint64_t of_server_ns = later(smtp_sim_server_due_ns(&session->server), run->now_ns);
        due_ns = smtp_deadline_earlier(due_ns, smtp_deadline_earlier(of_client_ns, of_server_ns));
        due_ns = smtp_deadline_earlier(due_ns, session->shaken_ns);
    }
    if (due_ns == SMTP_NEVER) {
        return false;
    }
    run->now_ns = due_ns;
    if (smtp_draw_percent(&run->draw, run->plan.leap_percent)) {
        run->now_ns += smtp_draw_below(&run->draw, LEAP_S) * SMTP_SIM_SECOND_NS;
    }
    return true;
}

/* No later than the longest that the options allow from now on, nor than the end of all. */
static void check_time(struct smtp_sim_run *run, const char *who, size_t session,
                       uint64_t deadline_ns, uint64_t longest_ms, uint64_t ends_ns)
{
    uint64_t latest_ns =
        smtp_deadline_earlier(smtp_deadline_after(run->now_ns, longest_ms), ends_ns);
    if (ends_ns <= run->now_ns) {
        smtp_sim_breach(run, "the %s of session %zu goes on after its time is over", who, session);
    }
    if (deadline_ns == SMTP_NEVER) {
        smtp_sim_breach(run, "the %s of session %zu waits without a deadline", who, session);
    }
    if (deadline_ns > latest_ns) {
        smtp_sim_breach(run, "the %s of session %zu has a deadline that is %.3f s too late", who,
                        session, (double)(deadline_ns - latest_ns) / 1e9);
    }
}

/* Nothing moves any more at this time. */
static void check_times(struct smtp_sim_world *world)
{
    struct smtp_sim_run *run = &world->run;
    for (size_t i = 0; i < run->plan.sessions; i++) {
        const struct smtp_sim_server *server = &world->sessions[i].server;
        const struct smtp_sim_client *client = &world->sessions[i].client;
        if (client->stage != SMTP_SIM_CLIENT_OVER && client->stage != SMTP_SIM_CLIENT_SHAKING) {
            check_time(run, "client", i + 1, smtp_client_session_deadline_ns(client->session),
                       smtp_sim_client_longest_ms(client), client->ends_ns);
        }
        if (!smtp_server_session_ended(server->session)) {
            check_time(run, "server", i + 1, smtp_server_session_deadline_ns(server->session),
                       smtp_sim_server_longest_ms(server), server->ends_ns);
        }
    }
}

/* ---- the end ---- */

static bool is_open(const struct smtp_sim_session *session)
{
    return session->client.session != NULL && session->server.session != NULL;
}

static void check_end(struct smtp_sim_session *session)
{
    struct smtp_sim_run *run = session->client.run;
    const struct smtp_error *error = smtp_client_session_error(session->client.session);
    size_t number = session->client.number + 1;
    uint64_t lied_ns = session->server.lied_ns;
    if (!is_over(session)) {
        smtp_sim_breach(run,
                        "session %zu waits for ever: its client is at stage %d, its server at %d",
                        number, (int)session->client.stage, (int)session->server.stage);
    }
    if (error->status == SMTP_PROTOCOL_VIOLATION && lied_ns == SMTP_NEVER &&
        !session->server.refused_rset) {
        smtp_sim_breach(run, "session %zu: commands and replies do not match: %s", number,
                        error->message);
    }
    for (size_t i = 0; i < session->client.count; i++) {
        struct smtp_sim_letter *letter = &session->client.letters[i];
        letter->disturbed =
            lied_ns != SMTP_NEVER && (!letter->answered || letter->answered_ns >= lied_ns);
    }
}

static void end(struct smtp_sim_world *world)
{
    struct smtp_sim_run *run = &world->run;
    for (size_t i = 0; i < run->plan.sessions; i++) {
        if (is_open(&world->sessions[i])) { /* else memory ran out, which is the breach */
            check_end(&world->sessions[i]);
        }
    }
    smtp_sim_check_letters(run);
    for (size_t i = 0; i < run->plan.sessions; i++) {
        smtp_sim_client_close(&world->sessions[i].client);
        smtp_sim_server_close(&world->sessions[i].server);
    }
    smtp_harness_faults_free(run->faults);
    run->faults = NULL;
    run->counts->runs++;
}

const char *smtp_sim_world_run(struct smtp_sim_world *world, uint64_t seed, uint64_t number,
                               smtp_sim_tell *tell, void *tell_user)
{
    struct smtp_sim_run *run = &world->run;
    run->tell = tell;
    run->tell_user = tell_user;
    begin(world, seed, number);
    uint64_t turns = 0;
    bool goes_on = true;
    while (goes_on && run->breach[0] == '\0') {
        bool moved = false;
        for (size_t i = 0; i < run->plan.sessions; i++) {
            moved = take_turn(&world->sessions[i]) || moved;
        }
        if (!moved) {
            check_times(world);
            goes_on = advance(world);
        }
        if (++turns == TURNS_MAX) {
            smtp_sim_breach(run, "the run does not end: %d turns", TURNS_MAX);
        }
    }
    end(world);
    return run->breach[0] != '\0' ? run->breach : NULL;
}

void smtp_sim_world_describe(const struct smtp_sim_world *world, char *text, size_t size)
{
    const struct smtp_sim_plan *plan = &world->run.plan;
    const struct smtp_server_keywords *keywords = &plan->server.keywords;
    int len =
        snprintf(text, size, "%zu session%s of %zu message%s, %s%s%s%s%s%s; the client %s and %s",
                 plan->sessions, plan->sessions == 1 ? "" : "s", plan->letters,
                 plan->letters == 1 ? "" : "s", plan->lmtp ? "LMTP" : "SMTP",
                 keywords->pipelining ? " PIPELINING" : "", keywords->chunking ? " CHUNKING" : "",
                 keywords->eight_bit_mime ? " 8BITMIME" : "", keywords->size ? " SIZE" : "",
                 plan->server.starttls ? " STARTTLS" : "",
                 plan->client.pipelining ? "pipelines" : "goes step by step",
                 plan->client.chunking ? "uses BDAT" : "uses DATA");
    for (size_t i = 0; i < plan->fault_count && len > 0 && (size_t)len < size; i++) {
        len += snprintf(text + len, size - (size_t)len, "; fault '%s'", plan->faults[i]);
    }
}
