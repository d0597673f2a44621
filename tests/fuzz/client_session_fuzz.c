/* client_session_fuzz.c - the client's core under whatever a server says, while it sends messages in every way it has:
 * pipelined and step by step, DATA and BDAT, SMTP and LMTP, after STARTTLS and AUTH. The same said line by line and octet by
 * octet must come to the same; said all at once, each message still has exactly one result. Knows: how a driver drives the
 * core, and what a result can be. Does not know: which command is right (unit tests, both_ends_fuzz.c). */
#include "client/protocol/session.h"
#include "common/deadline.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#define PENDING_MAX ((size_t)1 << 20)
#define MESSAGES 3
#define NOW_NS UINT64_C(1000000000)
#define SECRET "hidden-password"

enum stage { GREETING, HELLO, STARTTLS, LOGIN, SENDING, QUITTING, OVER };

struct setting {
    struct smtp_client_options options;
    bool lmtp, tls, login, in_one_piece, size_unknown, by_steps, helo;
    enum smtp_body body;
    size_t block, count;
    unsigned cuts, end;
};

struct run {
    const struct setting *setting;
    struct smtp_client_session *session;
    enum stage stage;
    struct smtp_buffer said;    /* by the client */
    struct smtp_buffer results; /* what it tells its driver */
    size_t begun, done, given;
    unsigned step; /* of single commands */
    bool wanted;
    bool awaits_tls;
    bool failed; /* a message could not be begun */
    bool open;   /* a single command is */
};

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
static const struct smtp_span contents[MESSAGES] = {TEXT("Subject: a\r\n\r\n.dots\r\n..\r\n"),
                                                    TEXT("no line end, and \xC3\xA9"), TEXT("")};
static const char *const recipients[] = {"b@x.test", "c@y.test", "\"d e\"@z.test"};

/* ---- AUTH: a mechanism with a challenge ---- */

static enum smtp_status answer(void *user, struct smtp_span challenge, struct smtp_buffer *response,
                               struct smtp_error *error)
{
    struct run *run = user;
    char *copy = fuzz_copy(challenge);
    free(copy);
    if (challenge.len == 3) {
        return SMTP_BAD_ARGUMENT;
    }
    if (challenge.len == 4) {
        snprintf(error->message, sizeof error->message, "not the server that it seems");
        return SMTP_PROTOCOL_VIOLATION;
    }
    run->step++;
    return smtp_buffer_append(response, SECRET, sizeof SECRET - 1);
}

static bool is_complete(const void *user)
{
    const struct run *run = user;
    return run->step < 4;
}

static void log_line(void *user, enum smtp_client_log_kind kind, const char *text, size_t len)
{
    (void)user;
    struct smtp_span line = {text, len};
    char *copy = fuzz_copy(line);
    free(copy);
    if (kind == SMTP_CLIENT_LOG_COMMAND) { /* base64 of the secret */
        FUZZ_HOLDS(len == 0 || (!smtp_span_has(line, "aGlkZGVuLXBhc3N3b3Jk")));
        FUZZ_HOLDS(len == 0 ||
                   (memchr(text, '\r', len) == NULL && memchr(text, '\n', len) == NULL));
    }
}

/* ---- what is sent ---- */

static struct smtp_client_content_facts measure(const struct setting *setting, size_t i)
{
    struct smtp_client_content_facts facts = {
        .size_known = !setting->size_unknown,
        .size_bytes = contents[i].len,
        .bits = i == 1 ? SMTP_CLIENT_EIGHT_BIT : SMTP_CLIENT_SEVEN_BIT,
        .body = setting->body,
        .needs_no_repair = i != 1,
        .needs_no_stuffing = i != 0,
    };
    if (i == 1 && setting->body != SMTP_BODY_BINARYMIME) {
        facts.size_bytes += 2;
    }
    return facts;
}

