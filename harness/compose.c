/* compose.c - see compose.h. Knows: which parts a message has, and how each is encoded. GMime reads the files
 * while it writes, so that nothing is held whole. Does not know: the header's fields (compose_header.c). */
#include "harness/compose.h"

#include "common/error.h"
#include "harness/compose_header.h"
#include "harness/compose_source.h"
#include "harness/mime.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define LINE_MAX_OCTETS 998 /* RFC 5322 2.1.1 */
#define BOUNDARY_DIGITS 24

/* ---- what a file is ---- */

/** By the end of its name. */
static const char *type_of(const char *name)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".txt", "text/plain"},
        {".log", "text/plain"},
        {".md", "text/markdown"},
        {".csv", "text/csv"},
        {".html", "text/html"},
        {".htm", "text/html"},
        {".css", "text/css"},
        {".xml", "application/xml"},
        {".json", "application/json"},
        {".js", "text/javascript"},
        {".ics", "text/calendar"},
        {".vcf", "text/vcard"},
        {".patch", "text/x-patch"},
        {".diff", "text/x-patch"},
        {".pdf", "application/pdf"},
        {".zip", "application/zip"},
        {".gz", "application/gzip"},
        {".tar", "application/x-tar"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".gif", "image/gif"},
        {".svg", "image/svg+xml"},
        {".webp", "image/webp"},
        {".mp3", "audio/mpeg"},
        {".wav", "audio/wav"},
        {".mp4", "video/mp4"},
        {".webm", "video/webm"},
        {".doc", "application/msword"},
        {".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
        {".xls", "application/vnd.ms-excel"},
        {".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
        {".odt", "application/vnd.oasis.opendocument.text"},
        {".ods", "application/vnd.oasis.opendocument.spreadsheet"},
    };
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t end = strlen(types[i].end);
        if (len > end && strcasecmp(name + len - end, types[i].end) == 0) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

/* ---- one part ---- */

static GMimeContentEncoding encoding_of(const struct smtp_harness_compose_facts *facts,
                                        enum smtp_harness_compose_octets octets)
{
    bool lines_fit = facts->longest_line <= LINE_MAX_OCTETS && !facts->has_bare_cr;
    if (lines_fit && facts->high == 0) {
        return GMIME_CONTENT_ENCODING_7BIT;
    }
    if (lines_fit && octets != SMTP_COMPOSE_7BIT) {
        return GMIME_CONTENT_ENCODING_8BIT;
    }
    /* 3 octets for each above 127, or 4 for every 3 */
    return facts->high > facts->octets / 6 ? GMIME_CONTENT_ENCODING_BASE64
                                           : GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
}

/** A stream of a text in which line ends are LF, or CRLF where they are encoded as octets
 *  (RFC 2045 6.8). The source is taken. */
static GMimeStream *with_line_ends(GMimeStream *source, bool crlf)
{
    GMimeStream *filtered = g_mime_stream_filter_new(source);
    GMimeFilter *to_lf = g_mime_filter_dos2unix_new(FALSE);
    g_mime_stream_filter_add(GMIME_STREAM_FILTER(filtered), to_lf);
    g_object_unref(to_lf);
    if (crlf) {
        GMimeFilter *to_crlf = g_mime_filter_unix2dos_new(FALSE);
        g_mime_stream_filter_add(GMIME_STREAM_FILTER(filtered), to_crlf);
        g_object_unref(to_crlf);
    }
    g_object_unref(source);
    return filtered;
}

/** The stream is taken. */
static void set_content(GMimePart *part, GMimeStream *stream, GMimeContentEncoding encoding)
{
    GMimeDataWrapper *content =
        g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);
    g_mime_part_set_content(part, content);
    g_mime_part_set_content_encoding(part, encoding);
    g_object_unref(content);
    g_object_unref(stream);
}

static enum smtp_status check_text(const char *what, const struct smtp_harness_compose_facts *facts,
                                   struct smtp_error *error)
{
    if (facts->utf8 && !facts->has_nul) {
        return SMTP_OK;
    }
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "%s: the text %s; --attach takes any octets",
                          what, facts->has_nul ? "holds a NUL octet" : "is not UTF-8");
}

