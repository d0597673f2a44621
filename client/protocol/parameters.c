/* parameters.c - writes the options of MAIL as parameters, and takes the raw ones.
 * Knows: ranges and what excludes what. Does not know: the options of RCPT (recipient_options.c); what the server offers
 * (offered.c); SIZE, BODY and SMTPUTF8 (command.c). */
#include "client/protocol/parameters.h"

#include "client/protocol/path.h"
#include "client/protocol/xtext.h"
#include "common/error.h"
#include "common/utf8.h"

#include <inttypes.h>
#include <stdio.h>

static enum smtp_status append_text(struct smtp_buffer *out, const char *text,
                                    struct smtp_error *error)
{
    return smtp_buffer_append(out, text, strlen(text)) == SMTP_OK
               ? SMTP_OK
               : smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for a command");
}

static enum smtp_status bad(struct smtp_error *error, const char *why)
{
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "%s", why);
}

/* ---- MAIL ---- */

static enum smtp_status append_return(struct smtp_buffer *out,
                                      const struct smtp_mail_options *options,
                                      struct smtp_error *error)
{
    switch (options->dsn_return) {
    case SMTP_DSN_RETURN_UNSAID:
        return SMTP_OK;
    case SMTP_DSN_RETURN_FULL:
        return append_text(out, " RET=FULL", error);
    case SMTP_DSN_RETURN_HEADERS:
        return append_text(out, " RET=HDRS", error);
    }
    return bad(error, "dsn_return is none of enum smtp_dsn_return");
}

static enum smtp_status append_envelope_id(struct smtp_buffer *out,
                                           const struct smtp_mail_options *options,
                                           struct smtp_error *error)
{
    if (options->dsn_envelope_id == NULL) {
        return SMTP_OK;
    }
    struct smtp_span id = smtp_span_of(options->dsn_envelope_id);
    enum smtp_status status = append_text(out, " ENVID=", error);
    size_t before = out->len;
    if (status == SMTP_OK) {
        status = smtp_client_xtext_append(out, id, "the envelope identifier", error);
    }
    size_t len = out->len - before;
    if (status == SMTP_OK && (len == 0 || len > SMTP_CLIENT_ENVID_MAX)) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "the envelope identifier has %zu octets in xtext; 1 to %d are "
                              "expected (RFC 3461 4.4)",
                              len, SMTP_CLIENT_ENVID_MAX);
    }
    return status;
}

