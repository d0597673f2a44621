/* asked.c - see asked.h. */
#include "tests/unit/client/asked.h"

#include "common/deadline.h"
#include "tests/support/test.h"

#include <stdio.h>

static void take_pending(struct smtp_client_session *session, char *said, size_t size)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    size_t len = 0;
    while (smtp_client_session_pending(session, parts) > 0) {
        expect_true(len + parts[0].len < size);
        memcpy(said + len, parts[0].bytes, parts[0].len);
        len += parts[0].len;
        smtp_client_session_sent(session, parts[0].len, 0);
    }
    said[len] = '\0';
}

static void hear(struct smtp_client_session *session, const char *reply)
{
    struct smtp_client_event event;
    size_t used = 0;
    smtp_client_session_receive(session, reply, strlen(reply), &used, 0);
    expect_true(smtp_client_session_next_event(session, &event));
}

static void write_reply(char *out, size_t size, const char *offered)
{
    size_t len = (size_t)snprintf(out, size, "250-x\r\n");
    for (const char *at = offered; *at != '\0';) {
        size_t line = strcspn(at, "\n");
        len += (size_t)snprintf(out + len, size - len, "250-%.*s\r\n", (int)line, at);
        at += at[line] == '\n' ? line + 1 : line;
    }
    snprintf(out + len, size - len, "250 PIPELINING\r\n");
}

static void say_hello(struct smtp_client_session *session, const char *offered)
{
    char reply[2048], said[512];
    struct smtp_client_command hello = {.verb = offered != NULL ? "EHLO " : "HELO ",
                                        .kind = SMTP_CLIENT_DOMAIN,
                                        .argument = "client.test"};
    enum smtp_client_stage stage = offered != NULL ? SMTP_STAGE_EHLO : SMTP_STAGE_HELO;
    expect_int(smtp_client_session_command(session, stage, &hello, 0), SMTP_OK);
    take_pending(session, said, sizeof(said));
    if (offered != NULL) {
        write_reply(reply, sizeof(reply), offered);
    }
    hear(session, offered != NULL ? reply : "250 x\r\n");
}

struct asked ask_envelope(const struct asked_of *of, const struct smtp_envelope *envelope)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.chunking = false; /* a group ends with DATA */
    options.tls.insecure = of->insecure;
    options.tls.context = of->own_context ? (struct ssl_ctx_st *)&options : NULL;
    struct smtp_client_session *session = smtp_client_session_new(&options);
    expect_true(session != NULL);
    smtp_client_session_open(session, 0, SMTP_NEVER);
    if (of->tls) {
        smtp_client_session_tls_started(session, true, 0);
    }
    hear(session, "220 x\r\n");
    say_hello(session, of->offered);
    struct smtp_client_content_facts facts = {.bits = SMTP_CLIENT_SEVEN_BIT};
    struct asked asked = {.said = ""};
    asked.status = smtp_client_session_send(session, envelope, &facts, 0);
    take_pending(session, asked.said, sizeof(asked.said));
    snprintf(asked.message, sizeof(asked.message), "%s",
             smtp_client_session_error(session)->message);
    if (asked.status != SMTP_OK) { /* nothing went out, and the session is as it was */
        expect_str(asked.said, "");
        expect_true(!smtp_client_session_ended(session));
    }
    smtp_client_session_free(session);
    return asked;
}

static const char *const bob[] = {"bob@y"};

struct asked ask_mail(const struct asked_of *of, const struct smtp_mail_options *mail)
{
    struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 1, .mail = mail};
    return ask_envelope(of, &envelope);
}

struct asked ask_rcpt(const struct asked_of *of, const struct smtp_rcpt_options *rcpt)
{
    struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 1, .rcpt = rcpt};
    return ask_envelope(of, &envelope);
}

struct asked ask_paths(const char *offered, const char *reverse_path, const char *forward_path,
                       const struct smtp_mail_options *mail)
{
    struct asked_of of = {.offered = offered};
    struct smtp_envelope envelope = {.reverse_path = reverse_path,
                                     .forward_paths = &forward_path,
                                     .forward_path_count = 1,
                                     .mail = mail};
    return ask_envelope(&of, &envelope);
}
