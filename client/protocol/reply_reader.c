/* reply_reader.c - takes replies apart (RFC 5321 4.2, RFC 2034 4).
 * Knows: reply lines, continuation, enhanced status codes, the bounds of a reply; each octet is
 * looked at once, however the input is split. Does not know: which command a reply answers, or what
 * its code means. */
#include "client/protocol/reply_reader.h"

#include "common/error.h"

#include <string.h>

void smtp_client_reply_reader_init(struct smtp_client_reply_reader *reader)
{
    *reader = (struct smtp_client_reply_reader){
        .line = SMTP_BUFFER(SMTP_CLIENT_REPLY_LINE_MAX),
        .text = SMTP_BUFFER(SMTP_CLIENT_REPLY_MAX + 1), /* and its NUL */
    };
}

void smtp_client_reply_reader_clear(struct smtp_client_reply_reader *reader)
{
    smtp_buffer_free(&reader->line);
    smtp_buffer_free(&reader->text);
}

void smtp_client_reply_reader_restart(struct smtp_client_reply_reader *reader)
{
    smtp_buffer_clear(&reader->line, SMTP_CLIENT_REPLY_LINE_MAX);
    smtp_buffer_clear(&reader->text, SMTP_CLIENT_REPLY_LINE_MAX);
    reader->code = 0;
    reader->enhanced = (struct smtp_enhanced_code){0};
    reader->lines = 0;
    reader->octets = 0;
    reader->complete = false;
}

/* 0: no code. RFC 5321 4.2 has the second digit in 0..5; an unknown one is judged by the first. */
static int read_code(struct smtp_span line)
{
    if (line.len < 3 || line.bytes[0] < '2' || line.bytes[0] > '5' ||
        !smtp_is_digit((unsigned char)line.bytes[1]) ||
        !smtp_is_digit((unsigned char)line.bytes[2])) {
        return 0;
    }
    return (line.bytes[0] - '0') * 100 + (line.bytes[1] - '0') * 10 + (line.bytes[2] - '0');
}

/* One to three digits at *at; -1: none. */
static int read_number(struct smtp_span text, size_t *at)
{
    int value = 0;
    size_t start = *at;
    while (*at < text.len && *at - start < 3 && smtp_is_digit((unsigned char)text.bytes[*at])) {
        value = value * 10 + (text.bytes[*at] - '0');
        (*at)++;
    }
    return *at > start ? value : -1;
}

/* "X.Y.Z", X the reply's own class, and then a space or the end (RFC 2034 4). Anything else is
 * text. */
static bool take_enhanced(struct smtp_span *text, int class_digit, struct smtp_enhanced_code *out)
{
    if (text->len < 5 || text->bytes[0] - '0' != class_digit || text->bytes[1] != '.') {
        return false;
    }
    size_t at = 2;
    int subject = read_number(*text, &at);
    if (subject < 0 || at >= text->len || text->bytes[at] != '.') {
        return false;
    }
    at++;
    int detail = read_number(*text, &at);
    if (detail < 0 || (at < text->len && text->bytes[at] != ' ')) {
        return false;
    }
    at += at < text->len ? 1 : 0;
    *out = (struct smtp_enhanced_code){class_digit, subject, detail};
    *text = (struct smtp_span){text->bytes + at, text->len - at};
    return true;
}

/* Controls become '?': the text goes into messages and logs, where a CR or ESC would lie. */
static enum smtp_status add_text(struct smtp_client_reply_reader *reader, struct smtp_span text)
{
    char *room = smtp_buffer_reserve(&reader->text, text.len + 2);
    if (room == NULL) {
        return SMTP_NO_MEMORY; /* the bound is guarded by the octet count before */
    }
    size_t made = 0;
    if (reader->lines > 0) {
        room[made++] = '\n';
    }
    smtp_bytes_copy(room + made, text);
    bool printable = smtp_is_printable(text);
    for (size_t i = 0; !printable && i < text.len; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        room[made + i] = (char)(smtp_is_control(c) && c != '\t' ? '?' : c);
    }
    smtp_buffer_added(&reader->text, made + text.len);
    return SMTP_OK;
}

static enum smtp_status violation(struct smtp_error *error, const char *what, struct smtp_span line)
{
    char shown[61];
    size_t len = line.len < sizeof(shown) - 1 ? line.len : sizeof(shown) - 1;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line.bytes[i];
        shown[i] = (char)(smtp_is_control(c) ? '?' : c);
    }
    shown[len] = '\0';
    return smtp_error_set(error, SMTP_PROTOCOL_VIOLATION, 0, "%s: \"%s\"", what, shown);
}

