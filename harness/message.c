/* message.c - a captured message as people think of it: decoded header fields, text, parts.
 * Knows: GMime, which is asked once a message, on the thread of the first caller; what came out is
 * copied and GMime's objects are let go. Broken MIME gives less, never a failure: octets that are
 * no header at all are one text part. Does not know: where messages come from, expectations. */
#include "harness/message.h"

#include "harness/mime.h"

#include <gmime/gmime.h>

/* Multiparts inside multiparts deeper than this are one leaf. Real mail has up to about ten; GMime
 * itself stops at 1024. */
#define NESTING_MAX 100

/* What was made of the octets. */
struct parsed {
    bool done;
    GArray *fields; /* struct smtp_harness_field, in the order of the header */
    GArray *parts;  /* struct smtp_harness_part, in the order of the body */
    char *text;     /* NULL: none */
    char *html;
};

struct smtp_harness_message {
    struct smtp_message *captured;
    struct parsed *parsed; /* filled by the first reader */
};

struct smtp_harness_message *smtp_harness_message_new(struct smtp_message *captured)
{
    struct smtp_harness_message *message = calloc(1, sizeof *message);
    struct parsed *parsed = calloc(1, sizeof *parsed);
    if (message == NULL || parsed == NULL) {
        free(message);
        free(parsed);
        return NULL;
    }
    message->captured = captured;
    message->parsed = parsed;
    return message;
}

static void free_field(gpointer at)
{
    struct smtp_harness_field *field = at;
    g_free((gpointer)field->name);
    g_free((gpointer)field->value);
}

static void free_part(gpointer at)
{
    struct smtp_harness_part *part = at;
    g_free((gpointer)part->content_type);
    g_free((gpointer)part->name);
    g_free((gpointer)part->bytes);
}

void smtp_harness_message_free(struct smtp_harness_message *message)
{
    if (message == NULL) {
        return;
    }
    if (message->parsed->done) {
        smtp_harness_mime_enter();
        g_array_unref(message->parsed->fields);
        g_array_unref(message->parsed->parts);
        g_free(message->parsed->text);
        g_free(message->parsed->html);
        smtp_harness_mime_leave();
    }
    free(message->parsed);
    smtp_message_release(message->captured);
    free(message);
}

/* ---- texts ---- */

static void crlf_to_lf(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (from[0] != '\r' || from[1] != '\n') {
            *to++ = *from;
        }
    }
    *to = '\0';
}

static bool is_ascii_or_utf8(const char *charset)
{
    return charset == NULL || g_ascii_strcasecmp(charset, "us-ascii") == 0 ||
           g_ascii_strcasecmp(charset, "utf-8") == 0 || g_ascii_strcasecmp(charset, "utf8") == 0;
}

/* The octets as UTF-8 with LF line ends. Where they are not in the charset they name, or name none
 * and are no UTF-8, they are taken for ISO 8859-1, in which every octet is a letter. */
static char *text_of(GMimeObject *leaf, const struct smtp_harness_part *part)
{
    const char *charset = g_mime_object_get_content_type_parameter(leaf, "charset");
    char *text = NULL;
    if (!is_ascii_or_utf8(charset)) {
        text = g_convert(part->bytes, (gssize)part->size_bytes, "UTF-8",
                         g_mime_charset_iconv_name(charset), NULL, NULL, NULL);
    } else if (g_utf8_validate(part->bytes, -1, NULL)) {
        text = g_strdup(part->bytes);
    }
    if (text == NULL) {
        text = g_convert(part->bytes, (gssize)strlen(part->bytes), "UTF-8", "ISO-8859-1", NULL,
                         NULL, NULL);
    }
    if (text != NULL) {
        crlf_to_lf(text);
    }
    return text;
}

