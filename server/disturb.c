/* disturb.c - see disturb.h.
 * Knows: how sockets and TLS serve a disturbance, and how a connection ends by one. Does not know: when something should go
 * wrong (the tables say), the order in which it does (protocol/disturbance.c). */
#include "server/disturb.h"

#include "common/clock.h"
#include "common/secret.h"
#include "common/tls.h"
#include "server/hooks.h"
#include "server/incoming.h"
#include "server/inquiry.h"
#include "server/outgoing.h"
#include "server/protocol/disturbance.h"
#include "server/secure.h"
#include "server/server.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

/* How often it is looked whether the peer of a deaf connection has closed. */
#define DEAF_LOOK_NS (100 * SMTP_NS_PER_MS)

/* ---- what the other files ask ---- */

bool smtp_server_disturb_speaks(const struct smtp_server_connection *connection)
{
    return connection->disturbance != NULL &&
           smtp_server_disturbance_speaks(connection->disturbance);
}

bool smtp_server_disturb_holds(const struct smtp_server_connection *connection)
{
    return connection->disturbance != NULL &&
           smtp_server_disturbance_holds(connection->disturbance, connection->session);
}

bool smtp_server_disturb_reads(const struct smtp_server_connection *connection)
{
    return connection->disturbance != NULL &&
           smtp_server_disturbance_reads(connection->disturbance);
}

bool smtp_server_disturb_hides_replies(const struct smtp_server_connection *connection)
{
    return connection->disturbance != NULL &&
           connection->disturbance->phase == SMTP_DISTURBANCE_DOING;
}

bool smtp_server_disturb_has_wire(const struct smtp_server_connection *connection)
{
    return connection->disturbance != NULL && connection->disturbance->kind == SMTP_STEP_TLS &&
           smtp_server_disturbance_speaks(connection->disturbance);
}

size_t smtp_server_disturb_unsent(const struct smtp_server_connection *connection)
{
    return connection->disturbance != NULL ? connection->disturbance->out.len : 0;
}

struct smtp_span smtp_server_disturb_owed(struct smtp_server_connection *connection)
{
    return smtp_server_disturbance_owed(connection->disturbance);
}

void smtp_server_disturb_sent(struct smtp_server_connection *connection, size_t len)
{
    smtp_server_disturbance_sent(connection->disturbance, len);
}

uint64_t smtp_server_disturb_due_ns(const struct smtp_server_connection *connection)
{
    return connection->disturbance != NULL && !connection->writing
               ? smtp_server_disturbance_due_ns(connection->disturbance)
               : SMTP_NEVER;
}

/* ---- beginning and end ---- */

void smtp_server_disturb_end(struct smtp_server_connection *connection)
{
    struct smtp_server_disturbance *it = connection->disturbance;
    if (it == NULL) {
        return;
    }
    connection->disturbance = NULL;
    smtp_server_disturbance_end(it);
    free(it);
}

/* Without memory nothing goes wrong. What goes wrong last has the word. */
static bool begin(struct smtp_server_connection *connection, const struct smtp_server_step *step,
                  const struct smtp_server_fault *fault)
{
    struct smtp_server_disturbance *it = malloc(sizeof *it);
    if (it == NULL) {
        smtp_identity_release(fault->identity);
        return false;
    }
    smtp_server_disturb_end(connection);
    smtp_server_disturbance_begin(it, step, fault);
    connection->disturbance = it;
    if (it->fault.note[0] != '\0') {
        smtp_server_log(connection, SMTP_LOG_NOTE, smtp_span_of(it->fault.note));
    }
    return true;
}

