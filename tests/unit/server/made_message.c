/* made_message.c - see made_message.h. */
#include "tests/unit/server/made_message.h"

#include "server/message.h"
#include "tests/support/test.h"

static void add_text(struct smtp_message_envelope *envelope, const char *text)
{
    expect_int(smtp_buffer_append(&envelope->texts, text, strlen(text) + 1), SMTP_OK);
}

static void add_recipient(struct smtp_message_envelope *envelope, const char *path)
{
    uint32_t place = (uint32_t)envelope->texts.len;
    expect_int(smtp_buffer_append(&envelope->places, &place, sizeof place), SMTP_OK);
    add_text(envelope, path);
    add_text(envelope, "");
    envelope->recipient_count++;
}

static const char *or_usual(const char *text, const char *usual)
{
    return text != NULL ? text : usual;
}

struct smtp_message *made_message(const struct made *made)
{
    struct smtp_message_envelope envelope = {
        .texts = SMTP_BUFFER(1 << 20), .places = SMTP_BUFFER(1 << 20), .recipient_count = 0};
    struct smtp_message_origin origin = {
        .session = 7,
        .helo = or_usual(made->helo, "client.example"),
        .peer = or_usual(made->peer, "192.0.2.1:40112"),
        .protocol = or_usual(made->protocol, "ESMTP"),
        .tls = "",
        .identity = "",
    };
    add_text(&envelope, or_usual(made->from, "ann@example.com"));
    add_text(&envelope, or_usual(made->parameters, ""));
    add_recipient(&envelope, or_usual(made->to[0], "bob@example.com"));
    for (size_t i = 1; i < sizeof made->to / sizeof *made->to && made->to[i] != NULL; i++) {
        add_recipient(&envelope, made->to[i]);
    }
    struct smtp_message *message = smtp_message_new(&envelope, &origin, 0);
    smtp_buffer_free(&envelope.texts);
    smtp_buffer_free(&envelope.places);
    expect_true(message != NULL);
    const char *content = or_usual(made->content, "");
    expect_true(
        smtp_message_append(&message, content, made->len > 0 ? made->len : strlen(content)));
    smtp_message_finish(&message);
    smtp_message_set_number(message, made->number);
    return message;
}

struct smtp_server_session_info made_session(void **user)
{
    return (struct smtp_server_session_info){.number = 7,
                                             .hostname = "server.example",
                                             .peer = "192.0.2.1:40112",
                                             .proxy = "",
                                             .helo = "client.example",
                                             .protocol = "ESMTP",
                                             .identity = "",
                                             .user = user};
}
