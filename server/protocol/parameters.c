/* parameters.c - the parameters of MAIL and RCPT that this server knows: one row a parameter.
 * Knows: which extension has to be on for each, its values, its refusals. Does not know: paths, and
 * what becomes of the transaction. */
#include "common/utf8.h"
#include "server/protocol/date_time.h"
#include "server/protocol/path.h"
#include "server/protocol/state.h"
#include "server/protocol/xtext.h"

#include <stdio.h>

#define SIZE_DIGITS_MAX 20   /* RFC 1870 3 */
#define ENVID_OCTETS_MAX 100 /* as encoded, RFC 3461 5.4 */
#define ORCPT_OCTETS_MAX 500 /* likewise */
#define SECONDS_DIGITS_MAX 9 /* RFC 4865 4.1, RFC 2852 4 */
#define PRIORITY_MAX 9       /* and -9, RFC 6710 4 */

/* Returns false, as a row does that refuses. */
static bool refuse_parameter(struct smtp_server_session *session, struct smtp_span keyword,
                             const char *why)
{
    char text[160];
    snprintf(text, sizeof text, "%.*s: %s", keyword.len > 40 ? 40 : (int)keyword.len, keyword.bytes,
             why);
    smtp_server_session_say(session, 501, "5.5.4", text);
    return false;
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
        return refuse_parameter(session, parameter->keyword, "1 to 20 digits are needed");
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

/* BODY=7BIT or 8BITMIME, RFC 6152 2; BINARYMIME, RFC 3030 3. */
static bool take_body(struct smtp_server_session *session, const struct smtp_parameter *parameter)
{
    bool binary = session->config->keywords.binary_mime;
    if (smtp_span_equal_nocase(parameter->value, SMTP_SPAN("7BIT")) ||
        smtp_span_equal_nocase(parameter->value, SMTP_SPAN("8BITMIME"))) {
        return true;
    }
    if (binary && smtp_span_equal_nocase(parameter->value, SMTP_SPAN("BINARYMIME"))) {
        session->transaction.binary = true;
        return true;
    }
    return refuse_parameter(session, parameter->keyword,
                            binary ? "7BIT, 8BITMIME or BINARYMIME is needed"
                                   : "7BIT or 8BITMIME is needed");
}

static bool take_smtputf8(struct smtp_server_session *session,
                          const struct smtp_parameter *parameter)
{
    (void)parameter;
    session->transaction.smtputf8 = true;
    return true;
}

/* AUTH=mailbox or AUTH=<>, RFC 4954 5: taken of everybody, believed of nobody; the message keeps it.
 * The mailbox may be in UTF-8 where MAIL has SMTPUTF8. */
static bool take_auth(struct smtp_server_session *session, const struct smtp_parameter *parameter)
{
    return smtp_is_xtext(parameter->value) || smtp_is_utf8_address(parameter->value) ||
           refuse_parameter(session, parameter->keyword, "a mailbox in xtext or <> is needed");
}

/* ---- DSN, RFC 3461 4 ---- */

static bool take_ret(struct smtp_server_session *session, const struct smtp_parameter *parameter)
{
    return smtp_span_equal_nocase(parameter->value, SMTP_SPAN("FULL")) ||
           smtp_span_equal_nocase(parameter->value, SMTP_SPAN("HDRS")) ||
           refuse_parameter(session, parameter->keyword, "FULL or HDRS is needed");
}

static bool take_envid(struct smtp_server_session *session, const struct smtp_parameter *parameter)
{
    return (parameter->value.len <= ENVID_OCTETS_MAX && smtp_is_xtext(parameter->value)) ||
           refuse_parameter(session, parameter->keyword, "xtext of 1 to 100 octets is needed");
}

/* Takes a word off a list that commas part. */
static struct smtp_span next_of_list(struct smtp_span *list)
{
    const char *comma = memchr(list->bytes, ',', list->len);
    size_t len = comma != NULL ? (size_t)(comma - list->bytes) : list->len;
    struct smtp_span word = {list->bytes, len};
    list->bytes += comma != NULL ? len + 1 : len;
    list->len -= comma != NULL ? len + 1 : len;
    return word;
}

/* NEVER alone, or SUCCESS, FAILURE and DELAY, each once at most. */
static bool is_notify(struct smtp_span value)
{
    static const struct smtp_span words[] = {{"SUCCESS", 7}, {"FAILURE", 7}, {"DELAY", 5}};
    unsigned seen = 0;
    if (smtp_span_equal_nocase(value, SMTP_SPAN("NEVER"))) {
        return true;
    }
    bool ends_in_comma = value.bytes[value.len - 1] == ',';
    while (value.len > 0) {
        struct smtp_span word = next_of_list(&value);
        unsigned bit = 0;
        for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
            bit |= smtp_span_equal_nocase(word, words[i]) ? 1u << i : 0;
        }
        if (bit == 0 || (seen & bit) != 0) {
            return false;
        }
        seen |= bit;
    }
    return !ends_in_comma;
}

