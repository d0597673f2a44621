/* command_fuzz.c - command lines: what the server's parsers make of any line, and the client's writers against them. What the
 * client would send, the server takes as it was meant; what the client refuses, it refuses without a crash. Knows RFC 5321
 * 4.1.2's words. Does not know sessions. */
#include "client/protocol/command.h"
#include "client/protocol/idn.h"
#include "client/protocol/parameters.h"
#include "client/protocol/path.h"
#include "client/protocol/xtext.h"
#include "server/protocol/command.h"
#include "server/protocol/date_time.h"
#include "server/protocol/path.h"
#include "server/protocol/xtext.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static struct smtp_server_limits limits(void)
{
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    return options.limits;
}

static bool is_within(struct smtp_span part, struct smtp_span all)
{
    return part.len == 0 ||
           (part.bytes >= all.bytes && part.bytes + part.len <= all.bytes + all.len);
}

/* ---- the server's parsers alone ---- */

static void take_parameters(struct smtp_span text)
{
    struct smtp_parameter parameter;
    struct smtp_span all = text;
    while (smtp_parameter_next(&text, &parameter) == SMTP_PARAMETER_TAKEN) {
        FUZZ_HOLDS(parameter.keyword.len > 0 && is_within(parameter.keyword, all));
        FUZZ_HOLDS(is_within(parameter.value, all) && is_within(text, all));
        FUZZ_HOLDS(parameter.has_value || parameter.value.len == 0);
        char decoded[64];
        if (smtp_xtext_decode(parameter.value, decoded, sizeof decoded)) {
            FUZZ_HOLDS(strlen(decoded) <= parameter.value.len && strlen(decoded) < sizeof decoded);
        }
        (void)smtp_is_xtext(parameter.value);
        (void)smtp_is_utf8_address(parameter.value);
    }
}

static void take_path(struct smtp_span argument, enum smtp_path_kind kind)
{
    struct smtp_server_limits some = limits();
    struct smtp_span rest = argument;
    struct smtp_path path = {{"", 0}, {"", 0}};
    enum smtp_path_fault fault = smtp_path_read(&rest, kind, &some, &path);
    FUZZ_HOLDS(is_within(rest, argument));
    if (fault == SMTP_PATH_OK) {
        FUZZ_HOLDS(is_within(path.text, argument) && is_within(path.domain, path.text));
        FUZZ_HOLDS(path.text.len + 2 <= some.path_octets);
        FUZZ_HOLDS(path.domain.len <= some.domain_octets);
        FUZZ_HOLDS(path.text.bytes[-1] == '<' && path.text.bytes[path.text.len] == '>');
        for (size_t i = 0; i < path.text.len; i++) {
            FUZZ_HOLDS(!smtp_is_control((unsigned char)path.text.bytes[i]));
        }
        take_parameters(rest);
    }
}

static void take_line(struct smtp_span line)
{
    struct smtp_command command = smtp_command_parse(line);
    FUZZ_HOLDS(is_within(command.verb, line) && is_within(command.argument, line));
    FUZZ_HOLDS(command.verb.len == 0 || memchr(command.verb.bytes, ' ', command.verb.len) == NULL);
    FUZZ_HOLDS(command.has_bare_line_end ==
               (line.len > 0 && (memchr(line.bytes, '\r', line.len) != NULL ||
                                 memchr(line.bytes, '\n', line.len) != NULL)));
    struct smtp_span argument = command.argument;
    if (smtp_command_take_word(&argument, SMTP_SPAN("FROM:"))) {
        take_path(argument, SMTP_REVERSE_PATH);
    } else if (smtp_command_take_word(&argument, SMTP_SPAN("TO:"))) {
        take_path(argument, SMTP_FORWARD_PATH);
    }
    (void)smtp_is_domain_or_literal(command.argument, 255);
}

/* ---- the client's writers against them ---- */

static void check_path(const char *text, bool forward, bool smtputf8)
{
    struct smtp_buffer made = SMTP_BUFFER(SIZE_MAX), again = SMTP_BUFFER(SIZE_MAX);
    struct smtp_error error = {0};
    struct smtp_server_limits some = limits();
    if (smtp_client_path_append(&made, text, forward, smtputf8, &error) == SMTP_OK) {
        struct smtp_span rest = smtp_buffer_span(&made);
        struct smtp_path path;
        bool eight_bit = false;
        for (size_t i = 0; i < rest.len; i++) {
            eight_bit = eight_bit || (unsigned char)rest.bytes[i] > 127;
        }
        FUZZ_HOLDS(smtputf8 || !eight_bit);
        FUZZ_HOLDS(smtp_path_read(&rest, forward ? SMTP_FORWARD_PATH : SMTP_REVERSE_PATH, &some,
                                  &path) == SMTP_PATH_OK);
        FUZZ_HOLDS(rest.len == 0);
        char *inside = fuzz_text(path.text); /* what came out goes in, and comes out the same */
        FUZZ_HOLDS(smtp_client_path_append(&again, inside, forward, smtputf8, &error) == SMTP_OK);
        FUZZ_ALIKE(&made, &again);
        free(inside);
    }
    smtp_buffer_free(&made);
    smtp_buffer_free(&again);
}

