/* flow.c - see flow.h. Does as the driver does, but for the socket: what is pending is written at once,
 * and the next message is begun whenever the session lets it. */
#include "tests/unit/client/flow.h"

#include "client/protocol/content.h"
#include "common/deadline.h"
#include "tests/support/test.h"

#include <stdio.h>

static const char *content_of(const struct flow *flow, size_t i)
{
    const char *content = flow->of->messages[i].content;
    return content != NULL ? content : FLOW_CONTENT;
}

static struct smtp_client_content_facts measure(const struct flow *flow, size_t i)
{
    struct smtp_client_encoder encoder;
    const char *content = content_of(flow, i);
    bool binary = flow->of->body == SMTP_BODY_BINARYMIME;
    smtp_client_encoder_init(&encoder);
    (void)smtp_client_encoder_feed(&encoder, content, strlen(content), NULL);
    (void)smtp_client_encoder_finish(&encoder, NULL);
    return (struct smtp_client_content_facts){
        .size_known = !flow->of->size_unknown,
        .size_bytes = binary ? strlen(content) : encoder.size_bytes,
        .bits = encoder.eight_bit ? SMTP_CLIENT_EIGHT_BIT : SMTP_CLIENT_SEVEN_BIT,
        .body = flow->of->body,
        .needs_no_repair = !encoder.repaired,
        .needs_no_stuffing = !encoder.stuffed,
    };
}

static void set_envelope(struct flow *flow, size_t i)
{
    struct smtp_envelope *envelope = &flow->messages[i].envelope;
    const char *recipients = flow->of->messages[i].recipients;
    char *at = flow->messages[i].recipients;
    snprintf(at, sizeof(flow->messages[i].recipients), "%s",
             recipients != NULL ? recipients : "b@x");
    *envelope =
        (struct smtp_envelope){.reverse_path = "ann@x", .forward_paths = flow->messages[i].paths};
    while (at != NULL) {
        flow->messages[i].paths[envelope->forward_path_count++] = at;
        at = strchr(at, ' ');
        if (at != NULL) {
            *at++ = '\0';
        }
    }
}

static void note_result(struct flow *flow)
{
    const struct smtp_send_result *result = smtp_client_session_result(flow->session);
    size_t len = strlen(flow->results), size = sizeof(flow->results);
    len +=
        (size_t)snprintf(flow->results + len, size - len, "%s", smtp_status_name(result->status));
    for (size_t i = 0; i < result->recipient_count; i++) {
        const struct smtp_recipient_result *one = &result->recipients[i];
        flow->messages[flow->done].outcomes[i] = one->status;
        len += (size_t)snprintf(flow->results + len, size - len, " %d@%s", one->reply.code,
                                smtp_client_stage_name(one->stage));
    }
    snprintf(flow->results + len, size - len, "\n");
    flow->done++;
}

static void note_reply(struct flow *flow, const struct smtp_client_event *event)
{
    size_t len = strlen(flow->results);
    snprintf(flow->results + len, sizeof(flow->results) - len, "%s %d@%s\n",
             smtp_status_name(event->status), event->reply.code,
             smtp_client_stage_name(event->stage));
}

static void take_events(struct flow *flow)
{
    struct smtp_client_event event;
    while (smtp_client_session_next_event(flow->session, &event)) {
        switch (event.kind) {
        case SMTP_CLIENT_EVENT_TRANSACTION_DONE:
            note_result(flow);
            break;
        case SMTP_CLIENT_EVENT_CONTENT_WANTED:
            flow->wanted = true;
            break;
        case SMTP_CLIENT_EVENT_REPLY:
        case SMTP_CLIENT_EVENT_ENDED:
            note_reply(flow, &event);
            break;
        }
    }
}