/** what: the option, for messages. NULL: see *status. */
static GMimeObject *make_text(const struct smtp_harness_compose_text *text, const char *subtype,
                              const char *what, enum smtp_harness_compose_octets octets,
                              enum smtp_status *status, struct smtp_error *error)
{
    int fd;
    struct smtp_harness_compose_facts facts;
    *status = text->path != NULL ? smtp_harness_compose_open(text->path, what, &fd, &facts, error)
                                 : smtp_harness_compose_open_text(text->text, &fd, &facts, error);
    if (*status != SMTP_OK) {
        return NULL;
    }
    *status = check_text(what, &facts, error);
    if (*status != SMTP_OK) {
        close(fd);
        return NULL;
    }
    GMimeContentEncoding encoding = encoding_of(&facts, octets);
    GMimeTextPart *part = g_mime_text_part_new_with_subtype(subtype);
    g_mime_object_set_content_type_parameter(GMIME_OBJECT(part), "charset",
                                             facts.high > 0 ? "utf-8" : "us-ascii");
    set_content(GMIME_PART(part),
                with_line_ends(g_mime_stream_fs_new(fd), encoding == GMIME_CONTENT_ENCODING_BASE64),
                encoding);
    return GMIME_OBJECT(part);
}

static GMimeObject *make_attachment(const char *path, enum smtp_harness_compose_octets octets,
                                    enum smtp_status *status, struct smtp_error *error)
{
    int fd;
    struct smtp_harness_compose_facts facts;
    *status = smtp_harness_compose_open(path, "--attach", &fd, &facts, error);
    if (*status != SMTP_OK) {
        return NULL;
    }
    char *base = strcmp(path, "-") == 0 ? g_strdup("attachment") : g_path_get_basename(path);
    char *name = g_filename_display_name(base); /* UTF-8, whatever the file system has */
    for (char *at = name; *at != '\0'; at++) {
        *at = *at == '\x7f' || (unsigned char)*at < ' ' ? '_' : *at;
    }
    GMimeContentType *type = g_mime_content_type_parse(NULL, type_of(name));
    GMimePart *part = g_mime_part_new();
    g_mime_object_set_content_type(GMIME_OBJECT(part), type);
    if (g_mime_content_type_is_type(type, "text", "*") && facts.utf8) {
        g_mime_object_set_content_type_parameter(GMIME_OBJECT(part), "charset",
                                                 facts.high > 0 ? "utf-8" : "us-ascii");
    }
    g_mime_object_set_disposition(GMIME_OBJECT(part), GMIME_DISPOSITION_ATTACHMENT);
    g_mime_part_set_filename(part, name);
    set_content(part, g_mime_stream_fs_new(fd),
                octets == SMTP_COMPOSE_BINARY ? GMIME_CONTENT_ENCODING_BINARY
                                              : GMIME_CONTENT_ENCODING_BASE64);
    g_object_unref(type);
    g_free(name);
    g_free(base);
    return GMIME_OBJECT(part);
}

/* ---- the whole ---- */

/** Of what fixes the message, so that the same input gives the same. Neither quoted-printable nor base64 can
 *  hold "=_" (RFC 2045 6.7). */
static void set_boundary(GMimeMultipart *multipart, GMimeMessage *message)
{
    char boundary[BOUNDARY_DIGITS + 3];
    char *header = g_mime_object_get_headers(GMIME_OBJECT(message), NULL);
    GChecksum *checksum = g_checksum_new(G_CHECKSUM_SHA256);
    GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(multipart));
    const char *subtype = g_mime_content_type_get_media_subtype(type);
    g_checksum_update(checksum, (const guchar *)header, -1);
    g_checksum_update(checksum, (const guchar *)subtype, -1);
    snprintf(boundary, sizeof boundary, "=_%.*s", BOUNDARY_DIGITS, g_checksum_get_string(checksum));
    g_mime_multipart_set_boundary(multipart, boundary);
    g_checksum_free(checksum);
    g_free(header);
}

