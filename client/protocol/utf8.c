/* utf8.c - see utf8.h: no overlong form, no surrogate, nothing above U+10FFFF. */
#include "client/protocol/utf8.h"

size_t smtp_client_utf8_length(struct smtp_span text)
{
    static const struct {
        unsigned char first, last, second_low, second_high;
        size_t len;
    } forms[] = {
        {0x01, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    const unsigned char *octets = (const unsigned char *)text.bytes;
    for (size_t i = 0; text.len > 0 && i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (octets[0] < forms[i].first || octets[0] > forms[i].last) {
            continue;
        }
        if (forms[i].len > text.len) {
            return 0;
        }
        if (forms[i].len > 1 &&
            (octets[1] < forms[i].second_low || octets[1] > forms[i].second_high)) {
            return 0;
        }
        for (size_t at = 2; at < forms[i].len; at++) {
            if ((octets[at] & 0xC0) != 0x80) {
                return 0;
            }
        }
        return forms[i].len;
    }
    return 0;
}

bool smtp_client_utf8_valid(struct smtp_span text)
{
    while (text.len > 0) {
        size_t len = smtp_client_utf8_length(text);
        if (len == 0) {
            return false;
        }
        text = (struct smtp_span){text.bytes + len, text.len - len};
    }
    return true;
}

bool smtp_client_is_ascii(struct smtp_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.bytes[i] > 127) {
            return false;
        }
    }
    return true;
}
