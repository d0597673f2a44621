/* stage.c - see stage.h. Does not know: sessions, what a reply's text says. */
#include "client/protocol/stage.h"

const char *smtp_client_stage_name(enum smtp_client_stage stage)
{
    static const char *const names[] = {
        [SMTP_STAGE_NONE] = "none",         [SMTP_STAGE_CONNECT] = "connect",
        [SMTP_STAGE_GREETING] = "greeting", [SMTP_STAGE_EHLO] = "EHLO",
        [SMTP_STAGE_HELO] = "HELO",         [SMTP_STAGE_STARTTLS] = "STARTTLS",
        [SMTP_STAGE_AUTH] = "AUTH",         [SMTP_STAGE_MAIL] = "MAIL",
        [SMTP_STAGE_RCPT] = "RCPT",         [SMTP_STAGE_DATA] = "DATA",
        [SMTP_STAGE_CONTENT] = "content",   [SMTP_STAGE_DOT] = "final dot",
        [SMTP_STAGE_RSET] = "RSET",         [SMTP_STAGE_QUIT] = "QUIT",
        [SMTP_STAGE_XCLIENT] = "XCLIENT",   [SMTP_STAGE_COMMAND] = "command",
    };
    size_t at = (size_t)stage;
    return at < sizeof(names) / sizeof(names[0]) && names[at] != NULL ? names[at] : "unknown";
}

uint64_t smtp_client_stage_timeout_ms(const struct smtp_client_timeouts *timeouts,
                                      enum smtp_client_stage stage)
{
    switch (stage) {
    case SMTP_STAGE_GREETING:
        return timeouts->greeting_ms;
    case SMTP_STAGE_DATA:
        return timeouts->data_ms;
    case SMTP_STAGE_CONTENT:
        return timeouts->content_ms;
    case SMTP_STAGE_DOT:
        return timeouts->final_ms;
    case SMTP_STAGE_QUIT:
        return timeouts->quit_ms;
    default:
        return timeouts->command_ms;
    }
}

/* RFC 5321 4.2: an unknown code counts by its first digit. 4.5.3.1.10: 552 to RCPT is "too many
 * recipients", to be tried again. 3.3: nothing but 354 lets content go; RFC 3207 4: nothing but 220
 * begins a handshake, or a session anew (XCLIENT). */
enum smtp_status smtp_client_stage_judge(enum smtp_client_stage stage, int code)
{
    bool intermediate_wanted = stage == SMTP_STAGE_COMMAND;
    bool greeting_wanted = stage == SMTP_STAGE_STARTTLS || stage == SMTP_STAGE_XCLIENT;
    switch (code / 100) {
    case 2:
        return stage == SMTP_STAGE_DATA || (greeting_wanted && code != 220)
                   ? SMTP_PROTOCOL_VIOLATION
                   : SMTP_OK;
    case 3:
        return intermediate_wanted || (stage == SMTP_STAGE_DATA && code == 354)
                   ? SMTP_OK
                   : SMTP_PROTOCOL_VIOLATION;
    case 4:
        return SMTP_REFUSED_TRANSIENT;
    default:
        return stage == SMTP_STAGE_RCPT && code == 552 ? SMTP_REFUSED_TRANSIENT
                                                       : SMTP_REFUSED_PERMANENT;
    }
}
