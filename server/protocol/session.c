/* session.c - one session seen from the server: octets and the time go in; octets, events and a
 * deadline come out. Knows: questions and answers, when TLS has the octets, timeouts.
 * Does not know: command lines (lines.c), verbs (verbs.c), what follows from a decision
 * (decisions.c), content (intake.c), sockets, TLS itself, threads, the clock. */
#include "server/protocol/session.h"

#include "common/deadline.h"
#include "common/secret.h"
#include "server/protocol/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKLOG_MAX ((size_t)64 * 1024) /* owed octets beyond which no more commands are taken */
#define OUT_MAX (2 * BACKLOG_MAX)       /* and the longest reply of one command on top */
#define REPLY_MAX ((size_t)8192)        /* the longest reply of a hook: 400 lines of one octet */
#define TEXTS_MAX (1u << 20)

/* ---- life ---- */

/* With LMTP one end of content has as many replies as there may be recipients. */
static size_t out_max(const struct smtp_server_session_config *config, bool lmtp)
{
    size_t recipients = config->limits.recipients;
    if (!lmtp) {
        return OUT_MAX;
    }
    return recipients == 0 || recipients > (SIZE_MAX - OUT_MAX) / REPLY_MAX
               ? SIZE_MAX
               : OUT_MAX + recipients * REPLY_MAX;
}

struct smtp_server_session *smtp_server_session_new(const struct smtp_server_session_config *config,
                                                    const struct smtp_server_session_start *start)
{
    struct smtp_server_session *session = calloc(1, sizeof *session);
    char *own_peer = strdup(start->peer);
    if (session == NULL || own_peer == NULL) {
        free(session);
        free(own_peer);
        return NULL;
    }
    session->config = config;
    session->number = start->number;
    session->lmtp = start->lmtp;
    session->trusted = start->trusted;
    session->user = start->user;
    session->peer = own_peer;
    session->state = SMTP_SERVER_CONNECTED;
    session->line = SMTP_BUFFER(smtp_server_longest_line(config));
    session->texts = SMTP_BUFFER(TEXTS_MAX);
    session->out = SMTP_BUFFER(out_max(config, start->lmtp));
    session->held = SMTP_BUFFER(OUT_MAX);
    session->step_deadline_ns = SMTP_NEVER;
    session->session_deadline_ns = SMTP_NEVER;
    smtp_transaction_init(&session->transaction);
    return session;
}

void smtp_server_session_free(struct smtp_server_session *session)
{
    if (session == NULL) {
        return;
    }
    if (session->event_waits) {
        smtp_message_release(session->event.message);
        session->event_waits = false; /* nobody will see it: its content is dropped */
    }
    smtp_server_session_drop_content(session);
    if (session->state == SMTP_SERVER_AUTH) {
        smtp_server_session_forget_response(session);
    }
    smtp_server_forget_step(session);
    smtp_transaction_free(&session->transaction);
    smtp_secret_free_buffer(&session->line);
    smtp_buffer_free(&session->texts);
    smtp_buffer_free(&session->out);
    smtp_buffer_free(&session->held);
    smtp_domain_set_clear(&session->recipient_domains);
    free(session->peer);
    free(session->helo);
    free(session->identity);
    free(session);
}

static bool awaits_content(const struct smtp_server_session *session)
{
    return session->state == SMTP_SERVER_CONTENT || session->state == SMTP_SERVER_CHUNK;
}

/* Time for the next command counts from the last; octets that do not complete one buy no time. Time
 * for content counts from the last octet. */
static void set_step_deadline(struct smtp_server_session *session, uint64_t now_ns)
{
    const struct smtp_server_limits *limits = &session->config->limits;
    session->step_deadline_ns = smtp_deadline_after(
        now_ns, awaits_content(session)                   ? limits->content_timeout_ms
                : session->state == SMTP_SERVER_HANDSHAKE ? limits->handshake_timeout_ms
                                                          : limits->command_timeout_ms);
}

/* ---- questions and answers ---- */

bool smtp_server_session_next_event(struct smtp_server_session *session,
                                    struct smtp_server_event *event)
{
    if (!session->event_waits) {
        return false;
    }
    *event = session->event;
    session->event_waits = false;
    if (event->kind == SMTP_SERVER_ASK_MESSAGE) {
        session->transaction.given = false; /* the driver says what becomes of it */
    }
    return true;
}

