/* inquiry.c - see inquiry.h. */
#include "server/inquiry.h"

#include "common/clock.h"
#include "server/server.h"
#include "server/work.h"

#include <stdlib.h>
#include <string.h>

/* An inquiry that goes on when a table that blocks has answered. */
struct asking {
    struct smtp_server_work work; /* the first member: work.h gives it back */
    struct smtp_server_inquiry inquiry;
    const struct smtp_server_hooks *hooks;
    struct smtp_server_reply *reply; /* for its answer */
    enum smtp_server_verdict verdict;
    bool passed_over; /* it was not asked: too late */
    smtp_server_inquiry_done *done;
};

static const struct smtp_server_tables *tables_of(const struct smtp_server_connection *connection)
{
    return &connection->loop->server->settings.tables;
}

void **smtp_server_slot(struct smtp_server_connection *connection, size_t table)
{
    return tables_of(connection)->count > 1 ? &connection->users.each[table]
                                            : &connection->users.one;
}

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
        .lmtp = connection->lmtp,
        .identity = smtp_server_session_identity(connection->session),
        .tls = smtp_server_session_tls(connection->session),
        .user = smtp_server_slot(connection, 0),
    };
}

/* ---- what the answers add up to ---- */

static void empty(struct smtp_server_reply *reply)
{
    reply->code = 0;
    reply->enhanced[0] = '\0';
    reply->text[0] = '\0';
    reply->note[0] = '\0';
}

static bool refuses(const struct smtp_server_reply *reply)
{
    return reply->code >= 400;
}

/* Where the next table fills its answer in. Of a message under LMTP it sees whom those before it have
 * refused. */
static struct smtp_server_reply *room_for_answer(struct smtp_server_inquiry *inquiry)
{
    if (inquiry->each != NULL) {
        for (size_t i = 0; i < inquiry->each_count; i++) {
            if (refuses(&inquiry->each[i])) {
                inquiry->each_asked[i] = inquiry->each[i];
            } else {
                empty(&inquiry->each_asked[i]);
            }
        }
        return inquiry->each_asked;
    }
    if (inquiry->reply.code == 0) {
        return &inquiry->reply;
    }
    empty(&inquiry->asked);
    return &inquiry->asked;
}

/* A recipient that any table refuses is refused; when that is all of them, nobody else is asked.
 * Otherwise the first words given stay. */
static bool merge_each(struct smtp_server_inquiry *inquiry)
{
    size_t refused = 0;
    for (size_t i = 0; i < inquiry->each_count; i++) {
        struct smtp_server_reply *so_far = &inquiry->each[i];
        const struct smtp_server_reply *answer = &inquiry->each_asked[i];
        if (!refuses(so_far) && (refuses(answer) || so_far->code == 0)) {
            *so_far = *answer;
        }
        refused += refuses(so_far);
    }
    return refused < inquiry->each_count;
}

/* Whether the next table is to be asked. */
static bool take_answer(struct smtp_server_inquiry *inquiry, enum smtp_server_verdict verdict,
                        const struct smtp_server_reply *answer)
{
    enum smtp_server_event_kind kind = inquiry->event.kind;
    inquiry->next++;
    inquiry->verdict = verdict;
    if (verdict == SMTP_ACCEPT && inquiry->each != NULL) {
        return merge_each(inquiry);
    }
    if (inquiry->each != NULL) {
        inquiry->each[0] = *answer; /* it stands for all */
    } else if (verdict != SMTP_ACCEPT && answer != &inquiry->reply) {
        inquiry->reply = *answer;
    }
    return verdict == SMTP_ACCEPT && kind != SMTP_SERVER_ASK_VRFY && kind != SMTP_SERVER_ASK_EXPN &&
           kind != SMTP_SERVER_ASK_UNKNOWN;
}

struct smtp_server_reply *smtp_server_inquiry_replies(struct smtp_server_inquiry *inquiry)
{
    return inquiry->each != NULL ? inquiry->each : &inquiry->reply;
}

/* ---- asking ---- */

static void finish(struct smtp_server_connection *connection, struct smtp_server_inquiry *inquiry,
                   smtp_server_inquiry_done *done)
{
    done(connection, inquiry);
    if (inquiry->each_count > 0) {
        free(inquiry->each);
        free(inquiry->each_asked);
    }
}

/* The next table is: of a message it need not be told to drop its content. */
static void is_asked(struct smtp_server_connection *connection,
                     const struct smtp_server_inquiry *inquiry)
{
    if (inquiry->event.kind == SMTP_SERVER_ASK_MESSAGE) {
        connection->content_given &= ~(1u << inquiry->next);
    }
}

/* Asks tables that do not block. The one that does, and is to be asked next; NULL: all are asked. */
static const struct smtp_server_hooks *ask_on(struct smtp_server_connection *connection,
                                              struct smtp_server_inquiry *inquiry)
{
    const struct smtp_server_tables *tables = tables_of(connection);
    bool going = inquiry->verdict == SMTP_ACCEPT;
    while (going && inquiry->next < tables->count) {
        const struct smtp_server_hooks *hooks = &tables->rows[inquiry->next];
        if (!smtp_server_hooks_have(hooks, inquiry->event.kind)) {
            inquiry->next++;
            continue;
        }
        inquiry->info.user = smtp_server_slot(connection, inquiry->next);
        if (hooks->blocking) {
            return hooks;
        }
        is_asked(connection, inquiry);
        struct smtp_server_reply *answer = room_for_answer(inquiry);
        going = take_answer(inquiry,
                            smtp_server_hooks_call(hooks, &inquiry->info, &inquiry->event, answer),
                            answer);
    }
    return NULL;
}

