/* command.c - makes every command line the client sends (RFC 5321 4.1).
 * Knows: arguments by kind, the order of parameters, the bounds of a line; and it looks at the final octets,
 * so that nothing that slipped through the checks before can begin a second command. An attacker
 * who gets a CR LF into an address would write the next command himself. Does not know: which
 * command may come when. */
#include "client/protocol/command.h"

#include "client/protocol/idn.h"
#include "client/protocol/parameters.h"
#include "client/protocol/path.h"
#include "common/error.h"

#include <string.h>

static enum smtp_status no_room(struct smtp_error *error)
{
    return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for a command");
}

static enum smtp_status append_text(struct smtp_buffer *out, const char *text,
                                    struct smtp_error *error)
{
    return smtp_buffer_append(out, text, strlen(text)) == SMTP_OK ? SMTP_OK : no_room(error);
}

static enum smtp_status append_domain(struct smtp_buffer *out, const char *domain,
                                      struct smtp_error *error)
{
    for (const char *at = domain; *at != '\0'; at++) {
        if (smtp_is_control((unsigned char)*at) || *at == ' ') {
            return smtp_error_set(error, SMTP_UNSAFE_ARGUMENT, 0,
                                  "the name for EHLO holds the octet 0x%02X", (unsigned char)*at);
        }
    }
    size_t before = out->len;
    enum smtp_status status = smtp_client_idn_append(out, smtp_span_of(domain), error);
    struct smtp_span all = smtp_buffer_span(out);
    if (status == SMTP_OK &&
        !smtp_client_domain_valid((struct smtp_span){all.bytes + before, all.len - before})) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "\"%.120s\" is no name for EHLO: a domain or an address literal "
                              "like [127.0.0.1] is expected",
                              domain);
    }
    return status == SMTP_NO_MEMORY || status == SMTP_LIMIT_EXCEEDED ? no_room(error) : status;
}

/* What the content and the paths decide. */
static enum smtp_status append_own_parameters(struct smtp_buffer *out,
                                              const struct smtp_client_command *command,
                                              struct smtp_error *error)
{
    static const char *const bodies[] = {
        [SMTP_BODY_DETECT] = "",
        [SMTP_BODY_7BIT] = " BODY=7BIT",
        [SMTP_BODY_8BITMIME] = " BODY=8BITMIME",
        [SMTP_BODY_BINARYMIME] = " BODY=BINARYMIME",
    };
    enum smtp_status status = SMTP_OK;
    if (command->declare_size) {
        char digits[SMTP_U64_DIGITS_MAX];
        size_t len = smtp_u64_write(command->size_bytes, digits);
        status = append_text(out, " SIZE=", error);
        if (status == SMTP_OK && smtp_buffer_append(out, digits, len) != SMTP_OK) {
            status = no_room(error);
        }
    }
    if (status == SMTP_OK) {
        status = append_text(out, bodies[command->body], error);
    }
    bool said = command->smtputf8 && command->kind == SMTP_CLIENT_REVERSE_PATH &&
                !smtp_client_parameters_have(command->parameters, "SMTPUTF8");
    return status == SMTP_OK && said ? append_text(out, " SMTPUTF8", error) : status;
}

static enum smtp_status append_parameters(struct smtp_buffer *out,
                                          const struct smtp_client_command *command,
                                          struct smtp_error *error)
{
    size_t before = out->len;
    enum smtp_status status = append_own_parameters(out, command, error);
    if (status == SMTP_OK && command->mail != NULL) {
        status = smtp_client_mail_options_append(out, command->mail, error);
    }
    if (status == SMTP_OK && command->rcpt != NULL) {
        status = smtp_client_rcpt_options_append(out, command->rcpt, command->smtputf8, error);
    }
    if (status != SMTP_OK || command->parameters == NULL || *command->parameters == '\0') {
        return status;
    }
    status = smtp_client_parameters_append(out, command->parameters, command->smtputf8, error);
    struct smtp_span all = smtp_buffer_span(out);
    return status == SMTP_OK ? smtp_client_parameters_check_repeats(
                                   (struct smtp_span){all.bytes + before, all.len - before}, error)
                             : status;
}

static enum smtp_status append_argument(struct smtp_buffer *out,
                                        const struct smtp_client_command *command,
                                        struct smtp_error *error)
{
    const char *argument = command->argument != NULL ? command->argument : "";
    switch (command->kind) {
    case SMTP_CLIENT_NO_ARGUMENT:
        return SMTP_OK;
    case SMTP_CLIENT_DOMAIN:
        return append_domain(out, argument, error);
    case SMTP_CLIENT_REVERSE_PATH:
        return smtp_client_path_append(out, argument, false, command->smtputf8, error);
    case SMTP_CLIENT_FORWARD_PATH:
        return smtp_client_path_append(out, argument, true, command->smtputf8, error);
    case SMTP_CLIENT_TEXT:
    case SMTP_CLIENT_SECRET:
        break;
    }
    if (*argument != '\0' && *command->verb != '\0') {
        enum smtp_status status = append_text(out, " ", error);
        if (status != SMTP_OK) {
            return status;
        }
    }
    return append_text(out, argument, error);
}

/* The last look: what goes out is one line. */
static enum smtp_status check_line(struct smtp_span line, bool may_be_empty,
                                   struct smtp_error *error)
{
    if (line.len == 0 && !may_be_empty) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "a command line is empty");
    }
    bool printable = smtp_is_printable(line);
    for (size_t i = 0; !printable && i < line.len; i++) {
        if (smtp_is_control((unsigned char)line.bytes[i])) {
            return smtp_error_set(error, SMTP_UNSAFE_ARGUMENT, 0,
                                  "a command would hold the control octet 0x%02X at position %zu",
                                  (unsigned char)line.bytes[i], i);
        }
    }
    if (line.len + 2 > SMTP_CLIENT_COMMAND_MAX) {
        return smtp_error_set(error, SMTP_LIMIT_EXCEEDED, 0, "a command is longer than %d octets",
                              SMTP_CLIENT_COMMAND_MAX);
    }
    return SMTP_OK;
}

enum smtp_status smtp_client_command_append(struct smtp_buffer *out,
                                            const struct smtp_client_command *command,
                                            struct smtp_error *error)
{
    size_t before = out->len;
    enum smtp_status status = append_text(out, command->verb, error);
    if (status == SMTP_OK) {
        status = append_argument(out, command, error);
    }
    if (status == SMTP_OK) {
        status = append_parameters(out, command, error);
    }
    if (status == SMTP_OK) {
        struct smtp_span all = smtp_buffer_span(out);
        status = check_line((struct smtp_span){all.bytes + before, all.len - before},
                            command->kind == SMTP_CLIENT_SECRET, error);
    }
    if (status == SMTP_OK && smtp_buffer_append(out, "\r\n", 2) != SMTP_OK) {
        status = no_room(error);
    }
    if (status != SMTP_OK) {
        out->len = before;
    }
    return status;
}
