/* client_end.c - see client_end.h.
 * Knows: what a client does in which order. Does not know: what the server answers, what is true (invariants.c). */
#include "harness/simulate/client_end.h"

#include "client/protocol/stage.h"

#define PENDING_MAX ((size_t)1 << 20) /* octets that wait to be written, and no more */

/* ---- life ---- */

bool smtp_sim_client_open(struct smtp_sim_client *client)
{
    struct smtp_sim_run *run = client->run;
    client->session = smtp_client_session_new(&run->plan.client);
    if (client->session == NULL) {
        return false;
    }
    client->ends_ns = smtp_deadline_after(run->now_ns, run->plan.client.timeouts.overall_ms);
    client->leaves = smtp_draw_percent(&run->draw, run->plan.leave_percent);
    client->leaves_after = smtp_draw_below(&run->draw, 60);
    if (run->plan.lmtp) {
        smtp_client_session_open_lmtp(client->session, run->now_ns, client->ends_ns);
    } else {
        smtp_client_session_open(client->session, run->now_ns, client->ends_ns);
    }
    return true;
}

static void be_over(struct smtp_sim_client *client)
{
    client->stage = SMTP_SIM_CLIENT_OVER;
    smtp_sim_wire_close(client->up, client->run->now_ns);
    client->down->broken = true; /* nobody reads it any more */
}

void smtp_sim_client_close(struct smtp_sim_client *client)
{
    smtp_client_session_free(client->session);
    client->session = NULL;
}

/* ---- commands ---- */

static void say(struct smtp_sim_client *client, enum smtp_client_stage at,
                const struct smtp_client_command *command, enum smtp_sim_client_stage stage)
{
    client->stage = stage;
    if (smtp_client_session_command(client->session, at, command, client->run->now_ns) != SMTP_OK) {
        be_over(client);
    }
}

static void say_hello(struct smtp_sim_client *client)
{
    struct smtp_client_command hello = {.verb = smtp_client_session_hello_verb(client->session),
                                        .kind = SMTP_CLIENT_DOMAIN,
                                        .argument = client->run->plan.client.helo_name};
    say(client, SMTP_STAGE_EHLO, &hello, SMTP_SIM_HELLO);
}

static void say_quit(struct smtp_sim_client *client)
{
    say(client, SMTP_STAGE_QUIT, &(struct smtp_client_command){.verb = "QUIT"}, SMTP_SIM_QUITTING);
}

/* PLAIN (RFC 4616), said at once or after an empty challenge. */
static enum smtp_status answer_plain(void *user, struct smtp_span challenge,
                                     struct smtp_buffer *response, struct smtp_error *error)
{
    (void)user;
    (void)challenge;
    (void)error;
    return smtp_buffer_append(response, "\0sim\0secret", 11);
}

static bool is_complete(const void *user)
{
    (void)user;
    return true;
}

static const struct smtp_client_mechanism plain = {
    .name = "PLAIN", .speaks_first = true, .answer = answer_plain, .is_complete = is_complete};
static const struct smtp_client_mechanism plain_when_asked = {
    .name = "PLAIN", .speaks_first = false, .answer = answer_plain, .is_complete = is_complete};

/* Behind EHLO: TLS, then AUTH, then messages, as far as they are offered. */
static void go_on_from_hello(struct smtp_sim_client *client)
{
    const struct smtp_sim_plan *plan = &client->run->plan;
    const struct smtp_client_extensions *offers = smtp_client_session_extensions(client->session);
    const char *mechanisms = smtp_client_extensions_find(offers, "AUTH");
    if (plan->tls && !smtp_client_session_has_tls(client->session) &&
        smtp_client_extensions_find(offers, "STARTTLS") != NULL) {
        say(client, SMTP_STAGE_STARTTLS, &(struct smtp_client_command){.verb = "STARTTLS"},
            SMTP_SIM_STARTTLS);
    } else if (plan->auth && mechanisms != NULL && smtp_client_words_have(mechanisms, "PLAIN")) {
        client->stage = SMTP_SIM_AUTH;
        if (smtp_client_session_auth(client->session,
                                     smtp_draw_percent(&client->run->draw, 50) ? &plain
                                                                               : &plain_when_asked,
                                     client->run->now_ns) != SMTP_OK) {
            be_over(client);
        }
    } else {
        client->stage = SMTP_SIM_SENDING;
    }
}