/** The parts are taken. */
static GMimeObject *join(GMimeMessage *message, const char *subtype, GMimeObject *first,
                         GMimeObject *second)
{
    GMimeMultipart *multipart = g_mime_multipart_new_with_subtype(subtype);
    set_boundary(multipart, message);
    GMimeObject *parts[] = {first, second};
    for (size_t i = 0; i < 2; i++) {
        if (parts[i] != NULL) {
            g_mime_multipart_add(multipart, parts[i]);
            g_object_unref(parts[i]);
        }
    }
    return GMIME_OBJECT(multipart);
}

static bool is_given(const struct smtp_harness_compose_text *text)
{
    return text->text != NULL || text->path != NULL;
}

/** Text, HTML, or both; NULL: neither, or see *status. */
static GMimeObject *make_body(GMimeMessage *message, const struct smtp_harness_compose *what,
                              enum smtp_status *status, struct smtp_error *error)
{
    static const struct smtp_harness_compose_text nothing = {.text = ""};
    GMimeObject *text = NULL, *html = NULL;
    bool empty = !is_given(&what->text) && !is_given(&what->html) && what->attachments.count == 0;
    *status = SMTP_OK;
    if (is_given(&what->text) || empty) {
        text = make_text(empty ? &nothing : &what->text, "plain", "--text", what->octets, status,
                         error);
    }
    if (*status == SMTP_OK && is_given(&what->html)) {
        html = make_text(&what->html, "html", "--html", what->octets, status, error);
    }
    if (text != NULL && html != NULL) {
        return join(message, "alternative", text, html);
    }
    if (*status != SMTP_OK && text != NULL) {
        g_object_unref(text);
        return NULL;
    }
    return text != NULL ? text : html;
}

static enum smtp_status add_parts(GMimeMessage *message, const struct smtp_harness_compose *what,
                                  struct smtp_error *error)
{
    enum smtp_status status;
    GMimeObject *body = make_body(message, what, &status, error);
    if (status == SMTP_OK && what->attachments.count > 0) {
        body = join(message, "mixed", body, NULL);
    }
    for (size_t i = 0; i < what->attachments.count && status == SMTP_OK; i++) {
        GMimeObject *part =
            make_attachment(what->attachments.items[i], what->octets, &status, error);
        if (part != NULL) {
            g_mime_multipart_add(GMIME_MULTIPART(body), part);
            g_object_unref(part);
        }
    }
    if (body != NULL) {
        g_mime_message_set_mime_part(message, body);
        g_object_unref(body);
    }
    return status;
}

static enum smtp_status write_message(GMimeMessage *message, FILE *out, struct smtp_error *error)
{
    GMimeFormatOptions *format = g_mime_format_options_new();
    GMimeStream *stream = g_mime_stream_file_new(out);
    g_mime_format_options_set_newline_format(format, GMIME_NEWLINE_FORMAT_DOS);
    g_mime_stream_file_set_owner(GMIME_STREAM_FILE(stream), FALSE);
    errno = 0;
    bool written = g_mime_object_write_to_stream(GMIME_OBJECT(message), format, stream) >= 0 &&
                   fflush(out) == 0 && !ferror(out);
    int reason = errno;
    g_object_unref(stream);
    g_mime_format_options_free(format);
    return written ? SMTP_OK
                   : smtp_error_set(error, SMTP_SYSTEM_FAILED, reason,
                                    "the message cannot be written: %s", smtp_errno_text(reason));
}

enum smtp_status smtp_harness_compose(const struct smtp_harness_compose *what, FILE *out,
                                      struct smtp_error *error)
{
    enum smtp_status status = smtp_harness_compose_check(what, error);
    if (status != SMTP_OK) {
        return status;
    }
    smtp_harness_mime_enter();
    GMimeMessage *message = g_mime_message_new(TRUE);
    smtp_harness_compose_add_header(message, what);
    status = add_parts(message, what, error);
    if (status == SMTP_OK) {
        status = write_message(message, out, error);
    }
    g_object_unref(message);
    smtp_harness_mime_leave();
    return status;
}
