/* plan.c - see plan.h. Knows which set-ups are worth a run. Does not know what happens in one. */
#include "harness/simulate/plan.h"

#include <inttypes.h>
#include <stdio.h>

#define PLENTY_OF_ROOM 65536

void smtp_sim_defaults_init(struct smtp_sim_defaults *defaults)
{
    smtp_server_options_init(&defaults->server);
    smtp_client_options_init(&defaults->client);
}

static int64_t unix_time_s(void)
{
    return 1767225600; /* FUTURERELEASE is not offered: any time will do, if it is always the same */
}

/* ---- the ends ---- */

static void draw_limits(struct smtp_server_limits *limits, struct smtp_draw *draw)
{
    if (smtp_draw_percent(draw, 40)) { /* else those of the RFC */
        limits->command_timeout_ms = 1000 + smtp_draw_below(draw, 60000);
        limits->content_timeout_ms = 1000 + smtp_draw_below(draw, 60000);
        limits->session_timeout_ms = 5000 + smtp_draw_below(draw, 600000);
        limits->handshake_timeout_ms = 1000 + smtp_draw_below(draw, 30000);
    }
    if (smtp_draw_percent(draw, 10)) {
        limits->message_octets = 50 + smtp_draw_below(draw, 500);
    }
    if (smtp_draw_percent(draw, 5)) {
        limits->recipients = 1 + (size_t)smtp_draw_below(draw, 2);
    }
    if (smtp_draw_percent(draw, 5)) {
        limits->commands = 4 + (size_t)smtp_draw_below(draw, 20);
    }
    if (smtp_draw_percent(draw, 5)) {
        limits->messages = 1 + (size_t)smtp_draw_below(draw, 2);
    }
    if (smtp_draw_percent(draw, 5)) {
        limits->errors = 1 + (size_t)smtp_draw_below(draw, 3);
    }
}

static void draw_keywords(struct smtp_server_keywords *keywords, struct smtp_draw *draw)
{
    keywords->pipelining = smtp_draw_percent(draw, 75);
    keywords->chunking = smtp_draw_percent(draw, 60);
    keywords->eight_bit_mime = smtp_draw_percent(draw, 85);
    keywords->smtputf8 = keywords->eight_bit_mime; /* none is offered without what it needs */
    keywords->binary_mime = keywords->chunking && keywords->eight_bit_mime;
    keywords->size = smtp_draw_percent(draw, 80);
    keywords->enhanced_status_codes = smtp_draw_percent(draw, 85);
    keywords->limits = smtp_draw_percent(draw, 50);
}

static void draw_server(struct smtp_sim_plan *plan, const struct smtp_server_options *defaults,
                        struct smtp_draw *draw)
{
    static const unsigned decisions = 1u << SMTP_SERVER_ASK_CONNECT | 1u << SMTP_SERVER_ASK_HELO |
                                      1u << SMTP_SERVER_ASK_MAIL | 1u << SMTP_SERVER_ASK_RCPT |
                                      1u << SMTP_SERVER_ASK_DATA | 1u << SMTP_SERVER_ASK_STARTTLS |
                                      1u << SMTP_SERVER_RESET;
    plan->server = (struct smtp_server_session_config){
        .hostname = "mx.sim.test",
        .greeting_text = "ESMTP",
        .bare_line_end = (enum smtp_server_bare_line_end)smtp_draw_below(draw, 3),
        .limits = defaults->limits,
        .keywords = defaults->keywords,
        .unix_time_s = unix_time_s,
        .starttls = smtp_draw_percent(draw, 25),
        .auth_required = smtp_draw_percent(draw, 3),
        .mechanisms_clear = smtp_draw_percent(draw, 20) ? "PLAIN" : "",
        .mechanisms_tls = smtp_draw_percent(draw, 50) ? "PLAIN" : "",
        .mechanisms_too_weak = "",
        .asks = smtp_draw_percent(draw, 40) ? decisions : 0,
    };
    plan->server.tls_required = plan->server.starttls && smtp_draw_percent(draw, 10);
    plan->refuse_percent = plan->server.asks != 0 ? (unsigned)smtp_draw_below(draw, 20) : 0;
    draw_limits(&plan->server.limits, draw);
    draw_keywords(&plan->server.keywords, draw);
}

static void draw_client(struct smtp_sim_plan *plan, const struct smtp_client_options *defaults,
                        struct smtp_draw *draw)
{
    struct smtp_client_options *client = &plan->client;
    *client = *defaults;
    client->helo_name = "client.sim.test";
    client->pipelining = smtp_draw_percent(draw, 80);
    client->chunking = smtp_draw_percent(draw, 70);
    client->long_lines = smtp_draw_percent(draw, 50);
    client->chunk_octets =
        smtp_draw_percent(draw, 50) ? client->chunk_octets : 1 + (size_t)smtp_draw_below(draw, 200);
    if (smtp_draw_percent(draw, 40)) {
        struct smtp_client_timeouts *timeouts = &client->timeouts;
        timeouts->greeting_ms = 1000 + smtp_draw_below(draw, 60000);
        timeouts->command_ms = 1000 + smtp_draw_below(draw, 60000);
        timeouts->data_ms = 1000 + smtp_draw_below(draw, 60000);
        timeouts->content_ms = 1000 + smtp_draw_below(draw, 60000);
        timeouts->final_ms = 1000 + smtp_draw_below(draw, 60000);
        timeouts->overall_ms =
            smtp_draw_percent(draw, 30) ? 5000 + smtp_draw_below(draw, 60000) : 0;
    }
}

