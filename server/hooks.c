/* hooks.c - see hooks.h.
 * Knows: which hook belongs to which event, and that a message is answered 250 only when the
 * mailbox has it. Does not know: sockets, the protocol. */
#include "server/hooks.h"

#include "common/clock.h"
#include "common/tls.h"
#include "server/auth.h"
#include "server/server.h"

#include <string.h>

typedef enum smtp_server_verdict ask_function(struct smtp_server_connection *connection,
                                              const struct smtp_server_event *event,
                                              struct smtp_server_reply *reply);

struct smtp_server_session_info smtp_server_info_of(struct smtp_server_connection *connection)
{
    const char *peer = smtp_server_session_peer(connection->session);
    return (struct smtp_server_session_info){
        .number = connection->number,
        .hostname = connection->loop->server->settings.hostname,
        .peer = peer,
        .proxy = strcmp(peer, connection->peer) != 0 ? connection->peer : "",
        .helo = smtp_server_session_helo(connection->session),
        .protocol = smtp_server_session_protocol(connection->session),
        .identity = smtp_server_session_identity(connection->session),
        .tls = smtp_server_session_tls(connection->session),
        .user = &connection->user,
    };
}

static const struct smtp_server_hooks *hooks_of(const struct smtp_server_connection *connection)
{
    return &connection->loop->server->settings.hooks;
}

static enum smtp_server_verdict ask_connect(struct smtp_server_connection *connection,
                                            const struct smtp_server_event *event,
                                            struct smtp_server_reply *reply)
{
    (void)event;
    struct smtp_server_session_info info = smtp_server_info_of(connection);
    return hooks_of(connection)->connect(hooks_of(connection)->user, &info, reply);
}

static enum smtp_server_verdict ask_helo(struct smtp_server_connection *connection,
                                         const struct smtp_server_event *event,
                                         struct smtp_server_reply *reply)
{
    struct smtp_server_session_info info = smtp_server_info_of(connection);
    return hooks_of(connection)
        ->helo(hooks_of(connection)->user, &info, event->name, event->extended, reply);
}

static enum smtp_server_verdict ask_mail(struct smtp_server_connection *connection,
                                         const struct smtp_server_event *event,
                                         struct smtp_server_reply *reply)
{
    struct smtp_server_session_info info = smtp_server_info_of(connection);
    return hooks_of(connection)
        ->mail(hooks_of(connection)->user, &info, event->path, event->parameters, reply);
}

static enum smtp_server_verdict ask_rcpt(struct smtp_server_connection *connection,
                                         const struct smtp_server_event *event,
                                         struct smtp_server_reply *reply)
{
    struct smtp_server_session_info info = smtp_server_info_of(connection);
    return hooks_of(connection)
        ->rcpt(hooks_of(connection)->user, &info, event->path, event->parameters, reply);
}

static enum smtp_server_verdict ask_data(struct smtp_server_connection *connection,
                                         const struct smtp_server_event *event,
                                         struct smtp_server_reply *reply)
{
    (void)event;
    struct smtp_server_session_info info = smtp_server_info_of(connection);
    return hooks_of(connection)->data(hooks_of(connection)->user, &info, reply);
}

