/* command.h - a command line taken apart, once (RFC 5321 4.1.1, 4.1.2). */
#ifndef SMTP_SERVER_PROTOCOL_COMMAND_H
#define SMTP_SERVER_PROTOCOL_COMMAND_H

#include "common/bytes.h"

/** A line as a verb and what follows it. White space around the argument is gone. */
struct smtp_command {
    struct smtp_span line; /* without CRLF */
    struct smtp_span verb; /* up to the first space */
    struct smtp_span argument;
    bool has_bare_line_end; /* a CR or LF inside: it ends no command (RFC 5321 2.3.8) */
    bool has_control;       /* another control octet inside */
};

/** Takes a line apart; its CRLF is gone already. */
struct smtp_command smtp_command_parse(struct smtp_span line);

/** Moves *text past the word, in any case ("FROM:"); false: it does not start with it. */
bool smtp_command_take_word(struct smtp_span *text, struct smtp_span word);

/** A parameter of MAIL or RCPT: esmtp-param of RFC 5321 4.1.2. */
struct smtp_parameter {
    struct smtp_span keyword;
    struct smtp_span value;
    bool has_value;
};

enum smtp_parameter_result { SMTP_PARAMETER_NONE, SMTP_PARAMETER_TAKEN, SMTP_PARAMETER_MALFORMED };

/** Takes the next parameter off *text, with the space before it. */
enum smtp_parameter_result smtp_parameter_next(struct smtp_span *text, struct smtp_parameter *out);

#endif
