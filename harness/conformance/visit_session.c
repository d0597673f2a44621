/* visit_session.c - one session with a client under test: each command is kept, answered as the script or a plain
 * server would, and has its effect. */
#include "common/clock.h"
#include "harness/conformance/visit_run.h"

#include <stdlib.h>

#define NAME_MAX_LEN ((size_t)16)

struct smtp_span smtp_visit_keep(struct smtp_check *check, struct smtp_span octets)
{
    char *copy = smtp_check_own(check, malloc(octets.len + 1), free);
    if (copy == NULL) {
        return (struct smtp_span){"", 0};
    }
    smtp_bytes_copy(copy, octets);
    copy[octets.len] = '\0';
    return (struct smtp_span){copy, octets.len};
}

/* ---- what is kept ---- */

static struct smtp_visit_command *last_command(struct smtp_visit_run *run)
{
    return (struct smtp_visit_command *)(void *)run->commands.bytes + run->seen.command_count - 1;
}

static void keep_command(struct smtp_visit_session *session, const char *name,
                         struct smtp_span line, uint64_t begin)
{
    struct smtp_visit_run *run = session->run;
    const struct smtp_visit_command command = {.session = session->number,
                                               .name = name,
                                               .line = line,
                                               .in_tls = session->in_tls,
                                               .early = begin < session->before_reply};
    if (smtp_buffer_append(&run->commands, &command, sizeof command) != SMTP_OK) {
        smtp_check_fail(run->seen.check, "the client says more than anybody would");
        return;
    }
    run->seen.commands = (const void *)run->commands.bytes;
    run->seen.command_count++;
}

/** The i-th, 1-based. */
static struct smtp_visit_message *message_at(struct smtp_visit_run *run, size_t i)
{
    return (struct smtp_visit_message *)(void *)run->messages.bytes + i - 1;
}

/** Begins one; false: the check is decided. */
static bool keep_message(struct smtp_visit_session *session)
{
    struct smtp_visit_run *run = session->run;
    const struct smtp_visit_message message = {
        .session = session->number,
        .mail = session->mail,
        .rcpts = smtp_visit_keep(run->seen.check, smtp_buffer_span(&session->rcpts)),
        .raw = SMTP_SPAN(""),
        .content = SMTP_SPAN("")};
    if (smtp_buffer_append(&run->messages, &message, sizeof message) != SMTP_OK) {
        smtp_check_fail(run->seen.check, "the client says more than anybody would");
        return false;
    }
    run->seen.messages = (const void *)run->messages.bytes;
    run->seen.message_count++;
    return true;
}

static void drop_transaction(struct smtp_visit_session *session)
{
    session->had_mail = false;
    session->mail = SMTP_SPAN("");
    session->rcpt_count = 0;
    smtp_buffer_clear(&session->rcpts, SIZE_MAX);
    session->was_chunk_refused = false;
    session->chunked = 0;
    smtp_buffer_clear(&session->chunks, 0);
}

/* ---- answering ---- */

/** How many such there were, the present one among them. */
static size_t count_such(const struct smtp_visit_session *session, const struct smtp_answer *answer)
{
    const struct smtp_visit *seen = &session->run->seen;
    size_t count = 0;
    if (strcmp(answer->command, "connect") == 0) {
        return session->number;
    }
    for (size_t i = 0; i < seen->command_count; i++) {
        const struct smtp_visit_command *command = &seen->commands[i];
        count +=
            smtp_visit_is_called(answer->command, command->name) &&
            (answer->argument == NULL || smtp_span_has_nocase(command->line, answer->argument));
    }
    return count;
}

static const struct smtp_answer *find_answer(const struct smtp_visit_session *session,
                                             const char *name, struct smtp_span line)
{
    const struct smtp_script *script = session->run->script;
    for (size_t i = 0; i < script->answer_count; i++) {
        const struct smtp_answer *answer = &script->answers[i];
        if (!smtp_visit_is_called(answer->command, name) ||
            (answer->argument != NULL && !smtp_span_has_nocase(line, answer->argument)) ||
            (answer->session != 0 && answer->session != session->number)) {
            continue;
        }
        size_t count = count_such(session, answer);
        if (count >= answer->from && (answer->to == 0 || count <= answer->to)) {
            return answer;
        }
    }
    return NULL;
}

