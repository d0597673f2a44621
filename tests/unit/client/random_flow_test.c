/* random_flow_test.c - streams of messages against a server that refuses at random and is lost at random,
 * SMTP and LMTP, DATA and BDAT. The server is a model of its own: it keeps what it accepted, and knows when
 * a command would be out of place. Each round is made from its number alone. */
#include "tests/support/test.h"
#include "tests/unit/client/flow.h"

#include <stdio.h>

#define ROUNDS 6000

struct server {
    uint64_t random;
    const struct flow_of *of;
    size_t read;             /* octets of what the client said */
    struct smtp_buffer says; /* replies */
    size_t heard;            /* of them, by the client */
    bool open;               /* MAIL was accepted */
    bool failed;             /* a chunk was refused: RSET is due */
    bool content;            /* 354 was said */
    size_t accepted;
    size_t to[FLOW_RECIPIENTS]; /* whom, by number */
    size_t content_len;
    char text[100]; /* what came of the content, its beginning */
    bool stored[FLOW_MESSAGES][FLOW_RECIPIENTS];
};

static unsigned pick(struct server *server, unsigned count)
{
    server->random = server->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(server->random >> 33) % count;
}

/* In `of_ten` cases out of ten. */
static bool often(struct server *server, unsigned of_ten)
{
    return pick(server, 10) < of_ten;
}

static bool reply(struct server *server, bool well, int good)
{
    char line[40];
    int code = well ? good : often(server, 5) ? 452 : 554;
    if (often(server, 3)) {
        snprintf(line, sizeof(line), "%d-more\r\n", code);
        expect_int(smtp_buffer_append(&server->says, line, strlen(line)), SMTP_OK);
    }
    snprintf(line, sizeof(line), "%d x\r\n", code);
    expect_int(smtp_buffer_append(&server->says, line, strlen(line)), SMTP_OK);
    return well;
}

static void close_transaction(struct server *server)
{
    server->open = server->failed = server->content = false;
    server->accepted = server->content_len = 0;
}

/* The whole content came: "m2\r\n..." is of message 2. */
static bool end_content(struct server *server)
{
    size_t message = (size_t)(server->text[1] - '0');
    bool any = false;
    size_t finals = server->of->lmtp ? server->accepted : 1;
    expect_true(server->accepted == 0 || message < FLOW_MESSAGES);
    for (size_t i = 0; i < (finals > 0 ? finals : 1); i++) {
        bool well = reply(server, server->accepted > 0 && often(server, 8), 250);
        any = any || well;
        for (size_t k = 0; well && k < server->accepted; k++) {
            server->stored[message][server->to[k]] |= !server->of->lmtp || k == i;
        }
    }
    return any;
}

static void take_content(struct server *server, const char *octets, size_t len)
{
    for (size_t i = 0; i < len && server->content_len + i < sizeof(server->text); i++) {
        server->text[server->content_len + i] = octets[i];
    }
    server->content_len += len;
}

static void chunk(struct server *server, struct smtp_span octets, bool last)
{
    bool fits = server->open && server->accepted > 0 && !server->failed;
    if (!fits) {
        server->failed = true;
        if (!last || !server->of->lmtp || server->accepted > 0) { /* RFC 2033 4.3 */
            (void)reply(server, false, 0);
        }
        return;
    }
    take_content(server, octets.bytes, octets.len);
    if (last && (end_content(server) || server->of->lmtp)) {
        close_transaction(server);
    } else if (last || !reply(server, often(server, 8), 250)) {
        server->failed = true;
    }
}

static void command(struct server *server, const char *line)
{
    if (strncmp(line, "MAIL ", 5) == 0) {
        expect_true(!server->open && !server->failed);
        server->open = reply(server, often(server, 8), 250);
    } else if (strncmp(line, "RCPT ", 5) == 0) {
        bool well = reply(server, server->open && often(server, 7), 250);
        if (well) {
            server->to[server->accepted++] = (size_t)(line[9] - '0');
        }
    } else if (strcmp(line, "DATA") == 0) {
        bool any = server->accepted > 0;
        server->content = reply(server, often(server, any ? 8 : server->of->lmtp ? 0 : 3), 354);
        server->content_len = 0;
    } else if (strcmp(line, "RSET") == 0) {
        (void)reply(server, true, 250);
        close_transaction(server);
    } else {
        SMTP_TEST_FAIL("an unknown command: %s", line);
    }
}

