/* reply.c - see reply.h. Knows the grammar of a reply; does not know when to give which. */
#include "server/protocol/reply.h"

#include <string.h>

/* "250-2.1.5 " into line; '-' on all lines but the last (RFC 5321 4.2.1). Without snprintf, which
 * took half of what a reply costs. */
static size_t put_prefix(char *line, int code, bool last, const char *enhanced)
{
    line[0] = (char)('0' + code / 100 % 10);
    line[1] = (char)('0' + code / 10 % 10);
    line[2] = (char)('0' + code % 10);
    line[3] = last ? ' ' : '-';
    if (enhanced == NULL) {
        return 4;
    }
    size_t len = strlen(enhanced);
    memcpy(line + 4, enhanced, len);
    line[4 + len] = ' ';
    return len + 5;
}

/* Copied first and looked at after: loops so plain that the compiler makes vector code of them. */
static size_t put_text(char *line, size_t at, const char *text, size_t len)
{
    size_t room = SMTP_REPLY_LINE_MAX - 2 - at;
    size_t taken = len < room ? len : room;
    memcpy(line + at, text, taken);
    for (size_t i = at; i < at + taken; i++) {
        unsigned char c = (unsigned char)line[i];
        line[i] = (char)(c < ' ' || c > '~' ? '?' : c);
    }
    return at + taken;
}

enum smtp_status smtp_reply_append(struct smtp_buffer *out, int code, const char *enhanced,
                                   const char *text)
{
    for (;;) {
        char *line = smtp_buffer_reserve(out, SMTP_REPLY_LINE_MAX);
        if (line == NULL) {
            return SMTP_NO_MEMORY;
        }
        size_t len = (size_t)(strchrnul(text, '\n') - text);
        bool last = text[len] == '\0';
        size_t at = put_text(line, put_prefix(line, code, last, enhanced), text, len);
        memcpy(line + at, "\r\n", 2);
        smtp_buffer_added(out, at + 2);
        if (last) {
            return SMTP_OK;
        }
        text += len + 1;
    }
}