/* One line with its LF. */
static enum smtp_status take_line(struct smtp_client_reply_reader *reader, struct smtp_span line,
                                  struct smtp_error *error)
{
    if (line.len < 2 || line.bytes[line.len - 2] != '\r') {
        line.len--;
        return violation(error, "a reply line ends in LF without CR", line);
    }
    line.len -= 2;
    if (reader->on_line != NULL) {
        reader->on_line(reader->user, line);
    }
    int code = read_code(line);
    if (code == 0) {
        return violation(error, "a reply begins with no code from 200 to 599", line);
    }
    if (reader->lines > 0 && code != reader->code) {
        return violation(error, "the lines of one reply differ in their codes", line);
    }
    if (line.len > 3 && line.bytes[3] != ' ' && line.bytes[3] != '-') {
        return violation(error, "neither space nor hyphen follows a reply code", line);
    }
    struct smtp_span text =
        line.len > 4 ? (struct smtp_span){line.bytes + 4, line.len - 4} : (struct smtp_span){"", 0};
    struct smtp_enhanced_code enhanced = {0};
    if (take_enhanced(&text, code / 100, &enhanced) && reader->lines == 0) {
        reader->enhanced = enhanced;
    }
    if (add_text(reader, text) != SMTP_OK) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for a reply");
    }
    reader->code = code;
    reader->lines++;
    if (line.len > 3 && line.bytes[3] == '-') {
        return SMTP_OK;
    }
    reader->complete = true;
    return smtp_buffer_append(&reader->text, "", 1); /* its NUL */
}

static enum smtp_status check_bounds(const struct smtp_client_reply_reader *reader, size_t piece,
                                     struct smtp_error *error)
{
    if (piece > SMTP_CLIENT_REPLY_LINE_MAX - reader->line.len) {
        return smtp_error_set(error, SMTP_LIMIT_EXCEEDED, 0,
                              "a reply line is longer than %d octets", SMTP_CLIENT_REPLY_LINE_MAX);
    }
    if (piece > SMTP_CLIENT_REPLY_MAX - reader->octets) {
        return smtp_error_set(error, SMTP_LIMIT_EXCEEDED, 0, "a reply is longer than %d octets",
                              SMTP_CLIENT_REPLY_MAX);
    }
    if (reader->lines >= SMTP_CLIENT_REPLY_LINES_MAX) {
        return smtp_error_set(error, SMTP_LIMIT_EXCEEDED, 0, "a reply has more than %d lines",
                              SMTP_CLIENT_REPLY_LINES_MAX);
    }
    return SMTP_OK;
}

/* A line, the rest of one, or a part of one. */
static enum smtp_status take_piece(struct smtp_client_reply_reader *reader, struct smtp_span piece,
                                   bool line_ends, struct smtp_error *error)
{
    enum smtp_status status = check_bounds(reader, piece.len, error);
    if (status != SMTP_OK) {
        return status;
    }
    reader->octets += piece.len;
    if (line_ends && reader->line.len == 0) {
        return take_line(reader, piece, error); /* in place */
    }
    if (smtp_buffer_append(&reader->line, piece.bytes, piece.len) != SMTP_OK) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for a reply");
    }
    if (!line_ends) {
        return SMTP_OK;
    }
    status = take_line(reader, smtp_buffer_span(&reader->line), error);
    smtp_buffer_clear(&reader->line, SMTP_CLIENT_REPLY_LINE_MAX);
    return status;
}

enum smtp_status smtp_client_reply_reader_feed(struct smtp_client_reply_reader *reader,
                                               const char *bytes, size_t len, size_t *used,
                                               struct smtp_error *error)
{
    if (reader->complete) {
        smtp_client_reply_reader_restart(reader);
    }
    enum smtp_status status = SMTP_OK;
    size_t at = 0;
    while (at < len && !reader->complete && status == SMTP_OK) {
        const char *lf = memchr(bytes + at, '\n', len - at);
        size_t piece = lf != NULL ? (size_t)(lf - bytes) + 1 - at : len - at;
        reader->looked_at += piece;
        status = take_piece(reader, (struct smtp_span){bytes + at, piece}, lf != NULL, error);
        at += piece;
    }
    *used = at;
    return status;
}

struct smtp_reply smtp_client_reply_reader_reply(const struct smtp_client_reply_reader *reader)
{
    if (!reader->complete) {
        return (struct smtp_reply){.text = ""};
    }
    return (struct smtp_reply){reader->code, reader->enhanced,
                               smtp_buffer_span(&reader->text).bytes};
}
