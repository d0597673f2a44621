/* utf8.c - see utf8.h. Knows how a character lies in octets; does not know which characters there are. */
#include "common/utf8.h"

static bool is_within(unsigned char c, unsigned char from, unsigned char to)
{
    return c >= from && c <= to;
}

/* The second octet tells over-long forms and surrogates; all after it are of 80..BF. */
static bool is_second(unsigned char lead, unsigned char c)
{
    return is_within(c,
                     lead == 0xe0   ? 0xa0
                     : lead == 0xf0 ? 0x90
                                    : 0x80,
                     lead == 0xed   ? 0x9f
                     : lead == 0xf4 ? 0x8f
                                    : 0xbf);
}

size_t smtp_utf8_sequence(struct smtp_span text)
{
    unsigned char lead = text.len > 0 ? (unsigned char)text.bytes[0] : 0;
    size_t len = is_within(lead, 0xc2, 0xdf)   ? 2
                 : is_within(lead, 0xe0, 0xef) ? 3
                 : is_within(lead, 0xf0, 0xf4) ? 4
                                               : 0;
    if (len == 0 || text.len < len || !is_second(lead, (unsigned char)text.bytes[1])) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if (!is_within((unsigned char)text.bytes[i], 0x80, 0xbf)) {
            return 0;
        }
    }
    return len;
}

size_t smtp_utf8_character(struct smtp_span text)
{
    return text.len > 0 && (unsigned char)text.bytes[0] < 128 ? 1 : smtp_utf8_sequence(text);
}

/* Looked for in each path of mail: eight octets a step, the last step over octets seen before. */
bool smtp_has_eight_bit(struct smtp_span text)
{
    uint64_t all = 0, octets = 0;
    if (text.len < sizeof octets) {
        smtp_bytes_copy((char *)&octets, text);
        all = octets;
    } else {
        for (size_t i = 0; i < text.len - sizeof octets; i += sizeof octets) {
            memcpy(&octets, text.bytes + i, sizeof octets);
            all |= octets;
        }
        memcpy(&octets, text.bytes + text.len - sizeof octets, sizeof octets);
        all |= octets;
    }
    return (all & 0x8080808080808080u) != 0;
}

bool smtp_is_utf8(struct smtp_span text)
{
    while (text.len > 0) {
        size_t len = smtp_utf8_character(text);
        if (len == 0) {
            return false;
        }
        text.bytes += len;
        text.len -= len;
    }
    return true;
}