static void command(struct run *run, enum stage next, enum smtp_client_stage at,
                    const struct smtp_client_command *command)
{
    run->stage = next;
    enum smtp_status status = smtp_client_session_command(run->session, at, command, NOW_NS);
    fuzz_print(&run->results, "command %s\n", smtp_status_name(status));
    if (status != SMTP_OK) {
        run->stage = OVER;
    }
}

static void say_hello(struct run *run)
{
    const struct smtp_client_command hello = {
        .verb = run->setting->helo && !run->setting->lmtp
                    ? "HELO "
                    : smtp_client_session_hello_verb(run->session),
        .kind = SMTP_CLIENT_DOMAIN,
        .argument = "client.test"};
    bool helo = hello.verb[0] == 'H';
    command(run, HELLO, helo ? SMTP_STAGE_HELO : SMTP_STAGE_EHLO, &hello);
}

static void quit(struct run *run)
{
    const struct smtp_client_command last = {.verb = "QUIT"};
    command(run, QUITTING, SMTP_STAGE_QUIT, &last);
}

static void log_in(struct run *run)
{
    static struct smtp_client_mechanism mechanism;
    mechanism = (struct smtp_client_mechanism){.name = "TEST",
                                               .speaks_first = run->setting->size_unknown,
                                               .user = run,
                                               .answer = answer,
                                               .is_complete = is_complete};
    enum smtp_status status = smtp_client_session_auth(run->session, &mechanism, NOW_NS);
    fuzz_print(&run->results, "auth %s\n", smtp_status_name(status));
    run->stage = status == SMTP_OK ? LOGIN : SENDING;
}

/* What comes after hello. */
static void go_on(struct run *run)
{
    const struct setting *setting = run->setting;
    if (setting->tls && !smtp_client_session_has_tls(run->session)) {
        const struct smtp_client_command starttls = {.verb = "STARTTLS"};
        command(run, STARTTLS, SMTP_STAGE_STARTTLS, &starttls);
    } else if (setting->login && run->step == 0 &&
               !smtp_client_session_is_authenticated(run->session)) {
        log_in(run);
    } else {
        run->stage = SENDING;
    }
}

/* ---- what it tells ---- */

static void note_result(struct run *run)
{
    const struct smtp_send_result *result = smtp_client_session_result(run->session);
    FUZZ_HOLDS(run->done < run->begun);
    fuzz_print(&run->results, "message %zu: %s", run->done, smtp_status_name(result->status));
    FUZZ_HOLDS(result->recipient_count == run->done + 1);
    bool any = false;
    for (size_t i = 0; i < result->recipient_count; i++) {
        const struct smtp_recipient_result *one = &result->recipients[i];
        any = any || one->status == SMTP_OK;
        FUZZ_HOLDS(one->status != SMTP_OK || (one->reply.code >= 200 && one->reply.code < 300));
        FUZZ_HOLDS(one->reply.text != NULL && strlen(one->reply.text) < PENDING_MAX);
        fuzz_print(&run->results, " %s %d %d", smtp_status_name(one->status), one->reply.code,
                   (int)one->stage);
    }
    FUZZ_HOLDS(result->status != SMTP_OK || any);
    fuzz_append(&run->results, "\n", 1);
    run->done++;
}

static void take_reply(struct run *run, const struct smtp_client_event *event)
{
    bool well = event->status == SMTP_OK;
    fuzz_print(&run->results, "reply %d %s %d\n", (int)event->stage,
               smtp_status_name(event->status), event->reply.code);
    FUZZ_HOLDS(event->reply.text != NULL);
    if (event->kind == SMTP_CLIENT_EVENT_ENDED || smtp_client_session_ended(run->session)) {
        run->stage = OVER;
        return;
    }
    switch (run->stage) {
    case GREETING:
        well ? say_hello(run) : quit(run);
        break;
    case HELLO:
    case LOGIN:
        well || run->stage == LOGIN ? go_on(run) : quit(run);
        break;
    case STARTTLS:
        if (well) {
            run->awaits_tls = true;
        } else {
            run->stage = SENDING;
        }
        break;
    case SENDING:
        run->open = false;
        break;
    case QUITTING:
    case OVER:
        run->stage = OVER;
        break;
    }
}