/* False: there is no such question, or the session ended while it was open. */
static bool close_question(struct smtp_server_session *session, bool of_auth)
{
    if (!session->question_open || (session->event.kind == SMTP_SERVER_ASK_AUTH) != of_auth) {
        return false;
    }
    session->question_open = false;
    return session->state != SMTP_SERVER_ENDED;
}

static void finish_step(struct smtp_server_session *session, uint64_t now_ns)
{
    smtp_server_settle_chunk(session);
    smtp_server_session_check_limits(session);
    smtp_server_session_enter(session, session->state); /* 421 where the server stops by now */
    set_step_deadline(session, now_ns);
}

/* refusal: NULL where the step is to be done. */
static void decide_step(struct smtp_server_session *session, enum smtp_server_verdict verdict,
                        const struct smtp_server_reply *reply)
{
    static const struct smtp_server_event greeting = {.kind = SMTP_SERVER_ASK_CONNECT};
    const struct smtp_server_reply *refusal = verdict != SMTP_ACCEPT ? reply : NULL;
    smtp_server_forget_step(session);
    switch (session->step.kind) {
    case SMTP_STEP_GREETING:
        if (refusal == NULL) {
            smtp_server_session_ask(session, &greeting);
        } else {
            smtp_server_decide(session, &greeting, verdict, refusal);
        }
        break;
    case SMTP_STEP_COMMAND:
        smtp_server_finish_command(session, refusal);
        break;
    case SMTP_STEP_CONTENT:
        smtp_server_go_on_with_content(session);
        break;
    case SMTP_STEP_END_OF_CONTENT:
        smtp_server_finish_content(session, refusal);
        break;
    case SMTP_STEP_CONNECT: /* the driver's own */
    case SMTP_STEP_TLS:
        break;
    }
    if (verdict == SMTP_DISCONNECT) {
        smtp_server_session_enter(session, SMTP_SERVER_ENDED);
    }
}

void smtp_server_session_answer(struct smtp_server_session *session,
                                enum smtp_server_verdict verdict,
                                const struct smtp_server_reply *reply, uint64_t now_ns)
{
    if (!close_question(session, false)) {
        return;
    }
    /* a copy: what is decided may raise an event of its own */
    const struct smtp_server_event asked = session->event;
    const struct smtp_server_reply *words = reply != NULL ? reply : &smtp_server_own_words;
    if (asked.kind == SMTP_SERVER_ASK_STEP) {
        decide_step(session, verdict, words);
    } else {
        smtp_server_decide(session, &asked, verdict, words);
    }
    finish_step(session, now_ns);
}

void smtp_server_session_answer_auth(struct smtp_server_session *session,
                                     const struct smtp_server_auth_answer *answer, uint64_t now_ns)
{
    if (close_question(session, true)) {
        smtp_server_decide_auth(session, answer);
        finish_step(session, now_ns);
    }
}

/* ---- the connection, and TLS ---- */

void smtp_server_session_connected(struct smtp_server_session *session, uint64_t now_ns)
{
    if (session->met) {
        return;
    }
    session->met = true;
    session->session_deadline_ns =
        smtp_deadline_after(now_ns, session->config->limits.session_timeout_ms);
    smtp_server_session_log(session, SMTP_LOG_CONNECT, smtp_span_of(session->peer));
}

static void greet_peer(struct smtp_server_session *session)
{
    if (!smtp_server_ask_step(session, SMTP_STEP_GREETING)) {
        smtp_server_session_ask(session,
                                &(struct smtp_server_event){.kind = SMTP_SERVER_ASK_CONNECT});
    }
}

void smtp_server_session_open(struct smtp_server_session *session, uint64_t now_ns)
{
    smtp_server_session_connected(session, now_ns);
    greet_peer(session);
    set_step_deadline(session, now_ns);
}

void smtp_server_session_open_tls(struct smtp_server_session *session, uint64_t now_ns)
{
    smtp_server_session_connected(session, now_ns);
    smtp_server_session_enter(session, SMTP_SERVER_HANDSHAKE);
    set_step_deadline(session, now_ns);
}

static void log_tls(const struct smtp_server_session *session)
{
    char text[160];
    int len = snprintf(text, sizeof text, "%.40s, %.100s%s", session->tls->version,
                       session->tls->cipher, session->tls->resumed ? ", resumed" : "");
    smtp_server_session_log(session, SMTP_LOG_TLS, (struct smtp_span){text, (size_t)len});
}