static void wait_before(struct smtp_visit_session *session, uint64_t delay_ms)
{
    struct smtp_visit_run *run = session->run;
    if (delay_ms > 0) {
        smtp_check_extend(run->seen.check, delay_ms);
        smtp_visit_pause(session, delay_ms);
    }
    smtp_visit_pause(session, run->script->hold_ms); /* reads what is there in any case */
    session->before_reply = session->kept;
}

/** Of the first reply; 0: it has none. */
static int code_of(struct smtp_span reply)
{
    uint64_t code = 0;
    reply.len = reply.len < 3 ? reply.len : 3;
    return smtp_span_to_u64(reply, 999, &code) ? (int)code : 0;
}

/** What was said: whether by the script, and what is to be done then. */
struct said {
    int code;
    bool is_plain, unheard;
    int then; /* as smtp_answer.then */
};

static struct said answer_to(struct smtp_visit_session *session, const char *name,
                             struct smtp_span line)
{
    struct smtp_talk *talk = session->talk;
    const struct smtp_answer *answer = find_answer(session, name, line);
    struct said said = {.is_plain =
                            answer == NULL || (answer->reply == NULL && answer->act == NULL)};
    said.then = answer != NULL ? (int)answer->then : (int)SMTP_THEN_GO_ON;
    const char *reply =
        said.is_plain || answer == NULL ? smtp_visit_plain(session, name, line) : answer->reply;
    wait_before(session, answer != NULL ? answer->delay_ms : 0);
    said.unheard = talk->wire.ended;
    if (answer != NULL && answer->act != NULL) {
        answer->act(&session->run->seen, talk, line);
        session->kept = session->taken + talk->wire.heard.len; /* what it took is its own */
        said.code = code_of(smtp_buffer_span(&talk->said));
        return said;
    }
    said.code = code_of(smtp_span_of(reply));
    talk->is_content = false;
    if (reply[0] == '\0') {
        session->before_reply = UINT64_MAX; /* until there is one */
    } else {
        smtp_talk_put(talk, smtp_span_of(reply));
    }
    return said;
}

/* ---- what is done then ---- */

static void begin_tls(struct smtp_visit_session *session)
{
    struct smtp_talk *talk = session->talk;
    size_t too_early = smtp_talk_untaken(talk).len;
    if (too_early > 0) {
        smtp_talk_take(talk, too_early); /* RFC 3207 4.2: it does not count */
    }
    session->in_tls = true;
    session->had_hello = false;
    session->taken = session->kept = session->before_reply = 0;
    drop_transaction(session);
    session->is_over = !smtp_visit_waits_for_octets(session) ||
                       !smtp_talk_accept_tls(talk, session->run->identity);
}

static void do_then(struct smtp_visit_session *session, int then)
{
    switch (then) {
    case SMTP_THEN_CLOSE:
        smtp_visit_part(session);
        session->is_over = true;
        break;
    case SMTP_THEN_RESET:
        smtp_talk_reset(session->talk);
        session->is_over = true;
        break;
    case SMTP_THEN_TLS:
        begin_tls(session);
        break;
    default:
        break;
    }
}

static void say(struct smtp_visit_session *session, const char *name, struct smtp_span line,
                uint64_t begin);

/** Lines without the first of their leading dots, and without the end mark (RFC 5321 4.5.2). */
static struct smtp_span unstuff(struct smtp_check *check, struct smtp_span raw, bool is_complete)
{
    struct smtp_span content = smtp_visit_keep(check, raw);
    char *to = (char *)(uintptr_t)content.bytes;
    size_t len = is_complete ? raw.len - 3 : raw.len, at = 0;
    bool begins_line = true;
    for (size_t i = 0; i < len && content.len > 0; i++) {
        if (!begins_line || raw.bytes[i] != '.') {
            to[at++] = raw.bytes[i];
        }
        begins_line = raw.bytes[i] == '\n' && i > 0 && raw.bytes[i - 1] == '\r';
    }
    content.len = at;
    return content;
}

