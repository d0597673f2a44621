/* steps.c - asking before a step is done, where the driver wants that: for servers that go wrong on purpose.
 * Knows: what may be seen of a step. Does not know: what follows from the answer (session.c). */
#include "server/protocol/state.h"

#include <string.h>

bool smtp_server_wants_steps(const struct smtp_server_session *session)
{
    return (session->config->asks & (1u << SMTP_SERVER_ASK_STEP)) != 0;
}

bool smtp_server_step_is_open(const struct smtp_server_session *session)
{
    return session->question_open && session->event.kind == SMTP_SERVER_ASK_STEP;
}

void smtp_server_forget_step(struct smtp_server_session *session)
{
    smtp_message_release(session->envelope_so_far);
    session->envelope_so_far = NULL;
}

/* The message that comes in, or one of the envelope alone; NULL: there is neither. */
static const struct smtp_message *message_so_far(struct smtp_server_session *session)
{
    const struct smtp_transaction *transaction = &session->transaction;
    if (transaction->message != NULL || transaction->envelope.texts.len == 0) {
        return transaction->message;
    }
    struct smtp_message_origin origin = smtp_server_session_origin(session);
    session->envelope_so_far = smtp_message_new(&transaction->envelope, &origin, 0);
    return session->envelope_so_far;
}

/* Not for each RCPT: that would copy the envelope as often as it has recipients. */
static bool shows_message(enum smtp_server_step_kind kind, const char *verb)
{
    return kind == SMTP_STEP_CONTENT || kind == SMTP_STEP_END_OF_CONTENT ||
           strcmp(verb, "DATA") == 0 || strcmp(verb, "BDAT") == 0;
}

static void ask(struct smtp_server_session *session, enum smtp_server_step_kind kind,
                const char *verb, const char *argument)
{
    session->step = (struct smtp_server_step){
        .kind = kind,
        .verb = verb,
        .argument = argument,
        .content_octets = kind == SMTP_STEP_CONTENT ? session->transaction.content_octets : 0,
        .message = shows_message(kind, verb) ? message_so_far(session) : NULL,
    };
    smtp_server_session_raise(
        session, &(struct smtp_server_event){.kind = SMTP_SERVER_ASK_STEP, .step = &session->step},
        true);
}

bool smtp_server_ask_step(struct smtp_server_session *session, enum smtp_server_step_kind kind)
{
    if (!smtp_server_wants_steps(session)) {
        return false;
    }
    ask(session, kind, "", "");
    return true;
}

/* Of AUTH what stands behind the mechanism is a secret. */
static struct smtp_span first_word(struct smtp_span text)
{
    size_t len = 0;
    while (len < text.len && text.bytes[len] != ' ' && text.bytes[len] != '\t') {
        len++;
    }
    return (struct smtp_span){text.bytes, len};
}

void smtp_server_ask_command(struct smtp_server_session *session, struct smtp_span line,
                             bool secret)
{
    struct smtp_command command = smtp_command_parse(line);
    struct smtp_span verb = secret ? SMTP_SPAN("***") : command.verb;
    struct smtp_span argument = secret ? SMTP_SPAN("") : command.argument;
    if (smtp_span_equal_nocase(verb, SMTP_SPAN("AUTH"))) {
        argument = first_word(argument);
    }
    if (smtp_server_session_text(session, verb) == NULL ||
        smtp_server_session_text(session, argument) == NULL) {
        return; /* out of memory: the session has ended */
    }
    char *texts = session->texts.bytes + session->texts.start;
    for (size_t i = 0; i < verb.len; i++) {
        unsigned char c = (unsigned char)texts[i];
        texts[i] = (char)(smtp_is_letter(c) ? c & ~32 : c);
    }
    ask(session, SMTP_STEP_COMMAND, texts, texts + verb.len + 1);
}