/* ---- messages ---- */

/* Who the client says has it. */
static void note_result(struct smtp_sim_client *client, struct smtp_sim_letter *letter)
{
    const struct smtp_send_result *result = smtp_client_session_result(client->session);
    letter->answered = true;
    letter->answered_ns = client->run->now_ns;
    letter->unended = !letter->given || client->written < letter->ends_at;
    letter->status = result->status;
    for (size_t i = 0; i < result->recipient_count; i++) {
        letter->taken |= result->recipients[i].status == SMTP_OK ? 1u << i : 0;
    }
}

/* Octets that wait to be written. Of BDAT, what is in no chunk yet does not count. */
static size_t pending(const struct smtp_sim_client *client)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    size_t octets = 0;
    for (int i = smtp_client_session_pending(client->session, parts) - 1; i >= 0; i--) {
        octets += parts[i].len;
    }
    return octets;
}

static bool begin_next(struct smtp_sim_client *client)
{
    if (client->begun == client->count || !smtp_client_session_may_begin(client->session)) {
        return false;
    }
    struct smtp_sim_letter *letter = &client->letters[client->begun++];
    struct smtp_span octets = smtp_buffer_span(&letter->source);
    struct smtp_content content = smtp_content_memory(octets.bytes, octets.len);
    struct smtp_error error;
    smtp_client_source_init(&client->source, &content);
    client->source.facts.body = letter->mail.body;
    enum smtp_status status = smtp_client_source_measure(&client->source, &error);
    if (status == SMTP_OK) {
        status = smtp_client_session_send(client->session, &letter->envelope, &client->source.facts,
                                          client->run->now_ns);
    }
    if (status != SMTP_OK) {
        letter->answered = true;
        letter->answered_ns = client->run->now_ns;
        letter->status = status;
        client->done++;
        return true;
    }
    letter->begun = true;
    letter->ends_at = client->written + pending(client) + letter->expected.len;
    client->in_flight[(client->first + client->flying++) % SMTP_SIM_LETTERS_EACH] = letter;
    client->giving = letter;
    client->given = 0;
    return true;
}

/* Some of what is left, all of it at once, or the end. */
static enum smtp_status give_piece(struct smtp_sim_client *client, struct smtp_span rest,
                                   bool *ends)
{
    struct smtp_draw *draw = &client->run->draw;
    uint64_t now_ns = client->run->now_ns;
    bool whole = client->given == 0 && smtp_draw_percent(draw, 50) &&
                 smtp_client_session_takes_whole(client->session, &client->source.facts);
    *ends = whole || rest.len == 0;
    if (whole) {
        smtp_client_session_content_whole(client->session, rest, now_ns);
    }
    if (*ends) {
        return smtp_client_session_content_end(client->session, now_ns);
    }
    size_t len =
        smtp_draw_percent(draw, 50) ? rest.len : 1 + (size_t)smtp_draw_below(draw, rest.len);
    client->given += len;
    return smtp_client_session_content(client->session, rest.bytes, len, now_ns);
}

static bool give(struct smtp_sim_client *client)
{
    struct smtp_sim_letter *letter = client->giving;
    if (letter == NULL || letter->given || !smtp_client_session_takes_content(client->session)) {
        return false;
    }
    struct smtp_span all = smtp_buffer_span(&letter->source);
    struct smtp_span rest = {all.bytes + client->given, all.len - client->given};
    bool ends = false;
    if (give_piece(client, rest, &ends) == SMTP_OK) {
        uint64_t ends_at = client->written + pending(client);
        letter->given = ends;
        letter->ends_at = ends_at > letter->ends_at ? ends_at : letter->ends_at;
    }
    return true;
}

