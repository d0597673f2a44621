/* options.c - the client's defaults: the waiting times are the minimums of RFC 5321 4.5.3.2. */
#include "client/smtp_client.h"

void smtp_client_options_init(struct smtp_client_options *options)
{
    *options = (struct smtp_client_options){
        .pipelining = true,
        .timeouts =
            {
                .connect_ms = 30000,
                .greeting_ms = 300000,
                .command_ms = 300000,
                .data_ms = 120000,
                .content_ms = 180000,
                .final_ms = 600000,
                .quit_ms = 5000,
            },
    };
}