bool smtp_server_disturb(struct smtp_server_connection *connection,
                         const struct smtp_server_step *step)
{
    const struct smtp_server_tables *tables = &connection->loop->server->settings.tables;
    struct smtp_server_session_info info = smtp_server_info_of(connection);
    if (step->kind == SMTP_STEP_COMMAND && smtp_server_disturb_hides_replies(connection)) {
        smtp_server_disturb_end(connection); /* BDAT LAST for nobody has no reply with LMTP */
    }
    for (size_t i = 0; i < tables->count; i++) {
        const struct smtp_server_hooks *hooks = &tables->rows[i];
        struct smtp_server_fault fault = {0};
        info.user = smtp_server_slot(connection, i);
        if (hooks->fault != NULL && hooks->fault(hooks->user, &info, step, &fault)) {
            return begin(connection, step, &fault);
        }
    }
    return false;
}

bool smtp_server_disturb_connection(struct smtp_server_connection *connection,
                                    enum smtp_server_step_kind kind)
{
    const struct smtp_server_settings *settings = &connection->loop->server->settings;
    const struct smtp_server_step step = {.kind = kind, .verb = "", .argument = ""};
    uint64_t now_ns = smtp_server_loop_now_ns(connection->loop);
    if ((settings->config.asks & (1u << SMTP_SERVER_ASK_STEP)) == 0) {
        return false;
    }
    smtp_server_session_connected(connection->session, now_ns);
    bool goes_wrong = smtp_server_disturb(connection, &step);
    smtp_server_session_keep_waiting(connection->session, goes_wrong, now_ns);
    return goes_wrong;
}

/* ---- endings ---- */

/* Silence, until the peer closes, the time of the session is over, or the server stops. */
static void rest(struct smtp_server_connection *connection, uint64_t now_ns)
{
    struct smtp_server_disturbance *it = connection->disturbance;
    const struct smtp_server_limits *limits = &connection->loop->server->settings.config.limits;
    if (connection->loop->stopping) {
        smtp_server_connection_cut(connection, "the server stops");
        return;
    }
    smtp_secret_free_buffer(&connection->waiting);
    if (it->fault.ending == SMTP_END_DEAF) {
        it->due_ns = now_ns + DEAF_LOOK_NS;
    }
    connection->stage = SMTP_SERVER_DISTURBED;
    connection->stage_due_ns = smtp_server_session_ended(connection->session)
                                   ? smtp_deadline_after(now_ns, limits->session_timeout_ms)
                                   : smtp_server_session_deadline_ns(connection->session);
}