static void give_content(struct flow *flow)
{
    size_t i = flow->begun - 1;
    struct smtp_span all = smtp_span_of(content_of(flow, i));
    struct smtp_client_content_facts facts = measure(flow, i);
    struct smtp_span left = {all.bytes + flow->given, all.len - flow->given};
    if (flow->of->in_one_piece && smtp_client_session_takes_whole(flow->session, &facts)) {
        smtp_client_session_content_whole(flow->session, all, flow->now_ns);
        left.len = 0;
    }
    if (left.len == 0) {
        flow->wanted = false;
        expect_int(smtp_client_session_content_end(flow->session, flow->now_ns), SMTP_OK);
        return;
    }
    size_t block = flow->of->block > 0 ? flow->of->block : SMTP_CLIENT_BLOCK_MAX;
    left.len = left.len < block ? left.len : block;
    flow->given += left.len;
    expect_int(smtp_client_session_content(flow->session, left.bytes, left.len, flow->now_ns),
               SMTP_OK);
}

void flow_go_on(struct flow *flow)
{
    size_t count = flow->of->count > 0 ? flow->of->count : 1;
    for (;;) {
        take_events(flow);
        if (flow->wanted && smtp_client_session_takes_content(flow->session)) {
            give_content(flow);
        } else if (flow->begun < count && smtp_client_session_may_begin(flow->session)) {
            struct smtp_client_content_facts facts = measure(flow, flow->begun);
            flow->given = 0;
            flow->wanted = false;
            expect_int(smtp_client_session_send(flow->session,
                                                &flow->messages[flow->begun].envelope, &facts,
                                                flow->now_ns),
                       SMTP_OK);
            flow->begun++;
        } else {
            return;
        }
    }
}

size_t flow_write(struct flow *flow, size_t octets)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    size_t before = flow->said.len;
    while (flow->said.len - before < octets &&
           smtp_client_session_pending(flow->session, parts) > 0) {
        size_t left = octets - (flow->said.len - before);
        size_t len = parts[0].len < left ? parts[0].len : left;
        expect_int(smtp_buffer_append(&flow->said, parts[0].bytes, len), SMTP_OK);
        smtp_client_session_sent(flow->session, len, flow->now_ns);
        flow_go_on(flow);
    }
    return flow->said.len - before;
}

void flow_hear(struct flow *flow, const char *octets, size_t len, size_t piece)
{
    while (len > 0 && !smtp_client_session_ended(flow->session)) {
        size_t part = piece > 0 && piece < len ? piece : len, used = 0;
        smtp_client_session_receive(flow->session, octets, part, &used, flow->now_ns);
        take_events(flow);
        octets += used;
        len -= used;
    }
    if (len > 0) {
        FLOW_FAIL(flow, "%zu octets of the server were not taken", len);
    }
    flow_go_on(flow);
}

static void say_hello(struct flow *flow)
{
    char reply[400] = "250-mx.test\r\n";
    size_t len = strlen(reply);
    for (const char *at = flow->of->offered; *at != '\0'; at += strcspn(at, "\n") + 1) {
        len += (size_t)snprintf(reply + len, sizeof(reply) - len, "250-%.*s\r\n",
                                (int)strcspn(at, "\n"), at);
    }
    snprintf(reply + len, sizeof(reply) - len, "250 HELP\r\n");
    struct smtp_client_command hello = {.verb = smtp_client_session_hello_verb(flow->session),
                                        .kind = SMTP_CLIENT_DOMAIN,
                                        .argument = "client.test"};
    expect_int(smtp_client_session_command(flow->session, SMTP_STAGE_EHLO, &hello, flow->now_ns),
               SMTP_OK);
    (void)flow_write(flow, SIZE_MAX);
    struct smtp_span said = smtp_buffer_span(&flow->said);
    const char *line = flow->of->lmtp ? "LHLO client.test\r\n" : "EHLO client.test\r\n";
    expect_bytes(said.bytes, said.len, line, strlen(line));
    smtp_buffer_take(&flow->said, said.len);
    flow_hear(flow, reply, strlen(reply), 0);
}