static void check_parameters(const char *text, bool smtputf8)
{
    struct smtp_buffer made = SMTP_BUFFER(SIZE_MAX);
    struct smtp_error error = {0};
    if (smtp_client_parameters_append(&made, text, smtputf8, &error) == SMTP_OK) {
        struct smtp_span rest = smtp_buffer_span(&made);
        struct smtp_parameter parameter;
        enum smtp_parameter_result result;
        while ((result = smtp_parameter_next(&rest, &parameter)) == SMTP_PARAMETER_TAKEN) {
            char *keyword = fuzz_text(parameter.keyword);
            FUZZ_HOLDS(smtp_client_parameters_have(text, keyword));
            free(keyword);
        }
        FUZZ_HOLDS(result == SMTP_PARAMETER_NONE && rest.len == 0);
    }
    (void)!smtp_client_parameters_check_repeats(smtp_span_of(text), &error);
    smtp_buffer_free(&made);
}

static void check_xtext(const char *text)
{
    struct smtp_buffer made = SMTP_BUFFER(SIZE_MAX);
    struct smtp_error error = {0};
    size_t len = strlen(text);
    char *decoded = malloc(len + 1);
    FUZZ_HOLDS(decoded != NULL);
    if (len > 0 && smtp_client_xtext_append(&made, smtp_span_of(text), "it", &error) == SMTP_OK) {
        FUZZ_HOLDS(smtp_is_xtext(smtp_buffer_span(&made)));
        FUZZ_HOLDS(smtp_xtext_decode(smtp_buffer_span(&made), decoded, len + 1));
        FUZZ_HOLDS(strcmp(decoded, text) == 0);
    }
    free(decoded);
    smtp_buffer_free(&made);
}

/* Whatever goes into a command, one line comes out: nothing can be smuggled in. */
static void check_command(const char *text, const char *further,
                          enum smtp_client_argument_kind kind, bool smtputf8)
{
    static const char *const verbs[] = {
        [SMTP_CLIENT_NO_ARGUMENT] = "NOOP",
        [SMTP_CLIENT_DOMAIN] = "EHLO ",
        [SMTP_CLIENT_REVERSE_PATH] = "MAIL FROM:",
        [SMTP_CLIENT_FORWARD_PATH] = "RCPT TO:",
        [SMTP_CLIENT_TEXT] = "VRFY ",
        [SMTP_CLIENT_SECRET] = "",
    };
    const struct smtp_mail_options mail = {.dsn_envelope_id = further, .hold_until = further};
    const struct smtp_rcpt_options rcpt = {.original_recipient = further};
    struct smtp_client_command command = {.verb = verbs[kind],
                                          .kind = kind,
                                          .argument = text,
                                          .parameters = further,
                                          .smtputf8 = smtputf8};
    for (unsigned i = 0; i < 2; i++) {
        struct smtp_buffer made = SMTP_BUFFER(SIZE_MAX);
        struct smtp_error error = {0};
        if (smtp_client_command_append(&made, &command, &error) == SMTP_OK) {
            struct smtp_span line = smtp_buffer_span(&made);
            FUZZ_HOLDS(line.len >= 2 && line.len <= SMTP_CLIENT_COMMAND_MAX);
            FUZZ_HOLDS(memchr(line.bytes, '\r', line.len) == line.bytes + line.len - 2);
            FUZZ_HOLDS(memchr(line.bytes, '\n', line.len) == line.bytes + line.len - 1);
            FUZZ_HOLDS(memcmp(line.bytes, command.verb, strlen(command.verb)) == 0);
        } else {
            FUZZ_HOLDS(made.len == 0 && error.message[0] != '\0');
        }
        smtp_buffer_free(&made);
        command.parameters = NULL;
        command.mail = kind == SMTP_CLIENT_REVERSE_PATH ? &mail : NULL;
        command.rcpt = kind == SMTP_CLIENT_FORWARD_PATH ? &rcpt : NULL;
    }
}

/* The server knows no time before 1970: it is past in any case. */
static void check_times(const char *text)
{
    int64_t seconds = 0;
    bool ours = smtp_client_is_utc_time(smtp_span_of(text));
    bool theirs = smtp_date_time_read(smtp_span_of(text), &seconds);
    FUZZ_HOLDS(!ours || theirs || strcmp(text, "1970") < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct fuzz_input input = {octets, len};
    enum smtp_client_argument_kind kind = (enum smtp_client_argument_kind)fuzz_below(&input, 6);
    char *line = fuzz_copy(fuzz_rest(&input));
    take_line((struct smtp_span){line, input.len});
    free(line);
    char *text = fuzz_text(fuzz_part(&input, '\n')), *further = fuzz_text(fuzz_rest(&input));
    for (unsigned smtputf8 = 0; smtputf8 < 2; smtputf8++) {
        check_path(text, false, smtputf8 != 0);
        check_path(text, true, smtputf8 != 0);
        check_parameters(text, smtputf8 != 0);
        check_command(text, further, kind, smtputf8 != 0);
    }
    check_xtext(text);
    check_times(text);
    if (smtp_client_domain_valid(smtp_span_of(text))) {
        FUZZ_HOLDS(smtp_is_domain_or_literal(smtp_span_of(text), 255));
    }
    free(text);
    free(further);
    return 0;
}
