/* disturb.c - see disturb.h.
 * Knows: the order in which a step goes wrong, pacing, the endings. Does not know: when something should go
 * wrong (the tables say), the protocol, sockets but for how they end. */
#include "server/disturb.h"

#include "common/clock.h"
#include "common/secret.h"
#include "common/tls.h"
#include "server/disturbed_reply.h"
#include "server/hooks.h"
#include "server/incoming.h"
#include "server/inquiry.h"
#include "server/outgoing.h"
#include "server/secure.h"
#include "server/server.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#define NS_IN_S UINT64_C(1000000000)
#define NS_IN_MS UINT64_C(1000000)
/* Between two segments, so that they are two reads of a peer that reads at once. */
#define SEGMENT_PAUSE_NS (2 * NS_IN_MS)
/* How often it is looked whether the peer of a deaf connection has closed. */
#define DEAF_LOOK_NS (100 * NS_IN_MS)

enum phase {
    WAITING, /* until what was said before is out */
    DELAYED,
    DOING,  /* its reply is to come */
    SAYING, /* the reply goes out; of TLS the handshake goes on */
    RESTING /* its ending lasts */
};

struct smtp_server_disturbance {
    struct smtp_server_fault fault;
    struct smtp_buffer out; /* what is to go out */
    size_t allowed;         /* octets of it that may now */
    size_t taken;           /* of TLS: octets of the handshake so far */
    uint64_t due_ns;        /* when the phase, or the next segment, is due */
    enum smtp_server_step_kind kind;
    enum phase phase;
    bool uncoded;     /* its reply has no enhanced status code of its own (RFC 2034 3) */
    bool speaks_last; /* nothing follows what is said */
};

static uint64_t now_of(const struct smtp_server_connection *connection)
{
    return smtp_server_loop_now_ns(connection->loop);
}

/* ---- what the other files ask ---- */

bool smtp_server_disturb_speaks(const struct smtp_server_connection *connection)
{
    return connection->disturbance != NULL && connection->disturbance->phase >= DOING;
}

bool smtp_server_disturb_holds(const struct smtp_server_connection *connection)
{
    const struct smtp_server_disturbance *it = connection->disturbance;
    return it != NULL &&
           (it->phase != DOING || smtp_server_session_pending(connection->session).len > 0);
}

bool smtp_server_disturb_reads(const struct smtp_server_connection *connection)
{
    const struct smtp_server_disturbance *it = connection->disturbance;
    return it != NULL && it->phase == RESTING && it->fault.ending != SMTP_END_DEAF;
}

bool smtp_server_disturb_hides_replies(const struct smtp_server_connection *connection)
{
    return connection->disturbance != NULL && connection->disturbance->phase == DOING;
}

bool smtp_server_disturb_has_wire(const struct smtp_server_connection *connection)
{
    const struct smtp_server_disturbance *it = connection->disturbance;
    return it != NULL && it->kind == SMTP_STEP_TLS && it->phase >= DOING;
}

size_t smtp_server_disturb_unsent(const struct smtp_server_connection *connection)
{
    return connection->disturbance != NULL ? connection->disturbance->out.len : 0;
}

struct smtp_span smtp_server_disturb_owed(struct smtp_server_connection *connection)
{
    const struct smtp_server_disturbance *it = connection->disturbance;
    struct smtp_span out = smtp_buffer_span(&it->out);
    return (struct smtp_span){out.bytes, it->allowed};
}

void smtp_server_disturb_sent(struct smtp_server_connection *connection, size_t len)
{
    struct smtp_server_disturbance *it = connection->disturbance;
    smtp_buffer_take(&it->out, len);
    it->allowed -= len;
}

uint64_t smtp_server_disturb_due_ns(const struct smtp_server_connection *connection)
{
    const struct smtp_server_disturbance *it = connection->disturbance;
    if (it == NULL) {
        return SMTP_NEVER;
    }
    bool segment_waits = it->phase == SAYING && it->out.len > 0 && !connection->writing;
    bool looks = it->phase == RESTING && it->fault.ending == SMTP_END_DEAF;
    return it->phase == DELAYED || segment_waits || looks ? it->due_ns : SMTP_NEVER;
}

/* ---- beginning and end ---- */

void smtp_server_disturb_end(struct smtp_server_connection *connection)
{
    struct smtp_server_disturbance *it = connection->disturbance;
    if (it == NULL) {
        return;
    }
    connection->disturbance = NULL;
    smtp_identity_release(it->fault.identity);
    smtp_buffer_free(&it->out);
    free(it);
}

static bool is_hello(const char *verb)
{
    return strcmp(verb, "EHLO") == 0 || strcmp(verb, "HELO") == 0 || strcmp(verb, "LHLO") == 0;
}

