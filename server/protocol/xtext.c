/* xtext.c - see xtext.h. Does not know what is encoded, nor which parameter it stands in. */
#include "server/protocol/xtext.h"

#include "common/utf8.h"

#define HEXPOINT_DIGITS_MAX 6 /* RFC 6533 3 */

static void skip(struct smtp_span *text, size_t len)
{
    text->bytes += len;
    text->len -= len;
}

static bool is_graphic(int c)
{
    return c > 32 && c < 127;
}

/* ---- xtext ---- */

static int upper_hex_value(char c)
{
    return smtp_is_digit((unsigned char)c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The octet that the text starts with; -1: it starts with no xchar and no hexchar. */
static int take_octet(struct smtp_span *text)
{
    int c = (unsigned char)text->bytes[0];
    if (c != '+') {
        skip(text, 1);
        return is_graphic(c) && c != '=' ? c : -1;
    }
    int high = text->len >= 3 ? upper_hex_value(text->bytes[1]) : -1;
    int low = text->len >= 3 ? upper_hex_value(text->bytes[2]) : -1;
    if (high < 0 || low < 0) {
        return -1;
    }
    skip(text, 3);
    return high * 16 + low;
}

bool smtp_is_xtext(struct smtp_span text)
{
    bool any = text.len > 0;
    while (text.len > 0) {
        int c = take_octet(&text);
        if (!is_graphic(c) && c != ' ') {
            return false;
        }
    }
    return any;
}

bool smtp_xtext_decode(struct smtp_span text, char *out, size_t size)
{
    size_t at = 0;
    while (text.len > 0) {
        int c = take_octet(&text);
        if (c < 0 || smtp_is_control((unsigned char)c) || at + 1 >= size) {
            return false;
        }
        out[at++] = (char)c;
    }
    out[at] = '\0';
    return true;
}

/* ---- addresses in UTF-8 ---- */

static int hex_value(char c)
{
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : upper_hex_value(c);
}

/* Those that may stand as they are: QCHAR. */
static bool is_qchar(uint32_t c)
{
    return c > 32 && c < 127 && c != '\\' && c != '+' && c != '=';
}

/* EmbeddedUnicodeChar = "\x{" HEXPOINT "}", with no more digits than it needs, but two at least: what
 * could stand as it is, and control octets, are not embedded. */
static bool take_embedded(struct smtp_span *text)
{
    static const struct smtp_span opening = {"\\x{", 3};
    uint32_t point = 0;
    size_t digits = 0;
    if (text->len < opening.len ||
        !smtp_span_equal((struct smtp_span){text->bytes, opening.len}, opening)) {
        return false;
    }
    skip(text, opening.len);
    while (digits < text->len && digits < HEXPOINT_DIGITS_MAX &&
           hex_value(text->bytes[digits]) >= 0) {
        point = point * 16 + (uint32_t)hex_value(text->bytes[digits++]);
    }
    bool closed = digits < text->len && text->bytes[digits] == '}';
    bool shortest = digits == 2 || (digits > 2 && text->bytes[0] != '0');
    bool control = point < 32 || point == 127;
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    if (!closed || !shortest || control || surrogate || is_qchar(point) || point > 0x10ffff) {
        return false;
    }
    skip(text, digits + 1);
    return true;
}

bool smtp_is_utf8_address(struct smtp_span text)
{
    bool any = text.len > 0;
    while (text.len > 0) {
        unsigned char c = (unsigned char)text.bytes[0];
        size_t len = is_qchar(c) ? 1 : smtp_utf8_sequence(text);
        if (len > 0) {
            skip(&text, len);
        } else if (!take_embedded(&text)) {
            return false;
        }
    }
    return any;
}
