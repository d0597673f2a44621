/* reply.c - the reply a hook gives, made safe to send.
 * Knows: reply codes and enhanced status codes by their form (RFC 5321 4.2, RFC 3463 2).
 * Does not know: sessions, how replies are written. */
#include "common/bytes.h"
#include "server/smtp_server.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CODE_MIN 200
#define CODE_MAX 599
#define CODE_LOCAL_ERROR 451 /* RFC 5321 4.2.3: what a hook's mistake is answered with */

/* One to three digits without leading zeros (RFC 3463 2); returns what follows them, NULL when
 * there are none or more. */
static const char *after_number(const char *at)
{
    size_t digits = 0;
    while (digits < 4 && smtp_is_digit((unsigned char)at[digits])) {
        digits++;
    }
    bool zero_leads = at[0] == '0' && digits > 1;
    return digits >= 1 && digits <= 3 && !zero_leads ? at + digits : NULL;
}

/* class "." subject "." detail, RFC 3463 2; the class must be the reply code's first digit. */
static bool fits_code(const char *enhanced, int code)
{
    if (enhanced[0] != '0' + code / 100 || enhanced[1] != '.') {
        return false;
    }
    const char *at = after_number(enhanced + 2);
    at = at != NULL && *at == '.' ? after_number(at + 1) : NULL;
    return at != NULL && *at == '\0';
}

enum smtp_server_verdict smtp_server_reply(struct smtp_server_reply *reply, int code,
                                           const char *enhanced, const char *format, ...)
{
    reply->code = code >= CODE_MIN && code <= CODE_MAX ? code : CODE_LOCAL_ERROR;
    reply->enhanced[0] = '\0';
    reply->note[0] = '\0';
    if (enhanced != NULL && fits_code(enhanced, reply->code)) {
        snprintf(reply->enhanced, sizeof reply->enhanced, "%s", enhanced);
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reply->text, sizeof reply->text, format, arguments);
    va_end(arguments);
    /* A CR would end the reply line early and let the text write further replies. */
    for (char *at = reply->text; *at != '\0'; at++) {
        if (*at != '\n' && smtp_is_control((unsigned char)*at)) {
            *at = '?';
        }
    }
    return reply->code < 400 ? SMTP_ACCEPT : SMTP_REFUSE;
}