/* Takes one command, chunk, or line of content. False: none is there whole. */
static bool take_one(struct server *server, struct smtp_span said)
{
    struct smtp_span rest = {said.bytes + server->read, said.len - server->read};
    const char *lf = rest.len > 0 ? memchr(rest.bytes, '\n', rest.len) : NULL;
    if (lf == NULL) {
        return false;
    }
    char line[80];
    unsigned long octets = 0;
    size_t len = (size_t)(lf - rest.bytes) + 1;
    expect_true(len >= 2 && len < sizeof(line) && lf[-1] == '\r');
    snprintf(line, sizeof(line), "%.*s", (int)len - 2, rest.bytes);
    if (server->content && strcmp(line, ".") == 0) {
        (void)end_content(server);
        close_transaction(server);
    } else if (server->content) {
        expect_true(server->accepted > 0);
        take_content(server, rest.bytes, len);
    } else if (sscanf(line, "BDAT %lu", &octets) == 1) {
        if (rest.len < len + octets) {
            return false;
        }
        chunk(server, (struct smtp_span){lf + 1, octets}, strstr(line, " LAST") != NULL);
        len += octets;
    } else {
        command(server, line);
    }
    server->read += len;
    return true;
}

/* What the server kept, and what the client says of it. */
static void compare(struct flow *flow, const struct server *server, bool lost)
{
    expect_int(flow->done, flow->begun);
    for (size_t i = 0; i < flow->done; i++) {
        for (size_t k = 0; k < flow->messages[i].envelope.forward_path_count; k++) {
            enum smtp_status status = flow->messages[i].outcomes[k];
            bool unknown = lost && status == SMTP_DELIVERY_UNKNOWN;
            if (!unknown && (status == SMTP_OK) != server->stored[i][k]) {
                FLOW_FAIL(flow, "message %zu, recipient %zu: %s, and the server %s it", i, k,
                          smtp_status_name(status), server->stored[i][k] ? "has" : "has not");
            }
        }
    }
}

static void make(struct server *server, struct flow_of *of)
{
    static const char *const offers[] = {"", "PIPELINING\n", "CHUNKING\n", "PIPELINING\nCHUNKING\n",
                                         "PIPELINING\nCHUNKING\n"};
    static const char *const recipients[] = {"0@x", "0@x 1@x", "0@x 1@x 2@x"};
    static const char *const contents[] = {"m0\n", "m1\r\nabcdefghij\r\n.k\r\n", "m2\n.\nend",
                                           "m3\r\n"};
    *of = (struct flow_of){.offered = offers[pick(server, 5)],
                           .lmtp = often(server, 4),
                           .chunk_octets = often(server, 5) ? 1 + pick(server, 30) : 0,
                           .size_unknown = often(server, 3),
                           .in_one_piece = often(server, 5),
                           .block = 1 + pick(server, 12),
                           .count = FLOW_MESSAGES};
    for (size_t i = 0; i < FLOW_MESSAGES; i++) {
        of->messages[i].recipients = recipients[pick(server, 3)];
        of->messages[i].content = contents[i];
    }
}

static void play(uint64_t number)
{
    struct server server = {.random = number, .says = SMTP_BUFFER(1 << 16)};
    struct flow_of of;
    struct flow flow;
    char what[40];
    snprintf(what, sizeof(what), "round %llu", (unsigned long long)number);
    make(&server, &of);
    server.of = &of;
    flow_open(&flow, &of, what);
    bool may_be_lost = often(&server, 4), lost = false;
    for (unsigned idle = 0; flow.done < FLOW_MESSAGES && !lost && idle < 200; idle++) {
        if (often(&server, 5) && flow_write(&flow, 1 + pick(&server, 60)) > 0) {
            idle = 0;
        }
        while (often(&server, 7) && take_one(&server, smtp_buffer_span(&flow.said))) {
        }
        struct smtp_span says = smtp_buffer_span(&server.says);
        size_t len = says.len - server.heard;
        len = len > 0 ? 1 + pick(&server, (unsigned)len) : 0;
        flow_hear(&flow, says.bytes + server.heard, len, 0);
        server.heard += len;
        idle = len > 0 ? 0 : idle;
        lost = may_be_lost && pick(&server, 60) == 0;
    }
    if (lost) {
        while (take_one(&server, smtp_buffer_span(&flow.said))) {
        }
        smtp_client_session_lost(flow.session);
        flow_go_on(&flow);
    } else if (flow.done < FLOW_MESSAGES || smtp_client_session_ended(flow.session)) {
        FLOW_FAIL(&flow, "stuck, or ended: %s", smtp_client_session_error(flow.session)->message);
    }
    compare(&flow, &server, lost);
    flow_close(&flow);
    smtp_buffer_free(&server.says);
}

TEST(client_random_flow, what_is_said_of_each_recipient_is_what_the_server_has)
{
    for (uint64_t number = 0; number < ROUNDS; number++) {
        play(number);
    }
}
