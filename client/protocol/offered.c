/* offered.c - holds what is asked for against what the server offers. Knows: which parameter is of which
 * extension. Does not know: how parameters are written (parameters.c), what content needs
 * (session_send.c). */
#include "client/protocol/offered.h"

#include "client/protocol/session_state.h"
#include "common/error.h"

/* RFC 5321 4.1.1.3: no parameter whose extension was not offered. Keywords not listed here are the
 * caller's own affair. */
enum smtp_status smtp_client_session_check_offered(struct smtp_client_session *session,
                                                   const struct smtp_client_command *command)
{
    static const struct {
        const char *keyword, *extension;
    } needs[] = {{"RET", "DSN"},   {"ENVID", "DSN"},    {"NOTIFY", "DSN"},
                 {"ORCPT", "DSN"}, {"AUTH", "AUTH"},    {"SMTPUTF8", "SMTPUTF8"},
                 {"SIZE", "SIZE"}, {"BODY", "8BITMIME"}};
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]) && session->extended; i++) {
        if (smtp_client_parameters_have(command->parameters, needs[i].keyword) &&
            smtp_client_extensions_find(&session->extensions, needs[i].extension) == NULL) {
            return smtp_error_set(&session->error, SMTP_UNSUPPORTED, 0,
                                  "the parameter %s needs %s, which the server does not offer",
                                  needs[i].keyword, needs[i].extension);
        }
    }
    return SMTP_OK;
}

static bool holds_own_parameter(const char *parameters)
{
    return smtp_client_parameters_have(parameters, "SIZE") ||
           smtp_client_parameters_have(parameters, "BODY");
}

enum smtp_status smtp_client_session_check_envelope(struct smtp_client_session *session,
                                                    const struct smtp_envelope *envelope)
{
    if (envelope->forward_path_count == 0) {
        return smtp_error_set(&session->error, SMTP_BAD_ARGUMENT, 0,
                              "the envelope has no recipient");
    }
    for (size_t i = 0; i < envelope->forward_path_count; i++) {
        if (envelope->forward_paths[i] == NULL) {
            return smtp_error_set(&session->error, SMTP_BAD_ARGUMENT, 0, "forward-path %zu is NULL",
                                  i);
        }
    }
    if (holds_own_parameter(envelope->mail_parameters)) {
        return smtp_error_set(&session->error, SMTP_BAD_ARGUMENT, 0,
                              "SIZE and BODY are declared by the client itself");
    }
    return SMTP_OK;
}