static void take_events(struct run *run)
{
    struct smtp_client_event event;
    while (smtp_client_session_next_event(run->session, &event)) {
        switch (event.kind) {
        case SMTP_CLIENT_EVENT_TRANSACTION_DONE:
            note_result(run);
            break;
        case SMTP_CLIENT_EVENT_CONTENT_WANTED:
            FUZZ_HOLDS(!run->wanted);
            run->wanted = true;
            break;
        case SMTP_CLIENT_EVENT_REPLY:
        case SMTP_CLIENT_EVENT_ENDED:
            take_reply(run, &event);
            break;
        }
    }
}

static void give(struct run *run)
{
    size_t i = run->begun > 0 ? run->begun - 1 : 0; /* of DATA by itself the first */
    struct smtp_client_content_facts facts = measure(run->setting, i);
    struct smtp_span left = {contents[i].bytes + run->given, contents[i].len - run->given};
    enum smtp_status status = SMTP_OK;
    if (run->setting->in_one_piece && run->given == 0 &&
        smtp_client_session_takes_whole(run->session, &facts)) {
        smtp_client_session_content_whole(run->session, contents[i], NOW_NS);
        left.len = 0;
    }
    if (left.len == 0) {
        run->wanted = false;
        status = smtp_client_session_content_end(run->session, NOW_NS);
    } else {
        left.len = left.len < run->setting->block ? left.len : run->setting->block;
        run->given += left.len;
        status = smtp_client_session_content(run->session, left.bytes, left.len, NOW_NS);
    }
    FUZZ_HOLDS((status == SMTP_OK) == !smtp_client_session_ended(run->session));
}

static void begin(struct run *run)
{
    struct smtp_envelope envelope = {.reverse_path = run->begun == 2 ? "" : "ann@x.test",
                                     .forward_paths = recipients,
                                     .forward_path_count = run->begun + 1};
    static struct smtp_envelope kept[MESSAGES]; /* borrowed until it is done */
    struct smtp_client_content_facts facts = measure(run->setting, run->begun);
    kept[run->begun] = envelope;
    enum smtp_status status =
        smtp_client_session_send(run->session, &kept[run->begun], &facts, NOW_NS);
    fuzz_print(&run->results, "send %s\n", smtp_status_name(status));
    run->given = 0;
    run->wanted = false;
    if (status == SMTP_OK) {
        run->begun++;
    } else {
        run->failed = true;
    }
}

/* The commands of a transaction one by one, with DATA or with chunks. */
static void say_step(struct run *run)
{
    static const struct {
        enum smtp_client_stage stage; /* NONE: a chunk */
        struct smtp_client_command command;
    } steps[] = {
        {SMTP_STAGE_MAIL, {.verb = "MAIL FROM:", .kind = SMTP_CLIENT_REVERSE_PATH}},
        {SMTP_STAGE_RCPT, {"RCPT TO:", .kind = SMTP_CLIENT_FORWARD_PATH, .argument = "b@x"}},
        {SMTP_STAGE_RCPT, {"RCPT TO:", .kind = SMTP_CLIENT_FORWARD_PATH, .argument = "c@x"}},
        {SMTP_STAGE_DATA, {.verb = "DATA"}},
        {SMTP_STAGE_NONE, {.verb = NULL}},
        {SMTP_STAGE_NONE, {.verb = NULL}},
        {SMTP_STAGE_RSET, {.verb = "RSET"}},
        {SMTP_STAGE_XCLIENT, {"XCLIENT ", .kind = SMTP_CLIENT_TEXT, .argument = "NAME=x"}},
        {SMTP_STAGE_COMMAND, {.verb = "NOOP"}},
    };
    size_t i = run->step++;
    enum smtp_status status;
    if (i >= sizeof steps / sizeof *steps) {
        quit(run);
        return;
    }
    bool data = run->setting->block % 2 == 0;
    if (steps[i].stage == (data ? SMTP_STAGE_NONE : SMTP_STAGE_DATA)) {
        return;
    }
    if (steps[i].stage == SMTP_STAGE_NONE) {
        status = smtp_client_session_bdat(run->session, SMTP_SPAN("chunk"), i == 5, NOW_NS);
    } else {
        status =
            smtp_client_session_command(run->session, steps[i].stage, &steps[i].command, NOW_NS);
    }
    run->open = status == SMTP_OK;
    run->given = 0;
    fuzz_print(&run->results, "step %zu %s\n", i, smtp_status_name(status));
}