static bool take_notify(struct smtp_server_session *session, const struct smtp_parameter *parameter)
{
    return is_notify(parameter->value) ||
           refuse_parameter(session, parameter->keyword,
                            "NEVER, or SUCCESS, FAILURE and DELAY parted by commas, is needed");
}

/* "addr-type;xtext", its type an atom; of type utf-8 it is encoded by RFC 6533 3. */
static bool is_original_recipient(struct smtp_span value)
{
    const char *semicolon = memchr(value.bytes, ';', value.len);
    if (semicolon == NULL || value.len > ORCPT_OCTETS_MAX) {
        return false;
    }
    struct smtp_span type = {value.bytes, (size_t)(semicolon - value.bytes)};
    struct smtp_span address = {semicolon + 1, value.len - type.len - 1};
    if (smtp_span_equal_nocase(type, SMTP_SPAN("utf-8"))) {
        return smtp_is_utf8_address(address);
    }
    return smtp_is_atom(type) && smtp_is_xtext(address);
}

static bool take_orcpt(struct smtp_server_session *session, const struct smtp_parameter *parameter)
{
    return is_original_recipient(parameter->value) ||
           refuse_parameter(session, parameter->keyword,
                            "address-type;xtext of 500 octets at most is needed");
}

/* ---- FUTURERELEASE, RFC 4865 4.2 ---- */

static bool hold(struct smtp_server_session *session, const struct smtp_parameter *parameter)
{
    if (session->transaction.held) {
        return refuse_parameter(session, parameter->keyword, "HOLDFOR or HOLDUNTIL, not both");
    }
    session->transaction.held = true;
    return true;
}

static bool take_hold_for(struct smtp_server_session *session,
                          const struct smtp_parameter *parameter)
{
    uint64_t seconds;
    if (parameter->value.len > SECONDS_DIGITS_MAX || parameter->value.bytes[0] == '0' ||
        !smtp_span_to_u64(parameter->value, SMTP_SERVER_SECONDS_MAX, &seconds)) {
        return refuse_parameter(session, parameter->keyword,
                                "seconds from 1 to 999999999 are needed");
    }
    if (seconds > smtp_server_hold_limit_s(session->config)) {
        return refuse_parameter(session, parameter->keyword, "longer than is offered");
    }
    return hold(session, parameter);
}

static bool take_hold_until(struct smtp_server_session *session,
                            const struct smtp_parameter *parameter)
{
    int64_t until_s;
    if (!smtp_date_time_read(parameter->value, &until_s)) {
        return refuse_parameter(session, parameter->keyword,
                                "a time in UTC like 2026-11-25T17:30:00Z is needed");
    }
    if (until_s - session->config->unix_time_s() >
        (int64_t)smtp_server_hold_limit_s(session->config)) {
        return refuse_parameter(session, parameter->keyword, "later than is offered");
    }
    return hold(session, parameter);
}

/* ---- DELIVERBY, RFC 2852 4; MT-PRIORITY, RFC 6710 4 ---- */

