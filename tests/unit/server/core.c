/* core.c - see core.h. */
#include "tests/unit/server/core.h"

#include "tests/support/test.h"

#include <stdio.h>

static void log_line(void *user, enum smtp_server_log_kind kind, struct smtp_span text)
{
    static const char marks[] = {'+', 'C', 'S', 'D', 'N', 'T', '-'};
    struct core *core = user;
    char head[] = {marks[kind], ':'};
    expect_int(smtp_buffer_append(&core->log, head, sizeof head), SMTP_OK);
    expect_int(smtp_buffer_append(&core->log, text.bytes, text.len), SMTP_OK);
    expect_int(smtp_buffer_append(&core->log, "\n", 1), SMTP_OK);
}

/* 2026-11-25T12:00:00Z */
static int64_t noon(void)
{
    return 1795608000;
}

struct core core_defaults(void)
{
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    return (struct core){
        .config = {.hostname = "mx.test",
                   .greeting_text = "ESMTP",
                   .limits = options.limits,
                   .keywords = options.keywords,
                   .unix_time_s = noon,
                   .mechanisms_clear = "",
                   .mechanisms_tls = "",
                   .mechanisms_too_weak = ""},
        .now_ns = 1000000000,
        .output = SMTP_BUFFER(SIZE_MAX),
        .log = SMTP_BUFFER(SIZE_MAX),
        .given = SMTP_BUFFER(SIZE_MAX),
    };
}

static bool take_content(void *user, const struct smtp_message *message, struct smtp_span octets)
{
    struct core *core = user;
    expect_true(octets.len > 0);
    expect_true(smtp_message_recipient_count(message) > 0);
    expect_true(core->given.len < core->given_wanted); /* else it has said that it wants no more */
    expect_int(smtp_buffer_append(&core->given, octets.bytes, octets.len), SMTP_OK);
    core->give_count++;
    return core->given.len < core->given_wanted;
}

static void drop_content(void *user)
{
    struct core *core = user;
    core->drop_count++;
}

void core_take_content(struct core *core, size_t wanted)
{
    core->config.content = take_content;
    core->config.drop = drop_content;
    core->given_wanted = wanted;
}

static void handle_auth(struct core *core, const struct smtp_server_event *event)
{
    struct smtp_server_auth_answer answer = {.step = SMTP_SERVER_AUTH_REFUSED};
    core->auth_steps = event->first ? 0 : core->auth_steps + 1;
    if (core->answer_auth != NULL) {
        answer = core->answer_auth(event, core->auth_steps);
    }
    smtp_server_session_answer_auth(core->session, &answer, core->now_ns);
}

static void handle_question(struct core *core, struct smtp_server_event *event)
{
    size_t count = 1;
    if (core->lmtp && event->kind == SMTP_SERVER_ASK_MESSAGE) {
        count = smtp_message_recipient_count(event->message);
    }
    struct smtp_server_reply *replies = calloc(count, sizeof *replies);
    enum smtp_server_verdict verdict = SMTP_ACCEPT;
    expect_true(replies != NULL);
    if (core->decide != NULL) {
        verdict = core->decide(event, replies);
    }
    if (event->kind == SMTP_SERVER_ASK_MESSAGE) {
        if (verdict == SMTP_ACCEPT && core->message_count < CORE_MESSAGES_MAX) {
            core->messages[core->message_count++] = event->message;
        } else {
            smtp_message_release(event->message);
        }
    }
    smtp_server_session_answer(core->session, verdict, replies, core->now_ns);
    free(replies);
}

static void handle(struct core *core, struct smtp_server_event *event)
{
    switch (event->kind) {
    case SMTP_SERVER_RESET:
        core->reset_count++;
        break;
    case SMTP_SERVER_START_TLS:
        core->start_tls_count++;
        break;
    case SMTP_SERVER_AUTH_CANCELLED:
        core->cancelled_count++;
        break;
    case SMTP_SERVER_ASK_AUTH:
        handle_auth(core, event);
        break;
    default:
        handle_question(core, event);
        break;
    }
}

void core_settle(struct core *core)
{
    struct smtp_server_event event;
    while (smtp_server_session_next_event(core->session, &event)) {
        handle(core, &event);
    }
    struct smtp_span pending = smtp_server_session_pending(core->session);
    expect_int(smtp_buffer_append(&core->output, pending.bytes, pending.len), SMTP_OK);
    smtp_server_session_sent(core->session, pending.len);
}

