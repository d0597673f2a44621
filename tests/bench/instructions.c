/* instructions.c - one core alone, without sockets, clocks or a peer that thinks: what valgrind counts of it is what
 * the core costs. tests/bench/instructions.py subtracts the count of a run from that of a longer one.
 *     instructions server|client step|pipelined|bdat COUNT
 * Messages of 1 KiB to one recipient, over one session. The server's are dropped when they were accepted; the client's
 * content is measured first, as smtp_client_send does.
 * Knows: what the other end would say, word for word. Does not know: how anything is counted. */
#include "client/content_source.h"
#include "client/protocol/session.h"
#include "common/deadline.h"
#include "tests/bench/server_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTENT_OCTETS 1024
#define LINE_OCTETS 64
#define NOW_NS 1000000000u
#define PARTS_MAX 4 /* the most that either end says or hears of one message */

enum way { STEP, PIPELINED, BDAT, WAYS };

static void fail(const char *what)
{
    fprintf(stderr, "instructions: %s\n", what);
    exit(1);
}

static void fill_content(char content[CONTENT_OCTETS])
{
    memset(content, 'x', CONTENT_OCTETS);
    for (size_t end = LINE_OCTETS; end <= CONTENT_OCTETS; end += LINE_OCTETS) {
        memcpy(content + end - 2, "\r\n", 2);
    }
}

/* ---- the server's core ---- */

#define MAIL "MAIL FROM:<ann@example.com> SIZE=1024\r\n"
#define RCPT "RCPT TO:<bob@example.com>\r\n"

/* What comes in one read each; "" stands for the content and its dot, and BDAT has the content behind it. */
static const char *const said[WAYS][PARTS_MAX + 1] = {
    [STEP] = {MAIL, RCPT, "DATA\r\n", ""},
    [PIPELINED] = {MAIL RCPT "DATA\r\n", ""},
    [BDAT] = {MAIL RCPT "BDAT 1024 LAST\r\n"},
};

struct server_end {
    struct smtp_server_session *session;
    size_t accepted;
};

static void hear(struct server_end *end, const char *bytes, size_t len)
{
    struct smtp_server_event event;
    for (size_t at = 0; at < len;) {
        at += smtp_server_session_receive(end->session, bytes + at, len - at, NOW_NS);
        while (smtp_server_session_next_event(end->session, &event)) {
            if (event.kind != SMTP_SERVER_ASK_MESSAGE) {
                fail("the server asked about something else");
            }
            smtp_message_release(event.message);
            end->accepted++;
            smtp_server_session_answer(end->session, SMTP_ACCEPT, NULL, NOW_NS);
        }
    }
    struct smtp_span replies = smtp_server_session_pending(end->session);
    if (replies.len == 0 || replies.bytes[0] > '3') {
        fail("the server refused something");
    }
    smtp_server_session_sent(end->session, replies.len);
}

/* What comes in one read. */
struct octets {
    char bytes[2 * CONTENT_OCTETS];
    size_t len;
};

static size_t prepare(struct octets reads[PARTS_MAX], enum way way)
{
    char content[CONTENT_OCTETS];
    size_t count = 0;
    fill_content(content);
    for (; said[way][count] != NULL; count++) {
        const char *text = said[way][count];
        bool alone = text[0] == '\0', holds_content = alone || way == BDAT;
        int len = snprintf(reads[count].bytes, sizeof reads[count].bytes, "%s%.*s%s", text,
                           holds_content ? CONTENT_OCTETS : 0, content, alone ? ".\r\n" : "");
        reads[count].len = (size_t)len;
    }
    return count;
}

static void run_server(enum way way, size_t count)
{
    static const char ehlo[] = "EHLO client.example\r\n";
    struct smtp_server_session_config config;
    struct octets reads[PARTS_MAX];
    size_t read_count = prepare(reads, way);
    struct server_end end = {.session = server_core_open(&config, NOW_NS)};
    if (end.session == NULL) {
        fail("out of memory");
    }
    hear(&end, ehlo, strlen(ehlo));
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < read_count; k++) {
            hear(&end, reads[k].bytes, reads[k].len);
        }
    }
    smtp_server_session_free(end.session);
    if (end.accepted != count) {
        fail("the server accepted too few");
    }
}

/* ---- the client's core ---- */

/* What answers each write. */
static const char *const heard[WAYS][PARTS_MAX + 1] = {
    [STEP] = {"250 2.1.0 Sender accepted\r\n", "250 2.1.5 Recipient accepted\r\n",
              "354 End data with <CRLF>.<CRLF>\r\n", "250 2.0.0 Message accepted\r\n"},
    [PIPELINED] = {"250 2.1.0 Sender accepted\r\n250 2.1.5 Recipient accepted\r\n"
                   "354 End data with <CRLF>.<CRLF>\r\n",
                   "250 2.0.0 Message accepted\r\n"},
    [BDAT] = {"250 2.1.0 Sender accepted\r\n250 2.1.5 Recipient accepted\r\n"
              "250 2.0.0 Message accepted\r\n"},
};