void smtp_server_session_tls_started(struct smtp_server_session *session,
                                     const struct smtp_tls_facts *facts, bool greet,
                                     uint64_t now_ns)
{
    if (session->state != SMTP_SERVER_HANDSHAKE) {
        return;
    }
    session->tls = facts;
    free(session->helo);
    session->helo = NULL;
    session->extended = false;
    free(session->identity);
    session->identity = NULL;
    session->identity_told = false;
    smtp_server_session_reset(session);
    smtp_buffer_clear(&session->texts, SMTP_SERVER_STORAGE_KEPT);
    log_tls(session);
    smtp_server_session_enter(session, SMTP_SERVER_CONNECTED);
    if (greet) {
        greet_peer(session);
    }
    set_step_deadline(session, now_ns);
}

/* ---- the five calls, and time ---- */

bool smtp_server_session_wants_input(const struct smtp_server_session *session)
{
    return session->state < SMTP_SERVER_HANDSHAKE && !session->question_open &&
           !session->event_waits && session->out.len < BACKLOG_MAX;
}

size_t smtp_server_session_receive(struct smtp_server_session *session, const char *bytes,
                                   size_t len, uint64_t now_ns)
{
    size_t at = 0;
    bool stepped = false, chunk_waits = false;
    while (at < len && smtp_server_session_wants_input(session) && !chunk_waits) {
        bool in_chunk = session->state == SMTP_SERVER_CHUNK;
        if (session->state == SMTP_SERVER_CONTENT) {
            at += smtp_server_take_content(session, bytes + at, len - at);
            stepped = true;
        } else if (session->state == SMTP_SERVER_CHUNK) {
            at += smtp_server_take_chunk(session, bytes + at, len - at);
            stepped = true;
        } else {
            at += smtp_server_take_line(session, bytes + at, len - at);
            stepped = stepped || (session->line.len == 0 && !session->overlong);
            in_chunk = session->state == SMTP_SERVER_CHUNK;
            smtp_server_settle_chunk(session);
        }
        /* who is asked about steps may have to spoil its reply before the next one */
        chunk_waits =
            in_chunk && session->state != SMTP_SERVER_CHUNK && smtp_server_wants_steps(session);
    }
    if (stepped) {
        set_step_deadline(session, now_ns);
    }
    return session->state == SMTP_SERVER_ENDED ? len : at;
}

struct smtp_span smtp_server_session_pending(const struct smtp_server_session *session)
{
    return smtp_buffer_span(&session->out);
}

void smtp_server_session_sent(struct smtp_server_session *session, size_t len)
{
    smtp_buffer_take(&session->out, len);
    if (session->out.len == 0) {
        smtp_buffer_clear(&session->out, SMTP_SERVER_STORAGE_KEPT);
    }
}

uint64_t smtp_server_session_deadline_ns(const struct smtp_server_session *session)
{
    if (session->state == SMTP_SERVER_ENDED) {
        return SMTP_NEVER;
    }
    return session->question_open
               ? session->session_deadline_ns
               : smtp_deadline_earlier(session->step_deadline_ns, session->session_deadline_ns);
}

void smtp_server_session_expire(struct smtp_server_session *session, uint64_t now_ns)
{
    if (now_ns < smtp_server_session_deadline_ns(session)) {
        return;
    }
    if (session->state == SMTP_SERVER_HANDSHAKE) { /* nothing is said in the clear any more */
        smtp_server_session_note(session, "timed out in the TLS handshake");
    } else {
        smtp_server_session_say(
            session, 421, "4.4.2",
            now_ns >= session->session_deadline_ns ? "The session has taken too long, closing"
            : awaits_content(session)              ? "Timed out waiting for content, closing"
                                                   : "Timed out waiting for a command, closing");
    }
    smtp_server_session_enter(session, SMTP_SERVER_ENDED);
}

void smtp_server_session_keep_waiting(struct smtp_server_session *session, bool waits,
                                      uint64_t now_ns)
{
    if (waits) {
        session->step_deadline_ns = SMTP_NEVER;
    } else {
        set_step_deadline(session, now_ns);
    }
}

void smtp_server_session_shut_down(struct smtp_server_session *session, uint64_t now_ns)
{
    (void)now_ns;
    if (session->shutting_down || session->state == SMTP_SERVER_ENDED) {
        return;
    }
    session->shutting_down = true;
    if (!session->question_open) {
        smtp_server_session_enter(session, session->state);
    }
}

void smtp_server_session_cut(struct smtp_server_session *session)
{
    smtp_server_session_enter(session, SMTP_SERVER_ENDED);
}

bool smtp_server_session_ended(const struct smtp_server_session *session)
{
    return session->state == SMTP_SERVER_ENDED;
}
