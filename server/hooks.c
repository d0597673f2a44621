/* hooks.c - see hooks.h.
 * Knows: what follows from what the tables answer, and that a message is answered 250 only when the
 * mailbox has it. Does not know: sockets, the protocol, how tables are asked (inquiry.c). */
#include "server/hooks.h"

#include "common/clock.h"
#include "common/tls.h"
#include "server/auth.h"
#include "server/disturb.h"
#include "server/inquiry.h"
#include "server/message.h"
#include "server/server.h"

#include <string.h>

static const struct smtp_server_tables *tables_of(const struct smtp_server_connection *connection)
{
    return &connection->loop->server->settings.tables;
}

/* ---- messages ---- */

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

/* Nothing that can fail: tables have it already. */
static void keep(struct smtp_server_connection *connection, struct smtp_message *message)
{
    struct smtp_server *server = connection->loop->server;
    size_t size_octets = 0;
    if (server->settings.discards) {
        smtp_mailbox_pass(server->mailbox, message);
        return;
    }
    /* Once it is in the mailbox any thread may remove it: the caller keeps a reference. */
    smtp_mailbox_fill(server->mailbox, smtp_message_retain(message));
    (void)smtp_message_content(message, &size_octets);
    smtp_server_heap_filled(&connection->loop->heap, size_octets);
}

/* Whether the tables leave anybody to take it: under LMTP each recipient may be refused. */
static bool is_accepted(const struct smtp_server_inquiry *inquiry)
{
    size_t refused = 0;
    for (size_t i = 0; inquiry->each != NULL && i < inquiry->each_count; i++) {
        refused += inquiry->each[i].code >= 400;
    }
    return inquiry->verdict == SMTP_ACCEPT &&
           (inquiry->each == NULL || refused < inquiry->each_count);
}

static void capture(struct smtp_server_connection *connection, struct smtp_server_inquiry *inquiry)
{
    struct smtp_server *server = connection->loop->server;
    struct smtp_message *message = inquiry->event.message;
    struct smtp_server_reply *replies = smtp_server_inquiry_replies(inquiry);
    if (!is_accepted(inquiry)) {
        if (!server->settings.discards) {
            smtp_mailbox_give_back(server->mailbox);
        }
        return;
    }
    keep(connection, message);
    for (size_t i = 0; i < (inquiry->each != NULL ? inquiry->each_count : 1); i++) {
        if (replies[i].code == 0) {
            say_number(&replies[i], smtp_message_number(message));
        }
    }
}

/* ---- questions ---- */

/* RFC 3207 4: 454 where TLS cannot begin, before 220 has promised that it does. */
static enum smtp_server_verdict look_for_certificate(struct smtp_server_connection *connection,
                                                     struct smtp_server_reply *reply)
{
    struct ssl_ctx_st *context;
    struct smtp_error error = {0};
    if (smtp_server_certificate_context(&connection->loop->server->certificate, &context, &error) !=
        SMTP_OK) {
        smtp_server_log(connection, SMTP_LOG_NOTE, smtp_span_of(error.message));
        return smtp_server_reply(reply, 454, "4.7.0", "TLS not available due to temporary reason");
    }
    smtp_tls_context_release(context);
    return SMTP_ACCEPT;
}

/* Why somebody was refused: of several recipients the first counts. */
static void log_note(struct smtp_server_connection *connection, struct smtp_server_inquiry *inquiry)
{
    const struct smtp_server_reply *replies = smtp_server_inquiry_replies(inquiry);
    for (size_t i = 0; i < (inquiry->each != NULL ? inquiry->each_count : 1); i++) {
        if (replies[i].note[0] != '\0') {
            smtp_server_log(connection, SMTP_LOG_NOTE, smtp_span_of(replies[i].note));
            return;
        }
    }
}

/* Every table was asked that was to be. */
static void answer(struct smtp_server_connection *connection, struct smtp_server_inquiry *inquiry)
{
    enum smtp_server_verdict verdict = inquiry->verdict;
    struct smtp_server_reply *replies = smtp_server_inquiry_replies(inquiry);
    if (verdict == SMTP_ACCEPT && inquiry->event.kind == SMTP_SERVER_ASK_STARTTLS) {
        verdict = look_for_certificate(connection, replies);
    } else if (inquiry->event.kind == SMTP_SERVER_ASK_MESSAGE) {
        smtp_server_drop_content(connection); /* of the tables that were not asked */
        capture(connection, inquiry);
        smtp_message_release(inquiry->event.message);
    }
    log_note(connection, inquiry);
    smtp_server_session_answer(connection->session, verdict, replies,
                               smtp_server_loop_now_ns(connection->loop));
}

/* The mailbox's memory is taken before any table has the message: what a table has delivered is not refused for want of
 * it. */
static void inquire_message(struct smtp_server_connection *connection,
                            const struct smtp_server_event *event)
{
    struct smtp_server *server = connection->loop->server;
    smtp_message_set_received(event->message, smtp_clock_unix_ns());
    if (server->settings.discards || smtp_mailbox_reserve(server->mailbox) == SMTP_OK) {
        smtp_server_inquire(connection, event, answer);
        return;
    }
    struct smtp_server_reply reply = {.code = 0};
    smtp_server_drop_content(connection);
    smtp_message_release(event->message);
    (void)smtp_server_reply(&reply, 452, "4.3.0", "Insufficient system storage");
    smtp_server_session_answer(connection->session, SMTP_REFUSE, &reply,
                               smtp_server_loop_now_ns(connection->loop));
}