static const char *const offers[WAYS] = {
    [STEP] = "250-mx.test\r\n250 SIZE 1000000\r\n",
    [PIPELINED] = "250-mx.test\r\n250-PIPELINING\r\n250 SIZE 1000000\r\n",
    [BDAT] = "250-mx.test\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE 1000000\r\n",
};

/* As connection.c does: content where it is taken, then all that is pending in one write. */
static void write_all(struct smtp_client_session *session, struct smtp_span content)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    size_t len = 0;
    if (smtp_client_session_takes_content(session)) {
        smtp_client_session_content_whole(session, content, NOW_NS);
        if (smtp_client_session_content_end(session, NOW_NS) != SMTP_OK) {
            fail("the client takes no end of content");
        }
    }
    int count = smtp_client_session_pending(session, parts);
    for (int i = 0; i < count; i++) {
        len += parts[i].len;
    }
    if (len == 0) {
        fail("the client has nothing to say");
    }
    smtp_client_session_sent(session, len, NOW_NS);
}

/* Whether the transaction, or the command, is over. */
static bool answer(struct smtp_client_session *session, const char *replies, size_t len)
{
    struct smtp_client_event event;
    bool over = false;
    for (size_t at = 0, used = 0; at < len; at += used) {
        smtp_client_session_receive(session, replies + at, len - at, &used, NOW_NS);
        while (smtp_client_session_next_event(session, &event)) {
            over = event.kind != SMTP_CLIENT_EVENT_CONTENT_WANTED;
            if (over && event.status != SMTP_OK) {
                fail("the client did not get through");
            }
        }
    }
    return over;
}

static void greet(struct smtp_client_session *session, enum way way)
{
    static const char greeting[] = "220 mx.test ESMTP\r\n";
    struct smtp_client_command ehlo = {
        .verb = "EHLO ", .kind = SMTP_CLIENT_DOMAIN, .argument = "client.example"};
    smtp_client_session_open(session, NOW_NS, SMTP_NEVER);
    (void)answer(session, greeting, strlen(greeting));
    if (smtp_client_session_command(session, SMTP_STAGE_EHLO, &ehlo, NOW_NS) != SMTP_OK) {
        fail("the client does not say EHLO");
    }
    write_all(session, SMTP_SPAN(""));
    (void)answer(session, offers[way], strlen(offers[way]));
}

static void send_one(struct smtp_client_session *session, const struct smtp_content *content,
                     const char *const *replies)
{
    static const char *const recipients[] = {"bob@example.com"};
    const struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = recipients, .forward_path_count = 1};
    struct smtp_client_source source;
    struct smtp_error error;
    smtp_client_source_init(&source, content);
    if (smtp_client_source_measure(&source, &error) != SMTP_OK ||
        !smtp_client_session_takes_whole(session, &source.facts) ||
        smtp_client_session_send(session, &envelope, &source.facts, NOW_NS) != SMTP_OK) {
        fail("the client takes no message");
    }
    bool over = false;
    for (; *replies != NULL; replies++) {
        write_all(session, (struct smtp_span){content->from.memory.bytes, CONTENT_OCTETS});
        over = answer(session, *replies, strlen(*replies));
    }
    if (!over || smtp_client_session_result(session)->accepted_count != 1) {
        fail("the client was not done");
    }
}

static void run_client(enum way way, size_t count)
{
    struct smtp_client_options options;
    char bytes[CONTENT_OCTETS];
    smtp_client_options_init(&options);
    struct smtp_client_session *session = smtp_client_session_new(&options);
    if (session == NULL) {
        fail("out of memory");
    }
    fill_content(bytes);
    const struct smtp_content content = smtp_content_memory(bytes, sizeof bytes);
    greet(session, way);
    for (size_t i = 0; i < count; i++) {
        send_one(session, &content, heard[way]);
    }
    smtp_client_session_free(session);
}

int main(int argc, char **argv)
{
    static const char *const names[WAYS] = {"step", "pipelined", "bdat"};
    enum way way = STEP;
    bool server = argc == 4 && strcmp(argv[1], "server") == 0;
    while (argc == 4 && way < WAYS && strcmp(argv[2], names[way]) != 0) {
        way++;
    }
    if (argc != 4 || way == WAYS || (!server && strcmp(argv[1], "client") != 0)) {
        fputs("usage: instructions server|client step|pipelined|bdat COUNT\n", stderr);
        return 2;
    }
    (server ? run_server : run_client)(way, strtoul(argv[3], NULL, 10));
    return 0;
}
