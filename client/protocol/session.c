/* session.c - a session's life, single commands, and what their replies teach (RFC 5321 4.1). Does not know:
 * sockets, clocks, where content comes from; what the other files know (session_state.h). */
#include "client/protocol/session.h"

#include "client/protocol/offered.h"
#include "client/protocol/session_state.h"
#include "common/deadline.h"
#include "common/error.h"

#include <stdlib.h>

/* The commands of about a million recipients in one transaction. */
#define OUT_MAX ((size_t)64 << 20)
#define OWING_MAX ((size_t)64 << 20)

static void log_reply_line(void *user, struct smtp_span line)
{
    smtp_client_session_note(user, SMTP_CLIENT_LOG_REPLY, line);
}

struct smtp_client_session *smtp_client_session_new(const struct smtp_client_options *options)
{
    struct smtp_client_session *session = calloc(1, sizeof(*session));
    struct smtp_client_flight *flight = calloc(1, sizeof(*flight));
    if (session == NULL || flight == NULL) {
        free(session);
        free(flight);
        return NULL;
    }
    smtp_client_transaction_init(&flight->transaction);
    session->options = options;
    session->flights[0] = flight;
    session->told = &flight->transaction;
    session->out = SMTP_BUFFER(OUT_MAX);
    session->owing = SMTP_BUFFER(OWING_MAX);
    session->ended = true;
    session->deadline_ns = SMTP_NEVER;
    smtp_client_reply_reader_init(&session->reader);
    smtp_client_extensions_init(&session->extensions);
    session->reader.user = session;
    session->reader.on_line = options->log != NULL ? log_reply_line : NULL;
    return session;
}

void smtp_client_session_free(struct smtp_client_session *session)
{
    if (session == NULL) {
        return;
    }
    smtp_client_session_forget_exchange(session);
    for (size_t i = 0; i < SMTP_CLIENT_IN_FLIGHT_MAX; i++) {
        if (session->flights[i] != NULL) {
            smtp_client_transaction_clear(&session->flights[i]->transaction);
            free(session->flights[i]);
        }
    }
    smtp_buffer_free(&session->out);
    smtp_buffer_free(&session->owing);
    smtp_buffer_free(&session->chunks.held);
    smtp_client_reply_reader_clear(&session->reader);
    smtp_client_extensions_clear(&session->extensions);
    free(session);
}

void smtp_client_session_time(struct smtp_client_session *session, smtp_client_session_timed *timed,
                              void *user)
{
    session->timed = timed;
    session->timed_user = user;
}

void smtp_client_session_note(const struct smtp_client_session *session,
                              enum smtp_client_log_kind kind, struct smtp_span text)
{
    if (session->options->log != NULL) {
        session->options->log(session->options->log_user, kind, text.bytes, text.len);
    }
}

void smtp_client_session_raise(struct smtp_client_session *session,
                               enum smtp_client_event_kind kind, enum smtp_client_stage stage,
                               enum smtp_status status, const struct smtp_reply *reply)
{
    session->event_waits = true;
    session->event = (struct smtp_client_event){kind, stage, status, {.text = ""}};
    if (reply != NULL) {
        session->event.reply = *reply;
    }
}

static void open_session(struct smtp_client_session *session, bool lmtp, uint64_t now_ns,
                         uint64_t overall_deadline_ns)
{
    smtp_buffer_clear(&session->out, SMTP_CLIENT_KEPT_OCTETS);
    smtp_buffer_clear(&session->owing, SMTP_CLIENT_KEPT_OCTETS);
    smtp_client_reply_reader_restart(&session->reader);
    smtp_client_extensions_forget(&session->extensions);
    smtp_client_session_stop_content(session);
    session->whole = (struct smtp_span){NULL, 0};
    session->steps = (struct smtp_client_steps){0};
    session->auth.authenticated = session->auth.challenged = false;
    session->lmtp = lmtp;
    session->in_flight = session->owed = session->released = session->finals = 0;
    session->sent_octets = session->answered_octets = session->mail_count = 0;
    session->greeted = session->extended = session->ended = session->event_waits = false;
    session->tls = session->handshake_due = session->smtputf8 = false;
    session->error = (struct smtp_error){0};
    session->overall_deadline_ns = overall_deadline_ns;
    if (smtp_client_session_expect(session, SMTP_STAGE_GREETING) != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory");
        smtp_client_session_raise(session, SMTP_CLIENT_EVENT_ENDED, SMTP_STAGE_GREETING,
                                  SMTP_NO_MEMORY, NULL);
        return;
    }
    smtp_client_session_extend(session, 0, now_ns);
    smtp_client_session_arm(session, now_ns);
}