/* "OK: message 12", by hand: said for every message, and printf took a tenth of its time. */
static void say_number(struct smtp_server_reply *reply, uint64_t number)
{
    static const char words[] = "OK: message ";
    char digits[20]; /* of the largest number */
    size_t len = 0;
    do {
        digits[len++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    reply->code = 250;
    memcpy(reply->enhanced, "2.0.0", sizeof "2.0.0");
    memcpy(reply->text, words, sizeof words - 1);
    char *at = reply->text + sizeof words - 1;
    while (len > 0) {
        *at++ = digits[--len];
    }
    *at = '\0';
}

/* Takes over the event's reference. */
static enum smtp_server_verdict capture(struct smtp_server_connection *connection,
                                        struct smtp_message *message,
                                        struct smtp_server_reply *reply)
{
    /* Once it is in the mailbox any thread may remove it: keep it until its number is read. */
    struct smtp_message *kept = smtp_message_retain(message);
    enum smtp_server_verdict verdict = SMTP_ACCEPT;
    if (smtp_mailbox_put(connection->loop->server->mailbox, message) != SMTP_OK) {
        smtp_message_release(message);
        verdict = smtp_server_reply(reply, 452, "4.3.0", "Insufficient system storage");
    } else if (reply->code == 0) {
        say_number(reply, smtp_message_number(kept));
    }
    size_t size_octets = 0;
    (void)smtp_message_content(kept, &size_octets);
    smtp_server_heap_filled(&connection->loop->heap, size_octets);
    smtp_message_release(kept);
    return verdict;
}

static enum smtp_server_verdict ask_message(struct smtp_server_connection *connection,
                                            const struct smtp_server_event *event,
                                            struct smtp_server_reply *reply)
{
    const struct smtp_server_hooks *hooks = hooks_of(connection);
    enum smtp_server_verdict verdict = SMTP_ACCEPT;
    if (hooks->message != NULL) {
        struct smtp_server_session_info info = smtp_server_info_of(connection);
        verdict = hooks->message(hooks->user, &info, event->message, reply);
    }
    if (verdict == SMTP_ACCEPT) {
        return capture(connection, event->message, reply);
    }
    smtp_message_release(event->message);
    return verdict;
}

static enum smtp_server_verdict ask_vrfy(struct smtp_server_connection *connection,
                                         const struct smtp_server_event *event,
                                         struct smtp_server_reply *reply)
{
    struct smtp_server_session_info info = smtp_server_info_of(connection);
    return hooks_of(connection)->vrfy(hooks_of(connection)->user, &info, event->argument, reply);
}

static enum smtp_server_verdict ask_expn(struct smtp_server_connection *connection,
                                         const struct smtp_server_event *event,
                                         struct smtp_server_reply *reply)
{
    struct smtp_server_session_info info = smtp_server_info_of(connection);
    return hooks_of(connection)->expn(hooks_of(connection)->user, &info, event->argument, reply);
}

static enum smtp_server_verdict ask_unknown(struct smtp_server_connection *connection,
                                            const struct smtp_server_event *event,
                                            struct smtp_server_reply *reply)
{
    struct smtp_server_session_info info = smtp_server_info_of(connection);
    return hooks_of(connection)
        ->unknown(hooks_of(connection)->user, &info, event->name, event->argument, reply);
}

/* RFC 3207 4: 454 where TLS cannot begin, before 220 has promised that it does. */
static enum smtp_server_verdict ask_starttls(struct smtp_server_connection *connection,
                                             const struct smtp_server_event *event,
                                             struct smtp_server_reply *reply)
{
    struct ssl_ctx_st *context;
    struct smtp_error error = {0};
    (void)event;
    if (hooks_of(connection)->starttls != NULL) {
        struct smtp_server_session_info info = smtp_server_info_of(connection);
        enum smtp_server_verdict verdict =
            hooks_of(connection)->starttls(hooks_of(connection)->user, &info, reply);
        if (verdict != SMTP_ACCEPT) {
            return verdict;
        }
    }
    if (smtp_server_certificate_context(&connection->loop->server->certificate, &context, &error) !=
        SMTP_OK) {
        smtp_server_log(connection, SMTP_LOG_NOTE, smtp_span_of(error.message));
        return smtp_server_reply(reply, 454, "4.7.0", "TLS not available due to temporary reason");
    }
    smtp_tls_context_release(context);
    return SMTP_ACCEPT;
}

static ask_function *const ask[] = {
    [SMTP_SERVER_ASK_CONNECT] = ask_connect, [SMTP_SERVER_ASK_HELO] = ask_helo,
    [SMTP_SERVER_ASK_MAIL] = ask_mail,       [SMTP_SERVER_ASK_RCPT] = ask_rcpt,
    [SMTP_SERVER_ASK_DATA] = ask_data,       [SMTP_SERVER_ASK_MESSAGE] = ask_message,
    [SMTP_SERVER_ASK_VRFY] = ask_vrfy,       [SMTP_SERVER_ASK_EXPN] = ask_expn,
    [SMTP_SERVER_ASK_UNKNOWN] = ask_unknown, [SMTP_SERVER_ASK_STARTTLS] = ask_starttls,
};

bool smtp_server_answer_events(struct smtp_server_connection *connection, uint64_t now_ns)
{
    struct smtp_server_event event;
    bool any = false;
    while (smtp_server_session_next_event(connection->session, &event)) {
        any = true;
        if (event.kind == SMTP_SERVER_RESET) {
            struct smtp_server_session_info info = smtp_server_info_of(connection);
            hooks_of(connection)->reset(hooks_of(connection)->user, &info);
            continue;
        }
        if (event.kind == SMTP_SERVER_START_TLS) {
            connection->stage = SMTP_SERVER_SECURING;
            continue;
        }
        if (event.kind == SMTP_SERVER_ASK_AUTH) {
            smtp_server_answer_auth(connection, &event, now_ns);
            continue;
        }
        if (event.kind == SMTP_SERVER_AUTH_CANCELLED) {
            smtp_server_end_auth(connection);
            continue;
        }
        struct smtp_server_reply reply;
        reply.code = 0;
        reply.enhanced[0] = '\0';
        reply.text[0] = '\0';
        enum smtp_server_verdict verdict = ask[event.kind](connection, &event, &reply);
        smtp_server_session_answer(connection->session, verdict, &reply, now_ns);
    }
    return any;
}

void smtp_server_log(void *user, enum smtp_server_log_kind kind, struct smtp_span text)
{
    struct smtp_server_connection *connection = user;
    const struct smtp_server_hooks *hooks = hooks_of(connection);
    /* The core speaks while it is made, before the connection knows it. */
    if (hooks->log == NULL || connection->session == NULL) {
        return;
    }
    struct smtp_server_session_info info = smtp_server_info_of(connection);
    const struct smtp_server_log_entry entry = {
        .kind = kind, .time_ns = smtp_clock_now_ns(), .text = text.bytes, .len = text.len};
    hooks->log(hooks->user, &info, &entry);
}

void smtp_server_tell_close(struct smtp_server_connection *connection, const char *reason)
{
    const struct smtp_server_hooks *hooks = hooks_of(connection);
    smtp_server_log(connection, SMTP_LOG_CLOSE, smtp_span_of(reason));
    if (hooks->close != NULL) {
        struct smtp_server_session_info info = smtp_server_info_of(connection);
        hooks->close(hooks->user, &info);
    }
}
