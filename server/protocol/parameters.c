/* parameters.c - the parameters of MAIL and RCPT that this server knows: one row a parameter.
 * Knows: which extension has to be on for each, its values, its refusals. Does not know: paths, and
 * what becomes of the transaction. */
#include "server/protocol/state.h"

#include <stdio.h>

#define SIZE_DIGITS_MAX 20 /* RFC 1870 3 */

static void refuse_parameter(struct smtp_server_session *session, struct smtp_span keyword,
                             const char *why)
{
    char text[160];
    snprintf(text, sizeof text, "%.*s: %s", keyword.len > 40 ? 40 : (int)keyword.len, keyword.bytes,
             why);
    smtp_server_session_say(session, 501, "5.5.4", text);
}

static bool all_digits(struct smtp_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!smtp_is_digit((unsigned char)text.bytes[i])) {
            return false;
        }
    }
    return text.len > 0;
}

/* SIZE=n, RFC 1870 6. A number too large for us is over any limit. */
static bool take_size(struct smtp_server_session *session, const struct smtp_parameter *parameter)
{
    uint64_t limit = session->config->limits.message_octets;
    uint64_t declared;
    if (!all_digits(parameter->value) || parameter->value.len > SIZE_DIGITS_MAX) {
        refuse_parameter(session, parameter->keyword, "1 to 20 digits are needed");
        return false;
    }
    if (!smtp_span_to_u64(parameter->value, UINT64_MAX, &declared)) {
        declared = UINT64_MAX;
    }
    if (limit != 0 && declared > limit) {
        smtp_server_session_say(session, 552, "5.3.4", "Message size exceeds the fixed maximum");
        return false;
    }
    session->transaction.declared_octets = declared;
    return true;
}

/* BODY=7BIT or BODY=8BITMIME, RFC 6152 2; BODY=BINARYMIME, RFC 3030 3. */
static bool take_body(struct smtp_server_session *session, const struct smtp_parameter *parameter)
{
    if (smtp_span_equal_nocase(parameter->value, SMTP_SPAN("7BIT")) ||
        smtp_span_equal_nocase(parameter->value, SMTP_SPAN("8BITMIME"))) {
        return true;
    }
    bool binary = session->config->keywords.binary_mime;
    if (binary && smtp_span_equal_nocase(parameter->value, SMTP_SPAN("BINARYMIME"))) {
        session->transaction.binary = true;
        return true;
    }
    refuse_parameter(session, parameter->keyword,
                     binary ? "7BIT, 8BITMIME or BINARYMIME is needed"
                            : "7BIT or 8BITMIME is needed");
    return false;
}

static bool is_xtext_digit(char c)
{
    return smtp_is_digit((unsigned char)c) || (c >= 'A' && c <= 'F');
}

/* xtext of RFC 3461 4: '+' and two hexadecimal digits stand for an octet. Control octets have no place
 * in a mailbox, however they are written. */
static bool is_xtext(struct smtp_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.bytes[i] != '+') {
            continue;
        }
        if (text.len - i < 3 || !is_xtext_digit(text.bytes[i + 1]) ||
            !is_xtext_digit(text.bytes[i + 2])) {
            return false;
        }
        bool control =
            text.bytes[i + 1] < '2' || (text.bytes[i + 1] == '7' && text.bytes[i + 2] == 'F');
        if (control) {
            return false;
        }
        i += 2;
    }
    return text.len > 0;
}

/* AUTH=mailbox or AUTH=<>, RFC 4954 5: taken of everybody, believed of nobody; the message keeps it. */
static bool take_auth(struct smtp_server_session *session, const struct smtp_parameter *parameter)
{
    if (is_xtext(parameter->value)) {
        return true;
    }
    refuse_parameter(session, parameter->keyword, "a mailbox in xtext or <> is needed");
    return false;
}

static bool offers_size(const struct smtp_server_session *session)
{
    return session->config->keywords.size;
}

static bool offers_eight_bit_mime(const struct smtp_server_session *session)
{
    return session->config->keywords.eight_bit_mime;
}

/* The parameters that MAIL may have; RCPT has none yet. */
static const struct mail_parameter {
    struct smtp_span keyword;
    bool (*offered)(const struct smtp_server_session *session);
    bool (*take)(struct smtp_server_session *session, const struct smtp_parameter *parameter);
} mail_parameters[] = {
    {{"SIZE", 4}, offers_size, take_size},
    {{"BODY", 4}, offers_eight_bit_mime, take_body},
    {{"AUTH", 4}, smtp_server_offers_auth, take_auth},
};
#define MAIL_PARAMETER_COUNT (sizeof mail_parameters / sizeof *mail_parameters)

static const struct mail_parameter *find_parameter(const struct smtp_server_session *session,
                                                   struct smtp_span keyword)
{
    for (size_t i = 0; i < MAIL_PARAMETER_COUNT; i++) {
        if (smtp_span_equal_nocase(keyword, mail_parameters[i].keyword)) {
            return mail_parameters[i].offered(session) ? &mail_parameters[i] : NULL;
        }
    }
    return NULL;
}

/* Parameters are of extensions, and extensions need EHLO (RFC 5321 4.1.1.11: 555 for any other). */
bool smtp_server_take_parameters(struct smtp_server_session *session, struct smtp_span text,
                                 bool of_mail)
{
    unsigned seen = 0;
    struct smtp_parameter parameter;
    enum smtp_parameter_result result;
    while ((result = smtp_parameter_next(&text, &parameter)) == SMTP_PARAMETER_TAKEN) {
        const struct mail_parameter *row =
            of_mail && session->extended ? find_parameter(session, parameter.keyword) : NULL;
        if (row == NULL) {
            smtp_server_session_say(session, 555, "5.5.4",
                                    session->extended ? "Parameter not recognized"
                                                      : "Parameters need EHLO");
            return false;
        }
        unsigned bit = 1u << (row - mail_parameters);
        if ((seen & bit) != 0) {
            refuse_parameter(session, parameter.keyword, "given twice");
            return false;
        }
        seen |= bit;
        if (!row->take(session, &parameter)) {
            return false;
        }
    }
    if (result == SMTP_PARAMETER_MALFORMED) {
        smtp_server_session_say(session, 501, "5.5.4",
                                "Syntax: parameters are KEYWORD or KEYWORD=value");
        return false;
    }
    return true;
}