static int number_at(const char *text, size_t digits)
{
    int number = 0;
    for (size_t i = 0; i < digits; i++) {
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

bool smtp_client_is_utc_time(struct smtp_span text)
{
    static const char form[] = "9999-99-99T99:99:99Z";
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (text.len != sizeof(form) - 1) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        bool fits =
            form[i] == '9' ? smtp_is_digit((unsigned char)text.bytes[i]) : text.bytes[i] == form[i];
        if (!fits) {
            return false;
        }
    }
    int year = number_at(text.bytes, 4), month = number_at(text.bytes + 5, 2);
    int day = number_at(text.bytes + 8, 2);
    if (month < 1 || month > 12) {
        return false;
    }
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day >= 1 && day <= days[month - 1] + (leap && month == 2 ? 1 : 0) &&
           number_at(text.bytes + 11, 2) < 24 && number_at(text.bytes + 14, 2) < 60 &&
           number_at(text.bytes + 17, 2) <= 60; /* a leap second */
}

static enum smtp_status append_hold(struct smtp_buffer *out,
                                    const struct smtp_mail_options *options,
                                    struct smtp_error *error)
{
    char text[48];
    if (options->hold_for_s > 0 && options->hold_until != NULL) {
        return bad(error, "hold_for_s and hold_until exclude each other (RFC 4865 3)");
    }
    if (options->hold_for_s > SMTP_CLIENT_SECONDS_MAX) {
        return bad(error, "hold_for_s is above 999999999 (RFC 4865 3)");
    }
    if (options->hold_until != NULL &&
        !smtp_client_is_utc_time(smtp_span_of(options->hold_until))) {
        return bad(error, "the time to hold the message until is none of RFC 3339 in UTC, like "
                          "2026-12-24T18:00:00Z");
    }
    if (options->hold_until != NULL) {
        snprintf(text, sizeof(text), " HOLDUNTIL=%s", options->hold_until);
        return append_text(out, text, error);
    }
    if (options->hold_for_s > 0) {
        snprintf(text, sizeof(text), " HOLDFOR=%" PRIu64, options->hold_for_s);
        return append_text(out, text, error);
    }
    return SMTP_OK;
}

static enum smtp_status append_deliver_by(struct smtp_buffer *out,
                                          const struct smtp_mail_options *options,
                                          struct smtp_error *error)
{
    char text[40];
    bool returns = options->deliver_by == SMTP_DELIVER_BY_RETURN;
    if (options->deliver_by == SMTP_DELIVER_BY_NONE) {
        return options->deliver_by_trace || options->deliver_by_s != 0
                   ? bad(error, "deliver_by_s and deliver_by_trace need deliver_by: NOTIFY or "
                                "RETURN")
                   : SMTP_OK;
    }
    if (!returns && options->deliver_by != SMTP_DELIVER_BY_NOTIFY) {
        return bad(error, "deliver_by is none of enum smtp_deliver_by");
    }
    if (options->deliver_by_s > SMTP_CLIENT_SECONDS_MAX ||
        options->deliver_by_s < -SMTP_CLIENT_SECONDS_MAX) {
        return bad(error, "deliver_by_s is beyond 999999999 seconds (RFC 2852 4)");
    }
    if (returns && options->deliver_by_s <= 0) {
        return bad(error, "deliver_by_s must be above 0 with SMTP_DELIVER_BY_RETURN (RFC 2852 4)");
    }
    snprintf(text, sizeof(text), " BY=%" PRId64 ";%s%s", options->deliver_by_s, returns ? "R" : "N",
             options->deliver_by_trace ? "T" : "");
    return append_text(out, text, error);
}

static enum smtp_status append_priority(struct smtp_buffer *out,
                                        const struct smtp_mail_options *options,
                                        struct smtp_error *error)
{
    char text[32];
    if (!options->has_priority) {
        return options->priority == 0 ? SMTP_OK : bad(error, "priority needs has_priority");
    }
    if (options->priority < -9 || options->priority > 9) {
        return bad(error, "priority is not between -9 and 9 (RFC 6710 3)");
    }
    snprintf(text, sizeof(text), " MT-PRIORITY=%d", options->priority);
    return append_text(out, text, error);
}

/* RFC 4954 5: a mailbox in xtext, or "<>". */
static enum smtp_status append_submitter(struct smtp_buffer *out,
                                         const struct smtp_mail_options *options,
                                         struct smtp_error *error)
{
    if (options->auth == NULL) {
        return SMTP_OK;
    }
    if (*options->auth == '\0') {
        return append_text(out, " AUTH=<>", error);
    }
    struct smtp_buffer path = SMTP_BUFFER((size_t)4 * SMTP_CLIENT_PATH_MAX);
    enum smtp_status status = smtp_client_path_append(&path, options->auth, false, true, error);
    if (status == SMTP_OK) {
        status = append_text(out, " AUTH=", error);
    }
    if (status == SMTP_OK) { /* without the brackets */
        struct smtp_span mailbox = smtp_buffer_span(&path);
        mailbox = (struct smtp_span){mailbox.bytes + 1, mailbox.len - 2};
        status = smtp_client_xtext_append_octets(out, mailbox, error);
    }
    smtp_buffer_free(&path);
    return status;
}

enum smtp_status smtp_client_mail_options_append(struct smtp_buffer *out,
                                                 const struct smtp_mail_options *options,
                                                 struct smtp_error *error)
{
    static enum smtp_status (*const writers[])(
        struct smtp_buffer *, const struct smtp_mail_options *, struct smtp_error *) = {
        append_return,     append_envelope_id, append_hold,
        append_deliver_by, append_priority,    append_submitter,
    };
    enum smtp_status status = SMTP_OK;
    if (options->require_tls) {
        status = append_text(out, " REQUIRETLS", error);
    }
    for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]) && status == SMTP_OK; i++) {
        status = writers[i](out, options, error);
    }
    return status;
}

/* ---- raw parameters ---- */