/* by-time ";" by-mode [by-trace], by-time = ["-" / "+"] 1*9digit */
static bool take_by(struct smtp_server_session *session, const struct smtp_parameter *parameter)
{
    struct smtp_span value = parameter->value;
    const char *semicolon = memchr(value.bytes, ';', value.len);
    size_t time_len = semicolon != NULL ? (size_t)(semicolon - value.bytes) : 0;
    size_t sign_len = value.bytes[0] == '-' || value.bytes[0] == '+' ? 1 : 0;
    size_t mode_len = semicolon != NULL ? value.len - time_len - 1 : 0;
    char mode = mode_len > 0 ? (char)(semicolon[1] & ~32) : '\0';
    uint64_t seconds = 0;
    if (time_len <= sign_len || time_len - sign_len > SECONDS_DIGITS_MAX ||
        !smtp_span_to_u64((struct smtp_span){value.bytes + sign_len, time_len - sign_len},
                          SMTP_SERVER_SECONDS_MAX, &seconds) ||
        (mode != 'N' && mode != 'R') || mode_len > 2 ||
        (mode_len == 2 && (semicolon[2] & ~32) != 'T')) {
        return refuse_parameter(session, parameter->keyword,
                                "seconds;N, seconds;R, each with a T behind it or not, is needed");
    }
    if (mode == 'R' && (seconds == 0 || value.bytes[0] == '-')) {
        return refuse_parameter(session, parameter->keyword, "mode R needs a time above 0");
    }
    if (mode == 'R' && seconds < session->config->limits.deliver_by_s) {
        smtp_server_session_say(session, 555, "5.5.4", "BY: sooner than is offered");
        return false;
    }
    return true;
}

/* "0" / (["-"] NZDIGIT) */
static bool take_priority(struct smtp_server_session *session,
                          const struct smtp_parameter *parameter)
{
    struct smtp_span value = parameter->value;
    bool negative = value.bytes[0] == '-';
    uint64_t priority = 0;
    value.bytes += negative ? 1 : 0;
    value.len -= negative ? 1 : 0;
    return (value.len == 1 && smtp_span_to_u64(value, PRIORITY_MAX, &priority) &&
            (priority > 0 || !negative)) ||
           refuse_parameter(session, parameter->keyword, "a number from -9 to 9 is needed");
}

/* ---- the tables ---- */

/* A parameter is known where its extension is offered. */
struct parameter_row {
    struct smtp_span keyword;
    enum smtp_server_offer offer;
    bool has_value;
    size_t line_octets; /* what the extension adds to the limit of the line, at its first row */
    bool (*take)(struct smtp_server_session *session,
                 const struct smtp_parameter *parameter); /* NULL: there is no value to look at */
};

static const struct parameter_row mail_rows[] = {
    {{"SIZE", 4}, SMTP_OFFER_SIZE, true, 26, take_size},              /* RFC 1870 3 */
    {{"BODY", 4}, SMTP_OFFER_EIGHT_BIT_MIME, true, 17, take_body},    /* RFC 6152 2 */
    {{"SMTPUTF8", 8}, SMTP_OFFER_SMTPUTF8, false, 10, take_smtputf8}, /* RFC 6531 3.1 */
    {{"RET", 3}, SMTP_OFFER_DSN, true, 1036 - 512, take_ret}, /* RFC 3461 5.4: 1036 in all */
    {{"ENVID", 5}, SMTP_OFFER_DSN, true, 0, take_envid},
    {{"AUTH", 4}, SMTP_OFFER_AUTH, true, 500, take_auth},                 /* RFC 4954 3 */
    {{"REQUIRETLS", 10}, SMTP_OFFER_REQUIRE_TLS, false, 11, NULL},        /* RFC 8689 3 */
    {{"HOLDFOR", 7}, SMTP_OFFER_FUTURE_RELEASE, true, 34, take_hold_for}, /* RFC 4865 4 */
    {{"HOLDUNTIL", 9}, SMTP_OFFER_FUTURE_RELEASE, true, 0, take_hold_until},
    {{"BY", 2}, SMTP_OFFER_DELIVER_BY, true, 17, take_by},                  /* RFC 2852 3 */
    {{"MT-PRIORITY", 11}, SMTP_OFFER_MT_PRIORITY, true, 15, take_priority}, /* RFC 6710 3 */
};

