/* expect_field.c - the fields of the expectation notation: one row each, and where its values come
 * from. Knows the captured message's readers. Does not know operators. */
#include "harness/expect_term.h"

#include <string.h>

static bool one(const char *text, size_t i, struct smtp_span *out)
{
    if (text == NULL || i > 0) {
        return false;
    }
    *out = smtp_span_of(text);
    return true;
}

#define UNUSED __attribute__((unused))

static bool from(const struct smtp_harness_message *message, UNUSED const char *name, size_t i,
                 struct smtp_span *out)
{
    return one(smtp_message_reverse_path(smtp_harness_envelope(message)), i, out);
}

static bool to(const struct smtp_harness_message *message, UNUSED const char *name, size_t i,
               struct smtp_span *out)
{
    return one(smtp_message_forward_path(smtp_harness_envelope(message), i), 0, out);
}

static bool helo(const struct smtp_harness_message *message, UNUSED const char *name, size_t i,
                 struct smtp_span *out)
{
    return one(smtp_message_helo(smtp_harness_envelope(message)), i, out);
}

static bool protocol(const struct smtp_harness_message *message, UNUSED const char *name, size_t i,
                     struct smtp_span *out)
{
    return one(smtp_message_protocol(smtp_harness_envelope(message)), i, out);
}

static bool tls(const struct smtp_harness_message *message, UNUSED const char *name, size_t i,
                struct smtp_span *out)
{
    return one(smtp_message_tls(smtp_harness_envelope(message)), i, out);
}

static bool auth(const struct smtp_harness_message *message, UNUSED const char *name, size_t i,
                 struct smtp_span *out)
{
    return one(smtp_message_identity(smtp_harness_envelope(message)), i, out);
}

static bool subject(const struct smtp_harness_message *message, UNUSED const char *name, size_t i,
                    struct smtp_span *out)
{
    return one(smtp_harness_header(message, "Subject"), i, out);
}

static bool header(const struct smtp_harness_message *message, const char *name, size_t i,
                   struct smtp_span *out)
{
    return one(smtp_harness_header_at(message, name, i), 0, out);
}

static bool text(const struct smtp_harness_message *message, UNUSED const char *name, size_t i,
                 struct smtp_span *out)
{
    return one(smtp_harness_text(message), i, out);
}

static bool html(const struct smtp_harness_message *message, UNUSED const char *name, size_t i,
                 struct smtp_span *out)
{
    return one(smtp_harness_html(message), i, out);
}

static bool source(const struct smtp_harness_message *message, UNUSED const char *name, size_t i,
                   struct smtp_span *out)
{
    out->bytes = smtp_message_content(smtp_harness_envelope(message), &out->len);
    return i == 0;
}

static bool attachment(const struct smtp_harness_message *message, const char *name, size_t i,
                       struct smtp_span *out)
{
    for (size_t at = 0; at < smtp_harness_part_count(message); at++) {
        const struct smtp_harness_part *part = smtp_harness_part(message, at);
        if (part->name != NULL && strcmp(part->name, name) == 0 && i-- == 0) {
            *out = (struct smtp_span){part->bytes, part->size_bytes};
            return true;
        }
    }
    return false;
}

static uint64_t size(const struct smtp_harness_message *message)
{
    size_t size_bytes;
    smtp_message_content(smtp_harness_envelope(message), &size_bytes);
    return size_bytes;
}

static uint64_t session(const struct smtp_harness_message *message)
{
    return smtp_message_session(smtp_harness_envelope(message));
}

static uint64_t attachments(const struct smtp_harness_message *message)
{
    uint64_t count = 0;
    for (size_t at = 0; at < smtp_harness_part_count(message); at++) {
        count += smtp_harness_part(message, at)->attachment;
    }
    return count;
}

const struct smtp_harness_expect_field smtp_harness_expect_fields[] = {
    {"from", SMTP_HARNESS_FIELD_ADDRESS, false, from, NULL},
    {"to", SMTP_HARNESS_FIELD_ADDRESS, false, to, NULL},
    {"helo", SMTP_HARNESS_FIELD_DOMAIN, false, helo, NULL},
    {"subject", SMTP_HARNESS_FIELD_TEXT, false, subject, NULL},
    {"header", SMTP_HARNESS_FIELD_TEXT, true, header, NULL},
    {"text", SMTP_HARNESS_FIELD_BODY, false, text, NULL},
    {"html", SMTP_HARNESS_FIELD_BODY, false, html, NULL},
    {"source", SMTP_HARNESS_FIELD_TEXT, false, source, NULL},
    {"size", SMTP_HARNESS_FIELD_NUMBER, false, NULL, size},
    {"attachments", SMTP_HARNESS_FIELD_NUMBER, false, NULL, attachments},
    {"attachment", SMTP_HARNESS_FIELD_TEXT, true, attachment, NULL},
    {"protocol", SMTP_HARNESS_FIELD_TEXT, false, protocol, NULL},
    {"tls", SMTP_HARNESS_FIELD_TEXT, false, tls, NULL},
    {"auth", SMTP_HARNESS_FIELD_TEXT, false, auth, NULL},
    {"session", SMTP_HARNESS_FIELD_NUMBER, false, NULL, session},
    {"count", SMTP_HARNESS_FIELD_COUNT, false, NULL, NULL},
    {NULL, SMTP_HARNESS_FIELD_TEXT, false, NULL, NULL},
};
