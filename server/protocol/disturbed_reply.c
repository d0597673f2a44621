/* disturbed_reply.c - see disturbed_reply.h. */
#include "server/protocol/disturbed_reply.h"

#include "server/protocol/reply.h"

void smtp_server_garble(struct smtp_buffer *out, size_t from)
{
    for (size_t i = from; i < out->len; i++) {
        char *octet = out->bytes + out->start + i;
        if (*octet != '\r' && *octet != '\n') {
            *octet = (char)(*octet | 0x80);
        }
    }
}

/* The lines that end one (RFC 5321 4.2.1). */
static size_t count_replies(struct smtp_span octets)
{
    size_t count = 0;
    while (octets.len > 3) {
        const char *lf = memchr(octets.bytes, '\n', octets.len);
        size_t len = lf != NULL ? (size_t)(lf - octets.bytes) + 1 : octets.len;
        count += octets.bytes[3] == ' ';
        octets = (struct smtp_span){octets.bytes + len, octets.len - len};
    }
    return count > 0 ? count : 1;
}

static bool append_reply(struct smtp_buffer *out, const struct smtp_server_reply *reply, bool coded,
                         size_t times)
{
    char of_class[] = {(char)('0' + reply->code / 100), '.', '0', '.', '0', '\0'};
    const char *enhanced = reply->enhanced[0] != '\0'        ? reply->enhanced
                           : coded && reply->code / 100 != 3 ? of_class
                                                             : NULL;
    bool done = true;
    for (size_t i = 0; i < times && done; i++) {
        done = smtp_reply_append(out, reply->code, enhanced, reply->text, true) == SMTP_OK;
    }
    return done;
}

static bool append_words(struct smtp_buffer *out, const struct smtp_server_fault *fault,
                         struct smtp_span own, bool coded, bool rephrased)
{
    const struct smtp_server_reply *reply = &fault->reply;
    if (fault->replaced) {
        size_t len =
            fault->octet_count < sizeof fault->octets ? fault->octet_count : sizeof fault->octets;
        return smtp_buffer_append(out, fault->octets, len) == SMTP_OK;
    }
    if (reply->code != 0 && (reply->code < 400 || rephrased)) {
        return append_reply(out, reply, coded, count_replies(own));
    }
    return smtp_buffer_append(out, own.bytes, own.len) == SMTP_OK;
}

bool smtp_server_disturbed_reply(struct smtp_buffer *out, const struct smtp_server_fault *fault,
                                 struct smtp_span own, bool coded, bool rephrased)
{
    if (fault->silent) {
        return true;
    }
    if (!append_words(out, fault, own, coded, rephrased)) {
        return false;
    }
    if (fault->twice) {
        size_t len = out->len;
        if (smtp_buffer_reserve(out, len) == NULL) {
            return len == 0;
        }
        struct smtp_span once = smtp_buffer_span(out);
        memcpy(out->bytes + out->start + len, once.bytes, len);
        smtp_buffer_added(out, len);
    }
    if (fault->garbled) {
        smtp_server_garble(out, 0);
    }
    if (fault->cut && fault->cut_octets < out->len) {
        out->len = fault->cut_octets;
    }
    return true;
}