void flow_open(struct flow *flow, const struct flow_of *of, const char *what)
{
    *flow = (struct flow){.of = of, .what = what, .now_ns = 1, .said = SMTP_BUFFER(1 << 24)};
    smtp_client_options_init(&flow->options);
    flow->options.long_lines = true;
    flow->options.chunking = !of->no_chunking;
    flow->options.chunk_octets = of->chunk_octets > 0 ? of->chunk_octets : 1048576;
    flow->session = smtp_client_session_new(&flow->options);
    expect_true(flow->session != NULL);
    for (size_t i = 0; i < FLOW_MESSAGES; i++) {
        set_envelope(flow, i);
    }
    flow->begun = FLOW_MESSAGES; /* not before hello */
    if (of->lmtp) {
        smtp_client_session_open_lmtp(flow->session, flow->now_ns, SMTP_NEVER);
    } else {
        smtp_client_session_open(flow->session, flow->now_ns, SMTP_NEVER);
    }
    flow_hear(flow, "220 mx.test\r\n", 13, 0);
    say_hello(flow);
    flow->begun = of->by_steps ? 1 : 0;
    flow->results[0] = '\0';
    flow_go_on(flow);
}

void flow_close(struct flow *flow)
{
    smtp_client_session_free(flow->session);
    smtp_buffer_free(&flow->said);
}

/* ---- dialogues ---- */

static void expect_said(struct flow *flow, const char *line, size_t len)
{
    (void)flow_write(flow, SIZE_MAX);
    const char *said = smtp_buffer_span(&flow->said).bytes + flow->compared;
    size_t there = flow->said.len - flow->compared;
    if (there < len + 2 || memcmp(said, line, len) != 0 || memcmp(said + len, "\r\n", 2) != 0) {
        FLOW_FAIL(flow, "expected C: %.*s, came \"%.*s\"", (int)len, line,
                  (int)(there < 200 ? there : 200), said);
    }
    flow->compared += len + 2;
}

static void expect_no_more(struct flow *flow)
{
    (void)flow_write(flow, SIZE_MAX);
    if (flow->compared < flow->said.len) {
        FLOW_FAIL(flow, "it sent \"%.*s\" too early", (int)(flow->said.len - flow->compared),
                  smtp_buffer_span(&flow->said).bytes + flow->compared);
    }
}

static const char *say(struct flow *flow, const char *at, size_t piece)
{
    char octets[2000];
    size_t len = 0;
    expect_no_more(flow);
    while (strncmp(at, "S: ", 3) == 0) {
        size_t line = strcspn(at, "\n");
        len +=
            (size_t)snprintf(octets + len, sizeof(octets) - len, "%.*s\r\n", (int)line - 3, at + 3);
        at += line + 1;
    }
    flow_hear(flow, octets, len, piece);
    return at;
}

void flow_play(struct flow *flow, const char *lines, size_t piece)
{
    for (const char *at = lines; *at != '\0';) {
        size_t line = strcspn(at, "\n");
        if (strncmp(at, "S: ", 3) == 0) {
            at = say(flow, at, piece);
            continue;
        }
        if (strncmp(at, "C: ", 3) == 0) {
            expect_said(flow, at + 3, line - 3);
        } else if (strncmp(at, "[close]", 7) == 0) {
            expect_no_more(flow);
            smtp_client_session_lost(flow->session);
        } else {
            expect_no_more(flow);
            flow->now_ns = smtp_client_session_deadline_ns(flow->session);
            expect_true(flow->now_ns != SMTP_NEVER);
            smtp_client_session_expire(flow->session, flow->now_ns - 1);
            expect_true(!smtp_client_session_ended(flow->session));
            smtp_client_session_expire(flow->session, flow->now_ns);
        }
        flow_go_on(flow);
        at += line + 1;
    }
    expect_no_more(flow);
}

void flow_compare(const struct flow_dialogue *dialogue, const struct flow_of *of, size_t piece)
{
    struct flow flow;
    flow_open(&flow, of, dialogue->what);
    flow_play(&flow, dialogue->lines, piece);
    if (strcmp(flow.results, dialogue->results) != 0) {
        FLOW_FAIL(&flow, "expected %s, came %s", dialogue->results, flow.results);
    }
    if (smtp_client_session_ended(flow.session) != dialogue->ended) {
        FLOW_FAIL(&flow, "the session %s", dialogue->ended ? "goes on" : "ended");
    }
    flow_close(&flow);
}
