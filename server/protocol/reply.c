/* reply.c - see reply.h. Knows the grammar of a reply; does not know when to give which. */
#include "server/protocol/reply.h"

#include "common/utf8.h"

#include <string.h>

/* "250-2.1.5 ", len octets; '-' on all lines but the last (RFC 5321 4.2.1). Without snprintf, which
 * took half of what a reply costs. */
static void put_prefix(char *line, int code, bool last, const char *enhanced, size_t len)
{
    int tens = code / 10, hundreds = tens / 10;
    line[0] = (char)('0' + hundreds);
    line[1] = (char)('0' + tens - hundreds * 10);
    line[2] = (char)('0' + code - tens * 10);
    line[3] = last ? ' ' : '-';
    if (enhanced != NULL) {
        memcpy(line + 4, enhanced, len - 5);
        line[len - 1] = ' ';
    }
}

/* Nearly every text is as it should be, and copied at once. */
static void put_text(char *line, const char *text, size_t len)
{
    memcpy(line, text, len);
    if (smtp_is_printable((struct smtp_span){text, len})) {
        return;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line[i];
        line[i] = (char)(c < ' ' || c > '~' ? '?' : c);
    }
}

/* The same with UTF-8 as it is, and cut between characters: at most `room` octets of len. Returns how
 * many. */
static size_t put_utf8(char *line, const char *text, size_t len, size_t room)
{
    size_t at = 0;
    while (at < room) {
        size_t more = smtp_utf8_sequence((struct smtp_span){text + at, len - at});
        if (more > room - at) {
            break;
        }
        if (more == 0) {
            put_text(line + at, text + at, 1);
            at++;
        } else {
            memcpy(line + at, text + at, more);
            at += more;
        }
    }
    return at;
}

enum smtp_status smtp_reply_append(struct smtp_buffer *out, int code, const char *enhanced,
                                   const char *text, bool utf8)
{
    size_t prefix_len = 4 + (enhanced != NULL ? strlen(enhanced) + 1 : 0);
    size_t room = SMTP_REPLY_LINE_MAX - 2 - prefix_len;
    for (;;) {
        size_t len = (size_t)(strchrnul(text, '\n') - text);
        size_t put = len < room ? len : room;
        char *line = smtp_buffer_reserve(out, prefix_len + put + 2);
        if (line == NULL) {
            return SMTP_NO_MEMORY;
        }
        bool last = text[len] == '\0';
        put_prefix(line, code, last, enhanced, prefix_len);
        if (utf8) {
            put = put_utf8(line + prefix_len, text, len, put);
        } else {
            put_text(line + prefix_len, text, put);
        }
        memcpy(line + prefix_len + put, "\r\n", 2);
        smtp_buffer_added(out, prefix_len + put + 2);
        if (last) {
            return SMTP_OK;
        }
        text += len + 1;
    }
}