/* Without memory nothing goes wrong. What goes wrong last has the word. */
static bool begin(struct smtp_server_connection *connection, const struct smtp_server_step *step,
                  const struct smtp_server_fault *fault)
{
    struct smtp_server_disturbance *it = calloc(1, sizeof *it);
    if (it == NULL) {
        smtp_identity_release(fault->identity);
        return false;
    }
    it->fault = *fault;
    it->fault.reply.text[sizeof it->fault.reply.text - 1] = '\0';
    it->fault.note[sizeof it->fault.note - 1] = '\0';
    it->out = SMTP_BUFFER(SIZE_MAX);
    it->kind = step->kind;
    it->uncoded = step->kind <= SMTP_STEP_GREETING || is_hello(step->verb);
    smtp_server_disturb_end(connection);
    connection->disturbance = it;
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
    if ((settings->config.asks & (1u << SMTP_SERVER_ASK_STEP)) == 0) {
        return false;
    }
    smtp_server_session_connected(connection->session, now_of(connection));
    bool goes_wrong = smtp_server_disturb(connection, &step);
    smtp_server_session_keep_waiting(connection->session, goes_wrong, now_of(connection));
    return goes_wrong;
}

/* ---- endings ---- */

/* Silence, until the peer closes, the time of the session is over, or the server stops. */
static void rest(struct smtp_server_connection *connection)
{
    struct smtp_server_disturbance *it = connection->disturbance;
    const struct smtp_server_limits *limits = &connection->loop->server->settings.config.limits;
    if (connection->loop->stopping) {
        smtp_server_connection_cut(connection, "the server stops");
        return;
    }
    smtp_server_session_keep_waiting(connection->session, true, now_of(connection));
    smtp_secret_free_buffer(&connection->waiting);
    it->phase = RESTING;
    it->due_ns = now_of(connection) + DEAF_LOOK_NS;
    connection->stage = SMTP_SERVER_DISTURBED;
    connection->stage_due_ns =
        smtp_server_session_ended(connection->session)
            ? smtp_deadline_after(now_of(connection), limits->session_timeout_ms)
            : smtp_server_session_deadline_ns(connection->session);
}