/* ---- events ---- */

static void take_reply(struct smtp_sim_client *client, enum smtp_status status)
{
    if (client->stage <= SMTP_SIM_HELLO && status != SMTP_OK) {
        say_quit(client);
        return;
    }
    switch (client->stage) {
    case SMTP_SIM_GREETING:
        say_hello(client);
        break;
    case SMTP_SIM_HELLO:
        go_on_from_hello(client);
        break;
    case SMTP_SIM_STARTTLS:
        client->stage = status == SMTP_OK ? SMTP_SIM_CLIENT_SHAKING : SMTP_SIM_SENDING;
        client->shake_due_ns = smtp_deadline_after(client->run->now_ns,
                                                   client->run->plan.client.timeouts.handshake_ms);
        break;
    case SMTP_SIM_AUTH:
        client->stage = SMTP_SIM_SENDING;
        break;
    default:
        be_over(client); /* QUIT was answered */
        break;
    }
}

static void take_done(struct smtp_sim_client *client)
{
    if (client->flying == 0) {
        smtp_sim_breach(client->run, "the client tells of a message that was not on its way");
        return;
    }
    struct smtp_sim_letter *letter = client->in_flight[client->first];
    client->first = (client->first + 1) % SMTP_SIM_LETTERS_EACH;
    client->flying--;
    client->done++;
    note_result(client, letter);
    smtp_sim_remark(client->run, client->number, "message %zu: %s", letter->number,
                    smtp_status_name(letter->status));
}

static bool take_event(struct smtp_sim_client *client)
{
    struct smtp_client_event event;
    if (!smtp_client_session_next_event(client->session, &event)) {
        return false;
    }
    switch (event.kind) {
    case SMTP_CLIENT_EVENT_REPLY:
        take_reply(client, event.status);
        break;
    case SMTP_CLIENT_EVENT_TRANSACTION_DONE:
        take_done(client);
        break;
    case SMTP_CLIENT_EVENT_CONTENT_WANTED:
        break;
    case SMTP_CLIENT_EVENT_ENDED:
        be_over(client);
        break;
    }
    return true;
}

/* ---- octets ---- */

static bool is_lost(const struct smtp_sim_client *client)
{
    return smtp_sim_wire_is_reset(client->up) || smtp_sim_wire_is_reset(client->down) ||
           smtp_sim_wire_is_at_end(client->down, client->run->now_ns);
}

static bool hear(struct smtp_sim_client *client)
{
    uint64_t now_ns = client->run->now_ns;
    if (client->in_at == client->in_len) {
        client->in_at = 0;
        client->in_len = smtp_sim_wire_read(client->down, client->in, sizeof client->in, now_ns);
    }
    bool ended = smtp_client_session_ended(client->session);
    if (client->in_at == client->in_len) {
        bool lost = !ended && is_lost(client);
        if (lost) {
            smtp_client_session_lost(client->session);
        }
        return lost;
    }
    size_t used = 0, len = client->in_len - client->in_at;
    smtp_client_session_receive(client->session, client->in + client->in_at, len, &used, now_ns);
    client->in_at += ended ? len : used;
    return used > 0 || smtp_client_session_ended(client->session);
}

static bool write_out(struct smtp_sim_client *client)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    int count = smtp_client_session_pending(client->session, parts);
    size_t sent = 0;
    bool full = false;
    if (pending(client) > PENDING_MAX) {
        smtp_sim_breach(client->run, "the client holds %zu octets to be written", pending(client));
    }
    for (int i = 0; i < count && !full; i++) {
        size_t taken = smtp_sim_wire_write(client->up, parts[i], client->run->now_ns);
        smtp_sim_said(client->run, client->number, 'C', (struct smtp_span){parts[i].bytes, taken});
        sent += taken;
        full = taken < parts[i].len;
    }
    client->written += sent;
    if (sent > 0) {
        smtp_client_session_sent(client->session, sent, client->run->now_ns);
    }
    return sent > 0;
}

/* ---- time ---- */