/* The length of the esmtp-param at text: keyword ["=" value]; 0: it is none. */
static size_t parameter_length(const char *text, bool smtputf8)
{
    size_t len = 0;
    while (smtp_is_letter_or_digit((unsigned char)text[len]) || (text[len] == '-' && len > 0)) {
        len++;
    }
    if (len == 0 || text[len] != '=') {
        return len;
    }
    size_t value = len + 1;
    for (;; value++) {
        unsigned char c = (unsigned char)text[value];
        if (c <= 32 || c == 127 || c == '=' || (c > 127 && !smtputf8)) {
            break;
        }
    }
    return value > len + 1 ? value : 0;
}

/* esmtp-params are parted by one space each. */
static enum smtp_status check_parameters(const char *parameters, bool smtputf8,
                                         struct smtp_error *error)
{
    for (const char *at = parameters; *at != '\0'; at++) {
        if (smtp_is_control((unsigned char)*at)) {
            return smtp_error_set(error, SMTP_UNSAFE_ARGUMENT, 0,
                                  "a parameter holds the control octet 0x%02X", (unsigned char)*at);
        }
    }
    if (!smtp_is_utf8(smtp_span_of(parameters))) {
        return bad(error, "a parameter is no UTF-8");
    }
    const char *at = parameters;
    while (*at != '\0') {
        size_t len = parameter_length(at, smtputf8);
        if (len == 0 || (at[len] != '\0' && (at[len] != ' ' || at[len + 1] == '\0'))) {
            return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                  "\"%.120s\" are no parameters: KEYWORD or KEYWORD=value is "
                                  "expected at position %zu",
                                  parameters, (size_t)(at - parameters));
        }
        at += at[len] == ' ' ? len + 1 : len;
    }
    return SMTP_OK;
}

enum smtp_status smtp_client_parameters_append(struct smtp_buffer *out, const char *parameters,
                                               bool smtputf8, struct smtp_error *error)
{
    if (parameters == NULL || *parameters == '\0') {
        return SMTP_OK;
    }
    enum smtp_status status = check_parameters(parameters, smtputf8, error);
    status = status == SMTP_OK ? append_text(out, " ", error) : status;
    return status == SMTP_OK ? append_text(out, parameters, error) : status;
}

/* Takes the next word off the front; an empty one: there is none. */
static struct smtp_span next_parameter(struct smtp_span *rest)
{
    *rest = smtp_span_trim_start(*rest);
    const char *space = rest->len > 0 ? memchr(rest->bytes, ' ', rest->len) : NULL;
    size_t len = space != NULL ? (size_t)(space - rest->bytes) : rest->len;
    struct smtp_span word = {rest->bytes, len};
    *rest = (struct smtp_span){rest->bytes + len, rest->len - len};
    return word;
}

static struct smtp_span keyword_of(struct smtp_span parameter)
{
    const char *equals = memchr(parameter.bytes, '=', parameter.len);
    return (struct smtp_span){parameter.bytes,
                              equals != NULL ? (size_t)(equals - parameter.bytes) : parameter.len};
}

struct smtp_span smtp_client_parameters_find(const char *parameters, const char *keyword)
{
    struct smtp_span wanted = smtp_span_of(keyword);
    struct smtp_span rest = smtp_span_of(parameters != NULL ? parameters : ""), word;
    while ((word = next_parameter(&rest)).len > 0) {
        struct smtp_span name = keyword_of(word);
        if (smtp_span_equal_nocase(name, wanted)) {
            size_t skipped = name.len < word.len ? name.len + 1 : name.len;
            return (struct smtp_span){word.bytes + skipped, word.len - skipped};
        }
    }
    return (struct smtp_span){NULL, 0};
}

bool smtp_client_parameters_have(const char *parameters, const char *keyword)
{
    return smtp_client_parameters_find(parameters, keyword).bytes != NULL;
}

enum smtp_status smtp_client_parameters_check_repeats(struct smtp_span parameters,
                                                      struct smtp_error *error)
{
    struct smtp_span rest = parameters, word;
    while ((word = next_parameter(&rest)).len > 0) {
        struct smtp_span behind = rest, other;
        while ((other = next_parameter(&behind)).len > 0) {
            if (smtp_span_equal_nocase(keyword_of(word), keyword_of(other))) {
                struct smtp_span name = keyword_of(word);
                return smtp_error_set(
                    error, SMTP_BAD_ARGUMENT, 0,
                    "the parameter %.*s stands twice: say it in the options or in "
                    "the parameters, once",
                    (int)name.len, name.bytes);
            }
        }
    }
    return SMTP_OK;
}
