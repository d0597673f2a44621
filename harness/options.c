/* options.c - the harness's defaults: those of both halves, and bounded waiting. */
#include "harness/smtp_harness.h"

void smtp_harness_options_init(struct smtp_harness_options *options)
{
    *options = (struct smtp_harness_options){.wait_ms = 5000, .stop_ms = 1000};
    smtp_server_options_init(&options->server);
    smtp_client_options_init(&options->client);
}