static void keep_text(struct parsed *parsed, GMimeObject *leaf,
                      const struct smtp_harness_part *part)
{
    if (part->attachment) {
        return;
    }
    if (parsed->text == NULL && strcmp(part->content_type, "text/plain") == 0) {
        parsed->text = text_of(leaf, part);
    } else if (parsed->html == NULL && strcmp(part->content_type, "text/html") == 0) {
        parsed->html = text_of(leaf, part);
    }
}

/* ---- parts ---- */

static char *content_type_of(GMimeObject *leaf)
{
    GMimeContentType *type = g_mime_object_get_content_type(leaf);
    char *mixed = type != NULL ? g_mime_content_type_get_mime_type(type) : NULL;
    char *lower = g_ascii_strdown(mixed != NULL ? mixed : "text/plain", -1);
    g_free(mixed);
    return lower;
}

static const char *file_name_of(GMimeObject *leaf)
{
    const char *name = g_mime_object_get_content_disposition_parameter(leaf, "filename");
    return name != NULL ? name : g_mime_object_get_content_type_parameter(leaf, "name");
}

static void write_decoded(GMimeObject *leaf, GMimeStream *out)
{
    if (GMIME_IS_PART(leaf)) {
        GMimeDataWrapper *content = g_mime_part_get_content(GMIME_PART(leaf));
        if (content != NULL) {
            g_mime_data_wrapper_write_to_stream(content, out);
        }
        return;
    }
    if (GMIME_IS_MULTIPART(leaf) && g_mime_multipart_get_count(GMIME_MULTIPART(leaf)) == 0) {
        const char *all = g_mime_multipart_get_prologue(GMIME_MULTIPART(leaf));
        g_mime_stream_write_string(out, all != NULL ? all : "");
        return;
    }
    GMimeFormatOptions *format = g_mime_format_options_new();
    g_mime_format_options_set_newline_format(format, GMIME_NEWLINE_FORMAT_DOS);
    g_mime_object_write_content_to_stream(leaf, format, out);
    g_mime_format_options_free(format);
}

/* The octets the stream holds and a NUL; the stream is let go. */
static char *take_octets(GMimeStream *stream, size_t *len)
{
    GByteArray *octets = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
    *len = octets->len;
    char *bytes = g_malloc(*len + 1);
    smtp_bytes_copy(bytes, (struct smtp_span){(const char *)octets->data, *len});
    bytes[*len] = '\0';
    g_object_unref(stream);
    return bytes;
}

static void add_leaf(struct parsed *parsed, GMimeObject *leaf)
{
    const char *disposition = g_mime_object_get_disposition(leaf);
    struct smtp_harness_part part = {.content_type = content_type_of(leaf)};
    part.name = g_strdup(file_name_of(leaf));
    part.attachment = part.name != NULL ||
                      (disposition != NULL && g_ascii_strcasecmp(disposition, "attachment") == 0);
    GMimeStream *out = g_mime_stream_mem_new();
    write_decoded(leaf, out);
    part.bytes = take_octets(out, &part.size_bytes);
    g_array_append_val(parsed->parts, part);
    keep_text(parsed, leaf, &part);
}

static void add_parts(struct parsed *parsed, GMimeObject *object, int depth)
{
    int count =
        GMIME_IS_MULTIPART(object) ? g_mime_multipart_get_count(GMIME_MULTIPART(object)) : 0;
    if (count == 0 || depth >= NESTING_MAX) {
        add_leaf(parsed, object);
        return;
    }
    for (int i = 0; i < count; i++) {
        add_parts(parsed, g_mime_multipart_get_part(GMIME_MULTIPART(object), i), depth + 1);
    }
}

/* ---- header ---- */

static void add_fields(struct parsed *parsed, GMimeObject *object)
{
    GMimeHeaderList *list = g_mime_object_get_header_list(object);
    for (int i = 0; i < g_mime_header_list_get_count(list); i++) {
        GMimeHeader *header = g_mime_header_list_get_header_at(list, i);
        const char *value = g_mime_header_get_value(header);
        struct smtp_harness_field field = {g_strdup(g_mime_header_get_name(header)),
                                           g_strdup(value != NULL ? value : "")};
        g_array_append_val(parsed->fields, field);
    }
}