static const struct parameter_row rcpt_rows[] = {
    {{"NOTIFY", 6}, SMTP_OFFER_DSN, true, 1036 - 512, take_notify},
    {{"ORCPT", 5}, SMTP_OFFER_DSN, true, 0, take_orcpt},
};

struct parameter_table {
    const struct parameter_row *rows;
    size_t count;
};
static const struct parameter_table mail_parameters = {mail_rows,
                                                       sizeof mail_rows / sizeof *mail_rows};
static const struct parameter_table rcpt_parameters = {rcpt_rows,
                                                       sizeof rcpt_rows / sizeof *rcpt_rows};

static size_t line_octets(const struct smtp_server_session_config *config,
                          const struct parameter_table *table)
{
    size_t octets = config->limits.command_line_octets;
    for (size_t i = 0; i < table->count; i++) {
        octets += smtp_server_knows(config, table->rows[i].offer) ? table->rows[i].line_octets : 0;
    }
    return octets;
}

size_t smtp_server_mail_line_octets(const struct smtp_server_session_config *config)
{
    return line_octets(config, &mail_parameters);
}

size_t smtp_server_rcpt_line_octets(const struct smtp_server_session_config *config)
{
    return line_octets(config, &rcpt_parameters);
}

/* Parameters are of extensions, and extensions need EHLO (RFC 5321 4.1.1.11: 555 for any other). */
static const struct parameter_row *find_row(const struct smtp_server_session *session,
                                            const struct parameter_table *table,
                                            struct smtp_span keyword)
{
    for (size_t i = 0; session->extended && i < table->count; i++) {
        if (smtp_span_equal_nocase(keyword, table->rows[i].keyword)) {
            return smtp_server_offers(session, table->rows[i].offer) ? &table->rows[i] : NULL;
        }
    }
    return NULL;
}

static bool take_parameter(struct smtp_server_session *session, const struct parameter_table *table,
                           const struct smtp_parameter *parameter, unsigned *seen)
{
    const struct parameter_row *row = find_row(session, table, parameter->keyword);
    if (row == NULL) {
        smtp_server_session_say(session, 555, "5.5.4",
                                session->extended ? "Parameter not recognized"
                                                  : "Parameters need EHLO");
        return false;
    }
    unsigned bit = 1u << (row - table->rows);
    if ((*seen & bit) != 0) {
        return refuse_parameter(session, parameter->keyword, "given twice");
    }
    *seen |= bit;
    if (parameter->has_value != row->has_value) {
        return refuse_parameter(session, parameter->keyword,
                                row->has_value ? "a value is needed" : "it takes no value");
    }
    return row->take == NULL || row->take(session, parameter);
}

/* SMTPUTF8 may stand behind the value that needs it. */
bool smtp_server_take_parameters(struct smtp_server_session *session, struct smtp_span text,
                                 bool of_mail)
{
    unsigned seen = 0;
    struct smtp_span all = text;
    struct smtp_parameter parameter;
    enum smtp_parameter_result result;
    while ((result = smtp_parameter_next(&text, &parameter)) == SMTP_PARAMETER_TAKEN) {
        if (!take_parameter(session, of_mail ? &mail_parameters : &rcpt_parameters, &parameter,
                            &seen)) {
            return false;
        }
    }
    if (result == SMTP_PARAMETER_MALFORMED) {
        smtp_server_session_say(session, 501, "5.5.4",
                                "Syntax: parameters are KEYWORD or KEYWORD=value");
        return false;
    }
    if (seen != 0 && !session->transaction.smtputf8 && smtp_has_eight_bit(all)) {
        smtp_server_session_say(session, 501, "5.5.4",
                                "Octets above 127 in a parameter need SMTPUTF8");
        return false;
    }
    return true;
}