static void take_content(struct smtp_visit_session *session)
{
    struct smtp_visit_run *run = session->run;
    uint64_t begin = session->taken;
    struct smtp_span raw;
    session->talk->is_content = true;
    bool is_complete = smtp_visit_hear_content(session, &raw);
    session->talk->is_content = false;
    if (!keep_message(session)) {
        return;
    }
    struct smtp_visit_message *message = message_at(run, run->seen.message_count);
    message->raw = raw;
    message->complete = is_complete;
    message->content = unstuff(run->seen.check, raw, is_complete);
    if (is_complete) {
        say(session, "dot", SMTP_SPAN("."), begin);
    }
}

/* ---- the effect of each command, once it is answered ---- */

static bool is_good(int code)
{
    return code >= 200 && code < 300;
}

static void add_rcpt(struct smtp_visit_session *session, struct smtp_span line)
{
    struct smtp_buffer *rcpts = &session->rcpts;
    if ((session->rcpt_count > 0 && smtp_buffer_append(rcpts, "\n", 1) != SMTP_OK) ||
        smtp_buffer_append(rcpts, line.bytes, line.len) != SMTP_OK) {
        smtp_check_fail(session->run->seen.check, "the client says more than anybody would");
    }
    session->rcpt_count++;
}

enum effect {
    OPENS,
    DROPS,
    ENDS_MESSAGE,
    BEGINS_MAIL,
    ADDS_RCPT,
    BEGINS_CONTENT,
    CHUNKS,
    LOGS_IN,
    SECURES,
    QUITS
};

static const struct {
    const char *name;
    enum effect effect;
} effects[] = {
    {"EHLO", OPENS},       {"HELO", OPENS},     {"RSET", DROPS},  {"dot", ENDS_MESSAGE},
    {"MAIL", BEGINS_MAIL}, {"RCPT", ADDS_RCPT}, {"BDAT", CHUNKS}, {"DATA", BEGINS_CONTENT},
    {"AUTH", LOGS_IN},     {"line", LOGS_IN},   {"QUIT", QUITS},  {"STARTTLS", SECURES},
};

static void end_chunk(struct smtp_visit_session *session, struct smtp_span line, int code)
{
    session->was_chunk_refused = session->was_chunk_refused || !is_good(code);
    if (smtp_visit_has_word(line, 2, "LAST")) {
        drop_transaction(session);
    }
}

static void take_effect(struct smtp_visit_session *session, enum effect effect,
                        struct smtp_span line, const struct said *said)
{
    bool good = is_good(said->code);
    switch (effect) {
    case OPENS:
    case DROPS:
        session->had_hello = session->had_hello || (good && effect == OPENS);
        if (good) {
            drop_transaction(session);
        }
        break;
    case ENDS_MESSAGE:
        drop_transaction(session);
        break;
    case BEGINS_MAIL:
        if (good) {
            drop_transaction(session);
            session->had_mail = true;
            session->mail = line;
        }
        break;
    case ADDS_RCPT:
        if (good) {
            add_rcpt(session, line);
        }
        break;
    case BEGINS_CONTENT:
        if (said->code == 354) {
            take_content(session);
        }
        break;
    case CHUNKS:
        end_chunk(session, line, said->code);
        break;
    case LOGS_IN:
        session->expects_line = said->code == 334;
        break;
    case SECURES:
        if (said->is_plain && good && said->then == SMTP_THEN_GO_ON) {
            begin_tls(session);
        }
        break;
    case QUITS:
        if (good && said->then == SMTP_THEN_GO_ON) {
            do_then(session, SMTP_THEN_CLOSE);
        }
        break;
    }
}

/** Answers what has come, and does what follows from the answer. */
static void say(struct smtp_visit_session *session, const char *name, struct smtp_span line,
                uint64_t begin)
{
    bool is_kept = strcmp(name, "connect") != 0;
    if (is_kept) {
        keep_command(session, name, line, begin);
    }
    if (!smtp_check_goes_on(session->talk->check)) {
        return;
    }
    session->expects_line = false;
    const struct said said = answer_to(session, name, line);
    if (is_kept) {
        last_command(session->run)->code = said.code;
        last_command(session->run)->unheard = said.unheard;
    }
    do_then(session, said.then);
    for (size_t i = 0; i < sizeof effects / sizeof *effects && !session->is_over; i++) {
        if (strcmp(name, effects[i].name) == 0) {
            take_effect(session, effects[i].effect, line, &said);
            return;
        }
    }
}

