/* captured.c - see captured.h. */
#include "tests/fuzz/captured.h"

#include "server/message.h"
#include "tests/fuzz/fuzz.h"

struct smtp_harness_message *fuzz_captured(struct smtp_span content)
{
    static const char texts[] = "ann@example.com\0\0bob@example.com\0";
    struct smtp_message_envelope envelope = {SMTP_BUFFER(100), SMTP_BUFFER(100), 1};
    const struct smtp_message_origin origin = {2,       "client.test", "127.0.0.1:1",
                                               "ESMTP", "TLSv1.3",     "ann"};
    const uint32_t place = 17;
    fuzz_append(&envelope.texts, texts, sizeof texts);
    fuzz_append(&envelope.places, &place, sizeof place);
    struct smtp_message *message = smtp_message_new(&envelope, &origin, 1);
    FUZZ_HOLDS(message != NULL && smtp_message_append(&message, content.bytes, content.len));
    smtp_message_finish(&message);
    smtp_message_set_number(message, 7);
    smtp_buffer_free(&envelope.texts);
    smtp_buffer_free(&envelope.places);
    struct smtp_harness_message *view = smtp_harness_message_new(message);
    FUZZ_HOLDS(view != NULL);
    return view;
}