static void half_close(struct smtp_server_connection *connection, uint64_t now_ns)
{
    uv_os_fd_t fd;
    smtp_server_secure_say_end(connection);
    if (uv_fileno(&connection->io.handle, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        smtp_server_connection_cut(connection, "the peer closed the connection");
        return;
    }
    rest(connection, now_ns);
}

static void go_on(struct smtp_server_connection *connection)
{
    enum smtp_server_step_kind kind = connection->disturbance->kind;
    smtp_server_disturb_end(connection);
    if (kind == SMTP_STEP_CONNECT) {
        smtp_server_connection_begin_session(connection);
    } else if (kind == SMTP_STEP_TLS) {
        smtp_server_secure_shake_hands(connection);
    }
}

static void finish(struct smtp_server_connection *connection, uint64_t now_ns)
{
    switch (connection->disturbance->fault.ending) {
    case SMTP_GO_ON:
        go_on(connection);
        break;
    case SMTP_END_CLOSE:
        smtp_server_secure_say_end(connection);
        smtp_server_connection_end(connection, "a fault closes the connection");
        break;
    case SMTP_END_RESET:
        smtp_server_connection_reset(connection, "a fault resets the connection");
        break;
    case SMTP_END_HALF_CLOSE:
        half_close(connection, now_ns);
        break;
    case SMTP_END_HANG:
    case SMTP_END_DEAF:
        rest(connection, now_ns);
        break;
    }
}

/* Nothing is read, so nothing tells that the peer has gone. */
static void look_for_end(struct smtp_server_connection *connection, uint64_t now_ns)
{
    struct pollfd look = {.events = POLLRDHUP};
    connection->disturbance->due_ns = now_ns + DEAF_LOOK_NS;
    if (uv_fileno(&connection->io.handle, &look.fd) == 0 && poll(&look, 1, 0) > 0 &&
        (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
        smtp_server_connection_cut(connection, "the peer closed the connection");
    }
}

/* ---- the way there ---- */

static void log_lines(struct smtp_server_connection *connection, struct smtp_span octets)
{
    while (octets.len > 0) {
        const char *lf = memchr(octets.bytes, '\n', octets.len);
        size_t len = lf != NULL ? (size_t)(lf - octets.bytes) : octets.len;
        size_t shown = lf != NULL && len > 0 && lf[-1] == '\r' ? len - 1 : len;
        smtp_server_log(connection, SMTP_LOG_REPLY, (struct smtp_span){octets.bytes, shown});
        len += lf != NULL;
        octets = (struct smtp_span){octets.bytes + len, octets.len - len};
    }
}

/* What the handshake has to say. */
static bool take_handshake(struct smtp_server_connection *connection, uint64_t now_ns)
{
    struct smtp_span wire = smtp_tls_pending(connection->tls);
    bool kept = smtp_server_disturbance_add(connection->disturbance, wire, now_ns);
    smtp_tls_sent(connection->tls, wire.len);
    return kept;
}

static bool handshake_goes_on(const struct smtp_server_connection *connection)
{
    const struct smtp_server_disturbance *it = connection->disturbance;
    return it->out.len == 0 && !(it->fault.cut && it->added == it->fault.cut_octets) &&
           smtp_tls_handshake(connection->tls) != SMTP_TLS_DONE;
}

static bool is_being_written(const struct smtp_server_connection *connection)
{
    return connection->writing ||
           (connection->tls != NULL && smtp_tls_pending(connection->tls).len > 0);
}

/* One phase further. False: it waits, or there is none. */
static bool advance(struct smtp_server_connection *connection)
{
    struct smtp_server_disturbance *it = connection->disturbance;
    if (it == NULL || connection->busy) {
        return false;
    }
    uint64_t now_ns = smtp_clock_now_ns();
    bool shakes = it->kind == SMTP_STEP_TLS && it->phase == SMTP_DISTURBANCE_SAYING &&
                  connection->tls != NULL;
    if (shakes && !take_handshake(connection, now_ns)) {
        smtp_server_connection_cut(connection, "out of memory");
        return false;
    }
    bool busy = is_being_written(connection) || (shakes && handshake_goes_on(connection));
    switch (smtp_server_disturbance_step(it, connection->session, busy, now_ns)) {
    case SMTP_DISTURBANCE_WAITS:
        return false;
    case SMTP_DISTURBANCE_GOES_ON:
        break;
    case SMTP_DISTURBANCE_SHAKES_HANDS:
        if (!it->fault.silent) {
            smtp_server_secure_start(connection, it->fault.identity);
        }
        break;
    case SMTP_DISTURBANCE_SPEAKS:
        log_lines(connection, smtp_buffer_span(&it->out));
        break;
    case SMTP_DISTURBANCE_WRITES:
        smtp_server_flush(connection);
        break;
    case SMTP_DISTURBANCE_ENDS:
        finish(connection, now_ns);
        break;
    case SMTP_DISTURBANCE_LOOKS:
        look_for_end(connection, now_ns);
        break;
    case SMTP_DISTURBANCE_FAILS:
        smtp_server_connection_cut(connection, "out of memory");
        break;
    }
    return true;
}

void smtp_server_disturb_go_on(struct smtp_server_connection *connection)
{
    while (advance(connection)) {
        if (connection->session != NULL && connection->stage <= SMTP_SERVER_SECURING) {
            (void)smtp_server_answer_events(connection);
            smtp_server_flush(connection);
            smtp_server_take_waiting(connection);
        }
    }
}