void smtp_client_session_open(struct smtp_client_session *session, uint64_t now_ns,
                              uint64_t overall_deadline_ns)
{
    open_session(session, false, now_ns, overall_deadline_ns);
}

void smtp_client_session_open_lmtp(struct smtp_client_session *session, uint64_t now_ns,
                                   uint64_t overall_deadline_ns)
{
    open_session(session, true, now_ns, overall_deadline_ns);
}

const char *smtp_client_session_hello_verb(const struct smtp_client_session *session)
{
    return session->lmtp ? "LHLO " : "EHLO ";
}

enum smtp_status smtp_client_session_command(struct smtp_client_session *session,
                                             enum smtp_client_stage stage,
                                             const struct smtp_client_command *command,
                                             uint64_t now_ns)
{
    enum smtp_status status = smtp_client_session_check_state(session, stage);
    if (status != SMTP_OK) {
        return status;
    }
    struct smtp_client_command allowed = *command;
    allowed.parameters = session->extended ? command->parameters : NULL;
    status = smtp_client_session_choose_utf8(session, &allowed);
    if (status == SMTP_OK) {
        allowed.smtputf8 = session->smtputf8;
        status = smtp_client_session_queue(session, stage, &allowed);
    }
    if (status == SMTP_OK) {
        smtp_client_session_step(session, stage);
        session->high_octets_refused = !session->extensions.eight_bit_mime;
        smtp_client_session_release(session, now_ns);
    }
    return status;
}

/* XCLIENT's reply is a greeting to somebody else: the session begins again. */
static void begin_again(struct smtp_client_session *session)
{
    smtp_client_extensions_forget(&session->extensions);
    session->greeted = session->extended = session->auth.authenticated = false;
}

static enum smtp_status learn(struct smtp_client_session *session, enum smtp_client_stage stage,
                              const struct smtp_reply *reply)
{
    session->handshake_due = stage == SMTP_STAGE_STARTTLS;
    if (stage == SMTP_STAGE_XCLIENT) {
        begin_again(session);
    }
    if (stage != SMTP_STAGE_EHLO && stage != SMTP_STAGE_HELO) {
        return SMTP_OK;
    }
    session->greeted = true;
    session->extended = stage == SMTP_STAGE_EHLO;
    if (stage == SMTP_STAGE_EHLO) {
        return smtp_client_extensions_read(&session->extensions, reply->text);
    }
    smtp_client_extensions_forget(&session->extensions);
    return SMTP_OK;
}

void smtp_client_session_command_reply(struct smtp_client_session *session,
                                       enum smtp_client_stage stage, enum smtp_status judged,
                                       const struct smtp_reply *reply, uint64_t now_ns)
{
    smtp_client_session_step_reply(session, stage, judged);
    if (judged == SMTP_OK && learn(session, stage, reply) != SMTP_OK) {
        smtp_client_session_end(session, SMTP_NO_MEMORY, "out of memory for the EHLO reply");
        smtp_client_session_raise(session, SMTP_CLIENT_EVENT_ENDED, stage, SMTP_NO_MEMORY, NULL);
        return;
    }
    if (stage == SMTP_STAGE_DATA && judged == SMTP_OK) {
        smtp_client_session_begin_content(session, now_ns);
        return;
    }
    smtp_client_session_raise(session, SMTP_CLIENT_EVENT_REPLY, stage, judged, reply);
}

bool smtp_client_session_idle(const struct smtp_client_session *session)
{
    return !session->ended && !smtp_client_session_event_waits(session) &&
           session->in_flight == 0 && session->owing.len == 0;
}

uint64_t smtp_client_session_deadline_ns(const struct smtp_client_session *session)
{
    return session->deadline_ns;
}

bool smtp_client_session_ended(const struct smtp_client_session *session)
{
    return session->ended;
}

const struct smtp_error *smtp_client_session_error(const struct smtp_client_session *session)
{
    return &session->error;
}

bool smtp_client_session_greeted(const struct smtp_client_session *session)
{
    return session->greeted;
}

const struct smtp_client_extensions *
smtp_client_session_extensions(const struct smtp_client_session *session)
{
    return &session->extensions;
}