/* Whether the deadline passed; it does neither fire early nor not at all. */
static bool watch_time(struct smtp_sim_client *client)
{
    struct smtp_sim_run *run = client->run;
    uint64_t deadline_ns = smtp_client_session_deadline_ns(client->session);
    if (smtp_client_session_ended(client->session)) {
        return false;
    }
    if (deadline_ns > run->now_ns) {
        if (smtp_draw_percent(&run->draw, 2)) {
            smtp_client_session_expire(client->session, run->now_ns);
            if (smtp_client_session_ended(client->session)) {
                smtp_sim_breach(run, "the client's deadline fires %.3f s too early",
                                (double)(deadline_ns - run->now_ns) / 1e9);
            }
        }
        return false;
    }
    run->counts->deadlines++;
    smtp_sim_remark(run, client->number, "the client's deadline has passed");
    smtp_client_session_expire(client->session, run->now_ns);
    if (!smtp_client_session_ended(client->session)) {
        smtp_sim_breach(run, "the client goes on after its deadline");
    }
    return true;
}

uint64_t smtp_sim_client_due_ns(const struct smtp_sim_client *client)
{
    if (client->stage == SMTP_SIM_CLIENT_OVER) {
        return SMTP_NEVER;
    }
    uint64_t due_ns = smtp_sim_wire_due_ns(client->down);
    if (client->stage == SMTP_SIM_CLIENT_SHAKING) {
        return smtp_deadline_earlier(due_ns, client->shake_due_ns);
    }
    return smtp_deadline_earlier(due_ns, smtp_client_session_deadline_ns(client->session));
}

uint64_t smtp_sim_client_longest_ms(const struct smtp_sim_client *client)
{
    const struct smtp_client_timeouts *timeouts = &client->run->plan.client.timeouts;
    const uint64_t of_message[] = {timeouts->command_ms, timeouts->data_ms, timeouts->content_ms,
                                   timeouts->final_ms};
    uint64_t longest_ms = 0;
    for (size_t i = 0; i < sizeof of_message / sizeof *of_message; i++) {
        longest_ms = of_message[i] > longest_ms ? of_message[i] : longest_ms;
    }
    return client->stage == SMTP_SIM_SENDING    ? longest_ms
           : client->stage == SMTP_SIM_GREETING ? timeouts->greeting_ms
           : client->stage == SMTP_SIM_QUITTING ? timeouts->quit_ms
                                                : timeouts->command_ms;
}

void smtp_sim_client_shaken(struct smtp_sim_client *client, bool well)
{
    if (well) {
        smtp_client_session_tls_started(client->session, false, client->run->now_ns);
        say_hello(client);
    } else {
        be_over(client);
    }
}

static bool shake(struct smtp_sim_client *client)
{
    if (!is_lost(client) && client->run->now_ns < client->shake_due_ns) {
        return hear(client); /* what comes now was put in */
    }
    be_over(client);
    return true;
}

/* ---- a step ---- */

static bool is_done(const struct smtp_sim_client *client)
{
    return client->stage == SMTP_SIM_SENDING && client->begun == client->count &&
           client->flying == 0;
}

bool smtp_sim_client_step(struct smtp_sim_client *client)
{
    if (client->stage == SMTP_SIM_CLIENT_OVER) {
        return false;
    }
    if (client->leaves && client->leaves_after-- == 0) {
        smtp_sim_remark(client->run, client->number, "the client goes without a word");
        client->leaves = false;
        smtp_client_session_lost(client->session);
    }
    if (take_event(client)) {
        return true;
    }
    if (smtp_client_session_ended(client->session)) {
        be_over(client);
        return true;
    }
    if (client->stage == SMTP_SIM_CLIENT_SHAKING) {
        return shake(client);
    }
    if (watch_time(client) || hear(client)) {
        return true;
    }
    if (client->stage == SMTP_SIM_SENDING && (begin_next(client) || give(client))) {
        return true;
    }
    if (is_done(client)) {
        say_quit(client);
        return true;
    }
    return write_out(client);
}
