/* text.c - escapes octets for people. ASCII only, so that one octet is one column everywhere. */
#include "harness/report/text.h"

#include <string.h>

size_t smtp_text_escape_octet(unsigned char octet, char *text)
{
    static const char named[] = "\rr\nn\tt\\\\";
    const char *name = octet != 0 ? strchr(named, octet) : NULL;
    if (name != NULL && (name - named) % 2 == 0) {
        return (size_t)snprintf(text, 5, "\\%c", name[1]);
    }
    if (octet < 32 || octet > 126) {
        return (size_t)snprintf(text, 5, "\\x%02X", octet);
    }
    return (size_t)snprintf(text, 5, "%c", octet);
}

void smtp_text_escape(FILE *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char text[5];
        size_t text_len = smtp_text_escape_octet((unsigned char)bytes[i], text);
        fwrite(text, 1, text_len, out);
    }
}
