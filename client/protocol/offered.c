/* offered.c - holds what is asked for against what the server offers, and chooses between UTF-8 and
 * A-labels (RFC 6531 3.2, 3.4). Knows: which parameter is of which extension, the limits that EHLO tells.
 * Does not know: how parameters are written (parameters.c), what content needs (session_send.c). */
#include "client/protocol/offered.h"

#include "client/protocol/parameters.h"
#include "client/protocol/session_state.h"
#include "common/error.h"
#include "common/utf8.h"

#include <inttypes.h>

static bool is_offered(const struct smtp_client_session *session, const char *extension)
{
    return smtp_client_extensions_find(&session->extensions, extension) != NULL;
}

static enum smtp_status not_offered(struct smtp_client_session *session, const char *keyword,
                                    const char *extension)
{
    return smtp_error_set(&session->error, SMTP_UNSUPPORTED, 0,
                          "the parameter %s needs %s, which the server does not offer", keyword,
                          extension);
}

/* ---- which parameters there are ---- */

/* Whether the options come to the parameter. */
static bool options_have(const struct smtp_client_command *command, const char *keyword)
{
    static const struct smtp_mail_options no_mail;
    static const struct smtp_rcpt_options no_rcpt;
    const struct smtp_mail_options *mail = command->mail != NULL ? command->mail : &no_mail;
    const struct smtp_rcpt_options *rcpt = command->rcpt != NULL ? command->rcpt : &no_rcpt;
    const struct {
        const char *keyword;
        bool asked;
    } rows[] = {
        {"RET", mail->dsn_return != SMTP_DSN_RETURN_UNSAID},
        {"ENVID", mail->dsn_envelope_id != NULL},
        {"NOTIFY", rcpt->notify != 0},
        {"ORCPT", rcpt->original_recipient != NULL},
        {"REQUIRETLS", mail->require_tls},
        {"HOLDFOR", mail->hold_for_s != 0},
        {"HOLDUNTIL", mail->hold_until != NULL},
        {"BY", mail->deliver_by != SMTP_DELIVER_BY_NONE},
        {"MT-PRIORITY", mail->has_priority},
        {"AUTH", mail->auth != NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].keyword, keyword) == 0) {
            return rows[i].asked;
        }
    }
    return false;
}

static bool asks_for(const struct smtp_client_command *command, const char *keyword)
{
    return options_have(command, keyword) ||
           smtp_client_parameters_have(command->parameters, keyword);
}

/* BODY=BINARYMIME is of another extension than the rest (RFC 3030 3). */
static const char *extension_of_body(const struct smtp_client_command *command)
{
    struct smtp_span body = smtp_client_parameters_find(command->parameters, "BODY");
    return smtp_span_equal_nocase(body, SMTP_SPAN("BINARYMIME")) ? "BINARYMIME" : "8BITMIME";
}

/* ---- the limits that EHLO tells ---- */

/* RFC 8689 2: nothing is asked of the servers behind one that was not verified itself. */
static enum smtp_status check_require_tls(struct smtp_client_session *session)
{
    const struct smtp_client_tls *tls = &session->options->tls;
    if (!session->tls) {
        return smtp_error_set(
            &session->error, SMTP_BAD_STATE, 0,
            "REQUIRETLS may be asked for under TLS alone, and this connection has "
            "none (RFC 8689 2)");
    }
    if (tls->insecure && tls->context == NULL) {
        return smtp_error_set(&session->error, SMTP_BAD_STATE, 0,
                              "REQUIRETLS needs a server whose certificate was verified (RFC 8689 "
                              "2), and this client takes any (insecure)");
    }
    return SMTP_OK;
}

/* RFC 4865 4.2: "FUTURERELEASE 86400 2026-12-24T18:00:00Z", the longest and the latest. */
static enum smtp_status check_hold(struct smtp_client_session *session,
                                   const struct smtp_mail_options *mail)
{
    const char *offer = smtp_client_extensions_find(&session->extensions, "FUTURERELEASE");
    struct smtp_span longest = {offer, strcspn(offer, " ")};
    const char *at = offer + longest.len + strspn(offer + longest.len, " ");
    struct smtp_span latest = {at, strcspn(at, " ")};
    uint64_t longest_s;
    if (smtp_span_to_u64(longest, UINT64_MAX, &longest_s) && mail->hold_for_s > longest_s) {
        return smtp_error_set(&session->error, SMTP_UNSUPPORTED, 0,
                              "to be held for %" PRIu64
                              " seconds, and the server holds a message for %" PRIu64
                              " at most (FUTURERELEASE)",
                              mail->hold_for_s, longest_s);
    }
    if (mail->hold_until != NULL && smtp_client_is_utc_time(latest) &&
        strncmp(mail->hold_until, latest.bytes, latest.len) > 0) {
        return smtp_error_set(&session->error, SMTP_UNSUPPORTED, 0,
                              "to be held until later than %.*s, until when the server holds a "
                              "message at most (FUTURERELEASE)",
                              (int)latest.len, latest.bytes);
    }
    return SMTP_OK;
}

