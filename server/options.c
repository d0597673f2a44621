/* options.c - the server's defaults, with the RFC clause of each in smtp_server.h. */
#include "server/smtp_server.h"

void smtp_server_options_init(struct smtp_server_options *options)
{
    *options = (struct smtp_server_options){
        .workers = 1,
        .bare_line_end = SMTP_BARE_REFUSE,
        .tls = {.mode = SMTP_SERVER_TLS_OFFERED},
        .limits =
            {
                .local_part_octets = 64,
                .domain_octets = 255,
                .path_octets = 256,
                .command_line_octets = 512,
                .text_line_octets = 1000,
                .recipients = 100,
                .message_octets = 33554432,
                .errors = 100,
                .sessions = 20000,
                .auth_line_octets = 12288,
                .hold_s = 2592000,
                .handshake_timeout_ms = 30000,
                .command_timeout_ms = 300000,
                .content_timeout_ms = 300000,
                .session_timeout_ms = 3600000,
            },
        .keywords =
            {
                .pipelining = true,
                .size = true,
                .eight_bit_mime = true,
                .smtputf8 = true,
                .chunking = true,
                .binary_mime = true,
                .dsn = true,
                .enhanced_status_codes = true,
                .require_tls = true,
                .limits = true,
                .vrfy = true,
                .expn = true,
                .help = true,
            },
    };
}