void core_open(struct core *core)
{
    core->session = smtp_server_session_new(&core->config, &(struct smtp_server_session_start){
                                                               .number = 1,
                                                               .peer = "127.0.0.1:1",
                                                               .lmtp = core->lmtp,
                                                               .trusted = core->trusted,
                                                               .user = core,
                                                           });
    expect_true(core->session != NULL);
    if (core->implicit_tls == NULL) {
        smtp_server_session_open(core->session, core->now_ns);
    } else {
        smtp_server_session_open_tls(core->session, core->now_ns);
        smtp_server_session_tls_started(core->session, core->implicit_tls, true, core->now_ns);
    }
    core_settle(core);
}

void core_feed(struct core *core, const char *bytes, size_t len)
{
    /* a copy of exactly this size: the address sanitizer sees any read beyond it */
    char *copy = malloc(len > 0 ? len : 1);
    expect_true(copy != NULL);
    memcpy(copy, bytes, len);
    for (size_t at = 0; at < len;) {
        at += smtp_server_session_receive(core->session, copy + at, len - at, core->now_ns);
        core_settle(core);
    }
    free(copy);
}

void core_feed_text(struct core *core, const char *text)
{
    core_feed(core, text, strlen(text));
}

void core_clear(struct core *core)
{
    for (size_t i = 0; i < core->message_count; i++) {
        smtp_message_release(core->messages[i]);
    }
    smtp_server_session_free(core->session);
    smtp_buffer_free(&core->output);
    smtp_buffer_free(&core->log);
    smtp_buffer_free(&core->given);
}

static const char *as_string(struct smtp_buffer *buffer)
{
    expect_int(smtp_buffer_append(buffer, "", 1), SMTP_OK);
    buffer->len--;
    return smtp_buffer_span(buffer).bytes;
}

const char *core_output(struct core *core)
{
    return as_string(&core->output);
}

const char *core_log(struct core *core)
{
    core->config.log = log_line;
    return as_string(&core->log);
}

const char *core_given(struct core *core)
{
    return as_string(&core->given);
}

const char *core_codes(const struct core *core)
{
    static char codes[8192];
    struct smtp_span rest = smtp_buffer_span(&core->output);
    size_t at = 0;
    codes[0] = '\0';
    while (rest.len > 0) {
        const char *end = memchr(rest.bytes, '\n', rest.len);
        expect_true(end != NULL && end > rest.bytes + 3 && end[-1] == '\r');
        expect_true(end - rest.bytes < 512); /* RFC 5321 4.5.3.1.5 */
        if (rest.bytes[3] == ' ') {
            char line[512];
            snprintf(line, sizeof line, "%.*s", (int)(end - rest.bytes), rest.bytes);
            int class_digit, subject, detail, len = 0;
            at +=
                (size_t)snprintf(codes + at, sizeof codes - at, "%s%.3s", at > 0 ? " " : "", line);
            if (sscanf(line + 4, "%1d.%d.%d%n", &class_digit, &subject, &detail, &len) == 3) {
                at += (size_t)snprintf(codes + at, sizeof codes - at, "/%.*s", len, line + 4);
            }
            expect_true(at < sizeof codes);
        } else {
            expect_int(rest.bytes[3], '-');
        }
        rest.len -= (size_t)(end + 1 - rest.bytes);
        rest.bytes = end + 1;
    }
    return codes;
}

static void expect_outcome(struct core *core, const char *codes, const char *const *contents)
{
    expect_str(core_codes(core), codes);
    size_t count = 0;
    for (; contents[count] != NULL; count++) {
        expect_true(count < core->message_count);
        size_t size = 0;
        const char *content = smtp_message_content(core->messages[count], &size);
        expect_bytes(content, size, contents[count], strlen(contents[count]));
    }
    expect_int(core->message_count, count);
}

void core_expect(const struct core *prepared, const char *input, size_t len, const char *codes,
                 const char *const *contents)
{
    for (size_t cut = 0; cut <= len; cut++) { /* a cut at 0 is the whole */
        struct core core = *prepared;
        core_open(&core);
        core_feed(&core, input, cut);
        core_feed(&core, input + cut, len - cut);
        expect_outcome(&core, codes, contents);
        core_clear(&core);
    }
    struct core core = *prepared;
    core_open(&core);
    for (size_t i = 0; i < len; i++) {
        core_feed(&core, input + i, 1);
    }
    expect_outcome(&core, codes, contents);
    core_clear(&core);
}
