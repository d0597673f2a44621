/* reply.c - see reply.h. Knows the grammar of a reply; does not know when to give which. */
#include "server/protocol/reply.h"

#include <stdio.h>
#include <string.h>

/* "250-2.1.5 " into line; '-' on all lines but the last (RFC 5321 4.2.1). */
static size_t put_prefix(char *line, int code, bool last, const char *enhanced)
{
    int len = snprintf(line, SMTP_REPLY_LINE_MAX, "%03d%c%s%s", code, last ? ' ' : '-',
                       enhanced != NULL ? enhanced : "", enhanced != NULL ? " " : "");
    return (size_t)len;
}

static size_t put_text(char *line, size_t at, const char *text, size_t len)
{
    for (size_t i = 0; i < len && at < SMTP_REPLY_LINE_MAX - 2; i++) {
        unsigned char c = (unsigned char)text[i];
        line[at++] = smtp_is_control(c) || c > 126 ? '?' : (char)c;
    }
    return at;
}

enum smtp_status smtp_reply_append(struct smtp_buffer *out, int code, const char *enhanced,
                                   const char *text)
{
    for (;;) {
        char line[SMTP_REPLY_LINE_MAX];
        size_t len = strcspn(text, "\n");
        bool last = text[len] == '\0';
        size_t at = put_text(line, put_prefix(line, code, last, enhanced), text, len);
        memcpy(line + at, "\r\n", 2);
        enum smtp_status status = smtp_buffer_append(out, line, at + 2);
        if (status != SMTP_OK || last) {
            return status;
        }
        text += len + 1;
    }
}