/* ---- the whole ---- */

static GMimeMessage *parse(const char *content, size_t len)
{
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(content, len);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
    g_object_unref(parser);
    g_object_unref(stream);
    return message;
}

/* No header: what came is all body. */
static void add_bare_body(struct parsed *parsed, const char *content, size_t len)
{
    GMimeTextPart *leaf = g_mime_text_part_new();
    struct smtp_harness_part part = {.content_type = g_strdup("text/plain"), .size_bytes = len};
    char *bytes = g_malloc(len + 1);
    smtp_bytes_copy(bytes, (struct smtp_span){content, len});
    bytes[len] = '\0';
    part.bytes = bytes;
    g_array_append_val(parsed->parts, part);
    keep_text(parsed, GMIME_OBJECT(leaf), &part);
    g_object_unref(leaf);
}

/* With the lock held. */
static void fill(struct parsed *parsed, const char *content, size_t len)
{
    parsed->fields = g_array_new(FALSE, FALSE, sizeof(struct smtp_harness_field));
    parsed->parts = g_array_new(FALSE, FALSE, sizeof(struct smtp_harness_part));
    g_array_set_clear_func(parsed->fields, free_field);
    g_array_set_clear_func(parsed->parts, free_part);
    GMimeMessage *whole = len > 0 ? parse(content, len) : NULL;
    GMimeObject *body = whole != NULL ? g_mime_message_get_mime_part(whole) : NULL;
    if (whole != NULL) {
        add_fields(parsed, GMIME_OBJECT(whole));
    }
    if (body != NULL) {
        add_fields(parsed, body); /* GMime keeps the Content- fields there */
        add_parts(parsed, body, 0);
    } else {
        add_bare_body(parsed, content, len);
    }
    g_clear_object(&whole);
}

static const struct parsed *parsed_of(const struct smtp_harness_message *message)
{
    struct parsed *parsed = message->parsed;
    if (!parsed->done) {
        size_t len;
        const char *content = smtp_message_content(message->captured, &len);
        smtp_harness_mime_enter();
        fill(parsed, content, len);
        smtp_harness_mime_leave();
        parsed->done = true;
    }
    return parsed;
}

/* ---- readers ---- */

const struct smtp_message *smtp_harness_envelope(const struct smtp_harness_message *message)
{
    return message->captured;
}

const char *smtp_harness_header(const struct smtp_harness_message *message, const char *name)
{
    return smtp_harness_header_at(message, name, 0);
}

const char *smtp_harness_header_at(const struct smtp_harness_message *message, const char *name,
                                   size_t i)
{
    const struct smtp_harness_field *field;
    for (size_t at = 0; (field = smtp_harness_field(message, at)) != NULL; at++) {
        if (g_ascii_strcasecmp(field->name, name) == 0 && i-- == 0) {
            return field->value;
        }
    }
    return NULL;
}

const struct smtp_harness_field *smtp_harness_field(const struct smtp_harness_message *message,
                                                    size_t i)
{
    const struct parsed *parsed = parsed_of(message);
    return i < parsed->fields->len
               ? &g_array_index(parsed->fields, struct smtp_harness_field, (guint)i)
               : NULL;
}

const char *smtp_harness_text(const struct smtp_harness_message *message)
{
    return parsed_of(message)->text;
}

const char *smtp_harness_html(const struct smtp_harness_message *message)
{
    return parsed_of(message)->html;
}

size_t smtp_harness_part_count(const struct smtp_harness_message *message)
{
    return parsed_of(message)->parts->len;
}

const struct smtp_harness_part *smtp_harness_part(const struct smtp_harness_message *message,
                                                  size_t i)
{
    const struct parsed *parsed = parsed_of(message);
    return i < parsed->parts->len
               ? &g_array_index(parsed->parts, struct smtp_harness_part, (guint)i)
               : NULL;
}
