/* see.c - see see.h. */
#include "harness/conformance/see.h"

#include "harness/message.h"
#include "server/message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *smtp_see_header(struct smtp_check *check)
{
    return smtp_check_text(check,
                           "From: <ann@example.com>\r\nTo: <bob@example.com>\r\nSubject: %s\r\n"
                           "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
                           "Message-ID: <%s@check.example>\r\n\r\n",
                           check->token, check->token);
}

struct smtp_span smtp_see_content(struct smtp_check *check, struct smtp_span body)
{
    const char *header = smtp_see_header(check);
    size_t len = strlen(header);
    char *content = smtp_check_own(check, malloc(len + body.len + 1), free);
    if (content == NULL) {
        return (struct smtp_span){"", 0};
    }
    memcpy(content, header, len);
    smtp_bytes_copy(content + len, body);
    return (struct smtp_span){content, len + body.len};
}

struct smtp_span smtp_see_body(struct smtp_span content)
{
    const char *end = content.len > 0 ? memmem(content.bytes, content.len, "\r\n\r\n", 4) : NULL;
    if (end == NULL) {
        return (struct smtp_span){"", 0};
    }
    size_t at = (size_t)(end - content.bytes) + 4;
    return (struct smtp_span){content.bytes + at, content.len - at};
}

static const struct smtp_message_origin nobody = {
    .helo = "", .peer = "", .protocol = "", .tls = "", .identity = ""};

const char *smtp_see_text(struct smtp_check *check, struct smtp_span content)
{
    static char no_paths[] = "\0";
    const struct smtp_message_envelope none = {.texts = {.bytes = no_paths, .len = 2, .max = 2}};
    const char *kept = "";
    struct smtp_message *message = smtp_message_new(&none, &nobody, content.len);
    if (message == NULL || !smtp_message_append(&message, content.bytes, content.len)) {
        smtp_message_release(message);
        smtp_check_skip(check, "out of memory");
        return kept;
    }
    struct smtp_harness_message *view = smtp_harness_message_new(message);
    if (view == NULL) {
        smtp_message_release(message);
        smtp_check_skip(check, "out of memory");
        return kept;
    }
    const char *text = smtp_harness_text(view);
    kept = smtp_check_text(check, "%s", text != NULL ? text : "");
    smtp_harness_message_free(view);
    return kept;
}

void smtp_see_expect_body(struct smtp_visit *visit, struct smtp_span body)
{
    const struct smtp_visit_message *message = smtp_visit_expect_message(visit);
    if (message != NULL) {
        struct smtp_span came = smtp_see_body(message->content);
        smtp_check_that(visit->check, smtp_span_equal(came, body), "expected the body %s, came %s",
                        smtp_check_show(visit->check, body), smtp_check_show(visit->check, came));
    }
}

const char *smtp_see_bare(struct smtp_span octets)
{
    for (size_t i = 0; i < octets.len; i++) {
        bool is_pair = octets.bytes[i] == '\r' && i + 1 < octets.len && octets.bytes[i + 1] == '\n';
        if (is_pair) {
            i++;
        } else if (octets.bytes[i] == '\r' || octets.bytes[i] == '\n') {
            return octets.bytes + i;
        }
    }
    return NULL;
}

/** The place of the ">" that ends the path; the line's length: none does. */
static size_t end_of_path(struct smtp_span line)
{
    bool quoted = false;
    for (size_t i = 0; i < line.len; i++) {
        if (line.bytes[i] == '\\' && quoted) {
            i++;
        } else if (line.bytes[i] == '"') {
            quoted = !quoted;
        } else if (line.bytes[i] == '>' && !quoted) {
            return i;
        }
    }
    return line.len;
}

struct smtp_span smtp_see_path(struct smtp_span line)
{
    const char *begin = memchr(line.bytes, '<', end_of_path(line));
    size_t at = begin != NULL ? (size_t)(begin - line.bytes) + 1 : 0, end = end_of_path(line);
    return begin != NULL && end < line.len ? (struct smtp_span){begin + 1, end - at}
                                           : (struct smtp_span){"", 0};
}

struct smtp_span smtp_see_parameters(struct smtp_span line)
{
    size_t end = end_of_path(line);
    return end < line.len
               ? smtp_span_trim_start((struct smtp_span){line.bytes + end + 1, line.len - end - 1})
               : (struct smtp_span){"", 0};
}

struct smtp_span smtp_see_value(struct smtp_span line, const char *keyword, size_t *count)
{
    struct smtp_span rest = smtp_see_parameters(line), value = {"", 0};
    size_t len = strlen(keyword);
    for (*count = 0; rest.len > 0;) {
        const char *space = memchr(rest.bytes, ' ', rest.len);
        struct smtp_span word = {rest.bytes,
                                 space != NULL ? (size_t)(space - rest.bytes) : rest.len};
        if (word.len >= len && strncasecmp(word.bytes, keyword, len) == 0 &&
            (word.len == len || word.bytes[len] == '=')) {
            ++*count;
            size_t begin = word.len == len ? len : len + 1;
            value = (struct smtp_span){word.bytes + begin, word.len - begin};
        }
        size_t taken = word.len + (space != NULL);
        rest = (struct smtp_span){rest.bytes + taken, rest.len - taken};
    }
    return value;
}

void smtp_see_no_parameters(struct smtp_visit *visit, const char *name)
{
    for (size_t i = 0; smtp_visit_find(visit, name, i) != NULL; i++) {
        struct smtp_span line = smtp_visit_find(visit, name, i)->line;
        smtp_check_that(visit->check, smtp_see_parameters(line).len == 0,
                        "expected %s without parameters, which nothing offers, came %s", name,
                        smtp_check_show(visit->check, line));
    }
}

struct smtp_visit *smtp_see_answered(struct smtp_check *check, const struct smtp_task *task,
                                     const char *command, const char *reply)
{
    const struct smtp_answer answers[] = {{.command = command, .reply = reply}};
    const struct smtp_script script = {SMTP_SCRIPT(answers),
                                       .keywords = "PIPELINING;8BITMIME;SIZE"};
    static const struct smtp_task plain;
    return smtp_visit(check, task != NULL ? task : &plain, &script);
}

void smtp_see_needs_mail(struct smtp_check *check)
{
    struct smtp_visit *visit = smtp_visit(check, NULL, NULL);
    if (visit != NULL && smtp_visit_count(visit, "MAIL", NULL) == 0) {
        smtp_check_skip(check, "the client sends no MAIL");
    }
}