/* RFC 2852 3: "DELIVERBY 120", the least time with R. */
static enum smtp_status check_deliver_by(struct smtp_client_session *session,
                                         const struct smtp_mail_options *mail)
{
    const char *offer = smtp_client_extensions_find(&session->extensions, "DELIVERBY");
    struct smtp_span text = {offer, strcspn(offer, " ,")};
    uint64_t least_s;
    if (mail->deliver_by == SMTP_DELIVER_BY_RETURN && mail->deliver_by_s > 0 &&
        smtp_span_to_u64(text, UINT64_MAX, &least_s) && (uint64_t)mail->deliver_by_s < least_s) {
        return smtp_error_set(&session->error, SMTP_UNSUPPORTED, 0,
                              "to be delivered within %" PRId64
                              " seconds, and the server needs %" PRIu64 " at least (DELIVERBY)",
                              mail->deliver_by_s, least_s);
    }
    return SMTP_OK;
}

static enum smtp_status check_limits(struct smtp_client_session *session,
                                     const struct smtp_client_command *command)
{
    enum smtp_status status = SMTP_OK;
    if (options_have(command, "HOLDFOR") || options_have(command, "HOLDUNTIL")) {
        status = check_hold(session, command->mail);
    }
    if (status == SMTP_OK && options_have(command, "BY")) {
        status = check_deliver_by(session, command->mail);
    }
    return status;
}

/* RFC 5321 4.1.1.3: no parameter whose extension was not offered. Keywords not listed here are the
 * caller's own affair. */
enum smtp_status smtp_client_session_check_offered(struct smtp_client_session *session,
                                                   const struct smtp_client_command *command)
{
    static const struct {
        const char *keyword, *extension;
    } needs[] = {{"RET", "DSN"},
                 {"ENVID", "DSN"},
                 {"NOTIFY", "DSN"},
                 {"ORCPT", "DSN"},
                 {"AUTH", "AUTH"},
                 {"SMTPUTF8", "SMTPUTF8"},
                 {"SIZE", "SIZE"},
                 {"REQUIRETLS", "REQUIRETLS"},
                 {"HOLDFOR", "FUTURERELEASE"},
                 {"HOLDUNTIL", "FUTURERELEASE"},
                 {"BY", "DELIVERBY"},
                 {"MT-PRIORITY", "MT-PRIORITY"}};
    if (command->parameters == NULL && command->mail == NULL && command->rcpt == NULL) {
        return SMTP_OK;
    }
    if (asks_for(command, "REQUIRETLS")) {
        enum smtp_status status = check_require_tls(session);
        if (status != SMTP_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        if (asks_for(command, needs[i].keyword) && !is_offered(session, needs[i].extension)) {
            return not_offered(session, needs[i].keyword, needs[i].extension);
        }
    }
    if (smtp_client_parameters_have(command->parameters, "BODY") &&
        !is_offered(session, extension_of_body(command))) {
        return not_offered(session, "BODY", extension_of_body(command));
    }
    return check_limits(session, command);
}

/* ---- SMTPUTF8 ---- */

static bool is_international(const char *path)
{
    return path != NULL && smtp_has_eight_bit(smtp_span_of(path));
}

/* RFC 6531 3.1: SMTPUTF8 counts with 8BITMIME alone. */
static enum smtp_status choose_utf8(struct smtp_client_session *session, bool asked,
                                    bool international)
{
    bool offered = session->extensions.eight_bit_mime && is_offered(session, "SMTPUTF8");
    session->smtputf8 = offered && (asked || international);
    if (asked && !offered) {
        return smtp_error_set(&session->error, SMTP_UNSUPPORTED, 0,
                              "the message needs SMTPUTF8, which the server does not offer (with "
                              "8BITMIME): encode the header (RFC 2047)");
    }
    return SMTP_OK;
}

enum smtp_status smtp_client_session_choose_utf8(struct smtp_client_session *session,
                                                 const struct smtp_client_command *command)
{
    if (command->kind != SMTP_CLIENT_REVERSE_PATH) {
        return SMTP_OK;
    }
    bool asked = (command->mail != NULL && command->mail->smtputf8) ||
                 smtp_client_parameters_have(command->parameters, "SMTPUTF8");
    return choose_utf8(session, asked, is_international(command->argument));
}

/* ---- an envelope ---- */

static bool holds_own_parameter(const char *parameters)
{
    return smtp_client_parameters_have(parameters, "SIZE") ||
           smtp_client_parameters_have(parameters, "BODY") ||
           smtp_client_parameters_have(parameters, "SMTPUTF8");
}

enum smtp_status smtp_client_session_check_envelope(struct smtp_client_session *session,
                                                    const struct smtp_envelope *envelope)
{
    bool international = is_international(envelope->reverse_path);
    if (envelope->forward_path_count == 0 || envelope->forward_paths == NULL) {
        return smtp_error_set(&session->error, SMTP_BAD_ARGUMENT, 0,
                              "the envelope has no recipient");
    }
    for (size_t i = 0; i < envelope->forward_path_count; i++) {
        if (envelope->forward_paths[i] == NULL) {
            return smtp_error_set(&session->error, SMTP_BAD_ARGUMENT, 0, "forward-path %zu is NULL",
                                  i);
        }
        international = international || is_international(envelope->forward_paths[i]);
    }
    if (holds_own_parameter(envelope->mail_parameters)) {
        return smtp_error_set(&session->error, SMTP_BAD_ARGUMENT, 0,
                              "SIZE, BODY and SMTPUTF8 are declared by the client itself");
    }
    return choose_utf8(session, envelope->mail != NULL && envelope->mail->smtputf8, international);
}