static void told(struct smtp_server_connection *connection, struct smtp_server_inquiry *inquiry)
{
    (void)connection;
    (void)inquiry;
}

static void handle(struct smtp_server_connection *connection, const struct smtp_server_event *event)
{
    switch (event->kind) {
    case SMTP_SERVER_START_TLS:
        connection->stage = SMTP_SERVER_SECURING;
        break;
    case SMTP_SERVER_ASK_AUTH:
        smtp_server_answer_auth(connection, event);
        break;
    case SMTP_SERVER_AUTH_CANCELLED:
        smtp_server_end_auth(connection);
        break;
    case SMTP_SERVER_ASK_STEP:
        if (!smtp_server_disturb(connection, event->step)) {
            smtp_server_session_answer(connection->session, SMTP_ACCEPT, NULL,
                                       smtp_server_loop_now_ns(connection->loop));
        }
        break;
    case SMTP_SERVER_ASK_MESSAGE:
        inquire_message(connection, event);
        break;
    case SMTP_SERVER_RESET:
        smtp_server_inquire(connection, event, told);
        break;
    default:
        smtp_server_inquire(connection, event, answer);
        break;
    }
}

bool smtp_server_answer_events(struct smtp_server_connection *connection)
{
    struct smtp_server_event event;
    bool any = false;
    while (!connection->busy && smtp_server_session_next_event(connection->session, &event)) {
        any = true;
        handle(connection, &event);
    }
    return any;
}

/* ---- what tables are told of on the loop's thread ---- */

bool smtp_server_give_content(void *user, const struct smtp_message *message,
                              struct smtp_span octets)
{
    struct smtp_server_connection *connection = user;
    const struct smtp_server_tables *tables = tables_of(connection);
    struct smtp_server_session_info info = smtp_server_info_of(connection);
    bool wanted = false;
    for (size_t i = 0; i < tables->count; i++) {
        const struct smtp_server_hooks *hooks = &tables->rows[i];
        uint32_t bit = 1u << i;
        if (hooks->content == NULL || (connection->content_sated & bit) != 0) {
            continue;
        }
        info.user = smtp_server_slot(connection, i);
        connection->content_given |= bit;
        if (hooks->content(hooks->user, &info, message, octets.bytes, octets.len)) {
            wanted = true;
        } else {
            connection->content_sated |= bit;
        }
    }
    return wanted;
}

void smtp_server_drop_content(void *user)
{
    struct smtp_server_connection *connection = user;
    const struct smtp_server_tables *tables = tables_of(connection);
    uint32_t given = connection->content_given;
    connection->content_given = 0;
    connection->content_sated = 0;
    if (given == 0) {
        return;
    }
    struct smtp_server_session_info info = smtp_server_info_of(connection);
    for (size_t i = 0; i < tables->count; i++) {
        if ((given & 1u << i) != 0 && tables->rows[i].drop != NULL) {
            info.user = smtp_server_slot(connection, i);
            tables->rows[i].drop(tables->rows[i].user, &info);
        }
    }
}

void smtp_server_log(void *user, enum smtp_server_log_kind kind, struct smtp_span text)
{
    struct smtp_server_connection *connection = user;
    const struct smtp_server_tables *tables = tables_of(connection);
    /* The core speaks while it is made, before the connection knows it. */
    if (connection->loop->server->settings.config.log == NULL || connection->session == NULL ||
        (kind == SMTP_LOG_REPLY && smtp_server_disturb_hides_replies(connection))) {
        return;
    }
    struct smtp_server_session_info info = smtp_server_info_of(connection);
    const struct smtp_server_log_entry entry = {
        .kind = kind,
        .pipelined = kind == SMTP_LOG_COMMAND && smtp_server_session_pipelined(connection->session),
        .time_ns = smtp_clock_now_ns(),
        .text = text.bytes,
        .len = text.len,
    };
    for (size_t i = 0; i < tables->count; i++) {
        if (tables->rows[i].log != NULL) {
            info.user = smtp_server_slot(connection, i);
            tables->rows[i].log(tables->rows[i].user, &info, &entry);
        }
    }
}

static void closed(struct smtp_server_connection *connection, struct smtp_server_inquiry *inquiry)
{
    (void)inquiry;
    smtp_server_session_free(connection->over);
    connection->over = NULL;
}

void smtp_server_end_session(struct smtp_server_connection *connection, const char *reason)
{
    if (connection->session == NULL) {
        return;
    }
    smtp_server_session_cut(connection->session); /* drops what came of a message first */
    smtp_server_log(connection, SMTP_LOG_CLOSE, smtp_span_of(reason));
    smtp_server_end_auth(connection);
    smtp_server_disturb_end(connection);
    connection->over = connection->session;
    smtp_server_inquire(connection, &(struct smtp_server_event){.kind = SMTP_SERVER_CLOSED},
                        closed);
    connection->session = NULL;
}