/* ---- the driver ---- */

static size_t write_out(struct run *run)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    size_t written = 0;
    int count;
    while ((count = smtp_client_session_pending(run->session, parts)) > 0) {
        FUZZ_HOLDS(count <= SMTP_CLIENT_PENDING_PARTS && parts[0].len > 0);
        FUZZ_HOLDS(parts[0].len <= PENDING_MAX);
        fuzz_append(&run->said, parts[0].bytes, parts[0].len);
        written += parts[0].len;
        smtp_client_session_sent(run->session, parts[0].len, NOW_NS);
    }
    return written;
}

/* The next thing to be said, where there is one. */
static bool say_next(struct run *run)
{
    const struct setting *setting = run->setting;
    bool all = run->begun == setting->count || run->failed;
    if (run->awaits_tls) {
        run->awaits_tls = false;
        smtp_client_session_tls_started(run->session, false, NOW_NS);
        say_hello(run);
    } else if (run->wanted && smtp_client_session_takes_content(run->session)) {
        give(run);
    } else if (run->stage != SENDING || run->open) {
        return false;
    } else if (setting->by_steps) {
        say_step(run);
    } else if (!all && smtp_client_session_may_begin(run->session)) {
        begin(run);
    } else if (all && run->done == run->begun) {
        quit(run);
    } else {
        return false;
    }
    return true;
}

/* Does what can be done without hearing more. */
static void settle(struct run *run)
{
    for (unsigned turn = 0; turn < 10000; turn++) {
        take_events(run);
        if (smtp_client_session_ended(run->session)) {
            return;
        }
        if (!say_next(run) && write_out(run) == 0) {
            return;
        }
    }
    fuzz_breach(__FILE__, __LINE__, "it does not come to rest");
}

static void hear(struct run *run, struct smtp_span octets)
{
    char *copy = fuzz_copy(octets);
    for (size_t at = 0; at < octets.len && !smtp_client_session_ended(run->session);) {
        size_t used = 0;
        smtp_client_session_receive(run->session, copy + at, octets.len - at, &used, NOW_NS);
        FUZZ_HOLDS(used <= octets.len - at);
        bool ended = smtp_client_session_ended(run->session);
        at += used;
        take_events(run);
        FUZZ_HOLDS(used > 0 || ended || smtp_client_session_ended(run->session));
        settle(run);
    }
    free(copy);
}

static void end(struct run *run)
{
    uint64_t due_ns = smtp_client_session_deadline_ns(run->session);
    bool ended = smtp_client_session_ended(run->session);
    if (!ended && run->setting->end == 0 && due_ns != SMTP_NEVER) {
        smtp_client_session_expire(run->session, due_ns - 1);
        FUZZ_HOLDS(!smtp_client_session_ended(run->session));
        smtp_client_session_expire(run->session, due_ns);
        FUZZ_HOLDS(smtp_client_session_ended(run->session));
    } else if (!ended && run->setting->end == 1) {
        smtp_client_session_abandon(run->session, SMTP_SOURCE_FAILED, "it is over");
    } else if (!ended) {
        smtp_client_session_lost(run->session);
    }
    take_events(run);
    FUZZ_HOLDS(smtp_client_session_ended(run->session));
    FUZZ_HOLDS(run->done == run->begun);
    FUZZ_HOLDS(!smtp_client_session_takes_content(run->session));
    FUZZ_HOLDS(!smtp_client_session_may_begin(run->session));
    smtp_client_session_free(run->session);
}