static void half_close(struct smtp_server_connection *connection)
{
    uv_os_fd_t fd;
    smtp_server_secure_say_end(connection);
    if (uv_fileno(&connection->io.handle, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        smtp_server_connection_cut(connection, "the peer closed the connection");
        return;
    }
    rest(connection);
}

static void go_on(struct smtp_server_connection *connection)
{
    enum smtp_server_step_kind kind = connection->disturbance->kind;
    smtp_server_disturb_end(connection);
    smtp_server_session_keep_waiting(connection->session, false, now_of(connection));
    if (kind == SMTP_STEP_CONNECT) {
        smtp_server_connection_begin_session(connection);
    } else if (kind == SMTP_STEP_TLS) {
        smtp_server_secure_shake_hands(connection);
    } else if (kind == SMTP_STEP_CONTENT) {
        smtp_server_session_answer(connection->session, SMTP_ACCEPT, NULL, now_of(connection));
    }
}

/* What was to be said is out. */
static void finish(struct smtp_server_connection *connection)
{
    const struct smtp_server_disturbance *it = connection->disturbance;
    enum smtp_server_ending ending = it->fault.ending;
    if (ending == SMTP_GO_ON && (it->fault.cut || it->speaks_last)) {
        ending = SMTP_END_CLOSE;
    }
    switch (ending) {
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
        half_close(connection);
        break;
    case SMTP_END_HANG:
    case SMTP_END_DEAF:
        rest(connection);
        break;
    }
}

/* ---- the phases ---- */

static void start_saying(struct smtp_server_connection *connection)
{
    connection->disturbance->phase = SAYING;
    connection->disturbance->due_ns = now_of(connection);
    smtp_server_session_keep_waiting(connection->session, true, now_of(connection));
}

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

/* own: what the session said. */
static void say(struct smtp_server_connection *connection, struct smtp_span own)
{
    struct smtp_server_disturbance *it = connection->disturbance;
    const struct smtp_server_session_config *config = &connection->loop->server->settings.config;
    bool coded = !it->uncoded && (config->keywords.enhanced_status_codes || connection->lmtp);
    bool made = smtp_server_disturbed_reply(&it->out, &it->fault, own, coded,
                                            it->kind <= SMTP_STEP_GREETING);
    smtp_server_session_sent(connection->session, own.len);
    if (!made) {
        smtp_server_connection_cut(connection, "out of memory");
        return;
    }
    start_saying(connection);
    log_lines(connection, smtp_buffer_span(&it->out));
}

static void do_step(struct smtp_server_connection *connection)
{
    struct smtp_server_disturbance *it = connection->disturbance;
    const struct smtp_server_reply *reply = &it->fault.reply;
    const struct smtp_server_reply unsaid = {.code = 451};
    bool refused = it->fault.silent || reply->code >= 400;
    it->phase = DOING;
    smtp_server_session_answer(connection->session, refused ? SMTP_REFUSE : SMTP_ACCEPT,
                               !refused             ? NULL
                               : reply->code >= 400 ? reply
                                                    : &unsaid,
                               now_of(connection));
}

/* Its time has come. */
static void perform(struct smtp_server_connection *connection)
{
    struct smtp_server_disturbance *it = connection->disturbance;
    switch (it->kind) {
    case SMTP_STEP_CONNECT:
        it->speaks_last = it->fault.reply.code != 0 || it->fault.replaced;
        say(connection, SMTP_SPAN(""));
        break;
    case SMTP_STEP_TLS:
        start_saying(connection);
        if (!it->fault.silent) {
            smtp_server_secure_start(connection, it->fault.identity);
        }
        break;
    case SMTP_STEP_CONTENT:
        finish(connection);
        break;
    case SMTP_STEP_GREETING:
    case SMTP_STEP_COMMAND:
    case SMTP_STEP_END_OF_CONTENT:
        do_step(connection);
        break;
    }
}

static void delay(struct smtp_server_connection *connection)
{
    struct smtp_server_disturbance *it = connection->disturbance;
    if (it->fault.note[0] != '\0') {
        smtp_server_log(connection, SMTP_LOG_NOTE, smtp_span_of(it->fault.note));
    }
    it->phase = DELAYED;
    it->due_ns =
        it->fault.delay_ms > 0 ? smtp_deadline_after(now_of(connection), it->fault.delay_ms) : 0;
}

/* What the handshake has to say. */
static bool take_handshake(struct smtp_server_connection *connection)
{
    struct smtp_server_disturbance *it = connection->disturbance;
    struct smtp_span wire = smtp_tls_pending(connection->tls);
    size_t room = it->fault.cut ? it->fault.cut_octets - it->taken : wire.len;
    size_t len = wire.len < room ? wire.len : room;
    if (it->out.len == 0 && len > 0 && it->due_ns < now_of(connection)) {
        it->due_ns = now_of(connection);
    }
    bool kept = smtp_buffer_append(&it->out, wire.bytes, len) == SMTP_OK;
    if (kept && it->fault.garbled) {
        smtp_server_garble(&it->out, it->out.len - len);
    }
    it->taken += len;
    smtp_tls_sent(connection->tls, wire.len);
    return kept;
}

static bool handshake_goes_on(const struct smtp_server_connection *connection)
{
    const struct smtp_server_disturbance *it = connection->disturbance;
    return it->kind == SMTP_STEP_TLS && !it->fault.silent &&
           !(it->fault.cut && it->taken == it->fault.cut_octets) &&
           smtp_tls_handshake(connection->tls) != SMTP_TLS_DONE;
}

static bool is_being_written(const struct smtp_server_connection *connection)
{
    return connection->writing ||
           (connection->tls != NULL && smtp_tls_pending(connection->tls).len > 0);
}

static bool say_on(struct smtp_server_connection *connection)
{
    struct smtp_server_disturbance *it = connection->disturbance;
    const struct smtp_server_fault *fault = &it->fault;
    if (it->kind == SMTP_STEP_TLS && connection->tls != NULL && !take_handshake(connection)) {
        smtp_server_connection_cut(connection, "out of memory");
        return false;
    }
    if (is_being_written(connection)) {
        return false;
    }
    if (it->out.len == 0) {
        if (handshake_goes_on(connection)) {
            return false;
        }
        finish(connection);
        return true;
    }
    if (smtp_clock_now_ns() < it->due_ns) {
        return false;
    }
    size_t segment = fault->drip_octets_s > 0  ? 1
                     : fault->split_octets > 0 ? fault->split_octets
                                               : it->out.len;
    it->allowed = segment < it->out.len ? segment : it->out.len;
    it->due_ns = fault->drip_octets_s > 0 ? it->due_ns + NS_IN_S / fault->drip_octets_s
                                          : smtp_clock_now_ns() + SEGMENT_PAUSE_NS;
    smtp_server_flush(connection);
    return true;
}

/* Nothing is read, so nothing tells that the peer has gone. */
static void look_for_end(struct smtp_server_connection *connection)
{
    struct pollfd look = {.events = POLLRDHUP};
    if (connection->disturbance->fault.ending != SMTP_END_DEAF ||
        smtp_clock_now_ns() < connection->disturbance->due_ns ||
        uv_fileno(&connection->io.handle, &look.fd) != 0) {
        return;
    }
    connection->disturbance->due_ns = smtp_clock_now_ns() + DEAF_LOOK_NS;
    if (poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
        smtp_server_connection_cut(connection, "the peer closed the connection");
    }
}

/* One phase further. False: it waits, or there is none. */
static bool advance(struct smtp_server_connection *connection)
{
    struct smtp_server_disturbance *it = connection->disturbance;
    if (it == NULL || connection->busy) {
        return false;
    }
    switch (it->phase) {
    case WAITING:
        if (smtp_server_unsent(connection) > 0) {
            return false;
        }
        delay(connection);
        return true;
    case DELAYED:
        if (it->due_ns > smtp_clock_now_ns()) {
            return false;
        }
        perform(connection);
        return true;
    case DOING:
        if (smtp_server_session_pending(connection->session).len == 0) {
            return false;
        }
        say(connection, smtp_server_session_pending(connection->session));
        return true;
    case SAYING:
        return say_on(connection);
    case RESTING:
        look_for_end(connection);
        break;
    }
    return false;
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