/* The time that a stop gave is over, and the connection will be cut: what has waited for a thread until now
 * is not begun, or a stop would take as long as all that waits. A table is told of the end in any case. */
static bool is_too_late(const struct asking *asking)
{
    const struct smtp_server *server = asking->work.connection->loop->server;
    return asking->inquiry.event.kind != SMTP_SERVER_CLOSED &&
           smtp_clock_now_ns() >= atomic_load(&server->stop_deadline_ns);
}

static void run(struct smtp_server_work *work)
{
    struct asking *asking = (struct asking *)work;
    asking->passed_over = is_too_late(asking);
    if (asking->passed_over) {
        (void)smtp_server_reply(asking->reply, 421, "4.3.2", "Server is stopping, closing");
        asking->verdict = SMTP_DISCONNECT;
        return;
    }
    asking->verdict = smtp_server_hooks_call(asking->hooks, &asking->inquiry.info,
                                             &asking->inquiry.event, asking->reply);
}

static void answered(struct smtp_server_work *work);

static void ask_elsewhere(struct asking *asking, struct smtp_server_connection *connection,
                          const struct smtp_server_hooks *hooks)
{
    asking->hooks = hooks;
    asking->reply = room_for_answer(&asking->inquiry);
    smtp_server_work_queue(&asking->work, connection, run, answered);
}

/* The connection is let go last: it may be gone then. */
static void answered(struct smtp_server_work *work)
{
    struct asking *asking = (struct asking *)work;
    struct smtp_server_connection *connection = work->connection;
    struct smtp_server_inquiry *inquiry = &asking->inquiry;
    bool closed = inquiry->event.kind == SMTP_SERVER_CLOSED;
    const struct smtp_server_hooks *next = NULL;
    if (!asking->passed_over) {
        is_asked(connection, inquiry);
    }
    if (take_answer(inquiry, asking->verdict, asking->reply)) {
        next = ask_on(connection, inquiry);
    }
    if (next != NULL) {
        ask_elsewhere(asking, connection, next);
        return;
    }
    if (!closed) {
        smtp_server_connection_wake(connection);
    }
    finish(connection, inquiry, asking->done);
    free(asking);
    if (closed) {
        smtp_server_connection_let_go(connection);
    } else {
        smtp_server_connection_go_on(connection);
    }
}

/* Out of memory: a table that blocks is told of a session's or a transaction's end all the same, here, where it keeps
 * others waiting once; what it has of it would be lost else. */
static void tell_here(struct smtp_server_connection *connection,
                      struct smtp_server_inquiry *inquiry, const struct smtp_server_hooks *hooks)
{
    while (hooks != NULL) {
        is_asked(connection, inquiry);
        struct smtp_server_reply *answer = room_for_answer(inquiry);
        enum smtp_server_verdict verdict =
            smtp_server_hooks_call(hooks, &inquiry->info, &inquiry->event, answer);
        hooks = take_answer(inquiry, verdict, answer) ? ask_on(connection, inquiry) : NULL;
    }
}

/* False: out of memory. */
static bool suspend(struct smtp_server_connection *connection, struct smtp_server_inquiry *inquiry,
                    const struct smtp_server_hooks *hooks, smtp_server_inquiry_done *done)
{
    struct asking *asking = malloc(sizeof *asking);
    if (asking == NULL) {
        return false;
    }
    asking->inquiry = *inquiry;
    asking->done = done;
    if (inquiry->event.kind == SMTP_SERVER_CLOSED) {
        smtp_server_connection_hold(connection);
    } else {
        connection->busy = true;
    }
    ask_elsewhere(asking, connection, hooks);
    return true;
}

/* One reply for each recipient, of a message under LMTP. */
static bool make_room_for_each(struct smtp_server_inquiry *inquiry)
{
    inquiry->each_count = smtp_message_recipient_count(inquiry->event.message);
    inquiry->each = calloc(inquiry->each_count, sizeof *inquiry->each);
    inquiry->each_asked = calloc(inquiry->each_count, sizeof *inquiry->each_asked);
    return inquiry->each != NULL && inquiry->each_asked != NULL;
}

void smtp_server_inquire(struct smtp_server_connection *connection,
                         const struct smtp_server_event *event, smtp_server_inquiry_done *done)
{
    struct smtp_server_inquiry
        inquiry; /* set field by field: it is large, and one comes a command */
    const struct smtp_server_hooks *hooks = NULL;
    bool room = true;
    inquiry.event = *event;
    inquiry.next = 0;
    inquiry.verdict = SMTP_ACCEPT;
    inquiry.each = NULL;
    inquiry.each_asked = NULL;
    inquiry.each_count = 0;
    empty(&inquiry.reply);
    if (connection->lmtp && event->kind == SMTP_SERVER_ASK_MESSAGE) {
        room = make_room_for_each(&inquiry);
    }
    if (room && tables_of(connection)->count > 0) {
        inquiry.info = smtp_server_info_of(connection);
        hooks = ask_on(connection, &inquiry);
    }
    if (hooks != NULL && suspend(connection, &inquiry, hooks, done)) {
        return;
    }
    if (hooks != NULL && (event->kind == SMTP_SERVER_CLOSED || event->kind == SMTP_SERVER_RESET)) {
        tell_here(connection, &inquiry, hooks);
        hooks = NULL;
    }
    if (!room || hooks != NULL) {
        inquiry.verdict = smtp_server_reply(smtp_server_inquiry_replies(&inquiry), 451, "4.3.0",
                                            "Out of memory, try again later");
    }
    finish(connection, &inquiry, done);
}