/* ---- commands ---- */

static struct smtp_span without_line_end(struct smtp_span line)
{
    line.len -= line.len > 0 && line.bytes[line.len - 1] == '\n';
    line.len -= line.len > 0 && line.bytes[line.len - 1] == '\r';
    return line;
}

/** As smtp_answer.command; what is none of them stands for itself. */
static const char *name_of(struct smtp_visit_session *session, struct smtp_span line)
{
    static const char *const names[] = {"EHLO", "HELO", "MAIL",     "RCPT", "DATA", "BDAT",
                                        "AUTH", "RSET", "STARTTLS", "NOOP", "VRFY", "QUIT"};
    struct smtp_span verb = smtp_visit_word(line, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (smtp_span_equal_nocase(verb, smtp_span_of(names[i]))) {
            return names[i];
        }
    }
    if (smtp_span_equal_nocase(verb, SMTP_SPAN("LHLO"))) {
        return "EHLO";
    }
    verb.len = verb.len < NAME_MAX_LEN ? verb.len : NAME_MAX_LEN;
    return smtp_visit_keep(session->talk->check, verb).bytes;
}

/** Takes the chunk, which comes whatever the answer will be (RFC 3030 2). */
static void take_chunk(struct smtp_visit_session *session, struct smtp_span line)
{
    struct smtp_visit_run *run = session->run;
    uint64_t len = 0;
    struct smtp_span chunk;
    if (!smtp_span_to_u64(smtp_visit_word(line, 1), UINT32_MAX, &len)) {
        return;
    }
    if (session->chunked == 0 && keep_message(session)) {
        session->chunked = run->seen.message_count;
        session->chunks =
            session->chunks.max != 0 ? session->chunks : SMTP_BUFFER(SMTP_VISIT_OCTETS_MAX);
    }
    session->talk->is_content = true;
    bool is_whole = smtp_visit_hear_chunk(session, len, &chunk);
    session->talk->is_content = false;
    if (smtp_buffer_append(&session->chunks, chunk.bytes, chunk.len) != SMTP_OK) {
        smtp_check_skip(run->seen.check, "out of memory");
    }
    if (!smtp_check_goes_on(run->seen.check)) {
        return;
    }
    struct smtp_visit_message *message = message_at(run, session->chunked);
    message->by_bdat = true;
    message->chunk_count++;
    message->complete = is_whole && smtp_visit_has_word(line, 2, "LAST");
    if (message->complete || !is_whole) {
        message->raw = message->content =
            smtp_visit_keep(run->seen.check, smtp_buffer_span(&session->chunks));
    }
}

static void take_command(struct smtp_visit_session *session, struct smtp_span line, uint64_t begin)
{
    const char *name = session->expects_line ? "line" : name_of(session, line);
    if (strcmp(name, "BDAT") == 0) {
        take_chunk(session, line);
    }
    if (smtp_check_goes_on(session->talk->check)) {
        say(session, name, line, begin);
    }
}

void smtp_visit_serve(struct smtp_visit_run *run, int fd)
{
    struct smtp_talk *talk = smtp_talk_new(run->seen.check, fd, false);
    struct smtp_visit_session session = {.run = run,
                                         .talk = talk,
                                         .number = ++run->seen.session_count,
                                         .mail = SMTP_SPAN(""),
                                         .rcpts = SMTP_BUFFER(SMTP_VISIT_OCTETS_MAX)};
    if (run->task->tls == SMTP_TASK_IMPLICIT_TLS) {
        begin_tls(&session);
    }
    if (!session.is_over && smtp_check_goes_on(talk->check)) {
        say(&session, "connect", SMTP_SPAN(""), 0);
    }
    for (;;) {
        uint64_t begin = session.taken;
        struct smtp_span line;
        bool is_late = smtp_clock_now_ns() >= talk->check->deadline_ns; /* of one who never stops */
        if (session.is_over || is_late || !smtp_visit_hear_line(&session, &line)) {
            break;
        }
        take_command(&session, without_line_end(line), begin);
    }
    smtp_talk_close(talk);
    smtp_buffer_free(&session.rcpts);
    smtp_buffer_free(&session.chunks);
}
