/* body_test.c - what content is declared as with BODY= (RFC 6152, RFC 3030 3), and what is not sent where the
 * server does not offer it. */
#include "client/protocol/session.h"
#include "common/deadline.h"
#include "tests/support/test.h"

#include <stdio.h>

#define ALL "8BITMIME\nCHUNKING\nBINARYMIME\nPIPELINING\n"

static const char *const bob[] = {"bob@x"};
static const struct smtp_envelope to_bob = {
    .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 1};

static struct smtp_client_session *session_after(const struct smtp_client_options *options,
                                                 const char *offered)
{
    struct smtp_client_session *session = smtp_client_session_new(options);
    struct smtp_client_command ehlo = {
        .verb = "EHLO ", .kind = SMTP_CLIENT_DOMAIN, .argument = "x"};
    struct smtp_client_event event;
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    char reply[200] = "250-x\r\n";
    size_t used, len = strlen(reply);
    for (const char *at = offered; *at != '\0'; at += strcspn(at, "\n") + 1) {
        len += (size_t)snprintf(reply + len, sizeof(reply) - len, "250-%.*s\r\n",
                                (int)strcspn(at, "\n"), at);
    }
    snprintf(reply + len, sizeof(reply) - len, "250 HELP\r\n");
    smtp_client_session_open(session, 0, SMTP_NEVER);
    smtp_client_session_receive(session, "220 x\r\n", 7, &used, 0);
    expect_true(smtp_client_session_next_event(session, &event));
    expect_int(smtp_client_session_command(session, SMTP_STAGE_EHLO, &ehlo, 0), SMTP_OK);
    expect_int(smtp_client_session_pending(session, parts), 1);
    smtp_client_session_sent(session, parts[0].len, 0);
    smtp_client_session_receive(session, reply, strlen(reply), &used, 0);
    expect_true(smtp_client_session_next_event(session, &event));
    return session;
}

struct row {
    const char *offered;
    struct smtp_client_content_facts facts;
    const char *parameters; /* of MAIL; NULL: nothing is sent, and */
    enum smtp_status status;
};

static const struct row rows[] = {
    /* rfc6152/3/body-parameter-declared */
    {ALL, {.body = SMTP_BODY_DETECT}, "", SMTP_OK},
    {ALL, {.body = SMTP_BODY_DETECT, .bits = SMTP_CLIENT_EIGHT_BIT}, " BODY=8BITMIME", SMTP_OK},
    {ALL, {.body = SMTP_BODY_DETECT, .bits = SMTP_CLIENT_BITS_UNKNOWN}, " BODY=8BITMIME", SMTP_OK},
    {"", {.body = SMTP_BODY_DETECT, .bits = SMTP_CLIENT_BITS_UNKNOWN}, "", SMTP_OK},
    {ALL, {.body = SMTP_BODY_8BITMIME}, " BODY=8BITMIME", SMTP_OK},
    {ALL, {.body = SMTP_BODY_7BIT}, " BODY=7BIT", SMTP_OK},
    {"", {.body = SMTP_BODY_7BIT}, "", SMTP_OK},
    {ALL, {.body = SMTP_BODY_BINARYMIME}, " BODY=BINARYMIME", SMTP_OK},
    {ALL,
     {.body = SMTP_BODY_BINARYMIME, .bits = SMTP_CLIENT_EIGHT_BIT},
     " BODY=BINARYMIME",
     SMTP_OK},
    /* rfc6152/3/no-8bit-unless-offered */
    {"CHUNKING\n", {.bits = SMTP_CLIENT_EIGHT_BIT}, NULL, SMTP_UNSUPPORTED},
    {"CHUNKING\n", {.body = SMTP_BODY_8BITMIME}, NULL, SMTP_UNSUPPORTED},
    {ALL, {.body = SMTP_BODY_7BIT, .bits = SMTP_CLIENT_EIGHT_BIT}, NULL, SMTP_BAD_ARGUMENT},
    /* rfc3030/3/binary-only-with-binarymime */
    {"8BITMIME\nCHUNKING\n", {.body = SMTP_BODY_BINARYMIME}, NULL, SMTP_UNSUPPORTED},
    {"8BITMIME\nBINARYMIME\n", {.body = SMTP_BODY_BINARYMIME}, NULL, SMTP_UNSUPPORTED},
    {"", {.body = SMTP_BODY_BINARYMIME}, NULL, SMTP_UNSUPPORTED},
};

TEST(client_body, each_is_declared_where_it_is_offered_and_not_sent_where_it_is_not)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct smtp_client_options options;
        struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS] = {SMTP_SPAN("")};
        char line[80];
        smtp_client_options_init(&options);
        struct smtp_client_session *session = session_after(&options, rows[i].offered);
        expect_int(smtp_client_session_send(session, &to_bob, &rows[i].facts, 0), rows[i].status);
        (void)smtp_client_session_pending(session, parts);
        snprintf(line, sizeof(line), "MAIL FROM:<ann@x>%s\r\n", rows[i].parameters);
        size_t len = rows[i].parameters != NULL ? strlen(line) : 0;
        expect_true(parts[0].len >= len && (len > 0 || parts[0].len == 0));
        expect_bytes(parts[0].bytes, len, line, len);
        smtp_client_session_free(session);
    }
}

/* A high octet that turns up late goes nowhere: in chunks as with DATA. */
TEST(client_body, high_octets_in_a_stream_end_the_session_where_they_may_not_be_rfc6152_3)
{
    static const struct {
        const char *offered;
        enum smtp_body body;
        enum smtp_status status;
    } streams[] = {{"CHUNKING\nPIPELINING\n", SMTP_BODY_DETECT, SMTP_UNSUPPORTED},
                   {ALL, SMTP_BODY_7BIT, SMTP_UNSUPPORTED},
                   {ALL, SMTP_BODY_DETECT, SMTP_OK},
                   {ALL, SMTP_BODY_BINARYMIME, SMTP_OK}};
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        struct smtp_client_content_facts facts = {.bits = SMTP_CLIENT_BITS_UNKNOWN,
                                                  .body = streams[i].body};
        struct smtp_client_options options;
        struct smtp_client_event event;
        smtp_client_options_init(&options);
        struct smtp_client_session *session = session_after(&options, streams[i].offered);
        expect_int(smtp_client_session_send(session, &to_bob, &facts, 0), SMTP_OK);
        expect_true(smtp_client_session_next_event(session, &event));
        expect_int(event.kind, SMTP_CLIENT_EVENT_CONTENT_WANTED);
        expect_int(smtp_client_session_content(session, "seven\r\n", 7, 0), SMTP_OK);
        expect_int(smtp_client_session_content(session, "\xC3\xB6\r\n", 4, 0), streams[i].status);
        expect_int(smtp_client_session_ended(session), streams[i].status != SMTP_OK);
        smtp_client_session_free(session);
    }
}
