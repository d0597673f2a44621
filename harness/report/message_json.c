/* message_json.c - see message_json.h. */
#include "harness/report/message_json.h"

#include "common/utf8.h"
#include "harness/links.h"
#include "harness/message.h"

#include <glib.h>
#include <stdio.h>
#include <time.h>

#define NS_PER_S 1000000000
#define NS_PER_MS 1000000

/** NULL is null. */
static json_t *text_of(const char *text)
{
    if (text == NULL) {
        return json_null();
    }
    json_t *string = json_string(text);
    if (string == NULL) {
        char *valid = g_utf8_make_valid(text, -1);
        string = json_string_nocheck(valid);
        g_free(valid);
    }
    return string;
}

/** "" is null. */
static json_t *text_or_null(const char *text)
{
    return text_of(*text != '\0' ? text : NULL);
}

static json_t *time_of(int64_t unix_ns)
{
    char day[32] = "", text[48];
    struct tm utc;
    time_t seconds = (time_t)(unix_ns / NS_PER_S);
    if (gmtime_r(&seconds, &utc) != NULL) {
        strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
    }
    snprintf(text, sizeof text, "%s.%03dZ", day, (int)(unix_ns % NS_PER_S / NS_PER_MS));
    return json_string(text);
}

static json_t *recipients_of(const struct smtp_message *envelope)
{
    json_t *list = json_array();
    for (size_t i = 0; i < smtp_message_recipient_count(envelope); i++) {
        json_array_append_new(
            list, json_pack("{s:o, s:o}", "path", text_of(smtp_message_forward_path(envelope, i)),
                            "parameters", text_of(smtp_message_rcpt_parameters(envelope, i))));
    }
    return list;
}

static json_t *links_of(const struct smtp_harness_message *message)
{
    json_t *list = json_array();
    const char *html = smtp_harness_html(message), *text = smtp_harness_text(message);
    struct smtp_harness_link_place place = {0};
    for (bool found = true; found;) {
        struct smtp_harness_lines link = SMTP_HARNESS_LINES;
        found = smtp_harness_link_next(html, text, &place, &link);
        char *taken = smtp_harness_lines_take(&link);
        if (found) {
            json_array_append_new(list, text_of(taken));
        }
        free(taken);
    }
    return list;
}

static json_t *headers_of(const struct smtp_harness_message *message)
{
    json_t *list = json_array();
    const struct smtp_harness_field *field;
    for (size_t i = 0; (field = smtp_harness_field(message, i)) != NULL; i++) {
        json_array_append_new(list, json_pack("{s:o, s:o}", "name", text_of(field->name), "value",
                                              text_of(field->value)));
    }
    return list;
}

static json_t *attachments_of(const struct smtp_harness_message *message)
{
    json_t *list = json_array();
    const struct smtp_harness_part *part;
    for (size_t i = 0; (part = smtp_harness_part(message, i)) != NULL; i++) {
        if (part->attachment) {
            json_array_append_new(list, json_pack("{s:o, s:o, s:I}", "name", text_of(part->name),
                                                  "type", text_of(part->content_type), "size",
                                                  (json_int_t)part->size_bytes));
        }
    }
    return list;
}

static bool add_content(json_t *object, const struct smtp_message *envelope)
{
    struct smtp_span content;
    content.bytes = smtp_message_content(envelope, &content.len);
    if (smtp_is_utf8(content)) {
        return json_object_set_new(object, "content",
                                   json_stringn_nocheck(content.bytes, content.len)) == 0;
    }
    char *base64 = g_base64_encode((const guchar *)content.bytes, content.len);
    json_t *octets = json_string_nocheck(base64);
    g_free(base64);
    return json_object_set_new(object, "content", json_null()) == 0 &&
           json_object_set_new(object, "content_base64", octets) == 0;
}

json_t *smtp_report_message(const struct smtp_harness_message *message, uint64_t number,
                            bool with_content)
{
    const struct smtp_message *envelope = smtp_harness_envelope(message);
    json_t *object = json_pack(
        "{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, "
        "s:o}",
        "number", (json_int_t)number, "session", (json_int_t)smtp_message_session(envelope), "time",
        time_of(smtp_message_received_unix_ns(envelope)), "peer",
        text_of(smtp_message_peer(envelope)), "helo", text_of(smtp_message_helo(envelope)),
        "protocol", text_of(smtp_message_protocol(envelope)), "tls",
        text_or_null(smtp_message_tls(envelope)), "auth",
        text_or_null(smtp_message_identity(envelope)), "from",
        text_of(smtp_message_reverse_path(envelope)), "parameters",
        text_of(smtp_message_mail_parameters(envelope)), "to", recipients_of(envelope), "size",
        (json_int_t)smtp_message_size(envelope), "subject",
        text_of(smtp_harness_header(message, "Subject")), "text",
        text_of(smtp_harness_text(message)), "html", text_of(smtp_harness_html(message)), "links",
        links_of(message), "headers", headers_of(message), "attachments", attachments_of(message));
    if (object != NULL && with_content && !add_content(object, envelope)) {
        json_decref(object);
        return NULL;
    }
    return object;
}