/* ---- the world between them ---- */

static void draw_manners(struct smtp_sim_manners *manners, struct smtp_draw *draw)
{
    static const uint64_t latest_s[] = {0, 0, 1, 1, 10, 700};
    manners->cut_percent = (unsigned)smtp_draw_below(draw, 4) * 20;
    manners->late_percent = 10 + (unsigned)smtp_draw_below(draw, 60);
    manners->late_ns =
        latest_s[smtp_draw_below(draw, sizeof latest_s / sizeof *latest_s)] * SMTP_SIM_SECOND_NS;
    manners->room =
        smtp_draw_percent(draw, 20) ? 1 + (size_t)smtp_draw_below(draw, 300) : PLENTY_OF_ROOM;
}

/* What goes wrong on purpose, and where. */
static void draw_fault(char text[SMTP_SIM_FAULT_SIZE], struct smtp_draw *draw)
{
    static const char *const stages[] = {"greeting", "ehlo", "auth", "mail", "rcpt", "data",
                                         "bdat",     "dot",  "rset", "quit", "any",  "starttls"};
    static const char *const actions[] = {
        "reply 450",
        "reply 550 5.7.1 \"No\"",
        "reply 421",
        "close",
        "reset",
        "half-close",
        "hang",
        "deaf",
        "drip 2",
        "split 3",
        "cut 5",
        "cut 2 reset",
        "garble",
        "twice",
        "delay 2000",
        "delay 400000",
        "octets \"250 ok\\r\\n\"",
        "reply 250",
        "reply 552 \"two\\nlines\"",
    };
    static const char *const frequencies[] = {"", " once", " every 2", " from 2", " chance 30%"};
    if (smtp_draw_percent(draw, 10)) {
        snprintf(text, SMTP_SIM_FAULT_SIZE, "content %" PRIu64 ": %s once",
                 1 + smtp_draw_below(draw, 200), smtp_draw_percent(draw, 50) ? "close" : "hang");
        return;
    }
    snprintf(text, SMTP_SIM_FAULT_SIZE, "%s: %s%s",
             stages[smtp_draw_below(draw, sizeof stages / sizeof *stages)],
             actions[smtp_draw_below(draw, sizeof actions / sizeof *actions)],
             frequencies[smtp_draw_below(draw, sizeof frequencies / sizeof *frequencies)]);
}

/* Both ends as they are by default, a network that loses nothing, and a server that refuses nothing. */
static void calm(struct smtp_sim_plan *plan, const struct smtp_sim_defaults *defaults)
{
    plan->is_calm = true;
    plan->server.limits = defaults->server.limits;
    plan->server.asks = 0;
    plan->server.tls_required = plan->server.auth_required = false;
    plan->client.timeouts = defaults->client.timeouts;
    plan->client.long_lines = true;
    plan->client.chunk_octets = defaults->client.chunk_octets;
    plan->manners.late_ns =
        plan->manners.late_ns > SMTP_SIM_SECOND_NS ? SMTP_SIM_SECOND_NS : plan->manners.late_ns;
    plan->manners.room = PLENTY_OF_ROOM; /* an octet a second would outlast every deadline */
    plan->tls_fails_percent = plan->refuse_percent = plan->break_percent = 0;
    plan->leave_percent = plan->leap_percent = 0;
    plan->fault_count = 0;
}

void smtp_sim_plan_draw(struct smtp_sim_plan *plan, const struct smtp_sim_defaults *defaults,
                        struct smtp_draw *draw)
{
    draw_server(plan, &defaults->server, draw);
    draw_client(plan, &defaults->client, draw);
    draw_manners(&plan->manners, draw);
    plan->sessions = 1 + (size_t)smtp_draw_below(draw, SMTP_SIM_SESSIONS);
    plan->letters = (size_t)smtp_draw_below(draw, SMTP_SIM_LETTERS_EACH + 1);
    plan->lmtp = smtp_draw_percent(draw, 15);
    plan->tls = smtp_draw_percent(draw, 70);
    plan->auth = smtp_draw_percent(draw, 70);
    plan->tls_fails_percent = smtp_draw_percent(draw, 30) ? 30 : 0;
    plan->break_percent = smtp_draw_percent(draw, 25) ? 40 : 0;
    plan->leave_percent = smtp_draw_percent(draw, 10) ? 30 : 0;
    plan->leap_percent = smtp_draw_percent(draw, 20) ? 20 : 0;
    plan->fault_count =
        smtp_draw_percent(draw, 25) ? 1 + (size_t)smtp_draw_below(draw, SMTP_SIM_FAULTS) : 0;
    for (size_t i = 0; i < plan->fault_count; i++) {
        draw_fault(plan->faults[i], draw);
    }
    plan->is_calm = false;
    if (smtp_draw_percent(draw, 20)) {
        calm(plan, defaults);
    }
    if (plan->fault_count > 0) {
        plan->server.asks |= 1u << SMTP_SERVER_ASK_STEP;
    }
}
