/* captured.c - see captured.h. */
#include "captured.h"

#include "harness/message.h"
#include "server/message.h"
#include "tests/support/test.h"

static void add_path(struct smtp_message_envelope *envelope, const char *path, bool recipient)
{
    uint32_t place = (uint32_t)envelope->texts.len;
    expect_int(smtp_buffer_append(&envelope->texts, path, strlen(path) + 1), SMTP_OK);
    expect_int(smtp_buffer_append(&envelope->texts, "", 1), SMTP_OK);
    if (recipient) {
        expect_int(smtp_buffer_append(&envelope->places, &place, sizeof place), SMTP_OK);
        envelope->recipient_count++;
    }
}

static struct smtp_harness_message *finish(struct smtp_message_envelope *envelope,
                                           const struct smtp_message_origin *origin,
                                           const char *content, size_t len)
{
    struct smtp_message *message = smtp_message_new(envelope, origin, 16);
    expect_true(message != NULL);
    expect_true(smtp_message_append(&message, content, len));
    smtp_message_finish(&message);
    smtp_message_set_number(message, 7);
    smtp_buffer_free(&envelope->texts);
    smtp_buffer_free(&envelope->places);
    struct smtp_harness_message *view = smtp_harness_message_new(message);
    expect_true(view != NULL);
    return view;
}

struct smtp_harness_message *captured(const char *content, size_t len)
{
    struct smtp_message_envelope envelope = {SMTP_BUFFER(4096), SMTP_BUFFER(4096), 0};
    add_path(&envelope, "ann@example.com", false);
    add_path(&envelope, "bob@example.com", true);
    add_path(&envelope, "\"Carol Jones\"@Example.ORG", true);
    struct smtp_message_origin origin = {2,         "client.test", "127.0.0.1:40112",
                                         "ESMTPSA", "TLSv1.3",     "ann"};
    return finish(&envelope, &origin, content, len);
}

struct smtp_harness_message *captured_from_to(const char *from, const char *to, const char *content,
                                              size_t len)
{
    struct smtp_message_envelope envelope = {SMTP_BUFFER(4096), SMTP_BUFFER(4096), 0};
    add_path(&envelope, from, false);
    add_path(&envelope, to, true);
    struct smtp_message_origin origin = {2, "client.test", "127.0.0.1:40112", "ESMTP", "", ""};
    return finish(&envelope, &origin, content, len);
}
