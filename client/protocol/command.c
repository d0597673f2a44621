/* command.c - makes every command line the client sends (RFC 5321 4.1).
 * Knows: arguments by kind, esmtp-params, the bounds of a line; and it looks at the final octets,
 * so that nothing that slipped through the checks before can begin a second command. An attacker
 * who gets a CR LF into an address would write the next command himself. Does not know: which
 * command may come when. */
#include "client/protocol/command.h"

#include "client/protocol/path.h"
#include "common/error.h"

#include <inttypes.h>
#include <stdio.h>
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
                                  "the HELO name holds the octet 0x%02X", (unsigned char)*at);
        }
    }
    if (!smtp_client_domain_valid(smtp_span_of(domain))) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "\"%.120s\" is no HELO name: a domain or an address literal like "
                              "[127.0.0.1] is expected",
                              domain);
    }
    return append_text(out, domain, error);
}

/* The length of the esmtp-param at text: keyword ["=" value]; 0: it is none. */
static size_t parameter_length(const char *text)
{
    size_t len = 0;
    while (smtp_is_letter((unsigned char)text[len]) || smtp_is_digit((unsigned char)text[len]) ||
           (text[len] == '-' && len > 0)) {
        len++;
    }
    if (len == 0 || text[len] != '=') {
        return len;
    }
    size_t value = len + 1;
    while (text[value] > 32 && text[value] < 127 && text[value] != '=') {
        value++;
    }
    return value > len + 1 ? value : 0;
}

/* esmtp-params are parted by one space each. */
static enum smtp_status check_parameters(const char *parameters, struct smtp_error *error)
{
    for (const char *at = parameters; *at != '\0'; at++) {
        if (smtp_is_control((unsigned char)*at)) {
            return smtp_error_set(error, SMTP_UNSAFE_ARGUMENT, 0,
                                  "a parameter holds the control octet 0x%02X", (unsigned char)*at);
        }
    }
    const char *at = parameters;
    while (*at != '\0') {
        size_t len = parameter_length(at);
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

bool smtp_client_parameters_have(const char *parameters, const char *keyword)
{
    struct smtp_span wanted = smtp_span_of(keyword);
    for (const char *at = parameters; at != NULL && *at != '\0';) {
        struct smtp_span name = {at, strcspn(at, "= ")};
        if (smtp_span_equal_nocase(name, wanted)) {
            return true;
        }
        at += strcspn(at, " ");
        at += *at == ' ' ? 1 : 0;
    }
    return false;
}

static enum smtp_status append_parameters(struct smtp_buffer *out,
                                          const struct smtp_client_command *command,
                                          struct smtp_error *error)
{
    enum smtp_status status = SMTP_OK;
    if (command->declare_size) {
        char size[32];
        snprintf(size, sizeof(size), " SIZE=%" PRIu64, command->size_bytes);
        status = append_text(out, size, error);
    }
    static const char *const bodies[] = {
        [SMTP_BODY_DETECT] = "",
        [SMTP_BODY_7BIT] = " BODY=7BIT",
        [SMTP_BODY_8BITMIME] = " BODY=8BITMIME",
        [SMTP_BODY_BINARYMIME] = " BODY=BINARYMIME",
    };
    if (status == SMTP_OK) {
        status = append_text(out, bodies[command->body], error);
    }
    if (status != SMTP_OK || command->parameters == NULL || *command->parameters == '\0') {
        return status;
    }
    status = check_parameters(command->parameters, error);
    status = status == SMTP_OK ? append_text(out, " ", error) : status;
    return status == SMTP_OK ? append_text(out, command->parameters, error) : status;
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
        return smtp_client_path_append(out, argument, false, error);
    case SMTP_CLIENT_FORWARD_PATH:
        return smtp_client_path_append(out, argument, true, error);
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
    for (size_t i = 0; i < line.len; i++) {
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