static size_t line_length(struct smtp_span text)
{
    const char *lf = memchr(text.bytes, '\n', text.len);
    return lf != NULL ? (size_t)(lf - text.bytes) + 1 : text.len;
}

enum way { AT_ONCE, BY_LINES, BY_OCTETS, BY_CHANCE };

static struct run converse(const struct setting *setting, struct smtp_span text, enum way way)
{
    struct run run = {
        .setting = setting, .said = SMTP_BUFFER(SIZE_MAX), .results = SMTP_BUFFER(SIZE_MAX)};
    struct fuzz_cuts cuts = fuzz_cuts(way == BY_CHANCE ? setting->cuts : 1);
    struct run *here = &run;
    run.session = smtp_client_session_new(&setting->options);
    FUZZ_HOLDS(run.session != NULL);
    if (setting->lmtp) {
        smtp_client_session_open_lmtp(run.session, NOW_NS, SMTP_NEVER);
    } else {
        smtp_client_session_open(run.session, NOW_NS, SMTP_NEVER);
    }
    while (text.len > 0) {
        size_t line = way == AT_ONCE ? text.len : line_length(text);
        for (size_t at = 0; at < line;) {
            size_t piece = way == AT_ONCE || way == BY_LINES ? line : fuzz_cut(&cuts, line - at);
            hear(here, (struct smtp_span){text.bytes + at, piece});
            at += piece;
        }
        text = (struct smtp_span){text.bytes + line, text.len - line};
    }
    end(here);
    return run;
}

static void forget(struct run *run)
{
    smtp_buffer_free(&run->said);
    smtp_buffer_free(&run->results);
}

static void choose(struct setting *setting, struct fuzz_input *input)
{
    unsigned bits = fuzz_octet(input), more = fuzz_octet(input), third = fuzz_octet(input);
    static const enum smtp_body bodies[] = {SMTP_BODY_DETECT, SMTP_BODY_DETECT, SMTP_BODY_8BITMIME,
                                            SMTP_BODY_BINARYMIME};
    *setting = (struct setting){
        .lmtp = (bits & 1) != 0,
        .tls = (bits & 2) != 0,
        .login = (bits & 4) != 0,
        .in_one_piece = (bits & 8) != 0,
        .size_unknown = (bits & 16) != 0,
        .by_steps = (bits & 32) != 0,
        .body = bodies[bits >> 6 & 3],
        .block = 1 + (more & 15),
        .count = 1 + (more >> 4 & 3) % MESSAGES,
        .end = more >> 6 & 3,
        .helo = (third & 1) != 0,
    };
    smtp_client_options_init(&setting->options);
    setting->options.long_lines = true;
    setting->options.pipelining = (third & 2) == 0;
    setting->options.chunking = (third & 4) == 0;
    setting->options.chunk_octets = (third & 8) != 0 ? 1 + (third >> 4) : 1 << 20;
    setting->options.log = log_line;
    setting->cuts = fuzz_octet(input);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct fuzz_input input = {octets, len};
    struct setting setting;
    choose(&setting, &input);
    struct run at_once = converse(&setting, fuzz_rest(&input), AT_ONCE);
    struct run lines = converse(&setting, fuzz_rest(&input), BY_LINES);
    for (enum way way = BY_OCTETS; way <= BY_CHANCE; way++) {
        struct run cut = converse(&setting, fuzz_rest(&input), way);
        FUZZ_ALIKE(&lines.said, &cut.said);
        FUZZ_ALIKE(&lines.results, &cut.results);
        forget(&cut);
    }
    forget(&at_once);
    forget(&lines);
    return 0;
}
